"""Go through a notebook: its cells in their order, functions after the cells that define them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from facegan_ref.grading.scanning import text as cell_text
from facegan_ref.grading.scanning.scopes import (
    NOTHING,
    Function,
    Place,
    Scope,
    Value,
    contained,
    join,
    paths,
)
from facegan_ref.grading.scanning.statements import Statements
from facegan_ref.grading.scanning.text import Unreadable

_MAX_ROUNDS = 4
_MAX_TEXTS = 5
"""How deep texts that are code may lie in each other."""


class Flow(Statements):
    """Goes through a notebook, several times, until nothing new is learnt about its functions."""

    def __init__(self, rules: Any) -> None:
        super().__init__()
        self.rules = rules
        rules.flow = self
        self.notebook = self.scope
        self._texts: dict[str | bytes, ast.Module | None] = {}
        self._text_depth = 0

    def read(self, cells: list[tuple[Place, ast.Module]]) -> None:
        """Read the cells of a notebook.

        Raises:
            Unreadable: when that would take too long; `place` says where it was.
        """
        learnt = None
        for _ in range(_MAX_ROUNDS):
            self.notebook.now, self.notebook.depth = {}, 0
            for place, tree in cells:
                self.place, self.scope = place, self.notebook
                if place.demo:
                    self._demonstration(tree)
                elif place.locked:
                    self._instructors(tree)
                else:
                    self.block(tree.body)
            while self.waiting:
                self._body(self.waiting.pop(0))
            before, learnt = learnt, self._learnt()
            if learnt == before:
                return

    def _instructors(self, tree: ast.Module) -> None:
        """Read a cell of the instructor's: only what it imports matters, and the names it takes."""
        for statement in tree.body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                self.block([statement])
            elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                self.scope.bind(statement.name, NOTHING)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    for node in ast.walk(target):
                        if isinstance(node, ast.Name):
                            self.scope.bind(node.id, NOTHING)

    def _demonstration(self, tree: ast.Module) -> None:
        """Note what a cell imports that may not be run: it counts if nobody else has the name."""
        scope, self.scope = self.scope, Scope("notebook")
        self._instructors(tree)
        self.notebook.given.update(self.scope.now)
        self.scope = scope

    def _learnt(self) -> tuple:
        functions = tuple(
            (sum(map(len, f.parameters.values())), len(f.returns)) for f in self.functions
        )
        kept = sum(map(len, self.attributes.values()))
        return functions, kept, sum(map(len, self.notebook.ever.values()))

    def read_text(self, text: str | bytes, node: ast.AST, *, own_lines: bool = False) -> Value:
        """Read a text that is run as code; return the value of its last expression.

        Its lines count as that of `node`, or from there on when they are the cell's `own_lines`.
        """
        if text not in self._texts:
            self._texts[text] = cell_text.parse(text.strip() if isinstance(text, str) else text)
        tree = self._texts[text]
        if tree is None:
            return NOTHING
        if self._text_depth >= _MAX_TEXTS:
            raise Unreadable
        before = self.place
        if own_lines and before.line is None:
            self.place = replace(before, offset=self.line(node))
        else:
            self.place = replace(before, line=self.line(node))
        self._text_depth += 1
        try:
            self.block(tree.body[:-1])
            last = tree.body[-1] if tree.body else None
            if isinstance(last, ast.Expr):
                return self.value(last.value)
            self.block(tree.body[-1:])
            return NOTHING
        finally:
            self.place = before
            self._text_depth -= 1

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Read something as if it stood in a function: it runs some other time."""
        before, scope = self.place, self.scope
        self.place, self.scope = replace(before, inside=True), Scope("function", scope)
        try:
            yield
        finally:
            self.place, self.scope = before, scope

    def line(self, node: ast.AST) -> int:
        """Return the line of a node in its cell."""
        if self.place.line is not None:
            return self.place.line
        return getattr(node, "lineno", 1) + self.place.offset

    def function(self, node: Any, is_method: bool = False) -> Value:
        """Note a function, to be read when the cells have been."""
        arguments = node.args
        number = self.numbers.get(id(node))
        if number is None:
            number = self.numbers[id(node)] = len(self.functions)
            self.functions.append(Function(node, self.scope, self.place, is_method))
        function = self.functions[number]
        function.scope, function.place = self.scope, self.place
        positional = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
        with_default = positional[len(positional) - len(arguments.defaults) :]
        for name, default in zip(with_default, arguments.defaults, strict=True):
            function.take(name, self.value(default))
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            function.take(argument.arg, self.value(default))
        if not isinstance(node, ast.Lambda):
            for argument in ast.walk(arguments):
                if isinstance(argument, ast.arg):
                    self.value(argument.annotation)
            self.value(node.returns)
            if is_method:
                self.methods.setdefault(node.name, set()).add(number)
        if number not in self.waiting:
            self.waiting.append(number)
        return frozenset([f"def:{number}"])

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        is_method = self.scope.kind == "class"
        self.rules.defined(node, node.name, is_method)
        decorators = [self.value(decorator) for decorator in node.decorator_list]
        value = self.function(node, is_method)
        for decorator, made in zip(node.decorator_list, decorators, strict=True):
            value = join(value, self.call(decorator, made, NOTHING, [value], {}))
        self.scope.bind(node.name, value)

    _AsyncFunctionDef = _FunctionDef

    def _ClassDef(self, node: ast.ClassDef) -> None:
        bases = [self.value(base) for base in node.bases]
        for keyword in node.keywords:
            self.value(keyword.value)
        decorators = [self.value(decorator) for decorator in node.decorator_list]
        self.rules.class_defined(node, bases)
        number = self.numbers.get(id(node))
        if number is None:
            number = self.numbers[id(node)] = len(self.classes)
            self.classes.append(node)
        outer, place = self.scope, self.place
        self.scope, self.place = Scope("class", outer), replace(place, inside=True)
        self.block(node.body)
        for name, value in self.scope.ever.items():
            if paths(value):
                self.keep(name, value)
        self.scope, self.place = outer, place
        value: Value = frozenset([f"class:{number}"])
        for decorator, made in zip(node.decorator_list, decorators, strict=True):
            self.call(decorator, made, NOTHING, [value], {})
        self.scope.bind(node.name, value)

    def _body(self, number: int) -> None:
        """Read the body of a function, some time after the cells."""
        function = self.functions[number]
        self.scope = Scope("function", function.scope)
        self.place = replace(function.place, inside=True)
        arguments = function.node.args
        extra = [a for a in (arguments.vararg, arguments.kwarg) if a]
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]:
            value = function.parameters.get(argument.arg, NOTHING)
            self.scope.bind(argument.arg, value)
        self._current = function
        if isinstance(function.node, ast.Lambda):
            function.returns = join(function.returns, self.value(function.node.body))
        else:
            self.block(function.node.body)

    def _Return(self, node: ast.Return) -> None:
        value = self.value(node.value)
        if self.scope.kind == "function":
            self._current.returns = join(self._current.returns, value)

    def _Yield(self, node: ast.Yield) -> Value:
        value = self.value(node.value)
        if self.scope.kind == "function":
            self._current.returns = join(self._current.returns, value, contained(value))
        return NOTHING
