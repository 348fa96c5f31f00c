"""``python -m octossh``."""

from octossh.cli import main

main()
