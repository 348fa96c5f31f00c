"""Options of containers and networks on real docker: it takes them, and afterwards there is nothing left to do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

# Each set on a container of its own; left out is what this kernel cannot do, what needs hardware, and a
# MAC address, which a client of docker 25 or newer takes only with a daemon as new.
SETS: dict[str, dict[str, Any]] = {
    "limits": {
        "memory": "64m", "memory_reservation": "32m", "memory_swap": "128m", "cpus": 0.5, "cpu_shares": 512,
        "cpuset_cpus": "0", "pids_limit": 50, "oom_score_adj": 100, "ulimits": {"nofile": "512:1024", "core": 0},
        "shm_size": "16m",
    },
    "rights": {
        "cap_add": ["NET_ADMIN"], "cap_drop": ["MKNOD", "cap_chown"], "security_options": ["no-new-privileges:true"],
        "read_only": True, "tmpfs": ["/scratch:size=1m,mode=1777"], "user": "1000:1000", "group_add": ["998"],
        "sysctls": {"net.core.somaxconn": 256}, "devices": ["/dev/null:/dev/xnull:r"], "cgroupns": "host",
        "device_cgroup_rules": ["c 42:* rmw"],
    },
    "names": {
        "hostname": "web", "domainname": "example.com", "hosts": {"db": "10.0.0.5", "gate": "host-gateway"},
        "dns": ["10.0.0.53"], "dns_search": ["example.com"], "dns_options": ["ndots:1"],
    },
    "data": {
        "volumes": ["shared:/shared:ro", "/anonymous", "/etc/hostname:/etc/host_name:ro"],
        "mounts": [
            oc.Mount("/named", source="named", volume_nocopy=True),
            oc.Mount('/bound, "here"', type="bind", source="/etc/ssl", read_only=True, propagation="private"),
            oc.Mount("/small", type="tmpfs", tmpfs_size="1m", tmpfs_mode="0700"),
        ],
    },
    "process": {
        "entrypoint": ["/bin/sh", "-c"], "command": ["trap exit INT; while :; do sleep 1; done"], "workdir": "/tmp",
        "init": True, "tty": True, "interactive": True, "stop_signal": "INT", "stop_grace_s": 2,
        "healthcheck": oc.HealthCheck("test -d /tmp", interval_s=1, timeout_s=1, retries=2, start_period_s=1),
        "log_driver": "local", "log_options": {"max-size": "1m"}, "labels": {"team": "a b", "Z": ""},
        "platform": "linux/amd64", "pull": "always",
    },
    "ports": {
        "publish": ["18080:80", "127.0.0.1:18081-18082:81-82/tcp", "83", "127.0.0.1::84/udp"], "expose": ["9000-9001"],
        "publish_all": True,
    },
    "host": {"network_mode": "host", "pid": "host", "ipc": "host", "uts": "host", "no_healthcheck": True},
    "alone": {"network_mode": "none", "ipc": "shareable", "extra_args": ["--link-local-ip", "169.254.8.8"]},
}  # fmt: skip


def containers(lab: Lab, sets: dict[str, dict[str, Any]]) -> list[oc.RunContainer]:
    image = shops.registry(lab).image("acme/worker")
    return [oc.RunContainer(name, image=image, **{"monitor_s": 0, **fields}) for name, fields in sets.items()]


def test_docker_takes_every_option_and_then_nothing_is_left_to_do(clean_lab: Lab, tmp_path: Path) -> None:
    made = shops.project(*containers(clean_lab, SETS))
    with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path) as space:
        release = space.create_release(versions={"acme/worker": "1.0.0"})
        done = space.deploy(release, "Dev")
        assert {outcome.action for outcome in done.outcomes} == {"created"}
        plan = space.plan(space.release(), "Dev")
        assert not plan.has_changes, str(plan)
        assert {outcome.action for outcome in space.deploy(release, "Dev").outcomes} == {"unchanged"}
    limits = shops.inspect(clean_lab, "h01", "shop-dev-limits")["HostConfig"]
    assert (limits["Memory"], limits["MemorySwap"], limits["NanoCpus"]) == (64 << 20, 128 << 20, 500_000_000)
    assert limits["PidsLimit"] == 50
    rights = shops.inspect(clean_lab, "h01", "shop-dev-rights")
    assert (rights["Config"]["User"], rights["HostConfig"]["ReadonlyRootfs"]) == ("1000:1000", True)
    assert rights["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    places = {mount["Destination"]: mount for mount in shops.inspect(clean_lab, "h01", "shop-dev-data")["Mounts"]}
    assert {"/shared", "/anonymous", "/named", '/bound, "here"', "/small"} <= set(places)
    process = shops.inspect(clean_lab, "h01", "shop-dev-process")["Config"]
    assert (process["Entrypoint"], process["Cmd"]) == (["/bin/sh"], ["-c", SETS["process"]["command"][0]])
    assert process["Healthcheck"]["Test"] == ["CMD-SHELL", "test -d /tmp"]
    ports = shops.inspect(clean_lab, "h01", "shop-dev-ports")["NetworkSettings"]["Ports"]
    assert {"80/tcp", "81/tcp", "82/tcp", "83/tcp", "84/udp", "9000/tcp", "9001/tcp"} <= set(ports)
    names = clean_lab.sh("h01", "docker exec shop-dev-names cat /etc/hosts /etc/resolv.conf")
    assert all(word in names for word in ("10.0.0.5", "gate", "nameserver 10.0.0.53", "search example.com", "ndots:1"))


def test_a_field_that_is_taken_away_or_changed_is_a_change_with_its_name(clean_lab: Lab, tmp_path: Path) -> None:
    before = {"dns": ["10.0.0.53", "10.0.0.54"], "env": {"A": "1", "B": "2"}, "cap_drop": ["MKNOD"], "memory": "64m"}
    after = {"dns": ["10.0.0.53"], "env": {"A": "1"}, "memory": "128m"}
    hosts = shops.targets(clean_lab, "Dev")
    with shops.space(clean_lab, shops.project(*containers(clean_lab, {"web": before})), hosts, tmp_path) as space:
        space.deploy(space.create_release(versions={"acme/worker": "1.0.0"}), "Dev")
    with shops.space(clean_lab, shops.project(*containers(clean_lab, {"web": after})), hosts, tmp_path) as space:
        release = space.create_release(versions={"acme/worker": "1.0.0"})
        plan = space.plan(release, "Dev")
        assert [str(change) for change in plan.tasks[0].changes] == [
            "cap_drop: MKNOD -> (none)",
            "dns: 10.0.0.54 -> (none)",
            "env B: 2 -> (none)",
            "memory: 64m -> 128m",
        ]
        space.deploy(plan)
        assert not space.plan(release, "Dev").has_changes


MISHAPS = [
    "docker stop -t 0 shop-dev-{one}",
    "docker rm -f shop-dev-{one}",
    "docker rename shop-dev-{one} shop-dev-{one}--old",
    "docker stop -t 0 shop-dev-{one}; docker rename shop-dev-{one} shop-dev-{one}--old",
    "docker network disconnect -f shop-dev-net shop-dev-{one}",
    "docker kill shop-dev-{one}",
    "docker pause shop-dev-{one}",
    "for one in one two; do docker network disconnect -f shop-dev-net shop-dev-$one; done; docker network rm shop-dev-net",
]
FIELDS: list[dict[str, Any]] = [
    {}, {"memory": "64m"}, {"env": {"A": "1"}}, {"cap_drop": ["ALL"]}, {"restart": "always"}, {"init": True},
    {"aliases": ["x"]}, {"mounts": [oc.Mount("/m", type="tmpfs")]}, {"publish": ["80"]}, {"strategy": oc.StartFirst()},
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_there_a_deployment_leaves_nothing_to_do(clean_lab: Lab, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    hosts = shops.targets(clean_lab, "Dev")
    for turn in range(4):
        net = oc.CreateNetwork("net", replace=True, subnet=draw.choice([None, "172.28.6.0/24", "172.28.7.0/24"]))
        sets = {name: {"networks": ["shop-dev-net"], **draw.choice(FIELDS)} for name in ("one", "two")}
        made = shops.project(net, *containers(clean_lab, sets))
        for mishap in draw.sample(MISHAPS, draw.randrange(3)) if turn else []:
            clean_lab.sh("h01", f"({mishap.format(one=draw.choice(['one', 'two']))}) >/dev/null 2>&1 || true")
        with shops.space(clean_lab, made, hosts, tmp_path) as space:
            release = space.create_release(versions={"acme/worker": draw.choice(["1.0.0", "1.1.0"])})
            planned = space.plan(release, "Dev")
            done = space.deploy(release, "Dev")
            again = space.plan(release, "Dev")
            assert not again.has_changes, f"{planned}\n{done}\n{again}"
            assert {outcome.action for outcome in space.deploy(release, "Dev").outcomes} == {"unchanged"}
        joined = [shops.inspect(clean_lab, "h01", f"shop-dev-{name}")["NetworkSettings"]["Networks"] for name in sets]
        assert [set(networks) for networks in joined] == [{"shop-dev-net"}] * 2
        assert set(shops.containers(clean_lab, "h01")) == {"shop-dev-one", "shop-dev-two"}


def test_secret_files_are_in_the_container_and_on_no_disk_and_come_back_after_a_reboot(
    clean_lab: Lab, tmp_path: Path
) -> None:
    secrets = {"DB": "s3cr3t of db\n'ü'", "KEY": "s3cr3t of key"}
    files = {
        "/run/secrets/db": oc.secret("DB"),
        "/etc/app/key": oc.SecretFile(oc.secret("KEY"), owner="1000:1000", mode="0400"),
    }
    (step,) = containers(clean_lab, {"web": {"secret_files": files, "restart": "always", "user": "1000:1000"}})
    hosts = shops.targets(clean_lab, "Dev")
    read = "docker exec shop-dev-web sh -c 'cat /run/secrets/db /etc/app/key; ls -ln /etc/app/key'"

    def told() -> list[str]:
        return clean_lab.sh("h01", read).split("\n")

    with shops.space(clean_lab, shops.project(step), hosts, tmp_path, secrets=secrets) as space:
        release = space.create_release(versions={"acme/worker": "1.0.0"})
        assert space.deploy(release, "Dev").outcomes[0].action == "created"
        first = told()
        assert first[:2] == [
            "s3cr3t of db",
            "'ü's3cr3t of key-r--------    1 1000     1000            13 Jan  1  1970 /etc/app/key",
        ]
        assert not space.plan(release, "Dev").has_changes
        # All that is on the host's disk, docker's own files included; of its memory only the one folder.
        places = "/var/lib/docker /var/log /tmp /home /root /etc /run/lock"
        assert clean_lab.sh("h01", f"grep -rls s3cr3t {places} 2>/dev/null || echo none") == "none\n"
        assert clean_lab.sh("h01", "su guest -s /bin/sh -c 'ls /dev/shm/octossh-shop-dev.files' 2>&1 || true").count(
            "denied"
        )
        clean_lab.sh("h01", "docker restart -t 1 shop-dev-web")
        assert told() == first
        clean_lab.reboot("h01")
        assert [task.action for task in space.plan(release, "Dev").tasks] == [oc.Action.START]
        assert space.deploy(release, "Dev").outcomes[0].action == "started"
        assert told() == first
    with shops.space(
        clean_lab, shops.project(step), hosts, tmp_path, secrets=secrets | {"KEY": "s3cr3t of another"}
    ) as space:
        assert "secret_files /etc/app/key: (secret KEY" in str(space.plan(release, "Dev"))
        assert space.deploy(release, "Dev").outcomes[0].action == "replaced"
        assert "s3cr3t of another" in "\n".join(told())
        assert clean_lab.sh("h01", "ls /dev/shm/octossh-shop-dev.files/shop-dev-web | wc -l").strip() == "1"
    with shops.space(clean_lab, shops.project(oc.StopResource("away")), hosts, tmp_path) as space:
        space.deploy(space.create_release(), "Dev")
    assert clean_lab.sh("h01", "find /dev/shm -type f -path '*files*' | wc -l").strip() == "0"
