"""once.py COMMAND...: run it, wait for all that it left behind, and print what that took as JSON.

Seconds are the command's own; CPU is that of all its processes, those that it never waited for too, such as the
``ssh`` of docker. Memory is that of its largest process.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def left() -> list[int]:
    """Whoever of its processes has become our child."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
output = tempfile.TemporaryFile()  # noqa: SIM115 - to the end
began = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
seconds = time.monotonic() - began
cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss
for pid in left():
    os.kill(pid, signal.SIGTERM)
while left():
    _, _, used = os.wait4(-1, 0)
    cpu += used.ru_utime + used.ru_stime
    memory = max(memory, used.ru_maxrss)
output.seek(0)
code = os.waitstatus_to_exitcode(status)
print(json.dumps({"seconds": seconds, "cpu_s": cpu, "memory_mb": memory / 1024, "code": code,
                  "said": output.read().decode(errors="replace")[-3000:]}))  # fmt: skip
