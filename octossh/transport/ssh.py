"""Scripts over SSH, by Fabric."""

from __future__ import annotations

import getpass
import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from octossh.errors import ConnectError, ModelError
from octossh.model.targets import Target
from octossh.shell import Frame, Result, Script, Secret, payload
from octossh.transport.contract import NO_SECRETS, Feed, Sealed, new_nonce
from octossh.transport.faults import Fault, Where, connect_fault
from octossh.transport.framing import Collector
from octossh.transport.known_hosts import KnownHosts
from octossh.transport.pulse import Watch

if TYPE_CHECKING:
    from octossh.transport.links import Link, Options

__all__ = ["SSH"]

_BACKOFF_S = (0.3, 0.6, 1.2)


class _Slot:
    """The place of one connection; whoever opens it holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.link: Link | None = None


class SSH:
    """Runs scripts by ``exec sh -s`` over SSH. One connection per login is kept open until `close`.

    No configuration file of ssh or of Fabric is read, and nothing is asked at the terminal. Host keys are always
    checked. A dropped connection is never opened again in the middle of a run: the run ends with
    `ConnectionLost`, and the next `connect` or `run` opens a new one.

    Args:
        known_hosts: Files of trusted host keys. None: ``~/.ssh/known_hosts`` and ``/etc/ssh/ssh_known_hosts``.
        identity: Private keys to offer, and no others. None: those of the SSH agent, then the default files of ssh.
        user: Who logs in where the target does not say. None: the current user of this machine.
        connect_timeout_s: Seconds for everything up to the key exchange; the login has 20 s of its own.
        keepalive_s: Seconds between questions whether the host is there. A host that is silent for three times
            as long is given up.
        parallel: How many connections are being opened at once. Above 10, an sshd that many targets share drops
            some (its MaxStartups).
    """

    def __init__(
        self,
        *,
        known_hosts: str | Path | Sequence[str | Path] | None = None,
        identity: str | Path | Sequence[str | Path] | None = None,
        user: str | None = None,
        connect_timeout_s: float = 10.0,
        keepalive_s: float = 10.0,
        parallel: int = 8,
    ) -> None:
        for name, value in (
            ("connect_timeout_s", connect_timeout_s),
            ("keepalive_s", keepalive_s),
            ("parallel", parallel),
        ):
            if not value > 0:
                raise ModelError(f"SSH({name}={value!r}): give a number above 0")
        self._known_hosts = KnownHosts.of(known_hosts)
        self._identity = (str(identity),) if isinstance(identity, str | Path) else identity
        self._user = user
        self._connect_timeout_s, self._keepalive_s = connect_timeout_s, keepalive_s
        self._opening = threading.BoundedSemaphore(int(parallel))
        self._slots: dict[tuple[str, str, int], _Slot] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watch = Watch(min(0.5, keepalive_s / 10))
        self._options: Options | None = None

    def connect(self, target: Target) -> None:
        """Open the connection to *target*, or do nothing when it is open. See `Transport.connect`.

        Raises:
            ConnectError: Its ``kind`` says how far it came.
            HostKeyError: The host's key is unknown, changed or revoked; no login was tried.
            AuthError: The login was not accepted.
        """
        where = self._where(target)
        slot = self._slot(where)
        with slot.lock:
            self._ready(slot, where)

    def run(
        self,
        target: Target,
        script: Script,
        *,
        secrets: Mapping[str, Secret] = NO_SECRETS,
        timeout_s: float = 900.0,
        on_line: Callable[[str], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        feed: Feed | None = None,
    ) -> Result:
        """Run *script* on *target*. See `Transport.run`.

        When something that the script has started still holds its output two seconds after the shell has ended,
        that is not waited for, and the last line of the log says so.
        """
        nonce = new_nonce()
        sent = Sealed(payload(script, nonce, secrets))
        where = self._where(target)
        slot = self._slot(where)
        for last in (False, True):
            with slot.lock:
                fresh = slot.link is None or not slot.link.alive
                link = self._ready(slot, where)
            outcome = _attempt(link, script, sent, Collector(nonce, on_line, on_frame), timeout_s, feed)
            if isinstance(outcome, Result):
                return outcome
            # Nothing was sent, so a connection that had died while nobody looked may be replaced, once.
            if last or fresh or link.alive:
                raise _refusal(outcome, where)
        raise AssertionError

    def close(self) -> None:
        """Close every connection; what runs ends with `ConnectionLost`. Nothing can be run afterwards."""
        self._closed.set()
        with self._lock:
            slots = tuple(self._slots.values())
        links = [slot.link for slot in slots if slot.link is not None]
        for link in links:
            link.close("its transport was closed")
        for link in links:
            self._watch.remove(link.pulse)
            link.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SSH({len(self._slots)} targets)"

    def _where(self, target: Target) -> Where:
        return Where.of(target, self._user or _me())

    def _slot(self, where: Where) -> _Slot:
        with self._lock:
            return self._slots.setdefault(where.login, _Slot())

    def _ready(self, slot: _Slot, where: Where) -> Link:
        """The link of a slot whose lock is held, opened when it is not open."""
        link = slot.link
        if link is not None and not link.alive:
            self._drop(link, "it was dropped")
            slot.link = link = None
        if link is None:
            link = self._open(where)
            self._watch.add(link.pulse)
            slot.link = link
        if self._closed.is_set():
            self._drop(link, "its transport was closed")
            raise ConnectError(f"{where}: this SSH() is closed; make a new one")
        return link

    def _open(self, where: Where) -> Link:
        from octossh.transport.links import Link

        for backoff_s in (*_BACKOFF_S, None):
            if self._closed.is_set():
                raise ConnectError(f"{where}: this SSH() is closed; make a new one")
            with self._opening:
                link = Link.open(where, self._made_options())
            if not isinstance(link, Fault):
                return link
            if backoff_s is None or not link.again:
                raise link.error
            self._closed.wait(backoff_s * random.uniform(0.75, 1.5))  # noqa: S311 - only spreads the tries
        raise AssertionError

    def _made_options(self) -> Options:
        from octossh.transport.links import Options
        from octossh.transport.logins import Keys

        with self._lock:
            if self._options is None:
                names = None if self._identity is None else [str(path) for path in self._identity]
                self._options = Options(Keys(names), self._known_hosts, self._connect_timeout_s, self._keepalive_s)
            return self._options

    def _drop(self, link: Link, why: str) -> None:
        self._watch.remove(link.pulse)
        link.close(why)
        link.join()


def _attempt(
    link: Link, script: Script, sent: bytes, collector: Collector, timeout_s: float, feed: Feed | None
) -> Result | Exception:
    """The result, or the reason why there was no session for the script; all else is raised."""
    from octossh.transport.links import NotSent

    try:
        return link.run(script, sent, collector, timeout_s, feed)
    except NotSent as error:
        return error


def _refusal(error: Exception, where: Where) -> ConnectError:
    return connect_fault(error.__cause__ or error, where, stage="session").error


def _me() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()
