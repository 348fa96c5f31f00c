"""The wiring of a space: its parts, looking them up, and closing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from octossh import deploying, model, planning, recording, rendering
from octossh.access import Access
from octossh.errors import ModelError
from octossh.inventory import targets_of
from octossh.model import Catalog, State
from octossh.sinks import Hooks, Pump, Spans
from octossh.space.freezes import Freezes
from octossh.space.values import Keys, Values, key_of_user
from octossh.transport import SSH, Pool
from octossh.vaults import sources_of

if TYPE_CHECKING:
    from octossh.deploying import Approver, Decider
    from octossh.inventory import TargetSource
    from octossh.model import (
        Deployment,
        Environment,
        Event,
        HookCall,
        Project,
        Release,
        Releases,
        Target,
        Value,
        Variable,
    )
    from octossh.recording import Record
    from octossh.shell import Secret
    from octossh.sinks import Hook, Sink
    from octossh.transport import Transport
    from octossh.vaults import SecretSource

__all__ = ["Wiring"]


def _transport(given: Transport | str | None) -> Transport:
    if given in (None, "ssh"):
        return SSH()
    if given == "openssh":
        from octossh.transport import OpenSSH

        return OpenSSH()
    if isinstance(given, str) or not callable(getattr(given, "run", None)):
        raise ModelError(f"the transport {given!r} is none; give an octossh.SSH(...), 'ssh' or 'openssh', or none")
    return given


class Wiring:
    """What the verbs of a space stand on. See `octossh.Space` for the arguments."""

    def __init__(
        self,
        store: str = "sqlite:///octossh.db",
        *,
        projects: Iterable[Project],
        targets: Iterable[Target | TargetSource | str | Path] | TargetSource | str | Path = (),
        environments: Iterable[Environment] = (),
        transport: Transport | str | None = None,
        secrets: SecretSource | Iterable[SecretSource] | None = None,
        approve: Approver | None = None,
        ask: Callable[[Variable], Value | Secret | None] | None = None,
        on_failure: Decider | str | None = None,
        templates: str | Path | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_moved_tag: Literal["warn", "fail", "ignore"] = "warn",
        key: SecretSource | None = None,
        anchors: bool = True,
        sinks: Iterable[Sink] = (),
        hooks: Iterable[Hook | Callable[[HookCall], object]] = (),
        spans: bool = True,
        lock_wait_s: int = 30,
    ) -> None:
        environments = tuple(environments)
        self._catalog = Catalog.of(projects, targets_of(targets), environments)
        if on_moved_tag not in {"warn", "fail", "ignore"}:
            raise ModelError(f"on_moved_tag is {on_moved_tag!r}; it is 'warn', 'fail' or 'ignore'")
        if not isinstance(lock_wait_s, int) or lock_wait_s < 0:
            raise ModelError(f"lock_wait_s is {lock_wait_s!r}; give whole seconds, from 0 on")
        self.on_moved_tag, self.anchors, self.lock_wait_s = on_moved_tag, anchors, lock_wait_s
        self.store = recording.Store(store)
        self.approve, self.ask, self.on_event = approve, ask, on_event
        self._pump, self._hooks, self._spans = Pump(self.store, sinks), Hooks(hooks), Spans(wanted=spans)
        self.store.on_written = self._pump.wake
        self.on_failure = deploying.policy(on_failure) if isinstance(on_failure, str) else on_failure
        self._templates = rendering.read_templates(templates)
        self._transport = _transport(transport)
        images = (image for project in self._catalog.projects.values() for image in project.process.images)
        source = key_of_user if key is None else sources_of(key)[0]
        self.values, self._keys = Values(self.store, source), Keys(source)
        self._access = Access((image.registry for image in images), secrets, self.values.find)
        if isinstance(self._transport, Pool):
            self._transport.secrets_from(self._access.secret)
        self._described: dict[str, Any] = {"environments": environments, "secrets": secrets, "templates": templates}

    _scripts_here = True

    def rehearsal(
        self,
        transport: Transport,
        *,
        store: str = "sqlite://",
        secrets: Mapping[str, str] | None = None,
        scripts_here: bool = False,
    ) -> Self:
        """The same space with other hosts and another store, for tests: nothing of its own is touched.

        Approvers and the like are kept. Tags that have moved are not asked about, no hook is called, nothing is sent to
        sinks, no spans are made, and no anchors are left on hosts. A deployment that has steps with
        ``where="controller"`` is refused, unless *transport* answers for this machine, too: see `Transport`.

        Args:
            transport: An `octossh.testing.Hosts`, or a `Replay` with ``plays_controller=True``.
            store: Default: one in memory.
            secrets: Their values, by name. None: as they are described.
            scripts_here: Run the scripts of such steps on this machine, as they are.
        """
        described = self._described if secrets is None else {**self._described, "secrets": secrets}
        made = type(self)(
            store,
            projects=self.projects.values(),
            targets=self.targets,
            transport=transport,
            approve=self.approve,
            ask=self.ask,
            on_failure=self.on_failure,
            on_event=self.on_event,
            on_moved_tag="ignore",
            anchors=False,
            spans=False,
            **described,
        )
        made._scripts_here = scripts_here  # noqa: SLF001 - it is one of its own kind
        return made

    @property
    def freezes(self) -> Freezes:
        """When nothing is deployed; see `octossh.space.Freezes`."""
        return Freezes(self.store, self._catalog)

    @property
    def projects(self) -> Mapping[str, Project]:
        """The projects by name."""
        return self._catalog.projects

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets."""
        return self._catalog.targets

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments: those of lifecycles in their order, then the others."""
        return self._catalog.environments

    def project(self, name: str | None = None) -> Project:
        """The project *name*; without a name, the only one.

        Raises:
            ModelError: There is none of that name, or there are several and no name is given.
        """
        return self._catalog.project(name)

    def release(self, project: str | None = None, number: str = "latest") -> Release:
        """A release by number, or the newest one.

        Raises:
            ModelError: There is none of that number, or none at all.
        """
        name = self._owner_of(project, number)
        if number != "latest":
            return self.store.release(name, number)
        releases = self.store.releases(name, limit=1)
        if not releases:
            raise ModelError(f"project {name!r} has no release yet; make one with 'octossh release create {name}'")
        return releases[0]

    def _owner_of(self, project: str | None, number: str) -> str:
        """The name of the project of release *number*, where none may be said.

        Raises:
            ModelError: There is none of that name, there are several, or *number* is one.
        """
        if project is None and number in self.projects:
            raise ModelError(f"{number!r} is a project and no release; say --project {number}, or project={number!r}")
        return self.project(project).name

    def releases(self, project: str | None = None, *, limit: int | None = None) -> Releases:
        """The releases of a project, newest first."""
        return model.Releases(self.store.releases(self.project(project).name, limit=limit))

    def _anchored(self, record: Record) -> Record:
        return deploying.Anchored(record, self.store.head, self.targets, self._transport) if self.anchors else record

    def _leave_anchors(self, deployment: Deployment) -> None:
        if self.anchors:
            deploying.Anchored(self.store, self.store.head, self.targets, self._transport).leave(deployment)

    def _places(self, owner: Project) -> tuple[str, ...]:
        """The environments that a project can go to."""
        return owner.environments or self.environments

    def _stored(self, project: str, number: str) -> Release | None:
        """A release, if it is stored, still."""
        try:
            return self.store.release(project, number)
        except ModelError:
            return None

    def _stands(self, project: str, environment: str) -> Deployment | None:
        """The last deployment to *environment* that succeeded; found without reading the history."""
        return planning.current(self.store.latest(project), environment)

    def _standing(self, project: str) -> dict[str, str]:
        """By environment the release that succeeded there last."""
        return {d.environment: d.release for d in self.store.latest(project) if d.state is State.SUCCEEDED}

    def close(self) -> None:
        """Close what is open: connections to hosts and registries, and the store."""
        self._transport.close()
        self._access.close()
        self._pump.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Space({self.store!r}, {_count(self.projects, 'project')}, {_count(self.targets, 'target')})"


def _count(items: Sized, noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
