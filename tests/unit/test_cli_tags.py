"""``octossh tags`` and what else the command says about channels."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from octossh.cli import main
from octossh.testing.registry import FakeRegistry

OCTOFILE = """
import octossh as oc
hub = oc.Registry("hub", {url!r})
web = oc.RunContainer("web", image=hub.image("acme/web"))
shop = oc.Project("shop", process=[web], channels=[{channels}])
space = oc.Space(projects=[shop], transport=oc.Replay(lambda *_: [oc.Frame("end", "succeeded ran yes ")]))
"""
STABLE = 'oc.Channel("stable", "[1.0,2.0)")'
TAGS = ["1.0.0", "1.1.0", "1.2.0-rc.1", "1.1.0-alpine", "2.0.0", "latest"]


@pytest.fixture
def fake():
    with FakeRegistry() as made:
        made.push("acme/web", *TAGS)
        yield made


@pytest.fixture
def octossh(fake, in_tmp, monkeypatch, capsys):
    """Run the command; standard output and standard error. *channels* stand in the octofile."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments, channels=STABLE, code=0):
        (in_tmp / "octofile.py").write_text(OCTOFILE.format(url=fake.url, channels=channels))
        capsys.readouterr()
        ended = 0
        try:
            main(list(arguments))
        except SystemExit as end:
            ended = end.code
        out, err = capsys.readouterr()
        assert ended == code, err
        return out, err

    yield run
    signal.signal(signal.SIGTERM, handler)


def test_the_tags_of_an_image_are_shown_in_short(octossh):
    assert octossh("tags", "acme/web")[0].splitlines() == [
        "picked: 1.1.0",
        "fitting: 1.1.0 1.0.0",
        "others: 4 (--explain says why)",
    ]


def test_many_fitting_tags_are_not_all_shown_in_short(octossh, fake):
    fake.push("acme/web", *(f"1.3.{n}" for n in range(500)))
    picked, fitting, _ = octossh("tags", "acme/web")[0].splitlines()
    assert picked == "picked: 1.3.499"
    assert fitting.endswith(" 1.3.490 and 492 more")


def test_the_reasons_are_a_table_and_data(octossh):
    table, _ = octossh("tags", "acme/web", "--explain")
    assert "  - 2.0.0         is outside the range [1.0,2.0)\n" in table
    data = json.loads(octossh("tags", "acme/web", "--json")[0])
    assert data["chosen"] == "1.1.0"
    assert {v["tag"]: v["rule"] for v in data["verdicts"] if not v["accepted"]} == {
        "2.0.0": "range", "1.2.0-rc.1": "prerelease", "1.1.0-alpine": "variant", "latest": "version",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "picked"),
    [
        (["--range", "[1.0,1.1)"], "1.0.0"),
        (["--range", "[2.0,)"], "2.0.0"),
        (["--variant", "alpine"], "1.1.0-alpine"),
        (["--prerelease", "^rc"], "1.2.0-rc.1"),
        (["--tag", "0$", "--mode", "semver"], "1.1.0"),
        (["--prefix", "x-"], "none"),
        (["--scheme", "date"], "none"),
        (["--channel", "next"], "1.2.0-rc.1"),
        (["--channel", "next", "--prerelease", "^$"], "1.1.0"),
    ],
)
def test_a_rule_may_be_tried_without_changing_the_octofile(options, picked, octossh):
    channels = STABLE + ', oc.Channel("next", "[1.0,2.0)", prerelease="^rc")'
    assert octossh("tags", "acme/web", *options, channels=channels)[0].splitlines()[0] == f"picked: {picked}"


def test_a_guard_looks_at_the_last_release_and_may_be_lifted(octossh, fake):
    octossh("release", "create")
    del fake.repositories["acme/web"]["1.1.0"]
    assert octossh("tags", "acme/web")[0].startswith("picked: none\n")
    assert "1.0.0         is older than 1.1.0, the current one" in octossh("tags", "acme/web", "--explain")[0]
    assert octossh("tags", "acme/web", "--downgrade")[0].startswith("picked: 1.0.0\n")
    assert octossh("tags", "acme/web", "--range", "[2,)", "--max-major-jump", "0")[0].startswith("picked: none\n")
    _, said = octossh("release", "create", code=2)
    assert "is older than 1.1.0" in said
    assert "--set acme/web=TAG" in said
    octossh("release", "create", "--set", "acme/web=1.0.0")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["acme/wbe"], ["'acme/wbe'", "did you mean 'acme/web'?"]),
        (["acme/web", "--channel", "stabel"], ["'stabel'", "did you mean 'stable'?"]),
        (["acme/web", "--mode", "semvre"], ["'semvre'", "did you mean 'semver'?"]),
        (["acme/web", "--scheme", "calvre"], ["'calvre'", "did you mean 'calver'?"]),
        (["acme/web", "--range", "[1.0"], ["'[1.0'", "position 5"]),
        (["acme/web", "--tag", "("], ["tag rule", "position 1"]),
        (["acme/web", "--max-major-jump", "-1"], ["max_major_jump -1"]),
    ],
)
def test_a_slip_is_told_with_what_may_have_been_meant(arguments, words, octossh):
    _, said = octossh("tags", *arguments, code=2)
    assert [word for word in words if word not in said] == [], said
    assert said.count("\n") == 1


def test_a_misspelt_variant_is_noted(octossh):
    shown, _ = octossh("tags", "acme/web", "--variant", "alpin")
    assert "note: no version has the variant 'alpin'; did you mean 'alpine'? There are none (4), alpine (1)\n" in shown


def test_channels_that_overlap_on_the_tags_that_there_are_are_noted(octossh):
    both = STABLE + ', oc.Channel("all", tag="[0-9]")'
    note = "channels 'stable' and 'all' overlap: both admit 1.1.0 and 1 more"
    assert f"note: {note}\n" in octossh("tags", "acme/web", "--explain", channels=both)[0]
    assert json.loads(octossh("tags", "acme/web", "--json", channels=both)[0])["notes"] == [note]


def test_check_warns_of_channels_that_overlap_whatever_the_tags(octossh):
    both = STABLE + ', oc.Channel("all")'
    _, err = octossh("check", channels=both)
    assert err.startswith("octossh: warning: project 'shop', acme/web: channels 'stable' and 'all' overlap")
    assert len(json.loads(octossh("check", "--json", channels=both)[0])["warnings"]) == 1
    assert octossh("check")[1] == ""


def test_check_says_of_each_image_which_tag_a_release_would_pick(octossh, fake):
    assert octossh("check")[0].splitlines()[1:] == [
        "(controller)  image acme/web  ok     6 tags; a release would pick 1.1.0"
    ]
    out, _ = octossh("check", channels='oc.Channel("far", "[9,)")')
    assert "warning  6 tags, and a release would pick none of them; see why: octossh tags acme/web --explain" in out


def test_check_ends_with_1_where_the_registry_has_no_such_image(octossh, fake, in_tmp, monkeypatch):
    monkeypatch.setitem(globals(), "OCTOFILE", OCTOFILE.replace("acme/web", "acme/wbe"))
    out, _ = octossh("check", code=1)
    assert "(controller)  image acme/wbe  fault  registry 'hub'" in out
    assert "see its name (octossh images wbe searches where there is a list)" in out
