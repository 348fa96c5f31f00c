"""One file and several processes: writing at once, being killed, without rights, on a full disk."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clocks import slack
from clusters import cluster

from octossh.model import State
from octossh.recording import Store

WRITER = """
import itertools, sys, time
from datetime import UTC, datetime
from octossh.model import Deployment, Event, Mode, Outcome, Process, Release, RunScript, State
from octossh.recording import Store, controller_here

url, name, rounds, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
now = datetime.now(UTC)
said = lambda *words: print(*words, flush=True)

def release(number):
    process = Process([RunScript("s", script="true")])
    return Release(project="p", number=number, channel="c", process=process, created_at=now)

said("ready")
input()
with Store(url) as store:
    until = time.monotonic() + seconds
    for round in itertools.takewhile(lambda _round: time.monotonic() < until, range(rounds)):
        id = f"{name}-{round}"
        said("release", store.create_release("p", "0.0.i", release).number)
        values = dict(id=id, project="p", release="1", environment="e", mode=Mode.DEPLOY, started_at=now)
        store.start(Deployment(**values, state=State.RUNNING, controller=controller_here()))
        said("start", id)
        outcomes = []
        for target in ("a", "b"):
            outcomes.append(Outcome(step="s", target=target, state=State.SUCCEEDED, log="x" * 3000))
            event = Event(type="step_finished", at=now, deployment=id, step="s", target=target)
            store.record(event, outcomes[-1])
            said("outcome", id, target)
        assert store.deployment(id).outcomes == tuple(outcomes)
        store.finish(Deployment(**values, state=State.SUCCEEDED, finished_at=now, outcomes=tuple(outcomes)))
        said("finish", id)
said("done")
"""


class Writer:
    """A process that writes, and says after each record that it has been made."""

    def __init__(self, url, name, rounds, seconds):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, name, str(rounds), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = []

    def wait_ready(self):
        assert self.process.stdout.readline() == "ready\n"

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def read(self, lines=None):
        """Read *lines* lines, or all that there are."""
        while lines is None or len(self.said) < lines:
            line = self.process.stdout.readline()
            if not line.endswith("\n"):
                break
            self.said.append(tuple(line.split()))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.communicate()


def started(stack, url, names, rounds=10**9, seconds=1e9):
    writers = [stack.enter_context(Writer(url, name, rounds, seconds)) for name in names]
    for writer in writers:
        writer.wait_ready()
    for writer in writers:
        writer.go()
    return writers


def check(url, said):
    """Each acknowledged record is there, and the chain is whole."""
    with Store(url) as store:
        found = store.verify()
        assert found.ok, found
        assert len(store.events()) == found.events
        deployments = {d.id: d for d in store.deployments(limit=None)}
        numbers = {r.number for r in store.releases("p")}
    for what, key, *rest in (words for words in said if len(words) > 1):
        if what == "release":
            assert key in numbers
        elif what == "start":
            assert key in deployments
        elif what == "outcome":
            assert deployments[key].outcome("s", rest[0]).log == "x" * 3000
        elif what == "finish":
            assert deployments[key].state is State.SUCCEEDED
    return deployments, numbers


@pytest.fixture(params=["file", "postgresql"])
def url(request, tmp_path):
    """A store that nobody has opened yet."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/octossh.db"
    return request.getfixturevalue("postgresql").place()


def write_at_once(url, **limits):
    with contextlib.ExitStack() as stack:
        writers = started(stack, url, [f"w{number}" for number in range(8)], **limits)
        with ThreadPoolExecutor(8) as pool:  # whoever is not read waits with his next record
            list(pool.map(Writer.read, writers))
        for writer in writers:
            assert writer.process.wait() == 0
    said = [words for writer in writers for words in writer.said]
    assert said.count(("done",)) == 8
    deployments, numbers = check(url, said)
    assert numbers == {f"0.0.{number}" for number in range(1, len(deployments) + 1)}
    assert {d.state for d in deployments.values()} == {State.SUCCEEDED}
    with Store(url) as store:
        assert store.verify().events == len(deployments) * 5
    return deployments


def test_eight_processes_write_at_once_into_a_store_that_none_of_them_found(url):
    assert len(write_at_once(url, rounds=8)) == 8 * 8


@pytest.mark.soak
def test_eight_processes_write_at_once_for_a_minute(url):
    deployments = write_at_once(url, seconds=60)
    made = {
        name: sum(id_.startswith(f"{name}-") for id_ in deployments) for name in {i.split("-")[0] for i in deployments}
    }
    print(f"{len(deployments)} deployments in a minute; the slowest process made {min(made.values())}")
    assert len(made) == 8


def kill_writers(url, seed):
    """Four writers are killed one by one while the others go on."""
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        writers = started(stack, url, [f"w{seed}.{number}" for number in range(4)])
        for writer in writers:
            writer.read(chance.randrange(1, 20))
            # Somewhere within the next record, and not only right after one.
            until = time.perf_counter() + chance.random() * 0.01
            while time.perf_counter() < until:
                pass
            writer.process.kill()
            writer.read()
            writer.process.wait()
    said = [words for writer in writers for words in writer.said]
    assert len(said) >= 4
    deployments, _numbers = check(url, said)
    ended = {words[1] for words in said if words[0] == "finish"}
    for id_, deployment in deployments.items():
        if id_.startswith(f"w{seed}.") and id_ not in ended:
            assert deployment.state in {State.INTERRUPTED, State.SUCCEEDED}
    open_ = [d for d in deployments.values() if d.state is State.INTERRUPTED]
    assert len(open_) <= 4 * (seed + 1)


