"""Templates of the user's own, in front of those of octossh."""

from __future__ import annotations

import hashlib

from attrs import field, frozen

from octossh.model._values import Described, Pairs

__all__ = ["Templates"]


@frozen
class Templates(Described):
    """What stands in a folder of templates.

    Attributes:
        texts: By name of the file, such as ``run_container.sh.j2``.
        marks: By the kind of step that has one of them in its script, a digest of those.
    """

    texts: Pairs[str] = field(factory=Pairs, repr=False)
    marks: Pairs[str] = field(factory=Pairs)

    @property
    def hashes(self) -> Pairs[str]:
        """The SHA-256 of each, by the name of its file."""
        return Pairs({name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.texts.items()})
