"""Training in two processes: the same result as in one, and checkpoints that go either way."""

import multiprocessing
import os
import socket
import subprocess
import sys

import pytest
import torch
from worker import train_as, train_until

from facegan_ref import distributed
from facegan_ref.checkpoint import read_checkpoint
from facegan_ref.distributed import WholeBatchNorm2d
from facegan_ref.training import Trainer

# Sums of another order differ in the last bits, and training carries them on; Adam's first steps
# turn a difference in a gradient that is nearly 0 into one of the size of the learning rate.
CLOSE = {"rtol": 2e-3, "atol": 2e-5}


@pytest.fixture
def in_two(tiny_images):
    """Runs `train_until` in two processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["facegan_ref.run", "facegan_ref.evaluation"])

    def run(step, path, recipe):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        processes = [
            context.Process(target=train_as, args=(rank, port, step, path, recipe, tiny_images))
            for rank in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0]
        return read_checkpoint(path)

    return run


def assert_close(one, two):
    for network in ("generator", "discriminator", "ema"):
        for key, value in one.get(network, {}).items():
            torch.testing.assert_close(two[network][key], value, **CLOSE, msg=f"{network} {key}")
    for row, other in zip(one["rows"], two["rows"], strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-5)


VARIANTS = {
    "plain": {},
    "bf16": {"precision": "bf16"},
    "stabilised": {
        "smoothing": 0.1, "sigma0": 0.3, "augment": "color,translation,cutout", "ema_decay": 0.9,
        "spectral_norm": True, "r1_gamma": 1.0, "d_steps": 2, "fresh_latents": True,
    },
    "relativistic": {"loss": "relativistic", "model": "mlp"},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_give_the_result_of_one(in_two, tmp_path, tiny_recipe, tiny_images, variant):
    recipe = tiny_recipe.override(**VARIANTS[variant])
    train_until(6, tmp_path / "one.pt", recipe, tiny_images)
    two = in_two(6, tmp_path / "two.pt", recipe)
    one = read_checkpoint(tmp_path / "one.pt")
    if variant == "bf16":  # rounds to three digits, and each sum differently
        assert two["rows"][0] == pytest.approx(one["rows"][0], rel=0.02, abs=0.02)
    else:
        assert_close(one, two)


def test_a_checkpoint_moves_between_numbers_of_processes(
    in_two, tmp_path, tiny_recipe, tiny_images
):
    straight, there_and_back = tmp_path / "straight.pt", tmp_path / "moved.pt"
    train_until(3, straight, tiny_recipe, tiny_images)
    train_until(9, straight, tiny_recipe, tiny_images)
    in_two(3, there_and_back, tiny_recipe)
    train_until(6, there_and_back, tiny_recipe, tiny_images)
    moved = in_two(9, there_and_back, tiny_recipe)
    assert_close({**read_checkpoint(straight), "rows": []}, {**moved, "rows": []})


def test_normalisation_over_processes_is_torchs_own_in_one():
    torch.manual_seed(0)
    ours = WholeBatchNorm2d(3)
    theirs = torch.nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5) * 3 + 1
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    out, expected = ours(a), theirs(b)
    torch.testing.assert_close(out, expected)
    weight = torch.randn_like(x)
    (out * weight).sum().backward(), (expected * weight).sum().backward()
    torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_the_command_runs_under_torchrun(tmp_path):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "facegan_ref", "train", "--recipe", "quick", "--images", "32", "--device", "cpu",
        "--image-size", "16", "--z-dim", "8", "--ngf", "4", "--ndf", "4", "--batch-size", "8",
        "--epochs", "2", "--quality-images", "16", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    result = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("images/s on cpu") == 1  # only the first process speaks
    assert read_checkpoint(tmp_path / "run" / "best.pt")["step"] in (4, 8)
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 8
    assert (tmp_path / "run" / "progress.gif").exists()


def test_a_batch_that_cannot_be_shared_is_refused(tiny_recipe, tiny_faces, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    with pytest.raises(ValueError, match="batch_size 8 can't be shared evenly by 3 processes"):
        Trainer(tiny_recipe, tiny_faces)
