"""Attacks and accidents that end, break or disarm Python while it is graded."""

from __future__ import annotations

from hand_ins import ALL, accident, attack

from facegan_ref.grading.sample_kit import LessonKit

# Each stands in the answer to 3.2: what comes before and after it keeps its points.
ENDS = {
    "exit-os": "import os\nos._exit(1)",
    "exit-os-as-if-well": "import os\nos._exit(0)",
    "crash": "import faulthandler\nfaulthandler._sigsegv()",
    "abort": "import os\nos.abort()",
    "kills-itself": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "executes-another": "import os\nos.execv('/proc/self/exe', ['python', '-c', 'pass'])",
}
for name, text in ENDS.items():
    accident(
        name,
        f"right but for the second answer: {name}",
        cells={"3.2": text},
        deserves=("3.2",),
        says="Python itself stopped",
    )

# These end no more than their own cell.
STOPS = {
    "exit-sys": ("import sys\nsys.exit(3)", "SystemExit"),
    "exit-builtin": ("exit()", ""),
    "quit-builtin": ("quit()", ""),
    "raises-system-exit": ("raise SystemExit('enough')", "SystemExit"),
    "raises-interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises-generator-exit": ("raise GeneratorExit", "GeneratorExit"),
    "asks": ("name = input('Who are you? ')", ""),
    "asks-for-a-password": ("import getpass\ngetpass.getpass()", ""),
    "recursion": ("def f(n): return f(n + 1)\nf(0)", "RecursionError"),
    "deep-recursion": (
        "import sys\nsys.setrecursionlimit(50_000)\ndef f(n): return f(n + 1)\nf(0)",
        "",
    ),
    "syntax-error": ("def generator_loss_minimax(:", "SyntaxError"),
    "null-byte": ("x = '\x00'", ""),
    "tabs-and-spaces": ("def f():\n\tif 1:\n        return 2", "TabError"),
    "very-nested": ("x = " + "(" * 500 + ")" * 500, ""),
    "unbalanced-magic": ("%%nonsense\nhello", ""),
    "bad-exception": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "",
    ),
    "exception-group": (
        "raise BaseExceptionGroup('two', [ValueError(1), KeyboardInterrupt()])",
        "",
    ),
    "deletes-its-answer": ("def generator_loss_minimax(x): pass\ndel generator_loss_minimax", ""),
    "answer-is-none": ("generator_loss_minimax = None", ""),
}
for name, (text, says) in STOPS.items():
    accident(
        name,
        f"one answer stops with an error: {name}",
        cells={"3.2": text},
        deserves=("3.2",),
        says=says,
    )

# These change the state of Python or torch, by mistake or not; the answers are right.
STATES = {
    "double-precision": "torch.set_default_dtype(torch.float64)",
    "meta-device": "torch.set_default_device('meta')",
    "no-gradients": "torch.set_grad_enabled(False)",
    "inference-mode": "torch.inference_mode().__enter__()",
    "many-threads": "torch.set_num_threads(64)",
    "warnings-as-errors": "import warnings\nwarnings.simplefilter('error')",
    "another-folder": "import os\nos.makedirs('there', exist_ok=True)\nos.chdir('there')",
    "removed-folder": "import os\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')",
    "locale": "import locale\nlocale.setlocale(locale.LC_ALL, 'C')",
    "environment": "import os\nos.environ.update(FACEGAN_CHECK_SEED='x', FACEGAN_STRICT='1')\n"
    "os.environ.pop('PATH', None)",
    "environment-cleared": "import os\nos.environ.clear()",
    "seeds": "import random\ntorch.manual_seed(0)\nrandom.seed(0)",
    "anomaly": "torch.autograd.set_detect_anomaly(True)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "no-garbage-collector": "import gc\ngc.disable()\ngc.freeze()",
    "low-recursion-limit": "import sys\nsys.setrecursionlimit(150)",
    "print-options": "torch.set_printoptions(sci_mode=True, precision=1)",
    "alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)\nsignal.alarm(0)",
    "own-streams": "import io, sys\nsys.stdout = sys.stderr = io.StringIO()",
    "closed-streams": "import sys\nsys.stdout.close()\nsys.stderr.close()",
    "no-streams": "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
    "without-grade": "del grade, hint",
    "own-path": "import sys\nsys.path[:] = ['.']",
    "float-warnings": "import numpy\nnumpy.seterr(all='raise')",
    "xmode": "%xmode Minimal\n%precision 2\n%pprint",
    "autocall": "%autocall 2\n%automagic on",
    "names-of-builtins": "list = dict = sum = print = float = abs = 7",
    "names-of-modules": "math = os = sys = signal = 7",
    "left-a-context": "import contextlib\nnothing = open('/dev/null', 'w')\n"
    "contextlib.redirect_stdout(nothing).__enter__()",
    "finaliser-that-fails": "class Odd:\n    def __del__(self): raise ValueError('late')\nOdd()",
    "atexit-that-fails": "import atexit\natexit.register(lambda: 1 / 0)",
    "no-int-limit": "import sys\nsys.set_int_max_str_digits(0)",
}
for name, text in STATES.items():
    accident(
        f"state-{name}",
        f"right, but a cell changes the state of Python: {name}",
        cells={"first": "import torch", "scratch": text},
        deserves=ALL,
    )


def _visible_of_the_first(kit: LessonKit) -> dict[str, float]:
    """The check of 3.1 came first; its fresh check and the other tasks come too late."""
    return {**kit.nothing(), "3.1": kit.points["3.1"] - 1}


def _all_but_the_first_fresh(kit: LessonKit) -> dict[str, float]:
    return {**kit.points, "3.1": kit.points["3.1"] - 1}


accident(
    "without-torch",
    "right, and then the free cell deletes the modules that the answers use",
    cells={"scratch": "del torch, F"},
    deserves=_visible_of_the_first,
)
accident(
    "reset",
    "right, and then the free cell forgets all names",
    cells={
        "scratch": "%reset -f\nimport torch\nimport torch.nn.functional as F\n"
        "from torch import Tensor"
    },
    deserves=_all_but_the_first_fresh,
    says="NameError",
)

attack(
    "answers-nothing-but-ends-well",
    "ends Python with success before the first check",
    cells={"first": "import os\nos._exit(0)"},
    says="Python itself stopped",
)
