"""Every recipe: the networks that its source describes, and a training that resumes exactly."""

import itertools

import pytest
import torch
from exact import assert_same
from torch import nn

from facegan_ref.architectures import build_networks
from facegan_ref.data.faces import FaceArray
from facegan_ref.data.toyfaces import ToyFaces
from facegan_ref.losses import OBJECTIVES
from facegan_ref.morph import morph
from facegan_ref.recipes import CHOICES, RECIPES
from facegan_ref.run import Run, load_generator
from facegan_ref.sampling import draw_latent, sample
from facegan_ref.training import Trainer

# Parameters as the projects' texts give them, in millions (G, D), or counted from their layers.
COUNTS = {
    "mlp-goodfellow": (
        101 * 500 + 501 * 500 + 501 * 6912,
        6913 * 240 + 241 * 240 + 241,
    ),
    "dcgan-paper": (12_658_432, 11_036_160),
    "morphing-app": (12_658_432, 2_765_568),
    "nanodegree": (3_806_080, 2_765_568),
    "laptop-mps": (3_576_704, 2_765_568),
    "unit-range": (3_576_704, 2_765_568),
    "small-32": (4_535_683, 297_281),
}
MILLIONS = {"morphing-app": (12.66, 2.77), "laptop-mps": (3.58, 2.77), "small-32": (4.54, 0.30)}
WIDTHS = {"mlp": 16, "small": 4, "dcgan": 4}  # for the tests


