"""Deployments that come to an approval which nobody gives now: put aside in the store, and gone on with by anybody."""

from __future__ import annotations

import contextlib
import itertools
import threading
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from waiting import ANN, FIRST, GO, NO, THEN, TOKEN, Shop
from worlds import FAILED, says

import octossh as oc
from octossh.model import DueState, Pause
from octossh.recording import Store


def test_what_nobody_approves_now_waits_in_the_store_and_goes_on_elsewhere_behind_the_approval(shops):
    shop = shops()
    made = shop.waiting(variables={"Count": 7}, why="the shop asked for it")
    assert (made.state, sorted(shop.sent)) == (oc.State.WAITING, ["first h1", "first h2"])
    assert shop.go_on() == [DueState.WAITING]
    assert shop.approve(made).waits_for == "approved, and 'run-due' goes on"
    assert shop.go_on() == [DueState.STARTED]
    ended = shop.ended(made)
    assert (ended.state, ended.options, ended.error) == (oc.State.SUCCEEDED, made.options, "")
    assert sorted(shop.sent) == ["first h1", "first h2", "then h1", "then h2"]
    assert all(word in shop.scripts[-1] for word in ("abc", "it is", " 7"))
    assert (ended.started_at, ended.by, ended.mode) == (made.started_at, made.by, oc.Mode.DEPLOY)
    assert ended.outcome("first", "h1") == made.outcome("first", "h1")
    assert ended.outcome("Go live", "(controller)").why == "by ann: it is"
    told = [event.type for event in shop.space.store.events(made.id)]
    assert told[0] == "deployment_started"
    assert told.count("deployment_waiting") == told.count("deployment_continued") == 1
    assert told.index("deployment_waiting") < told.index("deployment_continued") < told.index("answered")
    assert {"deployment_waiting", "deployment_continued"} <= {event.type for event in shop.events}
    assert shop.go_on() == []


def test_the_error_says_what_is_waited_for_who_may_approve_and_the_command_and_has_an_exit_code_of_its_own(shops):
    shop = shops()
    space = shop.space
    with pytest.raises(oc.DeployWaits) as caught:
        space.deploy(space.create_release(), "Dev")
    error, made = caught.value, caught.value.deployment
    until = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    assert f"{made.id} has begun, and it waits until {until}" in str(error)
    assert f"for the approval of step 'Go live' by @ops, ann; give it with octossh approve {made.id} 'Go live'" in str(
        error
    )
    assert (error.exit_code, error.hosts, made.hosts) == (5, oc.Hosts.CHANGED, oc.Hosts.CHANGED)
    assert space.deploy("0.0.1", "Dev", check=False, cancel_waiting=True).state is oc.State.WAITING


def test_status_and_history_and_the_deployment_say_that_it_waits(shops):
    shop = shops(FIRST)
    space = shop.space
    space.deploy(space.create_release(), "Dev")
    shop.project = attrs.evolve(shop.project, process=oc.Process([FIRST, GO, THEN]))
    made = shop.waiting()
    (standing,) = shop.space.status()
    assert (standing.release, standing.waiting, standing.running) == ("0.0.1", made.id, "")
    assert (standing.seen, standing.seen_why) == ("unknown", "0.0.2 has begun, and waits, after it")
    assert standing.newest == "0.0.2 waits for an approval"
    assert "waiting" in str(shop.space.history())
    assert str(shop.ended(made)).splitlines()[0] == "shop 0.0.2 -> Dev (deploy): waiting"
    assert "for the approval of step 'Go live' by @ops, ann" in str(shop.ended(made))
    assert f"in its middle, until {made.started_at + timedelta(days=1):%Y-%m-%d}" in str(
        shop.space.schedules.get(made.id)
    )


def test_what_waits_holds_its_place_and_is_ended_for_another_one_only_when_that_is_said(shops):
    shop = shops()
    made = shop.waiting()
    space = shop.space
    for verb in (
        lambda: space.deploy("0.0.1", "Dev"),
        lambda: space.rollback("shop", "Dev", to="0.0.1"),
        lambda: space.promote("shop", to="Dev"),
    ):
        with pytest.raises(oc.OctosshError) as caught:
            verb()
        if isinstance(caught.value, oc.Refused):
            assert f"deployment {made.id} of shop 0.0.1 to 'Dev' has begun, and it waits until" in str(caught.value)
    sent = len(shop.sent)
    second = space.deploy("0.0.1", "Dev", check=False, cancel_waiting=True)
    assert (second.state, len(shop.sent)) == (oc.State.WAITING, sent + 2)
    first = shop.ended(made)
    assert (first.state, first.error[:13]) == (oc.State.INTERRUPTED, "cancelled by ")
    assert "to deploy something else" in first.error
    assert first.outcome("then", "h1").state is oc.State.SKIPPED
    with pytest.raises(oc.Refused, match="is cancelled"):
        shop.approve(made)


