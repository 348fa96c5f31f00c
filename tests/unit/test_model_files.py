"""Files of this machine as values of fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import octossh as oc
from octossh.model import write_whole
from octossh.templating import evaluate


def test_text_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_bytes(b"a = {{ A }}\r\nb\n")
    assert oc.read_text(file) == "a = {{ A }}\r\nb\n"


@pytest.mark.parametrize("text", ["{{ A }} {% if x %} {# no #}", "{{{% a %}}}", "{{{{", "{'{{'}", "{", "plain"])
def test_literal_text_comes_out_as_it_was(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.conf"
    file.write_text(text)
    assert evaluate(oc.read_text(file, literal=True), {}, where="test") == text


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(oc.ModelError, match="cannot be read: it is no text in UTF-8"):
        oc.read_text(tmp_path / "a")


def test_an_env_file_has_dockers_format_and_expressions(tmp_path: Path) -> None:
    file = tmp_path / "shop.env"
    file.write_text("# for all\n\nLEVEL={{ Level }}\n  QUOTED='a b' # stays\nEMPTY=\nURL=a=b\n")
    read = {"LEVEL": "{{ Level }}", "QUOTED": "'a b' # stays", "EMPTY": "", "URL": "a=b"}
    assert oc.env_file(file) == read
    assert oc.RunScript("x", script="true", env=oc.env_file(file)).env == read
    assert evaluate(oc.env_file(file, literal=True)["LEVEL"], {}, where="test") == "{{ Level }}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nB\n", "line 2: it is not NAME=VALUE"),
        ("A=1\nA=2", "line 2: A stands there twice"),
        ("A =1", "line 1: it is not NAME=VALUE"),
    ],
)
def test_an_env_file_of_another_form_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "shop.env"
    file.write_text(text)
    with pytest.raises(oc.ModelError, match=said):
        oc.env_file(file)


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    file.write_text("old")
    file.chmod(0o600)

    def breaks() -> Iterator[str]:
        yield "new"
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_whole(file, breaks())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("shop.json", "old")]
    (tmp_path / "link").symlink_to(file)
    write_whole(tmp_path / "link", ["n", "ew"])
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
    with pytest.raises(oc.ModelError, match="cannot be written: No such file or directory; give another path"):
        write_whole(tmp_path / "none" / "a", ["a"])
