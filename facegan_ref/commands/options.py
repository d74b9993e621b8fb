"""Kinds of values that several commands take."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)
SEED = click.IntRange(0, 2**32 - 1)
