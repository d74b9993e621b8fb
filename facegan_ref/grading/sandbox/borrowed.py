"""Whether a notebook holds the reference's own answers, however it came by them."""

from __future__ import annotations

import gc
import os
import sys
import types
from collections.abc import Collection, Iterator, Mapping

import facegan_ref

_PACKAGE = os.path.dirname(facegan_ref.__file__) + os.sep


class Borrowed:
    """The reference's definitions of graded names, to be found among a notebook's objects.

    Works in a fork of a process that called `gc.freeze`: what the collector knows was made since.

    Args:
        names: what all lessons grade.
        originals: functions that others took the place of, by the id of the other.
    """

    def __init__(self, names: Collection[str], originals: Mapping[int, types.FunctionType]) -> None:
        self._things: dict[str, dict[int, str]] = {name: {} for name in names}
        for place, module in list(sys.modules.items()):
            if not place.startswith("facegan_ref."):
                continue
            for name in self._things.keys() & vars(module).keys():
                value, things = vars(module)[name], self._things[name]
                label = f"{getattr(value, '__module__', place)}.{name}"
                for part in _parts(value):
                    things[id(part)] = label
                    if id(part) in originals:
                        things |= {id(p): label for p in _parts(originals[id(part)])}
                things[id(module)] = things[id(vars(module))] = place

    def held(self, namespace: dict, names: Collection[str]) -> list[str]:
        """Return which definitions of `names` are referred to.

        Looks at `namespace`, and at every object made since the fork.
        """
        searched: dict[int, str] = {}
        for name in names:
            searched |= self._things.get(name, {})
        things = gc.get_objects()
        referents = gc.get_referents(namespace, *things)
        found = {searched[number] for number in searched.keys() & set(map(id, referents))}
        return sorted(found | {thing.__name__ for thing in things if _was_run_again(thing)})


def _was_run_again(thing: object) -> bool:
    """Whether a function of the notebook comes out of a file of this package, as by `%run`."""
    return (
        isinstance(thing, types.FunctionType)
        and thing.__module__ == "__main__"
        and thing.__code__.co_filename.startswith(_PACKAGE)
    )


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
