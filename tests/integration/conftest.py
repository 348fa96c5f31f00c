"""One host, and transports to it that are closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from octossh.model.targets import Target
from octossh.transport import SSH


@pytest.fixture
def host(lab: Any) -> str:
    return next(iter(lab.hosts))


@pytest.fixture
def target(lab: Any, host: str) -> Target:
    return Target(host, lab.hosts[host], user="root")


@pytest.fixture
def make(lab: Any) -> Iterator[Callable[..., SSH]]:
    made: list[SSH] = []

    def build(**options: Any) -> SSH:
        made.append(SSH(**{"known_hosts": lab.known_hosts, "identity": lab.key, **options}))
        return made[-1]

    yield build
    for ssh in made:
        ssh.close()
