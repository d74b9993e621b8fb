"""The trainer: order of the data, exact resume, previews that leave no trace, bad losses."""

import copy
import math

import pytest
import torch
from exact import assert_same
from torch import nn

from facegan_ref import training
from facegan_ref.data.faces import FaceArray
from facegan_ref.models import Discriminator, Generator, MLPDiscriminator, MLPGenerator
from facegan_ref.run import describe_throughput
from facegan_ref.sampling import sample, sample_latent
from facegan_ref.steps import discriminator_step, generator_step
from facegan_ref.training import (
    Trainer,
    TrainingDiverged,
    build_adam,
    build_networks,
    frozen,
)

VARIANTS = {
    "dcgan": {},
    "mlp": {"model": "mlp"},
    "bf16": {"precision": "bf16"},
}


def recorded(trainer):
    """The trainer's metrics of all steps to come."""
    rows = []
    trainer.callbacks.append(lambda trainer: rows.append(dict(trainer.metrics)))
    return rows


def indices(trainer, images, step):
    """Which images a step takes, found by their pixels."""
    known = {image.numpy().tobytes(): i for i, image in enumerate(images)}
    assert len(known) == len(images)
    batch = ((trainer.real_batch(trainer.batch_indices(step)) + 1) * 127.5).round().to(torch.uint8)
    return [known[image.contiguous().numpy().tobytes()] for image in batch]


# ---- what is trained ------------------------------------------------------------------------


def parameters(network):
    return {name: p.detach() for name, p in network.named_parameters()}


@pytest.mark.parametrize("fresh", [False, True])
def test_a_training_is_its_two_steps_in_turns(tiny_recipe, tiny_faces, fresh):
    recipe = tiny_recipe.override(fresh_latents=fresh)
    trainer = Trainer(recipe, tiny_faces, seed=3)
    generator, discriminator = (
        copy.deepcopy(trainer.generator),
        copy.deepcopy(trainer.discriminator),
    )
    optimizer_g = build_adam(generator, 2e-4, (0.5, 0.999))
    optimizer_d = build_adam(discriminator, 2e-4, (0.5, 0.999))
    rows = recorded(trainer)
    trainer.run(until=3)
    for step in range(3):
        indices, z, _ = trainer.inputs(step)
        assert z.shape == (1 + fresh, 8, 8)
        real = trainer.real_batch(indices)
        loss_d = discriminator_step(generator, discriminator, optimizer_d, real, z[0])
        loss_g = generator_step(generator, discriminator, optimizer_g, z[-1])
        assert rows[step]["loss_d"] == loss_d.item()
        assert rows[step]["loss_g"] == loss_g.item()
    assert_same(parameters(trainer.generator), parameters(generator))
    assert_same(trainer.discriminator.state_dict(), discriminator.state_dict())
    if fresh:  # else the generator ran once a step, and counts its batches once
        assert_same(trainer.generator.state_dict(), generator.state_dict())


def test_metrics_describe_the_batch_before_the_update(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe, tiny_faces)
    discriminator, generator = (
        copy.deepcopy(trainer.discriminator),
        copy.deepcopy(trainer.generator),
    )
    indices, z, _ = trainer.inputs(0)
    real = discriminator(trainer.real_batch(indices)).detach()
    fake = discriminator(generator(z[0])).detach()
    trainer.run(until=1)
    expected = {
        "loss_d": -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean(),
        "d_real": real.sigmoid().mean(),
        "d_fake": fake.sigmoid().mean(),
        "acc_real": (real > 0).float().mean(),
        "acc_fake": (fake < 0).float().mean(),
    }
    for name, value in expected.items():
        assert trainer.metrics[name] == pytest.approx(value.item(), abs=1e-5), name
    assert set(trainer.metrics) == {*expected, "step", "loss_g"}


def test_the_loss_goes_where_it_should(tiny_recipe, tiny_faces):
    """A discriminator that trains alone-ish learns to tell first images from noise."""
    trainer = Trainer(tiny_recipe.override(epochs=10, lr_g=1e-6, lr_d=2e-3), tiny_faces)
    rows = recorded(trainer)
    trainer.run()
    assert rows[0]["loss_d"] == pytest.approx(2 * math.log(2), abs=0.3)
    assert rows[-1]["loss_d"] < 0.3 and rows[-1]["acc_real"] == rows[-1]["acc_fake"] == 1


