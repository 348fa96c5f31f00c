"""Tidying up a store: what goes, what stays, and that the chain still tells of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

import octossh as oc

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LOG = "a long log, " * 20 + "\n"
SHOP = oc.Project("shop", process=[oc.RunScript("do", script="true")], lifecycle=oc.Lifecycle("Dev", keep=2))
TARGETS = [oc.Target("h", "h", environments=["Dev"])]


def done(target, script):
    return oc.Result((oc.Frame("docker", "27.0"), oc.Frame("end", "succeeded ran yes ")), LOG, 0, NOW, 0.0)


def opened(folder):
    url = f"sqlite:///{folder}/octossh.db"
    return oc.Space(url, projects=[SHOP], targets=TARGETS, transport=oc.Replay(done))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with a store in it: five releases, each deployed once."""
    folder = tmp_path_factory.mktemp("filled")
    with opened(folder) as made:
        for _ in range(5):
            made.deploy(made.create_release(), "Dev")
    return folder


@pytest.fixture
def space(filled, tmp_path):
    """A copy of it."""
    shutil.copy(filled / "octossh.db", tmp_path)
    with opened(tmp_path) as made:
        yield made


def numbers(made):
    return [release.number for release in made.releases()]


def test_nothing_goes_before_it_was_shown_and_then_just_that(space):
    plan = space.plan_tidy(logs_days=0)
    assert numbers(space) == ["0.0.5", "0.0.4", "0.0.3", "0.0.2", "0.0.1"]
    assert [(t.what, t.name) for t in plan.items if t.what == "release"] == [
        ("release", "0.0.3"),
        ("release", "0.0.2"),
        ("release", "0.0.1"),
    ]
    assert "beyond 2 releases in Dev" in str(plan)
    assert space.tidy(plan) == plan
    assert numbers(space) == ["0.0.5", "0.0.4"]
    assert space.plan_tidy(logs_days=0).items == ()
    assert space.tidy(plan).items == ()
    assert json.loads(json.dumps(plan.to_dict()))["items"][0]["project"] == "shop"


def test_the_chain_still_holds_and_says_what_went_by_whom(space):
    before = {event.data["number"]: event for event in space.store.events() if event.type == "release_created"}
    space.tidy(space.plan_tidy(logs_days=0))
    assert space.verify().ok
    told = [event for event in space.store.events() if event.type in {"release_removed", "deployment_tidied"}]
    removed = next(event.data for event in told if event.data.get("number") == "0.0.1")
    assert (removed["why"], removed["by"]) == ("beyond 2 releases in Dev", before["0.0.1"].data["by"])
    assert all(event.data["bytes"] > 0 and len(event.data["before"]) == 64 for event in told)


def test_a_release_that_went_is_told_and_its_number_is_never_given_again(space):
    space.tidy(space.plan_tidy())
    with pytest.raises(oc.ModelError, match=r"release '0\.0\.1' of 'shop' was removed from .* as the lifecycle says"):
        space.deploy("0.0.1", "Dev")
    with pytest.raises(oc.RecordError, match=r"has a release '0\.0\.1' already"):
        space.create_release(number="0.0.1")
    assert space.create_release().number == "0.0.6"
    assert space.rollback(environment="Dev").release == "0.0.4"
    assert len(space.history()) == 6


def test_a_release_that_went_is_not_taken_in_from_a_file(space, tmp_path):
    space.export_release("0.0.1", tmp_path / "release.json")
    space.tidy(space.plan_tidy())
    with pytest.raises(oc.RecordError, match=r"had a release '0\.0\.1', which was removed; one number is one release"):
        space.import_release(tmp_path / "release.json")


def test_of_a_deployment_its_line_stays_and_its_log_goes(space):
    first = space.history()[-1].id
    assert space.store.deployment(first).outcomes[0].log == LOG
    space.tidy(space.plan_tidy(logs_days=0))
    kept = space.store.deployment(first)
    assert kept.outcomes[0].log == "(the log was removed after its time)\n"
    assert (kept.outcomes[0].action, kept.release, kept.ok) == ("ran", "0.0.1", True)
    assert space.store.deployment(space.history()[0].id).outcomes[0].log == LOG  # it stands
    space.tidy(space.plan_tidy(steps_days=0))
    assert space.store.deployment(first).outcomes == ()
    assert space.store.deployment(first).ok
    assert space.verify().ok


