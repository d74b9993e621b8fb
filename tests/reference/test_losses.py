"""The three losses against their closed forms in double precision, near and far from 0."""

import math

import pytest
import torch

from facegan_ref.losses import discriminator_loss, generator_loss, generator_loss_minimax

LOGITS = [0.0, 0.5, -3.0, 10.0, -10.0, 200.0, -200.0]


def log_sigmoid(x):
    """log(1 / (1 + exp(-x))) in double precision without overflow."""
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def sigmoid(x):
    return math.exp(log_sigmoid(x))


def value_and_gradient(loss, x, **options):
    logit = torch.tensor([x], requires_grad=True, **options)
    value = loss(logit)
    value.backward()
    return value.item(), logit.grad.item()


@pytest.mark.parametrize("x", LOGITS)
def test_non_saturating_loss(x):
    value, gradient = value_and_gradient(generator_loss, x)
    assert value == pytest.approx(-log_sigmoid(x), rel=1e-5, abs=1e-6)
    assert gradient == pytest.approx(sigmoid(x) - 1, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("x", LOGITS)
def test_minimax_loss(x):
    value, gradient = value_and_gradient(generator_loss_minimax, x)
    assert value == pytest.approx(log_sigmoid(-x), rel=1e-5, abs=1e-6)
    assert gradient == pytest.approx(-sigmoid(x), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("real", LOGITS)
@pytest.mark.parametrize("fake", LOGITS)
def test_discriminator_loss(real, fake):
    real_logits = torch.tensor([real], requires_grad=True)
    fake_logits = torch.tensor([fake], requires_grad=True)
    loss = discriminator_loss(real_logits, fake_logits)
    loss.backward()
    assert loss.item() == pytest.approx(-log_sigmoid(real) - log_sigmoid(-fake), rel=1e-5, abs=1e-6)
    assert real_logits.grad.item() == pytest.approx(sigmoid(real) - 1, rel=1e-5, abs=1e-7)
    assert fake_logits.grad.item() == pytest.approx(sigmoid(fake), rel=1e-5, abs=1e-7)


def test_values_at_chance():
    zeros = torch.zeros(7)
    assert discriminator_loss(zeros, zeros).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(zeros).item() == pytest.approx(math.log(2))
    assert generator_loss_minimax(zeros).item() == pytest.approx(-math.log(2))


def test_only_the_non_saturating_gradient_survives_a_sure_discriminator():
    _, alive = value_and_gradient(generator_loss, -200.0)
    _, dead = value_and_gradient(generator_loss_minimax, -200.0)
    assert alive == -1.0 and abs(dead) < 1e-30


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 1, 1, 1), (1,), (2, 3)])
def test_means_over_any_shape(shape):
    logits = torch.linspace(-3, 5, math.prod(shape)).reshape(shape)
    flat = logits.flatten().tolist()
    assert generator_loss(logits).shape == ()
    expected = -sum(map(log_sigmoid, flat)) / len(flat)
    assert generator_loss(logits).item() == pytest.approx(expected, rel=1e-5)
    expected = sum(log_sigmoid(-x) for x in flat) / len(flat)
    assert generator_loss_minimax(logits).item() == pytest.approx(expected, rel=1e-5)


def test_batches_of_different_sizes_weigh_the_same():
    real, fake = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0])
    expected = -sum(map(log_sigmoid, [1.0, 2.0, 3.0])) / 3 - log_sigmoid(1.0)
    assert discriminator_loss(real, fake).item() == pytest.approx(expected, rel=1e-6)


def test_double_precision_stays():
    assert generator_loss(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64
