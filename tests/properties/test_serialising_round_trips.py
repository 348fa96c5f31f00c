"""Every noun as plain data and back, as a pickle and back; and what is no such data is refused, not swallowed."""

from __future__ import annotations

import contextlib
import json
import pickle

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markup import read
from strategies import NOUNS, STEPS
from value_strategies import JSON, TEXT
from view_strategies import VIEWS

import octossh as oc
from octossh.model import ComposeStep, Described, Probe, Strategy
from octossh.model.serialising import from_dict, to_dict

BASES = (oc.Step, ComposeStep, Probe, Strategy)


def base(kind: type) -> type:
    """What *kind* is read as: several kinds can stand where a step, a probe or a strategy does."""
    return next((base for base in BASES if issubclass(kind, base)), kind)


each = pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
quick = settings(max_examples=max(2, settings().max_examples // 12))


def test_there_is_a_strategy_for_every_noun_of_the_model():
    import octossh.model as model

    classes = {thing for name in model.__all__ if attrs.has(thing := getattr(model, name)) and isinstance(thing, type)}
    assert classes - {model.Catalog, model.ContainerStep, model.Flag, model.Part, model.Reference, *BASES} == {
        *NOUNS,
        *VIEWS,
    }


@each
@quick
@given(data=st.data())
def test_every_noun_comes_back_from_json_and_from_a_pickle_with_all_that_it_holds(kind, data):
    value = data.draw(NOUNS[kind])
    text = json.dumps(to_dict(value), allow_nan=False)
    again = from_dict(base(kind), json.loads(text))
    assert type(again) is kind
    assert to_dict(again) == json.loads(text)
    pickled = pickle.loads(pickle.dumps(value))
    assert again == pickled == value
    assert hash(again) == hash(pickled) == hash(value)
    assert repr(value).startswith(f"{kind.__name__}(")
    assert "\n" not in repr(value)
    if isinstance(value, Described):
        assert value.to_dict() == to_dict(value)
        assert isinstance(read(value._repr_html_()), str)


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
@quick
@given(data=st.data())
def test_every_view_can_be_printed_and_shown_in_a_notebook_and_written_as_json(kind, data):
    value = data.draw(VIEWS[kind])
    assert pickle.loads(pickle.dumps(value)) == value
    assert isinstance(str(value), str)
    if isinstance(value, Described):
        assert json.loads(json.dumps(value.to_dict(), allow_nan=False)) == value.to_dict()
        assert isinstance(read(value._repr_html_()), str)


def needs(kind):
    """Whether there is something that data of this kind has to say."""
    return any(field.default is attrs.NOTHING for field in attrs.fields(kind))


@pytest.mark.parametrize("kind", list(filter(needs, NOUNS)), ids=lambda kind: kind.__name__)
@quick
@given(data=st.data())
def test_what_is_no_such_data_is_a_model_error(kind, data):
    with pytest.raises(oc.ModelError, match=f"not a {base(kind).__name__} "):
        from_dict(base(kind), data.draw(JSON.filter(lambda made: made != {})))


@each
@quick
@given(data=st.data())
def test_data_with_one_part_exchanged_is_another_value_or_a_model_error(kind, data):
    plain = to_dict(data.draw(NOUNS[kind]))
    if not plain:
        return
    key = data.draw(st.sampled_from(sorted(plain)))
    with contextlib.suppress(oc.ModelError):
        from_dict(base(kind), {**plain, key: data.draw(JSON)})


@quick
@given(STEPS, TEXT)
def test_a_step_of_a_kind_to_come_is_named_in_the_error(step, kind):
    with pytest.raises(oc.ModelError, match="newer octossh"):
        from_dict(oc.Step, {**step.to_dict(), "kind": f"?{kind}"})
