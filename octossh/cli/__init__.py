"""The command ``octossh``. The door of click."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
from typing import NoReturn

import click

from octossh.cli.mistakes import told
from octossh.cli.options import COMPLETING, Options, load, octossh
from octossh.cli.outputs import OutputLost, open_outputs
from octossh.errors import DeployFailed, DeployWaits, OctosshError, to_type
from octossh.visible import visible

__all__ = ["main", "octossh"]

_GARBAGE = (200_000, 10, 10)


def _complain(error: BaseException, code: int, *, as_json: bool, message: str = "") -> NoReturn:
    with contextlib.suppress(OSError):  # where that cannot be written either, the exit code tells
        _say(error, as_json=as_json, message=message)
    sys.exit(code)


def _say(error: BaseException, *, as_json: bool, message: str) -> None:
    message = message or (error.deployment.error if isinstance(error, DeployFailed) else " ".join(str(error).split()))
    if as_json and not isinstance(error, DeployFailed | DeployWaits):  # of which the deployment is shown
        hosts = error.hosts.value if isinstance(error, OctosshError) else "untouched"
        made = {"error": {"kind": type(error).__name__, "message": message, "hosts": hosts}}
        with contextlib.suppress(OSError, OutputLost):  # there is a line for people as well
            click.echo(json.dumps(made, ensure_ascii=False))
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    click.echo(visible(f"octossh: {message}{notes}"), err=True)
    if isinstance(error, DeployFailed):
        see = [to_type("history", "--log", error.deployment.id)]
        if any(outcome.why.startswith("docker does not answer") for outcome in error.deployment.outcomes):
            see.append(to_type("check", "--in", error.deployment.environment))
        click.echo(f"octossh: hosts: {error.hosts.value}; see: {' and '.join(see)}", err=True)


def _let_go_of_output() -> None:
    """What is left to write goes nowhere, so that the end of the process does not try it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _environments(file: str) -> tuple[str, ...]:
    try:
        with load(file) as space:
            return space.environments
    except OctosshError:
        return ()


def main(arguments: list[str] | None = None) -> None:
    """Run the command; the exit codes are 0 done, 1 failed, 2 usage, 3 changes, 4 refused, 5 waits, 130 interrupted."""
    options = Options()
    open_outputs()
    # What a command loads stays to its end. By default, looking for garbage in it takes a twentieth of the time.
    gc.set_threshold(*_GARBAGE)
    # A job that is cancelled gets SIGTERM: end it as Ctrl-C does, so that the record says how far it came.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if COMPLETING in os.environ:
        from octossh.cli.completing import know_names

        know_names(octossh)
    try:
        octossh.main(arguments, obj=options, prog_name="octossh", standalone_mode=False)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):  # click makes the first out of the second
        _complain(
            KeyboardInterrupt("interrupted; 'octossh history' says how far it came"), 130, as_json=options.as_json
        )
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            # A group alone shows what is in it; older versions of click do so without an error.
            error.show()
            sys.exit(error.exit_code)
        # What comes before the mistake has been read, but not always what comes behind it.
        as_json = options.as_json or "--json" in (sys.argv[1:] if arguments is None else arguments)
        _complain(error, error.exit_code, as_json=as_json, message=told(error, lambda: _environments(options.file)))
    except OctosshError as error:
        _complain(error, error.exit_code, as_json=options.as_json)
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell.
        _let_go_of_output()
        sys.exit(1)
    except OutputLost as error:
        _complain(error, 1, as_json=False)
