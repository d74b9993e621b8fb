"""What checks rely on is what it was before the student's code ran.

In one process nothing can be hidden from code that sets out to forge its result. But what such code
replaces can be found and put back: the functions and classes of torch, of Python and of the checks
themselves. A `Seal` is taken in the warm process; it is looked at before and after each check.
"""

from __future__ import annotations

import builtins
import gc
import itertools
import operator
import os
import sys
import sysconfig
import types
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.library

from facegan_ref.grading.sandbox.data_seal import data_of_checks
from facegan_ref.grading.sandbox.watched_words import PARTS, WatchedWords, memory_is_understood

# Modules whose functions and classes checks use, each with all below it.
_WATCHED = (
    "builtins", "math", "random", "copy", "inspect", "re", "json", "io", "contextlib", "warnings",
    "signal", "time", "dataclasses", "functools", "operator", "statistics", "secrets",
    "collections", "gc", "numpy", "numpy.random", "torch", "torch._tensor", "torch._C",
    "torch._C._nn",
    "torch.functional", "torch.random", "torch.linalg", "torch.special", "torch.testing",
    "torch.overrides", "torch.serialization", "torch.nn", "torch.autograd", "torch.optim",
    "torch.utils.data", "facegan_ref",
)  # fmt: skip
_WITH_ALL_BELOW = ("torch.nn", "torch.autograd", "torch.optim", "torch.utils.data", "facegan_ref")
_NO_CHECK_USES = (
    "torch.nn.attention", "torch.nn.intrinsic", "torch.nn.qat", "torch.nn.quantizable",
    "torch.nn.quantized", "torch.nn.backends", "torch.nn.parallel", "torch.nn.utils.fusion",
    "torch.utils.data.datapipes", "torch.utils.data.graph", "torch.autograd.profiler",
    "torch.autograd.forward_ad", "torch.autograd._functions",
)  # fmt: skip
_OLD_TENSORS = {"BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor",
                "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor"}  # fmt: skip
_NUMBERS = (float, int, complex, torch.Tensor, np.ndarray)
_PRETENDING = {"__torch_function__", "__torch_dispatch__", "__array_ufunc__", "__array_function__",
               "__class__"}  # fmt: skip
_COMPARING = _PRETENDING | {
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__sub__", "__rsub__", "__abs__",
    "__bool__", "__float__",
}  # fmt: skip
# Where installed packages lie; a hand-in's own modules lie elsewhere.
_INSTALLED = tuple(
    {os.path.join(path, "") for key, path in sysconfig.get_paths().items() if key.endswith("lib")}
)
_CHANGES_BY_ITSELF = ("torch.Storage",)  # torch.set_default_dtype does it
# What notebooks replace for honest reasons, and no check looks at.
_HARMLESS = (
    "builtins.print", "builtins.input", "time.sleep", "torch.load", "torch.save",
    "torch.serialization.load", "torch.serialization.save", "torch.compile", "warnings.",
    "torch.set_printoptions", "numpy.set_printoptions",
    "torch.manual_seed", "torch.random.manual_seed", "numpy.random.seed", "random.seed",  # = 42
)  # fmt: skip


def is_harmless(name: str) -> bool:
    """Whether a replaced function (see `Seal.broken`) can have no part in a check."""
    return name.startswith(_HARMLESS)


def _is_watched(name: str) -> bool:
    if name.startswith(_NO_CHECK_USES):
        return False
    return name in _WATCHED or name.startswith(tuple(f"{top}." for top in _WITH_ALL_BELOW))


def _guarded(value: object) -> bool:
    """Whether a name with this value is one that nothing honest replaces."""
    return callable(value) or isinstance(value, types.ModuleType | property)


def _body(value: object) -> tuple | None:
    """What a function does, which can be replaced inside it."""
    if isinstance(value, types.FunctionType):
        return (value, *(getattr(value, part) for part in PARTS))
    return None


class _Place(NamedTuple):
    """A module or class: its kind, all its names, and those that are guarded (`chosen`: which)."""

    name: str
    holder: types.ModuleType | type
    kind: type
    names: frozenset[str]
    keys: tuple[str, ...]
    values: tuple[object, ...]
    chosen: tuple[bool, ...]

    def look(self) -> list[str]:
        """Put back what was replaced; return the names of it."""
        return [] if self._is_whole() else _mend(self)

    def _is_whole(self) -> bool:
        """Whether all is as it was, looked at without a search for each name."""
        now = vars(self.holder)
        return (
            type(self.holder) is self.kind
            and now.keys() == self.names
            and all(map(operator.is_, itertools.compress(now.values(), self.chosen), self.values))
        )


