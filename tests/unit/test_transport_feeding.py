"""What scripts ask for on the way, and get on their standard input."""

from __future__ import annotations

import hashlib

import pytest

import octossh as oc
from octossh.shell import Frame, Script
from octossh.transport import local as local_
from octossh.transport.piping import Pipes

HERE = oc.Target("here", "localhost")
ASKS = """octossh_main() {
for what in one two; do
    printf '##octossh %s want %s\\n' "$octossh_nonce" "$what" >&3
    read -r size <&4 || { echo "nothing for $what"; exit 3; }
    head -c "$size" <&4 | sha256sum
done
exit 0
}
{ octossh_main 3>&1 4<&0 </dev/null; }
"""


@pytest.fixture
def local():
    with oc.Local() as made:
        yield made


def test_each_thing_that_a_script_asks_for_comes_to_it_byte_for_byte(local):
    piece = bytes(range(256)) * 256
    asked = []

    def feed(frame: Frame):
        asked.append(frame.text)
        count = len(asked) * 20
        yield f"{count * len(piece)}\n".encode()
        yield b""
        for _ in range(count):
            yield piece

    result = local.run(HERE, Script("asks", ASKS), feed=feed)
    assert (result.exit_code, asked) == (0, ["one", "two"])
    assert [line.split()[0] for line in result.log.splitlines()] == [
        hashlib.sha256(piece * count).hexdigest() for count in (20, 40)
    ]


def test_a_script_that_asks_where_nobody_gives_comes_to_the_end_of_its_input(local):
    result = local.run(HERE, Script("asks", ASKS), timeout_s=10)
    assert (result.exit_code, result.log) == (3, "nothing for one\n")


def test_what_fails_while_it_is_given_ends_the_input_and_not_the_run(local):
    def feed(_frame: Frame):
        yield b"100\n"
        raise ZeroDivisionError

    result = local.run(HERE, Script("asks", ASKS), timeout_s=10, feed=feed)
    assert result.log.endswith("nothing for two\n")


def test_a_script_that_wants_nothing_more_ends_though_somebody_would_give(local):
    result = local.run(
        HERE, Script("no", "m() { exit 4; }\n{ m </dev/null; }\n"), timeout_s=10, feed=lambda _: iter(())
    )
    assert result.exit_code == 4


def test_last_words_that_are_met_behind_the_news_of_the_end_are_not_lost(local, monkeypatch):
    monkeypatch.setattr(local_, "LINGER_S", 0.1)
    move, moves = Pipes.move, []

    def late(pipes: Pipes, wait_s: float) -> None:
        # The script is sent; then this busy machine comes back to it only when it has ended.
        moves.append(wait_s)
        pipes._process.wait(20) if len(moves) == 2 else move(pipes, wait_s)

    monkeypatch.setattr(Pipes, "move", late)
    result = local.run(HERE, Script("late", "{ sleep 0.3; echo last words; }\n"), timeout_s=30)
    assert (result.exit_code, result.log) == (0, "last words\n")
