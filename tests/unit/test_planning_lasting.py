"""With which step a deployment is through with a host."""

from __future__ import annotations

import pytest
from worlds import NET, WEB, planned

import octossh as oc
from octossh.planning import last_steps

WAIT = oc.WaitFor("late", oc.Tcp(80))


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        ([NET, WEB], "web"),
        ([NET, WAIT], "late"),
        ([NET, WEB, oc.RunScript("mend", script="true", when="failure")], "web"),
        ([NET, oc.RunScript("sweep", script="true", when="always")], "sweep"),
        ([NET, oc.RunScript("maybe", script="true", when="{{ environment == 'Dev' }}")], None),
        ([NET, WEB, oc.Approve("ask")], "web"),
        ([NET, oc.RunScript("here", script="true", where="controller")], "net"),
    ],
    ids=["", "one that locks nothing", "a step for failures", "always", "a condition", "an approval", "here"],
)
def test_the_last_step_on_a_host_is_the_one_behind_which_nothing_is_done_if_it_succeeds(steps, last):
    assert last_steps(planned(*steps, hosts=2)) == ({(last, "h1"), (last, "h2")} if last else set())


def test_a_host_on_which_two_steps_go_beside_each_other_at_the_end_has_no_last_step():
    beside = oc.RunScript("beside", script="true", start="with_previous")
    assert last_steps(planned(NET, WEB, beside)) == set()
    assert last_steps(planned(NET, beside, WEB)) == {("web", "h1")}
