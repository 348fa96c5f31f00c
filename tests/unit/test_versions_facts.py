"""Every fact about tags in tests/data/tag_cases.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from octossh.errors import ModelError
from octossh.versions import AmbiguousScheme, Range, Version, choose, explain, parse

FACTS = json.loads((Path(__file__).parents[1] / "data" / "tag_cases.json").read_text("utf-8"))

# Facts that octossh answers otherwise on purpose: the id, and why.
DISAGREED: dict[str, str] = {}


def cases(kind: str) -> list[Any]:
    found = [c for c in FACTS["cases"] if c["kind"] == kind and c["id"] not in DISAGREED]
    assert found
    return [pytest.param(case, id=case["id"]) for case in found]


def test_disagreement_is_about_facts_that_exist():
    assert DISAGREED.keys() <= {case["id"] for case in FACTS["cases"]}


@pytest.mark.parametrize("case", cases("pick"))
def test_the_tag_of_the_fact_is_chosen(case):
    chosen = choose(case["tags"], mode=case["mode"], **case["options"])
    assert (chosen and chosen.tag) == case["expect"]


@pytest.mark.parametrize("case", cases("pick"))
def test_the_choice_does_not_hang_on_the_order_of_the_list(case):
    for tags in (case["tags"][::-1], sorted(case["tags"])):
        assert explain(tags, mode=case["mode"], **case["options"]) == explain(
            case["tags"], mode=case["mode"], **case["options"]
        )


@pytest.mark.parametrize("case", cases("order"))
def test_the_versions_of_the_fact_have_its_order(case):
    variant = case["options"].get("variant", "")
    versions = [parse(tag, case["mode"]) for tag in case["tags"]]
    line = [version for version in versions if version.is_version and version.variant == variant]
    assert [version.tag for version in sorted(line)] == case["expect"]


@pytest.mark.parametrize("case", cases("ambiguous"))
def test_a_list_that_counts_in_two_ways_is_refused_until_a_scheme_is_named(case):
    with pytest.raises(AmbiguousScheme, match=r"calver .*dotted .*scheme='calver' or scheme='dotted'"):
        choose(case["tags"], mode=case["mode"])
    for scheme in ("calver", "dotted"):
        chosen = choose(case["tags"], mode=case["mode"], scheme=scheme)
        assert chosen is not None
        assert chosen.scheme == scheme


@pytest.mark.parametrize("case", cases("kinds"))
def test_the_tags_of_the_fact_have_its_kinds(case):
    assert {tag: parse(tag).kind for tag in case["tags"]} == case["expect"]


@pytest.mark.parametrize("case", cases("variants"))
def test_the_tags_of_the_fact_fall_into_its_variants(case):
    found: dict[str, list[str]] = {}
    for version in map(parse, case["tags"]):
        if version.is_version:
            found.setdefault(version.variant, []).append(version.tag)
    assert found == case["expect"]


@pytest.mark.parametrize("case", cases("parse"))
def test_the_tags_of_the_fact_have_its_parts(case):
    for tag, parts in case["expect"].items():
        version = parse(tag)
        for part, value in parts.items():
            assert getattr(version, part) == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("case", cases("invalid"))
def test_what_is_no_tag_is_refused_by_parse_and_rejected_in_a_list(case):
    for tag in case["tags"]:
        with pytest.raises(ModelError):
            parse(tag)
    explanation = explain(case["tags"])
    assert explanation.chosen is None
    assert all(verdict.version is None for verdict in explanation.verdicts)
    assert len(explanation.verdicts) == len(case["tags"])


@pytest.mark.parametrize("pair", FACTS["pairs"], ids=lambda p: f"{p['less']} {p['greater']} {p['mode']}")
def test_the_less_is_less_than_the_greater(pair):
    less, greater = parse(pair["less"], pair["mode"]), parse(pair["greater"], pair["mode"])
    assert less < greater
    assert less <= greater
    assert greater > less
    assert greater >= less
    assert less != greater


@pytest.mark.parametrize("fact", FACTS["ranges"], ids=lambda fact: fact["range"])
def test_the_range_holds_the_versions_of_the_fact(fact):
    interval = Range.parse(fact["range"])
    within = [v for v in map(parse, fact["versions"]) if interval.contains(v)]
    assert [v.tag for v in within] == fact["all"]
    assert [v.tag for v in within if not v.is_prerelease] == fact["stable"]


@pytest.mark.parametrize("fact", FACTS["ranges"], ids=lambda fact: fact["range"])
def test_a_choice_in_a_range_keeps_to_it_and_to_the_prerelease_rule(fact):
    def passed(**rules: str) -> list[Version | None]:
        verdicts = explain(fact["versions"], range=fact["range"], **rules).verdicts
        return sorted(v.tag for v in verdicts if v.accepted)

    assert passed() == sorted(fact["stable"])
    assert passed(prerelease=".*") == sorted(fact["all"])


@pytest.mark.parametrize("fact", FACTS["invalid_ranges"], ids=lambda fact: fact["range"] or "empty")
def test_a_bad_range_is_refused_with_the_place_of_its_fault(fact):
    with pytest.raises(ModelError, match=r"position \d+"):
        Range.parse(fact["range"])
