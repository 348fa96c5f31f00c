"""How much is done at once."""

from __future__ import annotations

__all__ = ["MOST_HOSTS_AT_ONCE"]

MOST_HOSTS_AT_ONCE = 64
"""Threads; a thread costs some 70 KB, and most of its time is waiting for a host."""
