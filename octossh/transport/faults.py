"""One place that knows what the errors of sockets, paramiko and invoke mean. Imports neither paramiko nor invoke."""

from __future__ import annotations

import errno
import socket

from attrs import frozen

from octossh.errors import AuthError, ConnectError, HostKeyError

__all__ = ["KINDS", "Fault", "Where", "connect_fault"]

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

_ADVICE = {
    "dns": "its name cannot be resolved; check the address, or the name servers of this machine",
    "refused": "nothing listens there; check the port, and that sshd runs",
    "unreachable": "it cannot be reached; check that it is up, and the route and firewalls on the way",
    "timeout": "it did not answer in time; check that it is up, and the firewalls on the way",
    "not_ssh": "what answers there is no SSH server; check the port",
    "kex": "no encryption could be agreed on; an old server may need paramiko<5, which still has SHA-1",
    "host_key": "its host key was not accepted; compare it with the one on the host",
    "auth": "the login was not accepted; check the user and the key",
    "other": "no SSH session could be opened",
}


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

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name} ({self.user}@{address}:{self.port})"


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
    advice = _ADVICE[kind]
    if again:
        advice = (
            "it took the connection and closed it at once; too many may be coming in (MaxStartups of its sshd), "
            "it may have banned this machine for a while, or what listens there is no SSH server"
        )
    elif kind == "kex" and isinstance(error, OSError | EOFError):
        advice = "it closed the connection in the middle of the key exchange; the log of its sshd says why"
    elif type(error).__name__ == "ChannelException":
        advice = "it did not open one more session; run fewer scripts there at once, or raise MaxSessions of its sshd"
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
