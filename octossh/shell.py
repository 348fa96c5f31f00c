"""What goes to a shell and what comes back: words, secrets, scripts and results. Pure values; no I/O."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import shlex
import urllib.parse
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NoReturn

from attrs import field, frozen

from octossh.errors import ModelError

__all__ = ["MASK", "Frame", "Look", "Masker", "Result", "Script", "Secret", "Words", "payload", "quote"]


class Words(str):
    """Text that is shell already: `quote` leaves it as it is. Made by `quote` and by templates only."""

    __slots__ = ()


def quote(value: object) -> Words:
    """Make exactly one shell word of *value*; `Words` stay what they are.

    Args:
        value: A string or a number. Booleans become ``true`` and ``false``.

    Raises:
        ModelError: *value* is None, a `Secret`, holds a NUL, or is no text at all.
    """
    if isinstance(value, Words):
        return value
    if isinstance(value, bool):
        return Words("true" if value else "false")
    if isinstance(value, int | float):
        return Words(shlex.quote(str(value)))
    if not isinstance(value, str):
        if not isinstance(value, Secret):
            str(value)  # what refuses to be text says why
        raise ModelError(f"a {type(value).__name__} cannot stand in a script; give text or a number")
    if "\0" in value:
        raise ModelError(f"{value[:40]!r} holds a NUL character, which no shell word can; take it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ModelError(f"{value[:40]!r} holds half of a surrogate pair, which is not text; take it out") from None
    return Words(shlex.quote(value))


@functools.lru_cache(maxsize=1024)
def _fingerprint(value: str, name: str) -> str:
    # Slow on purpose: the fingerprint stands in a label that everyone in the docker group can read.
    salt = b"octossh:" + name.encode()
    return hashlib.scrypt(value.encode(), salt=salt, n=2**14, r=8, p=1, dklen=8).hex()


class Secret:
    """A value that is never printed, pickled or written: it goes to a host over standard input only."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise ModelError(f"a secret is text, not {type(value).__name__}")
        if "\0" in value:
            raise ModelError("a secret holds a NUL character, which no shell word can; take it out")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ModelError("a secret holds half of a surrogate pair, which is not text; take it out") from None
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def fingerprint(self, name: str) -> str:
        """16 hex digits that change when the value does; made by scrypt, salted with *name*."""
        return _fingerprint(self._value, name)

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


@frozen
class Look:
    """What a script looks for first, for whoever looks for several at once.

    Attributes:
        name: Docker's name for what it keeps.
        format: Go template: a line with that name and all that docker says of it, where it is as it shall be.
        marked: What it keeps may have left something under other names, unless a mark on the host says that it has not.
    """

    name: str
    format: str = field(repr=False)
    marked: bool = False


@frozen
class Script:
    """One POSIX sh program, complete but for the values of its secrets.

    Attributes:
        name: What it is for, such as ``"run_container web"``.
        body: The text. It defines everything inside a function and calls it on its last line, so that half
            a script does nothing.
        secrets: Names of the secrets that it wants; the body reads number N as ``$octossh_secret_N``.
        ahead: Text that is sent ahead of the body, and only defines things: how the run outlives its link. It
            differs from run to run, so it is no part of the digest.
        repeatable: Whether it may be sent again where nobody knows if it has arrived, and so need not be sure of the
            link before it is sent.
        look: Where one start of docker may look for this and for what others keep.
    """

    name: str
    body: str = field(repr=False)
    secrets: tuple[str, ...] = ()
    ahead: str = field(default="", repr=False)
    repeatable: bool = False
    look: Look | None = None

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits, of the body."""
        return "sha256:" + hashlib.sha256(self.body.encode()).hexdigest()


def payload(script: Script, nonce: str, secrets: Mapping[str, Secret]) -> bytes:
    """The bytes for the standard input of ``sh -s``: the nonce, the secrets, what goes ahead, then the body.

    Raises:
        ModelError: A secret that the script wants has no value.
    """
    lines = [f"octossh_nonce={quote(nonce)}"]
    for number, name in enumerate(script.secrets):
        if name not in secrets:
            raise ModelError(f"secret {name!r} has no value; {script.name} needs it")
        lines.append(f"octossh_secret_{number}={quote(secrets[name].reveal())}")
    return ("\n".join(lines) + "\n" + script.ahead + script.body).encode()


@frozen
class Frame:
    """One framed line of a script's answer: a word that says what it is, and the rest of the line."""

    kind: str
    text: str = ""


@frozen
class Result:
    """What came back from one script on one host.

    Attributes:
        frames: The answer proper, in order. Only lines that carry the nonce of this run are in it.
        log: All other output, both streams, in the order in which it came. In the middle of very long output
            a line says how much was left out.
        exit_code: 0 to 255.
        started_at: When the script was sent; aware, UTC.
        duration_s: Seconds until the end was seen.
    """

    frames: tuple[Frame, ...]
    log: str = field(repr=False)
    exit_code: int
    started_at: datetime
    duration_s: float


MASK = "***"
"""What stands where a secret stood."""


class Masker:
    """Replaces secret values by ``***`` in text.

    As they are; quoted for a shell, a URL or JSON; and in base64, of both alphabets and broken into lines too.
    """

    __slots__ = ("_forms",)

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            value = secret.reveal()
            # A value this short would blank out half of a log and is no secret worth the name.
            if len(value) >= 4:
                forms |= _forms(value)
            forms |= {line for line in value.splitlines() if len(line) >= 8}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def __bool__(self) -> bool:
        """Whether there is anything to replace."""
        return bool(self._forms)

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def raw(self, data: bytes) -> bytes:
        """The same for bytes."""
        for form in map(str.encode, self._forms):
            data = data.replace(form, MASK.encode())
        return data

    def __repr__(self) -> str:
        return f"Masker({len(self._forms)} forms)"


# What base64 and openssl, and MIME, make lines of.
_WIDTHS = (64, 76)
# What Python's quote, JavaScript's encodeURIComponent and encodeURI leave as it is, besides letters and digits.
_LEFT_BY_URLS = ("", "/", "!~*'()", "!~*'();/?:@&=+$,#")
# Docker's own JSON.
_GO_JSON = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}
_URL_SAFE = str.maketrans("+/", "-_")


def _forms(value: str) -> set[str]:
    raw = value.encode()
    # The last one is what `set -x` of bash and ksh shows.
    forms = {value, shlex.quote(value), urllib.parse.quote_plus(value), "'" + value.replace("'", "'\\''") + "'"}
    forms |= {urllib.parse.quote(value, safe=left) for left in _LEFT_BY_URLS}
    for only_ascii in (True, False):
        text = json.dumps(value, ensure_ascii=only_ascii)[1:-1]
        forms |= {text, text.translate(_GO_JSON)}
    # Base64 of something that contains the value: three alignments, without the characters at either end
    # that also hold bits of the neighbours.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : len(encoded) - (1 if (len(raw) + shift) % 3 else 0)]
        if len(inner) >= 8:
            forms |= {inner, inner.translate(_URL_SAFE)}
    # Each line of the value alone by itself: logs come line by line.
    whole = base64.b64encode(raw).decode()
    for width in _WIDTHS if len(whole) > min(_WIDTHS) else ():
        lines = (whole[at : at + width] for at in range(0, len(whole), width))
        forms |= {line for line in lines if len(line) >= 8}
    return forms
