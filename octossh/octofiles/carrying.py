"""What is carried over from files of other tools into the model, and what could not be."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import frozen

from octossh.errors import ModelError
from octossh.model import Image, Pairs, Project, Reference, Registry, RunContainer, SecretRef, Target, Variable, flags
from octossh.model.variables import RESERVED
from octossh.templating import as_text, references

__all__ = ["Carrier", "Imported", "Lost", "Note", "by_option"]


@frozen
class Note:
    """Something that could not be carried over, or not as it stood there.

    Attributes:
        place: Where it stands, such as ``services.web.build``.
        why: What is the matter.
        advice: What to do.
    """

    place: str
    why: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}; {self.advice}"


@frozen
class Imported:
    """What was made of a file.

    Attributes:
        project: The steps and variables.
        targets: The hosts that stand there, if any do.
        notes: What is not as it was.
    """

    project: Project
    targets: tuple[Target, ...]
    notes: tuple[Note, ...]


class Lost(Exception):
    """One value cannot be carried over: *why*, and what to do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.why, self.advice = why, advice


_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)?s?\d*(_|$)|_pass|secret|token|api_?key|private_?key|credential|(^|_)key\d*(_|$)"
    r"|_pwd?\d*(_|$)",
    re.IGNORECASE,
)
_GIVEN = r"""["']?[^\s${"']"""
# How far an option may stand from its program is bounded, so that a long text is searched once and not over and over.
_SECRET_TEXT = re.compile(
    r"://[^/@\s:]*:[^/@\s${]+@|-----BEGIN [A-Z ]*PRIVATE KEY"
    rf"|((password|passwd|secret|token|api-?key)|\b(pass|pwd))[\"']?[=:]\s*{_GIVEN}"
    rf"|(^|\s)--?([\w-]+-)?(pass(word|wd|phrase)?|secret|token|api-?key)\s+(?!-){_GIVEN}"
    rf"|\b(requirepass|masterauth)[=\s]\s*{_GIVEN}|\bredis-cli\b.{{0,300}}\s(?-i:-a)\s*{_GIVEN}"
    rf"|\b(mysql|mariadb)[\w-]*\s(.{{0,300}}\s)?(?-i:-p){_GIVEN}|\bcurl\b.{{0,300}}\s(-u|--user)[=\s]*[^\s:]*:{_GIVEN}",
    re.IGNORECASE,
)
_DEFAULT = re.compile(r"\$\{(?P<name>\w+):?[-+](?P<default>[^${}]*)\}")
_HIDDEN = ("a secret seems to stand in it, so it is not written", "use oc.secret('NAME') where it fits")


def _hides(text: str) -> bool:
    """Whether a secret seems to stand in *text*, also as what a variable is where nothing sets it."""
    defaults = list(_DEFAULT.finditer(text))
    named = any(one["default"] and _SECRET_NAME.search(one["name"]) for one in defaults)
    plain = _DEFAULT.sub(lambda one: one["default"], text)
    return named or any(_SECRET_TEXT.search(form) is not None for form in (text, plain))


@functools.cache
def by_option() -> Mapping[str, str]:
    """The fields of a container by docker's options, such as ``cap-add``, for those that are written one to one."""
    made: dict[str, str] = {}
    for name, flag in flags(RunContainer).items():
        if flag.name.startswith("--") and "..." not in flag.name:
            made.setdefault(flag.name.removeprefix("--"), name)
    return made


def _pairs(value: Any, field: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list):
        raise Lost(f"{value!r} is neither a mapping nor a list", f"write {field}={{...}}")
    made = {}
    for item in map(str, value):
        name, mark, rest = item.partition("=")
        if not mark and field == "hosts":
            name, _, rest = item.partition(":")
        made[name] = rest
    return made


