"""Files of targets: what they may hold, and what is said about each mistake."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import octossh as oc
from octossh.inventory import read_targets

GOOD = """\
# our hosts
targets:
  h01:
    address: 10.0.0.11
    user: deploy
    port: 2222
    roles: [web, db]
    environments: [Dev]
    docker: sudo -n docker
  h02: {address: h02.example.com, docker_host: "unix:///run/user/1000/docker.sock"}
"""


def test_a_file_gives_targets_in_its_order(tmp_path):
    (tmp_path / "targets.yml").write_text(GOOD)
    assert read_targets(str(tmp_path / "targets.yml")) == (
        oc.Target(
            "h01",
            "10.0.0.11",
            user="deploy",
            port=2222,
            roles=["db", "web"],
            environments=["Dev"],
            docker=["sudo", "-n", "docker"],
        ),
        oc.Target("h02", "h02.example.com", docker_host="unix:///run/user/1000/docker.sock"),
    )


WRONG = {
    "nothing in it": ("", ["write 'targets:' at its top"]),
    "a list": ("- h01\n", ["write 'targets:' at its top"]),
    "text": ("hello", ["write 'targets:' at its top"]),
    "no targets": ("targets:\n", ["below it one entry per target"]),
    "an empty mapping of targets": ("targets: {}\n", ["below it one entry per target"]),
    "something beside them": (GOOD + "hosts: {}\n", ["nothing beside it"]),
    "a tab": ("targets:\n\th01:\n", ["is not YAML", "line 2", "correct it there"]),
    "an open bracket": ("targets: {h01: {address: [", ["is not YAML", "line 1"]),
    "two documents": ("a: 1\n---\nb: 1\n", ["is not YAML"]),
    "an object": ("targets: !!python/object/apply:os.system ['true']\n", ["is not YAML", "python/object"]),
    "a date that is none": (
        "targets: {h01: {address: h, port: 2024-99-99}}",
        ["'h01'", "port '2024-99-99'", "1 to 65535"],
    ),
    "a target twice": (
        GOOD + "  h01: {address: 10.0.0.12}\n",
        ["line 11", "'h01' stands there twice", "rename or remove"],
    ),
    "a field twice": ("targets: {h01: {address: a, address: b}}", ["line 1", "'address' stands there twice"]),
    "a name that is a number": ("targets: {1: {address: h}}", ["the name 1 is not text", "quotes"]),
    "a name that is a switch": ("targets: {true: {address: h}}", ["the name True is not text", "quotes"]),
    "no fields": ("targets: {h01: }", ["'h01' has no fields", "give it an address"]),
    "no address": ("targets: {h01: {user: deploy}}", ["'h01' has no address", "give a host name"]),
    "an address that is a number": ("targets: {h01: {address: 10.0}}", ["'h01' has no address"]),
    "an address with a port": ("targets: {h01: {address: 'h:22'}}", ["'h01'", "'h:***'", "fields of their own"]),
    "a port that is text": ("targets: {h01: {address: h, port: '22'}}", ["'h01'", "port '22'", "1 to 65535"]),
    "a field that is misspelt": ("targets: {h01: {adress: h}}", ["'h01'", "'adress'", "did you mean 'address'?"]),
    "a field that is a list": ("targets: {h01: {? [a] : b}}", ["is not YAML"]),
    "roles that are text": ("targets: {h01: {address: h, roles: web}}", ["'h01'", "roles", "write ['web']"]),
    "roles that are empty": ("targets: {h01: {address: h, roles: }}", ["'h01'", "roles", "leave it out"]),
    "a user that is a number": ("targets: {h01: {address: h, user: 5}}", ["'h01'", "5 is not a user name"]),
    "bytes": (b"targets: \xff\xfe", ["is not YAML"]),
    "a character of control": ("targets: \x07", ["is not YAML"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_told_with_the_file_the_target_and_what_to_do(what, tmp_path):
    text, words = WRONG[what]
    file = tmp_path / "targets.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(oc.ModelError) as caught:
        read_targets(file)
    message = str(caught.value)
    assert message.startswith(f"targets file {file}")
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("name", ["missing.yml", "."])
def test_a_file_that_cannot_be_read_is_told_with_the_reason(name, tmp_path):
    with pytest.raises(oc.ModelError, match=r"cannot be read: .*; give another path"):
        read_targets(tmp_path / name)


@settings(max_examples=settings().max_examples * 3 // 5)
@given(st.text(st.sampled_from("ab01:{}[]-!&*|>?'\"%@,# \n\ttargets"), max_size=30) | st.binary(max_size=20))
def test_whatever_is_in_a_file_it_gives_targets_or_a_model_error(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "garbage.yml"
    file.write_bytes(text if isinstance(text, bytes) else b"targets: " + text.encode())
    try:
        assert read_targets(file)
    except oc.ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either is right
