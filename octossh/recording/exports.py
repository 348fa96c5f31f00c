"""Entries of the record as lines of text, for other tools."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from octossh.errors import ModelError
from octossh.model import AuditEntry
from octossh.recording.rows import canonical

__all__ = ["FORMATS", "exported"]

FORMATS = ("jsonl", "csv")

_COLUMNS = (
    "seq", "at", "type", "project", "environment", "deployment", "step", "target", "by", "why", "before", "after",
    "data", "version", "subject_sha256", "prev_hash", "hash",
)  # fmt: skip
# What a spreadsheet takes for the beginning of a formula, also in the wide letters of East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def exported(entries: Iterable[AuditEntry], form: str) -> Iterator[str]:
    """*entries* in *form*, piece by piece, each with the end of its line.

    Raises:
        ModelError: There is no such form.
    """
    if form not in FORMATS:
        raise ModelError(f"the record cannot be exported as {form!r}; choose one of {', '.join(FORMATS)}")
    return _csv(entries) if form == "csv" else (f"{canonical(entry.to_dict())}\n" for entry in entries)


def _csv(entries: Iterable[AuditEntry]) -> Iterator[str]:
    yield _line(_COLUMNS)
    for entry in entries:
        told = {**entry.to_dict(), "data": canonical(entry.data)}
        told |= {name: entry.data.get(name) for name in ("why", "before", "after")}
        yield _line(_cell(told[name]) for name in _COLUMNS)


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow(cells)
    return out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else canonical(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
