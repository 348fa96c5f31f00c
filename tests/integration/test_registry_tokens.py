"""Twenty thousand tags, and tokens of a real token service, against the lab's real registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.front import Front
from integration.token_log import TokenLog
from lab.images import many_tags
from lab.lab import Lab

import octossh as oc
from octossh.registry import RegistryClient
from octossh.shell import Secret
from octossh.versions import choose

pytestmark = pytest.mark.lab

MANY = 20_000
DOORS = ["open", "password", "token"]


@pytest.fixture(scope="session")
def many(lab: Lab) -> str:
    """The digest of acme/many, an image with all these tags."""
    return lab.push_tags("acme/many", MANY)


def door(lab: Lab, name: str) -> str:
    servers = {"password": lab.registry_auth.server, "token": lab.registry_token.server}
    return f"https://{servers[name]}" if name in servers else f"http://{lab.registry}"


@pytest.fixture
def connect(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., tuple[RegistryClient, oc.Image]]]:
    """Makes a client, and an image to ask it for."""
    made: list[RegistryClient] = []

    def connect(
        url: str, image: str = "acme/many", *, user: str | None = "lab", config: Path | None = None
    ) -> tuple[RegistryClient, oc.Image]:
        auth = oc.Basic(user, oc.secret("PASSWORD")) if user else None
        registry = oc.Registry("lab", url, auth=auth, ca=str(lab.registry_auth.ca))
        client = RegistryClient(registry, secrets=lambda _: Secret(f"{user}-secret"), docker_config=config or tmp_path)
        made.append(client)
        return client, registry.image(image)

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def token_log(lab: Lab) -> TokenLog:
    return TokenLog(lab)


@pytest.mark.parametrize("name", DOORS)
def test_twenty_thousand_tags_are_all_listed(
    name: str, lab: Lab, many: str, connect: Callable[..., tuple[RegistryClient, oc.Image]]
) -> None:
    client, image = connect(door(lab, name))
    tags = client.tags(image)
    assert (len(tags), set(tags)) == (MANY, set(many_tags(MANY)))
    picked = choose(tags, range="[2.0,4.0)")
    assert picked is not None
    assert client.resolve(image, picked.tag).digest == many
    assert picked.tag == "3.19.49"


@pytest.mark.parametrize("name", DOORS)
def test_twenty_thousand_tags_cost_twenty_requests_and_one_for_the_login(
    name: str, lab: Lab, many: str, connect: Callable[..., tuple[RegistryClient, oc.Image]]
) -> None:
    with Front(door(lab, name), ca=lab.registry_auth.ca) as front:
        client, image = connect(front.url)
        assert len(client.tags(image)) == MANY
        assert len(front.asked) == (20 if name == "open" else 21)
        # From now on it knows how to log in.
        assert len(client.tags(image)) == MANY
        assert len(front.asked) == (40 if name == "open" else 41)


def test_a_token_that_expires_between_two_pages_is_renewed(
    lab: Lab, many: str, token_log: TokenLog, connect: Callable[..., tuple[RegistryClient, oc.Image]]
) -> None:
    with Front(door(lab, "token"), ca=lab.registry_auth.ca) as front:
        expired: list[str] = []

        def outlive(number: int, login: str) -> None:
            # The service says nothing of how long its token lives, so a minute is meant; it is two seconds.
            while number == 5 and not expired:
                status, _, _ = front.behind("GET", "/v2/acme/many/tags/list", {"Authorization": login})
                expired.extend([login] * (status == 401))

        front.before_page = outlive
        client, image = connect(front.url, user="brief")
        assert set(client.tags(image)) == set(many_tags(MANY))
        assert expired
        # On a slow machine more than one expires; each costs a request that is refused.
        tokens = len(token_log.lines(user="brief", status=200))
        assert tokens >= 2
        assert len(front.asked) == 20 + tokens


@pytest.mark.parametrize(
    ("user", "refusal"),
    [
        ("nobody", "did not accept user 'nobody'"),
        ("worker", r"worker"),
        (None, "no login was found"),
    ],
    ids=["a wrong password", "no access to this repository", "no login"],
)
def test_who_may_not_is_told_so_and_nobody_asks_for_ever(
    user: str | None,
    refusal: str,
    lab: Lab,
    token_log: TokenLog,
    connect: Callable[..., tuple[RegistryClient, oc.Image]],
) -> None:
    client, image = connect(door(lab, "token"), "acme/web", user=user)
    with pytest.raises(oc.RegistryError, match=refusal) as caught:
        client.tags(image)
    assert "-secret" not in str(caught.value)
    assert len(token_log.lines()) <= 3


def test_a_user_who_may_read_one_repository_reads_that_one(
    lab: Lab, connect: Callable[..., tuple[RegistryClient, oc.Image]]
) -> None:
    client, image = connect(door(lab, "token"), "acme/worker", user="worker")
    assert {"1.0.0", "1.1.0"} <= set(client.tags(image))


@pytest.mark.parametrize(("name", "kept"), [("password", "auth"), ("token", "identitytoken")])
def test_the_login_that_docker_itself_has_written_is_taken(
    name: str,
    kept: str,
    lab: Lab,
    tmp_path: Path,
    token_log: TokenLog,
    connect: Callable[..., tuple[RegistryClient, oc.Image]],
) -> None:
    server = door(lab, name).removeprefix("https://")
    login = f"printf %s lab-secret | docker login -u lab --password-stdin {server}"
    lab.sh("h01", f"export DOCKER_CONFIG=/root/octossh-login; {login} 2>&1")
    written = lab.sh("h01", "cat /root/octossh-login/config.json; rm -rf /root/octossh-login")
    assert kept in json.loads(written)["auths"][server]
    (tmp_path / "config.json").write_text(written)
    client, image = connect(door(lab, name), "acme/web", user=None, config=tmp_path)
    assert "1.0.0" in client.tags(image)
    refreshed = token_log.lines(grant="refresh_token", user="lab", status=200)
    assert len(refreshed) == (1 if name == "token" else 0)
