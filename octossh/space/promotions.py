"""What moves releases on: holding them back and letting them go, tags that have moved, automatic phases."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from octossh import deploying, model, planning, recording
from octossh.errors import ModelError, OctosshError, RecordError, Refused
from octossh.model import Event, Mode, State
from octossh.promises import promised
from octossh.releasing import moved_tags
from octossh.space.wiring import Wiring

if TYPE_CHECKING:
    from octossh.model import Deployment, Outcome, Prevention, Release
    from octossh.recording import Record
    from octossh.releasing import MovedTag

__all__ = ["Promotions"]

_log = logging.getLogger("octossh")

_KIND = "prevention"

# Registries answer in milliseconds; of one that is not there, this much is waited for at the end of a deployment.
_ASKING_S = 5.0


class Promotions(Wiring):
    """The verbs of a space that hold releases back and let them go."""

    def prevent(self, project: str | None, release: str, *, why: str) -> Prevention:
        """Hold a release back: it goes to no phase that it has not reached yet, until it is allowed.

        Where it has succeeded it may be deployed again, and a rollback may go back to it.

        Args:
            project: None: the only one.
            release: Its number.
            why: The reason, in words.

        Raises:
            ModelError: There is no such release, or no reason is given.
        """
        found = self.release(project, release)
        held = model.Prevention(
            project=found.project, release=found.number, why=why.strip(), by=recording.whoami(), at=datetime.now(UTC)
        )
        self.store.keep(_KIND, _key(found), held, why=held.why)
        return held

    def allow(self, project: str | None, release: str, *, why: str = "") -> Prevention:
        """Let a release go on that was held back. What held it back is returned.

        Raises:
            ModelError: There is no such release, or nothing holds it back.
        """
        found = self.release(project, release)
        held = self._prevented(found)
        if held is None:
            raise ModelError(
                f"nothing holds release {found.number!r} of {found.project!r} back; there is nothing to do"
            )
        self.store.drop(_KIND, _key(found), why=why.strip())
        return held

    def preventions(self, project: str | None = None) -> tuple[Prevention, ...]:
        """The releases of a project, or of all, that are held back; the latest first."""
        name = self.project(project).name if project else None
        found = self.store.kept(_KIND, model.Prevention).values()
        return tuple(sorted((p for p in found if name in {None, p.project}), key=lambda p: p.at, reverse=True))

    def _prevented(self, release: Release) -> Prevention | None:
        return self.store.kept_one(_KIND, _key(release), model.Prevention)

    def _check_may_enter(self, release: Release, environment: str) -> None:
        """Check that the lifecycle lets *release* into *environment*, and that nobody holds it back."""
        owner = self.projects.get(release.project)
        if owner is not None:
            held, reached = self._prevented(release), self.store.reached(release.project, release.number)
            planning.check_may_enter(
                owner, release.number, environment, reached, channel=release.channel, prevented=held
            )

    def _moved(self, release: Release, mode: Mode) -> tuple[MovedTag, ...]:
        """The tags of *release* that mean something else by now, as far as their registries say.

        Raises:
            Refused: There is one, or one of which that could not be asked, and such shall not be deployed.
        """
        if self.on_moved_tag == "ignore" or mode is Mode.PRUNE:
            return ()
        found = moved_tags(release, lambda pin: self._access.meaning(pin, within_s=_ASKING_S))
        if self.on_moved_tag == "fail" and mode is not Mode.ROLLBACK and found:
            raise Refused(f"{release.project} {release.number} is not deployed: {found[0]}")
        return found

    def _follow(self, ended: Deployment, release: Release, promote: Callable[[Release, str], Deployment]) -> None:
        """Promote *release* to where it goes by itself now. What becomes of that changes nothing for *ended*."""
        owner = self.projects.get(ended.project)
        lifecycle = owner.lifecycle_of(release.channel) if owner else None
        if owner is None or lifecycle is None or ended.state is not State.SUCCEEDED:
            return
        if not any(phase.automatic for phase in lifecycle.phases):
            return
        try:
            earlier = self.store.reached(ended.project, ended.release, besides=ended.id)
        except RecordError as error:
            _log.warning("whether %s %s goes on by itself cannot be seen: %s", ended.project, ended.release, error)
            return
        for environment in planning.to_follow(owner, ended, earlier, channel=release.channel):
            data = {"environment": environment, "release": release.number}
            try:
                self._check_newer(release, environment)
                self._told("promotion_started", ended, data)
                # What was said for one deployment is not said for the next one.
                promote(self._stored(release.project, release.number) or release, environment)
            except OctosshError as error:
                self._refused(ended, {**data, "why": str(error)})

    def _refused(self, ended: Deployment, data: Mapping[str, Any]) -> None:
        """Say that a promotion came to nothing; where that cannot be recorded, a warning says both."""
        try:
            self._told("promotion_refused", ended, data)
        except RecordError as error:
            _log.warning(
                "%s %s did not go on to %r by itself: %s; it could not be recorded: %s",
                ended.project, ended.release, data["environment"], data["why"], error,
            )  # fmt: skip

    def _check_newer(self, release: Release, environment: str) -> None:
        stands = self._stands(release.project, environment)
        there = self._stored(release.project, stands.release) if stands else None
        if there is not None and there.created_at > release.created_at:
            raise Refused(
                f"{release.project} {release.number} does not go to {environment!r} by itself, since {there.number} "
                "stands there, which is newer; promote it by hand if it shall"
            )

    def _told(self, kind: str, about: Deployment, data: Mapping[str, Any]) -> None:
        """Record that something happened around a deployment, and tell whoever listens."""
        event = Event(type=kind, at=datetime.now(UTC), deployment=about.id, data=data)
        self.store.record(event)
        deploying.heard(self.on_event, event)

    def _asking(self, release: Release, mode: Mode) -> Future[tuple[MovedTag, ...]]:
        """The same, while something else is done: a registry is as far away as the hosts are."""
        if self.on_moved_tag == "ignore":
            asked: Future[tuple[MovedTag, ...]] = Future()
            asked.set_result(())
            return asked
        return promised(lambda: self._moved(release, mode), "octossh-tags", or_here=True)

    def _noting(self, moved: Future[tuple[MovedTag, ...]], record: Record) -> Noting:
        """*record*, which also records what is to be said of tags."""
        return Noting(record, moved, self._told, waits=self.on_moved_tag == "fail")


class Noting:
    """A record that says of the tags that have moved, as soon as the deployment stands in it and that is known.

    Where such shall not be deployed, it does not begin. Otherwise no registry holds it up: what is not known at its
    beginning is said at its end.

    Args:
        record: What is written to.
        moved: What registries say of the tags.
        told: Records and tells an event.
        waits: Whether it begins only once that is known.
    """

    def __init__(
        self,
        record: Record,
        moved: Future[tuple[MovedTag, ...]],
        told: Callable[[str, Deployment, Mapping[str, Any]], None],
        *,
        waits: bool,
    ) -> None:
        self._record, self._moved, self._told, self._waits = record, moved, told, waits
        self._left: Deployment | None = None

    def start(self, deployment: Deployment) -> None:
        """See `Record`."""
        if self._waits:
            self._moved.result()
        self._record.start(deployment)
        self._left = deployment
        if self._moved.done():
            self.tell()

    def record(self, event: Event, outcome: Outcome | None = None) -> None:
        """See `Record`."""
        self._record.record(event, outcome)

    def finish(self, deployment: Deployment) -> None:
        """See `Record`. The end is recorded whatever becomes of that which is to be said of tags."""
        try:
            # Whoever leaves a deployment waits for no registry.
            if deployment.state is not State.INTERRUPTED or self._moved.done():
                self.tell()
        finally:
            self._record.finish(deployment)

    def tell(self) -> None:
        """Say what has not been said yet, also of a deployment that waits by now. A warning tells what failed."""
        about, self._left = self._left, None
        if about is None:
            return
        try:
            moved = self._moved.result()
        except Exception as error:  # noqa: BLE001 - it has nothing to do with how the deployment ended
            _log.warning("whether tags of %s %s have moved cannot be seen: %s", about.project, about.release, error)
            return
        for one in moved:
            try:
                self._told("tag_moved", about, {**one.to_dict(), "text": str(one)})
            except RecordError as error:
                _log.warning("of %s %s, it could not be recorded that %s: %s", about.project, about.release, one, error)


def _key(release: Release) -> str:
    return f"{release.project} {release.number}"
