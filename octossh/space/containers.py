"""Containers of a project from outside: what they say, commands in them, and a terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from octossh import deploying, model, rendering
from octossh.errors import ModelError, did_you_mean
from octossh.model import Event, slug
from octossh.space.wiring import Wiring
from octossh.transport import Interactive

if TYPE_CHECKING:
    from octossh.deploying import Container
    from octossh.errors import OctosshError
    from octossh.model import ContainerLine, Executions, Project, Step, Target
    from octossh.transport import Transport

__all__ = ["Containers"]


class Containers(Wiring):
    """The verbs of a space about what runs in an environment, one container at a time."""

    def logs(
        self,
        project: str | None = None,
        environment: str | None = None,
        *,
        on: Iterable[str] = (),
        steps: Iterable[str] = (),
        follow: bool = False,
        since: datetime | None = None,
        tail: int | None = None,
    ) -> Iterator[ContainerLine]:
        """What the containers of a project have said, from all hosts at once, in the order of time.

        Of a step whose container does not run, the log of what is left of it is read. With *follow* lines come as they
        are said, until all the containers have ended, or until the iterator is closed: that ends it on the hosts, too.

        Args:
            project: Default: the only one.
            environment: Where.
            on: Only on these targets.
            steps: Only of these steps; where compose made it, of these services, too; or docker's names of containers.
            follow: Go on.
            since: Only from then on.
            tail: Only so many of each container at first.

        Raises:
            ModelError: There is no such thing, no container that fits, or more than eight on one host to follow.
            ConnectError: Of the first host that could not be reached, once all the others have ended.

        Hosts:
            untouched.
        """
        if tail is not None and tail < 0:
            raise ModelError(f"tail {tail} is below zero; leave it out for all lines")
        if since is not None and since.tzinfo is None:
            raise ModelError(f"since {since} has no time zone; give one, such as UTC")
        found, faults = self._inside(project, environment, on, steps)
        lines = deploying.listen(found, deploying.Wanted(follow=follow, since=since, tail=tail), self._transport)
        return _with_faults(lines, faults)

    def exec(
        self,
        project: str | None,
        environment: str,
        command: Sequence[str],
        *,
        on: Iterable[str] = (),
        steps: Iterable[str] = (),
        user: str = "",
        timeout_s: float = 900,
        on_line: Callable[[ContainerLine], None] | None = None,
    ) -> Executions:
        """Execute *command* in the running container of a step on each host. The record tells who did, what, and where.

        A command that gets a signal or loses its link may go on in the container: docker does not end it there.

        Args:
            project: None: the only one.
            environment: Where.
            command: Its words. They go through no shell, and stand in the list of processes of the host and in the
                record: no secret may be in them.
            on: Only on these targets.
            steps: Of which step, or service of compose, where there are several.
            user: Who executes it. Default: as the container says.
            timeout_s: Seconds that it may take.
            on_line: Is called with each line as it comes, from several threads.

        Raises:
            ModelError: There is no such thing, no container that fits, or several on one host.
            RecordError: It cannot be recorded, so it is not executed.

        Hosts:
            as the command leaves them.
        """
        words = _words(command)
        found, faults = self._inside(project, environment, on, steps)
        chosen = _one_each(found)
        about = self._act(project, environment, words, chosen, user)
        self._note("command_started", about)
        made = deploying.execute_in(chosen, words, self._transport, user=user, timeout_s=timeout_s, on_line=on_line)
        made += [model.Execution(target=target, why=str(error)) for target, error in faults.items()]
        self._note("command_finished", {**about, "exit_codes": {item.target: item.exit_code for item in made}})
        return model.Executions(words, tuple(made))

    def shell(
        self,
        project: str | None,
        environment: str,
        *,
        on: str | None = None,
        steps: Iterable[str] = (),
        command: Sequence[str] = (),
        user: str = "",
    ) -> int:
        """A shell in a running container, at the terminal of this process; the record tells who had one, and where.

        It wants the ``ssh`` of this machine, which goes the way of the transport: the same keys, and the same check of
        host keys.

        Args:
            project: None: the only one.
            environment: Where.
            on: The target; default: the only one.
            steps: Of which step, or service of compose, where there are several.
            command: What to run there instead of a shell.
            user: Who runs it. Default: as the container says.

        Returns:
            Its exit code.

        Raises:
            ModelError: There is no such thing, no container that fits, several, or no terminal to be had.
            ConnectError: The host cannot be reached, or is not who it should be.

        Hosts:
            as whoever types leaves them.
        """
        words = _words(command) if command else ()
        self._meant(project, environment, () if on is None else (on,))
        transport = _with_terminal(self._transport)
        found, faults = self._inside(project, environment, () if on is None else (on,), steps)
        for error in faults.values():
            raise error
        chosen = _one(_one_each(found))
        there = transport.terminal(chosen.target, rendering.terminal(chosen.target, chosen.seen.id, words, user=user))
        about = self._act(project, environment, words, [chosen], user)
        self._note("shell_started", about)
        code = subprocess.run(list(there), check=False).returncode  # noqa: S603 - ssh itself
        self._note("shell_finished", {**about, "exit_codes": {chosen.target.name: code}})
        return code

    def _inside(
        self, project: str | None, environment: str | None, on: Iterable[str], steps: Iterable[str]
    ) -> tuple[list[Container], dict[str, OctosshError]]:
        """The containers that are meant, and what was wrong with hosts, of which at least one could be looked at."""
        owner, place, targets = self._meant(project, environment, tuple(on))
        wanted = tuple(steps)
        self._check_steps(owner, place, wanted)
        found, faults = deploying.find_containers(owner.name, place, targets, self._transport)
        names = {name for one in found for name in (one.seen.step, one.seen.member, one.seen.name) if name}
        if found and (stray := next((name for name in wanted if name not in names), None)):
            raise ModelError(f"no container of {owner.name} in {place} is of {stray!r}; {did_you_mean(stray, names)}")
        fit = [one for one in found if not wanted or {one.seen.step, one.seen.member, one.seen.name} & set(wanted)]
        if not fit:
            for error in faults.values():
                raise error
            raise ModelError(
                f"no container of {owner.name} is there in {place}; see 'octossh status' for what was deployed"
            )
        return fit, faults

    def _meant(
        self, project: str | None, environment: str | None, on: tuple[str, ...]
    ) -> tuple[Project, str, list[Target]]:
        """The project, the environment and the targets that are named; no host is asked."""
        owner = self.project(project)
        if environment is None:
            raise ModelError(f"where? Name an environment: {', '.join(self._places(owner))}")
        return owner, environment, self._there(self._catalog.environment(environment), on)

    def _check_steps(self, owner: Project, environment: str, wanted: Sequence[str]) -> None:
        """Check that each name may be of a step, a service or a container of *owner*; no host is asked.

        What the octofile has no more may still run, so releases are looked through for a name that it does not have.
        """
        strays = [name for name in wanted if not _may_be(name, owner, environment, owner.process.steps)]
        if not strays:
            return
        steps = list(owner.process.steps)
        for release in self.store.releases(owner.name):
            steps += release.process.steps
            strays = [name for name in strays if not _may_be(name, owner, environment, release.process.steps)]
            if not strays:
                return
        names = {name for step in steps for name in (step.name, *_services(step))}
        raise ModelError(f"project {owner.name!r} has no step {strays[0]!r}; {did_you_mean(strays[0], names)}")

    def _there(self, environment: str, on: tuple[str, ...]) -> list[Target]:
        targets = [target for target in self.targets if environment in target.environments]
        names = [target.name for target in targets]
        if stray := next((name for name in on if name not in names), None):
            raise ModelError(f"{environment} has no target {stray!r}; {did_you_mean(stray, names)}")
        return [target for target in targets if not on or target.name in on]

    def _act(
        self, project: str | None, environment: str, words: Sequence[str], chosen: Sequence[Container], user: str
    ) -> dict[str, Any]:
        """What the record tells of a command before it is executed."""
        return {
            "project": self.project(project).name,
            "environment": environment,
            "command": list(words),
            "containers": {one.target.name: one.seen.name for one in chosen},
            **({"user": user} if user else {}),
        }

    def _note(self, kind: str, data: dict[str, Any]) -> None:
        self.store.record(Event(type=kind, at=datetime.now(UTC), deployment="", data=data))


def _with_terminal(transport: Transport) -> Interactive:
    if not isinstance(transport, Interactive):
        raise ModelError(f"{transport!r} gives no terminal; use the transport SSH or OpenSSH")
    if not os.isatty(0):
        raise ModelError(
            "a shell needs a terminal, and standard input is none; execute a command instead: octossh exec"
        )
    return transport


def _with_faults(lines: Iterator[ContainerLine], faults: dict[str, OctosshError]) -> Iterator[ContainerLine]:
    yield from lines
    for error in faults.values():
        raise error


def _services(step: Step) -> tuple[str, ...]:
    """Of compose; a service is meant by its name as a step is."""
    return tuple(step.document["services"]) if model.is_compose_step(step) else ()


def _may_be(name: str, owner: Project, environment: str, steps: Iterable[Step]) -> bool:
    """Whether *name* is one of *steps*, a service, or begins as docker's name of what one of them keeps."""
    for step in steps:
        kept = step.given_name or step.docker_name(slug(owner.name), slug(environment), slug(step.name))
        begun, late, _ = kept.partition("{{")
        if name in {step.name, kept, *_services(step)}:
            return True
        # Of a name that is known late only what stands before its first expression is known; others go on at a border.
        if name.startswith(begun if late else (f"{kept}-", f"{kept}_", f"{kept}.")):
            return True
    return False


