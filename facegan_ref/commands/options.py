"""Options, and kinds of values, that several commands take."""

from pathlib import Path

import click

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
