"""In a real kernel of Jupyter: a deployment has one output, and whoever interrupts it knows what stands where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import shops
from kernels import Kernel, kernel
from lab.lab import Lab

import octossh as oc

HERE = """
import octossh as oc
from octossh.testing import Hosts
targets = [oc.Target(name, name, environments=["Test"]) for name in ("h01", "h02")]
"""


@pytest.fixture(scope="module")
def notebook():
    with kernel() as made:
        assert made.run(HERE) == []
        yield made


def fresh(notebook: Kernel, steps: str, transport: str = "Hosts()", store: str = "sqlite://") -> None:
    """A new space in the notebook, with a release."""
    code = f"""
space = oc.Space({store!r}, projects=[oc.Project("shop", process=[{steps}])], targets=targets, transport={transport})
release = space.create_release()
"""
    assert notebook.run(code) == []


ONE = 'oc.RunScript("one", script="true")'


@pytest.mark.parametrize("cell", ['space.deploy(release, "Test")', 'd = space.deploy(release, "Test")'])
def test_a_deployment_leaves_one_output_that_says_how_it_ended(notebook: Kernel, cell: str) -> None:
    fresh(notebook, ONE)
    (output,) = notebook.run(cell)
    assert output["kind"] == "display_data"
    assert output["data"]["text/plain"].startswith("shop 0.0.1 -> Test (deploy): succeeded in ")
    assert output["data"]["text/html"].count("<table") == 1
    assert output["data"]["text/html"].count(">created ") == 2


def test_the_deployment_is_shown_again_where_it_is_asked_for_again(notebook: Kernel) -> None:
    fresh(notebook, ONE)
    notebook.run('d = space.deploy(release, "Test")')
    (output,) = notebook.run("d")
    assert output["kind"] == "execute_result"
    assert output["data"]["text/plain"].startswith("shop 0.0.1 -> Test (deploy): succeeded in ")
    (output,) = notebook.run('space.deploy(release, "Test"); print(1)')[1:]
    assert output["text"] == "1\n"


def test_what_else_a_cell_says_stays_around_it(notebook: Kernel) -> None:
    fresh(notebook, ONE)
    said = notebook.run('print("before")\nspace.deploy(release, "Test")\nprint("behind")\nspace.history()')
    assert [output["kind"] for output in said] == ["stream", "display_data", "stream", "execute_result"]


def test_one_that_fails_says_in_its_output_why_and_raises(notebook: Kernel) -> None:
    fresh(notebook, ONE)
    output, error = notebook.run(
        'space._transport.fail("one", "h02", "no <b>space</b> left")\nspace.deploy(release, "Test")'
    )
    assert re.search(r">failed \d+\.\d s: no &lt;b&gt;space&lt;/b&gt; left<", output["data"]["text/html"])
    assert output["data"]["text/html"].count("space&lt;/b&gt; left") == 1, "said once"
    assert error["ename"] == "DeployFailed"


def test_an_error_is_one_statement_with_its_line_and_no_traceback(notebook: Kernel) -> None:
    fresh(notebook, ONE)
    _, error = notebook.run('space._transport.fail("one", "h02", "no \\x1b[2J left")\nspace.deploy(release, "Test")')
    deployment = notebook.run("print(space.history()[0].id)")[0]["text"].strip()
    assert error["traceback"] == [
        'line 2: space.deploy(release, "Test")',
        "\x1b[31mDeployFailed\x1b[0m: h02: step 'one' failed: no ?[2J left",
        f"hosts: changed; see: space.deployment({deployment!r})",
    ]
    (error,) = notebook.run('1\nspace.plan(release, "Tset")')
    assert error["traceback"] == [
        'line 2: space.plan(release, "Tset")',
        "\x1b[31mModelError\x1b[0m: there is no environment 'Tset'; did you mean 'Test'?",
    ]
    (error,) = notebook.run('oc.Target("h01", "deploy@10.0.0.11")')
    assert [line.partition(":")[0] for line in error["traceback"]] == ["line 1", "\x1b[31mModelError\x1b[0m"]


def test_whoever_listens_to_events_alone_sees_no_progress(notebook: Kernel) -> None:
    fresh(notebook, ONE)
    (output,) = notebook.run('space.on_event = lambda event: None\nspace.deploy(release, "Test")')
    assert output["kind"] == "execute_result"


LOCAL = """
import octossh.deploying.control
octossh.deploying.control._ONE_INTERRUPT_S = -1.0
targets = [oc.Target("here", "localhost", environments=["Test"])]
slow = oc.RunScript("slow", script="echo it has begun; until [ -e {go} ]; do sleep 0.05; done")
then = oc.RunScript("then", script="true")
"""
DEPLOY = 'space.deploy(release, "Test")'


def text(output: dict) -> str:
    return output["text"] if output["kind"] == "stream" else output["data"]["text/plain"]


def recorded(store: str) -> oc.Deployment:
    with oc.Space(store, projects=[]) as seen:
        return seen.history()[0]


def test_an_interrupt_lets_what_runs_end_starts_nothing_more_and_is_recorded(notebook: Kernel, tmp_path: Path) -> None:
    notebook.run(LOCAL.format(go=tmp_path / "go"))
    store = f"sqlite:///{tmp_path}/octossh.db"
    fresh(notebook, "slow, then", "oc.Local()", store)
    moments = {" s: it has begun": notebook.interrupt, "interrupted: waiting": (tmp_path / "go").touch}
    output, warning, error = notebook.run(DEPLOY, moments)
    assert error["ename"] == "KeyboardInterrupt"
    assert "once more to leave at once" in text(warning)
    assert text(output).startswith("shop 0.0.1 -> Test (deploy): interrupted in ")
    assert "slow  ran" in text(output)
    assert "then  skipped  the deployment was interrupted" in text(output)
    left = recorded(store)
    assert (left.state, left.error, left.hosts) == (oc.State.INTERRUPTED, "interrupted by the user", oc.Hosts.CHANGED)
    # The kernel goes on, and so does the space.
    (output,) = notebook.run(DEPLOY)
    assert "succeeded in" in text(output)


def test_a_second_interrupt_leaves_at_once_and_what_became_of_it_is_found_out_in_the_same_kernel(
    notebook: Kernel, tmp_path: Path
) -> None:
    notebook.run(LOCAL.format(go=tmp_path / "go"))
    store = f"sqlite:///{tmp_path}/octossh.db"
    fresh(notebook, "slow, then", "oc.Local()", store)
    moments = {" s: it has begun": notebook.interrupt, "interrupted: waiting": notebook.interrupt}
    output, _, error = notebook.run(DEPLOY, moments)
    assert error["ename"] == "KeyboardInterrupt"
    assert "slow  unknown" in text(output)
    assert recorded(store).hosts is oc.Hosts.UNKNOWN
    (tmp_path / "go").touch()
    (output,) = notebook.run("space.resume()")
    assert "slow  ran" in text(output)
    assert recorded(store).hosts is oc.Hosts.CHANGED
    (output,) = notebook.run(DEPLOY)
    assert "succeeded in" in text(output)


@pytest.mark.lab
def test_an_interrupt_on_real_hosts_leaves_the_old_container_or_the_new_one(
    notebook: Kernel, clean_lab: Lab, tmp_path: Path
) -> None:
    tests = Path(__file__).parents[1]
    assert (
        notebook.run(f"""
