"""Variables with a prompt are asked for at a terminal, and a secret one is not shown there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from terminals import typed

OCTOFILE = """
import octossh as oc

step = oc.RunScript("tell", where="controller", script="echo {{ Count * 2 }} $KEY >told", env={"KEY": "{{ Key }}"})
variables = [oc.Variable("Count", 2, prompt="How many?"), oc.Variable("Key", prompt="The key?", sensitive=True)]
project = oc.Project("shop", process=[step], variables=variables)
target = oc.Target("h01", "h01", environments=["Dev"])
space = oc.Space(projects=[project], targets=[target], transport=oc.Local(), anchors=False)
"""


def command(folder: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    (folder / "octofile.py").write_text(OCTOFILE)
    octossh = str(Path(sys.executable).parent / "octossh")
    env = {**os.environ, "HOME": str(folder)}
    if not (folder / "octossh.db").exists():
        subprocess.run([octossh, "release", "create"], cwd=folder, env=env, check=True, capture_output=True)
    return [octossh, *arguments], env


def test_who_sits_at_the_terminal_is_asked_and_the_secret_does_not_show(tmp_path: Path) -> None:
    words, env = command(tmp_path, "deploy", "--to", "Dev")
    prompts = ("[2]:", "The key?:", "The key? []:")
    code, screen = typed(words, tmp_path, env, prompts, ["many\n", "4\n", "geheim-wert\n"])
    assert code == 0, screen
    assert "'many' is not a whole number" in screen
    assert "geheim" not in screen
    assert (tmp_path / "told").read_text() == "8 geheim-wert\n"
    assert b"geheim" not in (tmp_path / "octossh.db").read_bytes()


def test_without_a_terminal_a_file_has_the_secret_and_a_command_line_is_refused_it(tmp_path: Path) -> None:
    words, env = command(tmp_path, "deploy", "--to", "Dev", "-q", "--variable", "Key=geheim-wert")
    refused = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert refused.returncode == 2
    assert "variable 'Key' is a secret" in refused.stderr
    assert "geheim" not in refused.stderr
    (tmp_path / "key").write_text("geheim-wert\n")
    words = [*words[:-2], "--variable-file", "Key=key", "--variable", "Count=5"]
    subprocess.run(words, cwd=tmp_path, env=env, check=True, stdin=subprocess.DEVNULL)
    assert (tmp_path / "told").read_text() == "10 geheim-wert\n"
