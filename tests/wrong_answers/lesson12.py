"""Answers to lesson 12: averages, losses, penalties and augmentation as people write them."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong
from torch import nn

from facegan_ref.augment import cut_out, translate
from facegan_ref.recipes import parse_policy

bce = F.binary_cross_entropy_with_logits

# ------------------------------------------------------------ 12.1 EMA, right


@right("12.1")
class WrittenOut:
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model)
        self.model.eval()
        for p in self.model.parameters():
            p.requires_grad = False

    def update(self, model):
        with torch.no_grad():
            for old, new in zip(self.model.parameters(), model.parameters(), strict=True):
                old.copy_(self.decay * old + (1 - self.decay) * new)
            for old, new in zip(self.model.buffers(), model.buffers(), strict=True):
                old.copy_(new)


@right("12.1")
class AModuleItself(nn.Module):
    def __init__(self, model, decay):
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.model.eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, model):
        for old, new in zip(self.model.parameters(), model.parameters(), strict=False):
            old.mul_(self.decay).add_(new * (1 - self.decay))
        for old, new in zip(self.model.buffers(), model.buffers(), strict=False):
            old.copy_(new)


@right("12.1")
class ByNames:
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    def update(self, model):
        print("updating")
        with torch.no_grad():
            new = dict(model.named_parameters())
            for name, old in self.model.named_parameters():
                old += (1 - self.decay) * (new[name] - old)
            new = dict(model.named_buffers())
            for name, old in self.model.named_buffers():
                old[...] = new[name]


@right("12.1")
class ByStateDict:
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.learned = [name for name, _ in model.named_parameters()]

    def update(self, model):
        old, new = self.model.state_dict(), model.state_dict()
        for name in old:
            if name in self.learned:
                old[name] = self.decay * old[name] + (1 - self.decay) * new[name]
            else:
                old[name] = new[name].clone()
        self.model.load_state_dict(old)


@right("12.1")
class ThroughData:
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    def update(self, model):
        for old, new in zip(self.model.parameters(), model.parameters(), strict=True):
            old.data = self.decay * old.data + (1.0 - self.decay) * new.data
        for old, new in zip(self.model.buffers(), model.buffers(), strict=True):
            old.data = new.data.clone()


@right("12.1")
class ShadowOfDetachedLists:
    def __init__(self, model, decay):
        self.model = copy.deepcopy(model)
        self.model.zero_grad(set_to_none=True)
        self.model.train(False)
        for p in self.model.parameters():
            p.requires_grad_(False)
        self._decay = decay

    @property
    def decay(self):
        return self._decay

    @decay.setter
    def decay(self, value):
        self._decay = float(value)

    @torch.no_grad()
    def update(self, model):
        pairs = list(zip(self.model.parameters(), model.parameters(), strict=True))
        for average, p in pairs:
            average.data.sub_((1 - self._decay) * (average.data - p.detach()))
        for average, b in zip(self.model.buffers(), model.buffers(), strict=True):
            average.data.copy_(b.data)


# 12.1 wrong


class _EMA:
    """What the wrong ones vary."""

    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        self.update_weights(model)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)

    def update_weights(self, model):
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average.copy_(self.mix(average, value))

    def mix(self, average, value):
        return self.decay * average + (1 - self.decay) * value


@wrong("12.1", "average_is_exact", "the shares are swapped")
class SharesSwapped(_EMA):
    def mix(self, average, value):
        return (1 - self.decay) * average + self.decay * value


@wrong("12.1", "average_is_exact", "the shares are swapped")
class LerpTheWrongWay(_EMA):
    def mix(self, average, value):
        return torch.lerp(average, value, self.decay)


@wrong("12.1", "average_is_exact", "written into the average")
class NewNamesInALoop(_EMA):
    def update_weights(self, model):
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average = self.decay * average + (1 - self.decay) * value


@wrong("12.1", "average_is_exact", "written into the average")
class LerpWithoutUnderscore(_EMA):
    def update_weights(self, model):
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp(value, 1 - self.decay)


@wrong("12.1", "average_is_exact", "written into the average")
class MixedButNotLoaded(_EMA):
    def update_weights(self, model):
        state, new = dict(self.model.state_dict()), model.state_dict()
        for name in state:
            state[name] = self.decay * state[name] + (1 - self.decay) * new[name]


@wrong("12.1", "average_is_exact", "begins at 0")
class BeginsAtZero(_EMA):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.first = True

    def update_weights(self, model):
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            if self.first:
                average.zero_()
            average.lerp_(value, 1 - self.decay)
        self.first = False


@wrong("12.1", "begins_as_a_copy", "set to 0")
class ZeroedCopy(_EMA):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        for p in self.model.parameters():
            p.data.zero_()


@wrong("12.1", "average_is_exact", "as in Adam")
class CorrectedAsInAdam(_EMA):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.sums = [torch.zeros_like(p) for p in self.model.parameters()]
        self.steps = 0

    def update_weights(self, model):
        self.steps += 1
        for average, total, value in zip(
            self.model.parameters(), self.sums, model.parameters(), strict=True
        ):
            total.lerp_(value, 1 - self.decay)
            average.copy_(total / (1 - self.decay**self.steps))


@wrong("12.1", "average_is_exact", "decay begins small")
class RampedAsInTensorflow(_EMA):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.k = 0

    def mix(self, average, value):
        decay = min(self.decay, (1 + self.k) / (10 + self.k))
        return decay * average + (1 - decay) * value

    def update_weights(self, model):
        super().update_weights(model)
        self.k += 1


@wrong("12.1", "average_is_exact", "plain mean")
class PlainMean(_EMA):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.k = 1

    def mix(self, average, value):
        return average + (value - average) / (self.k + 1)

    def update_weights(self, model):
        super().update_weights(model)
        self.k += 1


@wrong("12.1", "average_is_exact", "full weight")
class AddsAll(_EMA):
    def mix(self, average, value):
        return self.decay * average + value


@wrong("12.1", "average_is_exact", "not multiplied by decay")
class OldNotFaded(_EMA):
    def mix(self, average, value):
        return average + (1 - self.decay) * value


@wrong("12.1", "average_is_exact", "copy of the newest weights")
class LoadsTheNewest(_EMA):
    def update_weights(self, model):
        self.model.load_state_dict(model.state_dict())


@wrong("12.1", "begins_as_a_copy", "second name")
class NoCopy(_EMA):
    def __init__(self, model, decay):
        self.decay, self.model = decay, model


@wrong("12.1", "begins_as_a_copy", "copy.deepcopy")
class ShallowCopy(_EMA):
    def __init__(self, model, decay):
        self.decay, self.model = decay, copy.copy(model)


@wrong("12.1", "begins_as_a_copy", "only its state_dict")
class ADictionary(_EMA):
    def __init__(self, model, decay):
        self.decay = decay
        self.model = {name: value.clone() for name, value in model.state_dict().items()}


@wrong("12.1", "begins_as_a_copy", "without the attribute `model`")
class ShadowDict:
    def __init__(self, model, decay=0.999):
        self.decay = decay
        self.shadow = {name: p.data.clone() for name, p in model.named_parameters()}

    def update(self, model):
        for name, p in model.named_parameters():
            self.shadow[name] = self.decay * self.shadow[name] + (1 - self.decay) * p.data


@wrong("12.1", "begins_as_a_copy", "wrapped")
class TorchsOwn:
    def __init__(self, model, decay):
        self.decay = decay
        self.model = torch.optim.swa_utils.AveragedModel(model)

    def update(self, model):
        self.model.update_parameters(model)


@wrong("12.1", "buffers_are_copied", "go through buffers() too")
class ParametersOnly(_EMA):
    @torch.no_grad()
    def update(self, model):
        self.update_weights(model)


@wrong("12.1", "buffers_are_copied", "averaged like weights")
class BuffersAveraged(_EMA):
    @torch.no_grad()
    def update(self, model):
        new = model.state_dict()
        for name, value in self.model.state_dict().items():
            value.copy_(self.decay * value + (1 - self.decay) * new[name])


@wrong("12.1", "buffers_are_copied", "share a buffer")
class BuffersAssigned(_EMA):
    @torch.no_grad()
    def update(self, model):
        self.update_weights(model)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.data = buffer.data


@wrong("12.1", "ready_to_sample", "call .eval()")
class StaysInTrainMode(_EMA):
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False)


@wrong("12.1", "ready_to_sample", ".requires_grad_(False)")
class WithGradients(_EMA):
    def __init__(self, model, decay):
        self.decay = decay
        self.model = copy.deepcopy(model).eval()


@wrong("12.1", "ready_to_sample", "don't call train()")
class TrainAgain(_EMA):
    @torch.no_grad()
    def update(self, model):
        super().update(model)
        self.model.train(model.training)
        self.model.train()


@wrong("12.1", "model_is_untouched", "only the copy")
class EvalOnTheModel(_EMA):
    def __init__(self, model, decay):
        self.decay = decay
        model.eval()
        self.model = copy.deepcopy(model).requires_grad_(False)


@wrong("12.1", "model_is_untouched", "call it on the copy")
class FreezesTheModel(_EMA):
    def update_weights(self, model):
        super().update_weights(model.requires_grad_(False))


@wrong("12.1", "model_is_untouched", "written into the model")
class IntoTheModel(_EMA):
    def update_weights(self, model):
        for average, value in zip(self.model.parameters(), model.parameters(), strict=True):
            average.copy_(self.mix(average, value))
            value.copy_(average)


@wrong("12.1", "model_is_untouched", "others for")
class ClearsGradients(_EMA):
    def update_weights(self, model):
        super().update_weights(model)
        model.zero_grad()


@wrong("12.1", "works_with_what_comes", "read self.decay in update")
class DecayFixed(_EMA):
    def __init__(self, model, decay):
        super().__init__(model, decay)
        self.keep = decay

    def mix(self, average, value):
        return self.keep * average + (1 - self.keep) * value


@wrong("12.1", "works_with_what_comes", "torch.no_grad()")
class KeepsTheGraph(_EMA):
    def update(self, model):
        for module, other in zip(self.model.modules(), model.modules(), strict=True):
            for name, value in list(other._parameters.items()):
                old = getattr(module, name)
                if isinstance(old, nn.Parameter):
                    delattr(module, name)
                module._parameters.pop(name, None)
                module._parameters[name] = self.mix(old, value)
            for name, value in other._buffers.items():
                module._buffers[name] = value.clone()


@wrong("12.1", "average_is_exact", "misspelt")
class AnotherName(_EMA):
    update = None

    def step(self, model):
        self.update_weights(model)


# ------------------------------------------------------------ 12.2, pairs of both losses


def d_right(real_logits, fake_logits):
    return F.softplus(fake_logits - real_logits).mean()


def g_right(real_logits, fake_logits):
    return F.softplus(real_logits - fake_logits).mean()


def _pair(register, make):
    def add(function):
        def answer():
            return make(function)

        answer.__name__ = function.__name__
        register(answer)
        return function

    return add


def right_d(function):
    return _pair(right("12.2"), lambda f: (f, g_right))(function)


def right_g(function):
    return _pair(right("12.2"), lambda f: (d_right, f))(function)


def wrong_d(rejected_by, says):
    return _pair(wrong("12.2", rejected_by, says), lambda f: (f, g_right))


def wrong_g(rejected_by, says):
    return _pair(wrong("12.2", rejected_by, says), lambda f: (d_right, f))


@right_d
def bce_of_the_difference(real_logits, fake_logits):
    difference = real_logits - fake_logits
    return bce(difference, torch.ones_like(difference))


@right_d
def by_logsigmoid(real_logits, fake_logits):
    return -F.logsigmoid(real_logits - fake_logits).mean()


@right_d
def module_style(real_logits, fake_logits):
    criterion = nn.BCEWithLogitsLoss()
    gap = (real_logits - fake_logits).flatten()
    return criterion(gap, torch.ones(len(gap), device=gap.device))


@right_g
def label_zero(real_logits, fake_logits):
    difference = real_logits - fake_logits
    return bce(difference, torch.zeros_like(difference))


@right_g
def softplus_module_and_sum(real_logits, fake_logits):
    print(real_logits.shape)
    each = nn.Softplus()(real_logits - fake_logits)
    return each.sum() / each.numel()


@right_g
def by_logaddexp(real_logits, fake_logits):
    gap = real_logits - fake_logits
    return torch.logaddexp(gap, torch.zeros_like(gap)).mean()


@right_g
def by_d_with_swapped_arguments(real_logits, fake_logits):
    return d_right(fake_logits, real_logits)


# 12.2 wrong


@wrong_d("discriminator_compares_pairs", "wrong sign")
def d_of_g(real_logits, fake_logits):
    return F.softplus(real_logits - fake_logits).mean()


@wrong_d("discriminator_compares_pairs", "judged alone")
def lesson_three(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@wrong_d("discriminator_compares_pairs", "relativistic average loss")
def relativistic_average(real_logits, fake_logits):
    real = bce(real_logits - fake_logits.mean(), torch.ones_like(real_logits))
    fake = bce(fake_logits - real_logits.mean(), torch.zeros_like(fake_logits))
    return (real + fake) / 2


@wrong_d("discriminator_compares_pairs", "relativistic average loss")
def relativistic_average_sum(real_logits, fake_logits):
    real = bce(real_logits - fake_logits.mean(), torch.ones_like(real_logits))
    fake = bce(fake_logits - real_logits.mean(), torch.zeros_like(fake_logits))
    return real + fake


@wrong_d("discriminator_compares_pairs", "both directions")
def both_directions(real_logits, fake_logits):
    return (
        F.softplus(fake_logits - real_logits).mean() + F.softplus(real_logits - fake_logits).mean()
    )


@wrong_d("discriminator_compares_pairs", "not two halves")
def two_halves(real_logits, fake_logits):
    gap = real_logits - fake_logits
    return bce(gap, torch.ones_like(gap)) + bce(-gap, torch.zeros_like(gap))


@wrong_d("discriminator_compares_pairs", "take the mean")
def summed(real_logits, fake_logits):
    return F.softplus(fake_logits - real_logits).sum()


@wrong_d("discriminator_compares_pairs", "minus is missing")
def no_minus(real_logits, fake_logits):
    return F.logsigmoid(real_logits - fake_logits).mean()


@wrong_d("discriminator_compares_pairs", "of the PROBABILITIES")
def probabilities_first(real_logits, fake_logits):
    return -F.logsigmoid(real_logits.sigmoid() - fake_logits.sigmoid()).mean()


@wrong_d("discriminator_compares_pairs", "applied twice")
def sigmoid_twice(real_logits, fake_logits):
    scores = torch.sigmoid(real_logits - fake_logits)
    return bce(scores, torch.ones_like(scores))


@wrong_d("discriminator_compares_pairs", "logarithm is missing")
def mean_probability(real_logits, fake_logits):
    return -torch.sigmoid(real_logits - fake_logits).mean()


@wrong_d("discriminator_compares_pairs", "Wasserstein")
def wasserstein(real_logits, fake_logits):
    return (fake_logits - real_logits).mean()


@wrong_d("discriminator_compares_pairs", "averaged first")
def means_first(real_logits, fake_logits):
    return F.softplus(fake_logits.mean() - real_logits.mean())


@wrong_d("discriminator_compares_pairs", "each real logit is compared with each fake one")
def all_pairs(real_logits, fake_logits):
    return F.softplus(fake_logits.view(1, -1) - real_logits.view(-1, 1)).mean()


@wrong_d("pairs_row_by_row", "row i meets row i")
def broadcast_by_a_flatten(real_logits, fake_logits):
    return F.softplus(fake_logits.flatten() - real_logits).mean()


@wrong_d("pairs_row_by_row", "row i meets row i")
def sorted_first(real_logits, fake_logits):
    if real_logits.dim() > 1 or len(real_logits) == 3:
        fake_logits = fake_logits.sort(dim=0).values
    return d_right(real_logits, fake_logits)


@wrong_d("discriminator_compares_pairs", "hinge of the difference")
def relativistic_hinge(real_logits, fake_logits):
    return F.relu(1 - (real_logits - fake_logits)).mean()


@wrong_d("discriminator_compares_pairs", "cuts the graph")
def as_a_float(real_logits, fake_logits):
    return d_right(real_logits, fake_logits).item()


@wrong_d("discriminator_compares_pairs", "detached or not used")
def fake_detached(real_logits, fake_logits):
    return d_right(real_logits, fake_logits.detach())


@wrong_d("exact_at_extreme_logits", "stay with the logits")
def log_of_sigmoid(real_logits, fake_logits):
    return -torch.log(torch.sigmoid(real_logits - fake_logits)).mean()


@wrong_d("exact_at_extreme_logits", "stay with the logits")
def with_an_eps(real_logits, fake_logits):
    return -torch.log(torch.sigmoid(real_logits - fake_logits) + 1e-8).mean()


@wrong_d("exact_at_extreme_logits", "stay with the logits")
def bce_of_scores(real_logits, fake_logits):
    scores = torch.sigmoid(real_logits - fake_logits)
    return F.binary_cross_entropy(scores, torch.ones_like(scores))


@wrong_d("ln_2_at_chance", "ln 2")
def zero_at_chance(real_logits, fake_logits):
    return d_right(real_logits, fake_logits) - 0.6931472


@wrong_g("ln_2_at_chance", "(ln 2)")
def g_with_a_pull_to_zero(real_logits, fake_logits):
    extra = (fake_logits - fake_logits.detach()).mean()
    return g_right(real_logits, fake_logits) + 0.001 * (fake_logits * real_logits).mean() + extra


@wrong_g("generator_swaps_the_roles", "wrong sign")
def g_of_d(real_logits, fake_logits):
    return F.softplus(fake_logits - real_logits).mean()


@wrong_g("generator_swaps_the_roles", "minus D's loss")
def minus_d(real_logits, fake_logits):
    return -F.softplus(fake_logits - real_logits).mean()


@wrong_g("generator_swaps_the_roles", "does not look at the real images")
def lesson_three_g(real_logits, fake_logits):
    return F.softplus(-fake_logits).mean()


@wrong_g("generator_swaps_the_roles", "keep the names and their order")
def only_the_fakes(fake_logits):
    return F.softplus(-fake_logits).mean()


@wrong_g("generator_swaps_the_roles", "detached or not used")
def real_detached(real_logits, fake_logits):
    return g_right(real_logits.detach(), fake_logits)


@wrong_g("generator_swaps_the_roles", "relativistic average loss")
def average_g(real_logits, fake_logits):
    return F.softplus(real_logits.mean() - fake_logits).mean()


@wrong_g("generator_swaps_the_roles", "return is missing")
def g_without_return(real_logits, fake_logits):
    F.softplus(real_logits - fake_logits).mean()


@wrong_g("exact_at_extreme_logits", "stay with the logits")
def g_clamped(real_logits, fake_logits):
    return F.softplus((real_logits - fake_logits).clamp(-30, 30)).mean()


# ------------------------------------------------------------ 12.3 r1_penalty, right


def slopes(logits, images, **how):
    return torch.autograd.grad(logits.sum(), images, create_graph=True, **how)[0]


@right("12.3")
def as_in_the_papers_code(logits, images):
    grad_dout = torch.autograd.grad(
        outputs=logits.sum(), inputs=images, create_graph=True, retain_graph=True, only_inputs=True
    )[0]
    return grad_dout.pow(2).reshape(len(images), -1).sum(1).mean()


@right("12.3")
def with_grad_outputs(logits, images):
    gradients = torch.autograd.grad(
        logits, images, grad_outputs=torch.ones_like(logits), create_graph=True
    )
    return sum((g * g).sum() for g in gradients) / images.size(0)


@right("12.3")
def norm_squared(logits, images):
    gradient = slopes(logits, images)
    return torch.linalg.vector_norm(gradient.reshape(len(images), -1), dim=1).square().mean()


@right("12.3")
def by_einsum(logits, images):
    gradient = slopes(logits, images).flatten(1)
    return torch.einsum("ni,ni->n", gradient, gradient).mean()


@right("12.3")
def image_by_image(logits, images):
    gradient = slopes(logits, images)
    return torch.stack([(one**2).sum() for one in gradient]).mean()


@right("12.3")
def mean_times_the_numbers_of_an_image(logits, images):
    gradient = slopes(logits, images)
    return gradient.square().mean() * images[0].numel()


# 12.3 wrong


@wrong("12.3", "trains_the_discriminator", "create_graph=True is missing")
def no_create_graph(logits, images):
    (gradient,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


@wrong("12.3", "trains_the_discriminator", "create_graph=True is missing")
def detached(logits, images):
    return slopes(logits, images).detach().flatten(1).square().sum(1).mean()


@wrong("12.3", "leaves_no_gradients_behind", "create_graph=True is missing")
def graph_freed(logits, images):
    (gradient,) = torch.autograd.grad(logits.sum(), images)
    return gradient.flatten(1).square().sum(1).mean()


@wrong("12.3", "square_of_the_slope", "take no square root")
def the_norm(logits, images):
    return slopes(logits, images).flatten(1).norm(dim=1).mean()


@wrong("12.3", "square_of_the_slope", "WGAN-GP")
def wgan_gp(logits, images):
    return (slopes(logits, images).flatten(1).norm(2, dim=1) - 1).square().mean()


@wrong("12.3", "square_of_the_slope", "depends on the images' size")
def mean_of_all(logits, images):
    return slopes(logits, images).square().mean()


@wrong("12.3", "square_of_the_slope", "flatten each image first")
def norm_over_the_colours(logits, images):
    return (slopes(logits, images).norm(2, dim=1) ** 2).mean()


@wrong("12.3", "square_of_the_slope", "summed over the batch")
def sum_of_all(logits, images):
    return slopes(logits, images).square().sum()


@wrong("12.3", "mean_over_the_images", "summed over the batch")
def sum_of_all_again(logits, images):
    return slopes(logits, images).square().sum()


@wrong("12.3", "square_of_the_slope", "whole batch's gradient")
def norm_of_the_batch(logits, images):
    return slopes(logits, images).norm()


@wrong("12.3", "square_of_the_slope", "gamma / 2")
def with_the_half(logits, images):
    return 0.5 * slopes(logits, images).flatten(1).square().sum(1).mean()


@wrong("12.3", "square_of_the_slope", "gamma = 10")
def with_the_weight(logits, images):
    return 10 / 2 * slopes(logits, images).flatten(1).square().sum(1).mean()


@wrong("12.3", "square_of_the_slope", "use logits.sum()")
def mean_of_logits(logits, images):
    (gradient,) = torch.autograd.grad(logits.mean(), images, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


@wrong("12.3", "square_of_the_slope", "use logits.sum()")
def mean_of_logits_sum_of_squares(logits, images):
    (gradient,) = torch.autograd.grad(logits.mean(), images, create_graph=True)
    return gradient.square().sum()


@wrong("12.3", "square_of_the_slope", "square them")
def absolute_values(logits, images):
    return slopes(logits, images).flatten(1).abs().sum(1).mean()


@wrong("12.3", "mean_over_the_images", "averaged first")
def mean_gradient(logits, images):
    return slopes(logits, images).mean(0).square().sum()


@wrong("12.3", "mean_over_the_images", "square of the mean norm")
def mean_norm_squared(logits, images):
    return slopes(logits, images).flatten(1).norm(dim=1).mean() ** 2


@wrong("12.3", "square_of_the_slope", "the mean over the images is missing")
def one_for_each_image(logits, images):
    return slopes(logits, images).flatten(1).square().sum(1)


@wrong("12.3", "square_of_the_slope", "use logits.sum()")
def without_a_sum(logits, images):
    (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


@wrong("12.3", "square_of_the_slope", "makes new images")
def new_leaves(logits, images):
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


@wrong("12.3", "square_of_the_slope", "cuts the graph")
def a_float(logits, images):
    return slopes(logits, images).flatten(1).square().sum(1).mean().item()


@wrong("12.3", "square_of_the_slope", "return is missing")
def nothing_returned(logits, images):
    slopes(logits, images).flatten(1).square().sum(1).mean()


@wrong("12.3", "leaves_no_gradients_behind", "writes into .grad")
def by_backward(logits, images):
    logits.sum().backward(create_graph=True)
    return images.grad.flatten(1).square().sum(1).mean()


@wrong("12.3", "trains_the_discriminator", "part of the graph is cut")
def weight_of_the_slope_only(logits, images):
    gradient = slopes(logits, images)
    scale = logits.detach().mean() / logits.mean()
    return gradient.detach().flatten(1).square().sum(1).mean() * scale


@wrong("12.3", "trains_the_discriminator", "whose derivative at 0 is infinite")
def root_and_square(logits, images):
    return slopes(logits, images).flatten(1).square().sum(1).sqrt().square().mean()


@wrong("12.3", "trains_the_discriminator", "torch.no_grad()")
def under_no_grad(logits, images):
    with torch.no_grad():
        gradient = slopes(logits, images)
        return gradient.flatten(1).square().sum(1).mean()


# ------------------------------------------------------------ 12.4 change_colour, right


def uniform(n, images, generator):
    return torch.rand(n, 1, 1, 1, device=images.device, generator=generator)


@right("12.4")
def three_draws_of_any_dtype(images, generator):
    n = images.shape[0]
    b, s, c = (uniform(n, images, generator).to(images.dtype) for _ in range(3))
    images = images + b - 0.5
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (s * 2) + grey
    level = images.mean([1, 2, 3], keepdim=True)
    return (images - level) * (c + 0.5) + level


@right("12.4")
def as_in_the_papers_repository(x, generator):
    def rand_brightness(x):
        return x + (uniform(x.size(0), x, generator) - 0.5)

    def rand_saturation(x):
        x_mean = x.mean(dim=1, keepdim=True)
        return (x - x_mean) * (uniform(x.size(0), x, generator) * 2) + x_mean

    def rand_contrast(x):
        x_mean = x.mean(dim=[1, 2, 3], keepdim=True)
        return (x - x_mean) * (uniform(x.size(0), x, generator) + 0.5) + x_mean

    for f in (rand_brightness, rand_saturation, rand_contrast):
        x = f(x)
    return x.contiguous()


@right("12.4")
def contrast_first(images, generator):
    u = torch.rand((len(images), 3), generator=generator, device=images.device)
    b, s, c = u[:, :, None, None, None].unbind(1)
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    images = torch.lerp(level.expand_as(images), images, (0.5 + c).to(images.dtype))
    grey = images.mean(dim=1, keepdim=True)
    return grey + 2 * s * (images - grey) + (b - 0.5)


@right("12.4")
def image_by_image_and_stacked(images, generator):
    done = []
    for image in images:
        b, s, c = torch.rand(3, device=images.device, generator=generator).to(image.dtype)
        image = image + (b - 0.5)
        grey = image.mean(0, keepdim=True)
        image = grey + (image - grey) * 2 * s
        done.append(image.mean() + (image - image.mean()) * (c + 0.5))
    return torch.stack(done)


@right("12.4")
def in_one_formula(images, generator):
    def draw(low, high):
        u = torch.empty(len(images), 1, 1, 1, device=images.device, dtype=images.dtype)
        return u.uniform_(low, high, generator=generator)

    grey = images.mean(dim=1, keepdim=True)
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    out = level + draw(-0.5, 0.5)
    return out + draw(0.5, 1.5) * ((grey - level) + draw(0, 2) * (images - grey))


# 12.4 wrong


def colours(images, generator, shape=None, draw=None):
    """What the wrong ones vary."""
    shape = shape or (len(images), 1, 1, 1)
    draw = draw or partial(torch.rand, device=images.device, generator=generator)
    b, s, c = (draw(shape) for _ in range(3))
    images = images + (b - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * s)
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    return level + (images - level) * (c + 0.5)


@wrong("12.4", "each_image_its_own_draw", "one number is drawn for the whole batch")
def one_for_the_batch(images, generator):
    return colours(images, generator, (1, 1, 1, 1))


@wrong("12.4", "brightness_saturation_contrast", "is the same for all images")
def one_for_all(images, generator):
    return colours(images, generator, (1,))


@wrong("12.4", "brightness_saturation_contrast", "one number for each image")
def a_number_for_each_pixel(images, generator):
    return colours(images, generator, images.shape)


@wrong("12.4", "brightness_saturation_contrast", "one number for each image")
def a_number_for_each_colour(images, generator):
    return colours(images, generator, (len(images), 3, 1, 1))


@wrong("12.4", "brightness_saturation_contrast", "print both shapes")
def flat_numbers(images, generator):
    b = torch.rand(len(images), generator=generator, device=images.device)
    return images + (b - 0.5)[:, None, None] if len(images) == 3 else images + b.view(-1, 1)[None]


@wrong("12.4", "brightness_saturation_contrast", "size of tensor")
def lines_up_with_the_columns(images, generator):
    return colours(images, generator, (len(images),))


@wrong("12.4", "brightness_saturation_contrast", "subtract 0.5")
def always_brighter(images, generator):
    return colours(images, generator) + 0.5


@wrong("12.4", "brightness_saturation_contrast", "torch.rand gives even ones")
def normal_numbers(images, generator):
    return colours(images, generator, draw=partial(torch.randn, generator=generator))


@wrong("12.4", "brightness_saturation_contrast", "brightness is not changed at all")
def no_brightness(images, generator):
    out = colours(images, generator)
    mean = partial(torch.mean, dim=(1, 2, 3), keepdim=True)
    return out - mean(out) + mean(images)


@wrong("12.4", "brightness_saturation_contrast", "multiply by 2")
def saturation_up_to_one(images, generator):
    b, s, c = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    grey, level = images.mean(1, keepdim=True), images.mean((1, 2, 3), keepdim=True)
    return level + b - 0.5 + (c + 0.5) * (grey - level + s * (images - grey))


@wrong("12.4", "brightness_saturation_contrast", "range of the contrast")
def ranges_confused(images, generator):
    b, s, c = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    grey, level = images.mean(1, keepdim=True), images.mean((1, 2, 3), keepdim=True)
    return level + b - 0.5 + (c + 0.5) * (grey - level + (s + 0.5) * (images - grey))


@wrong("12.4", "brightness_saturation_contrast", "range of the saturation")
def contrast_from_zero(images, generator):
    b, s, c = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    grey, level = images.mean(1, keepdim=True), images.mean((1, 2, 3), keepdim=True)
    return level + b - 0.5 + 2 * c * (grey - level + 2 * s * (images - grey))


@wrong("12.4", "brightness_saturation_contrast", "do not clamp")
def clamped(images, generator):
    return colours(images, generator).clamp(-1, 1)


@wrong("12.4", "keeps_what_it_is_given", "d can look at any number")
def clamped_bright(images, generator):
    return colours(images, generator).clamp(-1, 1)


@wrong("12.4", "keeps_what_it_is_given", "distance from the pixel's own grey")
def grain_on_top(images, generator):
    return colours(images, generator) + 1e-3 * torch.rand(images.shape, generator=generator)


@wrong("12.4", "brightness_saturation_contrast", "another operation in place")
def in_place(images, generator):
    images += torch.rand(len(images), 1, 1, 1, generator=generator) - 0.5
    return colours(images, generator)


@wrong("12.4", "brightness_saturation_contrast", "return the changed images alone")
def with_its_numbers(images, generator):
    return colours(images, generator), None


@wrong("12.4", "brightness_saturation_contrast", "mean")
def level_over_the_batch(images, generator):
    b, s, c = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    images = images + (b - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * s)
    return images.mean() + (images - images.mean()) * (c + 0.5)


@wrong("12.4", "brightness_saturation_contrast", "grey is the mean over the colours")
def grey_over_the_rows(images, generator):
    s = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    grey = images.mean(dim=2, keepdim=True)
    return colours(grey + (images - grey) * 2 * s, generator)


@wrong("12.4", "each_image_its_own_draw", "draw three for each image")
def one_number_for_all_changes(images, generator):
    u = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return colours(images, generator, draw=lambda shape: u)


@wrong("12.4", "each_image_its_own_draw", "generator is not passed on")
def generator_ignored(images, generator):
    return colours(images, None)


@wrong("12.4", "each_image_its_own_draw", "generator is not passed on")
def numpys_numbers(images, generator):
    return colours(
        images, generator, draw=lambda shape: torch.from_numpy(np.random.rand(*shape)).float()
    )


@wrong("12.4", "each_image_its_own_draw", "a seed is set inside")
def seeded_inside(images, generator):
    return colours(images, torch.Generator().manual_seed(0))


@wrong("12.4", "gradients_pass", "cuts the graph")
def without_a_graph(images, generator):
    with torch.no_grad():
        return colours(images, generator)


@wrong("12.4", "gradients_pass", "the means (grey, level) are detached")
def means_detached(images, generator):
    b, s, c = torch.rand(3, len(images), 1, 1, 1, device=images.device, generator=generator)
    images = images + (b - 0.5)
    grey = images.mean(dim=1, keepdim=True).detach()
    images = grey + (images - grey) * (2 * s)
    level = images.mean(dim=(1, 2, 3), keepdim=True).detach()
    return level + (images - level) * (c + 0.5)


@wrong("12.4", "keeps_what_it_is_given", "device=images.device")
def on_the_default_device(images, generator):
    return colours(images, generator, draw=partial(torch.rand, generator=generator))


@wrong("12.4", "keeps_what_it_is_given", "dtype is changed")
def always_float32(images, generator):
    return colours(images, generator).float()


# ------------------------------------------------------------ 12.5, pairs

TRANSFORMATIONS = {"color": colours, "translation": translate, "cutout": cut_out}


def augment(images, policy, generator=None):
    for name in parse_policy(policy):
        images = TRANSFORMATIONS[name](images, generator)
    return images


class Augmented(nn.Module):
    def __init__(self, discriminator, policy, rng=None):
        super().__init__()
        self.discriminator, self.policy, self.rng = discriminator, policy, rng

    def forward(self, images):
        return self.discriminator(augment(images, self.policy, self.rng))


def right_policy(function):
    return _pair(right("12.5"), lambda f: (f, Augmented))(function)


def right_module(function):
    return _pair(right("12.5"), lambda f: (augment, f))(function)


def wrong_policy(rejected_by, says):
    return _pair(wrong("12.5", rejected_by, says), lambda f: (f, Augmented))


def wrong_module(rejected_by, says):
    return _pair(wrong("12.5", rejected_by, says), lambda f: (augment, f))


@right_policy
def own_parsing(images, policy, generator=None):
    names = [name.strip() for name in policy.split(",") if name.strip()]
    for name in names:
        if name not in TRANSFORMATIONS:
            raise ValueError(f"unknown augmentation {name}")
    for name in names:
        images = TRANSFORMATIONS[name](images, generator)
    return images


@right_policy
def by_functions(x, policy, generator=None):
    functions = [TRANSFORMATIONS[name] for name in parse_policy(policy)]
    for f in functions:
        x = f(x, generator)
    return x.clone()


@right_policy
def recursive(images, policy, generator=None):
    names = parse_policy(policy)
    if not names:
        return images
    images = TRANSFORMATIONS[names[0]](images, generator)
    return recursive(images, ",".join(names[1:]), generator)


@right_module
class OtherNames(nn.Module):
    def __init__(self, D, policy, rng=None):
        super().__init__()
        self.D = D
        self.policy = policy
        self.gen = rng

    def forward(self, x):
        x = augment(x, self.policy, generator=self.gen)
        return self.D(x)


@right_module
class WithASwitch(nn.Module):
    def __init__(self, discriminator, policy, rng=None):
        super().__init__()
        self.inner = nn.ModuleList([discriminator])
        self.policy = policy
        self.rng = rng

    def forward(self, images):
        if self.policy:
            images = augment(images, self.policy, self.rng)
        return self.inner[0](images)


@right_module
def a_factory_with_a_hook(discriminator, policy, rng=None):
    class Outer(nn.Sequential):
        pass

    outer = Outer(discriminator)
    outer.policy = policy
    outer.register_forward_pre_hook(
        lambda module, inputs: (augment(inputs[0], module.policy, rng),)
    )
    return outer


# 12.5 wrong policies


@wrong_policy("applies_the_policy_in_order", "not used")
def result_dropped(images, policy, generator=None):
    for name in parse_policy(policy):
        TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("applies_the_policy_in_order", "return stands inside the loop")
def return_in_the_loop(images, policy, generator=None):
    for name in parse_policy(policy):
        return TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("applies_the_policy_in_order", "last name")
def always_from_the_original(images, policy, generator=None):
    out = images
    for name in parse_policy(policy):
        out = TRANSFORMATIONS[name](images, generator)
    return out


@wrong_policy("applies_the_policy_in_order", "fixed order")
def in_the_dictionarys_order(images, policy, generator=None):
    names = parse_policy(policy)
    for name in ("color", "translation", "cutout"):
        for _ in range(names.count(name)):
            images = TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("applies_the_policy_in_order", "stands twice")
def as_a_set(images, policy, generator=None):
    for name in dict.fromkeys(parse_policy(policy)):
        images = TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("applies_the_policy_in_order", "all transformations are applied")
def policy_ignored(images, policy, generator=None):
    if not policy.strip():
        return images
    return cut_out(translate(images, generator), generator)


@wrong_policy("applies_the_policy_in_order", "split by hand")
def spaces_kept(images, policy, generator=None):
    for name in policy.split(",") if policy.strip() else []:
        images = TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("applies_the_policy_in_order", "return the augmented images alone")
def returns_nothing_for_no_policy(images, policy, generator=None):
    if policy.strip():
        return augment(images, policy, generator), policy
    return [images]


@wrong_policy("applies_the_policy_in_order", "do not clamp")
def clamped_at_the_end(images, policy, generator=None):
    return augment(images, policy, generator).clamp(-1, 1) if policy.strip() else images


@wrong_policy("applies_the_policy_in_order", "return is missing")
def no_return(images, policy, generator=None):
    for name in parse_policy(policy):
        images = TRANSFORMATIONS[name](images, generator)


@wrong_policy("unknown_names_are_refused", "parse_policy")
def key_error(images, policy, generator=None):
    for name in [name.strip() for name in policy.split(",") if name.strip()]:
        images = TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("unknown_names_are_refused", "skipped or caught")
def skips_unknown_names(images, policy, generator=None):
    for name in policy.replace(" ", "").split(","):
        if name in TRANSFORMATIONS:
            images = TRANSFORMATIONS[name](images, generator)
    return images


@wrong_policy("unknown_names_are_refused", "say which name")
def without_the_name(images, policy, generator=None):
    for name in policy.replace(" ", "").split(","):
        if name and name not in TRANSFORMATIONS:
            raise ValueError("unknown augmentation")
    return augment(images, policy, generator)


@wrong_policy("random_numbers_and_gradients", "generator is not passed on")
def generator_dropped(images, policy, generator=None):
    for name in parse_policy(policy):
        images = TRANSFORMATIONS[name](images, None)
    return images


@wrong_policy("random_numbers_and_gradients", "one draw for the whole batch")
def seed_for_each_image(images, policy, generator=None):
    first = augment(images[:1], policy, generator)
    return (
        first.expand_as(images).clone() if len(images) == 40 else augment(images, policy, generator)
    )


@wrong_policy("random_numbers_and_gradients", "make no generator inside")
def generator_made_inside(images, policy, generator=None):
    if generator is None:
        generator = torch.Generator().manual_seed(np.random.randint(1 << 30))
    return augment(images, policy, generator)


@wrong_policy("random_numbers_and_gradients", "keep the names and their order")
def generator_not_optional(images, policy, generator):
    return augment(images, policy, generator)


@wrong_policy("random_numbers_and_gradients", "cuts the graph")
def detached_images(images, policy, generator=None):
    return augment(images.detach(), policy, generator)


# 12.5 wrong modules


@wrong_module("is_a_module_that_holds_the_given_d", "inherit from nn.Module")
class NoModule:
    def __init__(self, discriminator, policy, rng=None):
        self.discriminator, self.policy, self.rng = discriminator, policy, rng

    def __call__(self, images):
        return self.discriminator(augment(images, self.policy, self.rng))


@wrong_module("is_a_module_that_holds_the_given_d", "super().__init__()")
class NoSuper(nn.Module):
    def __init__(self, discriminator, policy, rng=None):
        self.discriminator, self.policy, self.rng = discriminator, policy, rng


@wrong_module("is_a_module_that_holds_the_given_d", "not registered")
class InAList(Augmented):
    def __init__(self, discriminator, policy, rng=None):
        nn.Module.__init__(self)
        self.parts, self.policy, self.rng = [discriminator], policy, rng

    def forward(self, images):
        return self.parts[0](augment(images, self.policy, self.rng))


@wrong_module("is_a_module_that_holds_the_given_d", "a copy of D")
class ACopy(Augmented):
    def __init__(self, discriminator, policy, rng=None):
        super().__init__(copy.deepcopy(discriminator), policy, rng)


@wrong_module("is_a_module_that_holds_the_given_d", "logits are changed")
class SigmoidOnTop(Augmented):
    def forward(self, images):
        return super().forward(images).sigmoid()


@wrong_module("is_a_module_that_holds_the_given_d", "must return what D returns")
class NoReturn(Augmented):
    def forward(self, images):
        super().forward(images)


@wrong_module("is_a_module_that_holds_the_given_d", "D itself")
def patched(discriminator, policy, rng=None):
    return discriminator


@wrong_module("real_and_fake_are_augmented", "the fake batch of D's step is not augmented")
class EverySecondTime(Augmented):
    calls = 0

    def forward(self, images):
        self.calls += 1
        return super().forward(images) if self.calls % 2 else self.discriminator(images)


@wrong_module("real_and_fake_are_augmented", "the fake batch of G's step is not augmented")
class OnlyInDsStep(Augmented):
    def forward(self, images):
        return self.discriminator(images) if images.requires_grad else super().forward(images)


@wrong_module("real_and_fake_are_augmented", "gradient stops at the augmentation")
class DetachedBeforeD(Augmented):
    def forward(self, images):
        with torch.no_grad():
            images = augment(images, self.policy, self.rng)
        return self.discriminator(images)


@wrong_module("real_and_fake_are_augmented", "does not depend on the mode")
class OnlyInTrainMode(Augmented):
    def forward(self, images):
        return super().forward(images) if self.training else self.discriminator(images)


@wrong_module("real_and_fake_are_augmented", "read only once")
class PolicyReadOnce(Augmented):
    def __init__(self, discriminator, policy, rng=None):
        super().__init__(discriminator, policy, rng)
        self.first = policy

    def forward(self, images):
        return self.discriminator(augment(images, self.first, self.rng))


@wrong_module("real_and_fake_are_augmented", "rng is not passed on")
class RngForgotten(Augmented):
    def forward(self, images):
        return self.discriminator(augment(images, self.policy))


@wrong_module("real_and_fake_are_augmented", "more than once")
class Twice(Augmented):
    def forward(self, images):
        images = augment(augment(images, self.policy, self.rng), self.policy, self.rng)
        return self.discriminator(augment(images, self.policy, self.rng))


@wrong_module("real_and_fake_are_augmented", "a seed is set")
class SeedInForward(Augmented):
    def forward(self, images):
        if self.rng is not None:
            self.rng.manual_seed(0)
        return super().forward(images)


@wrong_module("real_and_fake_are_augmented", "6 runs")
class DTwice(Augmented):
    def forward(self, images):
        super().forward(images)
        return super().forward(images)
