"""How near a sample of generated images is to the real ones, from the features of both.

Features are tensors `(N, D)`, one row an image, real and fake by the same extractor (`features`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

CHUNK = 1024  # rows compared at once: distances take that many times as many numbers


def frechet_distance(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians, `mu` `(D,)` and `sigma` `(D, D)`, in float64.

    0 for equal ones. With features of Inception this is the FID (Heusel et al. 2017, equation 6).
    Covariances may be singular, as they are with fewer images than features.
    """

    def root(sigma: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(sigma.double())
        # Rounding makes some of a singular matrix's zeros slightly negative.
        return vectors * values.clamp(min=0).sqrt() @ vectors.T

    shift = (mu1.double() - mu2.double()).square().sum()
    spread = sigma1.double().trace() + sigma2.double().trace()
    # tr (sigma1 sigma2)^½ is the sum of the singular values of sigma1^½ sigma2^½.
    overlap = torch.linalg.svdvals(root(sigma1) @ root(sigma2)).sum()
    return (shift + spread - 2 * overlap).item()


def feature_statistics(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean `(D,)` and unbiased covariance `(D, D)`, float64, of features given in batches `(B, D)`.

    No batch is kept, so that any number of images fits in memory. A tensor `(N, D)` is given as
    `[tensor]`. ValueError for fewer than two rows.
    """
    n, mean, scatter = 0, 0.0, 0.0
    for batch in batches:
        batch = batch.double()
        total = n + len(batch)
        gap = batch.mean(dim=0) - mean
        centred = batch - batch.mean(dim=0)
        # Chan, Golub and LeVeque 1983: sums around the means lose no digits as sums of squares do.
        between = torch.outer(gap, gap) * (n * len(batch) / total)
        scatter = scatter + centred.T @ centred + between
        mean = mean + gap * (len(batch) / total)
        n = total
    if n < 2:
        raise ValueError(f"{n} images have no covariance; expected at least 2")
    return mean, scatter / (n - 1)


def kid(x: Tensor, y: Tensor) -> float:
    """Kernel distance of features `(M, D)` and `(N, D)`: unbiased squared MMD, in float64.

    The kernel is (x·y / D + 1)³ (Bińkowski et al. 2018, sections 4 and 5). Near 0, and as often
    below 0 as above, for two samples of one distribution.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    x, y = x.double(), y.double()
    m, n = len(x), len(y)
    xx, yy = kernel(x, x), kernel(y, y)
    # An image is not compared with itself: that is what makes the estimate unbiased.
    within_x = (xx.sum() - xx.trace()) / (m * (m - 1))
    within_y = (yy.sum() - yy.trace()) / (n * (n - 1))
    return (within_x + within_y - 2 * kernel(x, y).mean()).item()


def precision_recall(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Improved precision and recall of features `(M, D)` and `(N, D)`, each in [0, 1].

    Precision: the share of fake images inside the real ones' manifold; recall: of real images
    inside the fake ones'. A manifold is the union of balls around its images, each as wide as to
    its k-th nearest neighbour (Kynkäänniemi et al. 2019, equations 1 and 2).
    """

    def radii(x: Tensor) -> Tensor:
        # The nearest of all is the image itself.
        return torch.cat([torch.cdist(c, x).kthvalue(k + 1).values for c in x.split(CHUNK)])

    def share_inside(points: Tensor, centres: Tensor) -> float:
        reach = radii(centres)
        inside = [(torch.cdist(c, centres) <= reach).any(dim=1) for c in points.split(CHUNK)]
        return torch.cat(inside).double().mean().item()

    real, fake = real.double(), fake.double()
    return share_inside(fake, real), share_inside(real, fake)


def mode_coverage(labels: Tensor, n_modes: int) -> float:
    """The share of the modes 0 … `n_modes - 1` that occur among the labels `(N,)`."""
    return len(labels.unique()) / n_modes


def nearest_neighbours(fake: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """For each of `fake` `(N, ...)` the Euclidean distance to, and the index of, the nearest of
    `train` `(M, ...)`: float64 `(N,)` and int64 `(N,)`.

    Images or features. Both are compared chunk by chunk, so that memory stays bounded.
    """
    distances, indices = [], []
    for part in fake.flatten(1).split(CHUNK):
        part = part.double()
        best = torch.full((len(part),), torch.inf, dtype=torch.float64, device=part.device)
        index = torch.zeros(len(part), dtype=torch.int64, device=part.device)
        for start in range(0, len(train), CHUNK):
            chunk = train[start : start + CHUNK].flatten(1).to(part)
            nearest, where = torch.cdist(part, chunk).min(dim=1)
            closer = nearest < best
            best = torch.where(closer, nearest, best)
            index = torch.where(closer, where + start, index)
        # cdist subtracts large numbers; the distance to a copy must be 0.
        gap = part - train[index.to(train.device)].flatten(1).to(part)
        distances.append(gap.square().sum(dim=1).sqrt())
        indices.append(index)
    return torch.cat(distances), torch.cat(indices)
