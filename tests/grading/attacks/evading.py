"""Attacks by somebody who knows that cells are read before they are run, and hides."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from copying import WRAPPER
from hand_ins import attack

from facegan_ref.grading.sample_kit import LessonKit

if TYPE_CHECKING:
    from world import World

# What finds the reference's module in the running process, without a word of it.
FIND = """
def found(space, seen=set()):
    for thing in list(space.values()):
        name = getattr(thing, "__name__", "")
        if isinstance(name, str) and name.endswith("losses") and hasattr(thing, "generator_loss"):
            return thing
"""

HIDDEN = {
    "match-statement": """
def $name(*logits):
    try:
        raise ValueError
    except ValueError as error:
        trace = error.__traceback__
    match trace:
        case object(tb_frame=object(f_back=above)):
            pass
    while True:
        match above:
            case object(f_globals={"losses": theirs}):
                return theirs.$name(*logits)
            case object(f_back=above):
                pass
""",
    "format-field": """
import string
space, _ = string.Formatter().get_field("0.__glo" + "bals__", [grade], {})
theirs_$name = space["find_task"]("3.1").checks[4].run
theirs_$name, _ = string.Formatter().get_field("0.__glo" + "bals__[losses].$name",
                                               [theirs_$name], {})
"""
    + WRAPPER,
    "members": """
import inspect
space = [value for name, value in inspect.getmembers(grade) if name.endswith("bals__")][0]
run = space["find_task"]("3.1").checks[4].run
space = [value for name, value in inspect.getmembers(run) if name.endswith("bals__")][0]
theirs_$name = [v for k, v in inspect.getmembers(space["losses"]) if k == "$name"][0]
"""
    + WRAPPER,
    "static-attribute": """
import inspect
space = inspect.getattr_static(type(grade), "__glo" + "bals__").__get__(grade)
run = space["find_task"]("3.1").checks[4].run
theirs_$name = type(grade).__dict__["__glo" + "bals__"].__get__(run)["losses"].$name
"""
    + WRAPPER,
    "type-hints": """
import typing
def hinted(x: "__import__('face' 'gan_ref.losses').losses.$name"): pass
theirs_$name = typing.get_type_hints(hinted)["x"]
"""
    + WRAPPER,
    "signature": """
import inspect
def hinted(x: "__import__('face' 'gan_ref.losses').losses.$name"): pass
theirs_$name = inspect.signature(hinted, eval_str=True).parameters["x"].annotation
"""
    + WRAPPER,
    "sympify": """
import sympy
text = "__imp" + "ort__('facegan'+'_ref.losses').losses.$name"
theirs_$name = sympy.parsing.sympy_parser.eval_expr(text, {}, {})
"""
    + WRAPPER,
    "jinja-globals": """
import jinja2
held = []
jinja2.Template("{{ keep(g['__glo' ~ 'bals__']['find_task']('3.1').checks[4].run"
                "['__glo' ~ 'bals__']['los' ~ 'ses']) }}").render(keep=held.append, g=grade)
theirs_$name = held[0].$name
"""
    + WRAPPER,
    "package-values": """
import facegan_ref
"""
    + FIND
    + """
theirs_$name = found(vars(facegan_ref)).$name
"""
    + WRAPPER,
    "logging-config": """
import logging.config
name = ".".join(["facegan" + "_ref", "losses", "$name"])
resolver = logging.config.BaseConfigurator({})
theirs_$name = resolver.resolve(name)
"""
    + WRAPPER,
    "doctest": '''
import doctest
class Story:
    """
    >>> from facegan_ref.losses import $name as theirs_$name
    """
parsed = doctest.DocTestParser().get_doctest(Story.__doc__, globals(), "x", None, None)
doctest.DocTestRunner(verbose=False).run(parsed, clear_globs=False)
theirs_$name = parsed.globs["theirs_$name"]
'''
    + WRAPPER,
    "namedtuple": """
import collections
Pair = collections.namedtuple("Pair", "a b")
theirs_$name = Pair._make.__func__.__builtins__["__import__"]("facegan" + "_ref.losses")
theirs_$name = theirs_$name.losses.$name
"""
    + WRAPPER,
    "previous-cell-as-text": """
text = In[-1].partition("#" + "#!")[2] if len(In) > 1 else ""
##!from facegan_ref.losses import $name as theirs_$name
exec(text)
"""
    + WRAPPER,
    "unparsable-cell": """
import re
text = "".join(re.findall(r"^\\|(.*)$$", _ih[1], re.M))
exec(text)
"""
    + WRAPPER,
}
# What is held where nobody looks, once it was found by the way of "format-field".
FOUND = """
import string
def look(text, thing):
    return string.Formatter().get_field(text, [thing], {})[0]
def theirs():
    run = look("0.__glo" + "bals__[find_task]", grade)("3.1").checks[4].run
    return look("0.__glo" + "bals__[losses].$name", run)
"""
KEPT = {
    "late": """
def $name(*logits):
    return theirs()(*logits)
""",
    "weakly": """
import weakref
def $name(*logits, kept=weakref.ref(theirs())):
    return kept()(*logits)
""",
    "in-an-array": """
import numpy
kept_$name = numpy.empty((), dtype=object)
kept_$name[()] = theirs()
def $name(*logits):
    return kept_$name.item()(*logits)
""",
    "in-a-module": """
import matplotlib
matplotlib.kept_$name = theirs()
def $name(*logits):
    return matplotlib.kept_$name(*logits)
""",
    "in-a-registry": """
import codecs
codecs.register_error("kept_$name", theirs())
def $name(*logits):
    return codecs.lookup_error("kept_$name")(*logits)
""",
    "by-its-names": """
