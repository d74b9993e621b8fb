"""The face and morph page as a hosted Space; all of it is in the package."""

from __future__ import annotations

from pathlib import Path

from facegan_ref.app.checkpoints import Checkpoints, offered
from facegan_ref.app.page import build_page
from facegan_ref.app.server import launch

GENERATORS = Path(__file__).parent / "generators"  # may be missing: then the package's own

demo = build_page(Checkpoints(offered(folders=[GENERATORS] if GENERATORS.is_dir() else [])))

if __name__ == "__main__":
    launch(demo)
