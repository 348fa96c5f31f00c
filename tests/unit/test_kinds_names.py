"""Kinds of steps that are told apart by their names: the names say what the classes say."""

from __future__ import annotations

import typing

import attrs
import pytest

import octossh as oc
from octossh import model, versions
from octossh.model.steps import kinds
from octossh.planning import neighbours

ASKED = [name for name in kinds.__all__ if name.startswith("is_")]
_DOORS = [getattr(door, name) for door in (oc, versions) for name in door.__all__]
PUBLIC = [value for value in _DOORS if isinstance(value, type) and attrs.has(value)]


@pytest.mark.parametrize("asked", ASKED)
def test_what_a_step_is_by_its_name_it_is_by_its_class(asked):
    named = getattr(model, asked.removeprefix("is_").title().replace("_", ""))
    told = {name for name, kind in kinds.KINDS.items() if getattr(kinds, asked)(kind)}
    assert told == {name for name, kind in kinds.KINDS.items() if issubclass(kind, named)}


def test_each_kind_that_may_be_sent_behind_others_is_one_and_so_is_each_that_prepares_a_host():
    assert neighbours._PREPARING < neighbours._KINDS < set(kinds.KINDS)


@pytest.mark.parametrize("value", PUBLIC, ids=lambda value: value.__qualname__)
def test_the_types_of_the_fields_of_each_public_value_can_be_resolved_and_so_can_those_that_it_is_made_of(value):
    attrs.resolve_types(value)
    typing.get_type_hints(value.__init__)
