"""Releases: process, variables and digests, frozen together."""

from __future__ import annotations

import re
import urllib.parse
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described, Pairs, of
from octossh.model.images import Image, Pin
from octossh.model.projects import Process
from octossh.model.secrets import SecretRef
from octossh.model.variables import Variable

__all__ = ["Release"]


def _check_number(_instance: Any, _attribute: Any, number: Any) -> None:
    if not isinstance(number, str) or not re.fullmatch(r"[^\s\x00-\x1f\x7f]{1,100}", number):
        raise ModelError(
            f"release number {number!r} is not one word of at most 100 characters; write one such as '1.4.0'"
        )
    if number == "latest":
        raise ModelError("release number 'latest' means the newest one everywhere; write one such as '1.4.0'")


def _check_line(_instance: Any, attribute: Any, text: Any) -> None:
    if not isinstance(text, str) or not re.fullmatch(r"[^\x00-\x1f\x7f]{0,300}", text):
        raise ModelError(f"the {attribute.name} of a release is one line of text, and not {text!r}")


def _check_link(_instance: Any, _attribute: Any, link: Any) -> None:
    if link == "":
        return
    parts = urllib.parse.urlsplit(link) if isinstance(link, str) else None
    if not parts or parts.scheme not in {"http", "https"} or not parts.hostname or not re.fullmatch(r"\S+", link):
        raise ModelError(f"the link of a release is {link!r}; write an address that begins with https://")
    if "@" in parts.netloc:
        raise ModelError("the link of a release holds a login; leave that out")


@frozen(kw_only=True)
class Release(Described):
    """What is deployed, the same to each environment. It never changes.

    Attributes:
        project: The name of its project.
        number: Unique in its project.
        channel: The name of the channel that picked the versions.
        process: The steps as they were.
        variables: The variables as they were; secrets by name only.
        pins: A tag and a digest for each image of the process.
        created_at: When, in UTC.
        created_by: Who.
        notes: Markdown.
        templates: The SHA-256 of each template of the user's own, by the name of its file.
        commit: The hash of the commit that it was made of; empty: not known.
        link: A page about it, such as that of the CI job; empty: none.
        imported: Where it comes from, when it was made in another store; empty: in this one.
    """

    project: str
    number: str = field(validator=_check_number)
    channel: str
    process: Process
    variables: tuple[Variable, ...] = ()
    pins: tuple[Pin, ...] = ()
    created_at: datetime = field()
    created_by: str = ""
    notes: str = field(default="", validator=of(str))
    templates: Pairs[str] = field(factory=Pairs, validator=of(Pairs))
    commit: str = field(default="", validator=_check_line)
    link: str = field(default="", validator=_check_link)
    imported: str = field(default="", validator=_check_line)

    def __attrs_post_init__(self) -> None:
        pinned = {pin.image for pin in self.pins}
        if missing := [image for image in self.process.images if image not in pinned]:
            raise ModelError(f"release {self.number!r} pins no digest for {missing[0]}; resolve its tag first")

    def pin(self, image: Image) -> Pin:
        """The tag and digest of *image*.

        Raises:
            KeyError: The process does not run it.
        """
        for pin in self.pins:
            if pin.image == image:
                return pin
        raise KeyError(str(image))

    def described(self) -> str:
        """All of it for people: where it comes from, what it holds, and its notes."""
        said = {
            "channel": self.channel,
            "created": f"{self.created_at:%Y-%m-%d %H:%M:%S} UTC by {self.created_by}",
            "imported": self.imported,
            "commit": self.commit,
            "link": self.link,
            "templates": ", ".join(f"{name} ({digest[:12]})" for name, digest in self.templates.items()),
        }
        lines = [f"{self.project} {self.number}", *(f"  {name:10} {text}" for name, text in said.items() if text)]
        lines += [f"  {'image':10} {pin}  {pin.digest}{_more(pin)}" for pin in self.pins]
        lines += [f"  {'step':10} {step.name} ({step.kind})" for step in self.process.steps]
        lines += [f"  {'variable':10} {_told(variable)}" for variable in self.variables]
        return "\n".join([*lines, *(["", self.notes.strip()] if self.notes.strip() else [])])

    def __str__(self) -> str:
        images = ", ".join(f"{pin} ({pin.digest[7:19]})" for pin in self.pins)
        return f"{self.project} {self.number}" + (f": {images}" if images else "")


def _more(pin: Pin) -> str:
    size = f"{pin.size} bytes" if pin.size else ""
    facts = ", ".join(filter(None, (pin.media_type, size, *pin.platforms)))
    return f"  ({facts})" if facts else ""


def _told(variable: Variable) -> str:
    scope = ", ".join(f"{key} {name}" for key, name in variable.scope.items())
    value = f"(secret {variable.value.name})" if isinstance(variable.value, SecretRef) else variable.value
    return f"{variable.name} = {value}" + (f"  ({scope})" if scope else "")
