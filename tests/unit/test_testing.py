"""The fixtures for tests of octofiles: what they give, and that they leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import octossh as oc
from octossh.model import CONTROLLER
from octossh.testing import Hosts, release_of

OCTOFILE = """
import octossh as oc
from steps import STEPS

hub = oc.Registry("hub", "https://registry.example.com")
shop = oc.Project(
    "shop",
    process=[*STEPS, oc.RunContainer("web", image=hub.image("acme/web"), env={"KEY": oc.secret("KEY")},
             networks=["{{ steps.net.inspect.Name }}"])],
)
space = oc.Space(
    "sqlite:///real.db",
    projects=[shop],
    targets=[oc.Target("h01", "h01", environments=["Dev"]), oc.Target("h02", "h02", environments=["Dev"])],
    environments=[oc.Environment("Dev", rollout=oc.Rollout(parallel=1))],
    sinks=[oc.SyslogSink("unix:///nowhere")],
)
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "octofile.py").write_text(OCTOFILE)
    (tmp_path / "steps.py").write_text("import octossh as oc\n\nSTEPS = [oc.CreateNetwork('net')]\n")
    yield tmp_path / "octofile.py"
    sys.modules.pop("steps", None)


def test_the_space_of_an_octofile_is_deployed_without_hosts_and_nothing_of_its_own_is_touched(
    file, octossh_space, octossh_hosts
):
    here = Path.cwd()
    space = octossh_space(file, secrets={"KEY": "geheim"})
    assert Path.cwd() == here
    octossh_hosts.inspect("net", Name="a-net")
    ended = space.deploy(release_of(space.project(), tags={"acme/web": "1.4.0"}), "Dev")
    assert ended.ok
    assert space.rollout_of("Dev").parallel == 1
    sent = octossh_hosts.sent("web")
    assert [call.target.name for call in sent] == ["h01", "h02"]
    assert all("--network a-net" in call.script.body.replace("'", "") for call in sent)
    assert octossh_hosts.sent("web", "h02") == sent[1:]
    assert not (file.parent / "real.db").exists()
    assert space.status("shop").standings[0].release == "1"
    assert space.send_audit() == ()


def test_a_step_fails_where_the_test_says_so(file, octossh_space, octossh_hosts):
    space = octossh_space(file, secrets={"KEY": "geheim"})
    octossh_hosts.fail("web", "h02", why="no\nspace")
    ended = space.deploy(release_of(space.project()), "Dev", check=False)
    assert ended.outcome("web", "h01").state is oc.State.SUCCEEDED
    assert ended.outcome("web", "h02").why == "no space"


def test_a_host_that_cannot_be_reached_is_told_as_a_real_one(file, octossh_space, octossh_hosts):
    octossh_hosts.unreachable("h01")
    space = octossh_space(file, secrets={"KEY": "geheim"})
    with pytest.raises(oc.ConnectError, match="h01: connection refused"):
        space.deploy(release_of(space.project()), "Dev")
    assert octossh_hosts.calls == []


def test_what_a_script_gives_out_is_read_by_later_steps():
    hosts = Hosts()
    hosts.output("count", answer="42")
    steps = [oc.RunScript("count", script="true"), oc.RunScript("tell", script="echo {{ steps.count.outputs.answer }}")]
    target = oc.Target("h01", "h01", environments=["Dev"])
    with oc.Space(
        "sqlite://", projects=[oc.Project("shop", process=steps)], targets=[target], transport=hosts
    ) as space:
        space.deploy(release_of(space.project()), "Dev")
    assert "echo 42" in hosts.sent("tell")[0].script.body


