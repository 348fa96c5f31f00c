"""A compose file as a project: a step for each service, in the order in which they depend on each other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from octossh.documents import read_yaml
from octossh.errors import ModelError
from octossh.model import (
    CreateNetwork,
    HealthCheck,
    Join,
    Mount,
    Project,
    RunContainer,
    SecretFile,
    Step,
    Target,
    slug,
)
from octossh.octofiles.carrying import Carrier, Imported, Lost, by_option
from octossh.templating import as_text

__all__ = ["from_compose"]

_SUBJECT = "the compose file"
_RENAMED = {
    **dict.fromkeys(("devices", "sysctls", "container_name", "labels", "restart", "network_mode"), ""),
    "working_dir": "workdir", "stdin_open": "interactive", "extra_hosts": "hosts", "dns_opt": "dns_options",
    "mem_limit": "memory", "mem_reservation": "memory_reservation", "memswap_limit": "memory_swap",
    "mem_swappiness": "memory_swappiness", "cpuset": "cpuset_cpus", "userns_mode": "userns", "cgroup": "cgroupns",
    "device_cgroup_rules": "device_cgroup_rules",
}  # fmt: skip
"""Where compose has another word than docker's option; empty: that of the field."""
_SAME = (
    "cap-add", "cap-drop", "cgroup-parent", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "dns", "dns-search",
    "domainname", "expose", "group-add", "hostname", "init", "ipc", "mac-address", "oom-kill-disable", "oom-score-adj",
    "pid", "pids-limit", "platform", "privileged", "read-only", "runtime", "security-opt", "shm-size", "stop-signal",
    "storage-opt", "tmpfs", "tty", "user", "uts", "volumes-from",
)  # fmt: skip
"""Options of docker that are keys of a service, with ``_`` for ``-``."""

_OTHER_FORM = (AttributeError, KeyError, TypeError, ValueError)
_FORM = ("compose has another form for it", "correct it, or write it by hand")


def _plain_keys() -> dict[str, str]:
    """The fields of a container by the keys of a service that are written one to one."""
    same = {option.replace("-", "_"): by_option()[option] for option in _SAME}
    return same | {key: field or key for key, field in _RENAMED.items()}


def from_compose(text: str, *, name: str = "", folder: str = "", targets: tuple[Target, ...] = ()) -> Imported:
    """The project that a compose file is.

    Args:
        text: The file.
        name: Of the project. Default: the ``name`` in the file, or *folder*.
        folder: What the folder of the file is called.
        targets: Its hosts, where they are known.

    Raises:
        ModelError: It is no compose file, or nothing of it can be carried over.
    """
    document = read_yaml(text, _SUBJECT)
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise ModelError(f"{_SUBJECT} has no services; give a file with 'services:' at its top")
    return _Reader(document, name or str(document.get("name") or folder)).read(targets)


