"""Challenges, next pages, waiting times, origins: octossh.registry.headers."""

from __future__ import annotations

import json
import urllib.parse
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.registry import headers
from octossh.registry.headers import Challenge, challenges, next_page, origin, realm_fault, retry_after_s

CASES = json.loads((Path(__file__).parents[1] / "data/registry_cases.json").read_text())


@pytest.mark.parametrize("case", CASES["challenges"], ids=lambda case: case["note"][:40])
def test_a_challenge_of_a_known_registry_is_read(case):
    found = challenges(case["header"])
    assert [c.scheme for c in found] == case.get("schemes", [case.get("scheme")])
    for name in ("realm", "service", "scope", "error"):
        if name in case:
            assert found[0].params.get(name) == case[name]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        (", ,", ()),
        ("Basic", (Challenge("basic", {}),)),
        ("Negotiate, Basic realm=x", (Challenge("negotiate"), Challenge("basic", {"realm": "x"}))),
        ("NTLM abc==, Basic realm=x", (Challenge("ntlm"), Challenge("basic", {"realm": "x"}))),
        ('Bearer realm = "a\\"b, c"', (Challenge("bearer", {"realm": 'a"b, c'}),)),
        ('Bearer realm="a" service="b"', (Challenge("bearer", {"realm": "a", "service": "b"}),)),
        ("Bearer realm=https://a/t,service=b", (Challenge("bearer", {"realm": "https://a/t", "service": "b"}),)),
        ('Bearer realm="cut off', (Challenge("bearer", {"realm": "cut off"}),)),
        ('Bearer realm="1",realm="2"', (Challenge("bearer", {"realm": "1"}),)),
        ('realm="without a scheme"', (Challenge("realm"), Challenge("without"), Challenge("a"), Challenge("scheme"))),
    ],
)
def test_an_odd_challenge_is_read_as_far_as_it_goes(header, expected):
    assert challenges(header) == expected


@given(st.text(alphabet='Bearlm="\\, \tx=;<>é', max_size=60))
def test_no_header_makes_the_readers_fail_in_another_way(text):
    challenges(text)
    retry_after_s(text)
    try:
        following = next_page(text, "https://reg.example/v2/a/tags/list?n=1")
    except ValueError:
        return
    assert following is None or origin(following) == ("https", "reg.example", 443)


def test_a_long_header_is_read_in_no_time():
    assert challenges('Bearer realm="' + '\\"' * 30_000)
    assert challenges("a=" * 30_000)
    assert next_page("<" + ">;rel" * 10_000, "https://reg.example/") is None


def comparable(url):
    parts = urllib.parse.urlsplit(url)
    return parts._replace(query=None), sorted(urllib.parse.parse_qsl(parts.query))


@pytest.mark.parametrize("case", [c for c in CASES["link_headers"] if c["next"]], ids=lambda case: case["why"][:40])
def test_a_next_page_of_a_known_registry_is_found(case):
    assert comparable(next_page(case["link"], case["request"])) == comparable(case["next"])


@pytest.mark.parametrize(
    "case",
    [c for c in CASES["link_headers"] if not c["next"] and ("refuse" in c["why"] or "empty" in c["why"])],
    ids=lambda case: case["why"][:40],
)
def test_a_next_page_that_must_not_be_followed_is_an_error(case):
    with pytest.raises(ValueError, match=r"another server|no next page"):
        next_page(case["link"], case["request"])


@pytest.mark.parametrize(
    ("link", "query"),
    [
        ('</x?a=1>; rel="prev", </x?a=2>; rel="next"', "a=2"),
        ('</x?a=1>; rel="next last"', "a=1"),
        ('</x?a=1>; title="a, b; rel=prev"; REL=NEXT', "a=1"),
        ("<?a=1>;rel=next", "a=1"),
        ('</x?a=1>; rel="prev"', None),
        ("</x?a=1>", None),
        (None, None),
        ('</x?a=1>; title="; rel=next"', None),
    ],
)
def test_the_next_page_is_the_one_that_says_so(link, query):
    following = next_page(link, "http://h:1/v2/r/tags/list?n=9")
    assert following == (query and f"http://h:1/v2/r/tags/list?{query}")


