"""What differs between two releases: images, steps by field, variables and templates. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from octossh.errors import PlanError
from octossh.model import Described, SecretRef, Table
from octossh.planning.tasks import Change, changes_between

if TYPE_CHECKING:
    from octossh.model import Pin, Release, Step, Variable

__all__ = ["ImageChange", "ReleaseDiff", "StepChange", "compare"]


@frozen(kw_only=True)
class ImageChange(Described):
    """An image that comes, goes, or is another one; texts are empty where there is none.

    Attributes:
        image: Its name in the registry.
    """

    image: str
    old_tag: str = ""
    old_digest: str = ""
    new_tag: str = ""
    new_digest: str = ""

    def __str__(self) -> str:
        old, new = _image(self.old_tag, self.old_digest), _image(self.new_tag, self.new_digest)
        if not old or not new:
            return f"{'+' if new else '-'} {self.image}  {new or old}"
        if self.old_digest == self.new_digest:
            return f"~ {self.image}  {self.old_tag} -> {self.new_tag} (the same image)"
        return f"~ {self.image}  {old} -> {new}"


def _image(tag: str, digest: str) -> str:
    return f"{tag} ({digest.removeprefix('sha256:')[:12]})" if digest else ""


@frozen(kw_only=True)
class StepChange(Described):
    """A step that comes, goes, or differs.

    Attributes:
        step: Its name.
        how: ``added``, ``removed`` or ``changed``.
        changes: The fields that differ, of one that is changed.
    """

    step: str
    how: str
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        mark = {"added": "+", "removed": "-"}.get(self.how, "~")
        return "\n".join([f"{mark} {self.step}", *(f"    {change}" for change in self.changes)])


@frozen(kw_only=True)
class ReleaseDiff(Described):
    """What differs between two releases of a project.

    Attributes:
        old: The number of the one.
        new: The number of the other.
        facts: Channel, commit and link, where they differ.
        images: Those that come, go, or are other ones.
        order: The names of the steps that both have, where their order differs.
        steps: Those that come, go or differ, by field.
        variables: By name and scope; of secrets, their names.
        templates: The hashes of the user's own templates, by name.
    """

    project: str
    old: str
    new: str
    facts: tuple[Change, ...] = ()
    images: tuple[ImageChange, ...] = ()
    order: Change | None = None
    steps: tuple[StepChange, ...] = ()
    variables: tuple[Change, ...] = ()
    templates: tuple[Change, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether they would deploy something else: whatever differs beyond channel, commit and link."""
        return bool(self.images or self.order or self.steps or self.variables or self.templates)

    @property
    def _head(self) -> str:
        return f"{self.project} {self.old} -> {self.new}" + ("" if self.differs else ": the same is deployed")

    def _parts(self) -> Mapping[str, list[str]]:
        """What differs, in words, by what it is of."""
        parts = {
            "about it": [str(change) for change in self.facts],
            "images": [str(change) for change in self.images],
            "steps": [*([str(self.order)] if self.order else []), *map(str, self.steps)],
            "variables": [_marked(change) for change in self.variables],
            "templates": [_marked(change) for change in self.templates],
        }
        return {title: told for title, told in parts.items() if told}

    def tables(self) -> tuple[Table, ...]:
        """One row for each thing that differs."""
        rows = [(title, text) for title, told in self._parts().items() for text in told]
        return (Table(head=("of", "what differs"), rows=rows, caption=self._head, empty=self._head),)

    def __str__(self) -> str:
        lines = [self._head]
        for title, told in self._parts().items():
            lines += [f"  {title}", *(f"    {line}" for text in told for line in text.split("\n"))]
        return "\n".join(lines)


def _marked(change: Change) -> str:
    if change.old is None or change.new is None:
        value = change.new if change.old is None else change.old
        return f"{'+' if change.old is None else '-'} {change.field}: {value}"
    return f"~ {change}"


def compare(old: Release, new: Release) -> ReleaseDiff:
    """What differs between *old* and *new*.

    Raises:
        PlanError: They are of two projects.
    """
    if old.project != new.project:
        raise PlanError(
            f"{old.project} {old.number} and {new.project} {new.number} are of two projects, so they share nothing"
        )
    before, after = ([step.name for step in release.process.steps] for release in (old, new))
    ours, theirs = [n for n in before if n in after], [n for n in after if n in before]
    return ReleaseDiff(
        project=old.project,
        old=old.number,
        new=new.number,
        facts=changes_between(_facts(old), _facts(new)),
        images=tuple(_images(old, new)),
        order=Change("order", ", ".join(ours), ", ".join(theirs)) if ours != theirs else None,
        steps=tuple(_steps(old, new)),
        variables=changes_between(_variables(old), _variables(new)),
        templates=changes_between(_short(old.templates), _short(new.templates)),
    )


def _facts(release: Release) -> dict[str, str]:
    facts = {"channel": release.channel, "commit": release.commit, "link": release.link}
    return {name: text for name, text in facts.items() if text}


def _images(old: Release, new: Release) -> Iterator[ImageChange]:
    was: dict[str, Pin] = {pin.image.name: pin for pin in old.pins}
    will: dict[str, Pin] = {pin.image.name: pin for pin in new.pins}
    for name in sorted(was.keys() | will.keys()):
        before, after = was.get(name), will.get(name)
        made = ImageChange(
            image=name,
            old_tag=before.tag if before else "",
            old_digest=before.digest if before else "",
            new_tag=after.tag if after else "",
            new_digest=after.digest if after else "",
        )
        if (made.old_tag, made.old_digest) != (made.new_tag, made.new_digest):
            yield made


def _steps(old: Release, new: Release) -> Iterator[StepChange]:
    was = {step.name: step for step in old.process.steps}
    will = {step.name: step for step in new.process.steps}
    for name in [*will, *(name for name in was if name not in will)]:
        if name not in was or name not in will:
            yield StepChange(step=name, how="added" if name in will else "removed")
        elif was[name] != will[name]:
            changes = changes_between(_fields(was[name]), _fields(will[name]))
            yield StepChange(step=name, how="changed", changes=changes)


def _fields(step: Step) -> dict[str, Any]:
    fields: dict[str, Any] = _plain(step.to_dict())
    return fields


def _plain(value: Any) -> Any:
    """Fields for people: an image by its name, and what is not set left out."""
    if isinstance(value, Mapping):
        if set(value) == {"registry", "repository"} and isinstance(value["registry"], Mapping):
            return f"{value['registry'].get('name')}: {value['repository']}"
        return {name: _plain(item) for name, item in value.items() if item not in (None, [], {})}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _variables(release: Release) -> dict[str, str]:
    return {_named(variable): _value(variable) for variable in release.variables}


def _named(variable: Variable) -> str:
    scope = ", ".join(f"{key} {name}" for key, name in variable.scope.items())
    return variable.name + (f" ({scope})" if scope else "")


def _value(variable: Variable) -> str:
    value = variable.value
    return f"(secret {value.name})" if isinstance(value, SecretRef) else str(value)


def _short(hashes: Mapping[str, str]) -> dict[str, str]:
    return {name: digest[:12] for name, digest in hashes.items()}
