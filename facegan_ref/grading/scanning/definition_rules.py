"""What counts as a finding among imports, functions and classes."""

from __future__ import annotations

import ast

from facegan_ref.grading.scanning import names
from facegan_ref.grading.scanning.findings import PACKAGE, shown
from facegan_ref.grading.scanning.rules import Rules
from facegan_ref.grading.scanning.scopes import Value, literals, paths


class DefinitionRules(Rules):
    """The rules for imports and definitions."""

    def imported(self, node: ast.AST, module: str, name: str | None, detour: bool = False) -> None:
        """A module, or a name of it, is imported."""
        path = names.canonical(f"{module}.{name}" if name else module)
        root = path.split(".")[0]
        if not self.flow.place.locked:
            self.disguises |= {root} & names.DISGUISES
            self.imported_roots.add(root)
        if module.startswith("."):
            if module.strip("."):
                self.report(node, "odd", f"imports from {shown(module)}", plain=True)
            return
        if root == PACKAGE and (name == "*" or not self.allowance.covers(path)):
            self.report(node, "detour" if detour else "reference", path)
        elif path == PACKAGE and detour:
            self.report(node, "reference", path)
        elif kind := names.use_kind(path):
            self.report(node, kind, path)
        elif path == "sys.modules" or (name == "*" and module in names.STAR_IMPORTS):
            self.report(node, "inside", path)

    def defined(self, node: ast.AST, name: str, is_method: bool) -> None:
        """A function or method is defined."""
        if name in ("__torch_function__", "__torch_dispatch__", "__array_function__"):
            self.report(node, "hooks", name)
        elif is_method and name == "__class__":
            self.report(node, "identity", name)
        elif not is_method:
            self.bound(node, name, frozenset())

    def class_defined(self, node: ast.ClassDef, bases: list[Value]) -> None:
        """A class is defined: numbers that decide themselves how they compare are no results."""
        kinds = [p for base in bases for p in paths(base) if names.NUMBERS.match(p)]
        inner = _defined_in(node)
        forging = sorted(set(inner) & names.FORGING)
        for kind in kinds[:1]:
            if forging:
                self.report(node, "forged", f"class {node.name}({kind.rpartition('.')[2]})")
                return
        for name in sorted(set(inner) & names.COMPARES):
            what = f"{node.name}.{name}"
            if _always_the_same(inner[name]):
                self.report(node, "forged", what)
            else:
                self.report(node, "odd", f"defines {shown(what)}", plain=True)

    def mapping(self, node: ast.AST, keys: list[Value], values: list[Value]) -> None:
        """A dict is written out: its keys may become attributes, `type("X", bases, {…})`."""
        for key in keys:
            for name in literals(key):
                if name in ("__module__", "__torch_function__", "__class__", "__builtins__"):
                    self.report(node, "identity", name)


def _defined_in(node: ast.ClassDef) -> dict[str, ast.AST]:
    found: dict[str, ast.AST] = {}
    for statement in ast.walk(node):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            names_of = [t for target in statement.targets for t in ast.walk(target)]
            found.update({t.id: statement for t in names_of if isinstance(t, ast.Name)})
    return found


def _always_the_same(function: ast.AST) -> bool:
    """Whether a comparison says the same of everything: it looks at nothing it is given."""
    returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
    if isinstance(function, ast.Assign):
        lambdas = [n.body for n in ast.walk(function) if isinstance(n, ast.Lambda)]
        returned = lambdas
    looks_at = any(isinstance(node, ast.Name) for value in returned for node in ast.walk(value))
    return bool(returned) and not looks_at
