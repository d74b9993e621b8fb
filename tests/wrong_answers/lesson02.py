"""Answers to lesson 2: the value, the best D and the divergence as students write them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong

# 2.1 value_function: right, though different ---------------------------------------------------


@right("2.1")
def one_xlogy_of_both(d, p_data, p_g):
    return (torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).sum()


@right("2.1")
def masks_of_each_side(d, p_data, p_g):
    real, fake = p_data > 0, p_g > 0
    data_side = (p_data[real] * torch.log(d[real])).sum()
    return data_side + (p_g[fake] * torch.log(1 - d[fake])).sum()


@right("2.1")
def torch_where_with_zeros(d, p_data, p_g):
    real = torch.where(p_data > 0, p_data * d.log(), torch.zeros_like(d))
    fake = torch.where(p_g > 0, p_g * (1 - d).log(), torch.zeros_like(d))
    return torch.sum(real + fake)


@right("2.1")
def value_by_value(d, p_data, p_g):
    total = 0.0 * p_g.sum()
    for score, p, q in zip(d, p_data, p_g, strict=True):
        if p > 0:
            total = total + p * torch.log(score)
        if q > 0:
            total = total + q * torch.log(1 - score)
    return total


@right("2.1")
def xlog1py_and_dot(d, p_data, p_g):
    nothing = torch.zeros_like(d)
    log_d = torch.where(p_data == 0, nothing, d.log())
    return torch.dot(p_data, log_d) + torch.special.xlog1py(p_g, -d).sum()


@right("2.1")
def nan_to_num_that_keeps_infinity(d, p_data, p_g):
    terms = torch.stack([p_data * torch.log(d), p_g * torch.log(1 - d)])
    return torch.nan_to_num(terms, nan=0.0, neginf=-math.inf).sum()


@right("2.1")
def nansum(d, p_data, p_g):
    return torch.nansum(p_data * d.log()) + torch.nansum(p_g * (1 - d).log())


@right("2.1")
def in_double_precision_and_back(d, p_data, p_g):
    d, p, q = d.double(), p_data.double(), p_g.double()
    print("scores", d)
    value = torch.special.xlogy(p, d).sum() + torch.special.xlogy(q, 1 - d).sum()
    return value.to(p_data.dtype)


# 2.1 value_function: wrong ---------------------------------------------------------------------


@wrong("2.1", rejected_by="value_of_no_idea", says="mean over the kinds")
def mean_over_the_values(d, p_data, p_g):
    return (torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).mean()


@wrong("2.1", rejected_by="returns_one_number", says="weigh each kind")
def mean_as_over_a_batch(d, p_data, p_g):
    return torch.log(d).mean() + torch.log(1 - d).mean()


@wrong("2.1", rejected_by="matches_the_formula", says="two sides are swapped")
def sides_swapped(d, p_data, p_g):
    return torch.xlogy(p_g, d).sum() + torch.xlogy(p_data, 1 - d).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="this is the loss that D makes small")
def minus_from_lesson_three(d, p_data, p_g):
    return -(torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="log2")
def logarithm_to_base_two(d, p_data, p_g):
    return (p_data * torch.log2(d) + p_g * torch.log2(1 - d)).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="log10")
def logarithm_to_base_ten(d, p_data, p_g):
    return (p_data * torch.log10(d) + p_g * torch.log10(1 - d)).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="half of V")
def mean_of_the_two_sides(d, p_data, p_g):
    return 0.5 * (torch.xlogy(p_data, d).sum() + torch.xlogy(p_g, 1 - d).sum())


@wrong("2.1", rejected_by="returns_one_number", says="generator's side is missing")
def data_side_only(d, p_data, p_g):
    return torch.xlogy(p_data, d).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="data's side is missing")
def second_line_overwrites_the_first(d, p_data, p_g):
    value = torch.xlogy(p_data, d).sum()
    value = torch.xlogy(p_g, 1 - d).sum()
    return value


@wrong("2.1", rejected_by="value_of_no_idea", says="subtracted")
def generator_side_subtracted(d, p_data, p_g):
    return (p_data * d.log()).sum() - (p_g * (1 - d).log()).sum()


@wrong("2.1", rejected_by="matches_the_formula", says="log d on both sides")
def log_d_twice(d, p_data, p_g):
    return torch.xlogy(p_data, d).sum() + torch.xlogy(p_g, d).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="1 - log d is not log(1 - d)")
def one_minus_the_logarithm(d, p_data, p_g):
    return (p_data * torch.log(d) + p_g * (1 - torch.log(d))).sum()


@wrong("2.1", rejected_by="returns_one_number", says="1 - p_data is not p_g")
def cross_entropy_with_p_data_as_label(d, p_data, p_g):
    return -F.binary_cross_entropy(d, p_data)


@wrong("2.1", rejected_by="returns_one_number", says="p_data is the weight on both sides")
def p_data_on_both_sides(d, p_data, p_g):
    return (p_data * (torch.log(d) + torch.log(1 - d))).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="logarithms are missing")
def without_logarithms(d, p_data, p_g):
    return (p_data * d + p_g * (1 - d)).sum()


@wrong("2.1", rejected_by="matches_the_formula", says="logarithm of a mean")
def logarithm_of_the_mean_score(d, p_data, p_g):
    return torch.log((p_data * d).sum()) + torch.log((p_g * (1 - d)).sum())


@wrong("2.1", rejected_by="value_of_no_idea", says="swallows the probability")
def parenthesis_too_far(d, p_data, p_g):
    return (torch.log(p_data * d) + torch.log(p_g * (1 - d))).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="no logit")
def scores_taken_for_logits(d, p_data, p_g):
    return (p_data * F.logsigmoid(d) + p_g * F.logsigmoid(-d)).sum()


@wrong("2.1", rejected_by="value_of_no_idea", says="log(1 + d)")
def log1p_without_a_minus(d, p_data, p_g):
    return (torch.xlogy(p_data, d) + p_g * torch.log1p(d)).sum()


@wrong("2.1", rejected_by="returns_one_number", says="sum over the kinds is missing")
def without_a_sum(d, p_data, p_g):
    return torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)


@wrong("2.1", rejected_by="returns_one_number", says="return the tensor itself")
def as_a_python_number(d, p_data, p_g):
    return (torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).sum().item()


@wrong("2.1", rejected_by="returns_one_number", says="return is missing")
def printed_only(d, p_data, p_g):
    print((torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).sum())


@wrong("2.1", rejected_by="returns_one_number", says="not its parts")
def both_sides_as_a_tuple(d, p_data, p_g):
    return torch.xlogy(p_data, d).sum(), torch.xlogy(p_g, 1 - d).sum()


@wrong("2.1", rejected_by="returns_one_number", says="cuts the graph")
def under_no_grad(d, p_data, p_g):
    with torch.no_grad():
        return (torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).sum()


@wrong("2.1", rejected_by="returns_one_number", says="cuts the graph")
def math_log_of_each_score(d, p_data, p_g):
    return sum(
        p * math.log(score) + q * math.log(1 - score)
        for score, p, q in zip(d, p_data, p_g, strict=True)
    )


@wrong("2.1", rejected_by="returns_one_number", says="gradients flow only through torch")
def in_numpy(d, p_data, p_g):
    d, p, q = d.numpy(), p_data.numpy(), p_g.numpy()
    return torch.tensor((p * np.log(d) + q * np.log(1 - d)).sum())


@wrong("2.1", rejected_by="returns_one_number", says="name ends in _")
def clamped_in_place(d, p_data, p_g):
    d.clamp_(1e-7, 1 - 1e-7)
    return (p_data * d.log() + p_g * (1 - d).log()).sum()


@wrong("2.1", rejected_by="returns_one_number", says="cuts the graph")
def scores_detached_on_one_side(d, p_data, p_g):
    return (torch.xlogy(p_data, d.detach()) + torch.xlogy(p_g, 1 - d)).sum()


@wrong("2.1", rejected_by="nothing_where_nobody_goes", says="0 · log 0")
def as_on_paper(d, p_data, p_g):
    return (p_data * torch.log(d)).sum() + (p_g * torch.log(1 - d)).sum()


@wrong("2.1", rejected_by="nothing_where_nobody_goes", says="0 · log 0")
def eps_outside_the_logarithm(d, p_data, p_g):
    eps = 1e-8
    return (p_data * (torch.log(d) + eps) + p_g * (torch.log(1 - d) + eps)).sum()


@wrong("2.1", rejected_by="nothing_where_nobody_goes", says="mask each side alone")
def one_mask_for_both(d, p_data, p_g):
    seen = (p_data > 0) & (p_g > 0)
    return (p_data * d.log() + p_g * (1 - d).log())[seen].sum()


@wrong("2.1", rejected_by="exact_where_d_is_sure", says="cuts the logarithm off")
def eps_inside_the_logarithm(d, p_data, p_g):
    eps = 1e-8
    return (p_data * torch.log(d + eps) + p_g * torch.log(1 - d + eps)).sum()


@wrong("2.1", rejected_by="exact_where_d_is_sure", says="cuts the logarithm off")
def scores_clamped(d, p_data, p_g):
    d = d.clamp(1e-12, 1 - 1e-12)
    return (p_data * torch.log(d) + p_g * torch.log(1 - d)).sum()


@wrong("2.1", rejected_by="exact_where_d_is_sure", says="stops at -100")
def weighted_bce(d, p_data, p_g):
    real = F.binary_cross_entropy(d, torch.ones_like(d), weight=p_data, reduction="sum")
    return -real - F.binary_cross_entropy(d, torch.zeros_like(d), weight=p_g, reduction="sum")


@wrong("2.1", rejected_by="exact_where_d_is_sure", says="where the probability is 0, and")
def masked_by_the_score(d, p_data, p_g):
    log_d = torch.where(d > 0, d.log(), torch.zeros_like(d))
    log_not_d = torch.where(d < 1, (1 - d).log(), torch.zeros_like(d))
    return (p_data * log_d + p_g * log_not_d).sum()


@wrong("2.1", rejected_by="exact_where_d_is_sure", says="nan_to_num")
def nan_to_num_with_its_defaults(d, p_data, p_g):
    return (
        torch.nan_to_num(p_data * d.log() + 0).sum() + torch.nan_to_num(p_g * (1 - d).log()).sum()
    )


@wrong("2.1", rejected_by="exact_where_d_is_sure", says="computed in float32")
def computed_in_float32(d, p_data, p_g):
    d, p, q = d.float(), p_data.float(), p_g.float()
    return torch.xlogy(p, d).sum() + torch.xlogy(q, 1 - d).sum()


# 2.2 optimal_discriminator: right, though different --------------------------------------------


@right("2.2")
def divided_then_repaired(p_data, p_g):
    d = p_data / (p_data + p_g)
    d[torch.isnan(d)] = 0.5
    return d


@right("2.2")
def nan_to_num_with_a_half(p_data, p_g):
    return torch.nan_to_num(p_data / (p_data + p_g), nan=0.5)


@right("2.2")
def started_from_halves(p_data, p_g):
    best = torch.full_like(p_data, 0.5)
    seen = (p_data + p_g) != 0
    best[seen] = p_data[seen] / (p_data[seen] + p_g[seen])
    return best


@right("2.2")
def one_over_one_plus_the_ratio(p_data, p_g):
    return (1 / (1 + p_g / p_data)).nan_to_num(0.5)


@right("2.2")
def sigmoid_of_the_logit(p_data, p_g):
    logit = torch.log(p_data) - torch.log(p_g)
    return torch.where((p_data == 0) & (p_g == 0), torch.full_like(logit, 0.5), logit.sigmoid())


@right("2.2")
def listed_value_by_value(p_data, p_g):
    best = []
    for p, q in zip(p_data.tolist(), p_g.tolist(), strict=True):
        best.append(p / (p + q) if p + q > 0 else 0.5)
    return torch.tensor(best, dtype=p_data.dtype)


@right("2.2")
def one_minus_the_share_of_g(p_data, p_g):
    nobody = (p_data == 0) & (p_g == 0)
    return 1 - torch.where(nobody, 0.5, p_g / (p_data + p_g))


@right("2.2")
def in_numpy_and_back(p_data, p_g):
    p, q = p_data.numpy(), p_g.numpy()
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.where(p + q > 0, p / (p + q), 0.5).astype(p.dtype))


# 2.2 optimal_discriminator: wrong --------------------------------------------------------------


@wrong("2.2", rejected_by="no_other_d_is_better", says="p_g stands above the line")
def share_of_the_generator(p_data, p_g):
    return torch.where(p_data + p_g > 0, p_g / (p_data + p_g), 0.5)


@wrong("2.2", rejected_by="one_score_for_each_kind", says="ratio")
def ratio_of_the_two(p_data, p_g):
    return p_data / p_g


@wrong("2.2", rejected_by="half_at_equality", says="hard yes or no")
def hard_decision(p_data, p_g):
    return (p_data > p_g).to(p_data.dtype)


@wrong("2.2", rejected_by="no_other_d_is_better", says="hard yes or no")
def hard_decision_with_a_half(p_data, p_g):
    return (torch.sign(p_data - p_g) + 1) / 2


@wrong("2.2", rejected_by="one_score_for_each_kind", says="comparison")
def a_comparison(p_data, p_g):
    return p_data >= p_g


@wrong("2.2", rejected_by="one_score_for_each_kind", says="difference")
def difference_of_the_two(p_data, p_g):
    return p_data - p_g


@wrong("2.2", rejected_by="half_at_equality", says="need not add up to 1")
def scores_made_a_distribution(p_data, p_g):
    d = p_data / (p_data + p_g)
    return d / d.sum()


@wrong("2.2", rejected_by="half_at_equality", says="no softmax over the kinds")
def softmax_over_the_values(p_data, p_g):
    return torch.softmax(p_data / (p_data + p_g), dim=0)


@wrong("2.2", rejected_by="half_at_equality", says="p_data itself")
def p_data_as_score(p_data, p_g):
    return p_data


@wrong("2.2", rejected_by="no_other_d_is_better", says="only where p_data = p_g")
def half_everywhere(p_data, p_g):
    return torch.full_like(p_data, 0.5)


@wrong("2.2", rejected_by="half_at_equality", says="each kind has its own")
def one_denominator_for_all(p_data, p_g):
    return p_data / (p_data + p_g).sum()


@wrong("2.2", rejected_by="half_at_equality", says="average of the two distributions")
def average_of_the_two(p_data, p_g):
    return (p_data + p_g) / 2


@wrong("2.2", rejected_by="one_score_for_each_kind", says="its sigmoid")
def logit_of_the_best(p_data, p_g):
    return torch.log(p_data / p_g)


@wrong("2.2", rejected_by="one_score_for_each_kind", says="this is log D")
def logarithm_of_the_best(p_data, p_g):
    return torch.log(p_data) - torch.log(p_data + p_g)


@wrong("2.2", rejected_by="no_other_d_is_better", says="compare the probabilities themselves")
def softmax_of_the_pair(p_data, p_g):
    return torch.softmax(torch.stack([p_data, p_g]), dim=0)[0]


@wrong("2.2", rejected_by="no_other_d_is_better", says="compare the probabilities themselves")
def sigmoid_of_the_difference(p_data, p_g):
    return torch.sigmoid(p_data - p_g)


@wrong("2.2", rejected_by="half_at_equality", says="lesson 8")
def smoothed_labels(p_data, p_g):
    return 0.9 * p_data / (p_data + p_g)


@wrong("2.2", rejected_by="half_at_equality", says="sigmoid of the ratio")
def sigmoid_of_the_ratio(p_data, p_g):
    return torch.sigmoid(p_data / p_g)


@wrong("2.2", rejected_by="one_score_for_each_kind", says="one dimension too many")
def a_column(p_data, p_g):
    return torch.nan_to_num(p_data / (p_data + p_g), nan=0.5).unsqueeze(1)


@wrong("2.2", rejected_by="no_other_d_is_better", says="squares")
def squares_compared(p_data, p_g):
    return p_data**2 / (p_data**2 + p_g**2)


@wrong("2.2", rejected_by="one_score_for_each_kind", says="do not sum over the kinds")
def one_score_for_all(p_data, p_g):
    return p_data.sum() / (p_data.sum() + p_g.sum())


@wrong("2.2", rejected_by="one_score_for_each_kind", says="return the tensor itself")
def a_list(p_data, p_g):
    return [
        p / (p + q) if p + q > 0 else 0.5
        for p, q in zip(p_data.tolist(), p_g.tolist(), strict=True)
    ]


@wrong("2.2", rejected_by="one_score_for_each_kind", says="dtype=p_data.dtype")
def default_dtype(p_data, p_g):
    pairs = zip(p_data.tolist(), p_g.tolist(), strict=True)
    return torch.tensor([p / (p + q) if p + q > 0 else 0.5 for p, q in pairs])


@wrong("2.2", rejected_by="one_score_for_each_kind", says="name ends in _")
def divided_in_place(p_data, p_g):
    return p_data.div_(p_data + p_g).nan_to_num(0.5)


@wrong("2.2", rejected_by="one_score_for_each_kind", says="name ends in _")
def added_in_place(p_data, p_g):
    p_g += p_data
    return torch.where(p_g > 0, p_data / p_g, 0.5)


@wrong("2.2", rejected_by="where_one_never_goes", says="0 / 0 is nan")
def plain_division(p_data, p_g):
    return p_data / (p_data + p_g)


@wrong("2.2", rejected_by="where_one_never_goes", says="another score than ½")
def zero_where_nobody_goes(p_data, p_g):
    return torch.nan_to_num(p_data / (p_data + p_g))


@wrong("2.2", rejected_by="where_one_never_goes", says="½ is for both being 0")
def half_where_no_real_face_is(p_data, p_g):
    return torch.where(p_data > 0, p_data / (p_data + p_g), 0.5)


@wrong("2.2", rejected_by="no_other_d_is_better", says="eps")
def eps_below_the_line(p_data, p_g):
    return p_data / (p_data + p_g + 1e-8)


@wrong("2.2", rejected_by="no_other_d_is_better", says="eps")
def eps_on_both(p_data, p_g):
    return (p_data + 1e-10) / (p_data + p_g + 2e-10)


@wrong("2.2", rejected_by="no_other_d_is_better", says="clamp")
def clamped_scores(p_data, p_g):
    return (p_data / (p_data + p_g)).nan_to_num(0.5).clamp(1e-6, 1 - 1e-6)


@wrong("2.2", rejected_by="no_other_d_is_better", says="only roughly")
def best_of_a_grid(p_data, p_g):
    grid = torch.linspace(0.001, 0.999, 999, dtype=p_data.dtype)[:, None]
    value = torch.xlogy(p_data, grid) + torch.xlogy(p_g, 1 - grid)
    return grid[value.argmax(dim=0), 0]


# 2.3 js_divergence: right, though different ----------------------------------------------------


@right("2.3")
def kl_as_a_helper(p, q):
    def kl(a, b):
        seen = a > 0
        return (a[seen] * torch.log(a[seen] / b[seen])).sum()

    m = 0.5 * (p + q)
    return 0.5 * kl(p, m) + 0.5 * kl(q, m)


@right("2.3")
def from_entropies(p, q):
    entr = torch.special.entr
    return entr((p + q) / 2).sum() - (entr(p).sum() + entr(q).sum()) / 2


@right("2.3")
def functional_kl_div_with_a_mask(p, q):
    seen = (p + q) > 0
    log_m = torch.log((p[seen] + q[seen]) / 2)
    first = F.kl_div(log_m, p[seen], reduction="sum")
    return (first + F.kl_div(log_m, q[seen], reduction="sum")) / 2


@right("2.3")
def by_way_of_the_value(p, q):
    d = torch.nan_to_num(p / (p + q), nan=0.5)
    value = (torch.xlogy(p, d) + torch.xlogy(q, 1 - d)).sum()
    return value / 2 + math.log(2)


@right("2.3")
def ratio_with_nansum(p, q):
    m = (p + q) / 2
    return torch.nansum(p * torch.log(p / m)) / 2 + torch.nansum(q * torch.log(q / m)) / 2


@right("2.3")
def value_after_value(p, q):
    total = torch.zeros((), dtype=p.dtype)
    for a, b in zip(p, q, strict=True):
        m = (a + b) / 2
        for part in (a, b):
            if part > 0:
                total = total + 0.5 * part * torch.log(part / m)
    return total


@right("2.3")
def in_float64_by_numpy(p, q):
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    m = (a + b) / 2
    halves = [np.sum(x[x > 0] * np.log(x[x > 0] / m[x > 0])) for x in (a, b)]
    return torch.tensor(sum(halves) / 2)


# 2.3 js_divergence: wrong ----------------------------------------------------------------------


@wrong("2.3", rejected_by="symmetric_and_bounded", says="KL(p ‖ q)")
def kl_of_p_and_q(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


@wrong("2.3", rejected_by="ln_2_without_overlap", says="mean of KL(p ‖ q) and KL(q ‖ p)")
def symmetrised_kl(p, q):
    def kl(a, b):
        return (torch.xlogy(a, a) - torch.xlogy(a, b)).sum()

    return (kl(p, q) + kl(q, p)) / 2


@wrong("2.3", rejected_by="ln_2_without_overlap", says="Jensen-Shannon distance")
def square_root(p, q):
    m = (p + q) / 2
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()
    kl_q = (torch.xlogy(q, q) - torch.xlogy(q, m)).sum()
    return torch.sqrt(((kl_p + kl_q) / 2).clamp(min=0))


@wrong("2.3", rejected_by="zero_for_equal", says="mixture is the sum p + q")
def mixture_is_the_sum(p, q):
    m = p + q
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()
    return (kl_p + (torch.xlogy(q, q) - torch.xlogy(q, m)).sum()) / 2


@wrong("2.3", rejected_by="zero_for_equal", says="mixture is the sum p + q")
def half_of_both_without_the_half_in_m(p, q):
    m = p + q
    return 0.5 * (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).nansum()


@wrong("2.3", rejected_by="zero_for_equal", says="parentheses are missing")
def precedence_of_the_half(p, q):
    m = p + q / 2
    return 0.5 * (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).nansum()


@wrong("2.3", rejected_by="ln_2_without_overlap", says="a square root of bits")
def distance_in_bits(p, q):
    m = (p + q) / 2
    bits = (torch.nansum(p * torch.log2(p / m)) + torch.nansum(q * torch.log2(q / m))) / 2
    return bits.clamp(min=0).sqrt()


@wrong("2.3", rejected_by="ln_2_without_overlap", says="½ is missing")
def sum_of_the_two_kl(p, q):
    m = (p + q) / 2
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()
    return kl_p + (torch.xlogy(q, q) - torch.xlogy(q, m)).sum()


@wrong("2.3", rejected_by="symmetric_and_bounded", says="½ is missing")
def sum_of_the_two_kl_with_log_of_ratio(p, q):
    m = (p + q) / 2
    return (p * (p / m).log()).nansum() + (q * (q / m).log()).nansum()


@wrong("2.3", rejected_by="ln_2_without_overlap", says="log2")
def in_bits(p, q):
    m = (p + q) / 2
    return (torch.nansum(p * torch.log2(p / m)) + torch.nansum(q * torch.log2(q / m))) / 2


@wrong("2.3", rejected_by="half_of_each_kl", says="mean over the kinds")
def mean_over_all_values(p, q):
    m = (p + q) / 2
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).mean()
    return (kl_p + (torch.xlogy(q, q) - torch.xlogy(q, m)).mean()) / 2


@wrong("2.3", rejected_by="half_of_each_kl", says="mean over the kinds")
def kl_div_with_batchmean(p, q):
    log_m = torch.log((p + q) / 2)
    first = F.kl_div(log_m, p, reduction="batchmean")
    return (first + F.kl_div(log_m, q, reduction="batchmean")) / 2


@wrong("2.3", rejected_by="half_of_each_kl", says="KL(b ‖ a)")
def kl_div_the_other_way_round(p, q):
    m = (p + q) / 2
    first = F.kl_div(p.log(), m, reduction="sum")
    return (first + F.kl_div(q.log(), m, reduction="sum")) / 2


@wrong("2.3", rejected_by="zero_for_equal", says="takes a logarithm")
def kl_div_of_probabilities(p, q):
    m = (p + q) / 2
    first = F.kl_div(m, p, reduction="sum")
    return (first + F.kl_div(m, q, reduction="sum")) / 2


@wrong("2.3", rejected_by="zero_for_equal", says="takes a logarithm")
def kl_div_of_probabilities_backwards(p, q):
    m = (p + q) / 2
    first = F.kl_div(p, m, reduction="sum")
    return (first + F.kl_div(q, m, reduction="sum")) / 2


@wrong("2.3", rejected_by="symmetric_and_bounded", says="the sign")
def sign_forgotten(p, q):
    entr = torch.special.entr
    return (entr(p).sum() + entr(q).sum()) / 2 - entr((p + q) / 2).sum()


@wrong("2.3", rejected_by="zero_for_equal", says="2·JSD - 2·ln 2")
def value_of_the_best_d(p, q):
    d = torch.nan_to_num(p / (p + q), nan=0.5)
    return (torch.xlogy(p, d) + torch.xlogy(q, 1 - d)).sum()


@wrong("2.3", rejected_by="symmetric_and_bounded", says="half of q is missing")
def only_the_half_of_p(p, q):
    m = (p + q) / 2
    return (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()


@wrong("2.3", rejected_by="ln_2_without_overlap", says="subtracted")
def difference_of_the_two_kl(p, q):
    m = (p + q) / 2
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()
    return (kl_p - (torch.xlogy(q, q) - torch.xlogy(q, m)).sum()) / 2


@wrong("2.3", rejected_by="zero_for_equal", says="factor ½")
def entropies_without_the_half(p, q):
    entr = torch.special.entr
    return entr((p + q) / 2).sum() - entr(p).sum() - entr(q).sum()


@wrong("2.3", rejected_by="half_of_each_kl", says="geometric mean")
def geometric_mixture(p, q):
    m = torch.sqrt(p * q)
    m = m / m.sum()
    kl_p = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum()
    return (kl_p + (torch.xlogy(q, q) - torch.xlogy(q, m)).sum()) / 2


@wrong("2.3", rejected_by="ln_2_without_overlap", says="total variation")
def total_variation(p, q):
    return (p - q).abs().sum() / 2


@wrong("2.3", rejected_by="ln_2_without_overlap", says="probabilities already")
def softmax_first(p, q):
    p, q = torch.softmax(p, 0), torch.softmax(q, 0)
    m = (p + q) / 2
    return ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2


@wrong("2.3", rejected_by="ln_2_without_overlap", says="0 · log 0")
def as_written_on_paper(p, q):
    m = (p + q) / 2
    return ((p * torch.log(p / m)).sum() + (q * torch.log(q / m)).sum()) / 2


@wrong("2.3", rejected_by="ln_2_without_overlap", says="for each logarithm by itself")
def xlogy_of_the_ratio(p, q):
    m = (p + q) / 2
    return (torch.xlogy(p, p / m).sum() + torch.xlogy(q, q / m).sum()) / 2


@wrong("2.3", rejected_by="half_of_each_kl", says="eps")
def eps_in_the_logarithms(p, q):
    eps, m = 1e-8, (p + q) / 2
    kl_p = (p * torch.log((p + eps) / (m + eps))).sum()
    return (kl_p + (q * torch.log((q + eps) / (m + eps))).sum()) / 2


@wrong("2.3", rejected_by="zero_for_equal", says="sum over the kinds is missing")
def not_summed(p, q):
    m = (p + q) / 2
    return (torch.xlogy(p, p) - torch.xlogy(p, m) + torch.xlogy(q, q) - torch.xlogy(q, m)) / 2


@wrong("2.3", rejected_by="zero_for_equal", says="return the tensor itself")
def a_python_number(p, q):
    entr = torch.special.entr
    return (entr((p + q) / 2).sum() - (entr(p).sum() + entr(q).sum()) / 2).item()


@wrong("2.3", rejected_by="ln_2_without_overlap", says="overwrites its argument")
def zeros_replaced_in_place(p, q):
    p[p == 0] = 1e-10
    q[q == 0] = 1e-10
    m = (p + q) / 2
    return ((p * torch.log(p / m)).sum() + (q * torch.log(q / m)).sum()) / 2


@wrong("2.3", rejected_by="ln_2_without_overlap", says="only one of the two makes")
def masked_by_both(p, q):
    seen = (p > 0) & (q > 0)
    p, q = p[seen], q[seen]
    m = (p + q) / 2
    return ((p * torch.log(p / m)).sum() + (q * torch.log(q / m)).sum()) / 2
