"""The registries of vendors, each with its own ways: the whole list, the digest, and the login of hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from unit import vendors
from unit.vendors import Internet, Vendor, digest_of

import octossh as oc
from octossh.registry import RegistryClient

REPOSITORIES = {
    vendors.DockerHub: ("https://docker.io", "nginx"),
    vendors.GHCR: ("https://ghcr.io", "acme/web"),
    vendors.ECR: ("https://123456789012.dkr.ecr.eu-central-1.amazonaws.com", "acme/web"),
    vendors.ACR: ("https://acme.azurecr.io", "web"),
    vendors.GoogleArtifactRegistry: ("https://europe-docker.pkg.dev", "acme-prod/images/web"),
    vendors.Quay: ("https://quay.io", "acme/web"),
    vendors.Artifactory: ("https://acme.jfrog.io", "docker/acme/web"),
    vendors.Harbor: ("https://harbor.example.com", "shop/web"),
    vendors.Nexus: ("https://nexus.example.com:8443", "acme/web"),
    vendors.GitLab: ("https://registry.gitlab.example.com", "acme/shop/web"),
}
Connect = Callable[..., tuple[RegistryClient, oc.Image]]


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    with Internet(tmp_path_factory.mktemp("internet")) as internet:
        yield internet


@pytest.fixture
def connect(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    for name, value in internet.env.items():
        monkeypatch.setenv(name, value)
    made: list[RegistryClient] = []

    def connect(kind: type[Vendor], *, password: str = "geheim", image: str | None = None, auth: object = None) -> tuple[RegistryClient, oc.Image]:  # fmt: skip
        url, repository = REPOSITORIES[kind]
        registry = oc.Registry(kind.__name__, url, auth=auth or oc.Basic(kind.user, oc.secret("PASSWORD")))
        made.append(RegistryClient(registry, secrets=lambda _: oc.Secret(password)))
        return made[-1], registry.image(image or repository)

    yield connect
    for client in made:
        client.close()


@pytest.mark.parametrize("kind", vendors.VENDORS)
def test_every_vendor_gives_all_tags_and_the_digest_of_one(
    kind: type[Vendor], internet: Internet, connect: Connect
) -> None:
    client, image = connect(kind)
    vendor = internet.vendor(kind)
    pushed = vendor.repositories[image.path]
    assert set(client.tags(image)) == {tag for tag in pushed if not tag.startswith("sha256:")}
    assert client.resolve(image, "1.1.0").digest == digest_of(vendor.raw("1.1.0"))
    assert internet.refused == []


@pytest.mark.parametrize("kind", vendors.VENDORS)
def test_every_vendor_refuses_a_wrong_password_in_words(kind: type[Vendor], connect: Connect) -> None:
    client, image = connect(kind, password="falsch")
    with pytest.raises(oc.RegistryError, match="did not accept user") as caught:
        client.tags(image)
    assert kind.user in str(caught.value)
    assert "falsch" not in str(caught.value)


@pytest.mark.parametrize("kind", vendors.VENDORS)
def test_hosts_get_a_token_where_the_vendor_has_some_that_live_long_enough(
    kind: type[Vendor], connect: Connect
) -> None:
    client, image = connect(kind)
    found = client.pull_login(image)
    assert found is not None
    tokens = {vendors.DockerHub, vendors.GHCR, vendors.GoogleArtifactRegistry, vendors.Harbor, vendors.ACR}
    assert found.kind == ("bearer" if kind in tokens else "password")


def test_a_refresh_token_logs_in_to_azure(connect: Connect) -> None:
    client, image = connect(vendors.ACR, auth=oc.Token(oc.secret("PASSWORD"), refresh=True))
    assert "1.1.0" in client.tags(image)
    assert client.resolve(image, "1.1.0").tag == "1.1.0"


def test_a_repository_of_nexus_without_tags_has_none(connect: Connect) -> None:
    client, image = connect(vendors.Nexus, image="acme/empty")
    assert client.tags(image) == ()


@pytest.mark.slow
def test_a_password_is_sent_to_the_vendor_and_its_own_token_service_only(internet: Internet, connect: Connect) -> None:
    for kind in vendors.VENDORS:
        client, image = connect(kind)
        client.tags(image)
        vendor = internet.vendor(kind)
        sent = {host for host, seen in vendor.seen if vendor.basic in (seen.login or "")}
        assert sent == ({vendor.realm.split("/")[2]} if vendor.realm else {vendor.host})


def test_docker_hub_keeps_official_images_in_its_library(internet: Internet, connect: Connect) -> None:
    client, image = connect(vendors.DockerHub)
    client.tags(image)
    targets = {seen.path for _, seen in internet.vendor(vendors.DockerHub).seen}
    assert "/v2/library/nginx/tags/list" in targets
    with pytest.raises(oc.RegistryError, match="did not accept user 'acme'"):
        client.tags(image.registry.image("acme/missing"))
