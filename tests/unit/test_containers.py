"""Containers from outside: their logs from many hosts, commands in them, and terminals. Docker is a script here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import octossh as oc
from octossh.cli import main
from octossh.rendering import terminal
from octossh.testing import release_of

# Answers what a look asks, and says what the containers say; `slow` says nothing and stays. Who runs is noted.
DOCKER = r"""#!/bin/sh
here=$(dirname "$0")
case "$1 $2" in
    "version "*) echo 20.10 linux amd64 ;;
    "ps "*) [ ! -s "$here/containers" ] || echo 1 ;;
    "container inspect") sed "s/^/$4/; s/{{json .}}//" "$here/containers" ;;
    "network ls" | "volume ls") ;;
    "logs "*)
        echo "$*" >>"$here/logs.words"
        for last; do :; done
        cat "$here/$last.out"
        [ ! -e "$here/$last.err" ] || cat "$here/$last.err" >&2
        [ ! -e "$here/$last.stays" ] || { echo "$$" >"$here/$last.stays"; exec sleep 600; }
        ;;
    "exec "*)
        shift
        for word; do printf '<%s>' "$word"; done >>"$here/exec.words"
        while [ "${1#--}" != "$1" ]; do shift; done
        shift
        exec "$@"
        ;;
    *) echo "what is docker $*?" >&2; exit 1 ;;
esac
"""


def container(name, step, *, status="running", **labels):
    ours = {"project": "shop", "environment": "Test", "step": step, "release": "1", "deployment": "d", "spec": "s"}
    given = {f"octossh.{key}": value for key, value in ours.items()} | labels
    return {"Id": name, "Name": f"/shop-test-{name}", "Config": {"Labels": given}, "State": {"Status": status}}


class Host:
    """The folder of the docker, and a space on it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)

    def has(self, *containers, **said):
        (self.folder / "containers").write_text("".join(f"{json.dumps(one)}\n" for one in containers))
        for one in containers:
            (self.folder / f"{one['Id']}.out").write_bytes(said.get(one["Id"], b""))

    def read(self, name):
        file = self.folder / name
        return file.read_text() if file.exists() else ""


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    made = Host(tmp_path)
    made.has(container("web", "web"), container("job", "job"))
    return made


STACK = "services:\n  db: {image: 'registry.example.com/acme/db'}\n"


def space_on(transport):
    image = oc.Registry("hub", "https://registry.example.com").image("acme/late")
    steps = [
        *(oc.RunScript(name, script="true") for name in ("web", "job", "My Step")),
        oc.ComposeUp("stack", file=STACK, allow_unpinned=True),
        oc.RunContainer("late", image=image, container_name="late-{{ target.name }}"),
    ]
    targets = [oc.Target(name, name, environments=["Test"]) for name in ("h01", "h02")]
    return oc.Space("sqlite://", projects=[oc.Project("shop", process=steps)], targets=targets, transport=transport)


@pytest.fixture
def space():
    with space_on(oc.Local()) as made:
        yield made


def at(second, text):
    return f"2026-11-24T12:00:{second:02}.5Z {text}\n".encode()


def test_logs_of_all_containers_on_all_hosts_come_in_the_order_of_time(host, space):
    host.has(container("web", "web"), container("job", "job"), web=at(1, "one") + at(4, "four"), job=at(2, "two"))
    lines = [(line.target, line.step, line.text) for line in space.logs("shop", "Test")]
    assert [text for _, _, text in lines] == ["one", "one", "two", "two", "four", "four"]
    assert {target for target, _, _ in lines} == {"h01", "h02"}
    assert [line.text for line in space.logs("shop", "Test", on=["h02"], steps=["job"])] == ["two"]


def test_both_streams_of_a_container_are_told_and_what_is_no_utf_8_is_escaped(host, space):
    host.has(container("web", "web"), web=at(1, "out"))
    (host.folder / "web.err").write_bytes(at(2, "err").replace(b"err", b"\xff err"))
    assert [line.text for line in space.logs("shop", "Test", on=["h01"])] == ["out", "\\xff err"]


