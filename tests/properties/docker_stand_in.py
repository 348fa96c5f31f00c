"""A stand-in for docker's command, as far as our scripts use it. Its ways were looked up on real docker (28.2 and 20.10).

It keeps its state in the folder above its own, writes down each call, checks after each change that the old and the new
container never run together, and can kill the shell that called it. It imports next to nothing, since it starts often.
"""

from __future__ import annotations

import marshal
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

SERVER = "20.10.24"
WITH_VALUE = {
    "--name", "--restart", "--label", "--publish", "--volume", "--network", "--network-alias", "--alias", "--stop-timeout",
    "--env", "--env-file", "--annotation", "--driver", "--subnet", "--gateway", "--format", "--filter", "--tail", "-t",
}  # fmt: skip


class Refused(Exception):
    """Docker says no."""


# Go templates: text, {{if}}, {{with}}, {{range}}, {{else}}, {{end}}, paths, strings, and/eq/index/json.


def quoted(text: str, at: int) -> tuple[str, int]:
    """The Go string that begins at *at*, and where it ends."""
    made = ""
    at += 1
    while text[at] != '"':
        if text[at] == "\\":
            at += 1
            if text[at] == "u":
                made += chr(int(text[at + 1 : at + 5], 16))
                at += 4
            else:
                made += {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}.get(text[at], text[at])
        else:
            made += text[at]
        at += 1
    return made, at + 1


def words(text: str) -> list[Any]:
    """An expression as nested lists; strings of it as tuples of one."""
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(text):
        if text[at] == '"':
            value, at = quoted(text, at)
            stack[-1].append((value,))
        elif text[at] in "() ":
            if text[at] == "(":
                stack.append([])
            elif text[at] == ")":
                inner = stack.pop()
                stack[-1].append(inner)
            at += 1
        else:
            end = at
            while end < len(text) and text[end] not in '() "':
                end += 1
            stack[-1].append(text[at:end])
            at = end
    return stack[0]


