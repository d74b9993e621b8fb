"""`make demo`: a morphing face at once, then the main job, end to end, on the embedded faces."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from facegan_ref.quick import shorten

DEMO_LESSONS = ("03", "04")
DEMO_IMAGES = 6000
FACES = (28, 154)  # the two ends of the demonstration's morph, by their seeds


def run_demo(root: Path, out: Path) -> None:
    """Morph, train the `quick` recipe, release lessons, grade a sample class; print where all lies.

    Args:
        root: the course repository.
        out: a folder that is made anew.

    Raises:
        FileNotFoundError: `root` is no course repository.
        FileExistsError: `out` exists and was not made by the demo.
    """
    if not (root / "nbgrader_config.py").is_file():
        raise FileNotFoundError(f"{root}: no nbgrader_config.py here; run this in the repository")
    mark = out / ".made-by-facegan-demo"
    if out.exists():
        if not mark.exists():
            raise FileExistsError(f"{out}: exists and was not made by the demo; choose --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    mark.touch()
    _morph(out)
    run = _train(out / "run")
    results = _grade(root, out / "course")
    from facegan_ref.grading.running.table import class_table

    for lesson in results:
        click.echo("\n" + class_table(lesson))
    course = out / "course"
    click.echo(
        f"\nmorph      {out / 'morph.gif'}, {out / 'faces.png'}\n"
        f"training   {run / 'faces.png'}, {run / 'progress.gif'}, {run / 'curves.png'}\n"
        f"gradebook  {course / '.grading' / 'gradebook.db'}\n"
        f"feedback   {course / '.grading' / 'feedback'}/STUDENT/LESSON/LESSON.html"
    )


def _morph(out: Path) -> None:
    """Faces of the generator that comes with the package, before anything is trained."""
    from facegan_ref.latents import interpolation, latents_of_seeds
    from facegan_ref.morph import morph
    from facegan_ref.pictures import enlarge, image_grid, save_gif, save_png, there_and_back
    from facegan_ref.run import load_generator
    from facegan_ref.sampling import sample

    generator, recipe = load_generator()
    faces = sample(generator, latents_of_seeds(recipe, range(64)))
    save_png(image_grid(faces, columns=16), out / "faces.png", scale=2)
    z0, z1 = latents_of_seeds(recipe, FACES)
    frames = morph(generator, z0, z1, 24, interpolation(recipe))
    film = [enlarge(image_grid(frame[None], 1), 4) for frame in frames]
    save_gif(there_and_back(film, hold=6), out / "morph.gif", fps=12)
    click.echo(f"1. One face turns into another, and 64 faces: {out / 'morph.gif'}, faces.png")


def _train(folder: Path) -> Path:
    import torch

    from facegan_ref.pictures import image_grid, save_png
    from facegan_ref.recipes import get_recipe
    from facegan_ref.run import Run, choose_device, describe_throughput, open_faces
    from facegan_ref.sampling import sample, sample_latent
    from facegan_ref.training import Trainer

    recipe, images = get_recipe("quick"), shorten(DEMO_IMAGES, 256)
    click.echo(f"2. Training a DCGAN on {images} embedded faces ({recipe.source})")
    faces = open_faces(None, recipe, images)
    trainer = Trainer(recipe, faces, choose_device())
    run = Run(folder, trainer)
    run.start()
    with describe_throughput(trainer) as throughput:
        run.train()
    z = sample_latent(64, recipe.z_dim, torch.Generator().manual_seed(1), trainer.device)
    save_png(image_grid(sample(trainer.generator, z), columns=8), folder / "faces.png", scale=2)
    click.echo(f"   {throughput} on {trainer.device}")
    return folder


def _grade(root: Path, course: Path) -> list:
    from facegan_ref.grading.classroom import grade_class
    from facegan_ref.grading.release import release
    from facegan_ref.grading.sample_class import DEMO_STUDENTS, build_sample_class
    from facegan_ref.grading.sample_kit import make_course
    from facegan_ref.grading.sandbox import isolation_problem

    click.echo("3. Releasing the lessons")
    make_course(root, course, DEMO_LESSONS)
    release(course)
    click.echo(f"4. Grading {len(DEMO_STUDENTS)} sample students with nbgrader")
    # The samples are the course's own: where they cannot be isolated, they need not be.
    isolation = "none" if isolation_problem() else None
    results = []
    for lesson in DEMO_LESSONS:
        build_sample_class(course, lesson, DEMO_STUDENTS)
        results.append(grade_class(course, lesson, isolation=isolation))
    return results