class Seal:
    """The functions and classes of the watched modules, and the data of the checks, as they are.

    Whose memory has not changed is not looked at any further (`watched_words`).
    """

    def __init__(self) -> None:
        self._bodies: list[tuple[str, tuple]] = []
        self._known_classes = set(_classes())
        self._words = WatchedWords(memory_is_understood())
        self._looks: list[Callable[[], list[str]]] = []
        seen: set[int] = set()
        for name, module in sorted(sys.modules.items()):
            if isinstance(module, types.ModuleType) and _is_watched(name):
                self._add(name, module, seen)
        self._parts_of_bodies = tuple(zip(*(body for _, body in self._bodies), strict=True))
        self._watch(self._look_at_bodies, *self._parts_of_bodies[0])
        for entry in data_of_checks():
            self._watch(entry.look, entry.thing)
        kernels = set(torch.library._impls)
        self._watch(lambda: _new_kernels(kernels), torch.library._impls)
        self._words.take()

    def _watch(
        self, look: Callable[[], list[str]], *things: object, but: Collection[str] = ()
    ) -> None:
        """Let `look` be called when one of `things` may have changed (see `WatchedWords.watch`)."""
        for thing in things:
            self._words.watch(len(self._looks), thing, but)
        self._looks.append(look)

    def _add(self, name: str, holder: types.ModuleType | type, seen: set[int]) -> None:
        if id(holder) in seen:
            return
        seen.add(id(holder))
        names = vars(holder)
        values = {
            key: value
            for key, value in names.items()
            if _guarded(value) and f"{name}.{key}" not in _CHANGES_BY_ITSELF
        }
        kind, keys = type(holder), tuple(values)
        chosen = tuple(key in values for key in names)
        objects = tuple(values.values())
        place = _Place(name, holder, kind, frozenset(names), keys, objects, chosen)
        self._watch(place.look, holder, but=names.keys() - values.keys())
        for key, value in values.items():
            body = _body(value)
            if body is not None and id(value) not in seen:
                seen.add(id(value))
                self._bodies.append((f"{name}.{key}", body))
            is_old = key in _OLD_TENSORS and name == "torch"
            if isinstance(value, type) and _is_watched(value.__module__) and not is_old:
                self._add(f"{value.__module__}.{value.__qualname__}", value, seen)

    def broken(self) -> list[str]:
        """Put back what was replaced; return the names of it, e.g. ["torch.allclose"]."""
        looks = [self._looks[changed] for changed in sorted(self._words.changed())]
        return [name for look in looks for name in look()] + _leave_modes()

    def _look_at_bodies(self) -> list[str]:
        functions, *parts = self._parts_of_bodies
        for part, before in zip(PARTS, parts, strict=True):
            if not all(map(operator.is_, map(operator.attrgetter(part), functions), before)):
                return self._mend_bodies()
        return []

    def _mend_bodies(self) -> list[str]:
        found = []
        for name, (function, *parts) in self._bodies:
            for part, before in zip(PARTS, parts, strict=True):
                if getattr(function, part) is not before:
                    found.append(name)
                    setattr(function, part, before)
        return list(dict.fromkeys(found))

    def pretenders(self, classes: Collection[type]) -> list[str]:
        """Return classes that pass for numbers or tensors and answer checks as they like.

        Looks at what the collector knows: in a fork of a process that called `gc.freeze`, that is
        what was made since.

        Args:
            classes: those that the notebook has defined.
        """
        found = set()
        for new in {*classes, *_classes()} - self._known_classes:
            names = set(vars(new))
            own = new.__module__ == "__main__" and issubclass(new, _NUMBERS)
            direct = new in classes or (object in new.__bases__ and not _is_of_a_library(new))
            if (own and _COMPARING & names) or (direct and _PRETENDING & names):
                found.add(new.__qualname__)
        return sorted(found)


def _is_of_a_library(new: type) -> bool:
    """Whether an installed package has defined this class: pandas answers numpy's questions."""
    module = sys.modules.get(new.__module__)
    codes = [
        function.__code__.co_filename
        for function in (getattr(thing, "__func__", thing) for thing in vars(new).values())
        if isinstance(function, types.FunctionType)
    ]
    file = getattr(module, "__file__", None) or ""
    return file.startswith(_INSTALLED) and all(code.startswith(_INSTALLED) for code in codes)


def _classes() -> Iterator[type]:
    """Yield the classes that the collector knows."""
    return (thing for thing in gc.get_objects() if issubclass(type(thing), type))


def _new_kernels(known: set[str]) -> list[str]:
    """Return which functions of the known libraries ("aten/add/CPU") have got another kernel."""
    libraries = {kernel.partition("/")[0] for kernel in known}
    new = sorted(torch.library._impls - known)
    return [f"torch's {kernel}" for kernel in new if kernel.partition("/")[0] in libraries]


def _mend(place: _Place) -> list[str]:
    """Put a module or class back as it was; return what was replaced."""
    found = []
    if type(place.holder) is not place.kind:
        found.append(place.name)
        place.holder.__class__ = place.kind
    now = vars(place.holder)
    for key, value in zip(place.keys, place.values, strict=True):
        if now.get(key) is not value:
            found.append(f"{place.name}.{key}")
            _set(place.holder, key, value)
    for key in sorted(now.keys() - place.names, key=str):
        if _shadows(place.holder, key, now[key]):
            found.append(f"{place.name}.{key}")
            _remove(place.holder, key)
    return found


def _shadows(holder: types.ModuleType | type, key: str, value: object) -> bool:
    """Whether a new name hides another: a builtin in a module, a base's method in a class."""
    if isinstance(holder, types.ModuleType):
        return key in vars(builtins) and holder is not builtins
    return _guarded(value) and any(key in vars(base) for base in holder.__mro__[1:])


def _set(holder: types.ModuleType | type, key: str, value: object) -> None:
    if isinstance(holder, types.ModuleType):
        vars(holder)[key] = value
    else:
        type.__setattr__(holder, key, value)


def _remove(holder: types.ModuleType | type, key: str) -> None:
    if isinstance(holder, types.ModuleType):
        del vars(holder)[key]
    else:
        type.__delattr__(holder, key)


def _leave_modes() -> list[str]:
    """End modes that catch every call of torch; return what they were."""
    found = []
    torch.set_default_device(None)  # itself such a mode, and honest
    while torch._C._len_torch_function_stack():
        found.append(f"mode {type(torch._C._pop_torch_function_stack()).__name__}")
    while torch._C._len_torch_dispatch_stack():
        found.append(f"mode {type(torch._C._pop_torch_dispatch_stack()).__name__}")
    return found
