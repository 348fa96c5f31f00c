"""Where the values of secrets come from."""

from __future__ import annotations

import stat

import pytest

import octossh as oc
from octossh.vaults import find_secret, sources_of


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A command ``vault`` on the PATH, with that text."""

    def make(text):
        file = tmp_path / "vault"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def test_the_first_source_that_knows_a_name_counts():
    sources = sources_of([{"A": "one"}, {"A": "two", "B": "three"}.get])
    assert [find_secret(sources, name) for name in "ABC"] == ["one", "three", None]


def test_without_sources_the_environment_counts(monkeypatch):
    monkeypatch.setenv("KEY", "geheim")
    assert find_secret(sources_of(None), "KEY") == "geheim"


@pytest.mark.parametrize("given", [7, "KEY=x", [{"A": "x"}, 7]])
def test_what_is_no_source_is_refused(given):
    with pytest.raises(oc.ModelError, match="is no source of them"):
        sources_of(given)


def test_a_folder_holds_a_file_for_each_secret(tmp_path):
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "password").write_text("geheim\n\n")
    source = oc.FolderSecrets(tmp_path)
    assert source("db/password") == "geheim\n"
    assert source("other") is None
    assert source("db/password/x") is None


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(oc.ModelError, match="no name of a file below"):
        oc.FolderSecrets(tmp_path)(name)


@pytest.mark.parametrize("source", [oc.FolderSecrets, lambda folder: oc.FileSecrets(folder / "KEY")])
def test_a_file_that_is_not_text_is_refused(tmp_path, source):
    (tmp_path / "KEY").write_bytes(b"\xff\xfe")
    with pytest.raises(oc.ModelError, match="not text in UTF-8"):
        source(tmp_path)("KEY")


def test_a_file_holds_a_line_for_each_secret(tmp_path):
    (tmp_path / ".env").write_text("# ours\n\nexport A = 'it is $x'\nB=\"2\"\nC=a=b\nD=\n")
    source = oc.FileSecrets(tmp_path / ".env")
    assert [source(name) for name in "ABCDE"] == ["it is $x", "2", "a=b", "", None]


def test_a_line_that_is_none_is_named_by_its_number_and_not_shown(tmp_path):
    (tmp_path / ".env").write_text("A=1\ngeheim\n")
    with pytest.raises(oc.ModelError, match="line 2") as caught:
        oc.FileSecrets(tmp_path / ".env")("A")
    assert "geheim" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(oc.ModelError, match="there is no file of secrets"):
        oc.FileSecrets(tmp_path / ".env")("A")


def test_a_command_gets_the_name_and_prints_the_value(tool):
    tool('[ "$1" = read ] && printf \'%s\\n\\n\' "value of $2"')
    assert oc.CommandSecrets(["vault", "read", "op://shop/{name}; x"])("db") == "value of op://shop/db; x\n"


def test_an_exit_code_that_means_nothing_there_is_no_error_and_another_one_is(tool):
    tool("echo geheim; echo geheim >&2; exit 44")
    assert oc.CommandSecrets(["vault", "{name}"], missing=[44])("db") is None
    with pytest.raises(oc.ModelError, match="'vault db' failed with exit code 44; run it by hand") as caught:
        oc.CommandSecrets(["vault", "{name}"])("db")
    assert "geheim" not in str(caught.value)


def test_a_command_that_takes_too_long_or_is_not_there_is_an_error(tool):
    tool("exec sleep 60")
    with pytest.raises(oc.ModelError, match=r"longer than 0\.2 s"):
        oc.CommandSecrets(["vault", "{name}"], timeout_s=0.2)("db")
    with pytest.raises(oc.ModelError, match="there is no command 'no-such'"):
        oc.CommandSecrets(["no-such", "{name}"])("db")


@pytest.mark.parametrize(
    ("words", "what"), [("pass show {name}", "no list of words"), ([], "no list"), (["pass"], "which secret")]
)
def test_a_command_is_a_list_of_words_with_a_place_for_the_name(words, what):
    with pytest.raises(oc.ModelError, match=what):
        oc.CommandSecrets(words)


def test_a_keyring_is_asked_for_the_name_under_its_service(monkeypatch):
    monkeypatch.setattr("octossh.vaults.sources.ask_keyring", lambda *key: {("shop", "db"): "geheim"}.get(key))
    source = oc.KeyringSecrets("shop")
    assert (source("db"), source("other")) == ("geheim", None)


def test_no_source_shows_a_value(tmp_path):
    (tmp_path / "KEY").write_text("geheim")
    for source in (oc.FolderSecrets(tmp_path), oc.FileSecrets(tmp_path / "KEY"), oc.CommandSecrets(["cat", "{name}"])):
        assert "geheim" not in repr(source)
