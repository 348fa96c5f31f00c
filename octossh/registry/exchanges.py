"""One question to an HTTP server and its answer: tries, redirects, limits, and failures in words.

The door of ``requests`` (and of the urllib3 below it): no other module of octossh imports them.
"""

from __future__ import annotations

import errno
import http.client
import logging
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
import requests.adapters
import urllib3.exceptions
from attrs import field, frozen

from octossh.errors import RegistryError
from octossh.registry.headers import origin, place, retry_after_s

__all__ = ["Answer", "Exchange"]

TRIES = 4
TOTAL_S = 60.0
PAUSE_S = 0.5

_CONNECTIONS = 32
_REDIRECTS = 5
_REFUSAL_BYTES = 65_536
_CHUNK_BYTES = 65_536
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({429, 502, 503, 504})
# OpenSSL's X509_V_ERR_* numbers; Python has no names for them.
_CERTIFICATE = {
    9: "is not valid yet; see whether the clocks of both machines are right",
    10: "has expired; renew it",
    62: "is for another host name; use the name that stands in it",
    64: "is for another address; use the name that stands in it",
}


_BREAKS = (
    ConnectionError,
    ssl.SSLEOFError,
    http.client.HTTPException,
    urllib3.exceptions.ProtocolError,
)


@frozen
class Answer:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        url: Where the answer came from, after redirects. Not for messages: see `headers.place`.
        headers: By name, whatever the case; the values of a name that came twice are joined by commas.
        body: The bytes; at most 64 KiB of them unless the status is 200.
    """

    status: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class _Session(requests.Session):
    """A session that leaves redirects to us: its own way reads their bodies without a limit."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


class _Broken(Exception):
    """The connection broke off, which may be over the next moment; the text says how."""


class _Anonymous(requests.auth.AuthBase):
    """Keeps ``requests`` from looking into ``~/.netrc``, which it does for requests that have no auth."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


class _OwnCA(requests.adapters.HTTPAdapter):
    """Trusts one more certificate authority, as docker does with the CA of a registry."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **options)


