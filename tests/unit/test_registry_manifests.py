"""What a tag means: digests, manifests, platforms and times, against a registry that lies as it is told."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from octossh.errors import RegistryError
from octossh.testing.registry import INDEX, MANIFEST, Reply

HEAD = "HEAD /v2/acme/web/manifests/"
GET = "GET /v2/acme/web/manifests/"

pytestmark = pytest.mark.usefixtures("short_pauses")


# resolve


def test_a_tag_means_the_index_and_its_platforms(fake, client, image):
    digest = fake.push_index("acme/web", "1.0", "linux/amd64", "linux/arm/v7", "linux/arm64/v8", "unknown/unknown")
    pin = client.resolve(image, "1.0")
    assert (pin.image, pin.tag, pin.digest, pin.media_type) == (image, "1.0", digest, INDEX)
    assert pin.size == len(fake.repositories["acme/web"]["1.0"][1])
    assert timedelta() <= datetime.now(UTC) - pin.resolved_at < timedelta(seconds=10)
    assert pin.platforms == ("linux/amd64", "linux/arm", "linux/arm64")
    assert [(seen.method, seen.path.rpartition("/")[2]) for seen in fake.seen] == [("HEAD", "1.0"), ("GET", digest)]


def test_an_image_of_one_platform_says_it_in_its_configuration(fake, client, image):
    digest = fake.push_image("acme/web", "1.0", architecture="arm64", variant="v8")
    pin = client.resolve(image, "1.0")
    assert (pin.digest, pin.platforms) == (digest, ("linux/arm64",))
    assert [seen.path.split("/")[4] for seen in fake.seen] == ["manifests", "manifests", "blobs"]


def test_platforms_that_are_not_said_are_not_known(fake, client, image):
    fake.push("acme/web", "1.0")
    fake.push_image("acme/web", "2.0", os="", architecture=7)
    assert client.resolve(image, "1.0").platforms == client.resolve(image, "2.0").platforms == ()


def test_a_tag_that_moves_meanwhile_is_pinned_to_what_it_meant_first(fake, client, image):
    first = fake.push_index("acme/web", "1.0", "linux/amd64")

    def head(seen):
        reply = fake._answer(seen)
        fake.push_index("acme/web", "1.0", "linux/arm64")
        return reply

    fake.script(HEAD, head)
    pin = client.resolve(image, "1.0")
    assert (pin.digest, pin.platforms) == (first, ("linux/amd64",))


def test_an_index_of_more_platforms_than_there_are_is_refused(fake, client, image):
    fake.push_index("acme/web", "1.0", *(f"linux/cpu{number}" for number in range(101)))
    with pytest.raises(RegistryError, match="index of more than 100 platforms"):
        client.resolve(image, "1.0")


def test_the_four_kinds_of_manifest_are_asked_for(fake, client, image):
    fake.push("acme/web", "1.0")
    client.resolve(image, "1.0")
    accepted = set(fake.seen[0].headers["Accept"].split(", "))
    assert accepted == {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }


BODY = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}, indent=3).encode()
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize(
    "head",
    [
        Reply(200, b"", {"Content-Type": MANIFEST}),
        Reply(200, b"", {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha256:abc"}),
        Reply(200, b"", {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha512:" + "a" * 128}),
        Reply(200, b"", {"Docker-Content-Digest": DIGEST}),
        Reply(200, b"", {"Content-Type": "text/html", "Docker-Content-Digest": DIGEST}),
        Reply(404),
        Reply(405),
        Reply(400),
        Reply(404, b"", {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha256:" + "0" * 64}),
    ],
    ids=range(9),
)
def test_a_head_that_does_not_say_it_all_is_followed_by_a_get(head, fake, client, image):
    fake.script(HEAD, head)
    fake.script(GET, Reply(200, BODY, {"Content-Type": MANIFEST + "; charset=utf-8"}))
    pin = client.resolve(image, "1.0")
    assert (pin.digest, pin.media_type, pin.size) == (DIGEST, MANIFEST, len(BODY))


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ({"schemaVersion": 2, "mediaType": MANIFEST}, MANIFEST),
        ({"schemaVersion": 2, "manifests": []}, INDEX),
        ({"schemaVersion": 2, "config": {}, "layers": []}, "application/vnd.oci.image.manifest.v1+json"),
    ],
)
def test_a_manifest_served_without_its_type_is_known_by_what_is_in_it(body, media_type, fake, client, image):
    fake.script(HEAD, Reply(200))
    fake.script(GET, Reply(200, body, {"Content-Type": "application/json"}))
    assert client.resolve(image, "1.0").media_type == media_type


@pytest.mark.parametrize(
    ("body", "served", "match"),
    [
        ({"schemaVersion": 1}, "application/json", "schema 1.*push the image again"),
        ({"x": 1}, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ({"x": 1}, "application/vnd.docker.distribution.manifest.v1+json", "schema 1"),
        ("<html>", MANIFEST, "web page"),
        ('{"x"', MANIFEST, "is not JSON"),
        ("{}", "text/html; charset=utf-8", "web page, a login form perhaps"),
        ("[]", MANIFEST, "is not JSON"),
        ({"schemaVersion": 2, "mediaType": "application/x-helm"}, "application/json", "not a container image"),
        ({"schemaVersion": 2, "mediaType": ["x"]}, "", "not a container image"),
        ({}, "application/json", "not a container image"),
    ],
    ids=range(10),
)
def test_what_is_no_manifest_is_refused(body, served, match, fake, client, image):
    fake.script(
        HEAD,
        Reply(200, b"", {"Content-Type": served, "Docker-Content-Digest": DIGEST}) if "v1" in served else Reply(200),
    )
    fake.script(GET, Reply(200, body, {"Content-Type": served}))
    with pytest.raises(RegistryError, match=match):
        client.resolve(image, "1.0")


def test_a_digest_that_is_not_that_of_the_bytes_is_an_error(fake, client, image):
    fake.script(HEAD, Reply(404))
    wrong = "sha256:" + "0" * 64
    fake.script(GET, Reply(200, BODY, {"Content-Type": MANIFEST, "Docker-Content-Digest": wrong}))
    with pytest.raises(RegistryError, match=f"has the digest {DIGEST}, but the registry says {wrong}"):
        client.resolve(image, "1.0")


def test_a_manifest_that_is_too_long_is_an_error(fake, client, image):
    fake.script(HEAD, Reply(200))
    fake.script(GET, Reply(200, b" " * 4_194_305))
    with pytest.raises(RegistryError, match="more than the 4194304 bytes"):
        client.resolve(image, "1.0")


def test_a_manifest_of_another_digest_than_the_head_said_is_an_error(fake, client, image):
    fake.script(HEAD, Reply(200, b"", {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha256:" + "0" * 64}))
    # The header of the second answer is right by its bytes; it is not what was asked for.
    fake.script(GET, Reply(200, BODY, {"Content-Type": MANIFEST, "Docker-Content-Digest": DIGEST}))
    with pytest.raises(RegistryError, match=f"has the digest {DIGEST}, but the registry says sha256:0000"):
        client.resolve(image, "1.0")


def test_a_configuration_of_another_digest_is_an_error(fake, client, image):
    fake.push_image("acme/web", "1.0")
    fake.script("GET /v2/acme/web/blobs/", Reply(200, {"os": "linux", "architecture": "arm64"}))
    with pytest.raises(RegistryError, match=r"the configuration of the tag '1\.0' has the digest"):
        client.resolve(image, "1.0")


def test_a_configuration_that_is_gone_is_an_error(fake, client, image):
    fake.push_image("acme/web", "1.0")
    fake.blobs.clear()
    with pytest.raises(RegistryError, match=r"the configuration of the tag '1\.0' .* is gone from it; push the image"):
        client.resolve(image, "1.0")


# created


MADE = "2024-05-06T07:08:09.123456789Z"


def test_the_time_of_a_tag_is_that_of_the_image_of_one_platform(fake, client, image):
    fake.push_index("acme/web", "1.0", "linux/arm64", "linux/amd64", created=MADE)
    assert client.created(image, ["1.0"]) == {"1.0": datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)}
    assert len(fake.seen) == 3


def test_the_time_of_an_image_is_in_its_configuration(fake, client, image):
    fake.push_image("acme/web", "1.0", created="2024-05-06T09:08:09+02:00")
    assert client.created(image, ["1.0"]) == {"1.0": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)}
    assert len(fake.seen) == 2


def test_the_time_in_an_annotation_goes_first_and_saves_questions(fake, client, image):
    said = {"org.opencontainers.image.created": "2025-01-01T00:00:00Z"}
    fake.push_index("acme/web", "1.0", "linux/amd64", annotations=said, created=MADE)
    fake.push_image("acme/web", "2.0", annotations=said, created=MADE)
    assert client.created(image, ["1.0", "2.0"]) == dict.fromkeys(["1.0", "2.0"], datetime(2025, 1, 1, tzinfo=UTC))
    assert len(fake.seen) == 2


@pytest.mark.parametrize("made", [None, "", "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "yesterday", 7, "9" * 50])
def test_a_time_that_no_clock_showed_is_not_known(made, fake, client, image):
    fake.push_image("acme/web", "1.0", created=made)
    assert client.created(image, ["1.0"]) == {}


def test_the_times_of_more_tags_than_can_be_asked_for_are_refused_without_a_question(fake, client, image):
    with pytest.raises(RegistryError, match="the times of 201 tags would take too many requests"):
        client.created(image, [f"t{number}" for number in range(201)])
    assert fake.seen == []


def test_the_time_of_a_tag_that_is_not_there_is_an_error(fake, client, image):
    fake.push("acme/web", "1.0")
    with pytest.raises(RegistryError, match=r"there is no tag '2\.0'"):
        client.created(image, ["1.0", "2.0"])
