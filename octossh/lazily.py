"""Packages whose names are loaded when they are first asked for, so that who needs few of them waits for few.

A package writes its imports as always, where type checkers and linters see them, and defers them::

    with lazily(globals()):
        from octossh.model.images import Image, Pin

Python 3.15 has ``lazy from`` for it.
"""

from __future__ import annotations

import builtins
import importlib
import threading
import types
from collections.abc import Mapping, Sequence

__all__ = ["lazily"]

_ONE_AT_A_TIME = threading.Lock()


class lazily:  # noqa: N801 - it reads as what it does
    """Within it, ``from ... import`` at the top of a package notes what comes from where.

    Args:
        package: The names of the package: ``globals()``.
    """

    def __init__(self, package: dict[str, object]) -> None:
        self._package = package
        self._homes: dict[str, str] = {}

    def __enter__(self) -> None:
        _ONE_AT_A_TIME.acquire()
        self._before = set(self._package)
        self._import = builtins.__import__
        builtins.__import__ = self._noted

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        builtins.__import__ = self._import
        _ONE_AT_A_TIME.release()
        others = self._package.keys() - self._before - self._homes.keys()
        if others and error is None:
            raise ImportError(
                f"{self._package['__name__']}: what is loaded late keeps its name, not so {', '.join(sorted(others))}"
            )
        for name in self._homes:
            self._package.pop(name, None)
        self._package.update(__getattr__=self._found, __dir__=lambda: self._package["__all__"])

    def _noted(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the names that Python has for it
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        if globals is not self._package:  # another thread's
            return self._import(name, globals, locals, fromlist or (), level)
        if not fromlist or level or "*" in fromlist:
            raise ImportError(
                f"{self._package['__name__']}: write 'from {name or 'package.module'} import NAME' to load it late"
            )
        stand_in = types.ModuleType(name)
        for one in fromlist:
            self._homes[one] = stand_in.__dict__[one] = name
        return stand_in

    def _found(self, name: str) -> object:
        package = self._package["__name__"]
        home = self._homes.get(name)
        within = f"{package}.{name}"
        if home == package or within in self._homes.values():
            home = within
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            if home == within:
                return importlib.import_module(within)
            # As the statement does it, so that python -X importtime shows it, too.
            value = self._package[name] = getattr(__import__(home, fromlist=[name]), name)
        except AttributeError as error:  # Python would take it for "no such name", and not show where it came from
            raise ImportError(f"{home}: {error}") from error
        return value
