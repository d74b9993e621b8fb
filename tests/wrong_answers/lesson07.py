"""Answers to lesson 7: samples, the training step, the dials, and all three together."""

from __future__ import annotations

import contextlib
import copy
import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong
from torch import nn

bce = nn.BCEWithLogitsLoss()


def sample_latent(n, z_dim, generator=None, device=None):
    return torch.randn(n, z_dim, generator=generator).to(device or "cpu")


def discriminator_loss(real_logits, fake_logits):
    return bce(real_logits, torch.ones_like(real_logits)) + bce(
        fake_logits, torch.zeros_like(fake_logits)
    )


def generator_loss(fake_logits):
    return bce(fake_logits, torch.ones_like(fake_logits))


def discriminator_step(generator, discriminator, optimizer, real, z):
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def generator_step(generator, discriminator, optimizer, z):
    loss = generator_loss(discriminator(generator(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


# ---------------------------------------------------------------- 7.1 sample, right


@right("7.1")
@torch.no_grad()
def no_grad_as_a_decorator(generator, z):
    mode = generator.training
    generator.eval()
    try:
        return generator(z)
    finally:
        generator.train(mode)


@right("7.1")
def in_inference_mode(generator, z):
    was_training = generator.training
    try:
        with torch.inference_mode():
            return generator.eval()(z)
    finally:
        if was_training:
            generator.train()


@right("7.1")
def each_modules_mode_remembered(generator, z):
    modes = {module: module.training for module in generator.modules()}
    generator.train(False)
    with torch.no_grad(), contextlib.ExitStack() as stack:
        for module, mode in modes.items():
            stack.callback(setattr, module, "training", mode)
        images = generator(z)
    return images


@right("7.1")
def a_copy_samples(generator, z):
    twin = copy.deepcopy(generator).eval()
    with torch.no_grad():
        return twin(z)


@contextlib.contextmanager
def evaluating(*networks):
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


@right("7.1")
def with_a_context_manager(generator, z):
    with evaluating(generator), torch.no_grad():
        return generator(z).detach().clone()


@right("7.1")
def statelessly(generator, z):
    """Parameters, buffers and all: a functional call on an evaluating shell."""
    shell = copy.deepcopy(generator).eval()
    tensors = {**dict(generator.named_parameters()), **dict(generator.named_buffers())}
    return torch.func.functional_call(shell, tensors, (z,)).detach()


@right("7.1")
def set_grad_enabled_as_a_context(netG, noise):
    training = netG.training
    netG.eval()
    try:
        with torch.set_grad_enabled(False):
            fake = netG(noise)
    except Exception:
        netG.train(training)
        raise
    netG.train(mode=training)
    return fake


# ---------------------------------------------------------------- 7.1 sample, wrong


@wrong("7.1", rejected_by="same_face_in_any_batch", says="generator.eval() first")
@torch.no_grad()
def in_training_mode(generator, z):
    return generator(z)


@wrong("7.1", rejected_by="running_statistics_untouched", says="does not keep batch normalisation")
def no_grad_is_enough(generator, z):
    with torch.no_grad():
        return generator(z)


@wrong("7.1", rejected_by="same_face_in_any_batch", says="in training mode")
def always_in_training_mode(generator, z):
    was = generator.training
    generator.train()
    with torch.no_grad():
        images = generator(z)
    generator.train(was)
    return images


@wrong("7.1", rejected_by="mode_put_back", says="generator.train() at the end is missing")
def stays_in_evaluation_mode(generator, z):
    generator.eval()
    with torch.no_grad():
        return generator(z)


@wrong("7.1", rejected_by="mode_put_back", says="always training")
def always_back_to_training(generator, z):
    generator.eval()
    try:
        with torch.no_grad():
            return generator(z)
    finally:
        generator.train()


@wrong("7.1", rejected_by="mode_put_back", says="finally")
def not_put_back_after_an_error(generator, z):
    was_training = generator.training
    generator.eval()
    with torch.no_grad():
        images = generator(z)
    generator.train(was_training)
    return images


@wrong("7.1", rejected_by="mode_put_back", says="generator.train() at the end is missing")
def mode_put_back_after_the_return(generator, z):
    generator.eval()
    with torch.no_grad():
        return generator(z)
    generator.train()


@wrong("7.1", rejected_by="mode_put_back", says="is missing")
def mode_remembered_too_late(generator, z):
    generator.eval()
    was_training = generator.training
    try:
        with torch.no_grad():
            return generator(z)
    finally:
        generator.train(was_training)


@wrong("7.1", rejected_by="mode_put_back", says="is missing")
def train_without_parentheses(generator, z):
    generator.eval()
    with torch.no_grad():
        images = generator(z)
    generator.train  # noqa: B018
    return images


@wrong("7.1", rejected_by="same_face_in_any_batch", says="call generator.eval() first")
def eval_without_parentheses(generator, z):
    generator.eval  # noqa: B018
    with torch.no_grad():
        return generator(z)


@wrong("7.1", rejected_by="keeps_no_graph", says="with torch.no_grad()")
def with_the_graph(generator, z):
    was_training = generator.training
    generator.eval()
    try:
        return generator(z)
    finally:
        generator.train(was_training)


@wrong("7.1", rejected_by="keeps_no_graph", says="requires_grad = True")
def no_grad_without_parentheses(generator, z):
    was_training = generator.training
    generator.eval()
    torch.no_grad  # noqa: B018
    try:
        return generator(z)
    finally:
        generator.train(was_training)


@wrong("7.1", rejected_by="keeps_no_graph", says="switched on again")
def gradients_off_for_ever(generator, z):
    was_training = generator.training
    generator.eval()
    torch.set_grad_enabled(False)
    try:
        return generator(z)
    finally:
        generator.train(was_training)


@wrong("7.1", rejected_by="same_face_in_any_batch", says="generator.eval() first")
def only_the_outer_flag(generator, z):
    """`training` of the network itself, but not of its layers."""
    was_training = generator.training
    generator.training = False
    with torch.no_grad():
        images = generator(z)
    generator.training = was_training
    return images


@wrong("7.1", rejected_by="mode_put_back", says="mode")
def put_back_the_wrong_way_round(generator, z):
    was_training = generator.training
    generator.eval()
    try:
        with torch.no_grad():
            return generator(z)
    finally:
        generator.train(not was_training)


@wrong("7.1", rejected_by="draws_nothing", says="latents of its own")
def draws_its_own_latents(generator, z):
    return no_grad_as_a_decorator(generator, torch.randn_like(z))


@wrong("7.1", rejected_by="draws_nothing", says="seeds torch")
def seeds_torch(generator, z):
    torch.manual_seed(0)
    return no_grad_as_a_decorator(generator, z)


@wrong("7.1", rejected_by="draws_nothing", says="in place")
def normalises_z_in_place(generator, z):
    z /= z.norm(dim=1, keepdim=True)
    return no_grad_as_a_decorator(generator, z)


@wrong("7.1", rejected_by="draws_nothing", says="z is changed first")
def truncates_z(generator, z):
    return no_grad_as_a_decorator(generator, z.clamp(-0.7, 0.7))


@wrong("7.1", rejected_by="leaves_weights_and_gradients", says="zero_grad")
def clears_gradients(generator, z):
    generator.zero_grad()
    return no_grad_as_a_decorator(generator, z)


@wrong("7.1", rejected_by="leaves_weights_and_gradients", says="needs no flags")
def freezes_the_generator(generator, z):
    was_training = generator.training
    generator.eval().requires_grad_(False)
    try:
        return generator(z)
    finally:
        generator.train(was_training).requires_grad_(True)


@wrong("7.1", rejected_by="leaves_weights_and_gradients", says="made anew")
def initialises_again(generator, z):
    for module in generator.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
    return no_grad_as_a_decorator(generator, z)


@wrong("7.1", rejected_by="returns_the_generators_images", says="scaled to [0, 1]")
def unnormalised(generator, z):
    return (no_grad_as_a_decorator(generator, z) + 1) / 2


@wrong("7.1", rejected_by="returns_the_generators_images", says="scaled to pixels")
def as_bytes(generator, z):
    return ((no_grad_as_a_decorator(generator, z) + 1) * 127.5).round().to(torch.uint8)


@wrong("7.1", rejected_by="returns_the_generators_images", says="clamped")
def clamped(generator, z):
    return no_grad_as_a_decorator(generator, z).clamp(0, 1)


@wrong("7.1", rejected_by="returns_the_generators_images", says="ndarray")
def as_numpy(generator, z):
    return no_grad_as_a_decorator(generator, z).numpy()


@wrong("7.1", rejected_by="returns_the_generators_images", says="return is missing")
def returns_nothing(generator, z):
    no_grad_as_a_decorator(generator, z)


@wrong("7.1", rejected_by="returns_the_generators_images", says="squeeze()")
def squeezed(generator, z):
    return no_grad_as_a_decorator(generator, z).squeeze()


@wrong("7.1", rejected_by="returns_the_generators_images", says="shape")
def only_the_first(generator, z):
    return no_grad_as_a_decorator(generator, z)[:1]


@wrong("7.1", rejected_by="running_statistics_untouched", says="in training mode")
def warms_the_statistics_up(generator, z):
    """Images of evaluation mode, after a pass that brings the running statistics nearer."""
    was_training = generator.training
    with torch.no_grad():
        generator.train()
        generator(torch.cat([z, -z]))
    generator.train(was_training)
    return no_grad_as_a_decorator(generator, z)


@wrong("7.1", rejected_by="same_face_in_any_batch", says="differs by")
def statistics_switched_off(generator, z):
    """Modules without running statistics use the batch's in evaluation mode too."""
    twin = copy.deepcopy(generator)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean = module.running_var = None
    return no_grad_as_a_decorator(twin, torch.cat([z, z.flip(1)]))[: len(z)]


# ---------------------------------------------------------------- 7.2 train_step, right


@right("7.2")
def the_same_latents_for_both(state, real):
    device = next(state.generator.parameters()).device
    real = real.to(device)
    state.generator.train()
    state.discriminator.train()
    z = sample_latent(real.size(0), state.z_dim, state.rng, device=device)
    loss_d = discriminator_step(
        state.generator, state.discriminator, state.optimizer_d, real, z
    ).item()
    loss_g = generator_step(state.generator, state.discriminator, state.optimizer_g, z).item()
    state.step += 1
    return {"loss_d": loss_d, "loss_g": loss_g}


@right("7.2")
def the_fake_batch_reused(state, real):
    """As in the PyTorch tutorial: one fake batch, D evaluated anew for G's step."""
    netG, netD = state.generator.train(), state.discriminator.train()
    device = next(netD.parameters()).device
    netD.zero_grad()
    real = real.to(device)
    output = netD(real).view(-1)
    errD_real = bce(output, torch.full_like(output, 1.0))
    errD_real.backward()
    fake = netG(torch.randn(len(real), state.z_dim, generator=state.rng).to(device))
    output = netD(fake.detach()).view(-1)
    errD_fake = bce(output, torch.full_like(output, 0.0))
    errD_fake.backward()
    state.optimizer_d.step()
    netG.zero_grad()
    output = netD(fake).view(-1)
    errG = bce(output, torch.full_like(output, 1.0))
    errG.backward()
    state.optimizer_g.step()
    state.step += 1
    return {"loss_d": errD_real.item() + errD_fake.item(), "loss_g": errG.item()}


@right("7.2")
def both_latents_at_once(state, real):
    for network in (state.generator, state.discriminator):
        network.train()
    device = next(state.discriminator.parameters()).device
    z_d, z_g = sample_latent(2 * len(real), state.z_dim, state.rng, device).chunk(2)
    losses = (
        discriminator_step(
            state.generator, state.discriminator, state.optimizer_d, real.to(device), z_d
        ),
        generator_step(state.generator, state.discriminator, state.optimizer_g, z_g),
    )
    state.step = state.step + 1
    return dict(zip(("loss_d", "loss_g"), map(float, losses), strict=True))


@right("7.2")
def with_scores_beside(state, real):
    """More keys, and a look at D's scores on the way."""
    G, D = state.generator, state.discriminator
    G.train(), D.train()
    real = real.to(next(G.parameters()).device)
    z = sample_latent(len(real), state.z_dim, state.rng, real.device)
    loss_d = discriminator_step(G, D, state.optimizer_d, real, z)
    z = sample_latent(len(real), state.z_dim, state.rng, real.device)
    loss_g = generator_step(G, D, state.optimizer_g, z)
    with torch.no_grad():
        d_real = D(real).sigmoid().mean()
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g), "d_real": float(d_real)}


@right("7.2")
def modes_put_back_by_a_tidy_student(state, real):
    networks = (state.generator, state.discriminator)
    modes = [network.training for network in networks]
    for network in networks:
        network.train()
    losses = the_same_latents_for_both(state, real)
    for network, mode in zip(networks, modes, strict=True):
        network.train(mode)
    return losses


@right("7.2")
def discriminator_frozen_in_the_generators_step(state, real):
    G, D = state.generator.train(), state.discriminator.train()
    device = next(iter(G.parameters())).device
    real = real.to(device)
    with torch.no_grad():
        fake = G(sample_latent(real.shape[0], state.z_dim, state.rng, device))
    state.optimizer_d.zero_grad(set_to_none=True)
    loss_d = F.softplus(-D(real)).mean() + F.softplus(D(fake)).mean()
    loss_d.backward()
    state.optimizer_d.step()
    D.requires_grad_(False)
    state.optimizer_g.zero_grad(set_to_none=True)
    loss_g = F.softplus(-D(G(sample_latent(real.shape[0], state.z_dim, state.rng, device)))).mean()
    loss_g.backward()
    state.optimizer_g.step()
    D.requires_grad_(True)
    state.step += 1
    return {"loss_d": loss_d.detach().cpu().numpy().item(), "loss_g": loss_g.tolist()}


# ---------------------------------------------------------------- 7.2 train_step, wrong


def step_with(
    state,
    real,
    n=None,
    trains=("generator", "discriminator"),
    draw=sample_latent,
    d_step=discriminator_step,
    g_step=generator_step,
):
    """What the wrong ones vary."""
    device = next(state.generator.parameters()).device
    real = real.to(device)
    for name in trains:
        getattr(state, name).train()
    n = len(real) if n is None else n
    z = draw(n, state.z_dim, state.rng).to(device)
    loss_d = d_step(state.generator, state.discriminator, state.optimizer_d, real, z)
    z = draw(n, state.z_dim, state.rng).to(device)
    loss_g = g_step(state.generator, state.discriminator, state.optimizer_g, z)
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g)}


