"""Images as archives for docker load: octossh.registry.archives."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from octossh.errors import RegistryError
from octossh.model.images import Pin, Registry
from octossh.registry import RegistryClient
from octossh.testing.registry import MANIFEST, FakeRegistry, Reply, digest_of

INDEX = "application/vnd.oci.image.index.v1+json"
TAG = "registry.example.com/acme/web:mine"


class Shop:
    """A fake registry with an image of three layers, its client, and what it holds."""

    def __init__(self, fake, client, image):
        self.fake, self.client, self.image = fake, client, image
        self.unpacked = [f"layer {number}".encode() * 5000 for number in range(3)]
        self.packed = [gzip.compress(layer, mtime=0) for layer in self.unpacked]
        self.layers = [digest_of(layer) for layer in self.unpacked]
        document = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": self.layers}}
        self.config = json.dumps(document).encode()
        self.parts = [{"digest": digest_of(layer), "size": len(layer)} for layer in self.packed]
        for blob in (self.config, *self.packed):
            self.put("blobs", blob)
        self.manifest = self.put_manifest()

    def put(self, what, body, kind="application/octet-stream"):
        self.fake.script(
            f"GET /v2/acme/web/{what}/{digest_of(body)}", Reply(body=body, headers={"Content-Type": kind}), forever=True
        )
        return digest_of(body)

    def put_manifest(self, **changes):
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": digest_of(self.config), "size": len(self.config)},
            "layers": self.parts,
        } | changes
        return self.put("manifests", json.dumps(document).encode(), MANIFEST)

    def archive(self, digest=None, platform="linux/amd64", there=()):
        return self.client.archive(
            Pin(image=self.image, tag="1.0", digest=digest or self.manifest), TAG, platform, there
        )


@pytest.fixture
def shop():
    with FakeRegistry() as fake:
        registry = Registry("fake", fake.url)
        with RegistryClient(registry, timeout_s=5) as client:
            yield Shop(fake, client, registry.image("acme/web"))


def unpacked(archive):
    data = b"".join(archive.read())
    assert len(data) == archive.size
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_an_archive_holds_what_docker_load_reads(shop):
    made = shop.archive()
    files = unpacked(made)
    (listing,) = json.loads(files.pop("manifest.json"))
    assert listing["RepoTags"] == [TAG]
    assert files.pop(listing["Config"]) == shop.config
    assert made.id == digest_of(shop.config)
    assert [files.pop(name) for name in listing["Layers"]] == shop.packed
    assert files == {}
    assert (made.layers, made.sent) == (3, 3)


@pytest.mark.parametrize(
    ("there", "sent"),
    [
        ([[0, 1]], 1),
        ([[0], [0, 1, 2], [1]], 0),
        ([[1, 2]], 3),  # the same layers upon others are other layers to docker
        ([[0, 2]], 2),
        ([[]], 3),
    ],
)
def test_only_the_lowest_layers_that_an_image_there_shares_are_left_out(shop, there, sent):
    made = shop.archive(there=[[shop.layers[number] for number in image] for image in there])
    files = unpacked(made)
    (listing,) = json.loads(files["manifest.json"])
    assert len(listing["Layers"]) == 3
    assert [files[name] for name in listing["Layers"] if name in files] == shop.packed[3 - sent :]
    assert made.sent == sent


def test_of_an_index_the_image_for_the_host_is_taken(shop):
    children = [
        {"digest": shop.manifest, "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": digest_of(b"other"), "platform": {"os": "linux", "architecture": "arm64"}},
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    digest = shop.put("manifests", index, INDEX)
    assert shop.archive(digest).id == digest_of(shop.config)
    with pytest.raises(RegistryError, match=r"is built for linux/amd64, linux/arm64, and the host is linux/s390x"):
        shop.archive(digest, "linux/s390x")


def test_a_layer_is_fetched_once_for_many_hosts(shop):
    shop.archive()
    assert b"".join(shop.archive(there=[shop.layers[:2]]).read())
    asked = [seen.path for seen in shop.fake.seen if digest_of(shop.packed[2]) in seen.path]
    assert len(asked) == 1


def test_a_layer_that_is_not_what_its_digest_says_goes_to_no_host(shop):
    promised = shop.parts[1]["digest"] = digest_of(b"promised")
    shop.fake.script(f"GET /v2/acme/web/blobs/{promised}", Reply(body=b"given"))
    with pytest.raises(RegistryError, match="something on the way changed it"):
        shop.archive(shop.put_manifest())


def test_a_layer_that_is_longer_than_it_says_is_given_up(shop):
    shop.parts[1]["size"] = 10
    with pytest.raises(RegistryError):
        shop.archive(shop.put_manifest())


def test_other_layers_than_the_configuration_says_are_refused(shop):
    with pytest.raises(RegistryError, match="other layers than its configuration says"):
        shop.archive(shop.put_manifest(layers=shop.parts[:2]))
