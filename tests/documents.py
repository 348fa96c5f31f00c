"""The examples of README.rst and docs/: found in the files, run as they stand there, and their output compared.

How a block is run follows from its language and its first line:

* ``# octofile.py`` (a comment with the name of a file) makes it that file, and so does ``:caption: FILE``;
* ``console``: what stands behind ``$`` is run by one shell for the whole page; a command that fails is followed
  by ``$ echo $?``;
* ``pycon``: what stands behind ``>>>`` is run by one interpreter for the whole page;
* ``python``: the same, and it prints nothing;
* ``yaml`` and ``json`` are read.

Comments such as ``.. test: hosts`` direct the test: ``hosts`` (the page needs the lab), ``push REPO TAG MODE``,
``stop HOST SERVICE``, ``start HOST SERVICE``, ``keys none`` (no host key is known), ``keys all``, ``vendors`` (the
page asks registries of vendors), ``interrupt COUNT TEXT`` (Ctrl-C for the next command once it has printed COUNT lines with TEXT).

A line ``...`` in an output stands for any lines, and ``...`` inside of a line for any text. With
``DOCS_WRITE=1`` in the environment, outputs that do not match are written into the files instead.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml
from unit.vendors import Internet

import octossh

if TYPE_CHECKING:
    from lab.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.rst", ROOT / "CHANGELOG.rst", *sorted((ROOT / "docs").rglob("*.rst"))]
USER, MACHINE = "ann", "pc"
_BY_HAND = re.compile(r"\./dev |(\.venv/bin/)?python3? -m (venv|pip) |PATH=\$PWD/\.venv/bin:")
"""Commands that are not run here: they set things up, and take the tests themselves along."""


@dataclass
class Block:
    """One block of code, or one direction for the test.

    Attributes:
        at: The number of its first line of text in the file, from 0.
        indent: Blanks before each of its lines.
        caption: The name of a file that it is.
    """

    language: str
    lines: list[str]
    at: int
    indent: int
    caption: str | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def file(self) -> str | None:
        if self.caption:
            return self.caption
        named = re.fullmatch(r"# ([\w./-]+\.(?:py|yml))", self.lines[0])
        return named[1] if named and self.language in {"python", "yaml"} else None


def blocks(path: Path) -> list[Block]:
    """The blocks and directions of a page, in order."""
    lines = path.read_text().splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if direction := re.match(r" *\.\. test: (.*)", line):
            found.append(Block("test", [direction[1].strip()], number, 0))
        code = re.match(r"( *)\.\. code-block:: ([\w-]+)$", line)
        if not code:
            continue
        caption = None
        while number < len(lines) and (not lines[number].strip() or lines[number].lstrip().startswith(":")):
            caption = lines[number].strip().removeprefix(":caption: ") if ":caption: " in lines[number] else caption
            number += 1
        start, indent = number, len(lines[number]) - len(lines[number].lstrip())
        assert indent > len(code[1]), f"{path}:{number + 1}: an empty code-block"
        while number < len(lines) and (not lines[number].strip() or lines[number].startswith(" " * indent)):
            number += 1
        body = [text[indent:] for text in lines[start:number]]
        while not body[-1]:
            body.pop()
        found.append(Block(code[2], body, start, indent, caption))
    return found


def needs_hosts(path: Path) -> bool:
    return any(block.language == "test" and block.lines == ["hosts"] for block in blocks(path))


def runs_commands(path: Path) -> bool:
    return any(block.language == "console" for block in blocks(path))


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Of a console block: each command, and the lines that are shown below it."""
    made: list[tuple[str, list[str]]] = []
    for line in block.lines:
        if line.startswith("$ "):
            made.append((line[2:], []))
        elif line.startswith("> ") and made and made[-1][0].endswith("\\") and not made[-1][1]:
            made[-1] = (f"{made[-1][0]}\n{line[2:]}", [])
        else:
            assert made, f"a console block begins with a command, not with {line!r}"
            made[-1][1].append(line)
    return made


# ------------------------------------------------------------------ comparing

