"""The pages of a board, each as HTML out of one picture."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from importlib import resources
from typing import Any

from octossh._version import __version__
from octossh.board import paths
from octossh.board.lists import Cell, Listing
from octossh.board.pictures import Picture
from octossh.model import Deployment, Release, Standing, State
from octossh.planning import compare
from octossh.templating import page_environment, rendered
from octossh.visible import visible

__all__ = ["asset", "deployment_page", "form", "listing_page", "listings", "overview", "release_page"]

_FOLDER = resources.files("octossh.board").joinpath("site")

_RECENT = 10
"""Deployments on the first page."""

_MOST_ERROR = 300
"""Letters of an error in a list; its page has all of it."""

FIRST_ROWS = 100
"""Rows of a list that stand in the page itself, so that it shows something at once, and without a script as well."""


def asset(name: str) -> bytes:
    """The text of a file that all pages use."""
    return _FOLDER.joinpath(name).read_bytes()


def form() -> str:
    """What tells whether pages that were written before look as they would now."""
    return hashlib.sha256(
        b"".join([__version__.encode(), *map(asset, sorted(f.name for f in _FOLDER.iterdir()))])
    ).hexdigest()


@functools.cache
def _environment() -> Any:
    environment = page_environment(lambda name: _FOLDER.joinpath(name).read_text(encoding="utf-8"), visible)
    environment.globals |= {"release_path": paths.release, "deployment_path": paths.deployment, "version": __version__}
    return environment


def _page(name: str, picture: Picture, path: str, *, live: bool, **values: Any) -> str:
    shared = {"picture": picture, "here": path, "root": "../" * path.count("/"), "live": live}
    return rendered(_environment(), f"{name}.html.j2", {**shared, **values})


def overview(picture: Picture, *, live: bool) -> str:
    """What stands where, what is being deployed, and what was deployed last."""
    standings = {(s.project, s.environment): s for s in picture.status}
    return _page(
        "overview",
        picture,
        paths.OVERVIEW,
        live=live,
        projects=dict.fromkeys(s.project for s in picture.status),
        environments=dict.fromkeys(s.environment for s in picture.status),
        standings=standings,
        running=[d for d in picture.history if d.state is State.RUNNING],
        recent=[tuple(_deployed(picture, deployment)) for deployment in picture.history[:_RECENT]],
        recent_head=_DEPLOYMENTS,
        release_of=picture.release,
    )


def deployment_page(picture: Picture, deployment: Deployment, *, live: bool) -> str:
    """One deployment: each step on each host, with its log."""
    steps = tuple(dict.fromkeys(outcome.step for outcome in deployment.outcomes))
    hosts = tuple(dict.fromkeys(outcome.target for outcome in deployment.outcomes))
    return _page(
        "deployment",
        picture,
        paths.deployment(deployment.id),
        live=live,
        deployment=deployment,
        steps=steps,
        hosts=hosts,
        places={(o.step, o.target): number for number, o in enumerate(deployment.outcomes, 1)},
        release=picture.release(deployment.project, deployment.release),
    )


def release_page(picture: Picture, release: Release, *, live: bool) -> str:
    """One release: what it holds, what differs from the one before, and where it went."""
    known = picture.releases[release.project]
    earlier = known[known.index(release) + 1 :]
    before = next((other for other in earlier if other.channel == release.channel), None)
    went = [d for d in picture.history if (d.project, d.release) == (release.project, release.number)]
    return _page(
        "release",
        picture,
        paths.release(release.project, release.number),
        live=live,
        release=release,
        diff=compare(before, release) if before else None,
        rows=[tuple(_deployed(picture, deployment)) for deployment in went],
        head=_DEPLOYMENTS,
    )


def listing_page(picture: Picture, listing: Listing, *, live: bool) -> str:
    """A list with its search."""
    return _page(
        "listing",
        picture,
        f"{listing.name}.html",
        live=live,
        listing=listing,
        rows=listing.rows[:FIRST_ROWS],
    )


def listings(picture: Picture) -> tuple[Listing, ...]:
    """The lists that can be searched, in the order of the menu."""
    return (_deployments(picture), _releases(picture), _drift(picture), _audit(picture))


_DEPLOYMENTS = ("started (UTC)", "project", "release", "to", "mode", "state", "seconds", "by", "error")


def _deployed(picture: Picture, deployment: Deployment) -> Iterable[Cell]:
    yield Cell(f"{deployment.started_at:%Y-%m-%d %H:%M:%S}", paths.deployment(deployment.id))
    yield Cell(deployment.project)
    yield _release(picture, deployment.project, deployment.release)
    yield Cell(deployment.environment)
    yield Cell(deployment.mode.value)
    yield Cell(deployment.state.value, mark=deployment.state.value)
    yield Cell("" if deployment.duration_s is None else f"{deployment.duration_s:.1f}")
    yield Cell(deployment.by)
    yield Cell(deployment.error[:_MOST_ERROR])


def _release(picture: Picture, project: str, number: str) -> Cell:
    return Cell(number, paths.release(project, number) if picture.release(project, number) else "")


def _deployments(picture: Picture) -> Listing:
    return Listing(
        name="deployments",
        caption="Deployments, newest first",
        head=_DEPLOYMENTS,
        rows=[_deployed(picture, deployment) for deployment in picture.history],
        filters=(1, 3, 4, 5),
        empty="nothing has been deployed yet",
    )


def _releases(picture: Picture) -> Listing:
    stands: dict[tuple[str, str], list[str]] = {}
    for standing in picture.status:
        stands.setdefault((standing.project, standing.release), []).append(standing.environment)
    found = (release for releases in picture.releases.values() for release in releases)
    rows = [
        (
            _release(picture, release.project, release.number),
            Cell(release.project),
            Cell(release.channel),
            Cell(f"{release.created_at:%Y-%m-%d %H:%M:%S}"),
            Cell(release.created_by),
            Cell(", ".join(map(str, release.pins))),
            Cell(", ".join(stands.get((release.project, release.number), ()))),
        )
        for release in sorted(found, key=lambda release: release.created_at, reverse=True)
    ]
    head = ("release", "project", "channel", "created (UTC)", "by", "images", "stands in")
    return Listing(
        name="releases",
        caption="Releases, newest first",
        head=head,
        rows=rows,
        filters=(1, 2),
        empty="no release has been created yet",
    )


def _drift(picture: Picture) -> Listing:
    calm = {"healthy", ""}
    known = sorted(picture.status, key=lambda s: (s.seen in calm, s.project))
    rows = [(Cell(s.project), Cell(s.environment), *_seen(picture, s)) for s in known if s.release]
    return Listing(
        name="drift",
        caption="What runs, held against what was deployed, as it was last seen",
        head=("project", "environment", "release", "seen", "why", "since (UTC)"),
        rows=rows,
        filters=(0, 1, 3),
        empty="nothing stands anywhere yet",
        more="A board asks no host: 'octossh drift' looks, and what it sees stands here afterwards.",
    )


def _seen(picture: Picture, standing: Standing) -> Iterable[Cell]:
    yield _release(picture, standing.project, standing.release)
    yield Cell(standing.seen, mark=standing.seen)
    yield Cell(standing.seen_why)
    yield Cell(f"{standing.seen_at:%Y-%m-%d %H:%M:%S}" if standing.seen_at else "")


def _audit(picture: Picture) -> Listing:
    rows = [
        (
            Cell(str(entry.seq)),
            Cell(f"{entry.at:%Y-%m-%d %H:%M:%S}"),
            Cell(entry.by),
            Cell(entry.type),
            Cell(" ".join(filter(None, (entry.project, entry.environment)))),
            Cell(entry.what, paths.deployment(entry.deployment) if picture.deployment(entry.deployment) else ""),
        )
        for entry in picture.audit
    ]
    return Listing(
        name="audit",
        caption="What was done, newest first",
        head=("event", "at (UTC)", "by", "what", "where", "details"),
        rows=rows,
        filters=(3, 4),
        empty="nothing has been done yet",
    )
