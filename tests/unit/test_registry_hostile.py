"""Registries that mean harm: each ends in a clear error, in time, in little memory, and gets no login of another."""

from __future__ import annotations

import contextlib
import gzip
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent

import pytest

import octossh as oc
from octossh.errors import RegistryError
from octossh.registry import RegistryClient, connections, exchanges, headers
from octossh.shell import Secret
from octossh.testing.registry import FakeRegistry, Reply, error

LIST = "GET /v2/acme/web/tags/list"
OK = b"HTTP/1.1 200 OK\r\n"


pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def fake():
    with FakeRegistry() as fake:
        fake.push("acme/web", "1.0")
        yield fake


class Raw:
    """A server that sends *first*, then *again* for as long as somebody listens, with a pause between."""

    def __init__(self, first=b"", again=b"", pause_s=0.0, limit=1_000_000_000):
        self.first, self.again, self.pause_s, self.limit = first, again, pause_s, limit
        self.got: list[bytes] = []
        self.sent = 0
        self._over = threading.Event()

    def __enter__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self._over.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            self.got.append(connection.recv(65536))
            connection.sendall(self.first)
            while self.again and self.sent < self.limit and not self._over.is_set():
                connection.sendall(self.again)
                self.sent += len(self.again)
                if self.pause_s:
                    self._over.wait(self.pause_s)


def tags(url, *, timeout_s=0.3, total_s=0.6, **options):
    registry = oc.Registry("fake", url, **options)
    with RegistryClient(registry, secrets=lambda _: Secret("hunter2"), timeout_s=timeout_s, total_s=total_s) as client:
        return client.tags(registry.image("acme/web"))


CI = oc.Basic("ci", oc.secret("PW"))


# what comes before the body


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (OK, b"X-A: b\r\n" * 200),
        (OK + b"X-A: ", b"x" * 65536),
        (b"HTTP/1.1 200 ", b"x" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n" * 500),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    ],
    ids=["many", "long", "status", "continue", "chunk"],
)
def test_headers_without_an_end_are_given_up_after_some_of_them(first, again):
    with Raw(first, again) as server:
        start = time.monotonic()
        with pytest.raises(RegistryError, match=r"more or longer headers than any|broke off the connection"):
            tags(server.url, timeout_s=10, total_s=20)
        assert time.monotonic() - start < 8


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b"H"),
        (OK + b"X-A: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Content-Length: 1000\r\n\r\n", b" "),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
        (OK + b"\r\n", b" "),
    ],
    ids=["status", "header", "continue", "body", "chunk", "trailer", "close"],
)
def test_what_drips_is_given_up_at_the_deadline_wherever_it_drips(first, again):
    with Raw(first, again, pause_s=0.05) as server:
        start = time.monotonic()
        with pytest.raises(RegistryError, match=r"did not come to the end of its answer within 0\.3 s"):
            tags(server.url, timeout_s=0.2, total_s=0.3)
        assert time.monotonic() - start < 3


def test_a_server_of_tls_that_is_asked_in_plain_http_says_so():
    # What OpenSSL sends: an alert that it was spoken to in another protocol.
    with Raw(b"\x15\x03\x01\x00\x02\x02\x46") as server:
        with pytest.raises(RegistryError, match="speaks TLS there; write the registry's url with https://"):
            tags(server.url)


# bodies


