"""What a script is made of, and what the kinds of steps share in making one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model import LABELS, Step, Target, Templates
from octossh.planning import Wanted
from octossh.shell import Words, quote

if TYPE_CHECKING:
    from octossh.model import SecretRef

__all__ = [
    "Env",
    "Order",
    "Secrets",
    "docker_values",
    "foreign",
    "go_text",
    "image_there",
    "is_ours",
    "label_format",
    "label_of",
    "label_options",
    "many",
    "named",
    "owner_format",
    "owner_labels",
    "read_by_others",
    "settled_format",
]


@frozen(kw_only=True)
class Order:
    """All that a script is made of.

    Attributes:
        step: With its expressions evaluated.
        wanted: What it keeps, from `octossh.planning.Resolver.wanted`.
        project: For the labels and the lock; so are the next three.
        image: What to pull and run, by digest; empty where the step runs none.
        holder: Who holds the lock meanwhile, for whoever has to wait.
        kept: Kind and docker's name of what the steps of the release keep on the target, while one is replaced too.
        spared: Steps of which it is not known yet under which name they keep it.
        login: The name of the secret with the registry's login; None: nobody logs in.
        pulls: Of a step with several images each one by digest, and the name of the secret with its login, or None.
        lock_wait_s: Seconds to wait for another run on the same host.
        again: Whether the host lost the run for which this was sent before: it may have just started.
        templates: Of the user, in front of ours.
        target: Whose docker is called; None: docker by its name.
    """

    step: Step
    wanted: Wanted | None
    project: str
    environment: str
    release: str
    deployment: str
    image: str = ""
    holder: str = ""
    kept: tuple[tuple[str, str], ...] = ()
    spared: tuple[str, ...] = ()
    login: str | None = None
    pulls: tuple[tuple[str, str | None], ...] = ()
    lock_wait_s: int = 30
    again: bool = False
    templates: Templates = field(factory=Templates)
    target: Target | None = None


def docker_values(target: Target | None) -> dict[str, Any]:
    """What the templates need to call docker on *target*."""
    call = target.docker if target else ("docker",)
    host = target.docker_host if target else None
    # Sudo hands on no environment, so that there the socket has to be told by words.
    words = [*call, *(["--host", host] if host and target and not target.bare else [])]
    pushed = target is not None and target.images == "push"
    made = {"docker": Words(" ".join(map(quote, words))), "docker_command": call[0], "docker_host": host}
    return {**made, "engine": " ".join(words), "pushed": pushed}


def image_there(reference: str, target: Target | None) -> str:
    """What *target* knows the image *reference*, a name by digest, as.

    Docker knows an image by its digest only where it has pulled it itself; one that was sent gets a tag of its digest.
    """
    return reference.replace("@sha256:", ":sha256-") if target is not None and target.images == "push" else reference


_FEW = 3  # images, which are there as a rule; of more, such as those that may go, most are not


def many(images: Sequence[str]) -> Sequence[str]:
    """*images*, where one start of docker is worth it to learn which of them are not there; else none."""
    return images if len(images) > _FEW else ()


class Secrets:
    """Numbers the secrets of a script, and gives the shell's names for them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def variable(self, name: str) -> Words:
        """The shell's way to write the value of the secret *name*."""
        if name not in self.names:
            self.names.append(name)
        return Words(f"${{octossh_secret_{self.names.index(name)}?}}")


_LONGEST = 131_000  # bytes of one word of a command line; Linux takes 128 KiB


def go_text(text: str) -> str:
    """*text* as a string in Go's templates."""
    return json.dumps(text, ensure_ascii=False)


def label_of(key: str) -> str:
    """Go template: the value of one of our labels, where docker lists things."""
    return f"(.Label {go_text(LABELS[key])})"


def label_format(key: str, labels: str) -> str:
    """Go template: the value of one of our labels."""
    return f"(index {labels} {go_text(LABELS[key])})"


def owner_format(order: Order, labels: str) -> str:
    """Go template: ``ours`` or ``other``, and the hash of what was wanted."""
    spec = f"{{{{with {label_format('spec', labels)}}}}}{{{{.}}}}{{{{else}}}}-{{{{end}}}}"
    return f"{{{{if and {is_ours(order, labels)}}}}}ours{{{{else}}}}other{{{{end}}}} {spec}"


