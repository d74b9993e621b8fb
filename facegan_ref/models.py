"""Generators and discriminators: the MLP pair of lesson 4 and the DCGAN pair of lesson 6.

Generators take latents `(N, z_dim)` and give images in [-1, 1]; discriminators give one logit an
image, `(N,)`.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from facegan_ref.sizes import count_doublings


class MLPGenerator(nn.Module):
    """Latents `(N, z_dim)` to samples `(N, *out_shape)` in [-1, 1] through two hidden layers.

    Args:
        z_dim: size of a latent.
        hidden_dim: width of both hidden layers.
        out_shape: shape of one sample, `(3, 32, 32)` for images or `(2,)` for points.

    Source: the fully connected generator of Goodfellow et al. 2014, section 5.
    """

    def __init__(self, z_dim: int, hidden_dim: int, out_shape: tuple[int, ...]):
        super().__init__()
        self.out_shape = out_shape
        self.net = nn.Sequential(
            nn.Linear(z_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, math.prod(out_shape)),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).view(-1, *self.out_shape)


class MLPDiscriminator(nn.Module):
    """Samples `(N, *in_shape)` to logits `(N,)` through two hidden layers.

    Args:
        in_shape: shape of one sample, `(3, 32, 32)` for images or `(2,)` for points.
        hidden_dim: width of both hidden layers.

    Source: the fully connected discriminator of Goodfellow et al. 2014, section 5, with LeakyReLU
    in place of maxout (Radford et al. 2015).
    """

    def __init__(self, in_shape: tuple[int, ...], hidden_dim: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(in_shape), hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_dim, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).flatten()


class Generator(nn.Module):
    """DCGAN generator: latents `(N, z_dim)` to images `(N, channels, S, S)` in [-1, 1].

    A transposed convolution turns the latent into 4×4, each further one doubles the side; batch
    normalisation and ReLU after each but the last, tanh at the end.

    Args:
        z_dim: size of a latent.
        ngf: feature maps before the last layer; they double towards the 4×4 end.
        channels: colour channels of the images.
        image_size: side S, a power of two from 8 up (ValueError otherwise).

    Source: Radford et al. 2015, section 3 and figure 1.
    """

    def __init__(self, z_dim: int = 100, ngf: int = 64, channels: int = 3, image_size: int = 64):
        super().__init__()
        widths = [ngf * 2**i for i in reversed(range(count_doublings(image_size)))]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(z_dim, widths[0], 4, 1, 0, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        for wide, narrow in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False),
                nn.BatchNorm2d(narrow),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.ConvTranspose2d(ngf, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.net = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z[:, :, None, None])


class Discriminator(nn.Module):
    """DCGAN discriminator: images `(N, channels, S, S)` to logits `(N,)`.

    Strided convolutions halve the side down to 4×4 and a last one makes the logit; LeakyReLU 0.2,
    batch normalisation in all but the first and the last layer.

    Args:
        channels: colour channels of the images.
        ndf: feature maps after the first layer; they double with each halving.
        image_size: side S, a power of two from 8 up (ValueError otherwise).

    Source: Radford et al. 2015, section 3.
    """

    def __init__(self, channels: int = 3, ndf: int = 64, image_size: int = 64):
        super().__init__()
        widths = [ndf * 2**i for i in range(count_doublings(image_size))]
        layers: list[nn.Module] = [
            nn.Conv2d(channels, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for narrow, wide in pairwise(widths):
            layers += [
                nn.Conv2d(narrow, wide, 4, 2, 1, bias=False),
                nn.BatchNorm2d(wide),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers += [nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).flatten()


def init_weights(module: nn.Module) -> None:
    """DCGAN initialisation of one module, for use as `network.apply(init_weights)`.

    Weights of (transposed) convolutions come from N(0, 0.02²), batch normalisation's scale from
    N(1, 0.02²) and its shift is 0; other modules stay as they are.

    Source: Radford et al. 2015, section 4; the scale around 1 as in the PyTorch DCGAN tutorial.
    """
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
