"""Releases: process, variables and digests, frozen together."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Described
from octossh.model.images import Image, Pin
from octossh.model.projects import Process
from octossh.model.variables import Variable

__all__ = ["Release"]


def _check_number(_instance: Any, _attribute: Any, number: Any) -> None:
    if not isinstance(number, str) or not re.fullmatch(r"[^\s\x00-\x1f\x7f]{1,100}", number):
        raise ModelError(
            f"release number {number!r} is not one word of at most 100 characters; write one such as '1.4.0'"
        )
    if number == "latest":
        raise ModelError("release number 'latest' means the newest one everywhere; write one such as '1.4.0'")


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
    """

    project: str
    number: str = field(validator=_check_number)
    channel: str
    process: Process
    variables: tuple[Variable, ...] = ()
    pins: tuple[Pin, ...] = ()
    created_at: datetime = field()
    created_by: str = ""
    notes: str = ""

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

    def __str__(self) -> str:
        images = ", ".join(f"{pin} ({pin.digest[7:19]})" for pin in self.pins)
        return f"{self.project} {self.number}" + (f": {images}" if images else "")
