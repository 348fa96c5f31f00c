"""paramiko's transport with fewer round trips: what needs no answer of the host is sent without waiting for one."""

from __future__ import annotations

import threading
from typing import Any

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import cMSG_CHANNEL_OPEN, cMSG_CHANNEL_REQUEST
from paramiko.compress import ZlibDecompressor

from octossh.transport.packing import Packer
from octossh.transport.sockets import Socket

__all__ = ["Handshake"]

_SERVICE = "ssh-userauth"
_OPEN = bytes(cMSG_CHANNEL_OPEN)
_LOOK_S = 0.5


class Handshake(paramiko.Transport):
    """One connection as paramiko holds it.

    Attributes:
        our_keys: The algorithms of host keys, best first: paramiko itself would put certificates behind keys.
    """

    our_keys: tuple[str, ...] = ()
    _compression_info = {  # noqa: RUF012 - as paramiko has it
        **paramiko.Transport._compression_info,  # type: ignore[attr-defined]  # noqa: SLF001
        "zlib@openssh.com": (Packer, ZlibDecompressor),
    }

    def __init__(self, sock: Any, **options: Any) -> None:
        if isinstance(sock, Socket):
            # How often paramiko looks whether it was closed, which wakes it up there: see `Socket.hang_up`.
            self._active_check_timeout = _LOOK_S
        super().__init__(sock, **options)
        self._opening = threading.Lock()
        self._opened = 0
        self._behind: dict[int, paramiko.Message] = {}
        self._begun: dict[int, paramiko.Channel] = {}

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """What paramiko asks for."""
        return self.our_keys

    def auth_publickey(self, username: str, key: Any, event: threading.Event | None = None) -> list[str]:
        """Log in by *key*. The question whether one may log in and the login itself are sent together."""
        # Which signature an RSA key makes is up to what the host says it takes; it may not have said so yet.
        unsure = "rsa" in key.get_name() and not getattr(self, "server_extensions", None)
        if event is not None or unsure or not (self.is_active() and self.initial_kex_done):
            return list(super().auth_publickey(username, key, event))
        answered = threading.Event()
        self.auth_handler = _AtOnce(self)
        self.auth_handler.auth_publickey(username, key, answered)
        return list(self.auth_handler.wait_for_response(answered))

    def open_running(self, command: str) -> paramiko.Channel:
        """A session in which *command* runs.

        OpenSSH numbers its channels from 0 on, so the command can be sent together with the request for the first
        one. An OpenSSH that gives it another number, or none, ends the connection, and nothing has run then.

        Raises:
            SSHException: It was refused, or the connection was lost.
        """
        me = threading.get_ident()
        if "OpenSSH" in self.remote_version:
            self._behind[me] = _exec(0, command)
        try:
            channel = self.open_session()
        except paramiko.SSHException:
            # A channel whose command has ended before anybody looked at it is known to paramiko no more.
            begun = self._begun.get(me)
            if begun is None or not begun.active:
                raise
            channel = begun
        finally:
            self._begun.pop(me, None)
            guessed = self._behind.pop(me, None) is None and "OpenSSH" in self.remote_version
        if not guessed:
            channel.exec_command(command)
            return channel
        if channel.remote_chanid != 0:
            self.close()
            raise paramiko.SSHException(f"the host gave its first channel the number {channel.remote_chanid}")
        channel._wait_for_event()  # type: ignore[attr-defined]  # noqa: SLF001 - as exec_command itself does
        return channel

    def _send_user_message(self, data: Any) -> None:
        if data.asbytes()[:1] != _OPEN:
            super()._send_user_message(data)  # type: ignore[misc]
            return
        with self._opening:
            super()._send_user_message(data)  # type: ignore[misc]
            self._opened += 1
            me = threading.get_ident()
            behind = self._behind.pop(me, None) if self._opened == 1 else None
            if behind is not None:
                self._begun[me] = self._channels.get(_number(data))  # type: ignore[attr-defined]
                super()._send_user_message(behind)  # type: ignore[misc]


class _AtOnce(AuthHandler):
    """Sends the login behind the question whether one may log in: the answer to that is never no."""

    def _request_auth(self) -> None:
        super()._request_auth()  # type: ignore[misc]
        accepted = paramiko.Message()
        accepted.add_string(_SERVICE)
        accepted.rewind()
        super()._parse_service_accept(accepted)  # type: ignore[misc]

    def _parse_service_accept(self, m: Any) -> None:
        """It has been taken for granted."""


def _number(request: Any) -> int:
    """The number that a request for a channel has for it here."""
    message = paramiko.Message(request.asbytes())
    message.get_byte()
    message.get_string()
    return message.get_int()


def _exec(channel: int, command: str) -> paramiko.Message:
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(command)
    return message
