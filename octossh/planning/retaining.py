"""What a store need not keep any more: releases, and what deployments left behind in it. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from octossh.errors import PlanError
from octossh.model import Described, Mode, State, columns
from octossh.planning.rules import current, to_roll_back

if TYPE_CHECKING:
    from octossh.model import Deployment, Keep, Project, Release

__all__ = ["Tidy", "Tidying", "needed_by_drift", "to_tidy"]


@frozen(kw_only=True)
class Tidy(Described):
    """One thing that goes out of the store.

    Attributes:
        what: ``release``: all of it. ``steps``: how each step of a deployment ended on each host, with its log.
            ``logs``: only the logs, the outputs, and what docker told of the containers.
        name: The number of the release, or the id of the deployment.
        why: Why it is not kept.
    """

    project: str
    what: Literal["release", "steps", "logs"]
    name: str
    why: str


@frozen(kw_only=True)
class Tidying(Described):
    """What goes out of the store.

    Attributes:
        items: In the order in which it goes.
        seen: The id of the newest deployment when it was planned: what is deployed later stays.
    """

    items: tuple[Tidy, ...] = ()
    seen: str = ""

    def __str__(self) -> str:
        if not self.items:
            return "nothing to tidy up: all that is stored is kept"
        return columns([(i.project, i.what, i.name, i.why) for i in self.items], ("project", "what", "name", "why"))


def to_tidy(
    project: Project,
    releases: Sequence[Release],
    history: Sequence[Deployment],
    needed: Container[str],
    details: Mapping[str, bool],
    now: datetime,
    *,
    logs_days: float | None = None,
    steps_days: float | None = None,
) -> tuple[Tidy, ...]:
    """What of *project* need not be kept.

    A release goes that is beyond what the lifecycle keeps in each environment that it reached. It stays where it
    stands, where it was deployed last, where a rollback would go to it, as the newest one of its channel, where
    something on a host was made by it, where a deployment of it has no end yet, and in environments whose phase and
    lifecycle say nothing. Releases that were never deployed are counted by themselves, and kept as the lifecycle
    says.

    Args:
        project: Its lifecycle says what is kept.
        releases: All that are stored, newest first.
        history: All its deployments, newest first.
        needed: Ids of deployments of which hosts still show something.
        details: By id, the deployments of which it is stored what they did by step and host; whether with logs.
        now: This moment.
        logs_days: Logs of deployments that ended before so many days go. None: they stay.
        steps_days: What such deployments did by step and host goes, too. None: it stays.

    Raises:
        PlanError: Days are no number from 0 on.
    """
    for what, days in (("logs", logs_days), ("steps", steps_days)):
        if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not days >= 0):
            raise PlanError(f"{what} of {days!r} days cannot be kept; write a number from 0 on")
    going = [deployment for deployment in history if deployment.mode is not Mode.PRUNE]
    stays, past = _stays(project, releases, going, needed), _Past(releases, going)
    gone = [
        Tidy(project=project.name, what="release", name=release.number, why=why)
        for release in releases
        if release.number not in stays and (why := _beyond(project, release, past, now))
    ]
    return (*gone, *_old(project.name, history, needed, details, now, logs_days, steps_days))


def needed_by_drift(past: Iterable[Deployment]) -> Iterator[str]:
    """The ids of those deployments to one environment that made what stands there now.

    Args:
        past: Those that succeeded there, newest first, with their outcomes; as many are taken as it needs.
    """
    asked: set[tuple[str, str]] | None = None
    settled: set[tuple[str, str]] = set()
    for deployment in past:
        places = {(o.step, o.target): o for o in deployment.outcomes if o.state is State.SUCCEEDED}
        asked = set(places) if asked is None else asked
        if not asked <= settled or not settled:
            yield deployment.id
        settled |= {place for place, outcome in places.items() if outcome.action != "unchanged"}
        if asked <= settled:
            return


def _stays(
    project: Project, releases: Sequence[Release], history: Sequence[Deployment], needed: Container[str]
) -> set[str]:
    """The numbers of releases that stay whatever is counted."""
    newest: dict[str, str] = {}
    for release in releases:
        newest.setdefault(release.channel, release.number)
    stays = {*newest.values(), *(d.release for d in history if d.id in needed or d.finished_at is None)}
    places: dict[str, list[Deployment]] = {}
    for deployment in history:
        places.setdefault(deployment.environment, []).append(deployment)
    for environment, here in places.items():
        stays.add(here[0].release)
        if stands := current(here, environment):
            stays.add(stands.release)
        try:
            stays.add(to_roll_back(project.name, environment, here))
        except PlanError:
            continue
    return stays


class _Past:
    """What became of releases: counted once for all of them, however many there are.

    Attributes:
        places: Of each that was deployed, the environments by when it first came there, with when it last began there.
        passed: Of each environment the releases that succeeded there, with how many others have done so since.
        left: Of each that was never deployed, how many such are newer.
    """

    def __init__(self, releases: Sequence[Release], history: Sequence[Deployment]) -> None:
        self.places: dict[str, dict[str, datetime]] = {}
        for deployment in reversed(history):
            self.places.setdefault(deployment.release, {})[deployment.environment] = deployment.started_at
        self.passed: dict[str, dict[str, int]] = {}
        for deployment in history:
            passed = self.passed.setdefault(deployment.environment, {})
            if deployment.state is State.SUCCEEDED:
                passed.setdefault(deployment.release, len(passed))
        left = (release.number for release in releases if release.number not in self.places)
        self.left = {number: place for place, number in enumerate(left)}


def _beyond(project: Project, release: Release, past: _Past, now: datetime) -> str:
    """Why *release* is not kept by any environment; empty: one keeps it."""
    lifecycle = project.lifecycle_of(release.channel)
    if release.number not in past.places:
        keep = lifecycle.keep if lifecycle else None
        kept = _kept(keep, past.left[release.number], release.created_at, now)
        return "" if kept else f"never deployed, and beyond {keep}"
    whys = []
    for environment, last in past.places[release.number].items():
        keep = None
        if lifecycle is not None and environment in lifecycle.environments:
            keep = lifecycle.phase_of(environment).keep or lifecycle.keep
        passed = past.passed[environment]
        if _kept(keep, passed.get(release.number, len(passed)), last, now):
            return ""
        whys.append(f"{keep} in {environment}")
    return f"beyond {', '.join(whys)}"


def _kept(keep: Keep | None, place: int, at: datetime, now: datetime) -> bool:
    if keep is None or (keep.releases is not None and place < keep.releases):
        return True
    return keep.days is not None and now - at <= timedelta(days=keep.days)


def _old(
    project: str,
    history: Sequence[Deployment],
    needed: Container[str],
    details: Mapping[str, bool],
    now: datetime,
    logs_days: float | None,
    steps_days: float | None,
) -> Iterator[Tidy]:
    newest = {d.environment: d.id for d in reversed(history)}
    stands = {d.environment: d.id for d in reversed(history) if d.state is State.SUCCEEDED}
    last = {*newest.values(), *stands.values()}
    for deployment in history:
        ended = deployment.finished_at
        if ended is None or deployment.id in needed or deployment.id in last:
            continue
        if deployment.id not in details:
            continue
        age = now - ended
        if steps_days is not None and age > timedelta(days=steps_days):
            why = f"it ended more than {steps_days:g} days ago"
            yield Tidy(project=project, what="steps", name=deployment.id, why=why)
        elif logs_days is not None and details[deployment.id] and age > timedelta(days=logs_days):
            why = f"it ended more than {logs_days:g} days ago"
            yield Tidy(project=project, what="logs", name=deployment.id, why=why)
