"""What the pages and lessons point at is there: files, sections, pictures, commands, code."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import mistune
import pytest

from facegan_ref.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "*/README.md", "facegan_ref/assets/*.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
NOTEBOOKS = sorted(ROOT.glob("solutions/*/*.ipynb"))
TOKENS = mistune.create_markdown(renderer=None, plugins=["table"])
HTML_LINK = re.compile(r"""(?:href|src)=["']([^"']+)["']""")


def text_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return "\n\n".join(texts)


def walk(tokens: list[dict]) -> Iterator[dict]:
    for token in tokens:
        yield token
        yield from walk(token.get("children") or [])


@cache
def tokens_of(path: Path) -> list[dict]:
    return list(walk(TOKENS(text_of(path))))


def words_of(token: dict) -> str:
    return "".join(t.get("raw", "") for t in walk([token]) if t["type"] in ("text", "codespan"))


@cache
def sections_of(path: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    found: set[str] = set()
    for token in tokens_of(path):
        if token["type"] == "heading":
            kept = re.sub(r"[^\w\- ]", "", words_of(token).strip().lower())
            found.add(kept.replace(" ", "-"))
    return found


def links_of(path: Path) -> list[str]:
    found = [t["attrs"]["url"] for t in tokens_of(path) if t["type"] in ("link", "image")]
    for token in tokens_of(path):
        if token["type"] in ("block_html", "inline_html"):
            found += HTML_LINK.findall(token["raw"])
    return found


def test_there_are_pages_and_links() -> None:
    names = {str(path.relative_to(ROOT)) for path in PAGES}
    assert {"README.md", "docs/students.md", "docs/instructors.md", "docs/reference.md"} <= names
    assert len(NOTEBOOKS) >= 10
    assert sum(len(links_of(path)) for path in PAGES) > 50


@pytest.mark.parametrize("path", PAGES + NOTEBOOKS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in links_of(path):
        parts = urlsplit(link)
        if parts.scheme:
            if not re.fullmatch(r"https?://[\w-]+(\.[\w-]+)+\S*|attachment:\S+", link):
                broken.append(f"{link}: not an address")
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        if not target.exists():
            broken.append(f"{link}: no such file")
        elif parts.fragment and parts.fragment not in sections_of(target.resolve()):
            broken.append(f"{link}: no such section")
    assert broken == []


@pytest.mark.parametrize("path", PAGES + NOTEBOOKS, ids=lambda path: path.name)
def test_pictures_say_what_they_show(path: Path) -> None:
    silent = [
        token["attrs"]["url"]
        for token in tokens_of(path)
        if token["type"] == "image" and len(words_of(token).split()) < 3
    ]
    assert silent == []


def commands_of(path: Path) -> Iterator[str]:
    """The `facegan` commands of a page, from its blocks for a shell and its words in code."""
    for token in tokens_of(path):
        if token["type"] == "block_code" and "python" not in token.get("attrs", {}).get("info", ""):
            lines = token["raw"].replace("\\\n", " ").splitlines()
        elif token["type"] == "codespan":
            lines = [token["raw"]]
        else:
            continue
        for line in lines:
            found = re.match(r"(?:\.venv/bin/)?facegan +([a-z].*)", line.strip())
            if found:
                yield " ".join(found[1].split())


COMMANDS = sorted(
    {
        command
        for path in PAGES + NOTEBOOKS
        if path.name != "instructors.md"  # tests/grading/test_instructors_page.py
        for command in commands_of(path)
    }
)


def test_there_are_commands() -> None:
    said = {command.split()[0] for command in COMMANDS}
    assert {"train", "sample", "morph", "evaluate", "export", "card", "app", "check"} <= said


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_are_understood(text: str) -> None:
    name, *words = shlex.split(text, comments=True)
    command = cli.commands[name]
    while isinstance(command, click.Group) and words:
        command = command.commands[words.pop(0)]
    if words:
        command.make_context(name, list(words))


PYTHON = [
    pytest.param(token["raw"], id=f"{path.name}-{number}")
    for path in PAGES
    if path in (ROOT / "README.md", ROOT / "docs" / "reference.md")
    for number, token in enumerate(tokens_of(path))
    if token["type"] == "block_code" and token.get("attrs", {}).get("info") == "python"
]


@pytest.mark.parametrize("code", PYTHON)
def test_code_in_pages_runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
