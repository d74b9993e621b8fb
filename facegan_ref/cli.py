"""The `facegan` command; what it can do is in `facegan_ref.commands`.

Heavy imports happen inside the commands, so that `facegan --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path

import click

from facegan_ref import __version__
from facegan_ref.commands.app import app
from facegan_ref.commands.collect import collect, student_edition
from facegan_ref.commands.course import check, demo, doctor
from facegan_ref.commands.directions import directions, strip
from facegan_ref.commands.evaluate import evaluate
from facegan_ref.commands.export import card, export
from facegan_ref.commands.grading import grade
from facegan_ref.commands.morph import compare, grid, invert, morph
from facegan_ref.commands.sample import sample
from facegan_ref.commands.train import train


@click.group()
@click.version_option(__version__, prog_name="facegan")
def cli() -> None:
    """Train, sample, morph and measure face GANs; check and grade lessons."""


LATENT = (morph, grid, compare, directions, strip, invert)
COURSE = (collect, student_edition, grade, demo)
for command in (train, sample, evaluate, *LATENT, export, card, app, check, doctor):
    cli.add_command(command)
if (Path(__file__).parent / "grading").is_dir():  # a student edition has none
    for command in COURSE:
        cli.add_command(command)


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