def test_a_script_for_the_machine_that_deploys_is_kept_and_does_not_run_there(tmp_path, octossh_hosts):
    there = tmp_path / "ran"
    steps = [
        oc.RunScript("count", where="controller", script=f"touch {there}"),
        oc.RunScript("tell", where="controller", script="echo {{ steps.count.outputs.N }}"),
    ]
    targets = [oc.Target("h01", "h01", environments=["Dev"])]
    octossh_hosts.output("count", N="7")
    with (
        oc.Space("sqlite://", projects=[oc.Project("shop", process=steps)], targets=targets) as space,
        space.rehearsal(octossh_hosts) as rehearsal,
    ):
        first = rehearsal.deploy(release_of(space.project()), "Dev")
        octossh_hosts.fail("tell", why="no network")
        second = rehearsal.deploy(release_of(space.project()), "Dev", check=False)
    assert (first.ok, second.ok) == (True, False)
    assert not there.exists()
    assert [call.target for call in octossh_hosts.sent("count")] == [CONTROLLER, CONTROLLER]
    assert "echo 7" in octossh_hosts.sent("tell")[0].script.body


def test_a_replay_answers_for_the_machine_that_deploys_only_where_it_says_so(tmp_path):
    project = oc.Project("shop", process=[oc.RunScript("do", where="controller", script=f"echo x >>{tmp_path}/ran")])

    targets = [oc.Target("h01", "h01", environments=["Dev"])]

    def deploy(transport):
        with oc.Space("sqlite://", projects=[project], targets=targets, transport=transport) as space:
            assert space.deploy(release_of(project), "Dev").ok

    def answer(target, script):
        return [oc.Frame("end", "succeeded ran yes ")]

    deploy(oc.Replay(answer, plays_controller=True))
    assert not (tmp_path / "ran").exists()
    deploy(oc.Replay(answer))
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_rehearsal_runs_nothing_on_this_machine_unless_that_is_said_whatever_carries_its_scripts(tmp_path):
    project = oc.Project("shop", process=[oc.RunScript("do", where="controller", script=f"echo x >>{tmp_path}/ran")])
    targets = [oc.Target("h01", "h01", environments=["Dev"])]
    with oc.Space("sqlite://", projects=[project], targets=targets) as space:
        for transport in (oc.Replay(lambda *_: None), oc.Local()):
            with space.rehearsal(transport) as rehearsal:
                with pytest.raises(oc.PlanError, match=r"'do' would run on this machine, .* a rehearsal") as refused:
                    rehearsal.deploy(release_of(project), "Dev")
                assert refused.value.hosts is oc.Hosts.UNTOUCHED
                assert not rehearsal.history()
        assert not (tmp_path / "ran").exists()
        with space.rehearsal(oc.Local(), scripts_here=True) as rehearsal:
            assert rehearsal.deploy(release_of(project), "Dev").ok
    assert (tmp_path / "ran").read_text() == "x\n"


def test_the_registry_gives_what_is_pushed_to_it(octossh_registry):
    digest = octossh_registry.push_image("acme/web", "1.0.0")
    image = oc.Registry("hub", octossh_registry.url).image("acme/web")
    with oc.Space("sqlite://", projects=[oc.Project("shop", process=[oc.PullImage("web", image=image)])]) as space:
        assert [pin.digest for pin in space.create_release().pins] == [digest]


def test_the_same_tag_is_the_same_digest():
    project = oc.Project(
        "shop", process=[oc.PullImage("web", image=oc.Registry("hub", "https://r.example.com").image("a"))]
    )
    assert release_of(project).pins == release_of(project, "2").pins != release_of(project, tag="2.0").pins


@pytest.mark.slow
def test_where_octossh_is_installed_pytest_loads_little_of_it(tmp_path):
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other():\n"
        "    assert {n for n in sys.modules if n.startswith('octossh')} <= "
        "{'octossh', 'octossh._version', 'octossh.lazily', 'octossh.testing', 'octossh.testing.plugin'}\n"
    )
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_other.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert (
        "octossh_space"
        in subprocess.run([*words[:-1], "--fixtures"], cwd=tmp_path, capture_output=True, text=True).stdout
    )