def d_step_together(generator, discriminator, optimizer, real, z, factor=1.0):
    fake = generator(z).detach()
    logits = discriminator(torch.cat([real, fake]))
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(fake))]).to(logits.device)
    loss = 2 * factor * bce(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("7.2", rejected_by="judges_real_and_fake_apart", says="in one batch (torch.cat)")
def real_and_fake_together(state, real):
    return step_with(state, real, d_step=d_step_together)


@wrong("7.2", rejected_by="updates_d_then_g", says="half the loss")
def one_bce_over_all(state, real):
    return step_with(state, real, d_step=functools.partial(d_step_together, factor=0.5))


@wrong("7.2", rejected_by="trains_in_training_mode", says="both networks are in evaluation mode")
def no_training_mode(state, real):
    return step_with(state, real, trains=())


@wrong("7.2", rejected_by="trains_in_training_mode", says="the discriminator is in evaluation")
def only_the_generator_trains(state, real):
    return step_with(state, real, trains=("generator",))


@wrong("7.2", rejected_by="trains_in_training_mode", says="the generator is in evaluation")
def only_the_discriminator_trains(state, real):
    return step_with(state, real, trains=("discriminator",))


@wrong("7.2", rejected_by="judges_real_and_fake_apart", says="generator is in evaluation mode")
def generator_evaluates_for_the_fakes(state, real):
    """Sets the mode that "inference" seems to need, and so in both steps."""
    state.generator.eval()
    losses = step_with(state, real, trains=("discriminator",))
    state.generator.train()
    return losses


def in_mode_for_the_step(step, **modes):
    """The step with networks put into a mode for it, and into training mode afterwards."""

    def wrapped(generator, discriminator, *arguments):
        generator.train(modes.get("generator", True))
        discriminator.train(modes.get("discriminator", True))
        loss = step(generator, discriminator, *arguments)
        generator.train(), discriminator.train()
        return loss

    return wrapped


@wrong("7.2", rejected_by="judges_real_and_fake_apart", says="during D's update")
def fakes_made_in_evaluation_mode(state, real):
    d_step = in_mode_for_the_step(discriminator_step, generator=False)
    return step_with(state, real, d_step=d_step)


@wrong("7.2", rejected_by="judges_real_and_fake_apart", says="during G's update")
def judge_in_evaluation_mode(state, real):
    g_step = in_mode_for_the_step(generator_step, discriminator=False)
    return step_with(state, real, g_step=g_step)


@wrong("7.2", rejected_by="trains_in_training_mode", says="only the network that is updated")
def only_who_learns_is_in_training_mode(state, real):
    d_step = in_mode_for_the_step(discriminator_step, generator=False)
    g_step = in_mode_for_the_step(generator_step, discriminator=False)
    return step_with(state, real, d_step=d_step, g_step=g_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="something changes weights or gradients")
def gradients_clipped(state, real):
    def d_step(generator, discriminator, optimizer, real, z):
        loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(discriminator.parameters(), 0.01)
        optimizer.step()
        return loss.detach()

    return step_with(state, real, d_step=d_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="not discriminator_loss on D(real)")
def data_scaled_again(state, real):
    return step_with(state, 2 * real - 1)


@wrong("7.2", rejected_by="fits_the_batch", says="take len(real)")
def global_batch_size(state, real):
    return step_with(state, real, n=64)


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="global random numbers")
def latents_from_the_global_numbers(state, real):
    return step_with(state, real, draw=lambda n, z_dim, rng: torch.randn(n, z_dim))


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="for D's update and for G's")
def only_the_discriminators_latents_from_the_state(state, real):
    def g_step(generator, discriminator, optimizer, z):
        return generator_step(generator, discriminator, optimizer, torch.randn_like(z))

    return step_with(state, real, g_step=g_step)


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="standard normal")
def positive_latents_for_the_generator(state, real):
    def g_step(generator, discriminator, optimizer, z):
        return generator_step(generator, discriminator, optimizer, z.abs())

    return step_with(state, real, g_step=g_step)


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="seeded anew")
def seeded_in_each_step(state, real):
    return step_with(
        state,
        real,
        draw=lambda n, z_dim, rng: sample_latent(n, z_dim, torch.Generator().manual_seed(0)),
    )


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="seeded anew")
def reseeds_the_states(state, real):
    state.rng.manual_seed(42)
    return step_with(state, real)


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="torch.rand is even")
def uniform_latents(state, real):
    return step_with(state, real, draw=lambda n, z_dim, rng: torch.rand(n, z_dim, generator=rng))


