"""The plain loop: what a step does, that it is the trainer's, and that looking changes nothing."""

import copy
import math

import pytest
import torch
from torch import nn

from facegan_ref.data.loader import make_loader
from facegan_ref.loop import TrainingState, evaluate_balance, train_step
from facegan_ref.models import Discriminator, Generator
from facegan_ref.randomness import derive_seed
from facegan_ref.sampling import sample, sample_latent
from facegan_ref.steps import discriminator_step, generator_step
from facegan_ref.training import Trainer


def new_state(seed=0, lr=0.05):
    torch.manual_seed(seed)
    generator, discriminator = Generator(6, 3, image_size=16), Discriminator(ndf=3, image_size=16)
    return TrainingState(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), lr),
        torch.optim.SGD(discriminator.parameters(), lr),
        z_dim=6,
        rng=torch.Generator().manual_seed(seed),
    )


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def assert_same(a, b):
    for network in ("generator", "discriminator"):
        states = (getattr(state, network).state_dict() for state in (a, b))
        for (key, x), y in zip(next(states).items(), next(states).values(), strict=True):
            assert torch.equal(x, y), f"{network}'s {key}"


def test_a_step_is_one_of_each_with_latents_of_its_own():
    state, real = new_state(), torch.randn(5, 3, 16, 16)
    other = copy.deepcopy((state.generator, state.discriminator))
    optimizers = [torch.optim.SGD(network.parameters(), 0.05) for network in other]
    rng = torch.Generator().manual_seed(0)
    loss_d = discriminator_step(*other, optimizers[1], real, sample_latent(5, 6, rng))
    loss_g = generator_step(*other, optimizers[0], sample_latent(5, 6, rng))
    assert train_step(state, real) == {"loss_d": float(loss_d), "loss_g": float(loss_g)}
    for network, expected in zip((state.generator, state.discriminator), other, strict=True):
        for p, q in zip(network.parameters(), expected.parameters(), strict=True):
            assert torch.equal(p, q)
    assert state.step == 1
    assert torch.equal(state.rng.get_state(), rng.get_state())


def test_networks_left_in_evaluation_mode_are_trained_in_training_mode():
    a, b = new_state(), new_state()
    real = torch.randn(5, 3, 16, 16)
    a.generator.eval()
    a.discriminator.eval()
    assert train_step(a, real) == train_step(b, real)
    assert_same(a, b)
    assert a.generator.training and a.discriminator.training


def test_looking_does_not_change_the_training():
    a, b = new_state(), new_state()
    faces = torch.randn(14, 3, 16, 16)
    z = torch.randn(4, 6)
    losses = []
    for state in (a, b):
        for real in make_loader(faces, 6, seed=0):  # the last batch has two
            losses.append(train_step(state, real))
            if state is b:
                torch.manual_seed(99)
                evaluate_balance(b.discriminator, real, sample(b.generator, z))
    assert losses[:3] == losses[3:] and a.step == b.step == 3
    assert_same(a, b)


@pytest.mark.parametrize("rates", [{}, {"lr_g": 0.0005, "beta1": 0.0}])
def test_the_plain_loop_is_the_trainers(rates, tiny_recipe, tiny_faces):
    """Fed the same batches and latents, it makes the trainer's updates, to rounding."""
    recipe = tiny_recipe.override(fresh_latents=True, **rates)
    trainer = Trainer(recipe, tiny_faces, seed=3)
    networks = copy.deepcopy((trainer.generator, trainer.discriminator))
    betas = (recipe.beta1, recipe.beta2)
    optimizers = [
        torch.optim.Adam(network.parameters(), lr, betas)
        for network, lr in zip(networks, (recipe.lr_g, recipe.lr_d), strict=True)
    ]
    state = TrainingState(*networks, *optimizers, recipe.z_dim, torch.Generator())
    before = {type(network): copy.deepcopy(network) for network in networks}
    losses = []
    for step in range(6):
        state.rng.manual_seed(derive_seed(3, "latents", step))
        losses.append(train_step(state, trainer.real_batch(trainer.batch_indices(step))))
    trainer.run(until=6)
    for row, expected in zip(losses, trainer.take_metrics(), strict=True):
        for name, value in row.items():
            assert value == pytest.approx(expected[name], rel=1e-4)
    assert state.step == trainer.step
    # Adam makes a step of full length of a gradient that is rounding alone: few weights differ.
    for network, theirs in (
        (state.generator, trainer.generator),
        (state.discriminator, trainer.discriminator),
    ):
        x, y, start = (weights(n) for n in (network, theirs, before[type(network)]))
        close = torch.isclose(x, y, rtol=1e-3, atol=1e-5)
        assert close.float().mean() > 0.99
        assert not torch.isclose(x, start, rtol=1e-3, atol=1e-5).float().mean() > 0.1


class Fixed(nn.Module):
    """Answers each image with its first pixel."""

    def __init__(self, column=False):
        super().__init__()
        self.column = column

    def forward(self, x):
        logits = x.flatten(1)[:, :1]
        return logits if self.column else logits[:, 0]


def images(*logits):
    pictures = torch.zeros(len(logits), 3, 2, 2)
    pictures[:, 0, 0, 0] = torch.tensor(logits)
    return pictures


@pytest.mark.parametrize("column", [False, True])
def test_four_dials(column):
    found = evaluate_balance(Fixed(column), images(3.0, -1.0, 0.0, 2.0), images(-2.0, 1.0, 0.0))
    scores = [1 / (1 + math.exp(-x)) for x in (3, -1, 0, 2, -2, 1, 0)]
    assert found == pytest.approx(
        {
            "d_real": sum(scores[:4]) / 4,
            "d_fake": sum(scores[4:]) / 3,
            "acc_real": 2 / 4,
            "acc_fake": 1 / 3,
        }
    )
    assert all(type(value) is float for value in found.values())


@pytest.mark.parametrize("training", [True, False])
def test_looks_leave_no_trace(training):
    state = new_state()
    real, z = torch.randn(4, 3, 16, 16), torch.randn(3, 6)
    for network in (state.generator, state.discriminator):
        network.train(training)
    before = copy.deepcopy(state)
    fake = sample(state.generator, z)
    evaluate_balance(state.discriminator, real, fake)
    assert not fake.requires_grad and torch.is_grad_enabled()
    assert_same(state, before)
    for network in (state.generator, state.discriminator):
        assert all(module.training == training for module in network.modules())
        assert all(p.grad is None for p in network.parameters())
        with pytest.raises(RuntimeError):
            look = sample if network is state.generator else evaluate_balance
            look(network, *[torch.zeros(2, 1)] * (1 + (look is evaluate_balance)))
        assert network.training == training and torch.is_grad_enabled()
