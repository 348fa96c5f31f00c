"""A world and a wish: which actions a plan holds, what changes, and why."""

from __future__ import annotations

import hashlib
import pickle

import attrs
import pytest
from fleet import MOMENT, Fleet

import octossh as oc
from octossh.planning import changes_between, plan, secrets_of

hub = oc.Registry("hub", "https://registry.example.com")
H1 = oc.Target("h01", "10.0.0.1", roles=["web"], environments=["Dev"])
H2 = oc.Target("h02", "10.0.0.2", roles=["web", "db"], environments=["Dev"])
ELSEWHERE = oc.Target("p01", "10.0.1.1", roles=["web"], environments=["Production"])
TARGETS = (H1, H2, ELSEWHERE)
WEB = oc.RunContainer("web", image=hub.image("acme/web"), env={"LEVEL": "{{ Level }}"})
LASTING = oc.RunContainer("web", image=hub.image("acme/web"), restart="always")
DATA = oc.CreateVolume("data", options={"type": "tmpfs"})
AHEAD = oc.PullImage("ahead", image=hub.image("acme/web"))
NET = oc.CreateNetwork("net", subnet="172.28.6.0/24")
JOINED = oc.RunContainer("web", image=hub.image("acme/web"), networks=["{{ steps.net.inspect.Name }}"])


def release(*steps, number="0.0.1", level="info", digest="a", tag="1.0", variables=()):
    process = oc.Process(steps)
    return oc.Release(
        project="shop",
        number=number,
        channel="stable",
        process=process,
        variables=(oc.Variable("Level", level), *variables),
        pins=tuple(oc.Pin(image=image, tag=tag, digest=f"sha256:{digest * 64}") for image in process.images),
        created_at=MOMENT,
    )


def fleet(*steps, **more):
    """Hosts on which *steps* were deployed."""
    made = Fleet((H1, H2))
    if steps:
        made.run(release(*steps, **more))
    return made


def happens(made, **changes):
    """Something happened to everything on h01."""
    made.there["h01"] = [attrs.evolve(seen, **changes) for seen in made.there["h01"]]
    return made


def beside(made, **changes):
    """What is on h01 was set aside, and beside it stands another one."""
    (old,) = made.there["h01"]
    made.there["h01"] = [attrs.evolve(old, name=f"{old.name}--old"), attrs.evolve(old, **changes)]
    return made


def planned(made, *steps, **more):
    return plan(release(*steps, **more), "Dev", TARGETS, seen=made.look())


def on_first(made):
    """Action and reason on h01, the last step."""
    task = [task for task in made.tasks if task.target is H1][-1]
    return task.action.value, task.why, [str(change) for change in task.changes]


