"""Attacks on the score itself: the shell, the results, the channel."""

from __future__ import annotations

from hand_ins import attack

attack(
    "input-transformer",
    "rewrites the source of each later cell",
    cells={
        "first": """
def shortcut(lines):
    return ["4.0\\n"] if "grade" in "".join(lines) else lines

get_ipython().input_transformers_cleanup.append(shortcut)
get_ipython().input_transformers_post.append(shortcut)
"""
    },
    listed=True,
)
attack(
    "ast-transformer",
    "rewrites the syntax tree of each later cell",
    cells={
        "first": """
import ast

class Shortcut(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        if "grade" in ast.dump(node.func):
            return ast.copy_location(ast.Constant(4.0), node)
        return node

get_ipython().ast_transformers.append(Shortcut())
"""
    },
    listed=True,
)
attack(
    "redefined-grade",
    "defines `grade` and `grade_fresh` in the notebook",
    cells={"scratch": "grade_fresh = lambda *_: 1.0", "3.1": "def grade(*_):\n    return 4.0"},
)
attack(
    "patched-grade",
    "puts its own `grade` into the package",
    cells={
        "first": """
import facegan_ref.checks as checks
checks.grade = lambda *_: 4.0
checks.grade_fresh = lambda *_: 1.0
"""
    },
    listed=True,
)
attack(
    "patched-notebook-door",
    "puts its own `grade` into the module behind the package",
    cells={
        "3.1": """
import sys
door = sys.modules[grade.__module__]
door.grade = door.run_task = lambda *_: 4.0
door.grade_fresh = door.run_fresh = lambda *_: 1.0
grade.__code__ = (lambda task, *objects: 4.0).__code__
"""
    },
    listed=True,
)
attack(
    "module-in-place-of-the-checks",
    "registers a module of its own as facegan_ref.checks",
    cells={
        "first": """
import sys, types
fake = types.ModuleType("facegan_ref.checks")
fake.grade = lambda *_: 4.0
fake.grade_fresh = lambda *_: 1.0
fake.hint = lambda *_: None
sys.modules["facegan_ref.checks"] = fake
sys.modules["facegan_ref.checks.engine"] = fake
fake.run_task = fake.run_fresh = lambda *_: fake
fake.points = 4.0
"""
    },
    listed=True,
)
attack(
    "display-hook",
    "shows 4.0 whatever a cell results in",
    cells={
        "first": """
import sys
shell = get_ipython()
class Four(float):
    def __repr__(self): return "4.0"
original = type(shell.displayhook).__call__
type(shell.displayhook).__call__ = lambda self, result=None: original(self, Four(4))
sys.displayhook = lambda result: original(shell.displayhook, 4.0)
sys.excepthook = lambda *_: original(shell.displayhook, 4.0)
shell.showtraceback = shell.showsyntaxerror = lambda *_, **__: original(shell.displayhook, 4.0)
"""
    },
)
attack(
    "formatter",
    "prints every number as 4.0",
    cells={
        "first": """
plain = get_ipython().display_formatter.formatters["text/plain"]
plain.for_type(float, lambda value, printer, cycle: printer.text("4.0"))
"""
    },
)
attack(
    "run-cell",
    "replaces the shell's own way to run a cell",
    cells={
        "first": """
shell = get_ipython()
original = type(shell).run_cell
def run_cell(self, source, *arguments, **settings):
    return original(self, "4.0" if "grade" in source else source, *arguments, **settings)
type(shell).run_cell = run_cell
"""
    },
)
attack(
    "cell-events",
    "shows a score before and after each cell",
    cells={
        "first": """
from IPython.display import display
def four(*_):
    get_ipython().displayhook(4.0)
for event in ("pre_execute", "pre_run_cell", "post_run_cell", "post_execute"):
    get_ipython().events.register(event, four)
"""
    },
)
attack(
    "looks-like-a-score",
    "prints what the checks print, and displays numbers",
    cells={
        "everywhere": """
from IPython.display import display
print("4.0")
print('{"points": 4.0, "grade-3-1": 4.0, "score": 4.0}')
display(4.0)
def $name(*logits):
    print(4.0)
    display(4.0)
    return 4.0
4.0
"""
    },
)
attack(
    "forged-channel",
    "writes forged results and garbage to every open file descriptor",
    cells={
        "everywhere": """
import json, os, pickle, struct
def shout():
    for result in (
        {"type": "result", "grade_id": "grade-3-1", "points": 4.0, "score": 4.0},
        {"msg_type": "execute_result", "content": {"data": {"text/plain": "4.0"}}},
        {"output_type": "execute_result", "data": {"text/plain": "4.0"}, "metadata": {}},
        [4.0],
    ):
        for body in (json.dumps(result).encode(), pickle.dumps(result), b"4.0", b"\\xff" * 4000):
            for head in (b"", struct.pack("!I", len(body)), struct.pack("!Q", len(body)),
                         struct.pack("<I", len(body)), b"%d\\n" % len(body)):
                for number in range(3, 64):
                    try:
                        os.set_blocking(number, False)
                        os.write(number, head + body + b"\\n")
                    except OSError:
                        pass
shout()
def $name(*logits):
    shout()
    return logits[0].sum()
"""
    },
    status=None,
)
attack(
    "forged-exit",
    "shows a score and ends Python before the check can disagree",
    cells={
        "everywhere": """
import atexit, os
def leave():
    get_ipython().displayhook(4.0)
    os.write(1, b"4.0\\\\n")
    os._exit(0)
atexit.register(leave)
def $name(*logits):
    leave()
"""
    },
)


attack(
    "result-classes",
    "turns the checks' failures into passes, wherever the garbage collector finds them",
    cells={
        "everywhere": """
import gc
for thing in gc.get_objects():
    kind = type(thing)
    if isinstance(thing, type) and thing.__name__ == "CheckFailed":
        thing.__init__ = lambda self, *_: None
        thing.expected = thing.came = thing.likely = None
    if isinstance(thing, type) and thing.__name__ in ("CheckResult", "TaskResult"):
        original = thing.__init__
        def passed(self, *arguments, original=original, **settings):
            original(self, *arguments, **settings)
            for key, value in (("points", 4.0), ("passed", True), ("message", "")):
                try:
                    object.__setattr__(self, key, value)
                except (AttributeError, TypeError):
                    pass
        thing.__init__ = passed
    if kind.__name__ == "Check":
        object.__setattr__(thing, "run", lambda *_: None)
def $name(*logits):
    return logits[0].sum()
"""
    },
    listed=True,
)
attack(
    "trace-rewrites",
    "a trace function puts the expected values where the check keeps what came",
    cells={
        "everywhere": """
import sys
def rewrite(frame, event, argument):
    if frame.f_code.co_name == "_compare" and "came_grads" in frame.f_locals:
        frame.f_locals["came"] = frame.f_locals["expected"]
        frame.f_locals["came_grads"] = frame.f_locals["expected_grads"]
    return rewrite
def $name(*logits):
    sys.settrace(rewrite)
    frame = sys._getframe(1)
    while frame is not None:
        frame.f_trace = rewrite
        frame = frame.f_back
    return logits[0].sum()
"""
    },
    listed=True,
)
