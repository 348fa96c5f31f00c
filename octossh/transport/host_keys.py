"""Whether the key that a host shows is the one that we trust. Imports paramiko."""

from __future__ import annotations

import base64
from typing import Any

import paramiko

from octossh.errors import HostKeyError
from octossh.transport.certificates import SUFFIX, read_certificate, why_not
from octossh.transport.known_hosts import Entry, fingerprint, spellings
from octossh.transport.routes import Route

__all__ = ["HostKeyPolicy"]

_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


class HostKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Asks our own known_hosts. paramiko has been given none, so it asks here about every key, before any login."""

    def __init__(self, route: Route) -> None:
        self._route, self._where, self._known = route, route.where, route.known_hosts
        self._name, self._port = route.known_as
        entries = self._known.about(self._name, self._port)
        self._revoked = [entry for entry in entries if entry.revoked]
        self._authorities = [entry for entry in entries if entry.authority]
        self._entries = [entry for entry in entries if not (entry.revoked or entry.authority)]
        self.accepted = False

    def prefer(self, key_types: tuple[str, ...]) -> tuple[str, ...]:
        """The algorithms, with those of what is known of the host in front: certificates, then keys."""
        if self._route.pins:
            kinds = [pin.split()[0] for pin in self._route.pins if " " in pin]
        else:
            kinds = [entry.key_type for entry in self._entries]
        first: list[str] = []
        for kind in kinds:
            first += _RSA if kind == "ssh-rsa" else (kind,)
        signed = tuple(name + SUFFIX for name in key_types)
        ordered = tuple(sorted(key_types, key=lambda name: first.index(name) if name in first else len(first)))
        return signed + ordered if self._authorities and not self._route.pins else ordered + signed

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        """Accept *key* or raise `HostKeyError`."""
        del client, hostname  # ours knows the target
        blob, kind = key.asbytes(), key.get_name()
        shown = f"{kind} {fingerprint(blob)}"
        self._refuse_revoked(blob, shown)
        if self._route.pins:
            self._check_pins(blob, kind, shown)
            return
        if any(entry.key == blob for entry in self._entries):
            self.accepted = True
            return
        remark = self._vouched(getattr(key, "public_blob", None))
        if self.accepted:
            return
        self._refuse_changed(kind, shown)
        named = [entry for entry in self._entries if self._known.names(entry, self._name, self._port)]
        others = f", which has only {', '.join(sorted({e.key_type for e in named}))} of it" if named else ""
        raise HostKeyError(
            f"{self._where}: its host key {shown} is not known: it is not in {' or '.join(self._known.files)}{others}"
            f"{remark}. Compare the fingerprint with the one on the host, then {self._how_to_add(kind)} "
            f"(to look: {self._keygen('-F', self._known.files[0])})"
        )

    def _how_to_add(self, kind: str) -> str:
        where = self._where
        if self._route.through:
            return "connect there once with ssh, which goes the same way, or give Target(host_key=...)"
        scan = f"ssh-keyscan -t {_scan_name(kind)} -p {where.port} {where.address}"
        return f"add the key with {scan} >> {self._known.files[0]}"

    def _refuse_revoked(self, blob: bytes, shown: str) -> None:
        for entry in self._revoked:
            if entry.key == blob:
                raise HostKeyError(
                    f"{self._where}: its host key {shown} is revoked at {entry.place}. Do not connect: "
                    "the key has been given up; the host needs a new one"
                )

    def _check_pins(self, blob: bytes, kind: str, shown: str) -> None:
        if spellings(kind, blob) & set(self._route.pins):
            self.accepted = True
            return
        pins = " or ".join(pin if pin.startswith("SHA256:") else _short(pin) for pin in self._route.pins)
        raise HostKeyError(
            f"{self._where}: its host key is {shown}, and the target has host_key {pins}. Somebody may be in between, "
            "or the host was installed anew, or the fingerprint is that of another of its keys; "
            "compare it with the one on the host"
        )

    def _vouched(self, public: Any) -> str:
        """Accept a certificate that an authority of ours has signed; else a remark for the message, or nothing."""
        found = read_certificate(public.key_blob) if public is not None else None
        if found is None or not self._authorities:
            return ""
        for entry in self._revoked:
            if entry.key == found.authority:
                raise HostKeyError(
                    f"{self._where}: the authority of its certificate, {fingerprint(found.authority)}, is revoked at "
                    f"{entry.place}. Do not connect: the host needs a certificate of another authority"
                )
        if not any(entry.key == found.authority for entry in self._authorities):
            return f"; its certificate is of the authority {fingerprint(found.authority)}, which is not known either"
        if why := why_not(found, self._name):
            return f"; its certificate {found.key_id!r} {why}"
        self.accepted = True
        return ""

    def _refuse_changed(self, kind: str, shown: str) -> None:
        for entry in self._entries:
            if entry.key_type == kind and self._known.names(entry, self._name, self._port):
                raise HostKeyError(
                    f"{self._where}: its host key has changed: it shows {shown}, and {entry.place} has "
                    f"{_told(entry)}. Somebody may be in between, or the host was "
                    f"installed anew; if so, take out the old key with {self._keygen('-R', entry.place)}, and "
                    "add the new one"
                )

    def _keygen(self, option: str, place: str) -> str:
        name = self._name if self._port == 22 else f"'[{self._name}]:{self._port}'"
        return f"ssh-keygen {option} {name} -f {place.rsplit(':', 1)[0]}"


def _told(entry: Entry) -> str:
    return f"{entry.key_type} {fingerprint(entry.key)}"


def _short(pin: str) -> str:
    kind, _, encoded = pin.partition(" ")
    try:
        return f"{kind} {fingerprint(base64.b64decode(encoded, validate=True))}"
    except ValueError:
        return pin[:60]


def _scan_name(kind: str) -> str:
    return {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind, "ecdsa" if kind.startswith("ecdsa") else kind)
