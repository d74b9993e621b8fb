"""Tiny trained runs, and the `facegan` command as people call it."""

from __future__ import annotations

import contextlib
import io
import sys
from unittest import mock

import pytest
import torch

from facegan_ref import cli
from facegan_ref.checkpoint import write_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import render, sample_factors
from facegan_ref.models import Generator
from facegan_ref.sampling import draw_latent
from facegan_ref.training import Trainer


@pytest.fixture(scope="session")
def facegan():
    """Runs a command here: exit status, stdout, stderr; a traceback ends the test."""

    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        status = 0
        with (
            mock.patch.object(sys, "argv", ["facegan", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                cli.main()
            except SystemExit as end:
                status = end.code
        return status, out.getvalue(), err.getvalue()

    return run


def fitted(folder, recipe, seed):
    """The folder of a run whose generator was fitted to faces with factors that z decides.

    In a second it gives faces that differ, which a tiny adversarial training does not.
    """
    recipe = recipe.override(ngf=8, batch_size=20)
    rng = torch.Generator().manual_seed(seed)
    z = draw_latent(recipe, 400, rng)
    factors = {name: value.repeat(400) for name, value in sample_factors(1, seed=11).items()}
    factors["glasses"] = (z[:, 0] > 0).long()
    factors["skin"] = torch.where(z[:, 1] > 0, 0, 7)
    factors["background"] = torch.where(z[:, 2] > 0, 1, 5)
    faces = FaceArray(render(factors, recipe.image_size))
    trainer = Trainer(recipe, faces, seed=seed)
    optimizer = torch.optim.Adam(trainer.generator.parameters(), lr=1e-2)
    for step in range(120):
        part = torch.arange(step * 50, step * 50 + 50) % 400
        loss = (trainer.generator(z[part]) - faces.batch(part)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    write_checkpoint(folder / "last.pt", trainer.state_dict())
    return folder


@pytest.fixture(scope="session")
def run_folder(tiny_recipe, tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("normal"), tiny_recipe, seed=0)


@pytest.fixture(scope="session")
def uniform_run(tiny_recipe, tmp_path_factory):
    uniform = tiny_recipe.override(latent="uniform")
    return fitted(tmp_path_factory.mktemp("uniform"), uniform, seed=1)


@pytest.fixture
def settled_generator():
    """A small DCGAN generator with weights as torch draws them and statistics of its own maps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(z_dim=8, ngf=8, channels=3, image_size=16)
        with torch.no_grad():
            for _ in range(40):
                generator(torch.randn(64, 8))
            generator.net[-2].weight.mul_(6)  # images that fill the range
    return generator


def snapshot(module):
    """All numbers of a module and its gradients, to see that nothing of it changed."""
    return (
        {name: value.clone() for name, value in module.state_dict().items()},
        [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        [p.requires_grad for p in module.parameters()],
    )


@pytest.fixture
def unchanged():
    """A context in which a module's weights, statistics, gradients and mode must not change."""

    @contextlib.contextmanager
    def watch(module):
        values, grads, requires = snapshot(module)
        modes = [m.training for m in module.modules()]
        state = torch.get_rng_state()
        yield
        values_now, grads_now, requires_now = snapshot(module)
        assert all(torch.equal(values[name], values_now[name]) for name in values)
        for before, after in zip(grads, grads_now, strict=True):
            assert (before is None and after is None) or torch.equal(before, after)
        assert requires == requires_now
        assert modes == [m.training for m in module.modules()]
        assert torch.equal(state, torch.get_rng_state())

    return watch
