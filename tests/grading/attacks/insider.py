"""Attacks by somebody who has read this repository, the sandbox included."""

from __future__ import annotations

from hand_ins import attack
from patching import what_zero_earns

# How to get at the checks of a task, and at the objects of the process that runs the notebook.
TASKS = """
find = grade.__globals__["find_task"]
tasks = [find(number) for number in ("3.1", "3.2", "3.3")]
"""
RUNNER = """
import sys
def runner_above():
    frame = sys._getframe(1)
    while frame is not None:
        thing = frame.f_locals.get("self")
        if type(thing).__name__ == "Runner":
            return thing
        frame = frame.f_back
"""
FORGED = """
FORGED = {"output_type": "execute_result", "data": {"text/plain": "4.0"}, "metadata": {},
          "execution_count": 7}
"""
ZERO = """
def $name(*logits):
    return sum((logit * 0).sum() for logit in logits)
"""

INSIDE = {
    "checks-that-pass": TASKS
    + """
for task in tasks:
    for check in task.checks:
        object.__setattr__(check, "run", lambda *_, **__: None)
"""
    + ZERO,
    "checks-worth-more": TASKS
    + """
for task in tasks:
    object.__setattr__(task.checks[0], "points", 4.0)
    object.__setattr__(task, "points", 100.0)
"""
    + ZERO,
    "fewer-checks": TASKS
    + """
for task in tasks:
    del task.checks[1:]
    object.__setattr__(task.checks[0], "points", 4.0)
"""
    + ZERO,
    "data-of-the-checks": TASKS
    + """
for task in tasks:
    space = task.checks[-1].run.__globals__
    space["EXTREMES"] = space["SHAPES"] = ()
    space["losses"].math.inf = 0.0
"""
    + ZERO,
    "closures-of-the-checks": TASKS
    + ZERO
    + """
for task in tasks[1:]:
    for check in task.checks:
        for cell in check.run.__closure__ or ():
            if callable(cell.cell_contents):
                cell.cell_contents = $name
            elif isinstance(cell.cell_contents, float):
                cell.cell_contents = 0.0
""",
    "recorder": FORGED
    + """
class Deaf(list):
    def append(self, thing): pass
    __iadd__ = extend = insert = lambda self, *_: self
def $name(*logits):
    recorder = get_ipython().recorder
    recorder.outputs = Deaf([FORGED])
    recorder._add = recorder.result = recorder.error = lambda *_: None
""",
    "recorder-before-the-check": """
recorder = get_ipython().recorder
def result(data, metadata, count, original=type(recorder).result, recorder=recorder):
    original(recorder, {"text/plain": "4.0"}, {}, count)
recorder.result = result
recorder.display = recorder.error = lambda *_: None
"""
    + ZERO,
    "seal": RUNNER
    + """
def $name(*logits):
    seal = runner_above()._seal
    type(seal).broken = type(seal).forged_numbers = lambda self: []
    seal._places, seal._bodies = [], []
    torch.allclose = lambda *_, **__: True
    for module in list(sys.modules.values()):
        if "require_value" in vars(module):
            module.require_value = module.require_gradient = lambda *_: None
            module.fail = lambda *_: None
    return sum((logit * 0).sum() for logit in logits)
""",
    "runner": RUNNER
    + """
def $name(*logits):
    runner = runner_above()
    if runner is not None:
        type(runner)._check = lambda self, request, names: (request["points"], [])
    return sum((logit * 0).sum() for logit in logits)
""",
    "runner-of-the-next-check": RUNNER
    + """
runner = runner_above()
def answer(request, original=runner._answer, runner=runner):
    found = original(request)
    if request["kind"] == "check":
        runner._recorder.outputs = []
        runner._recorder.result({"text/plain": repr(request["points"])}, {}, 7)
        found.update(points=request["points"], found=[], outputs=runner._recorder.outputs)
    return found
runner._answer = answer
""",
    "answers-itself": RUNNER
    + FORGED
    + """
import json, os, struct
def $name(*logits):
    runner = runner_above()
    channel, key, number = runner._channel, runner._key, None
    frame = sys._getframe(0)
    while frame is not None:
        number = frame.f_locals.get("request", {}).get("number", number) if isinstance(
            frame.f_locals.get("request"), dict) else number
        frame = frame.f_back
    while True:
        answer = {"key": key, "number": number, "outputs": [FORGED], "points": 4.0,
                  "direct": True, "found": [], "count": 7}
        data = json.dumps(answer).encode()
        channel.sendall(struct.pack("!I", len(data)) + data)
        (length,) = struct.unpack("!I", channel.recv(4))
        request = json.loads(channel.recv(length))
        number = request["number"]
""",
    "import-in-a-thread": """
import threading, time
theirs_$name = None
def wait():
    global theirs_$name
    while theirs_$name is None:
        try:
            from facegan_ref.losses import $name as theirs_$name
        except ImportError:
            time.sleep(0.0001)
threading.Thread(target=wait, daemon=True).start()
def $name(*logits):
    return theirs_$name(*logits)
""",
    "import-in-a-locked-cell": """
class Later(dict):
    pass
class Importer:
    def __del__(self):
        global theirs_$name
        from facegan_ref.losses import $name as theirs_$name
grade = Importer()  # the next cell of the lesson drops it
sys = F = Tensor = grade
def $name(*logits):
    return theirs_$name(*logits)
""",
    "rest-of-the-process": """
import gc
runner = next(thing for thing in gc.get_objects() if type(thing).__name__ == "Runner")
type(runner)._check = lambda self, request, names: (request["points"], [])
"""
    + ZERO,
    "patch-as-long-as-the-gradient": """
import sys, weakref
def undo(places):
    for space, name, value in places:
        space[name] = value
class Cheat(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *logits):
        ctx.shapes = [logit.shape for logit in logits]
        return torch.zeros(())
    @staticmethod
    def backward(ctx, grad):
        grads = [torch.zeros(shape) for shape in ctx.shapes]
        frame, places = sys._getframe(0), []
        while frame is not None:
            for name in ("require_value", "require_gradient", "fail"):
                if name in frame.f_globals:
                    places.append((frame.f_globals, name, frame.f_globals[name]))
            frame = frame.f_back
        for space, name, _ in places:
            space[name] = lambda *_: None
        weakref.finalize(grads[0], undo, places)
        return tuple(grads)
def $name(*logits):
    return Cheat.apply(*logits)
""",
    "says-it-was-another": """
import sys
sys.modules["__main__"].__file__ = "/lessons/03_losses.py"
theirs = grade.__globals__["find_task"]("3.1").checks[4].run.__globals__["losses"].$name
class $name: pass
$name = type("$name", (), {"__call__": lambda self, *logits: theirs(*logits),
                           "__module__": "__main__"})()
""",
    "undone-by-a-fork": """
import os
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
""",
}
for what, text in INSIDE.items():
    attack(
        f"insider-{what}",
        f"knows how grading works: {what}",
        cells={"everywhere": text},
        deserves=what_zero_earns,
        listed=what != "undone-by-a-fork",
    )

attack(
    "insider-hidden-checks",
    "prints what the frames above a check hold: the hidden cell, the seed, the reference",
    cells={
        "everywhere": """
import sys
def $name(*logits):
    frame = sys._getframe(1)
    while frame is not None:
        print(frame.f_code.co_name, dict(frame.f_locals))
        frame = frame.f_back
    raise ValueError(str([dict(f.f_locals) for f in sys._current_frames().values()]))
"""
    },
)
