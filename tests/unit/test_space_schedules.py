"""Deployments that wait for their time or for an approval: started once, or recorded as expired."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

import octossh as oc
from octossh.model import DueState
from octossh.recording import controller_here

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
STEP = oc.RunScript("tell", script="echo {{ Count }}")
GO = oc.Approve("Go live", approvers=["ann", "@ops"])
TARGETS = [oc.Target(f"h0{n}", f"h0{n}", environments=[name]) for n, name in enumerate(("Dev", "Test"))]


def done(target, script):
    return [oc.Frame("end", "succeeded ran yes ")]


def space(*steps, url="sqlite://", handler=done, **more):
    count = oc.Variable("Count", 2)
    project = oc.Project("shop", process=[*steps, STEP], variables=[count], lifecycle=oc.Lifecycle("Dev", "Test"))
    return oc.Space(url, projects=[project], targets=TARGETS, transport=oc.Replay(handler), anchors=False, **more)


@pytest.fixture
def now():
    return datetime.now(UTC)


def states(made):
    return [one.state.value for one in made.schedules.list(all=True)]


def test_what_is_scheduled_starts_when_it_is_due_with_what_was_said_for_it_and_only_once(now):
    with space() as made:
        release = made.create_release()
        due = made.schedule(release, "Dev", at=now + HOUR, variables={"Count": 7})
        assert f"{due.id}: shop 0.0.1 -> Dev at " in str(due)
        assert list(made.run_due()) == []
        assert [one.state for one in made.run_due(now=now + HOUR + MINUTE)] == [DueState.STARTED]
        assert list(made.run_due(now=now + HOUR + MINUTE)) == []
        ended = made.store.deployment(due.id)
        assert (ended.ok, ended.options) == (True, oc.Options(variables={"Count": 7}))
        assert "echo 7" in made._transport.calls[-1].script.body
        assert (len(made.history()), states(made), len(made.schedules.list())) == (1, ["started"], 0)
        assert made.verify().ok


def test_what_is_scheduled_keeps_its_rollout_and_its_reason(now):
    said = {"rollout": oc.Rollout(max_failures=1), "why": "the shop asked for it"}
    with space() as made:
        due = made.schedule(made.create_release(), "Dev", at=now + HOUR, **said)
        made.run_due(now=now + HOUR + MINUTE)
        assert made.store.deployment(due.id).options == oc.Options(**said)


def test_a_promotion_that_is_put_off_takes_what_stands_before_it_now_and_goes_as_a_promotion(now):
    with space() as made:
        made.deploy(made.create_release(), "Dev")
        due = made.schedule_promotion(to="Test", at=now + HOUR)
        assert "shop 0.0.1 -> Test (promote) at " in str(due)
        made.deploy(made.create_release(), "Dev")
        made.run_due(now=now + HOUR + MINUTE)
        ended = made.store.deployment(due.id)
        assert (ended.release, ended.environment, ended.mode, ended.ok) == ("0.0.1", "Test", oc.Mode.PROMOTE, True)


def test_a_promotion_that_is_put_off_wants_something_that_stands_before_it(now):
    with space() as made:
        made.create_release()
        with pytest.raises(oc.Refused, match="nothing has succeeded in 'Dev' yet"):
            made.schedule_promotion(to="Test", at=now + HOUR)


def test_a_rollback_that_is_put_off_goes_back_to_what_stood_there_before_now(now):
    with space() as made:
        for _ in range(2):
            made.deploy(made.create_release(), "Dev")
        due = made.schedule_rollback(environment="Dev", at=now + HOUR)
        made.run_due(now=now + HOUR + MINUTE)
        ended = made.store.deployment(due.id)
        assert (ended.release, ended.mode, ended.ok) == ("0.0.1", oc.Mode.ROLLBACK, True)


def test_nothing_is_rolled_back_later_to_a_release_that_never_stood_there(now):
    with space() as made:
        for _ in range(2):
            made.deploy(made.create_release(), "Dev")
        made.create_release()
        with pytest.raises(oc.PlanError, match=r"'0\.0\.3' has never succeeded in 'Dev'"):
            made.schedule_rollback(environment="Dev", to="0.0.3", at=now + HOUR)
        assert made.schedules.list() == oc.model.ScheduleList(())


def test_what_nobody_ran_in_time_is_recorded_as_expired(now):
    with space() as made:
        made.schedule(made.create_release(), "Dev", at=now + HOUR)
        assert [one.state.value for one in made.run_due(now=now + 2 * HOUR)] == ["expired"]
        assert made.run_due(now=now + 2 * HOUR)[:] == ()
        assert "nobody ran what was due in time" in str(made.schedules.list(all=True))
        assert len(made.history()) == 0


def test_what_a_freeze_refuses_waits_on_until_it_is_over_or_it_has_expired(now):
    with space() as made:
        release = made.create_release()
        for _ in range(2):
            made.schedule(release, "Dev", at=now + MINUTE)
        made.freezes.add(oc.Freeze("Sales"), why="sales")
        for _ in range(2):
            assert [one.state.value for one in made.run_due(now=now + 2 * MINUTE)] == ["waiting"] * 2
        assert "freeze 'Sales' holds" in str(made.schedules.list())
        assert [one.state.value for one in made.run_due(now=now + 2 * HOUR)] == ["expired"] * 2
        assert "freeze 'Sales' holds" in made.schedules.list(all=True)[0].why
        made.schedule(release, "Dev", at=now + MINUTE)
        made.freezes.remove("Sales", why="over")
        assert [one.state.value for one in made.run_due(now=now + 2 * MINUTE)] == ["started"]


def test_what_the_lifecycle_does_not_let_in_yet_waits_and_what_cannot_be_done_has_failed(now):
    with space() as made:
        release = made.create_release()
        made.schedule(release, "Test", at=now + MINUTE)
        assert [one.state.value for one in made.run_due(now=now + 2 * MINUTE)] == ["waiting"]
        made.deploy(release, "Dev")

        def refuse(target):
            raise oc.ConnectError(f"{target}: connection refused", "refused")

        made._transport = oc.Replay(done, refuse)
        (failed,) = made.run_due(now=now + 2 * MINUTE)
        assert (failed.state.value, "connection refused" in failed.why) == ("failed", True)


def test_what_is_cancelled_never_starts(now):
    with space() as made:
        due = made.schedule(made.create_release(), "Dev", at=now + MINUTE)
        assert "cancelled by" in made.schedules.cancel(due.id, why="not today").why
        assert list(made.run_due(now=now + 2 * MINUTE)) == []
        with pytest.raises(oc.Refused, match=r"is cancelled .*not today.* waits no more"):
            made.schedules.cancel(due.id, why="again")


def test_a_deployment_that_waits_for_an_approval_starts_in_another_process_once_it_has_it(in_tmp):
    url = "sqlite:///octossh.db"
    with space(GO, url=url) as first:
        waits = first.schedule(first.create_release(), "Dev")
        assert "asks for approval: Go live" in str(waits)
        assert [one.state.value for one in first.run_due()] == ["waiting"]
    with space(GO, url=url) as second:
        told = second.schedules.approve(waits.id, "Go live", oc.Approval(True, by="ann@desk", notes="all is well"))
        assert told.unanswered == ()
        with pytest.raises(oc.Refused, match="ann@desk has answered"):
            second.schedules.approve(waits.id, "Go live", notes="again")
    with space(GO, url=url) as third:
        third.run_due()
        ended = third.store.deployment(waits.id)
        assert ended.ok
        assert ended.outcome("Go live", "(controller)").why == "by ann@desk: all is well"
        kept = [event.data["after"] for event in third.store.events() if event.type == "fact_kept"]
        assert kept[1]["approvals"]["Go live"]["by"] == "ann@desk"


@pytest.mark.parametrize(
    ("by", "groups", "may"), [("ann", (), True), ("bob", ("ops",), True), ("bob", ("dev",), False), ("@ops", (), True)]
)
def test_who_may_approve_is_told_by_name_or_group(by, groups, may):
    with space(GO) as made:
        waits = made.schedule(made.create_release(), "Dev")
        answer = oc.Approval(True, by=by, groups=groups)
        if may:
            assert made.schedules.approve(waits.id, "Go live", answer).approvals["Go live"] == answer
        else:
            with pytest.raises(oc.Refused, match="bob may not approve, only @ops, ann"):
                made.schedules.approve(waits.id, "Go live", answer)


def test_what_is_not_approved_is_cancelled():
    with space(GO) as made:
        waits = made.schedule(made.create_release(), "Dev")
        told = made.schedules.approve(waits.id, "Go live", oc.Approval(False, by="ann", notes="not on a Friday"))
        assert (told.state.value, told.why) == ("cancelled", "ann does not approve: not on a Friday")
        assert list(made.run_due()) == []


def test_a_step_that_asks_for_nothing_cannot_be_approved():
    with space(GO) as made:
        waits = made.schedule(made.create_release(), "Dev")
        with pytest.raises(oc.ModelError, match=r"no step 'tell' .* asks for an approval; there is 'Go live'"):
            made.schedules.approve(waits.id, "tell")


WRONG = {
    "no time": (lambda s, r: s.schedule(r, "Dev", at="tomorrow"), oc.ModelError, ["'tomorrow'"]),
    "too late": (lambda s, r: s.schedule(r, "Dev", at="2020-01-01"), oc.ModelError, ["it would have expired", "2020-01-01"]),
    "an end before": (lambda s, r: s.schedule(r, "Dev", at="2099-01-02", expires_at="2099-01-01"), oc.ModelError, ["it would have expired"]),
    "no such environment": (lambda s, r: s.schedule(r, "Dve"), oc.ModelError, ["did you mean 'Dev'?"]),
    "no such step": (lambda s, r: s.schedule(r, "Dev", skip=["tlel"]), oc.ModelError, ["did you mean 'tell'?"]),
    "a secret": (lambda s, r: s.schedule(r, "Dev", variables={"Count": oc.Secret("geheim")}), oc.ModelError, ["'Count'", "octossh.secret"]),
    "nothing of that id": (lambda s, r: s.schedules.cancel("x", why="w"), oc.ModelError, ["'x'"]),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_scheduled_is_told(what):
    act, kind, words = WRONG[what]
    with space(GO) as made:
        release = made.create_release()
        with pytest.raises(kind) as caught:
            act(made, release)
        assert [word for word in words if word not in str(caught.value)] == [], caught.value
        assert states(made) == []


RUN = """
import sys, pathlib
import octossh as oc
def tell(target, script):
    with open("ran", "a") as file:
        file.write("x")
    return [oc.Frame("end", "succeeded ran yes ")]
