"""What the container script decides."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.cases import IMAGE, order
from properties.docker_stand_in import Docker
from properties.stand import EACH_SHELL, Host, clear_locks, unique
from properties.webs import NAME, ONE, THREE, TWO, image, names, script, short

import octossh as oc
from octossh.rendering import render
from octossh.shell import Script

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "host", registry=[image(digest) for digest in (ONE, TWO, THREE)])
    yield made
    assert made.docker.wrong == []


def test_nothing_there_gives_a_container_that_runs(host: Host) -> None:
    answer, _ = host.run(script(ONE))
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "created", True)
    # Neither the answer nor the lock is left in the hands of what docker starts.
    assert {call.descriptors for call in host.calls} == {frozenset({0, 1, 2})}
    assert short(host) == {NAME: ("running", image(ONE))}
    assert answer.inspect["Name"] == f"/{NAME}"


def test_the_same_again_changes_nothing_and_says_what_runs(host: Host) -> None:
    host.run(script(ONE))
    answer, _ = host.run(script(ONE))
    assert (answer.state, answer.action, answer.changed) == ("succeeded", "unchanged", False)
    assert set(names(host)) == {"container inspect"}
    assert answer.inspect["Config"]["Image"] == image(ONE)


def test_docker_is_started_as_seldom_as_can_be(host: Host) -> None:
    host.docker.images += [image(ONE), image(TWO)]
    host.run(script(ONE, restart="unless-stopped"))
    assert names(host) == ["container inspect", "run", "container inspect"]
    host.run(script(TWO, restart="unless-stopped"))
    begin = ["container inspect", "create", "update", "rename", "rename", "stop", "start"]
    assert names(host) == [*begin, "container inspect", "update", "rm"]


@pytest.mark.parametrize("restart", ["no", "always", "unless-stopped", "on-failure:3"])
@pytest.mark.parametrize("before", ["no", "always", "unless-stopped"])
def test_what_is_told_of_the_new_container_is_what_docker_says_of_it_at_the_end(
    host: Host, before: str, restart: str
) -> None:
    for digest, policy in ((ONE, before), (TWO, restart)):
        answer, _ = host.run(script(digest, restart=policy))
        assert answer.inspect == host.containers[NAME]
        told = answer.inspect["HostConfig"]["RestartPolicy"]
        assert f"{told['Name']}:{told['MaximumRetryCount']}".removesuffix(":0") == policy


@pytest.mark.parametrize("made", [True, False], ids=["started", "not even created"])
def test_a_docker_that_goes_away_in_the_middle_of_a_first_start_is_looked_at_again(
    host: Host, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    host.docker.images.append(image(ONE))
    call = Docker.call

    def away(docker: Docker, args: list[str], *more: Any) -> tuple[int, str, str]:
        said = call(docker, args, *more) if made or args[0] != "run" else (0, "", "")
        if args[0] == "run":
            docker.down = True
            return 125, "", "docker: unexpected EOF\n"
        docker.down = docker.down and len(host.calls) < 6
        return said

    monkeypatch.setattr(Docker, "call", away)
    answer, _ = host.run(script(ONE))
    if made:
        assert (answer.action, answer.changed, short(host)) == ("created", True, {NAME: ("running", image(ONE))})
    else:
        assert (answer.state, answer.changed, short(host)) == ("failed", False, {})
        assert "docker create: docker: unexpected EOF" in answer.why


def test_a_docker_that_was_away_at_the_first_look_is_looked_at_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(script(ONE))
    call = Docker.call

    def away_once(docker: Docker, *args: Any) -> tuple[int, str, str]:
        docker.down = len(host.calls) == 1
        return call(docker, *args)

    monkeypatch.setattr(Docker, "call", away_once)
    assert host.run(script(ONE))[0].action == "unchanged"
    assert names(host) == ["container inspect", "version", "container inspect"]


def test_one_that_was_stopped_is_started_again(host: Host) -> None:
    host.run(script(ONE, restart="always"))
    host.containers[NAME]["State"]["Status"] = "exited"
    answer, _ = host.run(script(ONE, restart="always"))
    assert (answer.action, answer.changed, answer.why) == ("started", True, "it was exited")
    assert short(host) == {NAME: ("running", image(ONE))}


def test_another_image_replaces_it_and_leaves_nothing_behind(host: Host) -> None:
    host.run(script(ONE, restart="always"))
    answer, _ = host.run(script(TWO, restart="always"))
    assert (answer.action, answer.changed) == ("replaced", True)
    assert short(host) == {NAME: ("running", image(TWO))}
    assert host.containers[NAME]["HostConfig"]["RestartPolicy"]["Name"] == "always"


@pytest.mark.parametrize("ways", ["exits", "sick", "refuses", "slow"])
def test_an_image_that_does_not_work_makes_the_old_container_run_again(host: Host, ways: str) -> None:
    host.run(script(ONE, restart="always"))
    before = host.containers[NAME]
    host.docker.ways[image(TWO)] = ways
    answer, result = host.run(script(TWO, restart="always"))
    assert (answer.state, answer.action, answer.changed) == ("failed", "put back", True)
    assert "the old container was put back and runs" in answer.why
    assert f"/{NAME} says something" in result.log
    assert short(host) == {NAME: ("running", image(ONE))}
    assert host.containers[NAME]["Id"] == before["Id"] == answer.inspect["Id"]
    assert host.containers[NAME]["HostConfig"]["RestartPolicy"]["Name"] == "always"


@pytest.mark.parametrize("ways", ["exits", "sick", "refuses"])
def test_an_image_that_does_not_work_and_replaces_nothing_is_removed(host: Host, ways: str) -> None:
    host.docker.ways[image(ONE)] = ways
    answer, _ = host.run(script(ONE))
    assert (answer.state, answer.action) == ("failed", "removed")
    assert host.containers == {}


def test_a_container_that_is_not_ours_is_left_alone(host: Host) -> None:
    host.run(script(ONE, step="other"))
    before = dict(host.docker.containers)
    answer, _ = host.run(script(ONE))
    assert (answer.state, answer.changed) == ("failed", False)
    assert "was not made by this step" in answer.why
    assert dict(host.docker.containers) == before


@pytest.mark.parametrize("rest", ["--old", "--next"])
def test_a_container_with_a_name_that_we_need_meanwhile_is_left_alone_when_it_is_not_ours(
    host: Host, rest: str
) -> None:
    host.run(script(ONE))
    host.run(script(ONE, step="other", container_name=NAME + rest))
    before = dict(host.docker.containers)
    answer, _ = host.run(script(TWO))
    assert answer.state == "failed"
    assert "not ours" in answer.why
    assert dict(host.docker.containers) == before


def test_a_foreign_container_under_our_name_survives_though_an_old_one_of_ours_was_kept_aside(host: Host) -> None:
    host.run(script(ONE, step="other"))
    host.run(script(ONE, container_name=f"{NAME}--old"))
    before = dict(host.docker.containers)
    answer, _ = host.run(script(TWO))
    assert (answer.state, answer.changed) == ("failed", False)
    assert dict(host.docker.containers) == before


def test_labels_of_others_cannot_make_a_container_look_like_ours(host: Host) -> None:
    host.run(script(ONE, step="other"))
    host.containers[NAME]["Config"]["Labels"]["octossh.restart"] = "no ours ours ours"
    answer, _ = host.run(script(TWO))
    assert "was not made by this step" in answer.why
    assert short(host) == {NAME: ("running", image(ONE))}


def test_a_pull_that_fails_changes_nothing(host: Host) -> None:
    host.run(script(ONE))
    host.docker.registry.clear()
    answer, _ = host.run(script(TWO))
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why.startswith("docker pull: Error response from daemon: manifest unknown")
    assert short(host) == {NAME: ("running", image(ONE))}


@pytest.mark.parametrize("call", ["create", "network_connect", "rename"])
def test_a_call_that_fails_on_the_way_leaves_the_old_container_running(host: Host, call: str) -> None:
    host.docker.networks = {name: {"Id": name, "Name": name, "Labels": {}} for name in ("net-a", "net-b")}
    host.run(script(ONE, networks=["net-a"], restart="always"))
    host.docker.fails = call
    answer, _ = host.run(script(TWO, networks=["net-a", "net-b"], restart="always"))
    assert answer.state == "failed"
    assert f"{call} fails" in answer.why
    assert short(host) == {NAME: ("running", image(ONE))}
    assert host.containers[NAME]["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_all_networks_are_joined_before_it_starts(host: Host) -> None:
    host.docker.networks = {name: {"Id": name, "Name": name, "Labels": {}} for name in ("net-a", "net-b", "net-c")}
    for digest in (ONE, TWO):
        host.run(script(digest, networks=["net-a", "net-b", "net-c"], aliases=["web"]))
        assert set(host.containers[NAME]["NetworkSettings"]["Networks"]) == {"net-a", "net-b", "net-c"}
        assert names(host).index("network connect") < names(host).index("start")


def test_what_docker_says_besides_does_not_confuse_the_script(host: Host) -> None:
    host.docker.noise = True
    assert host.run(script(ONE))[0].action == "created"
    assert host.run(script(ONE))[0].action == "unchanged"
    assert host.run(script(TWO))[0].action == "replaced"


def test_a_daemon_that_is_down_is_said_to_be_down(host: Host) -> None:
    host.docker.down = True
    answer, _ = host.run(script(ONE))
    assert (answer.state, answer.changed) == ("failed", False)
    assert answer.why.startswith("docker does not answer: Cannot connect to the Docker daemon")


def test_a_host_without_docker_is_told_so(tmp_path: Path) -> None:
    host = Host(tmp_path / "host", record=True)
    (host.folder / "bin" / "docker").unlink()
    host.path = f"{host.folder}/bin"
    more = ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
    answer, _ = host.run(Script("run_container web", script(ONE).body.replace(more, "")))
    assert "there is no docker command on this host for user" in answer.why


def test_a_registry_login_is_there_for_the_pull_only_and_in_no_file(host: Host) -> None:
    secrets = {"hub": '{"auths": {"pa55 of hub": {}}}'}
    left = Path("/dev/shm").glob
    for number in range(10):
        assert host.run_and_kill(script(ONE, login="hub"), number, secrets)
        if (pull := host.calls[-1]).name == "pull":
            break
    # Docker reads it out of the pipe that is its standard input; what a kill leaves is a link to no pipe.
    config = Path(pull.ahead[b"--config"].decode())
    assert pull.stdin.decode() == secrets["hub"]
    assert [(file.name, str(file.readlink())) for file in config.iterdir()] == [("config.json", "/proc/self/fd/0")]
    assert config.stat().st_mode & 0o777 == 0o700
    answer, _ = host.run(script(ONE, login="hub"), secrets)
    assert answer.action == "created"
    assert [call.name for call in host.calls if b"--config" in call.ahead] == ["pull"]
    assert list(left(f"octossh-{unique()}*login*")) == []


@pytest.mark.slow
def test_a_link_that_drops_does_not_stop_a_replacement_half_way(host: Host) -> None:
    host.run(script(ONE, restart="always"))
    host.docker.noise = True
    for number in range(1, 14):
        wanted = script(TWO if number % 2 else ONE, restart="always")
        host.drop_link_at = number
        host.run(wanted)
        host.drop_link_at = -1
        assert short(host) == {NAME: ("running", image(TWO if number % 2 else ONE))}


def test_the_link_drops_and_the_new_container_does_not_work_and_the_old_one_is_put_back(host: Host) -> None:
    host.run(script(ONE, restart="always"))
    host.docker.noise = True
    host.docker.ways[image(TWO)] = "exits"
    host.drop_link_at = 0
    host.run(script(TWO, restart="always"))
    assert short(host) == {NAME: ("running", image(ONE))}


def test_a_lock_that_is_no_plain_file_is_not_written_through(host: Host, tmp_path: Path) -> None:
    mine = tmp_path / "precious"
    mine.write_text("kept")
    lock = Path(f"/dev/shm/octossh-{unique()}x-dev.lock")
    lock.symlink_to(mine)
    step = oc.RunContainer("web", image=IMAGE, monitor_s=0)
    answer, _ = host.run(render(order(step, digest=ONE, project=f"{unique()}x")))
    assert (answer.state, answer.changed, mine.read_text()) == ("failed", False, "kept")
    assert "is no file that can be read" in answer.why


def test_a_second_run_on_the_same_host_is_told_who_holds_the_lock(host: Host) -> None:
    host.run(script(ONE))
    with Path(f"/dev/shm/octossh-{unique()}-dev.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        wanted = order(oc.RunContainer("web", image=IMAGE), digest=ONE, project=unique(), lock_wait_s=0)
        answer, _ = host.run(render(wanted))
    assert (answer.state, answer.changed) == ("locked", False)
    assert "it was last taken by deployment d-20260102-030405-1 by ada@desk" in answer.why
    assert host.calls == []


FILES = {
    "/run/secrets/db": oc.secret("db"),
    "/etc/app/key": oc.SecretFile(oc.secret("key"), owner="1000:99", mode="400"),
}
CONTENT = {"db": "pa55 of db\nüñ $(id) '\"\\%s", "key": "pa55 of key"}


def with_files(digest: str, contents: dict[str, str] | None = None) -> Script:
    step = oc.RunContainer(
        "web", image=IMAGE, container_name=NAME, monitor_s=0, healthy_timeout_s=0, secret_files=FILES
    )
    return render(order(step, digest=digest, project=unique(), secrets=contents or CONTENT))


def stored() -> dict[str, list[tuple[bytes, int, int, int]]]:
    """The secret files on this host, by folder: what is in each, its mode, and whose it is."""
    made: dict[str, list[tuple[bytes, int, int, int]]] = {}
    for folder in sorted(Path("/dev/shm").glob(f"octossh-{unique()}-dev.files/*/*")):
        facts = [(file.read_bytes(), file.stat()) for file in sorted(folder.iterdir())]
        made[folder.name] = [(text, stat.st_mode & 0o777, stat.st_uid, stat.st_gid) for text, stat in facts]
    return made


@pytest.fixture
def no_files() -> Iterator[None]:
    yield
    shutil.rmtree(f"/dev/shm/octossh-{unique()}-dev.files", ignore_errors=True)


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_secret_files_stand_in_memory_with_owner_and_mode_and_in_no_command_line(
    tmp_path: Path, shell: str, no_files: None
) -> None:
    host = Host(tmp_path / "host", shell, record=True, registry=[image(ONE)])
    answer, result = host.run(with_files(ONE), CONTENT)
    assert answer.action == "created", (answer.why, result.log)
    ((first, second),) = stored().values()
    # Files in the order of their paths.
    assert first == (CONTENT["key"].encode(), 0o400, 1000, 99)
    assert second == (CONTENT["db"].encode(), 0o444, 0, 0)
    base = Path(f"/dev/shm/octossh-{unique()}-dev.files")
    assert base.stat().st_mode & 0o777 == 0o700
    assert set(host.containers) == {NAME}
    assert b"pa55" not in host.argv
    assert "pa55" not in result.log
    assert "pa55" not in json.dumps(answer.inspect)
    assert [path for path in host.folder.rglob("*") if path.is_file() and b"pa55" in path.read_bytes()] == []


def test_secret_files_of_what_is_gone_are_forgotten(host: Host, no_files: None) -> None:
    host.run(with_files(ONE), CONTENT)
    (before,) = stored()
    other = CONTENT | {"db": "another"}
    answer, _ = host.run(with_files(ONE, other), other)
    assert answer.action == "replaced"
    (after,) = stored()
    assert after != before
    assert stored()[after][1][0] == b"another"
    assert host.run(script(ONE))[0].action == "replaced"
    assert stored() == {}
    host.run(with_files(ONE), CONTENT)
    assert len(stored()) == 1
    host.run(render(order(oc.StopResource("stop"), project=unique())))
    assert stored() == {}


def test_an_image_that_does_not_work_leaves_the_secret_files_of_the_old_container_alone(
    host: Host, no_files: None
) -> None:
    host.run(with_files(ONE), CONTENT)
    before = stored()
    host.docker.ways[image(TWO)] = "exits"
    answer, _ = host.run(with_files(TWO), CONTENT)
    assert answer.action == "put back"
    assert stored() == before


def test_after_a_reboot_the_next_deployment_writes_the_secret_files_again(host: Host, no_files: None) -> None:
    host.run(with_files(ONE), CONTENT)
    before = stored()
    shutil.rmtree(f"/dev/shm/octossh-{unique()}-dev.files")
    host.containers[NAME]["State"]["Status"] = "exited"
    answer, result = host.run(with_files(ONE), CONTENT)
    assert answer.action == "started", (answer.why, result.log)
    assert stored() == before
    assert short(host) == {NAME: ("running", image(ONE))}


def test_a_folder_for_secret_files_that_others_can_read_is_not_used(host: Host, no_files: None) -> None:
    base = Path(f"/dev/shm/octossh-{unique()}-dev.files")
    base.mkdir(mode=0o755)
    answer, _ = host.run(with_files(ONE), CONTENT)
    assert (answer.state, answer.changed) == ("failed", False)
    assert "is not a folder of this user alone" in answer.why
    assert list(base.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_wrote_secret_files_is_taken_up(tmp_path: Path, no_files: None) -> None:
    for number in range(30):
        host = Host(tmp_path / str(number), registry=[image(ONE)])
        if not host.run_and_kill(with_files(ONE), number, CONTENT):
            break
        answer, result = host.run(with_files(ONE), CONTENT)
        assert answer.state == "succeeded", (number, answer.why, result.log)
        assert set(host.containers) == {NAME}
        assert len(stored()) == 1
        shutil.rmtree(f"/dev/shm/octossh-{unique()}-dev.files")
    assert number > 5


def configured(digest: str = ONE, text: str = "level = 'info'\n") -> Script:
    files = {"/etc/app/app.conf": text, "/srv/ü $(id)": oc.ConfigFile("x", owner="1000:99", mode="600")}
    step = oc.RunContainer("web", image=IMAGE, container_name=NAME, monitor_s=0, healthy_timeout_s=0, files=files)
    return render(order(step, digest=digest, project=unique()))


def test_files_are_put_into_a_container_before_it_starts_and_another_text_makes_another_one(host: Host) -> None:
    answer, _ = host.run(configured())
    assert answer.action == "created", answer.why
    names = [call.name for call in host.calls]
    assert names.index("cp") < names.index("start")
    assert host.containers[NAME]["Files"] == {
        "/etc/app/app.conf": ("level = 'info'\n", 0o644, 0, 0),
        "/srv/ü $(id)": ("x", 0o600, 1000, 99),
    }
    assert host.run(configured())[0].action == "unchanged"
    answer, _ = host.run(configured(text="level = 'debug'\n"))
    assert answer.action == "replaced", answer.why
    assert host.containers[NAME]["Files"]["/etc/app/app.conf"][0] == "level = 'debug'\n"


@pytest.mark.slow
def test_a_run_that_was_killed_before_its_files_were_there_is_taken_up_with_them(tmp_path: Path) -> None:
    for at in range(12):
        host = Host(tmp_path / str(at), registry=[image(ONE)])
        ended = not host.run_and_kill(configured(), at)
        answer, _ = host.run(configured())
        assert answer.state == "succeeded", answer.why
        assert set(host.containers[NAME]["Files"]) == {"/etc/app/app.conf", "/srv/ü $(id)"}
        if ended:
            return
    raise AssertionError("it never came to its end")
