"""The data of the checks: tables, closures, lists of tasks, which code could change in place."""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Callable

import torch

_CHECKS = "facegan_ref.checks"


class DataSeal:
    """What hangs on the checks' modules, as it is now; functions and classes: `seal.Seal`."""

    def __init__(self) -> None:
        # Each entry: a name, a function that says what is there now, what was there, and how to
        # put it back (None: it cannot be).
        self._entries: list[tuple[str, Callable[[], tuple], tuple, Callable | None]] = []
        self._seen: set[int] = set()
        for name, module in sorted(sys.modules.items()):
            if name == _CHECKS or name.startswith(f"{_CHECKS}."):
                self._keep_names(name, vars(module))

    def broken(self) -> list[str]:
        """Put back what was changed; return what it was."""
        found = []
        for name, now, before, restore in self._entries:
            current = now()
            if len(current) != len(before) or not all(map(operator.is_, current, before)):
                found.append(name)
                if restore is not None:
                    restore()
        return found

    def _keep_names(self, name: str, names: dict) -> None:
        """Keep what the present names of a module or an object stand for; new names may come."""
        kept = {key: value for key, value in names.items() if not key.startswith("__")}
        keys = tuple(kept)
        self._entries.append(
            (
                name,
                lambda: tuple(map(names.get, keys)),
                tuple(kept.values()),
                lambda: names.update(kept),
            )
        )
        for key, value in kept.items():
            self._visit(f"{name}.{key}", value)

    def _visit(self, name: str, value: object) -> None:
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, types.FunctionType):
            self._keep_closure(name, value)
        elif isinstance(value, list | dict | set):
            self._keep_container(name, value)
        elif isinstance(value, tuple | frozenset):
            for item in value:
                self._visit(name, item)
        elif isinstance(value, torch.Tensor):
            self._entries.append((name, lambda: (value._version,), (value._version,), None))
        elif type(value).__module__.startswith(_CHECKS) and hasattr(value, "__dict__"):
            self._keep_names(name, vars(value))

    def _keep_closure(self, name: str, function: types.FunctionType) -> None:
        if not function.__module__.startswith(_CHECKS):
            return
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self._keep_cell(name, cell, content)
            self._visit(name, content)

    def _keep_cell(self, name: str, cell: types.CellType, content: object) -> None:
        def restore() -> None:
            cell.cell_contents = content

        self._entries.append((name, lambda: (cell.cell_contents,), (content,), restore))

    def _keep_container(self, name: str, container: list | dict | set) -> None:
        if isinstance(container, dict):
            items = dict(container)

            def restore() -> None:
                container.clear()
                container.update(items)

            keys_and_values = (*items.keys(), *items.values())
            entry = (name, lambda: (*container, *container.values()), keys_and_values, restore)
        else:
            items = type(container)(container)

            def restore() -> None:
                container.clear()
                (container.extend if isinstance(container, list) else container.update)(items)

            entry = (name, lambda: tuple(container), tuple(items), restore)
        self._entries.append(entry)
        for item in tuple(items.values() if isinstance(items, dict) else items):
            self._visit(name, item)
