"""Answers to lesson 8: stabilisers as students, tutorials and chat bots write them."""

from __future__ import annotations

import copy
import itertools
import math
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong
from torch import nn

bce = F.binary_cross_entropy_with_logits

# ------------------------------------------------------------ 8.1 labels and loss, pairs of both


def labels_like(logits, smoothing):
    return torch.full_like(logits, 1 - smoothing)


def loss_with(labels):
    def discriminator_loss(real_logits, fake_logits, smoothing=0.0):
        fake_loss = bce(fake_logits, torch.zeros_like(fake_logits))
        return bce(real_logits, labels(real_logits, smoothing)) + fake_loss

    return discriminator_loss


def _pair(register, make):
    def add(function):
        def answer():
            return make(function)

        answer.__name__ = function.__name__
        register(answer)
        return function

    return add


def right_labels(function):
    return _pair(right("8.1"), lambda f: (f, loss_with(f)))(function)


def right_loss(function):
    return _pair(right("8.1"), lambda f: (labels_like, f))(function)


def wrong_labels(rejected_by, says):
    return _pair(wrong("8.1", rejected_by, says), lambda f: (f, loss_with(f)))


def wrong_loss(rejected_by, says):
    return _pair(wrong("8.1", rejected_by, says), lambda f: (labels_like, f))


# 8.1 right, though different


@right_labels
def ones_times(logits, smoothing):
    return torch.ones_like(logits) * (1 - smoothing)


@right_labels
def ones_minus(logits, smoothing):
    return torch.ones_like(logits) - smoothing


@right_labels
def full_with_all_said(logits, smoothing):
    return torch.full(logits.shape, 1.0 - smoothing, dtype=logits.dtype, device=logits.device)


@right_labels
def filled_in_place(logits, smoothing):
    labels = torch.zeros_like(logits)
    labels[:] = 1 - smoothing
    return labels


@right_labels
def from_a_list_and_printing(logits, smoothing):
    print("mean logit", logits.mean().item())
    labels = torch.tensor([1 - smoothing] * logits.numel(), device=logits.device)
    return labels.to(logits.dtype).view(logits.shape)


@right_labels
def new_full(logits, smoothing):
    return logits.detach().new_full(logits.size(), 1 - smoothing)


@right_loss
def labels_written_out(real_logits, fake_logits, smoothing=0.0):
    real_loss = F.binary_cross_entropy_with_logits(
        real_logits, torch.full_like(real_logits, 1.0 - smoothing)
    )
    return real_loss + nn.BCEWithLogitsLoss()(fake_logits, torch.zeros_like(fake_logits))


@right_loss
def softplus_in_two_parts(real_logits, fake_logits, smoothing=0.0):
    real = (1 - smoothing) * F.softplus(-real_logits) + smoothing * F.softplus(real_logits)
    return real.mean() + F.softplus(fake_logits).mean()


@right_loss
def softplus_minus_label_times_logit(real_logits, fake_logits, smoothing=0.0):
    label = 1 - smoothing
    real_loss = (F.softplus(real_logits) - label * real_logits).mean()
    return real_loss + F.softplus(fake_logits).mean()


@right_loss
def flat_and_with_an_assert(real_logits, fake_logits, smoothing: float = 0):
    assert 0 <= smoothing < 1
    real_logits, fake_logits = real_logits.flatten(), fake_logits.flatten()
    criterion = nn.BCEWithLogitsLoss(reduction="none")
    loss = criterion(real_logits, labels_like(real_logits, smoothing)).mean()
    loss = loss + criterion(fake_logits, labels_like(fake_logits, 1)).mean()
    return loss


# 8.1 wrong labels


@wrong_labels("labels_are_one_minus_smoothing", "`smoothing` itself")
def smoothing_is_the_label(logits, smoothing):
    return torch.full_like(logits, smoothing)


@wrong_labels("labels_are_one_minus_smoothing", "fixed at 0.9")
def point_nine(logits, smoothing):
    return torch.full_like(logits, 0.9)


@wrong_labels("labels_are_one_minus_smoothing", "smoothing is not used")
def plain_ones(logits, smoothing=0.1):
    return torch.ones_like(logits)


@wrong_labels("labels_are_one_minus_smoothing", "random")
def between_point_seven_and_one(logits, smoothing):
    return 1 - smoothing + (torch.rand_like(logits) - 0.5) * 0.3


@wrong_labels("labels_are_one_minus_smoothing", "random")
def random_up_to_smoothing(logits, smoothing):
    return 1 - smoothing * torch.rand_like(logits)


@wrong_labels("labels_are_one_minus_smoothing", "outside [0, 1]")
def one_plus_smoothing(logits, smoothing):
    return torch.ones_like(logits) + smoothing


@wrong_labels("labels_are_one_minus_smoothing", "classifiers")
def as_for_two_classes(logits, smoothing):
    return torch.ones_like(logits) * (1 - smoothing) + smoothing / 2


@wrong_labels("labels_are_one_minus_smoothing", "does not depend on what D said")
def logits_times(logits, smoothing):
    return logits * (1 - smoothing)


