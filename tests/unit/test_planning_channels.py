"""What is odd about the channels of a project, by their rules and by real tags."""

from __future__ import annotations

import re

import pytest

import octossh as oc
from octossh.planning import lint_channels, lint_tags

hub = oc.Registry("hub", "https://registry.example.com")
WEB, DB = hub.image("acme/web"), hub.image("acme/db")


def project(*channels, images=(WEB,)):
    steps = [oc.RunContainer(image.repository.replace("/", "-"), image=image) for image in images]
    return oc.Project("shop", process=steps, channels=channels)


def stable(text=None, **more):
    return oc.Channel("stable", text, **more)


def other(text=None, **more):
    return oc.Channel("other", text, **more)


OVERLAPPING = {
    "no rules at all": (stable(), other(), "stable versions"),
    "ranges": (stable("[1.0,2.0)"), other("[1.9,3.0)"), "stable versions"),
    "a touching bound": (stable("[1.0,2.0]"), other("[2.0,3.0)"), "stable versions"),
    "a range and none": (stable("[1.0,2.0)"), other(), "stable versions"),
    "stable and more": (stable(), other(prerelease="^(|beta.*)$"), "stable versions"),
    "two labels": (stable(prerelease="rc|beta"), other(prerelease="^beta"), "prereleases such as beta.1"),
    "a late counter": (stable(prerelease="^rc"), other(prerelease=r"^rc\.1\d$"), "prereleases such as rc.10"),
    "variants": (stable(variant="alpine"), other(variant="Alpine"), "stable versions"),
    "a v": (stable(prefix="v"), other(), "stable versions"),
    "semver": (stable("(1.2.3,1.3.0)", mode="semver"), other("[1.2.4]", mode="semver"), "stable versions"),
    "other notations": (stable("npm:^1.2"), other("pep440:~=1.9"), "stable versions"),
    "dates": (stable("[2024-01-15,)", mode="date"), other("(,2024-02-01)", mode="date"), "stable versions"),
    "right behind a bound": (stable("(1.2.3,1.2.4)"), other("(1.2.3,)"), "stable versions"),
}
APART = {
    "ranges": (stable("[1.0,2.0)"), other("[2.0,3.0)")),
    "other notations": (stable("npm:^1.2"), other("pep440:>=2")),
    "dates": (stable("[2024-03-15,)", mode="date"), other("(,2024-02-01)", mode="date")),
    "exclusive bounds": (stable("(,2.0)"), other("(2.0,)")),
    "stable and prereleases": (stable(), other(prerelease="^rc")),
    "labels": (stable(prerelease="^beta"), other(prerelease="^rc")),
    "variants": (stable(), other(variant="alpine")),
    "prefixes": (stable(), other(prefix="release-")),
    "tag rules": (stable(tag="^1"), other(tag="^2")),
    "schemes": (stable(scheme="dotted"), other(scheme="calver")),
    "modes": (stable(mode="semver"), other(mode="docker")),
    "images": (
        stable(rules={"acme/web": oc.versions.Rule(variant="a")}),
        other(rules={"acme/web": oc.versions.Rule(variant="b")}),
    ),
}


@pytest.mark.parametrize("what", OVERLAPPING)
def test_channels_that_overlap_are_told(what):
    one, two, both = OVERLAPPING[what]
    (text,) = lint_channels(project(one, two))
    assert text.startswith("project 'shop', acme/web: channels 'stable' and 'other' overlap: ")
    assert text.endswith(f": both admit {both}, so both may pick the same tag")


@pytest.mark.parametrize("what", APART)
def test_channels_that_stay_apart_are_not_told(what):
    assert lint_channels(project(*APART[what])) == ()


def test_the_images_to_which_it_applies_are_named():
    only = {"acme/db": oc.versions.Rule(variant="alpine")}
    (text,) = lint_channels(project(stable(), other(), images=(WEB, DB)))
    assert text.startswith("project 'shop', acme/web, acme/db: ")
    (text,) = lint_channels(project(stable(), other(rules=only), images=(WEB, DB)))
    assert text.startswith("project 'shop', acme/web: ")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"prerelease": r"^b\d"}, r"the prerelease rule .* matches no label; they read 'rc.1'"),
        (
            {"text": "[1.2.0-rc.1,1.2.0-rc.5]"},
            r"only prereleases are in the range \[1.2.0-rc.1,1.2.0-rc.5\], and stable",
        ),
        ({"text": "[1.2.0-rc.1,1.2.0-rc.5]", "prerelease": "^$"}, "only prereleases"),
    ],
)
def test_a_channel_that_admits_nothing_is_told(rules, words):
    rules = dict(rules)
    (text,) = lint_channels(project(stable(rules.pop("text", None), **rules)))
    assert text.startswith("project 'shop', acme/web: channel 'stable' admits nothing: ")
    assert re.search(words, text)


@pytest.mark.parametrize(
    "channel",
    [
        stable("[1.2.0-rc.1]"), stable("[1.2.0-rc.1,1.2.0-rc.5]", prerelease="^rc"), stable("(1.2.3,1.2.4)"), stable("(,0.1)"),
        stable(prerelease=r"^rc\.2\d"), stable(prerelease="^$"), stable(prerelease="(?i)^BETA"), stable("[2024.1,2024.2)"),
        stable("[1.2.3]", mode="semver"), stable("npm:>1.2.x <2"), stable("pep440:>1.2,!=1.3"), stable("npm:~1.2 || ^3"),
        stable("[2024-03-15,)", mode="date"),
    ],
)  # fmt: skip
def test_a_channel_that_may_admit_something_is_not_told(channel):
    assert lint_channels(project(channel)) == ()


def test_on_real_tags_empty_and_overlapping_channels_are_told():
    made = project(stable("[1,2)"), other("[2,3)"), oc.Channel("all"), oc.Channel("old", "[1,2)", min_age_days=3))
    assert lint_tags(made, WEB, ["1.0.0", "1.1.0", "latest"]) == (
        "channel 'other' is empty: no tag of acme/web fits it",
        "channels 'stable' and 'all' overlap: both admit 1.1.0 and 1 more",
        "channels 'stable' and 'old' overlap: both admit 1.1.0 and 1 more",
        "channels 'all' and 'old' overlap: both admit 1.1.0 and 1 more",
    )
    assert lint_tags(made, WEB, ["1.0.0", "2.0.0"])[0] == "channels 'stable' and 'all' overlap: both admit 1.0.0"


def test_on_real_tags_a_channel_that_cannot_choose_is_told():
    (text,) = lint_tags(project(stable()), WEB, ["10.11.4", "2021.12.16"])
    assert text.startswith("channel 'stable' cannot choose: the tags count in two ways")