@wrong("7.2", rejected_by="draws_latents_from_the_state", says="standard normal")
def uniform_latents_on_both_sides(state, real):
    return step_with(
        state, real, draw=lambda n, z_dim, rng: 2 * torch.rand(n, z_dim, generator=rng) - 1
    )


def reversed_order(state, real):
    device = next(state.generator.parameters()).device
    state.generator.train()
    state.discriminator.train()
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    loss_g = generator_step(state.generator, state.discriminator, state.optimizer_g, z)
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    loss_d = discriminator_step(
        state.generator, state.discriminator, state.optimizer_d, real.to(device), z
    )
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g)}


wrong("7.2", rejected_by="updates_d_then_g", says="D comes first")(reversed_order)


@wrong("7.2", rejected_by="updates_d_then_g", says="D is never updated")
def discriminator_never_learns(state, real):
    def d_step(generator, discriminator, optimizer, real, z):
        with torch.no_grad():
            return discriminator_loss(discriminator(real), discriminator(generator(z)))

    return step_with(state, real, d_step=d_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="G is never updated")
def generator_never_learns(state, real):
    def g_step(generator, discriminator, optimizer, z):
        loss = generator_loss(discriminator(generator(z)))
        optimizer.zero_grad()
        loss.backward()
        return loss

    return step_with(state, real, g_step=g_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="one update of each")
