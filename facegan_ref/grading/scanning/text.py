"""The Python that IPython makes of a cell: magics, commands and prompts become ordinary code.

Nothing is run: a magic that takes code (`%%time`, `%timeit`) hands it back as text.
"""

from __future__ import annotations

import ast
import re
import string
import warnings
from functools import lru_cache

from IPython.core import magics
from IPython.core.inputtransformer2 import TransformerManager

MAX_CHARS = 400_000
"""A notebook's own cells have some ten thousand characters; beyond this, none is read."""

_MAX_WORK = 4_000_000
"""Characters times magics: IPython reads a whole cell again for each of its magics."""

_ESCAPES = re.compile(r"^[ \t]*(?:\w[\w., \t]*=[ \t]*)?[%!?,;/]|\?[ \t]*$", re.MULTILINE)
_CODE_LINE_MAGICS = {"time", "timeit", "prun", "debug", "lprun", "memit", "mprun", "snakeviz"}
_TEXT_CELL_MAGICS = {
    "html", "HTML", "javascript", "js", "latex", "markdown", "svg", "SVG", "writefile", "file",
    "bash", "sh", "script", "system", "sx", "!", "perl", "ruby", "cmd", "cython",
}  # fmt: skip
_ALIASES = frozenset(["cat", "cp", "less", "ll", "ls", "man", "mkdir", "more", "mv", "rm", "rmdir"])
_OPTIONS = re.compile(r"(?:\s*-\w+(?:=\S+|\s*\d+|\s+[\w.]+(?=\s+\S))?)*\s*")


_IPYTHONS_OWN = re.compile(
    r"^[ \t]*[%!?,;/]|\?[ \t]*$|=[ \t]*[%!]|^[ \t]*(>>>|\.\.\.|In ?\[)", re.MULTILINE
)
"""Where IPython might make something else of a text that is Python already."""


class Unreadable(Exception):
    """The cell is too long or too deep to be read, though Python might run it."""


def _line_magics() -> frozenset[str]:
    names: set[str] = set()
    for name in magics.__all__ if hasattr(magics, "__all__") else dir(magics):
        kinds = getattr(getattr(magics, name), "magics", None)
        if isinstance(kinds, dict):
            names |= set(kinds.get("line", {}))
    return frozenset(names)


_LINE_MAGICS = _line_magics()


def parse_cell(source: str) -> tuple[ast.Module | None, int]:
    """Return the tree of what IPython would run, and the number of blank lines before it.

    The tree is None when the cell does not parse: then IPython does not run it either.

    Raises:
        Unreadable: see there.
    """
    lines = source.split("\n")
    blank = next((number for number, line in enumerate(lines) if line.strip()), 0)
    source = "\n".join(lines[blank:]).rstrip()
    if len(source) > MAX_CHARS or len(source) * len(_ESCAPES.findall(source)) > _MAX_WORK:
        raise Unreadable
    if "\n" in source and not _IPYTHONS_OWN.search(source) and (tree := parse(source)):
        return tree, blank
    try:
        text = TransformerManager().transform_cell(source)
    except (RecursionError, MemoryError) as error:
        raise Unreadable from error
    except Exception:  # whatever it is, IPython shows it and runs nothing
        return None, blank
    tree = parse(text)
    lines = text.splitlines()
    if len(lines) == 1 and (magic := _automatic_magic(lines[0], tree)):
        tree = magic
    return tree, blank


@lru_cache(maxsize=1024)
def instructors_tree(source: str) -> ast.Module | None:
    """Return the tree of a cell of the instructor's, which many notebooks share."""
    return parse(source)


def parse(text: str | bytes) -> ast.Module | None:
    """Return the tree of Python code, None when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    except (RecursionError, MemoryError) as error:
        raise Unreadable from error


def _automatic_magic(line: str, tree: ast.Module | None) -> ast.Module | None:
    """Of a cell of one line, IPython takes the first word for a magic: `run x.py`, `cat x`."""
    match = re.match(r"\s*([A-Za-z_]\w*)(?:\s+(?![=,])(.*))?$", line)
    if match is None:
        return None
    name, rest = match[1], match[2] or ""
    if name in _LINE_MAGICS and not (tree and not rest):
        return parse(f"get_ipython().run_line_magic({name!r}, {rest!r})")
    if tree is None and name in _ALIASES:
        return parse(f"get_ipython().system({line!r})")
    return None


def code_of_line_magic(name: str, line: str) -> list[str]:
    """Return the Python code that a line magic takes, in both readings of what may be options.

    A magic that is not IPython's own may take code too: `%alias_magic t time`.
    """
    if name in _LINE_MAGICS - _CODE_LINE_MAGICS:
        return []
    return [line, line[_OPTIONS.match(line).end() :]]


def code_of_cell_magic(name: str, line: str, body: str) -> list[str]:
    """Return the pieces of Python code that a cell magic takes: its line's and its body."""
    if name in _TEXT_CELL_MAGICS or name.startswith("python"):
        return []
    return [*code_of_line_magic(name, line), body]


def expressions_in(text: str) -> list[str]:
    """Return the expressions that IPython fills into a command: `!echo {x}`, `!echo $x`."""
    found = re.findall(r"\$([A-Za-z_][\w.]*)", text)
    try:
        for _, name, spec, _ in string.Formatter().parse(text):
            if name:
                found.append(f"{name}:{spec}" if spec else name)
                found.append(name)
    except ValueError:
        pass
    return list(dict.fromkeys(found))
