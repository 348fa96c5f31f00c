"""Each of the faults; see README.rst. They are in one file, since those of one file begin together."""

from __future__ import annotations

import pytest
from integration.faults import (
    controllers_die,
    docker_dies,
    hosts_are_odd,
    links_die,
    registry_fails,
    stores_vanish,
)
from integration.faults.conftest import Faults
from integration.faults.grounds import Fault

pytestmark = pytest.mark.lab

CASES = {
    **docker_dies.CASES,
    **links_die.CASES,
    **hosts_are_odd.CASES,
    **registry_fails.CASES,
    **stores_vanish.CASES,
    **controllers_die.CASES,
}


@pytest.mark.parametrize("fault", CASES.values(), ids=CASES)
def test_what_must_hold_holds_when(fault: Fault, faults: Faults, request: pytest.FixtureRequest) -> None:
    faults.end(request.node.nodeid)