import sys
sys.path.insert(0, {str(tests)!r})
import pathlib, shops
from lab.lab import Lab
lab = Lab.named({clean_lab.name!r})
steps = oc.CreateNetwork("net"), shops.web(lab, monitor_s=2), oc.RunScript("then", script="true")
made = shops.project(*steps, rollout=oc.Rollout(grace_s=60))
space = shops.space(lab, made, shops.targets(lab, "Test", "Test"), pathlib.Path({str(tmp_path)!r}))
old, new = (space.create_release(versions={{"acme/web": version}}) for version in ("1.0.0", "1.1.0"))
""")
        == []
    )
    (output,) = notebook.run('space.deploy(old, "Test")')
    assert "succeeded in" in text(output)
    before = {host: shops.containers(clean_lab, host) for host in ("h01", "h02")}
    output, _, error = notebook.run('space.deploy(new, "Test")', {"web  running": notebook.interrupt})
    assert error["ename"] == "KeyboardInterrupt"
    left = recorded(f"sqlite:///{tmp_path}/octossh.db")
    assert (left.release, left.state) == ("0.0.2", oc.State.INTERRUPTED)
    for host in ("h01", "h02"):
        (name,) = shops.containers(clean_lab, host)
        changed = shops.containers(clean_lab, host) != before[host]
        assert name == "shop-test-web"
        assert left.outcome("web", host).changed == changed
        assert left.outcome("then", host).state is oc.State.SKIPPED
    (output,) = notebook.run('space.deploy(new, "Test")')
    assert "succeeded in" in text(output)
    notebook.run("space.close()")
