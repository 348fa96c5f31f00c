"""`octossh init`: the files it writes fit what was said, load, and never take the place of others unasked."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from terminals import typed

import octossh as oc
from octossh.cli.options import load
from octossh.octofiles import image_of

IMAGE = ["--image", "registry.example.com/acme/web"]
HOST = ["--host", "deploy@10.0.0.11"]


@pytest.fixture
def init(octossh):
    """Run ``octossh init`` in an empty folder; exit code, standard output and standard error."""

    def run(*arguments, before=()):
        return octossh(*before, "init", *arguments)

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def loaded(folder: Path) -> oc.Space:
    space = load(str(folder / "octofile.py"))
    space.close()
    return space


def test_what_is_written_loads_and_is_what_was_said(init, in_tmp):
    code, out, err = init(*IMAGE, *HOST, "--publish", "8080:80", "--health", "/health", "--project", "Shop")
    assert (code, err) == (0, "")
    assert out == (
        "octofile.py: project Shop, a container of registry.example.com/acme/web\n"
        "targets.yml: h01 in Production\n"
        "next:\n"
        "  octossh check\n"
        "  octossh release create\n"
        "  octossh plan --to Production\n"
        "  octossh deploy --to Production\n"
    )
    assert names(in_tmp) == ["octofile.py", "targets.yml"]
    space = loaded(in_tmp)
    (step,) = space.project("Shop").process.steps
    image = oc.Registry("hub", "https://registry.example.com").image("acme/web")
    health = oc.Http(80, "/health")
    assert step == oc.RunContainer("web", image=image, publish=["8080:80"], health=health, restart="unless-stopped")
    assert space.targets == (oc.Target("h01", "10.0.0.11", user="deploy", environments=["Production"]),)


def test_hosts_say_their_environments_and_one_may_stand_in_several(init, in_tmp):
    hosts = ["Dev=web1.example.com:2222", "Prod=deploy@web2.example.com", "Prod=[fd00::7]", "Dev=[fd00::7]"]
    code, out, _ = init("--image", "nginx", *(word for host in hosts for word in ("--host", host)), "--json")
    assert code == 0
    assert json.loads(out) == {
        "files": ["octofile.py", "targets.yml"],
        "next": ["octossh check", "octossh release create", "octossh plan --to Dev", "octossh deploy --to Dev"],
    }
    space = loaded(in_tmp)
    assert space.project("nginx").environments == ("Dev", "Prod")
    assert space.targets == (
        oc.Target("web1", "web1.example.com", port=2222, environments=["Dev"]),
        oc.Target("web2", "web2.example.com", user="deploy", environments=["Prod"]),
        oc.Target("h01", "fd00::7", environments=["Prod", "Dev"]),
    )


def test_hosts_may_be_those_of_the_ssh_configuration(init, in_tmp, monkeypatch):
    monkeypatch.setenv("HOME", str(in_tmp))
    (in_tmp / ".ssh").mkdir()
    (in_tmp / ".ssh" / "config").write_text("Host web1 web2\n  User deploy\nHost db1\nHost *\n  Port 22\n")
    assert init("--image", "nginx", "--from-ssh-config", "web*")[0] == 0
    assert [(target.name, target.address, target.user) for target in loaded(in_tmp).targets] == [
        ("web1", "web1", None),
        ("web2", "web2", None),
    ]
    code, _, err = init("--image", "nginx", "--force", "--from-ssh-config", "Dev=app*")
    assert code == 2
    assert "no name in ~/.ssh/config fits 'app*'" in err


def test_hosts_are_told_by_where_they_stand(init):
    hosts = [word for host in ("Test=a", "Live=b", "Live=c") for word in ("--host", host)]
    assert "\ntargets.yml: a in Test; b, c in Live\n" in init(*IMAGE, *hosts)[1]


def test_files_that_are_there_are_written_over_with_force_only(init, in_tmp):
    (in_tmp / "targets.yml").write_text("mine")
    code, out, err = init(*IMAGE, *HOST)
    assert (code, out) == (2, "")
    assert err.startswith("octossh: targets.yml would be written over; give --force")
    assert (in_tmp / "targets.yml").read_text() == "mine"
    assert not (in_tmp / "octofile.py").exists()
    assert init(*IMAGE, *HOST, "--force")[0] == 0
    assert loaded(in_tmp).targets[0].name == "h01"


def test_files_are_written_beside_the_octofile_that_is_named(init, in_tmp):
    code, out, _ = init(*IMAGE, *HOST, before=["-f", "shop/octo.py"])
    assert code == 0
    assert "next:\n  octossh -f shop/octo.py check\n" in out
    assert names(in_tmp / "shop") == ["octo.py", "targets.yml"]
    assert Path.cwd() == in_tmp


def test_what_comes_next_can_be_typed_as_it_stands(init, in_tmp):
    code, out, _ = init(*IMAGE, "--host", "Live one=10.0.0.11", before=["-f", "my file.py"])
    assert code == 0
    assert "next:\n  octossh -f 'my file.py' check\n" in out
    assert out.endswith("  octossh -f 'my file.py' deploy --to 'Live one'\n")


@pytest.mark.parametrize("file", ["targets.yml", "./targets.yml", "shop/targets.yml"])
def test_octofile_and_targets_are_two_files(file, init, in_tmp):
    code, out, err = init(*IMAGE, *HOST, "--force", before=["-f", file])
    assert (code, out) == (2, "")
    assert "targets.yml': the targets are written there; give it another name, such as octofile.py" in err
    assert names(in_tmp) == []


def test_what_cannot_be_loaded_is_not_written(init, in_tmp, monkeypatch):
    monkeypatch.setattr("octossh.octofiles.starting.octofile", lambda *_, **__: "space = 1")
    code, out, err = init(*IMAGE, *HOST)
    assert (code, out) == (2, "")
    assert "defines no space" in err
    assert names(in_tmp) == []


REFUSED = {
    "nothing said": ([], ["needs --image and --host (or --from-ssh-config)", "no terminal", "octossh init --image"]),
    "no host": (IMAGE, ["needs --host (or --from-ssh-config),"]),
    "no image": (HOST, ["needs --image,"]),
    "a tag": (["--image", "nginx:1.27", *HOST], ["write 'nginx'", "octossh release create --set nginx=1.27"]),
    "a digest": (["--image", "nginx@sha256:0", *HOST], ["write 'nginx'"]),
    "no image name": (["--image", "acme/Web", *HOST], ["'acme/Web' is not a repository name", "small letters"]),
    "no registry": (["--image", 'EVIL"/x', *HOST], ["'EVIL\"' is no host", "write a host name or an IP address"]),
    "no host name": ([*IMAGE, "--host", "a b"], ["host 'a ***' is none"]),
    "no host at all": ([*IMAGE, "--host", "deploy@"], ["'deploy@' is none", "deploy@10.0.0.11"]),
    "no port": ([*IMAGE, "--host", "a:x"], ["host 'a:***' is none", "':PORT'"]),
    "twice": ([*IMAGE, *HOST, "--host", "root@10.0.0.11"], ["stands there twice", "write it once"]),
    "which environment": (
        [*IMAGE, "--host", "Dev=a", "--host", "Prod=b", "--host", "c"],
        ["host 'c': it does not say where it stands", "'Dev=c'"],
    ),
    "unknown environment": (
        [*IMAGE, "--environment", "Dev", "--environment", "Prod", "--host", "Prd=a"],
        ["no environment 'Prd'", "did you mean 'Prod'?"],
    ),
    "an environment without hosts": (
        [*IMAGE, "--environment", "Dev", "--environment", "Prod", "--host", "Prod=a"],
        ["environment 'Dev' has no host", "--host 'Dev=deploy@10.0.0.11'"],
    ),
    "health without a port": ([*IMAGE, *HOST, "--health", "/"], ["needs the port that answers", "--publish 8080:80"]),
    "no ports": ([*IMAGE, *HOST, "--publish", "x"], ["field publish", "'x'"]),
    "no path": ([*IMAGE, *HOST, "--publish", "80", "--health", "up"], ["health path 'up'", "write it as '/health'"]),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_told_and_nothing_is_written(what, init, in_tmp):
    arguments, words = REFUSED[what]
    code, out, err = init(*arguments)
    assert [word for word in words if word not in err] == [], err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert names(in_tmp) == []


def test_a_folder_that_cannot_be_written_to_is_told(init, in_tmp):
    (in_tmp / "shop").write_text("a file")
    code, _, err = init(*IMAGE, *HOST, before=["-f", "shop/octofile.py"])
    assert (code, err.count("\n")) == (2, 1)
    assert "the folder 'shop' cannot be written to" in err


@pytest.mark.parametrize(
    ("text", "url", "repository"),
    [
        ("nginx", "https://docker.io", "nginx"),
        ("docker.io/library/nginx", "https://docker.io", "nginx"),
        ("acme/web", "https://docker.io", "acme/web"),
        ("ghcr.io/acme/web", "https://ghcr.io", "acme/web"),
        ("http://10.0.0.2:5000/acme/web", "http://10.0.0.2:5000", "acme/web"),
        ("localhost:5000/web", "https://localhost:5000", "web"),
    ],
)
def test_an_image_brings_its_registry(text, url, repository):
    assert image_of(text) == oc.Registry("hub", url).image(repository)


@pytest.mark.slow
def test_what_is_not_given_is_asked_for_at_a_terminal(in_tmp):
    answers = ["acme/web:1\n", "ghcr.io/acme/web\n", "Dev, Live\n", "a b=c\n", "dev1\n", "deploy@10.0.0.2 10.0.0.3\n",
               "8080:x\n", "8080:80\n", "health\n", "/health\n"]  # fmt: skip
    (in_tmp / ".ssh").mkdir()
    (in_tmp / ".ssh" / "config").write_text("Host dev1 live1\nHost *\n  Port 22\n")
    env = {**os.environ, "HOME": str(in_tmp)}
    code, screen = typed([sys.executable, "-m", "octossh", "init"], in_tmp, env, (":", "[Production]:", "[]:"), answers)
    assert code == 0, screen
    assert "Hosts of Dev, such as dev1, live1 of ~/.ssh/config:" in screen
    assert "write 'acme/web'" in screen
    assert "8080:x" in screen.replace("8080:x\r\n", "", 1)
    assert "write it as '/health'" in screen
    space = loaded(in_tmp)
    assert space.project("web").environments == ("Dev", "Live")
    assert [(target.name, target.environments) for target in space.targets] == [
        ("dev1", ("Dev",)),
        ("h01", ("Live",)),
        ("h02", ("Live",)),
    ]
    (step,) = space.project("web").process.steps
    assert (step.publish, step.health) == (("8080:80",), oc.Http(80, "/health"))
