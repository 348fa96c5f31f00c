"""What the facts of a host mean for a deployment to it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import octossh as oc
from octossh.model import Grade
from octossh.planning import Visit, judge

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WELL = {
    "system": "Linux 6.1.0 x86_64",
    "user": "deploy deploy docker",
    "uid": "1000",
    "session": "sshd",
    "removes": "b true",
    "deployers": "docker:x:999:deploy",
    "shell": "/usr/bin/dash",
    "time": str(int(AT.timestamp())),
    **{f"tool.{tool}": f"/usr/bin/{tool}" for tool in ("docker", "flock", "base64", "tr", "sed", "mktemp", "curl")},
    "memory": "tmpfs 65536 0 65536 0% /dev/shm",
    "docker": "20.10.24 20.10.24 linux amd64",
    "root": "/var/lib/docker",
    "disk": "/dev/vda1 100000000 20000000 80000000 20% /",
    "registry.0": "401",
}


REGISTRIES = (("hub", "https://registry.example.com"),)


def judged(without=(), call=("docker",), socket=None, *, watched=True, **facts):
    """The grade and the text of each subject."""
    facts = {key.replace("__", "."): value for key, value in facts.items()}
    kept = {name: value for name, value in {**WELL, **facts}.items() if name not in without}
    visit = Visit(facts=kept, at=AT, within_s=0.5, registries=REGISTRIES, call=call, socket=socket, watched=watched)
    return {f.subject: (f.grade, f"{f.found}; {f.advice}") for f in judge("h01", visit)}


def test_of_a_long_error_of_docker_the_end_is_shown_from_a_whole_word_on():
    _, text = judged(docker__error=f"{'much before ' * 50}dial unix: connect: permission denied")["docker"]
    assert text.startswith(("docker does not answer deploy: ... before", "docker does not answer deploy: ... much"))
    assert "connect: permission denied; add deploy" in text


def test_a_host_that_has_all_it_needs_is_ok_in_everything():
    assert {grade for grade, _ in judged().values()} == {Grade.OK}
    assert set(judged()) == {"system", "shell", "tools", "docker", "disk", "clock", "registry hub"}


@pytest.mark.parametrize(
    ("facts", "subject", "grade", "words"),
    [
        ({"system": "Darwin 23.0 arm64"}, "system", Grade.FAULT, "Linux hosts only"),
        ({"without": ["tool.flock", "tool.base64"]}, "tools", Grade.FAULT, "no flock, no base64; install coreutils and util-linux"),
        ({"without": ["tool.curl"]}, "tools", Grade.WARNING, "no curl, bash or wget"),
        ({"without": ["memory"]}, "memory", Grade.FAULT, "tmpfs"),
        ({"hidden": "/proc", "session": ""}, "claims", Grade.WARNING, "(hidepid), so whether whoever deploys is there still"),
        ({"session": "dropbear"}, "claims", Grade.WARNING, "SSH server is dropbear and not OpenSSH's sshd"),
        (
            {"deployers": "docker:x:999:ann,deploy,root"}, "claims", Grade.WARNING,
            "/dev/shm goes when deploy logs out, also a lock that keeps ann out; where they deploy the same project, set Re",
        ),
        ({"without": ["tool.docker"]}, "docker", Grade.FAULT, "no docker command for deploy; install docker"),
        ({"docker__silent": "20"}, "docker", Grade.FAULT, "did not answer within 20 s"),
        (
            {"docker__error": "Got permission denied while trying to connect to the Docker daemon socket"},
            "docker", Grade.FAULT, "add deploy to the group docker: sudo usermod -aG docker deploy;",
        ),
        (
            {"docker__error": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?"},
            "docker", Grade.FAULT, "systemctl start docker",
        ),
        (
            {"docker__error": "sudo: a password is required", "call": ("sudo", "-n", "docker"), "tool.sudo": "/usr/bin/sudo"},
            "docker", Grade.FAULT, "deploy ALL=(root) NOPASSWD: /usr/bin/docker",
        ),
        ({"call": ("sudo", "-n", "docker")}, "docker", Grade.FAULT, "no sudo command for deploy; install sudo"),
        (
            {"docker__error": "Cannot connect to the Docker daemon at unix:///run/x.sock.", "socket": "unix:///run/x.sock"},
            "docker", Grade.FAULT, "see whether the engine listens at unix:///run/x.sock, and deploy may write to it",
        ),
        ({"docker__name": "podman version 4.3.1", "docker__error": "Error: template"}, "docker", Grade.FAULT, "start podman.socket"),
        ({"docker": "20.10.24 4.3.1 linux amd64 Podman Engine"}, "docker", Grade.WARNING, "podman 4.3.1 for an engine"),
        ({"docker": "24.0.7 24.0.7 windows amd64"}, "docker", Grade.FAULT, "windows containers; octossh deploys Linux"),
        ({"docker": "20.10.24 19.03.8 linux amd64"}, "docker", Grade.WARNING, "older than 20.10"),
        ({"disk": "/dev/vda1 100000000 99900000 100000 99% /srv"}, "disk", Grade.FAULT, "0.1 of 100.0 GB are free in /srv"),
        ({"disk": "/dev/vda1 100000000 96000000 4000000 96% /"}, "disk", Grade.WARNING, "4.0 of 100.0 GB"),
        ({"time": str(int(AT.timestamp()) - 86_400 * 365)}, "clock", Grade.FAULT, "31536000 s behind"),
        ({"time": str(int(AT.timestamp()) + 60)}, "clock", Grade.WARNING, "60 s ahead"),
        ({"registry__0": "503"}, "registry hub", Grade.WARNING, "HTTP status 503"),
        (
            {"registry__0": "curl: (6) Could not resolve host: registry.example.com 000"},
            "registry hub", Grade.FAULT, "https://registry.example.com cannot be reached: Could not resolve host",
        ),
        ({"registry__0": "", "without": ["tool.curl"]}, "registry hub", Grade.WARNING, "install curl or wget"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_what_to_do(facts, subject, grade, words):
    found, text = judged(**facts)[subject]
    assert found is grade
    assert words in text


@pytest.mark.parametrize(
    "facts",
    [
        {"session": "sshd-session"},
        {"session": "python3", "watched": False},
        {"deployers": ""},
        {"deployers": "docker:x:999:ann", "removes": "b false"},
        {"deployers": "docker:x:999:ann", "without": ["removes"]},
        {"deployers": "docker:x:999:ann", "uid": "998"},
    ],
)
def test_where_nothing_keeps_deployments_from_knowing_of_each_other_nothing_is_said_of_it(facts):
    assert "claims" not in judged(**facts)


@pytest.mark.parametrize("off_s", [-31, -1, 0, 1, 31])
def test_a_clock_that_is_a_little_off_is_no_finding(off_s):
    assert judged(time=str(int(AT.timestamp()) + off_s))["clock"][0] is Grade.OK


def test_a_checkup_prints_a_table_and_is_ok_without_faults():
    findings = judge("h01", Visit(facts=WELL, at=AT, registries=(("hub", "https://registry.example.com"),)))
    made = oc.Checkup(findings)
    assert made.ok
    assert "h01     docker        ok     client 20.10.24, server 20.10.24 on linux/amd64" in str(made)
    assert not oc.Checkup(judge("h01", Visit(facts={}, at=AT))).ok