class _Reader:
    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        self.carrier = Carrier()
        self.document = document
        self.name = name
        if not name:
            raise ModelError(f"{_SUBJECT} has no name; give one with --project")
        self.services: dict[str, Any] = {str(key): value for key, value in document["services"].items()}
        self.networks: dict[str, str] = {}

    def read(self, targets: tuple[Target, ...]) -> Imported:
        steps: list[Step] = list(self._networks())
        for name in self._ordered():
            try:
                steps.append(self._service(name, self.services[name]))
            except Lost as lost:
                self.carrier.note(f"services.{name}", lost.why, lost.advice)
        for key in self.document:
            if key not in {"name", "version", "services", "networks", "volumes", "secrets", "configs"}:
                self._unknown(str(key), str(key))
        self.carrier.tags_note("services")
        if not any(isinstance(step, RunContainer) for step in steps):
            notes = "; ".join(map(str, self.carrier.notes[:3]))
            raise ModelError(f"of {_SUBJECT} no service can be carried over: {notes}")
        for one in self.carrier.variables.values():
            if one.value is None:
                self.carrier.note(f"${{{one.name}}}", "no value of it stands there", "give the Variable one")
        project = Project(self.name, process=steps, variables=tuple(self.carrier.variables.values()))
        return Imported(project, targets, tuple(self.carrier.notes))

    def _unknown(self, place: str, key: str) -> None:
        if not key.startswith("x-"):
            self.carrier.note(place, "octossh has nothing of that name", "leave it out, or do it by a step of its own")

    def _ordered(self) -> list[str]:
        """The services, each behind those that it depends on."""
        made: list[str] = []
        left = list(self.services)
        while left:
            free = [name for name in left if not set(self._needs(name)) & set(left) - {name}]
            if not free:
                self.carrier.note("services", f"{', '.join(left)} depend on each other in a ring", "see their order")
                free = left
            made += free
            left = [name for name in left if name not in free]
        return made

    def _needs(self, name: str) -> list[str]:
        service = self.services[name]
        needs = service.get("depends_on") if isinstance(service, dict) else None
        return [str(one) for one in needs] if isinstance(needs, dict | list) else []

    # --------------------------------------------------------- networks

    def _networks(self) -> Iterator[CreateNetwork]:
        given = self.document.get("networks")
        known: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
        known.setdefault("default", None)
        used = {key for service in self.services.values() for key in _joined(service)}
        slugs = {slug(name) for name in self.services if re.search("[a-z0-9]", name.lower())}
        for key, entry in known.items():
            if key not in used:
                continue
            said = entry if isinstance(entry, dict) else {}
            if said.get("external"):
                try:
                    self.networks[key] = self._text(str(said.get("name") or key))
                except Lost as lost:
                    self.carrier.note(f"networks.{key}.name", lost.why, lost.advice)
                continue
            step = f"{key} network" if slug(str(key)) in slugs else str(key)
            yield self._network(step, f"networks.{key}", said)
            read = f".{step}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", step) else f"[{step!r}]"
            self.networks[key] = f"{{{{ steps{read}.inspect.Name }}}}"

    def _network(self, step: str, place: str, said: Mapping[str, Any]) -> CreateNetwork:
        fields: dict[str, Any] = {}
        for key, value in said.items():
            try:
                fields |= {} if value is None else self._network_fields(f"{place}.{key}", str(key), value)
            except Lost as lost:
                self.carrier.note(f"{place}.{key}", lost.why, lost.advice)
            except _OTHER_FORM:
                self.carrier.note(f"{place}.{key}", *_FORM)
        try:
            return CreateNetwork(step, **fields)
        except (ModelError, TypeError) as error:
            self.carrier.note(place, str(error), "write its fields by hand")
            return CreateNetwork(step)

    def _network_fields(self, place: str, key: str, value: Any) -> dict[str, Any]:
        if key in {"internal", "attachable", "enable_ipv6"}:
            return {key.removeprefix("enable_"): value}
        if key in {"driver", "name"}:
            return {"network_name" if key == "name" else key: self._text(value)}
        if key in {"labels", "driver_opts"}:
            field = "options" if key == "driver_opts" else key
            return {field: self.carrier.pairs(place, field, value, self._text)}
        if key == "ipam" and set(value) == {"config"} and len(value["config"]) == 1:
            given = value["config"][0]
            texts = {name: self._text(one) for name, one in given.items() if name != "aux_addresses"}
            more = {"aux_addresses"} & given.keys()
            return texts | {name: self.carrier.pairs(place, name, given[name], self._text) for name in more}
        self._unknown(place, key)
        return {}

    # --------------------------------------------------------- services

    def _service(self, name: str, service: Any) -> RunContainer:
        place = f"services.{name}"
        if not isinstance(service, dict):
            raise Lost("it has no fields", "give it an image")
        for key in ("build", "extends", "profiles"):
            if key in service:
                self._refused(f"{place}.{key}", key, has_image="image" in service)
        if service.get("profiles"):
            raise Lost("it belongs to a profile, so it does not start by itself", "write a step where it shall")
        if "image" not in service:
            raise Lost("it has no image", "build and push one, and give its name as image")
        image = self.carrier.image(f"{place}.image", service["image"])
        return self.carrier.container(name, image, self._fields(name, service))

    def _refused(self, place: str, key: str, *, has_image: bool) -> None:
        if key == "build":
            then = "push the image that CI builds" if has_image else "push an image, and give its name"
            self.carrier.note(place, "octossh builds no images", then)
        elif key == "extends":
            self.carrier.note(place, "what it takes from another service is not here", "see: docker compose config")

    def _fields(self, name: str, service: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        plain = _plain_keys()
        for key, value in service.items():
            place = f"services.{name}.{key}"
            if key in {"image", "build", "extends", "profiles", "networks"} or value is None:
                continue
            try:
                if read := getattr(self, f"key_{key}", None):
                    for field, made in read(place, value):
                        yield place, field, made
                elif key in plain:
                    yield place, plain[key], self.carrier.shaped(place, plain[key], value, self._text)
                else:
                    self._unknown(place, str(key))
            except Lost as lost:
                self.carrier.note(place, lost.why, lost.advice)
            except _OTHER_FORM:
                self.carrier.note(place, *_FORM)
        if "network_mode" not in service:
            place = f"services.{name}.networks"
            joined = _joined(service)
            yield place, "networks", [self._join(f"{place}.{key}", key, said) for key, said in joined.items()]
            yield f"services.{name}", "aliases", [name]

    def _join(self, place: str, key: str, said: Any) -> str | Join:
        network = self.networks.get(key, as_text(key))
        if not isinstance(said, dict):
            return network
        try:
            aliases = [self._text(alias) for alias in said.get("aliases") or []]
            ip, ip6 = (said.get(version) and self._text(said[version]) for version in ("ipv4_address", "ipv6_address"))
            return Join(network, aliases=aliases, ip=ip, ip6=ip6)
        except Lost as lost:
            self.carrier.note(place, lost.why, lost.advice)
        except _OTHER_FORM:
            self.carrier.note(place, *_FORM)
        return network

    def _text(self, value: Any) -> str:
        """Text of the file: ``$NAME`` in it becomes an expression."""
        if not isinstance(value, str):
            return self.carrier.literal(value)
        self.carrier.check(value)
        made, last = "", 0
        for found in _READS.finditer(value):
            made += self._piece(value[last : found.start()], before=not found["dollar"])
            last = found.end()
            made += "$" if found["dollar"] else self._read(found)
        return made + self._piece(value[last:], before=False)

    def _piece(self, text: str, *, before: bool) -> str:
        """Text between two variables; a brace *before* one would be taken for a part of its own."""
        if begun := re.search(r"\$\{\w*[:?+-]*", text):
            raise Lost(f"what stands in {begun[0]!r} is not read here", "write an expression {{ }} in its place")
        whole = text.rstrip("{") if before else text
        braces = text[len(whole) :]
        return self.carrier.literal(whole) + (f"{{{{ '{braces}' }}}}" if braces else "")

    def _read(self, found: re.Match[str]) -> str:
        operator = found["operator"] or ""
        if operator.endswith("+"):
            raise Lost(f"{found[0]} is not read here", "write an expression {{ }} in its place")
        default = found["rest"] if operator.endswith("-") else None
        return self.carrier.variable(found["bare"] or found["name"], default)

    # ---- keys that are not written one to one; each gives fields of the step

    def key_environment(self, place: str, value: Any) -> Iterator[tuple[str, Any]]:
        pairs = value if isinstance(value, dict) else dict(str(one).partition("=")[::2] for one in value)
        given = (
            set(pairs)
            if isinstance(value, dict)
            else {name for name in pairs if f"{name}=" in "".join(map(str, value))}
        )
        made: dict[str, Any] = {}
        for name, one in pairs.items():
            read = f"${{{name}}}" if one is None or name not in given else one
            try:
                made[str(name)] = self.carrier.env(f"{place}.{name}", str(name), read, self._text)
            except Lost as lost:
                self.carrier.note(f"{place}.{name}", lost.why, lost.advice)
        yield "env", made

    def key_env_file(self, place: str, _value: Any) -> Iterator[tuple[str, Any]]:
        advice = "write env={**oc.env_file('FILE'), ...}"
        self.carrier.note(place, "what stands in that file is not written here", advice)
        yield from ()

    def key_command(self, _place: str, value: Any) -> Iterator[tuple[str, Any]]:
        yield "command", self._words(value)

    def key_entrypoint(self, _place: str, value: Any) -> Iterator[tuple[str, Any]]:
        yield "entrypoint", self._words(value) or [""]

    def _words(self, value: Any) -> list[str]:
        try:
            words = shlex.split(value) if isinstance(value, str) else list(value)
            self.carrier.check(*words)
            return [self._text(word) for word in words]
        except (ValueError, TypeError) as error:
            raise Lost(str(error), "write its words by hand") from None

    def key_ports(self, _place: str, value: Any) -> Iterator[tuple[str, Any]]:
        yield "publish", [self._port(one) for one in value]

    def _port(self, one: Any) -> str:
        if not isinstance(one, dict):
            return self._text(str(one))
        ip = f"[{one['host_ip']}]" if ":" in str(one.get("host_ip", "")) else one.get("host_ip")
        parts = [str(part) for part in (ip, one.get("published"), one.get("target")) if part]
        return self._text(":".join(parts) + (f"/{one['protocol']}" if one.get("protocol", "tcp") != "tcp" else ""))

    def key_volumes(self, place: str, value: Any) -> Iterator[tuple[str, Any]]:
        for number, one in enumerate(value):
            try:
                yield self._mount(one) if isinstance(one, dict) else ("volumes", [self._volume(str(one))])
            except Lost as lost:
                self.carrier.note(f"{place}.{number}", lost.why, lost.advice)

    def _volume(self, text: str) -> str:
        source, colon, rest = text.partition(":")
        if not colon:
            return self._text(text)
        return f"{self._source(source)}:{self._text(rest)}"

    def _source(self, source: str) -> str:
        if source.startswith((".", "~")):
            raise Lost(f"{source!r} is a path beside the file, which is not on the hosts", "put it there by oc.PutFile")
        if source.startswith(("/", "$")):
            return self._text(source)
        said = (self.document.get("volumes") or {}).get(source)
        said = said if isinstance(said, dict) else {}
        if said.get("driver") or said.get("driver_opts"):
            self.carrier.note(f"volumes.{source}", "its driver is not carried over", "make it by oc.CreateVolume")
        # As compose calls it, so that what is in it stays.
        own = re.sub(r"[^a-z0-9_-]", "", self.name.lower())
        return self._text(str(said.get("name") or (source if said.get("external") else f"{own}_{source}")))

    def _mount(self, said: Mapping[str, Any]) -> tuple[str, Any]:
        kind, source = said.get("type", "volume"), said.get("source")
        fields = {
            "type": kind,
            "source": self._source(str(source)) if source else None,
            "read_only": bool(said.get("read_only")),
            "propagation": (said.get("bind") or {}).get("propagation"),
            "volume_nocopy": bool((said.get("volume") or {}).get("nocopy")),
            "tmpfs_size": (said.get("tmpfs") or {}).get("size"),
            "tmpfs_mode": (said.get("tmpfs") or {}).get("mode"),
        }
        if isinstance(fields["tmpfs_mode"], int):
            fields["tmpfs_mode"] = f"{fields['tmpfs_mode']:04o}"
        for name in ("type", "propagation", "tmpfs_size", "tmpfs_mode"):
            fields[name] = fields[name] and self._text(fields[name])
        try:
            return "mounts", [Mount(self._text(said.get("target")), **fields)]
        except ModelError as error:
            raise Lost(str(error), "write an oc.Mount by hand") from None

    def key_healthcheck(self, _place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        test = value.get("test")
        words = test if isinstance(test, list) else ["CMD-SHELL", test] if test else []
        if value.get("disable") or words[:1] == ["NONE"]:
            yield "no_healthcheck", True
            return
        command = None
        if words:
            texts = self._words(words[1:])
            command = texts[0] if words[0] == "CMD-SHELL" else " ".join(map(shlex.quote, texts))
        times = {"interval": "interval_s", "timeout": "timeout_s", "start_period": "start_period_s",
                 "start_interval": "start_interval_s"}  # fmt: skip
        given = {field: _seconds(value[key]) for key, field in times.items() if key in value}
        try:
            yield "healthcheck", HealthCheck(command, retries=value.get("retries"), **given)
        except ModelError as error:
            raise Lost(str(error), "write an oc.HealthCheck by hand") from None

    def key_stop_grace_period(self, _place: str, value: Any) -> Iterator[tuple[str, Any]]:
        yield "stop_grace_s", int(_seconds(value))

    def key_logging(self, place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        if "driver" in value:
            yield "log_driver", self._text(value["driver"])
        if value.get("options"):
            given = self.carrier.pairs(f"{place}.options", "log_options", value["options"], self._text)
            yield "log_options", given

    def key_ulimits(self, _place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        made = {}
        for name, one in value.items():
            limits = [one["soft"], one["hard"]] if isinstance(one, dict) else [one]
            made[name] = ":".join(map(self._text, limits))
        yield "ulimits", made

    def key_pull_policy(self, _place: str, value: Any) -> Iterator[tuple[str, Any]]:
        known = {"missing": "missing", "if_not_present": "missing", "always": "always", "never": "never"}
        if value not in known:
            raise Lost(f"{value!r} is no way to pull here", "the digest is pinned, so 'missing' does")
        yield "pull", known[value]

    def key_blkio_config(self, place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for key in value:
            if key != "weight":
                self._unknown(f"{place}.{key}", key)
        if "weight" in value:
            yield "blkio_weight", self._text(value["weight"])

    def key_deploy(self, place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        limits = (value.get("resources") or {}).get("limits") or {}
        names = {"cpus": "cpus", "memory": "memory", "pids": "pids_limit"}
        for key, field in names.items():
            if key in limits:
                yield field, self._text(limits[key])
        for key in value:
            if key != "resources" or set(value["resources"]) - {"limits"}:
                self.carrier.note(f"{place}.{key}", "that is for a swarm", "see oc.SwarmService, or leave it out")

    def key_depends_on(self, place: str, value: Any) -> Iterator[tuple[str, Any]]:
        for name, said in value.items() if isinstance(value, dict) else ():
            if isinstance(said, dict) and said.get("condition") == "service_completed_successfully":
                self.carrier.note(f"{place}.{name}", "it shall end, and not keep running", "make it an oc.RunOnce")
        yield from ()

    def key_secrets(self, place: str, value: list[Any]) -> Iterator[tuple[str, Any]]:
        made = {}
        for one in value:
            said = one if isinstance(one, dict) else {"source": one}
            source = str(said.get("source"))
            entry = (self.document.get("secrets") or {}).get(source) or {}
            name = str(entry.get("environment") or source)
            target = str(said.get("target") or source)
            path = target if target.startswith("/") else f"/run/secrets/{target}"
            owner = self._text(f"{said.get('uid', 0)}:{said.get('gid', 0)}")
            mode = said.get("mode", "0444")
            mode = f"{mode:04o}" if isinstance(mode, int) else self._text(mode)
            made[path] = SecretFile(self.carrier.secret(name), owner=owner, mode=mode)
            if "environment" not in entry:
                self.carrier.note(f"{place}.{source}", "its value is not written", f"set {name} where octossh runs")
        yield "secret_files", made

    def key_configs(self, place: str, value: list[Any]) -> Iterator[tuple[str, Any]]:
        made = {}
        for one in value:
            said = one if isinstance(one, dict) else {"source": one}
            source = str(said.get("source"))
            entry = (self.document.get("configs") or {}).get(source) or {}
            if "content" not in entry:
                advice = "write files={'PATH': oc.read_text('FILE')}"
                self.carrier.note(f"{place}.{source}", "the file is not read here", advice)
                continue
            made[str(said.get("target") or f"/{source}")] = self._text(entry["content"])
        yield "files", made


_READS = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[_a-zA-Z]\w*)"
    r"|\{(?P<name>[_a-zA-Z]\w*)(?:(?P<operator>:?[-?+])(?P<rest>[^${}]*))?\})",
    re.ASCII,
)
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(value: Any) -> float:
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", str(value))
    if not parts or "".join(number + unit for number, unit in parts) != str(value):
        raise Lost(f"{value!r} is no duration", "write it in seconds")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts), 6)


def _joined(service: Any) -> dict[str, Any]:
    """The networks that a service joins, with what stands there about each."""
    if not isinstance(service, dict) or "network_mode" in service or service.get("profiles"):
        return {}
    said = service.get("networks") or ["default"]
    if isinstance(said, dict):
        return {str(name): entry for name, entry in said.items()}
    return {str(name): None for name in said} if isinstance(said, list) else {}
