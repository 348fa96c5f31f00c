"""How a step goes over its hosts, and a deployment over its steps: waves, retries, and how many hosts may fail."""

from __future__ import annotations

import math
import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, Pairs, of, telling

__all__ = ["Retry", "Rolling", "Rollout", "share"]


def _is_amount(value: Any, *, least: int) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return value >= least
    found = re.fullmatch(r"(\d{1,3})%", value) if isinstance(value, str) else None
    return found is not None and least <= int(found[1]) <= 100


def share(amount: int | str, count: int, *, up: bool) -> int:
    """How many of *count* hosts *amount* is: a number, or a percentage, rounded *up* or down."""
    if isinstance(amount, int):
        return amount
    return math.ceil(count * int(amount[:-1]) / 100) if up else count * int(amount[:-1]) // 100


def _sizes(value: Any) -> tuple[int | str, ...]:
    sizes = value if isinstance(value, list | tuple) else (value,)
    for size in sizes:
        if not _is_amount(size, least=1):
            raise ModelError(f"rolling size {size!r} is neither a number of hosts nor a percentage such as '25%'")
    if not sizes:
        raise ModelError("rolling needs a size, such as 1, '25%' or [1, '25%', '100%']")
    return tuple(sizes)


def _amount(_instance: Any, attribute: Any, value: Any) -> None:
    if not _is_amount(value, least=0):
        raise ModelError(f"{attribute.name} {value!r} is neither a number of hosts nor a percentage such as '25%'")


def _count(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000):
        raise ModelError(
            f"{type(instance).__name__}: {attribute.name} {value!r} is no number of hosts from 1 to 1000; leave it out"
        )


def _duration(instance: Any, attribute: Any, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    if value is not None and not number:
        raise ModelError(
            f"{type(instance).__name__}: {attribute.name} {value!r} is no number of seconds; give 0 or more"
        )


@frozen(field_transformer=telling)
class Rolling(Described):
    """Hosts in waves: a step goes on to the next wave when each host of this one has succeeded.

    Attributes:
        sizes: A number of hosts, a percentage of all (rounded up), or a list of both; the last one repeats.
        by: Hosts of one kind after those of another: ``role``, or the name of a label such as ``rack``. The waves
            of one kind come one after the other, before the next kind begins; the sizes count within a kind.
        pause_s: Seconds between two waves.
        approve: Somebody has to approve each wave but the first, as an `Approve` step does.
        healthy: How many hosts of the step, a number or a percentage, stay out of it at each moment: neither in
            work, nor failed, nor left out. A wave is made smaller for that.
        parallel: How many hosts of a wave are in work at once; None: all, as far as the `Rollout` lets them.
    """

    sizes: tuple[int | str, ...] = field(default=("100%",), converter=_sizes)
    by: str = field(default="", kw_only=True, validator=of(str))
    pause_s: float = field(default=0.0, kw_only=True, validator=_duration)
    approve: bool = field(default=False, kw_only=True, validator=of(bool))
    healthy: int | str = field(default=0, kw_only=True, validator=_amount)
    parallel: int | None = field(default=None, kw_only=True, validator=_count)

    def waves(self, count: int, *, most: int | None = None) -> tuple[int, ...]:
        """How many of *count* hosts each wave takes, and none more than *most*; they add up to *count*."""
        made: list[int] = []
        left = count
        while left:
            size = share(self.sizes[min(len(made), len(self.sizes) - 1)], count, up=True)
            made.append(min(left, max(1, size), most or left))
            left -= made[-1]
        return tuple(made)


def _times(_instance: Any, _attribute: Any, times: Any) -> None:
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= 100:
        raise ModelError(f"Retry: {times!r} is no number of further tries; give one from 1 to 100, or leave retry out")


def _factor(_instance: Any, _attribute: Any, factor: Any) -> None:
    if not isinstance(factor, int | float) or isinstance(factor, bool) or not 1 <= factor <= 10:
        raise ModelError(f"Retry: factor {factor!r} is no number from 1 to 10; 2 doubles the time each time")


@frozen
class Retry(Described):
    """A step that failed on a host is tried again there, after a time that grows.

    Attributes:
        times: How many further tries at most.
        delay_s: Seconds before the first of them.
        factor: By how much longer each of the others waits.
    """

    times: int = field(validator=_times)
    delay_s: float = field(default=5.0, validator=_duration)
    factor: float = field(default=2.0, validator=_factor)

    def wait_s(self, number: int) -> float:
        """Seconds before the *number*-th further try."""
        return float(self.delay_s * self.factor ** (number - 1))


def _one_of(*ways: str) -> Any:
    def validate(_instance: Any, attribute: Any, value: Any) -> None:
        if value not in ways:
            raise ModelError(f"Rollout: {attribute.name} {value!r} is none of {', '.join(map(repr, ways))}")

    return validate


def _minima(value: Any) -> Pairs[int | str]:
    pairs: Pairs[int | str] = Pairs(value)
    for role, amount in pairs.items():
        if not _is_amount(amount, least=0):
            raise ModelError(f"role {role!r}: {amount!r} is neither a number of hosts nor a percentage such as '50%'")
    return pairs


@frozen(kw_only=True, field_transformer=telling)
class Rollout(Described):
    """How a deployment goes over its hosts, and what it does when some of them fail or do not answer.

    Attributes:
        max_failures: How many hosts may fail, a number or a percentage of all (rounded down). Within that, the
            others go on, and the deployment counts as succeeded; a host that failed gets no further step. A step
            that runs once, or that is ``required``, must not fail at all.
        on_failure: What happens once more have failed. ``stop``: nothing more is started. ``continue``: the others
            go on, and the deployment counts as failed. ``rollback``: nothing more is started, and the hosts that
            were changed get the release that stood there before.
        offline: What happens with hosts that cannot be reached, before anything is sent to any. ``fail``: nothing is
            deployed. ``skip``: the others go on without them, and the record says so. A wrong host key or login
            is no such thing.
        at_least: How many hosts of a role, a number or a percentage, have to be there when others are offline or in
            maintenance; if they are not, nothing is deployed.
        parallel: How many hosts are in work at once.
        per_gateway: How many hosts behind one gateway are in work at once; None: as many as elsewhere.
        timeout_s: Seconds for the whole deployment; what has not begun by then is left out, and it has failed.
        grace_s: Seconds that what runs on the hosts gets to end once the deployment is interrupted. What has not
            ended by then goes on there by itself, and stands as unknown in the record.
    """

    max_failures: int | str = field(default=0, validator=_amount)
    on_failure: str = field(default="stop", validator=_one_of("stop", "continue", "rollback"))
    offline: str = field(default="fail", validator=_one_of("fail", "skip"))
    at_least: Pairs[int | str] = field(factory=Pairs, converter=_minima)
    parallel: int = field(default=64, validator=_count)
    per_gateway: int | None = field(default=None, validator=_count)
    timeout_s: float | None = field(default=None, validator=_duration)
    grace_s: float = field(default=6.0, validator=_duration)

    def __attrs_post_init__(self) -> None:
        if self.parallel is None:
            raise ModelError("Rollout: parallel is a number of hosts; leave it out for 64")

    def tolerated(self, count: int) -> int:
        """How many of *count* hosts may fail."""
        return share(self.max_failures, count, up=False)
