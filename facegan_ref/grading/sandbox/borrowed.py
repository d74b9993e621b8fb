"""Whether a notebook holds the reference's own answers, however it came by them."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Collection, Iterator


class Borrowed:
    """The reference's definitions of the graded names, to be found among the notebook's objects.

    Works in a fork of a process that called `gc.freeze`: what the collector knows was made since.

    Args:
        names: what the lesson grades.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._things: dict[int, str] = {}
        places = [place for place in sys.modules if place.startswith("facegan_ref.")]
        for place in sorted(places, key=len):  # the place of definition before those of use
            module = sys.modules[place]
            for name in set(names) & set(vars(module)):
                for thing in _parts(vars(module)[name]):
                    self._things.setdefault(id(thing), f"{place}.{name}")
                self._things[id(module)] = place

    def held(self, namespace: dict) -> list[str]:
        """Return which of them the `namespace`, or any object made since the fork, refers to."""
        things = gc.get_objects()
        referents = gc.get_referents(namespace, *things)
        found = self._things.keys() & set(map(id, referents))
        return sorted({self._things[number] for number in found})


def _parts(thing: object) -> Iterator[object]:
    """Yield a function and its code, a class and those of its methods."""
    if isinstance(thing, type):
        yield thing
        for value in vars(thing).values():
            if isinstance(value, types.FunctionType):
                yield from _parts(value)
    elif isinstance(thing, types.FunctionType):
        yield thing
        yield thing.__code__
