"""However much was deployed before: what plans and deploys looks at no more of it than it needs."""

from __future__ import annotations

import attrs
import pytest
from phases import space

import octossh as oc


def refused(made):
    with pytest.raises(oc.Refused):
        made.plan("0.0.2", "Production")


ACTS = {
    "plan": lambda made: made.plan("0.0.2", "Berlin"),
    "plan what is refused": refused,
    "deploy again": lambda made: made.deploy("0.0.2", "Dev"),
    "promote": lambda made: made.promote(to="Berlin"),
    "roll back": lambda made: made.rollback(environment="Dev"),
    "see what is outdated": lambda made: made.outdated("Dev"),
    "see what stands where": lambda made: made.status(),
}


def looked_at(count, act):
    """How much the database does for *act*, in steps of SQLite's own machine, behind so many deployments."""
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    with space("Dev", "Berlin", "Production") as made:
        numbers = [made.create_release().number for _ in range(2)]
        first = made.deploy(numbers[0], "Dev")
        made.deploy(numbers[0], "Berlin")
        for number in range(count):
            more = attrs.evolve(first, id=f"{number}", release=numbers[number % 2])
            made.store.start(attrs.evolve(more, state=oc.State.RUNNING, finished_at=None, outcomes=()))
            made.store.finish(more)
        ACTS[act](made)  # what is done once for a process is over
        with made.store._opened().transaction(write=False) as connection:
            driver = connection.driver
        driver.set_progress_handler(step, 1)
        ACTS[act](made)
        driver.set_progress_handler(None, 1)
    return steps


@pytest.mark.parametrize("act", ACTS)
def test_the_work_of_a_verb_does_not_grow_with_the_history(act):
    few, many = looked_at(20, act), looked_at(200, act)
    assert many <= few, f"{few} steps became {many}"
