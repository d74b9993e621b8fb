"""What names may stand for: values as sets of possibilities, and the scopes that hold them.

A possibility is the dotted path of something imported ("torch.allclose"), with "[]" behind it when
it lies in a container; a known text or number (`Lit`); or a function or class of the notebook
("def:3", "class:4"). An empty set is an object that nothing is known of.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from facegan_ref.grading.scanning.consts import GAP, Lit
from facegan_ref.grading.scanning.names import CONVENTIONAL, canonical

Value = frozenset
NOTHING: Value = frozenset()
MADE = "made:"
"""An unknown text that was put together from codes: `chr(n)`, `data.decode()`."""

_MAX_LITS = 24
_MAX_PATHS = 40


def paths(value: Value) -> list[str]:
    """Return the dotted paths among the possibilities."""
    return sorted(atom for atom in value if isinstance(atom, str) and ":" not in atom)


def own(value: Value, kind: str) -> list[int]:
    """Return the numbers of the notebook's own functions ("def") or classes ("class")."""
    found = (a.split(":") for a in value if isinstance(a, str) and a.startswith(f"{kind}:"))
    return sorted(int(number) for _, number in found if number.isdigit())


def literals(value: Value) -> list[Any]:
    """Return the known texts and numbers among the possibilities."""
    return [atom.value for atom in value if isinstance(atom, Lit)]


def texts(value: Value) -> list[str]:
    """Return the known texts, those in sequences and bytes too."""
    found: list[str] = []
    todo = literals(value)
    while todo and len(found) < 2000:
        thing = todo.pop()
        if isinstance(thing, bytes):
            thing = thing.decode("latin-1")
        if isinstance(thing, str):
            found.append(thing)
        elif isinstance(thing, tuple):
            todo += thing[:2000]
    return sorted(found)


def known(value: Value) -> bool:
    """Whether the value can be nothing else than known texts and numbers without gaps."""
    return bool(value) and all(isinstance(atom, Lit) for atom in value) and not gappy(value)


def gappy(value: Value) -> bool:
    """Whether a part of the text is not known."""
    return any(GAP in text for text in texts(value))


def join(*values: Value) -> Value:
    """Return all possibilities of `values`; too many are cut down."""
    united = frozenset().union(*values)
    if len(united) > _MAX_LITS:
        lits = [atom for atom in united if isinstance(atom, Lit)]
        if len(lits) > _MAX_LITS:
            united -= frozenset(lits)
        if len(united) > _MAX_PATHS:
            united = frozenset(sorted(map(str, united))[:_MAX_PATHS])
    return united


def contained(value: Value) -> Value:
    """Return a container of the value's paths and functions."""
    return frozenset(
        f"{atom}[]" for atom in value if isinstance(atom, str) and atom.count("[]") < 3
    )


def elements(value: Value) -> Value:
    """Return what may lie in the containers among the possibilities."""
    found: set = set()
    for atom in value:
        if isinstance(atom, str):
            if atom.endswith("[]"):
                found.add(atom[:-2])
        elif isinstance(atom.value, (tuple, str, bytes)):
            found |= {Lit(item) for item in atom.value[:_MAX_LITS]}
    return frozenset(found)


def arguments_in(value: Value) -> Value:
    """Return a value and what lies in it, but not the letters of texts."""
    inner = (a for a in elements(value) if isinstance(a, str) or not _is_text(value))
    return join(value, frozenset(inner))


def _is_text(value: Value) -> bool:
    return any(isinstance(a, Lit) and isinstance(a.value, (str, bytes)) for a in value)


def modules_in(value: Value) -> Value:
    """Return the modules, functions and own functions in a value, without classes and texts.

    A class that lies in an attribute is soon confused with an object of it.
    """
    return frozenset(
        atom
        for atom in value
        if isinstance(atom, str)
        and not atom.rstrip("[]").rpartition(".")[2][:1].isupper()
        and not atom.startswith(MADE)
    )


