"""Frames as answers and snapshots."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.errors import ReadError
from octossh.reading import Answer, read_answer, read_snapshot
from octossh.shell import Frame, Result

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def result(*frames: tuple[str, str], exit_code: int = 0, log: str = "") -> Result:
    return Result(tuple(Frame(kind, text) for kind, text in frames), log, exit_code, NOW, 0.5)


def inspect(name: str = "shop-dev-web", *, ours: bool = True, **more: Any) -> dict[str, Any]:
    fields = {"v": 1, "env": {"A": "0123456789abcdef", "TOKEN": {"secret": "token", "version": "00"}}}
    labels = {
        "octossh.project": "shop",
        "octossh.environment": "Dev",
        "octossh.step": "web",
        "octossh.release": "0.0.7",
        "octossh.deployment": "d-1",
        "octossh.spec": "sha256:ab",
        "octossh.fields": json.dumps(fields),
    }
    return {
        "Id": "cafe" * 16,
        "Name": f"/{name}",
        "State": {"Status": "running", "Health": {"Status": "healthy"}},
        "Config": {"Labels": labels if ours else {"other": "x"}, "Env": ["A=1", "TOKEN=pa55=word", "PATH=/bin"]},
        **more,
    }


END = ("end", "succeeded observed no ")


def test_an_answer_says_what_was_done_and_why() -> None:
    answer = read_answer(result(("begin", ""), ("end", "failed put-back yes it did  not become healthy")))
    assert answer == Answer(state="failed", action="put back", changed=True, why="it did  not become healthy")


@pytest.mark.parametrize(
    ("text", "state", "action", "changed", "why"),
    [
        ("succeeded created yes ", "succeeded", "created", True, ""),
        ("succeeded unchanged no", "succeeded", "unchanged", False, ""),
        ("locked none no another run holds it", "locked", "", False, "another run holds it"),
    ],
)
def test_the_end_of_a_script_is_read(text: str, state: str, action: str, changed: bool, why: str) -> None:
    answer = read_answer(result(("end", text)))
    assert answer == Answer(state=state, action=action, changed=changed, why=why)


def test_a_script_that_does_not_say_how_it_ended_has_not_ended() -> None:
    answer = read_answer(result(("begin", ""), ("output", f"X {base64.b64encode(b'1').decode()}")))
    assert (answer.ended, answer.state, answer.changed, answer.outputs) == (False, "", False, {"X": "1"})


def test_nothing_counts_after_the_end() -> None:
    frames = [("end", "failed ran yes exit code 3"), ("end", "succeeded ran yes "), ("output", "X MQ==")]
    answer = read_answer(result(*frames))
    assert (answer.state, answer.outputs) == ("failed", {})


def test_a_secret_counts_whichever_stream_is_behind() -> None:
    answer = read_answer(result(("end", "succeeded ran yes "), ("secret", "X MQ==")))
    assert (answer.state, answer.outputs, answer.secrets["X"].reveal()) == ("succeeded", {}, "1")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_]{1,9}", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_outputs_come_back_as_they_were_given(outputs: dict[str, str]) -> None:
    frames = [("output", f"{name} {base64.b64encode(text.encode()).decode()}") for name, text in outputs.items()]
    assert read_answer(result(*frames, ("end", "succeeded ran yes "))).outputs == outputs


@pytest.mark.parametrize(
    "frame",
    [
        ("inspect", "{"),
        ("inspect", ""),
        ("inspect", "[]"),
        ("output", "X no base64!"),
        ("output", "X MQ"),
        ("output", "X \u00e9"),
        ("end", "succeeded"),
        ("inspect", '{"Config": 3}'),
        ("inspect", '{"Config": {"Labels": ["x"]}}'),
    ],
)
def test_a_garbled_frame_is_a_read_error(frame: tuple[str, str]) -> None:
    with pytest.raises(ReadError):
        read_answer(result(frame, END))


def test_a_look_is_read_with_what_docker_says_of_each() -> None:
    network = {"Id": "ab", "Name": "shop-net", "Labels": inspect()["Config"]["Labels"]}
    frames = [("docker", "28.2.2"), ("container", json.dumps(inspect())), ("network", json.dumps(network)), END]
    snapshot = read_snapshot(result(*frames), "h01")
    container, net = snapshot.resources
    assert (snapshot.target, snapshot.docker, snapshot.observed_at) == ("h01", "28.2.2", NOW)
    assert (container.kind, container.name, container.status, container.health) == (
        "container", "shop-dev-web", "running", "healthy"
    )  # fmt: skip
    seen = (container.project, container.environment, container.step, container.release, container.deployment)
    assert seen == ("shop", "Dev", "web", "0.0.7", "d-1")
    assert (container.spec, container.fields["v"]) == ("sha256:ab", 1)
    assert (net.kind, net.name, net.project, net.status) == ("network", "shop-net", "shop", "")
    assert snapshot.find("container", "shop-dev-web") is container


def test_values_of_secrets_are_scrubbed_from_what_docker_says() -> None:
    frames = [("inspect", json.dumps(inspect())), ("container", json.dumps(inspect())), END]
    answer, snapshot = read_answer(result(*frames)), read_snapshot(result(*frames), "h01")
    for seen in (answer.inspect, snapshot.resources[0].inspect):
        assert seen["Config"]["Env"] == ["A=1", "TOKEN=***", "PATH=/bin"]
        assert "pa55" not in json.dumps(seen)


def test_of_what_is_not_ours_only_name_and_state_are_kept() -> None:
    frames = [("container", json.dumps(inspect("other", ours=False))), END]
    (seen,) = read_snapshot(result(*frames), "h01").resources
    assert (seen.name, seen.project, seen.status, seen.inspect) == ("other", "", "running", {})


@pytest.mark.parametrize("fields", ["no json", "[1]", '"x"', "null"])
def test_a_label_that_somebody_spoilt_does_not_spoil_the_look(fields: str) -> None:
    data = inspect()
    data["Config"]["Labels"]["octossh.fields"] = fields
    (seen,) = read_snapshot(result(("container", json.dumps(data)), END), "h01").resources
    assert (seen.project, dict(seen.fields)) == ("shop", {})


def test_a_label_with_an_env_that_is_none_does_not_spoil_the_look() -> None:
    data = inspect()
    data["Config"]["Labels"]["octossh.fields"] = '{"env": [1]}'
    assert read_snapshot(result(("container", json.dumps(data)), END), "h01").resources


def test_what_was_seen_twice_counts_once() -> None:
    frame = ("container", json.dumps(inspect()))
    assert len(read_snapshot(result(frame, frame, END), "h01").resources) == 1


def test_a_look_where_no_shell_began_points_to_linux() -> None:
    with pytest.raises(
        ReadError, match=r"h01: no POSIX shell ran the script .*it said: oh dear.* a Linux host, reached"
    ):
        read_snapshot(result(log="oh dear\n", exit_code=1), "h01")


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (
            [("begin", ""), ("end", "failed none no docker does not answer: no")],
            "docker does not answer: no; see what to do: octossh check",
        ),
        ([("begin", ""), ("container", json.dumps(inspect()))], "the script ended early with exit code 1: oh dear"),
    ],
)
def test_a_look_that_did_not_come_to_its_end_is_an_error_and_no_snapshot(
    frames: list[tuple[str, str]], said: str
) -> None:
    with pytest.raises(ReadError, match=f"h01: the host could not be looked at: {said}"):
        read_snapshot(result(*frames, exit_code=1, log="oh dear\n"), "h01")


@pytest.mark.parametrize(
    ("text", "docker", "platform"),
    [
        ("27.3.1 linux amd64", "27.3.1", "linux/amd64"),
        ("20.10.24+dfsg1 linux aarch64", "20.10.24+dfsg1", "linux/arm64"),
        ("27.0", "27.0", ""),
        ("", "", ""),
    ],
)
def test_a_look_says_what_the_host_runs(text: str, docker: str, platform: str) -> None:
    seen = read_snapshot(result(("docker", text), ("end", "succeeded observed no ")), "h01")
    assert (seen.docker, seen.platform) == (docker, platform)


def packed(**files: bytes) -> str:
    """A folder as docker packs it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        folder = tarfile.TarInfo("outputs/")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(f"outputs/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return base64.b64encode(made.getvalue()).decode()


def test_the_files_of_a_folder_are_outputs_as_they_were() -> None:
    files = packed(TEXT=b"it's\n", NUL=b"a\0b", BLOB=b"\xff\0", NONE=b"")
    answer = read_answer(result(("files", files), ("end", "succeeded ran yes ")))
    assert answer.state == "succeeded"
    assert answer.outputs == {"TEXT": "it's\n", "NUL": "a\0b", "BLOB": b"\xff\0", "NONE": ""}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (packed(**{"a b": b"1"}), "output 'a b' is no name"),
        (packed(BIG=b"0" * (1 << 20 | 1)), "output BIG: the value is larger than 1 MiB"),
        (packed(A=b"0" * 9000)[:8000], "the folder with the outputs cannot be read"),
        ("", "the folder with the outputs cannot be read"),
        ("bm8gdGFy", "the folder with the outputs cannot be read"),
    ],
)
def test_a_folder_that_gives_no_outputs_makes_the_step_fail(text: str, why: str) -> None:
    answer = read_answer(result(("files", text), ("end", "succeeded ran yes ")))
    assert answer.state == "failed"
    assert answer.why.startswith(why)
