"""One step `web` on a host of the stand-in: three digests of one image."""

from __future__ import annotations

from typing import Any

from golden.cases import IMAGE, order
from properties.stand import Host, unique

import octossh as oc
from octossh.rendering import render
from octossh.shell import Script

ONE, TWO, THREE = (f"sha256:{number:064x}" for number in (1, 2, 3))
NAME = "web-1"


def image(digest: str) -> str:
    return f"{IMAGE.name}@{digest}"


def script(digest: str, *, login: str | None = None, step: str = "web", **fields: Any) -> Script:
    fields = {"monitor_s": 0, "healthy_timeout_s": 0, "container_name": NAME, **fields}
    return render(order(oc.RunContainer(step, image=IMAGE, **fields), digest=digest, project=unique(), login=login))


def short(host: Host) -> dict[str, tuple[str, str]]:
    """Of each container its status and its image."""
    return {name: (seen["State"]["Status"], seen["Config"]["Image"]) for name, seen in sorted(host.containers.items())}


def names(host: Host) -> list[str]:
    return [call.name for call in host.calls]
