"""Logins from docker's config.json and its helpers: octossh.registry.credentials."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path

import pytest

from octossh.errors import RegistryError
from octossh.model.credentials import Basic
from octossh.model.images import Registry
from octossh.model.secrets import SecretRef
from octossh.registry import RegistryClient, credentials
from octossh.registry.credentials import Credentials, config_file, find_credentials
from octossh.shell import Secret

CASES = json.loads((Path(__file__).parents[1] / "data/registry_cases.json").read_text())


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def write(tmp_path):
    def write(config):
        file = tmp_path / "config.json"
        file.write_text(config if isinstance(config, str) else json.dumps(config))
        return file

    return write


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Puts a credential helper on the PATH; it notes what it was given in ``<name>.got``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def helper(name, script):
        file = folder / f"docker-credential-{name}"
        file.write_text(f'#!/bin/sh\n{{ printf "%s:" "$@"; cat; }} >{tmp_path}/{name}.got\n{script}\n')
        file.chmod(0o755)
        return tmp_path / f"{name}.got"

    return helper


def login(user, secret):
    return "echo '" + json.dumps({"ServerURL": "x", "Username": user, "Secret": secret}) + "'"


@pytest.mark.parametrize(
    "case",
    [c for c in CASES["docker_configs"] if "config" in c and isinstance(c["expect"], dict)],
    ids=lambda case: case.get("note", "")[:40],
)
def test_a_config_of_a_known_form_gives_its_login(case, write):
    found = find_credentials(case["registry"], write(case["config"]))
    expected = case["expect"]
    if "username" in expected:
        assert (found.user, found.password.reveal()) == (expected["username"], expected["password"])
        assert found.kind == "password"
    elif "identitytoken" in expected:
        assert (found.kind, found.password.reveal()) == ("identity", expected["identitytoken"])
    else:
        assert (found.kind, found.password.reveal()) == ("bearer", expected["bearer"])


@pytest.mark.parametrize(
    "case", [c for c in CASES["docker_configs"] if str(c["expect"]).startswith("helper:")], ids=lambda c: c["expect"]
)
def test_a_config_that_names_a_helper_asks_it(case, write, helper):
    name = case["expect"].removeprefix("helper:docker-credential-").removesuffix(" get")
    got = helper(name, login("u", "p"))
    found = find_credentials(case["registry"], write(case["config"]))
    assert (found.user, found.password.reveal()) == ("u", "p")
    assert got.read_text() == f"get:{case['registry']}"


@pytest.mark.parametrize("case", [c for c in CASES["docker_configs"] if "helper_output" in c], ids=str)
def test_what_a_helper_answers_is_read(case, write, helper):
    helper("x", "echo '" + json.dumps(case["helper_output"]) + "'")
    found = find_credentials("reg.example.com", write({"credsStore": "x"}))
    expected = case["expect"]
    if expected == "not found":
        assert found is None
    elif "identitytoken" in expected:
        assert (found.kind, found.password.reveal()) == ("identity", expected["identitytoken"])
    else:
        assert (found.user, found.password.reveal()) == (expected["username"], expected["password"])


@pytest.mark.parametrize(
    "key",
    ["reg:5000", "https://reg:5000", "http://reg:5000", "https://reg:5000/", "https://reg:5000/v1/", "reg:5000/v2"],
)
def test_a_key_means_its_host_with_or_without_scheme_and_version(key, write):
    assert find_credentials("reg:5000", write({"auths": {key: {"auth": b64("u:p")}}})).user == "u"


def test_the_nuls_that_old_clients_put_behind_a_password_are_not_of_it(write):
    found = find_credentials("reg", write({"auths": {"reg": {"auth": b64("u:p\0\0")}}}))
    assert found.password.reveal() == "p"


@pytest.mark.parametrize("key", ["reg", "reg:500", "xreg:5000", "reg:5000/team/app", "https://reg:5000/v3/"])
def test_a_key_of_another_host_gives_no_login(key, write):
    assert find_credentials("reg:5000", write({"auths": {key: {"auth": b64("u:p")}}})) is None


def test_the_exact_key_goes_before_the_others(write):
    auths = {"https://reg/v1/": {"auth": b64("old:p")}, "reg": {"auth": b64("new:p")}}
    assert find_credentials("reg", write({"auths": auths})).user == "new"


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"])
def test_every_name_of_docker_hub_is_docker_hub(key, write):
    assert find_credentials("docker.io", write({"auths": {key: {"auth": b64("u:p")}}})).user == "u"


@pytest.mark.parametrize(
    "config", ["{}", '{"auths": {}}', '{"auths": null}', '{"auths": {"reg": {}}}', '{"auths": {"reg": {"auth": ""}}}']
)
def test_a_config_without_a_login_for_the_host_gives_none(config, write):
    assert find_credentials("reg", write(config)) is None


def test_a_config_that_is_not_there_gives_none(tmp_path):
    (tmp_path / "file").touch()
    assert find_credentials("reg", tmp_path / "none.json") is None
    assert find_credentials("reg", tmp_path / "file" / "config.json") is None
    assert find_credentials("reg", None) is None


@pytest.mark.parametrize(
    "config",
    [
        '{"auths": {"reg": {"auth": "hunter2',
        '["hunter2"]',
        '{"auths": "hunter2"}',
        '{"auths": {"reg": "hunter2"}}',
        '{"auths": {"reg": {"auth": "hunter2!"}}}',
        '{"auths": {"reg": {"auth": "' + b64("hunter2") + '"}}}',
        '{"auths": {"reg": {"auth": ["hunter2"]}}}',
        '{"auths": {"reg": {"username": "u", "password": "hunter2\\u0000x"}}}',
        '{"auths": {"reg": {"username": "u", "password": "hunter2\\ud800"}}}',
        '{"credHelpers": ["hunter2"]}',
        "[" * 100_000,
    ],
    ids=range(11),
)
def test_a_broken_config_is_an_error_that_names_the_file_and_quotes_nothing(config, write):
    file = write(config)
    with pytest.raises(RegistryError) as caught:
        find_credentials("reg", file)
    assert str(file) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_config_that_is_a_folder_is_an_error(tmp_path):
    with pytest.raises(RegistryError, match=r"cannot be read \(Is a directory\)"):
        find_credentials("reg", tmp_path)


@pytest.mark.parametrize("name", ["../evil", "a b", "a;touch x", "", "a/b", "$(x)", 7, ["x"]])
def test_a_helper_of_a_strange_name_is_not_started(name, write):
    config = write({"credHelpers": {"reg": name or " "}})
    with pytest.raises(RegistryError, match="is no name"):
        find_credentials("reg", config)


def test_the_helper_of_docker_hub_gets_the_key_of_docker_hub(write, helper):
    got = helper("x", login("u", "p"))
    find_credentials("docker.io", write({"credsStore": "x"}))
    assert got.read_text() == "get:https://index.docker.io/v1/"


@pytest.mark.parametrize(
    "text", ["credentials not found in native keychain", "The specified item could not be found in the keychain."]
)
def test_a_helper_that_knows_no_login_means_none(text, write, helper):
    helper("x", f"echo '{text}'; exit 1")
    assert find_credentials("reg", write({"credsStore": "x"})) is None


def test_a_store_that_knows_no_login_leaves_it_to_the_file(write, helper):
    helper("x", "echo credentials not found; exit 1")
    config = write({"credsStore": "x", "auths": {"reg": {"auth": b64("u:p")}}})
    assert find_credentials("reg", config).user == "u"


def test_a_helper_that_is_missing_is_an_error_that_names_it(write):
    with pytest.raises(RegistryError, match=r"docker-credential-nosuch .*is not on the PATH; install it"):
        find_credentials("reg", write({"credsStore": "nosuch"}))


def test_a_helper_that_fails_is_an_error_that_does_not_quote_it(write, helper):
    helper("x", "echo hunter2; echo hunter2 >&2; exit 3")
    with pytest.raises(RegistryError, match="failed for reg with exit code 3") as caught:
        find_credentials("reg", write({"credsStore": "x"}))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", ["hunter2", "[1]", '{"Username": 1, "Secret": "hunter2"}', '{"Username": "u", "Secret": ["hunter2"]}', ""]
)
def test_a_helper_that_answers_nonsense_is_an_error_that_does_not_quote_it(answer, write, helper):
    helper("x", f"echo '{answer}'")
    with pytest.raises(RegistryError, match="something that is no login") as caught:
        find_credentials("reg", write({"credsStore": "x"}))
    assert "hunter2" not in str(caught.value)


def test_a_helper_that_hangs_is_given_up(write, helper, monkeypatch):
    monkeypatch.setattr(credentials, "HELPER_LIMIT_S", 0.2)
    helper("x", "exec sleep 30")
    start = time.monotonic()
    with pytest.raises(RegistryError, match=r"did not answer for reg within 0\.2 s"):
        find_credentials("reg", write({"credsStore": "x"}))
    assert time.monotonic() - start < 5


def test_a_helper_that_cannot_be_started_is_an_error(write, helper):
    helper("x", "").parent.joinpath("bin/docker-credential-x").write_text("#!/no/such/interpreter\n")
    with pytest.raises(RegistryError, match="cannot be started"):
        find_credentials("reg", write({"credsStore": "x"}))


def test_the_config_file_is_looked_for_where_docker_looks(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    assert config_file() == tmp_path / ".docker/config.json"
    monkeypatch.setenv("DOCKER_CONFIG", "/elsewhere")
    assert config_file() == Path("/elsewhere/config.json")
    assert config_file(tmp_path) == tmp_path / "config.json"
    assert config_file(tmp_path / "my.json") == tmp_path / "my.json"


def test_a_docker_config_logs_in_to_its_host_alone():
    found = Credentials("ci", Secret("p:w"))
    assert json.loads(found.docker_config("reg:5000").reveal()) == {"auths": {"reg:5000": {"auth": b64("ci:p:w")}}}
    assert list(json.loads(found.docker_config("docker.io").reveal())["auths"]) == ["https://index.docker.io/v1/"]


@pytest.mark.parametrize("kind", ["password", "identity", "bearer"])
def test_a_docker_config_of_ours_reads_back_as_the_same_login(kind, write):
    before = Credentials("" if kind == "bearer" else "ci", Secret("s:ö\n"), kind)
    after = find_credentials("reg", write(before.docker_config("reg").reveal()))
    assert (after.user, after.password.reveal(), after.kind) == (before.user, "s:ö\n", kind)


def test_credentials_never_show_their_password():
    found = Credentials("ci", Secret("hunter2"))
    assert "hunter2" not in repr(found) + str(found) + repr(found.docker_config("reg"))
    assert b64("ci:hunter2") not in repr(found)


def test_credentials_of_an_unknown_kind_are_refused():
    with pytest.raises(ValueError, match="no kind of credentials"):
        Credentials("u", Secret("p"), "magic")


@pytest.mark.parametrize(
    ("registry_path", "password"),
    [(None, "asked"), ("r.example/folder", "asked"), ("pull.example:5000", "pulled"), ("other.example", None)],
)
def test_hosts_get_the_login_that_docker_keeps_for_where_they_pull_and_no_other(registry_path, password, write):
    file = write({"auths": {"r.example": {"auth": b64("a:asked")}, "pull.example:5000": {"auth": b64("p:pulled")}}})
    with RegistryClient(Registry("r", "https://r.example", registry_path=registry_path), docker_config=file) as client:
        found = client.pull_credentials()
        assert (found.password.reveal() if found else None) == password
        assert client.credentials().password.reveal() == "asked"


def test_hosts_get_the_login_of_the_registry_itself_wherever_they_pull(write):
    file = write({"auths": {"pull.example": {"auth": b64("p:pulled")}}})
    registry = Registry(
        "r", "https://r.example", auth=Basic("ci", SecretRef("PW")), registry_path="pull.example/folder"
    )
    with RegistryClient(registry, secrets=lambda _: Secret("given"), docker_config=file) as client:
        found = client.pull_credentials()
    assert (found.user, found.password.reveal()) == ("ci", "given")
