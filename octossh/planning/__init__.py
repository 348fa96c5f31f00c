"""What to do: plans as values, made by pure functions."""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.planning.channels import admits, explain_tags, lint_channels, lint_tags
    from octossh.planning.comparing import ImageChange, ReleaseDiff, StepChange, compare
    from octossh.planning.composing import count_of
    from octossh.planning.drifting import Left, Legacy, deviations, left_by
    from octossh.planning.freezing import check_freezes, frozen
    from octossh.planning.hosts import hosts_of
    from octossh.planning.judging import Visit, judge
    from octossh.planning.laggards import lagging
    from octossh.planning.lasting import last_steps
    from octossh.planning.leaving import without
    from octossh.planning.making import plan, secrets_of
    from octossh.planning.neighbours import together
    from octossh.planning.opting import prompts, with_said
    from octossh.planning.plans import Plan
    from octossh.planning.pruning import Came, to_prune
    from octossh.planning.remembering import OUTPUT, output_ref, remembered
    from octossh.planning.resolving import Facts, Resolver, SecretOutput
    from octossh.planning.retaining import Tidy, Tidying, needed_by_drift, to_tidy
    from octossh.planning.rules import check_may_enter, current, mode_of, to_follow, to_promote, to_roll_back
    from octossh.planning.searching import Sought
    from octossh.planning.standing import still_left_out
    from octossh.planning.suiting import unsuited
    from octossh.planning.swarming import file_contents, service_document
    from octossh.planning.tasks import Action, Change, Task, changes_between
    from octossh.planning.wanting import Wanted, differing, next_name, old_name
    from octossh.planning.waves import Stage

__all__ = [
    "OUTPUT",
    "Action",
    "Came",
    "Change",
    "Facts",
    "ImageChange",
    "Left",
    "Legacy",
    "Plan",
    "ReleaseDiff",
    "Resolver",
    "SecretOutput",
    "Sought",
    "Stage",
    "StepChange",
    "Task",
    "Tidy",
    "Tidying",
    "Visit",
    "Wanted",
    "admits",
    "changes_between",
    "check_freezes",
    "check_may_enter",
    "compare",
    "count_of",
    "current",
    "deviations",
    "differing",
    "explain_tags",
    "file_contents",
    "frozen",
    "hosts_of",
    "judge",
    "lagging",
    "last_steps",
    "left_by",
    "lint_channels",
    "lint_tags",
    "mode_of",
    "needed_by_drift",
    "next_name",
    "old_name",
    "output_ref",
    "plan",
    "prompts",
    "remembered",
    "secrets_of",
    "service_document",
    "still_left_out",
    "to_follow",
    "to_promote",
    "to_prune",
    "to_roll_back",
    "to_tidy",
    "together",
    "unsuited",
    "with_said",
    "without",
]
