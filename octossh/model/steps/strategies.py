"""How the old container of a step makes way for the new one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from attrs import field, frozen

from octossh.model._values import checked, telling, words
from octossh.model.steps.base import Part
from octossh.model.steps.fields import check_network_name, check_plain, seconds
from octossh.templating import has_expression

__all__ = ["STRATEGIES", "Replace", "StartFirst", "Strategy"]


@frozen(field_transformer=telling)
class Strategy(Part):
    """How the old container makes way for the new one."""

    kind: ClassVar[str] = "strategy"
    """The name of the kind in plain data."""

    def objections(self, step: Any) -> Iterable[str]:  # noqa: ARG002
        """Why the container *step* cannot be replaced in this way, each in a sentence that says what to do."""
        return ()


@frozen(kw_only=True, field_transformer=telling)
class Replace(Strategy):
    """Stop-first: the new container is pulled and created, then the old one stops and the new one starts.

    The old one is kept aside until the new one is healthy, and is put back if it is not. One runs at a time.
    """

    kind: ClassVar[str] = "replace"


@frozen(kw_only=True, field_transformer=telling)
class StartFirst(Strategy):
    """Start-first: the new container starts beside the old one, and takes its place once it is healthy.

    Until then the old one runs on untouched, and for a while both run. So they must be able to: no port of the
    host, no address and no lock on a volume that only one of them can have.

    Attributes:
        network: The one among the step's networks by which requests come. A new container joins it, under the
            step's aliases, only once it is healthy; it starts in the other ones. None: for a step without aliases,
            such as a worker that fetches its work, or one that a proxy finds by labels and health check.
        drain: A command that is run in the old container once the new one gets requests, such as one that makes
            its health check fail, so that a proxy sends it no more.
        drain_s: Seconds between then and the stop of the old one.
    """

    kind: ClassVar[str] = "start_first"

    network: str | None = field(default=None, validator=checked(check_network_name, optional=True))
    drain: tuple[str, ...] = field(default=(), converter=words, validator=checked(check_plain))
    drain_s: float = field(default=5.0, validator=seconds)

    def objections(self, step: Any) -> Iterable[str]:
        """Why the container *step* cannot be replaced in this way, each in a sentence that says what to do."""
        for mapping in step.publish:
            if not has_expression(mapping) and (port := _only_port(mapping)):
                yield (
                    f"port {port} of the host can be had by one container at a time, and with StartFirst two run "
                    "for a while; publish none and put a proxy in front, let docker choose one "
                    f"('127.0.0.1::{mapping.rpartition(':')[2]}'), or use Replace()"
                )
        names = [getattr(item, "network", item) for item in step.networks]
        mode = next((name for name in [*names, getattr(step, "network_mode", None) or ""] if _SHARED.match(name)), None)
        if mode:
            yield f"two containers in the network {mode!r} share its ports, which StartFirst cannot do; use Replace()"
        options = [word.partition("=")[0] for word in step.extra_args]
        taken = next((word for word in options if word in _FOR_ONE), None)
        if any(getattr(item, "ip", None) or getattr(item, "ip6", None) for item in step.networks):
            taken = "ip"
        if taken:
            yield f"{taken} can be had by one container at a time; leave it out with StartFirst, or use Replace()"
        named = [name for name, item in zip(names, step.networks, strict=True) if getattr(item, "aliases", ())]
        if self.network is None and (step.aliases or named):
            yield (
                "with StartFirst a new container gets its aliases only once it is healthy, when it joins the network "
                "by which requests come; say which one that is, StartFirst(network='...')"
            )
        if self.network is not None and (early := next((name for name in named if name != self.network), None)):
            yield (
                f"a new container would bear its aliases in the network {early!r} before it is healthy; with "
                f"StartFirst(network={self.network!r}) give aliases=[...] to the step, which are for that network"
            )
        if self.network is not None and self.network not in names:
            yield f"StartFirst(network={self.network!r}) is none of its networks; add it to networks=[...]"
        elif self.network is not None and len(names) < 2:
            yield (
                f"it joins {self.network!r} only once it is healthy, so it needs another network to start in; "
                f"add one, such as networks=['bridge', {self.network!r}]"
            )


STRATEGIES: dict[str, type[Strategy]] = {kind.kind: kind for kind in (Replace, StartFirst)}
"""The kinds of strategies by their names."""

_SHARED = re.compile(r"host$|container:")
_FOR_ONE = {"--ip", "--ip6", "--mac-address", "--publish", "-p"}


def _only_port(mapping: str) -> str | None:
    """The port of the host that *mapping* of ``--publish`` fixes; None where docker chooses one."""
    found = re.fullmatch(r"(?:.*:)?(\d+)(?:-(\d+))?:[^:]+", mapping)
    # Of a range docker takes a free one, if one port of the container is to be had.
    return found[1] if found and (not found[2] or "-" in mapping.rpartition(":")[2]) else None
