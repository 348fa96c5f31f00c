"""Every error of sockets, paramiko and invoke becomes one of ours, with a kind and with advice."""

from __future__ import annotations

import errno
import socket

import invoke.exceptions
import paramiko
import paramiko.ssh_exception
import pytest

from octossh.errors import AuthError, ConnectError, HostKeyError, Hosts
from octossh.transport.faults import KINDS, Where, connect_fault
from octossh.transport.pools import Withheld

KEY = paramiko.ECDSAKey.generate()
WHERE = Where("h01", "deploy", "10.0.0.1", 2222)


def exceptions_of(module: object) -> list[type[BaseException]]:
    return [found for found in vars(module).values() if isinstance(found, type) and issubclass(found, BaseException)]


@pytest.mark.parametrize("module", [paramiko, paramiko.ssh_exception, invoke.exceptions], ids=lambda m: m.__name__)
def test_every_exception_class_of_the_libraries_is_mapped(module: object) -> None:
    missing = [
        found.__name__
        for found in exceptions_of(module)
        if found.__module__ != "builtins" and found.__name__ not in KINDS
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("error", "stage", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "tcp", "dns"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "tcp", "refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "tcp", "unreachable"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "tcp", "unreachable"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "tcp", "timeout"),
        (TimeoutError("timed out"), "tcp", "timeout"),
        (TimeoutError("timed out"), "greeting", "timeout"),
        (EOFError(), "greeting", "refused"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "greeting", "refused"),
        (paramiko.SSHException('Indecipherable protocol version ""'), "kex", "not_ssh"),
        (paramiko.ssh_exception.IncompatiblePeer("Incompatible version (1.5 instead of 2.0)"), "kex", "not_ssh"),
        (paramiko.ssh_exception.IncompatiblePeer("no acceptable kex algorithm"), "kex", "kex"),
        (paramiko.ssh_exception.MessageOrderError("strict kex"), "kex", "kex"),
        (EOFError(), "kex", "kex"),
        (paramiko.SSHException("Signature verification (ssh-ed25519) failed."), "kex", "kex"),
        (paramiko.AuthenticationException("Authentication failed."), "login", "auth"),
        (paramiko.BadAuthenticationType("Bad", ["password"]), "login", "auth"),
        (paramiko.PasswordRequiredException("locked"), "login", "auth"),
        (paramiko.ssh_exception.NoValidConnectionsError({("h", 22): ConnectionRefusedError(111, "r")}), "", "refused"),
        (paramiko.ssh_exception.NoValidConnectionsError({("h", 22): OSError(113, "no route")}), "", "unreachable"),
        (paramiko.ChannelException(1, "Administratively prohibited"), "session", "sessions"),
        (paramiko.ChannelException(2, "Connect failed"), "session", "sessions"),
        (paramiko.ChannelException(4, "Resource shortage"), "session", "sessions"),
        (paramiko.ChannelException(2, "Connect failed"), "tcp", "other"),
        (RuntimeError("can't start new thread"), "session", "other"),
        (paramiko.SSHException("Timeout opening channel."), "session", "timeout"),
        (paramiko.SSHException("anything"), "", "other"),
        (RuntimeError("anything"), "", "other"),
    ],
)
def test_an_error_has_its_kind(error: Exception, stage: str, kind: str) -> None:
    fault = connect_fault(error, WHERE, stage=stage)
    assert fault.error.kind == kind
    assert fault.error.__cause__ is error
    assert fault.error.hosts is Hosts.UNTOUCHED
    assert str(fault.error).startswith("h01 (deploy@10.0.0.1:2222): ")
    assert "\n" not in str(fault.error)


def test_login_errors_and_host_key_errors_have_classes_of_their_own() -> None:
    assert type(connect_fault(paramiko.AuthenticationException("x"), WHERE).error) is AuthError
    assert type(connect_fault(paramiko.BadHostKeyException("h", KEY, KEY), WHERE).error) is HostKeyError
    assert type(connect_fault(EOFError(), WHERE).error) is ConnectError


def test_an_error_of_ours_stays_what_it_is() -> None:
    error = HostKeyError("changed")
    fault = connect_fault(error, WHERE, stage="kex")
    assert fault.error is error
    assert not fault.again


@pytest.mark.parametrize(
    ("error", "stage", "greeting", "again"),
    [
        (EOFError(), "greeting", "", True),
        (ConnectionResetError(), "greeting", "", True),
        (ConnectionResetError(), "kex", "", False),
        (paramiko.SSHException("Error reading SSH protocol banner"), "kex", "Exceeded MaxStartups", True),
        (paramiko.SSHException("Error reading SSH protocol banner"), "kex", "Not allowed at this time", True),
        (TimeoutError(), "greeting", "", False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "no"), "tcp", "", False),
        (paramiko.AuthenticationException("no"), "login", "", False),
        (HostKeyError("changed"), "kex", "", False),
        (paramiko.SSHException("Error reading SSH protocol banner"), "kex", "220 mail ESMTP", False),
    ],
)
def test_only_a_server_that_is_too_busy_is_tried_again(
    error: Exception, stage: str, greeting: str, again: bool
) -> None:
    assert connect_fault(error, WHERE, stage=stage, greeting=greeting).again is again


def test_what_another_server_said_is_shown() -> None:
    error = connect_fault(paramiko.SSHException("x"), WHERE, stage="kex", greeting="220 mail ESMTP").error
    assert error.kind == "not_ssh"
    assert "220 mail ESMTP" in str(error)


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert str(Where("h", "root", "fe80::1", 22)) == "h (root@[fe80::1]:22)"


@pytest.mark.parametrize(
    ("address", "port", "account"),
    [
        ("10.0.0.1", 22, "ann@10.0.0.1"),
        ("10.0.0.1", 2222, "ann@10.0.0.1:2222"),
        ("fd00::1", 22, "ann@fd00::1"),
        ("fd00::1", 2222, "ann@[fd00::1]:2222"),
    ],
)
def test_a_password_is_asked_for_by_user_host_and_port(address: str, port: int, account: str) -> None:
    asked = []

    def password(subject: str) -> str:
        asked.append(subject)
        return f"of {subject}"

    withheld = Withheld(password, "password")
    for _ in range(2):
        found = withheld(Where("web1", "ann", address, port).account)
        assert found is not None
        assert found.reveal() == f"of {account}"
    assert asked == [account]