def test_the_store_itself_lets_nothing_begin_beside_what_waits(shops):
    shop = shops()
    made = shop.waiting()
    other = attrs.evolve(made, id="other", state=oc.State.RUNNING, outcomes=(), error="")
    with pytest.raises(oc.Refused, match=f"{made.id} .* has begun"):
        shop.space.store.start(other)


def test_what_is_rejected_ends_as_failed_with_what_is_to_be_done_after_a_failure(shops):
    tidy = oc.RunScript("tidy", script="true", when="failure")
    shop = shops(FIRST, GO, THEN, tidy)
    made = shop.waiting()
    assert "does not approve, and 'run-due' ends it" in shop.approve(made, NO).waits_for
    assert shop.go_on() == [DueState.STARTED]
    ended = shop.ended(made)
    assert ended.state is oc.State.FAILED
    assert ended.error == "(controller): step 'Go live' failed: ann does not approve: not today"
    assert sorted(shop.sent) == ["first h1", "first h2", "tidy h1", "tidy h2"]
    assert ended.outcome("then", "h1").state is oc.State.SKIPPED


def test_what_is_rejected_goes_back_where_its_rollout_says_so_by_the_hosts_that_were_changed_before_it_waited(shops):
    shop = shops(FIRST, rollout=oc.Rollout(on_failure="rollback"))
    space = shop.space
    space.deploy(space.create_release(), "Dev")
    shop.project = attrs.evolve(shop.project, process=oc.Process([FIRST, GO, THEN]))
    made = shop.waiting()
    shop.approve(made, NO)
    shop.sent.clear()
    shop.go_on()
    back, failed = shop.space.history()[:2]
    assert (failed.id, failed.state, back.options.undoes) == (made.id, oc.State.FAILED, made.id)
    assert (back.release, back.state, sorted(shop.sent)) == ("0.0.1", oc.State.SUCCEEDED, ["first h1", "first h2"])


def test_what_nobody_approves_in_time_ends_as_failed(shops):
    shop = shops()
    made = shop.waiting()
    assert [one.state for one in shop.space.run_due(now=datetime.now(UTC) + timedelta(hours=23))] == [DueState.WAITING]
    shop.space.run_due(now=datetime.now(UTC) + timedelta(hours=25))
    ended = shop.ended(made)
    assert ended.state is oc.State.FAILED
    assert "step 'Go live' failed: nobody has approved it until " in ended.error
    assert "then h1" not in shop.sent


def test_who_may_not_approve_does_not(shops):
    shop = shops()
    made = shop.waiting()
    with pytest.raises(oc.Refused, match="bob may not approve, only @ops, ann"):
        shop.approve(made, oc.Approval(True, by="bob"))
    assert shop.go_on() == [DueState.WAITING]


def test_of_two_that_go_on_one_does(shops):
    shop = shops()
    made = shop.waiting()
    waits = shop.approve(made)
    store = shop.space.store
    lease = store.lease("shop", "Dev")
    after = attrs.evolve(waits, state=DueState.STARTED)
    store.go_on(waits, after, lease=lease)
    with pytest.raises(oc.Refused, match="waits no more; somebody else was faster"):
        store.go_on(waits, after, lease=lease)
    store.give_back(lease)


def test_an_answer_that_came_meanwhile_is_not_lost(shops):
    shop = shops()
    made = shop.waiting()
    before = shop.space.schedules.get(made.id)
    shop.approve(made)
    store = shop.space.store
    lease = store.lease("shop", "Dev")
    with pytest.raises(oc.Refused, match="is another by now"):
        store.go_on(before, attrs.evolve(before, state=DueState.STARTED), lease=lease)
    store.give_back(lease)
    assert shop.ended(made).state is oc.State.WAITING


