"""`facegan train`: a recipe on faces, from the start or from where a run stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from facegan_ref.commands.options import FILE, SEED, TOY_FACES
from facegan_ref.recipes import RECIPES, Recipe, get_recipe

# When a run is resumed:
MAY_CHANGE = {"epochs", "lr_g", "lr_d", "ema_decay", "precision", "preview_every"}
OPEN_FIELDS = [
    field for field in dataclasses.fields(Recipe) if field.name not in ("name", "source", "faults")
]


def recipe_options(command):
    """One option for each open field of a recipe."""
    kinds = {"int": int, "float": float, "str": str}
    for field in reversed(OPEN_FIELDS):
        option = "--" + field.name.replace("_", "-")
        text = f"instead of the recipe's {field.name}"
        if field.type == "bool":
            negative = "--no-" + field.name.replace("_", "-")
            add = click.option(f"{option}/{negative}", field.name, default=None, help=text)
        else:
            add = click.option(option, field.name, type=kinds[field.type], help=text)
        command = add(command)
    return command


def print_recipes() -> None:
    """The table of recipes: sizes and rates, where each comes from, what was wrong with it."""
    columns = ("recipe", "model", "px", "z", "ngf", "ndf", "batch", "epochs", "lr G", "lr D")
    layout = "{:15} {:6} {:>3} {:>4} {:>4} {:>4} {:>6} {:>7} {:>7} {:>7}"
    click.echo(layout.format(*columns))
    for recipe in RECIPES.values():
        click.echo(
            layout.format(
                recipe.name, recipe.model, recipe.image_size, recipe.z_dim, recipe.ngf, recipe.ndf,
                recipe.batch_size, recipe.epochs, f"{recipe.lr_g:g}", f"{recipe.lr_d:g}",
            )
        )  # fmt: skip
    for recipe in RECIPES.values():
        click.echo(f"\n{recipe.name}: {recipe.source}")
        plain = Recipe("", "")
        special = [
            f"{field.name} {getattr(recipe, field.name)}"
            for field in OPEN_FIELDS
            if field.name not in IN_TABLE
            and getattr(recipe, field.name) != getattr(plain, field.name)
        ]
        if special:
            click.echo("  " + ", ".join(special))
        for fault in recipe.faults:
            click.echo(f"  known fault of the original: {fault}")


IN_TABLE = {
    "model", "image_size", "z_dim", "ngf", "ndf", "batch_size", "epochs", "lr_g", "lr_d",
}  # fmt: skip


@click.command()
@click.option("--recipe", "recipe_name", help="what to train; default: quick")
@click.option("--data", type=FILE, help="array file of `python -m data_prep`; default: toy faces")
@click.option(
    "--images",
    type=click.IntRange(1),
    help="how many toy faces to draw when there is no --data; default: 8000, or the run's",
)
@click.option("--out", type=FILE, help="the run's folder; default: runs/RECIPE")
@click.option(
    "--resume", type=FILE, help="go on with the run in this folder, or from this checkpoint of it"
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps")
@click.option("--seed", type=SEED, help="of weights, latents and order; default: 0")
@click.option(
    "--checkpoint-every", type=click.IntRange(1), default=500, show_default=True, help="steps"
)
@click.option(
    "--keep", type=click.IntRange(1), default=3, show_default=True, help="checkpoints to keep"
)
@click.option(
    "--quality-images",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="faces judged after each epoch, to keep the best checkpoint; 0: none",
)
@click.option("--capture", is_flag=True, help="CUDA: replay each step as one CUDA graph")
@click.option("--tensorboard", is_flag=True, help="also write TensorBoard's event files")
@click.option("--list", "list_recipes", is_flag=True, help="print the recipes and leave")
@recipe_options
def train(
    recipe_name,
    data,
    images,
    out,
    resume,
    device,
    seed,
    checkpoint_every,
    keep,
    quality_images,
    capture,
    tensorboard,
    list_recipes,
    **changes,
):
    """Train a recipe on faces, or go on with a run (--resume)."""
    if list_recipes:
        print_recipes()
        return
    from facegan_ref import distributed
    from facegan_ref.evaluation import MIN_IMAGES, QualityMeasure
    from facegan_ref.interrupt import TrainingStopped
    from facegan_ref.run import Run, choose_device, describe_throughput, open_faces
    from facegan_ref.speed import tune_memory
    from facegan_ref.training import Trainer, TrainingDiverged

    changes = {name: value for name, value in changes.items() if value is not None}
    if 0 < quality_images < MIN_IMAGES:
        raise ValueError(
            f"--quality-images is {quality_images}, expected 0 (none) or {MIN_IMAGES} and more"
        )
    if out is not None and not out.name:
        raise ValueError("--out is empty, expected a folder of the run's own, such as runs/mine")
    if resume is None:
        checkpoint, folder, images = None, out, images or TOY_FACES
        recipe = get_recipe(recipe_name or "quick").override(**changes)
    else:
        recipe, state, folder, checkpoint = _saved(resume, recipe_name, out, seed, changes)
        seed, images = state["seed"], images or state["images"]
    tune_memory()
    device = distributed.join_torchrun(choose_device(device))
    speaks = distributed.rank() == 0
    try:
        faces = open_faces(data, recipe, images)
        trainer = Trainer(recipe, faces, device, seed or 0, capture=capture)
        measure = QualityMeasure(faces, quality_images, device=device) if quality_images else None
        run = Run(
            folder or Path("runs") / recipe.name,
            trainer,
            checkpoint_every,
            keep,
            measure,
            quality_images,
            tensorboard,
        )
        if resume is not None:
            run.resume(checkpoint)
        else:
            run.start()
        with describe_throughput(trainer) as throughput:
            run.train()
    except TrainingDiverged as error:
        raise click.ClickException(f"{error}: --resume {run.folder}") from error
    except RuntimeError as error:
        if "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        raise click.ClickException(
            f"the memory of {device} is not enough for recipe {recipe.name} with batch_size "
            f"{recipe.batch_size}, ngf {recipe.ngf}, ndf {recipe.ndf}, z_dim {recipe.z_dim}: make "
            "one of them smaller"
        ) from error
    except TrainingStopped as stop:
        click.echo(f"facegan: {stop}. Go on with --resume {run.folder}", err=True)
        raise SystemExit(128 + stop.number) from None
    finally:
        distributed.leave()
    if speaks:
        click.echo(f"{throughput} on {trainer.device}; grids, curves and GIF in {run.folder}")


def _saved(
    resume: Path, recipe_name: str | None, out: Path | None, seed: int | None, changes: dict
) -> tuple[Recipe, dict, Path, Path]:
    """Recipe, state, folder and checkpoint of the run to go on with; ValueError for bad wishes."""
    from facegan_ref.checkpoint import CheckpointError, read_checkpoint
    from facegan_ref.run_folder import LAST

    fixed = sorted(set(changes) - MAY_CHANGE)
    if fixed:
        raise ValueError(
            f"--resume goes on with the run's own recipe; {', '.join(fixed)} can't be changed "
            f"(only {', '.join(sorted(MAY_CHANGE))} can)"
        )
    if out is not None:
        raise ValueError(f"--resume writes into {resume}; leave --out away")
    checkpoint = resume if resume.is_file() else resume / LAST
    folder = checkpoint.parent
    if folder.name == "checkpoints":
        folder = folder.parent
    state = read_checkpoint(checkpoint)
    if "recipe" not in state:
        raise CheckpointError(
            f"{checkpoint}: holds no recipe: it was not written by `facegan train`; choose a "
            "run's folder or one of its checkpoints"
        )
    recipe = Recipe.from_dict(state["recipe"])
    if recipe_name not in (None, recipe.name):
        raise ValueError(
            f"--recipe is {recipe_name}, but {checkpoint} is a run of {recipe.name}: leave "
            "--recipe away, or start a new run"
        )
    if seed not in (None, state["seed"]):
        raise ValueError(
            f"--seed is {seed}, but the run in {folder} has seed {state['seed']}: leave --seed away"
        )
    return recipe.override(**changes), state, folder, checkpoint
