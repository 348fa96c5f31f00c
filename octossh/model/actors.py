"""Who acts."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from octossh.model._values import Described

__all__ = ["Actor"]


@frozen(kw_only=True)
class Actor(Described):
    """Who acts, as far as the machine can tell. Only ``user`` and ``host`` are facts; the rest is what others said.

    Attributes:
        user: Of the operating system, by the id that the process runs under.
        host: The name of the machine.
        sudo_user: Who became that user by sudo.
        name: Who they say they are: the environment variable ``OCTOSSH_ACTOR``, else name and address of git.
        job: The job of a CI system, such as ``GitHub Actions 1234``.
        link: The page of that job.
        started_by: Who started the job, as the CI system says.
    """

    user: str
    host: str
    sudo_user: str = ""
    name: str = ""
    job: str = ""
    link: str = ""
    started_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What is known of them, as plain data."""
        return {name: value for name, value in super().to_dict().items() if value}

    def __str__(self) -> str:
        more = ", ".join(filter(None, (self.name, self.job, self.started_by and f"started by {self.started_by}")))
        return f"{self.user}@{self.host}" + (f" ({more})" if more else "")
