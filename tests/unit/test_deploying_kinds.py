"""Deployments with steps that are for one place only: the controller, one host, or somebody who is asked."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import octossh as oc

HOSTS = [oc.Target(name, name, roles=["web"], environments=["Dev"]) for name in ("h01", "h02")]
OK = [oc.Frame("end", "succeeded ran yes ")]
GO = oc.Approve("Go live", instructions="Look at *the page*.", approvers=["ada", "bob"])
SAID = oc.RunScript("tell", script="echo {{ steps['Go live'].outputs.by }}")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


MADE = contextlib.ExitStack()


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    with MADE:
        yield


class Deploying:
    """A space whose hosts answer by the name of the step; what they were sent is kept."""

    def __init__(self, folder: Path, *steps: oc.Step, answers: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.events: list[oc.Event] = []
        self.transport = oc.Replay(lambda target, script: (answers or {}).get(script.name.partition(" ")[2], OK))
        self.space = oc.Space(
            f"sqlite:///{folder}/octossh.db",
            projects=[oc.Project("shop", process=steps)],
            targets=HOSTS,
            transport=self.transport,
            anchors=False,
            on_event=self.events.append,
            **options,
        )
        MADE.callback(self.space.close)
        self.release = self.space.create_release()

    def deploy(self) -> oc.Deployment:
        return self.space.deploy(self.release, "Dev", check=False)

    @property
    def sent(self) -> list[tuple[str, str]]:
        return sorted((call.script.name, call.target.name) for call in self.transport.calls)


def yes(request: oc.ApprovalRequest) -> oc.Approval:
    return oc.Approval(True, by="ada@desk", notes="looks good")


# Approvals.


def test_what_comes_after_an_approval_runs_only_once_it_is_given_and_the_record_says_by_whom(tmp_path: Path) -> None:
    asked: list[oc.ApprovalRequest] = []

    def approve(request: oc.ApprovalRequest) -> oc.Approval:
        assert made.sent == []
        asked.append(request)
        return yes(request)

    made = Deploying(tmp_path, GO, SAID, approve=approve)
    assert "* ask       Go live  ada, bob" in str(made.space._plan(made.release, "Dev", look=False))
    ended = made.deploy()
    assert ended.error == ""
    outcome = ended.outcome("Go live", "(controller)")
    assert outcome is not None
    assert (outcome.action, outcome.changed, outcome.why) == ("approved", False, "by ada@desk: looks good")
    assert dict(outcome.outputs) == {"by": "ada@desk", "notes": "looks good"}
    assert made.space.store.deployment(ended.id) == ended
    assert made.sent == [("run_script tell", "h01"), ("run_script tell", "h02")]
    assert "echo ada@desk" in made.transport.calls[0].script.body
    (request,) = asked
    assert (request.step, request.instructions, request.approvers) == ("Go live", "Look at *the page*.", ("ada", "bob"))
    assert (request.deployment, request.environment, request.by) == (ended.id, "Dev", ended.by)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (oc.Approval(False, by="bob", notes="not on a Friday"), "bob does not approve: not on a Friday"),
        (oc.Approval(True, by="eve"), "eve may not approve, only ada, bob"),
        ("yes", "asking for an approval failed with TypeError: it gave 'yes', not an octossh.Approval"),
    ],
)
def test_without_an_approval_nothing_more_runs(tmp_path: Path, answer: Any, why: str) -> None:
    made = Deploying(tmp_path, GO, SAID, approve=lambda request: answer)
    ended = made.deploy()
    assert made.sent == []
    assert ended.hosts is oc.Hosts.UNTOUCHED
    assert [(outcome.state.value, outcome.why) for outcome in ended.outcomes][:2] == [
        ("failed", why), ("skipped", "an earlier step did not succeed")
    ]  # fmt: skip


def test_where_an_answer_beforehand_does_not_let_it_through_no_host_is_connected_to(tmp_path: Path) -> None:
    for approve, said in (
        ({"Go live": oc.Approval(True, by="eve")}, "eve may not approve"),
        ({"Go live": oc.Approval(False, by="ada")}, "ada does not approve"),
    ):
        made = Deploying(tmp_path, SAID_ALONE, GO, approve=approve)
        with pytest.raises(oc.Refused, match=said) as caught:
            made.deploy()
        assert caught.value.exit_code == 4
        assert made.transport.connected == set()
        assert list(made.space.history()) == []


SAID_ALONE = oc.RunScript("first", script="true")


def test_an_interrupt_while_somebody_is_asked_ends_the_deployment_and_leaves_nothing_unknown(tmp_path: Path) -> None:
    def interrupt(request: oc.ApprovalRequest) -> oc.Approval:
        raise KeyboardInterrupt

    made = Deploying(tmp_path, GO, SAID, approve=interrupt)
    ended = made.deploy()
    assert ended.state is oc.State.INTERRUPTED
    assert [outcome.state.value for outcome in ended.outcomes] == ["failed", "skipped", "skipped"]
    assert ended.outcomes[0].why == "the deployment was interrupted before anybody had answered"
    assert made.sent == []


# The controller.


def test_a_script_on_the_controller_runs_once_and_for_real(tmp_path: Path) -> None:
    count = oc.RunScript("count", where="controller", script=f"echo x >>{tmp_path}/ran; octossh_output N 7")
    later = oc.RunScript("later", script="echo {{ steps.count.outputs.N }}")
    made = Deploying(tmp_path, count, later)
    assert "(known after 'count')" in str(made.space._plan(made.release, "Dev", look=False))
    ended = made.deploy()
    assert ended.error == ""
    assert (tmp_path / "ran").read_text() == "x\n"
    assert made.sent == [("run_script later", "h01"), ("run_script later", "h02")]
    assert "echo 7" in made.transport.calls[1].script.body
    assert [outcome.target for outcome in ended.outcomes] == ["(controller)", "h01", "h02"]


def test_a_script_of_a_host_is_read_from_the_controller_by_the_name_of_the_host(tmp_path: Path) -> None:
    here = oc.RunScript("here", where="controller", script="test {{ steps.do.on['h02'].outputs.N }} = 7")
    answers = {"do": [oc.Frame("output", f"N {b64(b'7')}"), *OK]}
    assert Deploying(tmp_path, oc.RunScript("do", script="true"), here, answers=answers).deploy().error == ""
    unsaid = attrs_evolve(here, "test {{ steps.do.outputs.N }} = 7")
    ended = Deploying(tmp_path, oc.RunScript("do", script="true"), unsaid, answers=answers)
    with pytest.raises(oc.ModelError, match=r"does not run on target '\(controller\)'; say on which one"):
        ended.deploy()


def attrs_evolve(step: oc.RunScript, script: str) -> oc.RunScript:
    return oc.RunScript(step.name, where=step.where, script=script)


# Outputs.


def test_bytes_stay_bytes_in_the_record_and_are_no_text_for_an_expression(tmp_path: Path) -> None:
    answers = {"do": [oc.Frame("output", f"BLOB {b64(bytes([255, 0]))}"), oc.Frame("output", "NUL YQBi"), *OK]}
    made = Deploying(tmp_path, oc.RunScript("do", script="true"), answers=answers)
    ended = made.deploy()
    assert dict(ended.outcomes[0].outputs) == {"BLOB": b"\xff\0", "NUL": "a\0b"}
    assert made.space.store.deployment(ended.id) == ended
    assert ended.to_dict()["outcomes"][0]["outputs"] == {"BLOB": {"base64": "/wA="}, "NUL": "a\0b"}
    assert made.space.verify().ok
    reading = oc.RunScript("read", script="echo {{ steps.do.outputs.BLOB }}")
    failed = Deploying(tmp_path, oc.RunScript("do", script="true"), reading, answers=answers).deploy()
    assert "a bytes cannot stand in a script" in failed.error


def test_a_secret_output_is_masked_everywhere_and_reaches_a_later_step_as_a_secret(tmp_path: Path) -> None:
    text = """
