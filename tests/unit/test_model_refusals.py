"""A wrong description: one paragraph that names the subject, what is wrong, and what to do. Nothing is sent anywhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import octossh as oc
from octossh.octofiles import targets_of_hosts

hub = oc.Registry("hub", "https://registry.example.com")
IMAGE = hub.image("acme/web")


def container(name="web", **fields):
    return oc.RunContainer(name, **{"image": IMAGE, **fields})


def beside(**fields):
    more = {"networks": ["back", "front"], "strategy": oc.StartFirst(network="front")}
    return container(**more | fields)


def script(name="do", text="true", **fields):
    return oc.RunScript(name, script=text, **fields)


def project(*steps, **fields):
    return oc.Project("shop", process=steps or [script()], **fields)


def release(number, *steps):
    process = oc.Process(steps or [script()])
    return oc.Release(project="shop", number=number, channel="c", process=process, created_at=datetime.now(UTC))


def variable(name, **scope):
    return oc.Variable(name, 1, **scope)


WRONG = {
    # images and registries
    "image with a tag": (lambda: hub.image("acme/web:1.0"), ["'acme/web:1.0'", "leave the tag or digest out"]),
    "image with a digest": (lambda: hub.image("acme/web@sha256:" + "a" * 64), ["leave the tag or digest out"]),
    "image in capitals": (lambda: hub.image("Acme/Web"), ["'Acme/Web'", "small letters"]),
    "image without a name": (lambda: hub.image(""), ["''", "such as 'acme/web'"]),
    "image that is no text": (lambda: hub.image(5), ["5", "such as 'acme/web'"]),
    "image with a slash too many": (lambda: hub.image("acme//web"), ["'acme//web'", "not a repository name"]),
    "registry without a scheme": (lambda: oc.Registry("hub", "registry.example.com"), ["'registry.example.com'", "write it as"]),
    "registry with a path": (lambda: oc.Registry("hub", "https://r.example/acme"), ["has a path", "'acme'", "in front"]),
    "registry with a password": (lambda: oc.Registry("hub", "https://u:geheim@r.example"), ["holds a password", "octossh.Basic"]),
    "registry with a host that is none": (lambda: oc.Registry("hub", 'https://EVIL"/'), ["'EVIL\"' is no host", "write a host name"]),
    "registry with a port that is none": (lambda: oc.Registry("hub", "https://r.example:x"), ["'r.example:x' is no host", "':PORT'"]),
    "registry with half an address": (lambda: oc.Registry("hub", "https://[::1"), ["'https://[::1'", "write it as"]),
    "registry with another login": (lambda: oc.Registry("hub", "https://r", auth=("u", "geheim")), ["'hub'", "auth", "octossh.Basic"]),
    "registry path with a scheme": (lambda: oc.Registry("hub", "https://r", registry_path="https://p.example"), ["'https://p.example'", "scheme; leave it out"]),
    "registry path with a login": (lambda: oc.Registry("hub", "https://r", registry_path="u:geheim@p.example"), ["holds a login", "octossh.Basic"]),
    "registry path with a tag": (lambda: oc.Registry("hub", "https://r", registry_path="p.example/web:1"), ["'p.example/web:1' is none", "write it as"]),
    "registry path with a slash too many": (lambda: oc.Registry("hub", "https://r", registry_path="p.example/"), ["'p.example/' is none"]),
    "registry path that docker takes for a user": (lambda: oc.Registry("hub", "https://r", registry_path="mirror/acme"), ["a user of Docker Hub", "'mirror:443'"]),
    "login of hosts": (lambda: oc.Registry("hub", "https://r", host_login="tokens"), ["'tokens'", "one of", "'token'", "'password'"]),
    "registry path of nothing": (lambda: oc.Registry("hub", "https://r", registry_path=""), ["'' is none"]),
    "registry with the path of its API": (lambda: oc.Registry("hub", "https://index.docker.io/v1/"), ["leave '/v1/' out"]),
    "registry with a key alone": (lambda: oc.Registry("hub", "https://r", key="k.pem"), ["'hub'", "no cert"]),
    "image with its host": (lambda: oc.Registry("r", "https://r.example").image("r.example/acme/web"), ["begins with a host", "'acme/web'"]),
    "image of the hub with a host": (lambda: oc.Registry("h", "https://docker.io").image("ghcr.io/acme/web"), ["begins with a host"]),
    "password in clear": (lambda: oc.Basic("u", "geheim"), ["password", "octossh.secret"]),
    "name of a secret": (lambda: oc.secret("a b"), ["'a b'", "no name of a secret", "use letters"]),
    # names
    "step without a name": (lambda: script(""), ["step", "give it some text"]),
    "step with two lines": (lambda: script("a\nb"), ["'a\\nb'", "one line"]),
    "step written from the right": (lambda: script("a\u202eb"), [r"'a\u202eb'", "turns the writing around"]),
    "target with a mark of direction": (lambda: oc.Target("h\u061c01", "h01"), ["target", "turns the writing around"]),
    "step that docker cannot name": (lambda: script("日本"), ["step '日本'", "letter a-z or a digit"]),
    "project without a name": (lambda: oc.Project(None, process=[script()]), ["project", "give it some text"]),
    # fields
    "image as text": (lambda: container(image="acme/web:1"), ["RunContainer 'web'", "image", "Registry(...).image("]),
    "roles as text": (lambda: script(roles="web"), ["RunScript 'do'", "roles", "write ['web']"]),
    "roles of numbers": (lambda: script(roles=[1]), ["RunScript 'do'", "roles", "1 is none", "quotes"]),
    "roles of nothing": (lambda: script(roles=None), ["RunScript 'do'", "roles", "leave it out"]),
    "command as text": (lambda: container(command="sleep 5"), ["RunContainer 'web'", "command", "write ['sleep 5']"]),
    "network name that is none": (lambda: container(networks=["my net"]), ["RunContainer 'web'", "networks", "'my net'", "network name"]),
    "alias without a network": (lambda: container(aliases=["db"]), ["RunContainer 'web'", "aliases", "add networks"]),
    "port mapping": (lambda: container(publish=["80:http"]), ["RunContainer 'web'", "publish", "'80:http'", "write '8080:80'"]),
    "port above the highest": (lambda: container(publish=["70000:80"]), ["'web'", "port 70000", "65535"]),
    "address of a port mapping": (lambda: container(publish=["999.0.0.1:80:80"]), ["'web'", "'999.0.0.1'", "not an IP address"]),
    "port mapping as a number": (lambda: container(publish=[80]), ["'web'", "publish", "80", "quotes"]),
    "volume": (lambda: container(volumes=["data"]), ["RunContainer 'web'", "volumes", "'data'", "write '/on/host:/in/container'"]),
    "relative volume": (lambda: container(volumes=["./data:/data"]), ["'web'", "volumes", "'./data:/data'"]),
    "restart": (lambda: container(restart="never"), ["RunContainer 'web'", "restart", "'never'", "unless-stopped"]),
    "restart as a boolean": (lambda: container(restart=False), ["'web'", "restart", "False", "quotes"]),
    "environment that is a list": (lambda: container(env=["A=1"]), ["RunContainer 'web'", "env", "mapping", "write {"]),
    "environment with a blank": (lambda: container(env={"A B": "1"}), ["'web'", "'A B'", "no blank"]),
    "environment of lists": (lambda: container(env={"A": [1]}), ["'web'", "A", "[1]", "octossh.secret"]),
    "environment of nothing": (lambda: container(env={"A": None}), ["'web'", "A", "None"]),
    "environment with a NUL": (lambda: container(env={"A": "\0"}), ["'web'", "A", "NUL", "take it out"]),
    "label of ours": (lambda: container(labels={"octossh.step": "x"}), ["'web'", "'octossh.step'", "does not start with"]),
    "label that is a number": (lambda: container(labels={"a": 1}), ["'web'", "label a", "1 is not text"]),
    "container name": (lambda: container(container_name="a b"), ["'web'", "container_name", "'a b'", "docker name"]),
    "health that is a path": (lambda: container(health="/health"), ["RunContainer 'web'", "health", "'/health'", "octossh.Http"]),
    "health port": (lambda: oc.Http(0), ["health port 0", "1 to 65535"]),
    "health path": (lambda: oc.Http(80, "health"), ["health path 'health'", "write it as '/health'"]),
    "health status": (lambda: oc.Http(80, status="ok"), ["Http", "status", "'ok'", "'200-399'"]),
    "health status that runs backwards": (lambda: oc.Http(80, status="399-200"), ["Http", "status", "'399-200'"]),
    "health header of two lines": (lambda: oc.Http(80, headers={"A": "1\n2"}), ["Http", "headers", "A", "one line"]),
    "health host among the headers": (lambda: oc.Http(80, headers={"host": "a"}), ["Http", "'host'", "field of its own"]),
    "health timeout": (lambda: oc.Tcp(80, timeout_s=0), ["timeout_s", "0", "from 1 to 3600"]),
    "health by a command that is one text": (lambda: oc.Command("pg_isready"), ["Command", "words", "['pg_isready']"]),
    "health by no command": (lambda: oc.Command([]), ["the command is empty", "['pg_isready', '-q']"]),
    "health by a log of two lines": (lambda: oc.LogLine("a\nb"), ["LogLine", "text", "one line"]),
    "seconds below zero": (lambda: container(monitor_s=-1), ["monitor_s", "-1", "from 0 to 86400"]),
    "seconds as text": (lambda: container(healthy_timeout_s="5"), ["healthy_timeout_s", "'5'", "give seconds"]),
    "seconds that are none": (lambda: container(timeout_s=float("nan")), ["timeout_s", "nan", "give seconds"]),
    "half a second of grace": (lambda: container(stop_grace_s=0.5), ["RunContainer 'web'", "stop_grace_s", "0.5", "whole number"]),
    "strategy": (lambda: container(strategy="replace"), ["RunContainer 'web'", "strategy", "octossh.Replace"]),
    "start-first with a port of the host": (lambda: beside(publish=["127.0.0.1:8080:80"]), ["'web'", "port 8080 of the host", "'127.0.0.1::80'", "Replace()"]),
    "start-first with a range of ports": (lambda: beside(publish=["8080-8081:80-81"]), ["'web'", "port 8080 of the host"]),
    "start-first in the host's network": (lambda: beside(network_mode="host", networks=[]), ["'web'", "'host' share its ports", "Replace()"]),
    "start-first with an address": (lambda: beside(networks=["back", oc.Join("front", ip="10.0.0.9")]), ["'web'", "ip can be had by one", "Replace()"]),
    "start-first with aliases at once": (lambda: beside(aliases=["web"], strategy=oc.StartFirst()), ["'web'", "only once it is healthy", "StartFirst(network='...')"]),
    "start-first with aliases elsewhere": (lambda: beside(networks=[oc.Join("back", aliases=["web"]), "front"]), ["'web'", "'back'", "give aliases=[...] to the step"]),
    "start-first by a network that it does not join": (lambda: beside(networks=["back", "other"]), ["'web'", "'front'", "add it to networks"]),
    "start-first in one network": (lambda: beside(networks=["front"]), ["'web'", "another network to start in", "['bridge', 'front']"]),
    "start-first that never drains": (lambda: oc.StartFirst(drain_s=-1), ["drain_s", "-1", "give seconds"]),
    "start-first that drains by one text": (lambda: oc.StartFirst(drain="touch /down"), ["StartFirst", "drain", "['touch /down']"]),
    "rolling over nobody": (lambda: script(rolling=0), ["RunScript 'do'", "rolling", "0", "such as '25%'"]),
    "rolling over too many": (lambda: script(rolling=["120%"]), ["RunScript 'do'", "rolling", "'120%'"]),
    "rolling without a size": (lambda: script(rolling=[]), ["RunScript 'do'", "rolling needs a size", "such as 1"]),
    "rolling by a switch": (lambda: oc.Rolling(True), ["True", "neither a number of hosts"]),
    "subnet with host bits": (lambda: oc.CreateNetwork("net", subnet="10.0.0.1/24"), ["CreateNetwork 'net'", "subnet", "'10.0.0.1/24'", "host bits"]),
    "gateway": (lambda: oc.CreateNetwork("net", subnet="10.0.0.0/24", gateway="x"), ["'net'", "gateway", "'x'", "IP address"]),
    "gateway alone": (lambda: oc.CreateNetwork("net", gateway="10.0.0.1"), ["CreateNetwork 'net'", "subnet", "add"]),
    "switch as text": (lambda: oc.CreateNetwork("net", internal="no"), ["CreateNetwork 'net'", "internal", "'no'", "True or False"]),
    "networks that shall only stop": (lambda: oc.StopResource("stop", networks=True, remove=False), ["StopResource 'stop'", "remove=True"]),
    "volumes that shall only stop": (lambda: oc.StopResource("stop", volumes=True, remove=False), ["StopResource 'stop'", "volume", "remove=True"]),
    "releases that nobody knows": (lambda: oc.StopResource("stop", releases="old"), ["StopResource 'stop'", "'old'", "'older'"]),
    "option that is a switch": (lambda: oc.CreateVolume("data", options={"x": True}), ["CreateVolume 'data'", "options", "True", "text nor a number"]),
    "option without a name": (lambda: oc.CreateVolume("data", options={"a=b": 1}), ["CreateVolume 'data'", "options", "'a=b'"]),
    "file without a root": (lambda: oc.PutFile("conf", "etc/x", content=""), ["PutFile 'conf'", "path", "'etc/x'", "absolute"]),
    "file with a way back": (lambda: oc.PutFile("conf", "/etc/../x", content=""), ["PutFile 'conf'", "path", "plain path"]),
    "file of bytes": (lambda: oc.PutFile("conf", "/x", content=b""), ["PutFile 'conf'", "content", "bytes", "octossh.secret"]),
    "file with a NUL": (lambda: oc.PutFile("conf", "/x", content="a\0b"), ["PutFile 'conf'", "content", "NUL"]),
    "file that is large": (lambda: oc.PutFile("conf", "/x", content="x" * 2**21), ["PutFile 'conf'", "content", "1 MiB"]),
    "mode as a number": (lambda: oc.PutFile("conf", "/x", content="", mode=0o644), ["PutFile 'conf'", "mode", "420", "'0644'"]),
    "mode that is none": (lambda: oc.PutFile("conf", "/x", content="", mode="rw"), ["PutFile 'conf'", "mode", "'rw'", "octal"]),
    "folder that nobody enters": (lambda: oc.PutFile("conf", "/x", content="", folder_mode="0600"), ["PutFile 'conf'", "folder_mode", "'0700'"]),
    "owner with a blank": (lambda: oc.PutFile("conf", "/x", content="", owner="a b"), ["PutFile 'conf'", "owner", "'a b'"]),
    "check as one text": (lambda: oc.PutFile("conf", "/x", content="", validate="nginx -t"), ["PutFile 'conf'", "validate", "['nginx -t']"]),
    "reload by nothing": (lambda: oc.PutFile("conf", "/x", content="", reload=[]), ["PutFile 'conf'", "reload", "empty"]),
    "text of a file that is not there": (lambda: oc.read_text("/no/such"), ["'/no/such'", "cannot be read", "another path"]),
    "image that is text": (lambda: oc.PullImage("ahead", image="acme/web"), ["PullImage 'ahead'", "image", "Registry"]),
    "waves of one host": (lambda: oc.RunOnce("migrate", image=hub.image("acme/web"), rolling=1), ["RunOnce 'migrate'", "one target", "leave out rolling"]),
    "silence of no time": (lambda: oc.RunOnce("migrate", image=hub.image("acme/web"), idle_timeout_s=0), ["RunOnce 'migrate'", "idle_timeout_s is 0", "any silence"]),
    "silence that nobody hears": (lambda: oc.RunOnce("migrate", image=hub.image("acme/web"), idle_timeout_s=5, log_driver="none"), ["RunOnce 'migrate'", "log_driver='none'", "another driver"]),
    "outputs that are no path": (lambda: oc.RunOnce("migrate", image=hub.image("acme/web"), outputs="out"), ["RunOnce 'migrate'", "outputs", "'/outputs'"]),
    "shell that nobody has": (lambda: oc.RunScript("do", script="true", shell="zsh"), ["RunScript 'do'", "'zsh'", "python3"]),
    "place that is none": (lambda: oc.RunScript("do", script="true", where="here"), ["RunScript 'do'", "where", "'here'", "'controller'"]),
    "role on the controller": (lambda: oc.RunScript("do", script="true", where="controller", roles=["web"]), ["RunScript 'do'", "on the controller", "where='controller'"]),
    "image on the controller": (lambda: oc.RunScript("do", script="true", where="controller", image=hub.image("a")), ["RunScript 'do'", "on the controller"]),
    "network without a container": (lambda: oc.RunScript("do", script="true", network="net"), ["RunScript 'do'", "image="]),
    "expression in quotes of Python": (lambda: oc.RunScript("do", script="x = 1\ny = 'a {{ A }}'", shell="python3"), ["RunScript 'do'", "line 2", "inside quotes"]),
    "expression in long quotes of Python": (lambda: oc.RunScript("do", script='x = """it\'s\n{{ A }}"""', shell="python3"), ["line 2", "inside quotes"]),
    "line of no container": (lambda: oc.WaitFor("w", oc.LogLine("x")), ["WaitFor 'w'", "which container", "container="]),
    "container of the controller": (lambda: oc.WaitFor("w", oc.Tcp(1), container="x", where="controller"), ["WaitFor 'w'", "leave out one"]),
    "waiting for a number": (lambda: oc.WaitFor("w", 8080), ["WaitFor 'w'", "probe", "8080", "Http, Tcp"]),
    "address that is a URL": (lambda: oc.WaitFor("w", oc.Tcp(1), address="http://x"), ["WaitFor 'w'", "address", "host name or an IP"]),
    "approval on a host": (lambda: oc.Approve("go", roles=["web"]), ["Approve 'go'", "no target", "roles"]),
    "approver that is a text": (lambda: oc.Approve("go", approvers="ada"), ["Approve 'go'", "approvers", "['ada']"]),
    "approval of nobody": (lambda: oc.Approval(True, by=""), ["name of whoever gives it"]),
    "approval that is a word": (lambda: oc.Approval("yes", by="ada"), ["approved", "'yes'", "True or False"]),
    "script that is a list": (lambda: script(text=["true"]), ["RunScript 'do'", "script", "not text"]),
    "script with line ends of DOS": (lambda: script(text="true\r\n"), ["RunScript 'do'", "carriage return", "take it out"]),
    "expression in single quotes": (lambda: script(text="true\necho '{{ A }}'"), ["RunScript 'do'", "line 2", "inside quotes", "close the quotes"]),
    "expression in double quotes": (lambda: script(text='x="a {{ A }} b"'), ["RunScript 'do'", "line 1", "| raw"]),
    # processes
    "process without steps": (lambda: oc.Project("shop", process=[]), ["Project 'shop'", "needs a step"]),
    "process of something else": (lambda: oc.Project("shop", process=["web"]), ["Project 'shop'", "Steps", "'web' is none"]),
    "two steps of one name": (lambda: project(script("a"), script("a")), ["two steps 'a'", "another name"]),
    "two steps of one docker name": (lambda: project(script("a b"), script("A-B")), ["'a b'", "'A-B'", "same docker name", "rename"]),
    "variable that is not there": (lambda: project(script(text="echo {{ Cuont }}"), variables=[variable("Count")]), ["'shop'", "'do'", "script", "'Cuont'", "did you mean 'Count'?"]),
    "variable where there is none": (lambda: project(container(env={"A": "{{ XyzXyz }}"})), ["'web'", "env A", "'XyzXyz'", "there is"]),
    "step that is not there": (lambda: project(script("web"), script(text="{{ steps.wbe.outputs.A }}")), ["'shop'", "'do'", "'wbe'", "did you mean 'web'?"]),
    "step that comes later": (lambda: project(script(text="{{ steps.web.outputs.A }}"), script("web")), ["'do'", "no step before it", "'web'"]),
    "step that is itself": (lambda: project(script(text="{{ steps['do'].outputs.A }}")), ["'do'", "no step before it"]),
    "expression that is none": (lambda: project(script(text="{{ A")), ["'shop'", "'do'", "not a Jinja expression", "write {{ Name }}"]),
    "stopping a step in another spelling": (lambda: project(container("First Server"), oc.StopResource("stop", steps=["first server"])), ["'stop'", "'first server'", "did you mean 'First Server'?"]),
    # variables
    "variable of a list": (lambda: oc.Variable("A", [1]), ["variable 'A'", "[1]", "octossh.secret"]),
    "variable of nothing": (lambda: oc.Variable("A", None), ["variable 'A' has no value", "or a prompt"]),
    "variable that nobody is asked for": (lambda: oc.Variable("A", 1, required=True), ["variable 'A'", "asked for by nobody", "a prompt"]),
    "variable with an empty prompt": (lambda: oc.Variable("A", prompt=" "), ["variable 'A'", "prompt is empty"]),
    "sensitive variable in clear": (lambda: oc.Variable("A", "x", prompt="A?", sensitive=True), ["variable 'A'", "octossh.secret"]),
    "variable that is no number": (lambda: oc.Variable("A", float("nan")), ["variable 'A'", "nan", "write it as text"]),
    "name of a variable": (lambda: oc.Variable("a-b", 1), ["'a-b'", "letters, digits and _"]),
    "name that is taken": (lambda: oc.Variable("target", 1), ["'target'", "choose another"]),
    "scope of two": (lambda: oc.Variable("A", 1, environment=["Dev", "Test"]), ["variable 'A'", "environment", "define the variable once more"]),
    "scope of nothing": (lambda: oc.Variable("A", 1, role=""), ["variable 'A'", "''", "role"]),
    "name that is a number": (lambda: oc.Variable(1, 1), ["variable 1", "letters"]),
    "step scope": (lambda: project(container(), variables=[variable("A", step="wbe")]), ["'shop'", "'A'", "step 'wbe'", "did you mean 'web'?"]),
    "channel scope": (lambda: project(channels=[oc.Channel("stable")], variables=[variable("A", channel="stabel")]), ["'A'", "channel 'stabel'", "did you mean 'stable'?"]),
    "environment scope": (lambda: project(lifecycle=oc.Lifecycle("Dev"), variables=[variable("A", environment="Dve")]), ["'A'", "environment 'Dve'", "did you mean 'Dev'?"]),
    # channels, lifecycles
    "range": (lambda: oc.Channel("stable", "[1.0,2.0"), ["channel 'stable'", "'[1.0,2.0'", "closing bracket"]),
    "range that is a number": (lambda: oc.Channel("stable", 1.0), ["channel 'stable'", "1.0", "quotes"]),
    "prerelease": (lambda: oc.Channel("next", prerelease="(rc"), ["channel 'next'", "'(rc'", "no regular expression at position 1"]),
    "tag rule": (lambda: oc.Channel("next", tag=5), ["channel 'next'", "5", "quotes"]),
    "mode": (lambda: oc.Channel("next", mode="semvre"), ["channel 'next'", "'semvre'", "did you mean 'semver'?"]),
    "range of another mode": (lambda: oc.Channel("next", "[1.0-alpine,2)"), ["channel 'next'", "'alpine'", "variant="]),
    "age": (lambda: oc.Channel("next", min_age_days="3d"), ["channel 'next'", "min_age_days '3d'", "number of days"]),
    "rule of an image": (lambda: oc.Channel("next", rules={"acme/web": "[1,2)"}), ["'next'", "'acme/web'", "octossh.versions.Rule"]),
    "rules without images": (lambda: oc.Channel("next", rules="[1,2)"), ["'next'", "field rules", "mapping"]),
    "rule for an image that nobody runs": (lambda: project(container(), channels=[oc.Channel("a", rules={"acme/wbe": oc.versions.Rule()})]), ["'shop'", "channel 'a'", "'acme/wbe'", "did you mean 'acme/web'?"]),
    "two channels": (lambda: project(channels=[oc.Channel("a"), oc.Channel("a")]), ["'shop'"[:0], "two channels 'a'", "another name"]),
    "channel for an image that nobody runs": (lambda: project(container(), channels=[oc.Channel("a", images=["acme/wbe"])]), ["'shop'", "channel 'a'", "'acme/wbe'", "did you mean 'acme/web'?"]),
    "channel that is none": (lambda: project(channels=["stable"]), ["Project 'shop'", "channels", "'stable' is none"]),
    "unknown channel": (lambda: project(channels=[oc.Channel("stable")]).channel("stabel"), ["'shop'", "'stabel'", "did you mean 'stable'?"]),
    "lifecycle without environments": (lambda: oc.Lifecycle(), ["needs an environment", "such as"]),
    "lifecycle with a number": (lambda: oc.Lifecycle("Dev", 5), ["phase 5", "lifecycle"]),
    "environment twice": (lambda: oc.Lifecycle("Dev", ("Test", "Dev")), ["'Dev' stands twice", "name it once"]),
    "phase without environments": (lambda: oc.Lifecycle("Dev", ()), ["phase", "leave the phase out"]),
    "phase with a minimum of nothing": (lambda: oc.Phase("Sites", ["A", "B"], minimum=0), ["'Sites'", "0", "optional=True"]),
    "phase with too high a minimum": (lambda: oc.Phase("Sites", ["A", "B"], minimum=3), ["'Sites'", "3", "2 environments"]),
    "automatic for another environment": (lambda: oc.Phase("Sites", ["Rome"], automatic=["Rom"]), ["'Sites'", "'Rom'", "did you mean 'Rome'?"]),
    "phase without a name and environments": (lambda: oc.Phase(), ["no environment", "leave the phase out"]),
    "phase with a number for a name": (lambda: oc.Phase(5), ["5", "Phase('Tests'"]),
    "first phase by itself": (lambda: oc.Lifecycle(oc.Phase("Dev", automatic=True), "Test"), ["'Dev'", "first one", "release create"]),
    "two phases of one name": (lambda: oc.Lifecycle(oc.Phase("A", ["B"]), oc.Phase("A", ["C"])), ["two phases 'A'", "another name"]),
    "keeping nothing": (lambda: oc.Keep(), ["neither", "keep=5"]),
    "keeping no release": (lambda: oc.Lifecycle("Dev", keep=0), ["0 releases", "from 1"]),
    "keeping a text": (lambda: oc.Phase("Dev", keep="5"), ["'5'", "octossh.Keep"]),
    "lifecycle of a channel": (lambda: oc.Channel("a", lifecycle=["Dev"]), ["Channel 'a'", "lifecycle", "octossh.Lifecycle"]),
    "lifecycle that is a list": (lambda: project(lifecycle=["Dev"]), ["Project 'shop'", "lifecycle", "octossh.Lifecycle"]),
    "mask": (lambda: project(release_number="1.0"), ["'1.0'", "write a mask", "'0.0.i'"]),
    # targets
    "target without an address": (lambda: oc.Target("h01", ""), ["target 'h01'", "no address", "give a host name"]),
    "target with a user in the address": (lambda: oc.Target("h01", "deploy@10.0.0.1"), ["'h01'", "'deploy@10.0.0.1'", "fields of their own"]),
    "docker with a sudo that asks": (lambda: oc.Target("h01", "h01", docker=["sudo", "docker"]), ["'h01'", "type a password", "['sudo', '-n', 'docker']"]),
    "docker with shell in it": (lambda: oc.Target("h01", "h01", docker="docker; id"), ["'h01'", "'docker;' cannot be part of"]),
    "docker with an open quote": (lambda: oc.Target("h01", "h01", docker="'docker"), ["'h01'", "docker", "without its other half"]),
    "docker without words": (lambda: oc.Target("h01", "h01", docker=[]), ["'h01'", "no words", "leave it out"]),
    "docker with a variable first": (lambda: oc.Target("h01", "h01", docker="A=b docker"), ["'h01'", "'A=b' is no command"]),
    "docker_host by the network": (lambda: oc.Target("h01", "h01", docker_host="tcp://h02:2375"), ["'h01'", "'tcp://h02:***'", "unix:///run/user/1000/docker.sock"]),
    "target with a port in the address": (lambda: oc.Target("h01", "10.0.0.1:22"), ["'h01'", "'10.0.0.1:***'", "fields of their own"]),
    "target with a command for a zone": (lambda: oc.Target("h01", "fe80::1%$(id)"), ["'h01'", "'fe80:***'", "neither a host name"]),
    "target with an option for an address": (lambda: oc.Target("h01", "-oProxyCommand=x"), ["'h01'", "neither a host name"]),
    "port as text": (lambda: oc.Target("h01", "h", port="22"), ["target 'h01'", "port '22'", "leave it out for 22"]),
    "port as a switch": (lambda: oc.Target("h01", "h", port=True), ["target 'h01'", "port True"]),
    "port above the highest one": (lambda: oc.Target("h01", "h", port=65536), ["target 'h01'", "65536"]),
    "user": (lambda: oc.Target("h01", "h", user="-l root"), ["target 'h01'", "'-l ***'", "such as 'deploy'"]),
    "roles of a target": (lambda: oc.Target("h01", "h", roles="web"), ["Target 'h01'", "roles", "write ['web']"]),
    "environments of a target": (lambda: oc.Target("h01", "h", environments="Dev"), ["Target 'h01'", "environments", "write ['Dev']"]),
    # releases
    "digest": (lambda: oc.Pin(image=IMAGE, tag="1", digest="sha256:abc"), ["'sha256:abc'", "64 hex digits"]),
    "release without a number": (lambda: release(""), ["release number ''", "such as '1.4.0'"]),
    "release number of two words": (lambda: release("a b"), ["release number 'a b'", "such as '1.4.0'"]),
    "release number that means another": (lambda: release("latest"), ["'latest'", "such as '1.4.0'"]),
    "release without a digest": (lambda: release("1", container()), ["release '1'", "registry.example.com/acme/web", "resolve its tag"]),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_description_is_told_in_one_paragraph(what):
    make, words = WRONG[what]
    with pytest.raises(oc.ModelError) as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message
    assert "geheim" not in message
    assert (caught.value.exit_code, caught.value.hosts) == (2, oc.Hosts.UNTOUCHED)
    assert isinstance(caught.value, ValueError)