def discriminator_twice(state, real):
    z = sample_latent(len(real), state.z_dim, state.rng, next(state.generator.parameters()).device)
    discriminator_step(
        state.generator, state.discriminator, state.optimizer_d, real.to(z.device), z
    )
    return step_with(state, real)


@wrong("7.2", rejected_by="updates_d_then_g", says="D is never updated")
def optimizers_swapped(state, real):
    """Each optimizer steps in the other network's phase, and clears the wrong gradients."""
    step = step_with

    def d_step(generator, discriminator, optimizer, real, z):
        return discriminator_step(generator, discriminator, state.optimizer_g, real, z)

    def g_step(generator, discriminator, optimizer, z):
        return generator_step(generator, discriminator, state.optimizer_g, z)

    return step(state, real, d_step=d_step, g_step=g_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="modified by an inplace")
def one_forward_for_both(state, real):
    """G's loss from logits that D computed before its update: torch notices."""
    G, D = state.generator.train(), state.discriminator.train()
    real = real.to(next(G.parameters()).device)
    fake = G(sample_latent(len(real), state.z_dim, state.rng, real.device))
    real_logits, fake_logits = D(real), D(fake)
    loss_d, loss_g = discriminator_loss(real_logits, fake_logits), generator_loss(fake_logits)
    state.optimizer_d.zero_grad()
    loss_d.backward(retain_graph=True)
    state.optimizer_d.step()
    state.optimizer_g.zero_grad()
    loss_g.backward()
    state.optimizer_g.step()
    state.step += 1
    return {"loss_d": loss_d.item(), "loss_g": loss_g.item()}


@wrong("7.2", rejected_by="updates_d_then_g", says="as it was before D's update")
def simultaneous_updates(state, real):
    G, D = state.generator.train(), state.discriminator.train()
    real = real.to(next(G.parameters()).device)
    fake = G(sample_latent(len(real), state.z_dim, state.rng, real.device))
    loss_d = discriminator_loss(D(real), D(fake.detach()))
    loss_g = generator_loss(D(fake))
    state.optimizer_g.zero_grad()
    loss_g.backward()
    state.optimizer_d.zero_grad()
    loss_d.backward()
    state.optimizer_d.step()
    state.optimizer_g.step()
    state.step += 1
    return {"loss_d": loss_d.item(), "loss_g": loss_g.item()}


