"""Which keys are offered to a host, and how a login ends. Imports paramiko."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
from attrs import field, frozen
from paramiko.pkey import PublicBlob, UnknownKeyType

from octossh.errors import AuthError
from octossh.transport.faults import Where

__all__ = ["Keys", "Login"]

_DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")  # in the order of ssh
_AGENT_S = 2.0
_LIST_KEYS = b"\0\0\0\1\x0b"


@frozen
class Offer:
    """One key to offer, and how a message names it."""

    name: str
    key: Any = field(repr=False)


class Keys:
    """The keys that a user of octossh has. Files are read once; the agent is asked for each login.

    Args:
        identity: Paths of the only keys to offer; None for those of the agent and the default files of ssh.
    """

    def __init__(self, identity: Sequence[str] | None) -> None:
        self._identity = identity
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] = {}

    @contextlib.contextmanager
    def offers(self, where: Where) -> Iterator[tuple[list[Offer], list[str]]]:
        """The keys to offer, best first, and remarks on those that cannot be.

        Raises:
            AuthError: A key that was asked for by name cannot be used.
        """
        remarks: list[str] = []
        with _agent(remarks) as agent:
            if self._identity is None:
                offers = [Offer(f"{key.get_name()} of the agent", key) for key in agent]
                offers += self._defaults(remarks)
            else:
                offers = [self._named(path, agent, where) for path in self._identity]
            yield offers, remarks

    def _defaults(self, remarks: list[str]) -> list[Offer]:
        offers = []
        for path in _DEFAULT_KEYS:
            try:
                offers.append(Offer(path, self._load(path)))
            except FileNotFoundError:
                continue
            except Exception as error:  # noqa: BLE001 - keys raise anything from TypeError to paramiko's own
                remarks.append(f"{path}: {_why(error)}")
        return offers

    def _named(self, path: str, agent: Sequence[Any], where: Where) -> Offer:
        try:
            return Offer(path, self._load(path))
        except Exception as error:
            # A key behind a passphrase, or its public half, still names one that the agent may hold.
            public = _public(path)
            for key in agent:
                if public is not None and key.asbytes() == public:
                    return Offer(f"{path} of the agent", key)
            raise AuthError(
                f"{where}: the identity {path} cannot be used: {_why(error)}. Give the path of a private key "
                "without a passphrase, or load the key into ssh-agent"
            ) from error

    def _load(self, path: str) -> Any:
        with self._lock:
            if path not in self._loaded:
                self._loaded[path] = paramiko.PKey.from_path(Path(path).expanduser())
            return self._loaded[path]


class Login:
    """What Fabric hands to paramiko as its ``auth_strategy``: offers the keys one by one, and says what happened."""

    def __init__(self, keys: Keys, where: Where) -> None:
        self._keys, self._where = keys, where

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Log in.

        Raises:
            AuthError: No key was accepted, or there is none.
        """
        tried: list[str] = []
        with self._keys.offers(self._where) as (offers, remarks):
            for offer in offers:
                answer = self._offer(transport, offer)
                if answer is None:
                    return tried
                tried.append(answer)
                if not transport.is_active():
                    break
        text = "; ".join(tried + remarks) or "there is no key to offer; give identity=, or start an ssh-agent"
        if tried and not transport.is_active():
            text += "; then it closed the connection, as sshd does after too many keys (MaxAuthTries): give identity="
        raise AuthError(
            f"{self._where}: the login was not accepted: {text}. Check the user, and that the public key is in "
            "authorized_keys of that user"
        )

    def _offer(self, transport: paramiko.Transport, offer: Offer) -> str | None:
        """None when it was enough, or else what the host thought of it."""
        try:
            wanted = transport.auth_publickey(self._where.user, offer.key)
        except paramiko.BadAuthenticationType as error:
            return f"{offer.name}: it takes no keys, only {', '.join(error.allowed_types)}"
        except paramiko.AuthenticationException as error:
            return f"{offer.name}: {'refused' if 'failed' in str(error) else error}"
        except Exception as error:  # noqa: BLE001 - an agent can fail in any way, and the next key may do
            return f"{offer.name}: {_why(error)}"
        if transport.is_authenticated():
            return None
        return f"{offer.name}: accepted, but it also wants {' or '.join(wanted)}"


def _why(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, paramiko.PasswordRequiredException | TypeError):  # cryptography raises TypeError for it
        return "it is behind a passphrase"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError):
        return error.strerror or text
    if isinstance(error, ValueError | UnknownKeyType | paramiko.SSHException):
        return "it is no private key that can be read"
    return f"{type(error).__name__} {text}"


def _public(path: str) -> bytes | None:
    file = Path(path).expanduser()
    public = file if file.suffix == ".pub" else file.with_name(file.name + ".pub")
    with contextlib.suppress(OSError, ValueError, IndexError, paramiko.SSHException):
        return bytes(PublicBlob.from_string(public.read_text()).key_blob)
    return None


@contextlib.contextmanager
def _agent(remarks: list[str]) -> Iterator[list[Any]]:
    """The keys of the SSH agent, while it is open."""
    path = os.environ.get("SSH_AUTH_SOCK")
    if not path:
        yield []
        return
    problem = _probe(path)
    if problem:
        remarks.append(f"the SSH agent at {path} {problem}")
        yield []
        return
    agent = paramiko.Agent()
    try:
        # Keys on security tokens need a signature that paramiko cannot make.
        yield [key for key in agent.get_keys() if not key.get_name().startswith("sk-")]
    finally:
        agent.close()


def _probe(path: str) -> str:
    """Why the agent cannot be used, or nothing. paramiko itself would wait for a hung one for ever."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_AGENT_S)
            sock.connect(path)
            sock.sendall(_LIST_KEYS)
            return "" if sock.recv(5) else "closed the connection"
    except TimeoutError:
        return f"did not answer within {_AGENT_S:g} s"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
