"""When a container counts as healthy, beside what its image's HEALTHCHECK says."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import attrs
from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of, telling, words
from octossh.model.steps.base import Part
from octossh.model.steps.fields import check_plain

__all__ = ["PROBES", "Command", "Http", "LogLine", "Probe", "Tcp"]


def _port(_instance: Any, _attribute: Any, port: Any) -> None:
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise ModelError(f"health port {port!r} is not a number from 1 to 65535")


def _path(text: str) -> None:
    if not re.fullmatch(r"/[!-~]*", text):
        raise ModelError(f"health path {text!r} does not start with '/', or holds a blank; write it as '/health'")


def _status(text: str) -> None:
    found = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", text)
    if not found or found[1] > (found[2] or found[1]):
        raise ModelError(f"{text!r} is neither a status nor a range of them; write '204' or '200-399'")


def _host(text: str) -> None:
    if not re.fullmatch(r"[!-~]+", text):
        raise ModelError(f"{text!r} is no host for a header; write it as 'www.example.com'")


def _headers(value: Any) -> Pairs[str]:
    pairs: Pairs[Any] = Pairs(value)
    for name, text in pairs.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or name.lower() == "host":
            raise ModelError(f"header {name!r}: a name is of letters, digits and -; the host has a field of its own")
        if not isinstance(text, str) or re.search(r"[\x00-\x1f\x7f]", text):
            raise ModelError(f"header {name}: {text!r} is not one line of text; secrets cannot be headers here")
    return pairs


def _one_line(text: str) -> None:
    if not text.strip() or re.search(r"[\x00\r\n]", text):
        raise ModelError(f"{text!r} is not a piece of one line; give some text that stands in it")


def _patience(_instance: Any, _attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 3600:
        raise ModelError(f"timeout_s is {value!r}; give whole seconds that one try may take, from 1 to 3600")


def _filled(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    if not value:
        raise ModelError("the command is empty; write it as ['pg_isready', '-q']")


@frozen(field_transformer=telling)
class Probe(Part):
    """A question that the host asks of a container, five times a second, until the answer is the wanted one."""

    kind: ClassVar[str] = "probe"
    """The name of the kind in plain data."""


@frozen(field_transformer=telling)
class Http(Probe):
    """Healthy when a GET from the host to the container's own address gets a status that is wanted.

    Redirects are not followed. Hosts: ``curl``, ``bash`` or ``wget``, whichever there is.

    Attributes:
        port: The port inside the container; it need not be published.
        path: Starts with ``/``.
        status: One status or a range of them, such as ``204`` or ``200-399``.
        host: The Host header. None: the address and the port.
        headers: Further headers. Everyone on the host can read them while the probe runs: no place for secrets.
        timeout_s: Seconds that one try may take.
    """

    kind: ClassVar[str] = "http"

    port: int = field(validator=_port)
    path: str = field(default="/", validator=checked(_path))
    status: str = field(default="200-399", kw_only=True, validator=checked(_status))
    host: str | None = field(default=None, kw_only=True, validator=checked(_host, optional=True))
    headers: Pairs[str] = field(factory=Pairs, kw_only=True, converter=_headers)
    timeout_s: int = field(default=2, kw_only=True, validator=_patience)


@frozen(field_transformer=telling)
class Tcp(Probe):
    """Healthy when the container's own address takes a connection from the host.

    Hosts: ``bash`` or ``nc``.

    Attributes:
        port: The port inside the container; it need not be published.
        timeout_s: Seconds that one try may take.
    """

    kind: ClassVar[str] = "tcp"

    port: int = field(validator=_port)
    timeout_s: int = field(default=2, kw_only=True, validator=_patience)


@frozen(field_transformer=telling)
class Command(Probe):
    """Healthy when a command in the container, by ``docker exec``, ends with exit code 0.

    Attributes:
        words: The command and its arguments, one word each; no shell is in between.
        timeout_s: Seconds that one try may take, where the host has ``timeout``.
    """

    kind: ClassVar[str] = "command"

    words: tuple[str, ...] = field(converter=words, validator=[checked(check_plain), _filled])
    timeout_s: int = field(default=10, kw_only=True, validator=_patience)


@frozen(field_transformer=telling)
class LogLine(Probe):
    """Healthy once a line of the container's log, since its start, holds a text.

    Hosts: ``grep``. A logging driver that ``docker logs`` can read.

    Attributes:
        text: Taken as it is, not as a pattern.
    """

    kind: ClassVar[str] = "log_line"

    text: str = field(validator=[of(str), checked(_one_line)])


PROBES: dict[str, type[Probe]] = {kind.kind: kind for kind in (Http, Tcp, Command, LogLine)}
"""The kinds of probes by their names."""
