"""Times on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

__all__ = ["since", "until"]


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """A time: ISO 8601, in UTC unless it says otherwise, or so long ago, such as 7d."""
    if value is None:
        return None
    if ago := re.fullmatch(r"(\d{1,5})([mhdw])", value):
        unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[ago[2]]
        return datetime.now(UTC) - timedelta(**{unit: int(ago[1])})
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r}: write a time such as 2026-01-31T12:00, or 7d for so long ago") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


since = click.option(
    "--since", callback=_moment, metavar="TIME", help="From then on: in UTC, or so long ago, such as 7d."
)
until = click.option("--until", callback=_moment, metavar="TIME", help="Before then.")
