"""How a step goes over its hosts, how a container is replaced, and when it counts as healthy."""

from __future__ import annotations

import math
import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described

__all__ = ["Http", "Replace", "Rolling"]


def _port(_instance: Any, _attribute: Any, port: Any) -> None:
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise ModelError(f"health port {port!r} is not a number from 1 to 65535")


def _path(_instance: Any, _attribute: Any, path: Any) -> None:
    if not isinstance(path, str) or not re.fullmatch(r"/[!-~]*", path):
        raise ModelError(f"health path {path!r} does not start with '/', or holds a blank; write it as '/health'")


@frozen
class Http(Described):
    """Healthy when a GET from the host to the container's own address answers below 400.

    Attributes:
        port: The port inside the container.
        path: Starts with ``/``.
    """

    port: int = field(validator=_port)
    path: str = field(default="/", validator=_path)


@frozen(kw_only=True)
class Replace(Described):
    """Stop-first: the new container is pulled and created, then the old one stops and the new one starts.

    The old one is kept aside until the new one is healthy, and is put back if it is not.
    """


def _sizes(value: Any) -> tuple[int | str, ...]:
    sizes = value if isinstance(value, list | tuple) else (value,)
    for size in sizes:
        number = isinstance(size, int) and not isinstance(size, bool) and size > 0
        percent = isinstance(size, str) and (found := re.fullmatch(r"(\d{1,3})%", size)) and 0 < int(found[1]) <= 100
        if not number and not percent:
            raise ModelError(f"rolling size {size!r} is neither a number of hosts nor a percentage such as '25%'")
    if not sizes:
        raise ModelError("rolling needs a size, such as 1, '25%' or [1, '25%', '100%']")
    return tuple(sizes)


@frozen
class Rolling(Described):
    """Hosts in waves: a step goes on to the next wave when each host of this one has succeeded.

    Attributes:
        sizes: A number of hosts, a percentage of all (rounded up), or a list of both; the last one repeats.
    """

    sizes: tuple[int | str, ...] = field(converter=_sizes)

    def waves(self, count: int) -> tuple[int, ...]:
        """How many of *count* hosts each wave takes; they add up to *count*."""
        made: list[int] = []
        left = count
        while left:
            size = self.sizes[min(len(made), len(self.sizes) - 1)]
            wanted = size if isinstance(size, int) else math.ceil(count * int(size[:-1]) / 100)
            made.append(min(left, max(1, wanted)))
            left -= made[-1]
        return tuple(made)