WORLDS = [
    ("nothing is there", fleet(), [WEB], {}, "create", "container shop-dev-web is not there", []),
    ("all is as wanted", fleet(WEB), [WEB], {}, "unchanged", "", []),
    ("only the tag has moved", fleet(WEB), [WEB], {"tag": "2.0"}, "unchanged", "", []),
    (
        "another image", fleet(WEB), [WEB], {"digest": "b", "tag": "1.1"}, "replace", "made by release 0.0.1",
        ["image: acme/web:1.0 (aaaaaaaaaaaa) -> acme/web:1.1 (bbbbbbbbbbbb)"],
    ),
    (
        "another variable", fleet(WEB), [WEB], {"level": "debug"}, "replace", "made by release 0.0.1",
        ["env LEVEL: info -> debug"],
    ),
    (
        "another registry, same digest", fleet(WEB),
        [attrs.evolve(WEB, image=oc.Registry("r", "https://two.example").image("acme/web"))], {}, "replace",
        "made by release 0.0.1",
        [f"image: registry.example.com/acme/web@sha256:{'a' * 20}... -> two.example/acme/web@sha256:{'a' * 29}..."],
    ),
    (
        "a long and many-lined value", fleet(WEB), [attrs.evolve(WEB, env={"A": "x\n" * 50})], {}, "replace",
        "made by release 0.0.1", ["env A: (none) -> " + ("x\\n" * 19) + "...", "env LEVEL: info -> (none)"],
    ),
    ("it stopped", happens(fleet(WEB), status="exited"), [WEB], {}, "start", "it is exited", []),
    ("it is unhealthy", happens(fleet(WEB), health="unhealthy"), [WEB], {}, "replace", "it is unhealthy", []),
    (
        "its restart policy was changed",
        happens(fleet(LASTING), inspect={"HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}}}),
        [LASTING], {}, "update", "its restart policy is unless-stopped", [],
    ),
    ("it is starting", happens(fleet(WEB), health="starting"), [WEB], {}, "unchanged", "", []),
    (
        "it was never started", happens(fleet(WEB), status="created"), [WEB], {}, "create",
        "an earlier run ended before it was complete", [],
    ),
    (
        "it was set aside", happens(fleet(WEB), name="shop-dev-web--old"), [WEB], {}, "start",
        "an earlier run was cut short", [],
    ),
    (
        "another was set aside", happens(fleet(WEB, level="old"), name="shop-dev-web--old"), [WEB], {}, "replace",
        "made by release 0.0.1", ["env LEVEL: old -> info"],
    ),
    ("it was set aside for another", beside(fleet(WEB), spec="other"), [WEB], {}, "start", "an earlier run was cut short", []),
    ("another stands beside it", beside(fleet(WEB)), [WEB], {}, "replace", "an earlier run was cut short", []),
    (
        "one of others stands beside it", beside(fleet(WEB), project=""), [WEB], {}, "refuse",
        "the container shop-dev-web is not ours; remove it, or give this step another name", [],
    ),
    ("made by nobody knows which", happens(fleet(WEB), release="", spec="other"), [WEB], {}, "replace", "", []),
    (
        "no label of ours", happens(fleet(WEB), project="", environment="", step="", spec=""), [WEB], {}, "refuse",
        "the container shop-dev-web is not ours; remove it, or give this step another name", [],
    ),
    (
        "of another project", happens(fleet(WEB), project="blog"), [WEB], {}, "refuse",
        "the container shop-dev-web belongs to blog Dev, step web; remove it, or give this step another name", [],
    ),
    (
        "of another environment", happens(fleet(WEB), environment="Test"), [WEB], {}, "refuse",
        "the container shop-dev-web belongs to shop Test, step web; remove it, or give this step another name", [],
    ),
    (
        "of another step", happens(fleet(WEB), step="api"), [WEB], {}, "refuse",
        "the container shop-dev-web belongs to shop Dev, step api; remove it, or give this step another name", [],
    ),
    ("the network is there", fleet(NET), [NET], {}, "unchanged", "", []),
    (
        "the network differs", fleet(NET), [attrs.evolve(NET, internal=True)], {}, "refuse",
        "the network shop-dev-net differs; containers hang on it, so remove it yourself first",
        ["internal: (none) -> true"],
    ),
    ("no volume", fleet(), [DATA], {}, "create", "volume shop-dev-data is not there", []),
    ("the volume is there", fleet(DATA), [DATA], {}, "unchanged", "", []),
    (
        "the volume differs", fleet(DATA), [attrs.evolve(DATA, options={"type": "nfs"})], {}, "refuse",
        "the volume shop-dev-data differs; it holds data, so remove it yourself first",
        ["options type: tmpfs -> nfs"],
    ),
    (
        "the volume differs, and may", fleet(DATA), [attrs.evolve(DATA, options={}, replace=True)], {}, "replace",
        "made by release 0.0.1", ["options type: tmpfs -> (none)"],
    ),
    (
        "a volume of others", happens(fleet(DATA), project=""), [attrs.evolve(DATA, replace=True)], {}, "refuse",
        "the volume shop-dev-data is not ours; remove it, or give this step another name", [],
    ),
    (
        "no image", fleet(), [AHEAD], {}, "pull",
        f"image registry.example.com/acme/web@sha256:{'a' * 64} is not there", [],
    ),
    ("the image is there", fleet(AHEAD), [AHEAD], {"tag": "2.0"}, "unchanged", "", []),
    (
        "the image of another release is there", fleet(AHEAD), [AHEAD], {"digest": "b"}, "pull",
        f"image registry.example.com/acme/web@sha256:{'b' * 64} is not there", [],
    ),
    ("pulled once", fleet(), [AHEAD, attrs.evolve(AHEAD, name="again")], {}, "unchanged", "", []),
    ("a script", fleet(), [oc.RunScript("do", script="true")], {}, "run", "", []),
    ("a script that looks", fleet(), [oc.RunScript("do", script="true", reads_only=True)], {}, "run", "reads only", []),
    ("nothing to stop", fleet(), [oc.StopResource("stop")], {}, "unchanged", "nothing matches", []),
    ("all to remove", fleet(NET, WEB), [oc.StopResource("stop")], {}, "stop", "remove shop-dev-web", []),
    (
        "networks as well", fleet(NET, WEB), [oc.StopResource("stop", networks=True)], {}, "stop",
        "remove shop-dev-net, shop-dev-web", [],
    ),
    ("no volumes unasked", fleet(DATA), [oc.StopResource("stop", networks=True)], {}, "unchanged", "nothing matches", []),
    (
        "volumes as well", fleet(DATA, WEB), [oc.StopResource("stop", volumes=True)], {}, "stop",
        "remove shop-dev-data, shop-dev-web", [],
    ),
    (
        "older, and kept by a step of this release", fleet(WEB, DATA, NET),
        [DATA, WEB, NET, oc.StopResource("stop", releases="older", networks=True, volumes=True)], {}, "unchanged",
        "nothing matches", [],
    ),
    (
        "older, and of a step that is gone", fleet(WEB), [NET, oc.StopResource("stop", releases="older")], {}, "stop",
        "remove shop-dev-web", [],
    ),
    (
        "older, under another name", fleet(attrs.evolve(WEB, container_name="web-1")),
        [WEB, oc.StopResource("stop", releases="older")], {}, "stop", "remove web-1", [],
    ),
    (
        "older, and who knows under which name it will be kept", fleet(attrs.evolve(WEB, container_name="web-1")),
        [
            oc.RunScript("do", script="true"), attrs.evolve(WEB, container_name="{{ steps.do.outputs.NAME }}"),
            oc.StopResource("stop", releases="older"),
        ], {}, "unchanged", "nothing matches", [],
    ),
    (
        "older, and the only one while it is replaced", happens(fleet(WEB), name="shop-dev-web--old"),
        [oc.StopResource("stop", releases="older"), WEB], {}, "start", "an earlier run was cut short", [],
    ),
    ("of this very release", fleet(WEB, number="0.0.2"), [oc.StopResource("stop", releases="older")], {}, "unchanged", "nothing matches", []),
    ("another step's", fleet(WEB), [oc.StopResource("stop", steps=["gone"])], {}, "unchanged", "nothing matches", []),
    ("only stopped", fleet(WEB), [oc.StopResource("stop", remove=False)], {}, "stop", "stop shop-dev-web", []),
    (
        "stopped already", happens(fleet(WEB), status="exited"), [oc.StopResource("stop", remove=False)], {},
        "unchanged", "nothing matches", [],
    ),
    (
        "on and off", happens(fleet(WEB), status="restarting"), [oc.StopResource("stop", remove=False)], {}, "stop",
        "stop shop-dev-web", [],
    ),
    (
        "a service of a swarm", happens(fleet(WEB), kind="service", name="shop-dev_api"), [oc.StopResource("stop")], {},
        "stop", "remove shop-dev_api", [],
    ),
    (
        "a service is not only stopped", happens(fleet(WEB), kind="service"), [oc.StopResource("stop", remove=False)], {},
        "unchanged", "nothing matches", [],
    ),
    ("stopped, then wanted", fleet(WEB), [oc.StopResource("stop", remove=False), WEB], {}, "start", "it is exited", []),
    (
        "removed, then wanted", fleet(WEB), [oc.StopResource("stop"), WEB], {}, "create",
        "container shop-dev-web is not there", [],
    ),
    ("made, then removed", fleet(), [WEB, oc.StopResource("stop")], {}, "stop", "remove shop-dev-web", []),
    ("known later, then removed", fleet(), [NET, JOINED, oc.StopResource("stop")], {}, "stop", "remove shop-dev-web", []),
    (
        "a network known later, then removed", fleet(),
        [
            oc.RunScript("do", script="true"),
            oc.CreateNetwork("net", subnet="{{ steps.do.outputs.SUBNET }}"),
            oc.StopResource("stop", networks=True),
        ], {}, "stop", "remove shop-dev-net", [],
    ),
    ("made, then stopped", fleet(), [WEB, oc.StopResource("stop", remove=False)], {}, "stop", "stop shop-dev-web", []),
    (
        "replaced, then removed", fleet(WEB), [attrs.evolve(WEB, env={}), oc.StopResource("stop")], {}, "stop",
        "remove shop-dev-web", [],
    ),
    (
        "named later, then removed", fleet(),
        [NET, attrs.evolve(JOINED, container_name="{{ steps.net.inspect.Name }}-web"), oc.StopResource("stop")], {},
        "stop", "remove web", [],
    ),
    (
        "of others, not to remove", happens(fleet(WEB), project="blog"), [oc.StopResource("stop")], {}, "unchanged",
        "nothing matches", [],
    ),
    ("deferred", fleet(), [NET, JOINED], {}, "decide", "(known after 'net')", []),
    ("known already", fleet(NET), [NET, JOINED], {}, "create", "container shop-dev-web is not there", []),
    ("known and kept", fleet(NET, JOINED), [NET, JOINED], {}, "unchanged", "", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("world", "steps", "more", "action", "why", "changes"), [w[1:] for w in WORLDS], ids=[w[0] for w in WORLDS]
)
def test_a_world_and_a_wish_give_an_action_with_its_reason(world, steps, more, action, why, changes):
    number = {"number": "0.0.2", **more}
    assert on_first(planned(world, *steps, **number)) == (action, why, changes)


def test_without_a_look_the_hosts_decide():
    made = plan(release(NET, JOINED, oc.RunScript("do", script="true"), oc.StopResource("stop")), "Dev", TARGETS)
    assert not made.observed
    assert [task.action.value for task in made.tasks if task.target is H1] == ["decide", "decide", "run", "decide"]


def test_only_targets_of_the_environment_and_of_a_role_are_in_a_plan():
    made = plan(release(attrs.evolve(WEB, roles=("db",)), NET), "Dev", TARGETS)
    assert made.targets == (H1, H2)
    assert [(task.step.name, task.target.name) for task in made.tasks] == [
        ("web", "h02"),
        ("net", "h01"),
        ("net", "h02"),
    ]


def test_a_step_reads_what_another_host_has():
    db = oc.RunContainer("db", image=hub.image("db"), roles=["db"])
    web = oc.RunContainer("web", image=hub.image("acme/web"), env={"DB": "{{ steps.db.on['h02'].inspect.Id }}"})
    first = planned(fleet(), db, web)
    assert on_first(first)[:2] == ("decide", "(known after 'db')")
    again = planned(fleet(db, web), db, web)
    assert not again.has_changes
    assert again.tasks[-1].step.env["DB"] == "id-of-shop-dev-db"


REFUSED = [
    ("no target there", "Test", [WEB], oc.PlanError, ["'Test'", "did you mean", "'Dev'"][:1]),
    ("misspelt environment", "Prodution", [WEB], oc.PlanError, ["'Prodution'", "did you mean 'Production'?"]),
    ("no such role", "Dev", [attrs.evolve(WEB, roles=("wed",))], oc.PlanError, ["'web'", "'wed'", "did you mean 'web'?"]),
    (
        "another host's, unsaid", "Dev",
        [attrs.evolve(NET, roles=("db",)), JOINED], oc.ModelError,
        ["step 'net' does not run on target 'h01'", "steps['net'].on['h02']"],
    ),
    (
        "a later step, by a name that is worked out", "Dev",
        [oc.RunScript("do", script="echo {{ steps['w' ~ 'eb'].inspect.Id }}"), WEB], oc.ModelError,
        ["step 'do'", "'web'", "does not run before it", "move that one up"],
    ),
    (
        "no value in this environment", "Dev", [attrs.evolve(WEB, env={"A": "{{ Only }}"})], oc.ModelError,
        ["'Only'", "no value in 'Dev'", "add one"],
    ),
    (
        "two values", "Dev", [attrs.evolve(WEB, env={"A": "{{ Two }}"})], oc.ModelError,
        ["'Two' is ambiguous", "'h01'", "narrower scope"],
    ),
    (
        "a secret inside text", "Dev", [attrs.evolve(WEB, env={"A": "x{{ Key }}"})], oc.ModelError,
        ["'Key' is a secret", "as a whole"],
    ),
    (
        "a secret as an argument", "Dev", [attrs.evolve(WEB, command=("{{ Key }}",))], oc.ModelError,
        ["field command", "'Key' is a secret"],
    ),
    ("a secret that nobody gave", "Dev", [attrs.evolve(WEB, env={"A": "{{ Key }}"})], oc.PlanError, ["'KEY'", "no value", "set"]),
    (
        "what an expression gives does not fit", "Dev", [attrs.evolve(WEB, publish=("{{ Level }}:80",))], oc.ModelError,
        ["web", "publish", "'info:80'", "not a port mapping"],
    ),
    ("no such path", "Dev", [attrs.evolve(WEB, env={"A": "{{ target.nme }}"})], oc.ModelError, ["'web'", "'nme'"]),
]  # fmt: skip
VARIABLES = (
    oc.Variable("Only", "x", environment="Production"),
    oc.Variable("Two", "a", role="web"),
    oc.Variable("Two", "b", role="web"),
    oc.Variable("Key", oc.secret("KEY")),
)


@pytest.mark.parametrize(
    ("environment", "steps", "kind", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_cannot_be_planned_is_told_in_one_paragraph(environment, steps, kind, words):
    with pytest.raises(kind) as caught:
        plan(release(*steps, variables=VARIABLES), environment, TARGETS)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert caught.value.hosts is oc.Hosts.UNTOUCHED


def test_a_host_that_was_not_looked_at_has_no_plan():
    with pytest.raises(oc.PlanError, match="'h02' was not looked at"):
        plan(release(WEB), "Dev", TARGETS, seen={"h01": Fleet((H1,)).look()["h01"]})


def test_leftovers_of_steps_that_are_gone_are_noted_until_something_removes_them():
    left = fleet(NET, WEB)
    note = "h01: container shop-dev-web belongs to step 'web', which this release has not; StopResource(..., steps=['web']) removes it"
    assert planned(left, NET).notes == (note, note.replace("h01", "h02"))
    assert planned(left, NET, oc.StopResource("clear", steps=["web"])).notes == ()
    assert planned(happens(happens(left, project="blog"), name="x"), NET).notes == (note.replace("h01", "h02"),)


def test_a_secret_changes_a_plan_when_its_value_does_and_shows_neither():
    step = attrs.evolve(WEB, env={"KEY": oc.secret("KEY")})
    wanted = release(step)
    values = [{"KEY": oc.Secret(text)} for text in ("first-value", "second-value")]
    specs = [plan(wanted, "Dev", TARGETS, secrets=secrets).tasks[0].wanted for secrets in values]
    assert specs[0].spec != specs[1].spec
    changes = changes_between(specs[0].fields, specs[1].fields)
    assert [str(change) for change in changes] == ["env KEY: (secret KEY) -> (another value)"]
    assert "-value" not in repr(specs) + repr(changes) + repr([spec.fields for spec in specs])
    there = fleet()
    there.run(wanted, values[0])
    (web, _) = plan(wanted, "Dev", TARGETS, seen=there.look(), secrets=values[1]).tasks
    assert [str(change) for change in web.changes] == ["env KEY: (secret KEY) -> (another value)"]
    plain = changes_between({"env": {"KEY": "plain"}}, {"env": {"KEY": {"secret": "KEY", "version": "1"}}})
    assert str(plain[0]) == "env KEY: plain -> (secret KEY)"


def test_only_secrets_that_can_matter_in_the_environment_are_asked_for():
    made = release(
        NET,
        attrs.evolve(WEB, env={"A": oc.secret("STEP"), "B": "{{ Key }}"}),
        variables=[
            oc.Variable("Key", oc.secret("DEV"), environment="Dev"),
            oc.Variable("Key", oc.secret("PROD"), environment="P"),
        ],
    )
    assert secrets_of(made, "Dev") == {"STEP", "DEV"}
    assert secrets_of(made) == {"STEP", "DEV", "PROD"}


def test_the_default_of_a_field_is_not_part_of_what_is_wanted():
    (first, *_) = plan(release(oc.RunContainer("web", image=hub.image("acme/web"))), "Dev", TARGETS).tasks
    assert set(first.wanted.fields) == {"v", "image", "tag"}


def test_waves_follow_the_rolling_of_the_step():
    made = plan(release(attrs.evolve(WEB, rolling=oc.Rolling([1, "100%"]))), "Dev", TARGETS)
    (stage,) = made.stages
    assert [[task.target.name for task in wave] for wave in stage.waves] == [["h01"], ["h02"]]


def test_plans_are_equal_by_value_and_come_back_from_a_pickle():
    made = planned(fleet(NET), NET, JOINED)
    assert made == planned(fleet(NET), NET, JOINED)
    assert made != planned(fleet(), NET, JOINED)
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert str(again) == str(made)
    assert again.to_dict() == made.to_dict()


CONF = oc.PutFile("conf", "/etc/shop.conf", content="level = {{ Level }}\n", owner="www-data")


def put_there(status="there", content="level = info\n", **more):
    """A host on which the file stands."""
    made = Fleet((H1, H2))
    digest = "sha256:" + hashlib.sha256(content.encode()).hexdigest()
    seen = {"Name": "/etc/shop.conf", "Mode": "0644", "Uid": 33, "Gid": 0, "User": "www-data", "Group": "root"}
    inspect = {**seen, "Sha256": digest, **more}
    for name in ("h01", "h02"):
        made.there[name].append(
            oc.Resource(kind="file", name="/etc/shop.conf", id="/etc/shop.conf", status=status, inspect=inspect)
        )
    return made


@pytest.mark.parametrize(
    ("made", "action", "said"),
    [
        (Fleet((H1, H2)), "create", "file /etc/shop.conf is not there"),
        (put_there(), "unchanged", ""),
        (put_there("unproven"), "replace", "an earlier run was cut short"),
        (put_there(Mode="0600"), "replace", "mode: 0600 -> 0644"),
        (put_there(User="root"), "replace", "owner: root -> www-data"),
        (put_there(content="old\n"), "replace", "content: sha256:"),
        (put_there("link"), "refuse", "is a symbolic link; move it away"),
        (put_there("folder"), "refuse", "is a folder; move it away"),
    ],
)
def test_a_plan_says_in_what_a_file_differs(made, action, said):
    task = planned(made, CONF).tasks[0]
    assert task.action.value == action
    assert said in " ".join([task.why, *map(str, task.changes)])


def test_a_plan_tells_nothing_of_a_secret_file_but_that_it_differs():
    secret = attrs.evolve(CONF, content=oc.secret("KEY"))
    values = {"KEY": oc.Secret("correct horse")}
    for same, said in ((True, "no changes"), (False, "content: (another) -> (secret KEY)")):
        made = put_there(Same=same)
        for seen in made.there.values():
            seen[0].inspect.pop("Sha256", None)
        text = str(plan(release(secret), "Dev", TARGETS, seen=made.look(), secrets=values))
        assert said in text
        assert values["KEY"].fingerprint("KEY") not in text
        assert "horse" not in text


def test_later_steps_know_at_once_of_a_file_that_stays():
    tell = oc.RunScript("tell", script="[ -z {{ steps.conf.outputs.changed }} ]; echo {{ steps.conf.inspect.Version }}")
    (_, _, task, _) = planned(put_there(), CONF, tell).tasks
    assert task.after == ""
    assert task.step.script.startswith("[ -z '' ]; echo sha256:")
    assert planned(put_there(Mode="0600"), CONF, tell).tasks[2].after == "conf"


def test_two_steps_never_keep_one_file():
    with pytest.raises(oc.ModelError, match=r"'conf' and 'more' both keep the file /etc/shop\.conf on 'h01'"):
        planned(put_there(), CONF, attrs.evolve(CONF, name="more"))


COMPOSE = "services:\n  web:\n    image: registry.example.com/acme/web:1.0\n"
BEHIND_SUDO = attrs.evolve(H1, docker=["sudo", "-n", "docker"])


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (oc.RunContainer("web", image=hub.image("acme/web"), env={"KEY": "one\ntwo"}), "KEY travels in a file of lines"),
        (oc.RunContainer("web", image=hub.image("acme/web"), env={"KEY": oc.secret("KEY")}), "KEY travels in a file of lines"),
        (oc.RunScript("say", script="env", image=hub.image("acme/web"), env={"A": "b"}), "in which env would reach the container"),
        (oc.ComposeUp("all", file=COMPOSE, images=[hub.image("acme/web")]), "compose reads its variables there"),
    ],
)  # fmt: skip
def test_what_docker_behind_sudo_would_not_get_is_refused_in_the_plan(step, words):
    made = plan(release(step), "Dev", [BEHIND_SUDO], secrets={"KEY": oc.Secret("one\ntwo")})
    assert [(task.action.value, words in task.why) for task in made.tasks] == [("refuse", True)]
    assert not plan(release(step), "Dev", [attrs.evolve(H1)], secrets={"KEY": oc.Secret("one\ntwo")}).refusals


def test_behind_sudo_the_same_container_is_wanted():
    step = oc.RunContainer("web", image=hub.image("acme/web"), env={"KEY": "one"})
    specs = {plan(release(step), "Dev", [target]).tasks[0].wanted.spec for target in (BEHIND_SUDO, H1)}
    assert len(specs) == 1
