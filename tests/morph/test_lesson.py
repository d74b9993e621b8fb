"""What lesson 10 teaches agrees in value with the package, which does more than the lesson asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facegan_ref import morph as package
from facegan_ref.morph import latent_size
from facegan_ref.sampling import sample, sample_latent

LESSON = Path(__file__).parents[2] / "solutions" / "10_morphing" / "10_morphing.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """The names that the answer cells of the solution define."""
    names = {
        "torch": torch,
        "nn": nn,
        "Tensor": Tensor,
        "latent_size": latent_size,
        "sample": sample,
        "sample_latent": sample_latent,
    }
    for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]:
        if cell["id"].startswith("task-") and cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0, "column"])
def test_slerp_of_any_norms_and_angles(lesson, t):
    a, b = sample_latent(40, 100, rng()).chunk(2)
    a = a * torch.linspace(0.3, 2, 20)[:, None]
    b[3], b[4], b[5], b[6] = a[3], 2 * a[4], -a[5], 0
    t = torch.rand(20, 1, generator=rng(1)) if t == "column" else t
    assert torch.allclose(lesson["slerp"](a, b, t), package.slerp(a, b, t), atol=1e-3)


def test_morph_along_either_slerp(lesson, settled_generator):
    z0, z1 = sample_latent(2, 8, rng())
    frames = lesson["morph"](settled_generator, z0, z1, 6)
    assert torch.allclose(frames, package.morph(settled_generator, z0, z1, 6), atol=1e-4)


def test_directions_are_the_same_where_differences_of_chance_are_small(lesson):
    z = sample_latent(40_000, 8, rng())
    truth = torch.nn.functional.normalize(sample_latent(1, 8, rng(1))[0], dim=0)
    found = [f(z, z @ truth > 0.7) for f in (lesson["attribute_direction"],
                                             package.attribute_direction)]  # fmt: skip
    assert found[0] @ found[1] > 0.999 and found[0] @ truth > 0.999
    pair = z[:2], torch.tensor([False, True])
    assert torch.allclose(
        lesson["attribute_direction"](*pair), package.attribute_direction(*pair), atol=1e-5
    )


def test_one_start_finds_a_latent_and_eight_find_one_no_worse(lesson, settled_generator, unchanged):
    image = sample(settled_generator, sample_latent(1, 8, rng(7)))[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        start = torch.randn(1, 8)
        torch.manual_seed(0)
        z, losses = lesson["invert"](settled_generator, image, 100)
    assert z.shape == (1, 8) and losses.shape == (100,)
    error = (sample(settled_generator, start)[0] - image).square().mean()
    assert torch.allclose(losses[0], error, atol=1e-6) and losses[-1] < 0.2 * losses[0]
    with unchanged(settled_generator):
        _, more = package.invert(settled_generator, image, 100, rng=rng())
    assert more[-1] < 1.5 * losses[-1] + 1e-4
