"""Commands about stored values: no value stands on a command line, and none is printed."""

from __future__ import annotations

import sys

import click

from octossh.cli.options import Options, command, octossh


@octossh.group("values")
def _values() -> None:
    """Store the values of secrets, encrypted."""


@command(_values, "list")
def _list(options: Options) -> None:
    """List the names of the stored values, and who set them when."""
    options.show(options.space().values.list())


@command(_values, "set")
@click.argument("name")
@click.option("--why", default="", help="The reason; it stands in the record.")
def _set(options: Options, name: str, why: str) -> None:
    """Store the value of the secret NAME. It is read from standard input, or asked for at a terminal."""
    space = options.space()
    if sys.stdin.isatty():
        value = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    space.values.set(name, value, why=why)
    options.show({"value": name, "stored": True}, f"{name} is stored")


@command(_values, "remove")
@click.argument("name")
@click.option("--why", default="", help="The reason; it stands in the record.")
def _remove(options: Options, name: str, why: str) -> None:
    """Remove the stored value of the secret NAME."""
    options.space().values.remove(name, why=why)
    options.show({"value": name, "stored": False}, f"{name} is not stored any more")


@command(_values, "rotate")
@click.option("--why", default="", help="The reason; it stands in the record.")
def _rotate(options: Options, why: str) -> None:
    """Encrypt all stored values with the first key of OCTOSSH_KEY, which holds the new key and the old ones."""
    count = options.space().values.rotate(why=why)
    options.show({"rotated": count}, f"{count} encrypted anew")


@command(_values, "new-key")
def _new_key(options: Options) -> None:
    """Print a new key. It is shown this once, and stands nowhere else."""
    from octossh.recording.sealing import new_key

    key = new_key().reveal()
    options.show({"key": key}, key)
