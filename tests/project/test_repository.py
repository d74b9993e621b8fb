"""The repository holds together: packages, notebooks, and the code that appears in both."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="Python 3.10 has no tomllib; install tomli")

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))
LESSONS = sorted((ROOT / "lessons").glob("*/*.ipynb"))
REFERENCE = sorted((ROOT / "facegan_ref").glob("*.py")) + sorted(
    (ROOT / "facegan_ref" / "data").glob("*.py")
)


def cells(path: Path, kind: str) -> list[dict]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    found = [cell for cell in notebook["cells"] if cell["cell_type"] == kind]
    return [{**cell, "source": "".join(cell["source"])} for cell in found]


def nbgrader(cell: dict) -> dict:
    return cell["metadata"].get("nbgrader", {})


def test_there_are_lessons():
    names = [path.parent.name for path in SOLUTIONS]
    assert "03_losses" in names and "04_mlp_gan" in names
    assert [path.parent.name for path in LESSONS] == names


def test_environment_yml_names_the_packages_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        package
        for package in [*project["dependencies"], *extras["course"], *extras["dev"]]
        if not package.startswith(project["name"])
    }
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    pip_part = text.split("- pip:")[1]
    named = set(re.findall(r"^\s+- ([\w-]+(?:\[\w+\])?>=[\d.]+)$", pip_part, re.MULTILINE))
    assert named == wanted
    assert "- -e .[dev]" in pip_part
    python = re.search(r"- python(>=[\d.]+)", text)
    assert python and python[1] == project["requires-python"]


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_store_no_outputs_and_no_execution(path):
    for cell in cells(path, "code"):
        assert not cell["outputs"] and cell["execution_count"] is None
        assert "execution" not in cell["metadata"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_cell_of_a_lesson_is_python(path):
    for cell in cells(path, "code"):
        ast.parse(cell["source"])
        assert "BEGIN SOLUTION" not in cell["source"] and "HIDDEN TESTS" not in cell["source"]


# What a later lesson extends by more than an option: agrees in value (tests/reference/test_losses).
EXTENDED_LATER = {
    ("03_losses", "discriminator_loss"),
    ("05_mlp_faces", "fixed_latent_grid"),  # by way of `sample`: tests/reference/test_recorder
    ("09_checkpoints", "read_checkpoint"),  # a limit of size: tests/reference/test_loop_checkpoint
    # Agree with the package in tests/morph/test_lesson.py:
    ("10_morphing", "slerp"),  # exact for next to parallel latents, with finite gradients
    ("10_morphing", "attribute_direction"),  # Fisher's discriminant, for few examples
    ("10_morphing", "invert"),  # several starts, near the shell
    # Agree with the package in tests/reference/test_capstone.py:
    ("13_capstone", "export_generator"),  # float16, facts of the training, whole files
    ("13_capstone", "load_exported"),  # built without memory
    ("13_capstone", "model_card"),  # reports, bias, and what an exported file knows
    # Agree with the package in tests/metrics/test_metrics_of_lesson.py:
    ("11_measuring", "precision_recall"),  # chunk by chunk, for any number of images
    ("11_measuring", "nearest_neighbours"),  # likewise, and exactly 0 for copies
}

# The last option of a function, which its lesson does not have yet.
LATER_OPTIONS = {
    "discriminator_step": "objective",  # lesson 12 lets the steps play other games
    "generator_step": "objective",
    "morph": "path",  # latents that are uniform in a cube morph along lerp
}


class AtDefault(ast.NodeTransformer):
    """Puts an option's default in the place of its name."""

    def __init__(self, values: dict[str, ast.expr]):
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)


def without_option(function: ast.FunctionDef, option: str) -> None:
    """Fix the last parameter `option` of a function at its default."""
    assert function.args.args[-1].arg == option
    function.args.args.pop()
    AtDefault({option: function.args.defaults.pop()}).visit(function)


def definitions(text: str, later: dict[str, str] | None = None) -> dict[str, str]:
    """Each top-level function and class as a syntax tree without docstrings.

    `later` names a function's option that is fixed at its default.
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef) and node.name in (later or {}):
            without_option(node, later[node.name])
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solution_cells_agree_with_the_reference_as_syntax_trees(path):
    reference: dict[str, str] = {}
    for module in REFERENCE:
        reference.update(definitions(module.read_text(encoding="utf-8"), LATER_OPTIONS))
    compared = 0
    for cell in cells(path, "code"):
        if nbgrader(cell).get("solution"):
            for name, tree in definitions(cell["source"]).items():
                if (path.stem, name) in EXTENDED_LATER:
                    assert name in reference
                    continue
                assert tree == reference.get(name), f"{name} differs from facegan_ref"
                compared += 1
    assert compared


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_answer_cells_import_nothing_of_the_reference(path):
    for cell in cells(path, "code"):
        if nbgrader(cell).get("solution"):
            assert "facegan_ref" not in cell["source"]


def test_no_photograph_or_data_is_committed():
    allowed = {".png", ".gif"}
    for path in ROOT.glob("docs/**/*"):
        if path.is_file() and path.suffix.lower() not in {".md", ".json", *allowed}:
            pytest.fail(f"{path.relative_to(ROOT)} is neither text nor a generated picture")


def test_local_links_of_the_front_pages_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = page.read_text(encoding="utf-8")
        targets = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'src="([^"]+)"', text)
        local = [target for target in targets if "://" not in target]
        assert local
        for target in local:
            assert (ROOT / target).exists(), f"{page.name} links to {target}"
