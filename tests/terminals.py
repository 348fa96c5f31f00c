"""A terminal, and somebody who types at it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path


def typed(
    command: Sequence[str], folder: Path, env: dict[str, str], prompts: tuple[str, ...], answers: Sequence[str]
) -> tuple[int, str]:
    """Exit code and screen of *command* at a terminal at which, after each of *prompts*, the next answer is typed."""
    ours, theirs = pty.openpty()
    ends = tuple(prompt.encode() for prompt in prompts)
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        screen, left, answered = b"", list(answers), 0
        pressed = b""
        while True:
            if not select.select([ours], [], [], 2.0)[0] and pressed == b"\x03":
                # Between the prompt and the waiting for a line, Python does not notice it; nor would anybody's finger.
                os.write(ours, pressed)
                continue
            try:
                data = os.read(ours, 1000)
            except OSError:  # the terminal closes with its last process
                break
            screen += data
            # What was typed is echoed behind its prompt: that is no new one.
            if left and screen.rstrip().endswith(ends) and len(screen.rstrip()) > answered:
                answered = len(screen.rstrip())
                pressed = left.pop(0).encode()
                os.write(ours, pressed)
        os.close(ours)
    return process.returncode, screen.decode()
