"""How convolutions change the side of an image."""

from __future__ import annotations

import math


def conv_out(n: int, kernel: int, stride: int, padding: int) -> int:
    """Side of the output of a convolution on an `n`×`n` image.

    Args:
        n: side of the input, `n + 2 * padding` at least `kernel`.
        kernel: side of the kernel.
        stride: pixels from one place of the kernel to the next.
        padding: zeros added at each edge.

    Source: Dumoulin and Visin 2016, relationship 6.
    """
    return (n + 2 * padding - kernel) // stride + 1


def conv_transpose_out(n: int, kernel: int, stride: int, padding: int) -> int:
    """Side of the output of a transposed convolution on an `n`×`n` image.

    Args:
        n: side of the input.
        kernel: side of the stamp that each pixel leaves.
        stride: pixels from one stamp to the next.
        padding: pixels cut off at each edge of the result.

    Source: Dumoulin and Visin 2016, relationship 13 (no output padding).
    """
    return (n - 1) * stride + kernel - 2 * padding


def count_doublings(image_size: int) -> int:
    """How often 4×4 doubles until `image_size`; ValueError when it never does."""
    doublings = int(math.log2(image_size / 4)) if image_size >= 8 else 0
    if 4 * 2**doublings != image_size or not doublings:
        raise ValueError(
            f"image_size is {image_size}, expected a power of two from 8 up, such as 32, 64 or 128"
        )
    return doublings