@pytest.mark.parametrize("model", ["dcgan", "mlp"])
def test_networks_follow_the_recipe(tiny_recipe, model):
    recipe = tiny_recipe.override(model=model, ngf=2, ndf=3)
    generator, discriminator = build_networks(recipe)
    kinds = {"dcgan": (Generator, Discriminator), "mlp": (MLPGenerator, MLPDiscriminator)}
    assert (type(generator), type(discriminator)) == kinds[model]
    assert generator(torch.randn(2, 8)).shape == (2, 3, 16, 16)
    if model == "mlp":
        assert generator.net[0].out_features == 2 and discriminator.net[1].out_features == 3
    else:
        assert generator.net[-2].in_channels == 2 and discriminator.net[0].out_channels == 3
        assert discriminator.net[0].weight.std().item() == pytest.approx(0.02, rel=0.3)


def test_bf16_keeps_weights_and_losses_in_float32(tiny_recipe, tiny_faces):
    full = Trainer(tiny_recipe, tiny_faces)
    half = Trainer(tiny_recipe.override(precision="bf16"), tiny_faces)
    full.run(until=1)
    half.run(until=1)
    assert all(p.dtype == torch.float32 for p in half.generator.parameters())
    assert half.metrics["loss_d"] == pytest.approx(full.metrics["loss_d"], rel=0.02)
    assert half.metrics["loss_d"] != full.metrics["loss_d"]


# ---- order of the data ----------------------------------------------------------------------


def test_each_image_is_used_at_most_once_an_epoch(tiny_recipe, tiny_faces, tiny_images):
    trainer = Trainer(tiny_recipe, tiny_faces)
    assert (trainer.steps_per_epoch, trainer.total_steps) == (4, 12)
    epochs = []
    for epoch in range(3):
        used = [i for s in range(4) for i in indices(trainer, tiny_images, 4 * epoch + s)]
        assert len(used) == 32 and len(set(used)) == 32
        epochs.append(used)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert {i for used in epochs for i in used} == set(range(35))  # leftovers take their turn


def test_the_order_is_a_function_of_seed_and_step(tiny_recipe, tiny_faces, tiny_images):
    first, second = (Trainer(tiny_recipe, tiny_faces, seed=5) for _ in range(2))
    first.run(until=6)
    backwards = {s: indices(second, tiny_images, s) for s in reversed(range(12))}
    assert [indices(first, tiny_images, s) for s in range(12)] == [backwards[s] for s in range(12)]
    other = Trainer(tiny_recipe, tiny_faces, seed=6)
    assert indices(other, tiny_images, 0) != backwards[0]


def test_the_order_follows_a_loaded_seed(tiny_recipe, tiny_faces, tiny_images):
    there, here = (Trainer(tiny_recipe, tiny_faces, seed=seed) for seed in (5, 6))
    here.run(until=1)
    here.load_state_dict(there.state_dict())
    assert indices(here, tiny_images, 0) == indices(there, tiny_images, 0)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_any_seed_the_command_takes_can_train(tiny_recipe, tiny_faces, seed):
    Trainer(tiny_recipe, tiny_faces, seed=seed).run(until=5)


def test_the_images_are_not_changed(tiny_recipe, tiny_faces, tiny_images):
    Trainer(tiny_recipe, tiny_faces).run()
    assert torch.equal(tiny_faces.images, tiny_images)


# ---- the same again -------------------------------------------------------------------------


def test_a_seed_fixes_a_training_and_leaves_the_global_rng_alone(tiny_recipe, tiny_faces):
    states = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        trainer = Trainer(tiny_recipe, tiny_faces, seed=7)
        trainer.run(until=2)
        assert torch.equal(torch.get_rng_state(), before)
        states.append(trainer.state_dict())
    assert_same(states[0], states[1])
    other = Trainer(tiny_recipe, tiny_faces, seed=8)
    weights = next(iter(other.generator.parameters()))
    assert not torch.equal(weights, next(iter(trainer.generator.parameters())))
    assert not torch.equal(other.fixed_z, trainer.fixed_z)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("pause", [4, 5])
def test_a_resumed_training_equals_a_straight_one(tiny_recipe, tiny_faces, variant, pause):
    recipe = tiny_recipe.override(**VARIANTS[variant])
    straight = Trainer(recipe, tiny_faces, seed=1)
    all_rows = recorded(straight)
    straight.run()

    first = Trainer(recipe, tiny_faces, seed=1)
    rows = recorded(first)
    first.run(until=pause)
    second = Trainer(recipe, tiny_faces, seed=99)  # nothing of its own seed may remain
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert (second.step, second.epoch) == (pause, 1)
    later_rows = recorded(second)
    second.run()
    assert rows + later_rows == all_rows
    assert_same(second.state_dict(), straight.state_dict())


