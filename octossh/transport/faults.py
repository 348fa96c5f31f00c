"""One place that knows what the errors of sockets, paramiko and invoke mean. Imports neither paramiko nor invoke."""

from __future__ import annotations

import errno
import socket

from attrs import frozen

from octossh.errors import AuthError, ConnectError, HostKeyError

__all__ = ["ADVICE", "KINDS", "Fault", "Where", "connect_fault", "ssh_fault"]

# By name, since not every version of paramiko has every class; the nearest class of an error counts.
KINDS: dict[str, str] = {
    # paramiko
    "AuthFailure": "auth",
    "AuthenticationException": "auth",
    "BadAuthenticationType": "auth",
    "PartialAuthentication": "auth",
    "PasswordRequiredException": "auth",
    "UnableToAuthenticate": "auth",
    "BadHostKeyException": "host_key",
    "ChannelException": "other",
    "ConfigParseError": "other",
    "CouldNotCanonicalize": "dns",
    "IncompatiblePeer": "kex",
    "MessageOrderError": "kex",
    "NoValidConnectionsError": "refused",
    "ProxyCommandFailure": "unreachable",
    "SFTPError": "other",
    "SSHException": "other",
    "UnknownKeyType": "auth",
    # invoke
    "AmbiguousEnvVar": "other",
    "CollectionNotFound": "other",
    "CommandTimedOut": "timeout",
    "Exit": "other",
    "Failure": "other",
    "ParseError": "other",
    "PlatformError": "other",
    "ResponseNotAccepted": "other",
    "SubprocessPipeError": "other",
    "ThreadException": "other",
    "UncastableEnvVar": "other",
    "UnexpectedExit": "other",
    "UnknownFileType": "other",
    "UnpicklableConfigMember": "other",
    "WatcherError": "other",
    # Python
    "gaierror": "dns",
    "ConnectionRefusedError": "refused",
    "ConnectionResetError": "refused",
    "ConnectionAbortedError": "refused",
    "BrokenPipeError": "refused",
    "EOFError": "refused",
    "TimeoutError": "timeout",
    "OSError": "unreachable",
}

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM}

ADVICE = {
    "dns": "its name cannot be resolved; check the address, or the name servers of this machine",
    "refused": "nothing listens there; check the port, and that sshd runs",
    "unreachable": "it cannot be reached; check that it is up, and the route and firewalls on the way",
    "timeout": "it did not answer in time; check that it is up, and the firewalls on the way",
    "not_ssh": "what answers there is no SSH server; check the port",
    "kex": "no encryption could be agreed on; an old server may need paramiko<5, which still has SHA-1",
    "host_key": "its host key was not accepted; compare it with the one on the host",
    "auth": "the login was not accepted; check the user and the key",
    "sessions": "it did not open one more session; run fewer scripts there at once, or raise MaxSessions of its sshd",
    "other": "no SSH session could be opened",
}

_BUSY = (
    "it took the connection and closed it at once; too many may be coming in (MaxStartups of its sshd), "
    "it may have banned this machine for a while, or what listens there is no SSH server"
)


@frozen
class Where:
    """A host as messages name it, with the login that is really used."""

    name: str
    user: str
    address: str
    port: int

    @property
    def login(self) -> tuple[str, str, int]:
        """What makes two targets one connection."""
        return (self.user, self.address.lower(), self.port)

    @property
    def account(self) -> str:
        """What a password is for: ``user@host``, or ``user@host:port`` where the port is not 22."""
        if self.port == 22:
            return f"{self.user}@{self.address}"
        return f"{self.user}@{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.address}]" if ":" in self.address else self.address

    def __str__(self) -> str:
        return f"{self.name} ({self.user}@{self._bracketed}:{self.port})"


@frozen
class Fault:
    """What went wrong while connecting.

    Attributes:
        error: What to raise.
        again: Whether the next try may fare better.
    """

    error: ConnectError
    again: bool = False