def test_what_is_asked_of_docker_is_what_was_asked_for(host, space):
    since = datetime(2026, 11, 24, 13, tzinfo=timezone(timedelta(hours=1)))
    list(space.logs("shop", "Test", on=["h01"], steps=["web"], tail=3, since=since))
    assert host.read("logs.words") == "logs --timestamps --since 2026-11-24T12:00:00.000000Z --tail 3 web\n"


def test_of_a_step_with_no_running_container_the_log_of_the_ended_one_is_shown(host, space):
    gone = container("old", "web", status="exited")
    host.has(
        container("web", "web"), gone, container("job", "job", status="exited"), old=at(1, "old"), job=at(1, "job")
    )
    assert [line.text for line in space.logs("shop", "Test", on=["h01"])] == ["job"]


def test_a_follower_that_is_closed_ends_docker_on_the_host_though_nothing_is_said_there(host, space):
    host.has(container("web", "web"), web=at(1, "first"))
    (host.folder / "web.stays").touch()
    lines = space.logs("shop", "Test", on=["h01"], follow=True)
    assert next(lines).text == "first"
    while not (pid := host.read("web.stays").strip()):
        pass
    assert Path(f"/proc/{pid}").exists()
    lines.close()
    assert not Path(f"/proc/{pid}").exists()


def test_lines_that_are_followed_and_nobody_takes_are_not_piled_up(host, space):
    host.has(container("web", "web"), web=at(1, "x" * 1000) * 3000)
    lines = space.logs("shop", "Test", on=["h01"], follow=True)
    next(lines)
    threads = [thread for thread in threading.enumerate() if thread.name == "octossh-listen"]
    threads[0].join(1)
    assert threads[0].is_alive(), "it waits for whoever reads"
    assert sum(1 for _ in lines) == 2999


class Sessions(oc.Replay):
    """A transport that has room for so many sessions at once."""

    def __init__(self, room, *, waits):
        super().__init__(lambda *_: None)
        self._room, self._waits, self._local = threading.Semaphore(room), waits, oc.Local()

    def run(self, target, script, **given):
        if not self._room.acquire(blocking=self._waits):
            raise oc.ConnectError(f"{target.name}: no more sessions", "refused")
        try:
            return self._local.run(target, script, **given)
        finally:
            self._room.release()


def spaces(transport, hosts=1):
    targets = [oc.Target(name, name, environments=["Test"]) for name in (f"h{number:02}" for number in range(hosts))]
    project = oc.Project("shop", process=[oc.RunScript("hello", script="true")])
    return oc.Space("sqlite://", projects=[project], targets=targets, transport=transport)


def test_of_one_host_no_more_logs_are_read_at_once_than_sshd_has_sessions(host):
    names = [f"web{number:02}" for number in range(24)]
    host.has(*(container(name, name) for name in names), **{name: at(1, name) for name in names})
    with spaces(Sessions(8, waits=False)) as space:
        assert sorted(line.text for line in space.logs("shop", "Test")) == names


def test_long_logs_of_hosts_that_wait_for_a_connection_come_to_an_end(host):
    host.has(container("web", "web"), web=at(1, "x") * 1200)
    with spaces(Sessions(1, waits=True), hosts=3) as space:
        read = []
        reader = threading.Thread(target=lambda: read.extend(space.logs("shop", "Test")), daemon=True)
        reader.start()
        reader.join(60)
        assert len(read) == 3600


def test_more_containers_of_a_host_than_it_has_sessions_for_are_not_followed(host, space):
    names = [f"web-{number}" for number in range(9)]
    host.has(*(container(name, name) for name in names))
    with pytest.raises(oc.ModelError, match=r"h01 has 9 containers to follow, and at most 8 .* with steps= \(--step\)"):
        space.logs("shop", "Test", follow=True)
    assert host.read("logs.words") == ""
    assert list(space.logs("shop", "Test", follow=True, steps=[f"shop-test-{name}" for name in names[:8]])) == []