@wrong_labels("labels_are_one_minus_smoothing", "label of fake images")
def whole_numbers_round_to_zero(logits, smoothing):
    return torch.zeros_like(logits) + int(1 - smoothing)


@wrong_labels("labels_are_one_minus_smoothing", "torch.full_like(logits, ...)")
def a_number(logits, smoothing):
    return 1 - smoothing


@wrong_labels("labels_are_one_minus_smoothing", "return is missing")
def nothing_returned(logits, smoothing):
    torch.full_like(logits, 1 - smoothing)


@wrong_labels("labels_are_one_minus_smoothing", "overwrites its argument")
def filling_the_logits(logits, smoothing):
    return logits.fill_(1 - smoothing)


@wrong_labels("labels_fit_the_logits", "shape of their own")
def one_row_of_labels(logits, smoothing):
    return torch.full((len(logits),), 1 - smoothing, device=logits.device)


@wrong_labels("labels_fit_the_logits", "default device")
def full_without_a_device(logits, smoothing):
    return torch.full(logits.shape, 1 - smoothing, dtype=logits.dtype)


@wrong_labels("labels_fit_the_logits", "labels' dtype is that of the logits")
def always_float32(logits, smoothing):
    return torch.full(logits.shape, 1 - smoothing, dtype=torch.float32, device=logits.device)


# 8.1 wrong losses


@wrong_loss("smooths_the_real_labels", "defined and never used")
def flag_never_used(real_logits, fake_logits, smoothing=0.0):
    return bce(real_logits, torch.ones_like(real_logits)) + bce(
        fake_logits, torch.zeros_like(fake_logits)
    )


@wrong_loss("best_score_at_chance_is_lower", "defined and never used")
def labels_made_and_dropped(real_logits, fake_logits, smoothing=0.0):
    real_labels = torch.ones_like(real_logits)
    labels_like(real_labels, smoothing)
    return bce(real_logits, real_labels) + bce(fake_logits, torch.zeros_like(fake_logits))


@wrong_loss("fake_labels_stay_zero", "two-sided")
def two_sided(real_logits, fake_logits, smoothing=0.0):
    fake_labels = torch.full_like(fake_logits, smoothing)
    return bce(real_logits, labels_like(real_logits, smoothing)) + bce(fake_logits, fake_labels)


@wrong_loss("best_score_at_chance_is_lower", "0.6502")
def two_sided_with_one_criterion(real_logits, fake_logits, smoothing=0.0):
    def criterion(logits, label):
        label = label * (1 - 2 * smoothing) + smoothing
        return bce(logits, torch.full_like(logits, label))

    return criterion(real_logits, 1) + criterion(fake_logits, 0)


@wrong_loss("fake_labels_stay_zero", "real ones are not")
def the_other_side(real_logits, fake_logits, smoothing=0.0):
    return bce(real_logits, torch.ones_like(real_logits)) + bce(
        fake_logits, torch.full_like(fake_logits, smoothing)
    )


@wrong_loss("fake_labels_stay_zero", "used for the fake images too")
def one_label_variable(real_logits, fake_logits, smoothing=0.0):
    label = labels_like(real_logits, smoothing)
    return bce(real_logits, label) + bce(fake_logits, label)


@wrong_loss("smooths_the_real_labels", "whatever the smoothing")
def point_nine_in_the_loss(real_logits, fake_logits, smoothing=0.0):
    label = 0.9 if smoothing > 0 else 1.0
    return bce(real_logits, torch.full_like(real_logits, label)) + F.softplus(fake_logits).mean()


@wrong_loss("smooths_the_real_labels", "less weight")
def real_half_scaled(real_logits, fake_logits, smoothing=0.0):
    return (1 - smoothing) * F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@wrong_loss("fake_labels_stay_zero", "whole loss is multiplied")
def all_of_it_scaled(real_logits, fake_logits, smoothing=0.0):
    return (1 - smoothing) * (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean())


@wrong_loss("smooths_the_real_labels", "smooth the label, not the logit")
def logits_scaled(real_logits, fake_logits, smoothing=0.0):
    return F.softplus(-real_logits * (1 - smoothing)).mean() + F.softplus(fake_logits).mean()


@wrong_loss("smooths_the_real_labels", "`smoothing` itself")
def label_is_smoothing(real_logits, fake_logits, smoothing=0.0):
    label = smoothing if smoothing else 1.0
    return bce(real_logits, torch.full_like(real_logits, label)) + F.softplus(fake_logits).mean()


@wrong_loss("smooths_the_real_labels", "half the loss")
def halves_averaged(real_logits, fake_logits, smoothing=0.0):
    return loss_with(labels_like)(real_logits, fake_logits, smoothing) / 2


@wrong_loss("without_smoothing_as_before", "half the loss")
def halves_averaged_as_ever(real_logits, fake_logits, smoothing=0.0):
    return loss_with(labels_like)(real_logits, fake_logits, smoothing) / 2


