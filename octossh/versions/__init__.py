"""Image tags as versions: reading them, ranges of them, and choosing one among many.

Everything here is pure: it takes texts and returns values, so that a choice can be tried and explained
without a registry.
"""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.versions.choosing import choose, explain
    from octossh.versions.explanations import Explanation, Verdict
    from octossh.versions.modes import parse
    from octossh.versions.ranges import Range
    from octossh.versions.rules import Rule
    from octossh.versions.sieving import AmbiguousScheme
    from octossh.versions.tags import Version

__all__ = ["AmbiguousScheme", "Explanation", "Range", "Rule", "Verdict", "Version", "choose", "explain", "parse"]
