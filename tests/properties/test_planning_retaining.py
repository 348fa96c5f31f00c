"""What a store need not keep, whatever was deployed: the same that one finds who counts anew for each release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import event, given
from hypothesis import strategies as st

import octossh as oc
from octossh.planning import Tidy, current, to_roll_back, to_tidy

NOW = datetime(2026, 6, 1, tzinfo=UTC)
STEP = oc.RunScript("do", script="true")
DAY = timedelta(days=1)
STATES = [oc.State.SUCCEEDED] * 12 + [oc.State.FAILED] * 4 + [oc.State.INTERRUPTED]
MODES = [oc.Mode.DEPLOY, oc.Mode.DEPLOY, oc.Mode.ROLLBACK, oc.Mode.PRUNE]
KEEPS = st.sampled_from([1, 1, 2, 3, oc.Keep(days=4), oc.Keep(releases=1, days=2)])
WORDS = st.tuples(
    st.sampled_from("12345678"),
    st.sampled_from(["Dev", "Dev", "Dev", "Test", "Test", "Lab"]),
    st.sampled_from(STATES),
    st.sampled_from(MODES),
)


def deployment(place, word):
    release, environment, state, mode = word
    at = NOW - place * DAY / 2
    return oc.Deployment(
        id=str(place),
        project="shop",
        release=release,
        environment=environment,
        mode=mode,
        state=state,
        started_at=at,
        finished_at=None if state in {oc.State.RUNNING, oc.State.INTERRUPTED} else at,
    )


def release(number, channel):
    at = NOW - (9 - number) * DAY
    return oc.Release(project="shop", number=str(number), channel=channel, process=oc.Process([STEP]), created_at=at)


def kept(keep, place, at):
    if keep is None or (keep.releases is not None and place < keep.releases):
        return True
    return keep.days is not None and NOW - at <= timedelta(days=keep.days)


def stays(releases, history, needed):
    """The releases that stay whatever is counted."""
    found = {
        next(one.number for one in releases if one.channel == channel) for channel in {r.channel for r in releases}
    }
    found |= {d.release for d in history if d.id in needed or d.finished_at is None}
    for environment in {d.environment for d in history}:
        found.add(next(d.release for d in history if d.environment == environment))
        if stands := current(history, environment):
            found.add(stands.release)
        try:
            found.add(to_roll_back("shop", environment, history))
        except oc.PlanError:
            continue
    return found


def why(project, one, releases, history):
    """Why no environment keeps a release; nothing where one does."""
    lifecycle, whys = project.lifecycle_of(one.channel), []
    for environment in dict.fromkeys(d.environment for d in reversed(history) if d.release == one.number):
        keep = None
        if lifecycle is not None and environment in lifecycle.environments:
            keep = lifecycle.phase_of(environment).keep or lifecycle.keep
        here = [d for d in history if d.environment == environment]
        passed = list(dict.fromkeys(d.release for d in here if d.ok))
        place = passed.index(one.number) if one.number in passed else len(passed)
        if kept(keep, place, next(d.started_at for d in here if d.release == one.number)):
            return ""
        whys.append(f"{keep} in {environment}")
    if whys:
        return f"beyond {', '.join(whys)}"
    left = [r.number for r in releases if all(d.release != r.number for d in history)]
    keep = lifecycle.keep if lifecycle else None
    return "" if kept(keep, left.index(one.number), one.created_at) else f"never deployed, and beyond {keep}"


def details(history, needed, logs_days):
    """The deployments whose logs go."""
    for made in history:
        here = [d for d in history if d.environment == made.environment]
        last = {here[0].id, *(d.id for d in here if d == current(here, made.environment))}
        if (
            made.finished_at is not None
            and made.id not in {*needed, *last}
            and NOW - made.finished_at > logs_days * DAY
        ):
            yield made.id


@given(
    words=st.lists(WORDS, min_size=12, max_size=25),
    keeps=st.tuples(st.none() | KEEPS, st.none() | KEEPS, KEEPS),
    channels=st.lists(st.sampled_from(["default"] * 5 + ["other"]), min_size=6, max_size=8),
    needed=st.sets(st.sampled_from([str(place) for place in range(25)]), max_size=3),
    logs_days=st.integers(0, 12),
)
def test_what_goes_is_what_one_finds_who_counts_anew_for_each_release(words, keeps, channels, needed, logs_days):
    dev, test, whole = keeps
    lifecycle = oc.Lifecycle(oc.Phase("Dev", keep=dev), oc.Phase("Test", keep=test), keep=whole)
    project = oc.Project(
        "shop", process=[STEP], lifecycle=lifecycle, channels=[oc.Channel("default"), oc.Channel("other")]
    )
    releases = [release(number, channel) for number, channel in enumerate(channels, 1)][::-1]
    history = [deployment(place, word) for place, word in enumerate(words)]
    going = [d for d in history if d.mode is not oc.Mode.PRUNE]
    stay = stays(releases, going, needed)
    expected = [
        Tidy(project="shop", what="release", name=one.number, why=said)
        for one in releases
        if one.number not in stay and (said := why(project, one, releases, going))
    ]
    found = to_tidy(
        project, releases, history, needed, dict.fromkeys((d.id for d in history), True), NOW, logs_days=logs_days
    )
    event(f"{min(len(expected), 3)} releases go")
    assert [item for item in found if item.what == "release"] == expected
    assert [item.name for item in found if item.what == "logs"] == list(details(history, needed, logs_days))
