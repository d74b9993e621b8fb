"""One step of each network against the same step written out by hand."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facegan_ref.models import Discriminator, Generator, MLPDiscriminator, MLPGenerator
from facegan_ref.steps import discriminator_step, generator_step


def dcgan():
    return Generator(6, 3, image_size=16), Discriminator(ndf=3, image_size=16), (3, 16, 16)


def mlp():
    return MLPGenerator(6, 16, (2,)), MLPDiscriminator((2,), 16), (2,)


@pytest.fixture(params=[dcgan, mlp])
def game(request):
    """Two networks, real samples and latents; the gradients hold rubbish from before."""
    torch.manual_seed(0)
    generator, discriminator, shape = request.param()
    real, z = torch.randn(5, *shape), torch.randn(7, 6)
    for p in [*generator.parameters(), *discriminator.parameters()]:
        p.grad = torch.full_like(p, 1000.0)
    return generator, discriminator, real, z


def sgd(network):
    return torch.optim.SGD(network.parameters(), lr=0.1)


def weights(network):
    return [p.detach().clone() for p in network.parameters()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def updated_by_hand(network, loss):
    """The loss, and the weights after one step of gradient descent with rate 0.1."""
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    return [p.detach() - 0.1 * g for p, g in zip(network.parameters(), gradients, strict=True)]


def test_discriminator_step_is_one_descent_on_its_loss(game):
    generator, discriminator, real, z = game
    g, d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    expected_loss = -F.logsigmoid(d(real)).mean() - F.logsigmoid(-d(g(z))).mean()
    expected = updated_by_hand(d, expected_loss)
    loss = discriminator_step(generator, discriminator, sgd(discriminator), real, z)
    assert torch.allclose(loss, expected_loss)
    for p, q in zip(discriminator.parameters(), expected, strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def test_generator_step_is_one_descent_on_its_loss(game):
    generator, discriminator, _, z = game
    g, d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    expected_loss = -F.logsigmoid(d(g(z))).mean()
    expected = updated_by_hand(g, expected_loss)
    loss = generator_step(generator, discriminator, sgd(generator), z)
    assert torch.allclose(loss, expected_loss)
    for p, q in zip(generator.parameters(), expected, strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def test_discriminator_step_moves_the_discriminator_only(game):
    generator, discriminator, real, z = game
    g, d = weights(generator), weights(discriminator)
    discriminator_step(generator, discriminator, sgd(discriminator), real, z)
    assert same(weights(generator), g)
    moved = [not torch.equal(p, q) for p, q in zip(weights(discriminator), d, strict=True)]
    assert all(moved)


def test_no_gradient_reaches_the_generator_in_the_discriminator_step(game):
    generator, discriminator, real, z = game
    discriminator_step(generator, discriminator, sgd(discriminator), real, z)
    assert all((p.grad == 1000).all() for p in generator.parameters())


def test_generator_step_moves_the_generator_only(game):
    generator, discriminator, _, z = game
    g, d = weights(generator), weights(discriminator)
    generator_step(generator, discriminator, sgd(generator), z)
    assert same(weights(discriminator), d)
    assert not any(torch.equal(p, q) for p, q in zip(weights(generator), g, strict=True))


def test_losses_come_without_graph(game):
    generator, discriminator, real, z = game
    for loss in (
        discriminator_step(generator, discriminator, sgd(discriminator), real, z),
        generator_step(generator, discriminator, sgd(generator), z),
    ):
        assert loss.shape == () and not loss.requires_grad and loss.grad_fn is None


def test_modes_and_flags_are_as_before(game):
    generator, discriminator, real, z = game
    discriminator.eval()
    frozen_weight = next(discriminator.parameters()).requires_grad_(False)
    generator_step(generator, discriminator, sgd(generator), z)
    discriminator_step(generator, discriminator, sgd(discriminator), real, z)
    assert generator.training and not discriminator.training
    assert not frozen_weight.requires_grad
    assert all(p.requires_grad for p in list(discriminator.parameters())[1:])


def test_steps_draw_no_random_numbers(game):
    generator, discriminator, real, z = game
    before = torch.get_rng_state()
    discriminator_step(generator, discriminator, sgd(discriminator), real, z)
    generator_step(generator, discriminator, sgd(generator), z)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_given_latents_are_used():
    seen = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 2)

        def forward(self, z):
            seen.append(z)
            return self.linear(z)

    generator, discriminator = Recorder(), MLPDiscriminator((2,), 4)
    z = torch.randn(3, 6)
    discriminator_step(generator, discriminator, sgd(discriminator), torch.randn(3, 2), z)
    generator_step(generator, discriminator, sgd(generator), z)
    assert len(seen) == 2 and all(latents is z for latents in seen)
