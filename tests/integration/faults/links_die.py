"""The link to a host dies before, in or after a step; so does the sshd that all links need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import shops
from attrs import frozen
from integration.faults.grounds import NEW, Fault, Ground

import octossh as oc

# Its second line is its last one until it has happened what is to happen.
COUNTED = """
echo begin >>/tmp/count
for i in 1 2 3; do
    echo line $i
    [ $i -ne 2 ] || until [ -e /tmp/struck ]; do sleep 0.05; done
done
echo end >>/tmp/count
octossh_output last $i
"""
SESSIONS = "pkill -{} -f '^sshd: deploy'"
LOST = "the link was lost"


def at_once(do: Callable[[], object], true: Callable[[oc.Event], bool]) -> Callable[[oc.Event], None]:
    """A callback for events that does something at the first that is so."""
    done: list[oc.Event] = []

    def on_event(event: oc.Event) -> None:
        if not done and true(event):
            done.append(event)
            do()

    return on_event


@frozen
class Cut:
    """A way in which links die.

    Attributes:
        strike: Is done to the ground.
        mend: Has to be done, when it has been noticed, so that the host can be reached again.
        lasts: Whether it cannot be reached before that.
        sessions: Whether those die that are there.
    """

    strike: Callable[[Ground], object]
    mend: Callable[[Ground], object] = lambda ground: None
    lasts: bool = True
    sessions: bool = True


def _restart(ground: Ground) -> None:
    for what in ("stop", "start"):
        ground.lab.service(ground.host, "sshd", what)


CUTS = {
    "the link is killed": Cut(lambda ground: ground.sh(SESSIONS.format("KILL")), lasts=False),
    "the link hangs": Cut(
        lambda ground: ground.sh(SESSIONS.format("STOP")),
        # The oldest one; the others are new.
        lambda ground: ground.sh(SESSIONS.format("KILL -o") + " || true"),
        lasts=False,
    ),
    # Of a link that is cut the host may not hear for hours, as its sshd is set; here it does when the cable is back.
    "the cable is cut": Cut(
        lambda ground: ground.lab.cut(ground.host),
        lambda ground: (ground.lab.mend(ground.host), ground.sh(SESSIONS.format("KILL") + " || true")),
    ),
    "sshd is frozen": Cut(lambda ground: ground.sh("pkill -STOP sshd"), lambda ground: ground.sh("pkill -CONT sshd")),
    "sshd is killed": Cut(
        lambda ground: ground.sh("pkill -KILL sshd"), lambda ground: ground.lab.service(ground.host, "sshd", "start")
    ),
    "sshd is restarted": Cut(_restart, lasts=False, sessions=False),
}
MOMENTS: dict[str, Callable[[oc.Event], bool]] = {
    "in a script": lambda event: event.data.get("line", "") == "line 2",
    "before a container": lambda event: event.type == "step_started" and event.step == "web",
    "after a container": lambda event: event.type == "step_finished" and event.step == "web",
}


def dies(cut: Cut, moment: str, ground: Ground) -> None:
    """The link dies at *moment*: what has begun comes to its end, once; what cannot begin begins when it is back."""
    steps = [oc.RunScript("first", script=COUNTED), ground.web(), oc.RunScript("last", script="echo done")]
    ground.sh("touch /tmp/struck")
    ground.stand(*steps)
    ground.sh(f"rm /tmp/count; {'rm /tmp/struck' if moment == 'in a script' else ''}")
    lines: list[str] = []

    def strike() -> None:
        cut.strike(ground)
        ground.sh("touch /tmp/struck")

    strike_once = at_once(strike, MOMENTS.get(moment, lambda _event: False))
    mend = at_once(lambda: cut.mend(ground), lambda event: LOST in event.data.get("line", ""))

    def on_event(event: oc.Event) -> None:
        lines.append(event.data.get("line", ""))
        strike_once(event)
        mend(event)

    try:
        with ground.space(*steps, on_event=on_event) as space:
            if moment == "in a container":
                ended = ground.struck(space, "stop", lambda: (strike(), ground.go_on()))
            else:
                ended = ground.deploy(space, NEW)
    finally:
        cut.mend(ground)
    assert ended.ok, str(ended)
    assert any(LOST in line for line in lines) or not (cut.lasts or (cut.sessions and moment.startswith("in "))), lines
    first, *_ = ended.outcomes
    assert [line for line in lines if line.startswith("line")] == ["line 1", "line 2", "line 3"]
    assert dict(first.outputs) == {"last": "3"}
    assert ground.sh("cat /tmp/count; rm /tmp/count").split() == ["begin", "end"]
    ground.settles(*steps)
    ground.sh("rm /tmp/count /tmp/struck")


def ends_with_it(ground: Ground) -> None:
    """A script that shall not outlive its link is ended with it."""
    drop = shops.when("going", lambda: ground.sh(SESSIONS.format("KILL")))
    step = oc.RunScript("once", script="echo going; sleep 8; echo x >/tmp/late", on_lost_link="abort")
    with ground.space(ground.web(), step, on_event=drop) as space:
        ended = ground.deploy(space, NEW)
    made = ended.outcome("once", ground.host)
    assert made is not None
    assert "the link was lost, and this step does not go on" in made.why
    assert ended.hosts is oc.Hosts.CHANGED
    ground.holds(ground.web(), step)
    assert ground.sh("ls /tmp/late 2>/dev/null; true") == ""


CASES: dict[str, Fault] = {
    **{
        f"{name} {moment}": partial(dies, cut, moment)
        for name, cut in CUTS.items()
        for moment in (*MOMENTS, "in a container")
    },
    "the link of a script is killed that must not outlive it": ends_with_it,
}
