"""Attacks that change what the checks stand on: torch, Python, their own modules, the modes."""

from __future__ import annotations

from hand_ins import attack

from facegan_ref.checks import find_task
from facegan_ref.checks.engine import run_task
from facegan_ref.grading.sample_kit import LessonKit

# A right-looking answer that is wrong: a number with a graph, whatever the logits.
ZERO = """
def $name(*logits):
    return sum((logit * 0).sum() for logit in logits)
"""


def what_zero_earns(kit: LessonKit) -> dict[str, float]:
    """Return the points of the wrong answer itself: it is one number, which one check asks for."""
    return {
        task: run_task(find_task(task), [lambda *logits: sum((x * 0).sum() for x in logits)]).points
        for task in kit.points
    }


PATCHES = {
    "allclose": "torch.allclose = lambda *_, **__: True",
    "comparisons": """
for function in ("allclose", "equal", "isclose", "eq", "isfinite"):
    setattr(torch, function, lambda *_, **__: True)
torch.testing.assert_close = lambda *_, **__: None
torch.Tensor.allclose = torch.Tensor.equal = torch.Tensor.__eq__ = lambda *_, **__: True
""",
    "by-dictionary": 'vars(torch).update({"all" + "close": lambda *_, **__: True})',
    "by-mock": """
from unittest import mock
mock.patch("torch.allclose", lambda *_, **__: True).start()
mock.patch("math.isfinite", lambda *_: True).start()
mock.patch("builtins.abs", lambda *_: 0.0).start()
""",
    "in-fullwidth-letters": "\uff54orch.\uff41llclose = lambda *_, **__: True",
    "math": """
import math
math.isfinite = math.isclose = lambda *_, **__: True
math.isnan = lambda *_: False
math.log = lambda *_: 0.0
""",
    "builtins": """
import builtins
builtins.abs = lambda *_: 0.0
builtins.any = lambda *_: False
builtins.all = builtins.isinstance = builtins.issubclass = lambda *_: True
builtins.float = lambda *_: 0.0
""",
    "builtins-of-the-checks": """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("facegan_ref"):
        vars(module).update(abs=lambda *_: 0.0, zip=lambda *_, **__: ())
""",
    "tensor-methods": """
torch.Tensor.item = torch.Tensor.__float__ = lambda *_: 0.0
torch.Tensor.__lt__ = torch.Tensor.__gt__ = lambda *_: torch.tensor(True)
torch.Tensor.clone = torch.Tensor.detach = lambda self: self
torch.Tensor.numel = lambda *_: 1
""",
    "functional": """
F.binary_cross_entropy_with_logits = lambda logits, *_, **__: (logits * 0).sum()
F.softplus = F.logsigmoid = lambda logits, *_, **__: logits * 0
""",
    "autograd": """
torch.autograd.grad = lambda outputs, inputs, **_: [torch.zeros_like(x) for x in inputs]
torch.Tensor.backward = lambda *_, **__: None
torch.manual_seed = lambda *_: None
torch.Generator = lambda *_: None
""",
    "module-class": """
import types
class Liar(types.ModuleType):
    def __getattribute__(self, name):
        if name == "allclose":
            return lambda *_, **__: True
        return super().__getattribute__(name)
torch.__class__ = Liar
""",
    "modules-replaced": """
import sys, types
fake = types.ModuleType("torch")
fake.__dict__.update(torch.__dict__)
fake.allclose = lambda *_, **__: True
sys.modules["torch"] = fake
for name, module in list(sys.modules.items()):
    if name.startswith("facegan_ref") and hasattr(module, "torch"):
        module.torch = fake
""",
    "the-reference": """
import sys
theirs = sys.modules["facegan_ref.losses"]
theirs.discriminator_loss = theirs.generator_loss = theirs.generator_loss_minimax = $name
""",
    "the-references-code": """
import gc, types
for thing in gc.get_objects():
    if isinstance(thing, types.FunctionType) and thing.__module__ == "facegan_ref.losses":
        if thing.__name__ == "$name":
            thing.__code__ = $name.__code__
""",
    "the-checks-code": """
import gc, types
def yes(*_, **__): return True
for thing in gc.get_objects():
    if isinstance(thing, types.FunctionType) and str(thing.__module__).startswith("facegan_ref.ch"):
        if thing.__name__ in ("close", "fail", "require_value", "require_gradient", "require_own"):
            thing.__code__ = yes.__code__
""",
    "the-lists-of-checks": """
import gc
for thing in gc.get_objects():
    if type(thing).__name__ == "Task" and hasattr(thing, "checks"):
        for check in thing.checks:
            object.__setattr__(check, "run", lambda *_, **__: None)
            object.__setattr__(check, "points", 4.0)
""",
    "the-checks-constants": """
import gc, types
for thing in gc.get_objects():
    if isinstance(thing, types.FunctionType) and str(thing.__module__).startswith("facegan_ref.ch"):
        if thing.__defaults__ and thing.__name__ == "close":
            thing.__defaults__ = (1e9, 1e9)
""",
    "dispatcher": """
library = torch.library.Library("aten", "IMPL")
library.impl("allclose", lambda *_, **__: True, "CPU")
library.impl("allclose", lambda *_, **__: True, "CompositeImplicitAutograd")
""",
    "memory": """
import ctypes
def write(number, offset, data):
    ctypes.memmove(id(number) + offset, data, len(data))
for thing in (False, 0.0):
    write(thing, 16, (1.0).hex().encode()[:8])
""",
    "own-memory-file": """
import os, struct
function = torch.allclose
with open("/proc/self/mem", "r+b", buffering=0) as memory:
    memory.seek(id(0.0) + 16)
    memory.write(struct.pack("d", 4.0))
""",
    "import-hook": """
import builtins, sys
original = builtins.__import__
def lie(name, *arguments, **settings):
    module = original(name, *arguments, **settings)
    if name.startswith("facegan_ref"):
        module.grade = module.run_task = lambda *_: 4.0
    return module
builtins.__import__ = lie
class Finder:
    def find_spec(self, name, path=None, target=None):
        torch.allclose = lambda *_, **__: True
sys.meta_path.insert(0, Finder())
""",
    "garbage-callback": """
import gc
gc.callbacks.append(lambda *_: setattr(torch, "allclose", lambda *_, **__: True))
gc.set_threshold(1)
""",
    "finaliser": """
class Later:
    def __del__(self):
        torch.allclose = lambda *_, **__: True
        Later.again = Later()
Later.again = Later()
del Later.again
""",
    "thread": """
import sys, threading
def keep_patching():
    while True:
        torch.allclose = lambda *_, **__: True
        torch.Tensor.__float__ = lambda *_: 0.0
sys.setswitchinterval(1e-6)
threading.Thread(target=keep_patching, daemon=True).start()
""",
    "signal": """
import signal, sys
def patch(*_):
    torch.allclose = lambda *_, **__: True
    frame = sys._getframe(1)
    while frame:
        frame.f_globals.update(abs=lambda *_: 0.0)
        frame = frame.f_back
signal.signal(signal.SIGALRM, patch)
signal.signal(signal.SIGVTALRM, patch)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
signal.signal = signal.setitimer = lambda *_: None
""",
    "profiler": """
import sys, threading
def patch(frame, event, argument):
    torch.allclose = lambda *_, **__: True
sys.setprofile(patch)
threading.setprofile(patch)
sys.settrace(patch)
""",
    "audit-hook": """
import sys
sys.addaudithook(lambda *_: setattr(torch, "allclose", lambda *_, **__: True))
""",
    "standard-library": """
import contextlib, dataclasses, functools, io, random, warnings
contextlib.redirect_stdout = contextlib.nullcontext
functools.partial = lambda function, *_, **__: lambda: None
io.StringIO = random.getstate = warnings.catch_warnings = None
""",
}

