"""Tries, redirects, limits, TLS and failures in words: octossh.registry.exchanges."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import time

import pytest

from octossh.errors import RegistryError
from octossh.model.credentials import Basic
from octossh.model.images import Registry
from octossh.model.secrets import SecretRef
from octossh.registry import RegistryClient, exchanges
from octossh.shell import Secret
from octossh.testing.registry import CLOSE, RESET, FakeRegistry, Reply

LIST = "GET /v2/acme/web/tags/list"
TAGS = Reply(200, {"tags": ["1.0"]})


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(exchanges, "PAUSE_S", 0.01)


@pytest.fixture
def fake():
    with FakeRegistry() as fake:
        fake.push("acme/web", "1.0")
        yield fake


def tags(url, *, timeout_s=5.0, total_s=60.0, **options):
    registry = Registry("fake", url, **options)
    with RegistryClient(registry, secrets=lambda _: Secret("hunter2"), timeout_s=timeout_s, total_s=total_s) as client:
        return client.tags(registry.image("acme/web"))


CI = Basic("ci", SecretRef("PW"))


# tries


@pytest.mark.parametrize(
    "fault",
    [Reply(429), Reply(502), Reply(503), Reply(504), RESET, CLOSE, Reply(200, '{"tags": [', length=99, then="close")],
    ids=["429", "502", "503", "504", "reset", "close", "truncated"],
)
def test_a_fault_that_passes_is_not_seen(fault, fake):
    fake.script(LIST, fault, fault, fault)
    assert tags(fake.url) == ("1.0",)
    assert len(fake.seen) == 4


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        (Reply(429), r"too many requests \(HTTP status 429\); try again later, or log in"),
        (Reply(503), "answered with HTTP status 503; try again later"),
        (RESET, r"broke off the connection \(4 tries\)"),
        (Reply(200, '{"tags": []', length=99, then="close"), r"broke off the connection \(4 tries\)"),
        (
            Reply(200, '5\r\n{"tag', {"Transfer-Encoding": "chunked"}, then="close"),
            r"broke off the connection \(4 tries\)",
        ),
    ],
    ids=["429", "503", "reset", "truncated", "chunk"],
)
def test_a_fault_that_stays_is_an_error_after_four_tries(fault, match, fake):
    fake.script(LIST, fault, forever=True)
    with pytest.raises(RegistryError, match=match):
        tags(fake.url)
    assert len(fake.seen) == 4


@pytest.mark.parametrize("status", [403, 418, 500, 501])
def test_a_fault_that_does_not_pass_is_not_tried_again(status, fake):
    fake.script(LIST, Reply(status), forever=True)
    with pytest.raises(RegistryError):
        tags(fake.url)
    assert len(fake.seen) == 1


@pytest.mark.slow
def test_a_pause_that_is_asked_for_is_made(fake):
    fake.script(LIST, Reply(429, "", {"Retry-After": "1"}))
    start = time.monotonic()
    assert tags(fake.url) == ("1.0",)
    assert 1.0 <= time.monotonic() - start < 3


@pytest.mark.parametrize("wanted", ["3600", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_of_more_than_a_minute_is_not_made(wanted, fake):
    fake.script(LIST, Reply(429, "<html>", {"Retry-After": wanted}), forever=True)
    start = time.monotonic()
    with pytest.raises(RegistryError, match=r"try again in \d+ s"):
        tags(fake.url)
    assert time.monotonic() - start < 2
    assert len(fake.seen) == 1


# limits of time


def test_a_server_that_does_not_answer_is_given_up(fake):
    fake.script(LIST, Reply(200, {"tags": []}, pause_s=30))
    start = time.monotonic()
    with pytest.raises(RegistryError, match=r"did not answer within 0\.3 s; .*raise timeout_s"):
        tags(fake.url, timeout_s=0.3)
    assert time.monotonic() - start < 3


def test_a_server_that_drips_is_given_up(fake):
    fake.script(LIST, Reply(200, b" " * 1000, drip_s=0.05))
    start = time.monotonic()
    with pytest.raises(RegistryError, match=r"did not come to the end of its answer within 0\.4 s"):
        tags(fake.url, timeout_s=0.3, total_s=0.4)
    assert time.monotonic() - start < 3


def test_a_port_where_nobody_answers_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(RegistryError, match=r"did not answer within 0\.3 s"):
            tags(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)


# failures in words


def test_a_refused_connection_is_an_error_that_says_so():
    with pytest.raises(
        RegistryError, match=r"registry 'fake' \(127\.0\.0\.1:1\): refused the connection; see whether it runs"
    ):
        tags("http://127.0.0.1:1")


def test_a_name_that_is_not_in_dns_is_an_error_that_says_so(monkeypatch):
    def unknown(*args, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(RegistryError, match=r"the name reg\.invalid could not be found in DNS"):
        tags("https://reg.invalid")


def test_a_network_without_a_route_is_an_error_that_says_so(monkeypatch):
    def no_route(*args, **options):
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket.socket, "connect", no_route)
    with pytest.raises(RegistryError, match="there is no route to it"):
        tags("http://127.0.0.1:9")


def test_a_server_that_speaks_no_http_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(2)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1000)
                        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(RegistryError, match="broke off the connection"):
                tags(f"http://127.0.0.1:{server.getsockname()[1]}")
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_proxy_of_the_environment_is_used(fake, monkeypatch):
    monkeypatch.setenv("http_proxy", fake.url)
    fake.script("GET http://reg.invalid/v2/", TAGS)
    assert tags("http://reg.invalid") == ("1.0",)


def test_a_proxy_that_is_down_is_an_error_that_does_not_show_its_password(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://u:hunter2@127.0.0.1:1")
    with pytest.raises(RegistryError, match="is behind a proxy that lets nothing through; see HTTPS_PROXY") as caught:
        tags("https://reg.invalid")
    assert "hunter2" not in str(caught.value)


def test_an_error_does_not_chain_what_the_http_library_says(fake):
    with pytest.raises(RegistryError) as caught:
        tags("http://127.0.0.1:1")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "\n" not in str(caught.value)


# what is sent


def test_netrc_is_not_read(fake, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    fake.script(LIST, Reply(302, "", {"Location": "/elsewhere"}))
    fake.script("GET /elsewhere", TAGS)
    tags(fake.url)
    assert [seen.login for seen in fake.seen] == [None, None]


def test_a_cookie_is_not_sent_back(fake):
    link = "<?p=2>; rel=next"
    fake.script(LIST, Reply(200, {"tags": []}, {"Set-Cookie": "sid=1; Path=/", "Link": link}))
    tags(fake.url)
    assert "Cookie" not in fake.seen[1].headers


def test_bytes_are_asked_for_as_they_are(fake):
    tags(fake.url)
    assert fake.seen[0].headers["Accept-Encoding"] == "identity"
    assert fake.seen[0].headers["User-Agent"].startswith("octossh")


def test_a_packed_answer_is_unpacked_though_nobody_asked_for_it(fake):
    fake.script(LIST, Reply(200, gzip.compress(b'{"tags": ["1.0"]}'), {"Content-Encoding": "gzip"}))
    assert tags(fake.url) == ("1.0",)


def test_a_packed_answer_counts_as_long_as_it_unpacks_to(fake):
    fake.script(LIST, Reply(200, gzip.compress(b" " * 30_000_000), {"Content-Encoding": "gzip"}))
    with pytest.raises(RegistryError, match="more than the 20000000 bytes"):
        tags(fake.url)


def test_the_text_of_a_refusal_is_not_read_to_its_end(fake):
    fake.script(LIST, Reply(404, b"x" * 100_000_000))
    start = time.monotonic()
    with pytest.raises(RegistryError, match="no such repository"):
        tags(fake.url)
    assert time.monotonic() - start < 2


# redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status, fake):
    fake.script(LIST, Reply(status, "x" * 100, {"Location": "/elsewhere?x=1"}))
    fake.script("GET /elsewhere?x=1", TAGS)
    assert tags(fake.url) == ("1.0",)


def test_a_redirect_on_the_same_server_keeps_the_login(fake):
    fake.login = ("ci", "hunter2")
    fake.script(LIST, Reply(307, "", {"Location": "/v2/acme/web/tags/list"}))
    assert tags(fake.url, auth=CI) == ("1.0",)
    assert fake.seen[-1].login


def test_a_redirect_to_another_server_does_not_carry_the_login(fake):
    fake.login = ("ci", "hunter2")
    with FakeRegistry() as other:
        other.script("GET /back", Reply(302, "", {"Location": fake.url + "/last"}))
        fake.script("GET /last", TAGS)
        moved = Reply(307, "", {"Location": other.url.replace("http", "HTTP") + "/back?token=hunter2"})
        fake.script(LIST, lambda seen: moved if seen.login else fake._answer(seen), forever=True)
        assert tags(fake.url, auth=CI) == ("1.0",)
        assert [seen.login for seen in other.seen] == [None]
        assert [bool(seen.login) for seen in fake.seen] == [False, True, False]


def test_a_server_that_is_redirected_to_and_wants_a_login_does_not_get_ours(fake):
    with FakeRegistry() as other:
        other.login = ("ci", "hunter2")
        fake.script(LIST, Reply(307, "", {"Location": other.url + "/v2/acme/web/tags/list?token=abcdef"}))
        with pytest.raises(
            RegistryError, match=f"it sends on to {other.url}, which wants a login of its own"
        ) as caught:
            tags(fake.url, auth=CI)
        assert "abcdef" not in str(caught.value)
        assert [seen.login for seen in other.seen] == [None]


def test_the_pages_of_a_server_that_is_redirected_to_are_read_there_without_a_login(fake):
    with FakeRegistry() as other:
        other.push("acme/web", "a", "b")
        other.page = 1
        fake.script(LIST, Reply(307, "", {"Location": other.url + "/v2/acme/web/tags/list"}))
        assert tags(fake.url) == ("a", "b")


def test_the_further_pages_of_a_server_that_is_redirected_to_are_not_asked_with_our_login(fake):
    fake.login = ("ci", "hunter2")
    with FakeRegistry() as other:
        other.push("acme/web", "a", "b", "c")
        other.page = 1
        moved = Reply(307, "", {"Location": other.url + "/v2/acme/web/tags/list"})
        fake.script(LIST, lambda seen: moved if seen.login else fake._answer(seen), forever=True)
        assert tags(fake.url, auth=CI) == ("a", "b", "c")
        assert [seen.login for seen in other.seen] == [None, None, None]


def test_a_redirect_in_a_circle_is_an_error(fake):
    fake.script(LIST, Reply(302, "", {"Location": "?x"}), forever=True)
    with pytest.raises(RegistryError, match="redirects more than 5 times"):
        tags(fake.url)
    assert len(fake.seen) == 6


def test_a_server_that_is_redirected_to_is_named_without_the_token_in_its_url(fake):
    fake.script(LIST, Reply(302, "", {"Location": "http://127.0.0.1:1/x?token=hunter2"}))
    with pytest.raises(RegistryError, match=r"\): http://127\.0\.0\.1:1 refused the connection") as caught:
        tags(fake.url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "", "http://[", "//u:hunter2@h/", "http://h:99999/", None])
def test_a_redirect_to_no_url_is_an_error(location, fake):
    fake.script(LIST, Reply(302, "", {} if location is None else {"Location": location}))
    with pytest.raises(RegistryError, match="redirects to a place that is no http URL") as caught:
        tags(fake.url)
    assert "hunter2" not in str(caught.value)


def test_the_long_body_of_a_redirect_is_not_read_to_its_end(fake):
    fake.script(LIST, Reply(302, b"x" * 100_000_000, {"Location": "/elsewhere"}))
    fake.script("GET /elsewhere", TAGS)
    start = time.monotonic()
    assert tags(fake.url) == ("1.0",)
    assert time.monotonic() - start < 2


def test_no_token_of_a_url_comes_into_the_log(fake, caplog):
    caplog.set_level(logging.DEBUG)
    fake.script(LIST, Reply(302, "", {"Location": "/elsewhere?X-Amz-Signature=hunter2&n=1&token=hunter2#x"}))
    fake.script("GET /elsewhere", TAGS)
    tags(fake.url)
    assert "hunter2" not in caplog.text
    assert "/elsewhere?X-Amz-Signature=***&n=1&token=***" in caplog.text


def test_headers_that_cannot_be_read_bring_no_token_into_the_log(fake, caplog):
    fake.script(LIST, Reply(302, "", {"Location": "/elsewhere?token=hunter2"}))
    # A blank in its name: what follows is no header any more.
    fake.script("GET /elsewhere", Reply(200, {"tags": ["1.0"]}, {"X Broken": "x", "Connection": "close"}))
    with contextlib.suppress(RegistryError):
        tags(fake.url)
    assert "Failed to parse headers" in caplog.text
    assert "hunter2" not in caplog.text


# TLS


def test_a_certificate_of_the_own_authority_is_trusted(authority):
    with FakeRegistry(authority("127.0.0.1")) as fake:
        fake.push("acme/web", "1.0")
        assert tags(fake.url, ca=authority.ca) == ("1.0",)


def test_a_certificate_of_an_unknown_authority_is_an_error_that_says_what_to_set(authority):
    with FakeRegistry(authority("127.0.0.1")) as fake:
        with pytest.raises(
            RegistryError, match=r"TLS certificate is not signed by an authority known here .*; set ca= to the file"
        ):
            tags(fake.url)
        assert fake.seen == []


def test_no_environment_turns_the_check_of_certificates_off(authority, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "")
    with FakeRegistry(authority("127.0.0.1")) as fake, pytest.raises(RegistryError, match="TLS certificate"):
        tags(fake.url)


@pytest.mark.parametrize(
    ("name", "days", "match"),
    [
        ("127.0.0.2", 9, "TLS certificate is for another address"),
        ("other.example", 9, "TLS certificate is for another"),
        ("127.0.0.1", -1, "TLS certificate has expired; renew it"),
    ],
)
def test_a_certificate_that_does_not_hold_is_an_error_that_says_why(name, days, match, authority):
    with FakeRegistry(authority(name, days)) as fake, pytest.raises(RegistryError, match=match):
        tags(fake.url, ca=authority.ca)


def test_https_to_a_server_of_plain_http_says_so(fake):
    with pytest.raises(
        RegistryError, match=f"does not speak TLS with us .*; if it speaks plain http, write its url as {fake.url}"
    ):
        tags(fake.url.replace("http", "https"))


def test_a_redirect_from_https_to_http_is_an_error(authority, fake):
    with FakeRegistry(authority("127.0.0.1")) as secure:
        secure.script(LIST, Reply(302, "", {"Location": fake.url + "/?token=hunter2"}))
        with pytest.raises(
            RegistryError, match=f"redirects from https to {fake.url}; octossh does not follow"
        ) as caught:
            tags(secure.url, ca=authority.ca)
        assert "hunter2" not in str(caught.value)
        assert fake.seen == []


def test_a_password_goes_to_no_token_service_of_plain_http(authority, fake):
    fake.login, fake.bearer = ("ci", "hunter2"), True
    with FakeRegistry(authority("127.0.0.1")) as secure:
        secure.login, secure.bearer = ("ci", "hunter2"), True
        secure.challenge = f'Bearer realm="{fake.url}/token"'
        with pytest.raises(
            RegistryError, match=f"sends logins to {fake.url}, which is not https; nothing was sent there"
        ):
            tags(secure.url, ca=authority.ca, auth=CI)
    assert fake.seen == []


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "cannot be read: No such file"), ("", "holds no certificate"), ("hunter2", "holds no certificate")],
)
def test_a_file_of_an_authority_that_is_none_is_an_error(content, match, tmp_path):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RegistryError, match=match):
        tags("https://127.0.0.1:1", ca=str(file))
