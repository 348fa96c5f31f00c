"""Images of a registry as archives that ``docker load`` reads."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from attrs import field, frozen

from octossh.model.platforms import serves
from octossh.registry.manifests import Layer, Manifest, read_config
from octossh.registry.questions import Question

__all__ = ["Archive", "Blobs", "archive"]

_CHUNK_BYTES = 65_536
_IN_MEMORY_BYTES = 1 << 20


class Blobs:
    """Blobs that were fetched, in files without a name; each is fetched once, however many hosts get it."""

    def __init__(self) -> None:
        self._files: dict[str, IO[bytes]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def fetch(self, question: Question, digest: str, size: int) -> None:
        """Have the blob of that *digest* and *size* (bytes) here.

        Raises:
            RegistryError: It cannot be had, or is not what its digest says.
        """
        with self._lock:
            lock = self._locks.setdefault(digest, threading.Lock())
        with lock:
            if digest in self._files:
                return
            file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, prefix="octossh-")  # noqa: SIM115 - closed by close()
            try:
                question.blob(digest, size, file)
            except BaseException:
                file.close()
                raise
            self._files[digest] = file

    def read(self, digest: str) -> Iterator[bytes]:
        """The blob, a piece at a time. Several threads may read the same one."""
        file, lock, at = self._files[digest], self._locks[digest], 0
        while True:
            with lock:
                file.seek(at)
                piece = file.read(_CHUNK_BYTES)
            if not piece:
                return
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Forget them all."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()


@frozen
class Archive:
    """An image on its way to a host.

    Attributes:
        id: What docker there will call it: the digest of its configuration.
        layers: How many it has.
        sent: How many of them are in the archive: the upper ones.
        size: Of the archive, in bytes.
    """

    id: str
    layers: int
    sent: int
    size: int
    _members: tuple[tuple[str, int, bytes | str], ...] = field(repr=False)
    _blobs: Blobs = field(repr=False)

    def read(self) -> Iterator[bytes]:
        """The archive, a piece at a time."""
        for name, size, content in self._members:
            yield _header(name, size)
            yield from [content] if isinstance(content, bytes) else self._blobs.read(content)
            yield b"\0" * (-size % tarfile.BLOCKSIZE)
        yield b"\0" * _END


_END = 2 * tarfile.BLOCKSIZE


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    # In this format long numbers and names take no second header.
    return info.tobuf(tarfile.GNU_FORMAT)


def archive(
    question: Question, blobs: Blobs, digest: str, tag: str, platform: str, there: Iterable[Sequence[str]]
) -> Archive:
    """Fetch the image of that *digest*, or of an index the one for *platform*, and pack it.

    Args:
        question: To its repository.
        blobs: Keeps what is fetched.
        digest: Of its manifest, or of an index.
        tag: What docker shall know it as, such as ``registry.example.com/acme/web:mine``.
        platform: Of the host.
        there: The layers of images that the host has already, by the digests of what is in them. The lowest layers
            that it has together need not be sent.

    Raises:
        RegistryError: It cannot be had, is for no such platform, or is not what its digests say.
    """
    found = _image(question, digest, platform)
    assert found.config is not None
    file = io.BytesIO()
    question.blob(found.config, _MOST_CONFIG, file)
    config = file.getvalue()
    unpacked = read_config(config).layers
    if len(unpacked) != len(found.layers) or not unpacked:
        raise question.error(f"the image {digest[:19]} has other layers than its configuration says; push it again")
    here = max((_common(unpacked, other) for other in there), default=0)
    sent = found.layers[here:]
    for layer in sent:
        blobs.fetch(question, layer.digest, layer.size)
    names = [f"{layer.digest.removeprefix('sha256:')}.tar" for layer in found.layers]
    config_name = f"{found.config.removeprefix('sha256:')}.json"
    listing = json.dumps([{"Config": config_name, "RepoTags": [tag], "Layers": names}]).encode()
    members: list[tuple[str, int, bytes | str]] = [
        ("manifest.json", len(listing), listing),
        (config_name, len(config), config),
    ]
    members += [(name, layer.size, layer.digest) for name, layer in _once(names[here:], sent)]
    size = sum(tarfile.BLOCKSIZE + size + (-size % tarfile.BLOCKSIZE) for _, size, _ in members) + _END
    return Archive(found.config, len(found.layers), len(sent), size, tuple(members), blobs)


_MOST_CONFIG = 4_194_304


def _image(question: Question, digest: str, platform: str) -> Manifest:
    found = question.manifest(digest, digest)
    if found.children:
        fitting = [child for child in found.children if serves([child.platform], platform)]
        # The very platform first: a host may run others, too.
        fitting.sort(key=lambda child: child.platform != platform)
        if not fitting:
            built = ", ".join(found.platforms)
            raise question.error(f"the image {digest[:19]} is built for {built}, and the host is {platform}")
        found = question.manifest(fitting[0].digest, fitting[0].digest)
    if found.config is None or not found.layers:
        raise question.error(f"the image {digest[:19]} has no layers that docker could load; see what was pushed")
    return found


def _common(wanted: Sequence[str], other: Sequence[str]) -> int:
    """How many of the lowest layers are the same."""
    pairs = zip(wanted, other, strict=False)
    return next((number for number, (one, two) in enumerate(pairs) if one != two), min(len(wanted), len(other)))


def _once(names: Sequence[str], layers: Sequence[Layer]) -> list[tuple[str, Layer]]:
    """Each name once: an image may have a layer twice."""
    return list(dict(zip(names, layers, strict=True)).items())
