"""Looking at hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from octossh.deploying.limits import MOST_HOSTS_AT_ONCE
from octossh.errors import ConnectError, OctosshError
from octossh.model import Mode, SecretRef, is_put_file
from octossh.planning import Resolver
from octossh.promises import of_each
from octossh.reading import read_runners, read_snapshot
from octossh.rendering import observe as observing_script
from octossh.rendering import runners
from octossh.templating import NotYetKnown

if TYPE_CHECKING:
    from octossh.model import Release, Runner, Snapshot, Target
    from octossh.planning import Sought
    from octossh.shell import Secret
    from octossh.transport import Transport

__all__ = ["QUESTION_S", "connect", "find_runners", "look_again", "observe", "offline", "on_each"]

QUESTION_S = 60.0
"""For a host to answer what changes none of its resources."""

T = TypeVar("T")


def on_each(targets: Iterable[Target], do: Callable[[Target], T]) -> dict[str, T | OctosshError]:
    """Do something on hosts beside each other: the value, or the error, by the name of the target."""

    def safely(target: Target) -> T | OctosshError:
        try:
            return do(target)
        except OctosshError as error:
            return error

    hosts = list(targets)
    made = of_each(hosts, safely, at_once=MOST_HOSTS_AT_ONCE, name="octossh-hosts")
    return dict(zip((target.name for target in hosts), made, strict=True))


def _raise_first(made: dict[str, T | OctosshError]) -> dict[str, T]:
    """The values; or the first error, which tells how many hosts it stands for."""
    errors = [error for error in made.values() if isinstance(error, OctosshError)]
    if errors:
        if len(errors) > 1:
            errors[0].add_note(f"{len(errors)} of {len(made)} hosts failed; this is the first of them")
        raise errors[0]
    return {name: value for name, value in made.items() if not isinstance(value, OctosshError)}


def connect(targets: Iterable[Target], transport: Transport) -> None:
    """Open a connection to each target, before anything is sent to any.

    Raises:
        ConnectError: One host cannot be reached, or is not who it should be.

    Hosts:
        untouched.
    """
    _raise_first(on_each(_apart(targets, transport), transport.connect))


def _apart(targets: Iterable[Target], transport: Transport) -> list[Target]:
    """Those of *targets* of which it is not known that their connection is open, and that the user is let there."""
    reaches = getattr(transport, "reaches", None)
    return [target for target in targets if reaches is None or target.sudo or not reaches(target)]


_OFFLINE = {"dns", "refused", "unreachable", "timeout"}


def offline(targets: Iterable[Target], transport: Transport) -> dict[str, str]:
    """Open a connection to each target; the names of those that cannot be reached, with the reason.

    Raises:
        ConnectError: One is there, and is not who it should be, or does not accept the login.

    Hosts:
        untouched.
    """
    made = on_each(_apart(targets, transport), transport.connect)
    away = {
        name: f"offline: {error}"
        for name, error in made.items()
        if isinstance(error, ConnectError) and error.kind in _OFFLINE
    }
    _raise_first({name: value for name, value in made.items() if name not in away})
    return away


def observe(
    release: Release,
    environment: str,
    targets: Sequence[Target],
    transport: Transport,
    secrets: Mapping[str, Secret] | None = None,
    *,
    mode: Mode = Mode.DEPLOY,
) -> dict[str, Snapshot]:
    """Look at the targets of *environment*: a snapshot of each, by name.

    A host with a file that shall hold one of *secrets* compares it itself.

    Raises:
        TransportError: A host cannot be reached.
        ReadError: A host was reached and cannot be looked at.

    Hosts:
        untouched.
    """
    here = tuple(target for target in targets if environment in target.environments)
    resolver = Resolver(release, environment, here, secrets or {}, mode=mode)

    def look(target: Target) -> Snapshot:
        contents = _contents(resolver, target)
        script = observing_script(release.project, environment, _names(resolver, target), contents, target)
        given = {name: resolver.secrets[name] for name in script.secrets}
        return read_snapshot(transport.run(target, script, secrets=given, timeout_s=QUESTION_S), target.name)

    return _raise_first(on_each(here, look))


def look_again(
    project: str,
    environment: str,
    names: Mapping[str, Sequence[tuple[str, str]]],
    targets: Sequence[Target],
    transport: Transport,
) -> dict[str, Snapshot | OctosshError]:
    """Look at *targets* after a deployment, in one read-only question each: a snapshot, or the error, by name.

    Args:
        project: Whose resources are looked for.
        environment: Likewise.
        names: By target: kinds and docker's names of what is looked at besides.
        targets: The hosts.
        transport: How to reach them.

    Hosts:
        untouched.
    """

    def look(target: Target) -> Snapshot:
        script = observing_script(project, environment, names.get(target.name, ()), None, target)
        return read_snapshot(transport.run(target, script, timeout_s=QUESTION_S), target.name)

    return on_each(targets, look)


def find_runners(
    sought: Sought, targets: Sequence[Target], transport: Transport
) -> dict[str, tuple[Runner, ...] | OctosshError]:
    """The running containers on *targets* whose image is *sought*, whoever made them; or the error, by target.

    Hosts:
        untouched.
    """

    def look(target: Target) -> tuple[Runner, ...]:
        seen = read_runners(transport.run(target, runners(target), timeout_s=QUESTION_S), target.name)
        return tuple(runner for runner, references in seen if sought.is_in(references))

    return on_each(targets, look)


def _names(resolver: Resolver, target: Target) -> list[tuple[str, str]]:
    steps = [step for step in resolver.release.process.steps if target in resolver.hosts(step)]
    kept = [(step.keeps, name) for step in steps if step.keeps and (name := resolver.docker_name(step, target))]
    return [*kept, *(named for step in steps for named in step.looks_at)]


def _contents(resolver: Resolver, target: Target) -> dict[str, str]:
    """The paths of files that shall hold a secret, with its name, as far as they are known."""
    made = {}
    for step in resolver.release.process.steps:
        if not is_put_file(step) or target not in resolver.hosts(step):
            continue
        with contextlib.suppress(NotYetKnown):
            resolved = resolver.resolve(step, target, {})
            if is_put_file(resolved) and isinstance(resolved.content, SecretRef):
                made[resolved.path] = resolved.content.name
    return made
