"""What the headers and URLs of registries mean: challenges, next pages, waiting times, origins. Pure."""

from __future__ import annotations

import ipaddress
import re
import socket
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import field, frozen

__all__ = [
    "Challenge",
    "challenges",
    "is_inner",
    "next_page",
    "origin",
    "place",
    "realm_fault",
    "retry_after_s",
    "same_host",
    "with_query",
]

_PORTS = {"http": 80, "https": 443}
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"({_NAME})(?:[ \t]+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=[ \t]*(?:,|$)))?")
# An unquoted value may hold more than a token here: some registries write a bare URL.
_PARAMETER = re.compile(rf'({_NAME})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([^\s,"]+))')
_PARAMS = re.compile(r';[ \t]*([^\s=;,<>"]+)(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
_LINK = re.compile(r'<([^>]*)>((?:[ \t]*;[ \t]*[^\s=;,<>"]+(?:[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)')


@frozen
class Challenge:
    """One way to log in that a server offers.

    Attributes:
        scheme: In small letters, such as ``"bearer"``.
        params: By name in small letters; the first one counts where a name comes twice.
    """

    scheme: str
    params: Mapping[str, str] = field(factory=dict)


def challenges(header: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate header; several that were joined by commas read the same.

    Never raises: what cannot be read is left out.
    """
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(header):
        if found and (match := _PARAMETER.match(header, at)):
            name, quoted, bare = match.groups()
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
            found[-1][1].setdefault(name.lower(), value)
            at = match.end()
        elif match := _SCHEME.match(header, at):
            found.append((match[1].lower(), {}))
            at = match.end()
        else:
            at += 1
    return tuple(Challenge(scheme, params) for scheme, params in found)


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of *url*; None for all that is not a plain http or https URL without a login."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def place(url: str) -> str:
    """*url* as a message may show it: without its path and query, which may hold a token."""
    where = origin(url)
    if where is None:
        return "a place that is no http URL"
    scheme, host, port = where
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port == _PORTS[scheme] else f":{port}")


def next_page(link: str | None, url: str) -> str | None:
    """The URL of the page after *url*, from its Link header; None where there is none.

    The path stays that of *url*: Artifactory and Nexus name another one, which does not exist on their port.

    Raises:
        ValueError: The header cannot be read, or the next page is on another scheme, host or port, or nowhere
            at all; the text says which.
    """
    links = _LINK.findall(link or "")
    if link and not links:
        raise ValueError("has a Link header that cannot be read")
    for target, params in links:
        found = {name.lower(): quoted or bare for name, quoted, bare in reversed(_PARAMS.findall(params))}
        if "next" not in found.get("rel", "").lower().split():
            continue
        if not target.strip():
            raise ValueError("names no next page, though it says that there is one")
        try:
            there = urllib.parse.urljoin(url, target.strip())
        except ValueError:
            there = ""
        if origin(there) != origin(url):
            raise ValueError(f"says that the list goes on at {place(there)}, which is another server")
        query = urllib.parse.urlsplit(there).query
        return urllib.parse.urlsplit(url)._replace(query=query, fragment="").geturl()
    return None


def with_query(url: str, **values: str) -> str:
    """*url* with *values* in its query, in place of those of the same names."""
    parts = urllib.parse.urlsplit(url)
    kept = [(k, v) for k, v in urllib.parse.parse_qsl(parts.query, keep_blank_values=True) if k not in values]
    query = urllib.parse.urlencode([*kept, *values.items()], safe=":/")
    return parts._replace(query=query, fragment="").geturl()


def retry_after_s(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, a number or a date; None when it says nothing usable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    import email.utils

    try:
        then = email.utils.parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def is_inner(host: str) -> bool:
    """Whether *host* is localhost, or an address of a loopback, private or link-local network.

    Names are not looked up. Every way to write an IPv4 address counts, such as ``0x7f.1``.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(name))
        except (OSError, UnicodeError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return not address.is_global


def same_host(url: str, other: str) -> bool:
    """Whether both are http URLs of one host, whatever the port."""
    there, here = origin(url), origin(other)
    return there is not None and here is not None and there[1] == here[1]


def realm_fault(realm: str, registry_url: str, *, registry_is_inner: bool = False) -> str | None:
    """Why no login may go to the token service *realm* of the registry at *registry_url*; None if it may.

    A registry could otherwise have the login sent in clear, or have us ask a service of our inner network.
    """
    there, here = origin(realm), origin(registry_url)
    if there is None or here is None:
        return "which is no http URL"
    if there[1] == here[1] and (there[0] == "https" or here[0] == "http"):
        return None
    if there[0] != "https":
        return "which is not https"
    if is_inner(there[1]) and not registry_is_inner and not is_inner(here[1]):
        return "which is an address of an inner network"
    return None