def test_logs_are_read_one_after_the_other_where_there_are_no_threads_and_are_not_followed(host, space, few):
    host.has(container("web", "web"), container("job", "job"), web=at(1, "one") + at(4, "four"), job=at(2, "two"))
    few["octossh-listen"] = 0
    assert [line.text for line in space.logs("shop", "Test", on=["h01"])] == ["one", "two", "four"]
    with pytest.raises(
        oc.OctosshError, match=r"h01: shop-test-.* cannot be followed: this process can have no more threads"
    ):
        list(space.logs("shop", "Test", on=["h01"], follow=True))


def test_whoever_closes_logs_waits_once_for_all_that_do_not_end(host, monkeypatch):
    host.has(container("web", "web"), container("job", "job"), web=at(1, "web"), job=at(2, "job"))
    stays, waits, join, local = threading.Event(), [], threading.Thread.join, oc.Local()

    def run(target, script, **given):
        made = local.run(target, script, **given)
        if script.name.startswith("logs"):
            assert stays.wait(60)
        return made

    def joined(thread, timeout=None):
        if thread.name == "octossh-listen":
            waits.append(timeout)
        join(thread, timeout)

    transport = oc.Replay(lambda *_: None)
    transport.run = run
    monkeypatch.setattr("octossh.deploying.entering._END_S", 0.2)
    with spaces(transport, hosts=2) as space:
        lines = space.logs("shop", "Test", follow=True)
        next(lines)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "join", joined)
            lines.close()
        stays.set()
    assert len(waits) == 4
    assert sum(waits) < 0.4


def test_a_host_that_is_not_there_is_told_after_what_the_others_say(host):
    def connect(target):
        if target.name == "h02":
            raise oc.ConnectError("h02: nobody there", "refused")

    local = oc.Local()
    transport = oc.Replay(lambda target, script: local.run(target, script), connect)
    targets = [oc.Target(name, name, environments=["Test"]) for name in ("h01", "h02")]
    project = oc.Project("shop", process=[oc.RunScript("hello", script="true")])
    host.has(container("web", "web"), web=at(1, "one"))
    with oc.Space("sqlite://", projects=[project], targets=targets, transport=transport) as space:
        said = space.logs("shop", "Test")
        assert next(said).text == "one"
        with pytest.raises(oc.ConnectError, match="nobody there"):
            next(said)
        made = space.exec("shop", "Test", ["true"])
        assert {(item.target, item.exit_code, item.why) for item in made} == {
            ("h01", 0, ""),
            ("h02", None, "h02: nobody there"),
        }
        assert made.exit_code == 255


def test_words_of_a_command_arrive_as_they_are_and_the_highest_exit_code_counts(host, space):
    host.has(container("web", "web"))
    words = ["sh", "-c", 'echo "$1"; echo err >&2; [ "$2" = 7 ] || exit 3', "sh", "it's $HOME `id` \n{{ x }}", "6"]
    made = space.exec("shop", "Test", words, on=["h01"])
    assert (made.exit_code, made.items[0].exit_code, made.ok) == (3, 3, False)
    assert "it's $HOME `id` \n{{ x }}\n" in made.items[0].output
    assert "err\n" in made.items[0].output
    assert host.read("exec.words") == "<web>" + "".join(f"<{word}>" for word in words)


def test_a_command_stands_in_the_record_before_it_is_executed_with_who_and_where(host, space):
    host.has(container("web", "web"))
    space.exec("shop", "Test", ["true"])
    finished, started = space.audit("shop", environment="Test")
    assert (started.type, finished.type) == ("command_started", "command_finished")
    assert started.data["command"] == ["true"]
    assert started.data["containers"] == {"h01": "shop-test-web", "h02": "shop-test-web"}
    assert finished.data["exit_codes"] == {"h01": 0, "h02": 0}
    assert started.by
    assert space.verify().ok


def test_the_record_says_as_which_user_a_command_was_executed(host, space):
    host.has(container("web", "web"))
    space.exec("shop", "Test", ["true"], user="nobody")
    assert [event.data["user"] for event in space.audit("shop", environment="Test")] == ["nobody", "nobody"]


def test_nothing_is_executed_that_cannot_be_recorded(host, space, monkeypatch):
    host.has(container("web", "web"))

    def full(*_, **__):
        raise oc.RecordError("the disk is full")

    monkeypatch.setattr(space.store, "record", full)
    with pytest.raises(oc.RecordError, match="full"):
        space.exec("shop", "Test", ["true"])
    assert host.read("exec.words") == ""


