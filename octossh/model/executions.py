"""Containers from outside: what they say, and what is executed in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.model._values import Described
from octossh.model.tables import Table

__all__ = ["ContainerLine", "Execution", "Executions"]

_NEVER = 255  # as ssh has it where there is no exit code to tell


@frozen(kw_only=True)
class ContainerLine(Described):
    """One line that a container said.

    Attributes:
        target: The host that it runs on.
        step: The step that made it.
        container: Docker's name for it.
        member: Its service, where compose made it.
        text: The line, as it came: it may hold sequences that move a cursor. Bytes that are no UTF-8 are escaped.
        at: When docker got it; None: not known.
    """

    target: str
    step: str
    container: str
    member: str = ""
    text: str
    at: datetime | None = None

    @property
    def place(self) -> str:
        """Who says it, in short."""
        return f"{self.target} {self.container if self.member else self.step}"

    def __str__(self) -> str:
        return f"{self.place} | {self.text}"


@frozen(kw_only=True)
class Execution(Described):
    """One command in one container.

    Attributes:
        target: The host; so are the next three those of `ContainerLine`.
        exit_code: Of the command; None where it was not executed, or its end was not seen.
        output: What it said, both streams; of very much, the beginning and the end.
        why: Why there is no exit code.
    """

    target: str
    step: str = ""
    container: str = ""
    member: str = ""
    exit_code: int | None = None
    output: str = field(default="", repr=False)
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command ended with 0."""
        return self.exit_code == 0


@frozen
class Executions(Described):
    """One command in several containers; printing it gives a table of how it ended.

    Attributes:
        command: Its words.
        items: One for each container, and for each host that could not be reached.
    """

    command: tuple[str, ...]
    items: tuple[Execution, ...]

    @property
    def exit_code(self) -> int:
        """The highest of all; 255 where one is not known."""
        return max((_NEVER if item.exit_code is None else item.exit_code for item in self.items), default=0)

    @property
    def ok(self) -> bool:
        """Whether it ended with 0 everywhere."""
        return self.exit_code == 0

    def __iter__(self) -> Iterator[Execution]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, with the highest exit code."""
        return {**super().to_dict(), "exit_code": self.exit_code}

    def tables(self) -> tuple[Table, ...]:
        """One row for each container."""
        rows = [
            (item.target, item.step, item.container, "" if item.exit_code is None else str(item.exit_code), item.why)
            for item in self.items
        ]
        head = ("target", "step", "container", "exit code", "why")
        return (Table(head=head, rows=rows, caption="How the command ended", empty="no container fits"),)

    def __str__(self) -> str:
        return str(*self.tables())
