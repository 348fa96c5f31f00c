"""Certificates of hosts, as an authority of ssh signs them. Imports paramiko."""

from __future__ import annotations

import time
from collections.abc import Iterator

import paramiko
from attrs import frozen

__all__ = ["SUFFIX", "Certificate", "read_certificate", "why_not"]

SUFFIX = "-cert-v01@openssh.com"
_HOST = 2
_NUMBERS = {"ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa-sha2-nistp256": 2, "ecdsa-sha2-nistp384": 2,
            "ecdsa-sha2-nistp521": 2}  # fmt: skip
"""Of how many fields the public key in a certificate consists."""


@frozen
class Certificate:
    """What a certificate says.

    Attributes:
        for_host: Whether it is one of a host.
        key_id: What the authority called it.
        principals: The names that it is for; without any it is for all.
        valid_after: The second of its beginning, since 1970.
        valid_before: The second of its end.
        critical: Names of options that whoever reads it has to understand.
        authority: The public key that has signed it.
        signed: What is signed.
        signature: By what.
    """

    for_host: bool
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: tuple[str, ...]
    authority: bytes
    signed: bytes
    signature: bytes


def read_certificate(blob: bytes) -> Certificate | None:
    """The certificate in SSH's wire format; None if it is none that can be read."""
    fields = _Fields(blob)
    try:
        kind = fields.text()
        if not kind.endswith(SUFFIX):
            return None
        fields.data()  # the nonce
        for _ in range(_NUMBERS[kind.removesuffix(SUFFIX)]):
            fields.data()
        fields.number(8)  # the serial
        number, key_id = fields.number(4), fields.text()
        principals = tuple(_texts(fields.data()))
        after, before = fields.number(8), fields.number(8)
        critical = tuple(_names(fields.data()))
        fields.data()  # extensions: none is known for hosts
        fields.data()  # reserved
        authority = fields.data()
        signed = blob[: fields.at]
        signature = fields.data()
    except (KeyError, ValueError):
        return None
    if fields.at != len(blob):
        return None
    return Certificate(number == _HOST, key_id, principals, after, before, critical, authority, signed, signature)


class _Fields:
    """Reads what is packed in SSH's wire format. Unlike paramiko's reader it raises ValueError at the end of it."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self.at = 0

    def _take(self, count: int) -> bytes:
        if self.at + count > len(self._packed):
            raise ValueError("it ends too early")
        self.at += count
        return self._packed[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def data(self) -> bytes:
        return self._take(self.number(4))

    def text(self) -> str:
        return self.data().decode()

    @property
    def more(self) -> bool:
        return self.at < len(self._packed)


def _texts(packed: bytes) -> Iterator[str]:
    fields = _Fields(packed)
    while fields.more:
        yield fields.text()


def _names(packed: bytes) -> Iterator[str]:
    fields = _Fields(packed)
    while fields.more:
        yield fields.text()
        fields.data()


def why_not(certificate: Certificate, name: str, now: float | None = None) -> str:
    """Why *certificate* does not vouch for the host *name*, in words that follow "its certificate"; or nothing.

    Whether its authority is trusted is not asked here.
    """
    now = time.time() if now is None else now
    if not certificate.for_host:
        return "is one of a user, not of a host"
    if certificate.critical:
        return f"has conditions that are not known: {', '.join(certificate.critical)}"
    if certificate.principals and name.lower() not in certificate.principals:
        return f"is for {', '.join(certificate.principals)}, not for {name}"
    if now < certificate.valid_after:
        return f"is not valid before {_date(certificate.valid_after)}"
    if now >= certificate.valid_before:
        return f"was valid until {_date(certificate.valid_before)}"
    if not _signed(certificate):
        return "has a signature that does not hold"
    return ""


def _date(second: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(second))
    except (OverflowError, OSError, ValueError):
        return "a time far off"


def _signed(certificate: Certificate) -> bool:
    try:
        kind = _Fields(certificate.authority).text()
        # ssh takes no SHA-1 of an authority, whatever paramiko would take.
        if _Fields(certificate.signature).text() == "ssh-rsa" or kind.endswith(SUFFIX):
            return False
        key = paramiko.PKey.from_type_string(kind, certificate.authority)
        return bool(key.verify_ssh_sig(certificate.signed, paramiko.Message(certificate.signature)))
    except Exception:  # noqa: BLE001 - it was made by somebody else, and paramiko raises anything
        return False
