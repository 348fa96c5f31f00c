"""Where a login comes from: functions, keyrings, helpers, tokens, docker's config: octossh.registry.sources."""

from __future__ import annotations

import base64
import json
import sys
import time

import keyring
import keyring.backend
import keyring.errors
import pytest

import octossh as oc
from octossh.errors import ModelError, RegistryError
from octossh.model.serialising import from_dict
from octossh.registry import Registries, RegistryClient
from octossh.shell import Secret
from octossh.testing.registry import FakeRegistry, Reply, error

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def fake():
    with FakeRegistry() as fake:
        fake.login = ("ci", "hunter2")
        fake.push("acme/web", "1.0")
        yield fake


def b64(text):
    return base64.b64encode(text.encode()).decode()


def ask(fake, auth, **options):
    registry = oc.Registry("fake", fake.url, auth=auth)
    with RegistryClient(registry, secrets=lambda name: Secret(f"{name.lower()}"), **options) as client:
        return client.tags(registry.image("acme/web"))


def found(auth, url="https://reg.example", **options):
    return RegistryClient(oc.Registry("r", url, auth=auth), **options).credentials()


# functions


@pytest.mark.parametrize(
    "login",
    [("ci", "hunter2"), ["ci", "hunter2"], oc.Credentials("ci", "hunter2"), oc.Credentials("ci", oc.Secret("hunter2"))],
    ids=["tuple", "list", "text", "secret"],
)
def test_a_function_gives_the_login(login, fake):
    assert ask(fake, lambda: login) == ("1.0",)


def test_a_function_gives_a_token(fake):
    fake.bearer = True
    fake.tokens.add("raw")
    assert ask(fake, lambda: oc.Credentials("", "raw", "bearer")) == ("1.0",)
    assert fake.asked("/token") == []


def test_a_function_is_asked_once_while_its_login_lives_and_again_after(fake):
    made = []

    def give():
        made.append(1)
        return oc.Credentials("ci", "hunter2", lifetime_s=0.2)

    registry = oc.Registry("fake", fake.url, auth=give)
    with RegistryClient(registry) as client:
        client.tags(registry.image("acme/web"))
        client.tags(registry.image("acme/web"))
        assert len(made) == 1
        kept, until = client._source._kept
        assert 0.1 < until - time.monotonic() <= 0.18
        client._source._kept = kept, time.monotonic()
        client.tags(registry.image("acme/web"))
    assert len(made) == 2


def test_a_login_that_ends_before_its_time_is_asked_for_once_more(fake):
    passwords = iter(["hunter2", "hunter3"])
    registry = oc.Registry("fake", fake.url, auth=lambda: oc.Credentials("ci", next(passwords), lifetime_s=3600))
    with RegistryClient(registry) as client:
        client.tags(registry.image("acme/web"))
        fake.login = ("ci", "hunter3")
        assert client.tags(registry.image("acme/web")) == ("1.0",)


def test_a_login_that_ends_before_its_time_is_asked_for_once_more_by_the_token_service_too(fake):
    fake.bearer = True
    passwords = iter(["hunter2", "hunter3"])
    registry = oc.Registry("fake", fake.url, auth=lambda: ("ci", next(passwords)))
    with RegistryClient(registry) as client:
        client.tags(registry.image("acme/web"))
        fake.login = ("ci", "hunter3")
        fake.tokens.clear()
        assert client.tags(registry.image("acme/web")) == ("1.0",)


def test_a_function_that_gives_the_wrong_login_is_asked_twice_and_no_more(fake):
    made = []
    with pytest.raises(RegistryError, match=r"did not accept user 'ci' \(login from the function that its auth is\)"):
        ask(fake, lambda: made.append(1) or ("ci", f"wrong{len(made)}"))
    assert len(made) == 2
    assert len(fake.seen) == 3


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda: 1 / 0, "failed with ZeroDivisionError; call it by hand"),
        (lambda: {}["hunter2"], "failed with KeyError"),
        (lambda: None, "returned a NoneType that is no login"),
        (lambda: "hunter2", "returned a str that is no login"),
        (lambda: ("ci",), "returned a tuple that is no login"),
        (lambda: ("ci", b"hunter2"), "returned a tuple that is no login"),
        (lambda: ("ci", "hunter2\n"), r"line break at its end; strip\(\)"),
    ],
    ids=range(7),
)
def test_a_function_that_gives_no_login_is_an_error_that_quotes_nothing(function, match):
    with pytest.raises(RegistryError, match=match) as caught:
        found(function)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_function_is_not_stored_and_the_registry_that_the_space_knows_stands_in(fake):
    registry = oc.Registry("fake", fake.url, auth=lambda: ("ci", "hunter2"))
    stored = from_dict(oc.Registry, json.loads(json.dumps(registry.to_dict())))
    assert "hunter2" not in repr(registry)
    with RegistryClient(stored) as client, pytest.raises(RegistryError, match="give the octofile a registry of this"):
        client.credentials()
    registries = Registries([registry], secrets=lambda name: Secret(name))
    assert registries.client(stored).credentials().user == "ci"
    assert registries.client(stored).tags(stored.image("acme/web")) == ("1.0",)
    registries.close()


