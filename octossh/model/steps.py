"""The kinds of steps. Text fields may hold ``{{ }}`` over variables and the outputs of earlier steps."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, Pairs, checked, named, of, sorted_names, telling, words
from octossh.model.images import Image
from octossh.model.rollout import Http, Replace, Rolling
from octossh.model.secrets import SecretRef

__all__ = ["KINDS", "CreateNetwork", "Evaluated", "RunContainer", "RunScript", "Step", "StopResource", "texts"]


def _seconds(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise ModelError(f"{attribute.name} is {value!r}; give seconds, from 0 to 86400")


def _rolling(value: Any) -> Rolling | None:
    return value if value is None or isinstance(value, Rolling) else Rolling(value)


def _match(pattern: str, advice: str) -> Any:
    compiled = re.compile(pattern)

    def check(text: str) -> None:
        if not compiled.fullmatch(text):
            raise ModelError(f"{text!r} is not {advice}")

    return check


def _subnet(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ModelError(f"{text!r} is not a subnet; write it as '172.28.6.0/24', without host bits") from None


def _address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ModelError(f"{text!r} is not an IP address") from None


def _publish(text: str) -> None:
    ports = r"\d{1,5}(-\d{1,5})?"
    found = re.fullmatch(
        rf"((?P<ip>\[[0-9a-fA-F:.]+\]|\d+(\.\d+){{3}}):)?((?P<host>{ports})?:)?(?P<inner>{ports})(/(tcp|udp|sctp))?",
        text,
    )
    if not found:
        raise ModelError(f"{text!r} is not a port mapping; write '8080:80', '127.0.0.1:8080:80' or '53:53/udp'")
    if found["ip"]:
        _address(found["ip"].strip("[]"))
    for port in re.findall(r"\d+", f"{found['host'] or ''} {found['inner']}"):
        if not 1 <= int(port) <= 65535:
            raise ModelError(f"port {port} in {text!r} is not from 1 to 65535")


_docker_name = _match(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", "a docker name (letters, digits and _ . -, at least two)")
_network = _match(r"[a-zA-Z0-9][a-zA-Z0-9_.:-]*", "a network name, or container:NAME")
_alias = _match(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9_])?", "a host name")
_volume = _match(r"(/[^:\0]*|[a-zA-Z0-9][a-zA-Z0-9_.-]+):/[^:\0]*(:[a-zA-Z,]+)?",
                 "a volume; write '/on/host:/in/container' or 'name:/in/container', and ':ro' if need be")  # fmt: skip
_restart = _match(r"no|always|unless-stopped|on-failure(:\d+)?", "no, always, unless-stopped or on-failure[:N]")
_driver = _match(r"[a-zA-Z0-9][a-zA-Z0-9_./:-]*", "a driver name")


def _env(value: Any) -> Pairs[str | SecretRef]:
    pairs: Pairs[Any] = Pairs(value)
    made: dict[str, str | SecretRef] = {}
    for name, text in pairs.items():
        if not re.fullmatch(r"[^=\s\0]+", name) or not name.isprintable():
            raise ModelError(f"environment variable {name!r}: a name has no '=', no blank and no control character")
        if isinstance(text, bool):
            made[name] = "true" if text else "false"
        elif isinstance(text, int | float):
            made[name] = str(text)
        elif isinstance(text, str | SecretRef):
            made[name] = text
        else:
            raise ModelError(f"environment variable {name}: {text!r} is not text, a number or octossh.secret(...)")
        if isinstance(made[name], str) and "\0" in str(made[name]):
            raise ModelError(f"environment variable {name} holds a NUL character, which none can; take it out")
        try:
            str(made[name]).encode()
        except UnicodeEncodeError:
            raise ModelError(f"environment variable {name} holds half of a surrogate pair; take it out") from None
    return Pairs(made)


def _labels(value: Any) -> Pairs[str]:
    pairs: Pairs[Any] = Pairs(value)
    for name, text in pairs.items():
        if not name or "=" in name or "\0" in name or name.startswith("octossh."):
            raise ModelError(f"label {name!r}: a name is not empty, has no '=', and does not start with 'octossh.'")
        if not isinstance(text, str) or "\0" in text:
            raise ModelError(f"label {name}: {text!r} is not text without NUL characters")
    return pairs


def _plain(text: str) -> None:
    if "\0" in text:
        raise ModelError(f"{text[:40]!r} holds a NUL character, which no command line can; take it out")


@frozen(field_transformer=telling)
class Step(Described):
    """What all steps have.

    Attributes:
        name: Unique in its process; names the container or network, and ``steps.<name>`` in expressions.
        roles: The step runs on the targets that have one of these; none: on each target of the environment.
        rolling: In how many waves; a number, a percentage, a list of both, or `Rolling`. None: all at once.
        timeout_s: Seconds after which a host that is not done counts as failed.
    """

    kind: ClassVar[str] = "step"

    name: str = field(validator=named("step"))
    roles: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    rolling: Rolling | None = field(default=None, kw_only=True, converter=_rolling)
    timeout_s: float = field(default=900.0, kw_only=True, validator=_seconds)


@frozen(field_transformer=telling)
class RunContainer(Step):
    """Keep one container of an image running.

    Fields have the names of ``docker run``'s options. A container whose description and digest are the
    wanted ones, and which runs, is left alone.

    Attributes:
        image: From `Registry.image`; the release says which tag and digest.
        command: Words that replace the image's command.
        env: Environment variables: text, numbers, or `octossh.secret`.
        publish: Ports, such as ``8080:80``.
        networks: Networks by name; the container joins all of them.
        aliases: Names by which other containers in these networks find it.
        volumes: ``/on/host:/in/container`` or ``name:/in/container``, and ``:ro``.
        labels: Further labels.
        restart: ``no``, ``always``, ``unless-stopped`` or ``on-failure[:N]``.
        extra_args: Further options of ``docker create``, one word each.
        container_name: Default: project, environment and step joined by ``-``.
        health: A probe from the host. None: the image's HEALTHCHECK if it has one, else that it runs.
        healthy_timeout_s: Seconds that a new container has to become healthy.
        monitor_s: Seconds that it must then stay so, without a restart (5, as in Swarm's ``--update-monitor``).
        stop_grace_s: Seconds between SIGTERM and SIGKILL when it is stopped.
        strategy: How the old container makes way.
    """

    kind: ClassVar[str] = "run_container"

    image: Image = field(
        kw_only=True, validator=of(Image, advice="make one with octossh.Registry(...).image('acme/web')")
    )
    command: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_plain))
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=_env)
    publish: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_publish))
    networks: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_network))
    aliases: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_alias))
    volumes: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_volume))
    labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=_labels)
    restart: str = field(default="no", kw_only=True, validator=checked(_restart))
    extra_args: tuple[str, ...] = field(default=(), kw_only=True, converter=words, validator=checked(_plain))
    container_name: str | None = field(default=None, kw_only=True, validator=checked(_docker_name, optional=True))
    health: Http | None = field(default=None, kw_only=True, validator=of(Http, optional=True))
    healthy_timeout_s: float = field(default=60.0, kw_only=True, validator=_seconds)
    monitor_s: float = field(default=5.0, kw_only=True, validator=_seconds)
    stop_grace_s: int = field(default=10, kw_only=True, validator=[of(int), _seconds])
    strategy: Replace = field(factory=Replace, kw_only=True, validator=of(Replace))

    def __attrs_post_init__(self) -> None:
        if self.aliases and not self.networks:
            raise ModelError(f"RunContainer {self.name!r}: aliases need a network of your own; add networks=[...]")


@frozen(field_transformer=telling)
class CreateNetwork(Step):
    """Keep a network.

    A network that is there and differs is not replaced, since containers hang on it: the step fails and
    says what differs.

    Attributes:
        driver: ``bridge``, or that of a plugin.
        subnet: Such as ``172.28.6.0/24``. None: docker picks one.
        gateway: An address of that subnet.
        internal: Without a way out of the host.
        labels: Further labels.
        network_name: Default: project, environment and step joined by ``-``.
    """

    kind: ClassVar[str] = "create_network"

    driver: str = field(default="bridge", kw_only=True, validator=checked(_driver))
    subnet: str | None = field(default=None, kw_only=True, validator=checked(_subnet, optional=True))
    gateway: str | None = field(default=None, kw_only=True, validator=checked(_address, optional=True))
    internal: bool = field(default=False, kw_only=True, validator=of(bool))
    labels: Pairs[str] = field(factory=Pairs, kw_only=True, converter=_labels)
    network_name: str | None = field(default=None, kw_only=True, validator=checked(_docker_name, optional=True))

    def __attrs_post_init__(self) -> None:
        if self.gateway is not None and self.subnet is None:
            raise ModelError(f"CreateNetwork {self.name!r}: a gateway needs its subnet; add subnet='...'")


@frozen(field_transformer=telling)
class StopResource(Step):
    """Stop, and by default remove, what earlier deployments of this project in this environment left.

    It finds containers by the labels of octossh, never by name, and says how many it matched.

    Attributes:
        steps: Only what these steps made, also steps that the process no longer has; none: what any step made.
        remove: Remove the containers as well.
        networks: Remove the networks too, once nothing hangs on them.
        grace_s: Seconds between SIGTERM and SIGKILL.
    """

    kind: ClassVar[str] = "stop_resource"

    steps: tuple[str, ...] = field(default=(), kw_only=True, converter=sorted_names)
    remove: bool = field(default=True, kw_only=True, validator=of(bool))
    networks: bool = field(default=False, kw_only=True, validator=of(bool))
    grace_s: int = field(default=10, kw_only=True, validator=[of(int), _seconds])

    def __attrs_post_init__(self) -> None:
        if self.networks and not self.remove:
            raise ModelError(f"StopResource {self.name!r}: a network cannot be stopped, only removed; set remove=True")


class Evaluated(str):
    """A script whose expressions have been evaluated: braces in it are only braces."""

    __slots__ = ()


@frozen(field_transformer=telling)
class RunScript(Step):
    """Run a POSIX sh script on the target.

    Each ``{{ }}`` in it becomes exactly one shell word, quoted as it needs; so it stands outside of quotes.
    ``octossh_output NAME VALUE`` in the script makes ``steps.<name>.outputs.NAME`` for later steps.

    Attributes:
        script: The text.
        env: Environment variables for it: text, numbers, or `octossh.secret`.
        reads_only: It changes nothing: a plan that only runs such scripts counts as "no changes".
    """

    kind: ClassVar[str] = "run_script"

    script: str = field(kw_only=True, validator=of(str))
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=_env)
    reads_only: bool = field(default=False, kw_only=True, validator=of(bool))

    @script.validator
    def _check_script(self, _attribute: object, script: str) -> None:
        if "\0" in script or "\r" in script:
            raise ModelError(f"RunScript {self.name!r}: the script holds a NUL or a carriage return; take it out")
        if not isinstance(script, Evaluated) and (line := _quoted_expression(script)):
            raise ModelError(
                f"RunScript {self.name!r}: in line {line} an expression stands inside quotes; each {{{{ }}}} is "
                "quoted already, so close the quotes before it, or add '| raw' to take the text as it is"
            )


KINDS: dict[str, type[Step]] = {kind.kind: kind for kind in (CreateNetwork, RunContainer, RunScript, StopResource)}


_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}", re.DOTALL)
_INSIDE = r"\{\{(?P<inside>.*?)\}\}"
_TOKENS = {
    "": re.compile(rf"{_INSIDE}|\\.|(?<![^\s;&|(])#[^\n]*|(?P<mark>['\"])", re.DOTALL),
    "'": re.compile(rf"{_INSIDE}|(?P<mark>')", re.DOTALL),  # a backslash is only a backslash there
    '"': re.compile(rf'{_INSIDE}|\\.|(?P<mark>")', re.DOTALL),
}


def _quoted_expression(script: str) -> int:
    """The number of the first line in which ``{{`` stands inside quotes, or 0. A quote in a heredoc counts as one."""
    script = _RAW.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), script)
    quote, start = "", 0
    while found := _TOKENS[quote].search(script, start):
        inside = found["inside"]
        if inside is not None and quote and not re.search(r"\|\s*raw\s*$", inside):
            return script.count("\n", 0, found.start()) + 1
        if found["mark"]:
            quote = "" if quote else found["mark"]
        start = found.end()
    return 0


def texts(step: Step) -> Iterator[tuple[str, str]]:
    """Each text of *step* that may hold an expression, with the name of its field: ``("env COUNT", "{{ n }}")``."""
    for attribute in attrs.fields(type(step)):
        if attribute.name in {"name", "roles", "steps"}:
            continue
        value = getattr(step, attribute.name)
        if isinstance(value, str):
            yield attribute.name, value
        elif isinstance(value, tuple):
            yield from ((attribute.name, item) for item in value if isinstance(item, str))
        elif isinstance(value, Pairs):
            yield from ((f"{attribute.name} {key}", item) for key, item in value.items() if isinstance(item, str))