RIGHT = {
    "expression outside of quotes": lambda: script(text="echo 'a'{{ A }}\"b\""),
    "raw expression in quotes": lambda: script(text="echo '{{ A | raw }}'"),
    "expression after a quote in a comment": lambda: script(text="# don't\necho {{ A }}"),
    "expression after an escaped quote": lambda: script(text="echo \\' {{ A }}"),
    "port of an expression": lambda: container(publish=["{{ Port }}:80"]),
    "address of version 6": lambda: container(publish=["[::1]:80:80/tcp"]),
    "address of a link": lambda: oc.Target("h01", "fe80::1"),
    "name of a service": lambda: oc.Target("h01", "_srv.example.com."),
    "stopping a step of the past": lambda: project(container(), oc.StopResource("stop", steps=["gone"])),
    "seconds of zero": lambda: container(monitor_s=0, stop_grace_s=0),
    "rolling by one": lambda: script(rolling=1),
    "a variable of two values in two environments": lambda: project(
        variables=[variable("A", environment="x"), variable("A", environment="y")]
    ),
    "tuples and sets as well as lists": lambda: container(roles={"b", "a"}, command=("x",), networks=iter(["n"])),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_only_looks_wrong_is_taken(what):
    RIGHT[what]()


def test_numbers_and_switches_in_the_environment_become_text():
    made = container(env={"B": True, "A": 1.5, "C": "x"})
    assert list(made.env.items()) == [("A", "1.5"), ("B", "true"), ("C", "x")]


def test_nouns_are_frozen_equal_by_value_and_hashable():
    first, second = container(env={"A": 1}, roles=["x", "a", "x"]), container(env={"A": "1"}, roles=["a", "x"])
    assert first == second
    assert len({first, second}) == 1
    with pytest.raises(AttributeError):
        first.name = "other"
    with pytest.raises(TypeError):
        first.env["A"] = "2"


def test_a_description_says_what_is_in_it():
    pin = oc.Pin(image=IMAGE, tag="1.0", digest="sha256:" + "a" * 64)
    assert [str(thing) for thing in (IMAGE, pin, oc.Target("h01", "h"), oc.Environment("Dev"), oc.Channel("next"))] == [
        "registry.example.com/acme/web", "acme/web:1.0", "h01", "Dev", "next",
    ]  # fmt: skip
    assert pin.reference == f"registry.example.com/acme/web@sha256:{'a' * 64}"
    assert repr(oc.secret("KEY")) == "SecretRef(name='KEY')"


def test_a_bare_name_on_docker_hub_is_in_the_library():
    docker = oc.Registry("docker", "https://registry-1.docker.io")
    assert (docker.image("nginx").name, docker.image("acme/web").name) == (
        "docker.io/library/nginx",
        "docker.io/acme/web",
    )


@pytest.mark.parametrize(
    ("url", "registry_path", "asked", "pulled", "login"),
    [
        ("https://r.example", None, "r.example/acme/web", "r.example/acme/web", "r.example"),
        ("https://r.example", "10.0.0.2:5000", "r.example/acme/web", "10.0.0.2:5000/acme/web", "10.0.0.2:5000"),
        ("https://web.r.example", "r.example/web", "web.r.example/acme/web", "r.example/web/acme/web", "r.example"),
        ("https://r.example", "[::1]:5000", "r.example/acme/web", "[::1]:5000/acme/web", "[::1]:5000"),
        ("https://r.example", "index.docker.io/own", "r.example/acme/web", "docker.io/own/acme/web", "docker.io"),
        # Docker would take a bare name for a user of Docker Hub.
        ("https://registry", None, "registry/acme/web", "registry:443/acme/web", "registry:443"),
        ("http://registry", None, "registry/acme/web", "registry:80/acme/web", "registry:80"),
        ("http://localhost", None, "localhost/acme/web", "localhost/acme/web", "localhost"),
    ],
)
def test_hosts_pull_from_the_registry_path_and_octossh_asks_at_the_url(url, registry_path, asked, pulled, login):
    registry = oc.Registry("feed", url, registry_path=registry_path)
    image = registry.image("acme/web")
    pin = oc.Pin(image=image, tag="1.0", digest="sha256:" + "a" * 64)
    assert (image.name, pin.reference, registry.pull_host) == (asked, f"{pulled}@sha256:{'a' * 64}", login)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"address": "ssh://ann:pa55word@h01"}, "'ssh://ann:***' is neither"),
        ({"address": "ann:pa55/w@rd@h01"}, "'ann:***' is neither"),
        ({"address": "ann:x\npa55word@h01"}, "'ann:***' is neither"),
        ({"address": "ann@h01:pa55word"}, "'ann@h01:***' is neither"),
        ({"user": "ann:pa55word"}, "'ann:***' is not a user name"),
        ({"user": "ann pa55word"}, "'ann ***' is not a user name"),
        ({"port": "22:pa55word"}, "port '22:***' is not a number"),
        ({"port": {"22": "pa55word"}}, "port {'22':*** is not a number"),
        ({"docker_host": "tcp://ann:pa55word@h01:2376"}, "docker_host 'tcp://ann:***' is no socket"),
        ({"docker": "echo 'pa55word | sudo -S docker"}, "'echo ***' has a quote"),
        ({"docker": ["ann:pa55word&"]}, "'ann:***' cannot be part"),
        ({"images": "ann:pa55word@r"}, "images 'ann:***' is no way"),
        ({"jump": "ann:pa55word@gate"}, "jump 'ann:***' names no hosts"),
        ({"jump": "ann:pa55word"}, "jump 'ann:***' names no hosts"),
        ({"sudo": "pa55word"}, "sudo is a str; give True or False"),
        ({"name": "ann:pa55word@h01"}, "target 'ann:***': that is a login; give a name such as 'h01'"),
        ({"name": "ann@h01:pa55word", "address": ""}, "target 'ann@h01:***': that is a login"),
    ],
)
def test_a_password_that_stands_where_none_belongs_is_in_no_message(fields, shown):
    with pytest.raises(oc.ModelError) as caught:
        oc.Target(**{"name": "h01", "address": "h01", **fields})
    assert shown in str(caught.value)
    assert "pa55" not in str(caught.value)


# What no message says of its own.
PASSWORDS = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"Q7{text}q7Q")
LOGINS = st.sampled_from(["ann:{}@h01", "ann@h01:{}", "ssh://ann:{}@h01:22", ":{}", "22:{}", "ann {}"])


@given(password=PASSWORDS, login=LOGINS, field=st.sampled_from(["name", "address", "user", "port", "jump", "images"]))
def test_no_password_in_any_field_of_a_login_is_in_a_message(password, login, field):
    assume(field != "name" or "@" in login)
    with pytest.raises(oc.ModelError) as caught:
        oc.Target(**{"name": "h01", "address": "h01", field: login.format(password)})
    assert "Q7" not in str(caught.value)
    assert "q7Q" not in str(caught.value)


@given(password=PASSWORDS, login=LOGINS, ahead=st.sampled_from(["", "Dev=", "Tset="]))
def test_no_password_of_a_host_that_a_space_begins_with_is_in_a_message(password, login, ahead):
    with pytest.raises(oc.ModelError) as caught:
        targets_of_hosts([ahead + login.format(password)], ["Dev", "Test"])
    assert "Q7" not in str(caught.value)
    assert "q7Q" not in str(caught.value)
