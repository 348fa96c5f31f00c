"""Secrets and logins reach the container and the registry, and nothing else."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

# Each way to write a secret that is known to be masked, printed by a script which has it in its environment.
WAYS = """
import base64, json, os, shlex, urllib.parse
value = os.environ["TOKEN"]
raw = value.encode()
for at in range(3):
    print("here:", base64.b64encode(b"x" * at + raw).decode())
for quoted in (shlex.quote, urllib.parse.quote, urllib.parse.quote_plus, json.dumps):
    print("here:", quoted(value))
print("here:", base64.urlsafe_b64encode(raw).decode(), json.dumps(value, ensure_ascii=False))
"""
VALUE = "s3cr3t 'with' $(touch /tmp/pwned) \"quotes\" und Ümläute"
# Quoted for a shell, a URL or JSON its beginning stays as it is; of base64 a piece, by where in three bytes it begins.
TRACES = [b"s3cr3t", *(base64.b64encode(b"x" * at + VALUE.encode())[4:20] for at in range(3))]


def test_a_secret_reaches_the_container_byte_for_byte_and_stays_in_no_other_place(
    clean_lab: Lab, tmp_path: Path
) -> None:
    events: list[oc.Event] = []
    step = shops.web(clean_lab, env={"TOKEN": oc.secret("TOKEN"), "http_proxy": oc.secret("TOKEN")})
    tell = oc.RunScript("tell", script='echo "the token is $TOKEN"', env={"TOKEN": oc.secret("TOKEN")})
    ways = oc.RunScript("ways", script=WAYS, shell="python3", env={"TOKEN": oc.secret("TOKEN")})
    # While it is deployed, everything that stands in a command line on the host is written down.
    clean_lab.sh(
        "h01",
        "rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do cat /proc/[0-9]*/cmdline; done >/var/log/seen 2>/dev/null &)",
    )
    with shops.space(
        clean_lab,
        shops.project(step, tell, ways),
        shops.targets(clean_lab, "Dev"),
        tmp_path,
        secrets={"TOKEN": VALUE},
        on_event=events.append,
    ) as space:
        release = space.create_release(versions={"acme/web": "1.0.0"})
        plan = space.plan(release, "Dev")
        deployment = space.deploy(release, "Dev")
        again = space.plan(release, "Dev")
        assert again.tasks[0].action is oc.Action.KEEP
    clean_lab.sh("h01", "touch /tmp/stop")
    env = shops.inspect(clean_lab, "h01", "shop-dev-web")["Config"]["Env"]
    assert {f"TOKEN={VALUE}", f"http_proxy={VALUE}"} <= set(env)
    assert clean_lab.sh("h01", "ls /tmp/pwned 2>/dev/null || echo none") == "none\n"
    told = deployment.outcome("tell", "h01")
    assert told is not None
    assert told.log == "the token is ***\n"
    shown = deployment.outcome("ways", "h01")
    assert shown is not None
    assert shown.log.count("here: ") == 8
    assert [line for line in shown.log.splitlines() if "***" not in line] == []
    seen = [
        str(plan), json.dumps(plan.to_dict()), repr(plan), str(deployment), json.dumps(deployment.to_dict()),
        repr(deployment), json.dumps([event.to_dict() for event in events]), json.dumps(release.to_dict()),
    ]  # fmt: skip
    kept = [text.encode() for text in seen]
    kept += [pickle.dumps(value) for value in (plan, release, deployment, events, again)]
    kept += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [data for data in kept if any(trace in data for trace in TRACES)]
    lines = clean_lab.sh("h01", "tr '\\0' ' ' </var/log/seen").encode()
    assert b"web" in lines
    assert not [trace for trace in TRACES if trace in lines]
    assert shops.files_with(clean_lab, "h01", *[trace.decode() for trace in TRACES]) == []


def test_a_secret_that_has_another_value_replaces_the_container(clean_lab: Lab, tmp_path: Path) -> None:
    made = shops.project(shops.web(clean_lab, env={"TOKEN": oc.secret("TOKEN")}))
    for value, action in (("one", "created"), ("one", "unchanged"), ("two", "replaced")):
        with shops.space(clean_lab, made, shops.targets(clean_lab, "Dev"), tmp_path, secrets={"TOKEN": value}) as space:
            release = space.create_release(versions={"acme/web": "1.0.0"})
            if action == "replaced":
                assert "env TOKEN: (secret TOKEN) -> (another value)" in str(space.plan(release, "Dev"))
            assert space.deploy(release, "Dev").outcomes[0].action == action


def test_a_registry_with_a_password_works_and_no_login_stays_on_the_host(clean_lab: Lab, tmp_path: Path) -> None:
    auth = clean_lab.registry_auth
    clean_lab.push("private/web", "1.0.0", "ok")
    private = oc.Registry(
        "private",
        f"https://{auth.server}",
        auth=oc.Basic(auth.user, oc.secret("REGISTRY_PASSWORD")),
        ca=str(auth.ca),
    )
    step = oc.RunContainer("web", image=private.image("private/web"), monitor_s=0)
    with shops.space(
        clean_lab,
        shops.project(step),
        shops.targets(clean_lab, "Dev"),
        tmp_path,
        secrets={"REGISTRY_PASSWORD": auth.password},
    ) as space:
        assert space.deploy(space.create_release(), "Dev").outcomes[0].action == "created"
    assert (
        clean_lab.sh("h01", "ls -d /dev/shm/*login* ~deploy/.docker /root/.docker 2>/dev/null || echo none") == "none\n"
    )


def test_a_wrong_registry_password_is_said_before_any_host_is_touched(clean_lab: Lab, tmp_path: Path) -> None:
    auth = clean_lab.registry_auth
    private = oc.Registry(
        "private", f"https://{auth.server}", auth=oc.Basic(auth.user, oc.secret("PASSWORD")), ca=str(auth.ca)
    )
    step = oc.RunContainer("web", image=private.image("acme/web"))
    with (
        shops.space(
            clean_lab, shops.project(step), shops.targets(clean_lab, "Dev"), tmp_path, secrets={"PASSWORD": "wrong-one"}
        ) as space,
        pytest.raises(oc.RegistryError, match=auth.user) as refused,
    ):
        space.create_release()
    assert "wrong-one" not in str(refused.value)
