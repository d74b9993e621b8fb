"""The arithmetic of sizes agrees with torch's own layers."""

import pytest
import torch
from torch import nn

from facegan_ref.sizes import conv_out, conv_transpose_out, count_doublings

SETTINGS = [
    (kernel, stride, padding)
    for kernel in (1, 2, 3, 4, 5, 7)
    for stride in (1, 2, 3)
    for padding in (0, 1, 2)
]


@pytest.mark.parametrize("kernel, stride, padding", SETTINGS)
def test_sizes_are_those_of_torch(kernel, stride, padding):
    layer = (1, 1, kernel, stride, padding)
    down, up = (kind(*layer, device="meta") for kind in (nn.Conv2d, nn.ConvTranspose2d))
    for n in range(1, 20):
        image = torch.empty(1, 1, n, n, device="meta")
        if n + 2 * padding >= kernel:
            assert conv_out(n, kernel, stride, padding) == down(image).shape[-1]
        if conv_transpose_out(n, kernel, stride, padding) > 0:
            assert conv_transpose_out(n, kernel, stride, padding) == up(image).shape[-1]


@pytest.mark.parametrize("kernel, stride, padding", SETTINGS)
def test_a_convolution_leads_back_to_the_size_before_its_transpose(kernel, stride, padding):
    for n in range(1, 20):
        wide = conv_transpose_out(n, kernel, stride, padding)
        if wide > 0:
            assert conv_out(wide, kernel, stride, padding) == n


def test_doublings_from_four():
    assert [count_doublings(4 * 2**k) for k in range(1, 9)] == list(range(1, 9))
    for size in (-64, 0, 1, 4, 48):
        with pytest.raises(ValueError, match=f"image_size is {size}, expected a power of two"):
            count_doublings(size)
