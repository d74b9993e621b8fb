"""The guarantees of training on a CUDA device: exact resume, captured steps, a way to the CPU."""

import copy
import subprocess
import sys

import pytest
import torch

from facegan_ref.checkpoint import read_checkpoint, write_checkpoint
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.recipes import RECIPES
from facegan_ref.run import Run, load_generator
from facegan_ref.sampling import sample
from facegan_ref.training import Trainer, TrainingDiverged

STABILISED = {
    "smoothing": 0.1, "sigma0": 0.2, "augment": "color,translation,cutout", "ema_decay": 0.9,
    "spectral_norm": True, "dropout": 0.1,
}  # fmt: skip
VARIANTS = {
    "plain": {},
    "bf16": {"precision": "bf16"},
    "stabilised": STABILISED,
    "r1": {"r1_gamma": 1.0},
    "relativistic": {"loss": "relativistic", "d_steps": 2, "fresh_latents": True},
}


def assert_same(one, two):
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(value, two[key]), key


def weights(trainer):
    networks = {"g": trainer.generator, "d": trainer.discriminator}
    return {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("capture", [False, True], ids=["eager", "captured"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_training_equals_a_straight_one(tiny_recipe, tiny_faces, variant, capture):
    """Bit for bit. Both captures begin at other steps, so a replayed step equals an eager one."""
    recipe = tiny_recipe.override(epochs=6, **VARIANTS[variant])
    straight = Trainer(recipe, tiny_faces, "cuda", seed=1, capture=capture)
    straight.run()
    first = Trainer(recipe, tiny_faces, "cuda", seed=1, capture=capture)
    first.run(until=11)
    second = Trainer(recipe, tiny_faces, "cuda", seed=9, capture=capture)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.run()
    assert first.take_metrics() + second.take_metrics() == straight.take_metrics()
    assert_same(weights(second), weights(straight))


@pytest.mark.parametrize("variant", ["plain", "bf16", "stabilised"])
def test_captured_steps_do_what_eager_ones_do(tiny_recipe, tiny_faces, variant):
    recipe = tiny_recipe.override(epochs=6, **VARIANTS[variant])
    eager = Trainer(recipe, tiny_faces, "cuda", seed=1)
    captured = Trainer(recipe, tiny_faces, "cuda", seed=1, capture=True)
    eager.run(), captured.run()
    for one, two in zip(eager.take_metrics(), captured.take_metrics(), strict=True):
        assert one == pytest.approx(two, rel=1e-3, abs=1e-4)
    assert captured._update.graph is not None


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_trains_at_full_width(name):
    recipe = RECIPES[name]
    faces = FaceArray(ToyFaces(2 * recipe.batch_size, recipe.image_size, seed=0).images)
    trainer = Trainer(recipe, faces, "cuda")
    trainer.run(until=min(20, trainer.total_steps))
    trainer.require_finite()
    assert trainer._images.images.is_cuda


def test_the_first_step_is_that_of_the_cpu(tiny_recipe, tiny_faces):
    on_cpu, on_cuda = (Trainer(tiny_recipe, tiny_faces, d, seed=2) for d in ("cpu", "cuda"))
    on_cpu.run(until=3), on_cuda.run(until=3)
    for one, two in zip(on_cpu.take_metrics(), on_cuda.take_metrics(), strict=True):
        assert one == pytest.approx(two, rel=0.02, abs=0.02)


def test_a_checkpoint_moves_between_devices(tmp_path, tiny_recipe, tiny_faces):
    there = Trainer(tiny_recipe, tiny_faces, "cuda", seed=2)
    there.run(until=4)
    write_checkpoint(tmp_path / "a.pt", there.state_dict())
    here = Trainer(tiny_recipe, tiny_faces, "cpu", seed=2)
    here.load_state_dict(read_checkpoint(tmp_path / "a.pt"))
    here.run(until=8)
    write_checkpoint(tmp_path / "b.pt", here.state_dict())
    back = Trainer(tiny_recipe, tiny_faces, "cuda", seed=2, capture=True)
    back.load_state_dict(read_checkpoint(tmp_path / "b.pt"))
    back.run()
    back.require_finite()
    assert back.step == 12


def test_a_run_on_cuda_gives_its_faces_on_the_cpu(tmp_path, tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe, tiny_faces, "cuda")
    run = Run(tmp_path, trainer)
    run.start()
    run.train(quiet=True)
    generator, _ = load_generator(tmp_path)
    there = trainer.preview().cpu()
    torch.testing.assert_close(sample(generator, trainer.fixed_z), there, atol=2e-2, rtol=0)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 12


def test_a_bad_loss_is_found_within_the_steps_between_two_looks(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(epochs=12), tiny_faces, "cuda")
    with torch.no_grad():
        next(trainer.generator.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingDiverged, match="step 1: D's loss is nan"):
        trainer.run()
    assert trainer.step <= trainer.read_every


def test_the_global_rng_of_the_device_is_left_alone(tiny_recipe, tiny_faces):
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    Trainer(tiny_recipe.override(dropout=0.2), tiny_faces, "cuda").run(until=3)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_the_command_resumes_on_cuda(tmp_path):
    tiny = (
        "train --images 64 --device cuda --image-size 16 --ngf 4 --ndf 4 --batch-size 8 "
        "--quality-images 16 --capture --out run --epochs"
    )
    for arguments in (f"{tiny} 1", "train --resume run --images 64 --epochs 2 --capture"):
        command = [sys.executable, "-m", "facegan_ref", *arguments.split()]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert "images/s on cuda" in result.stdout
    assert read_checkpoint(tmp_path / "run" / "last.pt")["step"] == 16
