"""Releases compared with each other, and carried to another store in a file."""

from __future__ import annotations

import json
import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

import octossh as oc
from octossh.planning import compare
from octossh.recording import Key, pack, read_key, unpack

HUB = oc.Registry("hub", "https://registry.example.com")
WEB, DB = HUB.image("acme/web"), HUB.image("acme/db")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD = oc.Release(
    project="shop",
    number="1.4.1",
    channel="stable",
    process=oc.Process(
        [
            oc.RunContainer("web", image=WEB, env={"PING": "{{ Ping }}", "KEY": oc.secret("KEY")}, publish=["80:80"]),
            oc.RunContainer("db", image=DB),
            oc.RunScript("clean", script="true"),
        ]
    ),
    variables=(oc.Variable("Ping", 1), oc.Variable("Ping", 5, environment="Production"), oc.Variable("Gone", "x")),
    pins=(
        oc.Pin(image=WEB, tag="1.4.1", digest=f"sha256:{'1' * 64}"),
        oc.Pin(image=DB, tag="16.1", digest=f"sha256:{'2' * 64}"),
    ),
    created_at=NOW,
    created_by="ann@pc",
    templates=oc.model.Pairs({"run_script.sh.j2": "a" * 64}),
)
NEW = attrs.evolve(
    OLD,
    number="1.4.2",
    commit="0123abcd",
    process=oc.Process(
        [
            oc.RunScript("migrate", script="true"),
            oc.RunContainer("db", image=DB),
            oc.RunContainer("web", image=WEB, env={"PING": "{{ Ping }}", "KEY": "plain"}, publish=["81:80"]),
        ]
    ),
    variables=(oc.Variable("Ping", 1), oc.Variable("Ping", 7, environment="Production"), oc.Variable("Key", oc.secret("KEY"))),
    pins=(
        oc.Pin(image=WEB, tag="1.4.2", digest=f"sha256:{'3' * 64}"),
        oc.Pin(image=DB, tag="16.2", digest=f"sha256:{'2' * 64}"),
    ),
    templates=oc.model.Pairs({"run_script.sh.j2": "b" * 64, "_lock.sh.j2": "c" * 64}),
)  # fmt: skip


def test_a_comparison_names_images_steps_by_field_variables_and_templates():
    assert str(compare(OLD, NEW)) == (
        "shop 1.4.1 -> 1.4.2\n"
        "  about it\n"
        "    commit: (none) -> 0123abcd\n"
        "  images\n"
        "    ~ registry.example.com/acme/db  16.1 -> 16.2 (the same image)\n"
        "    ~ registry.example.com/acme/web  1.4.1 (111111111111) -> 1.4.2 (333333333333)\n"
        "  steps\n"
        "    order: web, db -> db, web\n"
        "    + migrate\n"
        "    ~ web\n"
        "        env KEY: (secret KEY) -> plain\n"
        "        publish: 80:80 -> (none)\n"
        "        publish: (none) -> 81:80\n"
        "    - clean\n"
        "  variables\n"
        "    - Gone: x\n"
        "    + Key: (secret KEY)\n"
        "    ~ Ping (environment Production): 5 -> 7\n"
        "  templates\n"
        "    + _lock.sh.j2: cccccccccccc\n"
        "    ~ run_script.sh.j2: aaaaaaaaaaaa -> bbbbbbbbbbbb"
    )


def test_a_comparison_is_plain_data_and_goes_both_ways():
    there, back = compare(OLD, NEW), compare(NEW, OLD)
    assert json.loads(json.dumps(there.to_dict()))["images"][1]["new_digest"] == f"sha256:{'3' * 64}"
    assert {(c.step, c.how) for c in there.steps} == {("migrate", "added"), ("web", "changed"), ("clean", "removed")}
    assert {(c.step, c.how) for c in back.steps} == {("migrate", "removed"), ("web", "changed"), ("clean", "added")}
    assert ">shop 1.4.1 -&gt; 1.4.2" in there._repr_html_()


def test_releases_that_deploy_the_same_say_so():
    same = compare(OLD, attrs.evolve(OLD, number="2", link="https://example.com"))
    assert not same.differs
    assert str(same).startswith("shop 1.4.1 -> 2: the same is deployed\n  about it\n    link: ")
    with pytest.raises(oc.PlanError, match="are of two projects"):
        compare(OLD, attrs.evolve(OLD, project="other"))


SHOP = oc.Project("shop", process=[oc.RunScript("do", script="echo {{ Level }}")], variables=[oc.Variable("Level", 1)])
TARGETS = [oc.Target("h", "h", environments=["Dev"])]


def done(target, script):
    return oc.Result((oc.Frame("docker", "27.0"), oc.Frame("end", "succeeded ran yes ")), "", 0, NOW, 0.0)


def space(project=SHOP, **more):
    return oc.Space("sqlite://", projects=[project], targets=TARGETS, transport=oc.Replay(done), **more)


def test_a_release_is_compared_with_what_stands_in_an_environment():
    with space() as made:
        made.create_release()
        made.deploy("0.0.1", "Dev")
        made._catalog = attrs.evolve(
            made._catalog, projects={"shop": attrs.evolve(SHOP, variables=(oc.Variable("Level", 2),))}
        )
        made.create_release()
        assert str(made.diff("latest", environment="Dev")) == "shop 0.0.1 -> 0.0.2\n  variables\n    ~ Level: 1 -> 2"
        assert made.diff("0.0.1", "0.0.2") == made.diff("latest", environment="Dev")
        with pytest.raises(oc.PlanError, match="give another number, or an environment"):
            made.diff("0.0.1")
        with pytest.raises(oc.ModelError, match=r"no release '0\.0\.9'"):
            made.diff("0.0.1", "0.0.9")


