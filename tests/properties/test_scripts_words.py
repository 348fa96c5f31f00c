"""Text of any kind reaches docker byte for byte, and reaches nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden.cases import IMAGE, order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from properties.stand import EACH_SHELL, Call, Host, clear_locks, unique

import octossh as oc
from octossh.model import Pairs
from octossh.rendering import render

_locks = pytest.fixture(autouse=True, scope="module")(clear_locks)

NASTY = "'\"`$\\\n\t\r -!#&;|<>()[]{}*?~=%^\x01\x1b\x7f\u0085\u2028\ufeff\u202e€𝄞éa0"
PIECES = [
    "$(id)",
    "`id`",
    "${PATH}",
    "$'x'",
    "'\"'\"'",
    "-n",
    "--",
    "--rm",
    "\\c",
    "\\n",
    "%s",
    "%",
    "\n\n",
    "EOF",
    "!!",
    "\\\n",
]
STRINGS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
    | st.text(st.sampled_from(NASTY), max_size=20)
    | st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
).filter(lambda text: "{{" not in text and "{%" not in text and "{#" not in text)
ONE_LINE = STRINGS.filter(lambda text: "\n" not in text and not text.endswith("\r"))

AWKWARD = [
    "PATH", "HOME", "IFS", "UID", "EUID", "PPID", "_", "PS1", "PS4", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS", "SHELL",
    "LD_PRELOAD", "LD_LIBRARY_PATH", "LC_ALL", "LANG", "TZ", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT",
    "http_proxy", "HTTPS_PROXY", "No_Proxy", "GODEBUG", "GOMAXPROCS", "SSL_CERT_FILE", "SSH_AUTH_SOCK", "OPTIND", "RANDOM",
    "SECONDS", "LINENO", "PWD", "OLDPWD", "TERM", "USER", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "MALLOC_ARENA_MAX",
    "octossh_nonce", "octossh_secret_0", "my.name", "a-b", "0", "1abc", "näme", "BASH_FUNC_x%%", "x'y", "$(id)", "`id`",
]  # fmt: skip
PLAIN = [
    "A",
    "name",
    "code",
    "docker",
    "REPLY_TO",
    "TMOUT",
    "FPATH",
    "HIS_STORY",
    "PYTHONPATH",
    "NODE_ENV",
    "printf",
    "x" * 200,
]

# What docker's command may see of its surroundings when no variable of the container is there.
OWN = {b"PATH", b"HOME", b"LC_ALL", b"PWD", b"OLDPWD", b"SHLVL", b"_"}


def env_of(call: Call) -> dict[bytes, bytes]:
    """The environment that docker would give the container: --env NAME from its own, and the file on its standard input."""
    made = {}
    for line in call.stdin.split(b"\n"):
        if line:
            assert not line.startswith((b"#", b" ", b"\t"))
            name, _, text = line.removesuffix(b"\r").partition(b"=")
            made[name] = text
    for option, name in zip(call.argv, call.argv[1:], strict=False):
        if option == b"--env":
            assert b"=" not in name
            made[name] = call.environ[name]
    return made


def after(call: Call, option: bytes) -> list[bytes]:
    return [word for before, word in zip(call.argv, call.argv[1:], strict=False) if before == option]


def send_and_compare(host: Host, strings: list[str], secrets: dict[str, str]) -> None:
    """One script with all of *strings* in each place that takes text."""
    labels = {f"com.example.l{number}": text for number, text in enumerate(strings)}
    plain = {f"V{number}": text for number, text in enumerate(strings)}
    extra = [word for text in strings for word in ("--annotation", text)]
    step = oc.RunContainer(
        "web",
        image=IMAGE,
        env={**plain, **{f"S{number}": oc.secret(name) for number, name in enumerate(secrets)}},
        labels=labels,
        command=strings,
        extra_args=extra,
        monitor_s=0,
    )
    made = order(step, project=unique(), secrets=secrets)
    host.docker.containers.clear()
    host.docker.images.append(made.image)
    answer, result = host.run(render(made), secrets)
    assert answer.action == "created", (answer.why, result.log)
    create = next(call for call in host.calls if call.name in {"create", "run"})
    wanted = [text.encode() for text in strings]
    assert after(create, b"--annotation") == wanted
    assert list(create.argv[create.argv.index(made.image.encode()) + 1 :]) == wanted
    given_labels = dict(item.split(b"=", 1) for item in after(create, b"--label"))
    assert [given_labels[name.encode()] for name in labels] == wanted
    env = env_of(create)
    assert {name.decode(): text.decode() for name, text in env.items()} == {
        **plain, **{f"S{number}": text for number, text in enumerate(secrets.values())}
    }  # fmt: skip
    seen = answer.inspect["Config"]["Env"]
    assert [pair for pair in seen if pair.startswith("S")] == [f"S{number}=***" for number in range(len(secrets))]


def batches(shell: str, folder: Path, examples: int, size: int) -> int:
    """Send *examples* lots of *size* strings; gives the number of strings."""
    host = Host(folder, shell)
    count = 0

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STRINGS, min_size=size, max_size=size), st.lists(STRINGS.filter(len), min_size=2, max_size=2))
    def check(strings: list[str], secrets: list[str]) -> None:
        nonlocal count
        count += len(strings)
        send_and_compare(host, strings, {f"secret/{number}": text for number, text in enumerate(secrets)})

    check()
    return count


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_text_reaches_docker_byte_for_byte(tmp_path: Path, shell: str) -> None:
    assert batches(shell, tmp_path / "host", 4, 20) >= 80


@pytest.mark.slow
@pytest.mark.parametrize("shell", EACH_SHELL)
def test_ten_thousand_strings_reach_docker_byte_for_byte(tmp_path: Path, shell: str) -> None:
    """Lots of 50, since hypothesis gives up on longer lists; the shells share them out."""
    assert batches(shell, tmp_path / "host", 70, 50) >= 3_400


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_the_container_gets_variables_of_any_name_and_docker_itself_does_not(tmp_path: Path, shell: str) -> None:
    values = {name: f"of {name} = $x 'y' \"z\" # \\ " for name in [*AWKWARD, *PLAIN]}
    step = oc.RunContainer("web", image=IMAGE, env=values, monitor_s=0)
    made = order(step, project=unique())
    host = Host(tmp_path / "host", shell, record=True, images=[made.image])
    answer, result = host.run(render(made))
    assert answer.action == "created", (answer.why, result.log)
    create = next(call for call in host.calls if call.name in {"create", "run"})
    assert env_of(create) == {name.encode(): text.encode() for name, text in values.items()}
    assert set(create.environ) - OWN == {name.encode() for name in PLAIN}
    for name in AWKWARD:
        assert create.environ.get(name.encode(), b"") != values[name].encode()
    for call in host.calls:
        assert call is create or set(call.environ) <= OWN
    assert b" = $x" not in host.argv


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_secrets_of_any_name_reach_the_container_and_no_command_line(tmp_path: Path, shell: str) -> None:
    names = ["PASSWORD", "HOME", "my.name", "LD_PRELOAD", "PS4"]
    secrets = {name: f"pa55 of {name} $(id) '\"\\" for name in names} | {"hub": '{"auths": {"pa55 of hub": {}}}'}
    step = oc.RunContainer("web", image=IMAGE, env={name: oc.secret(name) for name in names}, monitor_s=0)
    made = order(step, project=unique(), secrets=secrets, login="hub")
    host = Host(tmp_path / "host", shell, record=True, registry=[made.image])
    answer, result = host.run(render(made), secrets)
    assert answer.action == "created", (answer.why, result.log)
    create = next(call for call in host.calls if call.name in {"create", "run"})
    assert env_of(create) == {name.encode(): secrets[name].encode() for name in names}
    assert b"pa55" not in host.argv
    assert b"flock" in host.argv
    assert "pa55" not in result.log
    assert "pa55" not in json.dumps(answer.inspect)
    assert not [file for file in host.folder.glob("home/**/*") if file.is_file()]


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_by_sudo_for_docker_alone_variables_secrets_and_logins_arrive_all_the_same(tmp_path: Path, shell: str) -> None:
    values = {name: f"of {name} = $x 'y' \"z\" # \\ " for name in [*AWKWARD, *PLAIN]}
    secrets = {"pass": "pa55 $(id) '\"\\", "hub": '{"auths": {"pa55 of hub": {}}}'}
    step = oc.RunContainer(
        "web", image=IMAGE, env={**values, "PASSWORD": oc.secret("pass")}, health=oc.Command(["true"]), monitor_s=0
    )
    target = oc.Target("h01", "10.0.0.1", docker=["sudo", "-n", "docker"], docker_host="unix:///run/other.sock")
    made = order(step, project=unique(), secrets=secrets, login="hub", target=target)
    host = Host(tmp_path / "host", shell, record=True, registry=[made.image])
    host.sudo()
    answer, result = host.run(render(made), secrets)
    assert answer.action == "created", (answer.why, result.log)
    calls = {call.name: call for call in host.calls}
    assert env_of(calls["run"]) == {
        **{name.encode(): text.encode() for name, text in values.items()}, b"PASSWORD": secrets["pass"].encode()
    }  # fmt: skip
    assert calls["pull"].stdin.decode() == secrets["hub"]
    assert "exec" in calls
    for call in host.calls:
        assert set(call.environ) <= OWN
        assert call.ahead[b"--host"] == b"unix:///run/other.sock"
    assert b"pa55" not in host.argv
    assert b"pa55" not in result.log.encode()


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_the_socket_of_a_target_is_where_all_calls_of_docker_go(tmp_path: Path, shell: str) -> None:
    target = oc.Target("h01", "10.0.0.1", docker_host="unix:///run/user/1000/docker.sock")
    made = order(oc.RunContainer("web", image=IMAGE, monitor_s=0), project=unique(), target=target)
    host = Host(tmp_path / "host", shell, registry=[made.image])
    assert host.run(render(made))[0].action == "created"
    assert {call.environ[b"DOCKER_HOST"] for call in host.calls} == {b"unix:///run/user/1000/docker.sock"}
    user = order(oc.RunScript("say", script='echo "at $DOCKER_HOST"'), project=unique(), target=target)
    assert "at unix:///run/user/1000/docker.sock" in host.run(render(user))[1].log


SENT = oc.Target("h01", "10.0.0.1", images="push")


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_an_image_that_is_sent_arrives_by_its_tag_and_once(tmp_path: Path, shell: str) -> None:
    made = order(oc.RunContainer("web", image=IMAGE, monitor_s=0), project=unique(), target=SENT)
    tag = made.image.replace("@sha256:", ":sha256-")
    host = Host(tmp_path / "host", shell, images=["other"])
    asked: list[bytes] = []

    def feed(line: bytes) -> bytes:
        asked.append(line.split(b" want ")[1])
        data = f"part {tag}".encode()
        return f"{len(data)} id-of-{tag}\n".encode() + data

    host.feed = feed
    answer, result = host.run(render(made))
    assert answer.action == "created", (answer.why, result.log)
    assert asked == [f"{made.image} {tag} linux/amd64 sha256:base,sha256:of-other,\n".encode()]
    assert next(call for call in host.calls if call.name in {"create", "run"}).argv[-1] == tag.encode()
    assert all(4 not in call.descriptors for call in host.calls)
    answer, _ = host.run(render(made))
    assert (answer.action, len(asked)) == ("unchanged", 1)


@pytest.mark.parametrize(
    ("goes_on", "data", "count", "why"),
    [
        (False, [b"part", b"whole"], 2, ""),
        (True, [b"torn", b"torn"], 2, "docker pull: unexpected EOF"),
        (True, [None], 1, "docker pull: there is no such image"),
        (True, [b"whole wrong", b"whole wrong"], 2, "docker pull: it arrived as id-of-TAG and not as id-of-wrong"),
    ],
)
def test_an_image_that_does_not_arrive_whole_is_asked_for_again_or_told(
    tmp_path: Path, goes_on: bool, data: list[bytes | None], count: int, why: str
) -> None:
    made = order(oc.RunContainer("web", image=IMAGE, monitor_s=0), project=unique(), target=SENT)
    tag = made.image.replace("@sha256:", ":sha256-")
    host = Host(tmp_path / "host", images=["other"], goes_on=goes_on)
    asked: list[bytes] = []

    def feed(line: bytes) -> bytes:
        asked.append(line)
        given = data[len(asked) - 1]
        if given is None:
            return b"no there is no such image\n"
        what, _, wrong = given.decode().partition(" ")
        archive = f"{what} {tag}".encode()
        return f"{len(archive)} id-of-{wrong or tag}\n".encode() + archive

    host.feed = feed
    answer, result = host.run(render(made))
    assert len(asked) == count, result.log
    assert answer.why == why.replace("TAG", tag), result.log
    assert answer.action == ("created" if not why else "")
    assert (tag in host.docker.images) is (not why)
    if count == 2:
        assert asked[-1].endswith(b" -\n")


def test_without_anybody_who_sends_the_script_says_so_and_does_not_wait(tmp_path: Path) -> None:
    made = order(oc.RunContainer("web", image=IMAGE, monitor_s=0), project=unique(), target=SENT)
    answer, _ = Host(tmp_path / "host").run(render(made))
    assert answer.why == "docker pull: nothing came; the connection to this host sends no images"


@pytest.mark.parametrize("value", ["one\ntwo", "one\r", "one\r\n"])
def test_a_secret_that_docker_would_cut_is_refused_before_anything_is_done(tmp_path: Path, value: str) -> None:
    made = order(
        oc.RunContainer("web", image=IMAGE, env={"HOME": oc.secret("home")}), project=unique(), secrets={"home": value}
    )
    host = Host(tmp_path / "host", images=[made.image])
    answer, _ = host.run(render(made), {"home": value})
    assert (answer.state, answer.changed) == ("failed", False)
    assert "a secret holds a line break" in answer.why
    assert host.containers == {}


def names(seed: int, count: int) -> Iterator[str]:
    draw = random.Random(seed)
    for _ in range(count):
        yield "a" + "".join(draw.choices("'\"`$\\ -!#&;|<>()[]*?~=%^€é", k=8)) + "z"


@pytest.mark.slow
@pytest.mark.parametrize("shell", EACH_SHELL)
def test_names_of_projects_environments_and_steps_may_hold_anything_that_names_may(tmp_path: Path, shell: str) -> None:
    host = Host(tmp_path / "host", shell)
    for number, odd in enumerate(names(7, 5)):
        fields: dict[str, Any] = {
            "project": f"{unique()} {odd}",
            "environment": odd,
            "release": odd.replace(" ", ""),
            "deployment": odd,
        }
        made = order(
            oc.RunContainer(odd, image=IMAGE, monitor_s=0, container_name=f"web-{number}"), holder=odd, **fields
        )
        host.docker.images.append(made.image)
        assert host.run(render(made))[0].action == "created"
        assert host.run(render(made))[0].action == "unchanged"
        labels = host.containers[f"web-{number}"]["Config"]["Labels"]
        assert [labels[f"octossh.{name}"] for name in ("project", "environment", "step", "release", "deployment")] == [
            fields["project"], odd, odd, fields["release"], odd
        ]  # fmt: skip
        stop = oc.StopResource("stop", steps=[odd])
        answer, _ = host.run(render(order(stop, project=fields["project"], environment=odd)))
        assert (answer.action, host.containers) == ("removed", {})


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_a_script_of_the_user_runs_as_it_is_written_and_gives_its_outputs(tmp_path: Path, shell: str) -> None:
    strings = [*PIECES, NASTY.replace("\r", "")]
    env = Pairs({f"V{number}": text for number, text in enumerate(strings)})
    lines = [f'octossh_output O{number} "$V{number}"' for number in range(len(strings))]
    text = "set -eu\n" + "\n".join(lines) + "\ncat <<'END'\n$(id) 'it`s\nEND\nprintf '%s' \"$SECRET\" >&2\nexit 3\n"
    step = oc.RunScript("seed", script=text, env={**env, "SECRET": oc.secret("token")})
    host = Host(tmp_path / "host", shell, record=True)
    answer, result = host.run(render(order(step, project=unique(), secrets={"token": "pa55"})), {"token": "pa55"})
    assert (answer.state, answer.action, answer.changed) == ("failed", "ran", True)
    assert answer.why == "the script ended with exit code 3"
    assert [answer.outputs[f"O{number}"] for number in range(len(strings))] == strings
    assert "$(id) 'it`s\n" in result.log
    assert b"pa55" not in host.argv


@pytest.mark.parametrize("shell", EACH_SHELL)
def test_a_network_gets_its_labels_and_is_told_from_another_whose_id_begins_with_its_name(
    tmp_path: Path, shell: str
) -> None:
    odd = 'it\'s "$x" `id`\n\\'
    host = Host(tmp_path / "host", shell)
    host.docker.networks["db" + "0" * 62] = {"Id": "db" + "0" * 62, "Name": "other", "Labels": {}}
    made = order(oc.CreateNetwork("b", labels={"odd": odd}, network_name="db"), project=unique())
    assert host.run(render(made))[0].action == "created"
    assert host.run(render(made))[0].action == "unchanged"
    assert [seen["Labels"]["odd"] for seen in host.docker.networks.values() if seen["Name"] == "db"] == [odd]
    other = order(oc.CreateNetwork("b", internal=True, network_name="db"), project=unique())
    answer, _ = host.run(render(other))
    assert "differs from what is wanted" in answer.why
    foreign = order(oc.CreateNetwork("c", network_name="db"), project=unique())
    answer, _ = host.run(render(foreign))
    assert "was not made by this step" in answer.why
