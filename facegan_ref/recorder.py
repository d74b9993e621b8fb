"""The film of a training: what a generator makes of the same latents, step after step."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor, nn

from facegan_ref.pictures import image_grid
from facegan_ref.sampling import sample


def fixed_latent_grid(generator: nn.Module, z: Tensor) -> np.ndarray:
    """What `generator` makes of the latents `z` `(N, z_dim)` now, as one picture.

    Drawn in evaluation mode and without a graph, so that training goes on as if nobody had looked.

    Returns:
        uint8 `(H, W, 3)` as `image_grid` gives it, of as many columns as make it nearly square: the
        smallest whole number whose square is at least N.
    """
    return image_grid(sample(generator, z), columns=math.ceil(math.sqrt(len(z))))


class TrainingRecorder:
    """Keeps a picture of the same latents every so many steps of a training.

    Args:
        generator: the network that is being trained; it is looked at and never changed.
        z: `(N, z_dim)` latents on the generator's device, of which a copy is kept.
        every: steps from one frame to the next.

    Attributes:
        steps: the recorded steps.
        frames: for each of them uint8 `(H, W, 3)`, as `fixed_latent_grid` gives it.
    """

    def __init__(self, generator: nn.Module, z: Tensor, every: int):
        self.generator = generator
        self.z = z.clone()
        self.every = every
        self.steps: list[int] = []
        self.frames: list[np.ndarray] = []

    def record(self, step: int) -> None:
        """Keep a frame if `step` is a multiple of `every`, also step 0."""
        if step % self.every == 0:
            self.steps.append(step)
            self.frames.append(fixed_latent_grid(self.generator, self.z))
