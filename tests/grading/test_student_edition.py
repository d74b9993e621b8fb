"""`facegan student-edition`: all that a student needs, nothing else, and nobody's work lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from graded_class import LESSON, REPOSITORY, fingerprints

from facegan_ref.cli import cli
from facegan_ref.grading.release import lesson_names
from facegan_ref.grading.sample_kit import LessonKit, make_course
from facegan_ref.grading.student_edition import MANIFEST, Edition, write_student_edition

ADDRESS = "my-school/our-faces"
SHOWN = "optimizer.zero_grad()\nloss.backward()\noptimizer.step()"  # everybody's three lines


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The edition of this repository, written once."""
    folder = tmp_path_factory.mktemp("edition") / "students"
    write_student_edition(REPOSITORY, folder, repository=ADDRESS)
    return folder


def run_in(edition: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python where only the edition's packages are, besides what is installed."""
    environment = {**os.environ, "PYTHONPATH": str(edition), "FACEGAN_CHECK_SEED": "7"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=edition, env=environment, capture_output=True, text=True
    )


def files_of(edition: Path) -> list[str]:
    return [p.relative_to(edition).as_posix() for p in sorted(edition.rglob("*")) if p.is_file()]


def test_what_is_in_it_and_what_is_not(edition: Path) -> None:
    names = files_of(edition)
    lessons = [name for name in names if name.startswith("lessons/")]
    assert lessons == [f"lessons/{name}/{name}.ipynb" for name in lesson_names(REPOSITORY)]
    for needed in (
        "README.md", "LICENSE", "Makefile", "pyproject.toml", "environment.yml", ".gitignore",
        "facegan_ref/assets/offline_features.npz", "facegan_ref/checks/lesson03/__init__.py",
        "data_prep/__main__.py", "tests/lessons/test_lessons.py", "docs/training.md",
    ):  # fmt: skip
        assert needed in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "README.md", "LICENSE", "Makefile", "pyproject.toml", "environment.yml", ".gitignore",
        MANIFEST, "data_prep", "docs", "facegan_ref", "lessons", "tests",
    }  # fmt: skip
    hidden = re.compile(r"solutions/|wrong_answers|grading/|nbgrader_config|\.pyc|\.git/|\.db|egg-")
    assert not [name for name in names if hidden.search(name)]
    assert "docs/instructors.md" not in names


def plain_text(path: Path) -> str:
    """A file's text without indentation; of a notebook what stands in its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return "\n".join(line.strip() for line in text.splitlines())


def hidden_parts() -> list[str]:
    """Of all answers and hidden tests every three lines that follow each other, or the whole."""
    found = []
    for path in REPOSITORY.glob("solutions/*/*.ipynb"):
        parts = re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", plain_text(path),
                           re.DOTALL)  # fmt: skip
        assert parts, path
        for part in parts:
            lines = [line for line in part.splitlines() if line]
            count = max(len(lines) - 2, 1)
            found += ["\n".join(lines[i : i + 3]) for i in range(count)]
    return [text for text in found if len(text) > 40 and text != SHOWN]


def test_no_solution_is_in_it_but_for_the_reference(edition: Path) -> None:
    parts = hidden_parts()
    assert len(parts) > 200
    searched = 0
    for name in files_of(edition):
        if name.endswith((".npz", ".png", ".safetensors")):
            continue
        text = plain_text(edition / name)
        assert "### BEGIN SOLUTION" not in text and "### BEGIN HIDDEN" not in text, name
        if not name.startswith("facegan_ref/"):  # the reference itself, which is public
            searched += 1
            assert not [part for part in parts if part in text], name
    assert searched > 20
    assert any(part in plain_text(edition / "facegan_ref" / "losses.py") for part in parts)


def test_the_lessons_carry_the_address(edition: Path) -> None:
    for path in edition.glob("lessons/*/*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert text.count(f"github.com/{ADDRESS}") + text.count(f"github/{ADDRESS}") >= 2, path
        assert "OWNER/REPOSITORY" not in text and "facegan-course/facegan-course" not in text


def test_links_of_its_pages_lead_somewhere(edition: Path) -> None:
    pages = [edition / "README.md", *edition.glob("docs/*.md")]
    assert len(pages) > 4
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert broken == []
    assert len(re.findall(r"lessons/\d\d", (edition / "README.md").read_text())) >= 10


def test_git_would_take_all_of_it(edition: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(edition, tmp_path / "copy")
    git(copy, "init", "--quiet")
    listed = git(copy, "ls-files", "--others", "--exclude-standard").split("\n")
    assert set(files_of(edition)) == {name for name in listed if name and ".pyc" not in name}


def test_a_student_checks_an_answer_in_it(edition: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(edition, tmp_path / "copy")
    make_course(REPOSITORY, tmp_path / "course", [LESSON])
    kit = LessonKit(tmp_path / "course", LESSON)
    kit.write(copy / "lessons" / LESSON, kit.solved(["3.1"]))
    notebook = f"lessons/{LESSON}/{LESSON}.ipynb"
    program = "import facegan_ref.cli as c; print(c.__file__); print(*c.cli.commands); c.main()"
    done = run_in(copy, "-c", program, "check", "03", "--from", notebook, "--json")
    where, commands, *rest = done.stdout.splitlines()
    assert Path(where) == copy / "facegan_ref" / "cli.py"
    assert "check" in commands and "train" in commands
    assert not {"grade", "collect", "student-edition", "demo"} & set(commands.split())
    result = json.loads("\n".join(rest))
    assert done.returncode == 1 and [t["points"] for t in result["tasks"]] == [5, 0, 0]

    select = ["-k", "03-losses and (3.1 or 3.2)", "-q", "-p", "no:cacheprovider"]
    tests = run_in(copy, "-m", "pytest", "tests/lessons", *select)
    passed, skipped = (
        int(re.search(rf"(\d+) {w}", tests.stdout)[1]) for w in ("passed", "skipped")
    )
    assert tests.returncode == 0 and passed > 3 and skipped > 3, tests.stdout[-2000:]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.quotepath=off", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with one lesson and next to no package, which is quick to write."""
    root = tmp_path / "course"
    make_course(REPOSITORY, root, [LESSON])
    for name in ("pyproject.toml", "LICENSE", "facegan_ref/__init__.py", "facegan_ref/py.typed",
                 "facegan_ref/grading/config.py", "docs/training.md"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, root / name)
    return root


