"""Whether Python's objects still refer to what they did, seen in memory without touching them.

Who looks at an object in Python counts a reference to it, and so writes to its page. In a fork that
page is still the warm process's: a look at ten thousand functions and classes copies 30 MB. Here
the words of memory are compared where they lie. They tell which objects may have changed; what has
become of these few is for Python's own means to find out.

Source of the layouts: Include/cpython and Include/internal of CPython 3.10 to 3.13.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import platform
import struct
import sys
import types
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

_OLDEST, _NEWEST = (3, 10), (3, 13)  # the versions whose layouts these are
_WORD = 8  # bytes
# Where things stand in an object, in words.
_TYPE = 1
_DICT_USED, _DICT_KEYS = 2, 4  # after the keys: the values, if they do not stand among the keys
_LIST_SIZE = 2  # then: items, room for them
_SET_FILL = 2  # then: number, mask, table
_CELL_CONTENT = 2
_HEAD, _HEAD_KIND = 4, 1  # of a dictionary's keys: references, kind (beside a number for caches),
# room, use; then the table
_WHOLE, _LOWER_HALF = 2**64 - 1, 2**32 - 1
PARTS = ("__code__", "__defaults__", "__kwdefaults__")
"""What a function does, which can be replaced inside it."""
# What is compared first says whether the next may be read at all.
_OBJECTS, _HEADS, _BLOCKS = range(3)

_AT_ONCE = 4096  # words
# Held here: what numpy's names stand for later does not matter.
_differ, _and = np.not_equal, np.bitwise_and


class WatchedWords:
    """Objects, each with an owner, of which `changed` tells whose have to be looked at.

    Args:
        understood: whether the memory of this Python is; if not, all owners have always changed.
    """

    def __init__(self, understood: bool) -> None:
        self._understood = understood
        self._kept: list[object] = []  # so that they stay where they are
        self._always: set[int] = set()
        self._entries: tuple[list[_Entry], ...] = ([], [], [])
        self._layers: list[_Layer] = []

    def watch(self, owner: int, thing: object, but: Collection[str] = ()) -> None:
        """Watch what a module, class, function, closure's cell, dict, list or set refers to.

        Args:
            owner: a number from 0, which several things may have.
            thing: anything; the owner of what is of no such type has always changed.
            but: names of a module or class that may stand for something else as they like.
        """
        if not self._understood:
            self._always.add(owner)
            return
        self._kept.append(thing)
        kind, address = type(thing), id(thing)
        if isinstance(thing, types.ModuleType | type):
            self._add(_OBJECTS, owner, address, _TYPE)
            names = vars(thing)
            self.watch(owner, names if type(names) is dict else gc.get_referents(names)[0], but)
        elif kind is types.FunctionType:
            for place in _places_of_parts():
                self._add(_OBJECTS, owner, address, place)
        elif kind is types.CellType:
            self._add(_OBJECTS, owner, address, _CELL_CONTENT)
        elif kind is dict:
            self._watch_dict(owner, thing, but)
        elif kind is list:
            self._add(_OBJECTS, owner, address, _LIST_SIZE, 3)
            size, items, _ = _words(address, _LIST_SIZE, 3)
            self._add(_BLOCKS, owner, items, 0, size)
        elif kind is set:
            self._add(_OBJECTS, owner, address, _SET_FILL, 4)
            _, _, mask, table = _words(address, _SET_FILL, 4)
            self._add(_BLOCKS, owner, table, 0, 2 * (mask + 1))
        else:
            self._always.add(owner)

    def _watch_dict(self, owner: int, names: dict, but: Collection[str]) -> None:
        _, _, keys, values = _words(id(names), _DICT_USED, 4)
        if names and values:  # an instance's, whose keys are its class's
            key, value = names.popitem()  # gives it keys of its own
            names[key] = value
            _, _, keys, values = _words(id(names), _DICT_USED, 4)
        self._add(_OBJECTS, owner, id(names), _DICT_USED)
        self._add(_OBJECTS, owner, id(names), _DICT_KEYS, 2)
        size = (names.__sizeof__() - dict.__basicsize__) // _WORD
        if names and (values or size < _HEAD):
            self._always.add(owner)
        elif names:
            self._add(_HEADS, owner, keys, _HEAD_KIND, mask=_LOWER_HALF)
            self._add(_HEADS, owner, keys, _HEAD_KIND + 1, _HEAD - _HEAD_KIND - 1)
            table = _words(keys, _HEAD, size - _HEAD)
            place = 0
            for key, value in names.items():
                place = _place_of_pair(table, (id(key), id(value)), place)
                if key not in but:
                    self._add(_BLOCKS, owner, keys, _HEAD + place, 2)

    def _add(
        self, layer: int, owner: int, address: int, place: int, number: int = 1, mask: int = _WHOLE
    ) -> None:
        """Watch `number` words from a place in the object or block at `address`."""
        if number:
            entry = _Entry(address + _WORD * place, number, mask, owner)
            self._entries[layer].append(entry)

    def take(self) -> None:
        """Keep all words as they are now."""
        layers = [[e for e in entries if e.owner not in self._always] for entries in self._entries]
        found = [entry for entries in layers for entry in entries]
        if found:
            memory = _Memory(min(e.address for e in found), max(e.end for e in found))
            last_owner = max(e.owner for e in found)
            self._layers = [_Layer(memory, entries, last_owner) for entries in layers]
        self._entries = ([], [], [])

    def changed(self) -> set[int]:
        """Return the owners whose objects do not, or may not, refer to what they did at `take`."""
        changed: set[int] = set()
        for layer in self._layers:
            changed |= layer.changed(list(changed))
        return changed | self._always


class _Entry(NamedTuple):
    """Some words, one after the other."""

    address: int
    number: int
    mask: int
    owner: int

    @property
    def end(self) -> int:
        return self.address + _WORD * self.number


class _Memory:
    """The memory of this process from one address to another; only what is asked for is read."""

    def __init__(self, first: int, end: int) -> None:
        self.first = first
        self.__array_interface__ = {
            "version": 3,
            "data": (first, True),
            "shape": ((end - first) // _WORD,),
            "typestr": "<u8",
        }


class _Layer:
    """Words that are compared together, a few thousand at a time.

    So all that a comparison writes lies in a few pages, of which a fork has its own soon.
    """

    def __init__(self, memory: _Memory, entries: list[_Entry], last_owner: int) -> None:
        entries.sort()  # neighbours are read faster
        first, numbers, masks, owners = (
            np.array([entry[field] for entry in entries], np.uint64 if field == 2 else np.int64)
            for field in range(4)
        )
        first = (first - memory.first) // _WORD
        before = np.cumsum(numbers) - numbers  # words of the entries before each
        self._memory = np.asarray(memory)
        self._places = np.arange(numbers.sum()) + np.repeat(first - before, numbers)
        self._masks = np.repeat(masks, numbers)
        self._owners = np.repeat(owners, numbers)
        self._before = self._memory[self._places] & self._masks
        self._all_owners = np.ones(last_owner + 1, bool)
        self._now = np.empty(_AT_ONCE, np.uint64)
        self._different = np.empty(_AT_ONCE, bool)

    def changed(self, unread: list[int]) -> set[int]:
        """Return whose words are not what they were; those of owners in `unread` are not read."""
        wanted = self._all_owners
        if unread:
            wanted = wanted.copy()
            wanted[unread] = False
        found: set[int] = set()
        for start in range(0, len(self._places), _AT_ONCE):
            part: slice | np.ndarray = slice(start, start + _AT_ONCE)
            if unread:
                part = wanted[self._owners[part]].nonzero()[0] + start
            places = self._places[part]
            now, different = self._now[: len(places)], self._different[: len(places)]
            self._memory.take(places, out=now, mode="clip")  # the other mode copies
            _and(now, self._masks[part], now)
            if _differ(now, self._before[part], different).any():
                found.update(self._owners[part][different].tolist())
        return found


def _words(address: int, place: int, number: int) -> tuple[int, ...]:
    """Return `number` words of an object from a place on."""
    data = ctypes.string_at(address + _WORD * place, number * _WORD)
    return struct.unpack(f"<{number}Q", data)


def _place_of_pair(words: tuple[int, ...], pair: tuple[int, int], start: int) -> int:
    """Return where two words stand side by side."""
    place = words.index(pair[0], start)
    while words[place : place + 2] != pair:
        place = words.index(pair[0], place + 1)
    return place


@functools.cache
def _places_of_parts() -> tuple[int, ...]:
    """Return where a function keeps its code and defaults, which differs between versions."""

    def function(argument=(), *, option=()):
        pass

    words = _words(id(function), 0, types.FunctionType.__basicsize__ // _WORD)
    return tuple(words.index(id(getattr(function, part))) for part in PARTS)


@functools.cache
def memory_is_understood() -> bool:
    """Whether the memory of this Python is laid out as this module has it, which is tried."""
    known = (
        platform.python_implementation() == "CPython"
        and _OLDEST <= sys.version_info[:2] <= _NEWEST
        and not sys.abiflags  # no debugging, no free threads
        and struct.calcsize("P") == _WORD
        and sys.byteorder == "little"
    )
    return known and all(_is_noticed(thing, change) for thing, change in _changes())


def _is_noticed(thing: object, change: Callable[[], object]) -> bool:
    words = WatchedWords(understood=True)
    words.watch(0, thing)
    words.take()
    before = words.changed()
    change()
    return not before and words.changed() == {0}


def _changes() -> list[tuple[object, Callable[[], object]]]:
    """Return things of all kinds that are watched, each with a change that must be noticed."""

    def function(argument=(), *, option=()):
        return list

    def other():
        return dict

    class Kind:
        method = function

    class Module(types.ModuleType):
        pass

    class Instance:
        def __init__(self):
            self.a, self.b = [], []

    module, names, items, members = types.ModuleType("name"), {"a": [], 1: []}, [[], []], {"a", "b"}
    few: dict = {}
    empty: list = []
    cell, instances = types.CellType([]), (Instance(), Instance())
    return [
        (function, lambda: setattr(function, "__code__", (lambda: list).__code__)),
        (function, lambda: setattr(function, "__defaults__", ([],))),
        (function, lambda: setattr(function, "__kwdefaults__", {"option": []})),
        (other, lambda: setattr(other, "__defaults__", ([],))),
        (Kind, lambda: setattr(Kind, "method", other)),
        (Kind, lambda: setattr(Kind, "more", other)),
        (module, lambda: setattr(module, "__doc__", "changed")),
        (module, lambda: setattr(module, "__class__", Module)),
        (names, lambda: names.update(a=[])),
        (names, lambda: names.pop(1)),
        (vars(instances[0]), lambda: setattr(instances[0], "a", [])),
        (vars(instances[1]), lambda: setattr(instances[1], "b", [])),
        (few, lambda: few.update(a=[])),
        (items, lambda: items.__setitem__(1, [])),
        (items, lambda: items.append([])),
        (empty, lambda: empty.append([])),
        (members, lambda: (members.remove("a"), members.add("c"))),
        (cell, lambda: setattr(cell, "cell_contents", [])),
    ]
