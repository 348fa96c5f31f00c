"""Scripts on this machine, by the same payload and the same reading as over SSH."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from octossh.errors import ConnectError, ConnectionLost, ModelError, TimedOut
from octossh.model.targets import Target
from octossh.shell import Frame, Result, Script, Secret, payload
from octossh.transport.contract import NO_SECRETS, Feed, Sealed, new_nonce
from octossh.transport.framing import LINGER_NOTE, LINGER_S, Collector
from octossh.transport.piping import Pipes

__all__ = ["Local"]

_TICK_S = 0.1
_GRACE_S = 2.0
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR")


class Local:
    """Runs scripts by ``sh -s`` on this machine, whatever the target's address says.

    The shell gets a session of its own, the home folder as its working folder, and of the environment only PATH,
    HOME, USER, LOGNAME, LANG and TMPDIR. A script that is given up (timeout, Ctrl-C, `close`) is ended together
    with its process group: by TERM, and two seconds later by KILL.
    """

    streams = True

    def __init__(self) -> None:
        self._closed = threading.Event()

    def connect(self, target: Target) -> None:
        """Nothing to do: this machine is here.

        Raises:
            ConnectError: The transport is closed.
            ModelError: The target wants sudo.
        """
        if self._closed.is_set():
            raise ConnectError(f"{target}: this Local() is closed; make a new one")
        if target.sudo:
            raise ModelError(f"{target}: Local() does all as you; start octossh by sudo, or take sudo from the target")

    def run(
        self,
        target: Target,
        script: Script,
        *,
        secrets: Mapping[str, Secret] = NO_SECRETS,
        timeout_s: float = 900.0,
        on_line: Callable[[str], None] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
        feed: Feed | None = None,
    ) -> Result:
        """Run *script* here. See `Transport.run`; ``on_line`` is called in the calling thread.

        Raises:
            ModelError: A secret that the script wants is missing.
            ConnectError: The transport is closed.
            TimedOut: It did not end within *timeout_s*, and has been ended.
            ConnectionLost: The transport was closed meanwhile; the script has been ended.
            ReadError: It answered more frames than can be held.
        """
        self.connect(target)
        nonce = new_nonce()
        sent = Sealed(payload(script, nonce, secrets))
        collector = Collector(nonce, on_line, on_frame)
        with _shell() as process:
            lingered = self._exchange(target, script, process, sent, collector, timeout_s, feed)
        if collector.error is not None:
            raise collector.error
        return _result(collector, process.returncode, lingered=lingered)

    def _exchange(
        self,
        target: Target,
        script: Script,
        process: subprocess.Popen[bytes],
        sent: bytes,
        collector: Collector,
        timeout_s: float,
        feed: Feed | None,
    ) -> bool:
        """Feed and read until the end; True when something else still holds the output."""
        collector.start()
        with selectors.DefaultSelector() as selector:
            pipes = Pipes(process, sent, collector, selector, feed)
            while collector.error is None:
                if self._closed.is_set():
                    raise ConnectionLost(
                        f"{target}: {script.name} was ended, since its transport was closed while it ran"
                    )
                if collector.spent_s > timeout_s:
                    raise TimedOut(
                        f"{target}: {script.name} did not end within {timeout_s:g} s; it was ended together with "
                        "all that it had started. Give it more time, or look into what it waits for"
                    )
                ended = process.poll() is not None
                if ended and not pipes.reading:
                    return False
                if ended and time.monotonic() - collector.silent_since() > LINGER_S:
                    return True
                pipes.move(_TICK_S)
        return False

    def close(self) -> None:
        """End what still runs; nothing can be run afterwards."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "Local()"


@contextlib.contextmanager
def _shell() -> Iterator[subprocess.Popen[bytes]]:
    """A shell that reads its script from a pipe; nothing of it is left when the block raises."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    home = env.get("HOME", "/")
    process = subprocess.Popen(
        ["/bin/sh", "-s"],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=home if os.access(home, os.X_OK) else "/",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, wait_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)


def _result(collector: Collector, code: int, *, lingered: bool) -> Result:
    if code < 0:
        return collector.result(255, f"the shell was ended by signal {-code}, {signal.Signals(-code).name}")
    return collector.result(code, LINGER_NOTE if lingered else "")