octossh_output --secret TOKEN s3cret-t0ken
echo it is s3cret-t0ken
octossh_output PLAIN "with s3cret-t0ken in it"
"""
    mint = oc.RunScript("mint", where="controller", script=text)
    use = oc.RunScript("use", script="true", env={"TOKEN": "{{ steps.mint.outputs.TOKEN }}"})
    made = Deploying(tmp_path, mint, use)
    ended = made.deploy()
    assert ended.error == ""
    assert ended.outcomes[0].log == "it is ***\n"
    assert dict(ended.outcomes[0].outputs) == {"PLAIN": "with *** in it", "TOKEN": "***"}
    assert [event.data["line"] for event in made.events if event.type == "output"] == ["it is ***"]
    call = made.transport.calls[0]
    assert call.secrets == ("output:mint/controller/TOKEN",)
    assert "s3cret" not in call.script.body
    assert "s3cret" not in repr(made.events)
    assert b"s3cret" not in (tmp_path / "octossh.db").read_bytes()


def test_a_secret_output_can_be_nothing_but_a_whole_variable(tmp_path: Path) -> None:
    mint = oc.RunScript("mint", where="controller", script="octossh_output --secret TOKEN s3cret-t0ken")
    for fields in (
        {"script": "echo {{ steps.mint.outputs.TOKEN }}"},
        {"script": "true", "env": {"URL": "http://{{ steps.mint.outputs.TOKEN }}@x"}},
        {"script": "true", "env": {"URL": "{{ steps.mint.outputs.TOKEN | upper }}"}},
    ):
        made = Deploying(tmp_path, mint, oc.RunScript("use", **fields))
        ended = made.deploy()
        assert ended.state is oc.State.FAILED, fields
        assert made.sent == []
        assert "s3cret" not in ended.error
