"""The mode ``docker``: tags as the publishers of images write them.

A tag is a prefix, a release and a tail. The words of the tail are prereleases, posts and builds where they
are known for that; every other text is the variant. So an unknown word leads to another line, and is never
chosen unasked.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from octossh.errors import ModelError
from octossh.versions.tags import Version, ci_word, hexadecimal, kind_of_name

__all__ = ["bound", "read"]

_PREFIX = re.compile(r"(?:(?![vV]\d)(?:[A-Za-z][A-Za-z0-9]*[-_]|[A-Za-z]+\d+(?:\.\d+)+-|[A-Za-z]+\.))*[vV]?(?=\d)")
_WORDS = re.compile(r"[A-Za-z0-9]+")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_DATE = re.compile(r"(\d{4})(-?)(\d\d)\2(\d\d)(?!\d)")
_TIME = re.compile(r"[Tt_-](\d\d)-?(\d\d)(?:-?(\d\d))?Z?(?![0-9A-Za-z])")
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z?(?![0-9A-Za-z])")
_TOKEN = re.compile(r"([._-]*)([A-Za-z0-9]*)")
_NUMBERED = re.compile(r"([a-z][a-z0-9]*?)(\d*)")

# How far a word is from the release, and the one spelling of it that labels use.
_PRE = {
    "dev": (0, "dev"), "devel": (0, "dev"), "develop": (0, "dev"), "snapshot": (0, "snapshot"),
    "nightly": (0, "nightly"), "canary": (0, "canary"), "next": (0, "next"), "edge": (0, "edge"),
    "unstable": (0, "unstable"),
    "alpha": (1, "alpha"), "a": (1, "alpha"),
    "beta": (2, "beta"), "b": (2, "beta"),
    "milestone": (3, "milestone"), "m": (3, "milestone"),
    "ea": (4, "ea"), "preview": (4, "preview"), "pre": (4, "preview"), "prerelease": (4, "preview"),
    "rc": (5, "rc"), "cr": (5, "rc"), "c": (5, "rc"),
}  # fmt: skip
_RANKS = {label: rank for rank, label in _PRE.values()}
_STABLE = (9,)
_POST = frozenset({"post", "patch", "hotfix", "security", "sp", "pl", "p", "u"})
_BUILD = frozenset({"r", "rev", "ls", "b", "build", "k3s", "rke2r", "eksbuild", "gke"})
_EDITIONS = frozenset({"ce", "ee"})
_NEUTRAL = frozenset({"final", "ga", "release"})
_GIT = "git"


class _Tail:
    """What the words after the release add up to, read from left to right."""

    def __init__(self, text: str) -> None:
        # The pattern also finds an empty token at the very end.
        self.tokens: list[tuple[str, str]] = [(m[1], m[2]) for m in _TOKEN.finditer(text) if m[0]]
        self.at = 0
        self.pre: tuple[int | str, ...] = ()
        self.post: tuple[int, ...] = ()
        self.build: tuple[int, ...] = ()
        self.sha = ""
        self.variant = ""
        self.run = 0  # how many of the last counters in build were plain numbers, up to this token
        while self.at < len(self.tokens):
            self._step()

    def _step(self) -> None:
        separator, text = self.tokens[self.at]
        self.at += 1
        if len(separator) > 1 or not text:
            self._vary(separator, text)
        elif text.isdigit():
            self._number(separator, text)
        else:
            run, self.run = self.run, 0
            lower = text.lower()
            if not (self._word(separator, lower) or self._commit(lower, run)):
                self._vary(separator, text)

    def _word(self, separator: str, text: str) -> bool:
        """Whether *text* is one of the known words; if so, it has been counted."""
        if text in _NEUTRAL:
            return True
        if text in _EDITIONS:
            counters = self._counters("", first=".")
            if counters:
                self._vary(separator, text)
                self.build += counters
            return bool(counters)
        found = _split(text)
        if found is None:
            return False
        word, digits = found
        if word in _BUILD and digits and not (word == "b" and separator in ("", ".")):
            self.build += (int(digits),)
        elif word in ("build", "rev", "eksbuild", "gke") and self._next_is_number():
            self.build += self._counters("")
        elif word in _PRE and not self.pre and (len(word) > 1 or (digits and not self.variant)):
            self.pre = (_PRE[word][1], *self._counters(digits))
        elif word in _POST and self._counts_as_post(word, digits, separator):
            self.post += self._counters(digits)
        else:
            return False
        return True

    def _counts_as_post(self, word: str, digits: str, separator: str) -> bool:
        if word == "u":  # Java writes 8u412; -u22 is more often a system
            return bool(digits) and not separator
        return bool(digits) or (len(word) > 2 and self._next_is_number())

    def _commit(self, text: str, run: int) -> bool:
        marked = text.startswith("g") and len(text) > 7 and set(text[1:]) <= set("0123456789abcdef")
        if self.sha or not (marked or hexadecimal(text)):
            return False
        self.sha = text[1:] if marked else text
        if run and not self.pre:  # so many commits after a tag, or before one if no g marks the commit
            counted = self.build[-run:]
            self.pre = (_GIT if marked else "dev", *counted)
            if not marked:
                self.build = self.build[:-run]
        return True

    def _number(self, separator: str, text: str) -> None:
        if self.variant:  # temurin-17 never becomes temurin-21
            self._vary(separator, text)
        else:
            self.build += (int(text),)
            self.run += 1

    def _vary(self, separator: str, text: str) -> None:
        self.run = 0
        self.variant += (separator if self.variant or not text else "") + text.lower()

    def _next_is_number(self) -> bool:
        if self.at == len(self.tokens):
            return False
        separator, text = self.tokens[self.at]
        return len(separator) == 1 and text.isdigit()

    def _counters(self, digits: str, first: str = "._-") -> tuple[int, ...]:
        """The number in a word or after it, and those that follow with a dot."""
        counters = [int(digits)] if digits else []
        while self._next_is_number() and self.tokens[self.at][0] in ("." if counters else first):
            counters.append(int(self.tokens[self.at][1]))
            self.at += 1
        return tuple(counters)


def _split(text: str) -> tuple[str, str] | None:
    """A word and the number at its end."""
    match = _NUMBERED.fullmatch(text)
    return (match[1], match[2]) if match else None


def read(tag: str) -> Version:
    """Read a tag that `check_tag` has let through."""
    kind = kind_of_name(tag)
    start = None if kind else _PREFIX.match(tag)
    if start is None:
        return Version(tag=tag, mode="docker", kind=kind or "word")
    prefix, at = start[0], start.end()
    token = _WORDS.match(tag, at)
    if any(map(ci_word, _WORDS.findall(prefix))) or (token and hexadecimal(token[0])):
        return Version(tag=tag, mode="docker", kind="ci")
    dated = _date(tag, at)
    if dated:
        release, at = dated
        kind = scheme = "date"
    else:
        match = _RELEASE.match(tag, at)
        assert match is not None  # the prefix ends before a digit
        release, at = tuple(map(int, match[0].split("."))), match.end()
        scheme = _scheme(release, match[0])
        kind = "number" if scheme == "number" else "dotted"
    tail = _Tail(tag[at:])
    return Version(
        tag=tag,
        mode="docker",
        kind=kind,
        prefix=prefix,
        release=release,
        pre=tail.pre,
        post=tail.post,
        build=tail.build,
        sha=tail.sha,
        variant=tail.variant,
        scheme=scheme,
        key=_key(release, tail),
    )


def bound(text: str) -> Version:
    """Read the bound of a range.

    Raises:
        ModelError: It is no version, or it names more than one.
    """
    version = read(text)
    if not version.is_version or re.search(r"[._-]{2}|[._-]$", text):
        raise ModelError(f"{text!r} is no version; write numbers with dots, such as 1.2.3 or 1.2.3-rc.1")
    if version.line[0]:
        raise ModelError(f"{text!r} has the prefix {version.prefix!r}; ask for that with prefix= instead")
    if version.variant:
        raise ModelError(f"{text!r} has the variant {version.variant!r}; ask for that with variant= instead")
    return version


def _date(tag: str, at: int) -> tuple[tuple[int, ...], int] | None:
    """A date of the calendar at *at*, with its time if there is one, and where it ends."""
    stamp = _STAMP.match(tag, at)
    if stamp:
        numbers = [int(part) for part in stamp.groups() if part]
        return (tuple(numbers), stamp.end()) if _exists(numbers) else None
    match = _DATE.match(tag, at)
    if match is None:
        return None
    numbers = [int(match[1]), int(match[3]), int(match[4])]
    if not _exists(numbers):
        return None
    end = match.end()
    time = _TIME.match(tag, end)
    if time:
        exact = numbers + [int(part) for part in time.groups() if part]
        if _exists(exact):
            numbers, end = exact, time.end()
    return tuple(numbers), end


def _exists(numbers: list[int]) -> bool:
    if not 1970 <= numbers[0] <= 2099:
        return False
    try:
        datetime.datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return False
    return True


def _scheme(release: tuple[int, ...], text: str) -> str:
    if len(release) == 1 and len(text) >= 5:  # longer than a major version or a year
        return "number"
    if 1970 <= release[0] <= 2099 and (len(release) == 1 or release[1] <= 12):
        return "calver"
    return "dotted"


def _key(release: tuple[int, ...], tail: _Tail) -> tuple[Any, ...]:
    end = len(release)
    while end and not release[end - 1]:
        end -= 1
    pre, label = tail.pre, str(tail.pre[0]) if tail.pre else ""
    rank = _STABLE if label in ("", _GIT) else (_RANKS[label], *pre[1:])
    # The length: of 1.2 and 1.2.0 the more precise tag is the later one. The label: dev.1 is not snapshot.1.
    return (release[:end], rank, tail.post, tail.build, len(release), label)
