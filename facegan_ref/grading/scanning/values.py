"""Read expressions: what they may stand for."""

from __future__ import annotations

import ast
from typing import Any

from facegan_ref.grading.scanning import consts
from facegan_ref.grading.scanning.consts import GAP, Lit
from facegan_ref.grading.scanning.names import canonical
from facegan_ref.grading.scanning.scopes import (
    MADE,
    NOTHING,
    Function,
    Place,
    Scope,
    Value,
    elements,
    join,
    literals,
    modules_in,
    own,
    paths,
)
from facegan_ref.grading.scanning.text import Unreadable

MAX_STEPS = 400_000
A_TYPE = "builtins.type()"
"""The class of some object."""


class Expressions:
    """Works out values, and tells `rules` of every use on the way.

    For each kind of node there is a method of its name, `_Name` for `ast.Name`; a node without
    one is read part by part. `Containers`, `Calls`, `Statements` and `Flow` build on it, in this
    order.
    """

    rules: Any

    def __init__(self) -> None:
        self.scope = Scope("notebook")
        self.place = Place()
        self.functions: list[Function] = []
        self.classes: list[ast.ClassDef] = []
        self.numbers: dict[int, int] = {}
        self.methods: dict[str, set[int]] = {}
        self.attributes: dict[str, Value] = {}
        self.waiting: list[int] = []
        self.steps = 0

    def spend(self, steps: int = 1) -> None:
        """Count the work; give up on code that is made to be read for ever."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise Unreadable

    def value(self, node: ast.AST | None) -> Value:
        """Return what an expression may stand for."""
        if node is None:
            return NOTHING
        self.spend()
        read = getattr(self, f"_{type(node).__name__}", None)
        if read is not None:
            return read(node)
        for child in ast.iter_child_nodes(node):
            self.value(child)
        return NOTHING

    def _Name(self, node: ast.Name) -> Value:
        value = self.scope.lookup(node.id)
        if node.id == "__name__" and not value:
            return frozenset([Lit("__main__")])
        self.rules.named(node, node.id, value)
        return value

    def _Attribute(self, node: ast.Attribute) -> Value:
        quiet = node.attr.startswith("co_")
        if quiet and isinstance(node.value, ast.Attribute) and node.value.attr == "__code__":
            self.value(node.value.value)
            return NOTHING
        return self.attribute(node, self.value(node.value), node.attr)

    def attribute(self, node: ast.AST, base: Value, name: str) -> Value:
        """Return `base.name`, and have it judged."""
        self.spend(len(base))
        found: Value = frozenset(
            self._member(path, name) for path in paths(base) if not path.endswith("[]")
        )
        if "__main__" in base:
            found = join(found, self.scope.root().lookup(name))
        if "builtins.globals()" in base and name == "get":
            found = frozenset(["builtins.globals().get"])
        self.rules.attribute(node, base, name, found)
        if name == "__class__" and not self.is_self(getattr(node, "value", None)):
            return found or frozenset([A_TYPE])
        if name in ("__mro__", "__bases__"):
            return frozenset([f"{A_TYPE}[]"])
        if name == "__base__":
            return frozenset([A_TYPE])
        found = join(found, self.attributes.get(name, NOTHING))
        if own(base, "class"):
            found = join(found, frozenset(f"def:{i}" for i in self.methods.get(name, ())))
        if not paths(base):
            found = join(found, self.given_by(name, "__getattr__"))
        return found

    def given_by(self, *methods: str) -> Value:
        """Return what the notebook's own methods of these names give: of properties and so on."""
        numbers = [number for name in methods for number in self.methods.get(name, ())]
        return join(*(modules_in(self.functions[number].returns) for number in numbers))

    def _member(self, path: str, name: str) -> str:
        if path.endswith(".__dict__") and name in ("get", "pop", "setdefault", "__getitem__"):
            return f"{path}.{name}"
        return canonical(f"{path}.{name}") if path.count(".") < 8 else path

    def is_self(self, node: ast.AST | None) -> bool:
        return isinstance(node, ast.Name) and node.id in ("self", "cls")

    def _Constant(self, node: ast.Constant) -> Value:
        try:
            return frozenset([Lit(consts.small(node.value))])
        except consts.Unknown:
            return NOTHING

    def _JoinedStr(self, node: ast.JoinedStr) -> Value:
        choices = []
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.value(inner)
            if isinstance(part, ast.FormattedValue):
                self.value(part.format_spec)
                plain = not part.format_spec and part.conversion in (-1, 115)
                value = value if plain else NOTHING
            choices.append([str(text) for text in literals(value)] or [GAP])
        found = set()
        for parts in consts.combinations(*choices):
            self.spend(consts.size(*parts))
            found |= set(consts.attempt(consts.small, "".join(parts)))
        return frozenset(found)

    def _BinOp(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        rights = literals(right) or [GAP]
        if isinstance(node.op, ast.Div):  # Path("a") / "b"
            if not (literals(left) or literals(right)):
                return NOTHING
            pairs = consts.combinations(literals(left) or [GAP], rights)
            return frozenset(
                Lit(f"{a}/{b}") for a, b in pairs if isinstance(a, str) and isinstance(b, str)
            )
        found = join(
            frozenset(a for a in left if isinstance(a, str) and a.endswith("[]")),
            frozenset(a for a in right if isinstance(a, str) and a.endswith("[]")),
        )
        found |= frozenset(a for a in join(left, right) if a == MADE)
        if not literals(left) and not literals(right):
            return found
        for a, b in consts.combinations(literals(left) or [GAP], rights):
            self.spend(consts.size(a, b))
            found |= frozenset(consts.attempt(consts.operate, node.op, a, b))
        return found

    def _UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub):
            numbers = [n for n in literals(value) if type(n) is int]
            return frozenset(Lit(-number) for number in numbers)
        return NOTHING

    def _IfExp(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return join(self.value(node.body), self.value(node.orelse))

    def _BoolOp(self, node: ast.BoolOp) -> Value:
        return join(*(self.value(part) for part in node.values))

    def _Compare(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        right = NOTHING
        for operator, part in zip(node.ops, node.comparators, strict=True):
            looked_up = isinstance(operator, (ast.In, ast.NotIn))
            with self.rules.membership(looked_up):
                right = self.value(part)
        if len(node.ops) == 1 and len(literals(left)) == len(literals(right)) == 1:
            pair = literals(left)[0], literals(right)[0]
            return frozenset(consts.attempt(consts.compare, node.ops[0], *pair))
        return NOTHING

    def _NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.bind(node.target, value)
        return value

    def _Starred(self, node: ast.Starred) -> Value:
        return elements(self.value(node.value))

    def _Await(self, node: ast.Await) -> Value:
        return self.value(node.value)

    def _Lambda(self, node: ast.Lambda) -> Value:
        return self.function(node)

    def keep(self, name: str, value: Value) -> None:
        """Note what an attribute of some object may be."""
        if kept := modules_in(value):
            self.attributes[name] = join(self.attributes.get(name, NOTHING), kept)

    # What the classes that build on this one do

    def bind(self, target: ast.AST, value: Value) -> None:
        """Give a target of an assignment its value."""
        raise NotImplementedError

    def function(self, node: Any, is_method: bool = False) -> Value:
        """Note a function, to be read when the cells have been."""
        raise NotImplementedError
