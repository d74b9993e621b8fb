"""Small generators, a server that offers them as `facegan app` does, and a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from facegan_ref.architectures import build_networks
from facegan_ref.checkpoint import write_checkpoint
from facegan_ref.directions import Direction, Directions, generator_hash
from facegan_ref.export import SHIPPED, export_generator
from facegan_ref.recipes import Recipe
from facegan_ref.run import load_generator

HERE = Path(__file__).parent


def write_run(folder: Path, recipe: Recipe, seed: int = 0, weight: float = 500.0) -> Path:
    """A run's folder whose generator gives pictures that differ and fill the range."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, _ = build_networks(recipe)
        last = [m for m in generator.modules() if isinstance(m, torch.nn.ConvTranspose2d)][-1]
        with torch.no_grad():
            for _ in range(10):
                generator(torch.randn(64, recipe.z_dim))
            last.weight.mul_(weight)
    state = {"recipe": recipe.to_dict(), "generator": generator.state_dict(), "step": 1}
    write_checkpoint(folder / "last.pt", state)
    return folder


def write_directions(run: Path, path: Path) -> None:
    """Three directions, one of them of an attribute that the page leaves out."""
    generator, recipe = load_generator(run)
    found = {}
    for number, name in enumerate(("Smiling", "Attractive", "Wavy_Hair")):
        vector = [0.0] * recipe.z_dim
        vector[number] = 1.0
        effects = {"Smiling": (0.1, 0.9), "Attractive": (0.4, 0.1), "Wavy_Hair": (0.3, 0.6)}
        found[name] = Direction(vector, 0.9, 0.5, 0.4, effects)
    Directions(generator_hash(generator), 3.0, found, {}).save(path)


@pytest.fixture(scope="session")
def small_recipe():
    return Recipe(name="small", source="the tests", image_size=16, z_dim=8, ngf=8, ndf=4)


@pytest.fixture(scope="session")
def runs(small_recipe, tmp_path_factory):
    """A folder with good generators, an exported one, and files that are none."""
    folder = tmp_path_factory.mktemp("runs")
    normal = write_run(folder / "normal", small_recipe)
    write_directions(normal, normal / "directions.json")
    uniform = small_recipe.override(name="cube", latent="uniform", output="sigmoid")
    write_run(folder / "uniform", uniform, seed=1)
    write_run(folder / "not-numbers", small_recipe, weight=float("nan"))
    export_generator(*load_generator(folder / "uniform"), folder / "exported.safetensors")
    (folder / "torn.safetensors").write_bytes((folder / "exported.safetensors").read_bytes()[:99])
    (folder / "noise.pt").write_bytes(os.urandom(2000))
    return folder


@pytest.fixture(scope="session")
def best_run(runs):
    """What the page's first generator is: the package's own where it is there."""
    return SHIPPED if SHIPPED.is_file() else runs / "normal"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server_log(tmp_path_factory):
    """What the server prints."""
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="session")
def server(runs, server_log):
    """The address of `facegan app --runs … --share`, run as its own process."""
    if importlib.util.find_spec("gradio") is None:  # importing it would take seconds
        pytest.skip("the page needs Gradio: pip install -e '.[app]'")
    port, folder = free_port(), server_log.parent
    command = [sys.executable, str(HERE / "served.py"), "app", "--runs", str(runs)]
    with open(server_log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--share", "--no-browser"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GRADIO_TEMP_DIR": str(folder / "tmp")},
            cwd=folder,
        )
    address = f"http://localhost:{port}/"
    try:
        while "Ctrl-C ends it" not in server_log.read_text(encoding="utf-8"):
            if process.poll() is not None:
                pytest.fail(f"the server ended: {server_log.read_text(encoding='utf-8')}")
            time.sleep(0.2)
        yield address
        assert process.poll() is None, server_log.read_text(encoding="utf-8")
        assert not (folder / "tmp").exists() or not list((folder / "tmp").rglob("*.*"))
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium: the machine's own, or the one that playwright brought."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet.append("--no-sandbox")  # Chromium's own, which root can't have
    with api.sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=found, args=quiet)
        except api.Error as error:
            pytest.skip(f"no Chromium can be started here: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()