def _words(command: Sequence[str]) -> tuple[str, ...]:
    words = (command,) if isinstance(command, str) else tuple(command)
    if isinstance(command, str) or not words or not all(isinstance(word, str) for word in words):
        raise ModelError(f"the command {command!r} is no list of words; write one such as ['ls', '/tmp']")
    return words


def _one_each(found: Sequence[Container]) -> list[Container]:
    """One running container of each host: of the replicas of a service the first."""
    running = [one for one in found if one.seen.status == "running"]
    if not running:
        states = ", ".join(f"{one.seen.name} on {one.target.name} is {one.seen.status}" for one in found[:5])
        raise ModelError(f"no container runs there: {states}; look at 'octossh logs'")
    firsts = {one.place: one for one in reversed(running)}
    made: dict[str, Container] = {}
    for one in reversed(firsts.values()):
        if one.target.name in made:
            names = ", ".join(sorted({one.seen.member or one.seen.step for one in firsts.values()}))
            raise ModelError(f"{one.target.name} runs several containers; say of which step: {names}")
        made[one.target.name] = one
    return list(made.values())


def _one(chosen: Sequence[Container]) -> Container:
    if len(chosen) > 1:
        names = ", ".join(one.target.name for one in chosen)
        raise ModelError(f"there are containers on {len(chosen)} hosts, and a terminal shows one; name it: {names}")
    return chosen[0]
