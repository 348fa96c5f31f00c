"""Everything that octossh raises on purpose. It imports nothing of ours.

::

    OctosshError                       .hosts
    ├─ ModelError (ValueError)         untouched   a description is wrong: project, target, tag, range, secret
    ├─ PlanError                       untouched   no plan can be made, or a plan that must not be applied
    ├─ Refused                         untouched   a rule says no: the lifecycle, a freeze, a lock
    ├─ RegistryError                   untouched   a registry did not answer, or not with what was asked for
    ├─ RecordError                     untouched   the store cannot be read or written
    ├─ TransportError                              one script on one host
    │    ├─ ConnectError               untouched   no script was sent; ``.kind`` says how far it came
    │    │    ├─ HostKeyError          untouched   the host's key is unknown, changed or revoked
    │    │    └─ AuthError             untouched   the host did not accept the login
    │    ├─ ConnectionLost             unknown     sent, and the end was not seen
    │    └─ TimedOut                   unknown     sent, and the end did not come in time
    ├─ ReadError                       (as set)    a host answered something that cannot be read
    ├─ DeployFailed                    computed    a deployment did not succeed; ``.deployment`` has the whole of it
    └─ DeployWaits                     computed    a deployment has begun, and waits in the store for an approval

Every message says its subject, what is wrong and what to do, in one paragraph.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from octossh.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = [
    "AuthError",
    "ConnectError",
    "ConnectionLost",
    "DeployFailed",
    "DeployWaits",
    "HostKeyError",
    "Hosts",
    "ModelError",
    "OctosshError",
    "PlanError",
    "ReadError",
    "RecordError",
    "Refused",
    "RegistryError",
    "TimedOut",
    "TransportError",
    "did_you_mean",
    "to_type",
]


class Hosts(enum.Enum):
    """What is true of the hosts after an error."""

    UNTOUCHED = "untouched"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class OctosshError(Exception):
    """The root of all errors of octossh. ``hosts`` says what is true of the hosts now."""

    hosts: Hosts = Hosts.UNTOUCHED
    exit_code: int = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it in place of a traceback: the line of the notebook, what is wrong, and the hosts."""
        deployment = getattr(self, "deployment", None)
        # How each step ended stands in the output of the cell.
        said = [getattr(deployment, "error", "") or str(self), *getattr(self, "__notes__", ())]
        if deployment is not None or self.hosts is not Hosts.UNTOUCHED:
            see = "" if deployment is None else f"; see: space.deployment({deployment.id!r})"
            said.append(f"hosts: {self.hosts.value}{see}")
        first, *rest = (visible(line) for line in "\n".join(said).splitlines() or [""])
        kind = type(self).__name__
        kind = f"\x1b[31m{kind}\x1b[0m" if _in_colours() else kind
        return [*_line_of_main(self.__traceback__), f"{kind}: {first}", *rest]


def _in_colours() -> bool:
    """Whether IPython, where it runs, shows errors in colours."""
    import os
    import sys

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "NO_COLOR" not in os.environ and getattr(shell, "colors", "nocolor").lower() != "nocolor"


def _line_of_main(traceback: TracebackType | None) -> list[str]:
    import linecache

    made: list[str] = []
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_globals.get("__name__") == "__main__":
            line = linecache.getline(frame.f_code.co_filename, traceback.tb_lineno).strip()
            made = [f"line {traceback.tb_lineno}: {line}"]
        traceback = traceback.tb_next
    return made


class ModelError(OctosshError, ValueError):
    """A description is wrong: nothing was sent anywhere."""

    exit_code: int = 2


class PlanError(OctosshError):
    """No plan can be made of what was asked for, or the plan must not be applied."""

    exit_code: int = 2


class Refused(OctosshError):
    """A rule says no: the lifecycle, a freeze, or a lock that somebody else holds."""

    exit_code: int = 4


class RegistryError(OctosshError):
    """A registry could not be asked, or it refused."""


class RecordError(OctosshError):
    """The store could not be read or written."""


class TransportError(OctosshError):
    """Something happened to one script on its way to or from one host."""


class ConnectError(TransportError):
    """No connection: nothing was sent, so a retry is safe.

    Attributes:
        kind: How far it came: ``dns``, ``refused``, ``unreachable``, ``timeout``, ``not_ssh``, ``kex``,
            ``host_key``, ``auth``, ``sessions`` (over the connection, the host opened no more of them) or ``other``.
    """

    def __init__(self, message: str, kind: str = "other") -> None:
        super().__init__(message, kind)
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[0])


class HostKeyError(ConnectError):
    """The host's key is unknown, changed or revoked: no login was tried."""

    def __init__(self, message: str, kind: str = "host_key") -> None:
        super().__init__(message, kind)


class AuthError(ConnectError):
    """The host did not accept the login."""

    def __init__(self, message: str, kind: str = "auth") -> None:
        super().__init__(message, kind)


class ConnectionLost(TransportError):
    """The script was sent, and the link went before its end was seen."""

    hosts = Hosts.UNKNOWN


class TimedOut(TransportError):
    """The script was sent, and its end did not come in time. It may still be running on the host."""

    hosts = Hosts.UNKNOWN


class ReadError(OctosshError):
    """A host answered something that cannot be read."""


class DeployFailed(OctosshError):
    """A deployment did not succeed.

    Attributes:
        deployment: The whole outcome, a `octossh.Deployment`.
        rollback: The deployment that put changed hosts back, where its `octossh.Rollout` says so; else None.
    """

    def __init__(self, message: str, deployment: Any, hosts: Hosts) -> None:
        super().__init__(message, deployment, hosts)
        self.deployment = deployment
        self.rollback: Any = None
        self.hosts = hosts

    def __str__(self) -> str:
        return str(self.args[0])


class DeployWaits(OctosshError):
    """A deployment has come to an approval that nobody gives now: it waits for it in the store, and in no process.

    Attributes:
        deployment: How far it has come, a `octossh.Deployment`.
    """

    exit_code: int = 5

    def __init__(self, message: str, deployment: Any, hosts: Hosts) -> None:
        super().__init__(message, deployment, hosts)
        self.deployment = deployment
        self.hosts = hosts

    def __str__(self) -> str:
        return str(self.args[0])


def to_type(*words: str) -> str:
    """The command ``octossh`` with *words*, as one types it: for the end of a message that says what to do."""
    import shlex

    return f"octossh {shlex.join(words)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause for the end of a message: the name that is nearest to *name*, or all that there are."""
    import difflib

    names = sorted(known)
    if not names:
        return "there is none"
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(repr(n) for n in names[:12])
    return f"there is {shown}" + (" and more" if len(names) > 12 else "")