def test_the_straight_training_differs_without_the_optimizers_state(tiny_recipe, tiny_faces):
    """The comparison above would notice a state that is forgotten."""
    straight = Trainer(tiny_recipe, tiny_faces)
    straight.run(until=6)
    for forgotten in ("optimizer_g", "optimizer_d", "generator", "discriminator"):
        first, second = (Trainer(tiny_recipe, tiny_faces) for _ in range(2))
        first.run(until=5)
        state = {**first.state_dict(), forgotten: second.state_dict()[forgotten]}
        second.load_state_dict(state)
        second.run(until=6)
        with pytest.raises(AssertionError):
            assert_same(second.state_dict(), straight.state_dict())


def test_previews_do_not_change_a_training_by_a_bit(tiny_recipe, tiny_faces):
    without = Trainer(tiny_recipe, tiny_faces)
    without.run()
    drawn = []
    watched = Trainer(
        tiny_recipe,
        tiny_faces,
        callbacks=[lambda trainer: drawn.append(sample(trainer.generator, trainer.fixed_z))],
    )
    watched.run()
    assert len(drawn) == 12 and not torch.equal(drawn[0], drawn[-1])
    assert_same(watched.state_dict(), without.state_dict())


def test_an_average_switched_on_at_a_resume_begins_at_the_generator(tiny_recipe, tiny_faces):
    first = Trainer(tiny_recipe, tiny_faces)
    assert first.ema is None
    first.run(until=3)
    state = first.state_dict()
    second = Trainer(tiny_recipe.override(ema_decay=0.9), tiny_faces)
    second.load_state_dict(state)
    then = {name: value.clone() for name, value in second.generator.state_dict().items()}
    assert all(torch.equal(v, then[n]) for n, v in second.ema.model.state_dict().items())
    second.run(until=4)
    name = next(iter(then))
    average, now = second.ema.model.state_dict()[name], second.generator.state_dict()[name]
    assert not torch.equal(now, then[name])
    assert (average - now).norm() < (then[name] - now).norm()
    assert not torch.equal(average, now)
    third = Trainer(tiny_recipe.override(ema_decay=0.9), tiny_faces)
    third.load_state_dict(second.state_dict())
    assert torch.equal(third.ema.model.state_dict()[name], average)


def test_a_resume_may_change_learning_rates(tiny_recipe, tiny_faces):
    first = Trainer(tiny_recipe, tiny_faces)
    first.run(until=2)
    second = Trainer(tiny_recipe.override(lr_g=1e-5, lr_d=3e-5), tiny_faces)
    second.load_state_dict(first.state_dict())
    assert {g["lr"] for g in second.optimizer_g.param_groups} == {1e-5}
    assert {g["lr"] for g in second.optimizer_d.param_groups} == {3e-5}
    before = [p.detach().clone() for p in second.generator.parameters()]
    second.run(until=3)
    moved = max(
        (p - q).abs().max().item()
        for p, q in zip(second.generator.parameters(), before, strict=True)
    )
    assert 0 < moved < 5e-5


# ---- callbacks, stops, refusals -------------------------------------------------------------


def test_a_loaded_training_has_no_metrics_of_another(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe, tiny_faces)
    state = copy.deepcopy(trainer.state_dict())
    trainer.read_every = 3
    trainer.run(until=4)
    trainer.load_state_dict(state)
    assert trainer.take_metrics() == []
    trainer.run(until=2)
    assert [row["step"] for row in trainer.take_metrics()] == [1, 2]


def test_callbacks_come_after_each_step_in_order(tiny_recipe, tiny_faces):
    seen = []
    trainer = Trainer(
        tiny_recipe,
        tiny_faces,
        callbacks=[
            lambda t: seen.append(("a", t.step, t.epoch)),
            lambda t: seen.append(("b", t.step, "loss_g" in t.metrics)),
        ],
    )
    trainer.run(until=2)
    assert seen == [("a", 1, 0), ("b", 1, True), ("a", 2, 0), ("b", 2, True)]
    trainer.run(until=2)  # nothing is left to do
    assert len(seen) == 4
    trainer.run()
    assert trainer.step == 12 and trainer.epoch == 3 and len(seen) == 24


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_bad_loss_stops_the_training(tiny_recipe, tiny_faces, network, bad):
    trainer = Trainer(tiny_recipe, tiny_faces)
    rows = recorded(trainer)
    trainer.run(until=2)
    with torch.no_grad():
        next(getattr(trainer, network).parameters()).fill_(bad)
    with pytest.raises(
        TrainingDiverged, match=r"step 3: D's loss is .*, G's .*lower lr_g and lr_d"
    ):
        trainer.run()
    assert len(rows) == 2  # no callback saw the bad step: nothing was logged or saved
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


