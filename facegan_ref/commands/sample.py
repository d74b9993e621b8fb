"""`facegan sample`: faces from a trained generator."""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref.commands.options import FILE, SEED


@click.command()
@click.argument("run", type=FILE)
@click.option("--n", type=click.IntRange(1), default=64, show_default=True, help="how many faces")
@click.option("--columns", type=click.IntRange(1), default=8, show_default=True)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="the same seed gives the same faces"
)
@click.option("--scale", type=click.IntRange(1, 8), default=2, show_default=True)
@click.option("--out", type=FILE, default="faces.png", show_default=True)
def sample(run: Path, n: int, columns: int, seed: int, scale: int, out: Path) -> None:
    """Draw a grid of faces from RUN, a run's folder or a checkpoint file."""
    import torch

    from facegan_ref import sampling
    from facegan_ref.pictures import image_grid, save_png
    from facegan_ref.run import load_generator

    generator, recipe = load_generator(run)
    z = sampling.draw_latent(recipe, n, torch.Generator().manual_seed(seed))
    images = torch.cat([sampling.sample(generator, part) for part in z.split(256)])
    save_png(image_grid(images, columns), out, scale)
    click.echo(f"{out}: {n} faces of {recipe.image_size}×{recipe.image_size}, seed {seed}")
