"""Logins by Basic and by tokens, against a registry that lies as it is told: octossh.registry.logins."""

from __future__ import annotations

import base64
import itertools
import json
import time

import pytest

from octossh.errors import ModelError, RegistryError
from octossh.model.credentials import Basic
from octossh.model.images import Registry
from octossh.model.secrets import SecretRef
from octossh.registry import RegistryClient, logins
from octossh.shell import Secret
from octossh.testing.registry import FakeRegistry, Reply, error

LIST = "GET /v2/acme/web/tags/list"


def b64(text):
    return base64.b64encode(text.encode()).decode()


pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def fake():
    with FakeRegistry() as fake:
        fake.login = ("ci", "hunter2")
        fake.push("acme/web", "1.0")
        fake.push("acme/db", "1.0")
        yield fake


@pytest.fixture
def connect(fake, tmp_path):
    """Makes a client that logs in as ``ci``, or by a docker config, or not at all."""
    made = []

    def connect(password="hunter2", config=None, auth=True, user="ci"):
        registry = Registry("fake", fake.url, auth=Basic(user, SecretRef("PW")) if auth and config is None else None)
        file = tmp_path / "config.json"
        if config is not None:
            file.write_text(json.dumps({"auths": {fake.host: config}}))
        made.append(RegistryClient(registry, secrets=lambda name: Secret(password), docker_config=file, timeout_s=5))
        return made[-1], registry.image("acme/web")

    yield connect
    for client in made:
        client.close()


# Basic


def test_a_password_is_sent_only_after_it_was_asked_for_and_then_always(fake, connect):
    client, image = connect()
    assert client.tags(image) == ("1.0",)
    client.resolve(image, "1.0")
    assert [seen.login for seen in fake.seen] == [None, *3 * [f"Basic {b64('ci:hunter2')}"]]


def test_an_open_registry_never_gets_the_password(fake, connect):
    fake.login = None
    client, image = connect()
    client.tags(image)
    assert [seen.login for seen in fake.seen] == [None]


def test_a_wrong_password_is_an_error_that_names_the_user_and_where_the_password_is_from(fake, connect):
    client, image = connect(password="hunter3")
    with pytest.raises(RegistryError, match=r"did not accept user 'ci' \(login from secret 'PW'\)") as caught:
        client.tags(image)
    assert "hunter3" not in str(caught.value)
    assert len(fake.seen) == 2


def test_a_login_that_is_missing_is_an_error_that_says_where_it_was_looked_for(fake, connect, tmp_path):
    client, image = connect(auth=False)
    with pytest.raises(
        RegistryError, match=f"no login was found .looked in {tmp_path}/config.json.; run 'docker login {fake.host}'"
    ):
        client.tags(image)


def test_a_login_of_the_docker_config_is_used(fake, connect):
    client, image = connect(config={"auth": b64("ci:hunter2")})
    assert client.tags(image) == ("1.0",)
    assert client.credentials().user == "ci"


def test_a_login_of_the_registry_goes_before_that_of_the_docker_config(fake, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {fake.host: {"auth": b64("x:y")}}}))
    registry = Registry("fake", fake.url, auth=Basic("ci", SecretRef("PW")))
    client = RegistryClient(registry, secrets=lambda _: Secret("hunter2"), docker_config=tmp_path)
    assert client.credentials().user == "ci"


def test_a_password_comes_from_the_environment_by_default(fake, monkeypatch):
    registry = Registry("fake", fake.url, auth=Basic("ci", SecretRef("PW")))
    monkeypatch.setenv("PW", "hunter2")
    with RegistryClient(registry) as client:
        assert client.tags(registry.image("acme/web")) == ("1.0",)
    monkeypatch.delenv("PW")
    with (
        RegistryClient(registry) as client,
        pytest.raises(RegistryError, match="secret 'PW', its password, has no value"),
    ):
        client.credentials()


@pytest.mark.parametrize("fault", [ModelError("it was hunter2"), KeyError("hunter2")])
def test_a_password_without_a_value_is_an_error_that_quotes_nobody(fault):
    def secrets(name):
        raise fault

    registry = Registry("x", "https://x.example", auth=Basic("ci", SecretRef("PW")))
    with pytest.raises(RegistryError, match="has no value") as caught:
        RegistryClient(registry, secrets=secrets).credentials()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_user_with_a_colon_is_refused():
    registry = Registry("x", "https://x.example", auth=Basic("c:i", SecretRef("PW")))
    with pytest.raises(RegistryError, match="user 'c:i' holds a colon"):
        RegistryClient(registry, secrets=lambda _: Secret("p")).credentials()


