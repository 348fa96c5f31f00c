"""What steps left before a deployment waited, for the expressions of the steps behind it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from octossh.errors import ModelError
from octossh.model import SecretRef, is_approve, slug
from octossh.planning.hosts import hosts_of
from octossh.planning.resolving import Facts, SecretOutput
from octossh.shell import MASK

if TYPE_CHECKING:
    from octossh.model import Outcome, Step, Target

__all__ = ["OUTPUT", "output_ref", "remembered"]

OUTPUT = "output:"
"""How the names begin of references to outputs that are secret."""


def output_ref(step: str, target: str, name: str) -> SecretRef:
    """The reference to the secret output *name* of *step* on *target*."""
    return SecretRef(f"{OUTPUT}{slug(step)[:60]}/{slug(target)[:60]}/{name[:60]}")


class _Unkept:
    """Text in which a secret stood: it was masked when it was recorded, and whatever it is used for would be wrong."""

    def _refuse(self, *_given: object) -> NoReturn:
        raise ModelError(
            "a secret stands in it, so it was not kept while the deployment waited for an approval; read it in a step "
            "before the approval"
        )

    __str__ = __eq__ = __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __add__ = __hash__ = _refuse


def remembered(
    outcomes: Iterable[Outcome], steps: Iterable[Step], targets: Sequence[Target], secrets: Mapping[str, object]
) -> dict[tuple[str, str], Facts]:
    """What steps left on targets, by both names.

    Args:
        outcomes: As they were recorded, with their secrets masked.
        steps: All of the release.
        targets: That the deployment goes to.
        secrets: By name; of outputs that are secret, the references are made again.
    """
    known = {}
    by_name = {step.name: step for step in steps}
    for outcome in outcomes:
        step = by_name.get(outcome.step)
        # Whoever approves has no exit code; any other without one never answered.
        if step is None or (outcome.exit_code is None and not is_approve(step)):
            continue
        facts = Facts(
            {name: _kept(value) for name, value in outcome.inspect.items()},
            {name: _output(outcome, name, value, secrets) for name, value in outcome.outputs.items()},
        )
        # What went through the manager of a swarm is the same from everywhere; those before it are no manager.
        places = [target.name for target in hosts_of(step, targets)] if step.runs_on == "manager" else [outcome.target]
        known.update({(step.name, place): facts for place in places})
    return known


def _output(outcome: Outcome, name: str, value: str | bytes, secrets: Mapping[str, object]) -> Any:
    ref = output_ref(outcome.step, outcome.target, name)
    return SecretOutput(ref) if value == MASK and ref.name in secrets else _kept(value)


def _kept(value: Any) -> Any:
    if isinstance(value, str | bytes):
        hidden = MASK in value if isinstance(value, str) else MASK.encode() in value
        return _Unkept() if hidden else value
    if isinstance(value, Mapping):
        return {key: _kept(item) for key, item in value.items()}
    return [_kept(item) for item in value] if isinstance(value, list) else value
