"""Options, and kinds of values, that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from torch import nn

    from facegan_ref.recipes import Recipe

FILE = click.Path(path_type=Path)
SEED = click.IntRange(0, 2**32 - 1)
TOY_FACES = 8000  # drawn where no --data is given


def real_faces(command):
    """The options that say which real faces a generator is compared with or learnt from."""
    images = click.option(
        "--images",
        type=click.IntRange(1),
        default=TOY_FACES,
        show_default=True,
        help="how many toy faces to draw when there is no --data",
    )
    data = click.option(
        "--data", type=FILE, help="array file of `python -m data_prep`; default: toy faces"
    )
    return data(images(command))


def open_generator(run: Path | None) -> tuple[nn.Module, Recipe]:
    """The generator of RUN; when there is none the package's own, which is said.

    Raises:
        FileNotFoundError, CheckpointError: as `load_generator`.
    """
    from facegan_ref.run import load_generator

    if run is None:
        from facegan_ref.export import TERMS

        generator, recipe = load_generator()
        click.echo(f"No RUN is given: these are faces of the package's own generator. {TERMS}")
        return generator, recipe
    return load_generator(run)


def require_data(run: Path | None, data: Path | None) -> None:
    """ValueError when the package's own generator is to be compared with drawn faces."""
    if run is None and data is None:
        raise ValueError(
            "the package's own generator did not learn from the embedded faces: give --data, an "
            "array file of CelebA made by `python -m data_prep`, or a RUN of your own"
        )
