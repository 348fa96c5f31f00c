"""What is pruned, whatever was deployed: the same that one finds who reads all deployments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import octossh as oc
from octossh.planning import to_prune
from octossh.recording import Store
from octossh.recording.rows import deployment_row

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WEB = oc.Registry("hub", "https://registry.example.com").image("acme/web")
TARGETS = [oc.Target("h01", "10.0.0.1", environments=["Dev", "Test"])]
STATES = [oc.State.SUCCEEDED, oc.State.SUCCEEDED, oc.State.FAILED, oc.State.UNKNOWN, oc.State.INTERRUPTED]
MODES = [oc.Mode.DEPLOY, oc.Mode.DEPLOY, oc.Mode.ROLLBACK, oc.Mode.PRUNE]
NUMBERS = "123456"
HISTORIES = st.lists(
    st.tuples(
        st.sampled_from(["shop", "shop", "shop", "blog"]),
        st.sampled_from(["Dev", "Dev", "Test"]),
        st.sampled_from(NUMBERS),
        st.sampled_from(STATES),
        st.sampled_from(MODES),
    ),
    max_size=20,
)


def release(project, number):
    """Some share an image."""
    made = oc.Pin(image=WEB, tag=number, digest=f"sha256:{int(number) % 4:064}")
    step = oc.RunContainer("web", image=WEB)
    return oc.Release(
        project=project, number=number, channel="default", process=oc.Process([step]), pins=(made,), created_at=NOW
    )


def find(project, number):
    """Two are not stored any more."""
    return None if number in {"2", "5"} else release(project, number)


def pins(project, numbers):
    return [pin for number in numbers if (found := find(project, number)) for pin in found.pins]


def deployment(place, word):
    project, environment, number, state, mode = word
    return oc.Deployment(
        id=str(place),
        project=project,
        release=number,
        environment=environment,
        mode=mode,
        state=state,
        started_at=NOW,
        finished_at=NOW,
    )


def counting(past, keep):
    """The releases that count in one environment: *past* is newest first."""
    return {past[0].release, *list(dict.fromkeys(d.release for d in past if d.ok))[:keep]}


def images(found):
    return {pin.reference for project, number in found for pin in pins(project, {number})}


def images_and_kept(history, keep):
    """What goes of the images in Dev of shop, and which releases are kept: read out of all deployments."""
    past = [made for made in reversed(history) if made.mode is not oc.Mode.PRUNE]
    places = {(d.project, d.environment): [] for d in past}
    for made in past:
        places[made.project, made.environment].append(made)
    needed = images((project, number) for (project, _), there in places.items() for number in counting(there, keep))
    here = places["shop", "Dev"]
    return sorted(images({("shop", d.release) for d in here}) - needed), sorted(counting(here, keep))


@given(HISTORIES, st.integers(1, 4))
def test_what_goes_is_what_one_finds_who_reads_all_deployments(words, keep):
    history = [deployment(place, word) for place, word in enumerate(words)]
    with Store("sqlite://") as store:
        rows = [{**deployment_row(made), "seq": place, "token": None} for place, made in enumerate(history)]
        with store._transaction(write=True) as transaction:
            transaction.insert_all("deployments", rows)
        came = store.came()
    if not any((d.project, d.environment) == ("shop", "Dev") and d.mode is not oc.Mode.PRUNE for d in history):
        with pytest.raises(oc.PlanError, match="nothing to prune"):
            to_prune("shop", "Dev", keep, came, pins, find, TARGETS)
        return
    step = to_prune("shop", "Dev", keep, came, pins, find, TARGETS)
    event("images go" if step.images else "all images stay")
    assert (list(step.images), list(step.keep)) == images_and_kept(history, keep)
