"""The fixtures, as pytest finds them where octossh is installed. The door of pytest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import octossh as oc
    from octossh.testing import FakeRegistry, Hosts

__all__ = ["octossh_hosts", "octossh_registry", "octossh_space"]


@pytest.fixture
def octossh_hosts() -> Hosts:
    """Hosts that are none, on which all goes well: see `octossh.testing.Hosts`."""
    from octossh.testing import Hosts

    return Hosts()


@pytest.fixture
def octossh_registry() -> Iterator[FakeRegistry]:
    """A registry on this machine: see `octossh.testing.FakeRegistry`."""
    from octossh.testing import FakeRegistry

    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def octossh_space(
    octossh_hosts: Hosts, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Callable[..., oc.Space]]:
    """A function that gives the space of an octofile, on `octossh_hosts` and with a store in memory.

    Its arguments are the path of the octofile (default: ``octofile.py``), from the root of the tests on, and values of
    ``secrets`` by name.
    """
    from octossh.cli.options import load

    made: list[oc.Space] = []
    monkeypatch.setattr(sys, "path", list(sys.path))

    def space(file: str | Path = "octofile.py", *, secrets: Mapping[str, str] | None = None) -> oc.Space:
        with monkeypatch.context() as here:
            here.chdir(Path.cwd())  # loading goes to the folder of the octofile; afterwards we are back
            with load(str(request.config.rootpath / file)) as described:
                made.append(described.rehearsal(octossh_hosts, secrets=secrets))
        return made[-1]

    yield space
    for one in made:
        one.close()
