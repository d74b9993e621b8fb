"""The crops that face GANs use, as fractions of CelebA's aligned 178×218 picture.

Stated as fractions, they mean the same part of the face at any scale of the aligned set.
"""

from __future__ import annotations

from dataclasses import dataclass

ALIGNED_WIDTH, ALIGNED_HEIGHT = 178, 218


@dataclass(frozen=True)
class Crop:
    """A centred crop of `width`×`height` pixels of the full-size aligned picture."""

    width: int
    height: int
    source: str

    def box(self, image_width: int, image_height: int) -> tuple[int, int, int, int]:
        """`(top, left, height, width)` in pixels of a picture of the given size."""
        width = round(self.width * image_width / ALIGNED_WIDTH)
        height = round(self.height * image_height / ALIGNED_HEIGHT)
        if self.width == self.height:  # a square stays one whatever the rounding
            height = width = min(width, image_height, image_width)
        return (image_height - height) // 2, (image_width - width) // 2, height, width


CROPS = {
    "centre-178": Crop(178, 178, "the largest square; the DCGAN tutorial's CenterCrop"),
    "centre-108": Crop(108, 108, "the tighter square of the original DCGAN code"),
    "squeeze": Crop(178, 218, "the whole picture, its aspect ratio squeezed to a square"),
}
