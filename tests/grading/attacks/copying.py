"""Attacks that hand in the reference's own functions, found in every way that Python knows."""

from __future__ import annotations

from hand_ins import attack

# What stands in the answer cell is the reference's function itself.
PLAIN = {
    "imported": "from facegan_ref.losses import $name",
    "imported-module": "import facegan_ref.losses as theirs\n$name = theirs.$name",
    "imported-under-another-name": "from facegan_ref.losses import $name as mine\n$name = mine",
    "package-attribute": "import facegan_ref\n$name = facegan_ref.losses.$name",
    "importlib": "import importlib\n$name = importlib.import_module('facegan_ref.losses').$name",
    "sys-modules": "import sys\n$name = sys.modules['facegan_ref.losses'].$name",
    "checks-attribute": "import facegan_ref.checks.lesson03 as them\n$name = them.losses.$name",
}

# It stands behind a function of the student's own.
FOUND = {
    "wrapped": "from facegan_ref.losses import $name as theirs_$name",
    "builtins-of-others": """
theirs_$name = torch.__builtins__["__import__"]("facegan_ref.losses").losses.$name
""",
    "builtins-of-a-frame": """
theirs_$name = (lambda: 0).__globals__["grade"].__builtins__["__import__"](
    "facegan_ref.losses").losses.$name
""",
    "dunder-import": "theirs_$name = __import__('facegan_ref.losses', fromlist=['x']).$name",
    "sys-modules-spelt": """
import sys
theirs_$name = getattr(sys, "mod" + "ules")["facegan" + "_ref" + ".losses"].__dict__["$name"]
""",
    "grade-globals": """
find = grade.__globals__["find_task"]
theirs_$name = find("3.1").checks[4].run.__globals__["losses"].$name
""",
    "garbage-collector": """
import gc, types
theirs_$name = next(
    thing for thing in gc.get_objects()
    if isinstance(thing, types.FunctionType) and thing.__name__ == "$name"
    and thing.__module__ == "facegan_ref.losses"
)
""",
    "pickle": "import pickle\ntheirs_$name = pickle.loads(b'cfacegan_ref.losses\\n$name\\n.')",
    "torch-load": """
import io
class Theirs:
    def __reduce__(self):
        return eval, ("__import__('facegan_ref.losses', fromlist=['x']).$name",)
data = io.BytesIO()
torch.save(Theirs(), data)
data.seek(0)
theirs_$name = torch.load(data, weights_only=False)
""",
    "resolve-name": "import pkgutil\n"
    "theirs_$name = pkgutil.resolve_name('facegan_ref.losses:$name')",
    "pydoc": "import pydoc\ntheirs_$name = pydoc.locate('facegan_ref.losses.$name')",
    "runpy": "import runpy\ntheirs_$name = runpy.run_module('facegan_ref.losses')['$name']",
    "eval": "theirs_$name = eval(\"__import__('facegan_ref.losses').losses.$name\")",
    "base64": """
import base64
space = {}
exec(base64.b64decode(b"ZnJvbSBmYWNlZ2FuX3JlZi5sb3NzZXMgaW1wb3J0ICo="), space)
theirs_$name = space["$name"]
""",
    "fullwidth-letters": "import \uff46acegan_ref.losses as theirs\ntheirs_$name = theirs.$name",
    "magic": "%run -m facegan_ref.losses\ntheirs_$name = $name",
    "import-unhooked": """
import sys, builtins, importlib
sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__module__.startswith(
    ("_frozen_importlib", "importlib"))]
builtins.__import__ = importlib.__import__
theirs_$name = importlib.__import__("facegan_ref.losses", fromlist=["x"]).$name
""",
    "import-pretends": """
space = {"__name__": "facegan_ref.checks.lesson03", "__package__": "facegan_ref.checks.lesson03",
         "__file__": "facegan_ref/checks/lesson03/__init__.py", "__builtins__": {
         "__import__": type(sum)("__import__", 1) if 0 else __import__("builtins").__import__}}
code = compile("from ...losses import $name", space["__file__"], "exec")
exec(code, space)
theirs_$name = space["$name"]
""",
    "second-copy": """
import importlib.util, facegan_ref
path = facegan_ref.__path__[0] + "/losses.py"
spec = importlib.util.spec_from_file_location("mine", path)
mine = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mine)
theirs_$name = mine.$name
""",
    "loader": """
import importlib.machinery, facegan_ref
path = facegan_ref.__path__[0] + "/losses.py"
theirs_$name = importlib.machinery.SourceFileLoader("mine", path).load_module().$name
""",
}
WRAPPER = """

def $name(*logits):
    return theirs_$name(*logits)
"""

