"""Read calls: what they give, and what a function of the notebook is called with."""

from __future__ import annotations

import ast
from typing import Any

from facegan_ref.grading.scanning import consts
from facegan_ref.grading.scanning.consts import GAP, Lit
from facegan_ref.grading.scanning.containers import Containers
from facegan_ref.grading.scanning.names import (
    CODE_TAKERS,
    INDIRECT_IMPORTS,
    SETS_ATTRIBUTES,
    canonical,
)
from facegan_ref.grading.scanning.scopes import (
    MADE,
    NOTHING,
    Value,
    arguments_in,
    contained,
    elements,
    join,
    literals,
    modules_in,
    own,
    paths,
)
from facegan_ref.grading.scanning.values import A_TYPE

_HANDED_OVER = SETS_ATTRIBUTES | CODE_TAKERS | INDIRECT_IMPORTS | {"builtins.getattr"}
"""Functions that do the same when others call them."""

_SAME = frozenset(
    [
        *("list", "tuple", "set", "frozenset", "iter", "reversed", "sorted", "filter"),
        *("dict", "copy.copy", "copy.deepcopy", "itertools.chain", "itertools.cycle"),
        *("itertools.islice", "types.SimpleNamespace", "weakref.proxy", "weakref.ref"),
        *("contextlib.nullcontext", "typing.cast"),
    ]
)
"""Functions that give what they are given; builtins by their bare name."""


