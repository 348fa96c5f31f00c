"""Scripts over SSH, by the ``ssh`` of the system."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from octossh.errors import ConnectError, ModelError
from octossh.model.targets import Target
from octossh.transport.configs import Configuration, home_differs, of_home
from octossh.transport.faults import Fault
from octossh.transport.known_hosts import KnownHosts
from octossh.transport.masters import Master, MasterOptions
from octossh.transport.pools import Given, Pool
from octossh.transport.routes import Route
from octossh.transport.routing import Routing
from octossh.transport.ssh import check_numbers, paths

__all__ = ["OpenSSH"]


class OpenSSH(Pool["Master"]):
    """Runs scripts by ``exec sh -s`` over the system's own ``ssh``: for all that only it can do.

    Such are keys on security tokens (FIDO), Kerberos, ``RevokedHostKeys``, certificates of any kind, ciphers as the
    configuration has them. One ``ssh`` per login is a master (``ControlMaster``) that stays until `close`, or until
    this process is gone; scripts are sessions over its control socket. Its whole configuration counts, but for what
    would weaken it: host keys are always checked and never added, nothing is forwarded, and no local command runs.

    A target's own fields come first, then the arguments here, then ssh's configuration. Hosts that are reached
    through another one (``ProxyJump``) share one connection to that one. It wants OpenSSH 8.5 or newer.

    Args:
        known_hosts: Files of trusted host keys, and nothing else vouches for a host. None: as the configuration says.
        identity: Private keys to offer, besides those that the configuration names. None: as the configuration says.
        user: Who logs in where the target does not say. None: as the configuration says.
        connect_timeout_s: Seconds up to the login, which has 20 s of its own.
        keepalive_s: Seconds between questions whether the host is there, at least one. A host that is silent for
            three times as long is given up.
        parallel: How many connections to one address are being opened at once.
        config: The configuration file of ssh to read. True: those that ssh reads. False: none.
        options: Further options, such as ``["GSSAPIAuthentication=yes"]``.
        ask: Whether ssh may ask for a passphrase or a PIN: by the program that ``SSH_ASKPASS`` names. Otherwise a
            login that needs an answer fails.
        sudo_password: What sudo asks for on targets that have ``sudo``: an `octossh.secret`, or a function that is
            called with ``user@host``, once for each. None: it asks nothing.
        per_jump: How many hosts are reached through one other host at once. When there are more, a connection over
            which nothing runs is closed to make room.

    Raises:
        ModelError: An argument is wrong, or there is no ``ssh`` on this machine.
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
        options: Sequence[str] = (),
        ask: bool = False,
        sudo_password: Given | None = None,
        per_jump: int = 100,
    ) -> None:
        check_numbers(
            "OpenSSH", connect_timeout_s=connect_timeout_s, keepalive_s=keepalive_s, parallel=parallel,
            per_jump=per_jump,
        )  # fmt: skip
        ssh = shutil.which("ssh")
        if ssh is None:
            raise ModelError("there is no ssh on this machine; install it (openssh-client), or use the transport SSH")
        if isinstance(options, str) or not all(isinstance(option, str) and "\n" not in option for option in options):
            raise ModelError(f"OpenSSH(options={options!r}): give a list of texts such as 'GSSAPIAuthentication=yes'")
        known = None if known_hosts is None else KnownHosts.of(known_hosts)
        routing = Routing(Configuration(config), user, paths(identity), known, whole=True)
        super().__init__(
            routing, parallel=parallel, per_jump=per_jump, keepalive_s=keepalive_s, passphrase=None, password=None,
            sudo_password=sudo_password,
        )  # fmt: skip
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0
        self._making = threading.Lock()
        self._options = MasterOptions(
            ssh,
            routing.configuration.file or ("" if routing.configuration.on else "none"),
            routing.identity,
            known.files if known else None,
            ask,
            tuple(options),
            connect_timeout_s,
            keepalive_s,
        )

    def terminal(self, target: Target, command: str) -> list[str]:
        """An ``ssh`` over the open connection to *target*, with a terminal there. See `Interactive.terminal`."""
        route = self._routing.route(target)
        slot = self._slot(route)
        with slot.lock:
            master = self._ready(slot, route)  # sudo is not asked here: it asks who sits at the terminal
        return master.terminal(self._options.ssh, command)

    def _opened(self, route: Route, via: Master | None) -> Master | Fault:
        folder, number = self._place()
        options = self._options
        if not options.configuration and home_differs():
            # ssh would read the files of another home: those of HOME take their place.
            import attrs

            file = Path(folder, "config")
            if not file.exists():
                file.write_text(of_home())
            options = attrs.evolve(options, configuration=str(file))
        return Master.open(route, options, f"{folder}/{number}", via)

    def _place(self) -> tuple[str, int]:
        """The folder of the control sockets, which only we may enter, and the number of the next."""
        with self._making:
            if self._closed.is_set():
                raise ConnectError("this OpenSSH() is closed; make a new one")
            if self._folder is None:
                # The path of a socket may not be long.
                folder = None if len(tempfile.gettempdir()) < 50 else "/tmp"  # noqa: S108 - a folder of our own in it
                self._folder = tempfile.TemporaryDirectory(prefix="octossh-", dir=folder, ignore_cleanup_errors=True)
            self._count += 1
            return self._folder.name, self._count

    def close(self) -> None:
        """Close every connection; what runs ends with `ConnectionLost`. Nothing can be run afterwards."""
        super().close()
        with self._making:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None
