"""What stands behind the numbers of a tag: prereleases, posts, builds, commits and the variant."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from octossh.versions.tags import hexadecimal

__all__ = ["RANKS", "STABLE", "Tail", "order", "read_tail", "stripped"]

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
RANKS = {label: rank for rank, label in _PRE.values()}
STABLE = (9,)
_COUNTED = frozenset({"devel"})  # without a number it is the variant with the headers
_POST = frozenset({"post", "patch", "hotfix", "security", "sp", "sr", "cu", "gdr", "pl", "p", "u"})
_BUILD = frozenset({"r", "rev", "ls", "b", "build", "k3s", "rke2r", "eksbuild", "gke", "vmware", "kb"})
_SPELT_OUT = frozenset({"build", "rev", "eksbuild", "gke", "vmware"})  # their number may stand apart
_EDITIONS = {"ce": ".", "ee": ".", "redhat": ".-"}  # and what may stand before their counter
_NEUTRAL = frozenset({"final", "ga", "release"})
_GIT = "git"


class Tail(NamedTuple):
    """What the words after a release add up to.

    Attributes:
        pre: The prerelease: its word, then its counters.
        post: Counters of post releases.
        build: Counters of rebuilds.
        sha: The commit, or ``""``.
        variant: What is left.
        rank: What the order of prereleases goes by.
        label: The word of the prerelease, or ``""``.
    """

    pre: tuple[int | str, ...] = ()
    post: tuple[int, ...] = ()
    build: tuple[int, ...] = ()
    sha: str = ""
    variant: str = ""
    rank: tuple[int, ...] = STABLE
    label: str = ""


@functools.lru_cache(maxsize=4096)  # among thousands of tags few tails differ
def read_tail(text: str) -> Tail:
    """Read the words from left to right."""
    words = _Words(text)
    label = str(words.pre[0]) if words.pre else ""
    rank = STABLE if label in ("", _GIT) else (RANKS[label], *map(int, words.pre[1:]))
    return Tail(words.pre, words.post, words.build, words.sha, words.variant, rank, label)


def order(release: tuple[int, ...], tail: Tail) -> tuple[Any, ...]:
    """What the order of versions goes by."""
    # The length: of 1.2 and 1.2.0 the more precise tag is the later one. The label: dev.1 is not snapshot.1.
    return (stripped(release), tail.rank, tail.post, tail.build, len(release), tail.label)


def stripped(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """*numbers* without the zeros at their end, which mean nothing."""
    end = len(numbers)
    while end and not numbers[end - 1]:
        end -= 1
    return numbers[:end]


class _Words:
    """What has been read so far."""

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
            counters = self._counters("", first=_EDITIONS[text])
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
        elif word in _SPELT_OUT and self._next_is_number():
            self.build += self._counters("")
        elif word == "v" and digits and separator == "-" and not self.variant and not self._goes_on():
            self.build += (int(digits),)
        elif word in _PRE and self._counts_as_pre(word, digits):
            self.pre = (_PRE[word][1], *self._counters(digits))
        elif word in _POST and self._counts_as_post(word, digits, separator):
            self.post += self._counters(digits)
        else:
            return False
        return True

    def _counts_as_pre(self, word: str, digits: str) -> bool:
        if self.pre or (word in _COUNTED and not digits and not self._next_is_number()):
            return False
        return len(word) > 1 or (bool(digits) and not self.variant)

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

    def _goes_on(self) -> bool:
        return self._next_is_number() and self.tokens[self.at][0] == "."

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
