"""The values for ``run_container.sh.j2``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from octossh.model import LABELS, ContainerStep, Join, RunContainer, StartFirst, options
from octossh.planning import next_name, old_name
from octossh.rendering.files import file_mounts, file_values
from octossh.rendering.orders import Env, foreign, go_text, is_ours, label_format, label_options, named, owner_format
from octossh.rendering.probes import SINCE, probe_values
from octossh.rendering.pulls import pulling

if TYPE_CHECKING:
    from octossh.planning import Wanted
    from octossh.rendering.orders import Order, Secrets

__all__ = ["creating", "run_container"]


_BESIDE = "start-first"
# Podman has a health without a status where there is no check.
_HEALTH = "{{with .State.Health}}{{with .Status}}{{.}}{{else}}none{{end}}{{else}}none{{end}}"
_GATE = (
    f"{{{{.State.Status}}}} {_HEALTH} {{{{.State.ExitCode}}}} {{{{.RestartCount}}}} {{{{.State.OOMKilled}}}} {SINCE}"
    "{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}\n{{json .}}"
)
_POLICY = '"RestartPolicy":{"Name":"%s",'


def run_container(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, RunContainer)
    assert wanted is not None
    late = _late(step)
    drain = step.strategy if isinstance(step.strategy, StartFirst) else StartFirst()
    labels = [] if step.restart == "no" else ["--label", f"{LABELS['restart']}={step.restart}"]
    if isinstance(step.strategy, StartFirst):
        labels += ["--label", f"{LABELS['strategy']}={_BESIDE}"]
    return {
        **creating(order, secrets, labels, late),
        "name": wanted.name,
        "old": old_name(wanted.name),
        "next": next_name(wanted.name),
        "spec": wanted.spec,
        "restart": step.restart,
        "policy": step.restart.partition(":")[0],
        "named": [
            {"sign": f"{number}.", "words": _connecting(step, join, late)} for number, join in enumerate(_named(step))
        ],
        "late": next((_connecting(step, join, late) for join in _joins(step) if join.network == late), None),
        "strategy": step.strategy.kind,
        "drain": drain.drain,
        "drain_s": f"{drain.drain_s:g}",
        "drain_whole_s": math.ceil(drain.drain_s),
        "probe": probe_values(step.health),
        "healthy_timeout_s": f"{step.healthy_timeout_s:g}",
        "healthy_cs": math.ceil(step.healthy_timeout_s * 100),
        "monitor_cs": math.ceil(step.monitor_s * 100),
        "stop_grace_s": step.stop_grace_s,
        "look_format": _look_format(order, step, wanted),
        "settled_format": named(f"/{wanted.name}", _settled_format(order, step, wanted, f"{wanted.name} ")),
        "marked": True,
        "json_format": "{{json .}}",
        "gate_format": _GATE,
        "policy_words": f"s/{_POLICY % 'no'}/{_POLICY % 'unless-stopped'}/",
        "policy_word": _POLICY % "unless-stopped",
        "health_log_format": "{{if .State.Health}}{{range .State.Health.Log}}health check: exit code {{.ExitCode}}: "
        "{{.Output}}{{end}}{{end}}",
        "foreign": foreign(wanted),
    }


def creating(order: Order, secrets: Secrets, labels: Sequence[str] = (), late: str | None = None) -> dict[str, Any]:
    """What ``_create.sh.j2`` needs: *labels* are words for further ones; the network *late* is joined by others."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, ContainerStep)
    assert wanted is not None
    env = Env(step.env, secrets, order.target)
    joins = [join for join in _joins(step) if join.network != late]
    words = [*label_options(order, wanted, step.labels), *labels, *options(step), *file_mounts(order, step, wanted)]
    for first in joins[:1]:
        words += ["--network", first.network, *first.words("--network-alias", () if late else step.aliases)]
    words += ["--entrypoint", step.entrypoint[0]] if step.entrypoint else []
    words += [word for name, _ in env.exported for word in ("--env", name)]
    return {
        **pulling(order, secrets),
        "options": words + list(step.extra_args),
        "command": step.entrypoint[1:] + step.command,
        "joins": [_connecting(step, join, late) for join in joins[1:]],
        **file_values(order, step, wanted, secrets),
        "exported": env.exported,
        "env_file": env.lines,
        "guarded": env.guarded,
    }


def _joins(step: ContainerStep) -> list[Join]:
    return [Join(item) if isinstance(item, str) else item for item in step.networks]


def _named(step: ContainerStep) -> list[Join]:
    return [join for join in _joins(step) if join.network in step.network_names]


def _joined(join: Join) -> str:
    """Go template: a condition that a container is in that network."""
    return f"index .NetworkSettings.Networks {go_text(join.network)}"


def _late(step: RunContainer) -> str | None:
    """The network that a container joins only once it is healthy."""
    return step.strategy.network if isinstance(step.strategy, StartFirst) else None


def _connecting(step: ContainerStep, join: Join, late: str | None) -> list[str]:
    """Options of ``docker network connect``, and the network."""
    # Where one of them is that by which requests come, the step's aliases are for it alone.
    aliases = step.aliases if late in {None, join.network} else ()
    return [*join.words("--alias", aliases), join.network]


def _look_format(order: Order, step: RunContainer, wanted: Wanted) -> str:
    """Go template: what a container is, and in the next line all that docker says of it, where it is well."""
    beside = (
        f"{{{{if eq {label_format('strategy', '.Config.Labels')} {go_text(_BESIDE)}}}}}beside{{{{else}}}}-{{{{end}}}}"
    )
    missing = "".join(
        f"{{{{if {_joined(join)}}}}}{{{{else}}}}{number}.{{{{end}}}}" for number, join in enumerate(_named(step))
    )
    restart = f"{{{{with {label_format('restart', '.Config.Labels')}}}}}{{{{.}}}}{{{{else}}}}no{{{{end}}}}"
    # What others may have written stands last, where blanks in it do no harm.
    return (
        f"{{{{.Name}}}} {{{{.ID}}}} {{{{.State.Status}}}} {_HEALTH} {beside} "
        f"{{{{with .HostConfig.RestartPolicy.Name}}}}{{{{.}}}}{{{{else}}}}no{{{{end}}}} -{missing} "
        f"{owner_format(order, '.Config.Labels')} {restart}\n{_settled_format(order, step, wanted)}"
    )


def _settled_format(order: Order, step: RunContainer, wanted: Wanted, ahead: str = "") -> str:
    """Go template: *ahead* and all that docker says, where it is the wanted container, running and well."""
    labels = ".Config.Labels"
    conditions = (
        f'(eq .Name {go_text("/" + wanted.name)}) (eq .State.Status "running") {is_ours(order, labels)} '
        f"(eq {label_format('spec', labels)} {go_text(wanted.spec)})"
    )
    if step.restart != "no":
        conditions += f" (eq .HostConfig.RestartPolicy.Name {go_text(step.restart.partition(':')[0])})"
    conditions += "".join(f" ({_joined(join)})" for join in _named(step))
    told = ahead + "{{json .}}"
    healthy = f'{{{{if eq .State.Health.Status "healthy"}}}}{told}{{{{end}}}}'
    well = f"{{{{if .State.Health}}}}{healthy}{{{{else}}}}{told}{{{{end}}}}"
    return f"{{{{if and {conditions}}}}}{well}{{{{end}}}}"
