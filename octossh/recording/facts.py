"""Facts: what holds until somebody changes it, such as a freeze, with each change in the chain of events."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, TypeVar

from octossh.errors import ModelError, RecordError, Refused, did_you_mean
from octossh.model import Event
from octossh.model.serialising import from_dict, to_dict
from octossh.recording.controllers import whoami
from octossh.recording.rows import Row, canonical, clean, sha256
from octossh.recording.working import Work

__all__ = ["Facts"]

T = TypeVar("T")


class Facts(Work):
    """Facts within one transaction."""

    def keep(self, kind: str, key: str, value: object, why: str, expect: object, *, told: bool) -> bool:
        """See `Store.keep`."""
        _check(kind, key)
        body = _body(kind, key, value)
        before = self._row(kind, key)
        self._expect(kind, key, before, expect)
        if before is not None and before["body"] == body:
            return False
        seq = self._changed("fact_kept", kind, key, before, body, why, told=told)
        self._remove(kind, key)
        self.insert("facts", {"kind": kind, "key": clean(key), "seq": seq, "body": body, "sha256": sha256(body)})
        return True

    def drop(self, kind: str, key: str, why: str, expect: object, *, told: bool) -> None:
        """See `Store.drop`."""
        _check(kind, key)
        before = self._row(kind, key)
        self._expect(kind, key, before, expect)
        if before is None:
            known = (row["key"] for row in self.find_all("facts", kind=kind))
            raise ModelError(f"there is no {_words(kind)} {key!r} in {self.where}; {did_you_mean(key, known)}")
        self._changed("fact_dropped", kind, key, before, None, why, told=told)
        self._remove(kind, key)

    def kept(self, kind: str, of: type[T]) -> dict[str, T]:
        """See `Store.kept`."""
        found = sorted(self.find_all("facts", kind=kind), key=lambda row: str(row["key"]))
        return {row["key"]: self._value(row, of) for row in found}

    def kept_one(self, kind: str, key: str, of: type[T]) -> T | None:
        """See `Store.kept_one`."""
        row = self._row(kind, key)
        return None if row is None else self._value(row, of)

    def _changed(
        self, type_: str, kind: str, key: str, before: Row | None, after: str | None, why: str, *, told: bool
    ) -> int:
        def shown(body: str | None) -> Any:
            if body is None:
                return None
            return json.loads(body) if told else {"sha256": sha256(body)}

        data = {
            "kind": kind,
            "key": clean(key),
            "before": shown(None if before is None else before["body"]),
            "after": shown(after),
            "why": clean(why),
            "by": whoami(),
        }
        event = Event(type=type_, at=datetime.now(UTC), deployment="", data=data)
        return self.append(event, "" if after is None else sha256(after))

    def _expect(self, kind: str, key: str, before: Row | None, expect: object) -> None:
        if expect is ... or self._same(kind, key, before, expect):
            return
        now = "is gone" if before is None else "is there already" if expect is None else "is another by now"
        raise Refused(f"{_words(kind)} {key!r} {now}{self._whose(before)}; look at it again, and say what shall be")

    def _same(self, kind: str, key: str, before: Row | None, expect: object) -> bool:
        """Whether what is there is *expect*; what was written before a field came to be has its default."""
        if before is None or expect is None:
            return before is expect
        return before["body"] == _body(kind, key, expect) or bool(self._value(before, type(expect)) == expect)

    def _whose(self, row: Row | None) -> str:
        if row is None:
            return ""
        found = self.find("events", seq=row["seq"])
        try:
            return "" if found is None else f" ({json.loads(found['data'])['by']}, {found['at'][:19]}Z)"
        except (KeyError, TypeError, ValueError):
            return ""

    def _row(self, kind: str, key: str) -> Row | None:
        return self.find("facts", kind=kind, key=clean(key))

    def _remove(self, kind: str, key: str) -> None:
        self.remove("facts", kind=kind, key=clean(key))

    def _value(self, row: Row, of: type[T]) -> T:
        fault = "its text is not what was recorded"
        if sha256(str(row["body"])) == row["sha256"]:
            try:
                return from_dict(of, json.loads(row["body"]))
            except (ModelError, ValueError) as error:
                fault = str(error)
        raise RecordError(
            f"store {self.where}: {_words(row['kind'])} {row['key']!r} cannot be used: {fault}; drop it and make it "
            "anew, and see what 'octossh audit verify' finds"
        )


def _check(kind: str, key: str) -> None:
    if not re.fullmatch(r"[a-z][a-z_]*", kind):
        raise ModelError(f"{kind!r} is no kind of fact; write a noun in small letters")
    if not isinstance(key, str) or not key:
        raise ModelError(f"{_words(kind)} {key!r} has no name; give it some text")


def _body(kind: str, key: str, value: object) -> str:
    return clean(canonical(to_dict(value), f"{_words(kind)} {key!r}"))


def _words(kind: str) -> str:
    return kind.replace("_", " ")