@pytest.fixture
def carried(tmp_path):
    """A file with release 0.0.1, and the release."""
    with space() as here:
        here.create_release(notes="# Überall gut", commit="", link="")
        made = here.export_release("0.0.1", tmp_path / "release.json")
    return tmp_path / "release.json", made


def test_a_release_that_was_carried_over_is_the_same_and_says_where_it_comes_from(carried):
    file, made = carried
    with space() as there:
        found = there.import_release(file)
        assert there.release("shop", "0.0.1") == found
        assert attrs.evolve(found, imported="") == made
        assert found.imported.startswith("exported 20")
        assert f"by {made.created_by}, not signed, sha256:" in found.imported
        assert there.deploy("0.0.1", "Dev").ok
        assert there.verify().ok
        told = next(event for event in there.store.events() if event.type == "release_imported")
        assert told.data["imported"] == found.imported
        assert there.create_release().number == "0.0.2"
        with pytest.raises(oc.RecordError, match=r"'0\.0\.1' already, and it is the one in the file; there is nothing"):
            there.import_release(file)


def test_a_release_of_another_project_or_under_a_taken_number_is_refused(carried):
    file, _ = carried
    with space(attrs.evolve(SHOP, name="ship")) as there:
        with pytest.raises(oc.ModelError, match=r"there is no project 'shop'; did you mean 'ship'\?"):
            there.import_release(file)
    with space() as there:
        there.create_release()
        with pytest.raises(oc.RecordError, match=r"has a release '0\.0\.1' already; one number is one release"):
            there.import_release(file)
        assert [event.type for event in there.store.events()] == ["release_created"]


def test_one_changed_byte_and_a_release_is_not_taken(carried):
    file, _ = carried
    text = file.read_text()
    choose = random.Random(1)
    for place in [0, 1, len(text) - 1, *choose.sample(range(len(text)), 60)]:
        other = chr((ord(text[place]) + choose.choice([1, 2, 32])) % 127)
        changed = text[:place] + other + text[place + 1 :]
        with pytest.raises(oc.ModelError, match=r"^the file"):
            unpack(changed, "the file")
    for changed in (text + "\n", text[:-1], text.replace("\n", "\r\n"), "", "[]", "[" * 100_000, "\x00"):
        with pytest.raises(oc.ModelError, match=r"^the file"):
            unpack(changed, "the file")


def test_who_changes_the_content_and_makes_the_hash_anew_still_lacks_the_signature(carried):
    _, made = carried
    key = read_key(oc.Secret("0123456789abcdef"))
    forged = pack(attrs.evolve(made, notes="forged"), at=NOW, by="eve")
    assert unpack(forged, "the file").notes == "forged"
    with pytest.raises(oc.ModelError, match="is not signed, and it has to be"):
        unpack(forged, "the file", key=key)
    signed = pack(made, at=NOW, by="ann", key=key)
    assert f"signed with {key.name}" in unpack(signed, "the file", key=key).imported
    assert "its signature was not checked" in unpack(signed, "the file").imported
    with pytest.raises(oc.ModelError, match="and not, or not rightly, with"):
        unpack(signed, "the file", key=read_key(oc.Secret("another key of 16")))
    stolen = json.loads(forged) | {"signature": json.loads(signed)["signature"]}
    with pytest.raises(oc.ModelError, match="not rightly"):
        unpack(json.dumps(stolen, indent=1, sort_keys=True) + "\n", "the file", key=key)


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name, words in (("id", ["-t", "ed25519"]), ("rsa", ["-t", "rsa", "-b", "2048"]), ("locked", ["-t", "ed25519"])):
        phrase = "secret phrase" if name == "locked" else ""
        subprocess.run(["ssh-keygen", "-q", "-a", "1", "-N", phrase, *words, "-f", folder / name], check=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", folder / "pem"], check=True)
    subprocess.run(["openssl", "pkey", "-in", folder / "pem", "-pubout", "-out", folder / "pem.pub"], check=True)
    return folder


@pytest.mark.parametrize("name", ["id", "pem"])
def test_an_ed25519_key_signs_and_its_public_half_checks(keys, name):
    private, public = read_key(keys / name), read_key(keys / f"{name}.pub")
    signed = pack(OLD, at=NOW, by="ann", key=private)
    assert private.name == public.name
    assert f"signed with {public.name}" in unpack(signed, "the file", key=public).imported
    with pytest.raises(oc.ModelError, match="a public key can check a signature and make none"):
        pack(OLD, at=NOW, by="ann", key=public)


@pytest.mark.parametrize(
    ("name", "words"),
    [("rsa", "another kind than Ed25519"), ("locked", "it has a passphrase"), ("gone", "cannot be read: No such file")],
)
def test_what_is_no_such_key_is_told(keys, name, words):
    with pytest.raises(oc.ModelError, match=words):
        read_key(keys / name)


def test_a_key_is_long_enough_and_does_not_show_itself():
    with pytest.raises(oc.ModelError, match="too short to sign with"):
        read_key(oc.Secret("short"))
    assert "0123456789abcdef" not in repr(read_key(oc.Secret("0123456789abcdef")))
    assert isinstance(read_key(oc.Secret("0123456789abcdef")), Key)


def test_the_key_of_the_environment_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("OCTOSSH_RELEASE_KEY", "a secret that both know")
    with space() as here, space() as there:
        here.create_release()
        here.export_release("latest", tmp_path / "r.json")
        assert "a secret" not in (tmp_path / "r.json").read_text()
        assert "signed with" in there.import_release(tmp_path / "r.json").imported
        monkeypatch.setenv("OCTOSSH_RELEASE_KEY", "another secret of others")
        with pytest.raises(oc.ModelError, match="not rightly"):
            there.import_release(tmp_path / "r.json")
