"""ComposeUp: what a compose file may say, what is refused, and what is sent of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from golden.cases import order

import octossh as oc
from octossh.model.steps.compose_files import variables_of
from octossh.rendering import render

hub = oc.Registry("hub", "https://registry.example.com")
docker_hub = oc.Registry("docker hub", "https://docker.io")
WEB = hub.image("acme/web")
FILE = "services:\n  web:\n    image: registry.example.com/acme/web:1.0\n"


def step(file: str = FILE, images: Any = (WEB,), **fields: Any) -> oc.ComposeUp:
    return oc.ComposeUp("stack", file=file, images=images, **fields)


def sent(made: oc.ComposeUp, **more: Any) -> Any:
    """The compose file in the script."""
    body = render(order(made, **more)).body
    text = body.partition("    printf '%s' '")[2].partition("}' |")[0]
    return json.loads(text.replace("'\"'\"'", "'") + "}")


def services(made: oc.ComposeUp, **more: Any) -> Any:
    wanted = order(made, **more).wanted
    assert wanted is not None
    return wanted.parts


def test_a_file_is_read_when_the_step_is_made_and_is_part_of_it(tmp_path):
    path = tmp_path / "compose.yml"
    path.write_text(FILE.rstrip())
    made = step(path)
    assert made == step(str(path)) == step(FILE)
    path.unlink()
    assert made.file == FILE
    with pytest.raises(oc.ModelError, match=r"compose.yml' cannot be read: No such file.*give another path"):
        step(path)


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("registry.example.com/acme/web", WEB),
        ("registry.example.com/acme/web:1.0@sha256:" + "0" * 64, WEB),
        ("nginx:1.25", docker_hub.image("nginx")),
        ("docker.io/library/nginx", docker_hub.image("nginx")),
        ("acme/web:2", docker_hub.image("acme/web")),
        ("index.docker.io/acme/web", docker_hub.image("acme/web")),
        ("localhost:5000/acme/web", oc.Registry("local", "http://localhost:5000").image("acme/web")),
    ],
)
def test_an_image_is_for_the_services_that_run_its_repository(written, image):
    made = step(f"services:\n  a: {{image: '{written}'}}\n", [image])
    assert dict(made.images) == {"a": image}
    assert made.needed_images == (image,)
    assert sent(made)["services"]["a"]["image"].startswith(f"{image.pull_name}@sha256:")


@pytest.mark.parametrize(
    ("file", "fields", "said"),
    [
        ("a: 1\n", {}, "has no services; write 'services:' at its top"),
        ("- a\n", {}, "has no services"),
        ("services:\n  web: {\n", {}, "the compose file is not YAML"),
        ("services:\n  web:\n", {}, "service 'web' has no fields; give it an image"),
        ("services:\n  web: {build: .}\n", {}, "'web' is built; octossh does not build images"),
        ("services:\n  web: {extends: db, image: a}\n", {}, "extends another one; write it out"),
        ("include: [a.yml]\n" + FILE, {}, "includes others"),
        ("services:\n  we b: {image: a}\n", {}, "a name is made of letters"),
        ("services:\n  web: {image: [a]}\n", {}, "has no image"),
        (FILE + "    labels: {octossh.step: x}\n", {}, "are octossh's own; take 'octossh.step' out"),
        (FILE + "    labels: 5\n", {}, "labels is neither a mapping nor a list"),
        (FILE + "    volumes: ['./data:/data']\n", {}, "'./data' is a path beside the compose file"),
        (FILE + "    volumes: [{type: bind, source: ../x, target: /x}]\n", {}, "'../x' is a path beside"),
        (FILE + "    env_file: web.env\n", {}, "env_file: 'web.env' is a path beside"),
        (FILE + "secrets: {pw: {file: pw.txt}}\n", {}, "secrets 'pw': 'pw.txt' is a path beside"),
        (FILE + "    command: ${ARGS}\n", {}, r"reads \$\{ARGS\}, which env= does not give"),
        (FILE + "    environment: [LEVEL]\n", {}, r"reads \$\{LEVEL\}, which env= does not give"),
        (FILE, {"env": {"LEVEL": "x"}}, r"does not read \$\{LEVEL\}"),
        (FILE + "    command: ${PW}\n", {"env": {"PW": oc.secret("PW")}}, "docker shows it to everybody"),
        (FILE + "    labels: {a: 'x${PW}'}\n", {"env": {"PW": oc.secret("PW")}}, "docker shows it to everybody"),
        (FILE + "  db: {image: 'postgres:16'}\n", {}, "service 'db': nothing says which postgres:16 it is"),
        (FILE + "  db: {image: 'postgres:${V}'}\n", {"env": {"V": 1}}, "service 'db': nothing says which"),
        (FILE, {"images": [WEB, hub.image("acme/db")]}, "no service of the compose file runs .*acme/db"),
        (FILE, {"images": {"wbe": WEB}}, "has no service 'wbe'; did you mean 'web'"),
        (FILE, {"images": WEB}, "takes a list of images"),
        (FILE, {"images": ["acme/web"]}, "'acme/web' is not an image"),
        (FILE, {"jobs": ["migrate"]}, "has no service 'migrate'"),
        (FILE, {"compose_name": "Shop.1"}, "'Shop.1' is not a name of a compose project"),
        ("services:\n  a: {image: x, profiles: [p]}\n", {"images": []}, "no service .* is without a profile"),
        (FILE + "    depends_on: [db]\n  db: {image: x, profiles: [p]}\n", {}, "depends on 'db', which these profiles"),
        (5, {}, "5 is neither the text of a compose file nor its path"),
    ],
)
def test_what_cannot_work_is_refused_when_the_step_is_made(file, fields, said):
    with pytest.raises(oc.ModelError, match=said) as caught:
        step(file, **{"images": {"web": WEB} if isinstance(file, str) and "  web:" in file else [], **fields})
    assert "ComposeUp 'stack'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_without_a_digest_may_be_allowed_and_is_left_as_it_is():
    made = step(FILE + "  db: {image: 'postgres:16'}\n", allow_unpinned=True)
    assert sent(made)["services"]["db"]["image"] == "postgres:16"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a $B ${C} $$D $${E} ${F:-x} ${G-} ${H:?no} ${I:+y}",
         {"B": False, "C": False, "F": True, "G": True, "H": False, "I": True}),
        ("${A:-${B}}", {"A": True, "B": False}),
        ("${A:-x}$A", {"A": False}),
        ("$", {}),
    ],
)  # fmt: skip
def test_the_variables_of_a_text_are_those_that_compose_reads(text, read):
    assert variables_of({"x": [text]}) == read


def test_a_service_of_a_profile_is_left_out_unless_its_profile_is_named():
    file = FILE + "  db: {image: 'x@sha256:%s', profiles: [db]}\n" % ("0" * 64)
    assert set(sent(step(file))["services"]) == {"web"}
    assert "profiles" not in sent(step(file, profiles=["db"]))["services"]["db"]


def test_what_compose_makes_bears_our_labels_and_a_dollar_in_them_is_only_a_dollar():
    file = FILE + "    networks: [own, theirs]\nnetworks: {own: , theirs: {external: true}}\nvolumes: {data: }\n"
    document = sent(step(file), project="sh$op")
    for thing in (document["services"]["web"], document["networks"]["own"], document["volumes"]["data"]):
        assert thing["labels"]["octossh.project"] == "sh$$op"
    assert document["networks"]["theirs"] == {"external": True}
    assert "default" not in document["networks"]


def test_the_hash_of_a_service_changes_with_all_that_matters_to_it_and_with_nothing_else():
    top = "networks: {front: {internal: %s}}\n"
    file = FILE + "    networks: [front]\n    command: ${A:-x}\n  db: {image: 'x@sha256:%s', command: $B}\n" % (
        "0" * 64
    )
    base = services(step(file + top % "false", env={"A": "1", "B": "1"}))
    for other, differing in (
        (step(file + top % "false", env={"A": "2", "B": "1"}), {"web"}),
        (step(file + top % "false", env={"A": "1", "B": "2"}), {"db"}),
        (step(file + top % "true", env={"A": "1", "B": "1"}), {"web"}),
        (step(file + top % "false", env={"B": "1"}), {"web"}),
        (step(file + top % "false" + "x-note: 1\n", env={"A": "1", "B": "1"}), set()),
    ):
        made = services(other)
        assert {name for name in made if made[name].spec != base[name].spec} == differing
    by_digest = services(step(file + top % "false", env={"A": "1", "B": "1"}), digest="sha256:" + "f" * 64)
    assert by_digest["web"].spec != base["web"].spec
    assert by_digest["db"].spec == base["db"].spec
    by_tag = services(step(file + top % "false", env={"A": "1", "B": "1"}), tag="other")
    assert by_tag["web"].spec == base["web"].spec


def test_a_secret_in_the_environment_of_a_service_stands_there_by_name_and_version_only():
    file = FILE + "    environment: ['URL=pg://u:${PW}@db', 'PLAIN=1']\n"
    web = services(step(file, env={"PW": oc.secret("pw")}), secrets={"pw": "swordfish"})["web"]
    assert web.fields["env"]["URL"]["secret"] == "pw"
    assert web.fields["environment"] == {"PLAIN": "1"}
    assert "swordfish" not in web.text
    other = services(step(file, env={"PW": oc.secret("pw")}), secrets={"pw": "trout"})["web"]
    assert other.spec != web.spec


@pytest.mark.parametrize("name", ["PATH", "HOME", "COMPOSE_FILE", "octossh_release_0"])
def test_a_variable_that_the_shell_or_docker_uses_itself_is_refused(name):
    with pytest.raises(oc.ModelError, match=f"uses the variable '{name}'; rename it"):
        render(order(step(FILE + f"    command: ${name}\n", env={name: "x"})))


def test_the_name_of_the_project_is_one_that_compose_takes():
    made = order(step(), project="My.Shop", environment="Test 1")
    assert made.wanted is not None
    assert made.wanted.name == "my-shop-test-1-stack"


@pytest.mark.parametrize("line", ["command: []", "entrypoint: ''", "init: false", "oom_score_adj: 0"])
def test_what_a_file_sets_to_nothing_is_said_all_the_same(line: str) -> None:
    plain = services(step())["web"]
    assert services(step(f"{FILE}    {line}\n"))["web"].spec != plain.spec
    assert services(step(f"{FILE}    command: null\n"))["web"].spec == plain.spec


@pytest.mark.parametrize("line", ["scale: 0", "deploy: {replicas: 0}", "scale: '0'"])
def test_a_service_without_a_container_is_refused(line: str) -> None:
    with pytest.raises(oc.ModelError, match="service 'web' has no container; give it a profile"):
        step(f"{FILE}    {line}\n")
