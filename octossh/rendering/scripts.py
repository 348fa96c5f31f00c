"""One script for one step on one host. Pure: the same order gives the same bytes."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import Any

from attrs import frozen

from octossh.errors import ModelError
from octossh.model import LABELS, CreateNetwork, RunContainer, RunScript, SecretRef, Step, StopResource, slug
from octossh.planning import Wanted, next_name, old_name
from octossh.shell import Script, Words
from octossh.templating import script_environment

__all__ = ["Order", "observe", "render"]


@frozen(kw_only=True)
class Order:
    """All that a script is made of.

    Attributes:
        step: With its expressions evaluated.
        wanted: What it keeps, from `octossh.planning.Resolver.wanted`.
        project: For the labels and the lock; so are the next three.
        image: What to pull and run, by digest; empty where the step runs none.
        holder: Who holds the lock meanwhile, for whoever has to wait.
        login: The name of the secret with the registry's login; None: nobody logs in.
        lock_wait_s: Seconds to wait for another run on the same host.
    """

    step: Step
    wanted: Wanted | None
    project: str
    environment: str
    release: str
    deployment: str
    image: str = ""
    holder: str = ""
    login: str | None = None
    lock_wait_s: int = 30


def render(order: Order) -> Script:
    """The script that does what *order* says.

    Raises:
        ModelError: A value cannot stand in a script or an environment variable.
    """
    make = _VALUES[type(order.step)]
    secrets = _Secrets()
    values = {
        "title": f"{order.step.kind} {order.step.name!r} of {order.project!r} in {order.environment!r}",
        "lock": f"octossh-{slug(order.project)}-{slug(order.environment)}.lock",
        "lock_wait_s": order.lock_wait_s,
        "holder": order.holder or order.deployment,
        "server_format": "{{.Server.Version}}",
        **make(order, secrets),
    }
    body = _environment().get_template(f"{order.step.kind}.sh.j2").render(values)
    return Script(f"{order.step.kind} {order.step.name}", body, tuple(secrets.names))


def observe(project: str, environment: str, names: Iterable[tuple[str, str]]) -> Script:
    """A script that changes nothing and tells all that bears our labels, or one of *names* (kind and name)."""
    pairs = sorted(set(names))
    named = {kind: [name for of, name in pairs if of == kind] for kind in ("container", "network")}
    values = {
        "title": f"observe {project!r} in {environment!r}",
        "version_format": "{{.Server.Version}}",
        "filters": [f"label={LABELS['project']}={project}", f"label={LABELS['environment']}={environment}"],
        "containers": [f"name=^/?{re.escape(name)}$" for name in named["container"]],
        "networks": [f"name=^{re.escape(name)}$" for name in named["network"]],
        "container_format": "container {{json .}}",
        "network_format": "network {{json .}}",
    }
    return Script("observe", _environment().get_template("observe.sh.j2").render(values))


class _Secrets:
    """Numbers the secrets of a script, and gives the shell's names for them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def variable(self, name: str) -> Words:
        if name not in self.names:
            self.names.append(name)
        return Words(f"${{octossh_secret_{self.names.index(name)}?}}")


def _load(name: str) -> str | None:
    file = resources.files("octossh.rendering").joinpath("templates", name)
    return file.read_text(encoding="utf-8") if file.is_file() else None


@functools.cache
def _environment() -> Any:
    environment = script_environment(_load)
    environment.filters["word"] = Words
    environment.filters["comment"] = lambda text: Words(re.sub(r"[^ -~]+", " ", text))
    return environment


_LONGEST = 131_000  # bytes of one word of a command line; Linux takes 128 KiB


def _go(text: str) -> str:
    """*text* as a string in Go's templates."""
    return json.dumps(text, ensure_ascii=False)


def _label(key: str, labels: str) -> str:
    return f"(index {labels} {_go(LABELS[key])})"


def _owner_format(order: Order, labels: str) -> str:
    """Go template: ``ours`` or ``other``, and the hash of what was wanted."""
    spec = f"{{{{with {_label('spec', labels)}}}}}{{{{.}}}}{{{{else}}}}-{{{{end}}}}"
    return f"{{{{if and {_is_ours(order, labels)}}}}}ours{{{{else}}}}other{{{{end}}}} {spec}"


def _is_ours(order: Order, labels: str) -> str:
    """Go template: a condition that the labels name this project, environment and step."""
    mine = {"project": order.project, "environment": order.environment, "step": order.step.name}
    return " ".join(f"(eq {_label(key, labels)} {_go(value)})" for key, value in mine.items())


