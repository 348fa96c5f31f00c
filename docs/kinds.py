"""The reference of the kinds of steps, made from the kinds themselves when the documentation is built."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

from octossh.model import KINDS, Flag, Pairs, Step

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
UNITS = {"size": "size", "size_or_unlimited": "size", "cpu_count": "CPUs", "number": "number"}
"""What a text is called whose normal form is made by the function of that name."""


def described(kind: type) -> dict[str, str]:
    """What the docstrings of *kind* and of what it inherits say of each field."""
    told: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        _, _, section = (inspect.cleandoc(base.__doc__ or "")).partition("\nAttributes:\n")
        for found in re.finditer(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
            told[found[1]] = " ".join(found[2].split())
    return told


def value_of(attribute: attrs.Attribute[Any], flag: Flag | None) -> str:
    """What is given for a field, and in which unit."""
    if attribute.name.endswith("_s"):
        return "seconds"
    kind = str(attribute.type)
    normal = flag.normal.__qualname__.partition(".")[0] if flag and flag.normal else ""
    for sign, word in (("Pairs[", "mapping"), ("tuple[", "list"), ("bool", "True or False")):
        if kind.startswith(sign):
            return word
    return UNITS.get(normal) or ("text" if kind.startswith("str") else f"`{kind.removesuffix(' | None')}`")


def default_of(attribute: attrs.Attribute[Any]) -> str:
    """The default as one writes it; empty where there is none, or where it says nothing."""
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "(needed)"
    if isinstance(default, attrs.Factory):
        default = default.factory()
    if default is None or default == () or (isinstance(default, Pairs) and not default):
        return ""
    return f"``{default:g}``" if isinstance(default, float) else f"``{default!r}``"


def flag_of(flag: Flag | None) -> str:
    """The option that a field becomes."""
    if flag is None:
        return ""
    text = f"``{flag.name}``" if flag.name.startswith("-") else flag.name
    return f"{text} (docker {flag.since})" if flag.since else text


def table(kind: type, names: Iterable[str]) -> list[str]:
    """The fields *names* of *kind* as a table, one row each."""
    fields, told = attrs.fields_dict(kind), described(kind)
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 18 12 12 20 38", ""]
    rows = [["Field", "Value", "Default", "Becomes", "Meaning"]]
    for name in names:
        flag = fields[name].metadata.get("flag")
        meaning = told.get(name, "")
        rows.append([f"``{name}``", value_of(fields[name], flag), default_of(fields[name]), flag_of(flag), meaning])
    for row in rows:
        lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(row)]
    return [*lines, ""]


def script(kind: str) -> list[str]:
    """The script of one golden case, folded."""
    cases = sorted(
        (GOLDEN / kind).glob("*.sh"), key=lambda file: (file.stem != "full", file.stem != "plain", file.stem)
    )
    if not cases:
        return []
    lines = cases[0].read_text(encoding="utf-8").splitlines()
    return [
        ".. raw:: html", "", "   <details><summary>A script of this kind, whole</summary>", "",
        ".. code-block:: sh", "", *(f"   {line}" for line in lines), "",
        ".. raw:: html", "", "   </details>", "",
    ]  # fmt: skip


def reference() -> list[str]:
    """The text, as reST."""
    common = list(attrs.fields_dict(Step))
    lines = ["All kinds", "-" * 9, "", "Every step has these fields.", "", *table(Step, common)]
    for name, kind in sorted(KINDS.items(), key=lambda item: item[1].__name__):
        title = kind.__name__
        summary = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
        own = [field for field in attrs.fields_dict(kind) if field not in common]
        lines += [title, "-" * len(title), "", f":class:`octossh.{title}`: {summary[0].lower()}{summary[1:]}", ""]
        lines += table(kind, own) + script(name)
    return lines


class Kinds(Directive):
    """``.. kinds::`` stands for the whole reference."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        made = nodes.section()
        made.document = self.state.document
        nested_parse_with_titles(self.state, StringList(reference(), source="octossh.model"), made)
        return list(made.children)
