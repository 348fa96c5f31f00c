"""Which definition of a variable holds where: the strongest scope wins, and two equally strong ones are an error."""

from __future__ import annotations

import itertools

import pytest

import octossh as oc
from octossh.model import value_of

HERE = {"environment": "Dev", "channel": "stable", "target": "h01", "roles": ("web", "db"), "step": "api"}
FITTING = {"step": "api", "target": "h01", "role": "web", "environment": "Dev", "channel": "stable"}


def value(*variables):
    return value_of("A", variables, **HERE)


def test_without_a_definition_there_is_no_value():
    assert value() is None
    assert value(oc.Variable("B", 1)) is None
    assert value(oc.Variable("A", 1, environment="Test")) is None


@pytest.mark.parametrize("key", FITTING)
def test_a_scope_that_fits_wins_over_none_and_one_that_does_not_is_out(key):
    wide = oc.Variable("A", "wide")
    assert value(wide, oc.Variable("A", "here", **{key: FITTING[key]})) == "here"
    assert value(wide, oc.Variable("A", "there", **{key: "other"})) == "wide"


@pytest.mark.parametrize(("strong", "weak"), list(itertools.combinations(FITTING, 2)))
def test_a_step_is_stronger_than_a_target_than_a_role_than_an_environment_than_a_channel(strong, weak):
    variables = [oc.Variable("A", key, **{key: FITTING[key]}) for key in (weak, strong)]
    assert value(*variables) == value(*reversed(variables)) == strong


def test_one_strong_key_beats_all_weaker_ones_together():
    assert (
        value(
            oc.Variable("A", "step", step="api"),
            oc.Variable("A", "all", target="h01", role="web", environment="Dev", channel="stable"),
        )
        == "step"
    )


def test_two_keys_beat_one_of_them():
    assert value(oc.Variable("A", 1, step="api"), oc.Variable("A", 2, step="api", environment="Dev")) == 2


@pytest.mark.parametrize("values", [(1, 2), (1, True), ("1", 1), (oc.secret("X"), oc.secret("Y")), (1, 1.0)])
def test_two_equally_strong_definitions_are_ambiguous(values):
    with pytest.raises(oc.ModelError) as caught:
        value(oc.Variable("A", values[0], role="web"), oc.Variable("A", values[1], role="db"))
    message = str(caught.value)
    assert all(word in message for word in ("'A' is ambiguous", "'h01'", "'Dev'", repr(values[0]), "narrower scope"))


def test_two_definitions_without_a_scope_are_said_to_be_for_everything():
    with pytest.raises(oc.ModelError, match="1 for everything and 2 for everything"):
        value(oc.Variable("A", 1), oc.Variable("A", 2))
    with pytest.raises(oc.ModelError, match=r"1 for {'role': 'web'} and 2 for {'role': 'db'}"):
        value(oc.Variable("A", 1, role="web"), oc.Variable("A", 2, role="db"))


def test_two_equally_strong_definitions_of_one_value_are_not():
    assert value(oc.Variable("A", 1, role="web"), oc.Variable("A", 1, role="db")) == 1