def test_what_waits_is_cancelled_by_one_word_and_its_hosts_are_not_asked(shops):
    shop = shops()
    made = shop.waiting()
    shop.sent.clear()
    ended = shop.space.cancel(why="wrong one")
    assert (ended.id, ended.state, ended.error[-9:]) == (made.id, oc.State.INTERRUPTED, "wrong one")
    assert [(o.step, o.target) for o in ended.outcomes if o.state is oc.State.SKIPPED] == [
        ("Go live", "(controller)"), ("then", "h1"), ("then", "h2")
    ]  # fmt: skip
    assert (shop.sent, shop.go_on(), shop.ended(made)) == ([], [], ended)
    assert [one.state for one in shop.space.schedules.list(all=True)] == [DueState.CANCELLED]
    shop.space.deploy("0.0.1", "Dev", check=False)


def test_what_has_begun_is_not_cancelled_as_what_is_scheduled(shops):
    shop = shops()
    made = shop.waiting()
    with pytest.raises(oc.Refused, match=f"octossh cancel {made.id}"):
        shop.space.schedules.cancel(made.id, why="no")
    with pytest.raises(oc.Refused, match="has not ended: it waits until"):
        shop.space.resume(made.id)


def test_a_freeze_holds_what_waits_too_and_it_waits_on(shops):
    shop = shops()
    made = shop.waiting()
    shop.approve(made)
    shop.space.freezes.add(oc.Freeze("Sales"), why="sales")
    assert shop.go_on() == [DueState.WAITING]
    assert "freeze 'Sales' holds" in str(shop.space.schedules.list())
    shop.space.freezes.remove("Sales", why="over")
    assert shop.go_on() == [DueState.STARTED]
    assert shop.ended(made).ok


def test_a_host_that_cannot_be_reached_when_it_goes_on_leaves_it_waiting(shops):
    shop = shops()
    made = shop.waiting()
    shop.approve(made)
    shop.off = {"h2"}
    assert shop.go_on() == [DueState.WAITING]
    assert "h2: nothing listens there" in str(shop.space.schedules.list())
    shop.off = set()
    assert shop.go_on() == [DueState.STARTED]
    assert shop.ended(made).ok


def test_a_host_that_has_gone_before_the_next_wave_moves_no_other_one_into_it(shops):
    web = oc.RunScript("web", script="true", rolling=oc.Rolling(1, approve=True))
    shop = shops(web, hosts=4, rollout=oc.Rollout(offline="skip"))
    made = shop.waiting()
    shop.approve(made, oc.Approval(True, by="bob"), step="web")
    shop.off = {"h1"}
    assert shop.go_on() == [DueState.WAITING]
    assert "step 'web' has come to wave 2, and h1 is " in str(shop.space.schedules.list())
    shop.off = set()
    shop.go_on()
    assert shop.sent == ["web h1", "web h2"]


def test_what_has_expired_and_cannot_go_on_ends_all_the_same(shops):
    shop = shops()
    made = shop.waiting()
    shop.off = {"h2"}
    shop.space.run_due(now=datetime.now(UTC) + timedelta(hours=25))
    ended = shop.ended(made)
    assert ended.state is oc.State.INTERRUPTED
    assert "and could not go on: " in ended.error
    shop.off = set()
    assert shop.space.deploy("0.0.1", "Dev", check=False).state is oc.State.WAITING, "the place is free"


def test_an_answer_that_comes_too_late_is_none(shops, monkeypatch):
    from octossh.space import schedules

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=25)

    shop = shops()
    made = shop.waiting()
    monkeypatch.setattr(schedules, "datetime", Later)
    with pytest.raises(oc.Refused, match="could be approved until"):
        shop.approve(made)


def test_who_cancels_what_is_about_to_wait_has_cancelled_it(shops):
    shop = shops(hosts=1)
    cancelled = []

    def first():
        def cancel():
            with oc.Space(shop.url, projects=[shop.project], targets=shop.targets) as other:
                cancelled.append(other.cancel(shop.events[0].deployment, why="a mistake"))

        canceller = threading.Thread(target=cancel)
        canceller.start()
        cancelled.append(canceller)
        return says(outputs=TOKEN)

    shop.answers["first"] = first
    space = shop.space
    space.deploy(space.create_release(), "Dev", check=False)
    cancelled[0].join()
    (made,) = space.history()
    assert made.state is oc.State.INTERRUPTED
    assert cancelled[1].state is oc.State.INTERRUPTED


