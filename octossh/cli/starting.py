"""The command for whoever begins: it writes the first octofile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import octossh as oc
from octossh.cli.options import Options, command, octossh
from octossh.cli.writing import check_free, to_type_with, write_octofile
from octossh.errors import ModelError

if TYPE_CHECKING:
    from octossh.model import Target
    from octossh.octofiles import Start

_TARGETS = "targets.yml"


@command(octossh, "init")
@click.option("--image", metavar="IMAGE", help="What runs, without a tag: registry.example.com/acme/web, or nginx.")
@click.option("--project", metavar="NAME", help="Default: the last part of the image's name.")
@click.option("--environment", "environments", multiple=True, metavar="NAME", help="In order. Default: Production.")
@click.option("--host", "hosts", multiple=True, metavar="[ENV=][USER@]ADDRESS[:PORT]", help="May be given again.")
@click.option(
    "--from-ssh-config", "patterns", multiple=True, metavar="[ENV=]PATTERN", help="Names in ~/.ssh/config, '*' for all."
)
@click.option("--publish", multiple=True, metavar="PORTS", help="As docker has it, such as 8080:80.")
@click.option("--health", metavar="PATH", help="The path that answers on that port when all is well.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def _init(options: Options, force: bool, **said: Any) -> None:
    """Write an octofile for an image, and a file of its targets. What comes next is told.

    What is not given is asked for, where there is a terminal.
    """
    file = Path(options.file)
    check_free(file, [file.with_name(_TARGETS)], force=force)
    start = _start(file, said, _asker())
    texts = start.files()
    write_octofile(file.parent, texts, start.file)
    environment = start.environments[0]
    steps = (["check"], ["release", "create"], ["plan", "--to", environment], ["deploy", "--to", environment])
    following = [to_type_with(options.file, *words) for words in steps]
    placed = [str(file.with_name(name)) for name in texts]
    standing: dict[str, list[str]] = {}
    for target in start.targets:
        standing.setdefault(" and ".join(target.environments), []).append(target.name)
    told = [f"{', '.join(names)} in {place}" for place, names in standing.items()]
    lines = [
        f"{placed[0]}: project {start.described.name}, a container of {start.image}",
        f"{placed[1]}: {'; '.join(told)}",
    ]
    text = "\n".join([*lines, "next:", *(f"  {line}" for line in following)])
    options.show({"files": placed, "next": following}, text)


# ------------------------------------------------------------------ asking

_Ask = Callable[[str, str | None], str]


def _asker() -> _Ask | None:
    """Asks at the terminal; None: there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str, default: str | None) -> str:
        try:
            answer: str = click.prompt(question, default=default, show_default=bool(default), err=True)
        except click.Abort:
            raise KeyboardInterrupt from None
        return answer.strip()

    return ask


def _start(file: Path, said: dict[str, Any], ask: _Ask | None) -> Start:
    """What was said, and what is answered to questions about the rest."""
    from octossh.octofiles import Start, environments_of, image_of

    missing = [] if said["image"] else ["--image"]
    missing += [] if said["hosts"] or said["patterns"] else ["--host (or --from-ssh-config)"]
    if missing and ask is None:
        raise ModelError(
            f"'octossh init' needs {' and '.join(missing)}, since there is no terminal to ask at; such as: "
            "octossh init --image registry.example.com/acme/web --host deploy@10.0.0.11 --publish 8080:80"
        )
    asking = bool(missing)
    image = _asked(ask, "Image, without a tag", None, image_of) if not said["image"] else image_of(said["image"])
    environments = said["environments"] or environments_of(said["hosts"] + said["patterns"])
    if not environments and asking and not (said["hosts"] or said["patterns"]):
        environments = tuple(_asked(ask, "Environments, in order", "Production", _words))
    environments = environments or ("Production",)
    targets = _targets(said, environments, ask)
    published, health = said["publish"], said["health"] or ""
    if asking and not published:
        published = tuple(_asked(ask, "Ports to publish, such as 8080:80", "", lambda text: _ports(text, image)))
        if published and not health:
            health = _asked(ask, "Path that answers when all is well, such as /health", "", _path)
    return Start(
        image=image,
        project=said["project"] or "",
        environments=environments,
        targets=targets,
        publish=published,
        health=health,
        file=file.name,
        targets_file=_TARGETS,
    )


def _asked(ask: _Ask | None, question: str, default: str | None, read: Callable[[str], Any]) -> Any:
    """The answer as *read* takes it; asked again while that says that it is none."""
    assert ask is not None
    while True:
        try:
            return read(ask(question, default))
        except ModelError as error:
            click.echo(str(error), err=True)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _ports(text: str, image: oc.Image) -> list[str]:
    """The ports that *text* names; a `ModelError` says what is wrong with them, so that they are asked for again."""
    return list(oc.RunContainer("web", image=image, publish=_words(text)).publish)


def _path(text: str) -> str:
    return oc.Http(80, text).path if text else ""


def _targets(said: dict[str, Any], environments: tuple[str, ...], ask: _Ask | None) -> tuple[Target, ...]:
    from octossh.octofiles import targets_of_hosts

    hosts = [*said["hosts"], *_from_ssh_config(said["patterns"])]
    if hosts:
        return targets_of_hosts(hosts, environments)

    def read(name: str) -> Callable[[str], list[str]]:
        def placed(answer: str) -> list[str]:
            made = [f"{name}={host}" for host in _words(answer)]
            targets_of_hosts(made, environments)
            return made

        return placed

    known = _known_to_ssh()
    for name in environments:
        hosts += _asked(ask, f"Hosts of {name}, such as {known or 'deploy@10.0.0.11'}", None, read(name))
    return targets_of_hosts(hosts, environments)


def _known_to_ssh() -> str:
    """Some of the names in ssh's configuration, for a question; empty where there is none, or it cannot be read."""
    from octossh.inventory import SSHConfigTargets

    try:
        names = [target.address for target in SSHConfigTargets()()]
    except ModelError:
        return ""
    return f"{', '.join(names[:5])}{', ...' if names[5:] else ''} of ~/.ssh/config" if names else ""


def _from_ssh_config(patterns: tuple[str, ...]) -> list[str]:
    """The names in ssh's configuration that fit, each as a host: what else stands there, the transport finds itself."""
    from octossh.inventory import SSHConfigTargets

    hosts: list[str] = []
    for text in patterns:
        environment, equals, pattern = text.rpartition("=")
        found = SSHConfigTargets(only=pattern)()
        if not found:
            raise ModelError(
                f"--from-ssh-config {text}: no name in ~/.ssh/config fits {pattern!r}; '*' fits all that stand there "
                "behind Host"
            )
        hosts += [f"{environment}{equals}{target.address}" for target in found]
    return hosts
