"""Logging in to a registry: what to send with a question, and what to do when the answer is 401."""

from __future__ import annotations

import functools
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from octossh.errors import RegistryError
from octossh.model.credentials import Credentials
from octossh.registry.headers import Challenge, challenges, place, realm_fault, same_host
from octossh.shell import Secret

if TYPE_CHECKING:
    from octossh.registry.deadlines import Deadline
    from octossh.registry.exchanges import Answer, Exchange

__all__ = ["Asking", "Login"]

_TOKEN_BYTES = 1_048_576
_DEFAULT_LIFE_S = 60.0
_WANTS = 3
# GHCR names this repository in the challenge of any other.
_PLACEHOLDER = "repository:user/image:pull"


@frozen
class _Want:
    """What a token is for: it is kept under this."""

    realm: str = field(repr=False)
    service: str
    scope: str


@frozen
class _Token:
    header: str = field(repr=False)
    until: float
    life_s: float

    @property
    def is_live(self) -> bool:
        return time.monotonic() < self.until


@define
class Asking:
    """One question that may need a login.

    Attributes:
        scope: What it needs, such as ``repository:acme/web:pull``.
        exchange: Asks token services.
        deadline: When it has to be answered.
        asked: What tokens were asked for because of it.
        again: Whether other credentials were looked up because of it.
    """

    scope: str
    exchange: Exchange
    deadline: Deadline
    asked: set[_Want] = field(factory=set)
    again: bool = False


class _NotAccepted(Exception):
    """Nothing better than what was sent can be had by these credentials."""

    def __init__(self, credentials: Credentials | None) -> None:
        self.credentials = credentials


class Login:
    """The login to one registry: keeps tokens while they live. Safe for threads.

    Args:
        subject: The registry as messages name it.
        host: The registry's host, for advice.
        url: The registry's URL.
        credentials: Gives the credentials, or None for an anonymous client; asked on the first 401. With
            ``instead_of`` it gives others than those, if it has any.
        looked_in: Where credentials were looked for, for the message that there are none.
    """

    def __init__(
        self,
        subject: str,
        host: str,
        url: str,
        credentials: Callable[..., Credentials | None],
        looked_in: str,
    ) -> None:
        self._subject = subject
        self._host = host
        self._url = url
        self.credentials = credentials
        self._looked_in = looked_in
        self._lock = threading.Lock()
        self._tokens: dict[_Want, _Token] = {}
        self._wanted: dict[str, _Want] = {}
        self._plain = False

    def header(self, scope: str) -> str | None:
        """What to send as Authorization with a question that needs *scope*; None for nothing, so far."""
        with self._lock:
            want, plain = self._wanted.get(scope), self._plain
            token = self._tokens.get(want) if want else None
        if plain:
            credentials = self.credentials()
            return self._plain_header(credentials) if credentials else None
        return token.header if token and token.is_live else None

    def renew(self, asking: Asking, answer: Answer, sent: str | None) -> str:
        """What to send next time, after *answer*, a 401.

        Args:
            asking: The question.
            answer: The 401.
            sent: What was sent as Authorization.

        Raises:
            RegistryError: There is nothing better to send, or the token service says no.
        """
        try:
            return self._renew(asking, answer, sent, self.credentials())
        except _NotAccepted as refused:
            before = refused.credentials
            # They may have expired before their time: once more with others, where there are others by now.
            others = self.credentials(instead_of=before) if before and not asking.again else None
            if before is None or others is None or _same(others, before):
                raise self.refused(before) from None
        asking.again = True
        asking.asked.clear()
        try:
            return self._renew(asking, answer, sent, others)
        except _NotAccepted:
            raise self.refused(others) from None

    def _renew(self, asking: Asking, answer: Answer, sent: str | None, credentials: Credentials | None) -> str:
        offers = challenges(answer.headers.get("WWW-Authenticate", ""))
        bearer = _bearer(offers)
        raw = credentials is not None and credentials.kind == "bearer"
        if bearer and not raw:
            return self._token(_want(bearer, answer.url, asking.scope), asking, sent, credentials)
        if raw or any(o.scheme == "basic" for o in offers):
            header = self._plain_header(credentials) if credentials else None
            if header is None or header == sent:
                raise _NotAccepted(credentials)
            with self._lock:
                self._plain = True
            return header
        schemes = ", ".join(sorted({o.scheme for o in offers})) or "none"
        raise RegistryError(
            f"{self._subject}: it wants a login, but offers no way that octossh knows (Basic, or Bearer with "
            f"a realm; it offers {schemes}); see its configuration"
        )

    def refused(self, credentials: Credentials | None) -> RegistryError:
        """The error that says who was not let in."""
        if credentials is None:
            return RegistryError(
                f"{self._subject}: it wants a login, or there is no such repository, and no login was found "
                f"(looked in {self._looked_in}); run 'docker login {self._host}', or give the registry "
                "auth=octossh.Basic(user, octossh.secret(...))"
            )
        who = f"user {credentials.user!r}" if credentials.user else "the token"
        return RegistryError(
            f"{self._subject}: it did not accept {who} (login {credentials.source}); see whether the "
            "password or token is right and not expired, and whether it may read this repository"
        )

    def _plain_header(self, credentials: Credentials) -> str:
        if credentials.kind != "bearer":
            return f"Basic {credentials.basic}"
        token = credentials.password.reveal()
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise RegistryError(
                f"{self._subject}: its token (login {credentials.source}) holds a blank or a character that no token "
                "has; perhaps a line break at its end"
            )
        return f"Bearer {token}"

    def _token(self, want: _Want, asking: Asking, sent: str | None, credentials: Credentials | None) -> str:
        with self._lock:
            self._wanted[asking.scope] = want
            self._plain = False
            token = self._tokens.get(want)
        if token and token.is_live and token.header != sent:
            return token.header
        if want in asking.asked or len(asking.asked) >= _WANTS:
            raise _NotAccepted(credentials)
        asking.asked.add(want)
        token = self._fetch(want, asking, credentials)
        with self._lock:
            self._tokens[want] = token
        return token.header

    def mint(self, asking: Asking, answer: Answer) -> Credentials | None:
        """A token for a docker client: for the scope of the question alone, and new.

        None: there is no token service.

        Args:
            asking: The question.
            answer: The 401 to it, without a login.

        Raises:
            RegistryError: The token service gives none.
        """
        bearer = _bearer(challenges(answer.headers.get("WWW-Authenticate", "")))
        if bearer is None:
            return None
        found = _want(bearer, answer.url, asking.scope)
        credentials = self.credentials()
        try:
            token = self._fetch(_Want(found.realm, found.service, asking.scope), asking, credentials)
        except _NotAccepted:
            raise self.refused(credentials) from None
        secret = Secret(token.header.removeprefix("Bearer "))
        return Credentials("", secret, "bearer", "from its token service", lifetime_s=token.life_s)

    def _fetch(self, want: _Want, asking: Asking, credentials: Credentials | None) -> _Token:
        if fault := realm_fault(want.realm, self._url, registry_is_inner=asking.exchange.is_inner):
            raise RegistryError(
                f"{self._subject}: it sends logins to {place(want.realm)}, {fault}; nothing was sent there; "
                "see the realm in its configuration"
            )
        ask = functools.partial(
            asking.exchange.ask,
            deadline=asking.deadline,
            limit_bytes=_TOKEN_BYTES,
            # A token service of the same name is where the registry is.
            wary=not same_host(want.realm, self._url),
        )
        answer = None
        if credentials and credentials.kind == "identity":
            form = {
                "grant_type": "refresh_token",
                "service": want.service,
                "scope": want.scope,
                "client_id": "octossh",
                "refresh_token": credentials.password.reveal(),
            }
            answer = ask("POST", want.realm, {}, form=form)
        # Some token services know no POST, and take a refresh token for a password; Artifactory says 401 then.
        if answer is None or answer.status in {401, 404, 405}:
            headers = {"Authorization": f"Basic {credentials.basic}"} if credentials else {}
            answer = ask("GET", _token_url(want), headers)
        # An OAuth2 service says 400 (invalid_grant) to a refresh token that it does not know.
        if answer.status in {401, 403} or (answer.status == 400 and credentials):
            raise _NotAccepted(credentials)
        if answer.status != 200:
            raise self._odd(want, f"answered with HTTP status {answer.status}")
        token = _read_token(answer.body)
        if token is None:
            raise self._odd(want, "answered without a token")
        return token

    def _odd(self, want: _Want, what: str) -> RegistryError:
        return RegistryError(
            f"{self._subject}: its token service at {place(want.realm)} {what}; try again later, or see "
            "the realm in the registry's configuration"
        )


