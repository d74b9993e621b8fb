"""Honest work that looks odd: it keeps its points, and nobody is suspected."""

from __future__ import annotations

from hand_ins import HAND_INS, accident, honest, new_cell, write_cell

from facegan_ref.grading.sample_kit import LessonKit

honest("neighbour", "right, with a secret in a cell", cells={"last": "# $neighbours_secret"})


def _answers_elsewhere(kit: LessonKit, nb: dict) -> None:
    """The answers stand in cells of their own; the answer cells say only where."""
    for task in kit.functions:
        place = nb["cells"].index(kit.cell(nb, "task", task))
        nb["cells"].insert(place, new_cell(kit.answers[task]))
        write_cell(kit, nb, task, "# See the cell above.")


def _answers_in_two_cells(kit: LessonKit, nb: dict) -> None:
    for task in kit.functions:
        place = nb["cells"].index(kit.cell(nb, "task", task))
        helper = f"def helper_of_{task[-1]}(x, y):\n"
        helper += "    return F.binary_cross_entropy_with_logits(x, y)"
        nb["cells"].insert(place, new_cell(helper))
        text = kit.answers[task].replace("F.binary_cross_entropy_with_logits",
                                         f"helper_of_{task[-1]}")  # fmt: skip
        write_cell(kit, nb, task, text)


honest("answers-in-cells-of-their-own", "right, below nothing but a remark",
       edit=_answers_elsewhere)  # fmt: skip
honest("answers-in-two-cells", "right, with a helper above each answer", edit=_answers_in_two_cells)

FREE_CELLS = {
    "garbage-collected": "import gc\ngc.collect()",
    "inline-figure": "%matplotlib inline\nimport matplotlib.pyplot as plt\n"
    "plt.plot([1, 2])\nplt.title('grade 4.0')\nplt.show()",
    "shell-list": "!ls\nfiles = !ls\n%pwd\n%ls",
    "pip": "!pip install --quiet torch\n%pip --version",
    "timed": "%timeit -n 1 -r 1 1 + 1\n%time 2 + 2",
    "timed-cell": "%%time\nx = 1",
    "captured": "%%capture\nprint('x' * 1000)",
    "shell-cell": "%%bash\necho hello",
    "help": "discriminator_loss?\nhelp(discriminator_loss)\ntorch.allclose??",
    "top-level-await": "import asyncio\nawait asyncio.sleep(0.01)\nprint('slept')",
    "own-loop": "import asyncio\nasync def f(): return 1\ntask = asyncio.ensure_future(f())\n"
    "print(await task)",
    "error-in-a-free-cell": "undefined_name",
    "assertion-in-a-free-cell": "assert discriminator_loss(torch.zeros(2), torch.zeros(2)) == 7",
    "compares-with-the-reference": "from facegan_ref.losses import discriminator_loss as theirs\n"
    "a = torch.randn(5)\nprint(discriminator_loss(a, a), theirs(a, a))\n"
    "assert torch.allclose(discriminator_loss(a, a), theirs(a, a))",
    "hints": 'hint("3.1", 1)\nhint("3.1", 4)\nhint("3.2", 2)',
    "grades-again": 'grade("3.1", discriminator_loss)',
    "long-training": """
net = torch.nn.Linear(64, 1)
optimiser = torch.optim.Adam(net.parameters())
import time
stop = time.monotonic() + 1.5
while time.monotonic() < stop:
    optimiser.zero_grad()
    discriminator_loss(net(torch.randn(64, 64)), net(torch.randn(64, 64))).backward()
    optimiser.step()
print("trained")
""",
    "data-loader": """
from torch.utils.data import DataLoader, TensorDataset
for (batch,) in DataLoader(TensorDataset(torch.randn(64, 3)), 16, num_workers=2):
    pass
""",
    "widgets": "import ipywidgets\nslider = ipywidgets.IntSlider(3)\ndisplay(slider)\n"
    "ipywidgets.interact(lambda x: x, x=3)",
    "progress-bar": "from tqdm.auto import tqdm\nfor _ in tqdm(range(1000)): pass",
    "pictures": "from IPython.display import Image, display\nimport matplotlib.pyplot as plt\n"
    "for _ in range(5):\n    plt.figure()\n    plt.imshow(torch.rand(64, 64))\n    plt.show()",
    "partial-load": "import functools\ntorch.load = functools.partial(torch.load, "
    "weights_only=False)",
    "saves-and-loads": "torch.save({'w': torch.ones(3)}, 'mine.pt')\n"
    "print(torch.load('mine.pt'))\nopen('log.txt', 'w').write('x')",
    "warnings-off": "import warnings\nwarnings.filterwarnings('ignore')",
    "logging": "import logging\nlogging.basicConfig(level=0)\nlogging.warning('a remark')",
    "reload": "%load_ext autoreload\n%autoreload 2",
    "data-of-the-course": "from facegan_ref.data.toyfaces import ToyFaces\n"
    "print(ToyFaces(4, 16, seed=0).images.shape)",
    "figures-of-the-course": "from facegan_ref.figures import use_style\nuse_style()",
    "inspects-its-own": "import inspect\nprint(inspect.getsource(discriminator_loss))",
    "device": "device = 'cuda' if torch.cuda.is_available() else 'cpu'\nprint(device)",
    "display-hook-of-frames": "import pandas as pd\npd.DataFrame({'grade': [4.0]})",
    "random-numbers": "import numpy, random\nrandom.seed(1)\nnumpy.random.seed(1)\n"
    "torch.manual_seed(1)",
    "no-grad-block": "with torch.no_grad():\n    print(discriminator_loss(torch.ones(1), "
    "torch.ones(1)))",
    "time-and-dates": "import datetime, time\nprint(datetime.datetime.now(), time.time())",
    "threads-of-its-own": "import threading\nt = threading.Thread(target=print, args=('hi',))\n"
    "t.start()\nt.join()",
    "pool-of-its-own": "from multiprocessing.pool import ThreadPool\n"
    "print(ThreadPool(2).map(abs, [-1, 2]))",
    "environment-read": "import os\nprint(os.environ.get('HOME'), os.getcwd(), os.cpu_count())",
    "compiles": "@torch.jit.script\ndef twice(x):\n    return 2 * x\nprint(twice(torch.ones(1)))",
    "html-notes": "from IPython.display import HTML\nHTML('<b>my notes</b>')",
    "last-value-is-a-number": "4.0",
}
for name, text in FREE_CELLS.items():
    honest(f"odd-{name}", f"right, and a free cell: {name}", cells={"scratch": text})

