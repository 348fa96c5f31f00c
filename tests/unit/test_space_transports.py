"""Which transport a space takes."""

from __future__ import annotations

import pytest

import octossh as oc


@pytest.mark.parametrize(("given", "kind"), [(None, oc.SSH), ("ssh", oc.SSH), ("openssh", oc.OpenSSH)])
def test_a_transport_may_be_given_by_its_name(given: str | None, kind: type) -> None:
    with oc.Space("sqlite://", projects=[], transport=given) as space:
        assert type(space._transport) is kind


def test_a_transport_that_is_given_is_the_one_that_is_used() -> None:
    ours = oc.Local()
    with oc.Space("sqlite://", projects=[], transport=ours) as space:
        assert space._transport is ours


@pytest.mark.parametrize("bad", ["telnet", 5, ["ssh"]])
def test_what_is_no_transport_is_refused_with_those_that_there_are(bad: object) -> None:
    with pytest.raises(oc.ModelError, match="'openssh'"):
        oc.Space("sqlite://", projects=[], transport=bad)  # type: ignore[arg-type]
