"""What known_hosts files say, as OpenSSH reads them."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from octossh.transport.known_hosts import DEFAULT_FILES, KnownHosts, _glob, fingerprint, parse


def blob(kind: str = "ssh-ed25519", fill: bytes = b"k" * 32) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), fill))


def key(kind: str = "ssh-ed25519", fill: bytes = b"k" * 32) -> str:
    return f"{kind} {base64.b64encode(blob(kind, fill)).decode()}"


def known(tmp_path: Path, text: str) -> KnownHosts:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return KnownHosts.of(file)


@pytest.mark.parametrize(
    ("hosts", "address", "port", "found"),
    [
        ("h01", "h01", 22, True),
        ("h01", "H01", 22, True),
        ("H01", "h01", 22, True),
        ("h01", "h011", 22, False),
        ("h01,10.0.0.1", "10.0.0.1", 22, True),
        ("*.example.com", "a.example.com", 22, True),
        ("*.example.com", "example.com", 22, False),
        ("h0?", "h01", 22, True),
        ("*.example.com,!bad.example.com", "bad.example.com", 22, False),
        ("!bad.example.com,*.example.com", "bad.example.com", 22, False),
        ("!bad.example.com", "good.example.com", 22, False),
        ("[h01]:2222", "h01", 2222, True),
        ("[h01]:2222", "h01", 22, False),
        ("[h01]:2222", "h01", 2223, False),
        ("[*]:2222", "h01", 2222, True),
        ("h01", "h01", 2222, True),
        ("fe80::1", "fe80::1", 22, True),
        ("[fe80::1]:2222", "fe80::1", 2222, True),
        ("a[1]", "a1", 22, False),
    ],
)
def test_a_line_is_about_the_hosts_that_it_names(
    tmp_path: Path, hosts: str, address: str, port: int, found: bool
) -> None:
    assert bool(known(tmp_path, f"{hosts} {key()}\n").about(address, port)) is found


def test_of_a_plain_name_no_pattern_is_made_since_a_file_may_hold_thousands(tmp_path: Path) -> None:
    _glob.cache_clear()
    assert known(tmp_path, f"h01,10.0.0.1,!h02 {key()}\n*.example.com {key()}\n").about("h01", 22)
    assert _glob.cache_info().misses == 1


def test_a_line_for_the_plain_name_does_not_make_another_port_a_changed_key(tmp_path: Path) -> None:
    files = known(tmp_path, f"h01 {key()}\n[h01]:2222 {key(fill=b'x' * 32)}\n")
    named, plain = files.about("h01", 2222)
    assert files.names(named, "h01", 2222)
    assert not files.names(plain, "h01", 2222)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
@pytest.mark.parametrize(("name", "port"), [("h01", 22), ("h01", 2222)])
def test_hashed_names_are_those_of_ssh_keygen(tmp_path: Path, name: str, port: int) -> None:
    file = tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    public = (tmp_path / "id.pub").read_text()
    file.write_text(f"{name if port == 22 else f'[{name}]:{port}'} {public}\nother {public}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "|1|" in file.read_text()
    (entry,) = KnownHosts.of(file).about(name, port)
    said = subprocess.run(["ssh-keygen", "-lf", tmp_path / "id.pub"], check=True, capture_output=True, text=True)
    assert fingerprint(entry.key) in said.stdout
    assert not KnownHosts.of(file).about("third", port)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# comment",
        "garbage",
        "h01",
        "h01 ssh-ed25519",
        "h01 ssh-ed25519 ***",
        "h01 ssh-rsa " + key().split()[1],
        "@unheard-of h01 " + key(),
        "@revoked",
        "|1|bad|bad " + key(),
        "|2|x|y " + key(),
        "|1| " + key(),
        "\0\ufeff\ud7ff",
        "1024 65537 12345678901234567890 old-protocol-1",
    ],
)
def test_lines_that_cannot_be_read_are_skipped(tmp_path: Path, line: str) -> None:
    files = known(tmp_path, f"{line}\nh01 {key()}\n")
    (entry,) = files.about("h01", 22)
    assert entry.place.endswith(":2")


def test_bytes_that_are_no_text_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_bytes(b"\xff\xfe\x00 x\r\nh01 " + key().encode() + b" comment with words\r\n")
    assert len(KnownHosts.of(file).about("h01", 22)) == 1


def test_a_revoked_key_is_marked(tmp_path: Path) -> None:
    (entry,) = known(tmp_path, f"@revoked * {key()}\n").about("h01", 22)
    assert entry.revoked


def test_files_that_are_missing_hold_nothing(tmp_path: Path) -> None:
    assert KnownHosts.of([tmp_path / "none", str(tmp_path)]).about("h01", 22) == ()


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    files = known(tmp_path, "")
    assert files.about("h01", 22) == ()
    (tmp_path / "known_hosts").write_text(f"h01 {key()}\n")
    assert len(files.about("h01", 22)) == 1


def test_the_default_files_are_those_of_ssh() -> None:
    files = KnownHosts.of(None).files
    assert files[1] == DEFAULT_FILES[1] == "/etc/ssh/ssh_known_hosts"
    assert files[0].endswith("/.ssh/known_hosts")
    assert "~" not in files[0]


def test_a_large_file_is_read() -> None:
    text = "".join(f"host{n} {key()}\n" for n in range(10_000))
    assert len(parse(text, "f")) == 10_000
