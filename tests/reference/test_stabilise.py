"""Noise, averages and penalties against their closed forms."""

import copy

import pytest
import torch
from torch import nn

from facegan_ref.models import Discriminator, Generator
from facegan_ref.stabilise import (
    EMA,
    NoisyDiscriminator,
    add_instance_noise,
    add_spectral_norm,
    gradient_penalty,
    make_optimizers,
    noise_sigma,
    r1_penalty,
    ramped_decay,
    renew_statistics,
)
from facegan_ref.steps import discriminator_step, generator_step


def test_noise_falls_in_a_line_to_nothing():
    assert [noise_sigma(step, 4, 0.2) for step in range(6)] == pytest.approx(
        [0.2, 0.15, 0.1, 0.05, 0, 0]
    )
    assert noise_sigma(4, 4, 0.2) == 0 and noise_sigma(0, 1, 0.0) == 0


def test_noise_is_normal_independent_and_not_clamped():
    images = torch.ones(8, 3, 32, 32, requires_grad=True)
    noisy = add_instance_noise(images, 0.3, torch.Generator().manual_seed(0))
    noise = (noisy - 1).detach()
    assert noise.std().item() == pytest.approx(0.3, rel=0.02) and abs(noise.mean()) < 0.01
    assert noisy.max() > 1.5
    flat = noise.flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.08
    noisy.sum().backward()
    assert torch.equal(images.grad, torch.ones_like(images))
    again = add_instance_noise(images, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(again, noisy)
    assert torch.equal(add_instance_noise(images, 0.0), images)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_noise_keeps_what_it_is_given(dtype):
    images = torch.tanh(torch.randn(2, 3, 8, 8)).to(dtype)
    before = images.clone()
    for sigma in (0.2, torch.tensor(0.2)):
        assert add_instance_noise(images, sigma).dtype == dtype
    assert torch.equal(images, before)


def test_a_noisy_discriminator_noises_all_three_batches_of_a_round():
    seen = []

    class Seeing(Discriminator):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    made = []
    generator, discriminator = Generator(4, 2, image_size=16), Seeing(ndf=2, image_size=16)
    generator.register_forward_hook(lambda module, inputs, images: made.append(images.detach()))
    noisy = NoisyDiscriminator(discriminator, 0.3, torch.Generator().manual_seed(0))
    assert list(noisy.parameters()) == list(discriminator.parameters())
    optimizer_g, optimizer_d = make_optimizers(generator, discriminator, 1e-3, 1e-3)
    real, z = torch.tanh(torch.randn(16, 3, 16, 16)), torch.randn(16, 4)
    discriminator_step(generator, noisy, optimizer_d, real, z)
    weights = [p.detach().clone() for p in generator.parameters()]
    generator_step(generator, noisy, optimizer_g, z)
    assert not any(torch.equal(a, b) for a, b in zip(weights, generator.parameters(), strict=True))
    noises = [one - other for one, other in zip(seen, [real, *made], strict=True)]
    assert all(noise.std().item() == pytest.approx(0.3, rel=0.05) for noise in noises)
    flat = torch.stack([noise.flatten() for noise in noises])
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.05


def test_the_strength_of_a_noisy_discriminator_can_be_changed():
    discriminator = Discriminator(ndf=2, image_size=16).eval()
    noisy = NoisyDiscriminator(discriminator, 0.5).eval()
    images = torch.tanh(torch.randn(4, 3, 16, 16))
    assert not torch.equal(noisy(images), noisy(images))
    noisy.sigma = 0.0
    assert torch.equal(noisy(images), discriminator(images))


def test_optimizers_have_the_rates_the_right_way_round():
    generator, discriminator = Generator(4, 2, image_size=8), Discriminator(ndf=2, image_size=8)
    optimizer_g, optimizer_d = make_optimizers(generator, discriminator, 1e-3, 2e-4, (0.3, 0.9))
    for optimizer, network, lr in (
        (optimizer_g, generator, 1e-3),
        (optimizer_d, discriminator, 2e-4),
    ):
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (lr, (0.3, 0.9))
        assert {id(p) for p in group["params"]} == {id(p) for p in network.parameters()}


def test_an_average_follows_its_closed_form_and_copies_buffers():
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1)).train()
    nn.init.constant_(network[0].weight, 1.0)
    ema = EMA(network, 0.9)
    for value in (2.0, 4.0):
        nn.init.constant_(network[0].weight, value)
        network[1].running_mean.fill_(value)
        network[1].num_batches_tracked += 3
        ema.update(network)
    assert ema.model[0].weight.item() == pytest.approx(0.81 * 1 + 0.09 * 2 + 0.1 * 4)
    assert ema.model[1].running_mean.item() == 4 and ema.model[1].num_batches_tracked == 6
    assert network[0].weight.item() == 4 and network.training and not ema.model.training
    assert network[0].weight.requires_grad
    assert not any(p.requires_grad for p in ema.model.parameters())