class Carrier:
    """Collects what is carried over, and notes of what is not."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.variables: dict[str, Variable] = {}
        self.tags: dict[str, str] = {}
        self._registries: dict[str, Registry] = {}

    def note(self, place: str, why: str, advice: str) -> None:
        """Say what is not as it was."""
        made = Note(place, " ".join(why.split()), advice)
        if made not in self.notes:
            self.notes.append(made)

    # ------------------------------------------------------------- texts

    def literal(self, value: Any) -> str:
        """*value* as text in which braces are only braces.

        Raises:
            Lost: It is no text, or holds what looks like a password.
        """
        return as_text(self._plain(value))

    def check(self, *words: Any) -> None:
        """Raise `Lost` where a secret seems to stand in *words*, such as those of a command."""
        if _hides(" ".join(map(str, words))):
            raise Lost(*_HIDDEN)

    def shaped(self, place: str, field: str, value: Any, text: Any) -> Any:
        """*value* in the shape that *field* of a container has; each text in it goes through *text*.

        Raises:
            Lost: It has another shape.
        """
        default = attrs.fields_dict(RunContainer)[field].default
        if isinstance(default, bool):
            if not isinstance(value, bool):
                raise Lost(f"{value!r} is neither true nor false", f"write {field}=True where that is meant")
            return value
        if isinstance(default, tuple):
            items = value if isinstance(value, list) else [value]
            return [text(item) for item in items]
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            return self.pairs(place, field, value, text)
        return text(value)

    def pairs(self, place: str, field: str, value: Any, text: Any) -> dict[str, str]:
        """The names in *value*, each with its text; what looks like a secret is told and left out.

        Raises:
            Lost: They are no pairs.
        """
        made: dict[str, str] = {}
        for name, item in _pairs(value, field).items():
            if item not in (None, "") and field != "hosts" and _SECRET_NAME.search(str(name)):
                self.note(f"{place}.{name}", *_HIDDEN)
                continue
            try:
                made[str(name)] = text("" if item is None else item)
            except Lost as lost:
                self.note(f"{place}.{name}", lost.why, lost.advice)
        return made

    def _plain(self, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise Lost(f"{type(value).__name__} where text is wanted", "write it by hand")
        self.check(str(value))
        if "<%" in str(value):
            raise Lost("it holds ERB (<%), which is not run here", "write what it gives, or an expression {{ }}")
        return str(value)

    def env(self, place: str, name: str, value: Any, read: Any) -> str | SecretRef:
        """The value of an environment variable; what looks like a secret becomes a reference to one.

        Raises:
            Lost: It cannot be carried over.
        """
        hidden = isinstance(value, str) and _hides(value)
        if hidden or (_SECRET_NAME.search(name) and value not in ("", None)):
            self.note(place, "it looks like a secret, so its value is not written", f"set {name} where octossh runs")
            return self.secret(name)
        made: str = read(value)
        return made

    def secret(self, name: str) -> SecretRef:
        """A reference to a secret.

        Raises:
            Lost: *name* is none.
        """
        try:
            return SecretRef(name)
        except ModelError as error:
            raise Lost(str(error), "give it another name") from None

    def variable(self, name: str, default: str | None) -> str:
        """An expression that reads a variable, which is defined from now on.

        Raises:
            Lost: Its name is none for an expression, or what it is by default seems to be a secret.
        """
        if default and _SECRET_NAME.search(name):
            raise Lost(*_HIDDEN)
        name = f"{name}_" if name in RESERVED else name
        try:
            made = Variable(name, default) if default is not None else Variable(name, prompt=f"{name}?", required=True)
            reads = references(f"{{{{ {name} }}}}", where=name).names
        except ModelError as error:
            raise Lost(str(error), "rename it") from None
        if name not in reads:
            raise Lost(f"${{{name}}} is no variable for an expression, where it means something else", "rename it")
        known = self.variables.setdefault(name, made)
        if known.value is None and default is not None:
            self.variables[name] = made
        return f"{{{{ {name} }}}}"

    # ------------------------------------------------------------ images

    def image(self, place: str, text: Any) -> Image:
        """The image that *text* names; its tag is told, since a release picks one.

        Raises:
            Lost: It names none.
        """
        if not isinstance(text, str) or "$" in text.partition(":")[0] or "<%" in text:
            raise Lost(f"{text!r} names no image by itself", "give the name of an image that a registry has")
        found = Reference.of(re.sub(r"\$\{[^}]*\}", "", text))
        try:
            registry = self._registries.get(found.host)
            if registry is None:
                name = "hub" if found.host == "docker.io" else found.host
                registry = self._registries[found.host] = Registry(name, f"https://{found.host}")
            image = registry.image(found.repository)
        except ModelError as error:
            raise Lost(str(error), "give the name of an image that a registry has") from None
        if found.digest:
            self.note(place, f"the digest in {text!r} is left out", "a release pins one itself")
        elif found.tag not in {"", "latest"} and "$" not in text:
            self.tags[found.repository] = found.tag
        return image

    def registry(self, registry: Registry) -> None:
        """From now on images of its host are of *registry*."""
        self._registries[registry.host] = registry

    # -------------------------------------------------------- containers

    def container(self, name: str, image: Image, fields: Iterable[tuple[str, str, Any]]) -> RunContainer:
        """A container with *fields*: place, name and value of each. What does not fit is told.

        Raises:
            Lost: *name* is no name of a step.
        """
        try:
            made = RunContainer(name, image=image)
        except ModelError as error:
            raise Lost(str(error), "rename it") from None
        left = list(fields)
        while left:
            # One may need another one that stands behind it.
            failed: list[tuple[str, str, Any, str]] = []
            for place, field, value in left:
                before = getattr(made, field)
                joined = {**before, **value} if isinstance(before, Pairs) else value
                joined = (*before, *value) if isinstance(before, tuple) else joined
                try:
                    made = attrs.evolve(made, **{field: joined})  # type: ignore[arg-type]
                except ModelError as error:
                    failed.append((place, field, value, str(error)))
            if len(failed) == len(left):
                for place, field, _, why in failed:
                    self.note(place, why, f"write {field}=... by hand")
                break
            left = [(place, field, value) for place, field, value, _ in failed]
        return made

    def tags_note(self, place: str) -> None:
        """Say how a release gets the tags that stood there."""
        if self.tags:
            sets = " ".join(f"--set {name}={tag}" for name, tag in self.tags.items())
            self.note(place, "a release picks the tags of images", f"for the same ones: octossh release create {sets}")
