"""Leases: one deployment of a project to an environment at a time, and none by somebody who was overtaken."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import attrs
import pytest

from octossh.errors import ModelError, RecordError, Refused
from octossh.model import Deployment, Event, Mode, Outcome, State
from octossh.recording import Store, controller_here, whoami

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ELSEWHERE = "elsewhere 1 1"
GONE = f"{controller_here().split()[0]} 4000000 1"


@pytest.fixture
def store(store_url):
    with Store(store_url) as made:
        yield made


def deployment(id_="d1", **changes):
    values = {"project": "shop", "release": "1", "environment": "Dev", "mode": Mode.DEPLOY, "state": State.RUNNING}
    return Deployment(id=id_, started_at=NOW, **{"controller": ELSEWHERE, **values, **changes})


EVENT = Event(type="step_finished", at=NOW, deployment="d1", step="s", target="h")
OUTCOME = Outcome(step="s", target="h", state=State.SUCCEEDED)


def expire(store):
    """Let all leases have run out."""
    with store._transaction(write=True) as transaction:
        transaction.connection.run("UPDATE leases SET expires_at = '2020-01-01T00:00:00.000000+00:00'")


def test_one_has_it_and_others_hear_who(store):
    lease = store.lease("shop", "Dev")
    assert (lease.token, lease.holder, lease.by, lease.taken_from) == (1, controller_here(), whoami(), "")
    with pytest.raises(Refused, match=rf"{whoami()} is deploying 'shop' to 'Dev', since 20.*Z; wait"):
        store.lease("shop", "Dev", holder=ELSEWHERE)
    assert store.lease("shop", "Test").token == 1
    assert store.lease("blog", "Dev").token == 1
    assert [(held.project, held.environment) for held in store.leases()] == [
        ("blog", "Dev"), ("shop", "Dev"), ("shop", "Test"),
    ]  # fmt: skip


def test_given_back_it_can_be_had_again_with_a_higher_token(store):
    lease = store.lease("shop", "Dev")
    store.give_back(lease)
    store.give_back(lease)
    assert store.leases() == ()
    again = store.lease("shop", "Dev")
    assert (again.token, again.taken_from) == (2, "")
    store.give_back(lease)
    assert store.leases() == (again,)
    assert store.events() == ()


def test_an_expired_one_is_taken_over_and_it_is_said_whose_it_was(store):
    lease = store.lease("shop", "Dev", holder=ELSEWHERE)
    expire(store)
    assert store.leases() == ()
    taken = store.lease("shop", "Dev")
    assert (taken.token, taken.taken_from) == (2, whoami())
    (event,) = store.events()
    assert event.type == "lease_taken_over"
    assert (event.data["token"], event.data["was"]["holder"]) == (2, ELSEWHERE)
    with pytest.raises(RecordError, match=rf"the lease to deploy 'shop' to 'Dev' was taken over by {whoami()}"):
        store.renew(lease)
    assert store.verify().ok


def test_one_whose_process_is_gone_is_taken_over_at_once(store):
    store.lease("shop", "Dev", holder=GONE)
    assert store.lease("shop", "Dev").taken_from == whoami()


def test_one_of_a_machine_that_is_a_clone_of_this_one_is_no_process_that_is_gone(store, monkeypatch):
    machine = controller_here().split()[0]
    with monkeypatch.context() as there:
        there.setattr("platform.node", lambda: "the-other-one")
        store.lease("shop", "Dev", holder=f"{machine} 999999999 1")
    with pytest.raises(Refused, match="@the-other-one is deploying 'shop' to 'Dev'"):
        store.lease("shop", "Dev")


def test_renewed_it_stays_and_expired_it_can_still_be_renewed_by_its_holder(store):
    lease = store.lease("shop", "Dev", holder=ELSEWHERE, ttl_s=1)
    expire(store)
    renewed = store.renew(lease, ttl_s=100)
    assert (renewed.token, renewed.expires_at > lease.expires_at) == (1, True)
    with pytest.raises(Refused):
        store.lease("shop", "Dev")
    store.give_back(renewed)
    with pytest.raises(RecordError, match="was given back, so nothing more is recorded"):
        store.renew(renewed)


@pytest.mark.parametrize("ttl_s", [0, -1, 10**9, float("nan")])
def test_a_lease_is_for_some_time(store, ttl_s):
    with pytest.raises(ModelError, match="is none; give more than 0 s"):
        store.lease("shop", "Dev", ttl_s=ttl_s)


def test_only_one_of_many_threads_gets_it(store):
    def take(_number):
        with contextlib.suppress(Refused):
            return store.lease("shop", "Dev")

    with ThreadPoolExecutor(8) as pool:
        got = [lease for lease in pool.map(take, range(24)) if lease]
    assert len(got) == 1


def test_whoever_was_overtaken_records_nothing_more_of_his_deployment(store):
    store.start(deployment(), lease=store.lease("shop", "Dev", holder=ELSEWHERE))
    store.record(EVENT, OUTCOME)
    expire(store)
    store.record(attrs.evolve(EVENT, type="output"))
    new = store.lease("shop", "Dev")
    ended = deployment(state=State.SUCCEEDED, finished_at=NOW, outcomes=(OUTCOME,))
    for late in (lambda: store.record(EVENT, OUTCOME), lambda: store.record(EVENT), lambda: store.finish(ended)):
        with pytest.raises(RecordError, match="was taken over by"):
            late()
    assert store.deployment("d1").state is State.INTERRUPTED
    store.finish(attrs.evolve(ended, state=State.INTERRUPTED), lease=new)
    assert store.deployment("d1").state is State.INTERRUPTED
    assert [e.type for e in store.events()] == [
        "deployment_started", "step_finished", "output", "lease_taken_over", "deployment_finished",
    ]  # fmt: skip
    assert store.verify().ok


def test_a_deployment_cannot_start_under_a_lease_that_is_not_in_force(store):
    old = store.lease("shop", "Dev")
    store.give_back(old)
    with pytest.raises(RecordError, match="was given back"):
        store.start(deployment(), lease=old)
    with pytest.raises(ModelError, match="'shop' to 'Dev' is none for 'shop' to 'Test'"):
        store.start(deployment(environment="Test"), lease=store.lease("shop", "Dev"))
    assert store.deployments() == ()


def test_a_record_under_a_lease_is_one_that_an_executor_can_write_to(store):
    lease = store.lease("shop", "Dev")
    record = store.under(lease)
    record.start(deployment())
    record.record(EVENT, OUTCOME)
    record.finish(deployment(state=State.SUCCEEDED, finished_at=NOW, outcomes=(OUTCOME,)))
    store.give_back(lease)
    store.record(attrs.evolve(EVENT, type="output"))
    assert store.deployment("d1").ok


def test_a_deployment_of_another_machine_runs_as_long_as_its_lease(store):
    lease = store.lease("shop", "Dev", holder=ELSEWHERE)
    store.start(deployment(), lease=lease)
    assert store.deployment("d1").state is State.RUNNING
    expire(store)
    assert store.deployment("d1").state is State.INTERRUPTED
    assert [d.id for d in store.deployments(state=State.INTERRUPTED)] == ["d1"]
    store.renew(lease)
    assert store.deployment("d1").state is State.RUNNING
    store.give_back(lease)
    assert store.deployment("d1").state is State.INTERRUPTED


def test_a_deployment_whose_process_is_seen_runs_though_its_lease_is_late(store):
    store.start(deployment(controller=controller_here()), lease=store.lease("shop", "Dev"))
    expire(store)
    assert store.deployment("d1").state is State.RUNNING


def test_two_files_handles_share_the_leases(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with Store(url) as one, Store(url) as other:
        lease = one.lease("shop", "Dev")
        with pytest.raises(Refused):
            other.lease("shop", "Dev")
        one.give_back(lease)
        assert other.lease("shop", "Dev").token == 2