def value(node: Any, dot: Any) -> Any:
    if isinstance(node, tuple):
        return node[0]
    if isinstance(node, str):
        for part in node.split(".")[1:]:
            if part:
                if part == "ID" and "Id" in dot:
                    part = "Id"  # noqa: PLW2901
                if part not in dot:
                    raise Refused(f"template: can't evaluate field {part}")
                dot = dot[part]
        return dot
    name, *given = node
    if name not in {"and", "eq", "index", "json"}:
        assert not given
        return value(name, dot)
    args = [value(arg, dot) for arg in given]
    if name == "and":
        return next((arg for arg in args if not arg), args[-1])
    if name == "eq":
        return args[0] == args[1]
    if name == "index":
        return (args[0] or {}).get(args[1], "")
    import json

    return json.dumps(args[0], ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pieces(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        begin = text.find("{{", at)
        if begin < 0:
            yield "text", text[at:]
            return
        if begin > at:
            yield "text", text[at:begin]
        at = begin + 2
        while text[at : at + 2] != "}}":
            at = quoted(text, at)[1] if text[at] == '"' else at + 1
        yield "action", text[begin + 2 : at].strip()
        at += 2


def block(parts: Iterator[tuple[str, str]]) -> tuple[list[Any], str]:
    nodes: list[Any] = []
    for kind, text in parts:
        word, _, rest = text.partition(" ")
        if kind == "action" and word in {"if", "with", "range"}:
            first, ended = block(parts)
            other: list[Any] = []
            if ended == "else":
                other, _ = block(parts)
            nodes.append((word, words(rest), first, other))
        elif kind == "action" and word in {"else", "end"}:
            return nodes, word
        else:
            nodes.append((kind, text if kind == "text" else words(text), [], []))
    return nodes, ""


def run(nodes: list[Any], dot: Any) -> str:
    made = ""
    for kind, what, first, other in nodes:
        if kind == "text":
            made += what
            continue
        seen = value(what, dot)
        if kind == "action":
            made += str(seen)
        elif kind == "range":
            made += "".join(run(first, item) for item in (seen.values() if isinstance(seen, dict) else seen))
        elif seen:
            made += run(first, seen if kind == "with" else dot)
        else:
            made += run(other, dot)
    return made


def fill(template: str, dot: Any) -> str:
    return run(block(pieces(template))[0], dot)


class Docker:
    """The daemon and its command, for one call."""

    def __init__(self, folder: str, args: list[str]) -> None:
        self.folder, self.args = folder, args
        with open(f"{folder}/state", "rb") as file:
            self.state: dict[str, Any] = marshal.load(file)  # noqa: S302
        self.containers: dict[str, Any] = self.state["containers"]
        self.networks: dict[str, Any] = self.state["networks"]
        self.options: dict[str, list[str]] = {}
        self.flags: set[str] = set()
        self.rest: list[str] = []
        self.stdin = ""

    def save(self) -> None:
        with open(f"{self.folder}/state.new", "wb") as file:
            marshal.dump(self.state, file)
        os.replace(f"{self.folder}/state.new", f"{self.folder}/state")

    def parse(self, args: list[str], *, stop_at_word: bool = False) -> None:
        at = 0
        while at < len(args):
            word = args[at]
            if word.startswith("-") and not (stop_at_word and self.rest):
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
        for seen in self.containers.values():
            if name in {seen["Id"], seen["Name"][1:]}:
                return seen
        near = [seen for seen in self.containers.values() if name and seen["Id"].startswith(name)]
        if len(near) == 1:
            return near[0]
        raise Refused(f"Error response from daemon: No such container: {name}")

    def net(self, name: str) -> dict[str, Any]:
        for seen in self.networks.values():
            if name in {seen["Id"], seen["Name"]}:
                return seen
        near = [seen for seen in self.networks.values() if name and seen["Id"].startswith(name)]
        if len(near) == 1:
            return near[0]
        raise Refused(f"Error response from daemon: network {name} not found")

    def call(self) -> str:
        if self.state["down"]:
            raise Refused("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
        command, *args = self.args
        if command in {"container", "network", "image"}:
            command += "_" + args.pop(0)
        self.parse(args, stop_at_word=command == "create")
        if (command, self.rest[:1]) == (self.state["fails"], [self.state["fails_for"]]) or (
            command == self.state["fails"] and not self.state["fails_for"]
        ):
            raise Refused(f"Error response from daemon: {command} fails")
        answer: Callable[[], str] = getattr(self, f"do_{command}")
        return answer()

    def do_version(self) -> str:
        return fill(self.one("--format"), {"Server": {"Version": SERVER}})

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
        if self.rest[0] not in self.state["images"]:
            raise Refused(f"Error response from daemon: no such image: {self.rest[0]}")
        return fill(self.one("--format"), {})

    def do_pull(self) -> str:
        if self.rest[0] not in self.state["registry"]:
            raise Refused("Error response from daemon: manifest unknown")
        self.state["images"].append(self.rest[0])
        return self.rest[0]

    def do_create(self) -> str:
        name, (image, *command) = self.one("--name"), self.rest
        if image not in self.state["images"]:
            raise Refused(f"Unable to find image '{image}' locally")
        if any(seen["Name"] == f"/{name}" for seen in self.containers.values()):
            raise Refused(f'Error response from daemon: Conflict. The container name "/{name}" is already in use')
        env = []
        if self.options.get("--env-file") == ["/dev/stdin"]:
            lines = self.stdin.split("\n")
            env += [line.removesuffix("\r") for line in lines if line and not line.startswith("#")]
        for item in self.options.get("--env", []):
            if "=" in item:
                env.append(item)
            elif item in os.environ:
                env.append(f"{item}={os.environ[item]}")
        restart, _, count = self.one("--restart", "no").partition(":")
        made = os.urandom(32).hex()
        networks = self.options.get("--network", ["bridge"])
        self.containers[made] = {
            "Id": made,
            "Name": f"/{name}",
            "RestartCount": 0,
            "State": {"Status": "created", "ExitCode": 0, "Health": None},
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

    def do_start(self) -> str:
        def start(seen: Any) -> None:
            ways = self.state["ways"].get(seen["Config"]["Image"], "good")
            if ways == "refuses":
                raise Refused("Error response from daemon: driver failed programming external connectivity: port is in use")
            seen["State"]["Status"] = "exited" if ways == "exits" else "running"
            seen["State"]["ExitCode"] = 1 if ways == "exits" else 0
            health = {"sick": "unhealthy", "healthy": "healthy", "slow": "starting"}.get(ways)
            seen["State"]["Health"] = {"Status": health, "Log": [{"ExitCode": 1, "Output": "no"}]} if health else None
            for at in seen["NetworkSettings"]["Networks"].values():
                at["IPAddress"] = "172.18.0.2"

        return self.each(self.find, start)

    def do_stop(self) -> str:
        def stop(seen: Any) -> None:
            if seen["State"]["Status"] == "running":
                seen["State"] = {"Status": "exited", "ExitCode": 0, "Health": None}

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
                sys.stderr.write(f"{error}\n")
                self.rest.remove(name)
                continue
            if seen["State"]["Status"] == "running" and "-f" not in self.flags:
                raise Refused("Error response from daemon: You cannot remove a running container")
            del self.containers[seen["Id"]]
        return "\n".join(self.rest)

    def do_logs(self) -> str:
        return self.find(self.rest[0])["Name"] + " says something"

    def listed(self, all_: dict[str, Any], labels: Callable[[Any], dict[str, str]]) -> str:
        shown = []
        for seen in all_.values():
            fits = True
            for given in self.options.get("--filter", []):
                key, _, wanted = given.partition("=")
                if key == "label":
                    name, _, text = wanted.partition("=")
                    fits &= labels(seen).get(name) == text
                else:
                    name = wanted.strip("^$").removeprefix("/?").replace("\\", "")
                    fits &= name == seen["Name"].removeprefix("/")
            if fits:
                shown.append(seen["Id"])
        return "\n".join(shown)

    def do_ps(self) -> str:
        if self.flags & {"-q", "-aq"} and "--format" in self.options:
            sys.stderr.write("WARNING: Ignoring custom format, because both --format and --quiet are set.\n")
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

    def do_network_connect(self) -> str:
        network, name = self.rest
        joined = self.find(name)["NetworkSettings"]["Networks"]
        if self.net(network)["Name"] in joined:
            raise Refused(f"Error response from daemon: endpoint with name {name} already exists in network {network}")
        joined[self.net(network)["Name"]] = {"IPAddress": ""}
        return ""

    def do_network_rm(self) -> str:
        return self.each(self.net, lambda seen: self.networks.pop(seen["Id"])["Name"])

    def watch(self, before: list[dict[str, Any]]) -> None:
        """Write down what must never be."""
        after = list(self.containers.values())
        up = [seen["Name"] for seen in after if seen["State"]["Status"] == "running" and seen["Config"]["Labels"]]
        wrong = []
        if len(up) > 1:
            wrong.append(f"{up} run together")
        was_up = [seen for seen in before if seen["Status"] == "running"]
        if was_up and not up and not after:
            wrong.append(f"{was_up[0]['Name']} is gone, and there is nothing to take its place")
        if wrong:
            with open(f"{self.folder}/wrong", "a", encoding="utf-8") as file:
                file.write("".join(f"{self.args[:4]}: {line}\n" for line in wrong))


def main(program: str) -> None:
    folder = os.path.dirname(os.path.dirname(program))
    with open("/proc/self/cmdline", "rb") as file:
        raw = file.read()
    with open("/proc/self/environ", "rb") as file:
        environ = file.read()
    args = [os.fsdecode(word) for word in raw.split(b"\0")[3:-1]]
    stdin = sys.stdin.buffer.read() if "/dev/stdin" in args else b""
    number = len(os.listdir(f"{folder}/calls"))
    with open(f"{folder}/calls/{number:04}", "wb") as file:
        marshal.dump((raw, environ, stdin), file)
    docker = Docker(folder, args)
    docker.stdin = os.fsdecode(stdin)
    kill_at, when = docker.state["kill_at"], docker.state["kill_when"]
    if number == kill_at and when == "before":
        os.killpg(0, signal.SIGKILL)
    before = [{"Name": one["Name"], "Status": one["State"]["Status"]} for one in docker.containers.values()]
    if docker.state["noise"]:
        sys.stderr.write("WARNING: Error loading config file: /root/.docker/config.json: permission denied\n")
    code = 0
    try:
        said, complaint = docker.call(), ""
    except Refused as error:
        code, complaint, said = 1, str(error.args[0]), "".join(error.args[1:])
    docker.watch(before)
    docker.save()
    if number == kill_at and when == "after":
        os.killpg(0, signal.SIGKILL)
    sys.stdout.buffer.write(os.fsencode(said + "\n" if said else said))
    if complaint:
        sys.stderr.write(complaint + "\n")
    sys.stdout.flush()
    os._exit(code)
