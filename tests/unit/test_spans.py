"""Spans of OpenTelemetry: what the real SDK gets of a deployment, and where it stands in a trace."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import octossh as oc
from octossh.sinks.spans import Spans
from octossh.testing import Hosts, release_of

PROJECT = oc.Project(
    "shop",
    process=[
        oc.RunScript("first", script="true", env={"TOKEN": oc.secret("TOKEN")}),
        oc.RunScript("second", script="true", rolling=oc.Rolling([1, "100%"])),
    ],
)
TARGETS = [oc.Target(name, name, environments=["Test"]) for name in ("h01", "h02", "h03")]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter():
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)  # it can be set once in a process
    yield made
    made.shutdown()


@pytest.fixture
def spans(exporter, monkeypatch):
    """All spans that have ended since the test began, by their path of names."""
    monkeypatch.delenv("TRACEPARENT", raising=False)
    exporter.clear()

    def paths():
        ended = {span.context.span_id: span for span in exporter.get_finished_spans()}

        def path(span):
            above = ended.get(span.parent.span_id) if span.parent else None
            return (*(path(above) if above else ()), span.name)

        return {path(span): span for span in ended.values()}

    return paths


@pytest.fixture
def deploy():
    hosts = Hosts()

    def run(project=PROJECT, **given):
        hosts.closed = False
        with oc.Space(
            "sqlite://",
            projects=[project],
            targets=TARGETS,
            transport=hosts,
            secrets={"TOKEN": "hunter2-hunter2"},
            **given,
        ) as space:
            return space.deploy(release_of(project), "Test", check=False)

    run.hosts = hosts
    return run


def mended(hosts, when):
    """What hears events, and after one of the kind *when* lets *hosts* fail no more."""
    return lambda event: hosts._failing.clear() if event.type == when else None


def test_a_deployment_is_a_tree_of_spans_by_step_wave_and_host(spans, deploy):
    made = deploy()
    found = spans()
    assert set(found) == {
        ("deploy shop",),
        ("deploy shop", "first"),
        ("deploy shop", "first", "h01"),
        ("deploy shop", "first", "h02"),
        ("deploy shop", "first", "h03"),
        ("deploy shop", "second"),
        ("deploy shop", "second", "wave 1"),
        ("deploy shop", "second", "wave 1", "h01"),
        ("deploy shop", "second", "wave 2"),
        ("deploy shop", "second", "wave 2", "h02"),
        ("deploy shop", "second", "wave 2", "h03"),
    }
    assert dict(found["deploy shop",].attributes) == {
        "deployment.id": made.id,
        "deployment.name": "shop 1",
        "deployment.environment.name": "Test",
        "deployment.status": "succeeded",
        "octossh.project": "shop",
        "octossh.release": "1",
        "octossh.mode": "deploy",
    }
    host = found["deploy shop", "second", "wave 1", "h01"]
    assert dict(host.attributes) == {
        "host.name": "h01",
        "octossh.step": "second",
        "octossh.action": "created",
        "octossh.state": "succeeded",
    }
    assert {span.status.status_code for span in found.values()} == {StatusCode.UNSET}


def test_each_span_lies_within_the_one_above_it_and_has_the_times_of_its_events(spans, deploy):
    events = []
    deploy(on_event=events.append)
    found = spans()
    for path, span in found.items():
        above = found.get(path[:-1], span)
        assert above.start_time <= span.start_time <= span.end_time <= above.end_time
    took = found["deploy shop", "first", "h02"]
    times = [event.at.timestamp() for event in events if (event.step, event.target) == ("first", "h02")]
    # It may begin later, with the one above it, whose first event was told first.
    assert times[0] - 1e-6 <= took.start_time / 1e9 <= times[-1]
    assert took.end_time / 1e9 == pytest.approx(times[-1], abs=1e-6)


def test_a_span_lies_within_the_one_above_it_whatever_the_order_in_which_events_are_told(spans):
    made = oc.Deployment(
        id="d1",
        project="shop",
        release="1",
        environment="Test",
        mode=oc.Mode.DEPLOY,
        state=oc.State.RUNNING,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )

    def event(kind, second, step="", target="", **data):
        at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
        return oc.Event(type=kind, at=at, deployment="d1", step=step, target=target, data=data)

    ended = {"state": "succeeded", "action": "created", "why": ""}
    with Spans().during(made) as hear:
        hear(event("deployment_started", 2))
        hear(event("step_started", 4, "web", "h02"))
        hear(event("step_started", 3, "web", "h01"))
        hear(event("step_finished", 9, "web", "h02", **ended))
        hear(event("step_finished", 8, "web", "h01", **ended))
        hear(event("deployment_finished", 7, state="succeeded", error=""))
    times = {path: (span.start_time // 10**9 % 60, span.end_time // 10**9 % 60) for path, span in spans().items()}
    assert times == {
        ("deploy shop",): (2, 9),
        ("deploy shop", "web"): (4, 9),
        ("deploy shop", "web", "h02"): (4, 9),
        ("deploy shop", "web", "h01"): (4, 8),
    }


def test_what_fails_is_an_error_of_its_host_its_wave_its_step_and_the_deployment(spans, deploy):
    deploy.hosts.fail("second", target="h01", why="no space left")
    deploy()
    found = spans()
    errors = {path: span.status.description for path, span in found.items() if not span.status.is_ok}
    assert errors == {
        ("deploy shop",): errors["deploy shop",],
        ("deploy shop", "second"): "failed on h01",
        ("deploy shop", "second", "wave 1"): "failed on h01",
        ("deploy shop", "second", "wave 1", "h01"): "no space left",
    }
    assert "second" in errors["deploy shop",]
    assert found["deploy shop",].attributes["deployment.status"] == "failed"
    assert found["deploy shop",].attributes["error.type"] == "failed"
    assert ("deploy shop", "second", "wave 2") not in found


def test_the_environment_says_below_what_a_deployment_stands_unless_a_span_is_current(spans, deploy, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", PARENT)
    monkeypatch.setenv("TRACESTATE", "vendor=value")
    deploy()
    span = spans()["deploy shop",]
    assert trace.format_trace_id(span.context.trace_id) == PARENT.split("-")[1]
    assert trace.format_span_id(span.parent.span_id) == PARENT.split("-")[2]
    assert span.context.trace_state["vendor"] == "value"

    with trace.get_tracer("test").start_as_current_span("pipeline"):
        deploy()
    assert ("pipeline", "deploy shop", "first", "h01") in spans()


def test_what_a_hook_runs_stands_below_the_span_that_it_is_called_about(spans, deploy, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", PARENT)
    monkeypatch.setenv("TRACESTATE", "vendor=value")
    told = tmp_path / "told"
    command = oc.CommandHook(
        ["sh", "-c", 'echo "$TRACEPARENT $TRACESTATE" >>"$0"', told.as_posix()], on=list(oc.Moment)
    )
    seen = []

    def function(call):
        seen.append(trace.get_current_span().get_span_context().span_id)

    deploy.hosts.fail("second", target="h01", why="no space left")
    deploy(hooks=[command, function])
    found = spans()
    above, *rest = [line.split() for line in told.read_text().splitlines()]
    assert above == [PARENT, "vendor=value"], "before it begins, it has no span of its own"
    assert trace.format_span_id(seen[0]) == PARENT.split("-")[2]
    ids = {trace.format_span_id(span.context.span_id): path for path, span in found.items()}
    paths = [ids[parent.split("-")[2]] for parent, _ in rest]
    hosts = [("deploy shop", "first", name) for name in ("h01", "h02", "h03")]
    failed = ("deploy shop", "second", "wave 1", "h01")
    assert sorted(paths[:6]) == sorted(hosts * 2)
    assert paths[6:] == [failed, failed, failed, ("deploy shop",)]
    assert {state for _, state in rest} == {"vendor=value"}
    assert [ids[trace.format_span_id(span)] for span in seen[1:]] == paths


def test_the_command_of_a_hook_has_the_span_of_the_script_that_deploys(spans, deploy, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", PARENT)
    monkeypatch.setenv("TRACESTATE", "vendor=value")
    told = tmp_path / "told"
    hook = oc.CommandHook(["sh", "-c", 'echo "$TRACEPARENT ($TRACESTATE)" >"$0"', told.as_posix()], on="before_deploy")
    with trace.get_tracer("test").start_as_current_span("pipeline") as span:
        deploy(hooks=[hook], spans=False)
    context = span.get_span_context()
    assert told.read_text() == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x} ()\n"


def test_before_a_deployment_a_webhook_names_the_span_of_the_pipeline_which_is_current_no_longer_than_that(
    spans, deploy, monkeypatch
):
    posted = []
    monkeypatch.setattr("octossh.registry.posting.post", lambda _url, _body, headers, **_given: posted.append(headers))
    monkeypatch.setenv("TRACEPARENT", PARENT)
    monkeypatch.setenv("TRACESTATE", "vendor=value")
    deploy(hooks=[oc.Webhook("https://hooks.example.com/", on="before_deploy")])
    (before,) = posted
    assert (before["traceparent"], before["tracestate"]) == (PARENT, "vendor=value")
    assert not trace.get_current_span().get_span_context().is_valid


def test_each_event_is_told_within_the_span_that_it_is_about(spans, deploy):
    seen = []

    def told(event):
        seen.append((event.type, trace.get_current_span().get_span_context().span_id))

    deploy(oc.Project("shop", process=PROJECT.process.steps[:1]), on_event=told)
    names = {span.context.span_id: path for path, span in spans().items()}
    assert {(kind, len(names.get(span, ()))) for kind, span in seen} == {
        ("deployment_started", 1),
        ("step_started", 3),
        ("step_finished", 3),
        ("deployment_finished", 1),
    }


def test_a_webhook_names_the_span_that_it_is_called_about(spans, deploy, monkeypatch):
    posted = []
    monkeypatch.setattr("octossh.registry.posting.post", lambda _url, _body, headers, **_given: posted.append(headers))
    deploy(hooks=[oc.Webhook("https://hooks.example.com/")])
    context = spans()["deploy shop",].context
    before, after = posted
    assert "traceparent" not in before
    assert after["traceparent"] == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def test_a_parent_that_is_none_is_as_if_there_were_none(spans, deploy, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", "yesterday")
    assert deploy().ok
    assert spans()["deploy shop",].parent is None


def test_a_step_that_is_tried_again_says_so_and_ends_well(spans, deploy):
    deploy.hosts.fail("first", target="h01", why="try later")
    project = oc.Project("shop", process=[oc.CreateNetwork("first", retry=oc.Retry(1, delay_s=0))])
    assert deploy(project, on_event=mended(deploy.hosts, "retrying")).ok
    found = spans()
    host = found["deploy shop", "first", "h01"]
    assert [(event.name, event.attributes["octossh.why"]) for event in host.events] == [("retrying", "try later")]
    assert all(span.status.is_ok for span in found.values())


def test_what_puts_a_failed_deployment_back_has_a_link_to_it(spans, deploy):
    web = oc.RunContainer("web", image=oc.Registry("hub", "https://r.example.com").image("acme/web"))
    project = oc.Project("shop", process=[web], rollout=oc.Rollout(on_failure="rollback"))
    mend = mended(deploy.hosts, "deployment_finished")
    with oc.Space(
        "sqlite://",
        projects=[project],
        targets=TARGETS[:2],
        transport=deploy.hosts,
        on_moved_tag="ignore",
        on_event=mend,
    ) as space:
        space.store.import_release(release_of(project), by="ada")
        space.deploy("1", "Test", project="shop")
        deploy.hosts.fail("web", target="h02", why="no space left")
        with pytest.raises(oc.DeployFailed):
            space.deploy(release_of(project, number="2", tag="2.0"), "Test")
    back = spans()["rollback shop",]
    failed = next(span.context.span_id for span in spans().values() if span.attributes.get("octossh.release") == "2")
    assert [link.context.span_id for link in back.links] == [failed]


def test_what_waits_for_an_approval_ends_its_span_and_goes_on_in_another_one_with_a_link(spans, deploy):
    project = oc.Project("shop", process=[oc.Approve("Sign off"), oc.RunScript("then", script="true")])
    with oc.Space("sqlite://", projects=[project], targets=TARGETS, transport=deploy.hosts) as space:
        space.store.import_release(release_of(project), by="ada")
        with pytest.raises(oc.DeployWaits) as waits:
            space.deploy("1", "Test")
        before = spans()
        assert before["deploy shop",].attributes["deployment.status"] == "waiting"
        assert [event.name for event in before["deploy shop", "Sign off", "(controller)"].events] == ["asked"]
        assert all(span.status.is_ok for span in before.values())
        space.schedules.approve(waits.value.deployment.id, "Sign off", oc.Approval(True, by="ada"))
        assert space.go_on(waits.value.deployment.id).ok
    after = spans()["deploy shop",]
    assert [link.context.span_id for link in after.links] == [before["deploy shop",].context.span_id]
    assert after.attributes["deployment.id"] == before["deploy shop",].attributes["deployment.id"]


def test_no_secret_is_in_a_span(spans, deploy):
    deploy.hosts.fail("first", why="it said hunter2-hunter2")
    deploy()
    assert spans()
    assert "hunter2" not in "".join(span.to_json() for span in spans().values())


def test_where_nobody_has_set_a_provider_no_spans_of_steps_and_hosts_are_made(spans, deploy, monkeypatch):
    begun = []

    class Nobodys(trace.NoOpTracer):
        def start_span(self, name, context=None, **_more):
            begun.append(name)  # what stands above goes on, which the library's own did not always do
            return trace.NonRecordingSpan(trace.get_current_span(context).get_span_context())

    monkeypatch.setattr("octossh.sinks.spans._tracer", Nobodys)
    assert deploy().ok
    assert begun == ["deploy shop"]
    monkeypatch.setenv("TRACEPARENT", PARENT)  # what is called may be traced by somebody else
    deploy()
    assert len(begun) > 2


def test_a_rehearsal_and_a_space_that_wants_none_make_no_spans(spans, deploy):
    deploy(spans=False)
    with oc.Space("sqlite://", projects=[PROJECT], targets=TARGETS, transport=Hosts(), secrets={"TOKEN": "x"}) as space:
        with space.rehearsal(Hosts()) as rehearsed:
            assert rehearsed.deploy(release_of(PROJECT), "Test").ok
    assert spans() == {}


@pytest.mark.parametrize(
    ("moment", "what"), [("on_start", "deployment_started"), ("on_end", "first h01"), ("on_end", "the deployment")]
)
def test_a_processor_of_spans_that_raises_does_not_harm_the_deployment_nor_hide_its_events(
    exporter, deploy, monkeypatch, caplog, moment, what
):
    def broken(*_given, **_named):
        raise RuntimeError("no collector")

    monkeypatch.setattr(SimpleSpanProcessor, moment, broken)
    heard = []
    assert deploy(on_event=lambda event: heard.append(event.type)).ok
    assert (heard[0], heard[-1]) == ("deployment_started", "deployment_finished")
    assert f"a span of {what} could not be made: no collector" in caplog.text


def test_a_provider_of_spans_that_raises_does_not_harm_the_deployment(exporter, deploy, monkeypatch, caplog):
    def broken(*_given, **_named):
        raise RuntimeError("no such provider")

    monkeypatch.setattr(trace, "get_tracer", broken)
    assert deploy().ok
    assert "a span of the deployment could not be made: no such provider" in caplog.text


@pytest.mark.slow
def test_without_the_library_deployments_go_as_they_do_and_nothing_else_loads_it():
    code = """if True:
        import sys, octossh as oc
        from octossh.testing import Hosts, release_of
        hello = oc.Project("shop", process=[oc.RunScript("hello", script="true")])
        target = oc.Target("h01", "h01", environments=["Test"])
        space = oc.Space("sqlite://", projects=[hello], targets=[target], transport=Hosts())
        print([name for name in sys.modules if name.startswith("opentelemetry")])
        sys.modules["opentelemetry"] = None
        print(space.deploy(release_of(hello), "Test").state.value)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nsucceeded\n"
