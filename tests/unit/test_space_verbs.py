"""The facade: what it looks up, what it refuses before a host is touched, and what it writes down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import octossh as oc

STEP = oc.RunScript("migrate", script="echo {{ Level }}", env={"KEY": oc.secret("KEY")})
TARGETS = [oc.Target(f"h{n}", f"h{n}", environments=[name]) for n, name in enumerate(("Dev", "Dev", "Test"))]


def done(target, script):
    frames = (oc.Frame("docker", "27.0"), oc.Frame("end", "succeeded ran yes "))
    return oc.Result(frames, "key=geheim-wert\n", 0, datetime(2026, 1, 1, tzinfo=UTC), 0.0)


def shop(*steps, **more):
    more.setdefault("lifecycle", oc.Lifecycle("Dev", "Test"))
    return oc.Project("shop", process=steps or [STEP], variables=[oc.Variable("Level", 1)], **more)


def space(*projects, transport=None, **more):
    more.setdefault("secrets", {"KEY": "geheim-wert"})
    more.setdefault("targets", TARGETS)
    more.setdefault("anchors", False)
    return oc.Space("sqlite://", projects=projects or [shop()], transport=transport or oc.Replay(done), **more)


def refusing(*names):
    def on_connect(target):
        if target.name in names:
            raise oc.ConnectError(f"{target.name}: connection refused", "refused")

    return oc.Replay(done, on_connect)


@pytest.mark.parametrize("verb", ["deploy", "plan", "promote"])
def test_a_host_that_refuses_keeps_all_hosts_of_the_environment_untouched(verb):
    replay = refusing("h1", "h2")
    with space(transport=replay) as made:
        release = made.create_release()
        does = {
            "deploy": lambda: made.deploy(release, "Dev"),
            "plan": lambda: made.plan(release, "Dev"),
            "promote": lambda: made.promote(to="Test"),
        }
        if verb == "promote":
            made._transport = oc.Replay(done)
            made.deploy(release, "Dev")
            made._transport = replay
        with pytest.raises(oc.ConnectError, match="refused") as caught:
            does[verb]()
        assert caught.value.hosts is oc.Hosts.UNTOUCHED
        # A plan only looks: at the host that answers.
        assert [call.script.name for call in replay.calls] == (["observe"] if verb == "plan" else [])
        assert len(made.history()) == (1 if verb == "promote" else 0)


def test_a_checkup_tells_of_a_host_that_refuses_beside_the_others():
    with space(transport=refusing("h1")) as made:
        found = made.check()
    assert not found.ok
    assert [(f.target, f.found) for f in found if f.subject == "connection"] == [
        ("h0", "it answers"),
        ("h1", "connection refused"),
        ("h2", "it answers"),
    ]


def test_a_step_waits_for_the_lock_of_its_host_as_long_as_the_space_says():
    replay = oc.Replay(done)
    with space(transport=replay, lock_wait_s=7) as made:
        release = made.create_release()
        assert "-lt 7 ]" in made.render(made.plan(release, "Dev"))[0][1].body
        made.deploy(release, "Dev")
    assert "-lt 7 ]" in replay.calls[-1].script.body
    with pytest.raises(oc.ModelError, match="give whole seconds"):
        space(lock_wait_s=1.5)


def test_making_a_space_opens_nothing(in_tmp):
    replay = refusing("h0", "h1", "h2")
    oc.Space("sqlite:///octossh.db", projects=[shop()], targets=TARGETS, transport=replay).close()
    assert list(in_tmp.iterdir()) == []
    assert replay.calls == []


def test_what_was_recorded_holds_no_secret():
    events = []
    with space(on_event=events.append) as made:
        ended = made.deploy(made.create_release(), "Dev")
        shown = repr(
            [made.history().to_dict(), ended.to_dict(), [event.to_dict() for event in events], made.store.events()]
        )
    assert "geheim" not in shown
    assert ended.outcomes[0].log == "key=***\n"


def test_a_plan_is_what_is_applied():
    replay = oc.Replay(done)
    with space(transport=replay) as made:
        plan = made.plan(made.create_release(), "Dev")
        looked = len(replay.calls)
        ended = made.deploy(plan)
    assert [call.script.name for call in replay.calls[looked:]] == ["run_script migrate"] * 2
    assert [(o.step, o.target) for o in ended.outcomes] == [(t.step.name, t.target.name) for t in plan.tasks]


def test_a_failed_look_is_an_error_and_never_an_empty_host():
    with (
        space(transport=oc.Replay(lambda target, script: 127)) as made,
        pytest.raises(oc.ReadError, match=r"h0: .*exit code 127"),
    ):
        made.plan(made.create_release(), "Dev")


REFUSED = {
    "a plan for another environment": (lambda s, r: s.deploy(s.plan(r, "Dev"), "Test"), oc.PlanError, ["'Dev'", "'Test'", "another"]),
    "no environment": (lambda s, r: s.deploy(r), oc.PlanError, ["Name an environment", "Dev, Test"]),
    "no environment to roll back": (lambda s, r: s.rollback(), oc.PlanError, ["Dev, Test"]),
    "an unknown environment": (lambda s, r: s.deploy(r, "Tets"), oc.ModelError, ["'Tets'", "did you mean 'Test'?"]),
    "too early": (lambda s, r: s.deploy(r, "Test"), oc.Refused, ["'Test'", "'Dev'"]),
    "an unknown release": (lambda s, r: s.plan("9.9.9", "Dev"), oc.ModelError, ["'9.9.9'", "'shop'"]),
    "an unknown project": (lambda s, r: s.plan("0.0.1", "Dev", project="shpo"), oc.ModelError, ["did you mean 'shop'?"]),
    "a number that is taken": (lambda s, r: s.create_release(number="0.0.1"), oc.RecordError, ["'0.0.1'"]),
    "a number that means another": (lambda s, r: s.create_release(number="latest"), oc.ModelError, ["'latest'"]),
    "an unknown image": (lambda s, r: s.create_release(versions={"acme/web": "1"}), oc.ModelError, ["'shop'", "'acme/web'"]),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_told_before_a_host_is_touched(what):
    act, kind, words = REFUSED[what]
    replay = oc.Replay(done)
    with space(transport=replay) as made:
        release = made.create_release()
        with pytest.raises(kind) as caught:
            act(made, release)
        assert len(made.history()) == 0
    assert [call.script.name for call in replay.calls if call.script.name != "observe"] == []
    assert [word for word in words if word not in str(caught.value)] == [], caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("secrets", [{}, {"KEY": None}, lambda name: None], ids=["a mapping", "None", "a function"])
def test_a_secret_without_a_value_is_told_before_a_host_is_asked(secrets):
    replay = oc.Replay(done)
    with space(transport=replay, secrets=secrets) as made:
        release = made.create_release()
        for act in (made.deploy, made.plan):
            with pytest.raises(oc.ModelError, match="'KEY' has no value; set the environment variable KEY"):
                act(release, "Dev")
    assert replay.calls == []


def test_a_secret_of_another_environment_is_not_asked_for():
    def only_dev(name):
        assert name == "DEV_KEY"
        return "geheim-wert"

    step = oc.RunScript("migrate", script="true", env={"KEY": "{{ Key }}"})
    project = oc.Project(
        "shop",
        process=[step],
        variables=[oc.Variable("Key", oc.secret(f"{name.upper()}_KEY"), environment=name) for name in ("Dev", "Test")],
        lifecycle=oc.Lifecycle("Dev", "Test"),
    )
    with space(project, secrets=only_dev) as made:
        assert made.deploy(made.create_release(), "Dev").ok


WRONG = {
    "a project that is not in a list": (lambda: oc.Space(projects=shop()), ["projects"]),
    "a target that is not in a list": (lambda: oc.Space(projects=[shop()], targets=TARGETS[0]), ["targets"]),
    "environments as text": (lambda: oc.Space(projects=[shop()], environments=["Dev"]), ["'Dev'", "Environment"]),
    "a transport as text": (lambda: oc.Space(projects=[shop()], transport="telnet"), ["'telnet'"]),
    "secrets in a list": (lambda: oc.Space(projects=[shop()], secrets=["KEY"]), ["secrets"]),
    "a role that no target has": (
        lambda: space(oc.Project("shop", process=[STEP], variables=[oc.Variable("Level", 1, role="wbe")])), ["'Level'", "'wbe'"],
    ),
    "a target that is not there": (
        lambda: space(oc.Project("shop", process=[STEP], variables=[oc.Variable("Level", 1, target="h9")])), ["'Level'", "'h9'"],
    ),
    "a minimum of hosts for a role that nothing has": (
        lambda: space(
            shop(rollout=oc.Rollout(at_least={"wbe": 1})), targets=[oc.Target("h0", "h0", environments=["Dev"], roles=["web"])]
        ),
        ["project 'shop'", "at_least", "'wbe'", "did you mean 'web'?"],
    ),
    "a minimum of an environment for a role that nothing has": (
        lambda: space(environments=[oc.Environment("Dev", rollout=oc.Rollout(at_least={"wbe": "50%"}))]),
        ["environment 'Dev'", "at_least", "'wbe'", "there is none"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_space_of_wrong_parts_is_a_model_error(what):
    make, words = WRONG[what]
    with pytest.raises(oc.ModelError) as caught:
        make()
    assert [word for word in words if word not in str(caught.value)] == []


def test_an_answer_given_beforehand_for_a_step_that_asks_for_none_is_refused_and_one_for_another_project_is_not():
    yes, replay = oc.Approval(True, by="ada"), oc.Replay(done)
    steps = (oc.Approve("Sign off"), STEP)
    other = oc.Project("blog", process=[oc.Approve("Publish"), oc.RunScript("hello", script="true")])
    with space(shop(*steps), other, transport=replay) as made:
        release = made.create_release("shop")
        for name, words in {"Sing off": r"did you mean 'Sign off'\?", "migrate": "asks for no approval"}.items():
            made.approve = {name: yes}
            with pytest.raises(oc.ModelError, match=words) as caught:
                made.deploy(release, "Dev")
            assert caught.value.hosts is oc.Hosts.UNTOUCHED
        assert (replay.calls, len(made.history())) == ([], 0)
        made.approve = {"Sign off": yes, "Publish": yes}
        assert made.deploy(release, "Dev").ok


def test_what_a_step_does_not_leave_is_told_with_what_it_leaves():
    reading = oc.RunScript("tell", script="echo {{ steps.migrate.output.X }}")
    with (
        space(shop(STEP, reading)) as made,
        pytest.raises(oc.ModelError, match=r"no 'output'; did you mean 'outputs'\?"),
    ):
        made.deploy(made.create_release(), "Dev")