def d_step_attached(generator, discriminator, optimizer, real, z):
    loss = discriminator_loss(discriminator(real), discriminator(generator(z)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def g_step_without_clearing(generator, discriminator, optimizer, z):
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


@wrong("7.2", rejected_by="updates_d_then_g", says="not detached")
def stray_gradients_of_ds_step(state, real):
    return step_with(state, real, d_step=d_step_attached, g_step=g_step_without_clearing)


@right("7.2")
def not_detached_but_cleared(state, real):
    """More work than needed, and the same weights: lesson 4 asks for the cut, this one does not."""
    return step_with(state, real, d_step=d_step_attached)


@wrong("7.2", rejected_by="updates_d_then_g", says="must not be detached")
def detached_in_the_generators_step(state, real):
    def g_step(generator, discriminator, optimizer, z):
        optimizer.zero_grad()
        loss = generator_loss(discriminator(generator(z).detach()))
        loss.backward()
        optimizer.step()
        return loss

    return step_with(state, real, g_step=g_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="minimax")
def minimax_generator(state, real):
    def g_step(generator, discriminator, optimizer, z):
        logits = discriminator(generator(z))
        loss = -bce(logits, torch.zeros_like(logits))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step_with(state, real, g_step=g_step)


@wrong("7.2", rejected_by="updates_d_then_g", says="labels are swapped")
def swapped_labels(state, real):
    def d_step(generator, discriminator, optimizer, real, z):
        loss = discriminator_loss(discriminator(generator(z).detach()), discriminator(real))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step_with(state, real, d_step=d_step)


@wrong("7.2", rejected_by="starts_from_clean_gradients", says="old gradients")
def nothing_is_cleared(state, real):
    def d_step(generator, discriminator, optimizer, real, z):
        loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
        loss.backward()
        optimizer.step()
        return loss.detach()

    def g_step(generator, discriminator, optimizer, z):
        loss = generator_loss(discriminator(generator(z)))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step_with(state, real, d_step=d_step, g_step=g_step)


@wrong("7.2", rejected_by="starts_from_clean_gradients", says="leaves gradients in D too")
def each_clears_its_own_at_the_end(state, real):
    """D's gradients of G's step are still there when D's next step begins."""

    def d_step(generator, discriminator, optimizer, real, z):
        loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step_with(state, real, d_step=d_step, g_step=g_step_without_clearing)


@wrong("7.2", rejected_by="returns_two_numbers", says="graph of its whole step")
def losses_with_their_graphs(state, real):
    G, D = state.generator.train(), state.discriminator.train()
    real = real.to(next(G.parameters()).device)
    z = sample_latent(len(real), state.z_dim, state.rng, real.device)
    loss_d = discriminator_loss(D(real), D(G(z).detach()))
    state.optimizer_d.zero_grad()
    loss_d.backward()
    state.optimizer_d.step()
    loss_g = generator_loss(D(G(z)))
    state.optimizer_g.zero_grad()
    loss_g.backward()
    state.optimizer_g.step()
    state.step += 1
    return {"loss_d": loss_d, "loss_g": loss_g}


def returning(change):
    """A right step whose returned dict is changed."""

    def step(state, real):
        return change(step_with(state, real))

    step.__name__ = change.__name__
    return step


def answer(rejected_by, says, name, change):
    change.__name__ = name
    wrong("7.2", rejected_by=rejected_by, says=says)(returning(change))


RETURNS = "returns_two_numbers"
answer(RETURNS, "a tuple", "a_tuple", lambda losses: tuple(losses.values()))
answer(RETURNS, "return is missing", "no_return", lambda losses: None)
answer(RETURNS, "swapped", "losses_swapped", lambda losses: dict(
    zip(losses, reversed(losses.values()), strict=True)
))  # fmt: skip
answer(RETURNS, "under both names", "one_loss_twice", lambda losses: dict.fromkeys(
    losses, losses["loss_d"]
))  # fmt: skip
answer(RETURNS, "loss_d is missing", "other_names", lambda losses: {
    "d_loss": losses["loss_d"], "g_loss": losses["loss_g"]
})  # fmt: skip
answer(RETURNS, "float(loss)", "detached_tensors", lambda losses: {
    key: torch.tensor(value) for key, value in losses.items()
})  # fmt: skip
answer(RETURNS, "float(loss)", "numpy_numbers", lambda losses: {
    key: np.float32(value) for key, value in losses.items()
})  # fmt: skip
answer(RETURNS, "parentheses", "item_without_parentheses", lambda losses: {
    key: torch.tensor(value).item for key, value in losses.items()
})  # fmt: skip


@wrong("7.2", rejected_by="returns_two_numbers", says="after the updates")
def losses_after_the_updates(state, real):
    state.generator.train()
    state.discriminator.train()
    device = next(state.generator.parameters()).device
    real = real.to(device)
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    discriminator_step(state.generator, state.discriminator, state.optimizer_d, real, z)
    generator_step(state.generator, state.discriminator, state.optimizer_g, z)
    state.step += 1
    D, fake = state.discriminator, state.generator(z)
    # Before the step that the checks would play next, so with both networks as they are now.
    trial = copy.deepcopy(D)
    loss_d = discriminator_loss(D(real), D(fake))
    optimizer = torch.optim.SGD(trial.parameters(), lr=state.optimizer_d.param_groups[0]["lr"])
    discriminator_step(state.generator, trial, optimizer, real, z)
    return {"loss_d": loss_d.item(), "loss_g": generator_loss(trial(fake)).item()}


@wrong("7.2", rejected_by="counts_the_step", says="state.step += 1 is missing")
def never_counts(state, real):
    losses = step_with(state, real)
    state.step -= 1
    return losses


@wrong("7.2", rejected_by="counts_the_step", says="something else than one")
def counts_images(state, real):
    losses = step_with(state, real)
    state.step += len(real) - 1
    return losses


@wrong("7.2", rejected_by="counts_the_step", says="something else than one")
def counts_both_updates(state, real):
    losses = step_with(state, real)
    state.step += 1
    return losses


@wrong("7.2", rejected_by="follows_the_networks_device", says="real is not moved")
def real_not_moved(state, real):
    real.to(next(state.generator.parameters()).device)  # its result is dropped
    state.generator.train()
    state.discriminator.train()
    device = next(state.generator.parameters()).device
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    loss_d = discriminator_step(state.generator, state.discriminator, state.optimizer_d, real, z)
    loss_g = generator_step(state.generator, state.discriminator, state.optimizer_g, z)
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g)}


