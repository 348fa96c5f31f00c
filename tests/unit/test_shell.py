"""Words, payloads and masking."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import shlex
import subprocess
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.errors import ModelError
from octossh.shell import Masker, Script, Secret, Words, payload, quote

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ASCII = st.text(st.characters(codec="ascii", exclude_characters="\0*"), max_size=20)
SECRETS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="*"), min_size=8, max_size=40)


@given(TEXT)
def test_quote_makes_exactly_one_word_of_any_text(text: str) -> None:
    assert shlex.split(f"a {quote(text)} b") == ["a", text, "b"]


def test_quote_leaves_words_as_they_are_and_knows_numbers_and_booleans() -> None:
    assert quote(Words('"$x"')) == '"$x"'
    assert [quote(value) for value in (5, 2.5, True, False)] == ["5", "2.5", "true", "false"]
    assert quote(quote("a b")) == "'a b'"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "a NoneType cannot stand in a script"),
        (["a"], "a list cannot stand in a script"),
        (Secret("pa55word"), "a Secret cannot stand in a script"),
        ("a\0b", "holds a NUL character"),
        ("a\ud800b", "holds half of a surrogate pair"),
    ],
)
def test_quote_refuses_what_is_no_text(value: object, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        quote(value)


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("pa55word")
    assert secret.reveal() == "pa55word"
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr({"a": secret})):
        assert "pa55word" not in shown
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            take(secret)


@pytest.mark.parametrize("value", [None, b"bytes", 5, "a\0b"])
def test_a_secret_that_no_shell_could_hold_is_refused_without_showing_it(value: object) -> None:
    with pytest.raises(ModelError) as caught:
        Secret(value)  # type: ignore[arg-type]
    assert "a\0b" not in str(caught.value)


def test_a_secret_that_is_no_text_is_refused_without_showing_it() -> None:
    with pytest.raises(ModelError) as caught:
        payload(Script("x", "", ("a",)), "n", {"a": Secret("pa55word\udcff")})
    assert "pa55word" not in str(caught.value)


def test_a_fingerprint_tells_values_and_names_apart_and_gives_nothing_away() -> None:
    prints = {Secret(value).fingerprint(name) for value in ("x", "y") for name in ("a", "b")}
    assert len(prints) == 4
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in prints)
    assert Secret("x").fingerprint("a") == Secret("x").fingerprint("a")


@given(TEXT, TEXT)
def test_a_payload_gives_the_script_its_nonce_and_its_secrets(first: str, second: str) -> None:
    script = Script("x", 'printf "%s" "$octossh_secret_1"', ("one", "two"))
    lines = payload(script, "abc", {"one": Secret(first), "two": Secret(second), "more": Secret("unused")})
    assert lines.startswith(b"octossh_nonce=abc\n")
    assert lines.endswith(script.body.encode())
    assert b"unused" not in lines or "unused" in first + second
    words = shlex.split(lines.decode().removesuffix(script.body))
    assert words == ["octossh_nonce=abc", f"octossh_secret_0={first}", f"octossh_secret_1={second}"]


def test_a_shell_reads_the_secrets_of_a_payload_as_they_are() -> None:
    value = 'it\'s "$HOME" `id`\n\\\t€'
    sent = payload(Script("x", 'printf "%s" "$octossh_secret_0"', ("one",)), "abc", {"one": Secret(value)})
    assert subprocess.run(["sh", "-s"], input=sent, capture_output=True).stdout == value.encode()


def test_a_payload_without_a_value_for_a_secret_is_refused() -> None:
    with pytest.raises(ModelError, match="secret 'two' has no value; run_container web needs it"):
        payload(Script("run_container web", "", ("one", "two")), "abc", {"one": Secret("x")})


def test_the_digest_of_a_script_is_that_of_its_body_and_the_body_is_not_shown() -> None:
    assert Script("a", "x").digest == Script("b", "x").digest != Script("a", "y").digest
    assert "body of it" not in repr(Script("a", "body of it"))


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in quotes for a shell": shlex.quote,
    "quoted for a URL": lambda text: urllib.parse.quote(text, safe=""),
    "quoted for a URL, but for slashes": urllib.parse.quote,
    "quoted for a URL by JavaScript": lambda text: urllib.parse.quote(text, safe="!~*'()"),
    "quoted for a form": urllib.parse.quote_plus,
    "shown by set -x": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "quoted for JSON by docker": lambda text: (
        json.dumps(text)[1:-1].replace("<", "\\u003c").replace("&", "\\u0026").replace(">", "\\u003e")
    ),
    "quoted for JSON": lambda text: json.dumps(text)[1:-1],
    "quoted for JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
}


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS, before=ASCII, after=ASCII)
def test_a_secret_anywhere_in_text_is_masked(form: str, secret: str, before: str, after: str) -> None:
    shown = Masker([Secret(secret)])(f"{before}{FORMS[form](secret)}{after}")
    assert secret not in shown
    assert FORMS[form](secret) not in shown
    assert "***" in shown


@given(SECRETS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_secret_inside_of_something_in_base64_is_masked(secret: str, before: bytes, after: bytes) -> None:
    shown = Masker([Secret(secret)])(base64.b64encode(before + secret.encode() + after).decode())
    assert "***" in shown
    # What is left cannot hold more than the edges: a byte of the secret at most on either side.
    rest = shown.split("***", 1)
    edge = base64.b64encode(before).decode().rstrip("=")
    assert len(rest[0]) <= len(edge) + 2


@given(SECRETS, SECRETS)
def test_of_two_secrets_one_of_which_holds_the_other_nothing_is_left(one: str, two: str) -> None:
    shown = Masker([Secret(one), Secret(one + two)])(f"<{one}{two}> <{one}>")
    assert shown == "<***> <***>"


@pytest.mark.parametrize("width", [64, 76])
@given(st.text("abc+/?ÿ~", min_size=100, max_size=300))
def test_a_long_secret_in_base64_of_several_lines_is_masked_line_by_line(width: int, secret: str) -> None:
    whole = base64.b64encode(secret.encode()).decode()
    mask = Masker([Secret(secret)])
    lines = [whole[at : at + width] for at in range(0, len(whole), width)]
    assert {mask(line) for line in lines if len(line) >= 8} == {"***"}


@given(st.text("abc+/?ÿ~", min_size=9, max_size=40), st.binary(max_size=9))
def test_a_secret_in_the_base64_of_urls_is_masked(secret: str, before: bytes) -> None:
    whole = base64.urlsafe_b64encode(before + secret.encode()).decode()
    assert "***" in Masker([Secret(secret)])(whole)


def test_each_long_line_of_a_secret_of_several_lines_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nAB\n-----END KEY-----\n"
    shown = Masker([Secret(key)])("one line: MIIEvQIBADANBg and AB")
    assert shown == "one line: *** and AB"


@given(TEXT)
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert Masker([])(text) == text
    assert Masker([Secret("abc")])(text) == text


def test_a_masker_does_not_show_what_it_masks() -> None:
    assert "pa55" not in repr(Masker([Secret("pa55word")]))
