"""Waves, budgets, retries, conditions and people's decisions, while a plan is applied."""

from __future__ import annotations

import threading
import time
from collections import Counter

import attrs
import pytest
from worlds import DO, FAILED, WEB, World, failing, planned, says

import octossh as oc
from octossh.deploying import policy
from octossh.planning import plan


def failed_on(*hosts, step="web"):
    return {f"{step} h{number}": FAILED for number in hosts}


def ends(deployment, step):
    return [outcome.state.value for outcome in deployment.outcomes if outcome.step == step]


CANARY = attrs.evolve(WEB, rolling=oc.Rolling([1, "25%", "100%"]))


def test_a_failure_within_the_budget_leaves_the_other_hosts_going_and_its_host_without_further_steps():
    world = World(failed_on(2))
    ended = world.apply(planned(WEB, DO, hosts=4, rollout=oc.Rollout(max_failures="25%")))
    assert ended.ok
    assert ends(ended, "web") == ["succeeded", "failed", "succeeded", "succeeded"]
    assert ends(ended, "do") == ["succeeded", "skipped", "succeeded", "succeeded"]
    assert ended.outcome("do", "h2").why == "an earlier step did not succeed on this host"
    assert str(ended).endswith("1 of 4 hosts do not have it: h2; --outdated deploys it to them")


@pytest.mark.parametrize(
    ("on_failure", "touched", "after"),
    [("stop", 4, 0), ("continue", 10, 8), ("rollback", 4, 0)],
)
def test_more_failures_than_the_budget_end_the_run_after_their_wave_or_not(on_failure, touched, after):
    rollout = oc.Rollout(max_failures=1, on_failure=on_failure)
    world = World(failed_on(2, 3))
    error = failing(world, planned(CANARY, DO, hosts=10, rollout=rollout))
    assert Counter(call.split()[0] for call in world.sent) == Counter({"web": touched, "do": after})
    assert error.deployment.error.startswith("h2: step 'web' failed: no space left (and 1 more)")


def test_a_step_that_is_required_or_runs_once_has_no_budget():
    once = oc.RunOnce("migrate", image=WEB.image)
    generous = oc.Rollout(max_failures="100%", on_failure="continue")
    for step in (once, attrs.evolve(WEB, required=True, name="migrate")):
        world = World(failed_on(1, step="migrate"))
        failing(world, planned(step, DO, hosts=2, rollout=generous))
        assert not any(call.startswith("do") for call in world.sent)


def test_the_hosts_that_stay_out_of_a_step_are_never_fewer_than_it_says():
    step = attrs.evolve(WEB, rolling=oc.Rolling("100%", healthy=3))
    world = World(failed_on(1, 2))
    error = failing(world, planned(step, hosts=5, rollout=oc.Rollout(max_failures=5)))
    # Of five, two were worked on, and both failed: a third one would leave two.
    assert sorted(world.sent) == ["web h1", "web h2"]
    assert "so few hosts of step 'web' are well that none may be worked on" in error.deployment.error


def test_more_than_the_cap_are_never_in_work_at_once():
    now, most, lock = 0, 0, threading.Lock()

    def busy():
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return says()

    World({"web": busy}).apply(planned(WEB, hosts=12, rollout=oc.Rollout(parallel=3)))
    assert most == 3
    now = most = 0
    World({"web": busy}).apply(planned(attrs.evolve(WEB, rolling=oc.Rolling(parallel=2)), hosts=6))
    assert most == 2


def test_steps_beside_each_other_run_at_once_on_two_hosts_and_one_after_the_other_on_one():
    together = threading.Barrier(2, timeout=10)

    def meet():
        together.wait()
        return says()

    first = oc.RunScript("first", script="true", primary="h1", rolling=1)
    beside = oc.RunScript("beside", script="true", start="with_previous", primary="h2", rolling=1)
    world = World({"first h1": meet, "beside h2": meet})
    ended = world.apply(planned(first, beside, DO, hosts=2))
    assert ended.ok
    assert [call.split()[0] for call in world.sent][-2:] == ["do", "do"]


