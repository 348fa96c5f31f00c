"""Which process runs a deployment, and whether it still lives."""

from __future__ import annotations

import contextlib
import functools
import getpass
import grp
import os
import platform
import re
import socket
from pathlib import Path

__all__ = ["alive", "controller_here", "groups_here", "whoami"]

_HOST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel


def controller_here() -> str:
    """This process as text: machine, process id, and when it started (in clock ticks since boot).

    The machine is the content of ``/etc/machine-id``, else the host name. Inside a container, the process id
    namespace stands behind it, since containers may share a machine-id without seeing each other's processes.
    """
    pid = os.getpid()
    started = _started(pid)
    return f"{_machine()} {pid} {'-' if started is None else started}"


def whoami() -> str:
    """Who deploys, as the record has it: user and machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = str(os.getuid())
    return f"{name}@{platform.node()}"


def groups_here() -> tuple[str, ...]:
    """The names of the groups that the user of this process is in."""
    names = []
    for number in {os.getgid(), *os.getgroups()}:
        with contextlib.suppress(KeyError):
            names.append(grp.getgrgid(number).gr_name)
    return tuple(sorted(names))


def alive(controller: str) -> bool | None:
    """Whether the process *controller*, as `controller_here` wrote it, still runs.

    Returns:
        None if that cannot be known: it is a process of another machine or container, or *controller* is no
        such text.
    """
    found = re.fullmatch(r"(\S+) ([1-9][0-9]{0,9}) (-|[0-9]+)", controller)
    if not found or found[1] != _machine():
        return None
    started = _started(int(found[2]))
    if started is None:
        return _unseen(int(found[2]))
    if started == "gone":
        return False
    return started == found[3] if found[3] != "-" else None


@functools.cache
def _machine() -> str:
    try:
        name = "".join(Path("/etc/machine-id").read_text("ascii", errors="replace").split())
    except OSError:
        name = ""
    name = name or "".join(socket.gethostname().split()) or "localhost"
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return name
    return name if namespace == _HOST_NAMESPACE else f"{name}/{namespace}"


def _started(pid: int) -> str | None:
    """Field 22 of ``/proc/PID/stat``; "gone" for a zombie; None if there is no such file."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    # The second field is the program's name, which may hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] in {"Z", "X"} else fields[19]


def _unseen(pid: int) -> bool | None:
    """Whether a process lives that /proc does not show: with hidepid it hides those of other users."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return None
    return None
