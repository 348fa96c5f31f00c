"""Drift: what runs on hosts, held against what was deployed to them; and where an image runs."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import frozen

from octossh.model._values import Described
from octossh.model.tables import Table

__all__ = ["Deviation", "Drift", "Drifts", "Problem", "Runner", "Sighting", "Whereabouts"]


class Problem(enum.Enum):
    """How something on a host is another than what was deployed."""

    MISSING = "missing"
    STOPPED = "stopped"
    UNHEALTHY = "unhealthy"
    IMAGE = "another image"
    CONFIG = "another configuration"
    REPLACED = "replaced"
    EXTRA = "extra"


@frozen(kw_only=True)
class Deviation(Described):
    """One thing on one host that is another than what was deployed.

    Attributes:
        kind: ``container``, ``network``, ``volume``, ``image``, ``file`` or ``service``.
        name: Docker's name for it, or the path of a file.
        expected: What was deployed, in words.
        found: What is there, in words.
    """

    target: str
    step: str
    kind: str
    name: str
    problem: Problem
    expected: str = ""
    found: str = ""


_ILL = {Problem.MISSING, Problem.STOPPED, Problem.UNHEALTHY}


@frozen(kw_only=True)
class Sighting(Described):
    """How the hosts of an environment were last seen.

    Attributes:
        deployment: What stood there then.
        seen: ``healthy``, ``unhealthy`` or ``drifted``.
        why: What was wrong; empty where it was healthy.
        at: When it was first seen so.
    """

    deployment: str
    seen: str
    why: str = ""
    at: datetime | None = None


@frozen(kw_only=True)
class Drift(Described):
    """What is on the hosts of one environment, held against what was deployed there last.

    Attributes:
        release: What was deployed: the last that succeeded there.
        deployment: The deployment of it.
        looked_at: When the hosts were looked at; None: none could be.
        deviations: What differs, by host.
        unseen: The hosts that could not be looked at, with the reason: target and text.
        notes: What else there is to know, such as what was not compared.
    """

    project: str
    environment: str
    release: str
    deployment: str
    looked_at: datetime | None = None
    deviations: tuple[Deviation, ...] = ()
    unseen: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every host was looked at, and nothing differs."""
        return not self.deviations and not self.unseen

    @property
    def sighting(self) -> Sighting | None:
        """What is worth to remember of it; None where a host could not be looked at, and nothing else is known."""
        if self.deviations:
            worst = [d for d in self.deviations if d.problem in _ILL] or self.deviations
            why = f"{worst[0].target} {worst[0].name}: {worst[0].problem.value}"
            more = f" (and {len(self.deviations) - 1} more)" if len(self.deviations) > 1 else ""
            seen = "unhealthy" if worst[0].problem in _ILL else "drifted"
            return Sighting(deployment=self.deployment, seen=seen, why=f"{why}{more}", at=self.looked_at)
        return None if self.unseen else Sighting(deployment=self.deployment, seen="healthy", at=self.looked_at)

    @property
    def verdict(self) -> str:
        """In a few words: no drift, how much of it, or that hosts could not be looked at."""
        parts = [f"{len(self.deviations)} deviations" if len(self.deviations) > 1 else "1 deviation"]
        parts = parts if self.deviations else []
        if self.unseen:
            parts.append(f"{len(self.unseen)} hosts could not be looked at")
        return ", ".join(parts) or "no drift"


@frozen
class Drifts(Described):
    """The drift of several environments; printing it gives a table.

    Attributes:
        places: One `Drift` for each project and environment where something was deployed.
    """

    places: tuple[Drift, ...]

    @property
    def ok(self) -> bool:
        """Whether every host was looked at, and nothing differs."""
        return all(place.ok for place in self.places)

    @property
    def drifted(self) -> bool:
        """Whether anything was seen to differ."""
        return any(place.deviations for place in self.places)

    def __iter__(self) -> Iterator[Drift]:
        return iter(self.places)

    def to_dict(self) -> dict[str, Any]:
        """The drift as plain data."""
        return {"ok": self.ok, "drifted": self.drifted, "places": [place.to_dict() for place in self.places]}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One line for each environment."""
        return tuple(f"{p.project} {p.release} in {p.environment}: {p.verdict}" for p in self.places)

    def tables(self) -> tuple[Table, ...]:
        """What differs, one row for each thing; below it the verdict on each environment."""
        rows = [
            (d.target, d.step, d.name, d.problem.value, d.expected, d.found, f"{p.project} {p.environment}")
            for p in self.places
            for d in p.deviations
        ]
        for p in self.places:
            rows += [(host, "", "", "could not be looked at", "", why, p.environment) for host, why in p.unseen]
        notes = [f"{p.project} {p.environment}: {note}" for p in self.places for note in p.notes]
        return (
            Table(
                head=("target", "step", "name", "problem", "deployed", "found", "where"),
                rows=rows,
                caption=f"What runs, against what was deployed: {'; '.join(self.verdicts)}",
                empty="; ".join(self.verdicts) or "nothing has been deployed yet",
                notes=tuple(notes),
            ),
        )

    def __str__(self) -> str:
        (table,) = self.tables()
        return "\n".join([*self.verdicts, str(table)] if table.rows else [str(table)])


@frozen(kw_only=True)
class Runner(Described):
    """Something that runs an image, or was deployed to.

    Attributes:
        source: ``record``: a deployment put it there; ``host``: it was seen there.
        project: Empty for what octossh did not make; so are the next three.
        name: Docker's name of the container; of the record empty.
        image: With its tag, as far as it is known.
        digest: What it is pinned to, or empty where the host does not tell.
        since: When it was deployed or created.
    """

    source: str
    target: str
    project: str = ""
    environment: str = ""
    release: str = ""
    step: str = ""
    name: str = ""
    image: str = ""
    digest: str = ""
    since: datetime | None = None


@frozen
class Whereabouts(Described):
    """Where an image runs; printing it gives a table.

    Attributes:
        image: What was asked for.
        runners: By project, environment and host.
        unseen: The hosts that could not be looked at, with the reason.
        near: The image of a project whose name is nearly the one that was asked for, where nothing runs that.
    """

    image: str
    runners: tuple[Runner, ...]
    unseen: tuple[tuple[str, str], ...] = ()
    near: str = ""

    def __iter__(self) -> Iterator[Runner]:
        return iter(self.runners)

    def tables(self) -> tuple[Table, ...]:
        """One row for each place."""
        rows = [
            (r.target, r.project, r.environment, r.release, r.step, r.name, r.image, r.digest[7:19], r.source)
            for r in self.runners
        ]
        head = ("target", "project", "environment", "release", "step", "container", "image", "digest", "says")
        notes = tuple(f"{host} could not be looked at: {why}" for host, why in self.unseen)
        empty = f"nothing is known to run {self.image}" + (f"; did you mean {self.near!r}?" if self.near else "")
        return (Table(head=head, rows=rows, caption=f"Where {self.image} runs", empty=empty, notes=notes),)

    def __str__(self) -> str:
        return str(*self.tables())
