"""Hypothesis strategies: one for each noun of the model, and `NOUNS` with all of them by class."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from step_strategies import (
    APPROVES,
    COMMANDS,
    COMPOSE_UPS,
    CONFIG_FILES,
    CREATE_NETWORKS,
    CREATE_VOLUMES,
    HEALTH_CHECKS,
    HTTPS,
    JOINS,
    LABELS,
    LOG_LINES,
    MOUNTS,
    PRUNES,
    PULL_IMAGES,
    PUT_FILES,
    REPLACES,
    RETRIES,
    ROLLINGS,
    ROLLOUTS,
    RUN_CONTAINERS,
    RUN_ONCES,
    RUN_SCRIPTS,
    SECRET_FILES,
    START_FIRSTS,
    STEPS,
    STOP_RESOURCES,
    SUBNETS,
    SWARM_SERVICES,
    SWARM_STACKS,
    SWARM_UPDATES,
    TCPS,
    WAIT_FORS,
)
from value_strategies import (
    AUTHS,
    DATA,
    DIGESTS,
    FOUND,
    IMAGES,
    NAMES,
    NUMBERS,
    PINS,
    REGISTRIES,
    REPOSITORIES,
    SECRETS,
    TEXT,
    TIMES,
    WORDS,
    few,
    not_text,
)

import octossh as oc
from octossh.model import (
    DECISIONS,
    Finding,
    Grade,
    Held,
    Pairs,
    Pause,
    Repositories,
    ScheduleList,
    Sealed,
    Standing,
    Templates,
)


def _apart(step: oc.Step) -> str:
    from octossh.model import slug

    return slug(step.name)


PROCESSES = st.lists(STEPS, min_size=1, max_size=3, unique_by=_apart).map(oc.Process)
SCOPES = st.none() | NAMES
VARIABLES = st.builds(
    oc.Variable,
    WORDS,
    TEXT | NUMBERS | st.booleans() | SECRETS,
    environment=SCOPES,
    role=SCOPES,
    target=SCOPES,
    step=SCOPES,
    channel=SCOPES,
) | st.builds(
    oc.Variable,
    WORDS,
    st.none() | SECRETS,
    environment=SCOPES,
    prompt=st.just("How many?"),
    required=st.booleans(),
    sensitive=st.booleans(),
)
CHANNELS = st.builds(
    oc.Channel,
    NAMES,
    range=st.none() | st.sampled_from(["[1.0,2.0)", "(,2]", "1.2"]),
    prerelease=st.none() | st.sampled_from(["^rc", "^$", "beta|rc"]),
    variant=st.sampled_from([None, "", "alpine"]),
    tag=st.none() | st.sampled_from(["^v", r"\d+"]),
    images=few(REPOSITORIES),
    mode=st.sampled_from(["docker", "semver"]),
    downgrade=st.booleans(),
    max_major_jump=st.none() | st.integers(0, 9),
    min_age_days=st.sampled_from([0, 1, 0.5]),
    rules=st.dictionaries(REPOSITORIES, st.builds(oc.versions.Rule, prefix=st.none() | st.just("v")), max_size=2),
)
LIFECYCLES = st.lists(NAMES, min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.sampled_from(
        [
            oc.Lifecycle(*names),
            oc.Lifecycle(names[0], *([tuple(names[1:])] if names[1:] else []), keep=3),
            oc.Lifecycle(oc.Phase("All", names, minimum=1, optional=True, keep=oc.Keep(days=1.5))),
            oc.Lifecycle(names[0], *(oc.Phase(name, automatic=True) for name in names[1:])),
        ]
    )
)
KEEPS = st.builds(oc.Keep, releases=st.integers(1, 9), days=st.none() | st.integers(1, 9) | st.just(0.5 + 1))
PHASES = st.builds(
    oc.Phase,
    NAMES,
    st.just(["A", "B"]),
    minimum=st.none() | st.just(1),
    automatic=st.booleans(),
    keep=st.none() | KEEPS,
)
ENVIRONMENTS = st.builds(oc.Environment, NAMES, rollout=st.none() | ROLLOUTS)
TARGETS = st.builds(
    oc.Target,
    NAMES,
    st.sampled_from(["h01", "10.0.0.11", "fe80::1", "h01.example.com."]),
    user=st.none() | st.sampled_from(["deploy", "DOMAIN\\deploy"]),
    port=st.integers(1, 65535),
    roles=few(NAMES),
    environments=few(NAMES),
    labels=st.dictionaries(WORDS.filter(lambda word: word not in {"role", "gateway"}), NAMES, max_size=2),
    sudo=st.booleans(),
    maintenance=st.just("") | NAMES,
)
SCRIPT_STEPS = st.builds(oc.RunScript, NAMES, script=st.just("true"), reads_only=st.booleans())
PROJECTS = st.builds(
    oc.Project,
    NAMES,
    process=st.lists(SCRIPT_STEPS, min_size=1, max_size=3, unique_by=_apart),
    variables=few(st.builds(oc.Variable, WORDS, TEXT | NUMBERS | st.booleans() | SECRETS)),
    channels=st.lists(st.builds(oc.Channel, NAMES), max_size=2, unique_by=lambda channel: channel.name),
    lifecycle=st.none() | LIFECYCLES,
    release_number=st.sampled_from(["0.0.i", "i", "1.4.i"]),
    rollout=ROLLOUTS,
)


@st.composite
def _releases(draw: st.DrawFn) -> oc.Release:
    process = draw(PROCESSES)
    pins = tuple(
        oc.Pin(image=image, tag="1.0", digest=draw(DIGESTS), resolved_at=draw(st.none() | TIMES))
        for image in process.images
    )
    return oc.Release(
        project=draw(NAMES),
        number=draw(st.sampled_from(["0.0.1", "1.4.27", "7"])),
        channel=draw(NAMES),
        process=process,
        variables=draw(few(VARIABLES)),
        pins=pins,
        created_at=draw(TIMES),
        created_by=draw(TEXT),
        notes=draw(TEXT),
    )


RELEASES = _releases()
RESOURCES = st.builds(
    oc.Resource,
    kind=st.sampled_from(["container", "network", "volume", "image"]),
    name=NAMES,
    id=TEXT,
    project=TEXT,
    environment=TEXT,
    step=TEXT,
    release=TEXT,
    deployment=TEXT,
    spec=TEXT,
    fields=DATA,
    status=st.sampled_from(["", "running", "exited"]),
    health=st.sampled_from(["", "healthy", "unhealthy"]),
    inspect=DATA,
)
SNAPSHOTS = st.builds(
    oc.Snapshot, target=NAMES, observed_at=TIMES, docker=TEXT, platform=TEXT, resources=few(RESOURCES)
)
APPROVAL_REQUESTS = st.builds(
    oc.ApprovalRequest,
    step=NAMES,
    instructions=TEXT,
    approvers=few(NAMES),
    project=NAMES,
    release=NAMES,
    environment=NAMES,
    deployment=NAMES,
    by=TEXT,
)
OUTCOMES = st.builds(
    oc.Outcome,
    step=NAMES,
    target=NAMES,
    state=st.sampled_from(oc.State),
    action=TEXT,
    changed=st.booleans(),
    why=TEXT,
    started_at=st.none() | TIMES,
    finished_at=st.none() | TIMES,
    exit_code=st.none() | st.integers(0, 255),
    script=TEXT,
    log=TEXT,
    inspect=DATA,
    outputs=st.dictionaries(WORDS, TEXT | st.binary(max_size=8).filter(not_text), max_size=2).map(Pairs),
)
SAID = st.builds(
    oc.Options,
    skip=few(NAMES),
    exclude=few(NAMES),
    variables=st.dictionaries(WORDS, TEXT | NUMBERS | st.booleans() | SECRETS, max_size=2).map(Pairs),
    override_freeze=TEXT,
)
DEPLOYMENTS = st.builds(
    oc.Deployment,
    id=NAMES,
    project=NAMES,
    release=NAMES,
    environment=NAMES,
    mode=st.sampled_from(oc.Mode),
    state=st.sampled_from([state for state in oc.State if state is not oc.State.WAITING]),
    started_at=TIMES,
    finished_at=st.none() | TIMES,
    by=TEXT,
    controller=TEXT,
    error=TEXT,
    outcomes=few(OUTCOMES),
    options=SAID,
    left_out=few(NAMES),
)
FREEZES = st.builds(
    oc.Freeze,
    NAMES,
    starts_at=st.none() | TIMES.filter(lambda at: at.year < 2000),
    ends_at=st.none() | TIMES.filter(lambda at: at.year > 2000),
    environments=few(NAMES),
    projects=few(NAMES),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
    weekly=few(st.sampled_from(["Fri 16:00 - Mon 08:00", "Mon 00:00 - Mon 01:00"])),
)
APPROVALS = st.builds(oc.Approval, st.booleans(), by=NAMES, notes=TEXT, groups=few(NAMES))
PAUSES = st.builds(
    Pause,
    since=TIMES,
    waits=st.dictionaries(NAMES, st.integers(0, 9), max_size=2).map(Pairs),
    targets=few(NAMES),
    waves=st.dictionaries(NAMES, few(few(NAMES)), max_size=2).map(Pairs),
    skipped=st.dictionaries(NAMES, TEXT, max_size=2).map(Pairs),
    idle=st.dictionaries(NAMES, st.dictionaries(NAMES, TEXT, max_size=2).map(Pairs), max_size=2).map(Pairs),
    rollout=ROLLOUTS,
    marks=st.dictionaries(NAMES, TEXT, max_size=2).map(Pairs),
    failed=few(NAMES),
    excluded=few(NAMES),
    down=st.dictionaries(NAMES, few(NAMES), max_size=2).map(Pairs),
    over=TEXT,
    reason=TEXT,
    exceeded=st.booleans(),
    spent_s=st.floats(0, 1e6),
)
SEALED = st.builds(Sealed, token=TEXT, key=TEXT, at=TIMES, by=TEXT)
SCHEDULES = st.builds(
    oc.Schedule,
    id=NAMES,
    project=NAMES,
    release=NAMES,
    environment=NAMES,
    at=TIMES,
    expires_at=TIMES,
    options=SAID,
    asks=few(NAMES),
    approvals=st.dictionaries(NAMES, APPROVALS, max_size=2).map(Pairs),
    state=st.sampled_from(oc.DueState),
    why=TEXT,
    by=TEXT,
    created_at=TIMES,
    controller=TEXT,
    pause=st.none() | PAUSES,
    mode=st.none() | st.sampled_from(oc.Mode),
)
EVENTS = st.builds(
    oc.Event, type=NAMES, at=TIMES, deployment=NAMES, step=TEXT, target=TEXT, data=DATA, version=st.integers(1, 9)
)
PREVENTIONS = st.builds(oc.Prevention, project=NAMES, release=NAMES, why=NAMES, by=TEXT, at=TIMES)
RELEASE_LISTS = st.builds(oc.Releases, few(RELEASES))
HISTORIES = st.builds(oc.History, few(DEPLOYMENTS))
STANDINGS = st.builds(
    Standing,
    project=NAMES,
    environment=NAMES,
    release=TEXT,
    since=st.none() | TIMES,
    by=TEXT,
    last=st.none() | st.sampled_from(oc.State),
    last_release=TEXT,
)
STATUSES = st.builds(oc.Status, few(STANDINGS))

FAILURE_REQUESTS = st.builds(
    oc.FailureRequest,
    step=NAMES,
    target=NAMES,
    why=TEXT,
    log=TEXT,
    unknown=st.booleans(),
    attempt=st.integers(1, 9),
    choices=few(st.sampled_from(DECISIONS)),
    project=NAMES,
    release=NAMES,
    environment=NAMES,
    deployment=NAMES,
    by=NAMES,
)
FINDINGS = st.builds(Finding, target=NAMES, subject=NAMES, grade=st.sampled_from(Grade), found=TEXT, advice=TEXT)
CHECKUPS = st.builds(oc.Checkup, few(FINDINGS), few(TEXT))

NOUNS: dict[type, st.SearchStrategy[Any]] = {
    **AUTHS,
    oc.Cancellation: st.builds(oc.Cancellation, NAMES, now=st.booleans(), why=TEXT),
    oc.Decision: st.builds(oc.Decision, st.sampled_from(DECISIONS), by=NAMES, notes=TEXT),
    oc.FailureRequest: FAILURE_REQUESTS,
    oc.Maintenance: st.builds(oc.Maintenance, NAMES, by=NAMES, since=TIMES),
    oc.Retry: RETRIES,
    oc.Rollout: ROLLOUTS,
    oc.Approval: APPROVALS,
    oc.ApprovalRequest: APPROVAL_REQUESTS,
    oc.Approve: APPROVES,
    oc.Channel: CHANNELS,
    oc.Command: COMMANDS,
    oc.ComposeUp: COMPOSE_UPS,
    oc.CreateNetwork: CREATE_NETWORKS,
    oc.CreateVolume: CREATE_VOLUMES,
    oc.Deployment: DEPLOYMENTS,
    oc.Environment: ENVIRONMENTS,
    oc.Event: EVENTS,
    oc.History: HISTORIES,
    oc.Http: HTTPS,
    oc.HealthCheck: HEALTH_CHECKS,
    oc.Image: IMAGES,
    oc.Join: JOINS,
    oc.Keep: KEEPS,
    oc.Lifecycle: LIFECYCLES,
    oc.LogLine: LOG_LINES,
    oc.Mount: MOUNTS,
    oc.Outcome: OUTCOMES,
    oc.Phase: PHASES,
    oc.Pin: PINS,
    oc.Prevention: PREVENTIONS,
    oc.Process: PROCESSES,
    oc.Project: PROJECTS,
    oc.PullImage: PULL_IMAGES,
    oc.PutFile: PUT_FILES,
    oc.Registry: REGISTRIES,
    oc.Release: RELEASES,
    oc.Releases: RELEASE_LISTS,
    Repositories: FOUND,
    oc.Replace: REPLACES,
    oc.Resource: RESOURCES,
    oc.Rolling: ROLLINGS,
    oc.RunContainer: RUN_CONTAINERS,
    oc.RunOnce: RUN_ONCES,
    oc.RunScript: RUN_SCRIPTS,
    oc.ConfigFile: CONFIG_FILES,
    oc.SecretFile: SECRET_FILES,
    oc.SecretRef: SECRETS,
    oc.Freeze: FREEZES,
    oc.Schedule: SCHEDULES,
    Pause: PAUSES,
    Held: st.builds(Held, secrets=st.dictionaries(NAMES, SEALED, max_size=2).map(Pairs)),
    ScheduleList: st.builds(ScheduleList, few(SCHEDULES)),
    oc.Options: SAID,
    oc.Prune: PRUNES,
    oc.Snapshot: SNAPSHOTS,
    oc.StartFirst: START_FIRSTS,
    oc.Status: STATUSES,
    oc.StopResource: STOP_RESOURCES,
    oc.Subnet: SUBNETS,
    oc.SwarmService: SWARM_SERVICES,
    oc.SwarmStack: SWARM_STACKS,
    oc.SwarmUpdate: SWARM_UPDATES,
    oc.Target: TARGETS,
    oc.Tcp: TCPS,
    Templates: st.builds(Templates, LABELS.map(Pairs), LABELS.map(Pairs)),
    oc.Variable: VARIABLES,
    oc.WaitFor: WAIT_FORS,
    Standing: STANDINGS,
    Finding: FINDINGS,
    oc.Checkup: CHECKUPS,
}