@wrong("7.2", rejected_by="follows_the_networks_device", says="pass the device as well")
def latents_stay_on_the_cpu(state, real):
    state.generator.train()
    state.discriminator.train()
    real = real.to(next(state.generator.parameters()).device)
    z = sample_latent(len(real), state.z_dim, state.rng)
    loss_d = discriminator_step(state.generator, state.discriminator, state.optimizer_d, real, z)
    loss_g = generator_step(state.generator, state.discriminator, state.optimizer_g, z)
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g)}


@wrong("7.2", rejected_by="follows_the_networks_device", says="is not moved")
def device_written_down(state, real):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state.generator.train()
    state.discriminator.train()
    z = sample_latent(len(real), state.z_dim, state.rng, device)
    real = real.to(device)
    loss_d = discriminator_step(state.generator, state.discriminator, state.optimizer_d, real, z)
    loss_g = generator_step(state.generator, state.discriminator, state.optimizer_g, z)
    state.step += 1
    return {"loss_d": float(loss_d), "loss_g": float(loss_g)}


@wrong("7.2", rejected_by="follows_the_networks_device", says="networks are moved")
def networks_moved_to_the_data(state, real):
    state.generator.to(real.device)
    state.discriminator.to(real.device)
    return step_with(state, real)


@wrong("7.2", rejected_by="fits_the_batch", says="take len(real)")
def latents_of_the_first_batch(state, real):
    n = getattr(state, "n", None) or len(real) + 1
    return step_with(state, real, n=n)


# ---------------------------------------------------------------- 7.3 evaluate_balance, right


@right("7.3")
@torch.no_grad()
def step_by_step(discriminator, real, fake):
    mode = discriminator.training
    discriminator.eval()
    dials = {}
    for name, images, sign in (("real", real, 1), ("fake", fake, -1)):
        logits = discriminator(images).flatten()
        dials[f"d_{name}"] = logits.sigmoid().mean().item()
        dials[f"acc_{name}"] = (sign * logits > 0).double().mean().item()
    discriminator.train(mode)
    return dials


@right("7.3")
def with_scores_and_thresholds_of_a_half(discriminator, real, fake):
    with evaluating(discriminator), torch.inference_mode():
        p_real = torch.sigmoid(discriminator(real))
        p_fake = torch.sigmoid(discriminator(fake))
    return {
        "d_real": float(p_real.mean()),
        "d_fake": float(p_fake.mean()),
        "acc_real": float((p_real > 0.5).sum()) / len(real),
        "acc_fake": float((p_fake < 0.5).sum()) / len(fake),
    }


@right("7.3")
def by_numpy(discriminator, real, fake):
    twin = copy.deepcopy(discriminator).eval()
    r = twin(real).detach().cpu().double().numpy().ravel()
    f = twin(fake).detach().cpu().double().numpy().ravel()
    return {
        "d_real": float(np.mean(1 / (1 + np.exp(-r)))),
        "d_fake": float(np.mean(1 / (1 + np.exp(-f)))),
        "acc_real": float(np.mean(r > 0)),
        "acc_fake": float(np.mean(f < 0)),
    }


@right("7.3")
def one_pass_in_evaluation_mode(discriminator, real, fake):
    """In evaluation mode a common pass is harmless: each score comes from its own image."""
    with evaluating(discriminator), torch.no_grad():
        r, f = discriminator(torch.cat([real, fake])).split([len(real), len(fake)])
    means = [r.sigmoid().mean(), f.sigmoid().mean(), (r > 0).float().mean(), (f < 0).float().mean()]
    return dict(zip(("d_real", "d_fake", "acc_real", "acc_fake"), map(float, means), strict=True))


@right("7.3")
def by_the_students_sample(discriminator, real, fake):
    r, f = no_grad_as_a_decorator(discriminator, real), no_grad_as_a_decorator(discriminator, fake)
    return {
        "d_real": r.sigmoid().mean().item(),
        "d_fake": f.sigmoid().mean().item(),
        "acc_real": (torch.sign(r) == 1).float().mean().item(),
        "acc_fake": (torch.sign(f) == -1).float().mean().item(),
        "gap": float(r.mean() - f.mean()),
    }


@right("7.3")
def in_python_numbers(discriminator, real, fake):
    real_logits = no_grad_as_a_decorator(discriminator, real).flatten().tolist()
    fake_logits = no_grad_as_a_decorator(discriminator, fake).flatten().tolist()

    def score(x):
        return 1 / (1 + math.exp(-x))

    return {
        "d_real": sum(map(score, real_logits)) / len(real_logits),
        "d_fake": sum(map(score, fake_logits)) / len(fake_logits),
        "acc_real": sum(x > 0 for x in real_logits) / len(real_logits),
        "acc_fake": sum(x < 0 for x in fake_logits) / len(fake_logits),
    }