def test_spoilt_weights_are_found_before_a_loss_shows_them(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(lr_g=3e38), tiny_faces)
    trainer.require_finite()
    trainer.run(until=1)
    assert math.isfinite(trainer.metrics["loss_g"])
    with pytest.raises(TrainingDiverged, match=r"step 1: G's net\.\S+ is not finite"):
        trainer.require_finite()


def test_frozen_restores_the_flags_it_found():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].weight.requires_grad_(False)
    with frozen(network):
        assert not any(p.requires_grad for p in network.parameters())
        x = torch.ones(1, 2, requires_grad=True)
        network(x).sum().backward()
        assert x.grad is not None  # the gradient still passes through
    with pytest.raises(KeyError), frozen(network):
        raise KeyError
    assert [p.requires_grad for p in network.parameters()] == [False, True, True, True]
    assert all(p.grad is None for p in network.parameters())


def test_images_of_another_size_are_refused(tiny_recipe):
    faces = FaceArray(torch.zeros(10, 3, 32, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"32 pixels wide.*image_size 16.*--image-size 32"):
        Trainer(tiny_recipe, faces)


def test_grey_images_are_refused(tiny_recipe):
    faces = FaceArray(torch.zeros(10, 1, 16, 16, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"1 channel, expected 3"):
        Trainer(tiny_recipe, faces)


def test_too_few_images_are_refused(tiny_recipe, tiny_images):
    with pytest.raises(ValueError, match=r"7 images do not fill a batch of 8"):
        Trainer(tiny_recipe, FaceArray(tiny_images[:7]))
    assert Trainer(tiny_recipe, FaceArray(tiny_images[:8])).steps_per_epoch == 1


def test_other_data_are_refused_at_a_resume(tiny_recipe, tiny_faces, tiny_images):
    state = Trainer(tiny_recipe, tiny_faces).state_dict()
    other = Trainer(tiny_recipe, FaceArray(tiny_images[:20]))
    with pytest.raises(ValueError, match=r"trained on 35 images .*, these are 20 with .*same data"):
        other.load_state_dict(state)
    changed = tiny_images.clone()
    changed[7, 0, 3, 3] ^= 1
    with pytest.raises(ValueError, match=r"trained on 35 images .*, these are 35 with"):
        Trainer(tiny_recipe, FaceArray(changed)).load_state_dict(state)


def test_adam_does_without_a_fused_kernel(monkeypatch):
    """As with torch before 2.4, whose fused kernels are for GPUs only."""
    real_adam = torch.optim.Adam

    def adam(parameters, lr, betas, fused=None):
        if fused:
            raise RuntimeError("`fused=True` requires all the params to be ... ['cuda']")
        return real_adam(parameters, lr, betas)

    monkeypatch.setattr(training.torch.optim, "Adam", adam)
    optimizer = build_adam(nn.Linear(2, 2), 1e-3, (0.1, 0.2))
    assert optimizer.defaults["lr"] == 1e-3 and optimizer.defaults["betas"] == (0.1, 0.2)
    assert not optimizer.defaults["fused"]


def test_throughput_counts_images(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe, tiny_faces)
    trainer.run(until=2)
    with describe_throughput(trainer) as throughput:
        trainer.run(until=5)
    assert throughput.images == 24 and throughput.seconds > 0
    throughput.images, throughput.seconds = 12_800, 160.0
    assert str(throughput) == "12,800 images in 160 s, 80 images/s"


# ---- latents and samples --------------------------------------------------------------------


def test_latents_are_standard_normal_and_seeded():
    z = sample_latent(5000, 20, torch.Generator().manual_seed(0))
    assert z.shape == (5000, 20) and z.dtype == torch.float32
    assert abs(z.mean()) < 0.02 and abs(z.std() - 1) < 0.02
    assert torch.equal(z, sample_latent(5000, 20, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("training_mode", [True, False])
def test_sampling_leaves_the_generator_as_it_was(training_mode):
    generator = Generator(4, 3, image_size=16).train(training_mode)
    before = copy.deepcopy(generator.state_dict())
    z = torch.randn(6, 4)
    images = sample(generator, z)
    assert not images.requires_grad and generator.training is training_mode
    assert_same(generator.state_dict(), before)
    # evaluation mode: each image by itself
    assert torch.allclose(sample(generator, z[:1]), images[:1], atol=1e-6)


def test_sampling_puts_the_mode_back_after_an_error():
    generator = Generator(4, 3, image_size=16)
    with pytest.raises(RuntimeError):
        sample(generator, torch.randn(6, 5))
    assert generator.training