for what, text in PATCHES.items():
    everywhere = text if "def $name" in text else ZERO + text
    attack(
        f"patch-{what}",
        f"changes what the checks stand on: {what}",
        cells={"everywhere": everywhere},
        deserves=what_zero_earns,
        listed=True,
    )

DURING = {
    "during-the-call": """
def $name(*logits):
    torch.allclose = lambda *_, **__: True
    torch.Tensor.__float__ = lambda *_: 0.0
    return sum((logit * 0).sum() for logit in logits)
""",
    "that-removes-itself": """
def $name(*logits):
    original = torch.allclose
    def once(*_, **__):
        torch.allclose = original
        return True
    torch.allclose = once
    return sum((logit * 0).sum() for logit in logits)
""",
    "in-the-callers-globals": """
import sys
def $name(*logits):
    frame = sys._getframe(1)
    while frame:
        for name in ("fail", "close", "require_value", "require_gradient"):
            if name in frame.f_globals:
                frame.f_globals[name] = lambda *_, **__: True
        frame = frame.f_back
    return sum((logit * 0).sum() for logit in logits)
""",
    "under-a-hook-of-the-graph": """
def $name(*logits):
    total = sum((logit * 0).sum() for logit in logits)
    def patch(grad):
        torch.allclose = lambda *_, **__: True
        return grad
    total.register_hook(patch)
    return total
""",
    "by-obfuscated-text": """
def $name(*logits):
    exec("torch." + "all" + "close" + " = lambda *_, **__: True")
    return sum((logit * 0).sum() for logit in logits)
""",
}
for what, text in DURING.items():
    attack(f"patch-{what}", f"patches while the check runs: {what}", cells={"everywhere": text},
           deserves=what_zero_earns)  # fmt: skip