class Exchange:
    """Asks servers on behalf of one registry. Safe for threads; keeps connections until it is closed.

    Args:
        subject: The registry as messages name it.
        home: The registry's URL; servers of other origins are named in messages, and never get a login.
        ca: Path of a certificate authority in PEM to trust as well; None for those of ``requests`` only.
        timeout_s: Seconds to wait for a connection, and for each piece of an answer.
    """

    def __init__(self, subject: str, home: str, *, ca: str | None, timeout_s: float) -> None:
        self._subject = subject
        self._home = home
        self._timeout_s = timeout_s
        self._session = _Session()
        # A cookie would tie the answers of one thread to those of another.
        self._session.cookies.set_policy(_no_cookies())
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
        secure = _OwnCA(_trusting(ca, subject), pool_maxsize=_CONNECTIONS) if ca else adapter
        self._session.mount("http://", adapter)
        self._session.mount("https://", secure)
        logging.getLogger("urllib3.connectionpool").addFilter(_without_tokens)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        limit_bytes: int = _REFUSAL_BYTES,
    ) -> Answer:
        """Ask once, or a few times where the fault may pass; any status is an answer.

        Redirects are followed. ``Authorization`` goes to the origin of *url* only.

        Args:
            method: ``GET``, ``HEAD`` or ``POST``.
            url: http or https.
            headers: Of the request.
            form: What to POST.
            limit_bytes: How long the body of an answer with status 200 may be.

        Raises:
            RegistryError: No answer, or one that is longer than it may be, or a redirect that must not be
                followed.
        """
        deadline = time.monotonic() + max(TOTAL_S, self._timeout_s)
        for attempt in range(1, TRIES + 1):
            pause = PAUSE_S * 2 ** (attempt - 1)
            try:
                answer = self._follow(method, url, headers, form, limit_bytes, deadline)
            except _Broken as broken:
                if attempt == TRIES or time.monotonic() + pause >= deadline:
                    raise self._error(url, f"{broken} ({attempt} tries); try again later") from None
            else:
                if answer.status not in _PASSING or attempt == TRIES:
                    return answer
                wanted = retry_after_s(answer.headers.get("Retry-After"))
                pause = pause if wanted is None else wanted
                if time.monotonic() + pause >= deadline:
                    return answer
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        limit_bytes: int,
        deadline: float,
    ) -> Answer:
        for _ in range(_REDIRECTS + 1):
            answer = self._once(method, url, headers, form, limit_bytes, deadline)
            if answer.status not in _MOVED:
                return answer
            target = self._redirected(answer, form)
            if origin(target) != origin(url):
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            url = target
        raise self._error(url, f"redirects more than {_REDIRECTS} times; see its configuration")

    def _redirected(self, answer: Answer, form: Mapping[str, str] | None) -> str:
        try:
            target = urllib.parse.urljoin(answer.url, answer.headers.get("Location", ""))
        except ValueError:
            target = ""
        there = origin(target)
        if there is None or not answer.headers.get("Location"):
            raise self._error(answer.url, "redirects to a place that is no http URL; see its configuration")
        if form is not None:
            raise self._error(answer.url, f"redirects a login to {place(target)}; octossh does not follow")
        if answer.url.startswith("https:") and there[0] != "https":
            raise self._error(answer.url, f"redirects from https to {place(target)}; octossh does not follow")
        return target

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        limit_bytes: int,
        deadline: float,
    ) -> Answer:
        timeout_s = min(self._timeout_s, max(0.1, deadline - time.monotonic()))
        # Identity: the digest is of the bytes as they are, and nothing small unpacks to something huge.
        sent = {"User-Agent": "octossh", "Accept-Encoding": "identity", **headers}
        try:
            with self._session.request(
                method,
                url,
                headers=sent,
                data=form,
                auth=_Anonymous(),
                timeout=timeout_s,
                allow_redirects=False,
                stream=True,
                verify=True,
            ) as response:
                body = self._read(response, limit_bytes, deadline)
                return Answer(response.status_code, url, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The foreign error is not chained: its text may quote a URL with a token in its query.
            raise self._failure(url, error, timeout_s) from None

    def _read(self, response: requests.Response, limit_bytes: int, deadline: float) -> bytes:
        # read1 comes back with what is there, so that a server that drips cannot go past the deadline.
        read = getattr(response.raw, "read1", response.raw.read)
        parts: list[bytes] = []
        size = 0
        while part := read(_CHUNK_BYTES, decode_content=True):
            parts.append(part)
            size += len(part)
            if response.status_code != 200 and size > _REFUSAL_BYTES:
                break
            if size > limit_bytes:
                raise self._error(response.url, f"answered more than the {limit_bytes} bytes that are allowed")
            if time.monotonic() > deadline:
                raise self._error(response.url, f"did not come to the end of its answer within {TOTAL_S:g} s")
        return b"".join(parts)

    def _error(self, url: str, text: str) -> RegistryError:
        elsewhere = "" if origin(url) == origin(self._home) else f"{place(url)} "
        return RegistryError(f"{self._subject}: {elsewhere}{text}")

    def _failure(self, url: str, error: BaseException, timeout_s: float) -> Exception:
        causes = list(_causes(error))
        if fault := _tls_fault(causes, url):
            return self._error(url, fault)
        name = urllib.parse.urlsplit(url).hostname
        if _any(causes, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
            return self._error(url, "is behind a proxy that lets nothing through; see HTTPS_PROXY and NO_PROXY")
        if _any(causes, socket.gaierror, urllib3.exceptions.NameResolutionError):
            return self._error(url, f"the name {name} could not be found in DNS; see the registry's url")
        if _any(causes, ConnectionRefusedError):
            return self._error(url, "refused the connection; see whether it runs, and the port in its url")
        numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
        if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH}:
            return self._error(url, "cannot be reached: there is no route to it from here")
        if _any(causes, requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError):
            advice = "see whether it can be reached from here, or raise timeout_s"
            return self._error(url, f"did not answer within {timeout_s:.3g} s; {advice}")
        if _any(causes, *_BREAKS):
            return _Broken("broke off the connection")
        return self._error(url, f"could not be asked ({type(causes[-1]).__name__}); see its url")


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """*error* and all that is wrapped in it: as a cause, a ``reason`` or an argument."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        inner = queue.pop(0)
        if isinstance(inner, BaseException) and id(inner) not in seen:
            seen.add(id(inner))
            yield inner
            queue += [inner.__cause__, inner.__context__, getattr(inner, "reason", None), *inner.args]


def _tls_fault(causes: list[BaseException], url: str) -> str | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            if known := _CERTIFICATE.get(cause.verify_code):
                return f"its TLS certificate {known}"
            reason = re.sub(r"[^ -~]", "?", cause.verify_message or "")[:100]
            return (
                f"its TLS certificate is not signed by an authority known here ({reason}); set ca= to the "
                "file of the authority that signed it"
            )
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            reason = (cause.reason or "no reason given").lower().replace("_", " ")
            hint = f"if it speaks plain http, write its url as http://{urllib.parse.urlsplit(url).netloc}"
            return f"does not speak TLS with us ({reason}); {hint}"
    return None


def _trusting(ca: str, subject: str) -> ssl.SSLContext:
    # requests adds its own authorities to this context; certificates are always verified.
    try:
        return ssl.create_default_context(cafile=str(Path(ca).expanduser()))
    except ssl.SSLError:
        raise RegistryError(
            f"{subject}: the file ca={ca!r} holds no certificate in PEM; give that of the authority"
        ) from None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "no such place"
        raise RegistryError(f"{subject}: the file ca={ca!r} cannot be read: {reason}; see its path") from None


def _no_cookies() -> Any:
    from http.cookiejar import DefaultCookiePolicy

    return DefaultCookiePolicy(allowed_domains=[])


_SENSITIVE = re.compile(r"([?&][^=&\s]*(?:token|sig|cred|pass|secret|key|auth|jwt)[^=&\s]*=)[^&\s]*", re.IGNORECASE)


def _without_tokens(record: logging.LogRecord) -> bool:
    """Cut tokens out of the URLs in urllib3's debug log: storage behind a registry signs URLs with them."""
    if isinstance(record.args, tuple):
        record.args = tuple(_SENSITIVE.sub(r"\1***", a) if isinstance(a, str) else a for a in record.args)
    return True
