"""One question to an HTTP server and its answer: tries, redirects, limits, and failures in words.

With `octossh.registry.connections` and `octossh.registry.posting` the door of ``requests`` and the urllib3 below it.
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
from typing import IO, Any

import requests
import requests.adapters
import requests.auth
import urllib3.exceptions
from attrs import field, frozen

from octossh.errors import RegistryError
from octossh.model.images import Registry
from octossh.registry import certificates
from octossh.registry.bodies import TooLong, Unreadable, read_body
from octossh.registry.connections import Adapter, Bounds, Inner, Late, Lengthy, NoNetrc, bounded
from octossh.registry.deadlines import Deadline
from octossh.registry.headers import is_inner, origin, place, retry_after_s

__all__ = ["Answer", "Exchange"]

TRIES = 4
PAUSE_S = 0.5

_CONNECTIONS = 32
_REDIRECTS = 5
_REFUSAL_BYTES = 65_536
# Status line and headers; what is more is none of a registry's.
_HEADER_BYTES = 1_048_576
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({429, 502, 503, 504})
# OpenSSL's X509_V_ERR_* numbers; Python has no names for them.
_CERTIFICATE = {
    9: "is not valid yet; see whether the clocks of both machines are right",
    10: "has expired; renew it",
    62: "is for another host name; use the name that stands in it",
    64: "is for another address; use the name that stands in it",
}


# How a server of TLS begins its answer to plain HTTP: an alert.
_ALERT = re.compile(r"^.?.?.?\\x15\\x03|^\x15\x03")

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
    """A session that leaves redirects to us: its own way reads their bodies without a limit.

    Args:
        home: The origin of the registry, which alone is shown the client certificate.
        there: The adapter for it.
    """

    def __init__(self, home: object, there: Adapter) -> None:
        super().__init__()
        self._home, self._there = home, there

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        return self._there if origin(url) == self._home else super().get_adapter(url)

    def close(self) -> None:
        super().close()
        self._there.close()


@frozen
class _Question:
    """What all tries of one question have in common."""

    method: str
    form: Mapping[str, str] | None = field(repr=False)
    limit_bytes: int
    deadline: Deadline
    inner: bool = field(kw_only=True)
    into: IO[bytes] | None = field(default=None, kw_only=True, repr=False)


class _Broken(Exception):
    """The connection broke off, which may be over the next moment.

    Attributes:
        url: Where, which a redirect may have led to.
    """

    def __init__(self, url: str) -> None:
        super().__init__("broke off the connection")
        self.url = url


class Exchange:
    """Asks servers on behalf of one registry. Safe for threads; keeps connections until it is closed.

    Args:
        subject: The registry as messages name it.
        home: The URL of its API; servers of other origins are named in messages, and get neither a login nor the
            client certificate.
        registry: Says which certificates are trusted and shown.
        timeout_s: Seconds to wait for a connection, and for each piece of an answer.
    """

    def __init__(self, subject: str, home: str, *, registry: Registry, timeout_s: float) -> None:
        self._subject = subject
        self._home = home
        self._timeout_s = timeout_s
        self._inner: bool | None = True if is_inner(urllib.parse.urlsplit(home).hostname or "") else None
        trusting = certificates.trusting(registry, subject)
        others = Adapter(trusting, pool_maxsize=_CONNECTIONS)
        showing = certificates.showing(registry, subject)
        self._session = _Session(origin(home), Adapter(showing, pool_maxsize=_CONNECTIONS) if showing else others)
        # A cookie would tie the answers of one thread to those of another.
        self._session.cookies.set_policy(_no_cookies())
        self._session.mount("http://", others)
        self._session.mount("https://", others)
        for name in ("urllib3.connectionpool", "urllib3.connection"):
            logging.getLogger(name).addFilter(_without_tokens)

    @property
    def is_inner(self) -> bool:
        """Whether the registry itself was met at an address of a loopback, private or link-local network."""
        return bool(self._inner)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        deadline: Deadline,
        form: Mapping[str, str] | None = None,
        limit_bytes: int = _REFUSAL_BYTES,
        wary: bool = False,
        into: IO[bytes] | None = None,
    ) -> Answer:
        """Ask once, or a few times where the fault may pass; any status is an answer.

        Redirects are followed. ``Authorization`` goes to the origin of *url* only.

        Args:
            method: ``GET``, ``HEAD`` or ``POST``.
            url: http or https.
            headers: Of the request.
            deadline: When all tries together have to be over.
            form: What to POST.
            limit_bytes: How long the body of an answer with status 200 may be.
            into: A file that gets the body of an answer with status 200, which then is not in the answer.
            wary: Go to no inner network by any name, unless the registry itself is in one.

        Raises:
            RegistryError: No answer, or one that is longer than it may be, or a redirect that must not be
                followed.
        """
        question = _Question(method, form, limit_bytes, deadline, inner=not wary or self.is_inner, into=into)
        for attempt in range(1, TRIES + 1):
            pause = PAUSE_S * 2 ** (attempt - 1)
            try:
                answer = self._follow(url, headers, question)
            except _Broken as broken:
                if attempt == TRIES or pause >= deadline.left_s:
                    tries = f"{attempt} tries" if attempt > 1 else "1 try"
                    raise self._error(broken.url, f"{broken} ({tries}); try again later") from None
            else:
                if answer.status not in _PASSING or attempt == TRIES:
                    return answer
                wanted = retry_after_s(answer.headers.get("Retry-After"))
                pause = pause if wanted is None else wanted
                if pause >= deadline.left_s:
                    return answer
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _follow(self, url: str, headers: Mapping[str, str], question: _Question) -> Answer:
        for _ in range(_REDIRECTS + 1):
            answer = self._once(url, headers, question)
            if answer.status not in _MOVED:
                return answer
            target = self._redirected(answer, question.form)
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
        if is_inner(there[1]) and not self.is_inner:
            raise self._error(answer.url, f"redirects to {place(target)}, which is an address of an inner network")
        return target

    def _once(self, url: str, headers: Mapping[str, str], question: _Question) -> Answer:
        # Identity: the digest is of the bytes as they are, and nothing small unpacks to something huge.
        sent = {"User-Agent": "octossh", "Accept-Encoding": "identity", **headers}
        bounds = Bounds(question.deadline, self._timeout_s, _HEADER_BYTES, inner=question.inner)
        try:
            with (
                bounded(bounds),
                self._session.request(
                    question.method,
                    url,
                    headers=sent,
                    data=question.form,
                    auth=NoNetrc(),
                    timeout=bounds.wait_s(),
                    allow_redirects=False,
                    stream=True,
                    verify=True,
                ) as response,
            ):
                if bounds.reached and origin(url) == origin(self._home):
                    self._inner = is_inner(bounds.reached)
                limit_bytes = question.limit_bytes if response.status_code == 200 else _REFUSAL_BYTES
                # Cut into the smallest of chunks a body takes six times as many.
                bounds.left_bytes += 8 * limit_bytes
                into = question.into if response.status_code == 200 else None
                body = read_body(response, limit_bytes, into)
                return Answer(response.status_code, url, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The foreign error is not chained: its text may quote a URL with a token in its query.
            raise self._failure(url, error, question) from None

    def _error(self, url: str, text: str) -> RegistryError:
        elsewhere = "" if origin(url) == origin(self._home) else f"{place(url)} "
        return RegistryError(f"{self._subject}: {elsewhere}{text}")

    def _failure(self, url: str, error: BaseException, question: _Question) -> Exception:
        causes = list(_causes(error))
        if fault := self._bounds_fault(causes, question):
            return self._error(url, fault)
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
            return self._error(url, f"did not answer within {self._timeout_s:.3g} s; {advice}")
        if any(isinstance(cause, http.client.BadStatusLine) and _ALERT.search(str(cause)) for cause in causes):
            return self._error(url, "speaks TLS there; write the registry's url with https://")
        if _any(causes, *_BREAKS):
            return _Broken(url)
        return self._error(url, f"could not be asked ({type(causes[-1]).__name__}); see its url")

    def _bounds_fault(self, causes: list[BaseException], question: _Question) -> str | None:
        for cause in causes:
            if isinstance(cause, Late):
                return f"did not come to the end of its answer within {question.deadline.total_s:g} s; try again later"
            if isinstance(cause, TooLong):
                return f"answered more than the {question.limit_bytes} bytes that are allowed"
            if isinstance(cause, Unreadable):
                return f"answered with a body that {cause}; see what stands before the registry"
            if isinstance(cause, Lengthy | http.client.LineTooLong) or "more than 100 headers" in str(cause):
                return "answered with more or longer headers than any registry has; see what stands before it"
            if isinstance(cause, Inner):
                return (
                    f"is at {cause}, an address of an inner network, and the registry is not: no login goes there; see "
                    "the realm in its configuration"
                )
        return None


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
        if isinstance(cause, ssl.SSLError) and re.search("ALERT.*CERTIFICATE|ALERT_UNKNOWN_CA", cause.reason or ""):
            return "wants a client certificate; set cert= and key= to one that it accepts"
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            reason = (cause.reason or "no reason given").lower().replace("_", " ")
            hint = f"if it speaks plain http, write its url as http://{urllib.parse.urlsplit(url).netloc}"
            return f"does not speak TLS with us ({reason}); {hint}"
    return None


def _no_cookies() -> Any:
    from http.cookiejar import DefaultCookiePolicy

    return DefaultCookiePolicy(allowed_domains=[])


_SENSITIVE = re.compile(r"([?&][^=&\s]*(?:token|sig|cred|pass|secret|key|auth|jwt)[^=&\s]*=)[^&\s]*", re.IGNORECASE)


def _without_tokens(record: logging.LogRecord) -> bool:
    """Cut tokens out of the URLs in urllib3's log: storage behind a registry signs URLs with them."""
    record.exc_info = None
    if isinstance(record.args, tuple):
        record.args = tuple(_SENSITIVE.sub(r"\1***", a) if isinstance(a, str) else a for a in record.args)
    return True
