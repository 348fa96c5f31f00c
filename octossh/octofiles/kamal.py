"""Kamal's deploy.yml as a project with targets: a step for each role and accessory."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from octossh.documents import read_yaml
from octossh.errors import ModelError
from octossh.model import (
    Basic,
    CreateNetwork,
    Http,
    Image,
    Project,
    Registry,
    Rolling,
    RunContainer,
    Step,
    Target,
    check_name,
    known_address,
)
from octossh.octofiles.carrying import Carrier, Imported, Lost, by_option
from octossh.octofiles.starting import targets_of_hosts

__all__ = ["from_kamal"]

_SUBJECT = "Kamal's file"
_ROOT = {"service", "image", "servers", "registry", "env", "ssh", "volumes", "labels", "logging", "accessories",
         "proxy", "boot", "deploy_timeout", "drain_timeout", "stop_timeout", "readiness_delay",
         "primary_role"}  # fmt: skip
_ADVICE = {
    "builder": ("octossh builds no images", "let CI build and push them"),
    "aliases": ("octossh has no aliases", "use those of your shell"),
    "retain_containers": ("no old containers are kept", "octossh rollback pulls the image again; see octossh prune"),
    "asset_path": ("no assets are kept beside each other", "serve them from a place that keeps the old ones"),
    "hooks_path": (
        "hooks are not carried over",
        "write oc.RunScript(..., where='controller') around the steps",
    ),
    "secrets_path": ("its files are not read", "give the space secrets=oc.FileSecrets(...), or environment variables"),
    "require_destination": ("destinations are environments here", "name them in a Lifecycle"),
}


def from_kamal(text: str, *, environment: str = "Production") -> Imported:
    """The project and the targets that a ``deploy.yml`` describes. What stands in ERB is not run.

    Args:
        text: The file.
        environment: Where its hosts stand.

    Raises:
        ModelError: It is no such file, or nothing of it can be carried over.
    """
    document = _document(text)
    if not isinstance(document, dict) or not isinstance(document.get("service"), str) or "image" not in document:
        raise ModelError(f"{_SUBJECT} has no service and image; give the config/deploy.yml of an application")
    check_name(environment, "environment")
    return _Reader(document, environment).read()


def _document(text: str) -> Any:
    # ERB stays to be seen, without what YAML would read in it.
    seen = re.sub(
        r"<%.*?%>", lambda erb: f"<%{re.sub(r'[^ A-Za-z0-9_.=-]', '_', erb[0][2:-2])}%>", text, flags=re.DOTALL
    )
    try:
        return read_yaml(seen, _SUBJECT)
    except ModelError as error:
        if "<%" not in text:
            raise
        raise ModelError(f"{error}. It holds ERB, which is not run here: give what 'kamal config' prints") from None


def _mapping(value: Any) -> dict[str, Any]:
    return {str(name): item for name, item in value.items()} if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


class _Reader:
    def __init__(self, document: Mapping[str, Any], environment: str) -> None:
        self.carrier = Carrier()
        self.document, self.environment = document, environment
        self.hosts: dict[str, list[str]] = {}
        """The roles of each host."""

    def read(self) -> Imported:
        self._registry()
        try:
            image = self._image("image", self.document["image"])
        except Lost as lost:
            raise ModelError(f"{_SUBJECT}, image: {lost.why}; {lost.advice}") from None
        roles = [(f"servers.{name}", self._role(image), name, said) for name, said in self._roles().items()]
        beside = _mapping(self.document.get("accessories"))
        more = [(f"accessories.{name}", self._accessory, name, said) for name, said in beside.items()]
        containers = list(self._steps(roles))
        steps: list[Step] = [CreateNetwork("kamal"), *self._steps(more), *containers]
        for key in self.document:
            if key not in _ROOT and not str(key).startswith("x-"):
                self.carrier.note(str(key), *_ADVICE.get(key, ("octossh has nothing of that name", "leave it out")))
        advice = f"octossh release create --set {image.repository}=$(git rev-parse HEAD) takes the tag of a commit"
        self.carrier.note("image", "a release picks the tag", advice)
        self.carrier.tags_note("accessories")
        project = Project(str(self.document["service"]), process=steps, variables=self.carrier.variables.values())
        return Imported(project, self._targets(), tuple(self.carrier.notes))

    def _steps(self, wanted: list[tuple[str, Any, str, Any]]) -> Iterator[RunContainer]:
        for place, make, name, said in wanted:
            try:
                yield make(place, name, said)
            except Lost as lost:
                self.carrier.note(place, lost.why, lost.advice)
            except (AttributeError, KeyError, TypeError, ValueError):
                self.carrier.note(place, "Kamal has another form for it", "correct it, or write it by hand")

    # ----------------------------------------------------------- images

    def _registry(self) -> None:
        said = _mapping(self.document.get("registry"))
        server = str(said.get("server") or "docker.io")
        auth = None
        user, password = said.get("username"), _listed(said.get("password"))
        if password:
            named = isinstance(said["password"], list)
            name = str(password[0]) if named else "KAMAL_REGISTRY_PASSWORD"
            self.carrier.note("registry.password", "its value is not written", f"set {name} where octossh runs")
            try:
                auth = Basic(self.carrier.literal(user), self.carrier.secret(name))
            except Lost as lost:
                self.carrier.note("registry.username", lost.why, "give the registry auth=oc.Basic('USER', ...)")
        host = known_address(server.partition("/")[0])
        try:
            name = "hub" if host == "docker.io" else host
            self.carrier.registry(Registry(name, f"https://{host}", auth=auth))
        except ModelError as error:
            self.carrier.note("registry.server", str(error), "give the registry's url by hand")

    def _image(self, place: str, text: Any) -> Image:
        server = _mapping(self.document.get("registry")).get("server")
        whole = f"{server}/{text}" if server and place == "image" and not str(text).startswith(f"{server}/") else text
        return self.carrier.image(place, whole)

    # ------------------------------------------------------------ roles

    def _roles(self) -> dict[str, Any]:
        servers = self.document.get("servers")
        return {"web": servers} if isinstance(servers, list) else _mapping(servers)

    def _placed(self, place: str, role: str, hosts: Any) -> None:
        for host in _listed(hosts):
            name = next(iter(host)) if isinstance(host, Mapping) and host else host
            if not isinstance(name, str | int | float) or "<%" in str(name):
                self.carrier.note(place, f"{name!r} is no host by itself", "write it into targets.yml")
                continue
            if isinstance(host, Mapping):
                self.carrier.note(f"{place}.{name}", "tags of hosts are not carried over", "give the target labels")
            self.hosts.setdefault(str(name), []).append(role)

    def _role(self, image: Image) -> Any:
        def make(place: str, name: str, said: Any) -> RunContainer:
            own = said if isinstance(said, Mapping) else {}
            self._placed(place, name, own.get("hosts") if own else said)
            fields = [*self._common(place, name, own), *self._health(place, name, own), *self._boot()]
            for where, source in (("", self.document), (f"{place}.", own)):
                fields += self._shared(where, source)
            stop = own.get("stop_timeout", self.document.get("drain_timeout", self.document.get("stop_timeout", 30)))
            fields.append((f"{place}.stop_timeout", "stop_grace_s", stop))
            return self.carrier.container(name, image, fields)

        return make

    def _common(self, place: str, role: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        yield place, "roles", [role]
        yield place, "restart", "unless-stopped"
        yield place, "networks", ["{{ steps.kamal.inspect.Name }}"]
        yield place, "aliases", [f"{self.document['service']}-{role}"]
        if "cmd" in said:
            try:
                words = shlex.split(str(said["cmd"]))
                self.carrier.check(*words)
                yield f"{place}.cmd", "command", [self.carrier.literal(word) for word in words]
            except Lost as lost:
                self.carrier.note(f"{place}.cmd", lost.why, lost.advice)
        for option, value in _mapping(said.get("options")).items():
            where = f"{place}.options.{option}"
            field = by_option().get(option)
            if field is None:
                self.carrier.note(where, "octossh has no field for it", f"write extra_args=['--{option}=...']")
                continue
            try:
                yield where, field, self.carrier.shaped(where, field, value, self.carrier.literal)
            except Lost as lost:
                self.carrier.note(where, lost.why, lost.advice)

    def _shared(self, where: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        """What may stand at the root and in a role."""
        yield f"{where}env", "env", self._env(f"{where}env", said.get("env"))
        logging = _mapping(said.get("logging"))
        given = {key: (key, said.get(key)) for key in ("labels", "volumes")}
        given |= {f"logging.{key}": (f"log_{key}", logging.get(key)) for key in ("driver", "options")}
        for key, (field, value) in given.items():
            place = f"{where}{key}"
            try:
                if value:
                    yield place, field, self.carrier.shaped(place, field, value, self.carrier.literal)
            except Lost as lost:
                self.carrier.note(place, lost.why, lost.advice)

    def _env(self, place: str, said: Any) -> dict[str, Any]:
        given = _mapping(said)
        parted = bool(given.keys() & {"clear", "secret"})
        made: dict[str, Any] = {}
        for name, value in (_mapping(given.get("clear")) if parted else given).items():
            if name == "tags":
                self.carrier.note(
                    f"{place}.tags", "tags of hosts are not carried over", "use oc.Variable(..., target=...)"
                )
                continue
            try:
                made[name] = self.carrier.env(f"{place}.{name}", name, value, self.carrier.literal)
            except Lost as lost:
                self.carrier.note(f"{place}.{name}", lost.why, lost.advice)
        for one in _listed(given.get("secret")) if parted else ():
            name, _, source = str(one).partition(":")
            made[name] = self.carrier.secret(source or name)
            self.carrier.note(
                f"{place}.secret.{name}", "its value is not written", f"set {source or name} where octossh runs"
            )
        return made

    def _health(self, place: str, role: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        primary = str(self.document.get("primary_role") or "web")
        proxy = said.get("proxy", self.document.get("proxy") if role == primary else False)
        if "deploy_timeout" in self.document:
            yield "deploy_timeout", "healthy_timeout_s", self.document["deploy_timeout"]
        if proxy is False or (role != primary and not proxy):
            if "readiness_delay" in self.document:
                yield "readiness_delay", "monitor_s", self.document["readiness_delay"]
            return
        settings = _mapping(proxy)
        port = settings.get("app_port", 80)
        path = _mapping(settings.get("healthcheck")).get("path", "/up")
        try:
            yield f"{place}.proxy", "health", Http(port, self.carrier.literal(path))
        except (ModelError, Lost) as error:
            self.carrier.note(f"{place}.proxy", str(error), "write health=oc.Http(...) by hand")
        why = "octossh runs no proxy in front of it, and makes no certificates"
        self.carrier.note(f"{place}.proxy", why, f"publish=['80:{port}'], or run one as a step of its own")

    def _boot(self) -> Iterator[tuple[str, str, Any]]:
        boot = _mapping(self.document.get("boot"))
        if "limit" in boot:
            try:
                yield "boot", "rolling", Rolling(boot["limit"], pause_s=boot.get("wait", 0))
            except ModelError as error:
                self.carrier.note("boot", str(error), "write rolling=oc.Rolling(...) by hand")

    def _accessory(self, place: str, name: str, said: Mapping[str, Any]) -> RunContainer:
        image = self.carrier.image(f"{place}.image", said["image"])
        hosts = [*_listed(said.get("host")), *_listed(said.get("hosts"))]
        self._placed(place, name, hosts)
        fields = [*self._common(place, name, said), *self._shared(f"{place}.", said)]
        if roles := [*_listed(said.get("role")), *_listed(said.get("roles"))]:
            fields.append((place, "roles", [*([name] if hosts else []), *map(str, roles)]))
        if "port" in said:
            port = self.carrier.literal(said["port"])
            fields.append((f"{place}.port", "publish", [port if ":" in port else f"{port}:{port}"]))
        for key in ("files", "directories", "tags", "tag", "proxy"):
            if said.get(key):
                what = f"{key} of an accessory are not carried over"
                self.carrier.note(f"{place}.{key}", what, "see oc.PutFile, volumes and labels")
        made = self.carrier.container(name, image, fields)
        # A role is no more than a list here: what was given last holds.
        return attrs.evolve(made, roles=[role for role in made.roles if role != name or hosts])

    # ---------------------------------------------------------- targets

    def _targets(self) -> tuple[Target, ...]:
        ssh = _mapping(self.document.get("ssh"))
        for key in ssh:
            if key not in {"user", "port", "proxy", "log_level"}:
                self.carrier.note(f"ssh.{key}", "it is of ssh", "say so in ~/.ssh/config, or in oc.SSH(...)")
        more = {"user": str(ssh.get("user") or "root"), "port": ssh.get("port"), "jump": ssh.get("proxy")}
        made: list[Target] = []
        for host, target in zip(self.hosts, _hosts(self.hosts, self.environment), strict=True):
            said: dict[str, Any] = {
                "roles": self.hosts[host],
                **{key: value for key, value in more.items() if value is not None},
            }
            try:
                made.append(attrs.evolve(target, **said))
            except ModelError as error:
                self.carrier.note("ssh", str(error), "write it into targets.yml")
                made.append(attrs.evolve(target, roles=self.hosts[host], user=more["user"]))
        return tuple(made)


def _hosts(hosts: Mapping[str, Any], environment: str) -> tuple[Target, ...]:
    wrong = [host for host in hosts if not re.fullmatch(r"[A-Za-z0-9_.:-]+", host)]
    if wrong:
        raise ModelError(f"{_SUBJECT}: {wrong[0]!r} is neither a host name nor an IP address; correct it there")
    return targets_of_hosts([f"[{host}]" if ":" in host else host for host in hosts], [environment])
