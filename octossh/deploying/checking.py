"""Looking at what hosts have, before anything is deployed to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from octossh.deploying.observing import on_each
from octossh.errors import OctosshError
from octossh.model import Checkup, Finding, Grade
from octossh.planning import Visit, judge
from octossh.reading import read_facts
from octossh.rendering import check as checking_script

if TYPE_CHECKING:
    from octossh.model import Registry, Target
    from octossh.transport import Transport

__all__ = ["check"]

_CHECK_S = 120.0


def check(targets: Sequence[Target], registries: Iterable[Registry], transport: Transport) -> Checkup:
    """What each of *targets* has, whether it can be reached, and whether it can reach *registries*.

    What is wrong with a host is a finding, and no error.

    Hosts:
        untouched.
    """
    asked = tuple(registries)

    def look(target: Target) -> tuple[Finding, ...]:
        there = asked if target.images == "pull" else ()
        script = checking_script([registry.pull_url for registry in there], target)
        result = transport.run(target, script, timeout_s=_CHECK_S)
        return judge(
            target.name,
            Visit(
                facts=read_facts(result, target.name),
                at=result.started_at + timedelta(seconds=result.duration_s / 2),
                within_s=result.duration_s / 2,
                call=target.docker,
                socket=target.docker_host,
                registries=tuple((registry.name, registry.pull_url) for registry in there),
                watched=getattr(transport, "silence_s", 0) > 0,
            ),
        )

    findings: list[Finding] = []
    for name, made in on_each(targets, look).items():
        if isinstance(made, OctosshError):
            # What stands in a row of its own does not say again of whom it is; how it was reached, it does.
            why = re.sub(rf"^{re.escape(name)}(?:: | \((.*?)\)(?=: )| )", r"\1", str(made))
            findings.append(Finding(target=name, subject="connection", grade=Grade.FAULT, found=why))
        else:
            findings.append(Finding(target=name, subject="connection", grade=Grade.OK, found="it answers"))
            findings += made
    return Checkup(tuple(findings))
