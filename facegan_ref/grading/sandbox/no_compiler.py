"""torch's compiler, loaded only by code that compiles.

The first optimiser of a process imports `torch._dynamo`, and torchvision does: it takes as long as
torch itself. What they ask of it means nothing where nothing is compiled.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable

import torch

_COMPILER = "torch._dynamo"
_UTILS = f"{_COMPILER}.utils"


class _PutOff(types.ModuleType):
    """Stands for a module until it is asked for something that it has not."""

    def __getattr__(self, name: str) -> object:
        is_package = self.__name__ == _COMPILER
        if name.startswith("__") and not (name == "__path__" and is_package):
            # Python itself asks: `inspect` all modules for a file, imports for submodules.
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(_load(self.__name__), name)


class _Compiler(_PutOff):
    """What optimisers ask for."""

    @staticmethod
    def disable(fn: Callable | None = None, *_: object, **__: object) -> Callable:
        """Return `fn`, which is not compiled as it is; without one, a decorator that does so."""
        return (lambda fn: fn) if fn is None else fn

    @staticmethod
    def graph_break(*_: object, **__: object) -> None:
        """End a piece of compiled code, where there is one."""


class _Utils(_PutOff):
    """What torchvision asks for, while it is imported."""

    @staticmethod
    def is_compile_supported(device_type: str) -> bool:
        """Return whether code for a device could be compiled."""
        return _load(_UTILS).is_compile_supported(device_type)


def _load(name: str) -> types.ModuleType:
    """Return the real module of this name."""
    for put_off in (_COMPILER, _UTILS):
        if isinstance(sys.modules.get(put_off), _PutOff):
            del sys.modules[put_off]
    seed = torch.manual_seed
    module = importlib.import_module(name)
    torch.manual_seed = seed  # wrapped for compiled code by the import, and watched by the seal
    return module


def put_off_compiler() -> None:
    """Put the compiler off until something is compiled, unless it is loaded."""
    if _COMPILER not in sys.modules:
        sys.modules[_COMPILER] = _Compiler(_COMPILER)
        sys.modules[_UTILS] = _Utils(_UTILS)
