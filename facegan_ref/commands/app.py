"""`facegan app`: the page with faces, morphs and sliders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from facegan_ref.commands.options import FILE


@click.command()
@click.argument("run", type=FILE, nargs=-1)
@click.option("--runs", type=FILE, multiple=True, help="a folder: all runs and generators in it")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="0.0.0.0 to be reached from elsewhere"
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="default: the first free one from 7860 on"
)
@click.option("--share", is_flag=True, help="also give the page a public address for a week")
@click.option("--root-path", default="", help="the page's path behind a proxy, such as /faces")
@click.option(
    "--browser/--no-browser", default=None, help="open it; default: where there is a screen"
)
def app(
    run: tuple[Path, ...],
    runs: tuple[Path, ...],
    host: str,
    port: int | None,
    share: bool,
    root_path: str,
    browser: bool | None,
) -> None:
    """Serve a page with faces, morphs and attribute sliders; Ctrl-C ends it.

    Visitors choose among each RUN (a run's folder, a checkpoint or an exported .safetensors), what
    --runs finds, and the generator that comes with the package; they reach no other file.
    """
    from facegan_ref.app.checkpoints import NONE_OFFERED, Checkpoints, offered

    offers = offered(run, runs)
    try:
        from facegan_ref.app.server import launch
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("facegan_ref"):
            raise
        raise click.ClickException(
            f"the page needs Gradio ({error.name} is missing); install it with "
            "pip install 'facegan-course[app]', or in the course's folder pip install -e '.[app]'"
        ) from None
    from facegan_ref.app.page import build_page

    if not offers:
        click.echo(NONE_OFFERED, err=True)
    page = build_page(Checkpoints(offers))
    _, local, public = launch(
        page,
        server_name=host,
        server_port=port,
        share=share,
        root_path=root_path or None,
        inbrowser=_has_screen() if browser is None else browser,
        quiet=True,
        prevent_thread_lock=True,
    )
    click.echo(f"The page is at {local} and offers: {', '.join(offers) or 'nothing'}")
    if public:
        click.echo(f"It is public for a week at {public}")
    elif share:
        click.echo("No public address could be had; the page is served here only.", err=True)
    click.echo("Ctrl-C ends it.")
    page.block_thread()


def _has_screen() -> bool:
    """Whether a browser window can open; without one Python starts a browser for terminals."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