@wrong_loss("without_smoothing_as_before", "default of smoothing is not 0.0")
def smoothing_on_by_default(real_logits, fake_logits, smoothing=0.1):
    return loss_with(labels_like)(real_logits, fake_logits, smoothing)


@wrong_loss("without_smoothing_as_before", "keep the names and their order")
def without_a_default(real_logits, fake_logits, smoothing):
    return loss_with(labels_like)(real_logits, fake_logits, smoothing)


@wrong_loss("without_smoothing_as_before", "labels are swapped")
def swapped_labels(real_logits, fake_logits, smoothing=0.0):
    return loss_with(labels_like)(fake_logits, real_logits, smoothing)


@wrong_loss("smooths_the_real_labels", "random labels")
def random_labels_in_the_loss(real_logits, fake_logits, smoothing=0.0):
    label = 1 - smoothing * torch.rand_like(real_logits)
    return bce(real_logits, label) + F.softplus(fake_logits).mean()


@wrong_loss("smooths_the_real_labels", "labels outside [0, 1]")
def labels_above_one(real_logits, fake_logits, smoothing=0.0):
    return bce(real_logits, labels_like(real_logits, -smoothing)) + F.softplus(fake_logits).mean()


@wrong_loss("exact_at_extreme_logits", "stay with the logits")
def from_scores(real_logits, fake_logits, smoothing=0.0):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return F.binary_cross_entropy(real, labels_like(real, smoothing)) + F.binary_cross_entropy(
        fake, torch.zeros_like(fake)
    )


@wrong_loss("smooths_the_real_labels", "sigmoid is applied twice")
def sigmoid_twice(real_logits, fake_logits, smoothing=0.0):
    return loss_with(labels_like)(real_logits.sigmoid(), fake_logits.sigmoid(), smoothing)


@wrong_loss("exact_at_extreme_logits", "stay with the logits")
def clamped_logits(real_logits, fake_logits, smoothing=0.0):
    real_logits, fake_logits = real_logits.clamp(-20, 20), fake_logits.clamp(-20, 20)
    return loss_with(labels_like)(real_logits, fake_logits, smoothing)


# ------------------------------------------------------------ 8.2 noise_sigma, right


@right("8.2")
def share_left(step, total_steps, sigma0):
    return max(0, sigma0 * (total_steps - step) / total_steps)


@right("8.2")
def with_an_if(step, total_steps, sigma0):
    if step >= total_steps:
        return 0.0
    return sigma0 - sigma0 * step / total_steps


@right("8.2")
def share_done_limited(step, total_steps, sigma0):
    done = min(step, total_steps) / total_steps
    return (1 - done) * sigma0


@right("8.2")
def with_numpy(step, total_steps, sigma0):
    return float(np.interp(step, [0, total_steps], [sigma0, 0.0]))


@right("8.2")
def with_numpy_clip(step, total_steps, sigma0):
    return sigma0 * np.clip(1 - step / total_steps, 0, 1)


@right("8.2")
def by_torch(step, total_steps, sigma0):
    return torch.clamp(torch.tensor(1 - step / total_steps).double(), min=0).item() * sigma0


@right("8.2")
def an_int_zero_at_the_end(step, total_steps, sigma0):
    return 0 if step >= total_steps else sigma0 * (1 - step / total_steps)


# 8.2 wrong


@wrong("8.2", rejected_by="exactly_zero_from_the_end_on", says="goes on below 0")
def without_max(step, total_steps, sigma0):
    return sigma0 * (1 - step / total_steps)


@wrong("8.2", rejected_by="exactly_zero_from_the_end_on", says="rounding leaves a rest")
def difference_of_products(step, total_steps, sigma0):
    return max(0.0, sigma0 - sigma0 / total_steps * step)


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="exponential")
def exponential(step, total_steps, sigma0):
    return sigma0 * math.exp(-5 * step / total_steps)


@wrong("8.2", rejected_by="exactly_zero_from_the_end_on", says="exponential")
def decay_rate(step, total_steps, sigma0):
    return sigma0 * 0.99**step


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="half a cosine")
def cosine(step, total_steps, sigma0):
    step = min(step, total_steps)
    return sigma0 * 0.5 * (1 + math.cos(math.pi * step / total_steps))


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="squared")
def quadratic(step, total_steps, sigma0):
    return sigma0 * max(0.0, 1 - step / total_steps) ** 2


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="divides without a remainder")
def integer_division(step, total_steps, sigma0):
    return sigma0 * max(0, 1 - step // total_steps)


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="epochs are counted")
def by_epochs_of_a_hundred(step, total_steps, sigma0):
    epoch, epochs = step // 100, max(1, total_steps // 100)
    return sigma0 * max(0.0, 1 - epoch / epochs)


@wrong("8.2", rejected_by="gives_a_plain_number", says="rises from 0")
def rising(step, total_steps, sigma0):
    return sigma0 * min(1.0, step / total_steps)


@wrong("8.2", rejected_by="gives_a_plain_number", says="no tensor is needed")
def a_tensor(step, total_steps, sigma0):
    return torch.tensor(sigma0 * max(0.0, 1 - step / total_steps))


