"""Lesson 6: the tasks. Their checks are in the modules beside this one."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson06 import init, networks, sizes

lesson = Lesson(
    "06",
    "dcgan",
    "DCGAN",
    builds="the DCGAN's generator and discriminator, for images of any power of two",
    minutes=90,
    given={
        "count_doublings": "facegan_ref.sizes:count_doublings",
        "pairwise": "itertools:pairwise",
    },
)

lesson.task(
    "6.1",
    "conv_out",
    names=("conv_out",),
    points=2,
    hints=(
        "Put the kernel's left edge on the first padded pixel. How far can it still move to the "
        "right, and how many places does it visit on the way?",
        "With its padding the image has n + 2·padding pixels. The kernel can move by what it does "
        "not cover, in strides; a rest that is shorter than a stride is lost; and the first place "
        "counts too.",
        "room = n + 2 * padding - kernel\nreturn (whole strides that fit into room) + 1",
        "conv_out(8, 3, 2, 1): 10 pixels, room for 7 more, three strides of 2 and a rest, so 4. "
        "It must be 4, neither 4.5 nor 5.",
    ),
)
lesson.task(
    "6.2",
    "conv_transpose_out",
    names=("conv_transpose_out",),
    points=2,
    hints=(
        "Each input pixel leaves a stamp. Where does the last stamp begin, where does it end, and "
        "what is cut off afterwards?",
        "The n stamps begin at 0, stride, 2·stride, …; the last one is `kernel` wide; then "
        "`padding` pixels are cut off at both edges.",
        "start of the last stamp + its width - what is cut off at two edges",
        "conv_transpose_out(1, 4, 1, 0) must be 4 and conv_transpose_out(4, 4, 2, 1) must be 8; "
        "conv_transpose_out(4, 3, 2, 1) is 7, not 8.",
    ),
)
lesson.task(
    "6.3",
    "Generator",
    names=("Generator",),
    points=6,
    hints=(
        "A latent is an image of one pixel with z_dim channels. Which layer makes 4×4 of it, and "
        "how often must 4 double until it is image_size?",
        "ConvTranspose2d(z_dim, widest, 4, 1, 0), then one ConvTranspose2d(…, 4, 2, 1) for each "
        "doubling. BatchNorm2d and ReLU after each of them but the last, tanh after the last.",
        "widths = [ngf * 2**i for i in reversed(range(count_doublings(image_size)))]\n"
        "layers = 4,1,0 from z_dim to widths[0]; BatchNorm2d; ReLU\n"
        "for wide, narrow in pairwise(widths): 4,2,1 from wide to narrow; BatchNorm2d; ReLU\n"
        "last: 4,2,1 from ngf to channels; Tanh\n"
        "forward: the layers on z[:, :, None, None]",
        "Generator(16, 4, 1, 32)(torch.randn(2, 16)) must have the shape (2, 1, 32, 32), with "
        "feature maps of (16, 4, 4), (8, 8, 8) and (4, 16, 16) on the way.",
    ),
)
lesson.task(
    "6.4",
    "Discriminator",
    names=("Discriminator",),
    points=5,
    hints=(
        "It is the generator read backwards. What happens to the side and to the number of "
        "channels at each step, and what turns 4×4 into one number?",
        "One Conv2d(…, 4, 2, 1) for each halving down to 4×4, LeakyReLU(0.2) after each, "
        "BatchNorm2d after all but the first; then Conv2d(widest, 1, 4, 1, 0) alone: no "
        "normalisation, no sigmoid.",
        "widths = [ndf * 2**i for i in range(count_doublings(image_size))]\n"
        "layers = 4,2,1 from channels to ndf; LeakyReLU\n"
        "for narrow, wide in pairwise(widths): 4,2,1 from narrow to wide; BatchNorm2d; LeakyReLU\n"
        "last: 4,1,0 from widths[-1] to 1\n"
        "forward: the layers on x, flattened",
        "Discriminator(3, 4, 32)(torch.randn(1, 3, 32, 32)) must have the shape (1,): squeeze() "
        "without a dimension makes it ().",
    ),
)
lesson.task(
    "6.5",
    "init_weights",
    names=("init_weights",),
    points=3,
    hints=(
        "`network.apply(f)` calls f for every module inside, containers and activations too. How "
        "does your function know which of them it is to change?",
        "Ask with isinstance. Weights of nn.Conv2d and of nn.ConvTranspose2d: normal, mean 0, std "
        "0.02. nn.BatchNorm2d: weight normal with mean 1 and std 0.02, bias 0. All else: nothing.",
        "if module is a Conv2d or a ConvTranspose2d: nn.init.normal_(module.weight, mean, std)\n"
        "elif module is a BatchNorm2d: nn.init.normal_(module.weight, …), "
        "nn.init.zeros_(module.bias)",
        "layer = nn.ConvTranspose2d(100, 64, 4); layer.apply(init_weights): layer.weight.std() "
        "must be about 0.02 and not 0.018; and nn.BatchNorm2d(64)'s weights must lie around 1.",
    ),
)
lesson.task(
    "6.6",
    "all three together",
    names=("Generator", "Discriminator", "init_weights"),
    points=2,
    hints=(
        "What does D expect of an image, and does G deliver it: its shape, its channels, its side?",
        "D(G(z)) must give one logit for each z, at 16, 32 and 64 pixels, with 1 and 3 channels, "
        "before and after `apply(init_weights)`. Then a step must move every weight.",
        "generator = Generator(z_dim, ngf, channels, size).apply(init_weights)\n"
        "discriminator = Discriminator(channels, ndf, size).apply(init_weights)\n"
        "discriminator(generator(z)); discriminator_step(…); generator_step(…)",
        "Generator(8, 4, 3, 16) and Discriminator(3, 4, 16), initialised, then one step of each: "
        "[p.grad is None for p in …] must be all False, and every weight a little different.",
    ),
)

sizes.add_to(lesson)
networks.add_to(lesson)
init.add_to(lesson)
