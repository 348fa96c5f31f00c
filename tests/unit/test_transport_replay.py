"""The public fake."""

from __future__ import annotations

import pytest

from octossh.errors import ConnectError, ModelError
from octossh.model.targets import Target
from octossh.shell import Frame, Script, Secret
from octossh.transport import Local, Replay, Transport

H01 = Target("h01", "10.0.0.1")
SCRIPT = Script("look", "echo\n")


@pytest.mark.parametrize(
    ("answer", "code", "frames", "log"),
    [
        (None, 0, (), ""),
        (3, 3, (), ""),
        ("hello\n", 0, (), "hello\n"),
        ([Frame("a", "b")], 0, (Frame("a", "b"),), ""),
    ],
)
def test_short_answers_become_results(answer: object, code: int, frames: tuple[Frame, ...], log: str) -> None:
    result = Replay(lambda _target, _script: answer).run(H01, SCRIPT)  # type: ignore[arg-type,return-value]
    assert (result.exit_code, result.frames, result.log) == (code, frames, log)
    assert Replay(lambda _target, _script: result).run(H01, SCRIPT) is result


def test_calls_are_remembered() -> None:
    fake = Replay(lambda _target, _script: None)
    fake.run(H01, Script("s", "echo\n", ("A",)), secrets={"A": Secret("hush")}, timeout_s=5)
    (call,) = fake.calls
    assert (call.target, call.script.name, call.secrets, call.timeout_s) == (H01, "s", ("A",), 5)
    assert "hush" not in repr(fake.calls)


def test_what_the_handler_raises_is_raised() -> None:
    def handler(target: Target, script: Script) -> None:
        raise ConnectError(f"{target}: no")

    with pytest.raises(ConnectError, match="h01: no"):
        Replay(handler).run(H01, SCRIPT)


def test_a_host_that_cannot_be_reached_is_not_asked() -> None:
    def refuse(target: Target) -> None:
        raise ConnectError(f"{target}: no", "refused")

    fake = Replay(lambda _target, _script: None, on_connect=refuse)
    with pytest.raises(ConnectError):
        fake.connect(H01)
    with pytest.raises(ConnectError):
        fake.run(H01, SCRIPT)
    assert fake.calls == []


def test_it_connects_once() -> None:
    asked: list[str] = []
    fake = Replay(lambda _target, _script: None, on_connect=lambda target: asked.append(target.name))
    fake.connect(H01)
    fake.run(H01, SCRIPT)
    assert asked == ["h01"]


def test_a_missing_secret_is_an_error_as_on_a_real_transport() -> None:
    with pytest.raises(ModelError, match="PASSWORD"):
        Replay(lambda _target, _script: None).run(H01, Script("s", "echo\n", ("PASSWORD",)))


def test_the_log_is_passed_on_by_the_line() -> None:
    lines: list[str] = []
    Replay(lambda _target, _script: "a\nb\n").run(H01, SCRIPT, on_line=lines.append)
    assert lines == ["a", "b"]


def test_every_transport_has_the_same_shape() -> None:
    assert isinstance(Replay(lambda _target, _script: None), Transport)
    assert isinstance(Local(), Transport)