def test_a_release_that_was_deployed_since_it_was_planned_stays(space):
    plan = space.plan_tidy()
    space.deploy("0.0.1", "Dev")
    assert sorted(t.name for t in space.tidy(plan).items) == ["0.0.2", "0.0.3"]
    assert space.release("shop", "0.0.1").number == "0.0.1"


def test_hosts_are_pruned_although_old_releases_went(space):
    space.tidy(space.plan_tidy())
    assert space.plan_prune("Dev").release.number == "0.0.5"


CHANGES = {
    "the number of what went": "UPDATE releases SET number='0.0.9' WHERE number='0.0.1'",
    "what stands for what went": "UPDATE releases SET body=replace(body, '20', '21') WHERE number='0.0.1'",
    "a release that did not go": "UPDATE releases SET body=replace(body, 'true', 'false') WHERE number='0.0.5'",
    "what stands for what went is gone": "DELETE FROM releases WHERE number='0.0.1'",
    "a log that was left": "UPDATE outcomes SET log='nothing' WHERE log LIKE 'a long log%'",
    "a log that went": "UPDATE outcomes SET log='other' WHERE log LIKE '(the log%'",
    "a state beside a log that went": "UPDATE outcomes SET state='failed' WHERE log LIKE '(the log%'",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_behind_the_back_of_the_chain_is_still_found(space, tmp_path, statement):
    space.tidy(space.plan_tidy(logs_days=0))
    assert space.verify().ok
    file = sqlite3.connect(tmp_path / "octossh.db")
    with file:
        for act in ("update", "delete"):
            file.execute(f"DROP TRIGGER releases_no_{act}")
        assert file.execute(statement).rowcount > 0
    file.close()
    assert not space.verify().ok


def test_releases_stay_guarded_after_tidying(space, tmp_path):
    space.tidy(space.plan_tidy())
    file = sqlite3.connect(tmp_path / "octossh.db")
    for statement in ("UPDATE releases SET body='x'", "DELETE FROM releases"):
        with pytest.raises(sqlite3.IntegrityError, match="what is recorded stays as it is"):
            file.execute(statement)
    file.close()


def test_a_release_that_goes_while_its_deployment_is_planned_is_not_started(space):
    plan = space.plan("0.0.1", "Dev")
    space.tidy(space.plan_tidy())
    with pytest.raises(oc.RecordError, match=r"release '0\.0\.1' of 'shop' was removed meanwhile"):
        space.deploy(plan)
    assert len(space.history()) == 5


def test_a_release_that_is_scheduled_stays(space):
    one = space.schedule("0.0.1", "Dev", at=datetime.now(UTC) + timedelta(hours=1))
    assert "0.0.1" not in {item.name for item in space.plan_tidy().items}
    space.schedules.cancel(one.id, why="not that one")
    assert "0.0.1" in {item.name for item in space.plan_tidy().items}


def test_nobody_else_writes_the_events_of_tidying(space):
    event = oc.Event(type="release_removed", at=NOW, deployment="", data={})
    with pytest.raises(oc.ModelError, match="is the store's own"):
        space.store.record(event)


@pytest.mark.parametrize("type_", ["deployment_finished", "deployment_tidied"])
def test_the_events_of_the_store_are_its_own_also_where_a_step_ends(space, type_):
    running = oc.Deployment(
        id="d", project="shop", release="0.0.5", environment="Dev", mode=oc.Mode.DEPLOY, state=oc.State.RUNNING,
        started_at=NOW,
    )  # fmt: skip
    space.store.start(running)
    event = oc.Event(type=type_, at=NOW, deployment="d", step="do", target="h", data={})
    with pytest.raises(oc.ModelError, match="is the store's own"):
        space.store.record(event, oc.Outcome(step="do", target="h", state=oc.State.SUCCEEDED))
    assert space.verify().ok
