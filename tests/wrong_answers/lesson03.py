"""Answers to lesson 3: losses as students, tutorials and chat bots write them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from bank import right, wrong

# 3.1 discriminator_loss: right, though different ----------------------------------------------


@right("3.1")
def criterion_object(real_logits, fake_logits):
    criterion = nn.BCEWithLogitsLoss()
    d_loss_real = criterion(real_logits, torch.ones_like(real_logits))
    d_loss_fake = criterion(fake_logits, torch.zeros_like(fake_logits))
    return d_loss_real + d_loss_fake


@right("3.1")
def flattened_with_labels_by_full(real_logits, fake_logits):
    real_logits, fake_logits = real_logits.view(-1), fake_logits.view(-1)
    label = torch.full((real_logits.size(0),), 1.0, dtype=torch.float)
    err_real = F.binary_cross_entropy_with_logits(real_logits, label)
    label = torch.full((fake_logits.size(0),), 0.0, dtype=torch.float)
    return err_real + F.binary_cross_entropy_with_logits(fake_logits, label)


@right("3.1")
def softplus_of_signed_logits(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@right("3.1")
def logsigmoid_of_both(real_logits, fake_logits):
    return -F.logsigmoid(real_logits).mean() - F.logsigmoid(-fake_logits).mean()


@right("3.1")
def mean_of_the_sum_for_equal_batches(real_logits, fake_logits):
    return (F.softplus(-real_logits) + F.softplus(fake_logits)).mean()


@right("3.1")
def sum_divided_by_the_count(real_logits, fake_logits):
    real_loss = -F.logsigmoid(real_logits).sum() / real_logits.numel()
    fake_loss = -F.logsigmoid(-fake_logits).sum() / len(fake_logits)
    return real_loss + fake_loss


@right("3.1")
def two_class_cross_entropy(real_logits, fake_logits):
    logits = torch.cat([real_logits.flatten(), fake_logits.flatten()])
    target = torch.cat([torch.ones(real_logits.numel()), torch.zeros(fake_logits.numel())])
    two_classes = torch.stack([torch.zeros_like(logits), logits], dim=1)
    return 2 * F.cross_entropy(two_classes, target.long())


@right("3.1")
def stable_formula_by_hand(real_logits, fake_logits):
    def bce(x, t):
        return (x.clamp(min=0) - x * t + torch.log1p(torch.exp(-x.abs()))).mean()

    return bce(real_logits, 1.0) + bce(fake_logits, 0.0)


@right("3.1")
def logaddexp_with_zero(real_logits, fake_logits):
    zero = torch.zeros(())
    return torch.logaddexp(zero, -real_logits).mean() + torch.logaddexp(zero, fake_logits).mean()


@right("3.1")
def squeezed_to_a_scalar_when_alone(real_logits, fake_logits):
    real_logits, fake_logits = real_logits.squeeze(), fake_logits.squeeze()
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real_loss + fake_loss


@right("3.1")
def with_a_smoothing_argument_that_is_off(real_logits, fake_logits, smoothing=0.0):
    labels = torch.ones_like(real_logits) * (1 - smoothing)
    real_loss = nn.functional.binary_cross_entropy_with_logits(real_logits, labels)
    return real_loss + nn.functional.binary_cross_entropy_with_logits(
        fake_logits, torch.zeros_like(fake_logits)
    )


@right("3.1")
def printing_and_keyword_arguments(real_logits, fake_logits):
    print("real logits", real_logits.shape)
    loss = F.binary_cross_entropy_with_logits(
        input=real_logits, target=torch.ones_like(real_logits), reduction="mean"
    )
    loss += F.binary_cross_entropy_with_logits(
        input=fake_logits, target=torch.zeros_like(fake_logits), reduction="mean"
    )
    print(f"loss {loss.item():.3f}")
    return loss


@right("3.1")
def image_by_image(real_logits, fake_logits):
    total = 0
    for logit in real_logits.flatten():
        total = total + F.softplus(-logit) / real_logits.numel()
    for logit in fake_logits.flatten():
        total = total + F.softplus(logit) / fake_logits.numel()
    return total


@right("3.1")
def logarithms_in_double_precision(real_logits, fake_logits):
    score_of_right_real = torch.sigmoid(real_logits.double())
    score_of_right_fake = torch.sigmoid(-fake_logits.double())
    return -score_of_right_real.log().mean() - score_of_right_fake.log().mean()


# 3.1 discriminator_loss: wrong ----------------------------------------------------------------


@wrong("3.1", rejected_by="value_at_chance", says="half the loss")
def mean_of_the_two_halves(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return (real_loss + fake_loss) / 2


@wrong("3.1", rejected_by="matches_the_formula", says="half the loss")
def one_batch_of_both(real_logits, fake_logits):
    logits = torch.cat([real_logits, fake_logits])
    labels = torch.cat([torch.ones_like(real_logits), torch.zeros_like(fake_logits)])
    return F.binary_cross_entropy_with_logits(logits, labels)


@wrong("3.1", rejected_by="value_at_chance", says="summed over the batch")
def summed_over_the_batch(real_logits, fake_logits):
    criterion = nn.BCEWithLogitsLoss(reduction="sum")
    real_loss = criterion(real_logits, torch.ones_like(real_logits))
    return real_loss + criterion(fake_logits, torch.zeros_like(fake_logits))


@wrong("3.1", rejected_by="rewards_right_answers", says="labels are swapped")
def labels_swapped(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.zeros_like(real_logits))
    fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
    return real_loss + fake_loss


@wrong("3.1", rejected_by="matches_the_formula", says="both batches have the label 1")
def ones_for_both(real_logits, fake_logits):
    labels = torch.ones_like(real_logits)
    real_loss = F.binary_cross_entropy_with_logits(real_logits, labels)
    return real_loss + F.binary_cross_entropy_with_logits(fake_logits, labels)


@wrong("3.1", rejected_by="matches_the_formula", says="both batches have the label 0")
def zeros_for_both(real_logits, fake_logits):
    return F.softplus(real_logits).mean() + F.softplus(fake_logits).mean()


@wrong("3.1", rejected_by="uses_both_batches", says="fake batch is missing")
def real_half_only(real_logits, fake_logits):
    return F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))


@wrong("3.1", rejected_by="uses_both_batches", says="real batch is missing")
def fake_half_only(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    real_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real_loss


@wrong("3.1", rejected_by="uses_both_batches", says="real_logits are used in both halves")
def real_logits_twice(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake_loss = F.binary_cross_entropy_with_logits(real_logits, torch.zeros_like(real_logits))
    return real_loss + fake_loss


@wrong("3.1", rejected_by="uses_both_batches", says="fake_logits are used in both halves")
def fake_logits_twice(real_logits, fake_logits):
    return F.softplus(-fake_logits).mean() + F.softplus(fake_logits).mean()


@wrong("3.1", rejected_by="uses_both_batches", says="detached")
def fake_logits_detached(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits.detach()).mean()


@wrong("3.1", rejected_by="uses_both_batches", says="not used")
def first_image_only(real_logits, fake_logits):
    return F.softplus(-real_logits[0]).mean() + F.softplus(fake_logits[0]).mean()


@wrong("3.1", rejected_by="value_at_chance", says="minus is missing")
def forgot_the_minus(real_logits, fake_logits):
    return F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()


@wrong("3.1", rejected_by="value_at_chance", says="subtracted")
def fake_half_subtracted(real_logits, fake_logits):
    return -F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()


@wrong("3.1", rejected_by="value_at_chance", says="sigmoid is applied twice")
def sigmoid_and_with_logits(real_logits, fake_logits):
    criterion = nn.BCEWithLogitsLoss()
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return criterion(real, torch.ones_like(real)) + criterion(fake, torch.zeros_like(fake))


@wrong("3.1", rejected_by="value_at_chance", says="binary_cross_entropy_with_logits")
def bce_of_raw_logits(real_logits, fake_logits):
    criterion = nn.BCELoss()
    real_loss = criterion(real_logits, torch.ones_like(real_logits))
    return real_loss + criterion(fake_logits, torch.zeros_like(fake_logits))


@wrong("3.1", rejected_by="matches_the_formula", says="sigmoid is missing")
def logarithm_of_raw_logits(real_logits, fake_logits):
    return -torch.log(real_logits).mean() - torch.log(1 - fake_logits).mean()


@wrong("3.1", rejected_by="value_at_chance", says="labels and logits are swapped")
def labels_first(real_logits, fake_logits):
    criterion = nn.BCEWithLogitsLoss()
    real_loss = criterion(torch.ones_like(real_logits), real_logits)
    return real_loss + criterion(torch.zeros_like(fake_logits), fake_logits)


@wrong("3.1", rejected_by="value_at_chance", says="labels and logits are swapped")
def labels_first_with_scores(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    real_loss = F.binary_cross_entropy(torch.ones_like(real), real)
    return real_loss + F.binary_cross_entropy(torch.zeros_like(fake), fake)


@wrong("3.1", rejected_by="matches_the_formula", says="smoothed to 0.9")
def smoothing_left_in(real_logits, fake_logits):
    labels = torch.full_like(real_logits, 0.9)
    real_loss = F.binary_cross_entropy_with_logits(real_logits, labels)
    fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real_loss + fake_loss


@wrong("3.1", rejected_by="matches_the_formula", says="both labels are smoothed")
def two_sided_smoothing(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.full_like(real_logits, 0.9))
    fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.full_like(fake_logits, 0.1))
    return real_loss + fake_loss


@wrong("3.1", rejected_by="value_at_chance", says="least-squares")
def least_squares(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake))


@wrong("3.1", rejected_by="value_at_chance", says="Wasserstein")
def wasserstein_critic(real_logits, fake_logits):
    return fake_logits.mean() - real_logits.mean()


@wrong("3.1", rejected_by="value_at_chance", says="relativistic")
def relativistic(real_logits, fake_logits):
    difference = real_logits - fake_logits
    return F.binary_cross_entropy_with_logits(difference, torch.ones_like(difference))


@wrong("3.1", rejected_by="value_at_chance", says="as if the images of a batch were classes")
def cross_entropy_without_binary(real_logits, fake_logits):
    real_loss = F.cross_entropy(real_logits, torch.ones_like(real_logits))
    return real_loss + F.cross_entropy(fake_logits, torch.zeros_like(fake_logits))


@wrong("3.1", rejected_by="matches_the_formula", says="softmax over the batch")
def softmax_in_place_of_sigmoid(real_logits, fake_logits):
    real, fake = torch.softmax(real_logits, dim=0), torch.softmax(fake_logits, dim=0)
    return -torch.log(real).mean() - torch.log(1 - fake).mean()


@wrong("3.1", rejected_by="value_at_chance", says="1 - log D is not log(1 - D)")
def one_minus_the_logarithm(real_logits, fake_logits):
    return -F.logsigmoid(real_logits).mean() - (1 - F.logsigmoid(fake_logits)).mean()


@wrong("3.1", rejected_by="value_at_chance", says="sigmoid of -logit")
def sigmoid_of_one_minus_the_logit(real_logits, fake_logits):
    return -(F.logsigmoid(real_logits) + F.logsigmoid(1 - fake_logits)).mean()


@wrong("3.1", rejected_by="matches_the_formula", says="fake label is -1")
def minus_one_for_fake(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    return real_loss + F.binary_cross_entropy_with_logits(
        fake_logits, -torch.ones_like(fake_logits)
    )


@wrong("3.1", rejected_by="matches_the_formula", says="changes from call to call")
def random_soft_labels(real_logits, fake_logits):
    real_labels = 0.7 + 0.5 * torch.rand_like(real_logits)
    fake_labels = 0.3 * torch.rand_like(fake_logits)
    real_loss = F.binary_cross_entropy_with_logits(real_logits, real_labels)
    return real_loss + F.binary_cross_entropy_with_logits(fake_logits, fake_labels)


@wrong("3.1", rejected_by="returns_one_number", says="labels are integers")
def integer_labels(real_logits, fake_logits):
    real_labels = torch.ones(real_logits.shape, dtype=torch.long)
    real_loss = F.binary_cross_entropy_with_logits(real_logits, real_labels)
    return real_loss + F.binary_cross_entropy_with_logits(fake_logits, 1 - real_labels)


@wrong("3.1", rejected_by="value_at_chance", says="log base 10")
def common_logarithm(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return -torch.log10(real).mean() - torch.log10(1 - fake).mean()


@wrong("3.1", rejected_by="matches_the_formula", says="logits are averaged first")
def loss_of_the_mean_logit(real_logits, fake_logits):
    return F.softplus(-real_logits.mean()) + F.softplus(fake_logits.mean())


@wrong("3.1", rejected_by="matches_the_formula", says="logarithm is taken of the mean")
def logarithm_of_the_mean_score(real_logits, fake_logits):
    d_x, d_g_z = torch.sigmoid(real_logits).mean(), torch.sigmoid(fake_logits).mean()
    return -torch.log(d_x) - torch.log(1 - d_g_z)


@wrong("3.1", rejected_by="returns_one_number", says="mean over the batch is missing")
def no_mean(real_logits, fake_logits):
    return F.softplus(-real_logits) + F.softplus(fake_logits)


@wrong("3.1", rejected_by="returns_one_number", says="return is missing")
def returns_nothing(real_logits, fake_logits):
    loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    print(loss)


@wrong("3.1", rejected_by="returns_one_number", says="not its parts")
def returns_the_parts_too(real_logits, fake_logits):
    real_loss, fake_loss = F.softplus(-real_logits).mean(), F.softplus(fake_logits).mean()
    return real_loss + fake_loss, real_loss, fake_loss


@wrong("3.1", rejected_by="returns_one_number", says="cuts the graph")
def returns_a_python_number(real_logits, fake_logits):
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()).item()


@wrong("3.1", rejected_by="returns_one_number", says="cuts the graph")
def returns_the_detached_loss(real_logits, fake_logits):
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()).detach()


@wrong("3.1", rejected_by="returns_one_number", says="cuts the graph")
def wrapped_in_a_new_tensor(real_logits, fake_logits):
    return torch.tensor(F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean())


@wrong("3.1", rejected_by="any_batch_shape", says="torch.ones_like(logits)")
def labels_of_shape_n(real_logits, fake_logits):
    n = real_logits.size(0)
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones(n))
    return real_loss + F.binary_cross_entropy_with_logits(fake_logits, torch.zeros(n))


@wrong("3.1", rejected_by="returns_one_number", says="torch.ones_like(logits)")
def labels_for_a_batch_of_64(real_logits, fake_logits):
    real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones(64))
    return real_loss + F.binary_cross_entropy_with_logits(fake_logits, torch.zeros(64))


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def bce_of_the_sigmoid(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    real_loss = F.binary_cross_entropy(real, torch.ones_like(real))
    return real_loss + F.binary_cross_entropy(fake, torch.zeros_like(fake))


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def logarithm_of_the_sigmoid(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return -(torch.log(real).mean() + torch.log(1 - fake).mean())


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def eps_inside_the_logarithm(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return -torch.mean(torch.log(real + 1e-8)) - torch.mean(torch.log(1 - fake + 1e-8))


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def eps_outside_the_logarithm(real_logits, fake_logits):
    eps = 1e-8
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return -(torch.log(real) + eps).mean() - (torch.log(1 - fake) + eps).mean()


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def clamped_scores(real_logits, fake_logits):
    real = torch.sigmoid(real_logits).clamp(1e-7, 1 - 1e-7)
    fake = torch.sigmoid(fake_logits).clamp(1e-7, 1 - 1e-7)
    return -real.log().mean() - (1 - fake).log().mean()


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="clamp")
def clamped_logits(real_logits, fake_logits):
    real_logits, fake_logits = real_logits.clamp(-50, 50), fake_logits.clamp(-50, 50)
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="exp")
def log1p_of_exp(real_logits, fake_logits):
    return torch.log1p(torch.exp(-real_logits)).mean() + torch.log1p(fake_logits.exp()).mean()


@wrong("3.1", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def where_hides_the_infinity_but_not_its_gradient(real_logits, fake_logits):
    def log_sigmoid(x):
        return torch.where(x < -30, x, torch.log(torch.sigmoid(x)))

    return -log_sigmoid(real_logits).mean() - log_sigmoid(-fake_logits).mean()


# 3.2 generator_loss_minimax: right, though different ------------------------------------------


@right("3.2")
def minus_softplus(fake_logits):
    return -F.softplus(fake_logits).mean()


@right("3.2")
def logsigmoid_of_minus(fake_logits):
    return torch.mean(F.logsigmoid(-fake_logits))


@right("3.2")
def negative_of_the_discriminators_half(fake_logits):
    criterion = nn.BCEWithLogitsLoss()
    return -1 * criterion(fake_logits.squeeze(), torch.zeros_like(fake_logits).squeeze())


@right("3.2")
def log_of_d_minus_the_logit(fake_logits):
    return (F.logsigmoid(fake_logits) - fake_logits).mean()


@right("3.2")
def log_softmax_of_two_classes(fake_logits):
    logits = fake_logits.reshape(-1)
    log_p = torch.log_softmax(torch.stack([torch.zeros_like(logits), logits], dim=1), dim=1)
    return log_p[:, 0].mean()


# 3.2 generator_loss_minimax: wrong ------------------------------------------------------------


@wrong("3.2", rejected_by="value_at_chance", says="sign is wrong")
def what_the_discriminator_minimises(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


@wrong("3.2", rejected_by="falls_when_d_is_fooled", says="sign is wrong")
def minus_of_logsigmoid_of_minus(fake_logits):
    return -F.logsigmoid(-fake_logits).mean()


@wrong("3.2", rejected_by="matches_the_formula", says="non-saturating")
def non_saturating_instead(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


@wrong("3.2", rejected_by="falls_when_d_is_fooled", says="must be of 1 - D")
def log_of_d(fake_logits):
    return F.logsigmoid(fake_logits).mean()


@wrong("3.2", rejected_by="value_at_chance", says="summed over the batch")
def minimax_summed(fake_logits):
    return -F.softplus(fake_logits).sum()


@wrong("3.2", rejected_by="value_at_chance", says="sigmoid is applied twice")
def minimax_sigmoid_twice(fake_logits):
    scores = torch.sigmoid(fake_logits)
    return -F.binary_cross_entropy_with_logits(scores, torch.zeros_like(scores))


@wrong("3.2", rejected_by="value_at_chance", says="logarithm is missing")
def mean_of_one_minus_d(fake_logits):
    return (1 - torch.sigmoid(fake_logits)).mean()


@wrong("3.2", rejected_by="matches_the_formula", says="sigmoid is missing")
def log_of_one_minus_the_logit(fake_logits):
    return torch.log(1 - fake_logits).mean()


@wrong("3.2", rejected_by="matches_the_formula", says="take the mean of the logarithms")
def log_of_one_minus_mean_score(fake_logits):
    return torch.log(1 - torch.sigmoid(fake_logits).mean())


@wrong("3.2", rejected_by="matches_the_formula", says="logits are averaged first")
def minimax_of_the_mean_logit(fake_logits):
    return F.logsigmoid(-fake_logits.mean())


@wrong("3.2", rejected_by="value_at_chance", says="1 - log D is not log(1 - D)")
def one_minus_mean_log_of_d(fake_logits):
    return 1 - F.logsigmoid(fake_logits).mean()


@wrong("3.2", rejected_by="returns_one_number", says="torch's functions")
def with_math_log(fake_logits):
    return math.log(1 - torch.sigmoid(fake_logits))


@wrong("3.2", rejected_by="returns_one_number", says="shape (N,)")
def first_column(fake_logits):
    return F.logsigmoid(-fake_logits[:, 0]).mean()


@wrong("3.2", rejected_by="returns_one_number", says="name ends in _")
def overwriting_the_logits(fake_logits):
    return torch.log(1 - fake_logits.sigmoid_()).mean()


@wrong("3.2", rejected_by="returns_one_number", says="mean over the batch is missing")
def minimax_without_mean(fake_logits):
    return -F.softplus(fake_logits)


@wrong("3.2", rejected_by="any_batch_shape", says="torch.ones_like(logits)")
def minimax_labels_of_shape_n(fake_logits):
    return -F.binary_cross_entropy_with_logits(fake_logits, torch.zeros(len(fake_logits)))


@wrong("3.2", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def log_of_one_minus_sigmoid(fake_logits):
    return torch.log(1 - torch.sigmoid(fake_logits)).mean()


@wrong("3.2", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def log_of_one_minus_sigmoid_plus_eps(fake_logits):
    return torch.log(1 - torch.sigmoid(fake_logits) + 1e-10).mean()


@wrong("3.2", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def minus_bce_loss(fake_logits):
    scores = torch.sigmoid(fake_logits)
    return -nn.BCELoss()(scores, torch.zeros_like(scores))


# 3.3 generator_loss: right, though different --------------------------------------------------


@right("3.3")
def label_one(fake_logits):
    return nn.BCEWithLogitsLoss()(fake_logits, torch.ones_like(fake_logits))


@right("3.3")
def softplus_of_minus(fake_logits):
    return F.softplus(-fake_logits).mean()


@right("3.3")
def minus_mean_logsigmoid(fake_logits):
    return -nn.LogSigmoid()(fake_logits).mean()


@right("3.3")
def labels_broadcast_against_flat_logits(fake_logits):
    fake_logits = fake_logits.flatten()
    target = torch.ones(1).expand(fake_logits.size(0))
    return F.binary_cross_entropy_with_logits(fake_logits, target, reduction="none").mean()


@right("3.3")
def one_hot_of_two_classes(fake_logits):
    logits = fake_logits.flatten()
    two_classes = torch.stack([torch.zeros_like(logits), logits], dim=-1)
    target = F.one_hot(torch.ones(len(logits), dtype=torch.long), num_classes=2)
    return -(target * F.log_softmax(two_classes, dim=-1)).sum(dim=-1).mean()


# 3.3 generator_loss: wrong --------------------------------------------------------------------


@wrong("3.3", rejected_by="falls_when_d_is_fooled", says="flip the label")
def label_not_flipped(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


@wrong("3.3", rejected_by="gradient_survives_a_sure_discriminator", says="minimax")
def minimax_instead(fake_logits):
    return F.logsigmoid(-fake_logits).mean()


@wrong("3.3", rejected_by="value_at_chance", says="minus is missing")
def log_of_d_without_minus(fake_logits):
    return F.logsigmoid(fake_logits).mean()


@wrong("3.3", rejected_by="value_at_chance", says="summed over the batch")
def non_saturating_summed(fake_logits):
    return F.binary_cross_entropy_with_logits(
        fake_logits, torch.ones_like(fake_logits), reduction="sum"
    )


@wrong("3.3", rejected_by="gradient_survives_a_sure_discriminator", says="applied twice")
def non_saturating_sigmoid_twice(fake_logits):
    scores = torch.sigmoid(fake_logits)
    return F.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))


@wrong("3.3", rejected_by="matches_the_formula", says="smoothed to 0.9")
def target_smoothed_too(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.full_like(fake_logits, 0.9))


@wrong("3.3", rejected_by="value_at_chance", says="labels and logits are swapped")
def non_saturating_labels_first(fake_logits):
    return F.binary_cross_entropy_with_logits(torch.ones_like(fake_logits), fake_logits)


@wrong("3.3", rejected_by="matches_the_formula", says="sigmoid is missing")
def log_of_the_logit(fake_logits):
    return -torch.log(fake_logits).mean()


@wrong("3.3", rejected_by="value_at_chance", says="least-squares")
def least_squares_for_the_generator(fake_logits):
    scores = torch.sigmoid(fake_logits)
    return F.mse_loss(scores, torch.ones_like(scores))


@wrong("3.3", rejected_by="value_at_chance", says="Wasserstein")
def wasserstein_generator(fake_logits):
    return -torch.mean(fake_logits)


@wrong("3.3", rejected_by="returns_one_number", says="cuts the graph")
def under_no_grad(fake_logits):
    with torch.no_grad():
        return F.softplus(-fake_logits).mean()


@wrong("3.3", rejected_by="returns_one_number", says="cuts the graph")
def fake_logits_detached_for_the_generator(fake_logits):
    return F.softplus(-fake_logits.detach()).mean()


@wrong("3.3", rejected_by="returns_one_number", says="torch's functions")
def in_numpy(fake_logits):
    return np.log1p(np.exp(-fake_logits.numpy())).mean()


@wrong("3.3", rejected_by="returns_one_number", says="cuts the graph")
def in_numpy_after_detach(fake_logits):
    return np.log1p(np.exp(-fake_logits.detach().numpy())).mean()


@wrong("3.3", rejected_by="any_batch_shape", says="torch.ones_like(logits)")
def non_saturating_labels_of_shape_n_1(fake_logits):
    if fake_logits.dim() == 1:
        fake_logits = fake_logits.unsqueeze(1)
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones(fake_logits.size(0), 1))


@wrong("3.3", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def minus_log_of_the_sigmoid(fake_logits):
    return -torch.log(torch.sigmoid(fake_logits)).mean()


@wrong("3.3", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def minus_log_of_the_sigmoid_plus_eps(fake_logits):
    return -torch.log(torch.sigmoid(fake_logits) + 1e-8).mean()


@wrong("3.3", rejected_by="exact_at_extreme_logits", says="stay with the logits")
def bce_loss_of_the_sigmoid(fake_logits):
    scores = torch.sigmoid(fake_logits)
    return F.binary_cross_entropy(scores, torch.ones_like(scores))
