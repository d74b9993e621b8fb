"""`facegan train`: a recipe on faces, from the start or from where a run stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from facegan_ref.commands.options import FILE, SEED
from facegan_ref.recipes import RECIPES, Recipe, get_recipe

MAY_CHANGE = {"epochs", "lr_g", "lr_d", "precision"}  # fields that a resumed run may change
OPEN_FIELDS = [
    field for field in dataclasses.fields(Recipe) if field.name not in ("name", "source", "faults")
]


def recipe_options(command):
    """One option for each open field of a recipe."""
    kinds = {"int": int, "float": float, "str": str}
    for field in reversed(OPEN_FIELDS):
        command = click.option(
            "--" + field.name.replace("_", "-"),
            field.name,
            type=kinds[field.type],
            help=f"instead of the recipe's {field.name}",
        )(command)
    return command


def print_recipes() -> None:
    for recipe in RECIPES.values():
        click.echo(
            f"{recipe.name:12} {recipe.model:6} {recipe.image_size} px, z {recipe.z_dim}, "
            f"ngf {recipe.ngf}, ndf {recipe.ndf}, batch {recipe.batch_size}, "
            f"{recipe.epochs} epochs; {recipe.source}"
        )
        for fault in recipe.faults:
            click.echo(f"{'':12} known fault of the original: {fault}")


@click.command()
@click.option("--recipe", "recipe_name", default="quick", show_default=True, help="what to train")
@click.option("--data", type=FILE, help="array file of `python -m data_prep`; default: toy faces")
@click.option(
    "--images",
    type=click.IntRange(1),
    default=8000,
    show_default=True,
    help="how many toy faces to draw when there is no --data",
)
@click.option("--out", type=FILE, help="the run's folder; default: runs/RECIPE")
@click.option("--resume", type=FILE, help="go on with the run in this folder")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--list", "list_recipes", is_flag=True, help="print the recipes and leave")
@recipe_options
def train(recipe_name, data, images, out, resume, device, seed, list_recipes, **changes):
    """Train a recipe on faces, or go on with a run (--resume)."""
    if list_recipes:
        print_recipes()
        return
    from facegan_ref.checkpoint import load_checkpoint
    from facegan_ref.run import CHECKPOINT, Run, choose_device, open_faces
    from facegan_ref.training import Trainer, TrainingDiverged, describe_throughput

    changes = {name: value for name, value in changes.items() if value is not None}
    if resume is not None:
        fixed = sorted(set(changes) - MAY_CHANGE)
        if fixed:
            raise ValueError(
                f"--resume goes on with the run's own recipe; {', '.join(fixed)} can't be changed "
                f"(only {', '.join(sorted(MAY_CHANGE))} can)"
            )
        if out is not None:
            raise ValueError(f"--resume writes into {resume}; leave --out away")
        state = load_checkpoint(resume / CHECKPOINT)
        recipe, seed = Recipe.from_dict(state["recipe"]), state["seed"]
    else:
        recipe = get_recipe(recipe_name)
    recipe = recipe.override(**changes)
    faces = open_faces(data, recipe, images)
    trainer = Trainer(recipe, faces, choose_device(device), seed)
    run = Run(resume or out or Path("runs") / recipe.name, trainer)
    if resume is not None:
        run.resume()
    else:
        run.start()
    try:
        with describe_throughput(trainer) as throughput:
            run.train()
    except TrainingDiverged as error:
        raise click.ClickException(f"{error}: --resume {run.folder}") from error
    click.echo(f"{throughput} on {trainer.device}; grids, curves and GIF in {run.folder}")
