"""The host keys that this machine trusts, as OpenSSH writes them down. Pure but for reading the files."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import field, frozen

__all__ = ["DEFAULT_FILES", "Entry", "KnownHosts", "fingerprint", "spellings"]

DEFAULT_FILES = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


def fingerprint(key: bytes) -> str:
    """``SHA256:...`` of a public key, as ``ssh-keygen -l`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def spellings(key_type: str, key: bytes) -> set[str]:
    """The ways to name a public key that a target may use: its fingerprint, or all of it."""
    return {fingerprint(key), f"{key_type} {base64.b64encode(key).decode()}"}


@frozen
class Entry:
    """One line of a known_hosts file.

    Attributes:
        hosts: The patterns, or one hashed name.
        key_type: Such as ``ssh-ed25519``.
        key: The public key, in SSH's wire format.
        revoked: Whether the key must be refused.
        place: File and line number.
        authority: Whether it is the key of an authority, which signs keys of hosts.
    """

    hosts: str
    key_type: str
    key: bytes = field(repr=False)
    revoked: bool
    place: str
    authority: bool = False

    def matches(self, name: str) -> bool:
        """Whether the line is about *name*, such as ``h01`` or ``[h01]:2222``."""
        if self.hosts.startswith("|"):
            return _hash_matches(self.hosts, name)
        found = False
        for pattern in self.hosts.lower().split(","):
            if pattern.startswith("!"):
                if _fits(pattern[1:], name):
                    return False
            elif pattern and _fits(pattern, name):
                found = True
        return found


def _fits(pattern: str, name: str) -> bool:
    # Most are plain names, of which a file may hold thousands: to make patterns of them takes 0.1 ms each.
    return bool(_glob(pattern).fullmatch(name)) if "*" in pattern or "?" in pattern else pattern == name


@functools.lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    # Only * and ? are special there: the [ of [host]:port is not.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def _hash_matches(hashed: str, name: str) -> bool:
    parts = hashed.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def parse(text: str, place: str) -> tuple[Entry, ...]:
    """The entries of a known_hosts file; lines that cannot be read are skipped."""
    entries = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked", "@cert-authority"):
            continue
        hosts, key_type, encoded = words[:3]
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue
        kind = key_type.encode()
        if key[:4] == len(kind).to_bytes(4, "big") and key[4 : 4 + len(kind)] == kind:
            authority = marker == "@cert-authority"
            entries.append(Entry(hosts, key_type, key, marker == "@revoked", f"{place}:{number}", authority))
    return tuple(entries)


@functools.lru_cache(maxsize=32)
def _read(path: str, _changed: tuple[int, int, int]) -> tuple[Entry, ...]:
    return parse(Path(path).read_text(encoding="utf-8", errors="replace"), path)


@frozen
class KnownHosts:
    """The known_hosts files, read again when they change.

    Attributes:
        files: Their paths. One that is not there, or may not be read, holds nothing.
    """

    files: tuple[str, ...]

    @classmethod
    def of(cls, given: str | Path | Sequence[str | Path] | None) -> KnownHosts:
        """One file, several, or None for those that ssh reads."""
        if given is None:
            given = DEFAULT_FILES
        elif isinstance(given, str | Path):
            given = (given,)
        return cls(tuple(_expanded(path) for path in given))

    def entries(self) -> Iterable[Entry]:
        """All entries of all files."""
        for name in self.files:
            try:
                state = Path(name).stat()
                yield from _read(name, (state.st_mtime_ns, state.st_size, state.st_ino))
            except OSError:
                continue

    def about(self, address: str, port: int) -> tuple[Entry, ...]:
        """The entries for an SSH server, those that name its port first.

        Without a line that names the port, a line for the plain name counts, but only to accept a key: the
        server on another port may rightly have another key.
        """
        plain = address.lower()
        named = plain if port == 22 else f"[{plain}]:{port}"
        entries = tuple(self.entries())
        found = tuple(entry for entry in entries if entry.matches(named))
        if port == 22:
            return found
        return found + tuple(entry for entry in entries if entry not in found and entry.matches(plain))

    def names(self, entry: Entry, address: str, port: int) -> bool:
        """Whether *entry* is about this very port, so that another key there is a changed key."""
        return entry.matches(address.lower() if port == 22 else f"[{address.lower()}]:{port}")


def _expanded(path: str | Path) -> str:
    try:
        return str(Path(path).expanduser())
    except RuntimeError:  # no home folder
        return str(path)