def test_a_step_that_fails_is_tried_again_and_the_record_says_so():
    step = attrs.evolve(WEB, retry=oc.Retry(2, delay_s=0, factor=1))
    world = World({"web": [FAILED, FAILED, says()]})
    assert world.apply(planned(step)).ok
    assert world.sent == ["web h1"] * 3
    told = [event.data for event in world.journal.events if event.type == "retrying"]
    assert [(data["attempt"], data["of"], data["why"]) for data in told] == [
        (2, 3, "no space left"),
        (3, 3, "no space left"),
    ]


@pytest.mark.parametrize("answer", [oc.TimedOut("h1: 900 s"), [oc.Frame("begin")]], ids=["no end", "no word"])
def test_what_has_an_unknown_end_is_not_tried_again_by_itself(answer):
    world = World({"web": answer})
    failing(world, planned(attrs.evolve(WEB, retry=3)))
    assert world.sent == ["web h1"]


def test_a_retry_waits_longer_each_time():
    assert [oc.Retry(3, delay_s=2, factor=3).wait_s(number) for number in (1, 2, 3)] == [2, 6, 18]


WHEN = {
    "success": oc.RunScript("end", script="true"),
    "failure": oc.RunScript("end", script="true", when="failure"),
    "always": oc.RunScript("end", script="true", when="always"),
    "failed": oc.RunScript("end", script="true", when="{{ failed }}"),
    "not asked": oc.RunScript("end", script="true", when="{{ steps.do.outputs.A == 'x' }}"),
}


@pytest.mark.parametrize(
    ("when", "well", "ill"),
    [
        ("success", "succeeded", "skipped"),
        ("failure", "skipped", "succeeded"),
        ("always", "succeeded", "succeeded"),
        ("failed", "skipped", "succeeded"),
        ("not asked", "succeeded", "skipped"),
    ],
)
def test_a_condition_says_whether_a_step_runs_after_a_success_or_a_failure(when, well, ill):
    answers = {"do": says(outputs={"A": "x"})}
    ended = World(answers).apply(planned(DO, WEB, WHEN[when]))
    assert (ended.ok, ends(ended, "end")) == (True, [well])
    error = failing(World({**answers, "web": FAILED}), planned(DO, WEB, WHEN[when]))
    assert ends(error.deployment, "end") == [ill]


def test_a_condition_over_an_output_is_asked_on_each_host():
    world = World({"do h1": says(outputs={"A": "x"}), "do h2": says(outputs={"A": "y"})})
    ended = world.apply(planned(DO, WHEN["not asked"], hosts=2))
    assert ends(ended, "end") == ["succeeded", "skipped"]
    skipped = ended.outcome("end", "h2")
    assert (skipped.action, skipped.why) == ("not needed", "not needed: {{ steps.do.outputs.A == 'x' }} is false")


def test_a_condition_that_gives_neither_true_nor_false_fails_its_step():
    world = World({"do": says(outputs={"A": "x"})})
    error = failing(world, planned(DO, attrs.evolve(WHEN["failed"], when="{{ steps.do.outputs.A }}")))
    assert "gives 'x', which is neither true nor false" in error.deployment.error
    assert world.sent == ["do h1"]


def test_a_step_that_reads_one_that_did_not_run_fails_and_says_so():
    reader = oc.RunScript("reader", script="echo {{ steps.do.outputs.A }}")
    world = World()
    made = planned(attrs.evolve(DO, when="{{ failed }}"), reader)
    error = failing(world, made)
    assert world.sent == []
    assert "it reads what step 'do' leaves, which did not run here" in error.deployment.error


def deciding(*actions):
    asked, left = [], iter(actions)

    def decider(request):
        asked.append(request)
        return oc.Decision(next(left), by="ada", notes="I looked")

    return decider, asked


def test_somebody_lets_a_step_be_tried_again():
    decider, asked = deciding("retry")
    world = World({"do": [FAILED, says()]})
    assert world.apply(planned(DO), decider=decider).ok
    assert world.sent == ["do h1", "do h1"]
    (request,) = asked
    assert (request.step, request.target, request.why, request.attempt) == ("do", "h1", "no space left", 1)