# The reference is looked for only when the check calls the answer.
LATE = {
    "wrapped-late": """
def $name(*logits):
    from facegan_ref import losses
    return losses.$name(*logits)
""",
    "frames": """
import sys
def $name(*logits):
    frame = sys._getframe(1)
    while "losses" not in frame.f_globals:
        frame = frame.f_back
    return frame.f_globals["losses"].$name(*logits)
""",
    "frames-of-an-exception": """
def $name(*logits):
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame.f_back
    while "losses" not in frame.f_globals:
        frame = frame.f_back
    return frame.f_globals["losses"].$name(*logits)
""",
    "frames-of-a-generator": """
def $name(*logits):
    def walk():
        frame = steps.gi_frame
        while "losses" not in frame.f_globals:
            frame = frame.f_back
        yield frame.f_globals["losses"].$name
    steps = walk()
    return next(steps)(*logits)
""",
    "expected-value": """
import sys
def $name(*logits):
    frame = sys._getframe(1)
    while "expected_grads" not in frame.f_locals and frame.f_back:
        frame = frame.f_back
    known = frame.f_locals
    total = torch.as_tensor(known.get("expected", 1.3863))
    for grad, logit in zip(known.get("expected_grads", ()), logits):
        total = total + (grad * (logit - logit.detach())).sum()
    return total
""",
    "obfuscated": """
def $name(*logits):
    finder = getattr(__import__("s" + "ys"), "_get" + "frame")
    frame = finder(1)
    while "los" + "ses" not in getattr(frame, "f_glo" + "bals"):
        frame = getattr(frame, "f_" + "back")
    return getattr(getattr(frame, "f_glo" + "bals")["los" + "ses"], "$name")(*logits)
""",
}

# Its code is taken, as text or as bytes.
TAKEN = {
    "partial": "import functools\nfrom facegan_ref.losses import $name as theirs\n"
    "$name = functools.partial(theirs)",
    "copied-code": """
from facegan_ref.losses import $name as theirs
def $name(*logits): pass
$name.__code__, $name.__defaults__ = theirs.__code__, theirs.__defaults__
smooth_real_labels = lambda logits, smoothing: torch.full_like(logits, 1 - smoothing)
""",
    "rebuilt-function": """
import types
from facegan_ref.losses import $name as theirs
space = theirs.__globals__
$name = types.FunctionType(theirs.__code__, space, "$name", theirs.__defaults__)
$name.__module__ = "__main__"
""",
    "its-file": """
import facegan_ref
exec(open(facegan_ref.__path__[0] + "/losses.py").read())
""",
    "its-file-as-a-cell": """
import facegan_ref, pathlib
text = (pathlib.Path(facegan_ref.__path__[0]) / "losses.py").read_text()
get_ipython().run_cell(text.replace("from __future__ import annotations", ""))
""",
    "inspect": "import inspect, facegan_ref.losses\nexec(inspect.getsource(facegan_ref.losses))",
    "linecache": """
import linecache, facegan_ref
exec("".join(linecache.getlines(facegan_ref.__path__[0] + "/losses.py")))
""",
    "package-data": 'import pkgutil\nexec(pkgutil.get_data("facegan_ref", "losses.py"))',
    "magic-run": "import facegan_ref\npath = facegan_ref.__path__[0] + '/losses.py'\n%run {path}",
    "shell-cat": """
import facegan_ref
text = !cat {facegan_ref.__path__[0]}/losses.py
exec("\\n".join(text))
""",
    "bytecode": """
import facegan_ref, glob, importlib.util, marshal
path = importlib.util.cache_from_source(facegan_ref.__path__[0] + "/losses.py")
exec(marshal.loads(open(path, "rb").read()[16:]))
""",
}

# Another process runs the reference, where no import is guarded, and tells the numbers.
SERVER = """
import torch
from facegan_ref import losses
while True:
    name, given = eval(input())
    logits = [torch.tensor(x, requires_grad=True) for x in given]
    value = getattr(losses, name)(*logits)
    grads = [grad.tolist() for grad in torch.autograd.grad(value, logits)]
    print([value.item(), grads], flush=True)
"""
ELSEWHERE = {
    "child-process": f"""
import subprocess, sys
if "server" not in globals():
    server = subprocess.Popen([sys.executable, "-c", '''{SERVER}'''], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def ask(*logits):
    print(["$name", [logit.tolist() for logit in logits]], file=server.stdin, flush=True)
    return eval(server.stdout.readline())
""",
    "forked-process": """
import os, pickle
def ask(*logits):
    reader, writer = os.pipe()
    if os.fork() == 0:
        import sys
        logits = [logit.detach().requires_grad_() for logit in logits]
        value = sys.modules["facegan_ref.losses"].$name(*logits)
        grads = [grad.tolist() for grad in torch.autograd.grad(value, logits)]
        os.write(writer, pickle.dumps((value.item(), grads)))
        os._exit(0)
    os.close(writer)
    return pickle.loads(os.read(reader, 10_000))
""",
}
ASKED = """
def $name(*logits, ask=ask):
    value, grads = ask(*logits)
    total = torch.tensor(value)
    for grad, logit in zip(grads, logits):
        total = total + (torch.tensor(grad) * (logit - logit.detach())).sum()
    return total
"""

WAYS = {
    **PLAIN,
    **{name: text + WRAPPER for name, text in FOUND.items()},
    **LATE,
    **TAKEN,
    **{name: text + ASKED for name, text in ELSEWHERE.items()},
}
for way, text in WAYS.items():
    attack(
        f"copy-{way}",
        f"hands in the reference's function: {way}",
        cells={"everywhere": text},
        listed=True,
    )

attack(
    "copy-in-the-free-cell",
    "imports the reference in a cell of its own, above the checks",
    cells={
        "first": "from facegan_ref import losses as theirs",
        "everywhere": "$name = theirs.$name",
    },
    listed=True,
)
attack(
    "copy-star",
    "imports everything from the reference in a free cell",
    cells={"first": "from facegan_ref.losses import *", "everywhere": "pass"},
    listed=True,
)
