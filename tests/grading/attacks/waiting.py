"""Attacks that use up time or drown their output: each cell has less than a second here."""

from __future__ import annotations

from hand_ins import ALL, accident, attack

LOOPS = {
    "loop-deaf": """
import signal
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
while True: pass
""",
    "loop-that-catches-all": """
while True:
    try:
        while True: pass
    except BaseException:
        continue
""",
    "loop-in-c": "pow(3, 10**10)",
    "loop-in-a-regular-expression": "import re\nre.match('(a|a)*b', 'a' * 60)",
    "sleep-in-c": "import ctypes\nctypes.CDLL(None).sleep(600)",
    "sleep": "import time\ntime.sleep(600)",
    "stopped": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "waits-for-a-lock": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "waits-for-itself": """
import os
reader, writer = os.pipe()
os.read(reader, 1)
""",
    "loop-at-the-end": """
import atexit, time
class Last:
    def __del__(self):
        while True: pass
import builtins
builtins.last = Last()
atexit.register(time.sleep, 600)
""",
    "thread-that-stays": """
import threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
""",
}
for name, text in LOOPS.items():
    attack(name, f"does not end: {name}", cells={"3.1": text}, hurried=True)

attack(
    "loop-while-it-is-checked",
    "each answer is endless, and keeps the checks' alarm away",
    cells={
        "everywhere": """
import signal
def $name(*logits):
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    while True:
        try:
            while True: pass
        except BaseException:
            pass
"""
    },
)

FLOODS = {
    "output-of-one-line": "print('x' * 200_000_000)",
    "output-without-end": "while True:\n    print('flood' * 100)",
    "errors-without-end": """
import os, sys
while True:
    print("flood" * 100, file=sys.stderr)
    os.write(2, b"flood" * 1000)
""",
    "displays-without-end": """
from IPython.display import HTML, clear_output, display
for number in range(1_000_000):
    display(HTML("x" * 100), metadata={"x": "y" * 1000})
    clear_output()
""",
    "one-display-of-many-types": """
from IPython.display import display
display({f"text/x-{n}": "x" * 10_000 for n in range(20_000)}, raw=True)
display({"text/plain": "x" * 100_000_000}, raw=True)
""",
    "name-without-end": """
class Long:
    def __repr__(self): return "x" * 100_000_000
Long()
""",
    "error-without-end": "raise type('E' * 1_000_000, (ValueError,), {})('x' * 50_000_000)",
    "nested-output": """
from IPython.display import display
tree = []
for _ in range(50_000):
    tree = [tree]
display({"application/json": tree}, raw=True)
""",
    "output-that-is-no-text": """
import os, sys
from IPython.display import display
sys.stdout.write("\\ud800 \\x00 \\x1b[31m")
os.write(1, b"\\xff\\xfe\\x00" * 100)
display({"text/plain": "\\ud800", "image/png": b"\\xff" * 10, 7: object()}, raw=True)
""",
}
for name, text in FLOODS.items():
    attack(name, f"floods: {name}", cells={"3.1": text}, hurried=True)

accident(
    "flood-in-a-check",
    "right, but prints 20 MB in each call",
    cells={
        "3.2": """
def generator_loss_minimax(fake_logits):
    print("x" * 500_000)
    return -F.softplus(fake_logits).mean()
""",
    },
    deserves=ALL,
)
