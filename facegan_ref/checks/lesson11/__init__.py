"""Lesson 11: the tasks. Their checks are in the modules beside this one."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson11 import frechet, kernel, manifold, modes, neighbours

lesson = Lesson(
    "11",
    "measuring",
    "Measuring",
    builds="five measures of a generator, and what each of them does not see",
    minutes=90,
)

lesson.task(
    "11.1",
    "frechet_distance",
    names=("frechet_distance",),
    points=5,
    hints=(
        "In one dimension: how far are the means apart, and how far the standard deviations? What "
        "takes the place of a standard deviation when the spread is a matrix?",
        "(mu1 - mu2)² summed, plus tr(sigma1) + tr(sigma2), minus twice the trace of the root of "
        "sigma1 @ sigma2. This trace is the sum of the singular values of root(sigma1) @ "
        "root(sigma2), and the root of a covariance takes the roots of its eigenvalues. All in "
        "float64, and no negative number under a root.",
        "root(sigma): values, vectors = eigh of sigma in float64\n"
        "             values below 0 become 0; take their square roots\n"
        "             return vectors times these (column by column), @ vectors.T\n"
        "shift = sum of the squared differences of the means, in float64\n"
        "spread = the trace of sigma1 plus that of sigma2, in float64\n"
        "overlap = sum of torch.linalg.svdvals(root(sigma1) @ root(sigma2))\n"
        "return shift + spread - 2 * overlap",
        "zero = torch.zeros(2); a = torch.tensor([[4., 0.], [0., 0.]]); b = torch.ones(2, 2):\n"
        "frechet_distance(zero, a, zero, b) must be 4 + 2 - 2 · 2 = 2, although neither can be "
        "inverted.\nfrechet_distance(zero, a, zero, a) must be 0 and not nan.",
    ),
)
lesson.task(
    "11.2",
    "kid",
    names=("kid",),
    points=4,
    hints=(
        "If x and y come from the same source, a pair within x is as much alike as a pair across x "
        "and y, on average. Which pairs within x spoil this?",
        "Mean of the kernel over pairs of different rows of x, plus the same of y, minus twice the "
        "mean over all pairs across. The kernel is (x·y / D + 1)³, D the number of features.",
        "x, y in float64\n"
        "kernel(a, b): table of all products a @ b.T, divided by the number of columns, + 1, "
        "cubed\n"
        "within(k): (sum of k minus sum of its diagonal) / (n (n - 1))\n"
        "return within(kernel(x, x)) + within(kernel(y, y)) - 2 * mean of kernel(x, y)",
        "x = torch.tensor([[1.], [2.]]), y = torch.tensor([[0.], [1.]]): within x (1·2 + 1)³ = 27, "
        "within y\n(0·1 + 1)³ = 1, across 1, 8, 1, 27 with the mean 9.25. So kid(x, y) = 27 + 1 - "
        "18.5 = 9.5. With\nthe diagonal it would be 31: nothing is as like an image as the image "
        "itself.",
    ),
)
lesson.task(
    "11.3",
    "precision_recall",
    names=("precision_recall",),
    points=5,
    hints=(
        "Write one helper that says which share of some points lies in the balls around some "
        "centres. Who are the points and who the centres for precision? And for recall?",
        "Each centre has its own radius: the distance to its k-th nearest neighbour among the "
        "centres. In the sorted distances of an image to its own group, the first is 0: itself. A "
        "point is inside if its distance to some centre is at most this centre's radius.",
        "share_inside(points, centres):\n"
        "    radii = the (k + 1)-th smallest of each row of cdist(centres, centres)\n"
        "    inside = cdist(points, centres) <= radii      (one column for each ball)\n"
        "    return the mean of inside.any(dim=1)\n"
        "return share_inside(fake, real), share_inside(real, fake)",
        "real = torch.tensor([[0.], [1.], [3.], [7.]]), k = 1: the balls are [-1, 1], [0, 2], [1, "
        "5], [3, 11].\nFakes at -1.5, 2.1, 10.5 and 11.5 have precision 0.5. With k = 2 all four "
        "are inside.",
    ),
)
lesson.task(
    "11.4",
    "mode_coverage",
    names=("mode_coverage",),
    points=2,
    hints=(
        "In 1,000 labels, how do you find out how many different ones there are?",
        "The number of different labels, divided by n_modes.",
        "labels.unique() has each label once; its length divided by n_modes",
        "mode_coverage(torch.tensor([0, 0, 3, 3, 3]), 8) must be 0.25, and of no labels at all 0.",
    ),
)
lesson.task(
    "11.5",
    "nearest_neighbours",
    names=("nearest_neighbours",),
    points=4,
    hints=(
        "How many numbers does the table of all distances have, and along which dimension do you "
        "look for the smallest?",
        "Make one row of each image, in float64. torch.cdist gives the table (N, M), and its "
        "smallest along dim=1 the distance and the place of the nearest training image.",
        "fake and train: flatten(1), double()\n"
        "table = torch.cdist(fake, train)\n"
        "smallest = table.min(dim=1)\n"
        "return smallest.values, smallest.indices",
        "fake = torch.tensor([[0., 0.], [6., 8.]]), train = torch.tensor([[3., 4.], [0., 1.], [6., "
        "6.]]):\nthe distances are [1., 2.] and the indices [1, 2].",
    ),
)

frechet.add_to(lesson)
kernel.add_to(lesson)
manifold.add_to(lesson)
modes.add_to(lesson)
neighbours.add_to(lesson)
