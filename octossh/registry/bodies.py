"""The body of an answer: read as far as it may be long, unpacked, and understood."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from octossh.registry.exchanges import Answer

__all__ = ["TooLong", "Unreadable", "is_web_page", "read_body", "read_json"]

_CHUNK_BYTES = 65_536
# Each value of a document takes some fifty times the bytes in memory that it has in the text.
_MOST_VALUES = 1_000_000
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


class TooLong(OSError):
    """The body is longer than it may be."""


class Unreadable(OSError):
    """The body is packed in a way that cannot be unpacked; the text says which."""


def read_body(response: requests.Response, limit_bytes: int, into: IO[bytes] | None = None) -> bytes:
    """The body of *response*, unpacked; where it goes *into* a file, from the beginning of that, nothing is given.

    Of an answer that is not 200 it is the beginning; then the connection is of no more use.

    Raises:
        TooLong: That of an answer with status 200 has more than *limit_bytes*.
        Unreadable: It cannot be unpacked.
    """
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    parts = _parts(response)
    if coding in _PACKED:
        parts = _unpacked(parts, limit_bytes)
    elif coding not in {"", "identity"} and response.status_code == 200:
        raise Unreadable("is packed, though that was not asked for")
    if into is not None:
        _write(parts, limit_bytes, into)
        return b""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > limit_bytes:
            if response.status_code == 200:
                raise TooLong
            break
    return bytes(body)


def _write(parts: Iterator[bytes], limit_bytes: int, into: IO[bytes]) -> None:
    into.seek(0)
    into.truncate()
    for part in parts:
        into.write(part)
        if into.tell() > limit_bytes:
            raise TooLong


def _parts(response: requests.Response) -> Iterator[bytes]:
    # What is there, and not the whole chunk: a server that drips is noticed.
    while part := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        yield part


def _unpacked(parts: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    """*parts* unpacked, in pieces that are no longer than what may still come."""
    # 32: gzip or zlib, by its header.
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    for part in parts:
        rest = part
        while rest and not unpacker.eof:
            try:
                piece = unpacker.decompress(rest, min(_CHUNK_BYTES, limit_bytes + 1))
            except zlib.error:
                raise Unreadable("is packed and broken") from None
            yield piece
            rest = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise Unreadable("is packed and broken off")


def read_json(body: bytes) -> Any:
    """The document in *body*.

    Raises:
        ValueError: It is no JSON, or holds more values than any registry sends.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise ValueError("holds too many values")
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("is too deep") from None


def is_web_page(answer: Answer) -> bool:
    """Whether *answer* is for the eyes of people: a front page, a login form, the error of a proxy."""
    if answer.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")):
        return True
    return re.match(rb"\s*<(?:!doctype|html)", answer.body[:200], re.IGNORECASE) is not None
