"""Files in containers: the values for ``_files.sh.j2``, secrets in the memory of a host, and texts as an archive."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import TYPE_CHECKING, Any

from octossh.model import Mount, SecretRef, slug
from octossh.rendering.orders import owner_format, owner_labels
from octossh.shell import Words

if TYPE_CHECKING:
    from octossh.model import ContainerStep
    from octossh.planning import Wanted
    from octossh.rendering.orders import Order, Secrets

__all__ = ["archive", "file_mounts", "file_values", "files_base"]


def files_base(order: Order) -> str:
    """The folder on the host with all secret files of a project in an environment."""
    return f"/dev/shm/octossh-{slug(order.project)}-{slug(order.environment)}.files"  # noqa: S108 - it is memory


def archive(step: ContainerStep) -> str:
    """The files of a container as a tar archive in base64; empty for none."""
    if not step.files:
        return ""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, item in step.files.items():
            data, member = item.content.encode(), tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), int(item.mode, 8)
            member.uid, member.gid = map(int, item.owner.split(":"))
            tar.addfile(member, io.BytesIO(data))
    return base64.b64encode(made.getvalue()).decode()


def file_values(order: Order, step: ContainerStep, wanted: Wanted, secrets: Secrets) -> dict[str, Any]:
    """What the template needs."""
    place, helper = _place(order, wanted), f"{wanted.name}--files"
    files = []
    for number, item in enumerate(step.secret_files.values()):
        assert isinstance(item.secret, SecretRef)
        user, _, group = item.owner.partition(":")
        value = Words(f'"{secrets.variable(item.secret.name)}"')
        digits = {"mode": f"{int(item.mode, 8):07o}", "user": f"{int(user):07o}", "group": f"{int(group):07o}"}
        files.append({"name": f"{number:02}", "value": value, **digits})
    return {
        "archive": archive(step),
        "files": files,
        "files_place": place,
        "files_new": f"{place}.new",
        "files_helper": helper,
        "files_target": f"{helper}:/octossh",
        "files_mount": str(Mount("/octossh", type="bind", source=f"{place}.new")),
        "files_owner": owner_format(order, ".Config.Labels"),
        "files_labels": owner_labels(order),
    }


def file_mounts(order: Order, step: ContainerStep, wanted: Wanted) -> list[str]:
    """``--mount`` options, one for each file."""
    place = _place(order, wanted)
    mounts = [
        Mount(path, type="bind", source=f"{place}/{number:02}", read_only=True)
        for number, path in enumerate(step.secret_files)
    ]
    return [word for mount in mounts for word in ("--mount", str(mount))]


def _place(order: Order, wanted: Wanted) -> str:
    """The folder on the host with the files of a container: another one for each description of it."""
    return f"{files_base(order)}/{wanted.name}/{wanted.spec.removeprefix('sha256:')}"