@wrong("8.2", rejected_by="gives_a_plain_number", says="one number, for this step")
def the_whole_schedule(step, total_steps, sigma0):
    return [sigma0 * (1 - s / total_steps) for s in range(total_steps + 1)]


@wrong("8.2", rejected_by="gives_a_plain_number", says="sigma0 is not used")
def share_only(step, total_steps, sigma0):
    return max(0.0, 1 - step / total_steps)


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="share OF sigma0")
def share_subtracted(step, total_steps, sigma0):
    return max(0.0, sigma0 - step / total_steps)


@wrong("8.2", rejected_by="falls_in_a_straight_line", says="off by one")
def linspace_of_total_steps(step, total_steps, sigma0):
    if step >= total_steps:
        return 0.0
    return float(np.linspace(sigma0, 0, total_steps)[step]) if total_steps > 1 else sigma0


@wrong("8.2", rejected_by="for_any_number_of_steps", says="fixed inside")
def floor_under_the_noise(step, total_steps, sigma0):
    if step >= total_steps:
        return 0.0
    return max(0.001, sigma0 * (1 - step / total_steps))


@wrong("8.2", rejected_by="exactly_zero_from_the_end_on", says="comes back")
def modulo(step, total_steps, sigma0):
    if step == total_steps:
        return 0.0
    return sigma0 * (1 - (step % total_steps) / total_steps)


@wrong("8.2", rejected_by="exactly_zero_from_the_end_on", says="off by one")
def one_step_late(step, total_steps, sigma0):
    return sigma0 * max(0.0, 1 - step / (total_steps + 1))


@wrong("8.2", rejected_by="gives_a_plain_number", says="return is missing")
def no_return(step, total_steps, sigma0):
    max(0.0, sigma0 * (1 - step / total_steps))


# ------------------------------------------------------------ 8.3 add_instance_noise, right


@right("8.3")
def randn_with_all_said(images, sigma, generator=None):
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return images + noise * sigma


@right("8.3")
def zeros_filled(images, sigma, generator=None):
    noise = torch.zeros_like(images).normal_(0, 1, generator=generator)
    return torch.add(images, sigma * noise)


@right("8.3")
def early_return_without_noise(images, sigma, generator=None):
    if sigma == 0:
        return images
    noise = torch.empty_like(images)
    noise.normal_(mean=0.0, std=float(sigma), generator=generator)
    return images + noise


@right("8.3")
def torch_normal_for_the_noise(images, sigma, generator=None):
    zeros = torch.zeros_like(images)
    noise = torch.normal(zeros, torch.ones_like(images), generator=generator)
    return images.clone() + noise.mul(sigma)


@right("8.3")
def image_by_image(images, sigma, generator=None):
    rows = []
    for image in images:
        noise = torch.empty_like(image).normal_(generator=generator)
        rows.append(image + sigma * noise)
    return torch.stack(rows)


@right("8.3")
def noise_under_no_grad(images, sigma, generator=None):
    with torch.no_grad():
        noise = torch.empty(
            images.size(), device=images.device, dtype=images.dtype
        ).normal_(generator=generator)  # fmt: skip
    return images + noise * torch.as_tensor(sigma, dtype=images.dtype, device=images.device)


@right("8.3")
def with_a_flag_for_random_numbers(images, sigma, generator=None):
    if generator is None:
        return images + sigma * torch.randn_like(images)
    shape = tuple(images.shape)
    noise = torch.randn(*shape, generator=generator, device=generator.device).to(images)
    return images + sigma * noise


# 8.3 wrong


@wrong("8.3", rejected_by="adds_normal_noise", says="torch.rand")
def rand_noise(images, sigma, generator=None):
    noise = torch.rand(images.shape, generator=generator, dtype=images.dtype)
    return images + sigma * noise


@wrong("8.3", rejected_by="adds_normal_noise", says="uniform")
def uniform_around_zero(images, sigma, generator=None):
    noise = torch.empty_like(images).uniform_(-(3**0.5), 3**0.5, generator=generator)
    return images + sigma * noise


