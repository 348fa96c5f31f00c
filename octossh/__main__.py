"""``python -m octossh``."""

from octossh.cli.processes import run

run()