def _settled_format(order: Order, wanted: Wanted) -> str:
    """Go template: ``settled`` where it is the wanted container, running and well; then all that docker says."""
    labels = ".Config.Labels"
    conditions = (
        f'(eq .Name {_go("/" + wanted.name)}) (eq .State.Status "running") {_is_ours(order, labels)} '
        f"(eq {_label('spec', labels)} {_go(wanted.spec)})"
    )
    well = '{{if .State.Health}}{{if eq .State.Health.Status "healthy"}}settled{{end}}{{else}}settled{{end}}'
    return f"{{{{if and {conditions}}}}}{well}{{{{end}}}}\n{{{{json .}}}}"


def _labels(order: Order, wanted: Wanted, labels: Mapping[str, str]) -> list[str]:
    """``--label`` options: ours, then the user's."""
    ours = {
        "project": order.project,
        "environment": order.environment,
        "step": order.step.name,
        "release": order.release,
        "deployment": order.deployment,
        "spec": wanted.spec,
        "fields": wanted.text,
    }
    pairs = [(LABELS[key], value) for key, value in ours.items()] + list(labels.items())
    for key, value in pairs:
        if len(f"{key}={value}".encode(errors="surrogatepass")) > _LONGEST:
            what = "what it describes is" if key == LABELS["fields"] else f"label {key} is"
            raise ModelError(f"step {order.step.name!r}: {what} too long; Linux takes 128 KiB, use a file")
    return [word for key, value in pairs for word in ("--label", f"{key}={value}")]


def _foreign(wanted: Wanted) -> str:
    return f"the {wanted.kind} {wanted.name} was not made by this step; remove it, or give this step another name"


def _create_network(order: Order, _secrets: _Secrets) -> dict[str, Any]:
    step, wanted = order.step, order.wanted
    assert isinstance(step, CreateNetwork)
    assert wanted is not None
    options = ["--driver", step.driver]
    for option, value in (("--subnet", step.subnet), ("--gateway", step.gateway)):
        if value is not None:
            options += [option, value]
    if step.internal:
        options.append("--internal")
    return {
        "name": wanted.name,
        "spec": wanted.spec,
        "options": options + _labels(order, wanted, step.labels),
        "look_format": "{{.Name}} " + _owner_format(order, ".Labels") + "\n{{json .}}",
        "differs": f"the network {wanted.name} is there and differs from what is wanted; containers hang on it, so it "
        "is not replaced: remove it yourself, or give this step another name",
        "foreign": _foreign(wanted),
    }


_HEALTH = "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"


def _run_container(order: Order, secrets: _Secrets) -> dict[str, Any]:
    step, wanted = order.step, order.wanted
    assert isinstance(step, RunContainer)
    assert wanted is not None
    env = _Env(step.env, secrets)
    owner = _owner_format(order, ".Config.Labels")
    restart = f"{{{{with {_label('restart', '.Config.Labels')}}}}}{{{{.}}}}{{{{else}}}}no{{{{end}}}}"
    return {
        "name": wanted.name,
        "old": old_name(wanted.name),
        "next": next_name(wanted.name),
        "spec": wanted.spec,
        "image": order.image,
        "options": _container_options(order, step, wanted, env),
        "command": step.command,
        "restart": step.restart,
        "more_networks": step.networks[1:],
        "aliases": step.aliases,
        "exported": env.exported,
        "env_file": env.lines,
        "guarded": env.guarded,
        "login": secrets.variable(order.login) if order.login else None,
        "probe": f"{step.health.port}{step.health.path}" if step.health else None,
        "healthy_timeout_s": f"{step.healthy_timeout_s:g}",
        "healthy_cs": math.ceil(step.healthy_timeout_s * 100),
        "monitor_cs": math.ceil(step.monitor_s * 100),
        "stop_grace_s": step.stop_grace_s,
        # What others may have written stands last, where blanks in it do no harm.
        "look_format": f"{{{{.Name}}}} {{{{.ID}}}} {{{{.State.Status}}}} {_HEALTH} {owner} {restart}",
        "json_format": "{{json .}}",
        "settled_format": _settled_format(order, wanted),
        "gate_format": f"{{{{.State.Status}}}} {_HEALTH} {{{{.State.ExitCode}}}} {{{{.RestartCount}}}}"
        "{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}",
        "health_log_format": "{{if .State.Health}}{{range .State.Health.Log}}health check: exit code {{.ExitCode}}: "
        "{{.Output}}{{end}}{{end}}",
        "foreign": _foreign(wanted),
    }


