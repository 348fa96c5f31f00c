"""What a task of a plan asks of a host: its script, for sending and for looking at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from octossh.deploying.syntax import script_of
from octossh.errors import PlanError
from octossh.model import is_stop_resource
from octossh.planning import unsuited
from octossh.rendering import Order

if TYPE_CHECKING:
    from octossh.model import Deployment, Image, Step, Target
    from octossh.planning import Plan, Resolver, Task
    from octossh.shell import Script, Secret

__all__ = ["Scripts", "login_names", "order", "scripts"]


def order(
    step: Step,
    target: Target,
    resolver: Resolver,
    deployment: Deployment,
    logins: Mapping[str, str],
    *,
    lock_wait_s: int = 30,
    again: bool = False,
) -> Order:
    """All that the script for a resolved *step* is made of.

    Args:
        step: With its expressions evaluated.
        target: Where it runs.
        resolver: Knows the release.
        deployment: For labels and lock.
        logins: Names of the secrets with registry logins, by name of the registry.
        lock_wait_s: Seconds to wait for another run on the same host.
        again: Whether it was sent before.

    Raises:
        PlanError: It cannot be done with docker as the target has it.
    """
    if why := unsuited(step, target, resolver.secrets):
        raise PlanError(f"{target.name}: step {step.name!r} cannot be done: {why}")
    images = dict.fromkeys(step.needed_images)
    # Where images are sent, the host logs in nowhere.
    names = {} if target.images == "push" else login_names(step, logins)
    pulls = [(resolver.release.pin(image).reference, names.get(image)) for image in images]
    image, login = pulls[0] if pulls else ("", None)
    kept, spared = resolver.kept(target) if is_stop_resource(step) else ((), ())
    return Order(
        step=step,
        wanted=resolver.wanted(step),
        project=deployment.project,
        environment=deployment.environment,
        release=deployment.release,
        deployment=deployment.id,
        image=image,
        holder=f"deployment {deployment.id} by {deployment.by} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        kept=kept,
        spared=spared,
        login=login,
        pulls=tuple(pulls),
        lock_wait_s=lock_wait_s,
        again=again,
        templates=resolver.templates,
        target=target,
    )


class Scripts:
    """The scripts of one deployment. What targets that call docker alike are sent in one second is made once.

    Safe to use from many threads; two that want the same one at one time may both make it.

    Args:
        resolver: Knows the release.
        deployment: For labels and lock.
        logins: Names of the secrets with registry logins, by name of the registry.
    """

    def __init__(self, resolver: Resolver, deployment: Deployment, logins: Mapping[str, str]) -> None:
        self._given = resolver, deployment, logins
        self._made: dict[tuple[object, ...], tuple[Step, int, Script]] = {}

    def of(self, step: Step, target: Target, lock_wait_s: int, *, again: bool = False) -> Script:
        """The script for a resolved *step*. See `order`."""
        alike = step.name, target.docker, target.docker_host, target.images, lock_wait_s, again
        second = int(time.time())  # it says since when it holds its host
        known = self._made.get(alike)
        if known is not None and known[0] is step and known[1] == second:
            return known[2]
        script = script_of(order(step, target, *self._given, lock_wait_s=lock_wait_s, again=again))
        if not is_stop_resource(step):  # what that one keeps is the target's own
            self._made[alike] = step, second, script
        return script


def login_names(step: Step, logins: Mapping[str, str]) -> dict[Image, str]:
    """The name of the secret with the login for each image of *step*, where there is one.

    A registry may give a token for one image only: where a step has several of its images, each has a name of its own.
    """
    if not logins:
        return {}
    images = list(dict.fromkeys(step.needed_images))
    made = {}
    for image in images:
        if name := logins.get(image.registry.name):
            alone = sum(other.registry.name == image.registry.name for other in images) == 1
            made[image] = name if alone or step.runs_on == "manager" else f"{name}/{image.path}"
    return made


def scripts(
    plan: Plan,
    deployment: Deployment,
    secrets: Mapping[str, Secret],
    logins: Mapping[str, str],
    *,
    lock_wait_s: int = 30,
) -> tuple[tuple[Task, Script | None], ...]:
    """The script of each task; None where an earlier step has to run first, or where there is none.

    No secret is in them.
    """
    resolver = plan.resolver(secrets)
    return tuple(
        (
            task,
            None
            if task.after or not task.step.scripted
            else script_of(order(task.step, task.target, resolver, deployment, logins, lock_wait_s=lock_wait_s)),
        )
        for task in plan.tasks
    )
