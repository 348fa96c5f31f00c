"""Connections that are kept open, one for each login, and shared by all that runs there. Knows no SSH library."""

from __future__ import annotations

import functools
import math
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, Self, TypeVar

from octossh.errors import ConnectError, ModelError, OctosshError
from octossh.model.secrets import SecretRef
from octossh.model.targets import Target
from octossh.promises import started
from octossh.shell import Frame, Result, Script, Secret, payload
from octossh.transport.contract import NO_SECRETS, Feed, Sealed, new_nonce
from octossh.transport.elevation import Start, refusal, start
from octossh.transport.faults import Fault, Where, connect_fault
from octossh.transport.framing import Collector
from octossh.transport.gates import Gate
from octossh.transport.routes import Route
from octossh.transport.routing import Routing

__all__ = ["Given", "NotSent", "Pool", "Withheld"]

_BACKOFF_S = (0.3, 0.6, 1.2)
_TICK_S = 0.1
_SUDO_S = 60.0
_SILENCE_S = 15  # at least: a machine that is busy may ask late

Given = Secret | SecretRef | str | Callable[[str], Secret | str | None]
"""A secret of a login: itself, the name of one, or a function that is asked what it is for."""


class NotSent(Exception):
    """No session could be opened over the link: nothing of the script has been sent. Never leaves the package."""


class Opened(Protocol):
    """An open connection."""

    where: Where

    @property
    def alive(self) -> bool: ...

    def close(self, why: str = "") -> None: ...

    def join(self) -> None: ...

    def run(
        self,
        script: Script,
        start: Start,
        sent: bytes,
        collector: Collector,
        timeout_s: float,
        feed: Feed | None = None,
    ) -> Result: ...


L = TypeVar("L", bound=Opened)


class Withheld:
    """A secret of a login that is looked up when it is asked for, and remembered for each that asks."""

    def __init__(self, given: Given | None, what: str) -> None:
        if given is not None and not (isinstance(given, Secret | SecretRef | str) or callable(given)):
            raise ModelError(
                f"the {what} is a {type(given).__name__}; give an octossh.Secret, octossh.secret('NAME') or a function"
            )
        self._given = Secret(given) if isinstance(given, str) else given
        self._what = what
        self._lock = threading.Lock()
        self._found: dict[str, Secret | None] = {}
        self.find: Callable[[str], Secret] | None = None

    def __call__(self, subject: str) -> Secret | None:
        """The secret for *subject*; None if there is none."""
        if self._given is None or isinstance(self._given, Secret):
            return self._given
        with self._lock:
            if subject not in self._found:
                self._found[subject] = self._ask(subject)
            return self._found[subject]

    def _ask(self, subject: str) -> Secret | None:
        if isinstance(self._given, SecretRef):
            if self.find is None:
                raise ModelError(
                    f"the {self._what} is secret {self._given.name!r}, whose value a Space knows; give the transport "
                    "to one"
                )
            return self.find(self._given.name)
        assert callable(self._given)
        answer = self._given(subject)
        return Secret(answer) if isinstance(answer, str) else answer

    @property
    def there(self) -> bool:
        """Whether there may be one at all."""
        return self._given is not None


def _asked(target: Target) -> tuple[object, ...]:
    """All of *target* that its way depends on."""
    return target.address, target.user, target.port, target.jump, target.host_key


class _Slot(Generic[L]):
    """The place of one connection; whoever opens it holds the lock."""

    def __init__(self, via: tuple[object, ...] | None, *, wanted: bool = True) -> None:
        self.lock = threading.Lock()
        self.gate = Gate(is_open=wanted)
        self.failed: OctosshError | None = None
        self.link: L | None = None
        self.via = via
        self.running = 0
        self.reserved = False


