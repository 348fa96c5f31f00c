"""Never run, only type-checked (mypy --strict): what scripts that stand on octossh may rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

import octossh as oc
from octossh import board

hub = oc.Registry("hub", "https://registry.example.com", auth=oc.Basic("robot", oc.secret("TOKEN")))
shop = oc.Project(
    "shop",
    process=[
        oc.CreateNetwork("backend", subnet="172.28.6.0/24", roles={"web"}),
        oc.RunContainer(
            "web",
            image=hub.image("acme/web"),
            roles={"web"},
            publish=["8080:8080"],
            networks=["{{ steps.backend.inspect.Name }}"],
            env={"PING_COUNT": "{{ PingCount }}", "DATABASE_URL": oc.secret("DATABASE_URL"), "LEVEL": 2},
            health=oc.Http(8080, "/health"),
            strategy=oc.Replace(),
            rolling=oc.Rolling([1, "25%", "100%"]),
        ),
        oc.RunContainer("db", image=hub.image("acme/db"), health=oc.Command(["pg_isready"], timeout_s=5)),
        oc.RunContainer(
            "full",
            image=hub.image("acme/full"),
            publish=("80", "8080-8081:80-81"),
            networks=["back", oc.Join("front", aliases=["db"], ip="10.0.0.4")],
            mounts=[oc.Mount("/data", source="data", read_only=True)],
            secret_files={
                "/run/secrets/a": oc.secret("A"),
                "/b": oc.SecretFile(oc.secret("B"), owner="1000", mode="0400"),
            },
            healthcheck=oc.HealthCheck("true", interval_s=5, retries=2),
            memory="512m",
            shm_size=64 * 1024**2,
            cpus=1.5,
            pids_limit=-1,
            ulimits={"nofile": 1024},
            hosts={"db": "10.0.0.5"},
        ),
        oc.CreateNetwork(
            "lan", driver="macvlan", parent="eth0", subnets=["10.1.0.0/24", oc.Subnet("fd00::/64")], ipv6=True
        ),
        oc.RunContainer("cache", image=hub.image("acme/cache"), health=oc.Tcp(6379)),
        oc.RunContainer("worker", image=hub.image("acme/worker"), health=oc.LogLine("ready")),
        oc.RunContainer(
            "app", image=hub.image("acme/app"), files={"/etc/a": "x", "/etc/b": oc.ConfigFile("y", mode="0600")}
        ),
        oc.PutFile("conf", "/etc/shop.conf", content=oc.read_text("shop.conf"), mode="0640", reload=["true"]),
        oc.PutFile("key", "/etc/shop.key", content=oc.secret("KEY"), owner="shop", folder_mode="0750"),
        oc.RunScript("report", script="true", reads_only=True, rolling="25%"),
        oc.StopResource("clear", steps=["gone"], releases="older", volumes=True),
        oc.CreateVolume("data", options={"type": "tmpfs"}, replace=True),
        oc.PullImage("ahead", image=hub.image("acme/web")),
        oc.RunOnce("migrate", image=hub.image("acme/web"), command=["migrate"], outputs="/outputs"),
        oc.RunScript("here", script="print(1)", shell="python3", where="controller"),
        oc.WaitFor("port", oc.Tcp(5432), address="10.0.0.9", timeout_s=30),
        oc.Approve("go", instructions="Look.", approvers=["ada"]),
    ],
    variables=[oc.Variable("PingCount", 2), oc.Variable("PingCount", 5, environment="Production")],
    channels=[oc.Channel("stable", "[1.0,2.0)"), oc.Channel("next", prerelease="^rc")],
    lifecycle=oc.Lifecycle("Dev", ("Berlin", "Oslo"), "Production"),
)


def the_script_of_the_design() -> None:
    with oc.Space("sqlite:///octossh.db", projects=[shop], targets="targets.yml") as space:
        assert_type(space, oc.Space)
        release = space.create_release("shop")
        assert_type(release, oc.Release)
        print(space.plan(release, "Dev"))
        assert_type(space.deploy(release, "Dev"), oc.Deployment)
        assert_type(space.promote("shop", to="Test"), oc.Deployment)


def a_space_of_other_parts(path: Path, values: Mapping[str, str]) -> oc.Space:
    def told(event: oc.Event) -> None:
        assert_type(event.at, datetime)
        assert_type(event.data, Mapping[str, Any])

    def vault(name: str) -> str | None:
        return values.get(name)

    oc.Space(projects=[shop], targets=path, templates=path, secrets=vault, on_event=told)
    oc.Space(projects=(shop,), environments=[oc.Environment("Extra")], secrets=values, transport=oc.Local())
    host = oc.Target("h01", "10.0.0.11", user="deploy", port=2222, roles=["web"], environments=("Dev",))
    return oc.Space(
        projects={shop},
        targets=[host],
        transport=oc.SSH(known_hosts=path, user="deploy", sudo_password=oc.secret("SUDO")),
    )


def approving() -> oc.Space:
    def ask(request: oc.ApprovalRequest) -> oc.Approval:
        assert_type(request.approvers, tuple[str, ...])
        return oc.Approval(True, by="ada", notes=request.instructions)

    oc.Space(projects=[shop], approve={"go": oc.Approval(True, by="ada")})
    return oc.Space(projects=[shop], approve=ask)


def a_board(space: oc.Space, path: Path) -> None:
    assert_type(oc.Board(space, deployments=10).write(path), board.Written)
    oc.Board(space).serve(0, on_ready=print)


def looking(space: oc.Space) -> None:
    plan = space.plan("0.0.1", "Dev", project="shop")
    assert_type(plan, oc.Plan)
    assert_type(plan.has_changes, bool)
    for task in plan.tasks:
        assert_type(task, oc.Task)
        assert_type(task.step, oc.Step)
        assert_type(task.action, oc.Action)
        assert_type([change.old for change in task.changes], list[str | None])
    assert_type(plan.to_dict(), dict[str, Any])
    assert_type(space.status("shop"), oc.Status)
    history = space.history("shop", environment="Dev", limit=None)
    assert_type(history, oc.History)
    assert_type(history[0], oc.Deployment)
    assert_type(history[:2], tuple[oc.Deployment, ...])
    assert_type([deployment.duration_s for deployment in history], list[float | None])
    assert_type(space.releases("shop", limit=5), oc.Releases)
    assert_type(space.release("shop"), oc.Release)
    assert_type(space.check("Dev"), oc.Checkup)
    assert_type(space.plan_prune("Dev", keep=3), oc.Plan)
    assert_type(space.tags("acme/web").chosen, oc.versions.Version | None)
    assert_type(space.verify().ok, bool)
    space.deploy(plan)
    assert_type(space.rollback("shop", "Dev", to="0.0.1", check=False).state, oc.State)


def later(space: oc.Space) -> None:
    space.deploy("0.0.1", "Dev", skip=["web"], only={"h01"}, variables={"Count": 3, "Key": oc.Secret("x")}, wait_s=9)
    space.freezes.add(oc.Freeze("Sales", ends_at="2099-01-01", zone="Europe/Berlin"), why="sales")
    assert_type(space.freezes.list(), tuple[oc.Freeze, ...])
    made = space.schedule("0.0.1", "Dev", at="2099-01-01 02:00", exclude=["h02"], override_freeze="it is small")
    assert_type(made, oc.Schedule)
    assert_type(space.schedule_promotion(to="Dev", at="2099-01-01 02:00"), oc.Schedule)
    assert_type(space.schedule_rollback(None, "Dev", to="0.0.1"), oc.Schedule)
    assert_type(space.schedules.approve(made.id, "go", oc.Approval(True, by="ada")), oc.Schedule)
    assert_type([one.state for one in space.run_due()], list[oc.DueState])
    assert_type(space.go_on(made.id, check=False).state, oc.State)


def failing(space: oc.Space) -> str:
    try:
        space.deploy("0.0.1", "Dev", project="shop")
    except oc.DeployFailed as error:
        assert_type(error.hosts, oc.Hosts)
        deployment: oc.Deployment = error.deployment
        outcome = deployment.outcome("web", "h01")
        assert_type(outcome, oc.Outcome | None)
        return deployment.error
    except oc.DeployWaits as error:
        assert_type(error.hosts, oc.Hosts)
        return str(error)
    except oc.Refused as error:
        return str(error)
    except oc.ConnectError as error:
        assert_type(error.kind, str)
        return error.kind
    except oc.OctosshError as error:
        assert_type(error.exit_code, int)
        raise
    return ""


def looking_at_hosts(space: oc.Space) -> None:
    drift = space.drift("shop", "Dev")
    assert_type(drift, oc.Drifts)
    assert_type(drift.places[0].deviations[0].problem, oc.Problem)
    assert_type(space.who("sha256:012345", look=True), oc.Whereabouts)
    assert_type(space.deployment(), oc.Deployment)
    for said in space.logs("shop", "Dev", on=["h01"], steps=["web"], follow=True, tail=10):
        assert_type(said, oc.ContainerLine)
    assert_type(space.exec("shop", "Dev", ["date"]), oc.Executions)
    assert_type(space.shell("shop", "Dev", on="h01"), int)
    assert_type(space.audit("shop", types=["release_created"]).entries, tuple[oc.AuditEntry, ...])
    for line in space.export_audit("csv"):
        assert_type(line, str)
    assert_type(space.ask_hosts().ok, bool)
    oc.Space(projects=[], hooks=[oc.CommandHook(["./notify"], on=["failure"]), oc.Webhook("https://ci.example.com/")])
    oc.Space(projects=[], hooks=[lambda call: print(call.moment.value, call.project)])
    oc.Space(
        projects=[],
        sinks=[oc.SyslogSink(), oc.HttpSink("https://audit.example.com/", key="k")],
        anchors=False,
        spans=False,
    )


def choosing(tags: Sequence[str]) -> None:
    assert_type(oc.versions.choose(tags, range="[1,2)", variant="alpine"), oc.versions.Version | None)
    assert_type(oc.versions.parse("1.27.0"), oc.versions.Version)
    assert_type(oc.versions.explain(tags).verdicts, tuple[oc.versions.Verdict, ...])


def a_transport_for_tests() -> oc.Transport:
    def answer(target: oc.Target, script: oc.Script) -> list[oc.Frame]:
        return [oc.Frame("end", f"succeeded created yes {target.name} {script.digest}")]

    replay = oc.Replay(answer)
    assert_type(replay.calls[0].script, oc.Script)
    transport: oc.Transport = replay
    assert_type(transport.run(oc.Target("h01", "h"), oc.Script("x", "true")), oc.Result)
    return transport


def what_the_type_checker_refuses(space: oc.Space, release: oc.Release) -> None:
    release.number = "2"  # type: ignore[misc]
    space.promote("shop")  # type: ignore[call-arg]
    oc.Target("h01")  # type: ignore[call-arg]
    oc.RunContainer("web")  # type: ignore[call-arg]
    oc.RunContainer("web", image="acme/web")  # type: ignore[arg-type]
    oc.Variable("A", ["list"])  # type: ignore[arg-type]
    oc.Lifecycle(["Dev", "Test"])  # type: ignore[arg-type]
    oc.Registry("hub", "https://r", auth=("user", "password"))  # type: ignore[arg-type]
