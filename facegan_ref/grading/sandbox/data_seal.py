"""The data of the checks: tables, closures, lists of tasks, which code could change in place."""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

_CHECKS = "facegan_ref.checks"


class Entry(NamedTuple):
    """One thing that hangs on the checks' modules, as it is now.

    Attributes:
        name: of the module's name that it hangs on.
        thing: what would show a change.
        now: returns what it refers to.
        before: what it refers to at first.
        restore: puts that back; None where it cannot be.
    """

    name: str
    thing: object
    now: Callable[[], tuple]
    before: tuple
    restore: Callable[[], object] | None

    def look(self) -> list[str]:
        """Put back what was changed; return the name of it."""
        current = self.now()
        if len(current) == len(self.before) and all(map(operator.is_, current, self.before)):
            return []
        if self.restore is not None:
            self.restore()
        return [self.name]


def data_of_checks() -> Iterator[Entry]:
    """Yield what hangs on the loaded modules of the checks; functions and classes: `seal.Seal`."""
    seen: set[int] = set()
    for name, module in sorted(sys.modules.items()):
        if name == _CHECKS or name.startswith(f"{_CHECKS}."):
            yield from _names(name, vars(module), seen)


def _names(name: str, names: dict, seen: set[int]) -> Iterator[Entry]:
    """Yield what the present names of a module or an object stand for; new names may come."""
    kept = {key: value for key, value in names.items() if not key.startswith("__")}
    keys = tuple(kept)
    yield Entry(
        name,
        names,
        lambda: tuple(map(names.get, keys)),
        tuple(kept.values()),
        lambda: names.update(kept),
    )
    for key, value in kept.items():
        yield from _visit(f"{name}.{key}", value, seen)


def _visit(name: str, value: object, seen: set[int]) -> Iterator[Entry]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, types.FunctionType):
        yield from _closure(name, value, seen)
    elif isinstance(value, list | dict | set):
        yield from _container(name, value, seen)
    elif isinstance(value, tuple | frozenset):
        for item in value:
            yield from _visit(name, item, seen)
    elif isinstance(value, torch.Tensor):
        yield Entry(name, value, lambda: (value._version,), (value._version,), None)
    elif type(value).__module__.startswith(_CHECKS) and hasattr(value, "__dict__"):
        yield from _names(name, vars(value), seen)


def _closure(name: str, function: types.FunctionType, seen: set[int]) -> Iterator[Entry]:
    if not function.__module__.startswith(_CHECKS):
        return
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield _cell(name, cell, content)
        yield from _visit(name, content, seen)


def _cell(name: str, cell: types.CellType, content: object) -> Entry:
    def restore() -> None:
        cell.cell_contents = content

    return Entry(name, cell, lambda: (cell.cell_contents,), (content,), restore)


def _container(name: str, container: list | dict | set, seen: set[int]) -> Iterator[Entry]:
    if isinstance(container, dict):
        items = dict(container)

        def restore() -> None:
            container.clear()
            container.update(items)

        contents = (*items.keys(), *items.values())
        yield Entry(name, container, lambda: (*container, *container.values()), contents, restore)
    else:
        items = type(container)(container)

        def restore() -> None:
            container.clear()
            (container.extend if isinstance(container, list) else container.update)(items)

        yield Entry(name, container, lambda: tuple(container), tuple(items), restore)
    for item in tuple(items.values() if isinstance(items, dict) else items):
        yield from _visit(name, item, seen)
