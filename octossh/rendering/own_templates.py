"""Templates of the user's own: read, and held to the rules that ours keep, before any host is touched."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from octossh.errors import ModelError, did_you_mean
from octossh.model import KINDS, Pairs, Templates
from octossh.rendering.sources import INCLUDE, OURS, our_template
from octossh.templating import check_syntax

__all__ = ["HARMLESS", "faults", "read_templates"]

HARMLESS: Mapping[str, str] = {
    "timeout_s | word": "a number",
    "title | comment": "a comment; the filter leaves printable ASCII on one line",
    "name | word": "a name that docker takes: letters, digits and _ . - only, checked by the model",
    "docker_command | word": "a path of letters, digits and _ . / : @ % + , - only, checked by the model",
    "old | word": "such a name with --old",
    "next | word": "such a name with --next",
    "spec | word": "sha256: and hex digits",
    "healthy_timeout_s | word": "a number",
    "login | word": "${octossh_secret_N?}, ours",
    "variable | word": "${octossh_secret_N?}, ours",
}
"""Expressions that stand in a script as they are, and why they can hold nothing that a shell reads."""

_ENDING = ".sh.j2"
_FIRST, _LAST = '{% include "_begin.sh.j2" %}', '{% include "_end.sh.j2" %}'
_AGREED = (
    *("_act", "_begin", "_end", "_glance", "_lock", "_outlive", "anchor", "anchors", "attach", "check", "end_run"),
    *("execute", "forget", "logs", "observe", "runners", "unclaim"),
)
"""What host and controller understand each other by; a script that ends otherwise would be taken for a lost one."""

_WITHOUT_DOCKER = "check.sh.j2"  # it looks whether docker is there at all
_STATEMENTS = {"if", "elif", "else", "endif", "for", "endfor", "include", "with", "endwith", "set"}
_TOKENS = re.compile(
    r"\{\{(?P<expression>.*?)\}\}|\{%(?P<statement>.*?)%\}|\{#.*?#\}|(?P<comment>(?<![^\s;])#[^\n]*)"
    r"|\\(?P<escaped>.)|(?P<mark>['\"])|(?P<open>\$\()|(?P<paren>[()])|(?P<tick>`)|<<-?\s*['\"\\]?(?P<end>\w+)",
    re.DOTALL,
)


def read_templates(folder: str | Path | None) -> Templates:
    """The templates in *folder*: files that end in ``.sh.j2``; None: there are none.

    Raises:
        ModelError: The folder or a file cannot be read, or a template breaks a rule.
    """
    if folder is None:
        return Templates()
    place = Path(folder)
    if not place.is_dir():
        raise ModelError(f"there is no folder of templates {str(folder)!r}; make it, or leave out templates=...")
    texts: dict[str, str] = {}
    for file in sorted(place.iterdir()):
        if file.name.endswith(_ENDING):
            try:
                texts[file.name] = file.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise ModelError(f"template {file}: it cannot be read as text in UTF-8: {error}") from None
        elif file.suffix == ".j2":
            raise ModelError(f"template {file}: the names of templates end in {_ENDING}; rename it")
    for name, text in texts.items():
        where = f"template {place / name}"
        _check_name(where, name)
        check_syntax(text, where)
        if found := next(faults(name, text, texts), None):
            line, what = found
            raise ModelError(f"{where}, line {line}: {what}")
    return Templates(Pairs(texts), Pairs(_marks(texts)))


@functools.cache
def _fixed() -> frozenset[str]:
    """The names of templates that stay as they are: those of *_AGREED*, and all that is part of them."""
    found, left = set[str](), set(_AGREED)
    while left:
        found.add(name := left.pop())
        parts = INCLUDE.finditer(our_template(name + _ENDING) or "")
        left |= {part["name"].removesuffix(_ENDING) for part in parts} - found
    return frozenset(found)


def _check_name(where: str, name: str) -> None:
    stem = name.removesuffix(_ENDING)
    if stem in _fixed():
        raise ModelError(f"{where}: octossh and a host understand each other by this one; it stays as it is")
    if not stem.startswith("_") and stem not in OURS:
        known = sorted(OURS - _fixed())
        raise ModelError(
            f"{where}: no kind of step is called {stem!r}, {did_you_mean(stem, known)} What other templates include "
            "begins with '_'"
        )


def faults(name: str, text: str, others: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """What breaks a rule in the template *name*: numbers of lines, and what is wrong there."""
    lines = text.splitlines() or [""]
    if not name.startswith("_") and name != _WITHOUT_DOCKER:
        if lines[0] != _FIRST:
            yield 1, f"a template begins with the line {_FIRST}"
        if lines[-1] != _LAST or not text.endswith("\n"):
            yield len(lines), f"a template ends with the line {_LAST}"
    quotes = _Quotes()
    for token in _TOKENS.finditer(text):
        found = list(_token(token, quotes, text, others))
        yield from ((text.count("\n", 0, token.start()) + 1, what) for what in found)
        quotes.take(token)
    if quotes.open:
        yield len(lines), "a quote or a $( is not closed; an apostrophe in the middle of a comment's line counts too"


class _Quotes:
    """In which quotes one stands; those inside of ``$( )`` are their own."""

    def __init__(self) -> None:
        self._stack = [""]

    @property
    def now(self) -> str:
        return self._stack[-1]

    @property
    def open(self) -> bool:
        return self._stack != [""]

    def take(self, token: re.Match[str]) -> None:
        mark = token["mark"] or ("'" if token["escaped"] == "'" and self.now == "'" else "")
        if mark and self.now in {"", mark}:
            self._stack[-1] = "" if self.now else mark
        elif token["open"] and self.now != "'":
            self._stack.append("")
        elif token["paren"] and len(self._stack) > 1 and not self.now:
            if token["paren"] == "(":
                self._stack.append("")
            else:
                self._stack.pop()


def _token(token: re.Match[str], quotes: _Quotes, text: str, others: Mapping[str, str]) -> Iterator[str]:
    if token["expression"] is not None:
        yield from _expression(token["expression"], quotes.now)
    elif token["statement"] is not None:
        yield from _statement(token["statement"], token[0], others)
    elif token["comment"] is not None and not quotes.now:
        for inner in re.findall(r"\{\{(.*?)\}\}", token["comment"]):
            if inner.strip() not in HARMLESS:
                yield f"{{{{{inner}}}}} stands in a comment, and a line break in it would end the comment; take it out"
    elif token["tick"] and quotes.now != "'":
        yield "` takes words apart that are quoted; write $( ) instead"
    elif token["end"] and not quotes.now:
        body = re.compile(rf"(?P<body>.*?)^\s*{token['end']}$", re.DOTALL | re.MULTILINE).match(text, token.end())
        if body is not None and "{{" in body["body"]:
            yield "an expression stands in a here-document, where quotes do not count; use printf instead"


def _expression(expression: str, quote: str) -> Iterator[str]:
    inner = expression.strip()
    if inner.startswith("-") or inner.endswith("-"):
        yield "a minus in the braces glues words together; leave it out"
    if inner in HARMLESS:
        return
    if quote:
        yield f"{{{{ {inner} }}}} stands inside quotes; each {{{{ }}}} is quoted already, so close the quotes before it"
    if re.search(r"\|\s*(word|comment)\b", inner):
        yield f"{{{{ {inner} }}}} is not quoted; 'word' and 'comment' are for what stands in our own templates"


def _statement(statement: str, whole: str, others: Mapping[str, str]) -> Iterator[str]:
    first = statement.split(maxsplit=1)[0] if statement.split() else ""
    if first.startswith("-") or statement.endswith("-"):
        yield "a minus in the braces glues words together; leave it out"
    elif first not in _STATEMENTS:
        yield f"{{% {first} %}} is not among what templates are made of: {', '.join(sorted(_STATEMENTS))}"
    elif re.search(r"\|\s*(word|comment)\b", statement):
        yield "the filters 'word' and 'comment' skip the quoting; they stand in {{ }} only, as in our templates"
    elif first == "include":
        found = INCLUDE.fullmatch(whole)
        if found is None:
            yield 'an include names one template, such as {% include "_lock.sh.j2" %}'
        elif found["name"] not in others and our_template(found["name"]) is None:
            known = sorted({*others, *(f"{stem}{_ENDING}" for stem in OURS)})
            yield f"there is no template {found['name']!r} to include; {did_you_mean(found['name'], known)}"


def _marks(texts: Mapping[str, str]) -> dict[str, str]:
    """For each kind a digest of the user's templates that get into its script."""

    def load(name: str) -> str:
        return texts[name] if name in texts else our_template(name) or ""

    made = {}
    for kind in KINDS:
        if reached := {name: texts[name] for name in _reached(f"{kind}{_ENDING}", load) if name in texts}:
            made[kind] = hashlib.sha256(json.dumps(reached, sort_keys=True).encode()).hexdigest()[:16]
    return made


def _reached(name: str, load: Callable[[str], str]) -> set[str]:
    found: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [include["name"] for include in INCLUDE.finditer(load(one))]
    return found
