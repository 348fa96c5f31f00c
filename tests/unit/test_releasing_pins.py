"""Making a release: each image gets a version and a digest, or the reason why not."""

from __future__ import annotations

import hashlib

import pytest

import octossh as oc
from octossh.releasing import explain_tags, pin_images

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
    assert explain_tags(WEB, ["1.0", "3.0"], channel).chosen.tag == "3.0"
    assert explain_tags(DB, ["1.0", "3.0"], channel).chosen.tag == "1.0"
