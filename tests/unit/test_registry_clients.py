"""Tags, searches and refusals, against a registry that lies as it is told: octossh.registry.clients."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from octossh.errors import Hosts, RegistryError
from octossh.model.credentials import Basic
from octossh.model.images import Registry
from octossh.model.secrets import SecretRef
from octossh.registry import RegistryClient, clients, lists
from octossh.shell import Secret
from octossh.testing.registry import Reply, error

CASES = json.loads((Path(__file__).parents[1] / "data/registry_cases.json").read_text())
LIST = "GET /v2/acme/web/tags/list"
HEAD = "HEAD /v2/acme/web/manifests/"
GET = "GET /v2/acme/web/manifests/"


pytestmark = pytest.mark.usefixtures("short_pauses")


# tags


def test_tags_of_one_page_come_in_the_order_of_the_registry(fake, client, image):
    fake.script(LIST, Reply(200, {"tags": ["b", "a", "C"]}))
    assert client.tags(image) == ("b", "a", "C")


def test_tags_of_all_pages_are_read(fake, client, image):
    fake.page = 7
    fake.push("acme/web", *(f"1.{n:03}" for n in range(50)))
    assert client.tags(image) == tuple(f"1.{n:03}" for n in range(50))
    assert len(fake.asked("/v2/acme/web/tags/list")) == 8
    assert fake.seen[0].query == {"n": ["1000"]}


@pytest.mark.parametrize(("count", "requests"), [(19_999, 20), (20_000, 20), (20_001, 21)])
def test_twenty_thousand_tags_take_twenty_requests_over_one_connection(count, requests, fake, client, image):
    fake.push("acme/web", *(f"1.{number}" for number in range(count)))
    assert len(client.tags(image)) == count
    assert len(fake.seen) == requests
    assert fake.connections == 1


def test_a_cursor_of_any_form_is_sent_back_as_it_was(fake, client, image):
    link = '</v2/acme/web/tags/list?next_page=gAA%3D%2B&n=50>; rel="next"'
    fake.script(LIST, Reply(200, {"tags": ["a"]}, {"Link": link}), Reply(200, {"tags": ["b"]}))
    assert client.tags(image) == ("a", "b")
    assert fake.seen[1].target == "/v2/acme/web/tags/list?next_page=gAA%3D%2B&n=50"


def test_an_absolute_next_page_of_the_same_server_is_read(fake, client, image):
    link = f'<{fake.url}/v2/acme/web/tags/list?last=a>; rel="next"'
    fake.script(LIST, Reply(200, {"tags": ["a"]}, {"Link": link}), Reply(200, {"tags": ["b"]}))
    assert client.tags(image) == ("a", "b")


def test_a_tag_that_comes_twice_is_listed_once(fake, client, image):
    link = "<?last=b>; rel=next"
    fake.script(LIST, Reply(200, {"tags": ["a", "b", "a"]}, {"Link": link}), Reply(200, {"tags": ["b", "c"]}))
    assert client.tags(image) == ("a", "b", "c")


@pytest.mark.parametrize("body", [{"name": "x", "tags": None}, {"name": "x", "tags": []}, {"name": "x"}, {"tags": ""}])
def test_a_repository_without_tags_has_none(body, fake, client, image):
    fake.script(LIST, Reply(200, body))
    assert client.tags(image) == ()


def test_what_cannot_be_a_tag_is_left_out(fake, client, image):
    fake.script(LIST, Reply(200, {"tags": ["", "sha256:" + "a" * 64, "-x", "a b", "ok", "y" * 129, "a\n"]}))
    assert client.tags(image) == ("ok",)


def test_a_byte_order_mark_does_not_matter(fake, client, image):
    fake.script(LIST, Reply(200, b"\xef\xbb\xbf" + b'{"tags": ["a"]}'))
    assert client.tags(image) == ("a",)


def test_a_repository_that_is_unknown_is_an_error_and_not_an_empty_list(fake, client, image):
    with pytest.raises(
        RegistryError, match=r"registry 'fake' \(127\..*: acme/web: there is no such repository"
    ) as caught:
        client.tags(image)
    assert "NAME_UNKNOWN" in str(caught.value)
    assert caught.value.hosts is Hosts.UNTOUCHED


@pytest.mark.parametrize(
    "body",
    [
        "<html>welcome</html>",
        b"\xff\xfe",
        "[]",
        "null",
        '"tags"',
        '{"tags": {"a": 1}}',
        '{"tags": [1]}',
        '{"tags": "a"}',
        "[" * 100000,
        '{"errors": [{"code": "DENIED"}]}',
        "",
    ],
    ids=range(11),
)
def test_a_list_that_is_none_is_an_error(body, fake, client, image):
    fake.script(LIST, Reply(200, body))
    with pytest.raises(RegistryError, match=r"list of tags.*see whether its url is a registry's"):
        client.tags(image)


@pytest.mark.parametrize("target", ["https://evil.example/x?last=z", "http://127.0.0.1:1/v2/?token=hunter2", ""])
def test_a_next_page_on_another_server_is_an_error_and_not_a_cut(target, fake, client, image):
    fake.script(LIST, Reply(200, {"tags": ["a"]}, {"Link": f"<{target}>; rel=next"}))
    with pytest.raises(RegistryError, match=r"another server|no next page") as caught:
        client.tags(image)
    assert "hunter2" not in str(caught.value)


def test_a_list_that_comes_back_to_a_page_is_an_error(fake, client, image):
    fake.script(
        LIST,
        Reply(200, {"tags": ["a"]}, {"Link": "<?p=1>; rel=next"}),
        Reply(200, {"tags": ["b"]}, {"Link": "<?n=1000>; rel=next"}),
    )
    with pytest.raises(RegistryError, match="does not end"):
        client.tags(image)
    assert len(fake.seen) == 2


def test_a_list_of_too_many_pages_is_an_error(fake, client, image, monkeypatch):
    monkeypatch.setattr(lists, "MAX_PAGES", 5)
    pages = iter(range(1000))
    fake.script(LIST, lambda seen: Reply(200, {"tags": ["a"]}, {"Link": f"<?p={next(pages)}>; rel=next"}), forever=True)
    with pytest.raises(RegistryError, match=r"no end within 5 pages.*\(5 pages, 1 tags so far\)"):
        client.tags(image)
    assert len(fake.seen) == 5


def test_a_list_of_exactly_as_many_pages_as_are_allowed_is_read(fake, client, image, monkeypatch):
    monkeypatch.setattr(lists, "MAX_PAGES", 5)
    fake.page = 1
    fake.push("acme/web", *"abcde")
    assert client.tags(image) == tuple("abcde")


def test_a_list_of_too_many_tags_is_an_error(fake, client, image, monkeypatch):
    monkeypatch.setattr(lists, "MAX_TAGS", 10)
    fake.page = 6
    fake.push("acme/web", *(f"t{n:02}" for n in range(20)))
    with pytest.raises(RegistryError, match=r"no end within .* 10 tags"):
        client.tags(image)


def test_a_page_that_is_too_long_is_an_error_and_is_not_read_to_its_end(fake, client, image, monkeypatch):
    monkeypatch.setattr(lists, "PAGE_BYTES", 100_000)
    fake.script(LIST, Reply(200, b" " * 30_000_000))
    with pytest.raises(RegistryError, match="more than the 100000 bytes that are allowed"):
        client.tags(image)


@pytest.mark.parametrize("status", [400, 405])
def test_a_registry_that_refuses_the_page_size_is_asked_without_it(status, fake, client, image):
    fake.push("acme/web", "a")
    fake.script(LIST + "?n=", error(status, "UNSUPPORTED"))
    assert client.tags(image) == ("a",)
    assert [seen.target for seen in fake.seen] == ["/v2/acme/web/tags/list?n=1000", "/v2/acme/web/tags/list"]


def test_a_full_page_without_a_next_one_is_asked_for_more(fake, client, image):
    tags = [f"t{n:04}" for n in range(1500)]
    fake.script(LIST, Reply(200, {"tags": tags[:1000]}), Reply(200, {"tags": tags[1000:]}))
    assert client.tags(image) == tuple(tags)
    assert fake.seen[1].query == {"n": ["1000"], "last": ["t0999"]}


@pytest.mark.parametrize("second", [Reply(404), Reply(200, {"tags": None})])
def test_a_full_page_that_was_the_last_one_is_the_list(second, fake, client, image):
    tags = [f"t{n:04}" for n in range(1000)]
    fake.script(LIST, Reply(200, {"tags": tags}), second)
    assert client.tags(image) == tuple(tags)


def test_a_registry_that_knows_no_last_gives_its_full_page_once(fake, client, image):
    tags = [f"t{n:04}" for n in range(1000)]
    fake.script(LIST, Reply(200, {"tags": tags}), forever=True)
    assert client.tags(image) == tuple(tags)
    assert len(fake.seen) == 2


# search


def test_repositories_are_found_by_a_part_of_their_name(fake, client):
    fake.page = 2
    fake.catalog = ["acme/db", "acme/web", "acme/web-admin", "other/web", "zoo"]
    found = client.repositories("WEB")
    assert found.names == ("acme/web", "acme/web-admin", "other/web")
    assert found.complete
    assert len(fake.asked("/v2/_catalog")) == 3


def test_a_search_ends_when_it_has_found_enough_and_says_that_there_is_more(fake, client):
    fake.page = 2
    fake.catalog = ["a1", "a2", "a3", "a4", "a5", "a6", "a7"]
    found = client.repositories("a", limit=2)
    assert found.names == ("a1", "a2")
    assert not found.complete
    assert "there may be more" in str(found)
    assert len(fake.seen) == 2


def test_a_search_that_finds_just_as_many_as_are_wanted_is_complete(fake, client):
    fake.catalog = ["a1", "b", "a2"]
    assert client.repositories("a", limit=2).complete


def test_a_search_through_an_endless_catalog_ends_and_says_so(fake, client, monkeypatch):
    monkeypatch.setattr(lists, "MAX_SEARCHED_PAGES", 5)
    pages = iter(range(1000))
    fake.script(
        "GET /v2/_catalog",
        lambda seen: Reply(200, {"repositories": ["acme/x"]}, {"Link": f"<?p={next(pages)}>; rel=next"}),
        forever=True,
    )
    found = client.repositories("web")
    assert (found.names, found.complete) == ((), False)
    assert len(fake.seen) == 5


def test_a_catalog_that_goes_round_in_circles_is_an_error(fake, client):
    fake.script("GET /v2/_catalog", Reply(200, {"repositories": ["a"]}, {"Link": "<?n=1000>; rel=next"}), forever=True)
    with pytest.raises(RegistryError, match="list of repositories does not end"):
        client.repositories()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_a_registry_without_a_catalog_says_so_in_a_word(status, fake, client):
    fake.script("GET /v2/_catalog", error(status, "UNSUPPORTED"), forever=True)
    with pytest.raises(RegistryError, match=r"gives no list of its repositories .*write the name of the image in full"):
        client.repositories("web")


def test_docker_hub_is_not_asked_for_a_list_that_it_does_not_have():
    with pytest.raises(RegistryError, match=r"Docker Hub has no list of its repositories"):
        RegistryClient(Registry("hub", "https://docker.io")).repositories("web")


def test_the_catalog_wants_a_token_of_its_own(fake, tmp_path):
    fake.login, fake.bearer = ("ci", "pw"), True
    fake.push("acme/web", "1.0")
    registry = Registry("fake", fake.url, auth=Basic("ci", SecretRef("PW")))
    with RegistryClient(registry, secrets=lambda _: Secret("pw")) as client:
        assert client.repositories("web").names == ("acme/web",)
    assert fake.asked("/token")[0].query["scope"] == ["registry:catalog:*"]


# no registry


def test_a_registry_of_version_1_is_refused_in_clear_words(fake, client, image):
    fake.script("GET /v2/", Reply(404, "<h1>Not Found</h1>"), forever=True)
    fake.script("GET /v1/_ping", Reply(200, "true", {"X-Docker-Registry-Version": "0.9.1"}))
    with pytest.raises(RegistryError, match=r"speaks the registry API v1 only, .*registry:2"):
        client.tags(image)


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (Reply(404, "<!DOCTYPE html><h1>It works</h1>", {"Content-Type": "text/html"}), "web page at its url, and no"),
        (Reply(404, "404 page not found"), "no registry at its url: it does not know /v2/"),
    ],
)
def test_a_server_that_is_no_registry_is_said_to_be_none(reply, match, fake, client, image):
    for path in ("GET /v2/", "HEAD /v2/", "GET /v1/"):
        fake.script(path, reply, forever=True)
    for ask in (client.tags, lambda image: client.resolve(image, "1.0"), lambda image: client.created(image, ["1.0"])):
        with pytest.raises(RegistryError, match=match):
            ask(image)


def test_a_login_form_is_not_taken_for_a_list(fake, client, image):
    form = Reply(200, '<!DOCTYPE html><form action="/login">', {"Content-Type": "text/html; charset=utf-8"})
    fake.script(LIST, form)
    with pytest.raises(RegistryError, match="answered with a web page where a list of tags should be, a login form"):
        client.tags(image)


def test_a_tag_that_is_not_there_is_an_error_with_advice(fake, client, image):
    fake.push("acme/web", "1.0")
    with pytest.raises(
        RegistryError, match=r"acme/web: there is no tag '2\.0', or no more; see which there are: octossh tags acme/web"
    ):
        client.resolve(image, "2.0")


def test_a_tag_of_a_repository_that_is_not_there_names_the_repository(fake, client, image):
    with pytest.raises(RegistryError, match="acme/web: there is no such repository"):
        client.resolve(image, "2.0")


def test_a_404_without_a_code_says_that_it_may_be_no_registry(fake, client, image):
    fake.script(HEAD, Reply(404))
    fake.script(GET, Reply(404, "<h1>Not Found</h1>"))
    with pytest.raises(RegistryError, match=r"no tag '1', or no such repository.*whether the url is a registry's"):
        client.resolve(image, "1")


@pytest.mark.parametrize("tag", ["", "a/b", "../x", "a b", "-a", "a\n", "x" * 129, "sha256:" + "a" * 64, "a?b", None])
def test_what_cannot_be_a_tag_is_refused_without_a_question(tag, fake, client, image):
    with pytest.raises(RegistryError, match="is no tag"):
        client.resolve(image, tag)
    assert fake.seen == []


# both


def test_an_image_of_another_registry_is_refused_without_a_question(fake, client):
    image = Registry("other", "https://other.example").image("acme/web")
    for ask in (client.tags, lambda image: client.resolve(image, "1")):
        with pytest.raises(RegistryError, match=r"other\.example/acme/web, which is another registry's"):
            ask(image)
    assert fake.seen == []


def test_a_403_names_who_may_not(fake, client, image):
    fake.script(LIST, error(403, "DENIED", "hunter2"))
    with pytest.raises(
        RegistryError, match=r"somebody without a login may not read it \(HTTP status 403, DENIED\)"
    ) as caught:
        client.tags(image)
    assert "hunter2" not in str(caught.value)


def test_a_code_that_is_no_code_is_not_shown(fake, client, image):
    fake.script(LIST, error(418, "Bearer hunter2"))
    with pytest.raises(RegistryError, match="HTTP status 418; see its url") as caught:
        client.tags(image)
    assert "hunter2" not in str(caught.value)


def test_plain_http_to_a_server_of_https_says_so(fake, client, image):
    fake.script(LIST, Reply(400, "Client sent an HTTP request to an HTTPS server.\n"), forever=True)
    with pytest.raises(RegistryError, match="it speaks https; write its url with https://"):
        client.tags(image)


def test_a_client_can_be_closed_twice_and_is_of_no_use_then(fake, image):
    fake.push("acme/web", "1")
    client = RegistryClient(Registry("fake", fake.url))
    client.tags(image)
    client.close()
    client.close()
    with pytest.raises(RegistryError, match="is closed"):
        client.tags(image)


@pytest.mark.slow
def test_a_client_serves_many_threads(fake, client, image):
    fake.login, fake.bearer = None, False
    digest = fake.push("acme/web", "1.0")
    found, start = [], threading.Barrier(12)

    def ask():
        start.wait()
        found.extend(client.resolve(image, "1.0").digest for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [digest] * 120


def test_a_client_keeps_its_connection(fake, client, image):
    fake.push("acme/web", "1")
    for _ in range(5):
        client.resolve(image, "1")
    assert fake.connections == 1


@pytest.mark.slow
def test_the_http_library_is_not_imported_before_the_first_question():
    code = (
        "import sys, octossh.registry as r\n"
        "from octossh.model.images import Registry\n"
        "c = r.RegistryClient(Registry('x', 'http://127.0.0.1:1'))\n"
        "c.credentials(); c.close()\n"
        "assert not {'requests', 'urllib3', 'http.client'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("case", CASES["references"], ids=lambda case: case["ref"])
def test_docker_hub_is_asked_where_its_api_is(case):
    host, _, rest = case["ref"].rpartition(".io/")
    image = Registry("hub", f"https://{host or 'docker'}.io").image(rest.partition(":")[0])
    assert clients._api_url(image.registry) == "https://registry-1.docker.io"
    assert image.path == case["repository"]


def test_a_client_shows_no_secret():
    auth = Basic("u", SecretRef("PW"))
    client = RegistryClient(Registry("x", "https://x.example", auth=auth), secrets=lambda _: Secret("hunter2"))
    client.credentials()
    assert repr(client) == "RegistryClient('x', 'https://x.example')"


def test_an_error_survives_pickling(client, image):
    with pytest.raises(RegistryError) as caught:
        client.tags(image)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_full_last_page_of_who_names_next_pages_is_the_end(fake, client, image, monkeypatch):
    monkeypatch.setattr(lists, "PAGE_ENTRIES", 2)
    fake.page = 2
    fake.push("acme/web", "1", "2", "3", "4")
    assert client.tags(image) == ("1", "2", "3", "4")
    assert len(fake.asked("/v2/acme/web/tags/list")) == 2
