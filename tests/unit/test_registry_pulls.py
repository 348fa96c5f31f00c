"""What a host logs in with when it pulls: octossh.registry.pulls."""

from __future__ import annotations

import json

import pytest

from octossh.errors import RegistryError
from octossh.model.credentials import Basic
from octossh.model.images import Registry
from octossh.model.secrets import SecretRef
from octossh.registry import RegistryClient, pulls
from octossh.shell import Secret
from octossh.testing.registry import FakeRegistry, Reply

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def fake():
    with FakeRegistry() as fake:
        fake.login, fake.bearer = ("ci", "hunter2"), True
        fake.push("acme/web", "1.0")
        yield fake


@pytest.fixture
def connect(tmp_path):
    made = []

    def connect(fake, *, config=None, url=None, **fields):
        auth = None if config else Basic("ci", SecretRef("PW"))
        registry = Registry("fake", url or fake.url, auth=auth, **fields)
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"auths": {registry.host: config or {}}}))
        made.append(RegistryClient(registry, secrets=lambda _: Secret("hunter2"), docker_config=file, timeout_s=5))
        return made[-1], registry.image("acme/web")

    yield connect
    for client in made:
        client.close()


def given(found):
    return (found.kind, found.password.reveal()) if found else None


PASSWORD = ("password", "hunter2")


def test_a_host_gets_a_token_for_pulling_this_one_image(fake, connect):
    client, image = connect(fake)
    kind, token = given(client.pull_login(image))
    assert (kind, token in fake.tokens) == ("bearer", True)
    (asked,) = fake.asked("/token")
    assert asked.query["scope"] == ["repository:acme/web:pull"]
    config = json.loads(client.pull_login(image).docker_config(fake.host).reveal())
    assert config == {"auths": {fake.host: {"registrytoken": token}}}


def test_hosts_share_a_token_while_half_of_its_life_is_before_it(fake, connect, monkeypatch):
    client, image = connect(fake)
    now = [1000.0]
    monkeypatch.setattr(pulls.time, "monotonic", lambda: now[0])
    first = given(client.pull_login(image))
    now[0] += 149
    assert given(client.pull_login(image)) == first
    now[0] += 2
    assert given(client.pull_login(image)) != first


def test_each_image_has_a_token_of_its_own(fake, connect):
    client, image = connect(fake)
    other = image.registry.image("acme/db")
    assert given(client.pull_login(image)) != given(client.pull_login(other))
    assert [seen.query["scope"] for seen in fake.asked("/token")] == [
        ["repository:acme/web:pull"], ["repository:acme/db:pull"],
    ]  # fmt: skip


def test_a_refresh_token_is_changed_for_a_token_that_ends(fake, connect):
    client, image = connect(fake, config={"identitytoken": "hunter2"})
    assert given(client.pull_login(image))[0] == "bearer"


@pytest.mark.parametrize("life_s", [None, 60, 239])
def test_a_token_that_may_end_before_the_pull_does_is_not_used(life_s, fake, connect):
    fake.token_life_s = life_s
    client, image = connect(fake)
    assert given(client.pull_login(image)) == PASSWORD
    assert given(client.pull_login(image)) == PASSWORD
    assert len(fake.asked("/token")) == 1


@pytest.mark.parametrize(
    "fields", [{"host_login": "password"}, {"registry_path": "pull.example.com"}], ids=["as told", "from elsewhere"]
)
def test_the_password_itself_is_given_without_a_question(fields, fake, connect):
    client, image = connect(fake, **fields)
    assert given(client.pull_login(image)) == PASSWORD
    assert fake.seen == []


def test_nothing_is_given_where_hosts_log_in_by_themselves(fake, connect):
    client, image = connect(fake, host_login="none")
    assert client.pull_login(image) is None
    assert fake.seen == []


def test_nothing_is_given_where_nobody_logs_in(fake, connect):
    client, image = connect(fake, config={"auth": ""})
    assert client.pull_login(image) is None


def test_the_password_is_given_where_the_registry_wants_it_itself(fake, connect):
    fake.bearer = False
    client, image = connect(fake)
    assert given(client.pull_login(image)) == PASSWORD


@pytest.mark.parametrize("what", ["refuses", "breaks", "is not there"])
def test_a_token_service_that_gives_none_holds_nobody_up(what, fake, connect, monkeypatch):
    monkeypatch.setattr(pulls, "MINTING_S", 0.3)
    url = None
    if what == "refuses":
        fake.script("GET /token", Reply(401, {}), forever=True)
    elif what == "breaks":
        fake.script("GET /v2/", Reply(503, "", {"Retry-After": "60"}), forever=True)
    else:
        url = "http://127.0.0.1:9"
    client, image = connect(fake, url=url)
    assert given(client.pull_login(image)) == PASSWORD
    asked = len(fake.seen)
    assert given(client.pull_login(image)) == PASSWORD
    assert len(fake.seen) == asked


@pytest.mark.parametrize("what", ["refuses", "is not there"])
def test_where_it_must_be_a_token_there_is_an_error_and_no_password(what, fake, connect):
    if what == "refuses":
        fake.script("GET /token", Reply(401, {}), forever=True)
        refusal = "did not accept user 'ci'"
    else:
        fake.bearer = False
        refusal = "no token service .* see its host_login"
    client, image = connect(fake, host_login="token")
    with pytest.raises(RegistryError, match=refusal):
        client.pull_login(image)


def test_where_it_must_be_a_token_one_of_a_minute_is_given_and_also_for_another_address(fake, connect):
    fake.token_life_s = 60
    client, image = connect(fake, host_login="token", registry_path="pull.example.com")
    assert given(client.pull_login(image))[0] == "bearer"