COMPOSED = {"com.docker.compose.project": "shop-test", "com.docker.compose.service": "db"}


@pytest.mark.parametrize(
    ("containers", "given", "said"),
    [
        (
            [container("web", "web"), container("job", "job")],
            {},
            "h01 runs several containers; say of which step: job, web",
        ),
        ([container("web", "web", status="exited")], {}, "shop-test-web on h01 is exited"),
        ([container("web", "web")], {"steps": ["job"]}, "no container of shop in Test is of 'job'; there is 'shop-t"),
        ([container("web", "web")], {"on": ["h1"]}, "Test has no target 'h1'; did you mean 'h01'"),
        ([], {}, "no container of shop is there in Test"),
    ],
)
def test_what_is_not_there_or_not_one_is_said_before_anything_is_done(host, space, containers, given, said):
    host.has(*containers)
    with pytest.raises(oc.ModelError, match=said):
        space.exec("shop", "Test", ["true"], **given)
    assert len(space.audit()) == 0


@pytest.mark.parametrize("wrong", ["wbe", "shop-prod-web", "shop-test-wbe", "shop-test-webs", "shop-test-stacks"])
def test_a_step_that_is_none_is_refused_before_any_host_is_asked(space, wrong):
    space._transport = oc.Replay(lambda *_: pytest.fail("a host was asked"))
    for ask in (
        lambda: space.logs("shop", "Test", steps=[wrong]),
        lambda: space.exec("shop", "Test", ["true"], steps=["web", wrong]),
    ):
        with pytest.raises(
            oc.ModelError, match=rf"^project 'shop' has no step '{wrong}'; (did you mean 'web'|there is)"
        ):
            ask()


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "My Step",
        "stack",
        "db",
        "shop-test-web",
        "shop-test-web.1",
        "shop-test-my-step",
        "shop-test-stack-db-1",
        "late-1",
    ],
)
def test_steps_services_and_names_of_containers_may_be_meant(space, name):
    asked = []
    space._transport = oc.Replay(lambda target, _script: asked.append(target.name) or "")
    with pytest.raises(oc.OctosshError) as refused:
        list(space.logs("shop", "Test", steps=[name]))
    assert "has no step" not in str(refused.value)
    assert set(asked) == {"h01", "h02"}


def test_a_step_that_only_an_older_release_has_may_be_meant(host, space):
    older = oc.Project("shop", process=[oc.RunScript("cron", script="true")])
    space.store.import_release(release_of(older), by="ada")
    host.has(container("cron", "cron"), cron=at(1, "tick"))
    assert [line.text for line in space.logs("shop", "Test", on=["h01"], steps=["cron"])] == ["tick"]


def test_of_replicas_of_a_service_of_compose_the_first_is_taken(host, space):
    host.has(container("db-1", "stack", **COMPOSED), container("db-2", "stack", **COMPOSED))
    made = space.exec("shop", "Test", ["true"], on=["h01"], steps=["db"])
    assert [item.container for item in made] == ["shop-test-db-1"]


@pytest.mark.parametrize("command", ["ls -l", [], [1]])
def test_a_command_is_a_list_of_words(space, command):
    with pytest.raises(oc.ModelError, match="no list of words"):
        space.exec("shop", "Test", command)


OCTOFILE = """
import octossh as oc

space = oc.Space(
    projects=[oc.Project("shop", process=[oc.RunScript("hello", script="true")])],
    targets=[oc.Target(name, name, environments=["Test"]) for name in ("h01", "h02")],
    transport=oc.Local(),
)
"""


