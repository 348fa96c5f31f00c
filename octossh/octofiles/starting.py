"""The first octofile of somebody, and the targets that go with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import attrs
from attrs import frozen

from octossh.errors import ModelError, did_you_mean
from octossh.model import (
    Http,
    Image,
    Lifecycle,
    Project,
    Reference,
    Registry,
    RunContainer,
    Target,
    check_name,
    check_untagged,
    slug,
    veiled,
)
from octossh.octofiles.sources import octofile, targets_file

__all__ = ["Start", "environments_of", "image_of", "target_at", "targets_of_hosts"]

_HOST = re.compile(
    r"(?:(?P<environment>[^=@:]*)=)?(?:(?P<user>[^@:\s]*)@)?(?P<address>\[[^\]]*\]|[^@:\[\]\s]*)(?::(?P<port>\d{1,5}))?"
)


def image_of(text: str) -> Image:
    """The image that *text* names, such as ``nginx`` or ``registry.example.com/acme/web``, with its registry.

    Before the address of a registry that speaks plain http may stand ``http://``.

    Raises:
        ModelError: It is no image, or says which tag it means.
    """
    check_untagged(text)
    scheme, mark, rest = text.partition("://")
    found = Reference.of(rest if mark else text)
    url = f"{scheme if mark else 'https'}://{found.host}"
    return Registry("hub", url).image(found.repository)


def target_at(text: str, environments: Sequence[str], name: str = "") -> Target:
    """The target that *text* names: ``[ENVIRONMENT=][USER@]ADDRESS[:PORT]``.

    Args:
        text: A host name, an address, or a name of ssh's configuration, and what stands around it.
        environments: Where it stands if *text* does not say that.
        name: Default: the first part of the host name, or the address.

    Raises:
        ModelError: It is none, or several environments are there and it does not say which.
    """
    match, shown = _HOST.fullmatch(text.strip()), veiled(text)
    if match is None or not match["address"]:
        raise ModelError(f"host {shown} is none; write it as 'deploy@10.0.0.11', with ':PORT' if it is not 22")
    address = match["address"].strip("[]")
    where = match["environment"]
    if where is None and len(environments) > 1:
        raise ModelError(
            f"host {shown}: it does not say where it stands; write '{environments[0]}={shown[1:-1]}', or another of "
            f"{', '.join(map(repr, environments))}"
        )
    if where is not None and environments and where not in environments:
        raise ModelError(f"host {shown}: there is no environment {where!r}; {did_you_mean(where, environments)}")
    return Target(
        name or _short(address),
        address,
        user=match["user"],
        port=int(match["port"]) if match["port"] else None,
        environments=[where] if where is not None else environments[:1],
    )


def _short(address: str) -> str:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return address.partition(".")[0]
    return address


def environments_of(hosts: Sequence[str]) -> tuple[str, ...]:
    """The environments that stand in front of *hosts*, in their order."""
    return tuple(dict.fromkeys(text.partition("=")[0] for text in hosts if "=" in text))


def targets_of_hosts(texts: Sequence[str], environments: Sequence[str]) -> tuple[Target, ...]:
    """The targets that *texts* name, each once; those with an IP address are called h01, h02 and so on.

    Raises:
        ModelError: One is none, or they give one host two users or ports.
    """
    made: dict[str, Target] = {}
    for text in texts:
        target = target_at(text, environments)
        known = made.get(target.address)
        if known is None:
            made[target.address] = target
            continue
        both = attrs.evolve(known, environments=(*known.environments, *target.environments))
        if attrs.evolve(target, environments=both.environments) != both:
            raise ModelError(
                f"host {veiled(text)} stands there twice, and not with the same user and port; write it once"
            )
        made[target.address] = both
    return _with_names(list(made.values()))


def _with_names(targets: Sequence[Target]) -> tuple[Target, ...]:
    names = [target.name for target in targets]
    taken = {name for name in names if names.count(name) == 1}
    made: list[Target] = []
    number = 0
    for target in targets:
        name = target.name if target.name in taken else target.address
        if name == target.address and _short(name) == name and re.fullmatch(r"[0-9.]+|.*:.*", name):
            number += 1
            while f"h{number:02}" in taken:
                number += 1
            name = f"h{number:02}"
        made.append(attrs.evolve(target, name=name))
    return tuple(made)


@frozen(kw_only=True)
class Start:
    """What somebody who begins has said.

    Attributes:
        image: What runs.
        targets: Where; each stands in one of the environments, or in several.
        environments: In the order in which releases pass them.
        project: Its name. Default: the last part of the image's.
        publish: Ports, as `RunContainer` has them.
        health: The path that answers when all is well, on the first of these ports; empty: what the image says.
        file: The name of the octofile.
        targets_file: That of the file of targets.
    """

    image: Image
    targets: tuple[Target, ...]
    environments: tuple[str, ...]
    project: str = ""
    publish: tuple[str, ...] = ()
    health: str = ""
    file: str = "octofile.py"
    targets_file: str = "targets.yml"

    def __attrs_post_init__(self) -> None:
        if not self.targets:
            raise ModelError("there is no host to deploy to; give one, such as --host deploy@10.0.0.11")
        for name in self.environments:
            check_name(name, "environment")
            if not any(name in target.environments for target in self.targets):
                raise ModelError(
                    f"environment {name!r} has no host; give it one, such as --host '{name}=deploy@10.0.0.11'"
                )

    @property
    def step(self) -> RunContainer:
        """The only step."""
        name = self.image.repository.rpartition("/")[2]
        health = Http(self._port(), self.health) if self.health else None
        return RunContainer(name, image=self.image, publish=self.publish, health=health, restart="unless-stopped")

    def _port(self) -> int:
        for given in self.publish:
            inside = given.rpartition(":")[2].partition("/")
            if inside[0].isdigit() and inside[2] in {"", "tcp"}:
                return int(inside[0])
        raise ModelError(
            f"a health check of {self.health!r} needs the port that answers; give it too, such as --publish 8080:80"
        )

    @property
    def described(self) -> Project:
        """The project."""
        name = self.project or slug(self.image.repository.rpartition("/")[2])
        return Project(name, process=[self.step], lifecycle=Lifecycle(*self.environments))

    def files(self) -> dict[str, str]:
        """The text of each file, by its name."""
        about = f"What is deployed: a container of {self.image}. The hosts stand in {self.targets_file}."
        return {
            self.file: octofile([self.described], targets=self.targets_file, about=about),
            self.targets_file: targets_file(self.targets),
        }
