"""The guards of a choice: what runs now is not left behind, not jumped away from, and nothing too young is taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from octossh.errors import ModelError
from octossh.versions import choose, explain

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def picked(tags, **rules):
    chosen = choose(tags, now=NOW, **rules)
    return chosen and chosen.tag


def reasons(tags, **rules):
    return {verdict.tag: verdict.reason for verdict in explain(tags, now=NOW, **rules).verdicts}


def days_ago(**ages):
    return {tag.replace("_", "."): NOW - timedelta(days=days) for tag, days in ages.items()}


class Asked:
    """Says when tags were made, and notes what it is asked."""

    def __init__(self, times):
        self.times, self.calls = times, []

    def __call__(self, tags):
        self.calls.append(list(tags))
        return {tag: self.times[tag] for tag in tags if tag in self.times}


# ------------------------------------------------------- never older than what runs


def test_nothing_older_than_the_current_tag_is_chosen():
    tags = ["1.2.0", "1.3.0", "1.4.0-rc.1"]
    assert picked(tags, current="1.3.0") == "1.3.0"
    assert picked(tags, current="1.3.1") is None
    assert reasons(tags, current="1.3.1")["1.3.0"] == "is older than 1.3.1, the current one"
    assert picked(tags, current="1.3.1", downgrade=True) == "1.3.0"
    assert picked(tags, current="1.4.0-rc.1") is None
    assert picked(["1.4.0-rc.2"], current="1.4.0-rc.1", prerelease="^rc") == "1.4.0-rc.2"


def test_another_spelling_of_the_current_version_is_not_older():
    assert picked(["v1.2"], current="1.2.0", prefix="v") == "v1.2"
    assert picked(["1.2.0-r2", "1.2.0-r1"], current="1.2.0-r2") == "1.2.0-r2"
    assert picked(["1.2.0-r1"], current="1.2.0-r2") is None


def test_the_line_of_the_current_tag_is_kept_unless_another_is_asked_for():
    tags = ["1.4.0", "1.3.0-alpine", "release-1.5.0", "v1.4.0", "1.9-slim"]
    assert picked(tags, current="1.2.0-alpine") == "1.3.0-alpine"
    assert picked(tags, current="1.2.0-alpine", variant="slim") == "1.9-slim"
    assert picked(tags, current="1.2.0-alpine", variant="") == "1.4.0"
    assert picked(tags, current="release-1.0") == "release-1.5.0"
    assert picked(tags, current="v1.0") == "v1.4.0"
    assert picked(tags, current="v1.0", prefix="") == "1.4.0"


def test_a_change_of_the_variant_is_no_way_around_the_guard():
    assert picked(["1.1-slim"], current="1.2-alpine", variant="slim") is None


def test_what_counts_in_another_way_is_neither_older_nor_newer_and_a_note_says_so():
    explanation = explain(["2020.12.0", "2021.1.0"], current="0.118.5")
    assert explanation.chosen.tag == "2021.1.0"
    assert explanation.notes == (
        "the current tag 0.118.5 counts in another way, so nothing tells whether a version is older",
    )
    explanation = explain(["1.0"], current="nightly", max_major_jump=0)
    assert explanation.chosen.tag == "1.0"
    assert "is a word, not a version" in explanation.notes[0]
    assert str(explanation).splitlines()[-1].startswith("note: the current tag nightly")


def test_a_list_of_nothing_but_numbers_goes_on_from_a_shorter_number():
    assert picked(["9998", "10001"], current="9999") == "10001"
    assert picked(["9998"], current="10000") is None


def test_two_ways_to_count_stay_ambiguous_whatever_runs_now():
    with pytest.raises(ModelError, match="count in two ways"):
        choose(["0.118.5", "2020.12.0"], current="0.118.0")


# ------------------------------------------------------------------- major versions


def test_the_major_version_goes_no_further_than_is_allowed():
    tags = ["4.6.7", "5.1.4", "14.2.0", "20.04.1"]
    assert picked(tags, current="4.6.6", max_major_jump=0) == "4.6.7"
    assert picked(tags, current="4.6.6", max_major_jump=1) == "5.1.4"
    assert picked(tags, current="4.6.6", max_major_jump=10) == "14.2.0"
    assert picked(tags, current="4.6.6") == "20.04.1"
    assert picked(tags, max_major_jump=0) == "20.04.1"
    assert picked(["3.0"], current="4.0", downgrade=True, max_major_jump=0) == "3.0"
    told = reasons(tags, current="4.6.6", max_major_jump=1)
    assert told["20.04.1"] == "jumps from major version 4 to 20, and at most 1 more is allowed"
    told = reasons(tags, current="4.6.6", max_major_jump=0)
    assert told["5.1.4"] == "jumps from major version 4 to 5, and the same is wanted"


# -------------------------------------------------------------------------- age


def test_a_tag_that_is_too_young_is_passed_over():
    created = days_ago(**{"1_2": 0.5, "1_1": 2, "1_0": 9})
    tags = ["1.0", "1.1", "1.2"]
    assert picked(tags, created=created) == "1.2"
    assert picked(tags, created=created, min_age_days=1) == "1.1"
    assert picked(tags, created=created, min_age_days=3) == "1.0"
    assert picked(tags, created=created, min_age_days=30) is None
    told = reasons(tags, created=created, min_age_days=1)
    assert told["1.2"] == "is 0.5 days old, and 1 are wanted"
    assert told["1.0"] == "passed, and is older"


def test_a_time_that_is_not_known_or_cannot_be_true_is_no_age():
    tags = ["1.0", "1.1", "1.2", "1.3"]
    created = {
        "1.3": datetime(1970, 1, 1, tzinfo=UTC),
        "1.2": datetime(1980, 1, 1, 0, 0, 1, tzinfo=UTC),
        "1.0": NOW - timedelta(days=9),
    }
    assert picked(tags, created=created, min_age_days=3) == "1.0"
    for tag in ("1.1", "1.2", "1.3"):
        assert reasons(tags, created=created, min_age_days=3)[tag] == "is of unknown age, and 3 days are wanted"
    assert reasons(["1.0"], created={"1.0": NOW + timedelta(days=1)}, min_age_days=3)["1.0"].startswith("is 0.0 days")


def test_somebody_is_asked_for_the_newest_candidates_only():
    asked = Asked(days_ago(**{f"1_{n}": 100 - n for n in range(100)}))
    tags = [f"1.{n}" for n in range(100)] + ["2.0-rc.1", "latest"]
    assert picked(tags, created=asked, min_age_days=4) == "1.96"
    assert asked.calls == [["1.99"], ["1.98", "1.97"], ["1.96", "1.95", "1.94", "1.93"]]


def test_nobody_is_asked_without_the_guard():
    asked = Asked({})
    assert picked(["1.0"], created=asked) == "1.0"
    assert asked.calls == []


def test_somebody_is_asked_about_fifty_tags_at_most():
    asked = Asked({})
    told = reasons([f"1.{n}" for n in range(400)], created=asked, min_age_days=1)
    assert sum(map(len, asked.calls)) == 50
    assert told["1.350"] == "is of unknown age, and 1 days are wanted"
    assert told["1.349"] == "was not looked at: none of the 50 newer ones was old enough"
    assert picked([f"1.{n}" for n in range(400)], created=days_ago(**{"1_0": 9}), min_age_days=1) == "1.0"


@pytest.mark.parametrize("made_at", [NOW.replace(tzinfo=None), "2026-01-01", None])
def test_a_time_without_a_zone_is_refused(made_at):
    with pytest.raises(ModelError, match=r"the tag '1.0' was created at .*no time with a time zone"):
        choose(["1.0"], created={"1.0": made_at}, min_age_days=1)


# ------------------------------------------------------------------ mode created

BRANCHES = ["feature-a", "feature-b", "1.0", "sha-0a1b2c3", "latest", "main-77"]


def test_by_creation_the_newest_image_is_chosen_whatever_its_tag_says():
    created = {tag: NOW - timedelta(days=days) for days, tag in enumerate(BRANCHES, 1)}
    assert picked(BRANCHES, mode="created", created=created) == "feature-a"
    assert picked(BRANCHES[::-1], mode="created", created=created, tag="^(main|sha)-") == "sha-0a1b2c3"
    assert picked(BRANCHES, mode="created", created=created, min_age_days=2) == "feature-b"
    assert picked(BRANCHES, mode="created", created=created, current="feature-b") == "feature-a"
    assert picked(["feature-b"], mode="created", created=created, current="feature-a") is None
    assert picked(BRANCHES, mode="created", created=created, range="(,2026-05-31)") == "feature-b"


def test_by_creation_only_the_tags_that_matter_are_asked_for():
    asked = Asked({"feature-a": NOW, "feature-b": NOW - timedelta(days=1)})
    told = reasons(BRANCHES, mode="created", created=asked, tag="^feature-")
    assert asked.calls == [["feature-a", "feature-b"]]
    assert told["main-77"] == "does not match the tag rule '^feature-'"
    explanation = explain(["feature-b"], mode="created", created=asked, current="feature-gone")
    assert asked.calls.pop() == ["feature-b"]
    assert explanation.chosen.tag == "feature-b"
    assert "feature-gone has no time of its own to go by" in explanation.notes[0]
    told = reasons(["a", "feature-a"], mode="created", created=asked)
    assert told["a"] == "has no time of its own to go by"


def test_by_creation_nobody_is_asked_about_many_tags():
    many = [f"feature-{n}" for n in range(51)]
    with pytest.raises(ModelError, match=r"51 tags were made.*50 is the most; say with tag="):
        choose(many, mode="created", created=Asked({}))
    assert picked(many, mode="created", created={"feature-7": NOW}) == "feature-7"


# ------------------------------------------------------------------------- notes


def test_a_variant_or_prefix_that_no_tag_has_is_told_with_those_that_there_are():
    tags = ["1.0-alpine", "1.1-alpine", "1.0-slim", "1.1"]
    assert explain(tags, variant="alpin").notes == (
        "no version has the variant 'alpin'; did you mean 'alpine'? There are alpine (2), none (1), slim (1)",
    )
    assert explain(tags[:3]).notes == ("every version has a variant; name one of alpine (2), slim (1)",)
    assert explain(tags, prefix="v").notes == ()
    assert explain(["rel-1.0"]).notes == ("every version has a prefix; name one of rel- (1)",)
    assert "did you mean 'rel-'?" in explain(["rel-1.0"], prefix="rel").notes[0]
    assert explain(["latest"], variant="alpine").notes == ()
