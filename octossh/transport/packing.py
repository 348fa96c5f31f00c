"""How what goes to a host is compressed."""

from __future__ import annotations

import zlib

__all__ = ["Packer"]

_LARGE = 16 << 10
_LEAST_WON = 10
_AS_THEY_ARE = 31


class Packer:
    """Compresses packet after packet, for one stream of zlib, as paramiko's own does.

    But a large packet that does not get shorter, such as a piece of a layer of an image, or of another connection that
    goes through this one, is a sign that the next ones do not either: these go as they are, which is 20 times as quick.
    """

    def __init__(self) -> None:
        self._packing = zlib.compressobj()
        # Without a header, since the other one has written it by then. Both end each packet so that nothing behind it
        # refers to anything before it.
        self._passing = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)
        self._left = 0

    def __call__(self, data: bytes) -> bytes:
        """What goes on the wire for *data*."""
        if self._left:
            self._left -= 1
            return self._passing.compress(data) + self._passing.flush(zlib.Z_FULL_FLUSH)
        made = self._packing.compress(data) + self._packing.flush(zlib.Z_FULL_FLUSH)
        if len(data) >= _LARGE and len(made) * 100 > len(data) * (100 - _LEAST_WON):
            self._left = _AS_THEY_ARE
        return made
