"""Read lists, dicts, what is taken out of them, and comprehensions."""

from __future__ import annotations

import ast
from typing import Any

from facegan_ref.grading.scanning import consts
from facegan_ref.grading.scanning.consts import GAP, Lit
from facegan_ref.grading.scanning.names import canonical
from facegan_ref.grading.scanning.scopes import (
    NOTHING,
    Value,
    contained,
    elements,
    join,
    literals,
    own,
    paths,
)
from facegan_ref.grading.scanning.values import Expressions

_MAX_FOLDED = 20_000
"""Items of comprehensions that are worked out, in a notebook."""


class Containers(Expressions):
    """Works out containers."""

    def __init__(self) -> None:
        super().__init__()
        self._folding = False
        self._folded_items = 0

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        values = [self.value(item) for item in node.elts]
        self.handed_over(node, values, {}, NOTHING)  # return eval, ("…",)
        return self.container(values)

    _List = _Tuple = _Set = _sequence

    def container(self, values: list[Value]) -> Value:
        """Return a list of `values`."""
        items = tuple(next(iter(literals(v)), GAP) for v in values)
        found = consts.attempt(consts.small, items) if set(items) != {GAP} or not items else []
        return join(frozenset(found), *(contained(value) for value in values))

    def _Dict(self, node: ast.Dict) -> Value:
        keys = [self.value(key) for key in node.keys]
        values = [self.value(value) for value in node.values]
        self.rules.mapping(node, keys, values)
        for key, value in zip(keys, values, strict=True):  # may become the methods of a class
            for name in literals(key):
                if isinstance(name, str) and own(value, "def"):
                    self.keep(name, value)
        spread = [v for key, v in zip(node.keys, values, strict=True) if key is None]
        return join(self.container(values), *spread)

    def _Subscript(self, node: ast.Subscript) -> Value:
        base, index = self.value(node.value), self.value(node.slice)
        found = self.subscript(node, base, index)
        return found if found else self.given_by("__getitem__")

    def subscript(self, node: ast.AST, base: Value, index: Value) -> Value:
        """Return `base[index]`, and have it judged."""
        found: Value = NOTHING
        for path in paths(base):
            for key in literals(index):
                if isinstance(key, str) and (inner := self.entry(path, key)):
                    found = join(found, inner)
        self.rules.taken(node, base, index, found)
        whole = [a.value for a in base if isinstance(a, Lit)]
        numbers = [i for i in literals(index) if isinstance(i, int)]
        if isinstance(getattr(node, "slice", None), ast.Slice):
            numbers = self._slices(node.slice)
        for thing, number in consts.combinations(whole, numbers):
            found |= frozenset(consts.attempt(consts.item, thing, number))
        if not numbers or not whole:
            found = join(found, elements(base))
        return join(found, frozenset(a for a in elements(base) if isinstance(a, str)))

    def entry(self, path: str, key: str) -> Value:
        """Return what lies under `key` in the names of a module or of the notebook."""
        if path == "builtins.globals()":
            return self.scope.root().lookup(key)
        if path.endswith(".__dict__"):
            return frozenset([canonical(f"{path[: -len('.__dict__')]}.{key}")])
        if path == "sys.modules":
            return frozenset([canonical(key)])
        return NOTHING

    def _slices(self, node: ast.Slice) -> list[slice]:
        parts = []
        for part in (node.lower, node.upper, node.step):
            found = literals(self.value(part)) if part is not None else [None]
            if len(found) != 1 or not isinstance(found[0], (int, type(None))):
                return []
            parts.append(found[0])
        return [slice(*parts)]

    def _generator(self, node: Any) -> Value:
        before = dict(self.scope.now)
        folded = self._folded(node)
        for part in node.generators:
            self.bind(part.target, elements(self.value(part.iter)))
            for condition in part.ifs:
                self.value(condition)
        value = contained(self.value(node.elt))
        self.scope.now = before
        return folded or value

    _ListComp = _SetComp = _GeneratorExp = _generator

    def _folded(self, node: Any) -> Value:
        """Return a comprehension over known things as a known sequence: `[chr(c) for c in x]`."""
        part = node.generators[0]
        if len(node.generators) > 1 or self._folding or self._folded_items > _MAX_FOLDED:
            return NOTHING
        self._folding = True
        try:
            return self._fold(node, part)
        finally:
            self._folding = False

    def _fold(self, node: Any, part: ast.comprehension) -> Value:
        with self.rules.silence():
            whole = literals(self.value(part.iter))
            if len(whole) != 1 or not isinstance(whole[0], (tuple, str, bytes)):
                return NOTHING
            if not 0 < len(whole[0]) <= consts.MAX_ITEMS:
                return NOTHING
            results = []
            for item in whole[0]:
                self.bind(part.target, frozenset([Lit(item)]))
                holds = [literals(self.value(condition)) for condition in part.ifs]
                if any(len(answer) != 1 for answer in holds):
                    return NOTHING
                if not all(answer[0] for answer in holds):
                    continue
                found = literals(self.value(node.elt))
                if len(found) != 1:
                    return NOTHING
                results.append(found[0])
        self._folded_items += len(results)
        return frozenset(consts.attempt(consts.small, tuple(results)))

    def _DictComp(self, node: ast.DictComp) -> Value:
        before = dict(self.scope.now)
        for part in node.generators:
            self.bind(part.target, elements(self.value(part.iter)))
            for condition in part.ifs:
                self.value(condition)
        self.value(node.key)
        value = contained(self.value(node.value))
        self.scope.now = before
        return value

    def handed_over(
        self, node: ast.AST, positional: list[Value], keywords: dict[str, Value], spread: Value
    ) -> None:
        """Judge functions that are handed over together with their arguments."""
        raise NotImplementedError