# ---------------------------------------------------------------- 7.3 evaluate_balance, wrong


def dials_of(r, f):
    return {
        "d_real": r.sigmoid().mean().item(),
        "d_fake": f.sigmoid().mean().item(),
        "acc_real": (r > 0).float().mean().item(),
        "acc_fake": (f < 0).float().mean().item(),
    }


def asked(discriminator, real, fake):
    with evaluating(discriminator), torch.no_grad():
        return discriminator(real), discriminator(fake)


def from_logits(rejected_by, says):
    """A wrong answer that gets the logits rightly and makes something else of them."""

    def add(change):
        def evaluate(discriminator, real, fake):
            r, f = asked(discriminator, real, fake)
            return {**dials_of(r, f), **change(r, f)}

        evaluate.__name__ = change.__name__
        wrong("7.3", rejected_by=rejected_by, says=says)(evaluate)
        return change

    return add


@from_logits("mean_scores", says="sigmoid of the mean logit")
def sigmoid_of_the_mean(r, f):
    return {"d_real": r.mean().sigmoid().item(), "d_fake": f.mean().sigmoid().item()}


@from_logits("mean_scores", says="the sigmoid is missing")
def mean_logits(r, f):
    return {"d_real": r.mean().item(), "d_fake": f.mean().item()}


@from_logits("mean_scores", says="batches are swapped")
def scores_swapped(r, f):
    return {"d_real": f.sigmoid().mean().item(), "d_fake": r.sigmoid().mean().item()}


@from_logits("mean_scores", says="1 - D")
def score_for_fake(r, f):
    return {"d_fake": (1 - f.sigmoid()).mean().item()}


@from_logits("mean_scores", says="percentage")
def scores_in_percent(r, f):
    return {"d_real": 100 * r.sigmoid().mean().item(), "d_fake": 100 * f.sigmoid().mean().item()}


@from_logits("mean_scores", says="take the mean")
def summed_scores(r, f):
    return {"d_real": r.sigmoid().sum().item(), "d_fake": f.sigmoid().sum().item()}


@from_logits("mean_scores", says="rounded")
def rounded_scores(r, f):
    return {"d_real": round(r.sigmoid().mean().item(), 2)}


@from_logits("mean_scores", says="applied twice")
def sigmoid_twice(r, f):
    return {"d_real": r.sigmoid().sigmoid().mean().item()}


@from_logits("mean_scores", says="a tensor of shape ()")
def tensors_not_numbers(r, f):
    return {"d_real": r.sigmoid().mean()}


@from_logits("mean_scores", says="a tensor of shape")
def scores_of_each_image(r, f):
    return {"d_real": r.sigmoid(), "d_fake": f.sigmoid()}


@from_logits("shares_that_are_right", says="inverted")
def accuracy_of_fakes_inverted(r, f):
    return {"acc_fake": (f > 0).float().mean().item()}


@from_logits("shares_that_are_right", says="compared with 0.5")
def logits_against_a_half(r, f):
    return {
        "acc_real": (r > 0.5).float().mean().item(),
        "acc_fake": (f < 0.5).float().mean().item(),
    }


@from_logits("shares_that_are_right", says="percentage")
def accuracies_in_percent(r, f):
    return {"acc_real": 100 * (r > 0).float().mean().item()}


@from_logits("shares_that_are_right", says="counted")
def counts(r, f):
    return {"acc_real": float((r > 0).sum()), "acc_fake": float((f < 0).sum())}


@from_logits("shares_that_are_right", says="one accuracy for both")
def one_accuracy(r, f):
    both = torch.cat([r > 0, f < 0]).float().mean().item()
    return {"acc_real": both, "acc_fake": both}


@from_logits("shares_that_are_right", says="exactly 0")
def zero_counts_as_right(r, f):
    return {
        "acc_real": (r >= 0).float().mean().item(),
        "acc_fake": (f <= 0).float().mean().item(),
    }


@from_logits("shares_that_are_right", says="exactly 0")
def not_real_is_fake(r, f):
    return {"acc_fake": 1 - (f > 0).float().mean().item()}


@from_logits("shares_that_are_right", says="mean score, not the share")
def scores_as_accuracies(r, f):
    return {"acc_real": r.sigmoid().mean().item()}


@from_logits("shares_that_are_right", says="sign of the batch's mean")
def sign_of_the_mean(r, f):
    return {"acc_real": float(r.mean() > 0), "acc_fake": float(f.mean() < 0)}


@from_logits("batches_of_any_size", says="other batch")
def divided_by_the_real_batch(r, f):
    return {"acc_fake": float((f < 0).sum()) / len(r)}


@from_logits("batches_of_any_size", says="")
def pairs_of_real_and_fake(r, f):
    gap = (r - f).reshape(-1)
    return {"acc_real": (r + 0 * gap > 0).float().mean().item()}


@from_logits("batches_of_any_size", says="")
def squeezed_logits_are_iterated(r, f):
    r = r.squeeze()
    return {"acc_real": sum(float(x > 0) for x in r) / len(r)}


@wrong("7.3", rejected_by="asks_in_evaluation_mode", says="discriminator.eval() first")
@torch.no_grad()
def asked_in_training_mode(discriminator, real, fake):
    return dials_of(discriminator(real), discriminator(fake))


@wrong("7.3", rejected_by="asks_in_evaluation_mode", says="as one, in training mode")
@torch.no_grad()
def asked_together_in_training_mode(discriminator, real, fake):
    was = discriminator.training
    discriminator.train()
    logits = discriminator(torch.cat([real, fake]))
    discriminator.train(was)
    return dials_of(*logits.split([len(real), len(fake)]))