class Calls(Containers):
    """Works out calls."""

    def _Call(self, node: ast.Call) -> Value:
        base: Value = NOTHING
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value)
            function = self.attribute(node.func, base, node.func.attr)
        else:
            function = self.value(node.func)
        positional = [self.value(a) for a in node.args if not isinstance(a, ast.Starred)]
        spread = [self.value(a) for a in node.args if isinstance(a, ast.Starred)]
        keywords = {k.arg: self.value(k.value) for k in node.keywords if k.arg}
        spread += [elements(self.value(k.value)) for k in node.keywords if k.arg is None]
        return self.call(node, function, base, positional, keywords, join(*spread))

    def call(
        self,
        node: ast.Call,
        function: Value,
        base: Value,
        positional: list[Value],
        keywords: dict[str, Value],
        spread: Value = NOTHING,
    ) -> Value:
        """Return what a call may give, and have it judged."""
        every = [*positional, *keywords.values(), spread]
        for name, value in keywords.items():  # a dataclass, a namespace: it becomes an attribute
            self.keep(name, value)
        found = self.rules.called(node, function, base, positional, keywords, spread)
        for number in own(function, "def"):
            found = join(found, self._enter(number, positional, keywords, spread))
        for number in own(function, "class"):
            for method in self.classes[number].body:
                if isinstance(method, ast.FunctionDef) and id(method) in self.numbers:
                    self._enter(self.numbers[id(method)], positional, keywords, spread)
        callee = getattr(node, "func", None)
        name = getattr(callee, "attr", "")
        if not function and name in self.methods:
            for number in self.methods[name]:
                found = join(found, self._enter(number, positional, keywords, spread))
        if not function:
            found = join(found, self.given_by("__call__"))
        self._callbacks(every)
        self.handed_over(node, positional, keywords, spread)
        if name in ("append", "extend", "add", "insert", "update", "setdefault", "put"):
            target = getattr(callee, "value", None)
            if isinstance(target, ast.Name) and any(map(modules_in, every)):
                self.scope.add(target.id, contained(join(*every)))
        if any(isinstance(atom, str) and atom.endswith("[]") for atom in base):
            found = join(found, self._from_container(base, name))
        for path in paths(function):
            found = join(found, self._known_call(node, path, positional, keywords, spread))
        if literals(base):
            found = join(found, self._text_method(literals(base), name, positional))
        if not literals(found) and self._makes_text(paths(function), name, [base, *positional]):
            found |= {MADE}
        return found

    def _enter(
        self, number: int, positional: list[Value], keywords: dict[str, Value], spread: Value
    ) -> Value:
        """Call a function of the notebook."""
        self.spend(1 + len(positional))
        self.functions[number].call(positional, keywords, spread)
        return self.functions[number].returns

    def _from_container(self, base: Value, method: str) -> Value:
        held = frozenset(atom for atom in base if isinstance(atom, str) and atom.endswith("[]"))
        if method == "items":
            return contained(held)
        if method in ("get", "pop", "popitem", "setdefault", "__getitem__", "popleft"):
            return elements(held)
        return held if method in ("values", "copy") else NOTHING

    def _makes_text(self, functions: list[str], method: str, parts: list[Value]) -> bool:
        """Whether an unknown text comes out of codes, or of such texts."""
        makers = {"decode", "translate", "fromhex", "to_bytes", "unhexlify", "b64decode"}
        if method in makers or {"builtins.chr", "builtins.bytes", "builtins.bytearray"} & {
            *functions
        }:
            return True
        return any(isinstance(a, str) and a.startswith(MADE) for part in parts for a in part)

    def _callbacks(self, every: list[Value]) -> None:
        """Functions that are handed over may be called with what is handed over beside them."""
        numbers = {number for value in every for number in own(value, "def")}
        if not numbers:
            return
        given = join(*(modules_in(join(value, elements(value))) for value in every))
        given = frozenset(a for a in given if not a.startswith(("def:", "class:")))
        if given:
            for number in numbers:
                function = self.functions[number]
                for name in function.names():
                    function.take(name, given)

    def handed_over(
        self, node: ast.AST, positional: list[Value], keywords: dict[str, Value], spread: Value
    ) -> None:
        """Judge `map(setattr, [torch], ["allclose"], …)`, `Thread(target=setattr, args=…)`."""
        for index, value in enumerate(positional[:-1]):
            if handed := frozenset(paths(value)) & _HANDED_OVER:
                rest = [arguments_in(other) for other in positional[index + 1 :]]
                self.call(node, handed, NOTHING, rest, {}, spread)
        if (handed := frozenset(paths(keywords.get("target", NOTHING)))) & _HANDED_OVER:
            self.call(node, handed, NOTHING, [], {}, elements(keywords.get("args", NOTHING)))

    def _known_call(
        self,
        node: ast.AST,
        path: str,
        positional: list[Value],
        keywords: dict[str, Value],
        spread: Value,
    ) -> Value:
        first = positional[0] if positional else NOTHING
        if path.endswith(".mro"):
            return frozenset([f"{A_TYPE}[]"])
        if path == "functools.partial" and positional:
            self.call(node, first, NOTHING, positional[1:], keywords, spread)
            return first
        if path in ("builtins.vars", "builtins.globals", "builtins.locals"):
            if not positional:
                return frozenset(["builtins.globals()"])
            return frozenset(f"{p}.__dict__" for p in paths(first))
        if path == "builtins.type" and len(positional) == 1:
            if self.is_self(node.args[0]):
                return NOTHING
            return frozenset([A_TYPE, *(f"{path}.__class__" for path in paths(first))])
        if path in ("IPython.get_ipython", "pytest.MonkeyPatch"):
            return frozenset([f"{path}()"])
        if path == "builtins.next":
            return elements(first)
        if path in ("builtins.max", "builtins.min"):
            return join(*(modules_in(arguments_in(value)) for value in positional))
        if path == "builtins.super" and len(positional) == 2:
            return frozenset(paths(positional[1]))
        if path in ("builtins.zip", "builtins.enumerate"):
            inner = (contained(frozenset(a for a in v if isinstance(a, str))) for v in positional)
            return join(self._computed(path, positional), *inner)
        if path.endswith(".get") and path.startswith(("builtins.globals()", "sys.modules")):
            owner = path[: -len(".get")]
            keys = [key for key in literals(first) if isinstance(key, str)]
            return join(*(self.entry(owner, key) for key in keys))
        if path.endswith((".__dict__.get", ".__dict__.__getitem__")):
            owner = path.rpartition(".__dict__")[0]
            return frozenset(
                canonical(f"{owner}.{key}") for key in literals(first) if isinstance(key, str)
            )
        if path == "builtins.map" and len(positional) == 2:
            return self._mapped(*positional)
        if path.removeprefix("builtins.") in _SAME:
            return join(
                self._computed(path, positional) if not keywords else NOTHING,
                *(frozenset(a for a in v if isinstance(a, str)) for v in positional),
                *(contained(v) for v in keywords.values()),
            )
        return self._computed(path, positional)

    def _computed(self, path: str, positional: list[Value]) -> Value:
        found: set = set()
        for arguments in consts.combinations(*(literals(value) for value in positional)):
            self.spend(consts.size(*arguments))
            done = consts.attempt(consts.call, path, arguments)
            self.spend(consts.size(*(one.value for one in done)))
            found |= set(done)
        return frozenset(found)

    def _mapped(self, function: Value, things: Value) -> Value:
        inner = elements(things)
        results: Value = NOTHING
        for number in own(function, "def"):
            self.functions[number].call([inner], {}, NOTHING)
            results = join(results, contained(self.functions[number].returns))
        for whole in literals(things):
            if not isinstance(whole, (tuple, str, bytes)) or len(whole) > consts.MAX_ITEMS:
                continue
            for path in paths(function):
                self.spend(len(whole))
                done = [consts.attempt(consts.call, path, [item]) for item in whole]
                if all(done):
                    results |= frozenset([Lit(tuple(d[0].value for d in done))])
        return results

    def _text_method(self, things: list[Any], name: str, positional: list[Value]) -> Value:
        found: set = set()
        choices = [literals(value) or [GAP] for value in positional]
        for thing, *arguments in consts.combinations(things, *choices):
            self.spend(consts.size(thing, *arguments))
            found |= set(consts.attempt(consts.method, thing, name, arguments))
        return frozenset(found)
