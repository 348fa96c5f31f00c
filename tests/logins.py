"""What tests of SSH share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from octossh.shell import Script


def script(text: str) -> Script:
    return Script("a test", f"main() {{\n{text}\n}}\nmain </dev/null\nexit $?\n")


def wait_for(true: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.02)


def logins_tried(lab: Any, host: str) -> int:
    log = (lab.state / "hosts" / host / "log" / "sshd.log").read_text()
    return sum("publickey" in line or "authenticating user" in line for line in log.splitlines())


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
