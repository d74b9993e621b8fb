"""What the warm process does to be fast changes nothing but that."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run(source: str) -> str:
    """Run a program in a Python of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


TRAIN = """
    import torch
    {put_off}
    import torchvision
    torch.manual_seed(0)
    for kind in (torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop, torch.optim.LBFGS):
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
        optimizer = kind(net.parameters(), lr=0.01)
        for _ in range(3):
            def loss():
                optimizer.zero_grad()
                value = net(torch.linspace(0, 1, 6).reshape(2, 3)).square().mean()
                value.backward()
                return value
            optimizer.step(loss)
        optimizer.load_state_dict(optimizer.state_dict())
        print(kind.__name__, [p.sum().item() for p in net.parameters()])
    boxes = torch.tensor([[0.0, 0, 4, 4]])
    print(torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), [boxes], 2).sum().item())
"""
PUT_OFF = "from facegan_ref.grading.sandbox.no_compiler import put_off_compiler; put_off_compiler()"


def test_optimizers_do_the_same_without_the_compiler() -> None:
    assert run(TRAIN.format(put_off=PUT_OFF)) == run(TRAIN.format(put_off=""))


def test_an_optimizer_alone_does_not_load_the_compiler() -> None:
    optimizer = "torch.optim.Adam([torch.nn.Parameter(torch.ones(1))]).step()"
    loaded = "print('torch._dynamo.convert_frame' in sys.modules)"
    assert run("\n".join(("import sys, torch", PUT_OFF, optimizer, loaded))) == "False"


@pytest.mark.parametrize(
    "use",
    [
        "print(torch.compile(lambda x: x + 1, backend='eager')(torch.zeros(1)).item())",
        "from torch._dynamo import config; print(1.0 if config else 0.0)",
        "import inspect; inspect.getsource(torch.nn.Linear)\n"
        "import torch._dynamo.backends.registry as found; print(1.0 if found else 0.0)",
        "torch.use_deterministic_algorithms(True); print(1.0)",
    ],
)
def test_who_needs_the_compiler_gets_it(use: str) -> None:
    optimizer = "torch.optim.Adam([torch.nn.Parameter(torch.ones(1))]).step()"
    lines = ("import torch", PUT_OFF, "seed = torch.manual_seed", optimizer, use, optimizer)
    assert run("\n".join((*lines, "assert torch.manual_seed is seed"))) == "1.0"


def huge_pages_are_possible() -> bool:
    switch = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return switch.is_file() and "[never]" not in switch.read_text()


@pytest.mark.skipif(not huge_pages_are_possible(), reason="this system has no huge pages")
def test_memory_in_huge_pages_is_the_same_memory() -> None:
    run("""
        import hashlib, os, random, torch
        from facegan_ref.grading.sandbox.huge_pages import use_huge_pages
        words = [str(i) for i in range(200_000)]
        numbers = torch.arange(3_000_000)
        before = hashlib.sha256("".join(words).encode()).hexdigest(), numbers.sum()
        use_huge_pages()  # an old kernel or a container may refuse, and is only slower
        assert before == (hashlib.sha256("".join(words).encode()).hexdigest(), numbers.sum())
        child = os.fork()
        if child == 0:
            numbers.zero_()
            words[:] = []
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert before == (hashlib.sha256("".join(words).encode()).hexdigest(), numbers.sum())
    """)
