"""Making a release: each image gets a version and a digest, or the reason why not."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime, timedelta

import pytest

import octossh as oc
from octossh.planning import explain_tags
from octossh.releasing import pin_images

hub = oc.Registry("hub", "https://registry.example.com")
WEB, DB = hub.image("acme/web"), hub.image("acme/db")


class Feed:
    """A registry that has some tags."""

    def __init__(self, **tags):
        self.lists = {hub.image(name.replace("__", "/")): tuple(found) for name, found in tags.items()}
        self.asked = []

    def tags(self, image):
        self.asked.append(image.repository)
        return self.lists[image]

    def created(self, image, tags):
        """The smaller the minor version, the longer ago; of a tag without one nothing is known."""
        self.asked.append(f"when {' '.join(tags)}")
        return {tag: datetime.now(UTC) - timedelta(days=10 - int(tag.partition(".")[2])) for tag in tags if "." in tag}

    def resolve(self, image, tag):
        self.asked.append(f"{image.repository}:{tag}")
        return oc.Pin(image=image, tag=tag, digest="sha256:" + hashlib.sha256(tag.encode()).hexdigest())


def project(*images, **channel):
    steps = [oc.RunContainer(f"step {number}", image=image) for number, image in enumerate(images)]
    return oc.Project(
        "shop", process=steps or [oc.RunScript("do", script="true")], channels=[oc.Channel("stable", **channel)]
    )


def pins(made, feed, **more):
    return {
        pin.image.repository: pin.tag
        for pin in pin_images(made, made.channel(), dict.fromkeys(made.process.images, feed), **more)
    }


FEED = Feed(acme__web=["0.9", "1.0", "1.2", "2.0", "2.1-rc.1", "latest"], acme__db=["15", "16"])


@pytest.mark.parametrize(
    ("channel", "chosen"),
    [
        ({}, {"acme/web": "2.0", "acme/db": "16"}),
        ({"range": "[1,2)", "images": ["acme/web"]}, {"acme/web": "1.2", "acme/db": "16"}),
        ({"prerelease": "^rc", "images": ["acme/web"]}, {"acme/web": "2.1-rc.1", "acme/db": "16"}),
        ({"tag": r"^\d+$"}, {"acme/web": "latest", "acme/db": "16"}),
    ][:3],
)
def test_the_channel_picks_the_newest_version_of_each_image(channel, chosen):
    assert pins(project(WEB, DB, **channel), FEED) == chosen


def test_a_tag_that_is_given_is_taken_without_asking_for_the_others():
    feed = Feed(acme__web=["1.0"])
    assert pins(project(WEB), feed, versions={"acme/web": "nightly"}) == {"acme/web": "nightly"}
    assert feed.asked == ["acme/web:nightly"]


def test_an_image_of_two_steps_is_asked_for_once():
    feed = Feed(acme__web=["1.0"])
    pins(project(WEB, WEB), feed)
    assert feed.asked == ["acme/web", "acme/web:1.0"]


def test_a_project_without_images_has_no_pins():
    assert pins(project(), Feed()) == {}


REFUSED = {
    "no tags": (["acme__web"], {}, {}, oc.RegistryError, ["acme/web", "no tags", "'hub'", "push an image"]),
    "no fitting tag": (
        ["acme__web", "1.0", "latest"], {"range": "[2,3)"}, {}, oc.PlanError,
        ["none of the 2 tags", "acme/web", "'stable'", "'shop'", "1.0: ", "octossh tags acme/web --explain"],
    ),
    "two ways to count": (
        ["acme__web", "2024.01.15", "1.5", "2024.02.01", "1.6"], {}, {}, oc.ModelError, ["two ways"],
    ),
    "unknown image": (["acme__web", "1.0"], {}, {"acme/wbe": "1"}, oc.ModelError, ["'shop'", "'acme/wbe'", "did you mean 'acme/web'?"]),
    "no tag": (["acme__web", "1.0"], {}, {"acme/web": ""}, oc.ModelError, ["'shop'", "'acme/web'", "''", "empty"]),
    "a tag that none can be": (["acme__web", "1.0"], {}, {"acme/web": "a b"}, oc.ModelError, ["'shop'", "'acme/web'", "'a b'"]),
    "a tag that is a number": (["acme__web", "1.0"], {}, {"acme/web": 1.0}, oc.ModelError, ["'acme/web'", "1.0", "string"]),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_without_a_version_there_is_a_reason(what):
    (image, *tags), channel, versions, kind, words = REFUSED[what]
    feed = Feed(**{image: tags})
    with pytest.raises(kind) as caught:
        pins(project(WEB, **channel), feed, versions=versions)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message
    assert not any(":" in asked for asked in feed.asked)


def test_the_rules_of_a_channel_are_for_its_images_only():
    channel = oc.Channel("stable", "[1,2)", images=["acme/db"])
    assert explain_tags(WEB, ["1.0", "3.0"], channel.rule("acme/web")).chosen.tag == "3.0"
    assert explain_tags(DB, ["1.0", "3.0"], channel.rule("acme/db")).chosen.tag == "1.0"


def test_an_image_may_have_rules_of_its_own():
    rules = {"acme/db": oc.versions.Rule("[15,16)", variant="alpine")}
    feed = Feed(acme__web=["1.0", "2.0"], acme__db=["15.1", "15.2-alpine", "16.0-alpine"])
    assert pins(project(WEB, DB, range="[1,2)", rules=rules), feed) == {"acme/web": "1.0", "acme/db": "15.2-alpine"}
    assert pins(project(WEB, DB, range="[1,2)", rules=rules, images=["acme/web"]), feed)["acme/db"] == "15.2-alpine"


# ------------------------------------------------------------------- guards


def releases(made, *tags, channel="stable"):
    """Releases of a project with one image, the newest first."""
    return [
        oc.Release(
            project=made.name,
            number=f"0.0.{number}",
            channel=channel,
            process=made.process,
            pins=[Feed().resolve(WEB, tag)],
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for number, tag in enumerate(tags)
    ]


def test_no_release_gets_an_older_version_than_the_last_one_of_its_channel():
    made, feed = project(WEB), Feed(acme__web=["1.0", "1.1"])
    assert pins(made, feed, releases=releases(made, "1.1")) == {"acme/web": "1.1"}
    with pytest.raises(
        oc.PlanError, match=r"1.1: is older than 1.2, the current one.*--set acme/web=TAG.*downgrade=True"
    ):
        pins(made, feed, releases=releases(made, "1.2", "1.0"))
    assert pins(made, feed, releases=releases(made, "1.2", channel="next")) == {"acme/web": "1.1"}
    assert pins(made, feed, releases=releases(made, "1.2"), versions={"acme/web": "1.0"}) == {"acme/web": "1.0"}
    assert pins(project(WEB, downgrade=True), feed, releases=releases(made, "1.2")) == {"acme/web": "1.1"}


def test_what_the_channel_would_not_admit_is_no_guard():
    made, feed = project(WEB, range="[1,2)"), Feed(acme__web=["1.0", "1.1"])
    for tag in ("2.3", "1.9-rc.1", "1.9-alpine", "nightly"):
        assert pins(made, feed, releases=releases(made, tag)) == {"acme/web": "1.1"}
        with pytest.raises(oc.PlanError, match=r"is older than 1\.2"):
            pins(made, feed, releases=releases(made, tag, "1.2"))


def test_a_channel_may_stay_on_the_major_version():
    made, feed = project(WEB, max_major_jump=0), Feed(acme__web=["1.0", "1.1", "2.0"])
    assert pins(made, feed) == {"acme/web": "2.0"}
    assert pins(made, feed, releases=releases(made, "1.0")) == {"acme/web": "1.1"}


def test_times_are_asked_for_where_a_rule_needs_them():
    feed = Feed(acme__web=["1.9", "1.8", "1.6", "7"])
    assert pins(project(WEB), feed) == {"acme/web": "7"}
    assert [asked for asked in feed.asked if asked.startswith("when")] == []
    assert pins(project(WEB, min_age_days=3), feed) == {"acme/web": "1.6"}
    assert [asked for asked in feed.asked if asked.startswith("when")] == ["when 7", "when 1.9 1.8", "when 1.6"]


def test_a_channel_may_go_by_times():
    made, feed = project(WEB, mode="created", tag=r"^1\."), Feed(acme__web=["1.9", "1.8", "7", "2.9"])
    assert pins(made, feed) == {"acme/web": "1.9"}
    assert pins(made, feed, releases=releases(made, "2.9", "1.8")) == {"acme/web": "1.9"}
    assert pins(made, feed, releases=releases(made, "1.10")) == {"acme/web": "1.9"}
    feed.lists[WEB] = ("1.8",)
    assert pins(made, feed, releases=releases(made, "1.9")) == {"acme/web": "1.8"}


def test_twenty_images_are_asked_at_the_same_time():
    images = [hub.image(f"acme/app{number}") for number in range(20)]
    together = threading.Barrier(20, timeout=20)

    class Slow(Feed):
        def tags(self, image):
            together.wait()
            return ("1.0",)

        def resolve(self, image, tag):
            together.wait()
            return super().resolve(image, tag)

    assert len(pins(project(*images), Slow())) == 20