def _same(one: Credentials, other: Credentials) -> bool:
    """Whether both send the same; secrets are not compared by ``==``."""
    return (one.kind, one.basic) == (other.kind, other.basic)


def _bearer(offers: tuple[Challenge, ...]) -> Challenge | None:
    return next((o for o in offers if o.scheme == "bearer" and o.params.get("realm")), None)


def _want(bearer: Challenge, url: str, needed: str) -> _Want:
    try:
        realm = urllib.parse.urljoin(url, bearer.params["realm"])
    except ValueError:
        realm = ""
    scope = bearer.params.get("scope", "")
    if not scope or scope == _PLACEHOLDER:
        scope = needed
    return _Want(realm, bearer.params.get("service", ""), scope)


def _token_url(want: _Want) -> str:
    parts = urllib.parse.urlsplit(want.realm)
    pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    pairs += [("service", want.service)] if want.service else []
    pairs += [("scope", scope) for scope in want.scope.split()]
    return parts._replace(query=urllib.parse.urlencode(pairs, safe=":/"), fragment="").geturl()


def _read_token(body: bytes) -> _Token | None:
    try:
        answer: Any = json.loads(body)
        text = answer.get("token") or answer.get("access_token")
        life = answer.get("expires_in")
    except (ValueError, AttributeError, RecursionError):
        return None
    # Nothing that could end the header it goes into.
    if not isinstance(text, str) or not re.fullmatch(r"[\x21-\x7e]+", text):
        return None
    usable = isinstance(life, int | float) and not isinstance(life, bool) and 0 < life < 1e7
    life_s = float(life) if usable else _DEFAULT_LIFE_S
    # A tenth less: the answer was under way, and the next question will be.
    return _Token(f"Bearer {text}", time.monotonic() + 0.9 * life_s, life_s)