def test_a_link_header_that_cannot_be_read_is_an_error_and_no_end_of_the_list():
    with pytest.raises(ValueError, match="cannot be read"):
        next_page('/v2/r/tags/list?last=b; rel="next"', "http://h:1/v2/r/tags/list")


@pytest.mark.parametrize(
    "link", ["http://h:2/?a", "//evil/?a", "ftp://h:1/?a", "http://u:p@h:1/?a", "http://[/?a", "http://h:99999/?a"]
)
def test_a_next_page_on_another_server_is_an_error_that_names_no_query(link):
    with pytest.raises(ValueError, match="another server") as caught:
        next_page(f"<{link}>; rel=next", "http://h:1/v2/r/tags/list?n=9")
    assert "?" not in str(caught.value)
    assert "u:p" not in str(caught.value)


def test_a_value_of_a_query_is_replaced_and_the_others_stay_as_they_are():
    assert headers.with_query("http://h/p?n=9&last=a#x", last="b c") == "http://h/p?n=9&last=b+c"
    assert headers.with_query("http://h/p", n="1") == "http://h/p?n=1"


@pytest.mark.parametrize(("text", "expected"), [("5", 5.0), ("0", 0.0), (" 7 ", 7.0), ("9" * 400, 999999999.0)])
def test_retry_after_is_read_as_seconds(text, expected):
    assert retry_after_s(text) == expected


@pytest.mark.parametrize("text", [None, "", "soon", "-1", "1.5", "inf", "٣", "Mon, 99 Foo"])
def test_a_retry_after_that_says_nothing_is_none(text):
    assert retry_after_s(text) is None


def test_retry_after_is_read_as_a_date():
    then = datetime.now(UTC) + timedelta(seconds=30)
    assert 28 < retry_after_s(format_datetime(then, usegmt=True)) <= 30
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
    ],
)
def test_an_inner_address_is_seen_however_it_is_written(host):
    assert headers.is_inner(host)


@pytest.mark.parametrize(
    "host", ["auth.docker.io", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "10.example.com", "", "é" * 300]
)
def test_an_outer_address_or_a_name_is_not_inner(host):
    assert not headers.is_inner(host)


@pytest.mark.parametrize(
    ("realm", "registry", "fault"),
    [
        ("https://auth.docker.io/token", "https://registry-1.docker.io", None),
        ("https://reg.example:444/token", "https://reg.example", None),
        ("https://10.0.0.1/token", "https://10.0.0.1", None),
        ("https://10.0.0.2/token", "https://10.0.0.1", None),
        ("https://auth.example/token", "http://reg.example", None),
        ("http://reg.example/token", "http://reg.example:5000", None),
        ("http://reg.example/token", "https://reg.example", "which is not https"),
        ("http://auth.example/token", "http://reg.example", "which is not https"),
        ("https://10.0.0.1/token", "https://reg.example", "which is an address of an inner network"),
        ("https://0x7f.1/token", "https://reg.example", "which is an address of an inner network"),
        ("https://u:p@auth.example/token", "https://reg.example", "which is no http URL"),
        ("file:///etc/passwd", "https://reg.example", "which is no http URL"),
        ("Artifactory Realm", "https://reg.example", "which is no http URL"),
    ],
)
def test_a_token_service_that_may_not_have_the_login_is_known(realm, registry, fault):
    assert realm_fault(realm, registry) == fault


@pytest.mark.parametrize("case", [c for c in CASES["challenges"] if c.get("refuse")])
def test_the_realm_of_a_hostile_challenge_is_refused(case):
    assert realm_fault(challenges(case["header"])[0].params["realm"], "https://reg.example")


def test_a_url_in_a_message_has_neither_path_nor_query_nor_login():
    assert headers.place("https://h:8443/a?token=t") == "https://h:8443"
    assert headers.place("https://h:443/a?token=t") == "https://h"
    assert headers.place("http://[::1]:5000/") == "http://[::1]:5000"
    assert "p" not in headers.place("https://u:ppp@h/").replace("place", "").replace("http", "")