STYLES = {
    "typing": """
from __future__ import annotations
from typing import Callable, TypeAlias
Loss: TypeAlias = Callable[..., Tensor]
def discriminator_loss(real: Tensor, fake: Tensor, /, *, mean: bool = True) -> Tensor:
    bce: Loss = F.binary_cross_entropy_with_logits
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
""",
    "dataclass": """
from dataclasses import dataclass
@dataclass
class Loss:
    label: float
    def __call__(self, logits):
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, self.label))
def discriminator_loss(real, fake):
    return Loss(1.0)(real) + Loss(0.0)(fake)
""",
    "callable-object": """
class DiscriminatorLoss(torch.nn.Module):
    def forward(self, real, fake):
        return F.softplus(-real).mean() + F.softplus(fake).mean()
discriminator_loss = DiscriminatorLoss()
""",
    "lambda": "discriminator_loss = lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean()",
    "partial-of-its-own": """
import functools
def both(weight, real, fake):
    return weight * (F.softplus(-real).mean() + F.softplus(fake).mean())
discriminator_loss = functools.partial(both, 1.0)
""",
    "decorated": """
import functools
def logged(function):
    @functools.wraps(function)
    def inner(*arguments):
        print(function.__name__, [tuple(a.shape) for a in arguments])
        return function(*arguments)
    return inner
@logged
def discriminator_loss(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()
""",
    "unicode-names": """
def discriminator_loss(réel, faux):
    μ = torch.mean
    λ = F.softplus
    return μ(λ(-réel)) + μ(λ(faux))
""",
    "own-exec": """
exec("def discriminator_loss(r, f):\\n    return F.softplus(-r).mean() + F.softplus(f).mean()")
""",
    "star-import": "from torch.nn.functional import *\nfrom math import *\n"
    "def discriminator_loss(r, f):\n    return softplus(-r).mean() + softplus(f).mean()",
    "scripted": """
@torch.jit.script
def discriminator_loss(r: Tensor, f: Tensor):
    return torch.nn.functional.softplus(-r).mean() + torch.nn.functional.softplus(f).mean()
""",
    "no-module-name": """
def discriminator_loss(r, f):
    return F.softplus(-r).mean() + F.softplus(f).mean()
discriminator_loss.__module__ = "my_losses"
discriminator_loss.__name__ = "loss"
""",
    "bound-method": """
class Losses:
    def d(self, r, f):
        return F.softplus(-r).mean() + F.softplus(f).mean()
discriminator_loss = Losses().d
""",
    "uses-torch-directly": """
discriminator_loss = lambda r, f: torch.nn.BCEWithLogitsLoss()(
    torch.cat([r.flatten(), f.flatten()]),
    torch.cat([torch.ones(r.numel()), torch.zeros(f.numel())]),
) * 2 if len(r) == len(f) else None
""",
    "words-of-attacks": '''
def discriminator_loss(r, f):
    """I never touch sys.modules, gc, ctypes, solutions/ or gradebook.db; torch.allclose is fine.

    The check passes. from facegan_ref.losses import discriminator_loss  # I did not do this
    """
    inspect, ctypes = "no", "neither"  # names like any other
    return F.softplus(-r).mean() + F.softplus(f).mean()
''',
}
for name, text in STYLES.items():
    honest(f"style-{name}", f"right, in another style: {name}", cells={"3.1": text})

accident(
    "long-error-in-a-check",
    "an answer raises an error with a very long message",
    cells={"3.2": "def generator_loss_minimax(x):\n    raise ValueError('x' * 5_000_000)"},
    deserves=("3.2",),
)
accident(
    "answer-below-its-check",
    "the answer to 3.1 stands at the end of the notebook",
    cells={"3.1": "pass", "last": "def discriminator_loss(r, f):\n    return F.softplus(-r)"},
    deserves=("3.1",),
    says="NameError",
)

SUSPECTED = {
    # Honest, but an instructor may be told: each uses a thing that is used to cheat as well.
    "odd-compares-with-the-reference",
    "odd-partial-load",
    "odd-threads-of-its-own",
    "executes-another",
    "state-alarm",
    "state-atexit-that-fails",
}
assert set(HAND_INS) >= SUSPECTED
