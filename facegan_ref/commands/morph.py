"""Commands that walk through a trained generator's latents: faces by seed, morphs, directions."""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref.commands.options import FILE, SEED

SCALE = click.IntRange(1, 16)
TRUNCATION = click.option(
    "--truncation",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="below 1: latents drawn towards the mean, for more ordinary faces",
)


class SeedList(click.ParamType):
    """Seeds with commas between them."""

    name = "seed,seed,…"

    def convert(self, value, param, ctx):
        if isinstance(value, list):
            return value
        return [SEED.convert(part.strip(), param, ctx) for part in value.split(",")]


class NameList(click.ParamType):
    """Names with commas between them."""

    name = "name,name,…"

    def convert(self, value, param, ctx):
        if isinstance(value, list):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]


@click.command()
@click.argument("run", type=FILE)
@click.option("--n", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--columns", type=click.IntRange(1), default=10, show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="of the first face")
@TRUNCATION
@click.option("--scale", type=SCALE, default=1, show_default=True)
@click.option("--out", type=FILE, default="faces.png", show_default=True)
def faces(run: Path, n: int, columns: int, seed: int, truncation: float, scale: int, out: Path):
    """Draw many faces of RUN at once, each with its seed under it, to choose some for a morph."""
    from facegan_ref.latents import faces_of, latents_of_seeds
    from facegan_ref.pictures import captioned_grid, save_png
    from facegan_ref.run import load_generator

    generator, recipe = load_generator(run)
    seeds = range(seed, seed + n)
    images = faces_of(generator, latents_of_seeds(recipe, seeds, truncation))
    save_png(captioned_grid(images, columns, scale, [str(s) for s in seeds]), out)
    click.echo(f"{out}: {n} faces, seeds {seed} to {seed + n - 1}")


@click.command()
@click.argument("run", type=FILE)
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
    """Turn one face of RUN into another; each face is called by its seed (see `facegan faces`)."""
    from facegan_ref import morph as tools
    from facegan_ref.latents import interpolation, latents_of_seeds
    from facegan_ref.run import load_generator

    generator, recipe = load_generator(run)
    path = interpolation(recipe, mode)
    z0, z1 = latents_of_seeds(recipe, [seed0, seed1], truncation)
    images = tools.morph(generator, z0, z1, frames, path)
    save_frames(list(images.split(1)), 1, out, fps, scale, strip_columns=12)
    click.echo(f"{out}: {frames} frames from face {seed0} to face {seed1} by {path.__name__}")


def save_frames(frames, columns, out, fps, scale, strip_columns):
    """Batches of images as a film of grids there and back, or as one grid of all (.png)."""
    import torch

    from facegan_ref.pictures import (
        enlarge,
        image_grid,
        save_animation,
        save_png,
        there_and_back,
    )

    if out.suffix.lower() == ".png":
        save_png(image_grid(torch.cat(frames), strip_columns), out, scale)
    else:
        pictures = [enlarge(image_grid(frame, columns), scale) for frame in frames]
        save_animation(there_and_back(pictures, hold=max(1, round(fps / 2))), out, fps)


@click.command()
@click.argument("run", type=FILE)
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
    from facegan_ref.run import load_generator

    if len(corners) != 4:
        raise ValueError(f"--corners has {len(corners)} seeds, expected 4, such as 0,1,2,3")
    generator, recipe = load_generator(run)
    path = interpolation(recipe, mode)
    z = latent_grid(latents_of_seeds(recipe, corners, truncation), side, side, path)
    save_png(image_grid(faces_of(generator, z), side), out, scale)
    click.echo(f"{out}: {side}×{side} faces between {', '.join(map(str, corners))}")


@click.command()
@click.argument("run", type=FILE)
@click.option("--data", type=FILE, help="array file of `python -m data_prep`; default: toy faces")
@click.option("--images", type=click.IntRange(1), default=8000, show_default=True,
              help="how many toy faces to draw when there is no --data")  # fmt: skip
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
    from facegan_ref.run import load_generator, open_faces

    generator, recipe = load_generator(run)
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
@click.argument("run", type=FILE)
@click.argument("picture", type=FILE)
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
    pictures of the training.
    """
    import math

    import torch

    from facegan_ref import morph as tools
    from facegan_ref.latents import interpolation, latents_of_seeds
    from facegan_ref.pictures import captioned_grid, load_picture, save_png
    from facegan_ref.run import load_generator
    from facegan_ref.sampling import draw_latent

    generator, recipe = load_generator(run)
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


@click.command()
@click.argument("run", type=FILE)
@click.option("--data", type=FILE, help="array file with attributes; default: toy faces")
@click.option("--images", type=click.IntRange(1), default=8000, show_default=True,
              help="how many toy faces to draw when there is no --data")  # fmt: skip
@click.option("--attributes", type=NameList(), help="such as Smiling,Male; default: all possible")
@click.option("--faces", "n", type=click.IntRange(100), default=4000, show_default=True,
              help="how many generated faces to judge")  # fmt: skip
@click.option("--reach", type=click.FloatRange(0.1, 10), default=3.0, show_default=True,
              help="how far the measured moves go")  # fmt: skip
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--out", type=FILE, default="directions.json", show_default=True)
def directions(run, data, images, attributes, n, reach, seed, out):
    """Find the directions in which RUN's faces gain an attribute, for `facegan strip`.

    A classifier learns the attributes on the data and judges generated faces. The table says how
    good it is on pictures that it has not seen (and how good the more frequent answer would be),
    how many generated faces have the attribute, how many after moving all of them back and forth,
    and what else a move changes most.
    """
    import torch

    from facegan_ref.data.faces import FaceArray
    from facegan_ref.data.toyfaces import ToyFaces
    from facegan_ref.directions import find_directions, toy_attributes, train_classifier
    from facegan_ref.run import load_generator

    generator, recipe = load_generator(run)
    if data is not None:
        labelled = FaceArray.open(data)
    else:
        toys = ToyFaces(images, recipe.image_size, seed=0)
        labelled = FaceArray(toys.images, {"source": "toyfaces"}, toy_attributes(toys.labels))
    rng = torch.Generator().manual_seed(seed)
    classifier = train_classifier(labelled, rng)
    result = find_directions(generator, recipe, classifier, rng, attributes, n, reach)
    result.save(out)
    click.echo(result.table())
    click.echo(f"{out}: {len(result.found)} directions")


@click.command()
@click.argument("run", type=FILE)
@click.option("--directions", "file", type=FILE, default="directions.json", show_default=True)
@click.option("--attribute", required=True, help="which direction, such as Smiling")
@click.option(
    "--hold", type=NameList(), default="", help="attributes to leave alone, as far as can be"
)
@click.option("--seeds", type=SeedList(), default="0,1,2,3", show_default=True, help="the faces")
@click.option("--steps", type=click.IntRange(2, 200), default=7, show_default=True)
@click.option("--reach", type=click.FloatRange(0.1, 10), default=3.0, show_default=True,
              help="how far to move either way")  # fmt: skip
@TRUNCATION
@click.option("--fps", type=click.FloatRange(1, 50), default=8, show_default=True)
@click.option("--scale", type=SCALE, default=2, show_default=True)
@click.option("--out", type=FILE, default="strip.png", show_default=True,
              help=".png: a row a face; .gif or .webp: the faces as a film")  # fmt: skip
def strip(run, file, attribute, hold, seeds, steps, reach, truncation, fps, scale, out):
    """Move faces of RUN along an attribute's direction, from without it to with it."""
    import torch

    from facegan_ref.directions import Directions, without
    from facegan_ref.latents import faces_of, latents_of_seeds, move
    from facegan_ref.run import load_generator

    generator, recipe = load_generator(run)
    known = Directions.load(file, generator)
    direction = known[attribute].tensor()
    if hold:
        direction = without(direction, torch.stack([known[name].tensor() for name in hold]))
    z = latents_of_seeds(recipe, seeds, truncation)
    moved = move(recipe, z, direction, torch.linspace(-reach, reach, steps))
    images = faces_of(generator, moved).unflatten(0, (len(seeds), steps))
    if out.suffix.lower() == ".png":
        save_frames([images.flatten(0, 1)], steps, out, fps, scale, strip_columns=steps)
    else:
        save_frames(list(images.unbind(1)), len(seeds), out, fps, scale, strip_columns=steps)
    click.echo(f"{out}: {len(seeds)} faces, {attribute} from -{reach:g} to +{reach:g}")
