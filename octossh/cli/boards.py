"""The command that makes a board to look at."""

from __future__ import annotations

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh


@command(octossh, "board")
@click.option("--out", "folder", metavar="DIR", help="Write it into this folder.")
@click.option("--serve", is_flag=True, help="Serve it to browsers on this machine, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=8686, show_default=True, help="0: one that is free.")
@click.option("--deployments", type=click.IntRange(1), default=10_000, show_default=True, help="How many at most.")
def _board(options: Options, folder: str | None, port: int, deployments: int, *, serve: bool) -> None:
    """Make pages of the record for a browser, or serve them.

    They show status, deployments with logs, releases, drift and audit.
    """
    if serve == (folder is not None):
        raise click.UsageError("a board is written with --out DIR, or served with --serve: name one of them")
    board = oc.Board(options.space(), deployments=deployments)
    if folder is not None:
        options.show(board.write(folder))
        return
    try:
        board.serve(port, on_ready=lambda address: click.echo(f"octossh: {address} (Ctrl-C ends it)", err=True))
    except KeyboardInterrupt:
        click.echo("octossh: the board is served no more", err=True)