def test_a_broken_docker_config_is_an_error_of_the_registry(tmp_path):
    (tmp_path / "config.json").write_text("{")
    client = RegistryClient(Registry("x", "https://x.example"), docker_config=tmp_path)
    with pytest.raises(RegistryError, match=r"registry 'x' \(x\.example\): docker's .* is not JSON"):
        client.credentials()


def test_nobody_logged_in_is_none(tmp_path):
    assert RegistryClient(Registry("x", "https://x.example"), docker_config=tmp_path).credentials() is None


def test_credentials_are_looked_up_anew_after_a_while(monkeypatch):
    values = iter(["old", "new"])
    registry = Registry("x", "https://x.example", auth=Basic("ci", SecretRef("PW")))
    client = RegistryClient(registry, secrets=lambda _: Secret(next(values)))
    assert [client.credentials().password.reveal() for _ in range(3)] == ["old"] * 3
    monkeypatch.setattr(client._source, "_kept", (client.credentials(), time.monotonic()))
    assert client.credentials().password.reveal() == "new"


@pytest.mark.parametrize("challenge", ["Negotiate", "Digest realm=x", 'Bearer service="x"', ""])
def test_a_challenge_of_no_known_kind_is_an_error(challenge, fake, connect):
    fake.challenge = challenge or " "
    client, image = connect()
    with pytest.raises(RegistryError, match="offers no way that octossh knows"):
        client.tags(image)


# tokens


def test_a_token_is_fetched_for_the_repository_and_kept(fake, connect):
    fake.bearer = True
    client, image = connect()
    client.tags(image)
    client.resolve(image, "1.0")
    (asked,) = fake.asked("/token")
    assert asked.query == {"service": ["fake"], "scope": ["repository:acme/web:pull"]}
    assert asked.login == f"Basic {b64('ci:hunter2')}"
    assert [seen.method for seen in fake.seen] == ["GET", "GET", "GET", "HEAD", "GET"]
    assert all(seen.login.startswith("Bearer token-") for seen in fake.asked("/v2/")[1:])


def test_each_repository_has_a_token_of_its_own(fake, connect):
    fake.bearer = True
    client, image = connect()
    client.tags(image)
    client.tags(image.registry.image("acme/db"))
    scopes = [seen.query["scope"] for seen in fake.asked("/token")]
    assert scopes == [["repository:acme/web:pull"], ["repository:acme/db:pull"]]


def test_a_token_is_fetched_without_a_login_where_there_is_none(fake, connect):
    fake.bearer = True
    fake.script("GET /token", lambda seen: fake.tokens.add("anyone") or Reply(200, {"token": "anyone"}))
    client, image = connect(auth=False)
    assert client.tags(image) == ("1.0",)
    assert fake.asked("/token")[0].login is None


def test_an_access_token_is_a_token_too(fake, connect):
    fake.bearer = True
    fake.script("GET /token", lambda seen: fake.tokens.add("t") or Reply(200, {"access_token": "t"}))
    client, image = connect()
    assert client.tags(image) == ("1.0",)


def test_a_token_that_the_registry_forgot_is_fetched_once_more(fake, connect):
    fake.bearer = True
    client, image = connect()
    client.tags(image)
    fake.tokens.clear()
    assert client.tags(image) == ("1.0",)
    assert len(fake.asked("/token")) == 2


def test_a_token_that_has_expired_is_not_sent(fake, connect):
    fake.bearer = True
    fake.token_life_s = 0.2
    client, image = connect()
    client.tags(image)
    time.sleep(0.25)
    client.tags(image)
    assert [seen.login is None for seen in fake.asked("/v2/")] == [True, False, True, False]


@pytest.mark.parametrize("life", [None, "300", 0, -1, True, [], 1e300, float("nan")])
def test_a_strange_life_of_a_token_is_that_of_a_minute(life, monkeypatch):
    token = logins._read_token(json.dumps({"token": "t", "expires_in": life}).encode())
    assert 50 < token.until - time.monotonic() <= 60