def is_ours(order: Order, labels: str) -> str:
    """Go template: a condition that the labels name this project, environment and step."""
    mine = {"project": order.project, "environment": order.environment, "step": order.step.name}
    return " ".join(f"(eq {label_format(key, labels)} {go_text(value)})" for key, value in mine.items())


def settled_format(order: Order, wanted: Wanted, field: str) -> str:
    """Go template: the name and all that docker says of what is there, where it is *wanted*.

    *field* is one that nothing of that name has but what is of its kind: for all else the template fails.
    """
    conditions = f"{is_ours(order, '.Labels')} (eq {label_format('spec', '.Labels')} {go_text(wanted.spec)})"
    settled = f"{{{{if and {conditions}}}}}{{{{with .{field}}}}}{wanted.name} {{{{end}}}}{{{{json .}}}}{{{{end}}}}"
    return named(wanted.name, settled)


def named(name: str, text: str) -> str:
    """Go template: *text*, which may ask for what only a thing of its kind has, for what docker calls *name*."""
    return f"{{{{if eq .Name {go_text(name)}}}}}{text}{{{{end}}}}"


def label_options(order: Order, wanted: Wanted, labels: Mapping[str, str]) -> list[str]:
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


def owner_labels(order: Order) -> list[str]:
    """``--label`` options that say whose it is, and nothing else."""
    ours = {"project": order.project, "environment": order.environment, "step": order.step.name}
    return [word for key, value in ours.items() for word in ("--label", f"{LABELS[key]}={value}")]


def foreign(wanted: Wanted) -> str:
    """The refusal where something of that name is not ours."""
    return f"the {wanted.kind} {wanted.name} was not made by this step; remove it, or give this step another name"


# What the shell, the dynamic loader, Go or docker's own command would read out of their environment.
_READ_BY_OTHERS = re.compile(
    r"_|ENV|BASH.*|CDPATH|DIRSTACK|EUID|FUNCNAME|GLOBIGNORE|GROUPS|HIST.*|HOME|HOST(NAME|TYPE)|IFS|LANG(UAGE)?|LC_.*|"
    r"LD_.*|LINENO|LOGNAME|MACHTYPE|MAIL.*|MALLOC_.*|OLDPWD|OPT(ARG|ERR|IND)|OSTYPE|PATH|PIPESTATUS|POSIXLY_CORRECT|"
    r"PPID|PS[0-9]|PWD|RANDOM|REPLY|SECONDS|SHELL.*|SHLVL|SRANDOM|EPOCH.*|TERM.*|TMPDIR|TZ.*|UID|USER|GLIBC_.*|GCONV_PATH|"
    r"DOCKER_.*|BUILDKIT_.*|BUILDX_.*|COMPOSE_.*|GO[A-Z].*|CGO_.*|(?i:(https?|no|all|ftp)_proxy)|SSL_CERT_.*|XDG_.*|SSH_.*|"
    r"OTEL_.*|NO_COLOR|CONTAINER.*|octossh_.*|HOSTALIASES|LOCALDOMAIN|LOCPATH|NLSPATH|RES_OPTIONS|RESOLV_.*"
)


def read_by_others(name: str) -> bool:
    """Whether an environment variable of that name would mean something to the shell, to docker or to Go."""
    return _READ_BY_OTHERS.fullmatch(name) is not None


_MOST = 100_000  # bytes; Linux takes 128 KiB for one variable, and docker 64 KiB for a line of a file


class Env:
    """How each environment variable travels: in the environment of docker's own command, or on its standard input.

    Attributes:
        exported: Names and values that the shell exports; docker takes them by name.
        lines: Names and values that would confuse shell or docker there: docker reads them as a file. All of them,
            where what stands before docker, such as sudo, hands on no environment.
        guarded: Secrets among the latter, which must not hold a line break.
    """

    def __init__(self, env: Mapping[str, str | SecretRef], secrets: Secrets, target: Target | None = None) -> None:
        bare = target is None or target.bare
        self.exported: list[tuple[Words, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.guarded: list[Words] = []
        for name, value in env.items():
            plain = bare and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and not read_by_others(name)
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
                why = "docker takes a name like this only with a value of one line; choose another name, or encode"
                if target is not None and not bare:
                    why = f"{target.docker[0]} before docker lets values of one line through only; encode"
                raise ModelError(f"environment variable {name}: {why} the value")
            self.lines.append((name, text))