_SAME = [
    (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    (r"\b\d{8}T\d{6}-[0-9a-f]{8}\b", "ID"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?", "TIME"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\b[0-9a-f]{12}\b", "HEX"),
    (r"(?<![\d.])\d+\.\d+(?= s\b| ms\b)", "N"),
    (r"(?<= )\d+\.\d(?=  )", "N"),
    (r"\bUp (Less than a second|About an? \w+|\d+ \w+)", "Up N"),
    (r'("pid"|"events"|"size"): \d+', r"\1: N"),
    (r"\b\d+ events\b", "N events"),
    (r"\(\d+ tags", "(N tags"),
    (r"^ *- [3-9]\.\d.*\n", ""),  # tags that other tests push
    (r"^.* pulling \S+@.*\n", ""),  # unless an earlier test did
    (r"(?<= ahead)( +)unchanged$", r"\1pulled"),  # the same
    (r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:FINGERPRINT"),
    (r" in \d+\.\d+s\b", " in N s"),
    (r" {2,}", "  "),
    (r" +$", ""),
]


def same(text: str) -> list[str]:
    """The lines of an output without what differs from run to run; the hosts of a wave in the order of their names."""
    for pattern, stands in _SAME:
        text = re.sub(pattern, stands, text, flags=re.MULTILINE)
    made: list[str] = []
    run: list[str] = []
    for line in [*text.rstrip("\n").split("\n"), ""]:
        if re.match(r"(\{.*\"target\": \"h\d\d\"| *h\d\d  )", line):
            run.append(line)
            continue
        made += sorted(run, key=lambda item: re.search(r"\bh\d\d\b", item)[0])  # type: ignore[index]
        run = []
        made.append(line)
    return made[:-1]


def matches(shown: str, got: str) -> bool:
    """Whether *got* is what the page shows."""
    pattern = ""
    for line in same(shown):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(map(re.escape, line.split("..."))) + r"\n"
    return re.fullmatch(pattern, "\n".join(same(got)) + "\n") is not None


# -------------------------------------------------------------------- running


@dataclass
class Stage:
    """Where the examples of one page run: a folder, a home, perhaps the lab in place of the hosts it names."""

    folder: Path
    lab: Lab | None = None
    globals: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    shell: subprocess.Popen[str] | None = None
    interrupt: tuple[int, str] | None = None
    exits: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.work = self.folder / "work"
        (self.home / ".ssh").mkdir(parents=True)
        self.work.mkdir()
        self.env = {
            "HOME": str(self.home), "LOGNAME": USER, "USER": USER, "LC_ALL": "C.UTF-8", "TERM": "dumb", "COLUMNS": "110",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }  # fmt: skip
        self.names = {
            str(self.work): f"/home/{USER}/shop", str(self.home): f"/home/{USER}", f"{USER}@{platform.node()}": f"{USER}@{MACHINE}",
        }  # fmt: skip
        if self.lab is not None:
            self.env["PATH"] = f"{self.lab.state / 'bin'}:{self.env['PATH']}"
            self.keys("all")
            shutil.copy(self.lab.key, self.home / ".ssh")
            shutil.copy(self.lab.registry_auth.ca, self.work / "ca.pem")
            self.places = {
                "private.example.com": self.lab.registry_auth.server,
                "https://registry.example.com": f"http://{self.lab.registry}",
                "registry.example.com": self.lab.registry,
                **{f"10.0.0.1{name[-1]}": address for name, address in self.lab.hosts.items()},
            }
        else:
            self.places = {}

    def keys(self, which: str) -> None:
        assert self.lab is not None
        known = self.lab.known_hosts.read_text() if which == "all" else ""
        (self.home / ".ssh" / "known_hosts").write_text(known)

    def to_lab(self, text: str) -> str:
        for ours, theirs in self.places.items():
            text = text.replace(ours, theirs)
        return text

    def neutral(self, text: str) -> str:
        for ours, theirs in self.places.items():
            text = text.replace(theirs, ours)
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        return text

    # ---- one block

    def direct(self, words: list[str]) -> None:
        match words:
            case ["hosts"]:
                pass
            case ["push", repository, tag, mode]:
                self.lab.push(repository, tag, mode)  # type: ignore[union-attr]
            case ["stop" | "start" as action, host, "sshd" | "dockerd" as service]:
                self.lab.service(host, service, action)  # type: ignore[union-attr]
            case ["vendors"]:
                env = self.exits.enter_context(Internet(self.folder)).env
                self.env |= env
                self.exits.enter_context(mock.patch.dict(os.environ, env))
            case ["keys", which]:
                self.keys(which)
            case ["interrupt", count, text]:
                self.interrupt = int(count), text
            case _:
                raise AssertionError(f"the tests know no direction {words}")

    def run_shell(self, command: str) -> tuple[str, int]:
        if self.shell is None:
            self.shell = subprocess.Popen(
                ["bash", "--norc", "--noprofile"], cwd=self.work, env=self.env, text=True, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self.run_shell("code=0")
        shell, mark = self.shell, "-- the command ended --"
        assert shell.stdin
        assert shell.stdout
        shell.stdin.write(
            f"(exit $code)\n{{ {self.to_lab(command)}\n}} </dev/null\ncode=$?; printf '\\n{mark}%s\\n' $code\n"
        )
        shell.stdin.flush()
        said: list[str] = []
        for line in shell.stdout:
            if line.startswith(mark):
                return self.neutral("".join(said).removesuffix("\n")), int(line.removeprefix(mark))
            said.append(line)
            if self.interrupt and sum(self.interrupt[1] in one for one in said) == self.interrupt[0]:
                self.interrupt = None
                (child,) = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
                os.kill(int(child), signal.SIGINT)
        raise AssertionError(f"the shell of the page ended in {command!r}: {''.join(said)}")

    def run_python(self, source: str, *, mode: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.chdir(self.work):
            try:
                exec(compile(self.to_lab(source), "<the page>", mode), self.globals)
            except Exception as error:
                if mode == "exec":
                    raise
                last = "".join(traceback.format_exception_only(error))
                out.write(f"Traceback (most recent call last):\n    ...\n{last}")
        return self.neutral(out.getvalue())

    def close(self) -> None:
        self.exits.close()
        for made in self.globals.values():
            if isinstance(made, octossh.Space):
                made.close()
        if self.shell is not None:
            # Its end of input, then the rest of its output: closes both, and waits.
            self.shell.communicate(timeout=30)


def run_console(stage: Stage, block: Block) -> tuple[list[str], list[str]]:
    """The block as it ought to be, and what is wrong with it."""
    pairs = commands(block)
    if all(_BY_HAND.match(command) for command, _ in pairs):
        known = set(re.findall(r"^    (\w+)(?: \| \w+)*\)", (ROOT / "dev").read_text(), re.MULTILINE))
        wrong = [command for command, _ in pairs if command.startswith("./dev ") and command.split()[1] not in known]
        return block.lines, [f"there is no {command}" for command in wrong]
    lines, faults = [], []
    for number, (command, shown) in enumerate(pairs):
        said, code = stage.run_shell(command)
        following = pairs[number + 1][0] if number + 1 < len(pairs) else ""
        if code and not following.startswith("echo $?"):
            faults.append(f"$ {command}\nended with {code}, and no 'echo $?' follows:\n{said}")
        first, *rest = command.split("\n")
        lines += [f"$ {first}", *(f"> {line}" for line in rest)]
        if matches("\n".join(shown), said):
            lines += shown
        else:
            lines += said.rstrip("\n").split("\n") if said.strip() else []
            faults.append(f"$ {command}\n--- the page shows\n{chr(10).join(shown)}\n--- it prints\n{said}")
    return lines, faults


def run_pycon(stage: Stage, block: Block) -> tuple[list[str], list[str]]:
    """The same for Python at the prompt."""
    lines, faults = [], []
    for example in doctest.DocTestParser().get_examples(block.text):
        said = stage.run_python(example.source, mode="single")
        first, *rest = example.source.rstrip("\n").split("\n")
        lines += [f">>> {first}", *(f"... {line}".rstrip() for line in rest)]
        if rest and rest[-1].startswith(" "):
            lines.append("...")
        if matches(example.want, said):
            lines += example.want.rstrip("\n").split("\n") if example.want else []
        else:
            lines += said.rstrip("\n").split("\n") if said else []
            faults.append(f">>> {example.source}--- the page shows\n{example.want}--- it prints\n{said}")
    return lines, faults


def run(path: Path, stage: Stage) -> list[str]:
    """Run all examples of a page; what is wrong with them."""
    faults: list[str] = []
    made: list[tuple[Block, list[str]]] = []
    try:
        for block in blocks(path):
            lines, wrong = run_block(stage, block)
            made.append((block, lines))
            faults += [f"{path.relative_to(ROOT)}:{block.at + 1}: {fault}" for fault in wrong]
    finally:
        stage.close()
    if faults and os.environ.get("DOCS_WRITE"):
        text = path.read_text().splitlines()
        for block, lines in reversed(made):
            if block.language in {"console", "pycon"}:
                text[block.at : block.at + len(block.lines)] = [(" " * block.indent + x).rstrip() for x in lines]
        path.write_text("\n".join(text) + "\n")
    return faults


def run_block(stage: Stage, block: Block) -> tuple[list[str], list[str]]:
    if block.language == "test":
        stage.direct(block.lines[0].split())
    elif block.file is not None:
        (stage.work / block.file).parent.mkdir(exist_ok=True)
        (stage.work / block.file).write_text(stage.to_lab(block.text))
    elif block.language == "console":
        return run_console(stage, block)
    elif block.language == "pycon":
        return run_pycon(stage, block)
    elif block.language == "python":
        said = stage.run_python(block.text, mode="exec")
        return block.lines, [f"it prints {said!r}; show that with >>>"] if said else []
    elif block.language == "yaml":
        yaml.safe_load(block.text)
    elif block.language == "json":
        json.loads(block.text)
    else:
        # What other programs read is tried where those programs are.
        assert block.language in {"nginx", "text"}, f"the tests do not know how to run {block.language}"
    return block.lines, []
