"""What is offered to a host, and how a login ends. Imports paramiko."""

from __future__ import annotations

import contextlib
import copy
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paramiko
from attrs import field, frozen
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob, UnknownKeyType

from octossh.errors import AuthError
from octossh.shell import Secret
from octossh.transport.certificates import SUFFIX
from octossh.transport.faults import Where
from octossh.transport.gates import Gate
from octossh.transport.routes import Identity, Route

__all__ = ["Keys", "Login"]

_DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")  # in the order of ssh
_AGENT_S = 2.0
_LIST_KEYS = b"\0\0\0\1\x0b"
_CERTIFICATE = "-cert.pub"

Ask = Callable[[str], Secret | None]
"""Gives the passphrase of a file, or the password of a login; None if there is none."""


def _nothing(_what: str) -> Secret | None:
    return None


class _Unusable(Exception):
    """Why a key cannot be used, in words."""


@frozen
class Offer:
    """One key to offer, how a message names it, and the file that it is from."""

    name: str
    key: Any = field(repr=False)
    file: str = ""


class Keys:
    """The keys that a user of octossh has. Files are read once; the agent is asked for each login.

    Args:
        passphrase: Asked for the passphrase of a key, by the path of its file; once for each.
    """

    def __init__(self, passphrase: Ask = _nothing) -> None:
        self._passphrase = passphrase
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] = {}

    @contextlib.contextmanager
    def offers(self, identity: Identity, where: Where) -> Iterator[tuple[list[Offer], list[str]]]:
        """The keys to offer, best first, and remarks on those that cannot be.

        Raises:
            AuthError: A key that was asked for by name cannot be used.
        """
        remarks: list[str] = []
        with _agent(identity.agent, remarks) as agent:
            offers: list[Offer] = []
            if not identity.only:
                offers += [Offer(f"{key.get_name()} of the agent", key) for key in agent]
            for path in _DEFAULT_KEYS if identity.files is None else identity.files:
                offers += self._named(path, agent, where, remarks, must=identity.must)
            yield self._signed(_once(offers), identity.certificates, remarks), remarks

    def _named(self, path: str, agent: Sequence[Any], where: Where, remarks: list[str], *, must: bool) -> list[Offer]:
        try:
            return [Offer(path, self._load(path), path)]
        except Exception as caught:  # noqa: BLE001 - keys raise anything from TypeError to paramiko's own
            error = caught
        # A key behind a passphrase, or its public half, still names one that the agent may hold.
        public = _public(path)
        held = [Offer(f"{path} of the agent", key) for key in agent if public is not None and key.asbytes() == public]
        if held:
            return held
        if not must:
            remarks += [] if isinstance(error, FileNotFoundError) else [f"{path}: {_why(error)}"]
            return []
        raise AuthError(
            f"{where}: the identity {path} cannot be used: {_why(error)}. Give the path of a private key, and "
            "SSH(passphrase=...) if it has one, or load the key into ssh-agent"
        ) from error

    def _load(self, path: str) -> Any:
        with self._lock:
            if path not in self._loaded:
                self._loaded[path] = _read_key(path, self._passphrase)
            return self._loaded[path]

    def _signed(self, offers: list[Offer], paths: Sequence[str], remarks: list[str]) -> list[Offer]:
        """The same with certificates: each stands before the key that it is of."""
        certificates: list[tuple[str, Any, bytes]] = []
        for path in [*paths, *(offer.file + _CERTIFICATE for offer in offers if offer.file)]:
            try:
                blob = PublicBlob.from_file(str(Path(path).expanduser()))
                certificates.append((path, blob, _within(blob)))
            except OSError as error:
                if path in paths:
                    remarks.append(f"{path}: {error.strerror}")
            except (ValueError, paramiko.SSHException, UnknownKeyType):
                remarks.append(f"{path}: it is no certificate that can be read")
        made: list[Offer] = []
        for offer in offers:
            for path, blob, public in certificates:
                if offer.key.public_blob is None and offer.key.asbytes() == public:
                    key = copy.copy(offer.key)
                    key.public_blob = blob
                    made.append(Offer(f"{path} with {offer.name}", key))
            made.append(offer)
        return made


def _read_key(path: str, passphrase: Ask) -> Any:
    file = Path(path).expanduser()
    try:
        key = _from_path(file, None)
    except (paramiko.PasswordRequiredException, TypeError) as error:  # cryptography raises TypeError for it
        secret = passphrase(path)
        if secret is None:
            raise _Unusable("it is behind a passphrase") from error
        try:
            key = _from_path(file, secret.reveal())
        except ValueError:
            raise _Unusable("the passphrase that was given does not open it") from None
    key.public_blob = None  # certificates are found on their own
    return key


def _from_path(file: Path, passphrase: str | None) -> Any:
    try:
        # The name of this argument depends on the version, and it has to be bytes, whatever its type says.
        return paramiko.PKey.from_path(file, None if passphrase is None else passphrase.encode())  # type: ignore[arg-type]
    except ValueError as error:
        beside = file.with_name(file.name + _CERTIFICATE)
        if beside.exists() and _certificate(beside) is None:
            raise _Unusable(f"the certificate beside it, {beside}, cannot be read") from error
        raise