@wrong("8.3", rejected_by="nothing_is_clamped", says="clamped to [-1, 1]")
def clamped_to_the_data(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    return (images + sigma * noise).clamp(-1, 1)


@wrong("8.3", rejected_by="nothing_is_clamped", says="mid-grey")
def clamped_to_zero_one(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    return torch.clip(images + sigma * noise, 0.0, 1.0)


@wrong("8.3", rejected_by="adds_normal_noise", says="clamped to [-1, 1]")
def clamped_and_measured(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    return (images + sigma * noise).clamp(-1, 1)


@wrong("8.3", rejected_by="nothing_is_clamped", says="tanh")
def squeezed_by_tanh(images, sigma, generator=None):
    return torch.tanh(images + sigma * torch.empty_like(images).normal_(generator=generator))


@wrong("8.3", rejected_by="every_pixel_and_every_call_its_own", says="whole batch")
def one_noise_for_the_batch(images, sigma, generator=None):
    noise = torch.empty_like(images[:1]).normal_(generator=generator)
    return images + sigma * noise


@wrong("8.3", rejected_by="every_pixel_and_every_call_its_own", says="all three colours")
def grey_noise(images, sigma, generator=None):
    noise = torch.empty_like(images[:, :1]).normal_(generator=generator)
    return images + sigma * noise.expand_as(images)


@wrong("8.3", rejected_by="adds_normal_noise", says="one number for each image")
def one_number_an_image(images, sigma, generator=None):
    noise = torch.randn(len(images), 1, 1, 1, generator=generator, dtype=images.dtype)
    return images + sigma * noise


@wrong("8.3", rejected_by="every_pixel_and_every_call_its_own", says="a seed is set")
def seeded_inside(images, sigma, generator=None):
    generator = torch.Generator().manual_seed(0)
    return images + sigma * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="every_pixel_and_every_call_its_own", says="noise is kept")
def noise_in_a_cache(images, sigma, generator=None, cache={}):  # noqa: B006
    key = (images.shape, images.dtype, images.device)
    if key not in cache:
        cache[key] = torch.empty_like(images).normal_(generator=generator)
    return images + sigma * cache[key]


@wrong("8.3", rejected_by="every_pixel_and_every_call_its_own", says="whole batch")
def half_a_batch_of_noise_twice(images, sigma, generator=None):
    half = torch.empty_like(images[: (len(images) + 1) // 2]).normal_(generator=generator)
    return images + sigma * torch.cat([half, half])[: len(images)]


@wrong("8.3", rejected_by="adds_normal_noise", says="multiplied with the image")
def multiplied(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    return images * (1 + sigma * noise)


@wrong("8.3", rejected_by="adds_normal_noise", says="VARIANCE")
def variance(images, sigma, generator=None):
    return images + sigma**2 * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="adds_normal_noise", says="sigma is taken for the variance")
def square_root(images, sigma, generator=None):
    return images + sigma**0.5 * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="adds_normal_noise", says="sigma is not used")
def sigma_forgotten(images, sigma, generator=None):
    return images + torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="adds_normal_noise", says="computed and not used")
def noise_computed_and_not_used(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    noisy = images + sigma * noise  # noqa: F841
    return images


@wrong("8.3", rejected_by="adds_normal_noise", says="image itself is changed")
def mixed_as_in_diffusion(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    return (1 - sigma) * images + sigma * noise


@wrong("8.3", rejected_by="adds_normal_noise", says="in place")
def added_in_place(images, sigma, generator=None):
    images += sigma * torch.empty_like(images).normal_(generator=generator)
    return images


@wrong("8.3", rejected_by="gradients_pass_unchanged", says="cuts the graph")
def under_no_grad(images, sigma, generator=None):
    with torch.no_grad():
        return images + sigma * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="gradients_pass_unchanged", says="cuts the graph")
def detached(images, sigma, generator=None):
    return images.detach() + sigma * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="gradients_pass_unchanged", says="torch.normal(images, sigma)")
def normal_around_the_images(images, sigma, generator=None):
    return torch.normal(images, float(sigma), generator=generator)


@wrong("8.3", rejected_by="gradients_pass_unchanged", says="clamped")
def clamped_in_reach_of_the_gradient(images, sigma, generator=None):
    return (images + sigma * torch.empty_like(images).normal_(generator=generator)).clamp(-1, 1)


@wrong("8.3", rejected_by="uses_the_given_generator", says="randn_like takes none")
def randn_like(images, sigma, generator=None):
    return images + sigma * torch.randn_like(images)


@wrong("8.3", rejected_by="uses_the_given_generator", says="numpy's")
def numpy_noise(images, sigma, generator=None):
    noise = np.random.normal(0, 1, images.shape)
    return images + sigma * torch.from_numpy(noise).to(images)


@wrong("8.3", rejected_by="uses_the_given_generator", says="make no generator inside")
def own_generator_when_none_is_given(images, sigma, generator=None):
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    return images + sigma * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="keeps_what_it_is_given", says="another dtype")
def float32_noise(images, sigma, generator=None):
    return images + sigma * torch.randn(images.shape, generator=generator, device=images.device)


@wrong("8.3", rejected_by="keeps_what_it_is_given", says="default device")
def noise_without_a_device(images, sigma, generator=None):
    return images + sigma * torch.randn(images.shape, generator=generator, dtype=images.dtype)


@wrong("8.3", rejected_by="keeps_what_it_is_given", says="to the bit")
def a_little_more(images, sigma, generator=None):
    return images + (sigma + 1e-4) * torch.empty_like(images).normal_(generator=generator)


@wrong("8.3", rejected_by="adds_normal_noise", says="return the noisy images alone")
def images_and_noise(images, sigma, generator=None):
    noise = torch.empty_like(images).normal_(generator=generator)
    return images + sigma * noise, noise


# ------------------------------------------------------------ 8.4 NoisyDiscriminator


def add_instance_noise(images, sigma, generator=None):
    return images + sigma * torch.empty_like(images).normal_(generator=generator)


@right("8.4")
class OtherNames(nn.Module):
    def __init__(self, D, sigma, rng=None):
        super().__init__()
        self.D, self.sigma, self.gen = D, sigma, rng

    def forward(self, x):
        x = add_instance_noise(x, self.sigma, self.gen)
        return self.D(x)


@right("8.4")
class InAModuleList(nn.Module):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__()
        self.inner = nn.ModuleList([discriminator])
        self.sigma = sigma
        self.rng = rng

    def forward(self, images):
        if self.sigma > 0:
            images = add_instance_noise(images, self.sigma, self.rng)
        return self.inner[0](images)


@right("8.4")
class StrengthAsAProperty(nn.Module):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__()
        self.discriminator = discriminator
        self.rng = rng
        self._sigma = sigma

    @property
    def sigma(self):
        return self._sigma

    @sigma.setter
    def sigma(self, value):
        self._sigma = float(value)

    def forward(self, images):
        noise = torch.empty_like(images).normal_(generator=self.rng)
        return self.discriminator(images + self.sigma * noise)


class _Noise(nn.Module):
    def __init__(self, sigma, rng):
        super().__init__()
        self.sigma, self.rng = sigma, rng

    def forward(self, images):
        return add_instance_noise(images, self.sigma, self.rng)


@right("8.4")
class ASequentialOfTwo(nn.Sequential):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__(_Noise(sigma, rng), discriminator)

    @property
    def sigma(self):
        return self[0].sigma

    @sigma.setter
    def sigma(self, value):
        self[0].sigma = value


@right("8.4")
def a_factory_with_a_hook(discriminator, sigma, rng=None):
    class Outer(nn.Sequential):
        pass

    outer = Outer(discriminator)
    outer.sigma = sigma
    outer.register_forward_pre_hook(
        lambda module, inputs: (add_instance_noise(inputs[0], module.sigma, rng),)
    )
    return outer


class _Noisy(nn.Module):
    """What the wrong ones vary."""

    def __init__(self, discriminator, sigma, rng=None):
        super().__init__()
        self.discriminator, self.sigma, self.rng = discriminator, sigma, rng

    def noisy(self, images):
        return add_instance_noise(images, self.sigma, self.rng)

    def forward(self, images):
        return self.discriminator(self.noisy(images))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="inherit from nn.Module")
