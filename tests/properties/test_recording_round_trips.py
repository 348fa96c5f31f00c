"""Whatever a deployment, an outcome or an event holds: it comes back from the store, and the chain stays whole."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.model import Deployment, Event, Mode, Outcome, Pairs, Process, Release, RunScript, State, Variable
from octossh.recording import Store
from octossh.recording.rows import canonical, clean, moment_of, time_text

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
LOG = st.one_of(TEXT, st.builds(lambda text, count: text * count, TEXT, st.integers(1, 20_000)))
ZONES = st.one_of(st.just(UTC), st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))))
TIMES = st.datetimes(datetime(1, 1, 5), datetime(9999, 12, 26), timezones=ZONES)  # noqa: DTZ001
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES = st.one_of(TEXT, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
DATA = st.dictionaries(TEXT, JSON, max_size=4)

OUTCOMES = st.builds(
    Outcome,
    step=TEXT,
    target=TEXT,
    state=st.sampled_from(State),
    action=TEXT,
    changed=st.booleans(),
    why=TEXT,
    started_at=st.none() | TIMES,
    finished_at=st.none() | TIMES,
    exit_code=st.none() | st.integers(-(2**63), 2**63 - 1),
    script=TEXT,
    log=LOG,
    inspect=DATA,
    outputs=st.dictionaries(TEXT, TEXT, max_size=3).map(Pairs),
)
ENDED = st.builds(
    Deployment,
    id=st.just(""),
    project=TEXT,
    release=TEXT,
    environment=TEXT,
    mode=st.sampled_from(Mode),
    state=st.sampled_from([state for state in State if state not in {State.RUNNING, State.WAITING}]),
    started_at=TIMES,
    finished_at=st.none() | TIMES,
    by=TEXT,
    controller=TEXT,
    error=LOG,
    outcomes=st.lists(OUTCOMES, max_size=4, unique_by=lambda o: (o.step, o.target)).map(tuple),
)
EVENTS = st.builds(
    Event, type=TEXT, at=TIMES, deployment=st.just(""), step=TEXT, target=TEXT, data=DATA, version=st.integers(1, 9)
)
ids = (f"d{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def store():
    with Store("sqlite://") as made:
        yield made


def started(deployment):
    return attrs.evolve(deployment, state=State.RUNNING, finished_at=None, error="", outcomes=())


@given(ENDED)
def test_deployments_come_back_with_all_that_they_hold(store, drawn):
    ended = attrs.evolve(drawn, id=f"{next(ids)} {drawn.project}")
    store.start(started(ended))
    assert store.deployment(ended.id) == started(ended)
    for outcome in ended.outcomes:
        event = Event(
            type="step_finished", at=ended.started_at, deployment=ended.id, step=outcome.step, target=outcome.target
        )
        store.record(event, outcome)
    assert attrs.asdict(store.deployment(ended.id))["outcomes"] == attrs.asdict(ended)["outcomes"]
    store.finish(ended)
    assert attrs.asdict(store.deployment(ended.id)) == attrs.asdict(ended)
    assert store.deployments(limit=1) == (ended,)


@given(EVENTS)
def test_events_come_back_with_all_that_they_hold(store, event):
    store.record(event)
    found = store.events()[-1]
    who = {} if event.step else {"actor": found.data["actor"]}  # whoever acts is added to what is no step's
    assert attrs.asdict(found) == attrs.asdict(attrs.evolve(event, data={**event.data, **who}))


@given(st.lists(VALUES, max_size=4), TIMES, TEXT)
def test_releases_come_back_with_all_that_they_hold(store, values, at, text):
    def make(number):
        return Release(
            project=f"p {text}",
            number=number,
            channel=text,
            process=Process([RunScript("s", script="true")]),
            variables=tuple(Variable(f"v{place}", value) for place, value in enumerate(values)),
            created_at=at,
            created_by=text,
            notes=text,
        )

    made = store.create_release(f"p {text}", "1.i", make)
    found = store.release(f"p {text}", made.number)
    assert found == made
    assert [type(v.value) for v in found.variables] == [type(value) for value in values]


def test_the_chain_over_all_of_it_is_whole(store):
    found = store.verify()
    assert found.ok, found
    assert found.events == len(store.events())


@given(st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_is_cleaned_once(text):
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned == clean(cleaned)


@given(TEXT)
def test_text_without_surrogates_stays_as_it_is(text):
    assert clean(text) == text


@given(JSON)
def test_canonical_json_is_ascii_and_the_same_after_a_round_trip(data):
    text = canonical(data)
    assert text.isascii()
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(TEXT, JSON, min_size=2))
def test_the_order_of_keys_does_not_matter(data):
    assert canonical(dict(reversed(data.items()))) == canonical(data)


@given(TIMES, st.timedeltas(timedelta(hours=-30), timedelta(hours=30)), ZONES)
def test_times_as_text_sort_as_times(one, apart, zone):
    other = (one + apart).astimezone(zone)
    assert moment_of(time_text(one)) == one
    assert (time_text(one) < time_text(other)) == (one < other)
