"""What the two steps see in place of the networks: the same networks, in a recipe's manner.

The steps stay the ten lines of the lessons. Precision, noise, augmentation and the numbers for the
log are put around the networks here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from facegan_ref import distributed
from facegan_ref.augment import diff_augment
from facegan_ref.products import SmallMapsAsProducts
from facegan_ref.stabilise import add_instance_noise


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within this block the network's parameters get no gradients, which saves their backward."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


class View(nn.Module):
    """A network run in a recipe's precision.

    Autocast covers the forward pass only, as torch advises; what comes out is float32.
    """

    def __init__(self, network: nn.Module, precision: str, device: torch.device):
        super().__init__()
        self.network = network
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.device_type = device.type

    def forward(self, x: Tensor) -> Tensor:
        with contextlib.ExitStack() as stack:
            if self.device_type == "cpu":
                stack.enter_context(SmallMapsAsProducts(self.dtype))
            if self.dtype == torch.bfloat16:
                # Inside a captured step a cache of cast weights would outlive the weights.
                cast = torch.autocast(self.device_type, torch.bfloat16, cache_enabled=False)
                stack.enter_context(cast)
            return self.network(x).float()


class GeneratorView(View):
    """A generator that, told to `keep`, gives a batch again instead of computing it twice.

    Between D's step and G's step on the same latents only D changes, so the images and their graph
    are still those of the generator as it is.
    """

    def __init__(self, network: nn.Module, precision: str, device: torch.device):
        super().__init__(network, precision, device)
        self.keep = False
        self._kept: tuple[Tensor, Tensor] | None = None

    def forward(self, z: Tensor) -> Tensor:
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] is z:
            return kept[1]
        images = super().forward(z)
        if self.keep:
            self._kept = (z, images)
        return images


class DiscriminatorView(View):
    """A discriminator that sees noisy, augmented images and remembers what it said.

    Attributes:
        sigma: standard deviation of the instance noise; None for no noise.
        policy: of the augmentation; "" for none.
        input_gradients: whether its answers can be differentiated by its images.
        seen, answers: images and logits since `begin`, oldest first.
    """

    def __init__(self, network: nn.Module, precision: str, device: torch.device, policy: str = ""):
        super().__init__(network, precision, device)
        self.policy = policy
        self.sigma: Tensor | None = None
        self.input_gradients = False
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: a new step begins."""
        self.seen: list[Tensor] = []
        self.answers: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        if self.sigma is not None or self.policy:
            images = distributed.on_whole_batch(self._disturb, images)
        if self.input_gradients and not images.requires_grad:
            images = images.detach().requires_grad_()
        logits = super().forward(images)
        self.seen.append(images)
        self.answers.append(logits.detach())
        return logits

    def judge(self, images: Tensor) -> Tensor:
        """Logits for `images` as they are: nothing is disturbed or remembered."""
        return super().forward(images)

    def _disturb(self, images: Tensor) -> Tensor:
        if self.sigma is not None:
            images = add_instance_noise(images, self.sigma)
        return diff_augment(images, self.policy)
