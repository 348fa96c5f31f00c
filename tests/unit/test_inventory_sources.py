"""Targets out of ssh's configuration, Ansible's inventories, commands and functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import octossh as oc
from octossh.inventory import targets_of
from octossh.inventory.ansible_files import expanded, read_ini

INI = """\
# our hosts
lonely ansible_host=192.0.2.9

[web]
web[01:03].example.com
big.example.com:2222 ansible_user=ann  # the large one

[db]
db ansible_host=192.0.2.5 ansible_connection=ssh
here ansible_connection=local

[db:vars]
ansible_user=dba
ansible_port=22022

[prod:children]
web
db

[prod:vars]
ansible_user=deploy
ansible_ssh_common_args='-o StrictHostKeyChecking=no -o ProxyJump=gate.example.com'
"""

YAML = """\
all:
  hosts:
    lonely: {ansible_host: 192.0.2.9}
  children:
    prod:
      vars:
        ansible_user: deploy
        ansible_ssh_common_args: -J gate.example.com
      children:
        web:
          hosts:
            web[01:03].example.com:
            big.example.com: {ansible_user: ann, ansible_port: 2222}
        db:
          vars: {ansible_user: dba, ansible_port: 22022}
          hosts:
            db: {ansible_host: 192.0.2.5}
            here: {ansible_connection: local}
