"""The store: what is recorded is what comes back, and what must not be recorded is refused."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from entries import IMAGE, NOW, deployment, event, outcome, release, whole

from octossh.errors import ModelError, RecordError
from octossh.model import (
    Mode,
    Pin,
    State,
)
from octossh.planning import Tidy
from octossh.recording import Store, actor_here, controller_here


@pytest.fixture
def store(store_url):
    with Store(store_url) as made:
        yield made


def test_a_deployment_comes_back_as_it_was_finished(store):
    store.start(deployment())
    assert store.deployment("d1") == deployment()
    store.record(event(), outcome())
    ended = deployment(
        state=State.FAILED,
        finished_at=NOW + timedelta(seconds=9),
        error="h02 failed ✗",
        outcomes=(outcome(target="h02", state=State.FAILED, exit_code=137), outcome(), outcome(target="a", log="")),
    )
    store.finish(ended)
    assert whole(store.deployment("d1")) == whole(ended)
    assert store.deployments() == (ended,)


def test_times_of_other_zones_come_back_as_the_same_moments(store):
    there = NOW.astimezone(timezone(timedelta(hours=-7, minutes=-30)))
    store.start(deployment(started_at=there))
    assert store.deployment("d1").started_at == NOW
    assert store.deployment("d1").started_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(ModelError, match="started_at 2026-03-04T00:00:00 does not say its time zone"):
        store.start(deployment(started_at=datetime(2026, 3, 4)))  # noqa: DTZ001
    assert store.deployments() == ()


def test_output_that_was_not_utf8_is_recorded_with_its_bytes_in_letters(store):
    log = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    store.start(deployment())
    store.record(event(line=log), outcome(log=log))
    assert store.deployment("d1").outcomes[0].log == "caf\\udce9 \\udcff"
    assert store.events("d1")[1].data == {"line": log}
    assert store.verify().ok


def test_a_nul_which_not_every_database_takes_is_recorded_in_letters(store):
    store.start(deployment())
    store.record(event(line="a\0b"), outcome(log="a\0b", inspect={"a": "\0"}))
    assert store.deployment("d1").outcomes[0].log == "a\\x00b"
    assert store.deployment("d1").outcomes[0].inspect == {"a": "\0"}
    assert store.events("d1")[1].data == {"line": "a\0b"}
    assert store.verify().ok


def test_events_come_back_in_their_order_and_by_deployment(store):
    store.create_release("shop", "0.0.i", release)
    for id_ in ("d1", "d2"):
        store.start(deployment(id_))
    store.record(event("d1", "output", line="é\n"))
    store.record(event("", "something", "", ""))
    store.record(event("d2"), outcome())
    store.finish(deployment("d1", state=State.SUCCEEDED, finished_at=NOW))
    assert [(e.type, e.deployment) for e in store.events()] == [
        ("release_created", ""),
        ("deployment_started", "d1"),
        ("deployment_started", "d2"),
        ("output", "d1"),
        ("something", ""),
        ("step_finished", "d2"),
        ("deployment_finished", "d1"),
    ]
    assert [e.type for e in store.events("d1")] == ["deployment_started", "output", "deployment_finished"]
    assert whole(store.events("d1")[1]) == whole(event("d1", "output", line="é\n"))
    told = {"project": "shop", "number": "0.0.1", "channel": "stable", "by": "ann@build"}
    assert store.events()[0].data == {**told, "actor": actor_here().to_dict()}
    assert "actor" not in store.events()[5].data, "who acts stands in what began it"


def test_the_outcome_of_a_step_that_ran_again_takes_the_place_of_the_first(store):
    store.start(deployment())
    store.record(event(), outcome(state=State.UNKNOWN))
    store.record(event(target="h02"), outcome(target="h02"))
    store.record(event(), outcome(log="again"))
    assert [(o.target, o.log) for o in store.deployment("d1").outcomes] == [("h02", outcome().log), ("h01", "again")]
    assert store.verify().ok


def test_deployments_are_chosen_by_project_environment_release_and_state(store):
    plans = itertools.product(("shop", "blog"), ("Dev", "Test"), ("1", "2"))
    for number, (project, environment, number_) in enumerate(plans):
        one = deployment(f"d{number}", project=project, environment=environment, release=number_)
        store.start(one)
        if number % 2:
            store.finish(attrs.evolve(one, state=State.FAILED, finished_at=NOW))

    def ids(**wanted):
        return [d.id for d in store.deployments(**wanted)]

    assert ids() == [f"d{n}" for n in range(7, -1, -1)]
    assert ids(project="blog", environment="Dev") == ["d5", "d4"]
    assert ids(release="2", limit=2) == ["d7", "d5"]
    assert ids(state=State.FAILED, project="shop") == ["d3", "d1"]
    assert ids(state=State.RUNNING, limit=3) == ["d6", "d4", "d2"]
    assert ids(state=State.INTERRUPTED) == []
    assert ids(project="nothing") == []


@pytest.mark.slow
def test_without_a_limit_all_deployments_come_and_each_has_its_own_outcomes(store, monkeypatch):
    monkeypatch.setattr("octossh.recording.statements.CHUNK", 10)
    for number in range(65):
        one = deployment(f"d{number}")
        store.start(one)
        store.finish(attrs.evolve(one, state=State.SUCCEEDED, outcomes=(outcome(why=one.id),)))
    assert len(store.deployments()) == 50
    found = store.deployments(limit=None)
    assert [d.outcomes[0].why for d in found] == [d.id for d in found] == [f"d{n}" for n in range(64, -1, -1)]


def test_deployments_can_come_without_their_outcomes(store):
    store.start(deployment())
    store.record(event(), outcome())
    assert [d.outcomes for d in store.deployments(outcomes=False)] == [()]
    assert [d.outcomes for d in store.deployments()] == [(outcome(),)]


def finished(store, id_, state, **changes):
    one = deployment(id_, **changes)
    store.start(one)
    store.finish(attrs.evolve(one, state=state, outcomes=(outcome(),)))


@pytest.fixture
def long(store):
    """Of each of two projects and environments: 1 and 2 pass, 1 passes again, 3 fails; then something is tidied up."""
    for project, environment in itertools.product(("shop", "blog"), ("Dev", "Test")):
        past = [
            ("1", True, Mode.DEPLOY),
            ("2", True, Mode.DEPLOY),
            ("1", True, Mode.ROLLBACK),
            ("3", False, Mode.DEPLOY),
        ]
        for place, (number, passes, mode) in enumerate([*past, ("3", True, Mode.PRUNE)]):
            state = State.SUCCEEDED if passes else State.FAILED
            name = f"{project} {environment} {place}"
            finished(store, name, state, project=project, environment=environment, release=number, mode=mode)
    return store


def test_the_latest_of_each_place_are_the_newest_and_the_newest_that_passed(long):
    assert [d.id for d in long.latest("blog")] == ["blog Test 3", "blog Test 2", "blog Dev 3", "blog Dev 2"]
    assert [d.id for d in long.latest()][4:] == ["shop Test 3", "shop Test 2", "shop Dev 3", "shop Dev 2"]
    assert {d.outcomes for d in long.latest()} == {()}
    assert long.latest("nothing") == ()
    long.start(deployment("new", environment="Prod"))
    finished(long, "good", State.SUCCEEDED, environment="Test")
    assert [d.id for d in long.latest("shop")] == ["good", "new", "shop Dev 3", "shop Dev 2"]


def test_the_latest_of_many_places_come_too(store, monkeypatch):
    monkeypatch.setattr("octossh.recording.statements.CHUNK", 7)
    for number in range(20):
        finished(store, f"d{number}", State.SUCCEEDED, environment=f"e{number}")
    assert [d.id for d in store.latest()] == [f"d{number}" for number in range(19, -1, -1)]


def test_nothing_is_the_latest_of_nothing(store):
    assert store.latest() == tuple(store.past("shop", "Dev")) == ()
    assert store.reached("shop", "1") == set()


def test_a_release_has_reached_the_environments_in_which_it_succeeded(long):
    assert long.reached("shop", "1") == long.reached("shop", "2") == {"Dev", "Test"}
    assert long.reached("shop", "3") == long.reached("else", "1") == set()
    finished(long, "more", State.SUCCEEDED, environment="Live", release="1")
    assert long.reached("shop", "1") == {"Dev", "Live", "Test"}
    assert long.reached("shop", "1", besides="more") == {"Dev", "Test"}
    assert long.reached("shop", "2", besides="shop Dev 1") == {"Test"}


def test_what_came_where_is_told_by_release_with_when_it_last_did_and_last_succeeded(long):
    came = {(one.environment, one.release): one for one in long.came() if one.project == "blog"}
    first, again, third = (came["Dev", number] for number in "213")
    assert len(long.came()) == 12
    assert first.last == first.passed < again.last == again.passed < third.last  # what tidied up is not in it
    assert third.passed is None


def pin(tag):
    return Pin(image=IMAGE, tag=tag, digest=f"sha256:{tag * 64}")


def test_releases_tell_what_they_pin_as_long_as_they_are_stored(store, monkeypatch):
    monkeypatch.setattr("octossh.recording.statements.CHUNK", 2)
    made = {number: release(number, pins=(pin(number),)) for number in "123"}
    for one in made.values():
        store.import_release(one, by="ada")
    assert {found.tag for found in store.pins("shop", {"1", "3", "2", "4"})} == {"1", "2", "3"}
    assert store.pins("shop", {"2"}) == made["2"].pins
    assert store.pins("another", {"1"}) == store.pins("shop", set()) == ()
    store.tidy([Tidy(project="shop", what="release", name="2", why="")])
    assert store.pins("shop", {"2"}) == ()


def test_the_past_of_an_environment_comes_newest_first_as_far_as_it_is_taken(long, monkeypatch):
    past = ["shop Dev 3", "shop Dev 2", "shop Dev 1", "shop Dev 0"]
    assert [d.id for d in long.past("shop", "Dev")] == past
    monkeypatch.setattr("octossh.recording.standings._FIRST_PAGE", 1)
    assert [d.id for d in long.past("shop", "Dev")] == past
    read = itertools.islice(long.past("shop", "Dev"), 2)
    assert next(read).id == past[0]
    finished(long, "new", State.FAILED)  # nothing is held open meanwhile
    assert next(read).id == past[1]


def test_a_negative_limit_is_refused(store):
    with pytest.raises(ModelError, match="limit -1 is below zero"):
        store.deployments(limit=-1)


def test_a_limit_beyond_64_bits_is_refused_in_words(store):
    for read in (store.deployments, lambda limit: store.releases("shop", limit=limit)):
        with pytest.raises(RecordError, match="a number in this record is too large"):
            read(limit=2**70)


def test_an_unknown_deployment_is_a_model_error_with_the_nearest_id(store):
    store.start(deployment("01HABC"))
    for look in (store.deployment, store.events):
        with pytest.raises(ModelError, match=r"there is no deployment '01HABD' in .* did you mean '01HABC'"):
            look("01HABD")
    with pytest.raises(ModelError, match="there is no deployment"):
        store.record(event("01HABD"))
    with pytest.raises(ModelError, match="there is no deployment"):
        store.finish(deployment("01HABD", state=State.FAILED))


def test_a_deployment_starts_once_and_ends_once(store):
    store.start(deployment())
    with pytest.raises(RecordError, match="there is a deployment 'd1' already"):
        store.start(deployment())
    ended = deployment(state=State.FAILED, finished_at=NOW, outcomes=(outcome(),))
    store.finish(ended)
    with pytest.raises(RecordError, match="has ended already, as failed"):
        store.finish(attrs.evolve(ended, state=State.SUCCEEDED))
    with pytest.raises(RecordError, match="has ended, so 'web' on 'h01' cannot end any more"):
        store.record(event(), outcome(log="late"))
    store.record(event(type_="output"))
    assert store.deployments() == (ended,)
    assert store.verify().ok


@pytest.mark.parametrize(
    "wrong",
    [{"state": State.SUCCEEDED}, {"outcomes": (outcome(),)}, {"finished_at": NOW}],
    ids=["ended", "outcomes", "time of end"],
)
def test_only_what_runs_and_has_done_nothing_can_start(store, wrong):
    with pytest.raises(ModelError, match="cannot start as"):
        store.start(deployment(**wrong))


def test_only_what_does_not_run_any_more_can_finish(store):
    store.start(deployment())
    with pytest.raises(ModelError, match="still runs"):
        store.finish(deployment())


def test_a_deployment_ends_as_the_one_that_was_started(store):
    store.start(deployment())
    with pytest.raises(ModelError, match="was started with environment 'Dev', and cannot end with 'Test'"):
        store.finish(deployment(state=State.FAILED, environment="Test"))
    store.finish(deployment(state=State.FAILED, controller="another 1 1"))


def test_two_outcomes_of_one_step_on_one_target_are_refused(store):
    store.start(deployment())
    with pytest.raises(ModelError, match="two outcomes of 'web' on 'h01'"):
        store.finish(deployment(state=State.FAILED, outcomes=(outcome(), outcome(log="b"))))


def test_an_outcome_of_another_step_than_its_event_is_refused(store):
    store.start(deployment())
    with pytest.raises(ModelError, match="is about 'web' on 'h02', and its outcome about 'web' on 'h01'"):
        store.record(event(target="h02"), outcome())


def test_data_that_json_cannot_hold_is_refused_and_nothing_of_it_is_kept(store):
    store.start(deployment())
    for data in ({"x": object()}, {"x": float("inf")}, {"at": NOW}):
        with pytest.raises(ModelError, match="data of event 'step_finished' cannot be recorded"):
            store.record(event(**data), outcome())
    assert store.deployment("d1").outcomes == ()
    assert len(store.events()) == 1


def test_a_number_beyond_64_bits_is_refused_in_words(store):
    store.start(deployment())
    with pytest.raises(RecordError, match="a number in this record is too large"):
        store.record(event(), outcome(exit_code=2**70))
    assert store.deployment("d1").outcomes == ()


def test_a_running_deployment_whose_process_is_gone_is_shown_as_interrupted(store):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        gone = controller_here().split()
        gone[1] = str(other.pid)
        store.start(deployment("gone", controller=" ".join(gone)))
    store.start(deployment("here"))
    store.start(deployment("elsewhere", controller="another-machine 1 1"))
    store.start(deployment("unsaid", controller=""))
    assert store.deployment("gone").state is State.INTERRUPTED
    assert [d.id for d in store.deployments(state=State.INTERRUPTED)] == ["gone"]
    assert [d.id for d in store.deployments(state=State.RUNNING)] == ["unsaid", "elsewhere", "here"]
    assert store.verify().ok


def test_an_interrupted_deployment_can_be_finished_by_another_process(store):
    store.start(deployment(controller=f"{controller_here().split()[0]} 4000000 1"))
    assert store.deployment("d1").state is State.INTERRUPTED
    ended = deployment(state=State.INTERRUPTED, finished_at=NOW)
    store.finish(ended)
    assert store.deployments(state=State.INTERRUPTED) == (ended,)