def connect_fault(error: BaseException, where: Where, *, stage: str = "", greeting: str = "") -> Fault:
    """Say what *error* means for the connection to *where*.

    Args:
        error: What was raised; it becomes the cause of what is returned.
        where: The target.
        stage: How far it came: ``tcp``, ``greeting``, ``kex``, ``login``, ``session``, or nothing.
        greeting: What the server had said before, when that was no SSH greeting.
    """
    if isinstance(error, ConnectError):
        return Fault(error)
    kind, again, said = _kind(error, stage, greeting)
    advice = ADVICE[kind]
    if again:
        advice = _BUSY
    elif kind == "kex" and isinstance(error, OSError | EOFError):
        advice = "it closed the connection in the middle of the key exchange; the log of its sshd says why"
    elif kind == "timeout" and stage in ("greeting", "kex", "login", "session"):
        advice = "it took the connection and then did not answer in time; it may be overloaded or hung"
    made = {"auth": AuthError, "host_key": HostKeyError}.get(kind, ConnectError)(f"{where}: {advice} ({said})", kind)
    made.__cause__ = error
    return Fault(made, again)


def _kind(error: BaseException, stage: str, greeting: str) -> tuple[str, bool, str]:
    said = " ".join(str(error).split()) or type(error).__name__
    if greeting:
        shown = f"it said {greeting[:80]!r}"
        # sshd says so since 8.x, and closes.
        if "MaxStartups" in greeting:
            return "refused", True, shown
        return ("refused", True, shown) if "Not allowed at this time" in greeting else ("not_ssh", False, shown)
    kind = next((KINDS[kin.__name__] for kin in type(error).__mro__ if kin.__name__ in KINDS), "other")
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
        kind = _of_errno(error, kind)
    if "Indecipherable" in said or "Invalid SSH banner" in said or "Incompatible version" in said:
        return "not_ssh", False, said
    if stage == "session" and type(error).__name__ == "ChannelException":
        kind = "sessions"  # whatever the reason: sshd gives that of a connection that fails where it has no room
    if stage == "session" and "Timeout" in said:
        kind = "timeout"
    if stage == "greeting":
        return ("timeout", False, said) if kind == "timeout" else ("refused", True, said)
    if stage == "kex" and kind in ("other", "refused", "unreachable"):
        return "kex", False, said
    return kind, False, said


def _of_errno(error: OSError, kind: str) -> str:
    inner = getattr(error, "errors", None)
    if isinstance(inner, dict) and inner:
        return _of_errno(next(iter(inner.values())), kind)
    if error.errno in _UNREACHABLE:
        return "unreachable"
    if error.errno == errno.ETIMEDOUT:
        return "timeout"
    return kind


_OF_SSH = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "host_key"),
    ("HOST KEY HAS BEEN REVOKED", "host_key"),
    ("REVOKED HOST KEY DETECTED", "host_key"),
    ("Host key verification failed", "host_key"),
    ("host key is known for", "host_key"),
    ("Permission denied", "auth"),
    ("Too many authentication failures", "auth"),
    ("Could not resolve hostname", "dns"),
    ("Connection refused", "refused"),
    ("Connection timed out", "timeout"),
    ("Operation timed out", "timeout"),
    ("banner exchange: Connection to", "timeout"),
    ("No route to host", "unreachable"),
    ("Network is unreachable", "unreachable"),
    ("open failed", "unreachable"),
    ("no matching", "kex"),
    ("Unable to negotiate", "kex"),
    ("Protocol major versions differ", "not_ssh"),
    ("banner line", "not_ssh"),
    ("kex_exchange_identification", "busy"),
    ("Exceeded MaxStartups", "busy"),
    ("Not allowed at this time", "busy"),
    ("ssh_exchange_identification", "busy"),
)
"""What ssh says, and what it means; the first that fits counts."""


def ssh_fault(said: str, where: Where, *, timed_out: str = "", more: str = "", through: bool = False) -> Fault:
    """Say what the words of ``ssh`` mean that could not connect to *where*.

    Args:
        said: What it wrote to its standard error.
        where: The host.
        timed_out: That it was ended since it took too long, in words; empty when it ended by itself.
        more: What else is of use to know.
        through: Whether another host, or a command, is on the way there.
    """
    kind = "timeout" if timed_out else next((kind for words, kind in _OF_SSH if words in said), "other")
    if through and kind in ("busy", "other"):
        kind = "unreachable"
    # sshd closes or resets the connection when too many come in; a broken pipe here is the same.
    again = kind == "busy"
    kind = "refused" if again else kind
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip() and not line.startswith("@@@")]
    shown = timed_out or "; ".join(lines[-6:]) or "ssh ended without a word"
    made = {"auth": AuthError, "host_key": HostKeyError}.get(kind, ConnectError)(
        f"{where}: {_BUSY if again else ADVICE[kind]} ({shown}{more})", kind
    )
    return Fault(made, again)
