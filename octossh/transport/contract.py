"""What everything that carries scripts to hosts has in common."""

from __future__ import annotations

import secrets as _random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, Self, runtime_checkable

from octossh.model.targets import Target
from octossh.shell import Frame, Result, Script, Secret

__all__ = ["NO_SECRETS", "Feed", "Interactive", "Sealed", "Transport", "new_nonce"]

NO_SECRETS: Mapping[str, Secret] = MappingProxyType({})


Feed = Callable[[Frame], Iterator[bytes]]
"""Gives the bytes that a script asks for by a frame of the kind ``want``."""


def new_nonce() -> str:
    """128 random bits in hex: nothing on a host can guess it, so nothing there can forge a frame."""
    return _random.token_hex(16)


class Sealed(bytes):
    """Bytes that hold secrets: tracebacks that show local variables do not show these."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@runtime_checkable
class Transport(Protocol):
    """Carries scripts to hosts. Safe to use from many threads; a context manager that closes itself.

    One that has an attribute ``streams`` that is true, and so hands on frames and lines as they come, is given several
    steps in one script where nothing has to be decided between them.

    One that has a method ``reaches`` tells by it whether the connection to a target is open, as far as is known. Where
    it is not, steps connect first, try again for two minutes where that fails with an error that may pass, and wait for
    no host any more once their deployment is stopped. Of one without it, a `ConnectError` is the end of its step.

    One that has an attribute ``silence_s``, whole seconds, sends something over each open connection in less than half
    of that time, for as long as its process is well: where nothing has come for so long, a host may take a deployment
    for gone.

    One that has a method ``hang_up`` closes the connection to a target by it, unless more than ``running`` scripts run
    over it or others need it, and tells whether it did: where `run` fails with a `ConnectError` of the kind
    ``sessions``, what ends a script whose time is over finds room over another connection.

    One that has a method ``ahead`` is told, by ``ahead(target)``, that another script will go to *target* behind the
    one that runs there or is about to, and by ``ahead(target, now=True)`` that the first one will: it may begin a
    session for it meanwhile. It neither blocks nor raises.

    One that has an attribute ``plays_controller`` that is true answers for the machine that deploys, too: steps with
    ``where="controller"`` are given to it, and nothing runs on that machine.
    """

    def connect(self, target: Target) -> None:
        """Open the connection to *target*; cheap when it is open.

        Raises:
            ConnectError: Or its kin `HostKeyError` and `AuthError`. Nothing was sent.
        """

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
        """Send *script* to the shell of *target* and wait for its end. Connects when it has to.

        Args:
            target: The host.
            script: What to run there, by ``sh -s``.
            secrets: Values of the secrets that the script wants, by name. They travel on standard input only.
            timeout_s: Seconds that the script may take, from when it was sent.
            on_line: Gets every line of the log as it comes, without its newline. It is called from another
                thread, one call at a time; what it raises is logged and does no harm to the run. A line
                above 1 MiB comes in pieces.
            on_frame: Gets every frame in the same way, before any line that stands behind it in its stream.
            feed: Gets every frame of the kind ``want``, and gives the bytes that then go to the standard input of
                the script, a piece at a time. None: standard input ends with the script. When it raises, standard
                input ends there.

        Returns:
            Frames, log and exit code. When a signal ended the shell itself, the exit code is 255 and the last
            line of the log says so.

        Raises:
            ModelError: A secret that the script wants is missing.
            ConnectError: No script was sent.
            ConnectionLost: It was sent, and the link went before its end was seen.
            TimedOut: It was sent, and did not end within *timeout_s*.
            ReadError: It answered more frames than can be held.
        """

    def close(self) -> None:
        """Close all connections. What still runs is given up."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class Interactive(Protocol):
    """A transport that can also give a terminal on a host."""

    def terminal(self, target: Target, command: str) -> Sequence[str]:
        """The words of a program that runs *command* on *target* at the terminal of whoever starts it.

        Raises:
            ConnectError: The host cannot be reached, or is not who it should be.
            ModelError: There is no such program on this machine.
        """
