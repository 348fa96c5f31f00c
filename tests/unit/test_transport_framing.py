"""Bytes in, frames and log out."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from octossh.errors import Hosts, ReadError
from octossh.shell import Frame
from octossh.transport import framing
from octossh.transport.framing import HEAD, TAIL, Collector, Log, Reader

NONCE = "0123456789abcdef"
MARKER = f"##octossh {NONCE} ".encode()


def read(chunks: list[bytes], *, line: int = 40, frames: int = 1 << 20) -> tuple[list[bytes], bytes, list[bytes], int]:
    got_frames: list[bytes] = []
    log: list[bytes] = []
    lines: list[bytes] = []
    floods: list[int] = []
    reader = Reader(
        MARKER,
        on_frame=got_frames.append,
        on_log=log.append,
        on_line=lines.append,
        on_flood=lambda: floods.append(1),
        line=line,
        frames=frames,
    )
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    return got_frames, b"".join(log), lines, len(floods)


PIECES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(str.encode),
    st.sampled_from([b"\n", b"\r\n", MARKER, MARKER + b"kind rest\n", b"##octossh other kind\n", MARKER[:7], b"\0"]),
    st.integers(0, 120).map(lambda n: b"x" * n),
    st.integers(0, 40).map(lambda n: "é🐋".encode() * n),
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.data())
def test_any_chunking_gives_the_same_frames_log_and_lines(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=15)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = read([stream])
    assert read(chunks) == whole
    assert read([stream[i : i + 1] for i in range(len(stream))]) == whole


@given(st.lists(PIECES, max_size=12).map(b"".join), st.integers(0, 60), st.data())
def test_a_flood_of_frames_is_noticed_however_it_comes(stream: bytes, limit: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(stream)))
    whole = read([stream], frames=limit)
    assert read([stream[:cut], stream[cut:]], frames=limit)[0] == whole[0]
    assert read([stream[:cut], stream[cut:]], frames=limit)[3] == whole[3]


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_nothing_is_lost_and_nothing_is_made_up(stream: bytes) -> None:
    frames, log, lines, _ = read([stream])
    rest = stream
    for frame in frames:
        before, found, rest = rest.partition(MARKER)
        assert found
        assert rest.startswith(frame + b"\n")
        assert log.startswith(before)
        log, rest = log[len(before) :], rest[len(frame) + 1 :]
    assert log == rest
    assert b"".join(lines) == read([stream])[1].replace(b"\n", b"")


def test_frames_are_told_from_log() -> None:
    frames, log, lines, _ = read([b"hello\n", MARKER + b"state running\n", b"##octossh forged state x\nbye\n"])
    assert frames == [b"state running"]
    assert lines == [b"hello", b"##octossh forged state x", b"bye"]
    assert log == b"hello\n##octossh forged state x\nbye\n"


def test_text_without_a_newline_does_not_hide_the_frame_after_it() -> None:
    frames, _, lines, _ = read([b"Welcome! " + MARKER + b"state x\n"])
    assert frames == [b"state x"]
    assert lines == [b"Welcome! "]


def test_a_frame_whose_newline_never_came_is_log() -> None:
    frames, log, _, _ = read([MARKER + b"state ru"])
    assert frames == []
    assert log == MARKER + b"state ru"


def test_a_long_line_comes_in_pieces_that_tear_no_character() -> None:
    text = "é" * 1001
    _, log, lines, _ = read([text.encode()], line=101)
    assert log.decode() == text
    assert [len(line) for line in lines[:-1]] == [100] * (len(lines) - 1)
    assert "".join(line.decode() for line in lines) == text


def test_a_short_log_is_whole() -> None:
    log = Log()
    log.add(b"one\n")
    log.add(b"two")
    assert log.text() == "one\ntwo"


def test_a_line_that_is_open_on_one_stream_is_ended_before_the_other_stream_speaks() -> None:
    log = Log()
    log.add(b"out", "out")
    log.add(b"put\nhalf", "out")
    log.add(b"error\n", "err")
    log.add(b"done\n", "out")
    assert log.text() == "output\nhalf\nerror\ndone\n"


@given(st.lists(st.integers(1, 50_000), max_size=40))
@example([49_999] * 20)
@example([77] * 20_000)
def test_a_long_log_keeps_its_head_and_tail_and_says_how_much_is_missing(sizes: list[int]) -> None:
    log, sent = Log(), b""
    for number, size in enumerate(sizes):
        block = (b"%d:" % number + b"x" * size)[:size] + b"\n"
        log.add(block)
        sent += block
    text = log.text().encode()
    if len(sent) <= HEAD + TAIL:
        assert text == sent
        return
    head, notice, tail = text.partition(b"[octossh: ")
    count, _, tail = tail.partition(b" bytes left out]\n")
    assert notice
    assert sent.startswith(head)
    assert sent.endswith(tail)
    assert len(head) + len(tail) + int(count) == len(sent)
    assert head.endswith(b"\n")
    assert sent[: len(sent) - len(tail)].endswith(b"\n")
    assert len(head) <= HEAD
    assert HEAD + TAIL - len(head) - len(tail) <= 100_002


def test_a_log_is_bounded_even_when_it_has_no_newlines() -> None:
    log = Log()
    for _ in range(100):
        log.add(b"x" * 100_000)
    assert len(log.text()) < HEAD + TAIL + 100


def test_a_collector_counts_what_came_from_both_streams() -> None:
    lines: list[str] = []
    collector = Collector(NONCE, lines.append)
    collector.feed_out(b"out\n" + MARKER + b"state up and running\n" + MARKER + b"end\n")
    collector.feed_err(b"err\n")
    result = collector.result(7)
    assert [(frame.kind, frame.text) for frame in result.frames] == [("state", "up and running"), ("end", "")]
    assert result.log == "out\nerr\n"
    assert lines == ["out", "err"]
    assert result.exit_code == 7
    assert result.started_at.tzinfo is not None
    assert result.duration_s >= 0


def test_a_frame_counts_in_both_streams_and_is_told_before_the_lines_behind_it() -> None:
    told: list[object] = []
    collector = Collector(NONCE, told.append, told.append)
    collector.feed_err(b"before\n" + MARKER + b"state x\nbehind\n")
    result = collector.result(0)
    assert result.frames == (Frame("state", "x"),)
    assert result.log == "before\nbehind\n"
    assert told == ["before", Frame("state", "x"), "behind"]


def test_a_callback_that_raises_is_logged_once_and_called_again(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def on_line(line: str) -> None:
        seen.append(line)
        raise ZeroDivisionError

    collector = Collector(NONCE, on_line)
    collector.feed_out(b"a\nb\nc\n")
    assert collector.result(0).log == "a\nb\nc\n"
    assert seen == ["a", "b", "c"]
    assert len(caplog.records) == 1


def test_too_many_frames_are_an_error_that_says_the_hosts_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "FRAMES", 1000)
    collector = Collector(NONCE)
    for _ in range(20):
        collector.feed_out(MARKER + b"x" * 99 + b"\n")
    assert isinstance(collector.error, ReadError)
    assert collector.error.hosts is Hosts.UNKNOWN
    assert len(collector.result(0).frames) == 10


def test_bytes_that_are_no_utf8_are_escaped_and_nul_is_kept() -> None:
    lines: list[str] = []
    collector = Collector(NONCE, lines.append)
    collector.feed_out(b"caf\xc3")
    collector.feed_out(b"\xa9 \xff\xfe\0\n")
    assert collector.result(0).log == "café \\xff\\xfe\0\n"
    assert lines == ["café \\xff\\xfe\0"]