class Pool(ABC, Generic[L]):
    """What the transports by SSH share; see `octossh.SSH`."""

    streams = True

    def __init__(
        self,
        routing: Routing,
        *,
        parallel: int,
        per_jump: int,
        keepalive_s: float,
        passphrase: Given | None,
        password: Given | None,
        sudo_password: Given | None,
    ) -> None:
        self._routing = routing
        self._passphrase, self._password = Withheld(passphrase, "passphrase"), Withheld(password, "password")
        self._sudo_password = Withheld(sudo_password, "sudo_password")
        self._let: set[L] = set()
        self._parallel = int(parallel)
        self._opening: dict[str, threading.BoundedSemaphore] = {}
        self._per_jump = per_jump
        self.silence_s = max(_SILENCE_S, math.ceil(2.5 * keepalive_s))
        self._slots: dict[tuple[object, ...], _Slot[L]] = {}
        self._keys: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def secrets_from(self, find: Callable[[str], Secret]) -> None:
        """Let the secrets of logins be found by their names; a `Space` does so with its own."""
        self._passphrase.find = self._password.find = self._sudo_password.find = find

    @abstractmethod
    def _opened(self, route: Route, via: L | None) -> L | Fault:
        """Open a connection; what went wrong is returned, not raised."""

    def _added(self, link: L) -> None:
        """*link* has been opened."""

    def _removed(self, link: L) -> None:
        """*link* is being closed."""

    def approach(self, targets: Iterable[Target]) -> None:
        """Go towards *targets*, in threads, up to where one logs in; `connect` and `run` find so much of the way done.

        Nothing is said of who comes, and no host is told to do anything. What goes wrong is told by whoever connects.
        Where connections are open already, nothing is done.
        """
        if self._slots:
            return
        # One to each address, so that those that nobody will want take no place from others.
        for target in {target.address: target for target in targets}.values():
            if started(functools.partial(self._approach, target), f"octossh {target}") is None:
                return

    def _approach(self, target: Target) -> None:
        try:
            route = self._routing.route(target)
        except OctosshError:
            return
        # On the way there may be others, who would have to be logged in to.
        slot = _Slot[L](None, wanted=False)
        if route.via or route.command:
            return
        with self._lock:
            if self._slots.setdefault(route.key, slot) is not slot:
                return
        with slot.lock:
            try:
                self._ready(slot, route)
            except OctosshError as error:
                if slot.gate.is_open and not slot.gate.gave_up:
                    slot.failed = error  # whoever wants it waits by now
            except ImportError:
                return  # whoever wants it meets it, too

    def connect(self, target: Target) -> None:
        """Open the connection to *target*, or do nothing when it is open. See `Transport.connect`.

        Raises:
            ConnectError: Its ``kind`` says how far it came.
            HostKeyError: The host's key is unknown, changed or revoked; no login was tried.
            AuthError: The login was not accepted, or sudo does not let it.
        """
        route = self._way(target)
        slot = self._slot(route)
        with slot.lock:
            link = self._ready(slot, route)
        if target.sudo and link not in self._let:
            self.run(target, Script("sudo", ":\n"), timeout_s=_SUDO_S)
            self._let.add(link)

    def _way(self, target: Target) -> Route:
        route = self._routing.route(target)
        self._keys[_asked(target)] = route.key
        return route

    def reaches(self, target: Target) -> bool:
        """Whether the connection to *target* is open, as far as is known. Waits for nothing."""
        # To work out a way may take ssh a while, and to one that nobody has worked out yet there is no connection.
        key = self._keys.get(_asked(target))
        slot = None if key is None else self._slots.get(key)
        return slot is not None and (link := slot.link) is not None and link.alive

    def hang_up(self, target: Target, running: int = 0) -> bool:
        """Close the connection to *target*; the next script opens another one. False: there was none, or it is needed.

        It is needed where others go through it, or are about to, and where more than *running* scripts run over it;
        these, which are the caller's own, end with `ConnectionLost`.
        """
        key = self._routing.route(target).key
        slot = self._slots.get(key)
        if slot is None:
            return False
        with slot.lock:  # whoever is about to run something, or to go through it, needs that
            with self._lock:
                needed = slot.running > running or any(
                    other.via == key and (other.reserved or (other.link is not None and other.link.alive))
                    for other in self._slots.values()
                )
            if slot.link is None or needed:
                return False
            self._drop(slot.link, "its host had no room for another session")
            slot.link = None
        return True

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
        route = self._way(target)
        begin = start(target, route.where, self._sudo_password, feed=feed is not None)
        sent = Sealed(begin.ahead + payload(script, nonce, secrets))
        slot = self._slot(route)
        for last in (False, True):
            with slot.lock:
                fresh = slot.link is None or not slot.link.alive
                link = self._ready(slot, route)
                with self._lock:
                    slot.running += 1
            try:
                outcome = _attempt(link, script, begin, sent, Collector(nonce, on_line, on_frame), timeout_s, feed)
            finally:
                with self._lock:
                    slot.running -= 1
            if isinstance(outcome, Result):
                if error := refusal(target, route.where, outcome):
                    raise error
                return outcome
            # Nothing was sent, so a connection that had died while nobody looked may be replaced, once.
            if last or fresh or link.alive:
                raise _refusal(outcome, route.where)
        raise AssertionError

    def close(self) -> None:
        """Close every connection; what runs ends with `ConnectionLost`. Nothing can be run afterwards."""
        self._closed.set()
        with self._lock:
            slots = tuple(self._slots.values())
        for slot in slots:
            slot.gate.shut()
        # Those that others go through come last, so that these can say goodbye.
        found = [slot for slot in slots if slot.link is not None]
        links = [slot.link for slot in sorted(found, key=lambda slot: slot.via is None) if slot.link is not None]
        for link in links:
            link.close("its transport was closed")
        for link in links:
            self._removed(link)
            link.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._slots)} targets)"

    def _slot(self, route: Route) -> _Slot[L]:
        """The place of a connection that is wanted."""
        with self._lock:
            slot = self._slots.setdefault(route.key, _Slot(route.via.key if route.via else None))
        slot.gate.open()
        return slot

    def _ready(self, slot: _Slot[L], route: Route) -> L:
        """The link of a slot whose lock is held, opened when it is not open."""
        if (failed := slot.failed) is not None:
            slot.failed = None
            raise failed
        link = slot.link
        if link is not None and not link.alive:
            self._drop(link, "it was dropped")
            slot.link = link = None
        if link is None:
            try:
                slot.link = link = self._open(slot, route)
            finally:
                slot.reserved = False
            self._added(link)
        if self._closed.is_set():
            self._drop(link, "its transport was closed")
            raise self._over(route)
        return link

    def _open(self, slot: _Slot[L], route: Route) -> L:
        for backoff_s in (*_BACKOFF_S, None):
            via = self._gateway(slot, route)  # before a place among those that open, of which it needs one itself
            if self._closed.is_set():
                raise self._over(route)
            with self._door(route):
                link = self._opened(route, via)
            if not isinstance(link, Fault):
                return link
            if backoff_s is None or not link.again:
                raise link.error
            self._closed.wait(backoff_s * random.uniform(0.75, 1.5))  # noqa: S311 - only spreads the tries
        raise AssertionError

    def _door(self, route: Route) -> threading.BoundedSemaphore:
        """The places of those that open a connection to the same address; what drops some is the sshd there."""
        # Commands may all go through the same host, of which we do not know.
        address = "" if route.command else route.where.address
        with self._lock:
            return self._opening.setdefault(address, threading.BoundedSemaphore(self._parallel))

    def _gateway(self, slot: _Slot[L], route: Route) -> L | None:
        """The open connection to the host that *route* goes through, with room for one more."""
        if route.via is None:
            return None
        self._make_room(slot)
        gateway = self._slot(route.via)
        with gateway.lock:
            return self._ready(gateway, route.via)

    def _make_room(self, slot: _Slot[L]) -> None:
        """Wait until fewer than ``per_jump`` hosts are reached through the one that *slot* goes through.

        A connection over which nothing runs is closed for it: it is opened again when it is needed.
        """
        while not (slot.reserved or self._closed.is_set()):
            with self._lock:
                behind = [
                    other
                    for other in self._slots.values()
                    if other.via == slot.via and (other.reserved or (other.link is not None and other.link.alive))
                ]
                slot.reserved = len(behind) < self._per_jump
            if not slot.reserved and not any(self._closed_idle(other) for other in behind):
                self._closed.wait(_TICK_S)

    def _closed_idle(self, slot: _Slot[L]) -> bool:
        """Close the connection of *slot* when nothing runs over it; False when something does."""
        if slot.running or not slot.lock.acquire(blocking=False):
            return False
        try:
            if slot.link is None or slot.running:
                return False
            self._drop(slot.link, "another host needed its place")
            slot.link = None
            return True
        finally:
            slot.lock.release()

    def _over(self, route: Route) -> ConnectError:
        return ConnectError(f"{route.where}: this {type(self).__name__}() is closed; make a new one")

    def _drop(self, link: L, why: str) -> None:
        self._removed(link)
        self._let.discard(link)
        link.close(why)
        link.join()


def _attempt(
    link: Opened, script: Script, begin: Start, sent: bytes, collector: Collector, timeout_s: float, feed: Feed | None
) -> Result | Exception:
    """The result, or the reason why there was no session for the script; all else is raised."""
    try:
        return link.run(script, begin, sent, collector, timeout_s, feed)
    except NotSent as error:
        return error


def _refusal(error: Exception, where: Where) -> ConnectError:
    return connect_fault(error.__cause__ or error, where, stage="session").error
