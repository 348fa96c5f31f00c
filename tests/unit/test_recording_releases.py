"""Releases in the store: they come back as they were made, and their numbers count up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from entries import NOW, release

from octossh.errors import ModelError, RecordError
from octossh.recording import Store


@pytest.fixture
def store(store_url):
    with Store(store_url) as made:
        yield made


def test_a_release_comes_back_as_it_was_made(store):
    made = store.create_release("shop", "0.0.i", release)
    assert made == release("0.0.1")
    assert store.release("shop", "0.0.1") == made
    assert isinstance(store.release("shop", "0.0.1").variables[1].value, int)


def test_a_release_that_is_read_again_is_not_put_together_anew(store):
    store.create_release("shop", "0.0.i", release)
    assert store.release("shop", "0.0.1") is store.release("shop", "0.0.1") is store.releases("shop")[0]


def test_numbers_count_up_from_the_highest_of_a_project_and_a_mask(store):
    store.create_release("shop", "0.0.i", release, number="0.0.7")
    for number in ("0.0.8.1", "0.0.x", "1.0.99", "0.0.", "0.0.²"):
        store.create_release("shop", "0.0.i", release, number=number)
    store.create_release("other", "0.0.i", lambda number: release(number, "other"), number="0.0.50")
    numbers = [store.create_release("shop", mask, release).number for mask in ("0.0.i", "0.0.i", "1.4.i", "i", "i")]
    assert numbers == ["0.0.8", "0.0.9", "1.4.1", "1", "2"]


def test_what_stands_behind_the_counter_is_part_of_the_number(store):
    masks = ("v1.i-beta", "v1.i-beta", "v1.i", "v1.i-rc", "v1.i-beta")
    made = [store.create_release("shop", mask, release).number for mask in masks]
    assert made == ["v1.1-beta", "v1.2-beta", "v1.1", "v1.1-rc", "v1.3-beta"]


def test_the_highest_number_is_the_highest_by_value_not_as_text(store):
    for number in ("0.0.9", "0.0.10"):
        store.create_release("shop", "0.0.i", release, number=number)
    assert store.create_release("shop", "0.0.i", release).number == "0.0.11"


def test_releases_come_newest_first_whatever_their_clocks_said(store):
    for days in (3, 1, 2):
        store.create_release("shop", "0.0.i", lambda n, days=days: release(n, created_at=NOW - timedelta(days=days)))
    assert [r.number for r in store.releases("shop")] == ["0.0.3", "0.0.2", "0.0.1"]
    assert [r.number for r in store.releases("shop", limit=2)] == ["0.0.3", "0.0.2"]
    assert store.releases("shop", limit=0) == ()
    assert store.releases("nothing") == ()


def test_a_number_that_is_taken_is_refused_and_the_first_release_stays(store):
    store.create_release("shop", "0.0.i", release, number="1")
    with pytest.raises(RecordError, match="has a release '1' already, and a release never changes; choose another"):
        store.create_release("shop", "0.0.i", lambda n: release(n, notes="second"), number="1")
    assert store.release("shop", "1").notes == "first ✓"
    assert len(store.events()) == 1


def test_what_make_raises_leaves_the_store_as_it_was(store):
    class OwnError(Exception):
        pass

    def fail(number):
        raise OwnError(number)

    with pytest.raises(OwnError, match=r"0\.0\.1"):
        store.create_release("shop", "0.0.i", fail)
    assert store.events() == ()
    assert store.create_release("shop", "0.0.i", release).number == "0.0.1"


def test_an_oserror_of_make_is_not_taken_for_one_of_the_store(store):
    def fail(number):
        raise PermissionError(number)

    with pytest.raises(PermissionError):
        store.create_release("shop", "0.0.i", fail)


def test_make_must_give_the_number_that_it_was_given(store):
    with pytest.raises(ModelError, match=r"'0\.0\.1' of 'shop' was made as '9' of 'shop'"):
        store.create_release("shop", "0.0.i", lambda _number: release("9"))
    assert store.releases("shop") == ()


def test_make_must_not_use_the_store(store):
    with pytest.raises(RecordError, match="busy with a record; use it after that"):
        store.create_release("shop", "0.0.i", lambda n: store.create_release("shop", "0.0.i", release))
    assert store.releases("shop") == ()


@pytest.mark.parametrize("mask", ["0.0.x", "", "i.i", "vi", "0.0.I"])
def test_a_mask_without_its_one_i_is_refused(store, mask):
    with pytest.raises(ModelError, match="write a mask such as"):
        store.create_release("shop", mask, release)


def test_an_unknown_release_is_a_model_error_with_the_nearest_number(store):
    store.create_release("shop", "0.0.i", release)
    with pytest.raises(ModelError, match=r"project 'shop' has no release '0\.1'.* did you mean '0\.0\.1'"):
        store.release("shop", "0.1")
    with pytest.raises(ModelError, match="there is none"):
        store.release("nothing", "0.1")
