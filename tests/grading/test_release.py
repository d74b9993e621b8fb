"""`lessons/` comes out of `solutions/`: the same bytes each time, nothing hidden, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY, fingerprints

from facegan_ref.checks import find_lesson
from facegan_ref.grading.contents import BEGIN, END, title_problems
from facegan_ref.grading.release import (
    ReleaseError,
    lesson_names,
    lesson_points,
    main,
    release,
    source_problems,
)
from facegan_ref.grading.sample_kit import make_course


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_course(REPOSITORY, tmp_path, [LESSON])
    return tmp_path


def notebook(root: Path, folder: str) -> Path:
    return root / folder / LESSON / f"{LESSON}.ipynb"


def edit(path: Path, change) -> None:
    nb = json.loads(path.read_text(encoding="utf-8"))
    change(nb)
    path.write_text(json.dumps(nb), encoding="utf-8")


def test_lessons_are_up_to_date(capsys: pytest.CaptureFixture) -> None:
    status = main(["--root", str(REPOSITORY), "--check"])
    assert status == 0, capsys.readouterr()


def test_release_is_identical_over_runs(repository: Path, tmp_path: Path) -> None:
    assert release(repository) == [f"lessons/{LESSON}/{LESSON}.ipynb"]
    first = fingerprints(repository / "lessons")
    notebook(repository, "lessons").unlink()
    release(repository)
    assert fingerprints(repository / "lessons") == first
    assert release(repository) == []
    assert not list(repository.glob(".release-*"))
    assert not (repository / ".grading" / "gradebook.db").exists()


def test_stubs_carry_their_task(repository: Path) -> None:
    release(repository)
    text = notebook(repository, "lessons").read_text(encoding="utf-8")
    for task in ("3.1", "3.2", "3.3"):
        assert f'NotImplementedError(\\"Task {task}: your code goes here\\")' in text


def test_check_shows_the_difference(repository: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--root", str(repository), "--check"]) == 1
    assert not (repository / "lessons").exists()
    release(repository)
    source = notebook(repository, "solutions")
    edit(source, lambda nb: nb["cells"][0].update(source="# Another title"))
    before = fingerprints(repository / "lessons")
    assert main(["--root", str(repository), "--check"]) == 1
    assert "# Another title" in capsys.readouterr().out
    assert fingerprints(repository / "lessons") == before


def test_failure_leaves_the_release_alone(repository: Path, capsys: pytest.CaptureFixture) -> None:
    release(repository)
    before = fingerprints(repository / "lessons")

    def lose_end(nb: dict) -> None:
        cell = next(c for c in nb["cells"] if c["id"] == "task-3-1")
        cell["source"] = "".join(cell["source"]).replace("### END SOLUTION", "")

    edit(notebook(repository, "solutions"), lose_end)
    assert main(["--root", str(repository)]) == 2
    assert "no end solution statement found" in capsys.readouterr().err.lower()
    assert fingerprints(repository / "lessons") == before


def test_work_in_lessons_is_not_overwritten(repository: Path) -> None:
    release(repository)
    released = notebook(repository, "lessons")

    def run_a_cell(nb: dict) -> None:
        next(c for c in nb["cells"] if c["cell_type"] == "code")["execution_count"] = 1

    edit(released, run_a_cell)
    before = fingerprints(repository / "lessons")
    with pytest.raises(ReleaseError, match="may hold somebody's answers"):
        release(repository)
    assert fingerprints(repository / "lessons") == before
    release(repository, force=True)
    assert fingerprints(repository / "lessons") != before


def set_mark(nb: dict, cell_id: str, **values: object) -> None:
    cell = next(cell for cell in nb["cells"] if cell["id"] == cell_id)
    cell["metadata"]["nbgrader"].update(values)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda nb: nb["cells"][1].update(execution_count=3), "execution count"),
        (lambda nb: nb["cells"][1]["metadata"].update(execution={}), "execution times"),
        (lambda nb: nb["cells"][1].update(id=nb["cells"][0]["id"]), "cell id used twice"),
        (lambda nb: set_mark(nb, "fresh-3-1", grade_id="grade-3-1"), "grade_id used twice"),
        (lambda nb: set_mark(nb, "grade-3-1", grade_id="grade-3.1"), "letters, digits"),
        (lambda nb: set_mark(nb, "grade-3-1", grade_id="check-3-1"), "a graded cell is"),
        (lambda nb: set_mark(nb, "fresh-3-1", points=2), "no fresh check of 1 point"),
        (lambda nb: set_mark(nb, "question-3-a", points=2), "carries 2.0 points"),
        (lambda nb: nb["metadata"].pop("kernelspec"), "kernelspec"),
    ],
)
def test_faulty_sources_are_named(tmp_path: Path, change, problem: str) -> None:
    path = tmp_path / "source.ipynb"
    path.write_bytes(notebook(REPOSITORY, "solutions").read_bytes())
    edit(path, change)
    assert any(problem in found for found in source_problems(path))


@pytest.mark.parametrize("name", lesson_names(REPOSITORY))
def test_notebook_and_checks_agree_on_points(name: str) -> None:
    tasks = find_lesson(name).tasks
    points = lesson_points(REPOSITORY / "solutions" / name / f"{name}.ipynb")
    assert points == {task.id: task.points for task in tasks.values()}
    assert not title_problems(REPOSITORY, name)


POINTS = {
    1: 10, 2: 10, 3: 15, 4: 20, 5: 10, 6: 20, 7: 20, 8: 20, 9: 20, 10: 20, 11: 20, 12: 20, 13: 15,
}  # fmt: skip


def test_totals_are_the_curriculums() -> None:
    found = {int(name[:2]): find_lesson(name).points for name in lesson_names(REPOSITORY)}
    assert found == POINTS


def test_the_readme_lists_the_lessons(repository: Path, capsys: pytest.CaptureFixture) -> None:
    readme = repository / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    release(repository)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert f"| 3 | [Losses](lessons/{LESSON}/{LESSON}.ipynb) |" in text and "old" not in text
    assert release(repository) == []
    readme.write_text(text.replace("| 15 |", "| 16 |"), encoding="utf-8")
    assert main(["--root", str(repository), "--check"]) == 1
    assert "README.md out of date" in capsys.readouterr().err


def test_the_configured_address_is_written(repository: Path) -> None:
    (repository / "nbgrader_config.py").write_text(
        (REPOSITORY / "nbgrader_config.py").read_text(encoding="utf-8")
        + '\nc.WriteAddress.repository = "my-school/my-course"\n'
    )
    release(repository)
    text = notebook(repository, "lessons").read_text(encoding="utf-8")
    assert text.count("my-school/my-course") == 2  # badge and set-up
    assert "OWNER/REPOSITORY" not in text and "facegan-course/facegan-course" not in text
    source = notebook(repository, "solutions").read_text(encoding="utf-8")
    assert source.count("OWNER/REPOSITORY") == 2