def test_an_average_begins_short():
    assert ramped_decay(0, 0.999) == 0.1 and ramped_decay(89, 0.999) == pytest.approx(90 / 99)
    assert ramped_decay(100_000, 0.999) == 0.999 and ramped_decay(5, 0.0) == 0


def linear(w):
    """D(x) = w · x."""
    return lambda images: images.flatten(1) @ w


def test_r1_of_a_linear_discriminator_is_the_square_of_its_slope():
    w = torch.randn(12, generator=torch.Generator().manual_seed(0)).requires_grad_()
    images = torch.randn(5, 3, 2, 2, requires_grad=True)
    penalty = r1_penalty(linear(w)(images), images)
    assert penalty.item() == pytest.approx(w.square().sum().item(), rel=1e-5)
    penalty.backward()  # the penalty trains D
    assert torch.allclose(w.grad, 2 * w.detach(), atol=1e-5)


def test_r1_is_a_mean_of_squares_over_images():
    images = torch.tensor([[1.0], [3.0]], requires_grad=True)
    penalty = r1_penalty(images.square().sum(dim=1) / 2, images)  # slopes 1 and 3
    assert penalty.item() == pytest.approx((1 + 9) / 2)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
def test_the_gradient_penalty_of_a_linear_discriminator(slope):
    w = torch.zeros(12)
    w[5] = slope
    w.requires_grad_()
    real, fake = torch.randn(2, 5, 3, 2, 2).unbind()
    penalty = gradient_penalty(linear(w), real, fake)
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-6)
    if slope:
        (gradient,) = torch.autograd.grad(penalty, w)
        assert gradient[5].item() == pytest.approx(2 * (slope - 1), abs=1e-5)


def test_the_gradient_penalty_looks_between_real_and_fake():
    seen = []

    def discriminator(images):
        seen.append(images.detach())
        return images.flatten(1).sum(dim=1)

    real, fake = torch.zeros(64, 1, 2, 2), torch.ones(64, 1, 2, 2)
    gradient_penalty(discriminator, real, fake, torch.Generator().manual_seed(0))
    (points,) = seen
    assert (points == points[:, :, :1, :1]).all()  # one place for all pixels of an image
    assert (
        points.min() < 0.1
        and points.max() > 0.9
        and points.mean().item() == pytest.approx(0.5, abs=0.1)
    )


def test_spectral_norm_brings_each_layer_to_one():
    torch.manual_seed(0)
    network = add_spectral_norm(Discriminator(ndf=4, image_size=16))
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(50)
    images = torch.randn(2, 3, 16, 16)
    for _ in range(300):  # one power iteration each
        network(images)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 3
    for convolution in convolutions:
        largest = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=1e-3)
    copy.deepcopy(network).load_state_dict(network.state_dict())


def test_renewed_statistics_are_those_of_all_latents():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))
    net[1].running_mean.fill_(7.0)
    net[2].train(False)
    batches = [torch.randn(50, 3) for _ in range(4)]
    before = {name: value.clone() for name, value in net.named_parameters()}
    renew_statistics(net, batches)
    inputs = [net[0](z).detach() for z in batches]
    assert torch.allclose(net[1].running_mean, torch.cat(inputs).mean(0), atol=1e-6)
    assert torch.allclose(net[1].running_var, torch.stack([x.var(0) for x in inputs]).mean(0))
    assert all(torch.equal(value, before[name]) for name, value in net.named_parameters())
    assert net[1].momentum == 0.1 and net.training and net[1].training and not net[2].training


def test_a_generator_without_statistics_is_left_alone():
    net = nn.Linear(3, 2)
    renew_statistics(net, [])
    net.eval()
    renew_statistics(net, [torch.ones(1, 3)])
    assert not net.training
