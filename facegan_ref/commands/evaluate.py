"""`facegan evaluate`: measure a trained generator."""

from __future__ import annotations

import json
from pathlib import Path

import click

from facegan_ref.commands.options import FILE, SEED, open_generator, real_faces, require_data


@click.command()
@click.argument("run", type=FILE, required=False)
@real_faces
@click.option(
    "--n", type=click.IntRange(1), default=5000, show_default=True, help="how many to generate"
)
@click.option(
    "--features",
    type=click.Choice(("offline", "inception", "pixels")),
    default="offline",
    show_default=True,
    help="what images are compared by; inception gives FID",
)
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps")
@click.option("--out", type=FILE, help="write the numbers and their protocol as JSON too")
def evaluate(
    run: Path | None,
    data: Path | None,
    images: int,
    n: int,
    features: str,
    seed: int,
    device: str,
    out: Path | None,
) -> None:
    """Measure the generator of RUN against real faces.

    RUN is a run's folder, a checkpoint or an exported generator; without it, the package's own is
    measured, against --data.
    """
    from facegan_ref import evaluation
    from facegan_ref.features import get_features
    from facegan_ref.run import choose_device, open_faces

    require_data(run, data)
    generator, recipe = open_generator(run)
    faces = open_faces(data, recipe, images)
    report = evaluation.evaluate(
        generator, recipe, faces, n, seed, get_features(features), choose_device(device)
    )
    click.echo(str(report))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