def test_how_one_logs_in_today_is_no_part_of_a_release(fake):
    old = oc.Registry("fake", fake.url, auth=oc.Basic("gone", oc.secret("GONE")))
    new = oc.Registry("fake", fake.url, auth=oc.Basic("ci", oc.secret("PW")))
    registries = Registries([new], secrets=lambda name: Secret({"PW": "hunter2"}[name]))
    assert registries.client(old).credentials().user == "ci"


@pytest.mark.parametrize("field", ["name", "url"])
def test_a_registry_of_another_name_or_url_does_not_stand_in(field):
    fields = {"name": "a", "url": "https://a.example"}
    known = oc.Registry(**fields, auth=lambda: ("ci", "hunter2"))
    stored = oc.Registry(**{**fields, field: "b" if field == "name" else "https://b.example"}, auth=oc.Anonymous())
    assert Registries([known], secrets=Secret).client(stored).credentials() is None


def test_a_space_lists_the_images_of_its_registry(fake, capsys, in_tmp, monkeypatch):
    from octossh.cli import main

    fake.push("acme/db", "1")
    monkeypatch.setattr(sys, "path", list(sys.path))
    (in_tmp / "octofile.py").write_text(
        "import octossh as oc\n"
        f"fake = oc.Registry('fake', {fake.url!r}, auth=lambda: ('ci', 'hunter2'))\n"
        "step = oc.RunContainer('web', image=fake.image('acme/web'))\n"
        "space = oc.Space(projects=[oc.Project('shop', process=[step])])\n"
    )
    main(["images", "we"])
    assert capsys.readouterr().out == "acme/web\n"
    main(["images", "--limit", "1", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "registry": "fake", "text": "", "names": ["acme/db"], "complete": False,
    }  # fmt: skip


@pytest.mark.parametrize("auth", ["u:p", ("u", "p"), object, 7])
def test_what_is_no_way_to_log_in_is_refused(auth):
    with pytest.raises(ModelError, match="is no way to log in") as caught:
        oc.Registry("r", "https://r.example", auth=auth)
    assert "u:p" not in str(caught.value)


# keyrings: the library itself, with a store of our own behind it


class Memory(keyring.backend.KeyringBackend):
    priority = 1

    def __init__(self, held=None, fault=None):
        self.held, self.fault = held or {}, fault

    def get_password(self, service, username):
        if self.fault:
            raise self.fault
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError


@pytest.fixture
def holds():
    before = keyring.get_keyring()
    yield lambda held=None, fault=None: keyring.set_keyring(Memory(held, fault))
    keyring.set_keyring(before)


def test_a_password_comes_from_the_keyring(fake, holds):
    holds({(fake.host, "ci"): "hunter2", ("elsewhere", "ci"): "hunter2"})
    assert ask(fake, oc.Keyring("ci")) == ("1.0",)
    assert ask(fake, oc.Keyring("ci", service="elsewhere")) == ("1.0",)


def test_a_password_that_the_keyring_does_not_have_is_an_error_that_says_how_to_put_it_there(holds):
    holds()
    with pytest.raises(RegistryError, match=r"registry 'r' .*run 'keyring set reg\.example ci'"):
        found(oc.Keyring("ci"))


def test_a_keyring_that_fails_is_not_quoted(holds):
    holds(fault=RuntimeError("hunter2"))
    with pytest.raises(RegistryError, match=r"could not be asked .*RuntimeError") as caught:
        found(oc.Keyring("ci"))
    assert "hunter2" not in str(caught.value)


def test_a_machine_without_a_keyring_says_so(holds):
    holds(fault=keyring.errors.NoKeyringError())
    with pytest.raises(RegistryError, match="there is no keyring on this machine"):
        found(oc.Keyring("ci"))


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(RegistryError, match=r"pip install 'octossh\[keyring\]'"):
        found(oc.Keyring("ci"))


# helpers, tokens, docker's config, nobody


@pytest.fixture
def helper(tmp_path, monkeypatch):
    def helper(script):
        file = tmp_path / "docker-credential-ecr-login"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return helper


def test_a_helper_is_asked_without_any_docker_config(fake, helper):
    helper(f"""[ "$(cat)" = {fake.host} ] && echo '{{"Username": "ci", "Secret": "hunter2"}}'""")
    assert ask(fake, oc.CredentialHelper("ecr-login")) == ("1.0",)


def test_a_helper_that_is_named_and_knows_no_login_is_an_error(helper):
    helper("echo credentials not found in native keychain; exit 1")
    with pytest.raises(RegistryError, match=r"docker-credential-ecr-login knows no login for reg\.example"):
        found(oc.CredentialHelper("ecr-login"))


@pytest.mark.parametrize("name", ["", "a b", "../x", "a;b"])
def test_a_helper_of_a_strange_name_is_refused(name):
    with pytest.raises(ModelError, match="write its name, such as"):
        oc.CredentialHelper(name)


def test_a_token_is_sent_as_it_is(fake):
    fake.bearer = True
    fake.tokens.add("tok")
    assert ask(fake, oc.Token(oc.secret("TOK"))) == ("1.0",)
    assert [seen.login for seen in fake.seen] == [None, "Bearer tok"]


def test_a_token_with_a_line_break_is_an_error_that_does_not_show_it():
    with FakeRegistry() as fake:
        fake.login, fake.bearer = ("ci", "x"), True
        registry = oc.Registry("fake", fake.url, auth=oc.Token(oc.secret("TOK")))
        with RegistryClient(registry, secrets=lambda _: Secret("hunter2\n")) as client:
            with pytest.raises(RegistryError, match="perhaps a line break at its end") as caught:
                client.tags(registry.image("acme/web"))
    assert "hunter2" not in str(caught.value)


def test_a_refresh_token_is_changed_for_another_by_the_token_service(fake):
    fake.bearer = True
    fake.login = ("ci", "refresh")
    assert ask(fake, oc.Token(oc.secret("REFRESH"), refresh=True)) == ("1.0",)
    assert b"refresh_token=refresh" in fake.asked("/token")[0].body


def test_an_artifactory_that_says_401_to_a_post_gets_the_token_as_a_password(fake):
    fake.bearer = True
    fake.script("POST /token", error(401, "UNAUTHORIZED"))
    fake.script("GET /token", lambda seen: fake.tokens.add("t") or Reply(200, {"token": "t"}))
    assert ask(fake, oc.Token(oc.secret("REFRESH"), refresh=True)) == ("1.0",)
    assert fake.asked("/token")[1].login == f"Basic {b64(':refresh')}"


def test_nobody_logs_in_where_that_is_said_whatever_docker_knows(fake, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {fake.host: {"auth": b64("ci:hunter2")}}}))
    with pytest.raises(RegistryError, match="wants a login"):
        ask(fake, oc.Anonymous(), docker_config=tmp_path)


