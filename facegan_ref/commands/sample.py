"""`facegan sample`: faces from a trained generator."""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref.commands.latent_options import SCALE, TRUNCATION
from facegan_ref.commands.options import FILE, SEED, open_generator


@click.command()
@click.argument("run", type=FILE, required=False)
@click.option("--n", type=click.IntRange(1, 10_000), default=64, show_default=True)
@click.option("--columns", type=click.IntRange(1), default=8, show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="of the first face")
@click.option("--captions", is_flag=True, help="write each face's seed under it")
@TRUNCATION
@click.option("--scale", type=SCALE, default=2, show_default=True)
@click.option("--out", type=FILE, default="faces.png", show_default=True)
def sample(run, n, columns, seed, captions, truncation, scale, out: Path) -> None:
    """Draw a grid of faces from RUN: a run's folder, a checkpoint, or an exported generator.

    Without RUN they are those of the trained generator that comes with the package.

    Each face has a seed of its own, from --seed on; by its seed it is found again, here and in
    `facegan morph`.
    """
    from facegan_ref.latents import faces_of, latents_of_seeds
    from facegan_ref.pictures import captioned_grid, image_grid, save_png

    generator, recipe = open_generator(run)
    seeds = range(seed, seed + n)
    images = faces_of(generator, latents_of_seeds(recipe, seeds, truncation))
    if captions:
        save_png(captioned_grid(images, columns, scale, [str(s) for s in seeds]), out)
    else:
        save_png(image_grid(images, columns), out, scale)
    size = recipe.image_size
    click.echo(f"{out}: {n} faces of {size}×{size}, seeds {seed} to {seed + n - 1}")