def changes(edition: Edition) -> dict[str, list[str]]:
    names = ("new", "updated", "removed", "kept")
    return {name: getattr(edition, name) for name in names if getattr(edition, name)}


def test_an_update_keeps_what_somebody_changed(course: Path, tmp_path: Path) -> None:
    target, lesson = tmp_path / "students", f"lessons/{LESSON}/{LESSON}.ipynb"
    first = write_student_edition(course, target, repository=ADDRESS)
    assert lesson in first.new and "facegan_ref/__init__.py" in first.new
    assert not (target / "facegan_ref" / "grading").exists()
    (target / "my notes.txt").write_text("mine")
    before = fingerprints(target)
    assert changes(write_student_edition(course, target)) == {}
    assert fingerprints(target) == before and ADDRESS in (target / lesson).read_text()

    (target / lesson).write_text("my answers")
    assert changes(write_student_edition(course, target)) == {}
    assert (target / lesson).read_text() == "my answers"
    source = course / "solutions" / LESSON / f"{LESSON}.ipynb"
    source.write_text(source.read_text().replace("# Lesson 3", "# Lesson three"))
    (course / "LICENSE").write_text("another")
    (course / "docs" / "training.md").unlink()
    second = write_student_edition(course, target)
    assert changes(second) == {"updated": ["LICENSE"], "removed": ["docs/training.md"],
                               "kept": [lesson]}  # fmt: skip
    assert (target / lesson).read_text() == "my answers" and not (target / "docs").exists()
    assert changes(write_student_edition(course, target)) == {"kept": [lesson]}
    assert changes(write_student_edition(course, target, force=True)) == {"updated": [lesson]}
    assert "# Lesson three" in (target / lesson).read_text()
    assert (target / "my notes.txt").read_text() == "mine"
    assert changes(write_student_edition(course, target)) == {}


def test_what_git_ignores_stays_at_home(course: Path, tmp_path: Path) -> None:
    git(course, "init", "--quiet")
    (course / ".gitignore").write_text("*.secret\n__pycache__/\n")
    for name in ("key.secret", "new.py", "__pycache__/x.pyc"):
        path = course / "facegan_ref" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (course / "facegan_ref" / "link.py").symlink_to(course / "nbgrader_config.py")
    git(course, "add", "facegan_ref/__init__.py")
    write_student_edition(course, tmp_path / "students")
    found = {name for name in files_of(tmp_path / "students") if name.startswith("facegan_ref/")}
    assert found == {f"facegan_ref/{n}" for n in ("__init__.py", "py.typed", "new.py")}


def test_a_fresh_clone_is_a_place_for_it(course: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "students")
    write_student_edition(course, tmp_path / "students")
    assert (tmp_path / "students" / "README.md").exists()


def test_other_places_are_refused(course: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("x")
    before = fingerprints(tmp_path)
    for target, message in (
        (taken, "neither empty nor an earlier edition: it has thesis.tex"),
        (tmp_path / "file", "is a file"),
        (course, "outside of the course"),
        (course / "lessons" / "x", "outside of the course"),
        (tmp_path, "outside of the course"),
    ):
        with pytest.raises(ValueError, match=message):
            write_student_edition(course, target, force=True)
    with pytest.raises(ValueError, match="OWNER/NAME"):
        write_student_edition(course, tmp_path / "new", repository="https://github.com/a/b")
    with pytest.raises(ValueError, match="no course repository: it has no facegan_ref"):
        write_student_edition(taken, tmp_path / "new")
    assert fingerprints(tmp_path) == before and not (tmp_path / "new").exists()


def test_an_earlier_edition_cannot_lead_out_of_its_folder(course: Path, tmp_path: Path) -> None:
    target = tmp_path / "students"
    write_student_edition(course, target)
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(target / "facegan_ref")
    (target / "facegan_ref").symlink_to(tmp_path / "elsewhere")
    facts = json.loads((target / MANIFEST).read_text())
    digest = fingerprints(tmp_path)["precious"]
    facts["files"] |= {"../precious": digest, str(tmp_path / "precious"): digest}
    (target / MANIFEST).write_text(json.dumps(facts))
    write_student_edition(course, target, force=True)
    assert (tmp_path / "precious").read_text() == "mine"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_command(course: Path, tmp_path: Path) -> None:
    target = tmp_path / "students"
    words = ["student-edition", str(target), "--course", str(course), "--repository", ADDRESS]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert re.search(r"\d+ new, 0 updated, 0 same, 0 removed, 0 kept", done.output)
    assert f"github.com/{ADDRESS}" in done.output
    (target / "LICENSE").write_text("changed")
    (course / "LICENSE").write_text("changed too")
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0 and "another one: LICENSE\n" in done.output
