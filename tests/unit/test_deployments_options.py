"""What is said for one deployment: steps to skip, targets to take or leave out, and values of variables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import octossh as oc
from octossh.planning import still_left_out, with_said

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = {"h01": ["web"], "h02": ["web"], "h03": ["db"]}
TARGETS = [oc.Target(name, name, roles=roles, environments=["Dev", "Test"]) for name, roles in ROLES.items()]
MIGRATE = oc.RunScript("migrate", script="octossh_output Schema 7", roles=["db"])
WEB = oc.RunScript("web", script="echo {{ Count }} {{ mode }}", roles=["web"])
COUNT = oc.Variable("Count", 2)


def done(target, script):
    return [oc.Frame("end", "succeeded ran yes ")]


class Seeing(oc.Replay):
    """A transport that keeps the values of secrets in mind."""

    def run(self, target, script, *, secrets, **more):
        self.values = {secret.reveal() for secret in secrets.values()}
        return super().run(target, script, secrets=secrets, **more)


def space(*steps, variables=(COUNT,), lifecycle=None, **more):
    project = oc.Project("shop", process=steps or [MIGRATE, WEB], variables=variables, lifecycle=lifecycle)
    more.setdefault("transport", oc.Replay(done))
    more.setdefault("anchors", False)
    return oc.Space("sqlite://", projects=[project], targets=TARGETS, **more)


def sent(made):
    return [(call.target.name, call.script.name.split()[1]) for call in made._transport.calls]


def body(made, name="h01"):
    return next(call.script.body for call in reversed(made._transport.calls) if call.target.name == name)


def test_a_step_that_is_skipped_runs_nowhere_and_the_record_says_so():
    with space() as made:
        ended = made.deploy(made.create_release(), "Dev", skip=["migrate"])
        assert sorted(sent(made)) == [("h01", "web"), ("h02", "web")]
        assert made.history()[0].options == oc.Options(skip=["migrate"])
    assert "without step migrate" in str(ended)
    assert ended.ok


def test_only_the_targets_that_are_named_are_looked_at_and_deployed_to():
    with space() as made:
        release = made.create_release()
        plan = made.plan(release, "Dev", only=["h01"])
        assert {call.target.name for call in made._transport.calls} == {"h01"}
        assert plan.left_out == ("h02", "h03")
        assert "only on h01" in str(plan)
        made._transport.calls.clear()
        made.deploy(plan)
        assert sent(made) == [("h01", "web")]
        assert made.history()[0].left_out == ("h02", "h03")
        made._transport.calls.clear()
        made.deploy(release, "Dev", exclude=["h02"])
        assert sorted(sent(made)) == [("h01", "web"), ("h03", "migrate")]


READS = oc.RunScript("web", script="echo {{ steps.migrate.outputs.Schema }}", roles=["db"])
AFAR = oc.RunScript("web", script="echo {{ steps.migrate.on['h03'].outputs.Schema }}", roles=["web"])
BY_NAME = oc.RunScript("web", script="{% set s = 'migrate' %}echo {{ steps[s].outputs.Schema }}", roles=["db"])
ASK = oc.Approve("Go live")
REFUSED = {
    "a step that another one reads": ([MIGRATE, READS], {"skip": ["migrate"]}, oc.ModelError, ["'web' reads", "'migrate'", "skip 'web' too"]),
    "one that is read by a name that is worked out": ([MIGRATE, BY_NAME], {"skip": ["migrate"]}, oc.ModelError, ["'web' reads", "'migrate'"]),
    "an approval": ([ASK, MIGRATE], {"skip": ["Go live"]}, oc.Refused, ["'Go live'", "nobody can skip"]),
    "no such step": ([MIGRATE], {"skip": ["mirgate"]}, oc.ModelError, ["'mirgate'", "did you mean 'migrate'?"]),
    "all steps": ([MIGRATE], {"skip": ["migrate"]}, oc.PlanError, ["no step left"]),
    "no such target": ([MIGRATE], {"only": ["h3"]}, oc.ModelError, ["'h3'", "'Dev'", "did you mean 'h03'?"]),
    "no such target to leave out": ([MIGRATE], {"exclude": ["h3"]}, oc.ModelError, ["'h3'", "did you mean 'h03'?"]),
    "all targets": ([MIGRATE], {"exclude": list(ROLES)}, oc.PlanError, ["no target of 'Dev' is left"]),
    "a target both ways": ([MIGRATE], {"only": ["h03"], "exclude": ["h03"]}, oc.ModelError, ["'h03'", "say one of the two"]),
    "a target that another one reads": ([MIGRATE, AFAR], {"exclude": ["h03"]}, oc.ModelError, ["'migrate'", "'h03'", "leaves out"]),
    "text in place of a list": ([MIGRATE], {"skip": "migrate"}, oc.ModelError, ["write ['migrate']"]),
    "no such variable": ([MIGRATE], {"variables": {"Cuont": 1}}, oc.ModelError, ["'Cuont'", "did you mean 'Count'?"]),
    "a list as a value": ([MIGRATE], {"variables": {"Count": [1]}}, oc.ModelError, ["'Count'", "[1]"]),
    "no number": ([MIGRATE], {"variables": {"Count": "many"}}, oc.ModelError, ["'Count'", "'many'", "a whole number"]),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_told_before_a_host_is_asked(what):
    steps, options, kind, words = REFUSED[what]
    with space(*steps, approve=lambda request: oc.Approval(True, by="ann")) as made:
        release = made.create_release()
        for act in (made.plan, made.deploy):
            with pytest.raises(kind) as caught:
                act(release, "Dev", **options)
            assert [word for word in words if word not in str(caught.value)] == [], caught.value
            assert "\n" not in str(caught.value)
        assert made._transport.calls == []
        assert len(made.history()) == 0


def test_a_plan_has_its_own_options():
    with space() as made:
        plan = made.plan(made.create_release(), "Dev")
        with pytest.raises(oc.PlanError, match="the plan was made without skip"):
            made.deploy(plan, skip=["web"])


# ------------------------------------------------------------------ variables


def test_a_value_for_one_deployment_stands_above_all_scopes_and_is_gone_with_the_next():
    with space(variables=[COUNT, oc.Variable("Count", 3, step="web")]) as made:
        release = made.create_release()
        made.deploy(release, "Dev", variables={"Count": 5})
        assert "echo 5 deploy" in body(made)
        made.deploy(release, "Dev")
        assert "echo 3 redeploy" in body(made)
        assert made.history()[1].options.variables == {"Count": 5}


def test_steps_see_what_the_deployment_is():
    with space(lifecycle=oc.Lifecycle("Dev", "Test")) as made:
        first, second = made.create_release(), made.create_release()
        for release in (first, second):
            made.deploy(release, "Dev")
        made.promote(to="Test")
        assert "echo 2 promote" in body(made)
        made.rollback(environment="Dev")
        assert "echo 2 rollback" in body(made)


ASKED = [oc.Variable("Count", 2, prompt="How many?"), oc.Variable("Who", prompt="Who?", required=True)]
GREET = oc.RunScript("greet", script="echo {{ Count * 2 }} {{ Who }}", roles=["web"])


def test_a_required_variable_that_nobody_can_be_asked_for_is_an_error_that_names_it():
    with space(GREET, variables=ASKED) as made:
        release = made.create_release()
        with pytest.raises(
            oc.ModelError, match=r"asks for 'Who' \(Who\?\), and there is nobody to ask; .*--variable Who=VALUE"
        ):
            made.deploy(release, "Dev")
        assert made._transport.calls == []
        made.deploy(release, "Dev", variables={"Who": "ann"})
        assert "echo 4 ann" in body(made)


def test_who_can_be_asked_is_asked_for_what_was_not_said_and_the_answers_are_recorded():
    asked = []

    def ask(variable):
        asked.append((variable.name, variable.prompt))
        return {"Count": 4, "Who": "bob"}[variable.name]

    with space(GREET, variables=ASKED, ask=ask) as made:
        release = made.create_release()
        made.deploy(release, "Dev", variables={"Count": "3"})
        assert asked == [("Who", "Who?")]
        assert "echo 6 bob" in body(made)
        made.deploy(made.plan(release, "Dev"))
        assert asked[1:] == [("Count", "How many?"), ("Who", "Who?")]
        assert made.history()[0].options.variables == {"Count": 4, "Who": "bob"}


def test_a_variable_of_another_environment_is_not_asked_for():
    variables = [
        oc.Variable("Who", "dev", environment="Dev"),
        oc.Variable("Who", prompt="Who?", required=True, environment="Test"),
    ]
    step = oc.RunScript("greet", script="echo {{ Who }}", roles=["web"])
    with space(step, variables=variables) as made:
        made.deploy(made.create_release(), "Dev")
        assert "echo dev" in body(made)
        with pytest.raises(oc.ModelError, match="asks for 'Who'"):
            made.deploy(made.release(), "Test")


def test_without_an_answer_what_is_not_required_is_empty_text():
    step = oc.RunScript("greet", script="echo {{ Who | length }}")
    with space(step, variables=[oc.Variable("Who", prompt="Who?")]) as made:
        made.deploy(made.create_release(), "Dev")
        assert "echo 0" in body(made)


SECRET = [oc.Variable("Key", prompt="The key?", sensitive=True)]
LOGIN = oc.RunScript("login", script="true", env={"KEY": "{{ Key }}"}, roles=["web"])


@pytest.mark.parametrize("how", ["said", "asked", "of its own name", "of another name", "in a plan"])
def test_a_sensitive_answer_reaches_the_script_and_no_record(how):
    events = []
    more = {"secrets": {"Key": "geheim-wert"}} if how == "of its own name" else {"secrets": {"OTHER": "geheim-wert"}}
    if how == "asked":
        more["ask"] = lambda variable: oc.Secret("geheim-wert")
    said = {
        "said": oc.Secret("geheim-wert"),
        "in a plan": oc.Secret("geheim-wert"),
        "of another name": oc.secret("OTHER"),
    }.get(how)
    options = {"variables": {"Key": said}} if said is not None else {}
    with space(LOGIN, variables=SECRET, on_event=events.append, transport=Seeing(done), **more) as made:
        release = made.create_release()
        plan = made.plan(release, "Dev", **options)
        assert "geheim" not in repr([plan, str(plan), plan.to_dict(), made.render(plan)])
        ended = made.deploy(plan) if how == "in a plan" else made.deploy(release, "Dev", **options)
        assert made._transport.values == {"geheim-wert"}
        shown = [ended, str(ended), made.history().to_dict(), [e.to_dict() for e in events], made.store.events()]
        assert "geheim" not in repr(shown)


@pytest.mark.parametrize("value", ["geheim-wert", 5])
def test_a_secret_in_clear_is_refused_and_not_repeated(value):
    with space(LOGIN, variables=SECRET, secrets={"Key": "x"}) as made:
        with pytest.raises(oc.ModelError, match=r"'Key' is a secret; give octossh.Secret\('...'\)") as caught:
            made.deploy(made.create_release(), "Dev", variables={"Key": value})
        assert "geheim" not in str(caught.value)


def test_a_sensitive_variable_without_any_value_is_told_before_a_host_is_asked():
    with space(LOGIN, variables=SECRET, secrets={}) as made:
        with pytest.raises(oc.ModelError, match="secret 'Key' has no value"):
            made.deploy(made.create_release(), "Dev")
        assert made._transport.calls == []


# ------------------------------------------------------------------ what counts


@pytest.mark.parametrize("way", ["only", "exclude", "skip"])
def test_names_that_can_be_read_once_only_count_as_any_others(way):
    names = {"only": ["h01"], "exclude": ["h02", "h03"], "skip": ["migrate"]}[way]
    with space() as made:
        release = made.create_release()
        made.deploy(release, "Dev", **{way: (name for name in names)}, check=False)
        assert made.history()[0].options == oc.Options(**{way: names})


def test_a_release_that_reached_some_targets_only_does_not_stand_and_goes_no_further():
    with space(lifecycle=oc.Lifecycle("Dev", "Test")) as made:
        first = made.create_release()
        made.deploy(first, "Dev")
        second = made.create_release()
        ended = made.deploy(second, "Dev", only=["h01"])
        assert (ended.state, ended.left_out, ended.ok) == (oc.State.PARTIAL, ("h02", "h03"), True)
        assert next((one.release, one.last_release) for one in made.status()) == (first.number, second.number)
        assert [one.release for one in made.status()] == [first.number, ""]
        with pytest.raises(oc.Refused, match="has not succeeded in 'Dev'"):
            made.deploy(second, "Test")
        made.deploy(second, "Dev", exclude=["h01"])
        assert [one.release for one in made.status()] == [second.number, ""]
        made.deploy(second, "Test")


def test_a_rollback_after_a_partial_deployment_goes_to_what_stands():
    with space() as made:
        first, second = made.create_release(), made.create_release()
        made.deploy(first, "Dev")
        made.deploy(second, "Dev", only=["h01"])
        assert made.rollback(environment="Dev").release == first.number


def history(text):
    """``1+ 2:ab+`` is a release 1 everywhere, then a release 2 that has not reached a and b. Newest first."""
    made = []
    for number, word in enumerate(text.split()):
        release, _, left = word[:-1].partition(":")
        state = {"+": oc.State.PARTIAL if left else oc.State.SUCCEEDED, "-": oc.State.FAILED}[word[-1]]
        made.append(
            oc.Deployment(
                id=str(number), project="shop", release=release, environment="Dev", mode=oc.Mode.DEPLOY,
                state=state, started_at=NOW, left_out=tuple(left),
            )
        )  # fmt: skip
    return made[::-1]


LEFT = [
    ("", "a", "a"),
    ("1+", "ab", ""),
    ("1:a+", "b", ""),
    ("1:ab+", "ac", "a"),
    ("1:a+ 2+", "b", "b"),
    ("1:a+ 2-", "b", "b"),
    ("1:a+ 1:a-", "b", ""),
    ("1:ab+ 1:a+", "a", "a"),
    ("2:a+", "b", "b"),
]


@pytest.mark.parametrize(("before", "out", "left"), LEFT)
def test_deployments_of_one_release_that_follow_each_other_count_together(before, out, left):
    assert "".join(still_left_out(history(before), "1", "Dev", out)) == left
    assert "".join(still_left_out(history(before), "1", "Test", out)) == out


def test_what_is_said_twice_means_the_same():
    variables = [
        oc.Variable("Count", 2),
        oc.Variable("Who", prompt="Who?"),
        oc.Variable("Key", prompt="Which?", sensitive=True),
        oc.Variable("Place", "here", environment="Dev"),
    ]
    release = oc.Release(
        project="shop", number="1", channel="stable", process=oc.Process([WEB]), pins=(), variables=tuple(variables),
        created_at=NOW,
    )  # fmt: skip
    options = oc.Options(variables={"Count": "7", "Who": "ann", "Key": oc.secret("KEY"), "Place": "there"})
    said = with_said(release, "Dev", options)
    assert with_said(said, "Dev", options) == said
    assert {variable.name: variable.value for variable in said.variables}["Count"] == 7