def test_a_registry_that_refuses_a_fresh_token_is_asked_no_third_time(fake, connect):
    fake.bearer = True
    fake.script("GET /token", Reply(200, {"token": "not-one-of-ours"}), forever=True)
    client, image = connect()
    with pytest.raises(RegistryError, match="did not accept user 'ci'") as caught:
        client.tags(image)
    assert "not-one-of-ours" not in str(caught.value)
    assert [seen.path for seen in fake.seen] == ["/v2/acme/web/tags/list", "/token", "/v2/acme/web/tags/list"]


def test_a_registry_that_wants_another_scope_gets_a_token_for_it(fake, connect):
    fake.bearer = True
    more = f'Bearer realm="{fake.url}/token",service="fake",scope="repository:acme/web:pull,metadata_read"'
    client, image = connect()
    client.tags(image)
    fake.script(LIST, error(401, "UNAUTHORIZED", **{"WWW-Authenticate": more}))
    assert client.tags(image) == ("1.0",)
    assert fake.asked("/token")[-1].query["scope"] == ["repository:acme/web:pull,metadata_read"]


def test_a_registry_that_wants_ever_more_scopes_is_given_up(fake, connect):
    numbers = iter(range(100))
    fake.script(
        LIST,
        lambda seen: error(
            401, "UNAUTHORIZED", **{"WWW-Authenticate": f'Bearer realm="{fake.url}/token",scope="s{next(numbers)}"'}
        ),
        forever=True,
    )
    client, image = connect()
    with pytest.raises(RegistryError, match="did not accept user 'ci'"):
        client.tags(image)
    assert len(fake.seen) < 10


def test_a_registry_that_takes_now_this_login_and_now_that_is_given_up(fake, connect):
    offers = itertools.cycle(["Basic", f'Bearer realm="{fake.url}/token"'])
    fake.script(LIST, lambda seen: error(401, "X", **{"WWW-Authenticate": next(offers)}), forever=True)
    client, image = connect()
    with pytest.raises(RegistryError, match="did not accept user 'ci'"):
        client.tags(image)
    assert len(fake.seen) < 10


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ("repository:user/image:pull", ["repository:acme/web:pull"]),
        ("", ["repository:acme/web:pull"]),
        ("*", ["*"]),
        ("repository:acme/web:pull repository:base:pull", ["repository:acme/web:pull", "repository:base:pull"]),
    ],
)
def test_the_scope_is_the_one_of_the_challenge_unless_that_is_none(scope, asked, fake, connect):
    fake.bearer = True
    fake.challenge = f'Bearer realm="{fake.url}/token",scope="{scope}"'
    client, image = connect()
    client.tags(image)
    assert fake.asked("/token")[0].query == {"scope": asked}


def test_a_realm_may_be_relative_and_have_a_query(fake, connect):
    fake.bearer = True
    fake.challenge = 'bearer realm="/token?account=x",service="s"'
    client, image = connect()
    client.tags(image)
    assert fake.asked("/token")[0].query == {"account": ["x"], "service": ["s"], "scope": ["repository:acme/web:pull"]}


def test_bearer_goes_before_basic_where_both_are_offered(fake, connect):
    fake.bearer = True
    fake.challenge = f'Basic realm="x",service="s",Bearer realm="{fake.url}/token",service="s"'
    client, image = connect()
    assert client.tags(image) == ("1.0",)


def test_a_token_service_that_says_no_is_an_error_that_names_the_user(fake, connect):
    fake.bearer = True
    client, image = connect(password="hunter3")
    with pytest.raises(RegistryError, match="did not accept user 'ci'") as caught:
        client.tags(image)
    assert "hunter3" not in str(caught.value)


def test_a_token_service_that_says_no_to_nobody_asks_for_a_login(fake, connect):
    fake.bearer = True
    client, image = connect(auth=False)
    with pytest.raises(RegistryError, match="no login was found"):
        client.tags(image)


