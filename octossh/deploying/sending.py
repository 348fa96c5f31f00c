"""Images for hosts that reach no registry: what a script asks for, as it goes to its standard input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from octossh.errors import OctosshError, RegistryError
from octossh.model import Pin

if TYPE_CHECKING:
    from octossh.model import Release
    from octossh.registry.archives import Archive
    from octossh.shell import Frame

__all__ = ["Pack", "send"]

Pack = Callable[[Pin, str, str, Iterable[Sequence[str]]], "Archive"]
"""Gives the image of a pin, under a tag, for a platform, to a host that has images of these layers."""

_TOLD_FROM_BYTES = 10_000_000


def send(frame: Frame, release: Release, pack: Pack, tell: Callable[[str], None]) -> Iterator[bytes]:
    """What `_pull.sh.j2` reads: a line with size and id and then the archive, or a line that says why there is none.

    Args:
        frame: What the script asks for: reference, tag, platform, and the layers of each image there.
        release: Has the pins; nothing else is given.
        pack: Gets it.
        tell: Is told how far it came.
    """
    try:
        reference, tag, platform, there = frame.text.split(" ", 3)
        pin = next((pin for pin in release.pins if pin.reference == reference), None)
        if pin is None:
            raise RegistryError(f"{reference} is no image of release {release.number}")
        made = pack(pin, tag, platform, [layers.strip(",").split(",") for layers in there.split()])
    except (OctosshError, OSError, ValueError) as error:
        yield f"no {' '.join(str(error).split())}\n".encode()
        return
    tell(f"octossh: sending {pin}: {made.sent} of its {made.layers} layers, {made.size / 1e6:.1f} MB")
    yield f"{made.size} {made.id}\n".encode()
    sent = tenths = 0
    for piece in made.read():
        yield piece
        sent += len(piece)
        if made.size >= _TOLD_FROM_BYTES and sent * 10 // made.size > tenths:
            tenths = sent * 10 // made.size
            tell(f"octossh: {tenths * 10} % of {pin} are sent")