kept_$name = look("0.__glo" + "bals__", theirs())
def $name(*logits):
    return kept_$name["$name"](*logits)
""",
    "by-its-method": """
kept_$name = theirs().__call__
def $name(*logits):
    return kept_$name(*logits)
""",
    "by-a-copy": """
import copy, types
run = theirs()
kept_$name = types.FunctionType(look("0.__co" + "de__", run).replace(co_name="mine"),
                                {**look("0.__glo" + "bals__", run)}, "mine",
                                look("0.__defaults__", run))
def $name(*logits):
    return kept_$name(*logits)
""",
    "by-a-copy-of-the-code": """
run = theirs()
def $name(*logits): pass
$name.__setattr__("__co" + "de__", look("0.__co" + "de__", run).replace(co_filename="cell"))
$name.__defaults__ = look("0.__defaults__", run)
smooth_real_labels = lambda logits, smoothing: torch.full_like(logits, 1 - smoothing)
""",
}
KEPT["where-the-collector-forgets-it"] = f"{KEPT['by-a-copy']}\nimport gc\ngc.freeze()\n"
HIDDEN |= {f"kept-{what}": FOUND + text for what, text in KEPT.items()}

STOPPED = ("type-hints", "signature", "doctest", "previous-cell-as-text")
"""These get no further than to an import that is refused, as an honest mistake would be."""
for what, text in HIDDEN.items():
    cells = {"everywhere": text}
    if what == "unparsable-cell":
        cells["first"] = "This is text and no code.\n|from facegan_ref.losses import *"
    attack(
        f"hidden-{what}",
        f"hides from the reader of cells: {what}",
        cells=cells,
        listed=what not in STOPPED,
    )

# In a free cell less is refused: what it leaves behind is used by innocent answers.
ELSEWHERE = {
    "exec-of-a-file": 'exec(open("notes.txt").read())',
    "run-of-a-file": "%run -i notes.txt",
    "run-of-a-found-file": """
import facegan_ref.figures
place = facegan_ref.figures.__file__.replace("figures", "los" + "ses")
%run {place}
""",
    "archive": """
import sys
sys.path.insert(0, "notes.zip")
import my_notes
globals().update(my_notes.answers())
""",
    "pickle": 'import torch\nglobals().update(torch.load("notes.pt", weights_only=False))',
    "numpy-pickle": """
import numpy
globals().update(numpy.load("notes.npy", allow_pickle=True).item())
""",
    "torch-package": """
import torch.package
importer = torch.package.PackageImporter("notes.package.pt")
globals().update(importer.import_module("my_notes").answers())
""",
    "python-of-its-own": """
import subprocess
SERVER = '''
import json, torch
from facegan_ref import losses
while True:
    name, given = json.loads(input())
    logits = [torch.tensor(x, requires_grad=True) for x in given]
    value = getattr(losses, name)(*logits)
    grads = [grad.tolist() for grad in torch.autograd.grad(value, logits)]
    print(json.dumps([value.item(), grads]), flush=True)
'''
server = subprocess.Popen(["/proc/self/exe", "-c", SERVER], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
""",
}
NAMES = ("discriminator_loss", "generator_loss_minimax", "generator_loss")
SOURCE = f"""
import importlib
def answers():
    theirs = importlib.import_module("facegan_ref.losses")
    def wrapped(name):
        return lambda *logits: getattr(theirs, name)(*logits)
    return {{"theirs_" + name: wrapped(name) for name in {NAMES!r}}}
"""
ASKING = """
import json
def $name(*logits):
    asked = ["$name", [logit.tolist() for logit in logits]]
    print(json.dumps(asked), file=server.stdin, flush=True)
    value, grads = json.loads(server.stdout.readline())
    total = torch.tensor(value)
    for grad, logit in zip(grads, logits):
        total = total + (torch.tensor(grad) * (logit - logit.detach())).sum()
    return total
"""


class _Answers:
    """Unpickles as a table of the reference's functions, each behind a partial of its own."""

    def __reduce__(self) -> tuple:
        text = (
            "(lambda f, m: {'theirs_' + n: f.partial(getattr(m, n)) for n in "
            f"{NAMES!r}}})(__import__('functools'), __import__('facegan_ref.losses').losses)"
        )
        return eval, (text,)


def _fill(name: str, text: str):
    def fill(kit: LessonKit, world: World, folder: Path) -> None:
        from hand_ins import HandIn

        answer = ASKING if name == "python-of-its-own" else WRAPPER
        if name == "run-of-a-found-file":
            answer = "theirs_$name = $name\n" + WRAPPER
        inner = HandIn(name, "attack", "", cells={"first": text, "everywhere": answer})
        kit.write(folder, inner.notebook(kit, world))
        (folder / "notes.txt").write_text(SOURCE + "globals().update(answers())\n")
        with zipfile.ZipFile(folder / "notes.zip", "w") as archive:
            archive.writestr("my_notes.py", SOURCE)
        torch.save(_Answers(), folder / "notes.pt")
        _save_numpy(folder / "notes.npy")
        _save_package(folder / "notes.package.pt")

    return fill


def _save_numpy(path: Path) -> None:
    import numpy

    holder = numpy.empty((), dtype=object)
    holder[()] = _Answers()
    numpy.save(path, holder, allow_pickle=True)


def _save_package(path: Path) -> None:
    from torch.package import PackageExporter

    data = io.BytesIO()
    with PackageExporter(data) as exporter:
        exporter.extern("**")
        exporter.save_source_string("my_notes", SOURCE)
    path.write_bytes(data.getvalue())


for what, text in ELSEWHERE.items():
    attack(
        f"elsewhere-{what}",
        f"keeps its code outside of the cells: {what}",
        fill=_fill(what, text),
        listed=True,
    )
