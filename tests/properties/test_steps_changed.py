"""A step with other values in some fields is the step that is made with them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from golden.cases import IMAGE
from hypothesis import given
from hypothesis import strategies as st
from step_strategies import STEPS

import octossh as oc
from octossh.errors import ModelError
from octossh.model import Part, Step, changed, mapped


def shouted(value: Any) -> Any:
    """The same with an expression behind each text that may hold one."""
    return mapped(value, lambda text, _where, _meta: f"{text}{{{{ more }}}}" if isinstance(text, str) else text)


def made_anew(step: Step, changes: dict[str, Any]) -> tuple[Step | None, str]:
    """The step, or why there is none."""
    try:
        return attrs.evolve(step, **changes), ""
    except ModelError as error:
        return None, str(error)


@given(STEPS, st.data())
def test_it_is_what_making_it_anew_gives(step: Step, data: st.DataObject) -> None:
    names = [attribute.name for attribute in attrs.fields(type(step)) if attribute.init]
    chosen = data.draw(st.sets(st.sampled_from(names), max_size=3))
    changes = {name: getattr(step, name) for name in chosen}
    for name in chosen:
        try:
            attrs.evolve(step, **{**changes, name: shouted(changes[name])})
        except ModelError:
            continue  # a name may hold no expression, for one
        changes[name] = shouted(changes[name])
    anew, refused = made_anew(step, changes)
    if anew is None:
        with pytest.raises(ModelError) as caught:
            changed(step, changes)
        assert str(caught.value) == refused
        return
    made = changed(step, changes)
    assert made == anew
    assert hash(made) == hash(anew)
    assert attrs.asdict(made, recurse=False) == attrs.asdict(anew, recurse=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_swap": "2g"},
        {"publish": ["no port"]},
        {"env": {"a b": "x"}},
        {"memory": "much"},
        {"name": ""},
        {"pids_limit": "x"},
    ],
)
def test_what_does_not_fit_is_refused_in_the_same_words(changes: dict[str, Any]) -> None:
    step = oc.RunContainer("web", image=IMAGE)
    with pytest.raises(ModelError) as anew:
        attrs.evolve(step, **changes)
    with pytest.raises(ModelError) as caught:
        changed(step, changes)
    assert str(caught.value) == str(anew.value)


@given(STEPS)
def test_parts_are_changed_as_steps_are(step: Step) -> None:
    for attribute in attrs.fields(type(step)):
        value = getattr(step, attribute.name)
        for part in value if isinstance(value, tuple) else [value]:
            if isinstance(part, Part):
                assert changed(part, attrs.asdict(part, recurse=False)) == part
