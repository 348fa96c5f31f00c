"""Values of what is only shown: views and reports, which are made here and never read back."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from value_strategies import DATA, NAMES, TEXT, TIMES, few

from octossh.model import (
    Actor,
    Anchor,
    AuditEntry,
    AuditTrail,
    ContainerLine,
    Deviation,
    Drift,
    Drifts,
    Execution,
    Executions,
    HookCall,
    Mismatch,
    Moment,
    Problem,
    Runner,
    Sealed,
    Sighting,
    StoredValue,
    StoredValues,
    Table,
    Whereabouts,
    Witnesses,
)

MOMENTS = st.none() | TIMES
COUNTS = st.integers(0, 2**40)
UNSEEN = few(st.tuples(NAMES, TEXT))

ACTORS = st.builds(Actor, user=NAMES, host=NAMES, name=TEXT, job=TEXT, link=TEXT, started_by=TEXT, sudo_user=TEXT)
ANCHORS = st.builds(Anchor, target=NAMES, place=TEXT, seq=COUNTS, hash=TEXT, deployment=TEXT, at=TIMES)
MISMATCHES = st.builds(Mismatch, anchor=ANCHORS, why=TEXT)
ENTRIES = st.builds(AuditEntry, seq=COUNTS, at=TIMES, type=TEXT, project=TEXT, step=TEXT, target=TEXT, data=DATA)
LINES = st.builds(ContainerLine, target=NAMES, step=NAMES, container=NAMES, member=TEXT, text=TEXT, at=MOMENTS)
EXECUTIONS = st.builds(
    Execution, target=NAMES, step=TEXT, container=TEXT, exit_code=st.none() | st.integers(0, 255), output=TEXT, why=TEXT
)
PROBLEMS = st.sampled_from(Problem)
DEVIATIONS = st.builds(
    Deviation, target=NAMES, step=NAMES, kind=TEXT, name=TEXT, problem=PROBLEMS, expected=TEXT, found=TEXT
)
DRIFTS = st.builds(
    Drift,
    project=NAMES,
    environment=NAMES,
    release=TEXT,
    deployment=TEXT,
    looked_at=MOMENTS,
    deviations=few(DEVIATIONS),
    unseen=UNSEEN,
    notes=few(TEXT),
)
RUNNERS = st.builds(
    Runner, source=TEXT, target=NAMES, project=TEXT, environment=TEXT, image=TEXT, digest=TEXT, since=MOMENTS
)
VALUES = st.builds(StoredValue, name=NAMES, at=TIMES, by=TEXT, key=TEXT, readable=st.booleans())
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.builds(
        Table,
        head=st.tuples(*[TEXT] * width),
        rows=few(st.tuples(*[TEXT] * width)),
        caption=TEXT,
        empty=TEXT,
        notes=few(TEXT),
    )
)

VIEWS: dict[type, st.SearchStrategy[Any]] = {
    Actor: ACTORS,
    Anchor: ANCHORS,
    AuditEntry: ENTRIES,
    AuditTrail: st.builds(AuditTrail, few(ENTRIES)),
    ContainerLine: LINES,
    Deviation: DEVIATIONS,
    Drift: DRIFTS,
    Drifts: st.builds(Drifts, few(DRIFTS)),
    Execution: EXECUTIONS,
    Executions: st.builds(Executions, few(TEXT), few(EXECUTIONS)),
    HookCall: st.builds(
        HookCall,
        moment=st.sampled_from(Moment),
        at=TIMES,
        deployment=TEXT,
        project=NAMES,
        release=TEXT,
        environment=NAMES,
        mode=TEXT,
        by=TEXT,
        step=TEXT,
        target=TEXT,
        data=DATA,
    ),
    Mismatch: MISMATCHES,
    Runner: RUNNERS,
    Sealed: st.builds(Sealed, token=TEXT, key=TEXT, at=TIMES, by=TEXT),
    Sighting: st.builds(Sighting, deployment=TEXT, seen=TEXT, why=TEXT, at=MOMENTS),
    StoredValue: VALUES,
    StoredValues: st.builds(StoredValues, few(VALUES)),
    Table: TABLES,
    Whereabouts: st.builds(Whereabouts, TEXT, few(RUNNERS), UNSEEN, TEXT),
    Witnesses: st.builds(
        Witnesses, compared=COUNTS, events=COUNTS, mismatches=few(MISMATCHES), without=few(NAMES), unseen=UNSEEN
    ),
}