@wrong("7.3", rejected_by="leaves_the_discriminator_as_it_was", says="mode is not put back")
@torch.no_grad()
def left_in_evaluation_mode(discriminator, real, fake):
    discriminator.eval()
    return dials_of(discriminator(real), discriminator(fake))


@wrong("7.3", rejected_by="leaves_the_discriminator_as_it_was", says="mode is not put back")
@torch.no_grad()
def always_put_into_training_mode(discriminator, real, fake):
    discriminator.eval()
    dials = dials_of(discriminator(real), discriminator(fake))
    discriminator.train()
    return dials


@wrong("7.3", rejected_by="leaves_the_discriminator_as_it_was", says="does not keep batch")
@torch.no_grad()
def moves_the_running_statistics(discriminator, real, fake):
    was = discriminator.training
    discriminator.train()
    discriminator(real), discriminator(fake)
    discriminator.eval()
    dials = dials_of(discriminator(real), discriminator(fake))
    discriminator.train(was)
    return dials


@wrong("7.3", rejected_by="leaves_the_discriminator_as_it_was", says="backward has no place")
def leaves_gradients(discriminator, real, fake):
    with evaluating(discriminator):
        r, f = discriminator(real), discriminator(fake)
        discriminator_loss(r, f).backward()
    return dials_of(r, f)


@wrong("7.3", rejected_by="leaves_the_discriminator_as_it_was", says="set_grad_enabled")
def gradients_stay_off(discriminator, real, fake):
    torch.set_grad_enabled(False)
    with evaluating(discriminator):
        return dials_of(discriminator(real), discriminator(fake))


@wrong("7.3", rejected_by="leaves_the_discriminator_as_it_was", says="stays frozen")
def freezes_the_discriminator(discriminator, real, fake):
    discriminator.requires_grad_(False)
    with evaluating(discriminator):
        return dials_of(discriminator(real), discriminator(fake))


@wrong("7.3", rejected_by="mean_scores", says="return is missing")
def prints_only(discriminator, real, fake):
    print(dials_of(*asked(discriminator, real, fake)))


@wrong("7.3", rejected_by="mean_scores", says="a tuple")
def a_tuple_of_four(discriminator, real, fake):
    return tuple(dials_of(*asked(discriminator, real, fake)).values())


@wrong("7.3", rejected_by="mean_scores", says="acc_fake is missing")
def three_dials(discriminator, real, fake):
    dials = dials_of(*asked(discriminator, real, fake))
    del dials["acc_fake"]
    return dials


# ---------------------------------------------------------------- 7.4 all three together


@right("7.4")
def as_in_the_lesson():
    return no_grad_as_a_decorator, step_with, step_by_step


@right("7.4")
def from_the_pytorch_tutorial():
    return set_grad_enabled_as_a_context, the_fake_batch_reused, by_the_students_sample


@right("7.4")
def with_copies():
    return a_copy_samples, both_latents_at_once, by_numpy


@right("7.4")
def with_context_managers():
    return (
        with_a_context_manager,
        discriminator_frozen_in_the_generators_step,
        one_pass_in_evaluation_mode,
    )


@wrong("7.4", rejected_by="looking_changes_nothing", says="7.1")
def sampling_moves_the_statistics():
    return in_training_mode, step_with, step_by_step


@wrong("7.4", rejected_by="looking_changes_nothing", says="another mode")
def sampling_leaves_evaluation_mode():
    return stays_in_evaluation_mode, no_training_mode, step_by_step


@right("7.4")
def evaluation_mode_left_and_mended_by_the_step():
    """Costs a point in 7.1, but the training is not disturbed by it."""
    return stays_in_evaluation_mode, step_with, step_by_step


@wrong("7.4", rejected_by="looking_changes_nothing", says="7.3")
def dials_move_the_statistics():
    return no_grad_as_a_decorator, step_with, moves_the_running_statistics


@wrong("7.4", rejected_by="looking_changes_nothing", says="evaluate_balance leaves")
def dials_leave_evaluation_mode():
    return no_grad_as_a_decorator, no_training_mode, left_in_evaluation_mode


def draws_and_ignores(generator, z):
    torch.randn(3)
    return no_grad_as_a_decorator(generator, z)


@wrong("7.4", rejected_by="looking_changes_nothing", says="random numbers")
def sampling_uses_the_trainings_numbers():
    return draws_and_ignores, latents_from_the_global_numbers, step_by_step


@wrong("7.4", rejected_by="a_pass_over_the_data", says="must be the same as input")
def labels_of_a_fixed_batch_size():
    def d_step(generator, discriminator, optimizer, real, z):
        loss = bce(discriminator(real), torch.ones(6)) + bce(
            discriminator(generator(z).detach()), torch.zeros(6)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return no_grad_as_a_decorator, functools.partial(step_with, d_step=d_step), step_by_step


@wrong("7.4", rejected_by="a_pass_over_the_data", says="7.2")
def the_step_is_not_counted():
    return no_grad_as_a_decorator, never_counts, step_by_step


@wrong("7.4", rejected_by="a_pass_over_the_data", says="G to learn")
def the_generator_does_not_learn():
    return no_grad_as_a_decorator, generator_never_learns, step_by_step


@wrong("7.4", rejected_by="a_pass_over_the_data", says="7.3")
def dials_out_of_range():
    def evaluate(discriminator, real, fake):
        return {key: 100 * value for key, value in step_by_step(discriminator, real, fake).items()}

    return no_grad_as_a_decorator, step_with, evaluate


@wrong("7.4", rejected_by="a_pass_over_the_data", says="7.1")
def one_image_only():
    return only_the_first, step_with, step_by_step
