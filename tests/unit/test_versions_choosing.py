from __future__ import annotations

import json

import attrs
import pytest

from octossh.errors import ModelError
from octossh.versions import AmbiguousScheme, Rule, choose, explain, parse
from octossh.versions.rules import RuleFields


def picked(tags: list[str], **rules: str) -> str | None:
    chosen = choose(tags, **rules)
    return chosen.tag if chosen is not None else None


def reasons(tags: list[str], **rules: str) -> dict[str, str]:
    return {verdict.tag: verdict.reason for verdict in explain(tags, **rules).verdicts}


def test_the_newest_stable_version_is_chosen():
    assert picked(["latest", "1.9.0", "1.10.0", "2.0.0-rc.1", "1.11.0-alpine", "release-3.0"]) == "1.10.0"


def test_nothing_is_chosen_of_nothing():
    assert choose([]) is None
    assert choose(iter(["latest", "main"])) is None
    assert str(explain([])) == "chosen: none (0 tags, 0 passed)"


def test_a_variant_is_taken_to_the_letter():
    tags = ["1.2-alpine", "1.4-alpine-perl", "1.3-alpine3.20", "1.5", "1.6-slim"]
    assert picked(tags, variant="alpine") == "1.2-alpine"
    assert picked(tags, variant="Alpine") == "1.2-alpine"
    assert picked(tags, variant="alpin") is None


def test_a_star_in_a_variant_stands_for_a_number():
    tags = ["1.2-alpine", "1.4-alpine-perl", "1.3-alpine3.20", "1.5", "1.6-slim"]
    assert picked(tags, variant="alpine*") == "1.3-alpine3.20"
    assert picked(tags, variant="*") == "1.6-slim"
    assert picked(["8.0.300-alpine3.18-amd64", "8.0.301-alpine3.20-amd64"], variant="alpine*-amd64") == (
        "8.0.301-alpine3.20-amd64"
    )
    assert picked(["1.0-a.b", "1.1-axb"], variant="a.b*") == "1.0-a.b"


def test_a_prefix_is_taken_to_the_letter_but_for_the_v():
    tags = ["1.0", "v1.1", "release-1.2", "release-v1.3", "Release-1.4"]
    assert picked(tags) == "v1.1"
    assert picked(tags, prefix="") == "v1.1"
    assert picked(tags, prefix="release-") == "release-v1.3"
    assert picked(tags, prefix="Release-") == "Release-1.4"
    assert picked(tags, prefix="rel") is None
    assert picked(tags, prefix="x") is None


def test_of_two_equal_tags_the_wanted_form_wins_and_without_a_wish_the_common_one():
    tags = ["2.9.4", "v2.9.4", "v2.9.3"]
    assert picked(tags, prefix="v") == "v2.9.4"
    assert picked(tags, prefix="") == "2.9.4"
    assert picked(tags) == "v2.9.4"
    assert picked([*tags, "2.9.3", "2.9.2"]) == "2.9.4"
    assert reasons(tags)["2.9.4"] == "is equal to v2.9.4"


def test_prereleases_are_chosen_when_their_label_is_allowed():
    tags = ["1.0", "1.1-beta.2", "1.2-RC1", "1.3-dev"]
    assert picked(tags) == "1.0"
    assert picked(tags, prerelease="^rc") == "1.2-RC1"
    assert picked(tags, prerelease="^BETA") == "1.1-beta.2"
    assert picked(tags, prerelease="^$") == "1.0"
    assert picked(tags, prerelease="^(|beta.*)$") == "1.1-beta.2"
    assert picked([*tags, "2.0"], prerelease="^(|beta.*)$") == "2.0"
    assert picked(tags, prerelease=".*") == "1.3-dev"


def test_a_prerelease_that_the_range_names_alone_is_chosen():
    tags = ["1.2.0-rc.1", "1.2.0-rc.2", "1.2.0"]
    assert picked(tags, range="[1.2.0-rc.1]") == "1.2.0-rc.1"
    assert picked(tags, range="[1.2.0-rc.1]", prerelease="^$") == "1.2.0-rc.1"
    assert picked(tags, range="[1.2.0-rc.1,1.2.0-rc.2]") is None


def test_builds_of_commits_are_not_stable():
    assert picked(["v3.9.0", "v3.9.0-177-ged5bcde"]) == "v3.9.0"
    assert picked(["v3.9.0", "v3.9.0-177-ged5bcde"], prerelease="git") == "v3.9.0-177-ged5bcde"


