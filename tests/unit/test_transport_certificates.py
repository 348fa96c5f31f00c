"""Certificates of hosts, made by ssh-keygen, and what is wrong with those that do not vouch."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.transport.certificates import read_certificate, why_not
from octossh.transport.known_hosts import parse

Make = Callable[..., bytes]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The certificate of a host, as ssh-keygen signs it."""
    folder = tmp_path_factory.mktemp("signed")

    def key(kind: str, name: str) -> Path:
        path = folder / f"{name}-{kind}"
        if not path.exists():
            bits = ["-b", "2048"] if kind == "rsa" else []
            subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-f", path], check=True)
        return path

    def sign(*options: str, kind: str = "ed25519", by: str = "ed25519") -> bytes:
        host = key(kind, "host")
        subprocess.run(
            ["ssh-keygen", "-q", "-s", key(by, "ca"), "-I", "one", *(options or ("-h", "-n", "h01")), f"{host}.pub"],
            check=True,
        )
        return base64.b64decode(Path(f"{host}-cert.pub").read_text().split()[1])

    return sign


@pytest.mark.parametrize("by", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_one_that_is_right_vouches(make: Make, kind: str, by: str) -> None:
    found = read_certificate(make(kind=kind, by=by))
    assert found is not None
    assert (found.key_id, found.principals) == ("one", ("h01",))
    assert why_not(found, "h01") == ""
    assert why_not(found, "H01") == ""


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-h", "-n", "h02,h03"), "is for h02, h03"),
        (("-n", "h01"), "of a user"),
        (("-h", "-n", "h01", "-V", "19990101:20000101"), "was valid until 2000"),
        (("-h", "-n", "h01", "-V", "20990101:21000101"), "not valid before 2099"),
        (("-h", "-n", "h01", "-O", "critical:odd=1"), "conditions that are not known: odd"),
    ],
)
def test_one_that_is_wrong_says_why(make: Make, options: tuple[str, ...], why: str) -> None:
    found = read_certificate(make(*options))
    assert found is not None
    assert why in why_not(found, "h01")


def test_one_without_names_is_for_all(make: Make) -> None:
    found = read_certificate(make("-h"))
    assert found is not None
    assert why_not(found, "anything") == ""


def test_any_change_of_what_is_signed_is_found(make: Make) -> None:
    good = make()
    whole = read_certificate(good)
    assert whole is not None
    for at in range(len(whole.signed)):
        found = read_certificate(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert found is None or why_not(found, "h01") or found.authority != whole.authority


@given(st.binary(max_size=80))
def test_what_is_none_is_none(data: bytes) -> None:
    assert read_certificate(data) is None
    assert read_certificate(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com" + data) is None


def test_a_line_of_an_authority_is_read() -> None:
    line = (
        "@cert-authority *.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"
    )
    (entry,) = parse(f"{line}\n", "f")
    assert entry.authority
    assert not entry.revoked
    assert entry.matches("h01.example.com")
