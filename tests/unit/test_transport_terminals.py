"""Terminals that a transport gives."""

from __future__ import annotations

import pytest

import octossh as oc
from octossh.transport import SSH, OpenSSH


class Opened:
    """A connection to a host whose sudo asks for a password."""

    alive = True

    def run(self, *_):
        pytest.fail("sudo would be asked, and only who sits at the terminal can answer")

    def terminal(self, ssh, command):
        return [ssh, command]

    def close(self, why=""):
        self.alive = False

    def join(self):
        pass


@pytest.mark.parametrize("make", [SSH, OpenSSH])
def test_who_sits_at_a_terminal_answers_sudo_there(monkeypatch, make):
    opened = Opened()
    monkeypatch.setattr(OpenSSH, "_opened", lambda *_: opened)
    with make(config=False, sudo_password=lambda account: pytest.fail(account)) as transport:
        assert transport.terminal(oc.Target("h01", "h01", sudo=True), "true")[1:] == ["true"]
    assert not opened.alive


def test_a_transport_that_is_closed_gives_no_terminal_and_opens_nothing(monkeypatch):
    monkeypatch.setattr(OpenSSH, "_opened", lambda *_: Opened())
    for make in (SSH, OpenSSH):
        transport = make(config=False)
        transport.close()
        with pytest.raises(oc.ConnectError, match=rf"h01.*: this {make.__name__}\(\) is closed; make a new one"):
            transport.terminal(oc.Target("h01", "h01"), "true")