def test_somebody_ignores_a_failure_and_the_host_goes_on():
    decider, _ = deciding("ignore")
    world = World(failed_on(1))
    ended = world.apply(planned(WEB, DO, hosts=2), decider=decider)
    assert ended.ok
    assert ends(ended, "do") == ["succeeded", "succeeded"]
    assert ended.outcome("web", "h1").why == "no space left; ignored by ada: I looked"


def test_somebody_excludes_a_host_and_the_others_go_on():
    decider, _ = deciding("exclude")
    ended = World(failed_on(1)).apply(planned(WEB, DO, hosts=2), decider=decider)
    assert ended.ok
    assert ends(ended, "do") == ["skipped", "succeeded"]
    assert ended.outcome("do", "h1").why == "the host was excluded after a failure"


def test_somebody_aborts():
    decider, _ = deciding("abort")
    error = failing(World(failed_on(1)), planned(WEB, DO, hosts=2, rollout=oc.Rollout(max_failures=2)), decider=decider)
    assert error.deployment.error == "h1: step 'web' failed: no space left; aborted by ada: I looked"
    assert ends(error.deployment, "do") == ["skipped", "skipped"]


def test_who_decided_what_and_why_is_recorded():
    decider, _ = deciding("ignore")
    world = World(failed_on(1))
    world.apply(planned(WEB), decider=decider)
    told = {event.type: event.data for event in world.journal.events if event.type in {"asked", "answered"}}
    assert told["asked"] == {
        "about": "failure", "why": "no space left", "choices": ["retry", "ignore", "exclude", "abort"], "attempt": 1,
    }  # fmt: skip
    assert told["answered"] == {"about": "failure", "answer": "ignore", "by": "ada", "notes": "I looked"}


def test_a_required_step_can_be_neither_ignored_nor_left_by_its_host():
    decider, asked = deciding("ignore")
    error = failing(World(failed_on(1)), planned(attrs.evolve(WEB, required=True)), decider=decider)
    assert asked[0].choices == ("retry", "abort")
    assert error.deployment.outcome("web", "h1").state is oc.State.FAILED


def test_a_policy_decides_without_asking():
    ended = World(failed_on(1)).apply(planned(WEB, hosts=2), decider=policy("exclude"))
    assert ended.outcome("web", "h1").why == "no space left; the host is excluded by policy"
    with pytest.raises(oc.ModelError, match="try for ever"):
        policy("retry")


def test_people_are_asked_by_the_thread_that_deploys_one_at_a_time():
    threads = []

    def decider(request):
        threads.append(threading.current_thread())
        return oc.Decision("ignore", by="ada")

    World({"web": FAILED}).apply(planned(WEB, hosts=5), decider=decider)
    assert threads == [threading.main_thread()] * 5


def test_a_wave_waits_for_its_approval_and_is_not_begun_without():
    step = attrs.evolve(WEB, rolling=oc.Rolling([1, "100%"], approve=True))
    asked = []

    def approver(request):
        asked.append((request.step, request.instructions, len(world.sent)))
        return oc.Approval(answer, by="ada", notes="hm")

    world, answer = World(), True
    assert world.apply(planned(step, hosts=3), approver=approver).ok
    assert asked == [("web", "Wave 2 of 2: h2, h3", 1)]
    world, answer = World(), False
    error = failing(world, planned(step, hosts=3), approver=approver)
    assert world.sent == ["web h1"]
    assert error.deployment.error == "wave 2 of step 'web' was not approved: ada does not approve: hm"
    with pytest.raises(oc.Refused, match="there is nobody to ask"):
        World().apply(planned(step, hosts=3))