def test_the_docker_config_that_is_named_is_the_one_that_is_read(fake, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {fake.host: {"auth": b64("ci:hunter2")}}}))
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {fake.host: {"auth": b64("ci:wrong")}}}))
    assert ask(fake, oc.DockerConfig(str(tmp_path))) == ("1.0",)


def test_the_docker_config_of_the_environment_goes_before_the_file(fake, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"reg.example": {"auth": b64("file:x")}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {fake.host: {"auth": b64("ci:hunter2")}}}))
    assert ask(fake, None) == ("1.0",)
    assert found(None).user == "file"


def test_a_docker_config_of_the_environment_that_is_broken_is_not_quoted(monkeypatch):
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "{hunter2")
    with pytest.raises(RegistryError, match="environment variable DOCKER_AUTH_CONFIG is not JSON") as caught:
        found(None)
    assert "hunter2" not in str(caught.value)


# credentials


@pytest.mark.parametrize(
    "make",
    [
        lambda: oc.Credentials("ci", b"hunter2"),
        lambda: oc.Credentials(7, "hunter2"),
        lambda: oc.Credentials("ci", "hunter2", lifetime_s=0),
        lambda: oc.Credentials("ci", "hunter2", lifetime_s="60"),
        lambda: oc.Credentials("ci", "hunter2", "magic"),
    ],
    ids=range(5),
)
def test_credentials_that_are_none_are_refused_without_their_password(make):
    with pytest.raises(ModelError) as caught:
        make()
    assert "hunter2" not in str(caught.value)