class NoModule:
    def __init__(self, discriminator, sigma, rng=None):
        self.discriminator, self.sigma, self.rng = discriminator, sigma, rng

    def __call__(self, images):
        return self.discriminator(add_instance_noise(images, self.sigma, self.rng))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="super().__init__()")
class NoSuper(nn.Module):
    def __init__(self, discriminator, sigma, rng=None):
        self.discriminator, self.sigma, self.rng = discriminator, sigma, rng

    def forward(self, images):
        return self.discriminator(add_instance_noise(images, self.sigma, self.rng))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="not registered")
class InAList(_Noisy):
    def __init__(self, discriminator, sigma, rng=None):
        nn.Module.__init__(self)
        self.parts, self.sigma, self.rng = [discriminator], sigma, rng

    def forward(self, images):
        return self.parts[0](self.noisy(images))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="a copy of D")
class ACopyOfD(_Noisy):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__(copy.deepcopy(discriminator), sigma, rng)


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="discriminator.eval()")
class DInEvaluationMode(_Noisy):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__(discriminator.eval(), sigma, rng)


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="besides those of D")
class LearntStrength(nn.Module):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__()
        self.discriminator, self.rng = discriminator, rng
        self.sigma = nn.Parameter(torch.tensor(float(sigma)))

    def forward(self, images):
        return self.discriminator(add_instance_noise(images, self.sigma, self.rng))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="a sigmoid")
class ScoresInstead(_Noisy):
    def forward(self, images):
        return torch.sigmoid(super().forward(images))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="forward must return what D")
class NothingReturned(_Noisy):
    def forward(self, images):
        self.discriminator(self.noisy(images))


@wrong("8.4", rejected_by="is_a_module_that_holds_the_given_d", says="forward must return what D")
class AlwaysAColumn(_Noisy):
    def forward(self, images):
        return super().forward(images).view(-1, 1)


@wrong("8.4", rejected_by="all_three_batches_get_noise", says="the fake batch of G's step stays")
class CleanInGsStep(_Noisy):
    def forward(self, images):
        if images.requires_grad:
            return self.discriminator(images)
        return super().forward(images)


@wrong("8.4", rejected_by="all_three_batches_get_noise", says="the fake batch of D's step stays")
class OnlyEveryOtherBatch(_Noisy):
    calls = 0

    def forward(self, images):
        self.calls += 1
        return self.discriminator(self.noisy(images) if self.calls % 2 else images)


@wrong("8.4", rejected_by="all_three_batches_get_noise", says="the real batch stays clean")
class ComputedAndNotUsed(_Noisy):
    def forward(self, images):
        self.noisy(images)
        return self.discriminator(images)


