"""The crops that face GANs use.

CelebA's are stated for the aligned 178×218 picture and scaled with it, so that they mean the same
part of the face at any scale of the aligned set.
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

    def refusal(self, image_width: int, image_height: int) -> str | None:
        """Why a picture of this size can't be one of the aligned set, or None if it can."""
        expected = image_width * ALIGNED_HEIGHT / ALIGNED_WIDTH
        if abs(image_height - expected) <= 1.5:  # a scaled copy's sides are rounded
            return None
        return (
            f"is {image_width}×{image_height}, not 178×218 as the aligned set or a scaled copy; "
            "other pictures go in by `python -m data_prep faces`"
        )


@dataclass(frozen=True)
class AnyCrop:
    """A crop of pictures of any size: the largest centred square, or everything."""

    square: bool
    source: str

    def box(self, image_width: int, image_height: int) -> tuple[int, int, int, int]:
        """`(top, left, height, width)` in pixels of a picture of the given size."""
        if not self.square:
            return 0, 0, image_height, image_width
        side = min(image_width, image_height)
        return (image_height - side) // 2, (image_width - side) // 2, side, side

    def refusal(self, image_width: int, image_height: int) -> None:
        """None: every size will do."""


CROPS: dict[str, Crop] = {
    "centre-178": Crop(178, 178, "the largest square; the DCGAN tutorial's CenterCrop"),
    "centre-108": Crop(108, 108, "the tighter square of the original DCGAN code"),
    "squeeze": Crop(178, 218, "the whole picture, its aspect ratio squeezed to a square"),
}
FACE_CROPS: dict[str, AnyCrop] = {
    "centre-square": AnyCrop(True, "the largest centred square"),
    "squeeze": AnyCrop(False, "the whole picture, its aspect ratio squeezed to a square"),
}
