"""Commands that walk through a trained generator's latents: morphs, grids, inversion."""

from __future__ import annotations

import click

from facegan_ref.commands.latent_options import SCALE, TRUNCATION, SeedList, save_film
from facegan_ref.commands.options import FILE, SEED, open_generator, real_faces, require_data


@click.command()
@click.argument("run", type=FILE, required=False)
@click.option("--from", "seed0", type=SEED, default=0, show_default=True, help="the first face")
@click.option("--to", "seed1", type=SEED, default=1, show_default=True, help="the last face")
@click.option("--frames", type=click.IntRange(2, 480), default=24, show_default=True)
@click.option(
    "--mode",
    type=click.Choice(["slerp", "lerp"]),
    help="the way between; default: slerp, and lerp for uniform latents",
)
@TRUNCATION
@click.option("--fps", type=click.FloatRange(1, 50), default=12, show_default=True)
@click.option("--scale", type=SCALE, default=4, show_default=True)
@click.option(
    "--out",
    type=FILE,
    default="morph.gif",
    show_default=True,
    help=".gif or .webp: a film there and back; .png: all frames side by side",
)
def morph(run, seed0, seed1, frames, mode, truncation, fps, scale, out):
    """Turn one face of RUN into another; each face is called by its seed (see `facegan sample`).

    Without RUN they are faces of the trained generator that comes with the package.
    """
    from facegan_ref import morph as tools
    from facegan_ref.latents import interpolation, latents_of_seeds
    from facegan_ref.pictures import image_grid, save_png

    generator, recipe = open_generator(run)
    path = interpolation(recipe, mode)
    z0, z1 = latents_of_seeds(recipe, [seed0, seed1], truncation)
    images = tools.morph(generator, z0, z1, frames, path)
    if out.suffix.lower() == ".png":
        save_png(image_grid(images, 12), out, scale)
    else:
        save_film([image_grid(image[None], 1) for image in images], out, fps, scale)
    click.echo(f"{out}: {frames} frames from face {seed0} to face {seed1} by {path.__name__}")


@click.command()
@click.argument("run", type=FILE, required=False)
@click.option(
    "--corners",
    type=SeedList(),
    default="0,1,2,3",
    show_default=True,
    help="seeds of the faces top left, top right, bottom left, bottom right",
)
@click.option("--side", type=click.IntRange(2, 32), default=8, show_default=True)
@click.option("--mode", type=click.Choice(["slerp", "lerp"]), help="as for morph")
@TRUNCATION
@click.option("--scale", type=SCALE, default=2, show_default=True)
@click.option("--out", type=FILE, default="grid.png", show_default=True)
def grid(run, corners, side, mode, truncation, scale, out):
    """Draw the faces of RUN between four corner faces, a morph in two ways at once."""
    from facegan_ref.latents import faces_of, interpolation, latent_grid, latents_of_seeds
    from facegan_ref.pictures import image_grid, save_png

    if len(corners) != 4:
        raise ValueError(f"--corners has {len(corners)} seeds, expected 4, such as 0,1,2,3")
    generator, recipe = open_generator(run)
    path = interpolation(recipe, mode)
    z = latent_grid(latents_of_seeds(recipe, corners, truncation), side, side, path)
    save_png(image_grid(faces_of(generator, z), side), out, scale)
    click.echo(f"{out}: {side}×{side} faces between {', '.join(map(str, corners))}")


@click.command()
@click.argument("run", type=FILE, required=False)
@real_faces
@click.option("--n", type=click.IntRange(1, 100), default=10, show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="of the first face")
@click.option("--scale", type=SCALE, default=2, show_default=True)
@click.option("--out", type=FILE, default="compare.png", show_default=True)
def compare(run, data, images, n, seed, scale, out):
    """Draw real faces over generated ones, and under those the real ones most like them.

    A generated face that is the same as its nearest real one was memorised. Likeness is the
    distance of pixels, which sees poses and colours more than persons.
    """
    import torch

    from facegan_ref.data.faces import to_tanh_range
    from facegan_ref.latents import faces_of, latents_of_seeds
    from facegan_ref.metrics import nearest_neighbours
    from facegan_ref.pictures import captioned_grid, save_png
    from facegan_ref.run import open_faces

    require_data(run, data)
    generator, recipe = open_generator(run)
    real = open_faces(data, recipe, images)
    if real.image_size != recipe.image_size:
        raise ValueError(
            f"{data}: images have {real.image_size} pixels, the run's {recipe.image_size}; prepare "
            f"them with --size {recipe.image_size}"
        )
    if len(real) < n:
        raise ValueError(f"--n is {n}, but there are {len(real)} real faces only")
    fake = faces_of(generator, latents_of_seeds(recipe, range(seed, seed + n)))
    some = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[:n]
    bytes_of_fake = (fake + 1) * 127.5
    distances, nearest = nearest_neighbours(bytes_of_fake, real.images)
    rows = torch.cat([real.batch(some), fake, to_tanh_range(real.images[nearest])])
    names = ["real", "generated", "nearest real"]
    save_png(captioned_grid(rows, n, scale, rows=names), out)
    per_pixel = float(distances.mean()) / fake[0].numel() ** 0.5
    click.echo(
        f"{out}: {n} real and generated faces; the nearest of {len(real)} real ones are "
        f"{per_pixel:.1f} grey levels away (root mean square, on average)"
    )


@click.command()
@click.argument("run", type=FILE, required=False)
@click.argument("picture", type=FILE, required=False)
@click.option("--steps", type=click.IntRange(1, 10_000), default=300, show_default=True)
@click.option("--restarts", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option(
    "--to", "seed1", type=SEED, default=1, show_default=True, help="the morph's last face"
)
@click.option("--scale", type=SCALE, default=3, show_default=True)
@click.option("--out", type=FILE, default="inverted.png", show_default=True)
def invert(run, picture, steps, restarts, seed, seed1, scale, out):
    """Find the face of RUN that is most like PICTURE, and morph it into another one.

    PICTURE is any JPEG or PNG; its middle square is used, where the face should sit as in the
    pictures of the training. Without RUN, it is a face of the package's own generator.
    """
    import math

    import torch

    from facegan_ref import morph as tools
    from facegan_ref.latents import interpolation, latents_of_seeds
    from facegan_ref.pictures import captioned_grid, load_picture, save_png
    from facegan_ref.sampling import draw_latent

    if picture is None:  # one name alone is the picture's
        run, picture = None, run
    if picture is None:
        raise click.UsageError("Missing argument 'PICTURE'.")
    generator, recipe = open_generator(run)
    image = load_picture(picture, recipe.image_size)
    starts = draw_latent(recipe, restarts, torch.Generator().manual_seed(seed))
    limit = 1.0 if recipe.latent == "uniform" else math.inf
    z, losses = tools.invert(generator, image, steps, starts, limit=limit)
    (target,) = latents_of_seeds(recipe, [seed1])
    way = tools.morph(generator, z, target, 6, interpolation(recipe))
    captions = ["picture", "found", *[""] * (len(way) - 2), f"face {seed1}"]
    save_png(captioned_grid(torch.cat([image[None], way]), 7, scale, captions), out)
    click.echo(
        f"{out}: root mean square error {127.5 * float(losses[0]) ** 0.5:.1f} grey levels at the "
        f"start, {127.5 * float(losses[-1]) ** 0.5:.1f} after {steps} steps"
    )
