"""Deployments that wait for their time, or for an approval: kept in the store, and started by whoever runs them."""

from __future__ import annotations

import logging
import secrets as _random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from octossh import model, planning, recording
from octossh.errors import ModelError, OctosshError, PlanError, Refused, did_you_mean
from octossh.model import Mode, Pairs, Release
from octossh.space.deployments import Deployments
from octossh.space.leasing import held
from octossh.space.shelves import SCHEDULE

if TYPE_CHECKING:
    from octossh.model import Approval, ApprovalRequest, OptionFields, Options, Schedule, ScheduleList
    from octossh.recording import Store

__all__ = ["Schedules", "Scheduling"]

_log = logging.getLogger("octossh")

_HOUR = timedelta(hours=1)


class Schedules:
    """What is scheduled in a space, as `Space.schedules`.

    Args:
        store: Where it is kept; each change stands in the audit chain.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, *, all: bool = False) -> ScheduleList:  # noqa: A002 - as the command has it
        """What waits, the earliest first.

        Args:
            all: What has started, expired, failed or was cancelled, too.
        """
        found = (
            one
            for one in self._store.kept(SCHEDULE, model.Schedule).values()
            if all or one.state is model.DueState.WAITING
        )
        return model.ScheduleList(tuple(sorted(found, key=lambda one: (one.at, one.id))))

    def __iter__(self) -> Iterator[Schedule]:
        return iter(self.list())

    def get(self, id: str) -> Schedule:  # noqa: A002 - the field's name
        """The one of that id.

        Raises:
            ModelError: There is none.
        """
        found = self._store.kept_one(SCHEDULE, id, model.Schedule)
        if found is None:
            raise ModelError(
                f"nothing is scheduled as {id!r}; {did_you_mean(id, self._store.kept(SCHEDULE, model.Schedule))}"
            )
        return found

    def cancel(self, id: str, *, why: str) -> Schedule:  # noqa: A002 - the field's name
        """Let it not be started any more.

        Raises:
            ModelError: There is none of that id.
            Refused: It waits no longer, or has begun.
        """
        if self.waiting(id).pause is not None:
            raise Refused(f"{id} has begun, and waits in its middle; 'octossh cancel {id}' ends it")
        return self.change(
            self.waiting(id), state=model.DueState.CANCELLED, why=f"cancelled by {recording.whoami()}: {why}"
        )

    def approve(self, id: str, step: str, answer: Approval | None = None, *, notes: str = "") -> Schedule:  # noqa: A002
        """Answer for a step that asks for an approval. What is not approved is cancelled; if it has begun, it fails.

        Args:
            id: Of what waits.
            step: The name of the step.
            answer: Default: it is approved by the user of this process.
            notes: Of the default answer.

        Raises:
            ModelError: There is none of that id, or the step asks for nothing.
            Refused: It waits no longer, has been answered, or whoever answers may not.
        """
        waits = self.waiting(id)
        if step not in waits.asks:
            raise ModelError(f"no step {step!r} of {id} asks for an approval; {did_you_mean(step, waits.asks)}")
        if step in waits.approvals:
            raise Refused(f"{waits.approvals[step].by} has answered for step {step!r} of {id} already")
        if waits.expires_at <= datetime.now(UTC):
            raise Refused(f"{id} could be approved until {waits.expires_at:%Y-%m-%d %H:%M} UTC; deploy again")
        given = answer or model.Approval(True, by=recording.whoami(), notes=notes, groups=recording.groups_here())
        process = self._store.release(waits.project, waits.release).process
        asking = next(one for one in process.steps if one.name == step)
        # Of a wave, the step is another one, and anybody may answer.
        if model.is_approve(asking) and not asking.admits(given.by, given.groups):
            raise Refused(f"step {step!r}: {given.by} may not approve, only {', '.join(asking.approvers)}")
        told = attrs.evolve(waits, approvals=Pairs({**waits.approvals, step: given}))
        if given.approved or waits.pause is not None:
            return self.change(waits, approvals=told.approvals)
        said = f": {given.notes}" if given.notes else ""
        return self.change(
            waits, approvals=told.approvals, state=model.DueState.CANCELLED, why=f"{given.by} does not approve{said}"
        )

    def waiting(self, id: str) -> Schedule:  # noqa: A002 - the field's name
        """The one of that id, which waits.

        Raises:
            ModelError: There is none.
            Refused: It waits no longer.
        """
        found = self.get(id)
        if found.state is not model.DueState.WAITING:
            raise Refused(
                f"{id} is {found.state.value}" + (f" ({found.why})" if found.why else "") + ", and waits no more"
            )
        return found

    def change(self, before: Schedule, **changes: Any) -> Schedule:
        """*before* with changes, in its place.

        Raises:
            Refused: It is another by now: somebody else was faster.
        """
        after = attrs.evolve(before, **changes)
        self._store.keep(SCHEDULE, before.id, after, why=after.why, expect=before)
        return after


class Scheduling(Deployments):
    """The verbs of a space for what is done later."""

    @property
    def schedules(self) -> Schedules:
        """What is scheduled; see `octossh.space.Schedules`."""
        return Schedules(self.store)

    def schedule(
        self,
        release: Release | str,
        environment: str,
        *,
        at: datetime | str | None = None,
        expires_at: datetime | str | None = None,
        project: str | None = None,
        **options: Unpack[OptionFields],
    ) -> Schedule:
        """Have a release deployed later: by `run_due`, which a caller such as cron runs.

        It waits for its time, and for the approvals of all its steps that ask for one: see `Schedules.approve`. The
        rules, such as lifecycle and freezes, are asked when it starts.

        Args:
            release: A `Release`, or its number.
            environment: Where to.
            at: Not before; a `datetime`, or text, by the clock of this machine if it says no zone. None: at once.
            expires_at: Not from then on. Default: an hour after *at*; a day from now without one.
            project: Of a release that is given by number; default: the only project.
            **options: What is said for this one deployment; see `Options`.

        Raises:
            ModelError: Something is not there, a time is none, or has passed, or an option has a secret in clear.
        """
        found = release if isinstance(release, Release) else self.release(project, release)
        return self._later(found, environment, None, at, expires_at, options)

    def schedule_promotion(
        self,
        project: str | None = None,
        *,
        to: str,
        channel: str | None = None,
        at: datetime | str | None = None,
        expires_at: datetime | str | None = None,
        **options: Unpack[OptionFields],
    ) -> Schedule:
        """Have the release that now stands in the phase before *to* go on to it later. See `schedule` and `promote`."""
        owner = self.project(project)
        if channel is not None:
            owner.channel(channel)
        return self._later(self._before(owner, to, channel), to, Mode.PROMOTE, at, expires_at, options)

    def schedule_rollback(
        self,
        project: str | None = None,
        environment: str | None = None,
        *,
        to: str | None = None,
        at: datetime | str | None = None,
        expires_at: datetime | str | None = None,
        **options: Unpack[OptionFields],
    ) -> Schedule:
        """Have an environment rolled back later, to what stood there before now. See `schedule` and `rollback`."""
        owner = self.project(project)
        if environment is None:
            raise PlanError(f"where shall it be rolled back? Name one of: {', '.join(self.environments)}")
        place = self._catalog.environment(environment)
        return self._later(self._stood(owner, place, to), place, Mode.ROLLBACK, at, expires_at, options)

    def _later(
        self,
        found: Release,
        environment: str,
        mode: Mode | None,
        at: datetime | str | None,
        expires_at: datetime | str | None,
        options: OptionFields,
    ) -> Schedule:
        now = datetime.now(UTC)
        start, end = _times(now, at, expires_at)
        said, secrets = self._said(found, self._catalog.environment(environment), options)
        if secrets:
            raise ModelError(
                f"the value of variable {next(iter(secrets))!r} is a secret, which is not kept until then; name it "
                "with octossh.secret('NAME'), or let the variable's own name be that of the secret"
            )
        self._check_plan(found, environment, said)
        made = model.Schedule(
            id=f"{now:%Y%m%dT%H%M%S}-{_random.token_hex(4)}",
            project=found.project,
            release=found.number,
            environment=environment,
            at=start,
            expires_at=end,
            options=said,
            asks=self._asks(found),
            by=recording.whoami(),
            created_at=now,
            mode=mode,
        )
        self.store.keep(SCHEDULE, made.id, made, expect=None)
        return made

    def _asks(self, release: Release) -> tuple[str, ...]:
        """The steps that wait for an answer in the store: where the space has nobody to ask."""
        steps = release.process.steps if self.approve is None else ()
        return tuple(step.name for step in steps if model.is_approve(step))

    def _check_plan(self, release: Release, environment: str, options: Options) -> None:
        """What is wrong with it shows now, and not in the middle of the night."""
        told = planning.with_said(release, environment, options)
        secrets, _ = self._access.of(told, environment)
        planning.plan(told, environment, self.targets, secrets=secrets, templates=self._templates, options=options)

    def run_due(self, *, now: datetime | None = None) -> ScheduleList:
        """Start what is due, go on with what has its approvals, one after the other, and record what has expired.

        Each is started once only, also when several run this at the same time. One that a rule refuses, such as a
        freeze, waits on, and is tried again until it expires. What a deployment comes to is in the history.

        Args:
            now: The time. Default: that of the clock.

        Returns:
            What is waiting no longer, as it stands now, and what was due and waits on.
        """
        at = now or datetime.now(UTC)
        handled = []
        for one in self.schedules.list(all=True):
            waits = self._taken_back(one)
            if waits.state is model.DueState.WAITING and (waits.at <= at or waits.pause is not None):
                try:
                    handled.append(self._due(waits, at) if waits.pause is None else self._going_on(waits, at))
                except Refused as error:
                    _log.info("%s: %s", waits.id, error)  # another one has taken it
        return model.ScheduleList(tuple(handled))

    def _taken_back(self, one: Schedule) -> Schedule:
        """*one*; as waiting again, where whoever took it died before the deployment began."""
        if one.state is not model.DueState.STARTED or recording.alive(one.controller) is not False or self._begun(one):
            return one
        why = "whoever had taken it ended before it began"
        try:
            return self.schedules.change(one, state=model.DueState.WAITING, controller="", why=why)
        except Refused:
            return self.schedules.get(one.id)

    def _begun(self, one: Schedule) -> bool:
        try:
            self.store.deployment(one.id)
        except ModelError:
            return False
        return True

    def _going_on(self, waits: Schedule, at: datetime) -> Schedule:
        """Go on with what has begun, where it has its answers or its time is over."""
        expired = waits.expires_at <= at
        if waits.unanswered and not expired and waits.rejected is None:
            return waits
        try:
            self._gone_on(waits.id, expired=expired, check=False)
        except OctosshError as error:
            now = self.schedules.get(waits.id)
            if now != waits:  # it has gone on, here or elsewhere
                raise
            if expired:
                return self._given_up(waits, str(error))
            return self.schedules.change(waits, why=str(error))
        return self.schedules.get(waits.id)

    def _given_up(self, waits: Schedule, why: str) -> Schedule:
        """End what cannot go on, and could no more if it could: nothing waits for ever in the way of others."""
        found, _ = self._waited(waits.id)
        with held(self.store, found.project, found.environment) as lease:
            late = f"it waited until {waits.expires_at:%Y-%m-%d %H:%M} UTC"
            self._end_waiting(self._waited(waits.id)[0], lease, f"{late}, and could not go on: {why}")
        return self.schedules.get(waits.id)

    def _due(self, waits: Schedule, at: datetime) -> Schedule:
        if waits.expires_at <= at:
            why = waits.waits_for or "nobody ran what was due in time"
            return self.schedules.change(waits, state=model.DueState.EXPIRED, why=why)
        if waits.unanswered and self.approve is None:
            return waits
        taken = self.schedules.change(
            waits, state=model.DueState.STARTED, controller=recording.controller_here(), why=""
        )
        try:
            self._start(taken)
        except Refused as error:
            return self.schedules.change(taken, state=model.DueState.WAITING, controller="", why=str(error))
        except OctosshError as error:
            if self._begun(taken):
                raise
            return self.schedules.change(taken, state=model.DueState.FAILED, why=str(error))
        return self.schedules.get(taken.id)

    def _start(self, one: Schedule) -> None:
        release = self.store.release(one.project, one.release)
        fields = one.options.fields
        asked = self.approve

        def approver(request: ApprovalRequest) -> Approval | None:
            if request.step in one.approvals:
                return one.approvals[request.step]
            if asked is None:
                return None
            return asked(request) if callable(asked) else asked.get(request.step)

        self._go(
            lambda: self._plan(release, one.environment, fields, look=False, mode=one.mode),
            check=False,
            id=one.id,
            approver=approver if asked is not None else one.approvals,
        )


def _times(now: datetime, at: datetime | str | None, expires_at: datetime | str | None) -> tuple[datetime, datetime]:
    """From when, and until when something waits."""
    start = now if at is None else model.moment(at)
    end = model.moment(expires_at) if expires_at is not None else start + (_HOUR if at is not None else 24 * _HOUR)
    if end <= max(start, now):
        raise ModelError(f"it would have expired at {end:%Y-%m-%d %H:%M} UTC, before it could start; give it longer")
    return start, end
