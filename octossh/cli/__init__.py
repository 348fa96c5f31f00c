"""The command ``octossh``. The door of click."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import NoReturn

import click

from octossh.cli import (  # each adds its commands
    audits,
    boards,
    containers,
    deployments,
    freezes,
    interventions,
    looking,
    records,
    releases,
    schedules,
    starting,
    tidying,
    values,
)
from octossh.cli.options import CONTROL_BUT_LINES, Options, octossh
from octossh.errors import DeployFailed, OctosshError

__all__ = [
    "audits",
    "boards",
    "containers",
    "deployments",
    "freezes",
    "interventions",
    "looking",
    "main",
    "octossh",
    "records",
    "releases",
    "schedules",
    "starting",
    "tidying",
    "values",
]


def _complain(error: BaseException, code: int, *, as_json: bool) -> NoReturn:
    message = " ".join(str(error).split()) if not isinstance(error, DeployFailed) else error.deployment.error
    if as_json and not isinstance(error, DeployFailed):
        hosts = error.hosts.value if isinstance(error, OctosshError) else "untouched"
        click.echo(
            json.dumps(
                {"error": {"kind": type(error).__name__, "message": message, "hosts": hosts}}, ensure_ascii=False
            )
        )
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    click.echo(CONTROL_BUT_LINES.sub("?", f"octossh: {message}{notes}"), err=True)
    if isinstance(error, DeployFailed):
        click.echo(f"octossh: hosts: {error.hosts.value}; see: octossh history --log {error.deployment.id}", err=True)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; the exit codes are 0 done, 1 failed, 2 usage, 3 changes, 4 refused, 130 interrupted."""
    options = Options()
    # A job that is cancelled gets SIGTERM: end it as Ctrl-C does, so that the record says how far it came.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        octossh.main(arguments, obj=options, prog_name="octossh", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):  # click makes the first out of the second
        _complain(
            KeyboardInterrupt("interrupted; 'octossh history' says how far it came"), 130, as_json=options.as_json
        )
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OctosshError as error:
        _complain(error, error.exit_code, as_json=options.as_json)
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
