"""Secrets and logins reach the container and the registry, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shops
from lab.lab import Lab

import octossh as oc

pytestmark = pytest.mark.lab

VALUE = "s3cr3t 'with' $(touch /tmp/pwned) \"quotes\" und Ümläute"


def test_a_secret_reaches_the_container_byte_for_byte_and_stays_in_no_other_place(
    clean_lab: Lab, tmp_path: Path
) -> None:
    events: list[oc.Event] = []
    step = shops.web(clean_lab, env={"TOKEN": oc.secret("TOKEN"), "http_proxy": oc.secret("TOKEN")})
    tell = oc.RunScript("tell", script='echo "the token is $TOKEN"', env={"TOKEN": oc.secret("TOKEN")})
    # While it is deployed, everything that stands in a command line on the host is written down.
    clean_lab.sh(
        "h01",
        "rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do cat /proc/[0-9]*/cmdline; done >/var/log/seen 2>/dev/null &)",
    )
    with shops.space(
        clean_lab,
        shops.project(step, tell),
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
    seen = [
        str(plan), json.dumps(plan.to_dict()), repr(plan), str(deployment), json.dumps(deployment.to_dict()),
        repr(deployment), json.dumps([event.to_dict() for event in events]), json.dumps(release.to_dict()),
    ]  # fmt: skip
    assert not [text for text in seen if "s3cr3t" in text]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
    assert "web" in clean_lab.sh("h01", "tr '\\0' ' ' </var/log/seen")
    # What docker itself keeps of a container's environment (/run/docker, /var/lib/docker) is docker's.
    places = "/var/log /tmp /home /root /run/lock /dev/shm /etc"
    assert clean_lab.sh("h01", f"grep -rls s3cr3t {places} 2>/dev/null || echo none") == "none\n"


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