def _certificate(file: Path) -> Any:
    with contextlib.suppress(OSError, ValueError, paramiko.SSHException):
        return PublicBlob.from_file(str(file))
    return None


def _within(certificate: Any) -> bytes:
    """The public key that a certificate is of."""
    kind = certificate.key_type.removesuffix(SUFFIX)
    return bytes(paramiko.PKey.from_type_string(kind, certificate.key_blob).asbytes())


def _once(offers: list[Offer]) -> list[Offer]:
    """Without a second offer of the same key."""
    seen: dict[tuple[str, bytes], Offer] = {}
    for offer in offers:
        seen.setdefault((offer.key.get_name(), offer.key.asbytes()), offer)
    return list(seen.values())


class Login:
    """What Fabric hands to paramiko as its ``auth_strategy``: offers the keys one by one, and says what happened.

    Args:
        keys: Those of the user.
        route: Where to.
        password: Asked for the password, by `Where.account`, when no key is enough; its answer goes to this host only.
        gate: What is waited at before anything is offered.
    """

    def __init__(self, keys: Keys, route: Route, password: Ask = _nothing, gate: Gate | None = None) -> None:
        self._keys, self._route, self._where = keys, route, route.where
        self._password, self._gate = password, gate

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Log in.

        Raises:
            AuthError: Nothing was accepted, or there is nothing to offer.
        """
        if self._gate is not None and not self._gate.passed(transport.is_active):
            raise AuthError(f"{self._where}: nobody was logged in, since nobody wanted it any more")
        tried: list[str] = []
        with self._keys.offers(self._route.identity, self._where) as (offers, remarks):
            for offer in offers:
                answer = self._offer(transport, offer)
                if answer is None:
                    return tried
                tried.append(answer)
                if not transport.is_active() or "also wants" in answer:
                    break
        if transport.is_active():
            answer = self._secret(transport)
            if answer is None:
                return tried
            tried += [answer] if answer else []
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

    def _secret(self, transport: paramiko.Transport) -> str | None:
        """The same for the password; nothing when there is none."""
        secret = self._password(self._where.account)
        if secret is None:
            return ""
        try:
            # Where sshd takes passwords by questions only, paramiko answers the one question there is.
            transport.auth_password(self._where.user, secret.reveal())
        except paramiko.BadAuthenticationType as error:
            return f"the password: it takes none, only {', '.join(error.allowed_types)}"
        except paramiko.AuthenticationException:
            return "the password: refused"
        except Exception as error:  # noqa: BLE001 - whatever it was, the login has not come about
            return f"the password: {_why(error)}"
        return None if transport.is_authenticated() else "the password: accepted, but it also wants something else"


def _why(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, _Unusable):
        return text
    if isinstance(error, paramiko.PasswordRequiredException | TypeError):
        return "it is behind a passphrase"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError):
        return error.strerror or text
    if "sk-" in text:
        return "it is on a security key, which this transport cannot use; use the transport OpenSSH"
    if isinstance(error, ValueError | UnknownKeyType | paramiko.SSHException):
        return "it is no private key that can be read"
    return f"{type(error).__name__} {text}"


def _public(path: str) -> bytes | None:
    file = Path(path).expanduser()
    public = file if file.suffix == ".pub" else file.with_name(file.name + ".pub")
    with contextlib.suppress(OSError, ValueError, IndexError, paramiko.SSHException):
        return bytes(PublicBlob.from_string(public.read_text()).key_blob)
    return None


class _Agent(AgentSSH):
    """paramiko's own asks the environment alone which agent there is."""

    def __init__(self, path: str) -> None:
        super().__init__()
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
            self._connect(sock)  # type: ignore[attr-defined]
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        """End the connection to it."""
        self._close()  # type: ignore[attr-defined]


class _AgentCertificate(AgentKey):
    """A certificate in the agent: it knows the key by the certificate, which paramiko does not ask it for."""

    def __init__(self, key: AgentKey) -> None:
        super().__init__(key.agent, key.blob)
        self.public_blob: Any = PublicBlob(key.get_name(), key.blob)

    def asbytes(self) -> bytes:
        """What the agent is asked to sign with."""
        return self.blob


@contextlib.contextmanager
def _agent(path: str, remarks: list[str]) -> Iterator[list[Any]]:
    """The keys of the SSH agent, while it is open."""
    if not path:
        yield []
        return
    problem = _probe(path)
    if problem:
        remarks.append(f"the SSH agent at {path} {problem}")
        yield []
        return
    agent = _Agent(path)
    try:
        # Keys on security tokens need a signature that paramiko cannot make.
        keys = [key for key in agent.get_keys() if not key.get_name().startswith("sk-")]
        yield [_AgentCertificate(key) if key.get_name().endswith(SUFFIX) else key for key in keys]
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
