"""The four networks: sizes, shapes, ranges, initial weights."""

import pytest
import torch
from torch import nn

from facegan_ref.models import (
    Discriminator,
    Generator,
    MLPDiscriminator,
    MLPGenerator,
    init_weights,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def parameters(network):
    return sum(p.numel() for p in network.parameters())


# The standard DCGAN at 64 pixels, as the recipe laptop-mps has it: 3.58 M and 2.77 M.
def test_the_standard_networks_have_their_known_sizes():
    assert parameters(Generator(z_dim=100, ngf=64)) == 3_576_704
    assert parameters(Discriminator(ndf=64)) == 2_765_568


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_generator_makes_images_of_any_power_of_two(image_size, channels):
    generator = Generator(z_dim=5, ngf=2, channels=channels, image_size=image_size)
    images = generator(torch.randn(3, 5, generator=seeded()))
    assert images.shape == (3, channels, image_size, image_size)
    assert images.dtype == torch.float32


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("batch", [1, 4])
def test_discriminator_gives_one_logit_an_image(image_size, batch):
    discriminator = Discriminator(channels=3, ndf=2, image_size=image_size).eval()
    logits = discriminator(torch.randn(batch, 3, image_size, image_size, generator=seeded()))
    assert logits.shape == (batch,)


@pytest.mark.parametrize("image_size", [-64, 0, 1, 2, 4, 7, 48, 63, 65, 96])
@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_other_sizes_are_refused(network, image_size):
    with pytest.raises(ValueError, match=f"image_size is {image_size}, expected a power of two"):
        network(image_size=image_size)


def test_widths_double_towards_the_small_end():
    generator = Generator(z_dim=7, ngf=3, image_size=32)
    discriminator = Discriminator(ndf=5, image_size=32)
    up = [(m.in_channels, m.out_channels) for m in generator.net if hasattr(m, "kernel_size")]
    down = [(m.in_channels, m.out_channels) for m in discriminator.net if hasattr(m, "kernel_size")]
    assert up == [(7, 12), (12, 6), (6, 3), (3, 3)]
    assert down == [(3, 5), (5, 10), (10, 20), (20, 1)]


def test_normalisation_is_where_the_paper_puts_it():
    kinds = [type(m).__name__ for m in Generator(image_size=16).net]
    assert kinds == ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 2 + ["ConvTranspose2d", "Tanh"]
    kinds = [type(m).__name__ for m in Discriminator(image_size=16).net]
    assert kinds == ["Conv2d", "LeakyReLU", "Conv2d", "BatchNorm2d", "LeakyReLU", "Conv2d"]
    slopes = {m.negative_slope for m in Discriminator().net if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}


torch.manual_seed(0)  # the networks below are made while the tests are collected


@pytest.mark.parametrize(
    "generator",
    [Generator(6, 4, image_size=16), MLPGenerator(6, 16, (3, 16, 16))],
    ids=["dcgan", "mlp"],
)
def test_images_stay_in_range_however_far_the_latent(generator):
    generator.eval()  # batch statistics would scale the latents back
    images = generator(1000 * torch.randn(8, 6, generator=seeded()))
    assert images.min() >= -1 and images.max() <= 1
    assert images.abs().max() > 0.9  # and reach the ends: no half range


@pytest.mark.parametrize(
    "discriminator",
    [Discriminator(ndf=4, image_size=16), MLPDiscriminator((3, 16, 16), 16)],
    ids=["dcgan", "mlp"],
)
def test_logits_are_no_probabilities(discriminator):
    logits = discriminator(200 * torch.randn(64, 3, 16, 16, generator=seeded()))
    assert ((logits < 0) | (logits > 1)).any()


@pytest.mark.parametrize(
    "network, shape",
    [
        (Generator(6, 4, image_size=16), (6,)),
        (MLPGenerator(6, 16, (3, 16, 16)), (6,)),
        (Discriminator(ndf=4, image_size=16), (3, 16, 16)),
        (MLPDiscriminator((3, 16, 16), 16), (3, 16, 16)),
    ],
    ids=["generator", "mlp generator", "discriminator", "mlp discriminator"],
)
def test_each_answer_is_to_its_own_input_in_evaluation_mode(network, shape):
    network.eval()
    batch = torch.randn(5, *shape, generator=seeded())
    together = network(batch)
    for i in range(5):
        assert torch.allclose(network(batch[i : i + 1])[0], together[i], atol=1e-5)
    assert (together - together[0])[1:].abs().amax() > 1e-6


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 5, 7)])
@pytest.mark.parametrize("batch", [1, 5])
def test_mlp_pair_fits_any_shape(shape, batch):
    samples = MLPGenerator(4, 16, shape)(torch.randn(batch, 4, generator=seeded()))
    assert samples.shape == (batch, *shape)
    assert MLPDiscriminator(shape, 16)(samples).shape == (batch,)


def test_mlp_pair_has_two_hidden_layers_of_its_width():
    generator, discriminator = MLPGenerator(4, 16, (3, 2, 2)), MLPDiscriminator((3, 2, 2), 16)
    for network, ends in ((generator, (4, 12)), (discriminator, (12, 1))):
        linear = [(m.in_features, m.out_features) for m in network.net if isinstance(m, nn.Linear)]
        assert linear == [(ends[0], 16), (16, 16), (16, ends[1])]


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_initial_weights_are_those_of_the_paper(network):
    torch.manual_seed(0)
    layers = list(network().apply(init_weights).net)
    convolutions = [m for m in layers if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    norms = [m for m in layers if isinstance(m, nn.BatchNorm2d)]
    assert len(convolutions) == 5 and len(norms) in (3, 4)
    for m in convolutions:
        error = 4 / m.weight.numel() ** 0.5  # four standard errors
        assert abs(m.weight.mean()) < 0.02 * error
        assert abs(m.weight.std() / 0.02 - 1) < error
    scales = torch.cat([m.weight for m in norms])
    assert abs(scales.mean() - 1) < 4 * 0.02 / len(scales) ** 0.5
    assert 0.017 < scales.std() < 0.023
    assert all((m.bias == 0).all() for m in norms)


def test_other_modules_keep_their_weights():
    linear = nn.Linear(50, 50)
    before = linear.weight.clone(), linear.bias.clone()
    init_weights(linear)
    assert torch.equal(linear.weight, before[0]) and torch.equal(linear.bias, before[1])


def test_init_weights_leaves_no_graph():
    network = Generator(ngf=2, image_size=8).apply(init_weights)
    assert all(p.requires_grad and p.is_leaf and p.grad is None for p in network.parameters())