def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(url):
    for seed in range(3):
        kill_writers(url, seed)


@pytest.mark.soak
def test_two_hundred_writers_that_are_killed_lose_nothing(url):
    for seed in range(50):
        kill_writers(url, seed)


@pytest.mark.soak
def test_a_server_that_is_killed_again_and_again_loses_nothing_that_was_acknowledged():
    chance = random.Random(1)
    with cluster() as server:
        url = server.place()
        said = []
        for round_ in range(10):
            with contextlib.ExitStack() as stack:
                writers = started(stack, url, [f"k{round_}.{number}" for number in range(4)])
                with ThreadPoolExecutor(4) as pool:
                    reading = [pool.submit(writer.read) for writer in writers]
                    time.sleep(0.2 + chance.random())
                    server.kill()
                    for writer in writers:
                        writer.process.kill()
                    for one in reading:
                        one.result()
            said += [words for writer in writers for words in writer.said]
            server.start_again()
            # What went to side files meanwhile is taken in as the store is opened.
            check(url, said)


def test_a_writer_that_is_stopped_holds_the_others_up_no_longer_than_it_lives(tmp_path):
    """The lock dies with its holder: killed in the middle of a transaction, it is free at once."""
    path = tmp_path / "octossh.db"
    code = (
        "import sys; from octossh.recording import Store\n"
        "def make(number): print('in', flush=True); sys.stdin.read()\n"
        f"Store('sqlite:///{path}').create_release('p', 'i', make)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"in\n"
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as db, pytest.raises(sqlite3.OperationalError):
            db.execute("BEGIN IMMEDIATE")
        holder.kill()
    began = time.monotonic()
    check(f"sqlite:///{path}", [])
    with contextlib.ExitStack() as stack:
        (writer,) = started(stack, f"sqlite:///{path}", ["after"], rounds=1)
        writer.read()
        assert writer.said[-1] == ("done",)
    assert time.monotonic() - began < 10 * slack()


# Rights and disks

TRY = """
import os, sys
from datetime import UTC, datetime
from octossh.errors import RecordError
from octossh.model import Event
from octossh.recording import Store
with Store("sqlite://") as store:
    store.events()  # all that is imported is imported now: nobody may not be able to read it
if os.getuid() == 0 and sys.argv[3] == "nobody":
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with Store(sys.argv[1]) as store:
    try:
        for _ in range(int(sys.argv[2])):
            store.record(Event(type="output", at=datetime.now(UTC), deployment="", data={"text": "x" * 4000}))
    except RecordError as error:
        print(error)
    else:
        print("fine")
"""


def attempt(path, user="nobody", count=1):
    """What the store says to a user without special rights."""
    ran = subprocess.run(
        [sys.executable, "-c", TRY, f"sqlite:///{path}", str(count), user], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


@pytest.fixture
def place():
    """A directory that everybody may enter, as pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="octossh-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def made(place):
    """A store there that is closed, and belongs to whoever runs the tests."""
    assert attempt(place / "octossh.db", "") == "fine\n"
    return place / "octossh.db"


def test_without_the_right_to_make_a_file_it_says_so(place):
    place.chmod(0o555)
    assert "permission denied; give this user the right to write to it" in attempt(place / "octossh.db")


def test_without_the_right_to_read_the_file_it_says_so(made):
    made.chmod(0o000)
    assert "permission denied; give this user the right to write to it" in attempt(made)


def test_without_the_right_to_write_the_file_it_says_so(made):
    made.chmod(0o444)
    assert "it is read-only; give this user the right to write to it and its directory" in attempt(made)


def test_without_the_right_to_write_beside_the_file_it_says_so(made):
    made.chmod(0o666)
    made.parent.chmod(0o555)
    said = attempt(made)
    assert "it is read-only" in said or "permission denied" in said


@pytest.fixture
def disk(place):
    """A file system of 400 KiB."""
    if os.getuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,mode=777", "tmpfs", place], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_on_a_read_only_disk_it_says_so(disk):
    assert attempt(disk / "octossh.db") == "fine\n"
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "it is read-only" in attempt(disk / "octossh.db")
    assert "it is read-only" in attempt(disk / "new.db")


def test_on_a_full_disk_it_says_so_and_goes_on_when_there_is_room(disk):
    path = disk / "octossh.db"
    assert attempt(path, count=3) == "fine\n"
    assert "the disk is full; make room, and try again" in attempt(path, count=200)
    subprocess.run(["mount", "-o", "remount,size=8M", disk], check=True)
    with Store(f"sqlite:///{path}") as store:
        found = store.verify()
        assert found.ok, found
        assert found.events >= 3
    assert attempt(path, count=3) == "fine\n"


def test_on_a_disk_that_is_full_from_the_start_it_says_so(disk):
    with (disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert "the disk is full; make room, and try again" in attempt(disk / "octossh.db")
