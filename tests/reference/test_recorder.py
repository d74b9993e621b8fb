"""The recorder of a training: what it keeps, and that a training does not notice it."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facegan_ref.models import Generator, MLPDiscriminator, MLPGenerator
from facegan_ref.pictures import image_grid, require_film, share_palette
from facegan_ref.recorder import TrainingRecorder, fixed_latent_grid
from facegan_ref.sampling import sample, sample_latent
from facegan_ref.steps import discriminator_step, generator_step

SOLUTION = Path(__file__).parents[2] / "solutions" / "05_mlp_faces" / "05_mlp_faces.ipynb"


def noisy_generator():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.ReLU(), nn.Linear(12, 48),
        nn.Tanh(), nn.Unflatten(1, (3, 4, 4)),
    )  # fmt: skip


def latents(n, z_dim=6):
    return sample_latent(n, z_dim, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n, columns", [(1, 1), (2, 2), (4, 2), (5, 3), (16, 4), (17, 5)])
def test_grid_is_that_of_the_samples_and_nearly_square(n, columns):
    generator = MLPGenerator(6, 8, (3, 4, 5))
    z = latents(n)
    grid = fixed_latent_grid(generator, z)
    assert np.array_equal(grid, image_grid(sample(generator, z), columns))


@pytest.mark.parametrize("training", [True, False])
def test_a_look_leaves_no_trace(training):
    generator = noisy_generator().train(training)
    before, rng = copy.deepcopy(generator.state_dict()), torch.get_rng_state()
    first = fixed_latent_grid(generator, latents(5))
    assert all(module.training == training for module in generator.modules())
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng)
    assert np.array_equal(first, fixed_latent_grid(generator, latents(5)))


def test_the_lessons_look_is_the_packages():
    """Lesson 5 writes out what `sample` does; lesson 7 makes it a function of its own."""
    cells = json.loads(SOLUTION.read_text(encoding="utf-8"))["cells"]
    (source,) = (
        "".join(cell["source"])
        for cell in cells
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "task-5-2"
    )
    place = {
        "math": math, "torch": torch, "image_grid": image_grid, "np": np, "nn": nn,
        "Tensor": torch.Tensor,
    }  # fmt: skip
    exec(source, place)
    for generator in (noisy_generator(), noisy_generator().eval(), Generator(6, 4, 3, 8)):
        for n in (1, 5, 9):
            lesson = place["fixed_latent_grid"](generator, latents(n))
            assert np.array_equal(lesson, fixed_latent_grid(generator, latents(n)))


def test_frames_of_the_due_steps_with_latents_of_its_own():
    generator, z = MLPGenerator(6, 8, (3, 4, 4)), latents(4)
    recorder = TrainingRecorder(generator, z, every=20)
    expected = fixed_latent_grid(generator, z)
    z.zero_()
    for step in (0, 1, 20, 39, 400):
        recorder.record(step)
    assert recorder.steps == [0, 20, 400]
    assert all(np.array_equal(frame, expected) for frame in recorder.frames)
    nn.init.zeros_(generator.net[-2].weight)
    recorder.record(420)
    assert np.array_equal(recorder.frames[0], expected)
    assert not np.array_equal(recorder.frames[3], expected)


def test_a_training_does_not_notice_it():
    def train(recorded):
        torch.manual_seed(0)
        generator = noisy_generator()
        discriminator = MLPDiscriminator((3, 4, 4), 8)
        optimizers = [torch.optim.Adam(n.parameters(), 1e-2) for n in (generator, discriminator)]
        recorder = TrainingRecorder(generator, latents(4), every=2)
        for step in range(8):
            if recorded:
                recorder.record(step)
            real = torch.rand(5, 3, 4, 4) * 2 - 1
            discriminator_step(generator, discriminator, optimizers[1], real, torch.randn(5, 6))
            generator_step(generator, discriminator, optimizers[0], torch.randn(5, 6))
        assert len(recorder.frames) == 4 * recorded
        return generator.state_dict()

    alone, recorded = train(False), train(True)
    assert all(torch.equal(value, recorded[key]) for key, value in alone.items())


def test_a_film_has_one_palette():
    frames = [np.full((3, 4, 3), value, dtype=np.uint8) for value in (0, 100, 200)]
    images = share_palette(frames)
    palettes = {bytes(image.getpalette()) for image in images}
    assert len(palettes) == 1 and all(image.mode == "P" for image in images)
    require_film(frames, 0.5)
    with pytest.raises(ValueError, match="all of one size"):
        require_film([*frames, frames[0][1:]], 5)