def _container_options(order: Order, step: RunContainer, wanted: Wanted, env: _Env) -> list[str]:
    options = _labels(order, wanted, step.labels)
    if step.restart != "no":
        options += ["--label", f"{LABELS['restart']}={step.restart}"]
    for option, values in (("--publish", step.publish), ("--volume", step.volumes), ("--network", step.networks[:1])):
        options += [word for value in values for word in (option, value)]
    options += [word for alias in step.aliases for word in ("--network-alias", alias)]
    if step.stop_grace_s != 10:
        options += ["--stop-timeout", str(step.stop_grace_s)]
    options += [word for name, _ in env.exported for word in ("--env", name)]
    return options + list(step.extra_args)


def _stop_resource(order: Order, _secrets: _Secrets) -> dict[str, Any]:
    step = order.step
    assert isinstance(step, StopResource)
    mine = [f"label={LABELS['project']}={order.project}", f"label={LABELS['environment']}={order.environment}"]
    return {
        "filter_sets": [[*mine, f"label={LABELS['step']}={name}"] for name in step.steps] or [mine],
        "scope": ["-a"] if step.remove else [],
        "id_format": "{{.ID}}",
        "verb": "removing" if step.remove else "stopping",
        "done": "removed" if step.remove else "stopped",
        "remove": step.remove,
        "networks": step.networks,
        "grace_s": step.grace_s,
    }


def _run_script(order: Order, secrets: _Secrets) -> dict[str, Any]:
    step = order.step
    assert isinstance(step, RunScript)
    env = _Env(step.env, secrets)
    if env.lines:
        raise ModelError(
            f"step {step.name!r}: the shell itself uses the variable {env.lines[0][0]!r}; choose another name"
        )
    return {"script": step.script, "exported": env.exported, "changed": "no" if step.reads_only else "yes"}


_VALUES: dict[type[Step], Callable[[Order, _Secrets], dict[str, Any]]] = {
    CreateNetwork: _create_network,
    RunContainer: _run_container,
    RunScript: _run_script,
    StopResource: _stop_resource,
}

# What the shell, the dynamic loader, Go or docker's own command would read out of their environment.
_READ_BY_OTHERS = re.compile(
    r"_|ENV|BASH.*|CDPATH|DIRSTACK|EUID|FUNCNAME|GLOBIGNORE|GROUPS|HIST.*|HOME|HOST(NAME|TYPE)|IFS|LANG(UAGE)?|LC_.*|"
    r"LD_.*|LINENO|LOGNAME|MACHTYPE|MAIL.*|MALLOC_.*|OLDPWD|OPT(ARG|ERR|IND)|OSTYPE|PATH|PIPESTATUS|POSIXLY_CORRECT|"
    r"PPID|PS[0-9]|PWD|RANDOM|REPLY|SECONDS|SHELL.*|SHLVL|SRANDOM|EPOCH.*|TERM.*|TMPDIR|TZ.*|UID|USER|GLIBC_.*|GCONV_PATH|"
    r"DOCKER_.*|BUILDKIT_.*|BUILDX_.*|COMPOSE_.*|GO[A-Z].*|CGO_.*|(?i:(https?|no|all|ftp)_proxy)|SSL_CERT_.*|XDG_.*|SSH_.*|"
    r"OTEL_.*|NO_COLOR|CONTAINER.*|octossh_.*|HOSTALIASES|LOCALDOMAIN|LOCPATH|NLSPATH|RES_OPTIONS|RESOLV_.*"
)
_MOST = 100_000  # bytes; Linux takes 128 KiB for one variable, and docker 64 KiB for a line of a file


class _Env:
    """How each environment variable travels: in the environment of docker's own command, or on its standard input.

    Attributes:
        exported: Names and values that the shell exports; docker takes them by name.
        lines: Names and values that would confuse shell or docker there: docker reads them as a file.
        guarded: Secrets among the latter, which must not hold a line break.
    """

    def __init__(self, env: Mapping[str, str | SecretRef], secrets: _Secrets) -> None:
        self.exported: list[tuple[Words, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.guarded: list[Words] = []
        for name, value in env.items():
            plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and not _READ_BY_OTHERS.fullmatch(name)
            if isinstance(value, str) and len(value.encode(errors="surrogatepass")) > (_MOST if plain else 60_000):
                raise ModelError(
                    f"environment variable {name} is too long; docker takes about 100,000 bytes, use a file"
                )
            if isinstance(value, str):
                text: str = value
            else:
                variable = secrets.variable(value.name)
                text = Words(f'"{variable}"')
                if not plain:
                    self.guarded.append(variable)
            if plain:
                self.exported.append((Words(name), text))
                continue
            if name.startswith("#") or (isinstance(value, str) and ("\n" in value or value.endswith("\r"))):
                raise ModelError(
                    f"environment variable {name}: docker takes a name like this only with a value of one line; "
                    "choose another name, or encode the value"
                )
            self.lines.append((name, text))
