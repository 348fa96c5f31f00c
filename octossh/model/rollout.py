"""How a step goes over its hosts."""

from __future__ import annotations

import math
import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described

__all__ = ["Rolling"]


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
