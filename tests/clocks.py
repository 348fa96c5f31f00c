"""How long things may take on a machine that does other things, too."""

from __future__ import annotations

import os


def slack() -> float:
    """By how much longer than on an idle machine: by how many processes want each of its cores."""
    return max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))
