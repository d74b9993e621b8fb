"""`facegan directions` and `facegan strip`: attributes of a trained generator's faces."""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref.commands.latent_options import (
    SCALE,
    TRUNCATION,
    NameList,
    SeedList,
    save_film,
)
from facegan_ref.commands.options import FILE, SEED, open_generator, real_faces, require_data


@click.command()
@click.argument("run", type=FILE, required=False)
@real_faces
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
    and what else a move changes most. Without RUN, the package's own generator is judged.
    """
    import torch

    from facegan_ref.attributes import toy_attributes, train_classifier
    from facegan_ref.data.faces import FaceArray
    from facegan_ref.data.toyfaces import ToyFaces
    from facegan_ref.directions import find_directions

    require_data(run, data)
    generator, recipe = open_generator(run)
    if data is not None:
        labelled = FaceArray.open(data)
    else:
        toys = ToyFaces(images, recipe.image_size, seed=0)
        labelled = FaceArray(toys.images, {"source": "toyfaces"}, toy_attributes(toys.labels))
    rng = torch.Generator().manual_seed(seed)
    click.echo(f"learning the attributes of {len(labelled)} pictures")
    classifier = train_classifier(labelled, rng, attributes or ())
    click.echo(f"judging {n} generated faces and measuring the moves")
    result = find_directions(generator, recipe, classifier, rng, attributes, n, reach)
    result.save(out)
    click.echo(result.table())
    click.echo(f"{out}: {len(result.found)} directions")


@click.command()
@click.argument("run", type=FILE, required=False)
@click.option("--directions", "file", type=FILE,
              help="default: directions.json, or without RUN the package's own")  # fmt: skip
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
    """Move faces of RUN, or of the package's own generator, along an attribute's direction."""
    import torch

    from facegan_ref.directions import Directions, without
    from facegan_ref.export import SHIPPED_DIRECTIONS
    from facegan_ref.latents import faces_of, latents_of_seeds, move
    from facegan_ref.pictures import captioned_grid, image_grid, save_png

    generator, recipe = open_generator(run)
    if file is None:
        own = run is None and SHIPPED_DIRECTIONS.is_file()
        file = SHIPPED_DIRECTIONS if own else Path("directions.json")
    known = Directions.load(file, generator)
    direction = known[attribute].tensor()
    if hold:
        direction = without(direction, torch.stack([known[name].tensor() for name in hold]))
    z = latents_of_seeds(recipe, seeds, truncation)
    moved = move(recipe, z, direction, torch.linspace(-reach, reach, steps))
    images = faces_of(generator, moved).unflatten(0, (len(seeds), steps))
    if out.suffix.lower() == ".png":
        rows = [f"face {seed}" for seed in seeds]
        save_png(captioned_grid(images.flatten(0, 1), steps, scale, rows=rows), out)
    else:
        save_film([image_grid(frame, len(seeds)) for frame in images.unbind(1)], out, fps, scale)
    click.echo(f"{out}: {len(seeds)} faces, {attribute} from -{reach:g} to +{reach:g}")
