"""Hypothesis strategies: steps of all kinds, and what they are made of."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st
from value_strategies import IMAGES, NAMES, NUMBERS, SECRETS, TEXT, WORDS, few

import octossh as oc

PORTS = st.integers(1, 65535)
PATIENCE = st.integers(1, 3600)
HTTPS = st.builds(
    oc.Http,
    PORTS,
    st.sampled_from(["/", "/health", "/a?b=c&d='"]),
    status=st.sampled_from(["204", "200-399"]),
    host=st.none() | st.sampled_from(["www.example.com", "it's"]),
    headers=st.dictionaries(WORDS, st.sampled_from(["1", "it's $x"]), max_size=2),
    timeout_s=PATIENCE,
)
TCPS = st.builds(oc.Tcp, PORTS, timeout_s=PATIENCE)
COMMANDS = st.builds(oc.Command, few(TEXT, min_size=1), timeout_s=PATIENCE)
LOG_LINES = st.builds(oc.LogLine, st.sampled_from(["ready", "-e it's $(x)"]))
PROBES = st.one_of(HTTPS, TCPS, COMMANDS, LOG_LINES)
SIZES = st.integers(1, 50) | st.integers(1, 100).map(lambda percent: f"{percent}%")
AMOUNTS = SIZES | st.just(0)
DELAYS = st.integers(0, 600) | st.floats(0, 600)
ROLLINGS = st.builds(
    oc.Rolling,
    st.lists(SIZES, min_size=1, max_size=4),
    by=st.sampled_from(["", "role", "rack"]),
    pause_s=DELAYS,
    approve=st.booleans(),
    healthy=AMOUNTS,
    parallel=st.none() | st.integers(1, 1000),
)
RETRIES = st.builds(oc.Retry, st.integers(1, 100), DELAYS, st.integers(1, 10) | st.floats(1, 10))
ROLLOUTS = st.builds(
    oc.Rollout,
    max_failures=AMOUNTS,
    on_failure=st.sampled_from(["stop", "continue", "rollback"]),
    offline=st.sampled_from(["fail", "skip"]),
    at_least=st.dictionaries(NAMES, AMOUNTS, max_size=2),
    parallel=st.integers(1, 1000),
    per_gateway=st.none() | st.integers(1, 1000),
    timeout_s=st.none() | DELAYS,
    grace_s=DELAYS,
)
REPLACES = st.just(oc.Replace())
START_FIRSTS = st.builds(
    oc.StartFirst,
    network=st.none() | st.sampled_from(["front", "{{ Network }}"]),
    drain=few(TEXT),
    drain_s=st.integers(0, 60) | st.floats(0, 60),
)
SECONDS = st.integers(0, 86_400)

COMMON: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "roles": few(NAMES),
    "rolling": st.none() | ROLLINGS,
    "timeout_s": SECONDS | st.floats(0, 86_400),
    "primary": st.sampled_from(["", "h01", "rack=r1"]),
    "start": st.sampled_from(["after_previous", "with_previous"]),
    "when": st.sampled_from(["success", "failure", "always", "{{ environment == 'Dev' }}"]),
    "required": st.booleans(),
}
ENV = st.dictionaries(WORDS, TEXT | NUMBERS | st.booleans() | SECRETS, max_size=3)
LABELS = st.dictionaries(WORDS.map("com.example.{}".format), TEXT, max_size=2)
SUBNETS = st.builds(
    oc.Subnet,
    st.sampled_from(["10.1.0.0/24", "{{ Subnet }}"]),
    gateway=st.none() | st.just("10.1.0.1"),
    ip_range=st.none() | st.just("10.1.0.128/25"),
    aux_addresses=st.sampled_from([{}, {"router": "10.1.0.2"}]),
)
JOINS = st.builds(
    oc.Join,
    st.sampled_from(["front", "{{ Network }}"]),
    aliases=few(st.sampled_from(["db", "{{ Alias }}"])),
    ip=st.none() | st.just("10.0.0.4"),
    ip6=st.none() | st.just("fd00::4"),
)
MOUNTS = st.one_of(
    st.builds(
        oc.Mount,
        st.just("/m/bind"),
        type=st.just("bind"),
        source=st.sampled_from(["/srv/a, b", "{{ Place }}"]),
        read_only=st.booleans(),
        propagation=st.none() | st.just("rslave"),
    ),
    st.builds(
        oc.Mount,
        st.just("/m/volume"),
        source=st.none() | st.just("data"),
        volume_driver=st.none() | st.just("local"),
        volume_options=st.sampled_from([{}, {"type": "tmpfs", "o": "size=1m,mode=700"}]),
        volume_nocopy=st.booleans(),
    ),
    st.builds(
        oc.Mount,
        st.just("/m/tmpfs"),
        type=st.just("tmpfs"),
        tmpfs_size=st.none() | st.just("64m"),
        tmpfs_mode=st.none() | st.just("0700"),
    ),
)
HEALTH_CHECKS = st.builds(
    oc.HealthCheck,
    st.just("wget -qO- localhost | grep 'a b'"),
    interval_s=st.none() | st.just(0.5),
    timeout_s=st.none() | st.just(2),
    retries=st.none() | st.integers(1, 9),
    start_period_s=st.none() | st.just(60),
    start_interval_s=st.none() | st.just(1),
)
NETWORKS = st.lists(st.sampled_from(["back", "bridge"]) | JOINS, min_size=1, max_size=2,
                    unique_by=lambda item: item if isinstance(item, str) else item.network)  # fmt: skip
DOCKER_NAMES = st.none() | st.sampled_from(["web-1", "web.one", "{{ Name }}"])
_PLAIN_CONTAINERS: dict[str, st.SearchStrategy[Any]] = dict(
    **COMMON,
    image=IMAGES,
    command=few(TEXT),
    env=ENV,
    publish=few(
        st.sampled_from(
            ["8080:80", "127.0.0.1:8080:80", "[::1]:53:53/udp", "9000-9002:9000-9002", "{{ Port }}:80", "81"]
        ),
        unique=True,
    ),
    networks=NETWORKS,
    aliases=few(st.sampled_from(["web", "web.local", "{{ Alias }}"])),
    volumes=few(st.sampled_from(["/srv/data:/a:ro", "data:/data", "{{ Volume }}:/b", "/c"]), unique=True),
    labels=LABELS,
    restart=st.sampled_from(["no", "always", "unless-stopped", "on-failure:3"]),
    extra_args=few(st.sampled_from(["--annotation=a b", "--link-local-ip=169.254.8.8"])),
    container_name=DOCKER_NAMES,
    health=st.none() | PROBES,
    healthy_timeout_s=SECONDS,
    monitor_s=SECONDS | st.floats(0, 60),
    stop_grace_s=SECONDS,
    strategy=REPLACES,
)
CONFIG_FILES = st.builds(
    oc.ConfigFile, TEXT, owner=st.sampled_from(["0", "1000:99"]), mode=st.sampled_from(["0644", "600"])
)
SECRET_FILES = st.builds(
    oc.SecretFile,
    SECRETS | st.just("{{ Password }}"),
    owner=st.sampled_from(["0", "1000:99"]),
    mode=st.sampled_from(["0400", "440"]),
)
# Of each further option of a container a value that is not docker's default.
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "platform": st.just("linux/amd64"),
    "pull": st.sampled_from(["always", "never"]),
    "entrypoint": st.sampled_from([["/bin/sh", "-c"], [""], ["{{ Entry }}"]]),
    "user": st.sampled_from(["1000:1000", "{{ User }}"]),
    "group_add": st.just(["audio", "998"]),
    "workdir": st.sampled_from(["/srv", "{{ Place }}"]),
    "init": st.just(True),
    "tty": st.just(True),
    "interactive": st.just(True),
    "stop_signal": st.sampled_from(["SIGINT", "15"]),
    "healthcheck": HEALTH_CHECKS,
    "no_healthcheck": st.just(True),
    "publish_all": st.just(True),
    "expose": st.just(["9000-9010", "53/udp"]),
    "network_mode": st.sampled_from(["host", "none", "bridge", "container:db"]),
    "hostname": st.sampled_from(["web", "{{ target.name }}"]),
    "domainname": st.just("example.com"),
    "mac_address": st.just("92:d0:c6:0a:29:33"),
    "hosts": st.sampled_from([{"db": "10.0.0.5", "host": "host-gateway"}, {"db": "{{ Address }}"}]),
    "dns": st.just(["10.0.0.53", "fd00::53"]),
    "dns_search": st.just(["example.com", "."]),
    "dns_options": st.just(["ndots:1"]),
    "mounts": st.lists(MOUNTS, min_size=1, max_size=3, unique_by=lambda mount: mount.target),
    "tmpfs": st.just(["/run:mode=1777,size=64m", "/var/cache"]),
    "secret_files": st.just({"/run/secrets/db": oc.SecretFile(oc.secret("db"), owner="1000", mode="0400")}),
    "files": st.just({"/etc/app.conf": "level = info\n", "/etc/x y": oc.ConfigFile("x", owner="33", mode="0600")}),
    "volumes_from": st.just(["data:ro"]),
    "volume_driver": st.just("local"),
    "read_only": st.just(True),
    "shm_size": st.just("128m"),
    "storage_options": st.just({"size": "10G"}),
    "devices": st.just(["/dev/null:/dev/xnull:r", "/dev/zero"]),
    "device_cgroup_rules": st.just(["c 42:* rmw"]),
    "gpus": st.sampled_from(["all", "2", '"device=0,1"']),
    "memory": st.sampled_from(["512m", "{{ Memory }}"]),
    "memory_reservation": st.just("256m"),
    "memory_swap": st.sampled_from(["1g", "-1"]),
    "memory_swappiness": st.just(0),
    "cpus": st.sampled_from([0.5, 2, "{{ Cpus }}"]),
    "cpu_shares": st.just(512),
    "cpu_period": st.just(50_000),
    "cpu_quota": st.just(25_000),
    "cpuset_cpus": st.just("0-1"),
    "cpuset_mems": st.just("0"),
    "pids_limit": st.sampled_from([100, -1]),
    "blkio_weight": st.just(500),
    "oom_score_adj": st.just(-500),
    "oom_kill_disable": st.just(True),
    "ulimits": st.just({"nofile": "1024:4096", "core": 0}),
    "privileged": st.just(True),
    "cap_add": st.just(["NET_ADMIN"]),
    "cap_drop": st.just(["ALL"]),
    "security_options": st.just(["no-new-privileges", "seccomp=unconfined"]),
    "sysctls": st.just({"net.core.somaxconn": 1024}),
    "ipc": st.sampled_from(["host", "container:db"]),
    "pid": st.sampled_from(["host", "container:db"]),
    "userns": st.just("host"),
    "uts": st.just("host"),
    "cgroupns": st.just("private"),
    "cgroup_parent": st.just("/shop"),
    "runtime": st.just("runc"),
    "log_driver": st.just("local"),
    "log_options": st.just({"max-size": "10m", "compress": "true"}),
}
# What needs, and what excludes, something else.
NEEDED = {"memory_swap": "memory", "memory_reservation": "memory", "oom_kill_disable": "memory"}
WITHOUT = {
    "read_only": {"files"},
    "cpus": {"cpu_period", "cpu_quota"},
    "no_healthcheck": {"healthcheck"},
    "network_mode": {"networks", "aliases", "publish", "publish_all", "mac_address", "hostname", "domainname", "hosts",
                     "dns", "dns_search", "dns_options", "expose"},
    "uts": {"hostname", "domainname"},
}  # fmt: skip


@st.composite
def _containers(draw: st.DrawFn) -> oc.RunContainer:
    fields = draw(st.fixed_dictionaries(_PLAIN_CONTAINERS))
    names = set(draw(st.lists(st.sampled_from(sorted(OPTIONS)), max_size=8)))
    names |= {NEEDED[name] for name in names if name in NEEDED}
    fields |= {name: draw(OPTIONS[name]) for name in sorted(names)}
    for name in names & set(WITHOUT):
        for other in WITHOUT[name]:
            fields.pop(other, None)
    if "volume_driver" in fields:
        fields["volumes"] = ["data:/data"]
    if "networks" in fields and not names & {"mac_address", "network_mode"} and draw(st.booleans()):
        beside = attrs.evolve(draw(START_FIRSTS), network="front")
        fields |= {"networks": ["back", "front"], "publish": ["81"], "strategy": beside}
    return oc.RunContainer(**fields)


RUN_CONTAINERS = _containers()
RUN_ONCES = st.builds(
    lambda step, outputs, idle_timeout_s: oc.RunOnce(
        **{
            attribute.name: getattr(step, attribute.name)
            for attribute in attrs.fields(oc.RunOnce)
            if attribute.name not in {"rolling", "outputs", "idle_timeout_s"}
        },
        outputs=outputs,
        idle_timeout_s=None if step.log_driver == "none" else idle_timeout_s,
    ),
    RUN_CONTAINERS,
    st.none() | st.sampled_from(["/outputs", "/out puts/it's", "{{ Folder }}"]),
    st.none() | st.integers(1, 3600),
)


CREATE_NETWORKS = st.builds(
    oc.CreateNetwork,
    **COMMON,
    driver=st.sampled_from(["bridge", "overlay", "{{ Driver }}"]),
    subnet=st.sampled_from(["172.28.6.0/24", "{{ Subnet }}"]),
    gateway=st.none() | st.sampled_from(["172.28.6.1", "{{ Gateway }}"]),
    ip_range=st.none() | st.just("172.28.6.128/25"),
    aux_addresses=st.sampled_from([{}, {"router": "172.28.6.2"}]),
    subnets=st.lists(SUBNETS, max_size=1) | st.just(["fd00::/64"]),
    ipv6=st.just(True),
    internal=st.booleans(),
    attachable=st.booleans(),
    options=st.sampled_from([{}, {"com.docker.network.driver.mtu": 1400}]),
    replace=st.booleans(),
    ipam_driver=st.sampled_from(["default", "other"]),
    ipam_options=st.sampled_from([{}, {"a": "b"}]),
    labels=LABELS,
    network_name=DOCKER_NAMES,
)
CREATE_VOLUMES = st.builds(
    oc.CreateVolume,
    **COMMON,
    driver=st.sampled_from(["local", "{{ Driver }}"]),
    options=st.dictionaries(WORDS, TEXT | NUMBERS, max_size=2),
    labels=LABELS,
    volume_name=DOCKER_NAMES,
    replace=st.booleans(),
)
PULL_IMAGES = st.builds(oc.PullImage, **COMMON, image=IMAGES)
PUT_FILES = st.builds(
    oc.PutFile,
    COMMON["name"],
    st.sampled_from(["/etc/shop.conf", "/srv/it's {x}/a b", "/etc/{{ Name }}.conf"]),
    roles=COMMON["roles"],
    rolling=COMMON["rolling"],
    timeout_s=COMMON["timeout_s"],
    content=TEXT | SECRETS | st.sampled_from(["level = {{ Level }}\n", "{{ Password }}"]),
    mode=st.sampled_from(["0600", "644", "{{ Mode }}"]),
    owner=st.none() | st.sampled_from(["www-data", "33", "{{ Owner }}"]),
    group=st.none() | st.sampled_from(["www-data", "33"]),
    folder_mode=st.sampled_from(["0700", "755"]),
    validate=st.none() | st.sampled_from([["nginx", "-t"], ["nginx", "-t", "-c", "{}"]]),
    reload=st.none() | st.just(["systemctl", "reload", "{{ Unit }}"]),
)
COMPOSE_FILE = """
services:
  web: {image: acme/web, environment: ["DATABASE_URL=pg://u:${PASSWORD}@db"], profiles: [all]}
  db: {image: "postgres@sha256:%s", volumes: ["data:/data"]}
