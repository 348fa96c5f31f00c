"""The options of ``docker create``: what all steps that make a container share."""

from __future__ import annotations

import re
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of, words
from octossh.model.images import Image
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import MAY_BE_SECRET, Step
from octossh.model.steps.contradictions import contradiction
from octossh.model.steps.extras import check_extra_args
from octossh.model.steps.fields import (
    check_host_name,
    check_network_name,
    env_pairs,
    label_pairs,
    option_pairs,
    seconds,
)
from octossh.model.steps.flagging import flag, normalised, text
from octossh.model.steps.normal import (
    address,
    argument,
    capability,
    cpu_count,
    device,
    expose,
    filesystem,
    host_addresses,
    number,
    one_of,
    path,
    plain,
    publish,
    security_option,
    signal,
    size,
    size_or_unlimited,
    ulimits,
    volume,
)
from octossh.model.steps.parts import (
    ConfigFile,
    HealthCheck,
    Join,
    Mount,
    SecretFile,
    config_files,
    joins,
    mounts,
    secret_files,
)

__all__ = ["ContainerStep"]

_IMAGE = "make one with octossh.Registry(...).image('acme/web')"
_PULL = one_of("missing", "always", "never")
_NETWORK_MODE = one_of("bridge", "host", "none", "container:")
_IPC = one_of("none", "private", "shareable", "host", "container:")
_PID = one_of("host", "container:")
_HOST = one_of("host")
_CGROUPNS = one_of("private", "host")
_PLATFORM = argument(r"linux(/[a-z0-9]+){1,2}", "a platform, such as 'linux/arm64'")
_USER = argument(r"[^\s:]+(:[^\s:]+)?", "a user; write 'app', '1000' or '1000:1000'")
_GROUP = argument(r"[^\s:]+", "a group; write its name or number")
_HOST_NAME = argument(r"[a-zA-Z0-9]([a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?", "a host name")
_DOMAIN = argument(r"\.|[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?", "a domain, such as 'example.com'")
_MAC = argument(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", "a MAC address, such as '92:d0:c6:0a:29:33'")
_FROM = argument(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*(:(ro|rw))?", "the name of a container, with ':ro' if need be")
_DRIVER = argument(r"[a-zA-Z0-9][a-zA-Z0-9_./:-]*", "a name")
_RULE = argument(r"[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}", "a rule for devices, such as 'c 42:* rmw'")
_GPUS = argument(r"all|\d+|[a-zA-Z0-9_=,\"-]+", "a choice of GPUs; write 'all', '2' or 'device=0'")
_CPU_SET = argument(r"\d+(-\d+)?(,\d+(-\d+)?)*", "a set of CPUs or memory nodes, such as '0-3' or '0,2'")


def _networks(instance: Any, attribute: Any, value: tuple[str | Join, ...]) -> None:
    checked(check_network_name)(instance, attribute, tuple(item for item in value if isinstance(item, str)))


@frozen(field_transformer=normalised)
class ContainerStep(Step):
    """The options of ``docker create``.

    Attributes:
        image: From `Registry.image`; the release says which tag and digest.
        platform: Such as ``linux/arm64``, where the image has several; docker's default is the host's own.
        pull: ``missing`` (pull where the digest is not on the host), ``never`` (it must be there already), or
            ``always`` (ask the registry before each new container; the digest is pinned, so the bytes are the same).
        command: Words that replace the image's command.
        entrypoint: Words that replace the image's entrypoint and command; ``[""]`` for none.
        env: Environment variables: text, numbers, or `octossh.secret`. `octossh.env_file` reads them from a file.
        user: Name or number, and ``:GROUP``.
        group_add: Further groups of that user.
        workdir: The directory in which it starts.
        init: Docker's own small init is process 1: passes signals on and reaps children.
        tty: With a terminal.
        interactive: With a standard input that stays open.
        labels: Further labels.
        stop_signal: What ``docker stop`` sends first; the image's, else SIGTERM.
        stop_grace_s: Seconds between that and SIGKILL.
        healthcheck: Replaces the image's HEALTHCHECK.
        no_healthcheck: Without the image's HEALTHCHECK.
        publish: Ports: ``8080:80``, ``127.0.0.1:8080:80``, ``[::1]:53:53/udp``, ranges, or ``80`` for a port of
            docker's choice.
        publish_all: All exposed ports, each to a port of docker's choice.
        expose: Ports that ``publish_all`` publishes besides those of the image.
        networks: Networks by name, or `Join`; the container joins all of them before it starts.
        aliases: Names by which other containers find it in each of these networks.
        network_mode: ``host``, ``none``, ``container:NAME`` or ``bridge`` in place of networks.
        hostname: Its own name for itself; docker's default is its short id.
        domainname: Its NIS domain.
        mac_address: Of its first network; a client of docker 25 or newer takes it only with a daemon as new.
        hosts: Lines of its ``/etc/hosts``: names with an address  or ``host-gateway``.
        dns: Addresses of DNS servers.
        dns_search: Domains in which names are looked up.
        dns_options: Options of its ``resolv.conf``.
        volumes: ``/on/host:/in/container`` or ``name:/in/container``, and ``:ro``; ``/in/container`` alone is empty
            in each new container.
        mounts: The same with more to say, as `Mount`.
        tmpfs: Paths in memory: ``/in/container`` or ``/in/container:size=64m,mode=1777``.
        files: Paths in the container, each with its text or a `ConfigFile`. They are put into it before it starts, so
            they cannot stand in a volume, and another text makes another container.
        secret_files: Paths in the container, each with `octossh.secret` or `SecretFile`. They stand in the host's
            memory, so after it was switched off the container starts with the next deployment only.
        volumes_from: Containers whose volumes it takes over.
        volume_driver: Makes the named volumes that are not there.
        read_only: Its own file system cannot be written to.
        shm_size: Of ``/dev/shm``; docker's default is ``64m``.
        storage_options: Of the storage driver, by name.
        devices: ``/dev/a``, ``/dev/a:/dev/b`` or ``/dev/a:/dev/b:r``.
        device_cgroup_rules: Such as ``c 42:* rmw``.
        gpus: ``all``, a number, or ``device=0``.
        memory: The most memory, such as ``512m``: units of 1024.
        memory_reservation: What it shrinks to when the host is short of memory.
        memory_swap: Memory and swap together; ``-1`` for as much swap as there is.
        memory_swappiness: From 0 to 100.
        cpus: A number of CPUs, such as 1.5.
        cpu_shares: Its weight against other containers; docker's default is 1024.
        cpu_period: Of the CPU scheduler, in microseconds.
        cpu_quota: CPU time in one such period, in microseconds.
        cpuset_cpus: CPUs that it may use, such as ``0-3`` or ``0,2``.
        cpuset_mems: Memory nodes that it may use.
        pids_limit: The most processes; -1 for no limit.
        blkio_weight: Its weight in block IO, from 10 to 1000.
        oom_score_adj: From -1000 (killed last) to 1000 when the host is out of memory.
        oom_kill_disable: Is never killed for its memory; it needs a limit then.
        ulimits: By name, such as ``{"nofile": "1024:4096"}``.
        privileged: All rights of root on the host.
        cap_add: Capabilities, such as ``NET_ADMIN``.
        cap_drop: Capabilities that it loses, or ``ALL``.
        security_options: Such as ``no-new-privileges``; of seccomp, the path of a profile on the host.
        sysctls: By name.
        ipc: ``private``, ``shareable``, ``host``, ``none`` or ``container:NAME``.
        pid: ``host`` or ``container:NAME``.
        userns: ``host``.
        uts: ``host``.
        cgroupns: ``private`` or ``host``.
        cgroup_parent: The cgroup under which it stands.
        runtime: Of the containers, such as ``runc``.
        log_driver: Docker's default is what its daemon is set to, mostly ``json-file``.
        log_options: Of that driver, by name, such as ``{"max-size": "10m"}``.
        extra_args: Options of ``docker create`` that have no field here, one word each.
    """

    image: Image = field(kw_only=True, validator=of(Image, advice=_IMAGE), metadata=flag("IMAGE", by_hand=True))
    platform: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--platform", _PLATFORM))
    pull: str = field(
        default="missing", kw_only=True, converter=text, metadata=flag("--pull", _PULL, by_hand=True, kept=False)
    )

    # What runs
    command: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("COMMAND", plain, ordered=True, by_hand=True)
    )
    entrypoint: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--entrypoint", plain, ordered=True, by_hand=True)
    )
    env: Pairs[str | SecretRef] = field(
        factory=Pairs, kw_only=True, converter=env_pairs, metadata=flag("--env", metadata=MAY_BE_SECRET, by_hand=True)
    )
    user: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--user", _USER))
    group_add: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--group-add", _GROUP))
    workdir: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--workdir", path))
    init: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--init"))
    tty: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--tty"))
    interactive: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--interactive"))
    labels: Pairs[str] = field(
        factory=Pairs, kw_only=True, converter=label_pairs, metadata=flag("--label", by_hand=True)
    )
    stop_signal: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--stop-signal", signal))
    stop_grace_s: int = field(default=10, kw_only=True, validator=[of(int), seconds], metadata=flag("--stop-timeout"))
    healthcheck: HealthCheck | None = field(
        default=None, kw_only=True, validator=of(HealthCheck, optional=True), metadata=flag("--health-...")
    )
    no_healthcheck: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--no-healthcheck"))

    # Networks and names
    publish: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--publish", publish))
    publish_all: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--publish-all"))
    expose: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--expose", expose))
    networks: tuple[str | Join, ...] = field(
        default=(),
        kw_only=True,
        converter=joins,
        validator=_networks,
        metadata=flag("--network", ordered=True, by_hand=True),
    )
    aliases: tuple[str, ...] = field(
        default=(),
        kw_only=True,
        converter=words,
        validator=checked(check_host_name),
        metadata=flag("--network-alias", by_hand=True),
    )
    network_mode: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--network", _NETWORK_MODE)
    )
    hostname: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--hostname", _HOST_NAME))
    domainname: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--domainname", _HOST_NAME)
    )
    mac_address: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--mac-address", _MAC))
    hosts: Pairs[str] = field(
        factory=Pairs, kw_only=True, converter=host_addresses, metadata=flag("--add-host", joint=":")
    )
    dns: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--dns", address, ordered=True)
    )
    dns_search: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--dns-search", _DOMAIN, ordered=True)
    )
    dns_options: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--dns-option", plain)
    )

    # Data
    volumes: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--volume", volume))
    mounts: tuple[Mount, ...] = field(default=(), kw_only=True, converter=mounts, metadata=flag("--mount"))
    tmpfs: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--tmpfs", filesystem))
    volumes_from: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--volumes-from", _FROM)
    )
    volume_driver: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--volume-driver", _DRIVER)
    )
    files: Pairs[ConfigFile] = field(
        factory=Pairs, kw_only=True, converter=config_files, metadata=flag("docker cp", by_hand=True)
    )
    secret_files: Pairs[SecretFile] = field(
        factory=Pairs, kw_only=True, converter=secret_files, metadata=flag("--mount", by_hand=True)
    )
    read_only: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--read-only"))
    shm_size: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--shm-size", size))
    storage_options: Pairs[str] = field(
        factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("--storage-opt")
    )
    devices: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--device", device))
    device_cgroup_rules: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--device-cgroup-rule", _RULE)
    )
    gpus: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--gpus", _GPUS))

    # Resources
    memory: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--memory", size))
    memory_reservation: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--memory-reservation", size)
    )
    memory_swap: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--memory-swap", size_or_unlimited)
    )
    memory_swappiness: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--memory-swappiness", number(0, 100))
    )
    cpus: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--cpus", cpu_count))
    cpu_shares: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--cpu-shares", number(2, 262_144))
    )
    cpu_period: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--cpu-period", number(1_000, 1_000_000))
    )
    cpu_quota: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--cpu-quota", number(1_000, 10**12, unlimited=True))
    )
    cpuset_cpus: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--cpuset-cpus", _CPU_SET)
    )
    cpuset_mems: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--cpuset-mems", _CPU_SET)
    )
    pids_limit: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--pids-limit", number(1, 4_194_304, unlimited=True))
    )
    blkio_weight: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--blkio-weight", number(10, 1_000))
    )
    oom_score_adj: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--oom-score-adj", number(-1_000, 1_000))
    )
    oom_kill_disable: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--oom-kill-disable"))
    ulimits: Pairs[str] = field(factory=Pairs, kw_only=True, converter=ulimits, metadata=flag("--ulimit"))

    # Rights and namespaces
    privileged: bool = field(default=False, kw_only=True, validator=of(bool), metadata=flag("--privileged"))
    cap_add: tuple[str, ...] = field(default=(), kw_only=True, converter=words, metadata=flag("--cap-add", capability))
    cap_drop: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--cap-drop", capability)
    )
    security_options: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("--security-opt", security_option)
    )
    sysctls: Pairs[str] = field(factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("--sysctl"))
    ipc: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--ipc", _IPC))
    pid: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--pid", _PID))
    userns: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--userns", _HOST))
    uts: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--uts", _HOST))
    cgroupns: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--cgroupns", _CGROUPNS))
    cgroup_parent: str | None = field(
        default=None, kw_only=True, converter=text, metadata=flag("--cgroup-parent", plain)
    )
    runtime: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--runtime", _DRIVER))

    # Logs, and the rest
    log_driver: str | None = field(default=None, kw_only=True, converter=text, metadata=flag("--log-driver", _DRIVER))
    log_options: Pairs[str] = field(factory=Pairs, kw_only=True, converter=option_pairs, metadata=flag("--log-opt"))
    extra_args: tuple[str, ...] = field(
        default=(), kw_only=True, converter=words, metadata=flag("OPTIONS", plain, ordered=True, by_hand=True)
    )

    @property
    def network_names(self) -> tuple[str, ...]:
        """The networks that it joins, but for those given by an id: docker lists none by its id."""
        names = (item.network if isinstance(item, Join) else item for item in self.networks)
        return tuple(name for name in names if not re.fullmatch(r"[0-9a-f]{12,64}", name))

    def __attrs_post_init__(self) -> None:
        if said := contradiction(self) or check_extra_args(self):
            raise ModelError(f"{type(self).__name__} {self.name!r}: {said}")
