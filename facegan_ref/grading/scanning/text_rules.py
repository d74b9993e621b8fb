"""What counts as a finding among magics, commands, programs and files."""

from __future__ import annotations

import ast
import re

from facegan_ref.grading.scanning import names
from facegan_ref.grading.scanning import text as cell_text
from facegan_ref.grading.scanning.consts import GAP, Lit
from facegan_ref.grading.scanning.definition_rules import DefinitionRules
from facegan_ref.grading.scanning.findings import shown
from facegan_ref.grading.scanning.scopes import (
    MADE,
    NOTHING,
    Value,
    gappy,
    join,
    literals,
    own,
    paths,
    texts,
)

_HIDING = re.compile(r"\b(chr|fromhex|decode|translate|maketrans|b\d\dde\w+|unhexlify|rot_?13)\b")


def _kind_of_program(command: str) -> str | None:
    """Return the kind of finding that one command of a shell is."""
    if re.match(r"(\S*python\S*|\0) -c\b", command):
        return "python" if GAP in command[1:] else "program"
    nested = re.search(r"\$\(|`", command) and "python" in command
    if not command or (names.HARMLESS_PROGRAMS.match(command) and not nested):
        return None
    return "process" if GAP in command or "python" in command else "program"


class TextRules(DefinitionRules):
    """The rules for what is written as text: code, magics, commands, names of files."""

    def disguised(self, node: ast.AST) -> bool:
        """Whether the notebook has the means to make text unreadable."""
        return bool(self.disguises) or bool(_HIDING.search(ast.unparse(node)))

    def _runs_text(self, node: ast.AST, path: str, first: Value, every: list[Value]) -> Value:
        found: Value = NOTHING
        read = False
        for inner in paths(join(*every[1:])):  # exec("…", torch.__dict__)
            if inner.endswith(".__dict__"):
                self.changed(node, inner.removesuffix("__dict__") + "…")
        for text in literals(first):
            if isinstance(text, (str, bytes)) and not gappy(frozenset([Lit(text)])):
                found = join(found, self.flow.read_text(text, node))
                read = True
        if path.startswith(("timeit.", "trace.")) or read or own(first, "def"):
            return found
        mentions = " ".join(texts(first))
        if MADE in first or names.NAMES_REFERENCE.search(mentions) or self.disguised(node):
            self.report(node, "hidden", path)
        else:
            self.report(node, "text", path.rpartition(".")[2])
        return found

    def _shell(self, node: ast.AST, name: str, positional: list[Value]) -> Value:
        """A magic or command, written as such or called."""
        parts = [next((str(x) for x in literals(v)), GAP) for v in positional]
        if name in ("system", "getoutput"):
            self._expansions(node, parts[:1])
            self._program(node, f"IPython.get_ipython().{name}", positional)
        elif name == "magic" and parts:
            word, _, rest = parts[0].lstrip("%").partition(" ")
            self._line_magic(node, word, rest)
        elif name == "run_line_magic" and parts:
            self._line_magic(node, parts[0], parts[1] if len(parts) > 1 else "")
        elif name == "run_cell_magic" and len(parts) > 2:
            self._cell_magic(node, *parts[:3])
        elif name == "register_magic_function":
            self.report(node, "odd", "defines a magic", plain=True)
        elif name.startswith("display_formatter."):
            what = f"changes how values are shown ({shown(name)})"
            self.report(node, "odd", what, plain=True)
        return NOTHING

    def _expansions(self, node: ast.AST, lines: list[str]) -> None:
        for line in lines:
            for expression in cell_text.expressions_in(line):
                self.flow.read_text(expression, node)

    def _line_magic(self, node: ast.AST, name: str, line: str) -> None:
        self._expansions(node, [line])
        for code in cell_text.code_of_line_magic(name, line):
            self.flow.read_text(code, node)
        if name == "config":
            self.flow.read_text(f"cfg.{line}", node)
        elif name in ("load_ext", "reload_ext", "aimport"):
            for module in re.findall(r"[\w.]+", line):
                self.imported(node, module, None, detour=True)
        elif name in ("run", "load", "loadpy", "pycat", "edit", "macro", "cat"):
            kind = self._forbidden(line)
            if kind:
                self.report(node, "detour" if name in ("run", "load") else kind, line)
            elif name == "run":
                self.report(node, "odd", f"runs {shown(line)}", plain=True)
        elif name in ("system", "sx", "sc", "!"):
            self._program(node, f"%{name}", [frozenset([Lit(line)])])
        elif name in ("env", "set_env"):
            if "FACEGAN_" in line and "FACEGAN_QUICK" not in line:
                self.report(node, "mild", line)
        elif name == "code_wrap":
            self.report(node, "kernel", "%code_wrap")
        elif GAP in name:
            self.report(node, "text", "run_line_magic")

    def _cell_magic(self, node: ast.AST, name: str, line: str, body: str) -> None:
        self._expansions(node, [line])
        if name in ("writefile", "file"):
            self._module_text(node, line.split()[-1] if line.split() else "", body)
        elif name in ("bash", "sh", "script", "system", "sx", "!") or name.startswith("python"):
            self._program(node, f"%%{name}", [frozenset([Lit(f"{line} {body}")])])
        elif name in ("cython", "cython_pyximport"):
            self.report(node, "memory", f"%%{name}")
        elif name == "code_wrap":
            self.report(node, "kernel", "%%code_wrap")
        elif GAP in body:
            self._runs_text(node, "run_cell_magic", NOTHING, [])
        for code in cell_text.code_of_cell_magic(name, line, body):
            self.flow.read_text(code, node, own_lines=code is body)

    def _program(self, node: ast.AST, path: str, every: list[Value]) -> None:
        command = " ".join(
            " ".join(map(str, thing)) if isinstance(thing, tuple) else str(thing)
            for value in every
            for thing in literals(value)
        )
        what = f"{path.rpartition('.')[2]}: {command}" if command else path
        if self._forbidden(command):
            self.report(node, "files", what)
        for part in re.split(r"[;&|\n]+", command) if command else [GAP]:
            if kind := _kind_of_program(part.strip(" ")):
                self.report(node, kind, what)

    def _forbidden(self, text: str) -> str | None:
        """Return the kind of finding that a text is which opens, runs or loads something."""
        if names.MEMORY_FILE.search(text):
            return "memory"
        if names.FORBIDDEN_FILES.search(text) or text.strip("./") in names.FOLDERS:
            return "files"
        if names.NAMES_REFERENCE.search(text) and "pip" not in text and "==" not in text:
            return "files"
        return None

    def _writes_module(
        self, node: ast.AST, function: Value, method: str, base: Value, every: list[Value]
    ) -> None:
        if "builtins.open" in paths(function) or method == "open":
            said = texts(join(base, *every))
            modes = {text for text in said if re.fullmatch(r"[rwaxbt+]{1,3}", text)}
            if any(set(mode) & set("wax+") for mode in modes):
                for name in said:
                    if names.MODULE_FILE.search(name):
                        self._module_text(node, name, None)
        elif method in ("write_text", "write_bytes") and texts(base):
            for name in texts(base):
                content = texts(join(*every))
                if names.MODULE_FILE.search(name):
                    self._module_text(node, name, content[0] if content else None)

    def _module_text(self, node: ast.AST, name: str, content: str | None) -> None:
        """A module is written: its text is read like a function of the cell."""
        if not names.MODULE_FILE.search(name):
            return
        stem = re.split(r"[/\\]", name)[-1].split(".")[0]
        if not self.flow.place.locked:
            self.written_modules.add(stem)
        parts = re.split(r"[/\\.]", name)
        if set(parts) & (names.PROTECTED | {"sitecustomize", "usercustomize", "matplotlib"}):
            self.report(node, "carried", name)
        elif content is None or GAP in content:
            self.report(node, "carried" if self.disguised(node) else "package", name)
        else:
            self.report(node, "package", name)
            with self.flow.inside():
                self.flow.read_text(content, node)
