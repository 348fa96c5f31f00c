"""Modules of others that are loaded when they are used, not when they are imported."""

from __future__ import annotations

import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

__all__ = ["put_off"]

_lock = threading.RLock()


class _Later(ModuleType):
    """A module that is loaded when something is looked for in it that is not there."""

    # That of importlib (LazyLoader) is loaded by being imported once more, before Python 3.12.
    _loading = False

    def __getattr__(self, name: str) -> Any:
        with _lock:
            if name in self.__dict__:  # by another thread
                return self.__dict__[name]
            if self._loading:
                raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
            self._loading = True
            assert self.__spec__ is not None
            assert self.__spec__.loader is not None
            self.__spec__.loader.exec_module(self)
            self.__class__ = ModuleType  # type: ignore[assignment]
            return getattr(self, name)


def put_off(name: str) -> None:
    """Let ``import name`` give a module that is loaded when something in it is first asked for."""
    with _lock:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is None:
            return
        module = _Later(name)
        for key, value in vars(importlib.util.module_from_spec(spec)).items():
            setattr(module, key, value)
        sys.modules[name] = module
