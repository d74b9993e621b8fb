"""Checks of lesson 1: the tasks. The checks themselves are in the modules beside this one."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson01 import latents, loader, pixels

lesson = Lesson(
    "01",
    "pixels_and_latents",
    "Pixels and latents",
    builds="the two batches that every step of a GAN begins with: faces in [-1, 1], and noise",
    minutes=60,
    given={
        "DataLoader": "torch.utils.data:DataLoader",
        "Dataset": "torch.utils.data:Dataset",
    },
)

lesson.task(
    "1.1",
    "to_tanh_range",
    names=("to_tanh_range",),
    points=3,
    hints=(
        "Black is 0 and must become -1, white is 255 and must become 1. Which straight line goes "
        "through these two points, and can a byte hold what it gives?",
        "Convert to float32 FIRST, then divide by 127.5, then subtract 1. The numbers are fixed: "
        "never the image's own minimum, maximum or mean. And make a copy, so that the input stays "
        "as it is.",
        "floats = x as a new float32 tensor\nreturn floats / 127.5 - 1",
        "to_tanh_range(torch.tensor([0, 51, 255], dtype=torch.uint8)) must be [-1.0, -0.6, 1.0], "
        "and\nto_tanh_range(torch.tensor([0, 1], dtype=torch.uint8)) must be [-1.0, -0.9922], not "
        "[-1, 1].",
    ),
)
lesson.task(
    "1.2",
    "from_tanh_range",
    names=("from_tanh_range",),
    points=2,
    hints=(
        "Turn the line of task 1.1 round. Its results are not whole numbers: which byte is nearest "
        "to 99.99999? And what does a byte do with 256?",
        "(x + 1) * 127.5, then round, then clip to 0…255, then convert to uint8: in this order. "
        "Conversion alone cuts the fraction off, and what does not fit into a byte wraps around.",
        "levels = (x + 1) * 127.5\nreturn levels, rounded, clamped to 0 and 255, as torch.uint8",
        "from_tanh_range(torch.tensor([-1.0, -0.6, 0.999, 1.01])) must be [0, 51, 255, 255]:\n"
        "0.999 is level 254.87, and 1.01 must not become a black pixel.",
    ),
)
lesson.task(
    "1.3",
    "sample_latent",
    names=("sample_latent",),
    points=2,
    hints=(
        "torch.rand and torch.randn differ in one letter. Which of the two gives numbers around 0? "
        "And from where does it take its randomness, if you do not tell it?",
        "Standard normal numbers of shape (n, z_dim), drawn on the CPU from the generator that you "
        "were given (None means torch's global one), and moved to the device afterwards. Nothing "
        "is seeded in here: whoever calls decides about seeds.",
        "z = standard normal (n, z_dim), with generator=generator\n"
        "return z on the device, or on the CPU when device is None",
        "g = torch.Generator().manual_seed(7)\n"
        "a, b = sample_latent(4, 100, g), sample_latent(4, 100, g)\n"
        "a and b must differ; a fresh generator with the seed 7 must give a again; and\n"
        "torch.get_rng_state() must be as before.",
    ),
)
lesson.task(
    "1.4",
    "make_loader",
    names=("make_loader",),
    points=3,
    hints=(
        "Somebody else draws a random number between two of your batches. Does your order change? "
        "From whose random numbers does a DataLoader shuffle?",
        "Make a torch.Generator of the loader's own, seed that one, and give it to the DataLoader "
        "as generator=, with shuffle=True. It goes on from pass to pass, so each pass has a new "
        "order. The last batch stays: no drop_last.",
        "rng = a new torch.Generator, seeded with seed\n"
        "return a DataLoader of dataset with this batch_size, shuffled, with generator=rng",
        "loader = make_loader(torch.arange(10), 4, seed=0)\n"
        "[len(batch) for batch in loader] must be [4, 4, 2]; two passes must have two orders; and\n"
        "torch.get_rng_state() must be the same before make_loader and after both passes.",
    ),
)

pixels.add_to(lesson)
latents.add_to(lesson)
loader.add_to(lesson)