volumes: {data: }
""" % ("0" * 64)
COMPOSE_UPS = st.builds(
    oc.ComposeUp,
    **COMMON,
    file=st.just(COMPOSE_FILE),
    images=st.fixed_dictionaries({"web": IMAGES}),
    env=st.fixed_dictionaries({"PASSWORD": SECRETS | st.sampled_from(["plain", "{{ Text }}"])}),
    profiles=st.just(["all"]),
    jobs=st.sampled_from([[], ["web"]]),
    remove_orphans=st.booleans(),
    compose_name=st.none() | st.sampled_from(["my-shop", "shop-{{ Text }}"]),
    healthy_timeout_s=SECONDS,
    monitor_s=SECONDS,
    extra_args=few(TEXT),
)
STOP_RESOURCES = st.builds(
    oc.StopResource,
    **COMMON,
    steps=few(NAMES),
    releases=st.sampled_from(["all", "older"]),
    remove=st.just(True),
    networks=st.booleans(),
    volumes=st.booleans(),
    grace_s=SECONDS,
)
RUN_SCRIPTS = st.builds(
    oc.RunScript,
    **COMMON,
    script=st.sampled_from(["true", "echo {{ Text }}\n", "cat <<'E'\n{{ Text }}\nE\n"]),
    env=ENV,
    reads_only=st.booleans(),
    shell=st.sampled_from(["sh", "bash"]),
    image=st.none() | IMAGES,
    idle_timeout_s=st.none() | st.integers(1, 3600),
)
APPROVES = st.builds(
    oc.Approve,
    NAMES,
    timeout_s=SECONDS,
    instructions=TEXT,
    approvers=few(NAMES),
)
WAIT_FORS = st.builds(
    oc.WaitFor,
    COMMON["name"],
    PROBES,
    roles=COMMON["roles"],
    rolling=COMMON["rolling"],
    timeout_s=COMMON["timeout_s"],
    container=st.sampled_from(["web-1", "/web", "{{ Name }}"]),
    address=st.sampled_from(["db.example.com", "10.0.0.9", "::1"]),
    interval_s=SECONDS | st.floats(0, 60),
)
UNROLLED = {name: strategy for name, strategy in COMMON.items() if name != "rolling"}
SWARM_UPDATES = st.builds(
    oc.SwarmUpdate,
    parallelism=st.integers(0, 9),
    delay_s=SECONDS,
    order=st.sampled_from(["stop-first", "start-first"]),
    failure_action=st.sampled_from(["pause", "continue"]),
    monitor_s=SECONDS,
    max_failure_ratio=st.floats(0, 1),
)
SWARM_SERVICES = st.builds(
    oc.SwarmService,
    **UNROLLED,
    image=IMAGES,
    command=few(TEXT),
    env=ENV,
    replicas=st.integers(0, 9),
    publish=few(st.sampled_from(["8080:80", "53:53/udp", "{{ Port }}:80"])),
    publish_mode=st.sampled_from(["ingress", "host"]),
    networks=few(st.sampled_from(["front", "{{ Network }}"])),
    volumes=few(st.sampled_from(["data:/data", "/srv:/srv:ro"])),
    secret_files=st.dictionaries(st.sampled_from(["db", "key.pem"]), SECRETS, max_size=2),
    configs=st.dictionaries(st.sampled_from(["/etc/app.conf", "/app.env"]), TEXT | SECRETS, max_size=2),
    constraints=few(st.sampled_from(["node.role==worker"])),
    labels=LABELS,
    container_labels=LABELS,
    cpus=st.none() | st.just("0.5"),
    memory=st.none() | st.just("64m"),
    stop_grace_s=st.integers(0, 60),
    update=SWARM_UPDATES,
    rollback=st.none() | SWARM_UPDATES,
    extra=st.sampled_from([{}, {"healthcheck": {"test": ["CMD", "true"], "retries": 2}}]),
    stack=st.none() | st.just("my-shop"),
    converge_timeout_s=SECONDS,
    monitor_s=SECONDS,
)
SWARM_STACKS = st.builds(
    oc.SwarmStack,
    **UNROLLED,
    file=st.just("services: {web: {image: acme/web}}\nsecrets: {db: {external: true}}\n"),
    images=st.fixed_dictionaries({"web": IMAGES}),
    secret_files=st.dictionaries(st.just("db"), SECRETS, max_size=1),
    prune=st.booleans(),
    stack=st.none() | st.just("my-shop"),
    converge_timeout_s=SECONDS,
    monitor_s=SECONDS,
)
STEPS = st.one_of(
    SWARM_SERVICES,
    SWARM_STACKS,
    COMPOSE_UPS,
    RUN_ONCES,
    APPROVES,
    WAIT_FORS,
    RUN_SCRIPTS,
    STOP_RESOURCES,
    CREATE_NETWORKS,
    CREATE_VOLUMES,
    PULL_IMAGES,
    PUT_FILES,
    RUN_CONTAINERS,
)
PRUNES = st.builds(oc.Prune, **COMMON, images=few(NAMES), keep=few(NAMES), containers=few(NAMES), steps=few(NAMES))
