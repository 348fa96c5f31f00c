"""The values for ``_probe.sh.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from octossh.model import Http

if TYPE_CHECKING:
    from octossh.model import Probe

__all__ = ["SINCE", "probe_values"]

SINCE = '{{if eq .State.FinishedAt "0001-01-01T00:00:00Z"}}{{.Created}}{{else}}{{.State.FinishedAt}}{{end}}'
"""Go template: a moment before all that the present run of a container logged, and behind what earlier ones did.

The first line may bear an earlier time than ``StartedAt``.
"""

# HTTP by bash alone: $1 is the address, $2 the port, $3 the path; headers follow.
_BASH = r"""exec 3<>"/dev/tcp/$1/$2" || exit
case " ${4:-}" in " Host: "*) ;; *) set -- "$1" "$2" "$3" "Host: $1:$2" "${@:4}" ;; esac
printf "%s\r\n" "GET $3 HTTP/1.1" "Connection: close" "${@:4}" "" >&3
read -r _ code _ <&3 || { echo "no answer"; exit 1; }
printf "%s" "${code%%[!0-9]*}"
"""


def probe_values(probe: Probe | None) -> dict[str, Any] | None:
    """What the template needs of *probe*: its kind and its fields, and what is made of them."""
    if probe is None:
        return None
    values = {"kind": probe.kind, **attrs.asdict(probe, recurse=False)}
    if isinstance(probe, Http):
        lowest, _, highest = probe.status.partition("-")
        host = [f"Host: {probe.host}"] if probe.host else []
        values |= {
            "place": f"{probe.port}{probe.path}",
            "lowest": lowest,
            "highest": highest or lowest,
            "headers": [*host, *(f"{name}: {text}" for name, text in probe.headers.items())],
            "bash": _BASH,
        }
    return values
