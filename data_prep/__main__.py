"""`python -m data_prep celeba | faces | preview | stats`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from data_prep.crops import CROPS, FACE_CROPS


@click.group()
def main() -> None:
    """Turn face pictures into one array file for `facegan train --data FILE`."""


def _options(crops: dict[str, Any]) -> Callable[[Callable], Callable]:
    options = (
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            required=True,
            help="array file to write, .npy",
        ),
        click.option(
            "--crop", type=click.Choice(list(crops)), default=next(iter(crops)), show_default=True
        ),
        click.option(
            "--size",
            type=click.IntRange(8, 1024),
            default=64,
            show_default=True,
            help="side in pixels",
        ),
        click.option(
            "--workers", type=click.IntRange(1), help="processes  [default: one for each core]"
        ),
    )

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _run(kind: str, source: Path, out: Path, crop: str, size: int, workers: int | None) -> None:
    from data_prep.pixels import decoder_name
    from data_prep.prepare import prepare

    if decoder_name() == "Pillow":
        click.echo(
            "decoding with Pillow; `pip install simplejpeg` makes it twice as fast", err=True
        )
    began = time.perf_counter()
    manifest = prepare(source, out, crop, size, kind, workers, progress=True)
    seconds = time.perf_counter() - began
    count = manifest["shape"][0]
    click.echo(f"{out}: {count} images of {size}×{size}, crop {crop}, {seconds:.1f} s")
    names = {"attributes": "attributes", "identities": "identities", "split": "official split"}
    known = [label for key, label in names.items() if manifest[key] is not None]
    click.echo(f"known of each image: {', '.join(known) or 'nothing but its name'}")
    for name, reason in list(manifest["rejected"].items())[:20]:
        click.echo(f"left out {name}: {reason}")
    if len(manifest["rejected"]) > 20:
        click.echo(
            f"… {len(manifest['rejected'])} left out in all; the manifest names each, and why"
        )


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@_options(CROPS)
@click.option("--mirror", help="with `download`: fetch from this address instead of Google Drive")
def celeba(source: Path, mirror: str | None, **options: Any) -> None:
    """CelebA's aligned pictures, however you have them.

    SOURCE is img_align_celeba.zip, a folder with its pictures at any depth (the official one,
    Kaggle's, an ImageFolder's), parquet files of a mirror, or the word `download`, which fetches
    the official files to a folder beside FILE. The text files with attributes, identities and the
    split are taken when they lie in SOURCE or beside it.
    """
    from data_prep.download import download

    if str(source) == "download":
        source = download(options["out"].parent / "celeba", mirror)
    elif mirror:
        raise click.UsageError("--mirror goes with the source `download`")
    _run("celeba", source, **options)


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@_options(FACE_CROPS)
def faces(source: Path, **options: Any) -> None:
    """Any pictures: SOURCE is a folder, a zip or parquet files, of pictures of any size."""
    _run("faces", source, **options)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="PNG to write  [default: beside FILE]")
@click.option("--n", type=click.IntRange(1, 200), default=24, show_default=True, help="images")
@click.option("--seed", type=int, default=0, show_default=True, help="which images")
def preview(file: Path, out: Path | None, n: int, seed: int) -> None:
    """Draw some images of an array FILE with their attributes."""
    from data_prep.look import save_preview
    from facegan_ref.data.faces import FaceArray

    out = out or file.with_name(file.stem + "-preview.png")
    shown = save_preview(FaceArray.open(file), out, n, seed)
    click.echo(f"{out}: {shown} images")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def stats(file: Path) -> None:
    """Check an array FILE in full and say what is in it: counts, colours, duplicates."""
    from data_prep.look import describe
    from facegan_ref.data.faces import FaceArray

    for line in describe(FaceArray.open(file), file):
        click.echo(line)


def run() -> None:
    """The command; a mistake that a user can make ends in one line, not in a traceback."""
    try:
        main(prog_name="python -m data_prep", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("stopped; the same command goes on where this one was", err=True)
        sys.exit(130)
    except (ValueError, OSError) as error:
        click.echo(f"data_prep: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    run()
