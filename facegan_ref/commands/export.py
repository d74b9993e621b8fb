"""`facegan export` and `facegan card`: a trained generator, ready to be given to others."""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref.commands.options import FILE, open_generator


@click.group()
def export() -> None:
    """Write a trained generator alone, for other programs or other people."""


@export.command()
@click.argument("run", type=FILE, required=False)
@click.option("--out", type=FILE, default="generator.onnx", show_default=True)
def onnx(run: Path | None, out: Path) -> None:
    """Write the generator of RUN as an ONNX graph and compare it with the model.

    RUN is a run's folder, a checkpoint or an exported generator; without it, the package's own is
    written. Input `z` (N, z_dim), output `images` (N, 3, S, S) in [-1, 1], N as you like.
    """
    from facegan_ref.export import export_onnx

    generator, recipe = open_generator(run)
    difference = export_onnx(generator, recipe, out)
    size = recipe.image_size
    click.echo(
        f"{out}: z (N, {recipe.z_dim}) {recipe.latent} to images (N, 3, {size}, {size}); under "
        f"onnxruntime they differ from the model's by {difference:.1g} at most"
    )


@export.command()
@click.argument("run", type=FILE)
@click.option("--out", type=FILE, default="generator.safetensors", show_default=True)
@click.option("--half", is_flag=True, help="as float16: half the size")
def weights(run: Path, out: Path, half: bool) -> None:
    """Write the weights of RUN's generator, which all commands take in the place of a run.

    RUN is a run's folder, of which the last checkpoint is taken, or one of its checkpoints, such as
    runs/course/best.pt. The file holds numbers, the recipe and facts of the training, and no code.
    """
    from facegan_ref.export import SUFFIX, export_generator, training_facts
    from facegan_ref.run import load_generator

    if out.suffix != SUFFIX:
        raise ValueError(f"--out is {out}, expected a name that ends in {SUFFIX}")
    generator, recipe = load_generator(run)
    export_generator(generator, recipe, out, training_facts(run), half)
    numbers = sum(value.numel() for value in generator.state_dict().values())
    click.echo(
        f"{out}: {numbers:,} numbers, {out.stat().st_size / 2**20:.1f} MiB, recipe {recipe.name}"
    )


@click.command()
@click.argument("run", type=FILE)
@click.option("--report", "report_file", type=FILE, help="what `facegan evaluate --out` wrote")
@click.option("--data", type=FILE, help="the array file of the training, to be described")
@click.option("--bias", is_flag=True, help="measure attributes against --data or the toy faces")
@click.option("--failures", default="", help="what you saw when you looked at the faces")
@click.option("--title", default="Model card", show_default=True)
@click.option("--out", type=FILE, default="MODEL_CARD.md", show_default=True)
def card(
    run: Path,
    report_file: Path | None,
    data: Path | None,
    bias: bool,
    failures: str,
    title: str,
    out: Path,
) -> None:
    """Write the model card of RUN: a run's folder, a checkpoint or an exported generator.

    Numbers are taken from the run's files and from --report; what was not measured is said to be
    missing.
    """
    import json

    from facegan_ref.bias import attribute_shares
    from facegan_ref.data.faces import FaceArray
    from facegan_ref.export import training_facts
    from facegan_ref.model_card import as_markdown, missing, model_card
    from facegan_ref.run import load_generator, open_faces

    report = None
    if report_file is not None:
        try:
            report = json.loads(report_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{report_file}: not readable as JSON ({error})") from error
    faces = FaceArray.open(data) if data is not None else None
    if bias and faces is None:
        facts = training_facts(run)
        if "images" not in facts:
            raise ValueError(f"{run}: does not say what it was trained on: give --data")
        faces = open_faces(None, load_generator(run)[1], facts["images"])
    made = model_card(run, report, None, failures, faces)
    if bias:
        shares = attribute_shares(*load_generator(run), faces)
        made = model_card(run, report, shares, failures, faces)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(as_markdown(made, title), encoding="utf-8")
    lacking = missing(made)
    said = f"something is missing under {', '.join(lacking)}" if lacking else "nothing is missing"
    click.echo(f"{out}: {said}")