@pytest.mark.parametrize(
    "realm",
    ["http://auth.example/token?token=hunter2", "file:///etc/passwd", "https://u:hunter2@h/", "http://[", "x://y"],
)
def test_a_login_is_not_sent_to_a_realm_that_may_not_have_it(realm, fake, connect):
    fake.challenge = f'Bearer realm="{realm}",service="s"'
    client, image = connect()
    with pytest.raises(RegistryError, match="nothing was sent there") as caught:
        client.tags(image)
    assert "hunter2" not in str(caught.value)
    assert len(fake.seen) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "<html>"),
        Reply(200, "[]"),
        Reply(200, "{}"),
        Reply(200, {"token": ""}),
        Reply(200, {"token": 7}),
        Reply(200, {"token": "a\r\nX-Evil: 1"}),
        Reply(200, {"token": "ö"}),
        Reply(500, {"token": "t"}),
        Reply(404, {"token": "t"}),
    ],
    ids=range(9),
)
def test_a_token_service_that_gives_none_is_an_error(reply, fake, connect):
    fake.bearer = True
    fake.script("GET /token", reply)
    client, image = connect()
    with pytest.raises(RegistryError, match=r"its token service at http://127.* answered with"):
        client.tags(image)


def test_a_token_service_that_redirects_elsewhere_does_not_carry_the_password_there(fake, connect):
    fake.bearer = True
    with FakeRegistry() as other:
        other.script("GET /token", Reply(200, {"token": "t"}))
        fake.tokens.add("t")
        fake.script("GET /token", Reply(307, "", {"Location": other.url + "/token"}))
        client, image = connect()
        assert client.tags(image) == ("1.0",)
        assert [seen.login for seen in other.seen] == [None]


# what stands in docker's config besides passwords


def test_an_identity_token_is_posted_for_a_token(fake, connect):
    fake.bearer = True
    client, image = connect(config={"auth": b64("ci:"), "identitytoken": "hunter2"})
    fake.script("POST /token", lambda seen: fake.tokens.add("t") or Reply(200, {"access_token": "t"}))
    assert client.tags(image) == ("1.0",)
    (asked,) = fake.asked("/token")
    assert asked.method == "POST"
    assert asked.login is None
    assert b"grant_type=refresh_token" in asked.body
    assert b"refresh_token=hunter2" in asked.body
    assert b"scope=repository%3Aacme%2Fweb%3Apull" in asked.body
    assert "hunter2" not in asked.target


@pytest.mark.parametrize("status", [404, 405])
def test_an_identity_token_goes_as_a_password_where_there_is_no_post(status, fake, connect):
    fake.bearer = True
    fake.script("POST /token", Reply(status))
    client, image = connect(config={"auth": b64("ci:"), "identitytoken": "hunter2"})
    assert client.tags(image) == ("1.0",)


def test_an_identity_token_that_is_not_known_is_an_error(fake, connect):
    fake.bearer = True
    fake.script("POST /token", Reply(400, {"error": "invalid_grant"}))
    client, image = connect(config={"auth": b64("ci:"), "identitytoken": "hunter2"})
    with pytest.raises(RegistryError, match="did not accept user 'ci'"):
        client.tags(image)


def test_an_identity_token_is_not_redirected(fake, connect):
    fake.bearer = True
    fake.script("POST /token", Reply(307, "", {"Location": "https://evil.example/token?t=hunter2"}))
    client, image = connect(config={"identitytoken": "hunter2"})
    with pytest.raises(
        RegistryError, match=r"redirects a login to https://evil\.example; octossh does not follow"
    ) as caught:
        client.tags(image)
    assert "hunter2" not in str(caught.value)


def test_a_registry_token_is_sent_as_it_is(fake, connect):
    fake.bearer = True
    fake.tokens.add("raw")
    client, image = connect(config={"registrytoken": "raw"})
    assert client.tags(image) == ("1.0",)
    assert fake.asked("/token") == []


def test_a_registry_token_that_is_not_known_is_an_error(fake, connect):
    fake.bearer = True
    client, image = connect(config={"registrytoken": "raw"})
    with pytest.raises(RegistryError, match="did not accept the token"):
        client.tags(image)


def test_nothing_of_a_login_can_be_seen_in_the_parts_of_a_client(fake, connect):
    fake.bearer = True
    client, image = connect()
    client.tags(image)
    token = next(iter(fake.tokens))
    seen = repr(vars(client._login)) + repr(vars(client)) + repr(client._login._tokens)
    assert "hunter2" not in seen
    assert b64("ci:hunter2") not in seen
    assert token not in seen