def test_a_key_that_is_none_fails_the_approval_and_what_ran_before_it_is_recorded(shops):
    def secret_output():
        return [oc.Frame("begin"), oc.Frame("secret", "token Z2VoZWltLzEyMzQ="), oc.Frame("end", "succeeded ran yes ")]

    reads = oc.RunScript("then", script="true", env={"T": "{{ steps.first.outputs.token }}"})
    shop = shops(FIRST, GO, reads, hosts=1, key=lambda name: "no key")
    shop.answers["first"] = secret_output
    space = shop.space
    ended = space.deploy(space.create_release(), "Dev", check=False)
    assert ended.state is oc.State.FAILED
    assert "step 'Go live' failed: nobody has answered, and it cannot wait for that: " in ended.error
    assert ended.outcome("first", "h1").state is oc.State.SUCCEEDED


def test_hosts_that_have_come_or_gone_or_are_in_maintenance(shops):
    shop = shops()
    made = shop.waiting()
    shop.approve(made)
    h1, h2 = shop.targets
    shop.targets = [h1]
    assert shop.go_on() == [DueState.WAITING]
    assert "'h2' is no target of it any more; cancel it, and deploy again" in str(shop.space.schedules.list())
    shop.targets = [h1, h2, oc.Target("h3", "h3", environments=["Dev"])]
    shop.space.maintain("h2", why="new disk")
    assert shop.go_on() == [DueState.WAITING]
    assert "h2 is in maintenance: new disk" in str(shop.space.schedules.list())
    shop.space.end_maintenance("h2")
    assert shop.go_on() == [DueState.STARTED]
    # What has come since is none of it.
    assert {o.target for o in shop.ended(made).outcomes} == {"h1", "h2", "(controller)"}


def test_what_failed_before_it_waited_counts_on(shops):
    shop = shops(hosts=3, rollout=oc.Rollout(max_failures=1))
    shop.answers["first h2"] = FAILED
    made = shop.waiting()
    shop.approve(made)
    shop.answers["then h3"] = FAILED
    shop.sent.clear()
    shop.go_on()
    ended = shop.ended(made)
    assert sorted(shop.sent) == ["then h1", "then h3"]
    assert ended.state is oc.State.FAILED
    assert ended.outcome("then", "h2").state is oc.State.SKIPPED


@pytest.mark.parametrize("more", ["", "then"])
def test_waves_wait_each_for_an_answer_of_its_own(shops, more):
    web = oc.RunScript("web", script="true", rolling=oc.Rolling(1, approve=True, pause_s=0.01))
    shop = shops(*([FIRST] if more else []), web, hosts=3)
    made = shop.waiting()
    assert "wave 2 of step 'web' by anybody" in made.error
    shop.sent.clear()
    for number, name in enumerate(("h2", "h3"), 2):
        assert f"wave {number} of step 'web'" in shop.ended(made).error
        assert shop.go_on() == [DueState.WAITING]
        shop.approve(made, oc.Approval(True, by="bob"), step="web")
        shop.go_on()
        assert shop.sent[-1] == f"web {name}"
    assert shop.sent == ["web h2", "web h3"]
    assert shop.ended(made).state is oc.State.SUCCEEDED


def test_a_wave_that_is_rejected_ends_it(shops):
    web = oc.RunScript("web", script="true", rolling=oc.Rolling(1, approve=True))
    shop = shops(web)
    made = shop.waiting()
    shop.approve(made, oc.Approval(False, by="bob", notes="h1 is slow"), step="web")
    shop.go_on()
    ended = shop.ended(made)
    assert (ended.state, ended.error) == (
        oc.State.FAILED, "wave 2 of step 'web' was not approved: bob does not approve: h1 is slow"
    )  # fmt: skip


def test_several_approvals_wait_one_after_the_other_and_those_beside_each_other_together(shops):
    second = oc.Approve("Sure", start="with_previous")
    shop = shops(FIRST, GO, second, oc.Approve("Really"), THEN)
    made = shop.waiting()
    assert "step 'Go live' by @ops, ann, and of step 'Sure' by anybody" in made.error
    shop.approve(made)
    assert shop.go_on() == [DueState.WAITING]
    shop.approve(made, step="Sure")
    assert shop.go_on() == [DueState.WAITING]
    assert "step 'Really'" in shop.ended(made).error
    shop.approve(made, step="Really")
    shop.go_on()
    assert shop.ended(made).ok


