"""Whether the notebook's own code calls the reference's answers, wherever it got and keeps them."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import types
from collections.abc import Callable, Collection, Iterator

import numpy as np
import torch

import facegan_ref

_PACKAGE = os.path.dirname(facegan_ref.__file__) + os.sep
_LIBRARIES = tuple(os.path.dirname(module.__file__) + os.sep for module in (os, torch, np))
_CALL = "stands for the call"
_TEMPLATE = """
def outer({free}):
    def wired(*arguments, **settings):
        {used}
        call = "stands for the call"
        return call(*arguments, **settings)
    return wired
"""


class Tripwire:
    """Stretched through the reference's definitions of `names`; each stays the object that it is.

    Its code is exchanged for one that looks who calls it. Stretch it before a `Seal` is taken.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.originals: dict[int, types.FunctionType] = {}  # by the id of what takes their place
        self._denied: frozenset[str] = frozenset()
        self._called: set[str] = set()
        for place, module in list(sys.modules.items()):
            if place.startswith("facegan_ref."):
                for name in set(names) & set(vars(module)):
                    for function in _entrances(vars(module)[name]):
                        self._wire(function, name)

    def _wire(self, function: types.FunctionType, name: str) -> None:
        if id(function) in self.originals:
            return
        original = types.FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        original.__kwdefaults__ = function.__kwdefaults__
        label = f"{function.__module__}.{name}"
        function.__signature__ = inspect.signature(function)
        function.__code__ = _code(
            functools.partial(self._pass_on, original, name, label), original.__code__
        )
        self.originals[id(function)] = original

    def _pass_on(self, original: Callable, name: str, label: str, *arguments, **settings):
        if name in self._denied and not _is_called_by_package(sys._getframe(2)):
            self._called.add(label)
        return original(*arguments, **settings)

    @contextlib.contextmanager
    def watching(self, names: Collection[str]) -> Iterator[set[str]]:
        """Collect which of the definitions of `names` code outside of the package calls."""
        self._denied, self._called = frozenset(names), set()
        try:
            yield self._called
        finally:
            self._denied = frozenset()


def _entrances(thing: object) -> Iterator[types.FunctionType]:
    """Yield a function, or what makes an instance of a class."""
    if isinstance(thing, type):
        thing = vars(thing).get("__init__")
    if isinstance(thing, types.FunctionType) and thing.__module__.startswith("facegan_ref."):
        yield thing


def _code(call: Callable, original: types.CodeType) -> types.CodeType:
    """Return code that hands its arguments to `call`, with the free names of `original`."""
    space: dict = {}
    free = ", ".join(original.co_freevars)
    exec(compile(_TEMPLATE.format(free=free, used=free or None), __file__, "exec"), space)
    code = space["outer"](*[None] * len(original.co_freevars)).__code__
    constants = tuple(call if constant == _CALL else constant for constant in code.co_consts)
    return code.replace(co_consts=constants, co_name=original.co_name)


def _is_called_by_package(frame: types.FrameType | None) -> bool:
    """Whether the nearest caller that is no library is a file of the package."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            return True
        if not file.startswith(_LIBRARIES):
            return False
        frame = frame.f_back
    return False