@pytest.fixture
def run(in_tmp, host, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (in_tmp / "octofile.py").write_text(OCTOFILE)

    def ended(*arguments):
        capsys.readouterr()
        try:
            main(list(arguments))
        except SystemExit as end:
            return int(end.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return ended


def test_lines_are_shown_with_who_says_them_and_without_what_moves_a_cursor(run, host):
    host.has(container("web", "web"), web=at(1, "\x1b[31mred\x1b[0m \x1b[2J\x07 äö\u202e\r"))
    assert run("logs", "--in", "Test", "--on", "h01") == (0, "h01 web | red ?[2J? äö?\n", "")
    _, out, _ = run("logs", "shop", "--in", "Test", "--on", "h01", "--time")
    assert out.startswith("h01 web | 2026-11-24T12:00:01.500000Z red")
    _, out, _ = run("--json", "logs", "--in", "Test", "--on", "h01")
    assert json.loads(out)["text"].startswith("\x1b[31mred")
    assert out.isascii()


def test_a_command_ends_with_the_highest_exit_code_and_tells_that_of_each_host(run, host):
    host.has(container("web", "web"))
    code, out, err = run("exec", "shop", "--in", "Test", "--", "sh", "-c", "echo --in; exit 3")
    assert (code, sorted(out.splitlines())) == (3, ["h01 web | --in", "h02 web | --in"])
    assert err.splitlines() == [f"octossh: {name} shop-test-web: exit code 3" for name in ("h01", "h02")]
    assert run("exec", "--in", "Test", "--on", "h01", "--", "true") == (0, "", "")
    code, out, _ = run("--json", "exec", "--in", "Test", "--on", "h01", "--", "echo", "hello")
    assert (code, json.loads(out)["items"][0]["output"]) == (0, "hello\n")


def test_a_command_that_is_not_there_is_asked_for(run):
    code, _, err = run("exec", "shop", "--in", "Test")
    assert code == 2
    assert "behind --" in err
    code, _, err = run("shell", "shop", "--in", "Test")
    assert (code, err) == (2, "octossh: Local() gives no terminal; use the transport SSH or OpenSSH\n")


class Terminal(oc.Local):
    """A terminal on this machine."""

    def terminal(self, target, command):
        return ["sh", "-c", command]


def test_a_shell_is_recorded_and_its_exit_code_is_that_of_the_command(host, capfd, monkeypatch):
    host.has(container("web", "web"))
    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    with space_on(Terminal()) as space:
        with pytest.raises(oc.ModelError, match="a terminal shows one; name it: h01, h02"):
            space.shell("shop", "Test")
        assert space.shell("shop", "Test", on="h01", command=["sh", "-c", "exit 5"]) == 5
        finished, started = space.audit()
    assert host.read("exec.words") == "<--interactive><--tty><web><sh><-c><exit 5>"
    assert finished.data["exit_codes"] == {"h01": 5}
    assert (started.type, finished.type) == ("shell_started", "shell_finished")
    assert started.data["containers"] == {"h01": "shop-test-web"}


def test_a_shell_without_a_terminal_is_refused_before_any_host_is_asked(space, monkeypatch):
    class Untouched(oc.Replay):
        def terminal(self, *_):
            pytest.fail("a host was asked")

    space._transport = Untouched(lambda *_: pytest.fail("a host was asked"))
    monkeypatch.setattr(os, "isatty", lambda _fd: False)
    with pytest.raises(oc.ModelError, match="standard input is none; execute a command instead: octossh exec"):
        space.shell("shop", "Test", on="h01", command=["id"])
    assert len(space.audit()) == 0


# As sudo does it: nothing of the environment is handed on, and the PATH is its own.
SUDO = """#!/bin/sh
echo "$1" >>"$(dirname "$0")/sudo.words"
shift
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


def test_a_shell_by_sudo_asks_the_docker_that_the_target_names(host):
    for name, text in {"sudo": SUDO, "docker": '#!/bin/sh\necho "$DOCKER_HOST $PATH $*"\n'}.items():
        (host.folder / name).write_text(text)
        (host.folder / name).chmod(0o755)
    docker_host = "unix:///run/another.sock"
    target = oc.Target("h01", "h01", sudo=True, docker=str(host.folder / "docker"), docker_host=docker_host)
    done = subprocess.run(
        ["sh", "-c", terminal(target, "web", ["true"])], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{docker_host} /usr/sbin:")
    assert done.stdout.endswith(":/snap/bin exec --interactive --tty web true\n")
    assert host.read("sudo.words") == "--\n"