def test_tags_that_float_are_left_out_where_a_longer_one_is_there():
    tags = ["3", "3.1", "3.1.4", "2.9", "4-alpine", "4.1.0-alpine"]
    assert picked(tags) == "3.1.4"
    assert picked(tags, range="[2.9,3.1]") == "2.9"
    assert picked(tags, variant="alpine") == "4.1.0-alpine"
    assert reasons(tags)["3.1"] == "floats: it moves, since there is 3.1.4"
    assert picked(["16", "15.4"]) == "16"
    assert "may float" in reasons(["16", "15.4"])["16"]
    for tag in ("1.2.3", "16-1", "16.post1"):
        assert reasons([tag])[tag] == "chosen"
    assert reasons(["16-rc"], prerelease="rc")["16-rc"] == "chosen"


def test_a_day_does_not_float_though_a_minute_goes_on_from_it():
    assert reasons(["20240115", "202401151200"])["20240115"] == "passed, and is older"


def test_a_short_tag_with_a_counter_or_a_build_does_not_float():
    assert "floats" not in reasons(["17rc1", "17.0.0"])["17rc1"]
    assert "floats" in reasons(["17-rc", "17.0.0"])["17-rc"]
    assert "floats" not in reasons(["17-20250101", "17.0.0"])["17-20250101"]


def test_a_tag_rule_looks_into_the_tag_before_the_others_do():
    tags = ["3", "3.1", "3.1.4", "main-20240115"]
    assert picked(tags, tag=r"^\d+\.\d+$") == "3.1"
    assert picked(tags, tag="^main-") is None
    assert picked(tags, tag="^main-", prefix="main-") == "main-20240115"


def test_dates_and_numbers_give_way_to_versions_with_dots():
    assert picked(["20220715", "3.16.2", "1234567"]) == "3.16.2"
    assert picked(["20220715", "3.16.2", "1234567"], scheme="date") == "20220715"
    assert picked(["20220715", "3.16.2", "1234567"], scheme="number") == "1234567"
    assert picked(["1000", "1.2.3"]) == "1.2.3"
    assert picked(["999", "1.2.3"]) == "999"
    assert picked(["3000.1", "1.2.3"]) == "3000.1"
    with pytest.raises(AmbiguousScheme, match=r"date .*number"):
        choose(["20220715", "1234567"])


def test_a_list_of_nothing_but_numbers_is_one_scheme():
    for tags in (["9999", "10000"], ["1999", "2000", "1969"], ["99", "100"]):
        chosen = choose(tags)
        assert chosen is not None
        assert chosen.release == (max(map(int, tags)),)
        assert chosen == parse(chosen.tag)
        assert picked(tags, scheme="number") == chosen.tag


def test_a_range_may_tell_two_schemes_apart():
    tags = ["10.11.4", "2021.12.16"]
    with pytest.raises(AmbiguousScheme, match=r"calver \(1 tags such as '2021.12.16'\) and dotted"):
        choose(tags)
    assert picked(tags, range="[10,11)") == "10.11.4"
    assert picked(tags, range="[2021,)") == "2021.12.16"
    assert picked(tags, scheme="dotted") == "10.11.4"


def test_an_ambiguous_list_is_explained_and_nothing_of_it_is_chosen():
    found = explain(["10.11.4", "2021.12.16", "latest"])
    assert found.chosen is None
    assert [(verdict.tag, verdict.rule) for verdict in found.verdicts] == [
        ("2021.12.16", "scheme"), ("10.11.4", "scheme"), ("latest", "version"),
    ]  # fmt: skip
    assert found.ambiguous.endswith("it is open which is newer; say scheme='calver' or scheme='dotted'")
    assert str(found).splitlines()[0] == "chosen: none (3 tags, 0 passed)"
    assert str(found).splitlines()[-1] == f"ambiguous: {found.ambiguous}"
    assert "ambiguous: the tags count" in found._repr_html_()
    assert found.to_dict()["ambiguous"] == found.ambiguous
    assert explain(["10.11.4", "2021.12.16"], scheme="dotted").ambiguous == ""
    old_enough = explain(["10.11.4", "2021.12.16"], current="10.11.3", min_age_days=3, created={})
    assert (old_enough.chosen, old_enough.ambiguous) == (None, found.ambiguous)


