"""Scripts over SSH, by Fabric."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octossh.errors import ConnectError, ModelError, OctosshError
from octossh.model.targets import Target
from octossh.transport.configs import Configuration
from octossh.transport.elevation import start
from octossh.transport.faults import Fault, connect_fault
from octossh.transport.known_hosts import KnownHosts
from octossh.transport.pools import Given, Pool
from octossh.transport.pulse import Watch
from octossh.transport.routes import Route
from octossh.transport.routing import Routing
from octossh.transport.sockets import dial

if TYPE_CHECKING:
    from octossh.transport.links import Link, Options
    from octossh.transport.openssh import OpenSSH

__all__ = ["SSH", "check_numbers", "paths"]

_LOADING = threading.Lock()


class SSH(Pool["Link"]):
    """Runs scripts by ``exec sh -s`` over SSH. One connection per login is kept open until `close`.

    Nothing is asked at the terminal, no configuration of Fabric is read, and host keys are always checked, whatever
    a configuration says. A dropped connection is never opened again in the middle of a run: the run ends with
    `ConnectionLost`, and the next `connect` or `run` opens a new one.

    A target's own fields come first, then the arguments here, then ssh's configuration. Of that count ``HostName``,
    ``User``, ``Port``, ``ProxyJump``, ``ProxyCommand``, ``IdentityFile``, ``IdentitiesOnly``, ``IdentityAgent``,
    ``CertificateFile``, ``HostKeyAlias``, ``UserKnownHostsFile`` and ``GlobalKnownHostsFile``. It is asked by
    ``ssh -G``, once for each host, or once for all where it says the same of each; where there is no ssh, paramiko
    reads it, without ``Include`` and ``Match``.

    Hosts that are reached through another one (``ProxyJump``) share one connection to that one.

    Args:
        known_hosts: Files of trusted host keys. None: as the configuration says, else ``~/.ssh/known_hosts`` and
            ``/etc/ssh/ssh_known_hosts``.
        identity: Private keys to offer, and no others. None: as the configuration says, else those of the SSH agent,
            then the default files of ssh. A certificate beside a key (``KEY-cert.pub``) is offered with it.
        user: Who logs in where the target does not say. None: as the configuration says, else the current user of
            this machine.
        connect_timeout_s: Seconds for everything up to the key exchange; the login has 20 s of its own.
        keepalive_s: Seconds between questions whether the host is there. A host that is silent for two and
            a half times as long is given up.
        parallel: How many connections to one address are being opened at once. Above 10, an sshd that many targets
            share drops some (its MaxStartups).
        config: The configuration file of ssh to read. True: those that ssh reads (``~/.ssh/config`` and
            ``/etc/ssh/ssh_config``). False: none.
        passphrase: Of keys that have one: an `octossh.secret`, or a function that is called with the path of the
            key, once for each, and gives the passphrase or None.
        password: For hosts that no key is enough for: an `octossh.secret`, or a function that is called with
            ``user@host``, or ``user@host:port`` where the port is not 22, once for each, and gives the password or
            None. It is told to a host only after its key was checked; one that is no function is for all of them,
            also for those on the way.
        sudo_password: What sudo asks for on targets that have ``sudo``; given as the password. None: it asks nothing.
        per_jump: How many hosts are reached through one other host at once. When there are more, a connection over
            which nothing runs is closed to make room.
        compress: Whether what goes to a host and comes back is compressed from the login on, where its sshd does that.
            How long it is then tells an eavesdropper a little more of what it is.
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
        config: bool | str | Path = True,
        passphrase: Given | None = None,
        password: Given | None = None,
        sudo_password: Given | None = None,
        per_jump: int = 100,
        compress: bool = True,
    ) -> None:
        check_numbers(
            "SSH", connect_timeout_s=connect_timeout_s, keepalive_s=keepalive_s, parallel=parallel, per_jump=per_jump
        )
        known = None if known_hosts is None else KnownHosts.of(known_hosts)
        routing = Routing(Configuration(config), user, paths(identity), known)
        super().__init__(
            routing, parallel=parallel, per_jump=per_jump, keepalive_s=keepalive_s, passphrase=passphrase,
            password=password, sudo_password=sudo_password,
        )  # fmt: skip
        self._connect_timeout_s, self._keepalive_s, self._compress = connect_timeout_s, keepalive_s, compress
        self._watch = Watch(min(0.5, keepalive_s / 10))
        self._options: Options | None = None
        self._same: dict[str, Any] = {"known_hosts": known_hosts, "identity": identity, "user": user, "config": config}
        self._terminals: OpenSSH | None = None

    def terminal(self, target: Target, command: str) -> list[str]:
        """An ``ssh`` of this machine that goes the same way to *target*. See `Interactive.terminal`.

        It logs in by keys alone: those of the agent, and those without a passphrase.
        """
        from octossh.transport.openssh import OpenSSH

        with self._lock:
            if self._closed.is_set():
                raise ConnectError(f"{target}: this SSH() is closed; make a new one")
            if self._terminals is None:
                self._terminals = OpenSSH(**self._same, connect_timeout_s=self._connect_timeout_s)
            terminals = self._terminals
        return terminals.terminal(target, command)

    def close(self) -> None:
        """Close every connection; what runs ends with `ConnectionLost`. Nothing can be run afterwards."""
        super().close()
        with self._lock:
            terminals = self._terminals
        if terminals is not None:
            terminals.close()

    def approach(self, targets: Iterable[Target]) -> None:
        """See `Pool.approach`."""
        super().approach(targets)
        self._made_options()  # loads fabric here, since it takes longer beside what the caller does next

    def ahead(self, target: Target, *, now: bool = False) -> None:
        """Begin a session for the next script on *target*, once one runs there, or *now*. See `Transport`."""
        with contextlib.suppress(OctosshError):  # whoever runs the script hears of it
            route = self._routing.route(target)
            begin = start(target, route.where, self._sudo_password)
            if begin.ahead:
                return  # it would wait for the password, which comes with the script: little is won
            slot = self._slots.get(route.key)
            if slot is not None and (link := slot.link) is not None and link.alive:
                link.ahead(begin, now=now)

    def _opened(self, route: Route, via: Link | None) -> Link | Fault:
        sock, began = None, time.monotonic()
        if via is None and not route.command:
            # Before fabric is loaded: what goes to the host and comes back takes as long.
            try:
                sock = dial(route.where.address, route.where.port, self._connect_timeout_s, self._keepalive_s)
            except OSError as error:
                return connect_fault(error, route.where, stage="tcp")
        dialled_s = time.monotonic() - began
        try:
            options = self._made_options()
            from octossh.transport.links import Link

            # The time that this machine takes to load it is not the host's.
            deadline = time.monotonic() + self._connect_timeout_s - dialled_s
            return Link.open(route, options, deadline, sock or via, self._slots[route.key].gate)
        except BaseException:
            if sock is not None:
                sock.close()
            raise

    def _added(self, link: Link) -> None:
        self._watch.add(link.pulse)

    def _removed(self, link: Link) -> None:
        self._watch.remove(link.pulse)

    def _made_options(self) -> Options:
        # One at a time: who waits for an import of another thread, which fails, is given what there was of the module.
        with _LOADING:
            from octossh.transport.links import Options
            from octossh.transport.logins import Keys

            if self._options is None:
                keys = Keys(self._passphrase)
                self._options = Options(
                    keys, self._password, self._connect_timeout_s, self._keepalive_s, self._compress
                )
            return self._options


def check_numbers(what: str, **numbers: float) -> None:
    """Refuse numbers that are not above 0.

    Raises:
        ModelError: One is not.
    """
    for name, value in numbers.items():
        if not value > 0:
            raise ModelError(f"{what}({name}={value!r}): give a number above 0")


def paths(given: str | Path | Sequence[str | Path] | None) -> tuple[str, ...] | None:
    """One path or several as texts; None stays None."""
    if given is None:
        return None
    return (str(given),) if isinstance(given, str | Path) else tuple(str(path) for path in given)
