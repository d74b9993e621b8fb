"""The three losses against their closed forms in double precision, near and far from 0."""

import math

import pytest
import torch

from facegan_ref import losses
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


# ---- the other games ------------------------------------------------------------------------

REAL, FAKE = torch.tensor([1.5, -0.25, 3.0]), torch.tensor([-2.0, 0.5, 0.75])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def pairs():
    return zip(REAL.tolist(), FAKE.tolist(), strict=True)


def test_smoothing_is_one_sided():
    for smoothing in (0.1, 0.3):
        expected = mean(
            -(1 - smoothing) * log_sigmoid(r) - smoothing * log_sigmoid(-r) for r, _ in pairs()
        ) - mean(log_sigmoid(-f) for _, f in pairs())
        value = discriminator_loss(REAL, FAKE, smoothing)
        assert value.item() == pytest.approx(expected, rel=1e-6)
    assert discriminator_loss(REAL, FAKE, 0.0) == discriminator_loss(REAL, FAKE)
    labels = losses.smooth_real_labels(REAL[:, None], 0.1)
    assert labels.shape == (3, 1) and labels.unique().tolist() == pytest.approx([0.9])


def test_the_best_answer_to_smoothed_labels():
    """Against a perfect generator D* = (1 - s) / 2, and the loss there is 1.3763 for s = 0.1."""
    logit = torch.zeros(1, requires_grad=True)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(discriminator_loss(logit, logit, 0.1), logit)
        logit = (logit - gradient).detach().requires_grad_()
    assert logit.sigmoid().item() == pytest.approx(0.45, abs=1e-4)
    assert discriminator_loss(logit, logit, 0.1).item() == pytest.approx(1.3763, abs=1e-4)


CLOSED_FORMS = {
    losses.least_squares_discriminator_loss: mean(((r - 1) ** 2 + f**2) / 2 for r, f in pairs()),
    losses.hinge_discriminator_loss: mean(max(0, 1 - r) + max(0, 1 + f) for r, f in pairs()),
    losses.wasserstein_discriminator_loss: mean(f - r for r, f in pairs()),
    losses.relativistic_discriminator_loss: mean(-log_sigmoid(r - f) for r, f in pairs()),
    losses.relativistic_generator_loss: mean(-log_sigmoid(f - r) for r, f in pairs()),
}


@pytest.mark.parametrize("loss", CLOSED_FORMS, ids=lambda loss: loss.__name__)
def test_losses_of_two_batches_have_their_closed_form(loss):
    assert loss(REAL, FAKE).item() == pytest.approx(CLOSED_FORMS[loss], rel=1e-6)
    assert loss(REAL[:, None], FAKE[:, None]).item() == pytest.approx(CLOSED_FORMS[loss], rel=1e-6)
    assert math.isfinite(loss(200 * REAL, 200 * FAKE).item())


def test_generator_losses_have_their_closed_form():
    fakes = FAKE.tolist()
    value = losses.least_squares_generator_loss(FAKE).item()
    assert value == pytest.approx(mean((f - 1) ** 2 / 2 for f in fakes))
    assert losses.hinge_generator_loss(FAKE).item() == pytest.approx(-mean(fakes))
    assert losses.wasserstein_generator_loss(FAKE).item() == pytest.approx(-mean(fakes))


@pytest.mark.parametrize("name", losses.OBJECTIVES)
def test_each_player_gains_where_it_should(name):
    """D's loss falls with real outputs and grows with fake ones; G's falls with fake ones."""
    game = losses.OBJECTIVES[name]
    # Where least squares, too, wants real outputs higher and fake ones lower.
    real, fake = (torch.tensor([0.4, 0.3], requires_grad=True) for _ in range(2))
    by_real, by_fake = torch.autograd.grad(game.discriminator(real, fake), (real, fake))
    assert (by_real < 0).all() and (by_fake > 0).all()
    loss = game.generator(real, fake) if game.compares else game.generator(fake)
    (by_fake,) = torch.autograd.grad(loss, fake)
    assert (by_fake < 0).all()
