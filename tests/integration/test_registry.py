"""Tags, digests and logins, against the lab's real registry: octossh.registry."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime

import pytest
import requests
import shops

import octossh as oc
from octossh.errors import RegistryError
from octossh.model.credentials import Basic
from octossh.model.images import Registry
from octossh.model.secrets import SecretRef
from octossh.registry import RegistryClient, lists
from octossh.shell import Secret

pytestmark = pytest.mark.lab

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Pushed:
    """A repository of our own in the open registry."""

    def __init__(self, host):
        self.url = f"http://{host}/v2"
        self.repository = f"octossh-tests/{uuid.uuid4().hex}"
        self.session = requests.Session()
        self.session.trust_env = False

    def blob(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        start = self.session.post(f"{self.url}/{self.repository}/blobs/uploads/")
        put = self.session.put(start.headers["Location"], params={"digest": digest}, data=content)
        put.raise_for_status()
        return {"digest": digest, "size": len(content)}

    def manifest(self, content, media_type, *tags):
        raw = json.dumps(content, indent=3).encode()
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        for tag in tags or (digest,):
            url = f"{self.url}/{self.repository}/manifests/{tag}"
            self.session.put(url, data=raw, headers={"Content-Type": media_type}).raise_for_status()
        return {"digest": digest, "size": len(raw), "mediaType": media_type}

    def image(self, *tags, word="x"):
        config = {"mediaType": "application/vnd.docker.container.image.v1+json"} | self.blob(
            json.dumps({"w": word}).encode()
        )
        layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"} | self.blob(word.encode())
        content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        return self.manifest(content, MANIFEST, *tags)

    def index(self, media_type, *tags):
        platforms = [{"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}]
        of = [self.image(word=p["architecture"]) | {"platform": p} for p in platforms]
        return self.manifest({"schemaVersion": 2, "mediaType": media_type, "manifests": of}, media_type, *tags)

    def delete(self, digest):
        self.session.delete(f"{self.url}/{self.repository}/manifests/{digest}").raise_for_status()


@pytest.fixture
def pushed(lab):
    pushed = Pushed(lab.registry)
    yield pushed
    pushed.session.close()


@pytest.fixture
def client(lab):
    with RegistryClient(Registry("open", f"http://{lab.registry}")) as client:
        yield client


@pytest.fixture
def image(lab, pushed):
    return Registry("open", f"http://{lab.registry}").image(pushed.repository)


@pytest.fixture
def ask(lab, pushed, tmp_path):
    """Asks the registry with TLS and a password for the tags; the facts of the login may be wrong."""

    def ask(*, user=None, password=None, ca=True, auth=True, config=None):
        facts = lab.registry_auth
        registry = Registry(
            "closed",
            f"https://{facts.server}",
            auth=Basic(user or facts.user, SecretRef("PW")) if auth else None,
            ca=str(facts.ca) if ca else None,
        )
        (tmp_path / "config.json").write_text(json.dumps(config or {}))
        with RegistryClient(
            registry, secrets=lambda _: Secret(password or facts.password), docker_config=tmp_path
        ) as client:
            image = registry.image(pushed.repository)
            return client.tags(image), client.resolve(image, "1.0"), client

    return ask


def test_the_tags_of_a_repository_are_all_listed(pushed, client, image):
    pushed.image(*(f"1.{n}" for n in range(30)))
    assert set(client.tags(image)) == {f"1.{n}" for n in range(30)}


@pytest.mark.parametrize("size", [1, 7, 30])
def test_the_tags_are_all_listed_whatever_the_size_of_a_page(size, pushed, client, image, monkeypatch):
    monkeypatch.setattr(lists, "PAGE_ENTRIES", size)
    pushed.image(*(f"1.{n}" for n in range(30)))
    assert set(client.tags(image)) == {f"1.{n}" for n in range(30)}


def test_a_repository_whose_last_tag_was_deleted_has_none(pushed, client, image):
    pushed.delete(pushed.image("1.0")["digest"])
    assert client.tags(image) == ()


def test_a_repository_that_never_was_is_an_error(client, image):
    with pytest.raises(RegistryError, match=r"there is no such repository.*NAME_UNKNOWN"):
        client.tags(image)


def test_a_tag_of_an_image_is_resolved_to_its_manifest(pushed, client, image):
    made = pushed.image("1.0", "latest")
    for tag in ("1.0", "latest"):
        pin = client.resolve(image, tag)
        assert (pin.digest, pin.media_type, pin.size) == (made["digest"], MANIFEST, made["size"])


@pytest.mark.parametrize("media_type", [MANIFEST_LIST, INDEX])
def test_a_tag_of_an_index_is_resolved_to_the_index(media_type, pushed, client, image):
    made = pushed.index(media_type, "1.0")
    pin = client.resolve(image, "1.0")
    assert (pin.digest, pin.media_type, pin.size) == (made["digest"], media_type, made["size"])


def test_a_pin_says_the_platforms_of_an_index_and_of_an_image(lab, client, pushed, image):
    pushed.index(INDEX, "1.0")
    assert client.resolve(image, "1.0").platforms == ("linux/amd64", "linux/arm64")
    # One of the lab's own, which runs on its hosts.
    runs = client.resolve(Registry("open", f"http://{lab.registry}").image("acme/web"), "1.0.0")
    assert runs.platforms == (lab.sh("h01", "docker version -f '{{.Server.Os}}/{{.Server.Arch}}'").strip(),)


def test_the_times_of_tags_are_those_in_their_images(lab, client):
    image = Registry("open", f"http://{lab.registry}").image("acme/web")
    made = datetime(2026, 1, 1, tzinfo=UTC)
    assert client.created(image, ["1.0.0", "1.1.0"]) == {"1.0.0": made, "1.1.0": made}


def test_a_plan_refuses_an_image_that_is_not_built_for_the_host(lab, pushed, tmp_path):
    config = {"os": "linux", "architecture": "s390x", "rootfs": {"type": "layers", "diff_ids": []}}
    config = {"mediaType": "application/vnd.docker.container.image.v1+json"} | pushed.blob(json.dumps(config).encode())
    pushed.manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}, MANIFEST, "1.0.0")
    web = oc.RunContainer("web", image=Registry("open", f"http://{lab.registry}").image(pushed.repository))
    with shops.space(lab, shops.project(web), shops.targets(lab, "Dev"), tmp_path) as space:
        (task,) = space.plan(space.create_release(), "Dev").tasks
    assert task.action is oc.Action.REFUSE
    assert "is built for linux/s390x, and the host is linux/" in task.why


def test_the_repositories_of_a_registry_are_searched(client, pushed):
    pushed.image("1.0")
    assert client.repositories(pushed.repository[-12:]).names == (pushed.repository,)


def test_a_tag_that_moved_is_resolved_anew(pushed, client, image):
    before = pushed.image("latest", word="before")
    assert client.resolve(image, "latest").digest == before["digest"]
    after = pushed.image("latest", word="after")
    assert client.resolve(image, "latest").digest == after["digest"] != before["digest"]


def test_a_tag_that_is_not_there_is_an_error(pushed, client, image):
    pushed.image("1.0")
    with pytest.raises(RegistryError, match=r"there is no tag '2\.0'"):
        client.resolve(image, "2.0")


def test_the_right_password_is_let_in(pushed, ask):
    made = pushed.image("1.0")
    tags, pin, _ = ask()
    assert tags == ("1.0",)
    assert pin.digest == made["digest"]


def test_the_login_that_hosts_would_get_is_let_in(lab, pushed, ask):
    pushed.image("1.0")
    _, _, client = ask()
    config = json.loads(client.credentials().docker_config(lab.registry_auth.server).reveal())
    assert ask(auth=False, config=config)[0] == ("1.0",)


@pytest.mark.parametrize("wrong", [{"password": "not the password"}, {"user": "nobody"}])
def test_a_wrong_login_is_an_error_that_names_the_user(wrong, lab, pushed, ask):
    pushed.image("1.0")
    user = wrong.get("user", lab.registry_auth.user)
    with pytest.raises(RegistryError, match=f"did not accept user '{user}'") as caught:
        ask(**wrong)
    assert "not the password" not in str(caught.value)


def test_a_missing_login_is_an_error_that_says_what_to_do(pushed, ask):
    pushed.image("1.0")
    with pytest.raises(RegistryError, match=r"no login was found .*; run 'docker login"):
        ask(auth=False)


def test_an_unknown_authority_is_an_error_that_says_what_to_set(pushed, ask):
    pushed.image("1.0")
    with pytest.raises(RegistryError, match="set ca= to the file of the authority"):
        ask(ca=False)


def test_plain_http_to_the_port_of_https_is_an_error_that_says_so(lab):
    registry = Registry("closed", f"http://{lab.registry_auth.server}")
    with RegistryClient(registry) as client, pytest.raises(RegistryError, match="it speaks https"):
        client.tags(registry.image("a"))


def test_https_to_the_port_of_plain_http_is_an_error_that_says_so(lab):
    registry = Registry("open", f"https://{lab.registry}")
    with RegistryClient(registry) as client, pytest.raises(RegistryError, match="if it speaks plain http"):
        client.tags(registry.image("a"))
