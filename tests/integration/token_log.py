"""What the lab's token service was asked."""

from __future__ import annotations

import json
from typing import Any

from lab.lab import Lab


class TokenLog:
    """What the token service did since this was made."""

    def __init__(self, lab: Lab) -> None:
        self._file = lab.token_log
        self._begin = self._file.stat().st_size

    def lines(self, **like: object) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._file.read_bytes()[self._begin :].splitlines()]
        return [line for line in lines if line | like == line]