@pytest.mark.parametrize(
    ("body", "more", "match"),
    [
        (b'{"tags": ["\xff\xfe"]}', {}, "no list of tags"),
        (b'{"tags": ["1.0", "1.', {}, "no list of tags"),
        (b"[" + b"0," * 1_000_001 + b"0]", {}, "no list of tags"),
        (b'{"tags": ' + b"9" * 5000 + b"}", {}, "no list of tags"),
        (b"\x1f\x8b broken", {"Content-Encoding": "gzip"}, "packed and broken"),
        (gzip.compress(b'{"tags": []}')[:-9], {"Content-Encoding": "gzip"}, "packed and broken off"),
        (b"x", {"Content-Encoding": "br"}, "packed, though that was not asked for"),
        (b'{"tags": []}', {"Content-Type": "text/html"}, "web page where a list of tags should be"),
    ],
    ids=range(8),
)
def test_a_body_that_cannot_be_read_is_an_error(body, more, match, fake):
    fake.script(LIST, Reply(200, body, more))
    with pytest.raises(RegistryError, match=match):
        tags(fake.url, timeout_s=5, total_s=5)


def test_a_header_that_is_no_text_does_no_harm():
    body = b'{"tags": ["1.0"]}'
    head = OK + b"X-A: \xff\xfe\r\nContent-Type: application/json; \xc3\x28\r\nConnection: close\r\n"
    with Raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body) as server:
        assert tags(server.url) == ("1.0",)


# memory