def test_a_pause_between_waves_is_recorded_and_ends_with_the_deployment():
    step = attrs.evolve(WEB, rolling=oc.Rolling(1, pause_s=3600))
    world = World()
    with pytest.raises(oc.DeployFailed) as caught:
        world.apply(planned(step, hosts=2), cancelled=lambda: oc.Cancellation("bob@desk", why="wrong one"))
    ended = caught.value.deployment
    assert (ended.state, ended.error, caught.value.exit_code) == (
        oc.State.INTERRUPTED, "cancelled by bob@desk: wrong one", 130,
    )  # fmt: skip
    assert {event.type for event in world.journal.events} >= {"wave_started", "paused"}
    assert world.sent == ["web h1"]


def test_a_deployment_that_takes_too_long_starts_nothing_more_and_has_failed():
    step = attrs.evolve(WEB, rolling=oc.Rolling(1, pause_s=3600))
    error = failing(World(), planned(step, hosts=2, rollout=oc.Rollout(timeout_s=0.3)))
    assert error.deployment.state is oc.State.FAILED
    assert error.deployment.error == "it did not end within 0.3 s"


def refusing(*names):
    def on_connect(target):
        if target.name in names:
            raise oc.ConnectError(f"{target.name}: nothing listens there", "refused")

    return on_connect


def test_a_host_that_is_offline_is_skipped_where_that_is_allowed_and_the_record_says_so():
    world = World(on_connect=refusing("h2"))
    ended = world.apply(planned(WEB, DO, hosts=3, rollout=oc.Rollout(offline="skip")))
    assert ended.ok
    assert ends(ended, "web") == ["succeeded", "skipped", "succeeded"]
    assert ended.outcome("web", "h2").why == "offline: h2: nothing listens there"
    (skipped,) = (event for event in world.journal.events if event.type == "host_skipped")
    assert (skipped.target, skipped.data) == ("h2", {"why": "offline: h2: nothing listens there"})


def test_a_step_that_runs_once_moves_to_a_host_that_is_there():
    world = World(on_connect=refusing("h1"))
    ended = world.apply(planned(oc.RunOnce("migrate", image=WEB.image), hosts=2, rollout=oc.Rollout(offline="skip")))
    assert ended.ok
    assert world.sent[0] == "migrate h2"


@pytest.mark.parametrize(
    "error", [oc.HostKeyError("h1: changed"), oc.AuthError("h1: no"), oc.ConnectError("h1: no banner", "not_ssh")]
)
def test_a_host_that_is_not_who_it_should_be_is_never_skipped(error):
    def on_connect(target):
        if target.name == "h1":
            raise error

    world = World(on_connect=on_connect)
    with pytest.raises(type(error)):
        world.apply(planned(WEB, hosts=2, rollout=oc.Rollout(offline="skip")))
    assert world.calls == []


def test_with_too_few_hosts_of_a_role_nothing_is_touched():
    rollout = oc.Rollout(offline="skip", at_least={"web": "50%"})
    made = planned(WEB, hosts=2, rollout=rollout)
    targets = tuple(attrs.evolve(target, roles=["web"]) for target in made.targets)
    made = plan(made.release, "Dev", [*targets, attrs.evolve(targets[0], name="h3")], rollout=rollout)
    world = World(on_connect=refusing("h1", "h2"))
    with pytest.raises(oc.PlanError, match="1 of 3 hosts of role 'web' are there, and at least 50% have to be: h1 is"):
        world.apply(made)
    assert world.calls == []
    with pytest.raises(oc.PlanError, match="no target is left to deploy to"):
        World(on_connect=refusing("h1", "h2", "h3")).apply(made)


def test_a_host_in_maintenance_is_left_out_of_the_plan_with_the_reason():
    made = planned(WEB, hosts=2)
    targets = (attrs.evolve(made.targets[0], maintenance="new disk"), made.targets[1])
    made = plan(made.release, "Dev", targets)
    assert "without h1: in maintenance: new disk" in str(made)
    assert made.to_dict()["skipped"] == {"h1": "in maintenance: new disk"}
    world = World(on_connect=refusing("h1"))
    ended = world.apply(made)
    assert (world.sent, ends(ended, "web")) == (["web h2"], ["skipped", "succeeded"])
