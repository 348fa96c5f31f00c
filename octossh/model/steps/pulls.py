"""`PullImage`: have an image on the host before it is needed."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from octossh.model._values import of, telling
from octossh.model.images import Image
from octossh.model.steps.base import Step
from octossh.model.steps.flagging import flag

__all__ = ["PullImage"]


@frozen(field_transformer=telling)
class PullImage(Step):
    """Have an image on the host, by the digest that the release pins; nothing is done when it is there.

    Pulled ahead on all hosts, an image that is missing or too large for a disk stops nothing that runs, and the
    later step that runs it does not wait for the network.

    Attributes:
        image: From `Registry.image`; the release says which tag and digest.
    """

    kind: ClassVar[str] = "pull_image"
    keeps: ClassVar[str] = "image"

    image: Image = field(
        kw_only=True,
        validator=of(Image, advice="make one with octossh.Registry(...).image('acme/web')"),
        metadata=flag("IMAGE", by_hand=True),
    )