"""

LIST = {
    "_meta": {
        "hostvars": {
            "lonely": {"ansible_host": "192.0.2.9"},
            **{
                f"web0{n}.example.com": {"ansible_user": "deploy", "ansible_ssh_common_args": "-J gate.example.com"}
                for n in (1, 2, 3)
            },
            "big.example.com": {
                "ansible_user": "ann",
                "ansible_port": 2222,
                "ansible_ssh_common_args": "-J gate.example.com",
            },
            "db": {
                "ansible_host": "192.0.2.5",
                "ansible_user": "dba",
                "ansible_port": 22022,
                "ansible_ssh_common_args": "-J gate.example.com",
            },
            "here": {"ansible_connection": "local"},
        }
    },
    "all": {"children": ["ungrouped", "prod"]},
    "ungrouped": {"hosts": ["lonely"]},
    "prod": {"children": ["web", "db"]},
    "web": {"hosts": ["web01.example.com", "web02.example.com", "web03.example.com", "big.example.com"]},
    "db": {"hosts": ["db", "here"]},
}


def printing(text: str, code: int = 0) -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys; sys.stdout.write({text!r}); sys.stderr.write('why\\n'); sys.exit({code})",
    ]


@pytest.fixture(params=["ini", "yaml", "command"])
def ansible(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path | list[str]:
    if request.param == "command":
        return printing(json.dumps(LIST))
    file = tmp_path / ("hosts" if request.param == "ini" else "hosts.yml")
    file.write_text(INI if request.param == "ini" else YAML)
    return file


def test_an_inventory_of_ansible_gives_its_hosts_with_groups_as_roles(ansible: str | Path | list[str]) -> None:
    found = {target.name: target for target in oc.AnsibleTargets(ansible, environments={"prod": "Production"})()}
    assert found == {
        "lonely": oc.Target("lonely", "192.0.2.9"),
        **{
            f"web0{n}.example.com": oc.Target(
                f"web0{n}.example.com", f"web0{n}.example.com", user="deploy", jump="gate.example.com",
                roles=["web", "prod"], environments=["Production"],
            )
            for n in (1, 2, 3)
        },
        "big.example.com": oc.Target(
            "big.example.com", "big.example.com", user="ann", port=2222, jump="gate.example.com",
            roles=["web", "prod"], environments=["Production"],
        ),
        "db": oc.Target("db", "192.0.2.5", user="dba", port=22022, jump="gate.example.com",
                        roles=["db", "prod"], environments=["Production"]),
    }  # fmt: skip


@pytest.mark.parametrize("variable", ["ansible_ssh_common_args", "ansible_ssh_extra_args"])
@pytest.mark.parametrize(
    "arguments", ['-o ProxyCommand="ssh -W %h:%p gate"', "-oproxycommand=nc", '-A -o "ProxyCommand ssh -W %h:%p gate"']
)
def test_a_host_of_ansible_behind_a_proxy_command_is_refused(tmp_path: Path, variable: str, arguments: str) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(json.dumps({"all": {"hosts": {"web1": {variable: arguments}}}}))
    with pytest.raises(oc.ModelError, match=r"'web1' is reached by a ProxyCommand.*write ProxyJump"):
        oc.AnsibleTargets(file)()


@pytest.mark.parametrize("arguments", ["-o ProxyCommand=none", "-o 'ProxyCommand = none'", "-o ProxyCommand none"])
def test_a_host_of_ansible_that_turns_a_proxy_command_off_is_a_target(tmp_path: Path, arguments: str) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(json.dumps({"all": {"hosts": {"web1": {"ansible_ssh_extra_args": f"{arguments} -J gate"}}}}))
    assert [target.jump for target in oc.AnsibleTargets(file)()] == ["gate"]


def test_groups_are_mapped_to_roles_and_chosen(ansible: str | Path | list[str]) -> None:
    chosen = oc.AnsibleTargets(ansible, roles={"web": ["front", "http"]}, only="web")()
    assert [target.name for target in chosen][-1] == "big.example.com"
    assert len(chosen) == 4
    assert {target.roles for target in chosen} == {("front", "http")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[web\nh01", ["line 1", "range"]),
        ("[web:what]\n", ["line 1", "no section"]),
        ("\n[web]\nh01 h02\n", ["line 3", "'h02'", "NAME=value"]),
        ("[web:vars]\nuser\n", ["line 2", "NAME=value"]),
        ("h01 a='b\n", ["line 1", "quote"]),
        ("web[01:x]\n", ["line 1", "web[01:10]"]),
        ("web[9:1]\n", ["line 1", "web[01:10]"]),
        ("web[1:99999999]\n", ["line 1", "web[01:10]"]),
        ("[a:children]\nb\n", ["line 2", "no group 'b'"]),
        ("h01 ansible_host='{{ ip }}'\n", ["'h01'", "Ansible alone", "--list"]),
        ("h01 ansible_port=many\n", ["'h01'", "port 'many'"]),
        ("h;01\n", ["'h;01'", "neither a host name"]),
    ],
)
def test_a_mistake_in_an_inventory_is_told_with_its_place(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "hosts").write_text(text)
    with pytest.raises(oc.ModelError) as caught:
        oc.AnsibleTargets(tmp_path / "hosts")()
    assert str(caught.value).startswith(f"Ansible inventory {tmp_path}/hosts")
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", ["no groups"]),
        ("all: 5", ["group 'all'", "mapping"]),
        ("all: {host: {}}", ["'host'", "hosts, vars and children"]),
        ("web: {hosts: [h01]}", ["group 'web'", "mapping"]),
        ("web: {hosts: {h01: 5}}", ["'h01'", "mapping"]),
        ("web: {hosts: {'h[1': }}", ["'h[1'", "range"]),
    ],
)
def test_a_mistake_in_an_inventory_in_yaml_is_told_with_its_group(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "hosts.yml").write_text(text)
    with pytest.raises(oc.ModelError) as caught:
        oc.AnsibleTargets(tmp_path / "hosts.yml")()
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize("printed", ['{"web": {"hosts": "h01"}}', '{"web": {"children": 5}}'])
def test_a_command_for_ansible_that_prints_no_lists_is_told(printed: str) -> None:
    with pytest.raises(oc.ModelError, match=r"group 'web', (hosts|children): it is .*list of names"):
        oc.AnsibleTargets(printing(printed))()


def test_what_ansible_alone_understands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("h01\n")
    (tmp_path / "group_vars").mkdir()
    with pytest.raises(oc.ModelError, match=r"group_vars.*ansible-inventory"):
        oc.AnsibleTargets(tmp_path / "hosts")()


def test_groups_that_contain_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[a]\nh01\n[a:children]\nb\n[b:children]\na\n")
    (target,) = oc.AnsibleTargets(tmp_path / "hosts")()
    assert target.roles == ("a", "b")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("h", ["h"]),
        ("h[1:3]", ["h1", "h2", "h3"]),
        ("h[08:10]x", ["h08x", "h09x", "h10x"]),
        ("h[1:6:2]", ["h1", "h3", "h5"]),
        ("h[a:c]", ["ha", "hb", "hc"]),
        ("h[1:2]-[a:b]", ["h1-a", "h1-b", "h2-a", "h2-b"]),
    ],
)
def test_ranges_are_those_of_ansible(pattern: str, names: list[str]) -> None:
    assert expanded(pattern, "x") == names


@settings(max_examples=settings().max_examples * 3 // 5)
@given(st.text(st.sampled_from("ab01[]:= '\"#\n;vrchilden"), max_size=40))
def test_whatever_is_in_an_inventory_it_gives_groups_or_a_model_error(text: str) -> None:
    try:
        assert "all" in read_ini("x", text)
    except oc.ModelError as error:
        assert str(error).startswith("x, line ")  # noqa: PT017 - either is right


SSH = """\
Include more/*.conf
Host web1 web2 "db 1"
  User deploy
Host *.example.com !not
  User other
Match host x
Host=gate
"""


def test_the_hosts_of_an_ssh_configuration_are_targets_by_their_alias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for place, text in (("home/.ssh/more", "Host web3 web1\n"), ("more", "Host not-for-ssh\n")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.conf").write_text(text)
    (tmp_path / "config").write_text(SSH.replace(' "db 1"', ""))
    found = oc.SSHConfigTargets(tmp_path / "config", roles={"web*": "web"}, environments={"web1": "Test"})()
    assert found == (
        oc.Target("web3", "web3", roles=["web"]),
        oc.Target("web1", "web1", roles=["web"], environments=["Test"]),
        oc.Target("web2", "web2", roles=["web"]),
        oc.Target("gate", "gate"),
    )
    assert [target.name for target in oc.SSHConfigTargets(tmp_path / "config", only="g*")()] == ["gate"]


@pytest.mark.parametrize(
    ("text", "words"),
    [(SSH, "line 2.*'db 1'"), ("Host 'a\n", "line 1.*quote"), ("Include config\n", "without end")],
)
def test_a_mistake_in_an_ssh_configuration_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text(text)
    with pytest.raises(oc.ModelError, match=words):
        oc.SSHConfigTargets()()


FIELDS = {"h01": {"address": "192.0.2.1", "roles": ["web"]}}


@pytest.mark.parametrize("data", [FIELDS, {"targets": FIELDS}, [{"name": "h01", **FIELDS["h01"]}]])
def test_a_command_prints_targets_in_one_of_three_ways(data: object) -> None:
    assert oc.CommandTargets(printing(json.dumps(data)))() == (oc.Target("h01", "192.0.2.1", roles=["web"]),)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (printing("[]x"), "not JSON"),
        (printing("5"), "no targets"),
        (printing('["h01"]'), "no targets"),
        (printing('{"h01": {"adress": "x"}}'), "did you mean 'address'"),
        (printing('[{"address": "x"}]'), "the name None"),
        (printing("", 3), "exit code 3: why"),
        (["no-such-command-here"], "no command 'no-such-command-here'"),
    ],
)
def test_a_command_that_fails_or_prints_something_else_is_told(command: list[str], words: str) -> None:
    with pytest.raises(oc.ModelError, match=words):
        oc.CommandTargets(command)()


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(oc.ModelError, match=r"longer than 0\.1 s"):
        oc.CommandTargets(["sleep", "60"], timeout_s=0.1)()


@pytest.mark.parametrize("bad", ["ls -l", [], [5], 5])
def test_a_command_is_a_list_of_words(bad: object) -> None:
    with pytest.raises(oc.ModelError, match="list of words"):
        oc.CommandTargets(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"web": 5}, ["web"], "web"])
def test_roles_are_a_mapping(bad: object) -> None:
    for kind in (oc.SSHConfigTargets, oc.AnsibleTargets):
        with pytest.raises(oc.ModelError, match="mapping"):
            kind("f", roles=bad)  # type: ignore[arg-type]


def test_a_space_takes_sources_of_targets_alone_and_among_targets(tmp_path: Path) -> None:
    (tmp_path / "targets.yml").write_text("targets: {y: {address: y}}\n")

    def ours() -> list[oc.Target]:
        return [oc.Target("f", "f")]

    def fields() -> dict[str, dict[str, str]]:
        return {"m": {"address": "m"}}

    mixed = [
        oc.Target("t", "t"),
        ours,
        fields,
        tmp_path / "targets.yml",
        oc.CommandTargets(printing(json.dumps(FIELDS))),
    ]
    with oc.Space("sqlite://", projects=[], targets=mixed) as space:
        assert [target.name for target in space.targets] == ["t", "f", "m", "y", "h01"]
    with oc.Space("sqlite://", projects=[], targets=fields) as space:
        assert [target.name for target in space.targets] == ["m"]


@pytest.mark.parametrize("gives", [None, 5, "h01", ["h01"], {"h01": "x"}])
def test_a_function_that_gives_something_else_is_told_by_its_name(gives: object) -> None:
    def ours() -> object:
        return gives

    with pytest.raises(oc.ModelError, match="targets of ours"):
        targets_of(ours)  # type: ignore[arg-type]
