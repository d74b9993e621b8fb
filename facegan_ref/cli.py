"""The `facegan` command: train, sample, check, grade, doctor.

Heavy imports happen inside the commands, so that `facegan --help` answers at once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from facegan_ref import __version__
from facegan_ref.recipes import RECIPES, Recipe, get_recipe

FILE = click.Path(path_type=Path)
SEED = click.IntRange(0, 2**32 - 1)
MAY_CHANGE = {"epochs", "lr_g", "lr_d", "precision"}  # fields that a resumed run may change
OPEN_FIELDS = [
    field for field in dataclasses.fields(Recipe) if field.name not in ("name", "source", "faults")
]


@click.group()
@click.version_option(__version__, prog_name="facegan")
def cli() -> None:
    """Train, sample and check face GANs."""


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


@cli.command()
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


@cli.command()
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
    z = sampling.sample_latent(n, recipe.z_dim, torch.Generator().manual_seed(seed))
    images = torch.cat([sampling.sample(generator, part) for part in z.split(256)])
    save_png(image_grid(images, columns), out, scale)
    click.echo(f"{out}: {n} faces of {recipe.image_size}×{recipe.image_size}, seed {seed}")


@cli.command()
@click.argument("lesson")
@click.option(
    "--from", "file", type=FILE, required=True, help="a notebook (.ipynb) or Python file (.py)"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON for other programs")
def check(lesson: str, file: Path, as_json: bool) -> None:
    """Check the answers to LESSON (such as 03) that a file defines.

    Exit status: 0 all passed, 1 some failed or were not attempted, 2 the file can't be used.
    """
    import json

    from facegan_ref.checks.file_check import check_file
    from facegan_ref.checks.report import as_text

    result = check_file(file, lesson)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
    else:
        for task in result.tasks:
            click.echo(as_text(task) + "\n")
        click.echo(f"Lesson {result.lesson}: {result.points:g} of {result.max_points:g}")
    raise SystemExit(0 if result.passed else 1)


@cli.command()
@click.argument("lesson")
@click.option("--course", type=FILE, default=".", help="the course folder; default: this one")
def grade(lesson: str, course: Path) -> None:
    """Grade all hand-ins of LESSON (such as 03) in .grading/submitted with nbgrader."""
    from facegan_ref.grading.classroom import grade_class
    from facegan_ref.grading.table import class_table

    results = grade_class(course, lesson)
    if not results:
        raise ValueError(
            f"no hand-ins in {course / '.grading' / 'submitted'}: put each student's notebook at "
            "STUDENT/LESSON/LESSON.ipynb there, such as ada/03_losses/03_losses.ipynb"
        )
    click.echo(class_table(results))


@cli.command()
@click.option("--out", type=FILE, default="demo", show_default=True, help="where to put it all")
def demo(out: Path) -> None:
    """Train briefly on the embedded faces, release the lessons, grade a sample class."""
    from facegan_ref.demo import run_demo

    run_demo(Path.cwd(), out)


@cli.command()
def doctor() -> None:
    """Print versions, devices, data and nbgrader's state, to paste into a bug report."""
    from facegan_ref.doctor import examine

    healthy = True
    for line in examine():
        healthy = healthy and line.ok
        click.echo(f"{'ok  ' if line.ok else 'LOOK'} {line.name:<22} {line.finding}")
    raise SystemExit(0 if healthy else 1)


def main() -> None:
    """Run the command; a mistake that a user can make ends in one line, not in a traceback."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (ValueError, OSError) as error:
        click.echo(f"facegan: {error}", err=True)
        raise SystemExit(2) from None
