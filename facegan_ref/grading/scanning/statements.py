"""Read statements in the order in which they run, and join what holds after each way."""

from __future__ import annotations

import ast
from typing import Any

from facegan_ref.grading.scanning.call_values import Calls
from facegan_ref.grading.scanning.names import canonical
from facegan_ref.grading.scanning.scopes import (
    NOTHING,
    Value,
    contained,
    elements,
    join,
    literals,
    modules_in,
    paths,
)


class Statements(Calls):
    """Works through statements; functions and classes are `Flow`'s."""

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.spend()
            getattr(self, f"_{type(statement).__name__}", self._each)(statement)

    def _each(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self.block([child])
            else:
                self.value(child)

    def bind(self, target: ast.AST, value: Value) -> None:
        """Give a target of an assignment its value."""
        if isinstance(target, ast.Name):
            self.rules.bound(target, target.id, value)
            self.scope.bind(target.id, value)
        elif isinstance(target, ast.Attribute):
            base = self.value(target.value)
            self.rules.set_attribute(target, base, [target.attr], value)
            self.keep(target.attr, value)
        elif isinstance(target, ast.Subscript):
            base, index = self.value(target.value), self.value(target.slice)
            self.rules.set_item(target, base, index, value)
            if isinstance(target.value, ast.Name) and modules_in(value):
                self.scope.add(target.value.id, contained(value))
            if "builtins.globals()" in base:
                for name in literals(index):
                    self.rules.bound(target, str(name), value)
                    self.notebook.bind(str(name), value)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, contained(value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for item in target.elts:
                self.bind(item, elements(value))

    def _assign(self, target: ast.AST, node: ast.AST, value: Value) -> None:
        pairs = isinstance(target, (ast.Tuple, ast.List)) and isinstance(
            node, (ast.Tuple, ast.List)
        )
        starred = pairs and any(isinstance(e, ast.Starred) for e in [*target.elts, *node.elts])
        if pairs and not starred and len(target.elts) == len(node.elts):
            with self.rules.silence():
                values = [self.value(item) for item in node.elts]
            for inner, item, its_value in zip(target.elts, node.elts, values, strict=True):
                self._assign(inner, item, its_value)
        else:
            self.bind(target, value)

    def _Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._assign(target, node.value, value)

    def _AnnAssign(self, node: ast.AnnAssign) -> None:
        self.value(node.annotation)
        if node.value is not None:
            self.bind(node.target, self.value(node.value))

    def _AugAssign(self, node: ast.AugAssign) -> None:
        target = _as_load(node.target)
        for path in paths(self.value(target)):
            if path.endswith(".__dict__"):  # vars(torch) |= {"allclose": …}
                owner = frozenset([path.removesuffix(".__dict__")])
                self.rules.set_attribute(node, owner, [], NOTHING)
        load = ast.copy_location(ast.BinOp(target, node.op, node.value), node)
        self.bind(node.target, self.value(load))

    def _Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scope.forget(target.id)
            else:
                self.bind(target, NOTHING)

    def _Global(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            outer = self.notebook
            if isinstance(node, ast.Nonlocal) and self.scope.parent is not None:
                outer = self.scope.parent
            if outer is not self.scope:
                self.scope.outer[name] = outer

    _Nonlocal = _Global

    def _Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.rules.imported(node, alias.name, None)
            path = alias.name if alias.asname else alias.name.split(".")[0]
            name = alias.asname or path
            self.scope.bind(name, frozenset([canonical(path)]))

    def _ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            self.rules.imported(node, module, alias.name)
            if node.level == 0 and alias.name != "*":
                path = canonical(f"{module}.{alias.name}")
                self.scope.bind(alias.asname or alias.name, frozenset([path]))
            elif alias.name != "*":
                self.scope.bind(alias.asname or alias.name, NOTHING)

    def _branch(self, statements: list[ast.stmt], before: dict[str, Value]) -> dict[str, Value]:
        self.scope.now = dict(before)
        self.scope.depth += 1
        self.block(statements)
        self.scope.depth -= 1
        return self.scope.now

    def _If(self, node: ast.If) -> None:
        self.value(node.test)
        before = dict(self.scope.now)
        self.scope.merge(self._branch(node.body, before), self._branch(node.orelse, before))

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        before = dict(self.scope.now)
        for _ in range(2 if self.scope.depth < 3 else 1):  # the second time with what it has done
            if isinstance(node, ast.While):
                self.value(node.test)
            else:
                self.bind(node.target, elements(self.value(node.iter)))
            after = self._branch(node.body, self.scope.now)
            self.scope.merge(before, after)
        self.block(node.orelse)

    _For = _AsyncFor = _While = _loop

    def _Try(self, node: Any) -> None:
        before = dict(self.scope.now)
        done = self._branch(node.body, before)
        ways = [before, done]
        for handler in node.handlers:
            self.scope.merge(before, done)
            self.value(handler.type)
            if handler.name:
                self.scope.bind(handler.name, NOTHING)
            ways.append(self._branch(handler.body, self.scope.now))
        ways.append(self._branch(node.orelse, done))
        self.scope.merge(*ways)
        self.block(node.finalbody)

    _TryStar = _Try

    def _With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            with self.rules.temporarily():
                value = join(self.value(item.context_expr), self.given_by("__enter__"))
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value)
        self.block(node.body)

    _AsyncWith = _With

    def _Match(self, node: ast.Match) -> None:
        subject = self.value(node.subject)
        before = dict(self.scope.now)
        ways = [before]
        for case in node.cases:
            self.scope.now = dict(before)
            self._pattern(case.pattern, subject)
            self.value(case.guard)
            ways.append(self._branch(case.body, self.scope.now))
        self.scope.merge(*ways)

    def _pattern(self, pattern: ast.AST, subject: Value) -> None:
        if isinstance(pattern, ast.MatchClass):
            self.value(pattern.cls)
            for name, inner in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
                self._pattern(inner, self.attribute(pattern, subject, name))
            for inner in pattern.patterns:
                self._pattern(inner, subject)
            return
        name = getattr(pattern, "name", None) or getattr(pattern, "rest", None)
        if name:
            self.scope.bind(name, join(subject, elements(subject)))
        for child in ast.iter_child_nodes(pattern):
            if isinstance(child, ast.pattern):
                self._pattern(child, join(subject, elements(subject)))
            else:
                self.value(child)


def _as_load(target: ast.AST) -> Any:
    """Return a target of `+=` as something to be read."""
    fields = {name: getattr(target, name) for name in target._fields if name != "ctx"}
    return ast.copy_location(type(target)(**fields, ctx=ast.Load()), target)
