"""Convolutions of small maps as matrix products, which the CPU does several times faster.

oneDNN, which runs torch's convolutions on a CPU, is made for large maps of few channels. At the
4×4 end of a DCGAN the maps are tiny and the weights huge: there its bfloat16 weight gradient
reaches a tenth of the speed of the same sums written as one matrix product, and a fourth of it in
the forward pass. In channels-last memory weights and maps already are the matrices, without a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# Measured on two cores with AVX-512 and AMX: with larger maps or fewer weights oneDNN is as fast.
LARGEST_MAP = 8
FEWEST_WEIGHTS = 2**18
FEWEST_WEIGHTS_ON_ALL = 2**12  # where the kernel covers the whole map


class Patches(Function):
    """The 4×4 patches of a map at stride 2 and padding 1: `(N, C, H, W)` to `(N·H/2·W/2, 16·C)`."""

    @staticmethod
    def forward(ctx, maps: Tensor) -> Tensor:
        n, c, h, w = ctx.shape = maps.shape
        padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).contiguous()
        image, row, column, _ = padded.stride()
        return padded.as_strided(
            (n, h // 2, w // 2, 4, 4, c), (image, 2 * row, 2 * column, row, column, 1)
        ).reshape(-1, 16 * c)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return Fold.apply(gradient, ctx.shape)


class Fold(Function):
    """Patches added up at their places in maps of `shape`: the transpose of `Patches`."""

    @staticmethod
    def forward(ctx, patches: Tensor, shape: tuple[int, ...]) -> Tensor:
        n, c, h, w = shape
        h, w = h // 2, w // 2
        # A patch is 2×2 squares of 2×2 pixels; the squares of all patches at one place of the
        # four tile the padded map.
        squares = patches.reshape(n, h, w, 2, 2, 2, 2, c).permute(3, 5, 0, 1, 4, 2, 6, 7)
        padded = patches.new_zeros(n, h + 1, 2, w + 1, 2, c)
        for i in (0, 1):
            for j in (0, 1):
                padded[:, i : i + h, :, j : j + w] += squares[i, j]
        maps = padded.view(n, 2 * h + 2, 2 * w + 2, c)[:, 1:-1, 1:-1]
        return maps.contiguous().permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return Patches.apply(gradient), None


class Product(Function):
    """`a @ b.T` with the gradients in the order of factors that is fastest in bfloat16."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return a @ b.T

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        by_a, by_b = ctx.needs_input_grad
        return gradient @ b if by_a else None, _over_rows(gradient, a) if by_b else None


def _over_rows(left: Tensor, right: Tensor) -> Tensor:
    """`left.T @ right`, which AMX multiplies fastest with the narrower one transposed in memory."""
    if left.shape[1] > right.shape[1]:
        return _over_rows(right, left).T
    columns = left.T.contiguous() if left.dtype == torch.bfloat16 else left.T
    return columns @ right


def _as_rows(maps: Tensor) -> Tensor:
    """Maps or weights `(N, C, H, W)` as rows `(N, H·W·C)`, in channels-last memory a view."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def convolve(maps: Tensor, weight: Tensor, stride: int) -> Tensor:
    """`F.conv2d` for 4×4 kernels: at stride 2 and padding 1, or at stride 1 on 4×4 maps."""
    n, _, h, w = maps.shape
    if stride == 1:
        return Product.apply(_as_rows(maps), _as_rows(weight))[:, :, None, None]
    rows = Product.apply(Patches.apply(maps), _as_rows(weight))
    return rows.view(n, h // 2, w // 2, -1).permute(0, 3, 1, 2)


def convolve_transposed(maps: Tensor, weight: Tensor, stride: int) -> Tensor:
    """`F.conv_transpose2d` for the same kernels: to twice the side, or from 1×1 to 4×4 maps."""
    n, c, h, w = maps.shape
    narrow = weight.shape[1]
    rows = Product.apply(maps.permute(0, 2, 3, 1).reshape(-1, c), _as_rows(weight).T)
    if stride == 1:
        return rows.view(n, 4, 4, narrow).permute(0, 3, 1, 2)
    return Fold.apply(rows, (n, narrow, 2 * h, 2 * w))


# What a layer calls, with its usual arguments after the padding: dilation and groups, or output
# padding, groups and dilation.
LAYERS: dict[Callable, tuple[Callable[..., Tensor], tuple]] = {
    F.conv2d: (convolve, ((1, 1), 1)),
    F.conv_transpose2d: (convolve_transposed, ((0, 0), 1, (1, 1))),
}


class SmallMapsAsProducts(TorchFunctionMode):
    """Within this block convolutions of the kind that gains are computed as matrix products.

    The same sums in another order: results differ by rounding. All other calls are torch's own.

    Args:
        dtype: of the products, as autocast has it for torch's convolutions.
    """

    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.dtype = dtype

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        if func in LAYERS and len(args) > 5:
            product, usual = LAYERS[func]
            maps, weight, bias, stride, padding, *rest = args
            if bias is None and tuple(rest) == usual:
                sides = maps.shape[2:]
                if func is F.conv_transpose2d:
                    sides = [2 * side if stride == (2, 2) else side + 3 for side in sides]
                if _gains(tuple(sides), weight, stride, padding):
                    return product(maps.to(self.dtype), weight.to(self.dtype), stride[0])
        return func(*args, **(kwargs or {}))


def _gains(sides: tuple[int, ...], weight: Tensor, stride: tuple, padding: tuple) -> bool:
    """Whether a layer is faster as a product; `sides` are those of its larger maps."""
    if weight.shape[2:] != (4, 4):
        return False
    if stride == (1, 1) and padding == (0, 0):
        return sides == (4, 4) and weight.numel() >= FEWEST_WEIGHTS_ON_ALL
    if stride == (2, 2) and padding == (1, 1):
        even = all(side % 2 == 0 for side in sides)
        return even and max(sides) <= LARGEST_MAP and weight.numel() >= FEWEST_WEIGHTS
    return False