def convolutions(network):
    """(kind, in, out, kernel, stride, padding) of each convolution, from input to output."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    found = [m for m in network.modules() if isinstance(m, kinds)]
    return [
        (type(m).__name__, m.in_channels, m.out_channels)
        + (m.kernel_size[0], m.stride[0], m.padding[0])
        for m in found
    ]


def kinds(network):
    """The layers' names without the containers'."""
    return [type(m).__name__ for m in network.modules() if not list(m.children())]


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_in_the_project(name):
    counts = [sum(p.numel() for p in n.parameters()) for n in build_networks(RECIPES[name])]
    assert tuple(counts) == COUNTS[name]
    for count, millions in zip(counts, MILLIONS.get(name, ()), strict=False):
        assert round(count / 1e6, 2) == millions


def test_goodfellow_s_pair_is_fully_connected_with_dropout():
    generator, discriminator = build_networks(RECIPES["mlp-goodfellow"])
    hidden = ["Linear", "ReLU", "Dropout"]
    assert kinds(generator) == [*hidden, *hidden, "Linear", "Sigmoid"]
    hidden = ["Linear", "LeakyReLU", "Dropout"]
    assert kinds(discriminator) == ["Flatten", *hidden, *hidden, "Linear"]
    assert {m.p for n in (generator, discriminator) for m in n.modules() if hasattr(m, "p")} == {
        0.5
    }


@pytest.mark.parametrize(
    "name, ngf", [("dcgan-paper", 128), ("morphing-app", 128), ("laptop-mps", 64)]
)
def test_dcgan_recipes_have_the_layers_of_their_source(name, ngf):
    recipe = RECIPES[name]
    generator, discriminator = build_networks(recipe)
    widths = [ngf * 8, ngf * 4, ngf * 2, ngf, 3]
    expected = [("ConvTranspose2d", 100, widths[0], 4, 1, 0)]
    expected += [("ConvTranspose2d", a, b, 4, 2, 1) for a, b in itertools.pairwise(widths)]
    assert convolutions(generator) == expected
    assert not any(k.endswith("bias") and v.ndim > 1 for k, v in generator.named_parameters())
    activation = "LeakyReLU" if name == "morphing-app" else "ReLU"
    assert kinds(generator) == ["ConvTranspose2d", "BatchNorm2d", activation] * 4 + [
        "ConvTranspose2d",
        "Tanh",
    ]
    layers = kinds(discriminator)
    assert layers[:2] == ["Conv2d", "LeakyReLU"] and layers[-1] == "Conv2d"
    assert layers[2:-1] == ["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3


def test_small_32_has_the_layers_of_its_source():
    generator, discriminator = build_networks(RECIPES["small-32"])
    assert generator[0].out_features == 8 * 8 * 256
    assert [c[2] for c in convolutions(generator)] == [512, 256, 128, 128, 64, 3]
    assert {c[3] for c in convolutions(generator)} == {3}
    assert [c[2:] for c in convolutions(discriminator)] == [
        (64, 3, 2, 1), (128, 3, 2, 1), (128, 3, 2, 1), (64, 3, 2, 1),
    ]  # fmt: skip
    assert "BatchNorm2d" not in kinds(discriminator) and kinds(discriminator).count("Dropout") == 4
    first = discriminator[0].weight
    bound = (6 / (3 * 9)) ** 0.5  # He-uniform
    assert 0.95 * bound < first.abs().max() <= bound


def test_the_range_of_the_data_is_that_of_the_generator():
    faces = FaceArray(ToyFaces(8, 64, seed=0).images)
    for name, low in (("unit-range", 0), ("laptop-mps", -1)):
        recipe = RECIPES[name].override(ngf=2, ndf=2, batch_size=8)
        trainer = Trainer(recipe, faces)
        real = trainer.real_batch(trainer.batch_indices(0))
        assert real.min().item() == pytest.approx(low, abs=0.05) and real.max() <= 1
        assert trainer.generator(draw_latent(recipe, 4)).min() >= low
        with torch.no_grad():  # dark images: pictures are in [-1, 1] whatever the generator says
            trainer.generator.net[-2].weight.fill_(-100)
        assert sample(trainer.sampler(), draw_latent(recipe, 64)).min() < -0.5
    uniform = draw_latent(RECIPES["dcgan-paper"], 100)
    assert uniform.abs().max() <= 1 and uniform.std().item() == pytest.approx(3**-0.5, abs=0.02)


def small(name):
    recipe = RECIPES[name]
    width = WIDTHS[recipe.model]
    size = 32 if recipe.model == "small" else 16
    return recipe.override(
        ngf=width, ndf=width, image_size=size, batch_size=4, epochs=20, preview_every=0
    )


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_trains_200_steps_resumes_samples_and_morphs(name, tmp_path):
    recipe = small(name)
    images = ToyFaces(40, recipe.image_size, seed=0).images
    straight = Trainer(recipe, FaceArray(images), seed=1)
    straight.run()
    assert straight.step == 200
    rows = straight.take_metrics()
    assert rows[0]["loss_d"] != rows[-1]["loss_d"]

    broken = Run(tmp_path, Trainer(recipe, FaceArray(images), seed=1), checkpoint_every=1000)
    broken.start()
    broken.trainer.run(until=133)  # in the middle of an epoch
    broken.history = broken.trainer.take_metrics()
    broken.files.metrics.write_text("".join(f"{row}\n".replace("'", '"') for row in broken.history))
    broken.files.save(broken.state_dict())
    again = Run(tmp_path, Trainer(recipe, FaceArray(images), seed=0))
    again.resume()
    again.train(quiet=True)
    assert_same(again.trainer.state_dict(), straight.state_dict())
    assert again.history == rows

    generator, loaded = load_generator(tmp_path)
    assert loaded == recipe
    z = draw_latent(recipe, 5, torch.Generator().manual_seed(0))
    faces = sample(generator, z)
    assert faces.shape == (5, 3, recipe.image_size, recipe.image_size)
    assert faces.abs().max() <= 1
    assert torch.allclose(faces, sample(straight.sampler(), z), atol=1e-5)
    frames = morph(generator, z[0], z[1], 4)
    assert torch.allclose(frames[0], faces[0], atol=1e-5)
    assert torch.allclose(frames[-1], faces[1], atol=1e-5)


def test_losses_are_named_in_recipes():
    assert set(CHOICES["loss"]) == set(OBJECTIVES)
