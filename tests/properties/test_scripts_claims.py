"""Claims on a host: between two steps of a deployment no other gets in, and who has gone holds nobody up."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from golden.cases import order
from hypothesis import given
from hypothesis import strategies as st
from logins import wait_for
from properties.stand import EACH_SHELL, SHELLS, clear_locks, forget_runs, unique

import octossh as oc
from octossh.reading import Answer, read_answer
from octossh.rendering import attach, claim_name, claimed, end_run, outliving, render, unclaim
from octossh.rendering.claims import LETS_GO
from octossh.shell import Script, payload
from octossh.transport.framing import Collector

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)
MEMORY = Path("/dev/shm")


class Controller:
    """One that deploys: its connection is a process on the host, which starts a shell for each script.

    Attributes:
        silence_s: After how many seconds of silence it is taken for gone, where its connection is an sshd.
        held: Whether it has claimed the host before.
    """

    silence_s = 0
    held = False

    def __init__(self, folder: Path, shell: str, project: str, deployment: str, store: str = "") -> None:
        self.folder, self.shell, self.project, self.deployment = folder, shell, project, deployment
        self.program = "/bin/sh"
        self.claim = claim_name(project, "Dev", deployment, store)
        self.connection: subprocess.Popen[str] | None = None
        self.log = ""

    def step(self, script: str = "true", *, last: bool = False, lock_wait_s: int = 0) -> Answer:
        """Do one step on the host."""
        ahead = claimed(self.claim, silence_s=self.silence_s, held=self.held) + (LETS_GO if last else "")
        return self.send(attrs.evolve(self.script(script, lock_wait_s), ahead=ahead))

    def script(self, script: str, lock_wait_s: int = 0) -> Script:
        """The script of one step."""
        holder = f"deployment {self.deployment} by ada since noon"
        more = {"project": self.project, "deployment": self.deployment, "holder": holder, "lock_wait_s": lock_wait_s}
        return render(order(oc.RunScript("do", script=script), **more))

    def send(self, script: Script) -> Answer:
        """Run any script over the connection, which is opened where there is none."""
        if self.connection is None:
            words = " ".join(SHELLS[self.shell])
            each = (
                'while read -r file; do [ -n "$file" ] || continue; '
                f'{words} -s <"$file" >"$file.out" 2>"$file.err"; echo "$?"; done'
            )
            self.connection = subprocess.Popen(
                [self.program, "-c", each], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.connection.stdin is not None
        assert self.connection.stdout is not None
        nonce, file = uuid.uuid4().hex, self.folder / uuid.uuid4().hex
        file.write_bytes(payload(script, nonce, {}))
        self.connection.stdin.write(f"{file}\n")
        self.connection.stdin.flush()
        code = int(self.connection.stdout.readline())
        collector = Collector(nonce)
        collector.feed_out(Path(f"{file}.out").read_bytes())
        collector.feed_err(Path(f"{file}.err").read_bytes())
        result = collector.result(code)
        self.log = result.log
        return read_answer(result)

    def asks(self) -> None:
        """Ask over the connection whether the host is there."""
        assert self.connection is not None
        assert self.connection.stdin is not None
        self.connection.stdin.write("\n")
        self.connection.stdin.flush()

    def lose(self) -> None:
        """The connection, or all of the controller, has gone."""
        if self.connection is not None:
            self.connection.kill()
            self.connection.communicate()
            self.connection = None


@pytest.fixture(params=EACH_SHELL)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


_numbers = itertools.count()


@pytest.fixture
def two(shell: str, tmp_path: Path) -> Iterator[tuple[Controller, Controller]]:
    project = f"{unique()}-{next(_numbers)}"
    made = Controller(tmp_path, shell, project, "d1"), Controller(tmp_path, shell, project, "d2")
    yield made
    for one in made:
        one.lose()


def claims(project: str) -> list[str]:
    return sorted(file.name for file in MEMORY.glob(f"octossh-{project}-*.claim.*"))


def test_between_two_steps_another_deployment_is_told_who_holds_the_host_and_since_when(
    two: tuple[Controller, Controller],
) -> None:
    first, second = two
    assert first.step().state == "succeeded"
    refused = second.step()
    assert (refused.state, refused.changed) == ("locked", False)
    assert "another deployment is not through with this project" in refused.why
    assert "deployment d1 by ada since noon; wait for its end" in refused.why
    assert first.step(last=True).state == "succeeded"
    assert claims(first.project) == []
    assert second.step(last=True).state == "succeeded"
    assert claims(first.project) == []


def test_a_claim_holds_where_a_host_shows_nobody_the_processes_of_others(two: tuple[Controller, Controller]) -> None:
    first, second = two

    def step(controller: Controller) -> Answer:
        script = controller.script("true")
        body = script.body.replace('"/proc/$1/stat"', '"/nowhere/$1/stat"')
        assert body != script.body
        return controller.send(attrs.evolve(script, body=body, ahead=claimed(controller.claim)))

    assert step(first).state == "succeeded"
    assert step(second).state == "locked"
    first.lose()
    assert step(second).state == "succeeded"


def test_what_is_no_file_holds_nobody_up(two: tuple[Controller, Controller]) -> None:
    first, _ = two
    pipe = MEMORY / f"octossh-{first.project}-dev.claim.x.y"
    os.mkfifo(pipe)
    try:
        assert first.step(last=True).state == "succeeded"
    finally:
        pipe.unlink()


def test_a_deployment_that_waits_gets_in_when_the_other_one_is_through(two: tuple[Controller, Controller]) -> None:
    first, second = two
    first.step()
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(second.step(lock_wait_s=30)))
    waiting.start()
    while "waiting for" not in "".join(file.read_text() for file in second.folder.glob("*.err")):
        assert waiting.is_alive()
    first.step(last=True)
    waiting.join(30)
    assert [answer.state for answer in answers] == ["succeeded"]
    assert "waiting for deployment d1 by ada since noon" in second.log


def test_one_whose_controller_has_gone_is_taken_over_at_once_and_stays_out_when_it_comes_back(
    two: tuple[Controller, Controller],
) -> None:
    first, second = two
    first.step()
    first.lose()
    assert second.step().state == "succeeded"
    assert "taking over from deployment d1 by ada since noon, which has gone without an end" in second.log
    assert first.step().state == "locked"
    second.step(last=True)
    late = first.step()
    assert (late.state, late.changed) == ("failed", False)
    assert "which another deployment has taken over since: deployment d2" in late.why
    assert first.send(unclaim(first.claim)).state == "succeeded"
    assert claims(first.project) == []


def test_a_deployment_of_the_same_store_follows_one_whose_connection_seems_to_live(
    two: tuple[Controller, Controller],
) -> None:
    first, second = (Controller(one.folder, one.shell, one.project, one.deployment, "store") for one in two)
    first.step()
    assert second.step(last=True).state == "succeeded"
    assert "taking over from deployment d1" in second.log
    assert "which another deployment has taken over since" in first.step().why
    for one in (first, second):
        one.lose()


def test_a_step_that_fails_keeps_the_host_until_it_is_freed(two: tuple[Controller, Controller]) -> None:
    first, second = two
    assert first.step("false", last=True).state == "failed"
    assert second.step().state == "locked"
    assert first.send(unclaim(first.claim)).state == "succeeded"
    assert second.step().state == "succeeded"


def test_a_deployment_that_connects_again_goes_on_where_nobody_was_in_between(
    two: tuple[Controller, Controller],
) -> None:
    first, second = two
    first.step()
    first.lose()
    assert first.step().state == "succeeded"
    assert second.step().state == "locked"


def test_whoever_comes_back_for_a_run_holds_the_host_for_its_deployment(two: tuple[Controller, Controller]) -> None:
    first, second = two
    run = f"test-{uuid.uuid4().hex[:12]}"
    first.send(outliving(first.script("true"), run, 1, claim=claimed(first.claim)))
    first.lose()
    assert first.send(attach(run, "do", claimed(first.claim))).state == "succeeded"
    assert second.step().state == "locked"
    forget_runs(run)


def test_whoever_ends_a_run_over_another_connection_holds_the_host_for_its_deployment(
    two: tuple[Controller, Controller],
) -> None:
    first, second = two
    run = f"test-{uuid.uuid4().hex[:12]}"
    other = Controller(first.folder, first.shell, first.project, first.deployment)
    with ThreadPoolExecutor() as pool:
        sent = outliving(first.script("echo; sleep 60"), run, 1, claim=claimed(first.claim))
        runs = pool.submit(first.send, sent)
        wait_for(lambda: any((MEMORY / name).stat().st_size for name in claims(first.project)))
        wait_for(lambda: other.send(end_run(run, "do", "late", claimed(first.claim, held=True))).action == "stopped")
        runs.result(30)
    first.lose()
    assert second.step().state == "locked"
    other.lose()
    assert second.step().state == "succeeded"
    forget_runs(run)


@pytest.fixture
def cut(two: tuple[Controller, Controller], tmp_path: Path) -> tuple[Controller, Controller]:
    """The connection of the first one is an sshd, over which nothing comes unless it asks."""
    program = tmp_path / "sshd"
    program.symlink_to("/bin/sh")
    two[0].program, two[0].silence_s = str(program), 2
    return two


def test_one_whose_cable_was_cut_is_taken_over_and_stays_out_when_it_comes_back(
    cut: tuple[Controller, Controller],
) -> None:
    first, second = cut
    first.step()
    assert second.step(lock_wait_s=1).state == "locked"
    assert second.step(lock_wait_s=30).state == "succeeded"
    assert "taking over from deployment d1 by ada since noon, which has not been heard of for 2 s" in second.log
    assert first.step().state == "locked"
    second.step(last=True)
    assert "which another deployment has taken over since: deployment d2" in first.step().why


def test_of_two_that_have_gone_without_a_word_the_silence_counts_at_the_same_time(
    cut: tuple[Controller, Controller],
) -> None:
    first, second = cut
    third = Controller(first.folder, first.shell, first.project, "d3")
    third.program, third.silence_s = first.program, first.silence_s
    first.step()
    claim = MEMORY / first.claim
    text = claim.read_text()
    claim.unlink()
    third.step()
    claim.write_text(text)
    try:
        assert second.step(lock_wait_s=30).state == "succeeded"
    finally:
        third.lose()
    for name in ("d1", "d3"):
        said = f"taking over from deployment {name} by ada since noon, which has not been heard of for 2 s"
        assert said in second.log


def test_one_that_asks_whether_the_host_is_there_holds_it(cut: tuple[Controller, Controller]) -> None:
    first, second = cut
    first.silence_s = 5  # so that a busy machine may be late
    first.step()
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.2):
            first.asks()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert second.step(lock_wait_s=8).state == "locked"
    finally:
        over.set()
        asking.join()


@pytest.mark.parametrize("why", ["it asks nothing", "it is no sshd", "its host does not tell"])
def test_one_of_which_silence_tells_nothing_holds_its_host(why: str, cut: tuple[Controller, Controller]) -> None:
    first, second = cut
    if why == "it asks nothing":
        first.silence_s = 0
    elif why == "it is no sshd":
        first.program = "/bin/sh"
    first.step()
    script = second.script("true", lock_wait_s=4)
    if why == "its host does not tell":
        script = attrs.evolve(script, body=script.body.replace("voluntary_ctxt_switches", "nothing_of_the_kind"))
    assert second.send(attrs.evolve(script, ahead=claimed(second.claim))).state == "locked"


def test_a_run_that_goes_on_without_its_link_is_not_taken_over_by_silence(
    cut: tuple[Controller, Controller], tmp_path: Path
) -> None:
    first, second = cut
    run, go_on = f"test-{uuid.uuid4().hex[:12]}", tmp_path / "go on"
    script = outliving(
        first.script(f"until [ -e '{go_on}' ]; do sleep 0.1; done"), run, 1, claim=claimed(first.claim, silence_s=1)
    )
    running = threading.Thread(target=first.send, args=(script,))
    running.start()
    while not claims(first.project):
        running.join(0.05)
        assert running.is_alive()
    assert "another run holds the lock" in second.step(lock_wait_s=4).why
    go_on.touch()
    running.join()
    assert second.step(lock_wait_s=30).state == "succeeded"
    forget_runs(run)


@pytest.mark.parametrize("gone", ["its claim", "all that the host had in memory"])
def test_one_whose_claim_has_gone_goes_on_where_nobody_else_was_since(
    gone: str, two: tuple[Controller, Controller]
) -> None:
    first, _ = two
    first.step()
    for file in MEMORY.glob(f"octossh-{first.project}-*"):
        if gone != "its claim" or ".claim." in file.name:
            file.unlink()
    first.held = True
    assert first.step().state == "succeeded"
    assert claims(first.project) == [first.claim]


def test_one_whose_claim_has_gone_goes_on_where_the_lock_is_a_file_of_another_user(
    two: tuple[Controller, Controller],
) -> None:
    first, second = two
    second.step(last=True)

    def step() -> Answer:
        # As with fs.protected_regular: it cannot be opened by its name for writing.
        script = first.script("true")
        body = script.body.replace('>"$octossh_lock"', ">/nowhere/lock")
        assert body != script.body
        return first.send(attrs.evolve(script, body=body, ahead=claimed(first.claim, held=first.held)))

    assert step().state == "succeeded"
    (MEMORY / first.claim).unlink()  # as systemd does (RemoveIPC) when its user has logged out
    first.held = True
    assert step().state == "succeeded"
    assert claims(first.project) == [first.claim]


@pytest.mark.parametrize("known", [True, False])
def test_one_that_was_taken_over_so_long_ago_that_its_claim_has_gone_stays_out(
    known: bool, two: tuple[Controller, Controller]
) -> None:
    first, second = two
    first.step()
    first.lose()
    second.step(last=True)
    (MEMORY / first.claim).unlink()
    lock = MEMORY / f"octossh-{first.project}-dev.lock"
    if not known:  # as where another user could not write it
        lock.write_text("")
    first.held = True
    late = first.step()
    assert (late.state, late.changed) == ("failed", False)
    if known:
        assert "which another deployment has taken over since: deployment d2" in late.why
    else:
        assert "its claim there has gone, and the lock" in late.why
        assert f"{lock} does not tell whether another deployment has been there since" in late.why
    assert claims(first.project) == []


def test_one_that_was_taken_over_by_nobody_knows_whom_is_told_so(two: tuple[Controller, Controller]) -> None:
    first, second = two
    first.step()
    first.lose()
    second.step(last=True)
    lock = MEMORY / f"octossh-{first.project}-dev.lock"
    lock.write_text("")
    assert f"has taken over since: the lock {lock} does not tell which; deploy again" in first.step().why


def test_a_script_that_nobody_deploys_claims_nothing_and_keeps_out_all_the_same(
    two: tuple[Controller, Controller],
) -> None:
    first, second = two
    assert second.send(second.script("true")).state == "succeeded"
    assert claims(first.project) == []
    first.step()
    assert second.send(second.script("true")).state == "locked"


def test_a_claim_that_makes_no_sense_holds_nobody_up(two: tuple[Controller, Controller]) -> None:
    first, _ = two
    for number, text in enumerate(("x y z\n", "\n", "1\n", "$(exit 9) ; `exit 9` *\n", "0 0 nobody\n")):
        (MEMORY / f"octossh-{first.project}-dev.claim.x.x{number}").write_text(text)
    assert first.step(last=True).state == "succeeded"


ACTS = st.tuples(st.integers(0, 1), st.sampled_from(["step", "step", "last", "fail", "lose", "free"]))


@pytest.mark.slow
@given(st.sampled_from(sorted(SHELLS)), st.lists(ACTS, min_size=2, max_size=12))
def test_of_two_deployments_only_one_is_on_a_host_however_they_come_and_go(
    shell: str, acts: list[tuple[int, str]]
) -> None:
    project = f"{unique()}-{next(_numbers)}"
    with tempfile.TemporaryDirectory() as folder:
        both = [Controller(Path(folder), shell, project, name) for name in ("d1", "d2")]
        holds = ["", ""]  # "here", "gone": it may come back, "out": another one has been there since
        try:
            for who, act in acts:
                one, other = both[who], 1 - who
                if act == "lose":
                    one.lose()
                    holds[who] = "gone" if holds[who] == "here" else holds[who]
                    continue
                if act == "free":
                    one.send(unclaim(one.claim))
                    holds[who] = ""
                    continue
                answer = one.step("false" if act == "fail" else "true", last=act == "last")
                if holds[other] == "here":
                    assert answer.state == "locked"
                elif holds[who] == "out":
                    assert (answer.state, answer.action) == ("failed", "none")
                else:
                    assert (answer.state, answer.action) == ("failed" if act == "fail" else "succeeded", "ran")
                    holds[who] = "" if act == "last" else "here"
                    holds[other] = "out" if holds[other] == "gone" else holds[other]
            held = [one.claim for one, state in zip(both, holds, strict=True) if state]
            assert claims(project) == sorted(held)
        finally:
            for one in both:
                one.lose()
            for file in MEMORY.glob(f"octossh-{project}-*"):
                file.unlink()


def test_a_claim_says_nothing_but_who_and_whose_connection(two: tuple[Controller, Controller]) -> None:
    first, _ = two
    first.step()
    text = (MEMORY / first.claim).read_text()
    assert re.fullmatch(r"\d+ \d+ 0 deployment d1 by ada since noon\n", text)
