"""Answers to lesson 4: networks, steps, and both in turns."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong
from torch import nn

bce = nn.BCEWithLogitsLoss()


def discriminator_loss(real_logits, fake_logits):
    return bce(real_logits, torch.ones_like(real_logits)) + bce(
        fake_logits, torch.zeros_like(fake_logits)
    )


def generator_loss(fake_logits):
    return bce(fake_logits, torch.ones_like(fake_logits))


# ---------------------------------------------------------------- 4.1 MLPGenerator, right


@right("4.1")
class SeparateLayers(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.shape = out_shape
        self.first = nn.Linear(z_dim, hidden_dim)
        self.second = nn.Linear(hidden_dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, int(np.prod(out_shape)))

    def forward(self, latent):
        h = F.leaky_relu(self.first(latent), 0.2)
        h = F.leaky_relu(self.second(h), 0.2)
        return torch.tanh(self.last(h)).reshape(latent.size(0), *self.shape)


@right("4.1")
class GrowingBlocksWithBatchNorm(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        layers, width = [], z_dim
        for factor in (1, 2, 4):
            layers += [nn.Linear(width, factor * hidden_dim), nn.BatchNorm1d(factor * hidden_dim)]
            layers += [nn.ReLU(True)]
            width = factor * hidden_dim
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(width, math.prod(out_shape)), nn.Tanh())
        self.unflatten = nn.Unflatten(1, out_shape)

    def forward(self, z):
        return self.unflatten(self.head(self.body(z)))


@right("4.1")
class OneHiddenLayer(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.out_shape = out_shape
        self.hidden = nn.Linear(z_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, math.prod(out_shape))

    def forward(self, z):
        x = self.out(torch.relu(self.hidden(z)))
        return x.tanh().view(-1, *self.out_shape)


@right("4.1")
class ModuleListWithDropout(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        widths = [z_dim, hidden_dim, hidden_dim, hidden_dim]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(0.3)
        self.to_image = nn.Linear(hidden_dim, math.prod(out_shape), bias=False)
        self.shape = torch.Size(out_shape)

    def forward(self, z):
        for layer in self.layers:
            z = self.dropout(F.gelu(layer(z)))
        return torch.tanh(self.to_image(z)).view(len(z), *self.shape)


@right("4.1")
class ScaledSigmoid(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.out_shape = out_shape
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(z_dim, hidden_dim), nn.ELU(),
            nn.Linear(hidden_dim, math.prod(out_shape)), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, z):
        return (2 * self.net(z) - 1).view(z.shape[0], *self.out_shape)


@right("4.1")
def a_function_that_returns_a_sequential(z_dim, hidden_dim, out_shape):
    return nn.Sequential(
        nn.Linear(z_dim, hidden_dim),
        nn.LayerNorm(hidden_dim),
        nn.SiLU(),
        nn.Linear(hidden_dim, math.prod(out_shape)),
        nn.Tanh(),
        nn.Unflatten(1, out_shape),
    )


# ---------------------------------------------------------------- 4.1 MLPGenerator, wrong


class _Generator(nn.Module):
    """What the wrong ones vary."""

    def __init__(self, z_dim, hidden_dim, out_shape, end=nn.Tanh, activation=nn.ReLU):
        super().__init__()
        self.out_shape, self.z_dim = tuple(out_shape), z_dim
        self.net = nn.Sequential(
            nn.Linear(z_dim, hidden_dim), activation(),
            nn.Linear(hidden_dim, hidden_dim), activation(),
            nn.Linear(hidden_dim, math.prod(out_shape)), end(),
        )  # fmt: skip

    def forward(self, z):
        return self.net(z).view(-1, *self.out_shape)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="prod(out_shape)")
class NeverReshaped(_Generator):
    def forward(self, z):
        return self.net(z)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="forward has no return")
class ForgotTheReturn(_Generator):
    def forward(self, z):
        self.net(z).view(-1, *self.out_shape)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="squeeze() removes the batch")
class Squeezed(_Generator):
    def forward(self, z):
        return super().forward(z).squeeze()


@wrong("4.1", rejected_by="maps_latents_to_samples", says="fit the number of elements")
class FixedBatchOf64(_Generator):
    def forward(self, z):
        return self.net(z).view(64, *self.out_shape)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="in your code")
class FixedTo28Pixels(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(z_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 784), nn.Tanh()
        )

    def forward(self, z):
        return self.net(z).view(-1, 1, 28, 28).view(z.shape[0], 3, 8, 8)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="super().__init__()")
class ForgotSuper(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        self.net = nn.Sequential(nn.Linear(z_dim, hidden_dim))

    def forward(self, z):
        return self.net(z)


@wrong("4.1", rejected_by="depends_on_its_latent", says="0 of them")
class DrawsItsOwnNoise(_Generator):
    def forward(self, z):
        return super().forward(torch.randn(z.shape[0], self.z_dim, requires_grad=True))


@wrong("4.1", rejected_by="depends_on_its_latent", says="dependence on 6 of them")
class UsesHalfOfTheLatent(_Generator):
    def forward(self, z):
        half = torch.cat([z[:, :6], torch.zeros_like(z[:, 6:])], dim=1)
        return super().forward(half)


@wrong("4.1", rejected_by="depends_on_its_latent", says="detached")
class DetachesItsOutput(_Generator):
    def forward(self, z):
        return super().forward(z).detach().requires_grad_() + 0 * z.detach().sum()


@wrong("4.1", rejected_by="each_sample_from_its_own_latent", says="made anew in forward")
class LayersMadeInForward(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.z_dim, self.hidden_dim, self.out_shape = z_dim, hidden_dim, out_shape
        self.unused = nn.Linear(z_dim, hidden_dim * 9)

    def forward(self, z):
        h = torch.relu(nn.Linear(self.z_dim, self.hidden_dim)(z))
        x = nn.Linear(self.hidden_dim, math.prod(self.out_shape))(h)
        return torch.tanh(x).view(-1, *self.out_shape)


@wrong("4.1", rejected_by="each_sample_from_its_own_latent", says="batch")
class NormalisesOverTheBatch(_Generator):
    def forward(self, z):
        z = (z - z.mean(0)) / (z.std(0, unbiased=False) + 1e-5)
        return super().forward(z)


@wrong("4.1", rejected_by="each_sample_from_its_own_latent", says="dropout is on")
class DropoutInEvaluation(_Generator):
    def forward(self, z):
        return self.net(F.dropout(z, 0.5)).view(-1, *self.out_shape)


@wrong("4.1", rejected_by="stays_in_range", says="nn.Tanh()")
class NoTanh(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape, end=nn.Identity)


@wrong("4.1", rejected_by="stays_in_range", says="sigmoid")
class SigmoidAtTheEnd(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape, end=nn.Sigmoid)


@wrong("4.1", rejected_by="stays_in_range", says="nn.Tanh()")
class ScaledToBytes(_Generator):
    def forward(self, z):
        return 127.5 * (super().forward(z) + 1)


@wrong("4.1", rejected_by="hidden_layers_are_used", says="affine")
class NoActivations(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape, activation=nn.Identity)


@wrong("4.1", rejected_by="hidden_layers_are_used", says="hidden_dim is not used")
class FixedWidth(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, 256, out_shape)


@wrong("4.1", rejected_by="hidden_layers_are_used", says="nn.ModuleList")
class PlainList(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.out_shape = out_shape
        self.layers = [nn.Linear(z_dim, hidden_dim), nn.Linear(hidden_dim, math.prod(out_shape))]

    def forward(self, z):
        h = torch.relu(self.layers[0](z))
        return torch.tanh(self.layers[1](h)).view(-1, *self.out_shape)


@wrong("4.1", rejected_by="all_parameters_learn", says="not used in forward")
class SkipsALayer(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape)
        self.forgotten = nn.Linear(hidden_dim, hidden_dim)


@wrong("4.1", rejected_by="all_parameters_learn", says="requires_grad = False")
class Frozen(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape)
        self.net[0].requires_grad_(False)


# ---------------------------------------------------------------- 4.2 MLPDiscriminator, right


@right("4.2")
class ColumnOfLogits(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(int(np.prod(in_shape)), 2 * hidden_dim), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(2 * hidden_dim, hidden_dim), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(hidden_dim, 1),
        )  # fmt: skip

    def forward(self, img):
        return self.model(img.view(img.size(0), -1))


@right("4.2")
class DropoutAndSqueezeOfOneDimension(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.a = nn.Linear(math.prod(in_shape), hidden_dim)
        self.b = nn.Linear(hidden_dim, 1)

    def forward(self, x):
        h = F.dropout(F.relu(self.a(x.flatten(1))), 0.3, training=self.training)
        return self.b(h).squeeze(-1)


@right("4.2")
class MaxoutOfThePaper(nn.Module):
    def __init__(self, in_shape, hidden_dim, pieces=3):
        super().__init__()
        self.pieces, self.hidden_dim = pieces, hidden_dim
        self.hidden = nn.Linear(math.prod(in_shape), hidden_dim * pieces)
        self.out = nn.Linear(hidden_dim, 1)

    def forward(self, x):
        h = self.hidden(x.reshape(len(x), -1)).view(len(x), self.hidden_dim, self.pieces)
        return self.out(h.max(dim=2).values)[:, 0]


@right("4.2")
class SpectralNorm(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        sn = nn.utils.parametrizations.spectral_norm
        self.net = nn.Sequential(
            nn.Flatten(), sn(nn.Linear(math.prod(in_shape), hidden_dim)), nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x).view(-1)


@right("4.2")
class InputNormalisedByLayer(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        n = math.prod(in_shape)
        self.net = nn.Sequential(
            nn.Linear(n, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, 1, bias=False)
        )

    def forward(self, x):
        return self.net(torch.flatten(x, start_dim=1)).view(x.shape[0])


# ---------------------------------------------------------------- 4.2 MLPDiscriminator, wrong


class _Discriminator(nn.Module):
    def __init__(self, in_shape, hidden_dim, end=nn.Identity, activation=nn.LeakyReLU):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(in_shape), hidden_dim), activation(),
            nn.Linear(hidden_dim, hidden_dim), activation(), nn.Linear(hidden_dim, 1), end(),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x).flatten()


@wrong("4.2", rejected_by="gives_logits_not_scores", says="a sigmoid at the end")
class SigmoidHead(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim, end=nn.Sigmoid)


@wrong("4.2", rejected_by="gives_logits_not_scores", says="tanh at the end")
class TanhHead(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim, end=nn.Tanh)


@wrong("4.2", rejected_by="gives_logits_not_scores", says="one sign")
class ReluHead(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim, end=nn.ReLU)


@wrong("4.2", rejected_by="gives_logits_not_scores", says="one sign")
class LogSigmoidHead(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim, end=nn.LogSigmoid)


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="squeeze(1)")
class SqueezeWithoutADimension(_Discriminator):
    def forward(self, x):
        return self.net(x).squeeze()


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="no mean over the batch")
class MeanOverTheBatch(_Discriminator):
    def forward(self, x):
        return self.net(x).mean()


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="one output")
class TwoClasses(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(in_shape), hidden_dim), nn.ReLU(),
            nn.Linear(hidden_dim, 2),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="flatten the sample")
class NotFlattened(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(math.prod(in_shape), hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 1)
        )

    def forward(self, x):
        return self.net(x).squeeze(1)


@wrong("4.2", rejected_by="each_logit_from_its_own_sample", says="dependence on")
class SeesOneChannel(_Discriminator):
    def forward(self, x):
        if x.ndim == 4:
            x = torch.cat([x[:, :1], 0 * x[:, 1:]], dim=1)
        return self.net(x).flatten()


@wrong("4.2", rejected_by="each_logit_from_its_own_sample", says="batch")
class ComparesWithTheBatchMean(_Discriminator):
    def forward(self, x):
        logits = self.net(x).flatten()
        return logits - logits.mean()


@wrong("4.2", rejected_by="hidden_layers_learn", says="affine")
class LinearOnly(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim, activation=nn.Identity)


@wrong("4.2", rejected_by="hidden_layers_learn", says="hidden_dim is not used")
class IgnoresHiddenDim(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, 128)


# ---------------------------------------------------------------- 4.3 discriminator_step, right


@right("4.3")
def two_backwards(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    real_logits = discriminator(real)
    real_loss = bce(real_logits, torch.ones_like(real_logits))
    real_loss.backward()
    with torch.no_grad():
        fake = generator(z)
    fake_logits = discriminator(fake)
    fake_loss = bce(fake_logits, torch.zeros_like(fake_logits))
    fake_loss.backward()
    optimizer.step()
    return (real_loss + fake_loss).detach()


@right("4.3")
def labels_of_the_batch_size(netG, netD, optD, real, z):
    netD.zero_grad()
    label = torch.full((real.size(0),), 1.0)
    errD_real = bce(netD(real).view(-1), label)
    label = torch.full((real.size(0),), 0.0)
    errD_fake = bce(netD(netG(z).detach()).view(-1), label)
    errD = errD_real + errD_fake
    errD.backward()
    optD.step()
    return errD.detach()


@right("4.3")
def labels_as_a_column(generator, discriminator, optimizer, real, z):
    n = len(real)
    optimizer.zero_grad(set_to_none=False)
    loss = bce(discriminator(real), torch.ones(n, 1)) + bce(
        discriminator(generator(z).detach()), torch.zeros(n, 1)
    )
    loss.backward()
    optimizer.step()
    return loss.data


@right("4.3")
def mean_of_the_halves_as_a_float(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()
    loss = discriminator_loss(discriminator(real), discriminator(fake)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@right("4.3")
def one_concatenated_pass(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()
    logits = discriminator(torch.cat([real, fake]))
    loss = discriminator_loss(logits[: len(real)], logits[len(real) :])
    for parameter in discriminator.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    return loss.detach().clone()


@right("4.3")
def generator_frozen_and_released(generator, discriminator, optimizer, real, z):
    generator.requires_grad_(False)
    fake = generator(z)
    generator.requires_grad_(True)
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@right("4.3")
def cleared_at_the_end(generator, discriminator, optimizer, real, z):
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


# ---------------------------------------------------------------- 4.3 discriminator_step, wrong


@wrong("4.3", rejected_by="leaves_the_generator_alone", says="not detached")
def fake_not_detached(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="leaves_the_generator_alone", says="not detached")
def not_detached_but_cleared(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z)))
    loss.backward()
    generator.zero_grad()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="leaves_the_generator_alone", says="not put back")
def leaves_the_generator_in_eval(generator, discriminator, optimizer, real, z):
    generator.eval()
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="leaves_the_generator_alone", says="not put back")
def leaves_the_generator_frozen(generator, discriminator, optimizer, real, z):
    generator.requires_grad_(False)
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="leaves_the_generator_alone", says="updates G too")
def moves_the_generator_too(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for p in generator.parameters():
            p -= 0.1 * p.grad
    generator.zero_grad()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="is not called")
def no_backward(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="is not called")
def no_step(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="lacks its parentheses")
def step_without_parentheses(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step  # noqa: B018
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="swapped")
def labels_swapped(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(generator(z).detach()), discriminator(real))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="the minus is missing")
def climbs_instead_of_descending(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    (-loss).backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="the half of the fake batch")
def only_the_real_half(generator, discriminator, optimizer, real, z):
    generator(z)
    optimizer.zero_grad()
    logits = discriminator(real)
    loss = bce(logits, torch.ones_like(logits))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="sigmoid is applied twice")
def sigmoid_before_a_logits_loss(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    fake = generator(z).detach()
    loss = discriminator_loss(discriminator(real).sigmoid(), discriminator(fake).sigmoid())
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="smoothed to 0.9")
def smoothing_left_in(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    real_logits, fake_logits = discriminator(real), discriminator(generator(z).detach())
    loss = bce(real_logits, torch.full_like(real_logits, 0.9)) + bce(
        fake_logits, torch.zeros_like(fake_logits)
    )
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="called 2 times")
def two_steps(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()
    for _ in range(2):
        optimizer.zero_grad()
        loss = discriminator_loss(discriminator(real), discriminator(fake))
        loss.backward()
        optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="clears_old_gradients", says="zero_grad(), with parentheses")
def zero_grad_without_parentheses(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad  # noqa: B018
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="clears_old_gradients", says="old gradients")
def clears_the_generator_instead(generator, discriminator, optimizer, real, z):
    generator.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="is not called")
def clears_between_backward_and_step(generator, discriminator, optimizer, real, z):
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="trains_on_the_given_batches", says="latents of its own")
def draws_its_own_latents(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    fake = generator(torch.randn_like(z)).detach()
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="trains_on_the_given_batches", says="ones_like")
def labels_for_64(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = bce(discriminator(real), torch.ones(64)) + bce(
        discriminator(generator(z).detach()), torch.zeros(64)
    )
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="returns_the_detached_loss", says="still holds its graph")
def returns_the_graph(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss


@wrong("4.3", rejected_by="returns_the_detached_loss", says="return is missing")
def returns_nothing(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()


@wrong("4.3", rejected_by="returns_the_detached_loss", says="tuple of 2")
def returns_both_halves(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    real_logits, fake_logits = discriminator(real), discriminator(generator(z).detach())
    real_loss = bce(real_logits, torch.ones_like(real_logits))
    fake_loss = bce(fake_logits, torch.zeros_like(fake_logits))
    (real_loss + fake_loss).backward()
    optimizer.step()
    return real_loss.detach(), fake_loss.detach()


@wrong("4.3", rejected_by="returns_the_detached_loss", says="after the update")
def returns_the_loss_after(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    fake = generator(z).detach()
    discriminator_loss(discriminator(real), discriminator(fake)).backward()
    optimizer.step()
    return discriminator_loss(discriminator(real), discriminator(fake)).detach()


# ---------------------------------------------------------------- 4.4 generator_step, right


@right("4.4")
def as_in_the_pytorch_tutorial(netG, netD, optG, z):
    netG.zero_grad()
    output = netD(netG(z)).view(-1)
    errG = bce(output, torch.full((z.size(0),), 1.0))
    errG.backward()
    optG.step()
    return errG.detach()


@right("4.4")
def labels_in_a_column(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = F.binary_cross_entropy_with_logits(discriminator(generator(z)), torch.ones(len(z), 1))
    loss.backward()
    optimizer.step()
    return loss.item()


@right("4.4")
def freezes_and_releases_the_discriminator(generator, discriminator, optimizer, z):
    discriminator.requires_grad_(False)
    loss = generator_loss(discriminator(generator(z)))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    discriminator.requires_grad_(True)
    return loss.detach()


@right("4.4")
def by_hand_with_logsigmoid(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    discriminator.zero_grad()
    loss = -F.logsigmoid(discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    discriminator.zero_grad()
    return loss.detach().cpu()


@right("4.4")
def gradients_asked_for_directly(generator, discriminator, optimizer, z):
    loss = generator_loss(discriminator(generator(z)))
    parameters = list(generator.parameters())
    for p, grad in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        p.grad = grad
    optimizer.step()
    return loss.detach()


# ---------------------------------------------------------------- 4.4 generator_step, wrong


@wrong("4.4", rejected_by="updates_the_generator", says="no gradient reaches G")
def detached_where_it_must_not_be(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="no gradient reaches G")
def fakes_without_grad(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    with torch.no_grad():
        fake = generator(z)
    loss = generator_loss(discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="the graph is cut")
def everything_without_grad(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    with torch.no_grad():
        loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="flip the label")
def target_is_zero(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    logits = discriminator(generator(z))
    loss = bce(logits, torch.zeros_like(logits))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="minimax")
def minimax_loss(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    logits = discriminator(generator(z))
    loss = -bce(logits, torch.zeros_like(logits))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="smoothing is for D")
def smoothed_target(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    logits = discriminator(generator(z))
    loss = bce(logits, torch.full_like(logits, 0.9))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="is not called")
def forgot_to_step(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    return loss.detach()


@wrong("4.4", rejected_by="leaves_the_discriminator_alone", says="only G learns")
def steps_the_discriminator_too(generator, discriminator, optimizer, z):
    discriminator.zero_grad()
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for p in discriminator.parameters():
            p -= 0.01 * p.grad
    return loss.detach()


@wrong("4.4", rejected_by="leaves_the_discriminator_alone", says="not put back")
def never_releases_the_discriminator(generator, discriminator, optimizer, z):
    for p in discriminator.parameters():
        p.requires_grad = False
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="leaves_the_discriminator_alone", says="not put back")
def discriminator_left_in_eval(generator, discriminator, optimizer, z):
    discriminator.eval()
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="clears_old_gradients", says="old gradients")
def never_cleared(generator, discriminator, optimizer, z):
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="clears_old_gradients", says="old gradients")
def clears_the_discriminator_instead(generator, discriminator, optimizer, z):
    discriminator.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="uses_the_given_latents", says="latents of its own")
def own_latents(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(torch.rand_like(z))))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="uses_the_given_latents", says="ones_like")
def ones_for_128(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = bce(discriminator(generator(z)), torch.ones(128))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="returns_the_detached_loss", says="still holds its graph")
def keeps_the_graph(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward(retain_graph=True)
    optimizer.step()
    return loss


# ---------------------------------------------------------------- 4.5 all four together


class _PlainD(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim)


class _PlainG(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape)


@right("4.5")
def plain_networks_and_tutorial_steps():
    return _PlainG, _PlainD, labels_of_the_batch_size, as_in_the_pytorch_tutorial


@right("4.5")
def leaky_networks_and_two_backwards():
    return SeparateLayers, ColumnOfLogits, two_backwards, by_hand_with_logsigmoid


@right("4.5")
def column_discriminator_with_column_labels():
    return SeparateLayers, ColumnOfLogits, labels_as_a_column, labels_in_a_column


@right("4.5")
def cleared_at_the_end_by_both():
    """D's step may clear at its end when G's step clears what it left in D."""

    def g_step(generator, discriminator, optimizer, z):
        loss = generator_loss(discriminator(generator(z)))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        discriminator.zero_grad()
        return loss.detach()

    return _PlainG, _PlainD, cleared_at_the_end, g_step


@wrong("4.5", rejected_by="steps_take_turns", says="BEFORE its backward")
def each_clears_its_own_at_the_end():
    def g_step(generator, discriminator, optimizer, z):
        loss = generator_loss(discriminator(generator(z)))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return _PlainG, _PlainD, cleared_at_the_end, g_step


@wrong("4.5", rejected_by="steps_take_turns", says="see task 4.3")
def discriminator_never_cleared():
    def d_step(generator, discriminator, optimizer, real, z):
        loss = 3 * discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return _PlainG, _PlainD, d_step, as_in_the_pytorch_tutorial


@wrong("4.5", rejected_by="steps_take_turns", says="see task 4.4")
def generator_with_the_wrong_target():
    return _PlainG, _PlainD, two_backwards, target_is_zero


@wrong("4.5", rejected_by="steps_take_turns", says="an earlier step left in G")
def stray_gradients_from_an_undetached_batch():
    return _PlainG, _PlainD, fake_not_detached, clears_the_discriminator_instead


@wrong("4.5", rejected_by="networks_and_steps_fit", says="4.1 to 4.4")
def generator_does_not_move():
    return _PlainG, _PlainD, two_backwards, forgot_to_step


@wrong("4.5", rejected_by="networks_and_steps_fit", says="in your code")
def discriminator_made_for_points_only():
    class PointsOnly(nn.Module):
        def __init__(self, in_shape, hidden_dim):
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(2, hidden_dim), nn.LeakyReLU(), nn.Linear(hidden_dim, 1)
            )

        def forward(self, x):
            return self.net(x).squeeze(1)

    return _PlainG, PointsOnly, two_backwards, as_in_the_pytorch_tutorial


@wrong("4.5", rejected_by="covers_the_ring", says="7 of 8 modes")
def generator_of_one_point():
    class OnePoint(nn.Module):
        def __init__(self, z_dim, hidden_dim, out_shape):
            super().__init__()
            self.out_shape = out_shape
            self.point = nn.Linear(1, math.prod(out_shape))

        def forward(self, z):
            return torch.tanh(self.point(0 * z[:, :1] + 1)).view(-1, *self.out_shape)

    return OnePoint, _PlainD, two_backwards, as_in_the_pytorch_tutorial


@wrong("4.5", rejected_by="covers_the_ring", says="7 of 8 modes")
def steps_that_teach_the_generator_nothing():
    return _PlainG, _PlainD, two_backwards, target_is_zero


@right("4.5")
def spectral_norm_is_slow_on_the_ring():
    return GrowingBlocksWithBatchNorm, SpectralNorm, two_backwards, by_hand_with_logsigmoid


# ---------------------------------------------------------------- more networks, right


@right("4.1")
class WeightsByHand(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.out_shape = out_shape
        self.w1 = nn.Parameter(torch.randn(z_dim, hidden_dim) / z_dim**0.5)
        self.b1 = nn.Parameter(torch.zeros(hidden_dim))
        self.w2 = nn.Parameter(torch.randn(hidden_dim, math.prod(out_shape)) / hidden_dim**0.5)
        self.b2 = nn.Parameter(torch.zeros(math.prod(out_shape)))

    def forward(self, z):
        return torch.tanh(torch.relu(z @ self.w1 + self.b1) @ self.w2 + self.b2).unflatten(
            1, self.out_shape
        )


@right("4.1")
class BatchNormBlocksOfTheGanZoo(nn.Module):
    """Doubling widths, BatchNorm1d(width, 0.8) and LeakyReLU, as many web tutorials have it."""

    def __init__(self, latent_dim, hidden_dim, img_shape):
        super().__init__()
        self.img_shape = img_shape

        def block(n_in, n_out, normalize=True):
            layers = [nn.Linear(n_in, n_out)]
            if normalize:
                layers.append(nn.BatchNorm1d(n_out, 0.8))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            return layers

        self.model = nn.Sequential(
            *block(latent_dim, hidden_dim, normalize=False),
            *block(hidden_dim, 2 * hidden_dim),
            *block(2 * hidden_dim, 4 * hidden_dim),
            nn.Linear(4 * hidden_dim, int(np.prod(img_shape))),
            nn.Tanh(),
        )

    def forward(self, z):
        img = self.model(z)
        return img.view(img.size(0), *self.img_shape)


@right("4.1")
class ResidualWithPReLU(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.size = (-1, *out_shape)
        self.inp, self.mid = nn.Linear(z_dim, hidden_dim), nn.Linear(hidden_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, math.prod(out_shape))
        self.act = nn.PReLU()

    def forward(self, z):
        h = self.act(self.inp(z))
        h = h + self.act(self.mid(h))
        return torch.reshape(F.hardtanh(self.out(h)), self.size)


@right("4.1")
class InitialisedAsInDCGAN(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.out_shape = out_shape
        self.fc1 = nn.Linear(z_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, np.prod(out_shape))
        self.apply(self._init)

    @staticmethod
    def _init(m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0.0, 0.02)
            nn.init.constant_(m.bias, 0)

    def forward(self, z):
        out = torch.tanh(self.fc2(F.relu(self.fc1(z))))
        return out.view(out.shape[:1] + torch.Size(self.out_shape))


@right("4.1")
class NarrowLastHiddenLayer(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.out_shape = out_shape
        self.layers = nn.Sequential()
        self.layers.add_module("in", nn.Linear(z_dim, hidden_dim))
        self.layers.add_module("act", nn.Softplus())
        self.layers.add_module("out", nn.Linear(hidden_dim, math.prod(out_shape)))

    def forward(self, z):
        return torch.sin(self.layers(z)).view(-1, *self.out_shape)


@right("4.2")
class LazyLinears(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.LazyLinear(hidden_dim), nn.LeakyReLU(0.2),
            nn.LazyLinear(hidden_dim), nn.LeakyReLU(0.2), nn.LazyLinear(1),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x).squeeze(1)


@right("4.2")
class HalvingWidthsAndDropout(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.fc1 = nn.Linear(math.prod(in_shape), 4 * hidden_dim)
        self.fc2 = nn.Linear(4 * hidden_dim, 2 * hidden_dim)
        self.fc3 = nn.Linear(2 * hidden_dim, hidden_dim)
        self.fc4 = nn.Linear(hidden_dim, 1)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = self.dropout(F.leaky_relu(layer(x), 0.2))
        return self.fc4(x)


@right("4.2")
class BatchNormInTheMiddle(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.main = nn.Sequential(
            nn.Flatten(1), nn.Linear(math.prod(in_shape), hidden_dim), nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, hidden_dim, bias=False), nn.BatchNorm1d(hidden_dim),
            nn.LeakyReLU(0.2), nn.Linear(hidden_dim, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.main(x).view(-1)


# ---------------------------------------------------------------- more networks, wrong


@wrong("4.1", rejected_by="stays_in_range", says="negative")
class SoftmaxAtTheEnd(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape, end=lambda: nn.Softmax(dim=1))


@wrong("4.1", rejected_by="stays_in_range", says="nn.Tanh()")
class TanhOnlyInside(_Generator):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__(z_dim, hidden_dim, out_shape, end=nn.Identity, activation=nn.Tanh)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="prod(out_shape)")
class FirstNumberOfTheShapeOnly(nn.Module):
    def __init__(self, z_dim, hidden_dim, out_shape):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(z_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out_shape[0]), nn.Tanh()
        )

    def forward(self, z):
        return self.net(z)


@wrong("4.1", rejected_by="maps_latents_to_samples", says="forward")
class ForwardTakesNothing(_Generator):
    def forward(self):
        return super().forward(torch.randn(64, self.z_dim))


@wrong("4.1", rejected_by="each_sample_from_its_own_latent", says="batch")
class MixesTheBatch(_Generator):
    def forward(self, z):
        out = self.net(z)
        return out.t().reshape(-1, *self.out_shape)


@wrong("4.1", rejected_by="each_sample_from_its_own_latent", says="noise")
class AddsNoise(_Generator):
    def forward(self, z):
        return super().forward(z + 0.1 * torch.randn_like(z))


@wrong("4.1", rejected_by="all_parameters_learn", says="detached")
class DataOfTheHiddenLayer(_Generator):
    def forward(self, z):
        h = self.net[1](self.net[0](z)).data
        return self.net[2:](h).view(-1, *self.out_shape)


@wrong("4.2", rejected_by="gives_logits_not_scores", says="softmax")
class SoftmaxOfOneNumber(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim, end=lambda: nn.Softmax(dim=1))


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="in_shape")
class InShapeAsANumber(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(in_shape, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 1)
        )

    def forward(self, x):
        return self.net(x).flatten()


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="flatten")
class FlattensTheBatchToo(_Discriminator):
    def forward(self, x):
        return self.net[1:](x.flatten()).flatten()


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="forward must return")
class LogitAndScore(_Discriminator):
    def forward(self, x):
        logit = self.net(x).flatten()
        return logit, torch.sigmoid(logit)


@wrong("4.2", rejected_by="gives_one_logit_per_sample", says="rounded")
class Decides(_Discriminator):
    def forward(self, x):
        return self.net(x).flatten() > 0


@wrong("4.2", rejected_by="gives_logits_not_scores", says="a sigmoid at the end")
class ClampedProbability(_Discriminator):
    def forward(self, x):
        return torch.clamp(torch.sigmoid(self.net(x).flatten()), 1e-7, 1 - 1e-7)


@wrong("4.2", rejected_by="hidden_layers_learn", says="plain Python list")
class ListOfLayers(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.hidden = [nn.Linear(math.prod(in_shape), hidden_dim)]
        self.out = nn.Linear(hidden_dim, 1)

    def forward(self, x):
        return self.out(F.leaky_relu(self.hidden[0](x.flatten(1)), 0.2)).flatten()


@wrong("4.2", rejected_by="hidden_layers_learn", says="detached")
class NoGradInForward(_Discriminator):
    def forward(self, x):
        with torch.no_grad():
            h = self.net[:-2](x)
        return self.net[-2:](h + 0 * x.flatten(1).sum(1, keepdim=True)).flatten()


@wrong("4.2", rejected_by="each_logit_from_its_own_sample", says="dropout is on")
class FunctionalDropoutAlwaysOn(_Discriminator):
    def forward(self, x):
        return self.net(F.dropout(x, 0.3)).flatten()


# ---------------------------------------------------------------- more steps, right


@right("4.3")
def backward_into_the_discriminator_only(generator, discriminator, optimizer, real, z):
    loss = discriminator_loss(discriminator(real), discriminator(generator(z)))
    optimizer.zero_grad()
    loss.backward(inputs=list(discriminator.parameters()))
    optimizer.step()
    return loss.detach()


@right("4.3")
def modes_set_and_put_back(generator, discriminator, optimizer, real, z):
    was = generator.training
    generator.eval()
    discriminator.train()
    with torch.no_grad():
        fake = generator(z)
    generator.train(was)
    optimizer.zero_grad()
    real_loss = F.softplus(-discriminator(real)).mean()
    fake_loss = F.softplus(discriminator(fake)).mean()
    loss = (real_loss + fake_loss) * 0.5
    loss.backward()
    optimizer.step()
    return loss.detach().cpu().numpy()


@right("4.3")
def one_cross_entropy_over_both(generator, discriminator, optimizer, real, z):
    """The mean over the joined batch is the mean of the halves."""
    samples = torch.cat((real, generator(z).detach()), 0)
    n = real.shape[0]
    labels = torch.cat((torch.ones(n), torch.zeros(n)))
    loss = bce(discriminator(samples).reshape(-1), labels)
    discriminator.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


@right("4.3")
def criterion_with_variables(G, D, d_optimizer, real_images, z):
    from torch.autograd import Variable

    criterion = nn.BCEWithLogitsLoss()
    real_images = Variable(real_images)
    d_optimizer.zero_grad()
    D_real = D(real_images)
    d_real_loss = criterion(D_real.squeeze(), torch.ones_like(D_real.squeeze()))
    D_fake = D(G(z).data)
    d_fake_loss = criterion(D_fake.squeeze(), torch.zeros_like(D_fake.squeeze()))
    d_loss = d_real_loss + d_fake_loss
    d_loss.backward()
    d_optimizer.step()
    return d_loss.data


@right("4.3")
def probabilities_and_bce(generator, discriminator, optimizer, real, z):
    """Less exact at extreme logits, but the same loss."""
    loss_function = nn.BCELoss()
    p_real = torch.sigmoid(discriminator(real))
    p_fake = torch.sigmoid(discriminator(generator(z).detach()))
    loss = loss_function(p_real, torch.ones_like(p_real))
    loss = loss + loss_function(p_fake, torch.zeros_like(p_fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.clone().detach().requires_grad_(False)


@right("4.3")
def with_a_closure(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()

    def closure():
        optimizer.zero_grad()
        loss = discriminator_loss(discriminator(real), discriminator(fake))
        loss.backward()
        return loss

    return optimizer.step(closure).detach()


@right("4.3")
def cleared_before_and_after(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    generator.zero_grad()
    return float(loss)


@right("4.4")
def backward_into_the_generator_only(generator, discriminator, optimizer, z):
    loss = generator_loss(discriminator(generator(z)))
    optimizer.zero_grad()
    loss.backward(inputs=list(generator.parameters()))
    optimizer.step()
    return loss.detach()


@right("4.4")
def discriminator_in_eval_and_back(generator, discriminator, optimizer, z):
    was = discriminator.training
    discriminator.eval()
    generator.train()
    loss = F.softplus(-discriminator(generator(z))).mean()
    generator.zero_grad()
    loss.backward()
    optimizer.step()
    discriminator.train(was)
    return loss.detach()


@right("4.4")
def flags_remembered_one_by_one(generator, discriminator, optimizer, z):
    flags = [p.requires_grad for p in discriminator.parameters()]
    for p in discriminator.parameters():
        p.requires_grad = False
    optimizer.zero_grad()
    logits = discriminator(generator(z)).squeeze()
    loss = bce(logits, torch.ones_like(logits))
    loss.backward()
    optimizer.step()
    for p, flag in zip(discriminator.parameters(), flags, strict=True):
        p.requires_grad = flag
    return loss.item()


@right("4.4")
def graph_kept_for_nothing(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward(retain_graph=True)
    optimizer.step()
    return loss.detach()


# ---------------------------------------------------------------- more steps, wrong


@wrong("4.3", rejected_by="updates_the_discriminator", says="2 times")
def one_step_for_each_half(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    logits = discriminator(real)
    real_loss = bce(logits, torch.ones_like(logits))
    real_loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    logits = discriminator(generator(z).detach())
    fake_loss = bce(logits, torch.zeros_like(logits))
    fake_loss.backward()
    optimizer.step()
    return (real_loss + fake_loss).detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="given optimizer")
def makes_its_own_optimizer(generator, discriminator, optimizer, real, z):
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4)
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="D(real) and D(G(z))")
def noise_on_both_batches(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()
    real, fake = (x + 0.5 * torch.randn_like(x) for x in (real, fake))
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="clipping")
def wasserstein_with_clipping(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator(generator(z).detach()).mean() - discriminator(real).mean()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for p in discriminator.parameters():
            p.clamp_(-0.01, 0.01)
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="least-squares")
def least_squares(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = ((discriminator(real) - 1) ** 2).mean()
    loss = loss + (discriminator(generator(z).detach()) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="hinge")
def hinge(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = F.relu(1 - discriminator(real)).mean()
    loss = loss + F.relu(1 + discriminator(generator(z).detach())).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="graph is cut")
def everything_under_no_grad(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    with torch.no_grad():
        fake = generator(z)
        loss = discriminator_loss(discriminator(real), discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss


@wrong("4.3", rejected_by="updates_the_discriminator", says="no_grad")
def fakes_in_inference_mode(generator, discriminator, optimizer, real, z):
    with torch.inference_mode():
        fake = generator(z)
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="summed over the batch")
def summed_over_the_batch(generator, discriminator, optimizer, real, z):
    total = nn.BCEWithLogitsLoss(reduction="sum")
    real_logits, fake_logits = discriminator(real), discriminator(generator(z).detach())
    loss = total(real_logits, torch.ones_like(real_logits))
    loss = loss + total(fake_logits, torch.zeros_like(fake_logits))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="updates_the_discriminator", says="z goes into the generator")
def arguments_in_another_order(discriminator, generator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="leaves_the_generator_alone", says="updates G too")
def trains_the_generator_as_well(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    optimizer_g = torch.optim.SGD(generator.parameters(), lr=0.1)
    optimizer_g.zero_grad()
    generator_loss(discriminator(generator(z))).backward()
    optimizer_g.step()
    return loss.detach()


@wrong("4.3", rejected_by="trains_on_the_given_batches", says="real")
def uses_the_fake_batch_twice(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(fake), discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.3", rejected_by="returns_the_detached_loss", says="parentheses")
def item_without_parentheses(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    loss = discriminator_loss(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.item


@wrong("4.4", rejected_by="updates_the_generator", says="2 times")
def two_steps_of_the_generator(generator, discriminator, optimizer, z):
    for _ in range(2):
        optimizer.zero_grad()
        loss = generator_loss(discriminator(generator(z)))
        loss.backward()
        optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="no gradient reaches G")
def data_of_the_fakes(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    fake = generator(z).data
    loss = generator_loss(discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="the minus is missing")
def forgot_the_minus(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = F.logsigmoid(discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="wasserstein")
def critic_loss(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = -discriminator(generator(z)).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="leaves_the_discriminator_alone", says="only G learns")
def one_optimizer_for_both(generator, discriminator, optimizer, z):
    both = torch.optim.SGD([*generator.parameters(), *discriminator.parameters()], lr=0.1)
    both.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    both.step()
    return loss.detach()


@wrong("4.4", rejected_by="leaves_the_discriminator_alone", says="not put back")
def releases_what_was_frozen(generator, discriminator, optimizer, z):
    """Right by luck on fresh networks; here the generator ends in eval mode."""
    optimizer.zero_grad()
    loss = generator_loss(discriminator(generator(z)))
    loss.backward()
    optimizer.step()
    generator.eval()
    return loss.detach()


@wrong("4.4", rejected_by="returns_the_detached_loss", says="tuple of 2")
def loss_and_fakes(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    fake = generator(z)
    loss = generator_loss(discriminator(fake))
    loss.backward()
    optimizer.step()
    return loss.detach(), fake.detach()


@wrong("4.4", rejected_by="returns_the_detached_loss", says="after the update")
def g_loss_after_the_update(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    generator_loss(discriminator(generator(z))).backward()
    optimizer.step()
    return generator_loss(discriminator(generator(z))).detach()


# ---------------------------------------------------------------- more of all four together


@right("4.5")
def gan_zoo_networks_and_steps_with_variables():
    return (
        BatchNormBlocksOfTheGanZoo,
        HalvingWidthsAndDropout,
        criterion_with_variables,
        flags_remembered_one_by_one,
    )


@right("4.5")
def small_initial_weights_and_lazy_layers():
    return InitialisedAsInDCGAN, LazyLinears, with_a_closure, backward_into_the_generator_only


@wrong("4.5", rejected_by="steps_take_turns", says="graph is cut")
def discriminator_stays_frozen():
    """D's step works until G's step has been there."""
    return _PlainG, _PlainD, two_backwards, never_releases_the_discriminator


@wrong("4.5", rejected_by="steps_take_turns", says="see task 4.3")
def discriminator_moved_twice():
    return _PlainG, _PlainD, one_step_for_each_half, as_in_the_pytorch_tutorial


@wrong("4.5", rejected_by="networks_and_steps_fit", says="the class itself")
def instance_in_place_of_the_class():
    return _PlainG(16, 128, (2,)), _PlainD, two_backwards, as_in_the_pytorch_tutorial


@wrong("4.2", rejected_by="hidden_layers_learn", says="fixed width")
class MadeForPointsOnly(nn.Module):
    def __init__(self, in_shape, hidden_dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, hidden_dim), nn.LeakyReLU(0.2), nn.Linear(hidden_dim, 1)
        )

    def forward(self, x):
        return self.net(x).flatten()


@right("4.2")
class LogitsAsOnePixelImages(_Discriminator):
    def __init__(self, in_shape, hidden_dim):
        super().__init__(in_shape, hidden_dim)

    def forward(self, x):
        return self.net(x).view(-1, 1, 1, 1)


@wrong("4.3", rejected_by="updates_the_discriminator", says="stay with the logits")
def logarithms_of_probabilities(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    real_scores = torch.sigmoid(discriminator(real))
    fake_scores = torch.sigmoid(discriminator(generator(z).detach()))
    loss = -(torch.log(real_scores).mean() + torch.log(1 - fake_scores).mean())
    loss.backward()
    optimizer.step()
    return loss.detach()


@wrong("4.4", rejected_by="updates_the_generator", says="stay with the logits")
def logarithm_of_a_probability(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = -torch.log(torch.sigmoid(discriminator(generator(z)))).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@right("4.4")
def bce_of_a_probability(generator, discriminator, optimizer, z):
    """Less exact at extreme logits, which is lesson 3's matter; finite everywhere."""
    optimizer.zero_grad()
    scores = torch.sigmoid(discriminator(generator(z)))
    loss = F.binary_cross_entropy(scores, torch.ones_like(scores))
    loss.backward()
    optimizer.step()
    return loss.detach()
