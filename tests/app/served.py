"""A server process for the tests: the hosted Space's page is built, then `facegan app` serves.

Gradio takes seconds to import, so one process does for both. The tunnel of `--share` is none here,
as the tests reach no network; the page behind it is the real one.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:1] = []  # this folder: the package is to be imported as installed
    from gradio import networking

    from facegan_ref import cli

    networking.setup_tunnel = lambda **_: "http://shared.example"
    space = runpy.run_path(str(Path(__file__).parents[2] / "space" / "app.py"), run_name="space")
    blocks = space["demo"].blocks.values()
    generator = next(block for block in blocks if block.elem_id == "generator")
    print("space:", [name for name, _ in generator.choices], flush=True)
    cli.main()
