"""The mode ``regex``: a pattern of the user's says which part of a tag is what.

The mode is written with its pattern, as in ``regex:build-(?P<major>[0-9]+)-(?P<variant>.*)``.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from attrs import evolve

from octossh.errors import ModelError, did_you_mean
from octossh.versions import docker
from octossh.versions.patterns import compiled
from octossh.versions.tags import Version, kind_of_name, moves
from octossh.versions.tails import RANKS, STABLE, read_tail, stripped

__all__ = ["bound", "pattern_of", "read"]

_NUMBERS = ("release", "major", "minor", "patch")
_GROUPS = (*_NUMBERS, "prefix", "prerelease", "post", "build", "revision", "variant", "compatibility")
_RUNS = re.compile(r"\d+|[A-Za-z]+")


@functools.lru_cache(maxsize=64)
def pattern_of(mode: str) -> re.Pattern[str]:
    """The pattern in a mode such as ``regex:(?P<major>[0-9]+)``.

    Raises:
        ModelError: It is no regular expression, its groups have other names than those that are known, or none
            of them is a number to order by.
    """
    text = mode.removeprefix("regex").removeprefix(":")
    if not text:
        raise ModelError(
            f"the mode {mode!r} has no pattern; write it as "
            r"'regex:v(?P<major>\d+)\.(?P<minor>\d+)(-(?P<variant>.*))?', which has to match the whole tag"
        )
    pattern = compiled(text, "pattern of mode regex")
    for group in pattern.groupindex:
        if group not in _GROUPS:
            raise ModelError(f"the pattern {text!r} has a group {group!r}; {did_you_mean(group, _GROUPS)}")
    if not any(group in pattern.groupindex for group in _NUMBERS):
        raise ModelError(
            rf"the pattern {text!r} has no number to order by; name one, as (?P<major>\d+) or (?P<release>[\d.]+)"
        )
    return pattern


def read(tag: str, mode: str) -> Version:
    """Read a tag that `check_tag` has let through, by the pattern in *mode*."""
    kind = kind_of_name(tag)
    match = pattern_of(mode).fullmatch(tag) if kind != "artifact" else None
    if match is None:
        return Version(tag=tag, mode=mode, kind=kind or ("word" if moves(tag) else "other"))
    found = {group: text or "" for group, text in match.groupdict().items()}
    release = _release(found)
    if not release:
        return Version(tag=tag, mode=mode, kind="other")
    pre, rank = _prerelease(found.get("prerelease", ""))
    post = _numbers(found.get("post", ""))
    build = _numbers(found.get("build", "")) + _numbers(found.get("revision", ""))
    return Version(
        tag=tag,
        mode=mode,
        kind="dotted",
        prefix=found.get("prefix", ""),
        release=release,
        pre=pre,
        post=post,
        build=build,
        variant=(found.get("variant") or found.get("compatibility", "")).lower(),
        scheme="regex",
        key=_key(release, pre, rank, post, build),
    )


def bound(text: str, mode: str) -> Version:
    """Read the bound of a range: numbers with dots as in mode docker, whatever the pattern is.

    Raises:
        ModelError: It is no version.
    """
    plain = docker.bound(text)
    pre, rank = _prerelease(plain.prerelease)
    key = _key(plain.release, pre, rank, plain.post, plain.build)
    return evolve(plain, mode=mode, kind="dotted", pre=pre, scheme="regex", key=key)


def _key(release: tuple[int, ...], pre: tuple[int | str, ...], rank: tuple[Any, ...], *rest: Any) -> tuple[Any, ...]:
    return (stripped(release), rank, *rest, len(release), str(pre[0]) if pre else "")


def _release(found: dict[str, str]) -> tuple[int, ...]:
    release = _numbers(found.get("release", ""))
    parts = [_numbers(found.get(group, "")) for group in ("major", "minor", "patch")]
    while parts and not parts[-1]:
        parts.pop()
    for part in parts:
        release += part or (0,)
    return release


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def _prerelease(text: str) -> tuple[tuple[int | str, ...], tuple[Any, ...]]:
    """The label, and what its order goes by: the known words as in mode docker, above all others."""
    tail = read_tail(f"-{text}")
    if tail.label in RANKS and not (tail.variant or tail.post or tail.build or tail.sha):
        return tail.pre, tail.rank
    label = tuple(int(run) if run.isdigit() else run.lower() for run in _RUNS.findall(text))
    if not label:
        return (), STABLE
    return label, (-1, tuple((0, run, "") if isinstance(run, int) else (1, 0, run) for run in label))
