"""Stepping in: rollbacks by themselves, cancelling from elsewhere, maintenance, and catching up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from worlds import FAILED, says

import octossh as oc

DO = oc.RunScript("do", script="true")
WEB = oc.RunScript("web", script="true")


class Hosts:
    """A space with hosts that answer as they are told."""

    def __init__(self, tmp_path, **more):
        self.answers, self.sent, self.off = {}, [], set()
        self.events = []
        targets = [oc.Target(f"h{n}", f"h{n}", environments=["Dev"], roles=["web"]) for n in (1, 2, 3)]
        project = oc.Project("shop", process=[WEB, DO], rollout=more.pop("rollout", oc.Rollout()))
        self.url = f"sqlite:///{tmp_path / 'octossh.db'}"
        self.given = {"projects": [project], "targets": targets, **more}
        self.space = self.other()
        self.space.on_event = self.events.append

    def other(self):
        return oc.Space(self.url, transport=oc.Replay(self._answer, self._connect), **self.given)

    def _connect(self, target):
        if target.name in self.off:
            raise oc.ConnectError(f"{target.name}: nothing listens there", "refused")

    def _answer(self, target, script):
        name = script.name.partition(" ")[2]
        if not name:
            return says()  # it belongs to no step
        self.sent.append(f"{name} {target.name}")
        answer = self.answers.get(f"{name} {target.name}", says())
        return answer() if callable(answer) else answer

    def go_off(self, *names):
        self.off = set(names)
        self.space._transport.connected.clear()


@pytest.fixture
def hosts(tmp_path):
    made = Hosts(tmp_path)
    with made.space:
        yield made


@pytest.fixture
def careful(tmp_path):
    made = Hosts(tmp_path, rollout=oc.Rollout(on_failure="rollback"))
    with made.space:
        yield made


def deploy(hosts, **more):
    return hosts.space.deploy(hosts.space.create_release("shop"), "Dev", **more)


def test_changed_hosts_go_back_to_what_stood_there_before_as_a_deployment_of_its_own(careful):
    deploy(careful)
    careful.sent.clear()
    careful.answers["web h2"] = FAILED
    with pytest.raises(oc.DeployFailed) as caught:
        deploy(careful)
    back = caught.value.rollback
    failed = careful.space.store.deployment(caught.value.deployment.id)
    assert (back.mode, back.release, back.state) == (oc.Mode.ROLLBACK, "0.0.1", oc.State.SUCCEEDED)
    assert (back.options.undoes, back.options.only) == (failed.id, ("h1", "h3"))
    assert sorted(careful.sent[3:]) == ["do h1", "do h3", "web h1", "web h3"]
    assert failed.state is oc.State.FAILED
    assert f"h1, h3 went back to 0.0.1 by deployment {back.id}" in str(caught.value)
    told = {e.type: e.data for e in careful.space.store.events(failed.id)}
    started = told["rollback_started"]
    assert (started["deployment"], started["release"], started["hosts"]) == (back.id, "0.0.1", ["h1", "h3"])
    assert told["rollback_finished"]["state"] == "succeeded"
    assert careful.space.status().standings[0].release == "0.0.1"
    assert careful.space.verify().ok


def test_a_rollback_that_fails_is_hidden_neither_in_the_error_nor_in_the_record(careful):
    deploy(careful)
    times = iter([says(), FAILED])
    careful.answers |= {"web h2": FAILED, "web h1": lambda: next(times)}
    with pytest.raises(oc.DeployFailed) as caught:
        deploy(careful)
    back = caught.value.rollback
    assert back.state is oc.State.FAILED
    assert "failed, too: h1: step 'web' failed: no space left" in str(caught.value)
    told = {e.type: e.data for e in careful.space.store.events(caught.value.deployment.id)}
    assert told["rollback_finished"]["state"] == "failed"
    # The other host went back all the same.
    assert [o.state for o in back.outcomes if o.target == "h3"] == [oc.State.SUCCEEDED] * 2


def test_hosts_that_went_back_are_told_as_such_also_where_the_end_of_that_cannot_be_recorded(
    careful, monkeypatch, caplog
):
    deploy(careful)
    record = careful.space.store.record

    def refuse(event, *more, **fields):
        if event.type == "rollback_finished":
            raise oc.RecordError("the disk is full")
        return record(event, *more, **fields)

    monkeypatch.setattr(careful.space.store, "record", refuse)
    careful.answers["web h2"] = FAILED
    with pytest.raises(oc.DeployFailed, match=r"h1, h3 went back to 0\.0\.1 by deployment") as caught:
        deploy(careful)
    assert caught.value.rollback.state is oc.State.SUCCEEDED
    assert "could not be recorded: the disk is full" in caplog.text


def test_where_nothing_stood_before_the_hosts_stay_as_they_are_and_the_error_says_so(careful):
    careful.answers["web h2"] = FAILED
    with pytest.raises(oc.DeployFailed, match=r"h1, h3 could not be put back .* no release stood there before"):
        deploy(careful)
    assert len(careful.space.history().deployments) == 1


def test_without_a_check_the_rollback_happens_too(careful):
    deploy(careful)
    careful.answers["web h2"] = FAILED
    assert deploy(careful, check=False).state is oc.State.FAILED
    assert careful.space.history().deployments[0].mode is oc.Mode.ROLLBACK


def test_without_a_check_the_log_tells_of_a_rollback_that_cannot_be(careful, caplog):
    careful.answers["web h2"] = FAILED
    deploy(careful, check=False)
    assert "h1, h3 could not be put back to what stood there before: no release stood there before" in caplog.text


def test_who_deploys_may_say_otherwise_how_it_goes_over_the_hosts(careful):
    deploy(careful)
    careful.answers["web h2"] = FAILED
    ended = deploy(careful, rollout=oc.Rollout(max_failures=1))
    assert ended.ok
    again = careful.space.store.deployment(ended.id)
    assert again.options.rollout == oc.Rollout(max_failures=1)


def test_the_environment_says_it_before_the_project(tmp_path):
    gentle = oc.Environment("Dev", rollout=oc.Rollout(max_failures=1))
    hosts = Hosts(tmp_path, environments=[gentle])
    hosts.answers["web h2"] = FAILED
    with hosts.space:
        assert hosts.space.rollout_of("Dev").max_failures == 1
        assert deploy(hosts).ok


@pytest.mark.parametrize("now", [False, True], ids=["with time to end", "at once"])
def test_a_deployment_is_cancelled_by_another_process_through_the_store(hosts, now):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(20)
        return says()

    hosts.answers["web h1"] = slow
    release = hosts.space.create_release("shop")
    caught = []

    def run():
        try:
            hosts.space.deploy(release, "Dev")
        except oc.DeployFailed as error:
            caught.append(error)

    runner = threading.Thread(target=run)
    runner.start()
    assert begun.wait(10)
    with hosts.other() as other:
        if not now:
            threading.Timer(1.5, go_on.set).start()
        ended = other.cancel(now=now, why="wrong one")
        assert other.store.kept_one("cancellation", ended.id, oc.Cancellation) is None
    runner.join(10)
    go_on.set()
    assert ended.state is oc.State.INTERRUPTED
    assert "wrong one" in ended.error
    assert ended.outcome("web", "h1").state is (oc.State.UNKNOWN if now else oc.State.SUCCEEDED)
    assert ended.outcome("do", "h1").state is oc.State.SKIPPED
    assert caught[0].exit_code == 130
    assert hosts.space.store.events(ended.id)[-1].type == "deployment_finished"


def test_two_may_cancel_one_deployment(hosts):
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(20)
        return says()

    hosts.answers["web h1"] = slow
    release = hosts.space.create_release("shop")
    with ThreadPoolExecutor(3) as pool, hosts.other() as one, hosts.other() as two:
        runs = pool.submit(hosts.space.deploy, release, "Dev", check=False)
        assert begun.wait(10)
        ended = [*pool.map(lambda space: space.cancel(now=True), (one, two))]
        go_on.set()
    assert [found.state for found in (*ended, runs.result())] == [oc.State.INTERRUPTED] * 3


def test_what_does_not_run_cannot_be_cancelled(hosts):
    with pytest.raises(oc.PlanError, match="no deployment runs now"):
        hosts.space.cancel()
    ended = deploy(hosts)
    with pytest.raises(oc.PlanError, match="does not run: it is succeeded"):
        hosts.space.cancel(ended.id)


def test_a_target_in_maintenance_is_left_out_until_it_ends_and_catches_up_then(hosts):
    made = hosts.space.maintain("h2", why="new disk")
    ended = deploy(hosts)
    assert ended.ok
    assert ended.outcome("web", "h2").why == str(made)
    assert "in maintenance: new disk" in str(made)
    assert hosts.space.outdated("Dev") == ("h2",)
    with pytest.raises(oc.PlanError, match=r"that is not in maintenance has shop 0\.0\.1 already"):
        hosts.space.catch_up("Dev")
    hosts.space.end_maintenance("h2", why="done")
    hosts.sent.clear()
    assert hosts.space.catch_up("Dev").ok
    assert hosts.sent == ["web h2", "do h2"]
    assert hosts.space.outdated("Dev") == ()
    kinds = [e.type for e in hosts.space.store.events() if e.data.get("kind") == "maintenance"]
    assert kinds == ["fact_kept", "fact_dropped"]


def test_a_host_that_was_offline_is_brought_up_to_date_later(hosts):
    hosts.go_off("h3")
    ended = deploy(hosts, rollout=oc.Rollout(offline="skip"))
    assert ended.ok
    assert hosts.space.status().standings[0].release == "0.0.1"
    assert hosts.space.outdated("Dev") == ("h3",)
    hosts.go_off()
    hosts.sent.clear()
    again = hosts.space.catch_up("Dev")
    assert (again.release, hosts.sent) == ("0.0.1", ["web h3", "do h3"])
    assert hosts.space.outdated("Dev") == ()


def test_catching_up_chooses_the_hosts_itself(hosts):
    deploy(hosts)
    with pytest.raises(oc.ModelError, match="leave out only and exclude"):
        hosts.space.catch_up("Dev", only=["h1"])


def test_a_target_that_is_not_there_has_no_maintenance(hosts):
    with pytest.raises(oc.ModelError, match="there is no target 'h9'"):
        hosts.space.maintain("h9", why="x")
    with pytest.raises(oc.ModelError, match="is not in maintenance by the store"):
        hosts.space.end_maintenance("h1")
    with pytest.raises(oc.ModelError, match="maintenance needs a reason"):
        hosts.space.maintain("h1", why=" ")


def test_somebody_is_asked_by_the_space(tmp_path):
    asked = []

    def decide(request):
        asked.append(attrs.evolve(request, deployment="", by=""))
        return oc.Decision("exclude", by="ada")

    hosts = Hosts(tmp_path, on_failure=decide)
    hosts.answers["web h2"] = FAILED
    with hosts.space:
        assert deploy(hosts).ok
    assert [(request.step, request.target, request.environment) for request in asked] == [("web", "h2", "Dev")]
