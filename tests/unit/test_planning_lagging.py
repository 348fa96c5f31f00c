"""Which hosts lack the release that stands in an environment, as the record has it."""

from __future__ import annotations

import pytest
from fleet import MOMENT

import octossh as oc
from octossh.planning import lagging

S, F, U, K = oc.State.SUCCEEDED, oc.State.FAILED, oc.State.UNKNOWN, oc.State.SKIPPED


def deployed(release, mode=oc.Mode.DEPLOY, environment="Production", **ends):
    outcomes = [
        oc.Outcome(step=f"s{number}", target=target, state=state, action=action)
        for target, steps in ends.items()
        for number, (state, action) in enumerate(steps)
    ]
    return oc.Deployment(
        id="d", project="shop", release=release, environment=environment, mode=mode, state=S, started_at=MOMENT,
        outcomes=tuple(outcomes),
    )  # fmt: skip


WELL, LEFT, IDLE = (S, "created"), (K, "left out"), (K, "not needed")

HISTORIES = {
    "nothing was ever deployed": ([], ("a", "b")),
    "both have it": ([deployed("2", a=[WELL], b=[WELL])], ()),
    "one was left out": ([deployed("2", a=[WELL], b=[LEFT]), deployed("1", a=[WELL], b=[WELL])], ("b",)),
    "one was left out and has it from before": (
        [deployed("2", a=[WELL], b=[LEFT]), deployed("2", a=[WELL], b=[WELL])], (),
    ),
    "one was brought up to date later": ([deployed("2", b=[WELL]), deployed("2", a=[WELL], b=[LEFT])], ()),
    "a step was not needed": ([deployed("2", a=[WELL, IDLE], b=[WELL])], ()),
    "a step failed": ([deployed("2", a=[WELL, (F, "")], b=[WELL])], ("a",)),
    "an end is unknown": ([deployed("2", a=[(U, "")], b=[WELL])], ("a",)),
    "later steps never began": ([deployed("2", a=[WELL, (K, "")], b=[WELL])], ("a",)),
    "another release failed there since": ([deployed("3", a=[(F, "put back")], b=[(K, "")]), deployed("2", a=[WELL], b=[WELL])], ("a",)),
    "it was tidied up": ([deployed("1", oc.Mode.PRUNE, a=[WELL]), deployed("2", a=[WELL], b=[WELL])], ()),
    "it is another environment": ([deployed("2", environment="Test", a=[WELL], b=[WELL])], ("a", "b")),
}  # fmt: skip


@pytest.mark.parametrize("what", HISTORIES)
def test_a_host_lacks_the_release_unless_the_last_thing_done_there_was_to_deploy_it_with_success(what):
    history, lacking = HISTORIES[what]
    assert lagging(history, "Production", "2", ["a", "b"]) == lacking
