"""The main job on real hosts: release, deploy, promote, break, put back, roll back.

It brings up a lab of four hosts with a registry, runs the ``octossh`` command as a person would, and takes the
lab down again. Every command is shown with what it printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.lab import Lab

ENVIRONMENTS = {"h01": "Dev", "h02": "Test", "h03": "Production", "h04": "Production"}


class Demo:
    """Says what it does, and checks that each command ends as it should."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.env = os.environ | {
            "DEMO_REGISTRY": lab.registry,
            "DEMO_KNOWN_HOSTS": str(lab.known_hosts),
            "DEMO_KEY": str(lab.key),
            "DEMO_API_KEY": "not-for-your-eyes",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def say(self, text: str) -> None:
        print(f"\n# {text}", flush=True)

    def run(self, command: str, *, code: int = 0) -> str:
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.env,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        print(done.stdout, end="", flush=True)
        if done.returncode != code:
            sys.exit(f"demo: {command!r} ended with {done.returncode}, not {code}")
        if self.env["DEMO_API_KEY"] in done.stdout:
            sys.exit("demo: the secret was printed")
        return done.stdout

    def on(self, host: str, command: str) -> str:
        print(f"{host}$ {command}", flush=True)
        said = self.lab.sh(host, command)
        print(said, end="", flush=True)
        return said


def write_targets(lab: Lab, folder: Path) -> None:
    lines = ["targets:"]
    for host, environment in ENVIRONMENTS.items():
        lines.append(
            f"  {host}: {{address: {lab.hosts[host]}, roles: [server, client], environments: [{environment}]}}"
        )
    (folder / "targets.yml").write_text("\n".join(lines) + "\n")


def tell(demo: Demo) -> None:
    lab = demo.lab
    lab.push("demo/web", "1.0.0", "healthy")
    lab.push("demo/pinger", "1.0.0")
    demo.say("The registry has a server and a client. Which version would a release pick, and why?")
    demo.run("octossh tags demo/web --explain")
    demo.say("A release freezes process, variables and digests. The plan says what would happen.")
    demo.run("octossh release create")
    demo.run("octossh plan --to Dev")
    demo.say("Deploy it. The report prints both addresses, and the ping from the second container to the first.")
    demo.run("octossh deploy --to Dev")
    demo.say("Once more: nothing changes.")
    before = demo.on("h01", "docker ps --format '{{.Names}} {{.ID}}' | sort")
    demo.run("octossh deploy --to Dev -q")
    after = demo.on("h01", "docker ps --format '{{.Names}} {{.ID}}' | sort")
    if before != after:
        sys.exit("demo: the second deployment changed a container")
    demo.run("octossh plan --to Dev --detailed-exitcode")
    demo.say("Production before Test? The lifecycle refuses. In order it goes, with each stage's own PING_COUNT.")
    demo.run("octossh deploy --to Production", code=4)
    demo.run("octossh promote --to Test")
    demo.run("octossh promote --to Production")

    demo.say("A new tag is pushed, released, and promoted through the stages.")
    lab.push("demo/web", "1.1.0", "healthy")
    demo.run("octossh release create")
    demo.run("octossh plan --to Dev")
    demo.run("octossh deploy --to Dev -q")
    demo.run("octossh promote --to Test -q")
    demo.run("octossh promote --to Production -q")
    demo.run("octossh status")

    demo.say("The next one never gets healthy: the step fails, and the old container is put back.")
    lab.push("demo/web", "1.2.0", "never-healthy")
    demo.run("octossh release create")
    demo.run("octossh deploy --to Dev", code=1)
    said = demo.on("h01", "docker ps --format '{{.Names}} {{.Image}} {{.Status}}' | grep first-server")
    if "Up" not in said:
        sys.exit("demo: the old container does not run")
    demo.on("h01", "wget -q -O - http://127.0.0.1:8080/version")
    demo.run("octossh promote --to Test -q")

    demo.say("Production goes back to the release before.")
    demo.run("octossh rollback --in Production -q")
    demo.on("h03", "wget -q -O - http://127.0.0.1:8080/version")
    demo.say("What stands where, and the history of it all.")
    demo.run("octossh status")
    demo.run("octossh history")
    demo.run("octossh audit verify")


def main() -> None:
    print("bringing up a lab: 4 hosts with their own sshd and dockerd, and a registry ...", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="octossh-demo-"))
    try:
        with Lab.up(4, name=f"demo{os.getpid()}") as lab:
            shutil.copy(Path(__file__).with_name("octofile.py"), folder)
            write_targets(lab, folder)
            tell(Demo(lab, folder))
    finally:
        shutil.rmtree(folder)
    print("\nthe lab is gone again; all of this was real")


if __name__ == "__main__":
    main()
