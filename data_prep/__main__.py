"""`python -m data_prep celeba SOURCE --out FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from data_prep.celeba import prepare
from data_prep.crops import CROPS


@click.group()
def main() -> None:
    """Turn face pictures into one array file for `facegan train --data FILE`."""


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="array file to write, .npy"
)
@click.option("--crop", type=click.Choice(list(CROPS)), default="centre-178", show_default=True)
@click.option(
    "--size", type=click.IntRange(8, 512), default=64, show_default=True, help="side in pixels"
)
def celeba(source: Path, out: Path, crop: str, size: int) -> None:
    """SOURCE: img_align_celeba.zip, or a folder with its JPEGs at any depth."""
    try:
        manifest = prepare(source, out, crop, size)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    count = manifest["shape"][0]
    click.echo(f"{out}: {count} images of {size}×{size}, crop {crop}")
    for name, reason in manifest["rejected"].items():
        click.echo(f"left out {name}: {reason}")


if __name__ == "__main__":
    main(prog_name="python -m data_prep")