@dataclass
class Place:
    """Where the code stands that is being read."""

    cell: int = 0
    answer: bool = False
    locked: bool = False
    demo: bool = False
    offset: int = 0
    inside: bool = False
    line: int | None = None
    """The line of a text that is read as code."""


@dataclass
class Function:
    """A function or lambda of the notebook, with what it was called with and what it returned."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    place: Place
    is_method: bool = False
    parameters: dict[str, Value] = field(default_factory=dict)
    returns: Value = NOTHING

    def names(self) -> list[str]:
        """Return the names of its positional parameters."""
        arguments = self.node.args
        return [a.arg for a in [*arguments.posonlyargs, *arguments.args]]

    def take(self, name: str, value: Value) -> None:
        """Note that a parameter may have `value`."""
        self.parameters[name] = join(self.parameters.get(name, NOTHING), value)

    def call(self, positional: list[Value], keywords: dict[str, Value], spread: Value) -> None:
        """Note the arguments of a call; `spread` are those behind `*` and `**`."""
        arguments = self.node.args
        names = self.names()
        shifts = (0, 1) if self.is_method or names[:1] == ["self"] else (0,)
        for index, value in enumerate(positional):
            for shift in shifts:
                if index + shift < len(names):
                    self.take(names[index + shift], value)
            if index + max(shifts) >= len(names) and arguments.vararg:
                self.take(arguments.vararg.arg, join(contained(value)))
        others = [a.arg for a in arguments.kwonlyargs]
        for name, value in keywords.items():
            if name in names or name in others:
                self.take(name, value)
            elif arguments.kwarg:
                self.take(arguments.kwarg.arg, contained(value))
        if spread:
            for name in [*names, *others]:
                self.take(name, spread)


class Scope:
    """The names of a notebook, a function or a class body.

    `now` is what they stand for at this point; `ever` is all they ever stand for, which is what a
    function sees that runs some time later.
    """

    def __init__(self, kind: str, parent: Scope | None = None) -> None:
        self.kind, self.parent = kind, parent
        self.now: dict[str, Value] = {}
        self.ever: dict[str, Value] = {}
        self.sure: set[str] = set()
        self.outer: dict[str, Scope] = {}
        self.depth = 0
        self.given: dict[str, Value] = {}  # what only a demonstration defines

    def root(self) -> Scope:
        return self if self.parent is None else self.parent.root()

    def bind(self, name: str, value: Value) -> None:
        """Give a name a meaning, from here on."""
        if name in self.outer:
            target = self.outer[name]
            target.now[name] = join(target.now.get(name, NOTHING), value)
            target.ever[name] = join(target.ever.get(name, NOTHING), value)
            return
        self.now[name] = value
        self.ever[name] = join(self.ever.get(name, NOTHING), value)
        if self.depth == 0:
            self.sure.add(name)

    def add(self, name: str, value: Value) -> None:
        """Give a name one more meaning."""
        self.bind(name, join(self.lookup(name), value))

    def forget(self, name: str) -> None:
        """Delete a name: a builtin of this name is visible again."""
        self.now.pop(name, None)
        self.sure.discard(name)

    def lookup(self, name: str) -> Value:
        """Return what a name stands for here."""
        if name in self.now:
            return self.now[name]
        scope = self.parent
        while scope is not None:
            if scope.kind != "class" and name in scope.ever:
                found = scope.ever[name]
                return found if name in scope.sure else join(found, conventional(name))
            scope = scope.parent
        return self.root().given.get(name) or conventional(name)

    def merge(self, *states: dict[str, Value]) -> None:
        """Go on with what holds after either of several ways through the code."""
        names = set().union(*states)
        self.now = {
            name: join(*(s[name] if name in s else self._before(name) for s in states))
            for name in names
        }

    def _before(self, name: str) -> Value:
        return conventional(name) if self.parent is None else NOTHING


def conventional(name: str) -> Value:
    """Return what an unbound name means by custom: a builtin, or `np`."""
    path = CONVENTIONAL.get(name)
    return frozenset([canonical(path)]) if path else NOTHING
