"""Frozen values: what they show, and which are the same."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import field

from octossh import nouns
from octossh.nouns import frozen


def kinds() -> list[Any]:
    """The same class, made by ours and by attrs itself."""
    made = []
    for decorate in (frozen, attrs.frozen):

        @decorate
        class Part:
            name: str
            secret: str = field(default="", repr=False)
            note: str = field(default="", eq=False)
            sizes: list[int] = field(factory=list, eq=tuple)
            place: str = field(default="here", repr=str.upper)
            parts: Any = ()
            later: str = field(init=False)

        made.append(Part)
    return made


@frozen
class Point:
    x: int
    y: int = 0


@frozen
class Point3(Point):
    z: int = 0


@frozen
class Nothing:
    pass


@frozen
class Own:
    x: int

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "mine"


@frozen(eq=False)
class Self:
    x: int


def test_a_value_shows_itself_as_attrs_would_show_it():
    ours, theirs = (kind("a", "hidden", "b", [1], parts=[kind("c", "hidden")]) for kind in kinds())
    assert repr(ours) == repr(theirs)
    assert "hidden" not in repr(ours)
    assert "HERE" in repr(ours)
    assert repr(Nothing()) == "Nothing()"


def test_a_value_that_holds_itself_shows_itself_once():
    ours, theirs = ([kind("a", parts=parts), parts] for kind in kinds() for parts in [[]])
    for value, parts in (ours, theirs):
        parts.append(value)
    assert repr(ours[0]) == repr(theirs[0])


@pytest.mark.parametrize(
    ("changed", "same"),
    [({"name": "z"}, False), ({"secret": "z"}, False), ({"note": "z"}, True), ({"sizes": [2]}, False), ({}, True)],
)
def test_values_are_the_same_where_those_of_attrs_are(changed, same):
    for kind in kinds():
        first = kind("a", sizes=[1])
        second = kind(**{"name": "a", "sizes": [1], **changed})
        for one in (first, second):
            object.__setattr__(one, "later", "")
        assert (first == second) is same
        assert (first != second) is not same


def test_values_of_two_kinds_are_never_the_same():
    assert Point(1) != Point3(1)
    assert Point3(1) != Point(1)
    assert Point(1) != (1, 0)
    assert Point(1).__eq__((1, 0)) is NotImplemented
    assert Nothing() == Nothing()


def test_what_is_the_same_has_one_hash_also_when_it_was_copied_or_pickled():
    value = Point3(1, 2, 3)
    assert len({value, Point3(1, 2, 3), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), Point3(1, 2, 4)}) == 2
    assert attrs.evolve(value, z=4) == Point3(1, 2, 4)
    assert len({Nothing(), Nothing()}) == 1


def test_methods_of_a_class_itself_stay():
    assert Own(1) == Own(2)
    assert (repr(Own(1)), hash(Own(1))) == ("mine", 7)
    assert Self(1) != Self(1)


def test_nothing_of_a_value_can_be_set():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Point(1).x = 2  # type: ignore[misc]


def test_all_frozen_values_of_ours_are_made_here():
    home = Path(nouns.__file__)
    others = [path for path in home.parent.rglob("*.py") if path != home]
    assert not [
        path for path in others if re.search(r"^from attrs import .*\bfrozen\b", path.read_text(), re.MULTILINE)
    ]