project = oc.Project("shop", process=[oc.RunScript("tell", script="true")])
target = oc.Target("h01", "h01", environments=["Dev"])
with oc.Space("sqlite:///octossh.db", projects=[project], targets=[target], transport=oc.Replay(tell), anchors=False) as space:
    if sys.argv[1:]:
        release = space.create_release()
        for _ in range(5):
            space.schedule(release, "Dev")
    else:
        sys.stdin.readline()
        space.run_due()
"""


@pytest.mark.slow
def test_of_several_that_run_what_is_due_at_the_same_time_each_is_started_by_one(in_tmp):
    (in_tmp / "run.py").write_text(RUN)
    subprocess.run([sys.executable, "run.py", "schedule"], check=True)
    ones = [subprocess.Popen([sys.executable, "run.py"], stdin=subprocess.PIPE, text=True) for _ in range(4)]
    threads = [threading.Thread(target=one.communicate, args=("go\n",)) for one in ones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subprocess.run([sys.executable, "run.py"], input="go\n", text=True, check=True)
    assert [one.returncode for one in ones] == [0] * 4
    assert (in_tmp / "ran").read_text() == "x" * 5


@pytest.mark.slow
def test_what_somebody_took_who_died_before_it_began_is_taken_again(now):
    with space() as made:
        due = made.schedule(made.create_release(), "Dev", at=now + MINUTE)
        child = subprocess.run(
            [sys.executable, "-c", "from octossh.recording import controller_here; print(controller_here())"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        taken = made.schedules.change(due, state=DueState.STARTED, controller=controller_here())
        assert list(made.run_due(now=now + 2 * MINUTE)) == []
        made.schedules.change(taken, controller=child.stdout.strip())
        assert [one.state.value for one in made.run_due(now=now + 2 * MINUTE)] == ["started"]
        assert made.store.deployment(due.id).ok
