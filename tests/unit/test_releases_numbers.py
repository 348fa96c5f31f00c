"""What a release is numbered by, and where it says that it comes from."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta, timezone

import pytest

import octossh as oc
from octossh.model.numbering import Numbered, fill
from octossh.recording import origin_here
from octossh.testing.registry import FakeRegistry

HUB = oc.Registry("hub", "https://registry.example.com")
NOW = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))  # the last day of February in UTC


def project(mask, *repositories):
    steps = [oc.RunContainer(f"c{n}", image=HUB.image(name)) for n, name in enumerate(repositories)]
    return oc.Project("shop", process=steps or [oc.RunScript("do", script="true")], release_number=mask)


FILLED = [
    ("0.0.i", {}, "0.0.i"),
    ("YYYY.MM.i", {}, "2026.02.i"),
    ("YY.WW-i", {}, "26.09-i"),
    ("YYYYMMDD.i", {}, "20260228.i"),
    ("v1.i-beta", {}, "v1.i-beta"),
    ("{{ version }}", {"acme/web": "v1.4.2-alpine"}, "1.4.2"),
    ("{{ version }}-{{ channel }}.i", {"acme/web": "2.0.0-rc1"}, "2.0.0-rc.1-stable.i"),
    ("{{ images['acme/web'].version }}", {"acme/web": "1.4", "acme/db": "16"}, "1.4"),
    ("{{ images['acme/web'].major }}.{{ images['acme/web'].minor }}.i", {"acme/web": "3"}, "3.0.i"),
    ("{{ images['acme/web'].tag }}", {"acme/web": "build-7.f00"}, "build-7.f00"),
]


@pytest.mark.parametrize(("mask", "tags", "filled"), FILLED)
def test_a_mask_is_filled_with_dates_in_utc_and_with_versions(mask, tags, filled):
    images = {name: Numbered(name, tag) for name, tag in tags.items()}
    assert fill(mask, images, "stable", NOW, "project 'shop'") == filled


NONSENSE = [
    ("1.0", (), ["'1.0'", "only once", "write a mask", "'0.0.i'"]),
    ("", (), ["write a mask"]),
    (5, (), ["5", "write a mask"]),
    ("1.i.i", (), ["twice", "leave one out"]),
    ("YYYY.MM", (), ["counts up", "'YYYY.MM.i'"]),
    ("YYY.i", (), ["'YYY' is no part of a date", "YYYY, YY, MM, DD"]),
    ("1.0 i", (), ["no letter, digit or . _ + -"]),
    ("{{ version }}", (), ["there are 0", "images['acme/web']"]),
    ("{{ version }}", ("acme/web", "acme/db"), ["there are 2 (acme/web, acme/db)"]),
    ("{{ images['acme/wbe'].version }}", ("acme/web",), ["'acme/wbe'", "did you mean 'acme/web'?"]),
    ("{{ images['acme/web'].versoin }}", ("acme/web",), ["versoin"]),
    ("{{ Version }}", ("acme/web",), ["'Version'", "channel, images, version"]),
    ("{{ version", ("acme/web",), ["{{"]),
    ("{{ '1 2' }}.i", (), ["'1 2'", "cannot be part of a number"]),
]


@pytest.mark.parametrize(("mask", "repositories", "words"), NONSENSE)
def test_a_mask_that_numbers_nothing_is_refused_when_the_project_is_written(mask, repositories, words):
    with pytest.raises(oc.ModelError) as caught:
        project(mask, *repositories)
    message = str(caught.value)
    assert message.startswith("project 'shop': release number")
    assert [word for word in words if word not in message] == []


@pytest.fixture
def shop():
    with FakeRegistry() as fake:
        fake.push("acme/web", "1.4.1", "1.4.2")
        web = oc.RunContainer("web", image=oc.Registry("fake", fake.url).image("acme/web"))
        with oc.Space(
            "sqlite://", projects=[oc.Project("shop", process=[web], release_number="{{ version }}")]
        ) as space:
            yield space


def test_a_release_has_the_version_of_its_image_and_no_second_one_has_it(shop):
    assert shop.create_release().number == "1.4.2"
    assert shop.create_release(versions={"acme/web": "1.4.1"}).number == "1.4.1"
    with pytest.raises(oc.RecordError, match=r"has a release '1\.4\.2' already.*choose another number"):
        shop.create_release()
    assert shop.create_release(number="1.4.2-again").number == "1.4.2-again"


def test_a_release_says_what_it_was_made_of(shop, tmp_path, monkeypatch):
    notes = tmp_path / "notes.md"
    notes.write_text("# Faster\n\nIt is *faster*.\n")
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    monkeypatch.setenv("GITHUB_SHA", "0123456789ABCDEF0123456789abcdef01234567")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/shop")
    made = shop.create_release(notes=notes)
    assert shop.release() == made
    assert made.commit == "0123456789abcdef0123456789abcdef01234567"
    assert made.link == "https://github.example.com/acme/shop/actions/runs/77"
    told = made.described()
    assert made.commit in told
    assert made.pins[0].digest in told
    assert told.endswith("It is *faster*.")
    given = shop.create_release(number="2", commit="", link="https://example.com/2", notes="x")
    assert (given.commit, given.link) == ("", "https://example.com/2")


@pytest.mark.parametrize(
    "link", ["example.com", "javascript:alert(1)", "https://ann:secret@example.com/", "https:// x"]
)
def test_a_link_is_an_address_for_a_browser(shop, link):
    with pytest.raises(oc.ModelError, match="the link of a release") as caught:
        shop.create_release(link=link)
    assert "secret" not in str(caught.value)


def test_a_release_that_was_stored_before_it_had_these_fields_still_loads(shop):
    made = shop.create_release(commit="", link="")
    data = made.to_dict()
    for name in ("templates", "commit", "link", "imported"):
        del data[name]
    from octossh.model.serialising import from_dict

    assert from_dict(oc.Release, data) == made


SYSTEMS = [
    (
        {"CI_PIPELINE_ID": "5", "CI_COMMIT_SHA": "abcdef0123", "CI_PIPELINE_URL": "https://gl/p/5"},
        ("abcdef0123", "https://gl/p/5", "GitLab 5"),
    ),
    (
        {"BUILD_NUMBER": "9", "GIT_COMMIT": "abcdef0123", "BUILD_URL": "http://ci/job/9/"},
        ("abcdef0123", "http://ci/job/9/", "Jenkins 9"),
    ),
    ({"BUILD_NUMBER": "9", "GIT_COMMIT": "$(rm)", "BUILD_URL": "file:///etc"}, ("", "", "Jenkins 9")),
    (
        {"CIRCLE_BUILD_NUM": "1", "CIRCLE_SHA1": "abcdef0123", "CIRCLE_BUILD_URL": "https://u:p@ci/"},
        ("abcdef0123", "", "CircleCI 1"),
    ),
]


@pytest.mark.parametrize(("environment", "origin"), SYSTEMS)
def test_a_ci_system_says_commit_and_link(environment, origin):
    found = origin_here(environment)
    assert (found.commit, found.link, found.job) == origin


def test_without_a_ci_system_git_says_the_commit(tmp_path):
    assert origin_here({}, tmp_path).commit == ""

    def git(*words):
        identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
        return subprocess.run(
            ["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    assert origin_here({}, tmp_path).commit == ""
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert origin_here({}, tmp_path).commit == git("rev-parse", "HEAD").strip()
    assert origin_here({}, tmp_path / "gone").commit == ""


def test_a_date_is_that_of_the_moment_of_making():
    with oc.Space("sqlite://", projects=[project("YYYY.i")]) as space:
        made = space.create_release()
    assert made.number == f"{datetime.now(UTC):%Y}.1"
