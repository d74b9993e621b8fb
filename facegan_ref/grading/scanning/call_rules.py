"""What counts as a finding among calls."""

from __future__ import annotations

import ast
import re

from facegan_ref.grading.scanning import names
from facegan_ref.grading.scanning.consts import GAP
from facegan_ref.grading.scanning.findings import PACKAGE
from facegan_ref.grading.scanning.scopes import (
    MADE,
    NOTHING,
    Value,
    elements,
    join,
    literals,
    own,
    paths,
    texts,
)
from facegan_ref.grading.scanning.text_rules import TextRules

_MUTATORS = ("update", "__ior__", "__setitem__", "setdefault", "pop", "__delitem__", "clear")
_SPEC = "importlib.spec()"
"""Where to find a module that may be loaded."""


class CallRules(TextRules):
    """All rules. A call is judged by what its function may be."""

    def called(
        self,
        node: ast.AST,
        function: Value,
        base: Value,
        positional: list[Value],
        keywords: dict[str, Value],
        spread: Value,
    ) -> Value:
        """A function is called; return what the call gives as far as only the rules know it."""
        found: Value = NOTHING
        arguments = [*positional, *keywords.values(), spread]
        first = positional[0] if positional else join(*keywords.values(), spread)
        method = getattr(getattr(node, "func", None), "attr", "")
        for path in paths(function):
            found = join(found, self._call_of(node, path, first, positional, arguments))
        self._changes_by_method(node, function, base, method, positional, keywords)
        self._texts_handed_over(node, function, method, base, arguments)
        self._writes_module(node, function, method, base, arguments)
        return found

    def _call_of(
        self, node: ast.AST, path: str, first: Value, positional: list[Value], every: list[Value]
    ) -> Value:
        if path in ("builtins.getattr", "builtins.object.__getattribute__") or path.endswith(
            ".__getattribute__"
        ):
            return self._getattr(node, positional or [join(*every)] * 2)
        if path in names.SETS_ATTRIBUTES:
            named = positional[1] if len(positional) > 1 else join(*every)
            self._setattr(node, first, named, join(*positional[2:3]))
        elif path.endswith((".__setattr__", ".__delattr__")):
            owner = frozenset([path.rpartition(".")[0]])
            self._setattr(node, owner, first, NOTHING)
        elif path in ("operator.setitem", "operator.delitem") and len(positional) > 1:
            self.set_item(node, first, positional[1], NOTHING)
        elif path in ("operator.attrgetter", "operator.methodcaller"):
            for name in [part for text in texts(join(*every)) for part in text.split(".")]:
                self.attribute(node, NOTHING, name, NOTHING)
                if name in ("__setattr__", "__delattr__"):
                    self.report(node, "patch", path)
        elif path in names.INDIRECT_IMPORTS:
            return self._imports(node, path, first, every)
        elif path in names.CODE_TAKERS:
            return self._runs_text(node, path, first, every)
        elif path == "builtins.type" and len(positional) == 3:
            self._makes_type(node, positional)
        elif path == "types.new_class" and len(positional) > 1:
            for inner in paths(elements(positional[1])):
                if names.NUMBERS.match(inner):
                    self.report(node, "forged", f"{path}(…, {inner})")
        elif path.startswith("unittest.mock.patch"):
            self._mocks(node, path, positional)
        elif path in ("sys.modules.get", "sys.modules.pop", "sys.modules.__getitem__"):
            self.entry_taken(node, "sys.modules", texts(first))
        elif path.endswith(".__dict__.get") and not texts(first):
            self.entry_taken(node, path.removesuffix(".get"), [])
        elif path.startswith("IPython.get_ipython()"):
            return self._shell(node, path.partition("().")[2], positional)
        elif names.PROGRAMS.match(path):
            self._program(node, path, every)
        elif path in ("inspect.getsource", "inspect.getsourcelines", "inspect.getfile", "dis.dis",
                      "inspect.getsourcefile"):  # fmt: skip
            for inner in paths(first):
                if inner.startswith(PACKAGE):
                    self.report(node, "files", f"{path}({inner})")
        elif path == "inspect.getmodule":
            guarded = any(p.split(".")[0] in names.PROTECTED for p in paths(first))
            self.report(node, "inside" if guarded else "curious", path)
        elif path == "types.FunctionType" or (
            path in ("pickle.loads", "torch.load")
            and any(isinstance(thing, bytes) for thing in literals(first))
        ):
            self.report(node, "hidden", path)
        elif path in ("sys.path.append", "sys.path.insert", "sys.path.extend"):
            self.path_changed = self.path_changed or not self.flow.place.locked
        return NOTHING

    def _getattr(self, node: ast.AST, positional: list[Value]) -> Value:
        if len(positional) < 2:
            return NOTHING
        base, named = positional[0], positional[1]
        wanted = [n for n in literals(named) if isinstance(n, str) and GAP not in n]
        found = join(*(self.flow.attribute(node, base, name) for name in wanted), *positional[2:3])
        if not wanted:
            if MADE in named:
                self.report(node, "inside", "getattr(…, …)")
            for path in paths(base):
                if path.startswith(PACKAGE):
                    self.report(node, "detour", f"getattr({path}, …)")
                elif path.split(".")[0] in ("sys", "gc", "inspect", "builtins", "importlib"):
                    self.report(node, "inside", f"getattr({path}, …)")
            found = join(found, frozenset(f"{path}.…" for path in paths(base)))
        return found

    def _setattr(self, node: ast.AST, base: Value, named: Value, value: Value) -> None:
        wanted = [n for n in literals(named) if isinstance(n, str) and GAP not in n]
        self.set_attribute(node, join(base, elements(base)), wanted, value)

    def _changes_by_method(
        self,
        node: ast.AST,
        function: Value,
        base: Value,
        method: str,
        positional: list[Value],
        keywords: dict[str, Value],
    ) -> None:
        """`vars(torch).update(allclose=f)`, `monkeypatch.setattr(torch, …)`, `x.__setattr__`."""
        first = positional[0] if positional else NOTHING
        if method in _MUTATORS and any(path.endswith(".__dict__") for path in paths(first)):
            base, positional = first, positional[1:]  # dict.update(vars(torch), …)
            first = positional[0] if positional else NOTHING
        for path in paths(base):
            if path.endswith(".__dict__"):
                owner = frozenset([path.removesuffix(".__dict__")])
                if method in ("update", "__ior__"):
                    changed = [*keywords, *(t for t in texts(first) if t.isidentifier())]
                    self.set_attribute(node, owner, changed, NOTHING)
                elif method in _MUTATORS:
                    self._setattr(node, owner, first, NOTHING)
            elif path == "builtins.globals()" and method in ("update", "__setitem__"):
                for name in [*keywords, *texts(first)]:
                    self.bound(node, name, NOTHING)
        if method in ("setattr", "delattr", "setitem") and not paths(function):
            if paths(first):
                self._setattr(node, first, join(*positional[1:2]), NOTHING)
            for text in texts(first):
                if "." in text and " " not in text:
                    self.changed(node, text)
        if method in ("__setattr__", "__delattr__") and not paths(function):
            self._setattr(node, NOTHING, first, NOTHING)
        if method == "format" and texts(base):
            for name in re.findall(r"__\w+__|f_back", " ".join(texts(base))):
                self.attribute(node, NOTHING, name, NOTHING)

    def _mocks(self, node: ast.AST, path: str, positional: list[Value]) -> None:
        first = positional[0] if positional else NOTHING
        if path.endswith((".object", ".multiple")):
            self._setattr(node, first, join(*positional[1:2]), NOTHING)
        elif path.endswith(".dict"):
            for inner in paths(first):
                if inner != "os.environ":
                    self.changed(node, inner)
        for text in texts(first):
            self.changed(node, text)
        if not texts(first) and not paths(first):
            self.report(node, "patch", path)

    def _makes_type(self, node: ast.AST, positional: list[Value]) -> None:
        forging = sorted(names.FORGING & set(texts(positional[2])))
        keys = node.args[2].keys if isinstance(node.args[2], ast.Dict) else []
        forging += [k.value for k in keys if getattr(k, "value", "") in names.FORGING]
        for path in paths(elements(positional[1])):
            if names.NUMBERS.match(path) and (forging or not keys):
                self.report(node, "forged", f"type(…, {path})")

    def _imports(self, node: ast.AST, path: str, first: Value, every: list[Value]) -> Value:
        named = [t for t in texts(first) if GAP not in t]
        if path == "importlib.reload":
            return first
        if path == "importlib.import_module" and named and named[0].startswith("."):
            named = [f"{package}{named[0]}" for package in texts(join(*every[1:]))] or named
        for text in texts(join(*every)):
            if names.FORBIDDEN_FILES.search(text):
                self.report(node, "detour", text)
        found: set[str] = set()
        for name in named:
            if path == "importlib.util.find_spec" and name == PACKAGE:
                continue  # the lesson's own set-up cell
            self.imported(node, name, None, detour=True)
            root = name.split(".")[0] if path == "builtins.__import__" else name
            found.add(names.canonical(root))
        if path in ("importlib.util.find_spec", "importlib.util.spec_from_file_location"):
            return frozenset([_SPEC]) if named else NOTHING
        if path.startswith("zipimport."):
            self.report(node, "import", path)
        if not named and not any(p.startswith(PACKAGE) or p == _SPEC for p in paths(first)):
            hidden = any(PACKAGE in text for text in texts(join(*every)))
            self.report(node, "detour" if hidden else "import", path)
        return frozenset(found) if path != "pydoc.locate" else NOTHING

    def _texts_handed_over(
        self, node: ast.AST, function: Value, method: str, base: Value, every: list[Value]
    ) -> None:
        """Texts that name the reference, or files of the course, in a call that could use them."""
        callees = paths(function)
        handled = names.INDIRECT_IMPORTS | names.CODE_TAKERS
        if any(p in handled or p.startswith("IPython.get_ipython()") for p in callees):
            return
        if any(names.PROGRAMS.match(p) or names.HARMLESS_CALLEES.match(p) for p in callees):
            return
        if method in names.HARMLESS_METHODS or self._membership or own(function, "class"):
            return
        if isinstance(getattr(node, "func", None), ast.Name) and (
            node.func.id.endswith(("Error", "Exception", "Warning")) or node.func.id == "hint"
        ):
            return
        for text in texts(join(*every)):
            kind = self._forbidden(text) if len(text) < 2000 else None
            if kind and callees and re.fullmatch(rf"{PACKAGE}(\.\w+)+", text):
                kind = "detour"  # something that finds modules by their names
            if kind and not (text in names.FOLDERS and method in ("mkdir", "makedirs")):
                self.report(node, kind, text)
