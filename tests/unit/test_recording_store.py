"""The store: what is recorded is what comes back, and what must not be recorded is refused."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from octossh.errors import ModelError, RecordError
from octossh.model import (
    CreateNetwork,
    Deployment,
    Event,
    Mode,
    Outcome,
    Pairs,
    Pin,
    Process,
    Registry,
    Release,
    RunContainer,
    State,
    Variable,
    secret,
)
from octossh.recording import Store, actor_here, controller_here

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
IMAGE = Registry("hub", "https://registry.example.com").image("acme/web")


def release(number, project="shop", **changes):
    values = {
        "project": project,
        "number": number,
        "channel": "stable",
        "process": Process([CreateNetwork("backend"), RunContainer("web", image=IMAGE, env={"KEY": secret("KEY")})]),
        "variables": (Variable("ratio", 0.1), Variable("count", 2), Variable("on", True)),
        "pins": (Pin(image=IMAGE, tag="1.2", digest="sha256:" + "a" * 64, resolved_at=NOW),),
        "created_at": NOW,
        "created_by": "ann@build",
        "notes": "first ✓",
    }
    return Release(**{**values, **changes})


def deployment(id_="d1", **changes):
    values = {
        "id": id_,
        "project": "shop",
        "release": "0.0.1",
        "environment": "Dev",
        "mode": Mode.DEPLOY,
        "state": State.RUNNING,
        "started_at": NOW,
        "by": "ann@build",
        "controller": controller_here(),
    }
    return Deployment(**{**values, **changes})


def outcome(step="web", target="h01", **changes):
    values = {
        "step": step,
        "target": target,
        "state": State.SUCCEEDED,
        "action": "created",
        "changed": True,
        "why": "it was not there",
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=3),
        "exit_code": 0,
        "script": "echo 'a\nb'",
        "log": "línea\r\n\x1b[1mend",
        "inspect": {"Name": "shop", "Ports": [1, None, 2.5, {"é": "😀"}]},
        "outputs": Pairs({"ip": "10.0.0.1"}),
    }
    return Outcome(**{**values, **changes})


def event(of="d1", type_="step_finished", step="web", target="h01", **data):
    return Event(type=type_, at=NOW, deployment=of, step=step, target=target, data=data)


def whole(value):
    """All fields, also those that equality leaves out."""
    return attrs.asdict(value)


@pytest.fixture
def store(store_url):
    with Store(store_url) as made:
        yield made


def test_a_release_comes_back_as_it_was_made(store):
    made = store.create_release("shop", "0.0.i", release)
    assert made == release("0.0.1")
    assert store.release("shop", "0.0.1") == made
    assert isinstance(store.release("shop", "0.0.1").variables[1].value, int)


def test_numbers_count_up_from_the_highest_of_a_project_and_a_mask(store):
    store.create_release("shop", "0.0.i", release, number="0.0.7")
    for number in ("0.0.8.1", "0.0.x", "1.0.99", "0.0.", "0.0.²"):
        store.create_release("shop", "0.0.i", release, number=number)
    store.create_release("other", "0.0.i", lambda number: release(number, "other"), number="0.0.50")
    numbers = [store.create_release("shop", mask, release).number for mask in ("0.0.i", "0.0.i", "1.4.i", "i", "i")]
    assert numbers == ["0.0.8", "0.0.9", "1.4.1", "1", "2"]


def test_what_stands_behind_the_counter_is_part_of_the_number(store):
    masks = ("v1.i-beta", "v1.i-beta", "v1.i", "v1.i-rc", "v1.i-beta")
    made = [store.create_release("shop", mask, release).number for mask in masks]
    assert made == ["v1.1-beta", "v1.2-beta", "v1.1", "v1.1-rc", "v1.3-beta"]


def test_the_highest_number_is_the_highest_by_value_not_as_text(store):
    for number in ("0.0.9", "0.0.10"):
        store.create_release("shop", "0.0.i", release, number=number)
    assert store.create_release("shop", "0.0.i", release).number == "0.0.11"


def test_releases_come_newest_first_whatever_their_clocks_said(store):
    for days in (3, 1, 2):
        store.create_release("shop", "0.0.i", lambda n, days=days: release(n, created_at=NOW - timedelta(days=days)))
    assert [r.number for r in store.releases("shop")] == ["0.0.3", "0.0.2", "0.0.1"]
    assert [r.number for r in store.releases("shop", limit=2)] == ["0.0.3", "0.0.2"]
    assert store.releases("shop", limit=0) == ()
    assert store.releases("nothing") == ()


def test_a_number_that_is_taken_is_refused_and_the_first_release_stays(store):
    store.create_release("shop", "0.0.i", release, number="1")
    with pytest.raises(RecordError, match="has a release '1' already, and a release never changes; choose another"):
        store.create_release("shop", "0.0.i", lambda n: release(n, notes="second"), number="1")
    assert store.release("shop", "1").notes == "first ✓"
    assert len(store.events()) == 1


def test_what_make_raises_leaves_the_store_as_it_was(store):
    class OwnError(Exception):
        pass

    def fail(number):
        raise OwnError(number)

    with pytest.raises(OwnError, match=r"0\.0\.1"):
        store.create_release("shop", "0.0.i", fail)
    assert store.events() == ()
    assert store.create_release("shop", "0.0.i", release).number == "0.0.1"


def test_an_oserror_of_make_is_not_taken_for_one_of_the_store(store):
    def fail(number):
        raise PermissionError(number)

    with pytest.raises(PermissionError):
        store.create_release("shop", "0.0.i", fail)


def test_make_must_give_the_number_that_it_was_given(store):
    with pytest.raises(ModelError, match=r"'0\.0\.1' of 'shop' was made as '9' of 'shop'"):
        store.create_release("shop", "0.0.i", lambda _number: release("9"))
    assert store.releases("shop") == ()


def test_make_must_not_use_the_store(store):
    with pytest.raises(RecordError, match="busy with a record; use it after that"):
        store.create_release("shop", "0.0.i", lambda n: store.create_release("shop", "0.0.i", release))
    assert store.releases("shop") == ()


@pytest.mark.parametrize("mask", ["0.0.x", "", "i.i", "vi", "0.0.I"])
def test_a_mask_without_its_one_i_is_refused(store, mask):
    with pytest.raises(ModelError, match="write a mask such as"):
        store.create_release("shop", mask, release)


def test_an_unknown_release_is_a_model_error_with_the_nearest_number(store):
    store.create_release("shop", "0.0.i", release)
    with pytest.raises(ModelError, match=r"project 'shop' has no release '0\.1'.* did you mean '0\.0\.1'"):
        store.release("shop", "0.1")
    with pytest.raises(ModelError, match="there is none"):
        store.release("nothing", "0.1")


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
    monkeypatch.setattr("octossh.recording.transactions.CHUNK", 10)
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
    monkeypatch.setattr("octossh.recording.shortcuts.CHUNK", 7)
    for number in range(20):
        finished(store, f"d{number}", State.SUCCEEDED, environment=f"e{number}")
    assert [d.id for d in store.latest()] == [f"d{number}" for number in range(19, -1, -1)]


def test_nothing_is_the_latest_of_nothing(store):
    assert store.latest() == store.passed("shop") == ()


def test_what_has_passed_is_told_once_for_each_release_and_environment(long):
    passed = ["shop Test 2", "shop Test 1", "shop Dev 2", "shop Dev 1"]
    assert [d.id for d in long.passed("shop")] == passed
    assert [d.id for d in long.passed("shop", environment="Dev")] == passed[2:]
    assert [d.id for d in long.passed("shop", release="2")] == ["shop Test 1", "shop Dev 1"]
    assert long.passed("shop", release="3") == ()


def test_a_negative_limit_is_refused(store):
    with pytest.raises(ModelError, match="limit -1 is below zero"):
        store.deployments(limit=-1)


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


@pytest.mark.slow
def test_threads_share_a_store_and_its_opening(store):
    store_count, each = 8, 25
    ready = threading.Barrier(store_count)

    def work(number):
        ready.wait()
        made = [store.create_release("shop", "0.0.i", release).number for _ in range(each)]
        store.start(deployment(f"d{number}"))
        for target in range(each):
            store.record(event(f"d{number}", target=f"h{target}"), outcome(target=f"h{target}"))
            assert len(store.deployment(f"d{number}").outcomes) == target + 1
        return made

    with ThreadPoolExecutor(store_count) as pool:
        numbers = [number for made in pool.map(work, range(store_count)) for number in made]
    assert sorted(numbers) == sorted(f"0.0.{n}" for n in range(1, store_count * each + 1))
    found = store.verify()
    assert (found.ok, found.events) == (True, store_count * (2 * each + 1))


def test_reading_goes_on_while_somebody_writes(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.create_release("shop", "0.0.i", release)
        seen = []

        def make(number):
            with ThreadPoolExecutor(1) as pool:
                seen.append(pool.submit(store.releases, "shop").result(timeout=10))
            return release(number)

        store.create_release("shop", "0.0.i", make)
        assert [r.number for r in seen[0]] == ["0.0.1"]


def test_two_stores_on_one_file_see_each_others_records(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with Store(url) as one, Store(url) as other:
        one.start(deployment())
        assert other.deployment("d1") == deployment()
        other.record(event(), outcome())
        assert one.deployment("d1").outcomes == (outcome(),)
        assert one.verify() == other.verify()


def test_a_forked_child_opens_the_file_anew(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.start(deployment())
        opened = store._opened()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert store._opened() is not opened
                store.record(event(), outcome())
                store.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        store.record(event(type_="output"))
        assert store.deployment("d1").outcomes == (outcome(),)
        assert store.verify().ok


def test_the_file_is_made_when_it_is_first_needed_and_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "octossh.db"
    with Store(f"sqlite:///{path}") as store:
        assert not path.exists()
        store.start(deployment())
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        assert modes == {"octossh.db": 0o600, "octossh.db-wal": 0o600, "octossh.db-shm": 0o600}


def test_a_relative_path_stays_where_it_was_when_the_store_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store("sqlite:///octossh.db") as store:
        monkeypatch.chdir("/")
        store.start(deployment())
    assert (tmp_path / "octossh.db").exists()


def test_a_closed_store_says_so(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/a.db")
    store.start(deployment())
    store.close()
    store.close()
    with pytest.raises(RecordError, match=r"a\.db: it was closed; open a new Store"):
        store.deployments()
    with Store(f"sqlite:///{tmp_path}/a.db") as again:
        assert again.deployment("d1") == deployment()


def test_sqlalchemy_enters_only_when_a_store_is_used():
    code = (
        "import sys; from octossh.recording import Store; s = Store('sqlite://');"
        "assert 'sqlalchemy' not in sys.modules; s.releases('a'); assert 'sqlalchemy' in sys.modules; s.close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