@wrong("8.4", rejected_by="all_three_batches_get_noise", says="drawn once and kept")
class DrawnOnce(_Noisy):
    noise = None

    def forward(self, images):
        if self.noise is None:
            self.noise = torch.empty_like(images).normal_(generator=self.rng)
        return self.discriminator(images + self.sigma * self.noise)


@wrong("8.4", rejected_by="all_three_batches_get_noise", says="the real batch stays clean")
class NoiseOnTheLogits(_Noisy):
    def forward(self, images):
        return self.noisy(self.discriminator(images))


@wrong("8.4", rejected_by="all_three_batches_get_noise", says="clamped")
class ClampedAfterwards(_Noisy):
    def forward(self, images):
        return self.discriminator(self.noisy(images).clamp(0, 1))


@wrong("8.4", rejected_by="both_networks_learn_through_it", says="gradient has to pass")
class NoisyImagesDetached(_Noisy):
    def forward(self, images):
        return self.discriminator(self.noisy(images).detach())


@wrong("8.4", rejected_by="both_networks_learn_through_it", says="gradient has to pass")
class NoiseUnderNoGrad(_Noisy):
    def forward(self, images):
        with torch.no_grad():
            images = self.noisy(images)
        return self.discriminator(images)


@wrong("8.4", rejected_by="both_networks_learn_through_it", says="torch.no_grad()")
class DUnderNoGrad(_Noisy):
    def forward(self, images):
        with torch.no_grad():
            return super().forward(images)


@wrong("8.4", rejected_by="sigma_can_be_changed", says="no noise in evaluation mode")
class OnlyInTraining(_Noisy):
    def forward(self, images):
        return super().forward(images) if self.training else self.discriminator(images)


@wrong("8.4", rejected_by="sigma_can_be_changed", says="read only once")
class StrengthFrozen(nn.Module):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__()
        self.discriminator, self.strength, self.rng = discriminator, sigma, rng

    def forward(self, images):
        return self.discriminator(add_instance_noise(images, self.strength, self.rng))


@wrong("8.4", rejected_by="sigma_can_be_changed", says="plain attribute")
class StrengthInABuffer(_Noisy):
    def __init__(self, discriminator, sigma, rng=None):
        nn.Module.__init__(self)
        self.discriminator, self.rng = discriminator, rng
        self.register_buffer("sigma", torch.tensor(float(sigma)))


@wrong("8.4", rejected_by="uses_the_given_rng", says="rng is not passed on")
class RngForgotten(_Noisy):
    def forward(self, images):
        return self.discriminator(add_instance_noise(images, self.sigma))


@wrong("8.4", rejected_by="uses_the_given_rng", says="made inside")
class RngOfItsOwn(_Noisy):
    def __init__(self, discriminator, sigma, rng=None):
        super().__init__(discriminator, sigma, torch.Generator().manual_seed(0))


@wrong("8.4", rejected_by="uses_the_given_rng", says="pass None on")
class RngMadeWhenMissing(_Noisy):
    def __init__(self, discriminator, sigma, rng=None):
        if rng is None:
            rng = torch.Generator()
            rng.seed()
        super().__init__(discriminator, sigma, rng)


# ------------------------------------------------------------ 8.5 make_optimizers

Adam = torch.optim.Adam


