"""Docker's ``--format``, as far as our scripts use it.

Go templates: text, ``{{if}}``, ``{{with}}``, ``{{range}}``, ``{{else}}``, ``{{end}}``, paths, strings, and/eq/ne/index/json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn


class Refused(Exception):
    """Docker says no."""


def refuse(why: str) -> NoReturn:
    raise Refused(why)


def quoted(text: str, at: int) -> tuple[str, int]:
    """The Go string that begins at *at*, and where it ends."""
    made = ""
    at += 1
    while text[at] != '"':
        if text[at] == "\\":
            at += 1
            if text[at] == "u":
                made += chr(int(text[at + 1 : at + 5], 16))
                at += 4
            else:
                made += {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}.get(text[at], text[at])
        else:
            made += text[at]
        at += 1
    return made, at + 1


def words(text: str) -> list[Any]:
    """An expression as nested lists; strings of it as tuples of one."""
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(text):
        if text[at] == '"':
            value, at = quoted(text, at)
            stack[-1].append((value,))
        elif text[at] in "() ":
            if text[at] == "(":
                stack.append([])
            elif text[at] == ")":
                inner = stack.pop()
                stack[-1].append(inner)
            at += 1
        else:
            end = at
            while end < len(text) and text[end] not in '() "':
                end += 1
            stack[-1].append(text[at:end])
            at = end
    return stack[0]


def value(node: Any, dot: Any) -> Any:
    if isinstance(node, tuple):
        return node[0]
    if isinstance(node, str):
        for part in node.split(".")[1:]:
            if part:
                if part == "ID" and "Id" in dot:
                    part = "Id"
                if part not in dot:
                    raise Refused(f"template: can't evaluate field {part}")
                dot = dot[part]
        return dot
    if len(node) == 1:
        return value(node[0], dot)
    name, *given = node
    if name == ".Label":
        return dot["Labels"].get(value(given[0], dot), "")
    if name not in {"and", "eq", "ne", "index", "json"}:
        raise Refused(f'template: function "{name}" not defined')
    args = [value(arg, dot) for arg in given]
    if name == "and":
        return next((arg for arg in args if not arg), args[-1])
    if name in {"eq", "ne"}:
        return (args[0] == args[1]) is (name == "eq")
    if name == "index":
        return (args[0] or {}).get(args[1], "")
    return (
        json.dumps(args[0], ensure_ascii=False, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    )


def pieces(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        begin = text.find("{{", at)
        if begin < 0:
            yield "text", text[at:]
            return
        if begin > at:
            yield "text", text[at:begin]
        at = begin + 2
        while text[at : at + 2] != "}}":
            at = quoted(text, at)[1] if text[at] == '"' else at + 1
        yield "action", text[begin + 2 : at].strip()
        at += 2


def block(parts: Iterator[tuple[str, str]]) -> tuple[list[Any], str]:
    nodes: list[Any] = []
    for kind, text in parts:
        word, _, rest = text.partition(" ")
        if kind == "action" and word in {"if", "with", "range"}:
            first, ended = block(parts)
            other: list[Any] = []
            if ended == "else":
                other, _ = block(parts)
            nodes.append((word, words(rest), first, other))
        elif kind == "action" and word in {"else", "end"}:
            return nodes, word
        else:
            nodes.append((kind, text if kind == "text" else words(text), [], []))
    return nodes, ""


def run(nodes: list[Any], dot: Any) -> str:
    made = ""
    for kind, what, first, other in nodes:
        if kind == "text":
            made += what
            continue
        seen = value(what, dot)
        if kind == "action":
            made += str(seen).lower() if isinstance(seen, bool) else str(seen)
        elif kind == "range":
            made += "".join(run(first, item) for item in (seen.values() if isinstance(seen, dict) else seen))
        elif seen:
            made += run(first, seen if kind == "with" else dot)
        else:
            made += run(other, dot)
    return made


def fill(template: str, dot: Any) -> str:
    return run(block(pieces(template))[0], dot)
