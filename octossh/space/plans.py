"""Plans: what deploying would do, before anything is done."""

from __future__ import annotations

import functools
import secrets as _random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from octossh import deploying, model, planning, recording
from octossh.model import Deployment, Mode, Options, Pairs, Release, State
from octossh.shell import Secret
from octossh.space.maintaining import Maintaining
from octossh.space.promotions import Promotions

if TYPE_CHECKING:
    from octossh.model import OptionFields, Value
    from octossh.planning import Plan, Task
    from octossh.shell import Script

__all__ = ["Plans"]


class Plans(Promotions, Maintaining):
    """The verbs of a space that only look at hosts."""

    def plan(
        self,
        release: Release | str,
        environment: str,
        *,
        project: str | None = None,
        **options: Unpack[OptionFields],
    ) -> Plan:
        """What deploying *release* to *environment* would do on which host, and why. Hosts are only looked at.

        Args:
            release: A `Release`, or its number.
            environment: Where to.
            project: Of a release that is given by number; default: the only project.
            **options: What is said for this one deployment; see `Options`.

        Raises:
            Refused: The lifecycle does not let it.
            ModelError: Something is not there: an environment, a role, a variable, a secret.
            TransportError: A host cannot be reached.

        Hosts:
            untouched.
        """
        found = release if isinstance(release, Release) else self.release(project, release)
        return self._plan(found, environment, options, look=True)

    def _plan(
        self,
        release: Release,
        environment: str,
        fields: OptionFields | None = None,
        *,
        look: bool,
        mode: Mode | None = None,
    ) -> Plan:
        self._catalog.environment(environment)
        if mode is not Mode.ROLLBACK:
            self._check_may_enter(release, environment)
        mode = mode or planning.mode_of(release.number, environment, self._standing(release.project))
        frozen = self.freezes.holding(release.project, environment) if look else ""
        fields = {} if fields is None else fields
        if not look:
            self.freezes.check(release.project, environment, fields.get("override_freeze", ""))
        options, said = self._said(release, environment, fields)
        away = self._away()
        release = planning.with_said(release, environment, options)
        secrets, _ = self._access.of(release, environment, said)
        # Made once without having looked: what is wrong with the description shows before any host is asked.
        make = functools.partial(
            planning.plan,
            release,
            environment,
            self.targets,
            secrets=secrets,
            templates=self._templates,
            rollout=options.rollout or self._catalog.rollout(release.project, environment),
            options=options,
            skip=away,
        )
        made = attrs.evolve(make(mode=mode), said=said)
        if self._templates.marks:
            self.render(made)  # a shell here reads the scripts that it would send
        if not look:
            return made
        moved = self._asking(release, made.mode)
        if made.rollout.offline == "skip":
            gone = deploying.offline(made.targets, self._transport)
            make = functools.partial(make, skip={**away, **gone})
            made = make(mode=made.mode)
        seen = deploying.observe(release, environment, made.targets, self._transport, secrets, mode=made.mode)
        looked = make(mode=made.mode, seen=seen)
        return attrs.evolve(
            looked, said=said, notes=(*looked.notes, *map(str, moved.result()), *([frozen] if frozen else []))
        )

    def _said(self, release: Release, environment: str, fields: OptionFields) -> tuple[Options, dict[str, Secret]]:
        """What is said for a deployment, and the values of secrets in it. Answers are put into *fields*."""
        given = dict(Pairs(fields.get("variables", {})))
        plain: dict[str, Any] = {**fields, "variables": {}}
        options = Options(**plain)
        if self.ask is not None:
            for variable in planning.prompts(release, environment, given):
                if (answer := self.ask(variable)) is not None:
                    given[variable.name] = answer
            fields["variables"] = given
        said = {name: value for name, value in given.items() if isinstance(value, Secret)}
        variables = {name: _recorded(name, value) for name, value in given.items()}
        return attrs.evolve(options, variables=variables), said

    def plan_prune(self, environment: str, *, project: str | None = None, keep: int = 5) -> Plan:
        """What could be removed from the hosts of *environment*: images and stopped containers of old releases.

        `deploy` applies the plan. Hosts are only looked at.

        Args:
            environment: Where.
            project: Default: the only one.
            keep: How many releases stay ready to come back, the one that stands there among them.

        Raises:
            PlanError: Nothing was ever deployed there.
            TransportError: A host cannot be reached.

        Hosts:
            untouched.
        """
        owner, place = self.project(project), self._catalog.environment(environment)
        came = self.store.came()
        step = planning.to_prune(owner.name, place, keep, came, self.store.pins, self._stored, self.targets)
        (stands,) = self.store.deployments(project=owner.name, environment=place, limit=1, outcomes=False)
        release = attrs.evolve(self.release(owner.name, stands.release), process=model.Process([step]), variables=())
        away = self._away()
        there = [target for target in self.targets if target.name not in away]
        seen = deploying.observe(release, place, there, self._transport)
        made = planning.plan(
            release, place, self.targets, mode=Mode.PRUNE, seen=seen, templates=self._templates, skip=away
        )
        return attrs.evolve(made, notes=())

    def render(self, plan: Plan) -> tuple[tuple[Task, Script | None], ...]:
        """The scripts that applying *plan* would send; None where one is not known before an earlier step has run.

        Secrets are not in them.

        Hosts:
            untouched.
        """
        secrets, logins = self._access.of(plan.release, plan.environment, plan.said)
        return deploying.scripts(plan, self._deployment(plan), secrets, logins, lock_wait_s=self.lock_wait_s)

    def _deployment(self, plan: Plan, id: str = "") -> Deployment:  # noqa: A002 - the field's name
        now, left_out = datetime.now(UTC), plan.left_out
        if left_out:
            past = self.store.past(plan.release.project, plan.environment)
            left_out = planning.still_left_out(past, plan.release.number, plan.environment, left_out)
        return Deployment(
            id=id or f"{now:%Y%m%dT%H%M%S}-{_random.token_hex(4)}",
            project=plan.release.project,
            release=plan.release.number,
            environment=plan.environment,
            mode=plan.mode,
            state=State.RUNNING,
            started_at=now,
            by=recording.whoami(),
            controller=recording.controller_here(),
            options=plan.options,
            left_out=left_out,
        )


def _recorded(name: str, value: Value | Secret) -> Value:
    """What stands in the record for the value of the variable *name*: of a secret, a reference under its name."""
    return model.secret(name) if isinstance(value, Secret) else value
