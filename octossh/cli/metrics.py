"""What stands where, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import octossh as oc

if TYPE_CHECKING:
    from octossh.model import Standing

__all__ = ["exposition"]


def exposition(status: oc.Status) -> str:
    """The text format of Prometheus, for a file that the node exporter's textfile collector reads."""
    lines: list[str] = []
    for name, text, told in _METRICS:
        rows = [(standing, told(standing)) for standing in status]
        lines += [f"# HELP octossh_{name} {text}", f"# TYPE octossh_{name} gauge"]
        lines += [f"octossh_{name}{_labels(standing, name)} {value}" for standing, value in rows if value is not None]
    return "\n".join([*lines, ""])


def _labels(standing: Standing, name: str) -> str:
    given = {"project": standing.project, "environment": standing.environment}
    given |= {"release": standing.release} if name == "release_info" else {}
    return "{" + ",".join(f'{key}="{_escaped(text)}"' for key, text in given.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _since(standing: Standing) -> str | None:
    return None if standing.since is None else f"{standing.since.timestamp():.3f}"


def _healthy(standing: Standing) -> str | None:
    return _truth(standing.seen == "healthy") if standing.release else None


def _truth(value: bool) -> str:
    return "1" if value else "0"


_METRICS: tuple[tuple[str, str, Callable[[Standing], str | None]], ...] = (
    ("release_info", "The release that stands there.", lambda one: "1" if one.release else None),
    ("deployed_timestamp_seconds", "When it came there.", _since),
    ("healthy", "Whether it was healthy when it was last seen.", _healthy),
    (
        "last_deployment_succeeded",
        "Whether the newest deployment there succeeded.",
        lambda one: None if one.last is None else _truth(one.last is oc.State.SUCCEEDED),
    ),
    ("deployment_running", "Whether one is running there now.", lambda one: _truth(bool(one.running))),
)
"""The name of each metric, what it means, and its value; None: there is none."""
