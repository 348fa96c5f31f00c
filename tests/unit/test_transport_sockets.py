"""A socket that reads ahead gives what was asked for, in order, and says when there is nothing or no more."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from octossh.transport.sockets import Socket, dial


@pytest.fixture
def ends() -> Iterator[tuple[Socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server, dial(*server.getsockname(), 5, 5) as ours:
        theirs, _ = server.accept()
        with theirs:
            yield ours, theirs


def test_what_came_at_once_is_given_in_the_pieces_that_are_asked_for(ends):
    ours, theirs = ends
    theirs.sendall(b"SSH-2.0-host\r\n" + b"packet")
    assert [ours.recv(4), ours.recv(10), ours.recv(100)] == [b"SSH-", b"2.0-host\r\n", b"packet"]
    assert ours.heard == b"SSH-2.0-host\r\npacket"


def test_what_came_before_the_end_is_given_before_it(ends):
    ours, theirs = ends
    theirs.sendall(b"bye")
    theirs.close()
    assert [ours.recv(1), ours.recv(2), ours.recv(1)] == [b"b", b"ye", b""]


def test_nothing_that_was_read_ahead_is_waited_for(ends):
    ours, theirs = ends
    theirs.sendall(b"ab")
    ours.settimeout(0.05)
    assert [ours.recv(1), ours.recv(1)] == [b"a", b"b"]
    with pytest.raises(TimeoutError):
        ours.recv(1)
    theirs.sendall(b"c")
    assert ours.recv(1) == b"c"


def test_much_comes_whole(ends):
    ours, theirs = ends
    sent = bytes(range(256)) * 1000
    theirs.sendall(sent[:100_000])
    got = b""
    while len(got) < 100_000:
        got += ours.recv(1000)
    theirs.sendall(sent[100_000:])
    while len(got) < len(sent):
        got += ours.recv(40_000)
    assert got == sent


def test_a_name_is_looked_up_also_where_there_is_no_thread_for_that(few):
    few["octossh-resolve"] = 0
    with socket.create_server(("127.0.0.1", 0)) as server, dial("localhost", server.getsockname()[1], 5, 5) as ours:
        assert ours.getpeername() == server.getsockname()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_in_numbers_is_not_looked_up(address):
    code = f"""
import sys
from octossh.transport import sockets
sockets.started = None
print(len(sockets.resolve({address!r}, 22, 5)), "encodings.idna" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_what_cannot_be_a_name_is_an_error_of_the_look_up():
    for name in ("ü..example", "a" * 70 + ".example"):
        with pytest.raises(socket.gaierror):
            dial(name, 22, 5, 5)
