"""The guide's deployment by octossh, beside plain ssh with an equal script written by hand.

    ./dev bench [--hosts 1,10] [--rtt 0,50] [--rounds 5] [--choosing]

Both do the same work on the same hosts in turns: a network, a server with a health check, a client that reaches
it by its alias, and a report with both addresses. *fresh*: only the images are there; *no-op*: once more;
*change*: another version of the server. Every run is a new process with new connections. What counts is the
ratio: the machine's own noise is in both.

Before that, without hosts: choosing one of 100,000 tags, beside reading and sorting as many versions with packaging.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.lab import Lab
from test_versions_speed import beside_packaging

OCTOFILE = """
import os
import octossh as oc

hub = oc.Registry("hub", "http://" + os.environ["BENCH_REGISTRY"])
network = ["{{ steps.network.inspect.Name }}"]
address = "{{ steps.STEP.inspect.NetworkSettings.Networks[steps.network.inspect.Name].IPAddress }}"
process = [
    oc.CreateNetwork("network", subnet="172.28.6.0/24"),
    oc.RunContainer("first", image=hub.image("acme/web"), networks=network, aliases=["FirstServer"], monitor_s=0,
                    publish=["8080:8080"], restart="unless-stopped", volumes=["octo:/data"], env={"LEVEL": "info"}),
    oc.RunContainer("second", image=hub.image("acme/pinger"), networks=network, monitor_s=0,
                    env={"TARGET": "FirstServer", "PING_COUNT": 1}),
    oc.RunScript("report", script="echo " + address.replace("STEP", "first") + " " + address.replace("STEP", "second"),
                 reads_only=True),
]
hosts = [host.split("=") for host in os.environ["BENCH_HOSTS"].split()]
space = oc.Space(
    projects=[oc.Project("guide", process=process)],
    targets=[oc.Target(name, address, environments=["Dev"]) for name, address in hosts],
    transport=oc.SSH(known_hosts=os.environ["BENCH_KNOWN_HOSTS"], identity=os.environ["BENCH_KEY"], user="deploy"),
)
"""

BY_HAND = """
set -eu
ensure() {{  # NAME IMAGE OPTIONS...
    name=$1 image=$2; shift 2
    have=$(docker container inspect --format '{{{{.Config.Image}}}} {{{{.State.Running}}}}' "$name" 2>/dev/null) || :
    [ "$have" = "$image true" ] && return
    docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" >/dev/null
    if [ -n "$have" ]; then docker stop "$name" >/dev/null; docker rm "$name" >/dev/null; fi
    docker run -d --name "$name" --network hand "$@" "$image" >/dev/null
    while :; do
        case $(docker container inspect --format \
            '{{{{.State.Running}}}} {{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{end}}}}' "$name") in
            "true " | "true healthy") break ;;
            false*) exit 1 ;;
        esac
        sleep 0.2
    done
}}
docker network inspect hand >/dev/null 2>&1 || docker network create --subnet 172.28.7.0/24 hand >/dev/null
ensure first {web} --network-alias FirstServer -p 8081:8080 --restart unless-stopped -v hand:/data -e LEVEL=info
ensure second {pinger} -e TARGET=FirstServer -e PING_COUNT=1
docker container inspect --format '{{{{range .NetworkSettings.Networks}}}}{{{{.IPAddress}}}} {{{{end}}}}' first second
"""

WORK = {"fresh": "1.0.0", "no-op": "1.0.0", "change": "1.0.1"}


class Bench:
    """One lab, and the two ways to deploy on it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.env = os.environ | {
            "BENCH_REGISTRY": lab.registry,
            "BENCH_HOSTS": " ".join(f"{name}={address}" for name, address in lab.hosts.items()),
            "BENCH_KNOWN_HOSTS": str(lab.known_hosts),
            "BENCH_KEY": str(lab.key),
        }
        (folder / "octofile.py").write_text(OCTOFILE)
        self.digests: dict[str, str] = {}
        for tag in ("1.0.0", "1.0.1"):
            self.octossh("release", "create", "--number", f"0.0.{tag[-1]}", "--set", f"acme/web={tag}")
        lab.pull("acme/web:1.0.0", "acme/web:1.0.1", "acme/pinger:1.1.0")
        for host in lab.hosts:  # by digest, as octossh pulls: no registry in the measurement
            for image in ("acme/web:1.0.0", "acme/web:1.0.1", "acme/pinger:1.1.0"):
                command = "docker image inspect --format '{{index .RepoDigests 0}}' "
                self.digests[image] = lab.sh(host, f"{command} {lab.registry}/{image}").strip()

    def octossh(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name("octossh")), *arguments]
        subprocess.run(command, cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def by_octossh(self, tag: str) -> None:
        self.octossh("deploy", f"0.0.{tag[-1]}", "--to", "Dev", "-q")

    def by_hand(self, tag: str) -> None:
        script = BY_HAND.format(web=self.digests[f"acme/web:{tag}"], pinger=self.digests["acme/pinger:1.1.0"])
        ssh = ["ssh", "-F", str(self.lab.ssh_config), "-o", "KexAlgorithms=curve25519-sha256", "-l", "deploy"]
        running = []
        for host in self.lab.hosts:
            process = subprocess.Popen(
                [*ssh, host, "sh -s"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
            )
            assert process.stdin is not None
            process.stdin.write(script)
            process.stdin.close()
            running.append(process)
        if any(process.wait() for process in running):
            sys.exit("bench: the script written by hand failed")

    def execs(self) -> int:
        return sum(self.lab.ssh_sessions(host) for host in self.lab.hosts)

    def connections(self) -> int:
        return sum(self.lab.ssh_connections(host) for host in self.lab.hosts)

    def round(self, times: dict[tuple[str, str], list[float]], counts: dict[tuple[str, str], str]) -> None:
        self.lab.clean()
        for work, tag in WORK.items():
            for way, run in (("ssh", self.by_hand), ("octossh", self.by_octossh)):
                execs, connections, began = self.execs(), self.connections(), time.monotonic()
                run(tag)
                times.setdefault((work, way), []).append(time.monotonic() - began)
                hosts = len(self.lab.hosts)
                counts[work, way] = (
                    f"{(self.connections() - connections) / hosts:g} / {(self.execs() - execs) / hosts:g}"
                )


def measure(hosts: int, rtt_ms: float, rounds: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="octossh-bench-"))
    try:
        with Lab.up(hosts, name=f"bench{os.getpid()}"[:12]) as lab:
            bench = Bench(lab, folder)
            lab.rtt(rtt_ms)
            times: dict[tuple[str, str], list[float]] = {}
            counts: dict[tuple[str, str], str] = {}
            for _ in range(rounds):
                bench.round(times, counts)
    finally:
        shutil.rmtree(folder)
    for work in WORK:
        plain, ours = times[work, "ssh"], times[work, "octossh"]
        ratio = statistics.median(b / a for a, b in zip(plain, ours, strict=True))
        spread = [f"{statistics.median(t):6.2f} ({min(t):.2f}-{max(t):.2f})" for t in (plain, ours)]
        print(
            f"{hosts:5} {rtt_ms:6g} {work:7} {spread[0]:>20} {spread[1]:>20} {ratio:7.2f} "
            f"{counts[work, 'ssh']:>9} {counts[work, 'octossh']:>9}",
            flush=True,
        )


def main() -> None:
    def numbers(text: str) -> list[float]:
        return [float(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=numbers, default=[1, 10], help="such as 1,10")
    parser.add_argument("--rtt", type=numbers, default=[0, 50], help="round-trip times in ms, such as 0,50")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--choosing", action="store_true", help="only how fast tags are chosen; it needs no lab")
    given = parser.parse_args()
    beside_packaging(given.rounds, scheme="dotted")
    if given.choosing:
        return
    print("seconds: median (least-most); connections / execs for each host")
    print(f"{'hosts':>5} {'rtt ms':>6} {'work':7} {'ssh':>20} {'octossh':>20} {'ratio':>7} {'ssh':>9} {'octossh':>9}")
    for hosts in given.hosts:
        for rtt_ms in given.rtt:
            measure(int(hosts), rtt_ms, given.rounds)


if __name__ == "__main__":
    main()
