"""Sessions over one connection: those that are begun ahead, and hosts that allow few, on real hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from logins import script, wait_for

from octossh import DeployFailed, Project, RunScript, Space, State
from octossh.errors import ConnectError, ConnectionLost
from octossh.model.targets import Target
from octossh.transport import SSH
from octossh.transport.spares import FRESH_S

pytestmark = pytest.mark.lab


class TestOneAhead:
    """A session for the next script, begun while another script runs."""

    WHICH = attrs.evolve(script('echo "$$"'), repeatable=True)
    # Waits for a shell beside this one, and tells its number.
    OTHER = """
        until other=$(pgrep -P "$PPID" -x sh | grep -vx "$$"); do sleep 0.05; done
        echo "$other"
    """

    def test_is_there_before_the_script_and_runs_it(self, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make()
        ssh.connect(target)
        ssh.ahead(target)
        begun = ssh.run(target, script(self.OTHER), timeout_s=20).log
        threading.Event().wait(FRESH_S)
        # Also what nobody may send twice: it asks first whether there is still somebody.
        assert ssh.run(target, script('echo "$$"')).log == begun
        assert ssh.run(target, self.WHICH).log != begun

    def test_is_begun_for_the_first_script(self, lab: Any, host: str, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make()
        ssh.connect(target)
        sessions = lab.ssh_sessions(host)
        ssh.ahead(target, now=True)
        wait_for(lambda: lab.ssh_sessions(host) == sessions + 1)
        # Also one that must be sure of the host: it has just answered.
        assert ssh.run(target, script(":")).exit_code == 0
        ssh.run(target, self.WHICH)
        wait_for(lambda: lab.ssh_sessions(host) == sessions + 2)

    def test_is_wanted_while_the_script_runs(self, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make()
        said = script(f"echo ready\n{self.OTHER}")
        log = ssh.run(target, said, timeout_s=20, on_line=lambda _: ssh.ahead(target)).log
        assert ssh.run(target, self.WHICH).log == log.removeprefix("ready\n")

    def test_that_somebody_ended_is_not_used(self, target: Target, make: Callable[..., SSH]) -> None:
        ssh = make()
        ssh.connect(target)
        ssh.ahead(target)
        gone = ssh.run(target, script(f'{self.OTHER}\nkill "$other"; echo gone; sleep 1'), timeout_s=20).log
        log = ssh.run(target, self.WHICH).log
        assert log.strip().isdigit()
        assert log not in gone

    def test_takes_no_place_from_scripts_where_few_may_run_at_once(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH]
    ) -> None:
        """MaxSessions is 10 there."""
        ssh = make()
        ready = threading.Semaphore(0)
        results: list[str] = []
        wait = "echo ready; until [ -e /tmp/ahead-over ]; do sleep 0.05; done"

        def hold() -> None:
            ssh.ahead(target)
            results.append(ssh.run(target, attrs.evolve(script(wait), repeatable=True), on_line=told).log)

        def told(_line: str) -> None:
            ssh.ahead(target)
            ready.release()

        lab.sh(host, "rm -f /tmp/ahead-over")
        threads = [threading.Thread(target=hold) for _ in range(10)]
        for thread in threads:
            thread.start()
            assert ready.acquire(timeout=20)
        lab.sh(host, "touch /tmp/ahead-over")
        for thread in threads:
            thread.join(20)
        assert results == ["ready\n"] * 10


CONF = "/etc/ssh/sshd_config"


@pytest.fixture
def configured(lab: Any, host: str) -> Iterator[Callable[[str], None]]:
    """Puts a line into the configuration of the sshd there."""

    def restart() -> None:
        lab.service(host, "sshd", "stop")
        lab.service(host, "sshd", "start")

    def configure(line: str) -> None:
        lab.sh(host, f"cp -p {CONF} {CONF}.kept; sed -i '1i {line}' {CONF}")
        restart()

    yield configure
    lab.sh(host, f"mv {CONF}.kept {CONF}")
    restart()


def test_an_sshd_that_compresses_nothing_gets_scripts_as_they_are(
    target: Target, make: Callable[..., SSH], configured: Callable[[str], None]
) -> None:
    configured("Compression no")
    assert make().run(target, script("echo in")).log == "in\n"


class TestAHostWithFewSessions:
    """What was begun ahead takes a place there that a script may need."""

    def test_of_one_runs_a_script_in_what_was_begun_long_ago(
        self, target: Target, make: Callable[..., SSH], configured: Callable[[str], None]
    ) -> None:
        configured("MaxSessions 1")
        ssh = make()
        ssh.connect(target)
        ssh.ahead(target, now=True)
        threading.Event().wait(2 * FRESH_S)
        assert ssh.run(target, script("echo in")).log == "in\n"

    def test_of_two_lets_a_script_be_ended_by_another(
        self, lab: Any, host: str, target: Target, make: Callable[..., SSH], configured: Callable[[str], None]
    ) -> None:
        configured("MaxSessions 2")
        ssh = make()
        ssh.connect(target)
        ready = threading.Event()
        lab.sh(host, "rm -f /tmp/few-over")
        wait = "echo ready; until [ -e /tmp/few-over ]; do sleep 0.05; done; echo over"
        logs: list[str] = []

        def hold() -> None:
            ssh.ahead(target)
            logs.append(ssh.run(target, script(wait), timeout_s=30, on_line=lambda _: ready.set()).log)

        thread = threading.Thread(target=hold)
        thread.start()
        assert ready.wait(20)
        threading.Event().wait(2 * FRESH_S)
        ssh.run(target, script("touch /tmp/few-over"))
        thread.join(20)
        assert logs == ["ready\nover\n"]

    def test_of_one_has_room_again_over_another_connection(
        self, target: Target, make: Callable[..., SSH], configured: Callable[[str], None]
    ) -> None:
        configured("MaxSessions 1")
        ssh = make()
        assert not ssh.hang_up(target)
        ready = threading.Event()
        lost: list[ConnectionLost] = []

        def hold() -> None:
            with pytest.raises(ConnectionLost, match="no room for another session") as caught:
                ssh.run(target, script("echo ready; sleep 60"), on_line=lambda _: ready.set())
            lost.append(caught.value)

        thread = threading.Thread(target=hold)
        thread.start()
        assert ready.wait(20)
        with pytest.raises(ConnectError, match="MaxSessions") as full:
            ssh.run(target, script("echo in"))
        assert full.value.kind == "sessions"
        assert not ssh.hang_up(target)
        assert not lost
        assert ssh.hang_up(target, running=1)
        assert ssh.run(target, script("echo in")).log == "in\n"
        thread.join(20)
        assert len(lost) == 1

    @pytest.mark.parametrize(
        ("limits", "said"),
        [({"idle_timeout_s": 2}, "it said nothing for 2 s"), ({"timeout_s": 3}, "it did not end within 3 s")],
    )
    @pytest.mark.parametrize("lost", ["continue", "abort"])
    def test_of_one_has_a_script_ended_that_is_silent_or_late(
        self,
        lab: Any,
        host: str,
        target: Target,
        make: Callable[..., SSH],
        configured: Callable[[str], None],
        limits: dict[str, Any],
        said: str,
        lost: Any,
    ) -> None:
        configured("MaxSessions 1")
        step = RunScript("do", script="echo in; sleep 61", on_lost_link=lost, **limits)
        there = attrs.evolve(target, environments=["Dev"])
        with Space("sqlite://", projects=[Project("shop", process=[step])], targets=[there], transport=make()) as space:
            made = space.create_release("shop")
            with pytest.raises(DeployFailed) as failed:
                space.deploy(made, "Dev")
        (outcome,) = failed.value.deployment.outcomes
        assert outcome.state is State.FAILED
        assert said in outcome.why or (lost == "abort" and "the link was lost" in outcome.why)
        assert "sleep 61" not in lab.sh(host, "ps -eo args")

    def test_of_one_makes_room_where_what_was_begun_is_of_no_use(
        self, lab: Any, host: str, make: Callable[..., SSH], configured: Callable[[str], None]
    ) -> None:
        configured("MaxSessions 1")
        ssh = make()
        plain = Target(host, lab.hosts[host], user="deploy")
        ssh.connect(plain)
        sessions = lab.ssh_sessions(host)
        ssh.ahead(plain, now=True)
        wait_for(lambda: lab.ssh_sessions(host) == sessions + 1)
        assert ssh.run(attrs.evolve(plain, sudo=True), script("id -un")).log == "root\n"
