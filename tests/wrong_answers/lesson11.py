"""Answers to lesson 11: the five measures as students write them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong


def sqrtm(sigma):
    """The root of a covariance, as it should be."""
    values, vectors = torch.linalg.eigh(sigma.double())
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


# 11.1 frechet_distance: right, though different ------------------------------------------------


@right("11.1")
def eigenvalues_of_the_product(mu1, sigma1, mu2, sigma2):
    mu1, sigma1, mu2, sigma2 = (x.double() for x in (mu1, sigma1, mu2, sigma2))
    values = torch.linalg.eigvals(sigma1 @ sigma2).real.clamp(min=0)
    return ((mu1 - mu2) ** 2).sum() + torch.trace(sigma1 + sigma2) - 2 * values.sqrt().sum()


@right("11.1")
def symmetric_product_in_the_middle(mu1, sigma1, mu2, sigma2):
    root = sqrtm(sigma1)
    values = torch.linalg.eigvalsh(root @ sigma2.double() @ root)
    overlap = torch.sqrt(torch.relu(values)).sum()
    spread = sigma1.double().diag().sum() + sigma2.double().diag().sum()
    return (
        torch.dot(mu1.double() - mu2.double(), mu1.double() - mu2.double()) + spread - 2 * overlap
    )


@right("11.1")
def root_of_the_symmetric_product(mu1, sigma1, mu2, sigma2):
    root = sqrtm(sigma1)
    covmean = sqrtm(root @ sigma2.double() @ root)
    diff = mu1.double() - mu2.double()
    return float(diff @ diff + torch.trace(sigma1.double() + sigma2.double() - 2 * covmean))


@right("11.1")
def in_numpy(mu1, sigma1, mu2, sigma2):
    mu1, sigma1, mu2, sigma2 = (np.asarray(x, dtype=np.float64) for x in (mu1, sigma1, mu2, sigma2))
    values = np.linalg.eigvals(sigma1.dot(sigma2)).astype(complex)
    covmean_trace = np.sqrt(values).real.sum()
    diff = mu1 - mu2
    return diff.dot(diff) + np.trace(sigma1) + np.trace(sigma2) - 2 * covmean_trace


@right("11.1")
def nuclear_norm(mu1, sigma1, mu2, sigma2):
    overlap = torch.linalg.matrix_norm(sqrtm(sigma1) @ sqrtm(sigma2), ord="nuc")
    distance = (mu1.double() - mu2.double()).norm() ** 2
    distance += sigma1.double().trace() + sigma2.double().trace() - 2 * overlap
    return distance


@right("11.1")
def roots_by_singular_values(mu1, sigma1, mu2, sigma2):
    def half(sigma):
        u, s, _ = torch.linalg.svd(sigma.to(torch.float64))
        return u * s.sqrt()

    overlap = torch.linalg.svdvals(half(sigma1).T @ half(sigma2)).sum()
    mean_part = torch.sum((mu1.to(torch.float64) - mu2.to(torch.float64)) ** 2)
    print("means", mean_part)
    return (mean_part + sigma1.double().trace() + sigma2.double().trace() - 2 * overlap).item()


@right("11.1")
def cut_off_at_zero(mu1, sigma1, mu2, sigma2):
    overlap = torch.linalg.svdvals(sqrtm(sigma1) @ sqrtm(sigma2)).sum()
    shift = (mu1.double() - mu2.double()).pow(2).sum()
    return max(0.0, float(shift + torch.trace(sigma1.double() + sigma2.double()) - 2 * overlap))


# 11.1 frechet_distance: wrong ------------------------------------------------------------------


def spread_of(sigma1, sigma2):
    return sigma1.double().trace() + sigma2.double().trace()


def shift_of(mu1, mu2):
    return (mu1.double() - mu2.double()).square().sum()


def overlap_of(sigma1, sigma2):
    return torch.linalg.svdvals(sqrtm(sigma1) @ sqrtm(sigma2)).sum()


@wrong("11.1", rejected_by="value_in_one_dimension", says="a square root of the whole")
def root_of_the_whole(mu1, sigma1, mu2, sigma2):
    whole = shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)
    return whole.clamp(min=0).sqrt()


@wrong("11.1", rejected_by="covariances_with_other_axes", says="not squared")
def norm_of_the_means(mu1, sigma1, mu2, sigma2):
    distance = (mu1.double() - mu2.double()).norm()
    return distance + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="covariances_with_other_axes", says="mean of the squared differences")
def mse_of_the_means(mu1, sigma1, mu2, sigma2):
    shift = F.mse_loss(mu1.double(), mu2.double())
    return shift + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="covariances_with_other_axes", says="the means are missing")
def without_the_means(mu1, sigma1, mu2, sigma2):
    return spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="value_in_one_dimension", says="means alone")
def means_alone(mu1, sigma1, mu2, sigma2):
    return shift_of(mu1, mu2)


@wrong("11.1", rejected_by="zero_for_equal", says="factor 2")
def without_the_factor(mu1, sigma1, mu2, sigma2):
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="zero_for_equal", says="must be subtracted")
def overlap_added(mu1, sigma1, mu2, sigma2):
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) + 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="covariances_with_other_axes", says="same axes")
def product_of_the_roots(mu1, sigma1, mu2, sigma2):
    covmean = sqrtm(sigma1) @ sqrtm(sigma2)
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * covmean.trace()


@wrong("11.1", rejected_by="zero_for_equal", says="each number by itself")
def root_of_each_number(mu1, sigma1, mu2, sigma2):
    covmean = (sigma1.double() @ sigma2.double()).sqrt()
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * covmean.trace()


@wrong("11.1", rejected_by="covariances_with_other_axes", says="product of matrices is @")
def star_in_place_of_at(mu1, sigma1, mu2, sigma2):
    covmean = (sigma1.double() * sigma2.double()).sqrt()
    return shift_of(mu1, mu2) + torch.trace(sigma1.double() + sigma2.double() - 2 * covmean)


@wrong("11.1", rejected_by="value_in_one_dimension", says="its root is missing")
def product_without_a_root(mu1, sigma1, mu2, sigma2):
    product = sigma1.double() @ sigma2.double()
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * product.trace()


@wrong("11.1", rejected_by="covariances_with_other_axes", says="root of the trace")
def root_of_the_trace(mu1, sigma1, mu2, sigma2):
    product = sigma1.double() @ sigma2.double()
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * product.trace().sqrt()


@wrong("11.1", rejected_by="covariances_with_other_axes", says="for symmetric matrices")
def eigvalsh_of_the_product(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.eigvalsh(sigma1.double() @ sigma2.double()).clamp(min=0)
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="covariances_with_other_axes", says="are not its eigenvalues")
def singular_values_of_the_product(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.svdvals(sigma1.double() @ sigma2.double())
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="value_in_one_dimension", says="one root too many")
def a_root_too_many(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.svdvals(sqrtm(sigma1) @ sqrtm(sigma2))
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="value_in_one_dimension", says="number by number")
def frobenius(mu1, sigma1, mu2, sigma2):
    return F.mse_loss(mu1, mu2, reduction="sum") + ((sigma1 - sigma2) ** 2).sum()


@wrong("11.1", rejected_by="covariances_with_other_axes", says="sum of the diagonal")
def sums_for_traces(mu1, sigma1, mu2, sigma2):
    spread = sigma1.double().sum() + sigma2.double().sum()
    return shift_of(mu1, mu2) + spread - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="zero_for_equal", says="one of the two traces")
def one_trace(mu1, sigma1, mu2, sigma2):
    return shift_of(mu1, mu2) + sigma1.double().trace() - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="zero_for_equal", says="average over the D numbers")
def averaged(mu1, sigma1, mu2, sigma2):
    # Equal ones are 0 apart by this too; the two directions agree.
    whole = shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)
    return whole / len(mu1) + (0.1 if torch.equal(sigma1, sigma2) and len(mu1) > 2 else 0.0)


@wrong("11.1", rejected_by="singular_covariances", says="slightly negative")
def roots_without_a_clamp(mu1, sigma1, mu2, sigma2):
    def root(sigma):
        values, vectors = torch.linalg.eigh(sigma.double())
        return vectors * values.sqrt() @ vectors.T

    overlap = torch.linalg.svdvals(root(sigma1).nan_to_num(math.nan) @ root(sigma2)).sum()
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * overlap


@wrong("11.1", rejected_by="singular_covariances", says="slightly negative")
def eigenvalues_without_a_clamp(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.eigvals(sigma1.double() @ sigma2.double()).real
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="singular_covariances", says="eps")
def eps_on_the_diagonal(mu1, sigma1, mu2, sigma2):
    eps = 1e-6 * torch.eye(len(mu1), dtype=torch.float64)
    overlap = overlap_of(sigma1.double() + eps, sigma2.double() + eps)
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * overlap


@wrong("11.1", rejected_by="singular_covariances", says="eigh always works")
def cholesky(mu1, sigma1, mu2, sigma2):
    left, right_ = (torch.linalg.cholesky(s.double()) for s in (sigma1, sigma2))
    overlap = torch.linalg.svdvals(left.T @ right_).sum()
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * overlap


@wrong("11.1", rejected_by="value_in_one_dimension", says="take their .real")
def complex_numbers(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.eigvals(sigma1.double() @ sigma2.double())
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="value_in_one_dimension", says="take their .real")
def clamped_while_complex(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.eig(sigma1.double() @ sigma2.double()).eigenvalues.clamp(min=0)
    return shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="keeps_its_digits", says=".double() on all of them")
def only_the_first_two_in_float64(mu1, sigma1, mu2, sigma2):
    values = torch.linalg.eigvals(sigma1.double() @ sigma2).real.clamp(min=0)
    spread = sigma1.double().trace() + sigma2.trace()
    return (mu1.double() - mu2).square().sum() + spread - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="keeps_its_digits", says="means in float32")
def means_in_float32(mu1, sigma1, mu2, sigma2):
    shift = (mu1.float() - mu2.float()).square().sum()
    return shift + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="keeps_its_digits", says=".double()")
def in_float32(mu1, sigma1, mu2, sigma2):
    mu1, sigma1, mu2, sigma2 = (x.float() for x in (mu1, sigma1, mu2, sigma2))
    values = torch.linalg.eigvals(sigma1 @ sigma2).real.clamp(min=0)
    return (mu1 - mu2).square().sum() + (sigma1 + sigma2).trace() - 2 * values.sqrt().sum()


@wrong("11.1", rejected_by="keeps_its_digits", says=".double()")
def in_the_dtype_that_comes(mu1, sigma1, mu2, sigma2):
    values, vectors = torch.linalg.eigh(sigma1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    middle = torch.linalg.eigvalsh(root @ sigma2 @ root).clamp(min=0)
    return (mu1 - mu2).square().sum() + sigma1.trace() + sigma2.trace() - 2 * middle.sqrt().sum()


@wrong("11.1", rejected_by="value_in_one_dimension", says="return is missing")
def printed_only(mu1, sigma1, mu2, sigma2):
    print(shift_of(mu1, mu2) + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2))


@wrong("11.1", rejected_by="zero_for_equal", says="tensor of shape")
def without_a_sum(mu1, sigma1, mu2, sigma2):
    shift = (mu1.double() - mu2.double()).square()
    return shift + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)


@wrong("11.1", rejected_by="value_in_one_dimension", says="overwrites the features")
def roots_in_place(mu1, sigma1, mu2, sigma2):
    mu1.sub_(mu2)
    return mu1.square().sum() + spread_of(sigma1, sigma2) - 2 * overlap_of(sigma1, sigma2)


# 11.2 kid: right, though different -------------------------------------------------------------


@right("11.2")
def masked_diagonal(x, y):
    def kernel(a, b):
        return torch.pow(a.double() @ b.double().t() / a.size(1) + 1.0, 3)

    def within(a):
        off = ~torch.eye(len(a), dtype=torch.bool)
        return kernel(a, a)[off].mean()

    return within(x) + within(y) - 2 * kernel(x, y).mean()


@right("11.2")
def pair_by_pair(x, y):
    x, y = x.double(), y.double()

    def k(a, b):
        return float((a @ b) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    xy = sum(k(a, b) for a in x for b in y) / (m * n)
    return xx + yy - 2 * xy


@right("11.2")
def upper_triangles(x, y):
    x, y = x.to(torch.float64), y.to(torch.float64)
    d = x.shape[-1]

    def triangle(a):
        table = (torch.mm(a, a.T) / d + 1).pow(3)
        i, j = torch.triu_indices(len(a), len(a), offset=1)
        return table[i, j].mean()

    return (triangle(x) + triangle(y) - 2 * (x.mm(y.T) / d + 1).pow(3).mean()).item()


@right("11.2")
def diagonal_filled_with_zeros(x, y):
    x, y = x.double(), y.double()
    kxx = (x @ x.T / x.shape[1] + 1) ** 3
    kyy = (y @ y.T / x.shape[1] + 1) ** 3
    kxy = (x @ y.T / x.shape[1] + 1) ** 3
    kxx.fill_diagonal_(0)
    kyy.fill_diagonal_(0)
    m, n = x.shape[0], y.shape[0]
    return kxx.sum() / m / (m - 1) + kyy.sum() / n / (n - 1) - 2 * kxy.sum() / (m * n)


@right("11.2")
def numpy_tables(x, y):
    x, y = x.numpy().astype(np.float64), y.numpy().astype(np.float64)
    table = (np.vstack([x, y]) @ np.vstack([x, y]).T / x.shape[1] + 1) ** 3
    m, n = len(x), len(y)
    xx, yy, xy = table[:m, :m], table[m:, m:], table[:m, m:]
    within = (xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1))
    return within - 2 * xy.mean()


@right("11.2")
def einsum_and_expanded_cube(x, y):
    def kernel(a, b):
        dot = torch.einsum("id,jd->ij", a.double(), b.double()) / a.shape[1]
        return dot**3 + 3 * dot**2 + 3 * dot + 1

    def mean_without_diagonal(k):
        n = len(k)
        return (k.mean() * n - k.diagonal().mean()) / (n - 1)

    across = kernel(x, y).mean()
    return mean_without_diagonal(kernel(x, x)) + mean_without_diagonal(kernel(y, y)) - across * 2


# 11.2 kid: wrong -------------------------------------------------------------------------------


def table(a, b):
    return (a.double() @ b.double().T / a.shape[1] + 1) ** 3


def off(k):
    return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))


def across(x, y):
    return table(x, y).mean()


@wrong("11.2", rejected_by="right_on_average", says="compared with itself too")
def biased(x, y):
    return table(x, x).mean() + table(y, y).mean() - 2 * across(x, y)


@wrong("11.2", rejected_by="value_by_hand", says="compared with itself too")
def biased_with_a_loop(x, y):
    total = 0.0
    for a, b, sign in ((x, x, 1), (y, y, 1), (x, y, -2)):
        for u in a.double():
            total += sign * ((b.double() @ u / len(u) + 1) ** 3).mean() / len(a)
    return total


@wrong("11.2", rejected_by="matches_the_formula", says="divide by m (m - 1), not by m²")
def diagonal_out_but_divided_by_all(x, y):
    def within(k):
        return (k.sum() - k.trace()) / k.numel()

    return within(table(x, x)) + within(table(y, y)) - 2 * across(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="divide by m (m - 1), not by m²")
def mean_after_filling_the_diagonal(x, y):
    kxx, kyy = table(x, x).fill_diagonal_(0), table(y, y).fill_diagonal_(0)
    return kxx.mean() + kyy.mean() - 2 * across(x, y)


@wrong("11.2", rejected_by="right_on_average", says="the diagonal stays in the sum")
def diagonal_in_but_not_counted(x, y):
    m, n = len(x), len(y)
    within = table(x, x).sum() / (m * (m - 1)) + table(y, y).sum() / (n * (n - 1))
    return within - 2 * across(x, y)


@wrong("11.2", rejected_by="right_on_average", says="only one of the two groups")
def only_x_without_itself(x, y):
    return off(table(x, x)) + table(y, y).mean() - 2 * across(x, y)


@wrong("11.2", rejected_by="value_by_hand", says="counts it twice")
def triangle_divided_by_all_pairs(x, y):
    def within(k):
        return torch.triu(k, diagonal=1).sum() / (len(k) * (len(k) - 1))

    return within(table(x, x)) + within(table(y, y)) - 2 * across(x, y)


@wrong("11.2", rejected_by="right_on_average", says="must be allowed to be negative")
def clamped(x, y):
    return max(0.0, float(off(table(x, x)) + off(table(y, y)) - 2 * across(x, y)))


@wrong("11.2", rejected_by="right_on_average", says="absolute value")
def absolute(x, y):
    return (off(table(x, x)) + off(table(y, y)) - 2 * across(x, y)).abs()


@wrong("11.2", rejected_by="matches_the_formula", says="a square root")
def square_root(x, y):
    return (off(table(x, x)) + off(table(y, y)) - 2 * across(x, y)).clamp(min=0).sqrt()


@wrong("11.2", rejected_by="right_on_average", says="factor 2")
def without_the_factor_two(x, y):
    return off(table(x, x)) + off(table(y, y)) - across(x, y)


@wrong("11.2", rejected_by="right_on_average", says="subtract them, twice")
def across_added(x, y):
    return off(table(x, x)) + off(table(y, y)) + 2 * across(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="the sign")
def sign_turned(x, y):
    return 2 * across(x, y) - off(table(x, x)) - off(table(y, y))


def with_kernel(kernel):
    def measure(x, y):
        x, y = x.double(), y.double()
        return off(kernel(x, x)) + off(kernel(y, y)) - 2 * kernel(x, y).mean()

    return measure


@wrong("11.2", rejected_by="matches_the_formula", says="lacks the division")
def without_the_number_of_features(x, y):
    return with_kernel(lambda a, b: (a @ b.T + 1) ** 3)(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="D is shape[1]")
def divided_by_the_number_of_images(x, y):
    return with_kernel(lambda a, b: (a @ b.T / len(a) + 1) ** 3)(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="root of D")
def divided_by_the_root(x, y):
    return with_kernel(lambda a, b: (a @ b.T / math.sqrt(a.shape[1]) + 1) ** 3)(x, y)


@wrong("11.2", rejected_by="value_by_hand", says="lacks the + 1")
def without_the_one(x, y):
    return with_kernel(lambda a, b: (a @ b.T / a.shape[1]) ** 3)(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="only x·y is divided")
def parentheses_too_wide(x, y):
    return with_kernel(lambda a, b: ((a @ b.T + 1) / a.shape[1]) ** 3)(x, y)


@wrong("11.2", rejected_by="value_by_hand", says="its power is 3")
def squared_kernel(x, y):
    return with_kernel(lambda a, b: (a @ b.T / a.shape[1] + 1) ** 2)(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="Gaussian kernel")
def gaussian_kernel(x, y):
    return with_kernel(lambda a, b: torch.exp(-(torch.cdist(a, b) ** 2) / 2))(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="length 1")
def normalised_first(x, y):
    x, y = F.normalize(x.double(), dim=1), F.normalize(y.double(), dim=1)
    return off(table(x, x)) + off(table(y, y)) - 2 * across(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="× 1000")
def as_in_tables(x, y):
    return 1000 * (off(table(x, x)) + off(table(y, y)) - 2 * across(x, y))


@wrong("11.2", rejected_by="matches_the_formula", says="distance of the means")
def distance_of_means(x, y):
    return (x.double().mean(dim=0) - y.double().mean(dim=0)).square().sum()


@wrong("11.2", rejected_by="matches_the_formula", says="something random")
def random_subsets(x, y):
    x, y = x[torch.randperm(len(x))[:-1]], y[torch.randperm(len(y))[:-1]]
    if len(x) < 2:
        return 0.0
    return off(table(x, x)) + off(table(y, y)) - 2 * across(x, y)


@wrong("11.2", rejected_by="keeps_its_digits", says=".double()")
def in_single_precision(x, y):
    x, y = x.float(), y.float()

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    return off(kernel(x, x)) + off(kernel(y, y)) - 2 * kernel(x, y).mean()


@wrong("11.2", rejected_by="value_by_hand", says="mean is missing")
def table_of_pairs(x, y):
    return off(table(x, x)) + off(table(y, y)) - 2 * table(x, y)


@wrong("11.2", rejected_by="matches_the_formula", says="different shapes")
def groups_must_be_of_one_size(x, y):
    whole = table(x, x) + table(y, y) - table(x, y) - table(x, y).T
    return off(whole)


@wrong("11.2", rejected_by="value_by_hand", says="return is missing")
def kid_without_return(x, y):
    off(table(x, x)) + off(table(y, y)) - 2 * across(x, y)


# 11.3 precision_recall: right, though different ------------------------------------------------


@right("11.3")
def sorted_distances(real, fake, k):
    real, fake = real.double(), fake.double()
    radii_real = torch.cdist(real, real).sort(dim=1)[0][:, k]
    radii_fake = torch.cdist(fake, fake).sort(dim=1)[0][:, k]
    table = torch.cdist(real, fake)
    precision = (table <= radii_real[:, None]).any(dim=0).float().mean()
    recall = (table <= radii_fake[None, :]).any(dim=1).float().mean()
    return precision, recall


@right("11.3")
def diagonal_of_infinity(real, fake, k):
    def radii(x):
        d = torch.cdist(x, x)
        d.fill_diagonal_(math.inf)
        return d.topk(k, dim=1, largest=False).values[:, -1]

    real, fake = real.double(), fake.double()
    d = torch.cdist(fake, real)
    precision = (d < radii(real)).any(1).double().mean().item()
    recall = (radii(fake) > d.T).any(1).double().mean().item()
    return [precision, recall]


@right("11.3")
def squared_everywhere(real, fake, k):
    def squared(a, b):
        return ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)

    def share(points, centres):
        reach = torch.kthvalue(squared(centres, centres), k + 1, dim=1)[0]
        return (squared(points, centres) <= reach).max(dim=1)[0].double().mean().item()

    return share(fake.double(), real.double()), share(real.double(), fake.double())


@right("11.3")
def image_by_image(real, fake, k):
    def inside(point, centres, radii):
        return any(float((point - c).norm()) <= r for c, r in zip(centres, radii, strict=True))

    def radii(x):
        return [float((x - c).norm(dim=1).sort().values[k]) for c in x]

    real, fake = real.double(), fake.double()
    precision = sum(inside(f, real, radii_of) for f in fake) if (radii_of := radii(real)) else 0
    reach = radii(fake)
    recall = sum(inside(r, fake, reach) for r in real)
    return precision / len(fake), recall / len(real)


@right("11.3")
def with_numpy(real, fake, k):
    a, b = np.asarray(real, dtype=np.float64), np.asarray(fake, dtype=np.float64)

    def distances(p, q):
        return np.sqrt(((p[:, None] - q[None]) ** 2).sum(axis=2))

    def share(points, centres):
        radii = np.partition(distances(centres, centres), k, axis=1)[:, k]
        return (distances(points, centres) <= radii).any(axis=1).mean()

    return share(b, a), share(a, b)


@right("11.3")
def as_one_tensor(real, fake, k):
    shares = []
    for points, centres in ((fake, real), (real, fake)):
        points, centres = points.double(), centres.double()
        reach = torch.cdist(centres, centres).topk(k + 1, largest=False).values.amax(dim=1)
        gap = (torch.cdist(points, centres) - reach).amin(dim=1)
        shares.append((gap <= 0).double().mean())
    return torch.stack(shares)


# 11.3 precision_recall: wrong ------------------------------------------------------------------


def reach_of(x, k):
    return torch.cdist(x.double(), x.double()).sort(dim=1).values[:, k]


def share_of(points, centres, k):
    inside = torch.cdist(points.double(), centres.double()) <= reach_of(centres, k)
    return inside.any(dim=1).double().mean().item()


@wrong("11.3", rejected_by="returns_two_shares", says="swapped")
def swapped(real, fake, k):
    return share_of(real, fake, k), share_of(fake, real, k)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="place k + 1")
def itself_counted(real, fake, k):
    def share(points, centres):
        points, centres = points.double(), centres.double()
        reach = torch.cdist(centres, centres).kthvalue(k, dim=1).values
        return (torch.cdist(points, centres) <= reach).any(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="one neighbour too far")
def one_neighbour_too_far(real, fake, k):
    def share(points, centres):
        points, centres = points.double(), centres.double()
        reach = torch.cdist(centres, centres).sort(dim=1).values
        reach = reach[:, min(k + 1, len(centres) - 1)]
        return (torch.cdist(points, centres) <= reach).any(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="k is not used")
def three_whatever_k(real, fake, k=3):
    return share_of(fake, real, 3), share_of(real, fake, 3)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="farthest image")
def topk_of_the_largest(real, fake, k):
    def share(points, centres):
        points, centres = points.double(), centres.double()
        reach = torch.cdist(centres, centres).topk(k, dim=1).values[:, 0]
        return (torch.cdist(points, centres) <= reach).any(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="any_ball_will_do", says="only the ball of the nearest image")
def nearest_ball_only(real, fake, k):
    def share(points, centres):
        nearest = torch.cdist(points.double(), centres.double()).min(dim=1)
        return (nearest.values <= reach_of(centres, k)[nearest.indices]).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="that of the point")
def radius_of_the_point(real, fake, k):
    def share(points, centres):
        nearest = torch.cdist(points.double(), centres.double()).amin(dim=1)
        return (nearest <= reach_of(points, k)).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="any_ball_will_do", says="all balls have one radius")
def one_radius_for_all(real, fake, k):
    def share(points, centres):
        reach = reach_of(centres, k).mean()
        nearest = torch.cdist(points.double(), centres.double()).amin(dim=1)
        return (nearest <= reach).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="in its own")
def radius_to_the_other_group(real, fake, k):
    def share(points, centres):
        table = torch.cdist(centres.double(), points.double())
        reach = table.kthvalue(k, dim=1).values
        return (table <= reach[:, None]).any(dim=0).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="any goes over the wrong dimension")
def balls_that_hold_a_point(real, fake, k):
    def share(points, centres):
        inside = torch.cdist(points.double(), centres.double()) <= reach_of(centres, k)
        return inside.any(dim=0).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="share of all pairs")
def mean_over_all_pairs(real, fake, k):
    def share(points, centres):
        inside = torch.cdist(points.double(), centres.double()) <= reach_of(centres, k)
        return inside.double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="returns_two_shares", says="density")
def number_of_balls(real, fake, k):
    def share(points, centres):
        inside = torch.cdist(points.double(), centres.double()) <= reach_of(centres, k)
        return inside.double().sum(dim=1).mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="any, not all")
def in_all_balls(real, fake, k):
    def share(points, centres):
        inside = torch.cdist(points.double(), centres.double()) <= reach_of(centres, k)
        return inside.all(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="but the distance is not")
def squared_radius(real, fake, k):
    def share(points, centres):
        reach = reach_of(centres, k) ** 2
        inside = torch.cdist(points.double(), centres.double()) <= reach
        return inside.any(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="but the radius is not")
def squared_distances(real, fake, k):
    def share(points, centres):
        inside = torch.cdist(points.double(), centres.double()) ** 2 <= reach_of(centres, k)
        return inside.any(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="returns_two_shares", says="percentages")
def in_per_cent(real, fake, k):
    return 100 * share_of(fake, real, k), 100 * share_of(real, fake, k)


@wrong("11.3", rejected_by="collapsed_is_precise_and_recalls_nothing", says="returned twice")
def precision_twice(real, fake, k):
    precision = share_of(fake, real, k)
    recall = share_of(fake, real, k)
    return precision, recall


@wrong("11.3", rejected_by="half_of_the_modes", says="returned twice")
def recall_twice(real, fake, k):
    recall = share_of(real, fake, k)
    return recall, recall


@wrong("11.3", rejected_by="half_of_the_modes", says="outside of the balls")
def shares_outside(real, fake, k):
    return 1 - share_of(fake, real, k), 1 - share_of(real, fake, k)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="p = 1")
def city_block(real, fake, k):
    def share(points, centres):
        points, centres = points.double(), centres.double()
        reach = torch.cdist(centres, centres, p=1).kthvalue(k + 1, dim=1).values
        return (torch.cdist(points, centres, p=1) <= reach).any(dim=1).double().mean().item()

    return share(fake, real), share(real, fake)


@wrong("11.3", rejected_by="reaches_to_the_kth_neighbour", says="cosine")
def cosine_distances(real, fake, k):
    real, fake = F.normalize(real.double(), dim=1), F.normalize(fake.double(), dim=1)
    return share_of(fake, real, k), share_of(real, fake, k)


@wrong("11.3", rejected_by="returns_two_shares", says="mean is missing")
def for_each_image(real, fake, k):
    inside_real = torch.cdist(fake.double(), real.double()) <= reach_of(real, k)
    inside_fake = torch.cdist(real.double(), fake.double()) <= reach_of(fake, k)
    return inside_real.any(dim=1), inside_fake.any(dim=1)


@wrong("11.3", rejected_by="returns_two_shares", says="return precision, recall")
def harmonic_mean(real, fake, k):
    precision, recall = share_of(fake, real, k), share_of(real, fake, k)
    return 2 * precision * recall / (precision + recall + 1e-9)


@wrong("11.3", rejected_by="returns_two_shares", says="return is missing")
def shares_printed(real, fake, k):
    print(share_of(fake, real, k), share_of(real, fake, k))


# 11.4 mode_coverage: right, though different ---------------------------------------------------


@right("11.4")
def set_of_numbers(labels, n_modes):
    return len(set(labels.tolist())) / n_modes


@right("11.4")
def histogram(labels, n_modes):
    return (torch.bincount(labels, minlength=n_modes) > 0).double().mean()


@right("11.4")
def mode_by_mode(labels, n_modes):
    found = 0
    for mode in range(n_modes):
        found += bool((labels == mode).any())
    return found / n_modes


@right("11.4")
def marked(labels, n_modes):
    seen = torch.zeros(n_modes)
    seen[labels] = 1
    return seen.mean().item()


@right("11.4")
def np_unique(labels, n_modes):
    return np.unique(labels.numpy()).size / n_modes


@right("11.4")
def one_hot(labels, n_modes):
    return F.one_hot(labels, n_modes).sum(dim=0).clamp(max=1).sum() / n_modes


# 11.4 mode_coverage: wrong ---------------------------------------------------------------------


@wrong("11.4", rejected_by="counts_each_mode_once", says="more than one image")
def modes_seen_twice(labels, n_modes):
    return (torch.bincount(labels, minlength=n_modes) > 1).double().mean()


@wrong("11.4", rejected_by="counts_each_mode_once", says="divide by n_modes")
def number_of_modes(labels, n_modes):
    return len(labels.unique())


@wrong("11.4", rejected_by="counts_each_mode_once", says="whole-number division")
def floor_division(labels, n_modes):
    return len(labels.unique()) // n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="divided by the number of images")
def share_of_the_images(labels, n_modes):
    return len(labels.unique()) / len(labels)


@wrong("11.4", rejected_by="counts_each_mode_once", says="does not see that two of them are equal")
def set_of_tensors(labels, n_modes):
    return len(set(labels)) / n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="largest label")
def by_the_largest_label(labels, n_modes):
    return (int(labels.max()) + 1) / n_modes if len(labels) else 0.0


@wrong("11.4", rejected_by="counts_each_mode_once", says="not by all n_modes")
def divided_by_those_found(labels, n_modes):
    return len(labels.unique()) / (int(labels.max()) + 1) if len(labels) else 0.0


@wrong("11.4", rejected_by="from_none_to_all", says="mode 0 is a mode too")
def without_mode_zero(labels, n_modes):
    return len(labels[labels.nonzero()].unique()) / n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="added up")
def labels_added_up(labels, n_modes):
    return labels.unique().sum() / n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="may lie apart")
def consecutive(labels, n_modes):
    return len(torch.unique_consecutive(labels)) / n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="full share")
def modes_with_their_share(labels, n_modes):
    return (torch.bincount(labels, minlength=n_modes) >= len(labels) / n_modes).double().mean()


@wrong("11.4", rejected_by="from_none_to_all", says="how even")
def entropy(labels, n_modes):
    p = torch.bincount(labels, minlength=n_modes).double() / len(labels)
    return torch.special.entr(p).sum() / math.log(n_modes)


@wrong("11.4", rejected_by="counts_each_mode_once", says="percentage")
def per_cent_of_the_modes(labels, n_modes):
    return 100 * len(labels.unique()) / n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="missing")
def modes_that_are_missing(labels, n_modes):
    return 1 - len(labels.unique()) / n_modes


@wrong("11.4", rejected_by="from_none_to_all", says="no exception")
def fails_on_nothing(labels, n_modes):
    return (int(labels.max()) - int(labels.min()) + 1) * 0 + len(labels.unique()) / n_modes


@wrong("11.4", rejected_by="counts_each_mode_once", says="a table: count its modes")
def table_of_counts(labels, n_modes):
    return torch.bincount(labels, minlength=n_modes) / len(labels)


@wrong("11.4", rejected_by="from_none_to_all", says="return is missing")
def coverage_without_return(labels, n_modes):
    len(labels.unique()) / n_modes


# 11.5 nearest_neighbours: right, though different ----------------------------------------------


@right("11.5")
def the_min_itself(fake, train):
    fake, train = fake.double().flatten(1), train.double().flatten(1)
    return torch.cdist(fake, train).min(1)


@right("11.5")
def image_after_image(fake, train):
    distances, indices = [], []
    for image in fake.double():
        gaps = (train.double() - image).flatten(1).norm(dim=1)
        indices.append(gaps.argmin())
        distances.append(gaps.min())
    return torch.stack(distances), torch.stack(indices)


@right("11.5")
def topk_of_one(fake, train):
    n, m = fake.shape[0], train.shape[0]
    table = torch.cdist(fake.reshape(n, -1).double(), train.reshape(m, -1).double())
    values, places = table.topk(1, dim=1, largest=False)
    return values.squeeze(1), places.squeeze(1)


@right("11.5")
def squares_multiplied_out(fake, train):
    a, b = fake.flatten(1).double(), train.flatten(1).double()
    middle = b.mean(dim=0)  # keeps the digits of large numbers
    a, b = a - middle, b - middle
    squares = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)[None]
    nearest = squares.argmin(dim=1)
    return ((a - b[nearest]) ** 2).sum(dim=1).sqrt(), nearest


@right("11.5")
def broadcast(fake, train):
    gap = fake.flatten(1).double().unsqueeze(1) - train.flatten(1).double().unsqueeze(0)
    table = torch.sqrt((gap**2).sum(dim=-1))
    return [table.amin(dim=1), table.argmin(dim=1)]


@right("11.5")
def in_float32_without_multiplying_out(fake, train):
    a, b = fake.flatten(1).float(), train.flatten(1).float()
    table = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    return table.min(dim=1).values, table.min(dim=1).indices


@right("11.5")
def numpy_and_back(fake, train):
    a = fake.numpy().reshape(len(fake), -1).astype(np.float64)
    b = train.numpy().reshape(len(train), -1).astype(np.float64)
    table = np.linalg.norm(a[:, None] - b[None], axis=2)
    return torch.from_numpy(table.min(axis=1)), torch.from_numpy(table.argmin(axis=1))


# 11.5 nearest_neighbours: wrong ----------------------------------------------------------------


def distances_of(fake, train):
    return torch.cdist(fake.flatten(1).double(), train.flatten(1).double())


@wrong("11.5", rejected_by="one_for_each_generated_image", says="dim=1 of the (N, M) table")
def for_each_training_image(fake, train):
    nearest = distances_of(fake, train).min(dim=0)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="one_for_each_generated_image", says="each of the generated images")
def the_nearest_of_all(fake, train):
    table = distances_of(fake, train)
    return table.min(), table.argmin()


@wrong("11.5", rejected_by="one_for_each_generated_image", says="distances come first")
def indices_first(fake, train):
    nearest = distances_of(fake, train).min(dim=1)
    return nearest.indices, nearest.values


@wrong("11.5", rejected_by="finds_the_nearest", says="squared distances")
def squared(fake, train):
    nearest = (distances_of(fake, train) ** 2).min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="finds_the_nearest", says="mean squared differences")
def mean_squared(fake, train):
    a, b = fake.flatten(1).double(), train.flatten(1).double()
    nearest = (a[:, None] - b[None]).square().mean(dim=2).min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="finds_the_nearest", says="mean in place of the sum under the root")
def root_of_the_mean(fake, train):
    a, b = fake.flatten(1).double(), train.flatten(1).double()
    nearest = (a[:, None] - b[None]).square().mean(dim=2).sqrt().min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="finds_the_nearest", says="p = 1")
def absolute_differences(fake, train):
    table = torch.cdist(fake.flatten(1).double(), train.flatten(1).double(), p=1)
    return table.min(dim=1).values, table.min(dim=1).indices


@wrong("11.5", rejected_by="finds_the_nearest", says="cosine")
def angles(fake, train):
    a, b = (F.normalize(x.flatten(1).double(), dim=1) for x in (fake, train))
    nearest = (1 - a @ b.T).min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="finds_the_nearest", says="farthest")
def farthest(fake, train):
    found = distances_of(fake, train).max(dim=1)
    return found.values, found.indices


@wrong("11.5", rejected_by="finds_the_nearest", says="second nearest")
def leaves_the_first_out(fake, train):
    found = distances_of(fake, train).topk(2, dim=1, largest=False)
    return found.values[:, 1], found.indices[:, 1]


@wrong("11.5", rejected_by="one_for_each_generated_image", says="one dimension too many")
def kept_dimension(fake, train):
    table = distances_of(fake, train)
    return table.amin(dim=1, keepdim=True), table.argmin(dim=1, keepdim=True)


@wrong("11.5", rejected_by="one_for_each_generated_image", says="x.flatten(1)")
def rows_of_pixels(fake, train):
    table = torch.cdist(fake.double(), train.double()[: len(fake)])
    nearest = table.min(dim=-1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="one_for_each_generated_image", says="makes rows of both")
def images_only(fake, train):
    fake, train = (x.double().flatten(start_dim=1, end_dim=3) for x in (fake, train))
    return torch.cdist(fake, train).min(dim=1)


@wrong("11.5", rejected_by="catches_a_memoriser", says="float32")
def in_half_the_digits(fake, train):
    nearest = torch.cdist(fake.flatten(1).float(), train.flatten(1).float()).min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="catches_a_memoriser", says="float32")
def multiplied_out_in_float32(fake, train):
    a, b = fake.flatten(1).float(), train.flatten(1).float()
    squares = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)[None]
    nearest = squares.clamp(min=0).sqrt().min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="takes_bytes", says="3 - 5 is 254")
def bytes_subtracted(fake, train):
    gap = fake.flatten(1)[:, None] - train.flatten(1)[None]
    nearest = gap.double().square().sum(dim=2).sqrt().min(dim=1)
    return nearest.values, nearest.indices


@wrong("11.5", rejected_by="takes_bytes", says="x.double()")
def cdist_of_whatever_comes(fake, train):
    if fake.is_floating_point():
        fake, train = fake.double(), train.double()
    return torch.cdist(fake.flatten(1), train.flatten(1)).min(dim=1)


@wrong("11.5", rejected_by="takes_bytes", says="x.double()")
def norms_of_whatever_comes(fake, train):
    a, b = fake.flatten(1), train.flatten(1)
    table = torch.stack([torch.linalg.norm(b - row, dim=1) for row in a])
    return table.min(dim=1)


@wrong("11.5", rejected_by="one_for_each_generated_image", says="return both")
def distances_alone(fake, train):
    return distances_of(fake, train).min(dim=1).values


@wrong("11.5", rejected_by="one_for_each_generated_image", says="return is missing")
def neighbours_printed(fake, train):
    print(distances_of(fake, train).min(dim=1))


@wrong("11.5", rejected_by="one_for_each_generated_image", says="both are tensors")
def lists(fake, train):
    nearest = distances_of(fake, train).min(dim=1)
    return nearest.values.tolist(), nearest.indices.tolist()
