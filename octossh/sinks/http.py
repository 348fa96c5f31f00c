"""Sending JSON to a web server, signed: the events of the record, and what hooks are told."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, frozen

from octossh.errors import ModelError
from octossh.shell import Secret

if TYPE_CHECKING:
    from octossh.model import AuditEntry

__all__ = ["HttpSink", "Posting", "check_seconds"]

_NEAR = {"localhost", "127.0.0.1", "::1"}
_DAY_S = 86400


def _hidden(value: object) -> Secret | None:
    if value is None:
        return None
    made = value if isinstance(value, Secret) else Secret(value)  # type: ignore[arg-type]
    if not made.reveal():
        raise ModelError("a key or token for a web server is empty, so it would guard nothing; give some text, or None")
    return made


def check_seconds(instance: object, attribute: Attribute[float], value: object) -> None:
    """Refuse what is no time to wait for."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= _DAY_S:  # type: ignore[operator]
        raise ModelError(
            f"{attribute.name} of this {type(instance).__name__} is {value!r}; give seconds, above 0 and up to {_DAY_S}"
        )


@frozen
class Posting:
    """What is sent to a web server as JSON.

    With a *key* each request is signed: the header ``Octossh-Signature`` is ``sha256=`` and the hex HMAC-SHA-256 over
    the header ``Octossh-Timestamp`` (seconds since 1970), a dot, and the body. Who receives it should compare in
    constant time, and refuse old times.

    Attributes:
        url: https; http only to this machine itself.
        key: What requests are signed with.
        token: Sent as ``Authorization: Bearer``.
        ca: A file with the certificate authorities that are trusted, in place of those of the system.
        timeout_s: Seconds to wait for a connection, and for an answer.
        name: For messages; of a sink, the store remembers under it how far it has been sent. Default: the host of the
            URL.
    """

    url: str = field(repr=False)
    key: Secret | None = field(default=None, kw_only=True, converter=_hidden, repr=False)
    token: Secret | None = field(default=None, kw_only=True, converter=_hidden, repr=False)
    ca: str | None = field(default=None, kw_only=True)
    timeout_s: float = field(default=10.0, kw_only=True, validator=check_seconds)
    name: str = field(kw_only=True)

    @name.default
    def _name(self) -> str:
        return f"http:{urllib.parse.urlsplit(self.url).hostname}"

    @url.validator
    def _check_url(self, _attribute: object, url: object) -> None:
        kind = type(self).__name__
        try:
            parts = urllib.parse.urlsplit(str(url))
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not isinstance(url, str) or not host or parts.scheme not in {"http", "https"}:
            raise ModelError(f"the url of this {kind} is none; write one such as 'https://audit.example.com/octossh'")
        if "@" in parts.netloc:
            raise ModelError(f"the url of the {kind} to {host} holds a password; give it as token= instead")
        if parts.scheme == "http" and host not in _NEAR:
            raise ModelError(
                f"the {kind} to {host} would send what it sends readable for all; write its url with https://"
            )

    def post(self, document: Mapping[str, Any], more: Mapping[str, str] | None = None) -> None:
        """Send *document*, with *more* headers; an error says that it was not taken."""
        from octossh.registry.posting import post

        body = json.dumps(document, ensure_ascii=True).encode()
        headers = {"Content-Type": "application/json", **(more or {})}
        if self.key is not None:
            at = str(int(time.time()))
            signed = hmac.new(self.key.reveal().encode(), f"{at}.".encode() + body, hashlib.sha256)
            headers |= {"Octossh-Timestamp": at, "Octossh-Signature": f"sha256={signed.hexdigest()}"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        post(self.url, body, headers, ca=self.ca, timeout_s=self.timeout_s)


@frozen
class HttpSink(Posting):
    """POSTs events as JSON: ``{"version": 1, "events": [...]}``, at most 100 at once.

    With a *key* each request is signed: the header ``Octossh-Signature`` is ``sha256=`` and the hex HMAC-SHA-256 over
    the header ``Octossh-Timestamp`` (seconds since 1970), a dot, and the body. Who receives it should compare in
    constant time, refuse old times, and know events that come again by ``seq`` or ``hash``.

    Attributes:
        url: https; http only to this machine itself.
        key: What requests are signed with.
        token: Sent as ``Authorization: Bearer``.
        ca: A file with the certificate authorities that are trusted, in place of those of the system.
        timeout_s: Seconds to wait for a connection, and for an answer.
        name: Under which the store remembers how far it has been sent. Default: the host of the URL.
    """

    def send(self, entries: Sequence[AuditEntry]) -> None:
        """Send *entries*; an error says that they were not taken."""
        self.post({"version": 1, "events": [entry.to_dict() for entry in entries]})
