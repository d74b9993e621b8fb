"""Yes-or-no attributes of faces, and a small classifier that learns to see them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan_ref.data.faces import Attributes, FaceArray
from facegan_ref.data.toyfaces import CATEGORIES, CONTINUOUS, Factors

SIZE = 32  # the classifier looks at 32×32: enough for these attributes, and quick
LEAST = 25  # examples with and without an attribute, below which nothing is learnt of it


def toy_attributes(labels: Factors) -> Attributes:
    """The factors of toy faces as yes-or-no attributes.

    Two-valued factors keep their names ("glasses"), each value of the others becomes one
    ("hair_colour_dark_brown"), and continuous ones mean "above the middle of the range" ("smile").
    """
    columns = {}
    for name, values in CATEGORIES.items():
        if len(values) == 2:
            columns[name] = labels[name] == 1
        else:
            for label, value in enumerate(values):
                columns[f"{name}_{value.replace(' ', '_')}"] = labels[name] == label
    for name, (low, high) in CONTINUOUS.items():
        columns[name] = labels[name] > (low + high) / 2
    return Attributes(tuple(columns), torch.stack(list(columns.values()), dim=1))


class AttributeClassifier(nn.Module):
    """Images `(N, 3, S, S)` in [-1, 1] to one logit an attribute, `(N, A)`.

    `names` are the attributes'; `accuracy` and `baseline` `(A,)` are set by `train_classifier`:
    the shares of held-out pictures that it, and the more frequent answer alone, get right.
    """

    def __init__(self, names: Sequence[str], width: int = 24):
        super().__init__()
        self.names = tuple(names)
        self.accuracy = self.baseline = torch.full((len(self.names),), float("nan"))
        layers: list[nn.Module] = []
        for inside, outside in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inside, outside, 3, 2, 1), nn.BatchNorm2d(outside), nn.ReLU()]
        self.net = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * width * 16, len(self.names))
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.net(F.adaptive_avg_pool2d(images, SIZE))


def require_known(wanted: Sequence[str], names: Sequence[str]) -> None:
    """ValueError that lists `names` when one of the wanted attributes is not among them."""
    for name in wanted:
        if name not in names:
            raise ValueError(
                f"attribute {name!r} is unknown, or fewer than {LEAST} pictures have it or lack "
                f"it; there are: {', '.join(names)}"
            )


def train_classifier(
    faces: FaceArray, rng: torch.Generator, needed: Sequence[str] = (), epochs: int = 8
) -> AttributeClassifier:
    """A classifier of the faces' attributes, trained on four fifths and measured on the rest.

    Attributes with fewer than 25 examples of either kind are left out.

    Args:
        faces: pictures with attributes.
        rng: source of the division, of the weights and of the order.
        needed: attributes without which training is not worth while.
        epochs: passes over the training part.

    Raises:
        ValueError: the faces have no attributes, or none or not all that are needed have enough
            examples.
    """
    if faces.attributes is None:
        raise ValueError(
            f"{faces.manifest.get('source', 'these pictures')}: there are no attributes; prepare "
            "CelebA with its list_attr_celeba.txt, or leave the data away to use the toy faces"
        )
    values = faces.attributes.values
    with_it = values.sum(0)
    enough = (with_it >= LEAST) & (len(values) - with_it >= LEAST)
    if not enough.any():
        raise ValueError(
            f"no attribute has {LEAST} pictures with it and {LEAST} without among {len(values)}; "
            "take more pictures"
        )
    names = [name for name, yes in zip(faces.attributes.names, enough, strict=True) if yes]
    require_known(needed, names)
    values = values[:, enough]
    order = torch.randperm(len(values), generator=rng)
    held_out, training = order.tensor_split([len(order) // 5])

    with torch.random.fork_rng(devices=[]):  # layers and dropout know the global generator only
        torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        classifier = AttributeClassifier(names)
        batches = max(1, len(training) // 64)
        optimizer = torch.optim.Adam(classifier.parameters(), weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, epochs * batches)
        for _ in range(epochs):
            shuffled = training[torch.randperm(len(training), generator=rng)]
            for part in shuffled.tensor_split(batches):
                # No mirroring, which would turn what "yaw" means around.
                logits = classifier(faces.batch(part))
                loss = F.binary_cross_entropy_with_logits(logits, values[part].float())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    classifier.eval().requires_grad_(False)
    found = torch.cat([classifier(faces.batch(part)) > 0 for part in held_out.split(256)])
    truth = values[held_out]
    classifier.accuracy = (found == truth).float().mean(0)
    share = truth.float().mean(0)
    classifier.baseline = torch.maximum(share, 1 - share)
    return classifier