SCRIPT = """
import resource, sys
import octossh as oc
from octossh.registry import RegistryClient, exchanges
import requests

exchanges.PAUSE_S = 0.01
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for url in sys.argv[1:]:
    registry = oc.Registry("fake", url)
    with RegistryClient(registry, timeout_s=1, total_s=2) as client:
        try:
            client.tags(registry.image("acme/web"))
        except oc.RegistryError as error:
            print(error)
        else:
            sys.exit("no error")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_thousand_megabytes_of_anything_take_few_of_ours():
    bomb = gzip.compress(gzip.compress(b" " * 100_000_000, 1))
    packed = b"Content-Encoding: gzip\r\nConnection: close\r\n"
    with (
        Raw(OK + b"Content-Length: 1000000000\r\n\r\n", b" " * 65536) as long,
        Raw(OK + packed + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb) as once,
        Raw(OK + packed + b"\r\n" + gzip.compress(b" " * 100_000_000, 1)) as packed_once,
        Raw(OK + b"Content-Length: 19000000\r\n\r\n" + b"[" + b"[]," * 6_333_333) as values,
        Raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\n  \r\n" * 10_000) as pieces,
        Raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 65536) as refused,
    ):
        servers = [long, once, packed_once, values, pieces, refused]
        done = subprocess.run(
            [sys.executable, "-c", dedent(SCRIPT), *[server.url for server in servers]],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        *errors, grown_mb = done.stdout.splitlines()
        assert len(errors) == len(servers)
        assert int(grown_mb) < 150
        assert long.sent < 100_000_000
        assert refused.sent < 100_000_000


# storms


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("wanted", [{}, {"Retry-After": "0"}, {"Retry-After": "1"}], ids=["none", "0", "1"])
def test_a_storm_of_refusals_ends_in_time(status, wanted, fake):
    fake.script(LIST, Reply(status, "<h1>busy</h1>", wanted), forever=True)
    start = time.monotonic()
    with pytest.raises(RegistryError, match=rf"HTTP status {status}"):
        tags(fake.url)
    assert time.monotonic() - start < 3
    assert len(fake.seen) <= 4


def test_all_that_one_question_takes_has_one_deadline(fake):
    fake.login, fake.bearer = ("ci", "hunter2"), True
    # Each of them alone is quick enough.
    slow = Reply(503, "", {"Retry-After": "0"}, pause_s=0.2)
    fake.script("GET /token", slow, forever=True)
    start = time.monotonic()
    with pytest.raises(RegistryError):
        tags(fake.url, auth=CI)
    assert time.monotonic() - start < 2
    assert len(fake.asked("/token")) <= 4


@pytest.mark.slow
def test_a_list_of_slow_pages_has_a_deadline_too(fake):
    pages = iter(range(1000))
    fake.script(
        LIST,
        lambda seen: Reply(200, {"tags": ["a"]}, {"Link": f"<?p={next(pages)}>; rel=next"}, pause_s=0.1),
        forever=True,
    )
    start = time.monotonic()
    with pytest.raises(
        RegistryError, match=r"(no end within 1000 pages, 200000 tags and|end of its answer within) 1 s"
    ):
        tags(fake.url, timeout_s=0.2, total_s=0.2)
    assert time.monotonic() - start < 3


# where a login, or we ourselves, must not be sent


@pytest.fixture
def names(monkeypatch):
    """Names for 127.0.0.1, which counts as an address of the world, and for 127.0.0.2, which is an inner one."""
    known = {"reg.example": "127.0.0.1", "inner.example": "127.0.0.2", "both.example": "127.0.0.2"}
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: real(known.get(host, host), *a, **k))
    for module in (connections, exchanges, headers):
        monkeypatch.setattr(module, "is_inner", lambda host: host in {"127.0.0.2", "10.0.0.1"})
    return known


@pytest.fixture
def secure(authority, names):
    with FakeRegistry(authority("reg.example")) as fake:
        fake.login, fake.bearer = ("ci", "hunter2"), True
        fake.push("acme/web", "1.0")
        yield fake, f"https://reg.example:{fake.host.rpartition(':')[2]}"


@pytest.mark.parametrize("name", ["inner.example", "127.0.0.2"])
def test_a_login_goes_to_no_token_service_of_an_inner_network_by_name_or_by_address(name, secure, authority):
    fake, url = secure
    with socket.create_server(("127.0.0.2", 0)) as listener:
        listener.settimeout(0.1)
        fake.challenge = f'Bearer realm="https://{name}:{listener.getsockname()[1]}/token"'
        with pytest.raises(RegistryError, match="address of an inner network"):
            tags(url, ca=authority.ca, auth=CI, timeout_s=2, total_s=4)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_registry_of_an_inner_network_may_have_its_token_service_there(secure, authority, names, monkeypatch):
    fake, url = secure
    for module in (connections, exchanges, headers):
        monkeypatch.setattr(module, "is_inner", lambda host: host in {"127.0.0.1", "127.0.0.2"})
    names["inner.example"] = "127.0.0.1"
    with FakeRegistry(authority("inner.example")) as tokens:
        tokens.script("GET /token", lambda seen: fake.tokens.add("t") or Reply(200, {"token": "t"}))
        fake.challenge = f'Bearer realm="https://inner.example:{tokens.host.rpartition(":")[2]}/token"'
        assert tags(url, ca=authority.ca, auth=CI, timeout_s=2, total_s=4) == ("1.0",)


def test_a_redirect_to_an_address_of_an_inner_network_is_not_followed(secure, authority):
    fake, url = secure
    fake.script(LIST, Reply(302, "", {"Location": "https://10.0.0.1/latest/meta-data"}))
    with pytest.raises(RegistryError, match=r"redirects to https://10\.0\.0\.1, which is an address of an inner"):
        tags(url, ca=authority.ca, auth=CI, timeout_s=2, total_s=4)


def test_no_other_server_ever_gets_a_login(fake):
    """Whatever the registry says, in whatever order, and however often."""
    fake.login, fake.bearer = ("ci", "hunter2"), True
    with FakeRegistry() as other:
        other.login = ("x", "y")
        moved = Reply(307, "", {"Location": other.url + "/v2/acme/web/tags/list"})
        for replies in (
            [moved],
            [error(401, "X", **{"WWW-Authenticate": "Basic"}), moved],
            [lambda seen: moved if seen.login else fake._answer(seen), lambda seen: moved],
            [Reply(200, {"tags": ["a"]}, {"Link": f"<{other.url}/v2/acme/web/tags/list>; rel=next"})],
        ):
            fake.script(LIST, *replies)
            with contextlib.suppress(RegistryError):
                tags(fake.url, auth=CI, timeout_s=2, total_s=4)
        fake.script("GET /token", Reply(307, "", {"Location": other.url + "/token"}))
        with contextlib.suppress(RegistryError):
            tags(fake.url, auth=CI, timeout_s=2, total_s=4)
        assert len(other.seen) > 2
        assert [seen.login for seen in other.seen] == [None] * len(other.seen)
        assert "hunter2" not in repr([(seen.target, seen.headers, seen.body) for seen in other.seen])


# TLS


def test_a_certificate_that_nobody_signed_is_refused_before_anything_is_sent(tmp_path):
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    (tmp_path / "c.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with FakeRegistry((str(tmp_path / "c.pem"), str(tmp_path / "k.pem"))) as fake:
        with pytest.raises(RegistryError, match="not signed by an authority known here"):
            tags(fake.url, timeout_s=2)
        assert fake.seen == []


def test_a_handshake_that_drips_is_given_up():
    with Raw(b"\x16\x03\x03\x40\x00", b"\x00", pause_s=0.05) as server:
        start = time.monotonic()
        with pytest.raises(RegistryError, match="did not answer within"):
            tags(server.url.replace("http", "https"))
        assert time.monotonic() - start < 3


def test_a_client_certificate_is_shown_to_the_registry(authority):
    cert, key = authority("client")
    with FakeRegistry(authority("127.0.0.1"), client_ca=authority.ca) as fake:
        fake.push("acme/web", "1.0")
        assert tags(fake.url, ca=authority.ca, cert=cert, key=key, timeout_s=2) == ("1.0",)
        with pytest.raises(RegistryError, match=r"wants a client certificate; set cert= and key=|broke off"):
            tags(fake.url, ca=authority.ca, timeout_s=2)
    assert len(fake.seen) == 1


def test_a_connection_that_breaks_off_behind_a_redirect_is_told_of_where_it_broke(fake):
    with Raw() as other:
        fake.script(LIST, Reply(302, "", {"Location": f"{other.url}/v2/acme/web/tags/list"}), forever=True)
        with pytest.raises(RegistryError, match=f"{other.url} broke off the connection"):
            tags(fake.url)


def test_a_client_certificate_is_shown_to_nobody_else(authority):
    cert, key = authority("client")
    with (
        FakeRegistry(authority("127.0.0.1")) as fake,
        FakeRegistry(authority("127.0.0.1"), client_ca=authority.ca) as other,
    ):
        fake.script(LIST, Reply(302, "", {"Location": f"{other.url}/v2/acme/web/tags/list"}), forever=True)
        with pytest.raises(RegistryError, match=f"{other.url} (wants a client certificate|broke off)"):
            tags(fake.url, ca=authority.ca, cert=cert, key=key, timeout_s=2, total_s=4)
        assert other.seen == []


@pytest.mark.parametrize(
    ("cert", "key", "match"),
    [
        ("none.pem", None, r"file cert='none\.pem' cannot be read: No such file"),
        ("good", "none.pem", r"file key='none\.pem' cannot be read: No such file"),
        ("good", None, "hold no certificate and key in PEM"),
        ("good", "other", "are not of each other"),
        ("empty", "good", "hold no certificate and key in PEM"),
        ("good", "locked", "or the key has a password"),
    ],
)
def test_a_client_certificate_that_is_none_is_an_error_that_says_which_file(cert, key, match, authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    good, good_key = authority("client")
    locked = tmp_path / "locked.key"
    loaded = serialization.load_pem_private_key(Path(good_key).read_bytes(), None)
    locked.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        )
    )
    empty = tmp_path / "empty.pem"
    empty.touch()
    files = {
        "good": (good, good_key),
        "other": authority("other"),
        "locked": ("", str(locked)),
        "empty": (str(empty), ""),
    }
    cert = files[cert][0] if cert in files else cert
    key = files[key][1] if key in files else key
    with pytest.raises(RegistryError, match=match):
        tags("https://127.0.0.1:1", cert=cert, key=key)
