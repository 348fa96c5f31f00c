"""Calls of the stand-in for docker: what each does to what it knows, and says."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from properties.go_templates import Refused, fill, refuse

if TYPE_CHECKING:
    from properties.docker_stand_in import Docker

NEVER = "0001-01-01T00:00:00Z"
SERVER = "20.10.24"
WITH_VALUE = {
    "--name", "--restart", "--label", "--mount", "--ip", "--ip6", "--memory", "--platform", "--user", "--publish", "--volume", "--network", "--network-alias", "--alias", "--stop-timeout",
    "--env", "--env-file", "--pull", "--annotation", "--driver", "--opt", "--subnet", "--gateway", "--format", "--filter", "--tail", "--since", "-t",
}  # fmt: skip


def found(all_: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any] | None:
    """As docker looks things up: by id, by name, else by the beginning of the id where that is the only one."""
    exact = [seen for seen in all_.values() if name in {seen["Id"], seen["Name"].removeprefix("/")}]
    near = exact or [seen for seen in all_.values() if name and seen["Id"].startswith(name)]
    return near[0] if len(near) == 1 else None


class Call:
    """One call of the command."""

    def __init__(self, docker: Docker, environ: Mapping[str, str], stdin: str) -> None:
        self.docker, self.environ, self.stdin = docker, environ, stdin
        self.containers, self.networks, self.volumes = docker.containers, docker.networks, docker.volumes
        self.options: dict[str, list[str]] = {}
        self.flags: set[str] = set()
        self.rest: list[str] = []
        self.complaints: list[str] = []

    def parse(self, args: list[str], *, stop_at_word: bool = False) -> None:
        at = 0
        while at < len(args):
            word = args[at]
            if word.startswith("-") and word != "-" and not (stop_at_word and self.rest):
                if word in WITH_VALUE:
                    at += 1
                    self.options.setdefault(word, []).append(args[at])
                elif "=" in word and word.partition("=")[0] in WITH_VALUE:
                    name, _, given = word.partition("=")
                    self.options.setdefault(name, []).append(given)
                else:
                    self.flags.add(word)
            else:
                self.rest.append(word)
                if stop_at_word:
                    self.rest += args[at + 1 :]
                    return
            at += 1

    def one(self, option: str, default: str = "") -> str:
        return self.options.get(option, [default])[-1]

    def find(self, name: str) -> dict[str, Any]:
        return found(self.containers, name) or refuse(f"Error response from daemon: No such container: {name}")

    def net(self, name: str) -> dict[str, Any]:
        return found(self.networks, name) or refuse(f"Error response from daemon: network {name} not found")

    def run(self, args: list[str]) -> str:
        if self.docker.down:
            raise Refused(
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
            )
        command, *words_ = args
        if command in {"config", "container", "image", "network", "secret", "service", "volume"}:
            command += "_" + words_.pop(0)
        self.parse(words_, stop_at_word=command in {"create", "run", "exec"})
        failing, _, number = self.docker.fails.partition(":")
        self.docker.done[command] += 1
        if command == failing and self.docker.done[command] >= int(number or 1):
            raise Refused(f"Error response from daemon: {command} fails")
        answer: Callable[[], str] | None = getattr(self, f"do_{command}", None)
        if answer is None:
            raise Refused(f"docker: '{command}' is not a docker command.")
        return answer()

    def do_version(self) -> str:
        return fill(self.one("--format"), {"Server": {"Version": SERVER, "Os": "linux", "Arch": "amd64"}})

    def each(self, find: Callable[[str], Any], do: Callable[[Any], Any]) -> str:
        """*do* for each name; what was found is done though others are not."""
        out, wrong = [], []
        for name in self.rest:
            try:
                out.append(do(find(name)) or name)
            except Refused as error:
                wrong.append(str(error))
        if wrong:
            raise Refused("\n".join(wrong), "\n".join(out))
        return "\n".join(out)

    def do_container_inspect(self) -> str:
        template = self.one("--format")
        return self.each(self.find, lambda seen: fill(template, seen))

    def do_network_inspect(self) -> str:
        template = self.one("--format")
        return self.each(self.net, lambda seen: fill(template, seen))

    def do_image_inspect(self) -> str:
        def find(name: str) -> dict[str, Any]:
            images = self.docker.images
            if name.startswith("sha256:"):
                name = images[int(name.removeprefix("sha256:"))]
            if name not in images:
                raise Refused(f"Error response from daemon: no such image: {name}")
            layers = ["sha256:base", f"sha256:of-{name}"]
            return {"Id": f"id-of-{name}", "Config": {}, "RootFS": {"Layers": layers}}

        template = self.one("--format")
        return self.each(find, lambda seen: fill(template, seen))

    def do_inspect(self) -> str:
        """Of whatever kind: it takes the first one of that name."""
        template = self.one("--format")
        everything = [self.containers, self.networks]

        def find(name: str) -> dict[str, Any]:
            of = next((seen for all_ in everything if (seen := found(all_, name))), self.volumes.get(name))
            return of or refuse(f"Error: No such object: {name}")

        return self.each(find, lambda seen: fill(template, seen) or "\n")

    def do_load(self) -> str:
        """The stand-in's own archives: *whole*, or *part* of the layers; and the name of the image."""
        what, _, name = self.stdin.partition(" ")
        if what == "part" and not self.docker.goes_on:
            raise Refused("open /var/lib/docker/tmp/docker-import-1/0123.tar: no such file or directory")
        if what not in {"whole", "part"}:
            raise Refused("unexpected EOF")
        self.docker.images.append(name)
        return f"Loaded image: {name}"

    def do_rmi(self) -> str:
        self.docker.images.remove(self.rest[0])
        return f"Untagged: {self.rest[0]}"

    def do_image_ls(self) -> str:
        return "\n".join(f"sha256:{number}" for number, _ in enumerate(self.docker.images))

    def do_pull(self) -> str:
        if self.rest[0] not in self.docker.registry:
            raise Refused("Error response from daemon: manifest unknown")
        self.docker.images.append(self.rest[0])
        return self.rest[0]

    def do_create(self) -> str:
        name, (image, *command) = self.one("--name"), self.rest
        if image not in self.docker.images:
            # Without the word, docker would pull it.
            assert self.one("--pull") == "never"
            raise Refused(f"Error response from daemon: No such image: {image}")
        if any(seen["Name"] == f"/{name}" for seen in self.containers.values()):
            raise Refused(f'Error response from daemon: Conflict. The container name "/{name}" is already in use')
        env = []
        if self.options.get("--env-file") == ["/dev/stdin"]:
            lines = self.stdin.split("\n")
            env += [line.removesuffix("\r") for line in lines if line and not line.startswith("#")]
        for item in self.options.get("--env", []):
            if "=" in item:
                env.append(item)
            elif item in self.environ:
                env.append(f"{item}={self.environ[item]}")
        restart, _, count = self.one("--restart", "no").partition(":")
        made = os.urandom(32).hex()
        networks = [name for name in self.options.get("--network", ["bridge"]) if name != "none"]
        mounts = [
            dict(cell.partition("=")[::2] for cell in text.split(",")) for text in self.options.get("--mount", [])
        ]
        binds = {mount["target"]: mount["source"] for mount in mounts if mount["type"] == "bind"}
        self.look_for(binds)
        self.containers[made] = {
            "Id": made,
            "Name": f"/{name}",
            "RestartCount": 0,
            "State": {
                "Status": "created",
                "ExitCode": 0,
                "OOMKilled": False,
                "StartedAt": "",
                "FinishedAt": NEVER,
                "Health": None,
            },
            "Created": "2026-01-02T03:04:05.1Z",
            "Binds": binds,
            "HostConfig": {"RestartPolicy": {"Name": restart, "MaximumRetryCount": int(count or 0)}},
            "Config": {
                "Labels": dict(item.split("=", 1) for item in self.options.get("--label", [])),
                "Env": env,
                "Cmd": command,
                "Image": image,
            },
            "NetworkSettings": {"Networks": {self.net(name)["Name"]: {"IPAddress": ""} for name in networks}},
        }
        return made

    def do_run(self) -> str:
        """One that cannot be started stays, as created."""
        if self.docker.fails in {"create", "start"}:
            raise Refused(f"docker: Error response from daemon: {self.docker.fails} fails")
        assert self.flags == {"-d"}
        self.rest = [made := self.do_create()]
        self.do_start()
        return made

    def look_for(self, binds: Mapping[str, str]) -> None:
        for source in binds.values():
            if not Path(source).exists():
                raise Refused(f"Error response from daemon: bind source path does not exist: {source}")

    def do_cp(self) -> str:
        name, _, target = self.rest[1].partition(":")
        seen = self.find(name)
        if target == "/":
            with tarfile.open(fileobj=io.BytesIO(os.fsencode(self.stdin))) as archive:
                for member in archive:
                    text = archive.extractfile(member).read().decode()  # type: ignore[union-attr]
                    seen.setdefault("Files", {})[f"/{member.name}"] = (text, member.mode, member.uid, member.gid)
            return ""
        source = Path(seen["Binds"][target])
        with tarfile.open(fileobj=io.BytesIO(os.fsencode(self.stdin))) as archive:
            for member in archive:
                made = source / member.name
                made.write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
                made.chmod(member.mode)
                os.chown(made, member.uid, member.gid)
        return ""

    def do_start(self) -> str:
        def start(seen: Any) -> None:
            self.look_for(seen["Binds"])
            ways = self.docker.ways.get(seen["Config"]["Image"], "good")
            if ways == "refuses":
                raise Refused(
                    "Error response from daemon: driver failed programming external connectivity: port is in use"
                )
            seen["stopped"] = False
            self.docker.started.append(seen["Name"].removeprefix("/"))
            seen["State"]["Status"] = "exited" if ways in {"ends", "exits", "hungry"} else "running"
            seen["State"]["ExitCode"] = {"exits": 1, "hungry": 137}.get(ways, 0)
            seen["State"]["OOMKilled"] = ways == "hungry"
            seen["State"]["StartedAt"] = "2026-01-02T03:04:05.123456789Z"
            health = {"sick": "unhealthy", "healthy": "healthy", "slow": "starting"}.get(ways)
            seen["State"]["Health"] = {"Status": health, "Log": [{"ExitCode": 1, "Output": "no"}]} if health else None
            for at in seen["NetworkSettings"]["Networks"].values():
                at["IPAddress"] = "172.18.0.2"
            seen["NetworkSettings"]["Networks"].get("host", {})["IPAddress"] = "invalid IP"

        return self.each(self.find, start)

    def do_stop(self) -> str:
        def stop(seen: Any) -> None:
            if seen["State"]["Status"] == "running":
                seen["State"] |= {"Status": "exited", "ExitCode": 137, "Health": None}
                seen["stopped"] = True

        return self.each(self.find, stop)

    def do_rename(self) -> str:
        seen, new = self.find(self.rest[0]), self.rest[1]
        if any(other["Name"] == f"/{new}" for other in self.containers.values()):
            raise Refused("Error response from daemon: Error when allocating new name: Conflict.")
        seen["Name"] = f"/{new}"
        return ""

    def do_update(self) -> str:
        restart, _, count = self.one("--restart").partition(":")
        policy = {"Name": restart, "MaximumRetryCount": int(count or 0)}
        return self.each(self.find, lambda seen: seen["HostConfig"].update(RestartPolicy=policy))

    def do_rm(self) -> str:
        for name in list(self.rest):
            try:
                seen = self.find(name)
            except Refused as error:
                # As docker: with -f, one that is not there is no failure.
                self.complaints.append(str(error))
                self.rest.remove(name)
                continue
            if seen["State"]["Status"] == "running" and "-f" not in self.flags:
                raise Refused("Error response from daemon: You cannot remove a running container")
            del self.containers[seen["Id"]]
        return "\n".join(self.rest)

    def do_logs(self) -> str:
        seen = self.find(self.rest[0])
        chats = self.docker.ways.get(seen["Config"]["Image"]) == "chatty"
        return f"{seen['Name']} says something" + (f" {self.docker.done['logs']} times" if chats else "")

    def do_exec(self) -> str:
        name, *command = self.rest
        if self.find(name)["State"]["Status"] != "running":
            raise Refused(f"Error response from daemon: Container {name} is not running")
        if command != ["true"]:
            raise Refused(" ".join(command))
        return ""

    def listed(self, all_: dict[str, Any], labels: Callable[[Any], dict[str, str]]) -> str:
        shown = []
        for seen in all_.values():
            fits, named = True, []
            for given in self.options.get("--filter", []):
                key, _, wanted = given.partition("=")
                if key == "network":
                    fits &= self.net(wanted)["Name"] in seen["NetworkSettings"]["Networks"]
                elif key == "label":
                    name, _, text = wanted.partition("=")
                    fits &= labels(seen).get(name) == text
                else:
                    name = wanted.strip("^$").removeprefix("/?").replace("\\", "")
                    named.append(name == seen["Name"].removeprefix("/"))
            # As docker: of several names one is enough.
            fits &= any(named) or not named
            if fits:
                name = seen["Name"].removeprefix("/")
                line = {"ID": seen.get("Id"), "Name": name, "Names": name, "Labels": labels(seen)}
                line["Driver"] = seen.get("Driver")
                template = (
                    self.one("--format") if self.options.get("--format") else "{{.ID}}" if "Id" in seen else "{{.Name}}"
                )
                shown.append(fill(template, line))
        return "\n".join(shown)

    def do_ps(self) -> str:
        if self.flags & {"-q", "-aq"} and "--format" in self.options:
            self.complaints.append("WARNING: Ignoring custom format, because both --format and --quiet are set.")
        everything = self.flags & {"-a", "-aq"}
        seen = {key: one for key, one in self.containers.items() if everything or one["State"]["Status"] == "running"}
        return self.listed(seen, lambda one: one["Config"]["Labels"])

    def do_network_ls(self) -> str:
        return self.listed(self.networks, lambda one: one["Labels"])

    def do_network_create(self) -> str:
        name = self.rest[0]
        if any(seen["Name"] == name for seen in self.networks.values()):
            raise Refused(f"Error response from daemon: network with name {name} already exists")
        made = os.urandom(32).hex()
        labels = dict(item.split("=", 1) for item in self.options.get("--label", []))
        self.networks[made] = {"Id": made, "Name": name, "Driver": self.one("--driver"), "Labels": labels}
        return made

    def volume(self, name: str) -> dict[str, Any]:
        return self.volumes.get(name) or refuse(f"Error response from daemon: get {name}: no such volume")

    def do_volume_inspect(self) -> str:
        template = self.one("--format")
        return self.each(self.volume, lambda seen: fill(template, seen))

    def do_volume_ls(self) -> str:
        return self.listed(self.volumes, lambda one: one["Labels"])

    def do_volume_create(self) -> str:
        name = self.rest[0]
        pairs = {key: dict(item.split("=", 1) for item in self.options.get(key, [])) for key in ("--label", "--opt")}
        made = {"Name": name, "Driver": self.one("--driver"), "Labels": pairs["--label"], "Options": pairs["--opt"]}
        made["Mountpoint"] = f"/var/lib/docker/volumes/{name}/_data"
        self.volumes.setdefault(name, made)  # as docker: one that is there stays as it is
        return name

    def do_volume_rm(self) -> str:
        return self.each(self.volume, lambda seen: self.volumes.pop(seen["Name"])["Name"])

    def do_network_connect(self) -> str:
        network, name = self.rest
        joined = self.find(name)["NetworkSettings"]["Networks"]
        if self.net(network)["Name"] in joined:
            raise Refused(f"Error response from daemon: endpoint with name {name} already exists in network {network}")
        joined[self.net(network)["Name"]] = {"IPAddress": ""}
        return ""

    def do_network_disconnect(self) -> str:
        network, name = self.rest
        self.find(name)["NetworkSettings"]["Networks"].pop(self.net(network)["Name"])
        return ""

    def do_network_rm(self) -> str:
        return self.each(self.net, lambda seen: self.networks.pop(seen["Id"])["Name"])

    def swarm(self) -> dict[str, Any]:
        if self.docker.services is None:
            raise Refused("Error response from daemon: This node is not a swarm manager.")
        return self.docker.services

    def service(self, name: str) -> dict[str, Any]:
        return found(self.swarm(), name) or refuse(f"Error: no such service: {name}")

    def do_service_ls(self) -> str:
        return self.listed(self.swarm(), lambda one: one["Spec"]["Labels"])

    def do_service_inspect(self) -> str:
        template = self.one("--format")
        return self.each(self.service, lambda seen: fill(template, seen) or "\n")

    def do_service_rm(self) -> str:
        return self.each(self.service, lambda seen: self.swarm().pop(seen["Id"])["Name"])

    def do_secret_ls(self) -> str:
        self.swarm()
        return ""

    do_config_ls = do_secret_ls