def test_what_stands_beside_an_approval_runs_to_its_end_first_and_once(shops):
    beside = oc.RunScript("beside", script="true", start="with_previous")
    shop = shops(FIRST, GO, beside, THEN)
    made = shop.waiting()
    assert "beside h2" in shop.sent
    shop.approve(made)
    shop.go_on()
    assert sorted(shop.sent) == sorted(f"{step} h{n}" for step in ("first", "beside", "then") for n in (1, 2))


def test_a_failure_beside_an_approval_ends_it_at_once(shops):
    shop = shops(FIRST, GO, oc.RunScript("beside", script="true", start="with_previous"), THEN)
    shop.answers["beside"] = FAILED
    space = shop.space
    ended = space.deploy(space.create_release(), "Dev", check=False)
    assert ended.state is oc.State.FAILED
    assert ended.outcome("Go live", "(controller)").state is oc.State.SKIPPED


def test_whoever_is_asked_may_say_that_nobody_can_tell_now(shops):
    shop = shops(approve=lambda request: None)
    made = shop.waiting()
    shop.approve(made)
    shop.go_on()
    assert shop.ended(made).ok


def test_answers_that_were_given_beforehand_hold_for_later_approvals(shops):
    shop = shops(FIRST, GO, oc.Approve("Sure"), THEN, approve={"Sure": oc.Approval(True, by="bob")})
    made = shop.waiting()
    shop.more["approve"] = None
    shop.approve(made)
    shop.go_on()
    assert shop.ended(made).outcome("Sure", "(controller)").why == "by bob"


def test_going_on_by_hand_asks_whoever_can_be_asked(shops):
    shop = shops()
    made = shop.waiting()
    with pytest.raises(oc.Refused, match="octossh approve"):
        shop.space.go_on(made.id)
    space = shop.space
    space.approve = lambda request: ANN
    assert space.go_on(made.id).ok
    with pytest.raises(oc.Refused, match="is succeeded, and waits for nothing"):
        shop.space.go_on(made.id)


# The store.


def test_what_was_changed_in_what_waits_breaks_the_chain(url):
    if url.startswith("sqlite"):
        import sqlite3

        shop = Shop(url)
        made = shop.waiting()
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            file.execute("UPDATE deployments SET error = 'approved by nobody' WHERE id = ?", (made.id,))
        assert not shop.space.verify().ok
        shop.space.close()


def test_a_deployment_that_waits_has_to_run_before_and_is_put_aside_under_its_lease_only(url):
    with Store(url) as store:
        lease = store.lease("shop", "Dev")
        made = oc.Deployment(
            id="d1", project="shop", release="0.0.1", environment="Dev", mode=oc.Mode.DEPLOY,
            state=oc.State.RUNNING, started_at=datetime.now(UTC),
        )  # fmt: skip
        store.start(made, lease=lease)
        waits = oc.Schedule(
            id="d1", project="shop", release="0.0.1", environment="Dev", at=made.started_at, expires_at=made.started_at,
            created_at=made.started_at, pause=Pause(since=made.started_at, waits={"Go": 0}),
        )  # fmt: skip
        with pytest.raises(oc.ModelError, match="cannot wait as running"):
            store.wait(made, waits, None, lease=lease)
        waiting = attrs.evolve(made, state=oc.State.WAITING, error="it waits")
        with pytest.raises(oc.ModelError, match="was started with release"):
            store.wait(attrs.evolve(waiting, release="0.0.2"), waits, None, lease=lease)
        store.give_back(lease)
        with pytest.raises(oc.RecordError, match="was given back"):
            store.wait(waiting, waits, None, lease=lease)
        other = store.lease("shop", "Dev")
        store.wait(waiting, waits, None, lease=other)
        assert store.deployment("d1") == waiting
        assert [one.id for one in store.deployments(state=oc.State.WAITING)] == ["d1"]
        with pytest.raises(oc.RecordError, match="is waiting, so it cannot wait any more"):
            store.wait(waiting, waits, None, lease=other)
        assert store.verify().ok


def test_what_waits_is_never_tidied_away(shops):
    shop = shops()
    made = shop.waiting()
    space = shop.space
    for _ in range(3):
        space.create_release()
    assert made.id not in {item.name for item in itertools.chain(space.plan_tidy(logs_days=0, steps_days=0).items)}
    assert "0.0.1" not in {item.name for item in space.plan_tidy().items}