@right("8.5")
def a_list_of_two(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    pairs = ((generator, lr_g), (discriminator, lr_d))
    return [Adam(network.parameters(), lr=lr, betas=betas) for network, lr in pairs]


@right("8.5")
def by_position(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return Adam(generator.parameters(), lr_g, betas), Adam(discriminator.parameters(), lr_d, betas)


@right("8.5")
def weights_and_biases_apart(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    def make(network, lr):
        groups = [
            {"params": [p for p in network.parameters() if (p.ndim > 1) == wide]}
            for wide in (True, False)
        ]
        return Adam(groups, lr=lr, betas=tuple(betas))

    return make(generator, lr_g), make(discriminator, lr_d)


@right("8.5")
def adamw_without_decay(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    optimizers = [
        torch.optim.AdamW(list(network.parameters()), lr=1.0, betas=betas, weight_decay=0.0)
        for network in (generator, discriminator)
    ]
    for optimizer, lr in zip(optimizers, (lr_g, lr_d), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = lr
    return tuple(optimizers)


@right("8.5")
def trainable_parameters_only(generator, discriminator, lr_g, lr_d, betas=None):
    betas = betas or (0.5, 0.999)
    g_params = filter(lambda p: p.requires_grad, generator.parameters())
    d_params = filter(lambda p: p.requires_grad, discriminator.parameters())
    opt_g = Adam(g_params, lr=lr_g, betas=betas, foreach=False)
    opt_d = Adam(d_params, lr=lr_d, betas=betas, foreach=False)
    return opt_g, opt_d


@wrong("8.5", rejected_by="learning_rates_the_right_way_round", says="rates are swapped")
def rates_swapped(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    optimizer_g = Adam(generator.parameters(), lr=lr_d, betas=betas)
    optimizer_d = Adam(discriminator.parameters(), lr=lr_g, betas=betas)
    return optimizer_g, optimizer_d


@wrong("8.5", rejected_by="learning_rates_the_right_way_round", says="the same learning rate")
def one_rate(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return [Adam(n.parameters(), lr_g, betas) for n in (generator, discriminator)]


@wrong("8.5", rejected_by="learning_rates_the_right_way_round", says="Adam's own 0.001")
def no_rate(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return [Adam(n.parameters(), betas=betas) for n in (generator, discriminator)]


@wrong("8.5", rejected_by="learning_rates_the_right_way_round", says="fixed inside")
def the_tutorials_rate(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return [Adam(n.parameters(), 0.0002, betas) for n in (generator, discriminator)]


@wrong("8.5", rejected_by="each_holds_its_own_network", says="optimizers are swapped")
def d_first(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    optimizer_g = Adam(generator.parameters(), lr=lr_g, betas=betas)
    optimizer_d = Adam(discriminator.parameters(), lr=lr_d, betas=betas)
    return optimizer_d, optimizer_g


@wrong("8.5", rejected_by="each_holds_its_own_network", says="both networks")
def g_has_all(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    both = itertools.chain(generator.parameters(), discriminator.parameters())
    return Adam(both, lr_g, betas), Adam(discriminator.parameters(), lr_d, betas)


@wrong("8.5", rejected_by="each_holds_its_own_network", says="optimizers are swapped")
def generator_twice(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    optimizer_g = Adam(generator.parameters(), lr_g, betas)
    optimizer_d = Adam(generator.parameters(), lr_d, betas)
    return optimizer_g, optimizer_d


@wrong("8.5", rejected_by="each_holds_its_own_network", says="not all of G's parameters")
def weights_only(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    def weights(network):
        return [p for p in network.parameters() if p.ndim > 1]

    return Adam(weights(generator), lr_g, betas), Adam(weights(discriminator), lr_d, betas)


@wrong("8.5", rejected_by="each_holds_its_own_network", says="only once")
def counted_first(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    parameters = generator.parameters()
    print(sum(p.numel() for p in parameters), "parameters")
    return Adam(parameters, lr_g, betas), Adam(discriminator.parameters(), lr_d, betas)


@wrong("8.5", rejected_by="each_holds_its_own_network", says="parentheses are missing")
def without_parentheses(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return Adam(generator.parameters, lr_g, betas), Adam(discriminator.parameters, lr_d, betas)


@wrong("8.5", rejected_by="each_holds_its_own_network", says="return optimizer_g, optimizer_d")
def one_for_both(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    groups = [
        {"params": generator.parameters(), "lr": lr_g},
        {"params": discriminator.parameters(), "lr": lr_d},
    ]
    return Adam(groups, betas=betas)


@wrong("8.5", rejected_by="each_holds_its_own_network", says="return optimizer_g, optimizer_d")
def in_a_namespace(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return SimpleNamespace(
        g=Adam(generator.parameters(), lr_g, betas), d=Adam(discriminator.parameters(), lr_d, betas)
    )


@wrong("8.5", rejected_by="each_holds_its_own_network", says="return is missing")
def optimizers_not_returned(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    a_list_of_two(generator, discriminator, lr_g, lr_d, betas)


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="betas are not passed on")
def without_betas(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return Adam(generator.parameters(), lr=lr_g), Adam(discriminator.parameters(), lr=lr_d)


@wrong("8.5", rejected_by="usual_betas_when_none_are_given", says="betas are not passed on")
def adams_own_betas_by_default(generator, discriminator, lr_g, lr_d, betas=(0.9, 0.999)):
    return a_list_of_two(generator, discriminator, lr_g, lr_d, betas)


@wrong("8.5", rejected_by="usual_betas_when_none_are_given", says="keep the names")
def no_default_for_betas(generator, discriminator, lr_g, lr_d, betas):
    return a_list_of_two(generator, discriminator, lr_g, lr_d, betas)


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="fixed at (0.5, 0.999)")
def dcgan_betas_always(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return a_list_of_two(generator, discriminator, lr_g, lr_d)


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="second beta is fixed")
def first_beta_only(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return a_list_of_two(generator, discriminator, lr_g, lr_d, (betas[0], 0.999))


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="betas are not passed on")
def betas_for_g_only(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return Adam(generator.parameters(), lr_g, betas), Adam(discriminator.parameters(), lr_d)


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="AdamW")
def adamw(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return [
        torch.optim.AdamW(network.parameters(), lr=lr, betas=betas)
        for network, lr in ((generator, lr_g), (discriminator, lr_d))
    ]


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="plain SGD")
def sgd_for_d(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return Adam(generator.parameters(), lr_g, betas), torch.optim.SGD(
        discriminator.parameters(), lr_d
    )


@wrong("8.5", rejected_by="is_adam_with_the_given_betas", says="RMSprop")
def rmsprop(generator, discriminator, lr_g, lr_d, betas=(0.5, 0.999)):
    return [
        torch.optim.RMSprop(network.parameters(), lr)
        for network, lr in ((generator, lr_g), (discriminator, lr_d))
    ]
