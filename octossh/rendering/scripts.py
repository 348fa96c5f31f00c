"""One script for one step on one host. Pure: the same order gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from octossh import rendering
from octossh.errors import ModelError
from octossh.model import GROUPS, LABELS, slug
from octossh.rendering.files import files_base
from octossh.rendering.orders import Secrets, docker_values, image_there, many
from octossh.rendering.puts import looking_at_files
from octossh.rendering.sources import environment_of
from octossh.shell import Look, Script
from octossh.templating import rendered

if TYPE_CHECKING:
    from octossh.model import Target
    from octossh.rendering.orders import Order

__all__ = ["check", "fixed", "forget", "observe", "render", "runners"]


def render(order: Order) -> Script:
    """The script that does what *order* says.

    Raises:
        ModelError: A value cannot stand in a script or an environment variable, or a template of the user's fails.
    """
    make: Callable[[Order, Secrets], dict[str, Any]] = getattr(rendering, order.step.kind)
    secrets = Secrets()
    values = {
        "title": f"{order.step.kind} {order.step.name!r} of {order.project!r} in {order.environment!r}",
        "lock": f"octossh-{slug(order.project)}-{slug(order.environment)}.lock",
        "lock_wait_s": order.lock_wait_s,
        "again": order.again,
        "holder": order.holder or order.deployment,
        "whose": (order.holder or order.deployment).rsplit(" since ", 1)[0],
        "needs_docker": True,
        "files_base": files_base(order),
        "spec_filter": f"label={LABELS['spec']}=sha256:",
        "server_format": "{{.Server.Version}}",
        **docker_values(order.target),
        **make(order, secrets),
    }
    try:
        body = rendered(environment_of(order.templates), f"{order.step.kind}.sh.j2", values)
    except ModelError as error:
        raise ModelError(f"step {order.step.name!r}: {error}") from error
    # A template of the user's need not say that it does something.
    together = "settled_format" in values and order.step.kind not in order.templates.marks
    look = Look(values["name"], values["settled_format"], values["marked"]) if together else None
    return Script(f"{order.step.kind} {order.step.name}", body, tuple(secrets.names), look=look)


def forget(order: Order) -> Script:
    """A script that removes what a step left, once its end has been seen."""
    values = {
        "title": f"forget {order.step.name!r}",
        "needs_docker": True,
        **docker_values(order.target),
        **rendering.left_behind(order),
    }
    return Script(f"forget {order.step.name}", rendered(environment_of(), "forget.sh.j2", values))


def observe(
    project: str,
    environment: str,
    names: Iterable[tuple[str, str]],
    contents: Mapping[str, str] | None = None,
    target: Target | None = None,
) -> Script:
    """A script that changes nothing and tells all that bears our labels, or one of *names*.

    Args:
        project: In the labels.
        environment: Likewise.
        names: Kinds, and docker's names; of files the paths. The kind ``swarm``: services, too, that have our labels.
        contents: Paths of files that shall hold a secret, with its name; the host itself compares them.
        target: Whose docker is called; None: docker by its name.
    """
    secrets = Secrets()
    pairs = sorted(set(names))
    kinds = ("compose", "container", "file", "image", "network", "stack", "swarm", "volume")
    named = {kind: [name for of, name in pairs if of == kind] for kind in kinds}
    images = [{"name": name, "there": image_there(name, target)} for name in named["image"]]
    values = {
        "title": f"observe {project!r} in {environment!r}",
        "needs_docker": True,
        **docker_values(target),
        "version_format": "{{.Server.Version}} {{.Server.Os}} {{.Server.Arch}}",
        "filters": [f"label={LABELS['project']}={project}", f"label={LABELS['environment']}={environment}"],
        "containers": [f"name=^/?{re.escape(name)}$" for name in named["container"]],
        "networks": [f"name=^{re.escape(name)}$" for name in named["network"]],
        "projects": [f"label={next(iter(GROUPS))}={name}" for name in named["compose"]],
        "swarm": bool(named["stack"] or named["swarm"]),
        "stacks": [f"label=com.docker.stack.namespace={name}" for name in named["stack"]],
        "swarm_format": "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}",
        "service_format": "service {{json .}}",
        "replicas_format": "replicas {{.Name}} {{.Replicas}}",
        "volumes": [f"name=^{re.escape(name)}$" for name in named["volume"]],
        "images": images,
        "asked": many([image["there"] for image in images]),
        "id_format": "{{.Id}}",
        "files": looking_at_files(named["file"], contents or {}, secrets),
        "container_format": "container {{json .}}",
        "network_format": "network {{json .}}",
        "volume_format": "volume {{json .}}",
        "image_format": " {{json .}}",
    }
    return Script("observe", rendered(environment_of(), "observe.sh.j2", values), tuple(secrets.names))


def check(urls: Sequence[str], target: Target | None = None) -> Script:
    """A script that changes nothing and tells what the host has, and whether it can reach the registries *urls*."""
    values = {
        "title": "check",
        **docker_values(target),
        "version_format": "{{.Client.Version}} {{.Server.Version}} {{.Server.Os}} {{.Server.Arch}}"
        "{{range .Server.Components}} {{.Name}}{{end}}",
        "root_format": "{{.DockerRootDir}}",
        "registries": [{"number": number, "url": f"{url}/v2/"} for number, url in enumerate(urls)],
    }
    return Script("check", rendered(environment_of(), "check.sh.j2", values))


def fixed(name: str, values: Mapping[str, Any]) -> Script:
    """The script of the template *name*, which is no step's and knows no docker."""
    return Script(name, rendered(environment_of(), f"{name}.sh.j2", {"title": name, **docker_values(None), **values}))


def runners(target: Target | None = None) -> Script:
    """A script that changes nothing and tells of each running container which image it runs, whoever made it.

    Of what containers are given it tells our labels only: others may hold secrets.
    """
    labels = ",".join(f'"{LABELS[key]}":{{{{json (index .Config.Labels "{LABELS[key]}")}}}}' for key in _TOLD)
    values = {
        "title": "runners",
        "needs_docker": True,
        **docker_values(target),
        "container_format": 'runner {"Name":{{json .Name}},"Image":{{json .Image}},"Created":{{json .Created}},'
        f'"Ref":{{{{json .Config.Image}}}},"Labels":{{{labels}}}}}',
        "id_format": "{{.Image}}",
        "image_format": 'image {"Id":{{json .Id}},"RepoTags":{{json .RepoTags}},"RepoDigests":{{json .RepoDigests}}}',
    }
    return Script("runners", rendered(environment_of(), "runners.sh.j2", values))


_TOLD = ("project", "environment", "step", "release", "fields")
