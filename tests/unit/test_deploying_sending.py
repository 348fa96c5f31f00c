"""What goes to a host that asks for an image."""

from __future__ import annotations

from datetime import UTC, datetime

import octossh as oc
from octossh.deploying.sending import send
from octossh.errors import RegistryError
from octossh.registry.archives import Archive, Blobs
from octossh.shell import Frame

hub = oc.Registry("hub", "https://registry.example.com")
WEB = oc.RunContainer("web", image=hub.image("acme/web"))
PIN = oc.Pin(image=WEB.image, tag="1.0", digest="sha256:" + "a" * 64)
RELEASE = oc.Release(
    project="shop", number="1", channel="any", process=oc.Process([WEB]), pins=(PIN,), created_at=datetime.now(UTC)
)
ARCHIVE = Archive("sha256:id", 3, 1, 2048, (("x", 3, b"abc"),), Blobs())


def sent(text: str, pack) -> tuple[bytes, list[str]]:
    told: list[str] = []
    return b"".join(send(Frame("want", text), RELEASE, pack, told.append)), told


def test_size_and_id_stand_in_front_of_the_archive():
    asked = []

    def pack(*given):
        asked.append(given)
        return ARCHIVE

    data, told = sent(f"{PIN.reference} name:tag linux/amd64 sha256:1,sha256:2, sha256:3,", pack)
    head, _, archive = data.partition(b"\n")
    assert head == b"2048 sha256:id"
    assert len(archive) == 2048
    assert asked == [(PIN, "name:tag", "linux/amd64", [["sha256:1", "sha256:2"], ["sha256:3"]])]
    assert told == ["octossh: sending acme/web:1.0: 1 of its 3 layers, 0.0 MB"]


def test_nothing_but_the_images_of_the_release_is_given():
    data, _ = sent("registry.example.com/acme/other@sha256:" + "b" * 64 + " name:tag linux/amd64 -", lambda *_: ARCHIVE)
    assert data.startswith(b"no registry.example.com/acme/other@")
    assert data.endswith(b" is no image of release 1\n")


def test_why_there_is_none_is_told_in_one_line():
    def pack(*_given):
        raise RegistryError("registry 'hub': it is\naway")

    assert sent(f"{PIN.reference} name:tag linux/amd64 -", pack) == (b"no registry 'hub': it is away\n", [])
    assert sent("torn", pack)[0].startswith(b"no ")