def test_mode_semver_reads_tags_and_range_its_own_way():
    tags = ["1.0.0", "1.1.0-rc10", "1.1.0-rc9", "1.2", "v1.0.1"]
    assert picked(tags, mode="semver") == "v1.0.1"
    assert picked(tags, mode="semver", prerelease="rc") == "1.1.0-rc9"
    assert picked(tags, mode="semver", range="[1.0,1.0.1)") == "1.0.0"


def test_every_tag_gets_one_verdict_with_the_candidates_first():
    tags = ["latest", "1.0", "a b", "1.2.0", None, "1.0", "1.3-rc.1", "1.1-slim", "0a1b2c3", "pr-1", "1.1.0", "x-9"]
    verdicts = explain(tags).verdicts
    assert [v.tag for v in verdicts] == [
        "1.2.0", "1.1.0", "1.0", "1.3-rc.1", "1.1-slim", "x-9", "0a1b2c3", "latest", "pr-1", "None", "a b",
    ]  # fmt: skip
    assert [v.accepted for v in verdicts] == [True] * 3 + [False] * 8
    assert [v.tag for v in verdicts if v.version is None] == ["None", "a b"]


def test_a_rejected_tag_says_why():
    tags = ["2.0", "1.0", "latest", "pr-1", "0a1b2c3", "1.0.sig", "1.0-slim", "x-1.0", "3.0-rc.1", "20240115", ".x"]
    assert reasons(tags, range="1.5", tag="[^7]") == {
        "2.0": "chosen; so short a number may float, though no longer one is there",
        "1.0": "is outside the range 1.5",
        "latest": "is a word, not a version",
        "pr-1": "is of a build server: a branch, a pull request or a commit",
        "0a1b2c3": "is a commit, which has no order",
        "1.0.sig": "is a signature or an attestation, not an image",
        "1.0-slim": "has the variant 'slim', and none is wanted",
        "x-1.0": "has the prefix 'x-', and none is wanted",
        "3.0-rc.1": "is a prerelease: rc.1",
        "20240115": "counts as date, and there are dotted versions",
        ".x": "the tag '.x' begins with '.'; begin with a letter, a digit or '_'",
    }
    assert reasons(["1.0", "1.0-b"], variant="a")["1.0"] == "has no variant, and 'a' is wanted"
    assert reasons(["1.0"], prerelease="^rc")["1.0"] == "is stable, which the rule '^rc' leaves out"
    beta = reasons(["1.0-b.1", "1.0-beta1"], prerelease="^rc")["1.0-beta1"]
    assert beta == "is the prerelease beta.1, which the rule '^rc' leaves out"
    assert reasons(["1.0"], tag="^2")["1.0"] == "does not match the tag rule '^2'"
    assert reasons(["1.0"], scheme="date")["1.0"].endswith("not as date")


def test_an_explanation_prints_an_aligned_table():
    text = str(explain(["1.0", "latest", "1.0.1"]))
    assert text.splitlines() == [
        "chosen: 1.0.1 (3 tags, 1 passed)",
        "  + 1.0.1   chosen",
        "  - 1.0     floats: it moves, since there is 1.0.1",
        "  - latest  is a word, not a version",
    ]
    assert repr(explain(["1.0", "x"])) == "<Explanation chosen='1.0' accepted=1 rejected=1>"


def test_a_long_table_shows_the_nearest_misses_of_each_rule_and_counts_the_others():
    tags = [f"{major}.0.{n}{end}" for major in (1, 2) for n in range(50) for end in ("", "-rc.1", "-alpine", "-slim")]
    assert str(explain([*tags, "latest", "main"], range="[1.0,2.0)")).splitlines() == [
        "chosen: 1.0.49 (402 tags, 50 passed)",
        "  + 1.0.49         chosen",
        *(f"  + 1.0.{n}         passed, and is older" for n in range(48, 39, -1)),
        "  + … 40 more      passed, and are older",
        *(f"  - 1.0.{n}-rc.1    is a prerelease: rc.1" for n in (49, 48, 47)),
        "  - … 46 more      do not fit the prerelease rule",
        "  - 2.0.49         is outside the range [1.0,2.0)",
        "  - 2.0.49-rc.1    is outside the range [1.0,2.0)",
        "  - 2.0.48         is outside the range [1.0,2.0)",
        "  - … 98 more      are outside the range",
        "  - 2.0.49-alpine  has the variant 'alpine', and none is wanted",
        "  - 2.0.49-slim    has the variant 'slim', and none is wanted",
        "  - 2.0.48-alpine  has the variant 'alpine', and none is wanted",
        "  - … 197 more     have another variant: slim (99), alpine (98)",
        "  - latest         is a word, not a version",
        "  - main           is a word, not a version",
    ]


