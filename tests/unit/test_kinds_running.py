"""Scripts of the user and waiting, for real on this machine: what comes back, what is hidden, what is refused."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from golden.cases import order

import octossh as oc
from octossh.model import CONTROLLER
from octossh.reading import Answer, read_answer
from octossh.rendering import render
from octossh.shell import Secret

BYTES = bytes(range(256)) * 2


@pytest.fixture
def here() -> Iterator[oc.Local]:
    with oc.Local() as made:
        yield made


def run(here: oc.Local, step: oc.Step, secrets: dict[str, str] | None = None) -> tuple[Answer, str]:
    values = {name: Secret(text) for name, text in (secrets or {}).items()}
    result = here.run(CONTROLLER, render(order(step, secrets=secrets)), secrets=values, timeout_s=30)
    return read_answer(result), result.log


def script(text: str, **fields: Any) -> oc.RunScript:
    return oc.RunScript("do", script=text, where="controller", **fields)


SHELL = [
    ("text", "octossh_output A 'it'\\''s $x\n'", "it's $x\n"),
    ("nothing", "octossh_output A ''", ""),
    ("no value and no input", "octossh_output A", ""),
    ("blanks and line ends at the end", "octossh_output A ' x \n\n'", " x \n\n"),
    ("from a pipe", "printf 'a\\0b\\n\\n' | octossh_output A", "a\0b\n\n"),
    ("a number of bytes that are no text", "printf '\\377\\0\\376' | octossh_output A", b"\xff\0\xfe"),
    ("strict modes", "set -eu; octossh_output A ok; false; octossh_output A no", "ok"),
    ("without expanding", "set -f; IFS=x; octossh_output A 'axb*'", "axb*"),
    ("in a subshell, without standard output", "(octossh_output A ok) >/dev/null 2>&1", "ok"),
    ("the last counts", "octossh_output A one; octossh_output A two", "two"),
]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(("text", "value"), [case[1:] for case in SHELL], ids=[case[0] for case in SHELL])
def test_an_output_of_a_shell_comes_back_as_it_was(here: oc.Local, shell: str, text: str, value: str | bytes) -> None:
    answer, log = run(here, script(text, shell=shell))
    assert answer.outputs == {"A": value}, log


def test_an_output_of_python_comes_back_as_it_was(here: oc.Local) -> None:
    text = """
