"""What counts as a finding: uses and changes. The other rules build on these."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from facegan_ref.grading.scanning import names
from facegan_ref.grading.scanning.consts import GAP
from facegan_ref.grading.scanning.findings import PACKAGE, Allowance, Found, shown
from facegan_ref.grading.scanning.scopes import Place, Value, literals, own, paths

_MAX_OF_A_CELL = 40


class Rules:
    """Is told what a notebook does, and collects what is found.

    Args:
        allowance: what may be used of the reference package.
    """

    flow: Any

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.found: dict[tuple, Found] = {}
        self._counts: dict[tuple[int, bool], int] = {}
        self.disguises: set[str] = set()
        self.path_changed = False
        self.written_modules: set[str] = set()
        self.imported_roots: set[str] = set()
        self._silent = 0
        self._membership = 0
        self._temporary = 0

    def report(self, node: ast.AST, kind: str, what: object, plain: bool = False) -> None:
        """Keep a finding at `node`, unless the cell is the instructor's."""
        place: Place = self.flow.place
        if self._silent or place.locked:
            return
        text = str(what) if plain else shown(what)
        found = Found(place.cell, self.flow.line(node), kind, text, place.answer, place.inside)
        key = (found.cell, found.line, kind, text)
        of_its_sort = found.cell, found.refuses
        if key not in self.found:
            self._counts[of_its_sort] = self._counts.get(of_its_sort, 0) + 1
            if self._counts[of_its_sort] > _MAX_OF_A_CELL:
                return
        if key not in self.found or found.refuses:
            self.found[key] = found

    def give_up(self) -> None:
        """Say that the notebook could not be read to its end."""
        self._silent = 0
        self.flow.place = Place(self.flow.place.cell, self.flow.place.answer)
        self.report(ast.Pass(), "unreadable", "", plain=True)

    def together(self) -> Iterator[Found]:
        """Yield what is harmless alone, but not together with something else of the notebook."""
        kinds: dict[str, list[Found]] = {}
        for found in self.found.values():
            kinds.setdefault(found.kind, []).append(found)
        if "text" in kinds and "files" in kinds:  # reads the reference's text, and runs it
            for found in kinds["text"]:
                yield replace(found, kind="hidden")
        used = self.written_modules & self.imported_roots or self.path_changed
        for found in kinds.get("package", []) if used and self.disguises else []:
            yield replace(found, kind="carried")

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Read something a second time, for its value only."""
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    @contextmanager
    def membership(self, active: bool) -> Iterator[None]:
        """Read the right side of `in`: `"google.colab" in sys.modules` only looks a name up."""
        self._membership += active
        try:
            yield
        finally:
            self._membership -= active

    @contextmanager
    def temporarily(self) -> Iterator[None]:
        """Read what a `with` enters: a change that it makes ends with it."""
        self._temporary += 1
        try:
            yield
        finally:
            self._temporary -= 1

    # Uses

    def named(self, node: ast.AST, name: str, value: Value) -> None:
        """A name is read."""
        if name == "__builtins__":
            self.report(node, "curious", name)
        for path in paths(value):
            self._used(node, path)

    def _used(self, node: ast.AST, path: str) -> None:
        path = path.rstrip("[]")
        if path.split(".")[0] == PACKAGE:
            # In a scratch cell, its import says it.
            if self.flow.place.answer and not self.allowance.covers(path):
                self.report(node, "reference", path)
        elif kind := names.use_kind(path):
            self.report(node, kind, path)

    def _leads_out(self, owner: str, path: str) -> bool:
        """Whether `path` is a part of `owner`, which may be used, that may not."""
        inside = owner.split(".")[0] == PACKAGE and self.allowance.covers(owner)
        return inside and not self.allowance.covers(path)

    def attribute(self, node: ast.AST, base: Value, name: str, found: Value) -> None:
        """`base.name` is read; `found` is what it may be."""
        for path in paths(found):
            self._used(node, path)
            owner = path.removesuffix(f".{name}")
            if self._leads_out(owner, path) and not name.startswith("__"):
                self.report(node, "within", path)
            if path == "sys.modules" and not self._membership:
                self.report(node, "curious", path)
            if path.startswith(f"{PACKAGE}.") and name in ("__file__", "__path__", "__spec__"):
                self.report(node, "files", path)
            looked_up = name in ("keys", "get", "pop", "__getitem__")
            if owner == "sys.modules" and not self._membership and not looked_up:
                self.report(node, "inside", path)
        kind = names.ATTRIBUTES.get(name)
        if kind and not any(names.use_kind(path) for path in paths(found)):
            guarded = any(p.split(".")[0] in names.PROTECTED for p in paths(base))
            if name in ("__spec__", "__loader__") and not guarded:
                return
            closed = kind == "curious" and any(p.startswith(PACKAGE) for p in paths(base))
            self.report(node, "inside" if closed else kind, name)

    def taken(self, node: ast.AST, base: Value, index: Value, found: Value) -> None:
        """`base[index]` is read."""
        for path in paths(found):
            self._used(node, path)
        keys = [key for key in literals(index) if isinstance(key, str) and GAP not in key]
        for path in paths(base):
            self.entry_taken(node, path, keys)

    def entry_taken(self, node: ast.AST, path: str, keys: list[str]) -> None:
        """Something is taken out of the names of a module, or out of the loaded modules."""
        if path == "sys.modules":
            roots = {key.split(".")[0] for key in keys}
            if not keys or roots & names.PROTECTED:
                self.report(node, "inside", f"sys.modules[{', '.join(keys) or '…'}]")
        elif path.startswith(f"{PACKAGE}.") and path.endswith(".__dict__") and not keys:
            self.report(node, "detour", path)
        elif path in ("builtins.globals()", "builtins.__dict__") and "__builtins__" in keys:
            self.report(node, "inside", "__builtins__")

    # Changes

    def bound(self, node: ast.AST, name: str, value: Value) -> None:
        """A name of the notebook is given a meaning."""
        if (name in names.OWN_NAMES and self.flow.scope.kind == "notebook") or (
            name in ("__class__", "__module__") and self.flow.scope.kind == "class"
        ):
            self.report(node, "identity", name)
        elif name in ("exec", "setattr", "__import__", "grade", "grade_fresh") and (
            self.flow.scope.kind == "notebook"
        ):
            self.report(node, "odd", f"gives {shown(name)} another meaning", plain=True)

    def set_attribute(
        self, node: ast.AST, base: Value, attributes: list[str], value: Value
    ) -> None:
        """`base.attribute` is set or deleted; no attribute known: some one."""
        for path in paths(base):
            if not path.endswith("[]"):
                for attribute in attributes or ["…"]:
                    self.changed(node, f"{path}.{attribute}")
        for attribute in attributes:
            if attribute == "__module__" and own(base, "def") and not paths(base):
                continue  # of a function whose code is here
            if attribute in names.SET_ATTRIBUTES:
                self.report(node, names.SET_ATTRIBUTES[attribute], attribute)
            elif attribute in names.FORGING and own(base, "class"):
                self.report(node, "forged", attribute)
            elif attribute in names.ATTRIBUTES:
                self.report(node, names.ATTRIBUTES[attribute], attribute)
            elif attribute in names.TENSOR_METHODS and own(value, "def") and not paths(base):
                target = getattr(node, "value", None)
                if not (isinstance(target, ast.Name) and target.id in ("self", "cls")):
                    what = f"gives an object its own {shown(attribute)}"
                    self.report(node, "odd", what, plain=True)

    def changed(self, node: ast.AST, path: str) -> None:
        """Something imported is changed."""
        root = path.split(".")[0]
        attribute = path.rpartition(".")[2]
        if path.startswith("builtins.type()"):
            forging = attribute.startswith("__") or attribute in names.TENSOR_METHODS
            if forging and attribute not in ("__doc__", "__name__"):
                self.report(node, "patch", f"type(…).{attribute}")
        elif path.startswith("IPython.get_ipython()"):
            self.report(node, "kernel", path)
        elif path in ("builtins.__import__", "builtins.__build_class__"):
            self.report(node, "detour", path)
        elif path.startswith("sys.modules"):
            self.report(node, "inside", path)
        elif path.startswith("builtins.globals()") or root not in names.PROTECTED:
            return
        elif names.MILD.match(path):
            self.report(node, "mild", path)
        elif not names.SETTINGS.match(path):
            brief = self._temporary and not self.flow.place.answer
            self.report(node, "mild" if brief else "patch", path)

    def set_item(self, node: ast.AST, base: Value, index: Value, value: Value) -> None:
        """`base[index]` is set or deleted."""
        keys = [key for key in literals(index) if isinstance(key, str) and GAP not in key]
        for path in paths(base):
            root = path.split(".")[0]
            if path == "builtins":  # `__builtins__` may be a dict
                path = "builtins.__dict__"
            if path.endswith(".__dict__"):
                self.set_attribute(node, frozenset([path.removesuffix(".__dict__")]), keys, value)
            elif path == "sys.modules":
                self.entry_taken(node, path, keys)
            elif path == "os.environ":
                for key in keys:
                    if key.startswith("FACEGAN_") and key != "FACEGAN_QUICK":
                        self.report(node, "mild", key)
            elif (
                root in names.PROTECTED
                and not path.endswith("[]")
                and (not names.SETTINGS.match(path) and path != "builtins.globals()")
            ):
                self.report(node, "mild", f"{path}[…]")