@pytest.mark.slow
def test_twenty_thousand_tags_still_fit_on_a_screen():
    tags = [f"{n % 9}.{n}.0-{word}{n}" for n in range(5000) for word in ("", "x", "rc", "debian-")]
    explanation = explain([*tags, *(f"sha-{n:07x}" for n in range(99)), *(f"pr-{n}" for n in range(99))])
    assert len(str(explanation).splitlines()) < 40
    assert sum(explanation.counts.values()) == len(explanation.verdicts) == 20_198
    assert explanation.counts[""] == 5000


def test_a_notebook_shows_a_table_in_which_no_tag_is_markup():
    shown = explain(["1.0.1", "<script>alert(1)</script>", "1.0&"], tag="<b>")._repr_html_()
    assert shown.startswith("<table>")
    assert '<caption style="text-align: left">chosen: none (3 tags, 0 passed)</caption>' in shown
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "1.0&amp;" in shown
    assert shown.count("<tr>") == 4


def test_what_is_no_tag_cannot_move_the_cursor():
    assert "\x1b" not in str(explain(["1.0", "\x1b[2J"]))


def test_a_very_long_text_does_not_widen_the_table():
    assert str(explain(["1.0", "x" * 500])).splitlines()[1] == "  + 1.0" + " " * 57 + "  " + reasons(["1.0"])["1.0"]


def test_an_explanation_becomes_plain_data():
    explanation = explain(["1.0-rc.1", "1.0", ".x"])
    data = json.loads(json.dumps(explanation.to_dict()))
    assert data["chosen"] == "1.0"
    assert [verdict["tag"] for verdict in data["verdicts"]] == ["1.0", "1.0-rc.1", ".x"]
    assert data["verdicts"][1]["version"]["prerelease"] == "rc.1"
    assert data["verdicts"][2]["version"] is None
    assert explain([]).to_dict() == {"chosen": None, "notes": [], "ambiguous": "", "verdicts": []}
    assert [verdict["rule"] for verdict in data["verdicts"]] == ["", "prerelease", "invalid"]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"prerelease": "("}, r"the prerelease rule '\(' is no regular expression at position 1: .*; mend it"),
        ({"tag": "a{99999999999999}"}, "the tag rule .* is no regular expression: "),
        ({"tag": 5}, "the tag rule 5 is no regular expression"),
        ({"tag": "a**"}, "position 3"),
        ({"scheme": "datte"}, "no scheme 'datte'.*did you mean 'date'"),
        ({"mode": "dockar"}, "no mode 'dockar'.*did you mean 'docker'"),
        ({"range": "[1.0"}, "position 5"),
        ({"variant": 5}, "the variant 5 is not text"),
        ({"range": 1.0}, "the range 1.0 is not text"),
        ({"max_major_jump": -1}, "max_major_jump -1 is no number of major versions"),
        ({"max_major_jump": True}, "max_major_jump True"),
        ({"min_age_days": -1}, "min_age_days -1 is no number of days"),
        ({"min_age_days": float("nan")}, "min_age_days nan"),
        ({"min_age_days": 3}, "min_age_days needs .* give created="),
        ({"mode": "created"}, "mode 'created' needs .* give created="),
        ({"mode": "created", "max_major_jump": 1}, "mode 'created' knows no major versions"),
        ({"downgrade": 1}, "downgrade 1 is neither True nor False"),
        ({"current": "a b"}, "the tag 'a b' holds ' '"),
        ({"prefix": 1}, "the prefix 1 is not text"),
    ],
)
def test_a_bad_rule_is_refused(rules, message):
    with pytest.raises(ModelError, match=message):
        choose(["1.0"], **rules)


def test_one_text_is_not_a_list_of_tags():
    with pytest.raises(ModelError, match="give a list of tags"):
        choose("1.0")


def test_what_is_taken_one_by_one_is_what_a_rule_has():
    assert sorted(RuleFields.__annotations__) == sorted(field.name for field in attrs.fields(Rule))
    assert json.loads(json.dumps(Rule("[1,2)", variant="alpine").to_dict()))["range"] == "[1,2)"


def test_of_two_equal_tags_the_more_exact_one_wins_where_the_mode_holds_them_for_the_same():
    assert picked(["1.2", "1.2.0", "1.2.0.0", "1.1"], mode="octopus") == "1.2.0.0"
    assert picked(["v1.2.0", "1.2", "1.1"], mode="octopus") == "1.2"