import sys
print("to the log", sys.stdin.read())
octossh_output("TEXT", "it's {}\\n")
octossh_output("NUMBER", 7)
octossh_output("BYTES", bytes(range(256)) * 2)
octossh_output("TOKEN", "s3cret-token", secret=True)
"""
    answer, log = run(here, script(text, shell="python3"))
    assert answer.outputs == {"TEXT": "it's {}\n", "NUMBER": "7", "BYTES": BYTES}
    assert answer.secrets["TOKEN"].reveal() == "s3cret-token"
    assert log == "to the log \n"


@pytest.mark.parametrize(
    ("shell", "text"), [("sh", "exit 7"), ("bash", "(exit 7)"), ("python3", "raise SystemExit(7)")]
)
def test_the_exit_code_of_a_script_decides(here: oc.Local, shell: str, text: str) -> None:
    answer, _ = run(here, script(text, shell=shell))
    assert (answer.state, answer.why) == ("failed", "the script ended with exit code 7")


def test_bash_is_bash_and_python_says_where_it_fails(here: oc.Local) -> None:
    answer, _ = run(here, script("a=(1 2 3); octossh_output LAST ${a[-1]}", shell="bash"))
    assert answer.outputs == {"LAST": "3"}
    _, log = run(here, script("x = 1\n1 / 0\n", shell="python3"))
    assert 'File "script", line 2' in log
    assert "ZeroDivisionError" in log


def test_a_value_that_is_too_large_makes_the_step_fail_and_says_which(here: oc.Local) -> None:
    whole, _ = run(here, script("head -c 1048576 /dev/zero | octossh_output BLOB"))
    assert (whole.state, len(whole.outputs["BLOB"])) == ("succeeded", 1 << 20)
    answer, _ = run(here, script("head -c 1048577 /dev/zero | octossh_output BLOB"))
    assert answer.state == "failed"
    assert answer.why.startswith("octossh_output BLOB: the value is larger than 1 MiB")
    answer, _ = run(here, script("octossh_output('BLOB', b'0' * 1048577)", shell="python3"))
    assert answer.why.startswith("octossh_output BLOB: the value is larger than 1 MiB")


def test_a_secret_is_text_and_stands_in_no_output(here: oc.Local) -> None:
    answer, _ = run(here, script("octossh_output --secret TOKEN 's3cret $x'"))
    assert (answer.outputs, answer.secrets["TOKEN"].reveal()) == ({}, "s3cret $x")
    answer, _ = run(here, script("printf 'a\\0b' | octossh_output --secret TOKEN"))
    assert answer.state == "failed"
    assert "TOKEN: the value is no text without NUL; give it in base64" in answer.why


def test_a_wrong_name_is_said_and_is_no_output(here: oc.Local) -> None:
    answer, log = run(here, script("octossh_output 'a b' 1 || echo refused"))
    assert answer.outputs == {}
    assert log == "octossh: octossh_output: a b is no name; use letters, digits and _\nrefused\n"


def test_a_script_sees_its_variables_an_empty_input_and_no_nonce(here: oc.Local) -> None:
    step = script("cat; env | grep -c ^octossh_; echo $A-$B", env={"A": "it's", "B": oc.secret("B")})
    _, log = run(here, step, {"B": "pa55 $word"})
    assert log == "0\nit's-pa55 $word\n"
    _, log = run(here, script("yes | head -n 1; echo $?"))
    assert log == "y\n0\n"


def test_a_shell_that_is_not_there_is_missed_before_anything_runs(
    here: oc.Local, monkeypatch: Any, tmp_path: Any
) -> None:
    body = render(order(script("echo ran", shell="bash")))
    made = oc.Script(body.name, body.body.replace("command -v bash", "command -v no-such-bash"))
    answer = read_answer(here.run(CONTROLLER, made))
    assert (answer.state, answer.action, answer.changed) == ("failed", "", False)
    assert answer.why == "there is no bash here to run the script; install it, or choose another shell"


# Waiting.


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.left -= 1  # type: ignore[attr-defined]
        self.send_response(200 if self.server.left < 0 else 503)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[http.server.HTTPServer]:
    """A page that is there from the third time on."""
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as made:
        made.left = 2  # type: ignore[attr-defined]
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def wait(probe: oc.Probe, **fields: Any) -> oc.WaitFor:
    return oc.WaitFor("there", probe, **{"where": "controller", "interval_s": 0.05, **fields})


def test_waiting_ends_when_the_page_is_there(here: oc.Local, page: http.server.HTTPServer) -> None:
    answer, _ = run(here, wait(oc.Http(page.server_port, status="200")))
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "waited", False)
    assert page.left == -1  # type: ignore[attr-defined]


def test_waiting_for_a_port_ends_when_it_listens_and_fails_when_nobody_does(here: oc.Local) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer, _ = run(here, wait(oc.Tcp(port), address="localhost"))
        assert answer.state == "succeeded"
    answer, _ = run(here, wait(oc.Tcp(port), timeout_s=0))
    assert answer.state == "failed"
    assert answer.why.startswith(f"it did not come within 0 s: port {port}: ")


def test_waiting_for_a_command_tells_what_it_said_last(here: oc.Local, tmp_path: Any) -> None:
    file = tmp_path / "it's there"
    answer, _ = run(here, wait(oc.Command(["ls", str(file)]), timeout_s=0))
    assert answer.state == "failed"
    assert answer.why.startswith("it did not come within 0 s: ls: exit code 2: ls: cannot access")
    threading.Timer(0.1, file.touch).start()
    answer, _ = run(here, wait(oc.Command(["ls", str(file)])))
    assert answer.state == "succeeded"
