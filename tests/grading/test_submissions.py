"""What is said of a hand-in before anything of it is run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from facegan_ref.grading import submissions
from facegan_ref.grading.submissions import UnreadableNotebook, inspect_folder, read_notebook

KNOWN = {"task-3-1", "grade-3-1"}


def cell(source: str = "1", grade_id: str | None = None) -> dict:
    marks = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return {
        "cell_type": "code",
        "id": "a",
        "metadata": {**marks, "tags": ["skip-execution"]},
        "source": source,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}],
        "execution_count": 7,
    }


def text(*cells: dict) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)})


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        (text(cell())[:-5], "not valid JSON (line 1)"),
        (
            '{\n"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> b\n]}',
            "merge markers in it (line 3)",
        ),
        ("{}", "not a Jupyter notebook"),
        ("[1, 2]", "not a Jupyter notebook"),
        ('{"cells": [{"cell_type": "code"}]}', "not a Jupyter notebook"),
        ("[" * 100_000, "not valid JSON"),
        (b"\xff\xfe\x00{", "not UTF-8"),
        (text(*[cell()] * 1001), "about 1,001 cells (at most 1,000"),
    ],
)
def test_unreadable_files_say_why(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(UnreadableNotebook) as caught:
        read_notebook(write(tmp_path / "x.ipynb", content))
    assert says in str(caught.value)


def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK_BYTES", 100)
    with pytest.raises(UnreadableNotebook, match="clear all outputs"):
        read_notebook(write(tmp_path / "x.ipynb", text(cell("1" * 200))))


def test_what_is_read_is_clean(tmp_path: Path) -> None:
    nb = read_notebook(write(tmp_path / "x.ipynb", "\ufeff" + text(cell("a = 1", "task-3-1"))))
    (only,) = nb.cells
    assert (only.source, only.outputs, only.execution_count) == ("a = 1", [], None)
    assert only.metadata == {"nbgrader": {"grade_id": "task-3-1"}}
    nbformat.validate(nb)


def test_what_no_file_can_hold_is_replaced(tmp_path: Path) -> None:
    content = text(cell("x = '\ud800'", "task-3-1")).replace('"metadata": {}', _deep(900), 1)
    nb = read_notebook(write(tmp_path / "x.ipynb", content))
    assert nb.cells[0].source == "x = '?'"


def _deep(levels: int) -> str:
    return '"metadata": ' + '{"a": ' * levels + "1" + "}" * levels


def test_sources_as_lists_and_old_formats_are_read(tmp_path: Path) -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [
        {"cells": [{"cell_type": "code", "language": "python", "input": ["a\n", "b"],
                    "outputs": [], "metadata": {}}], "metadata": {}}]}  # fmt: skip
    assert read_notebook(write(tmp_path / "old.ipynb", json.dumps(old))).cells[0].source == "a\nb"


def test_the_expected_name_wins(tmp_path: Path) -> None:
    write(tmp_path / "l.ipynb", text(cell("right", "task-3-1")))
    write(tmp_path / "l (1).ipynb", text(cell("other", "task-3-1")))
    found = inspect_folder(tmp_path, "l", KNOWN)
    assert found.notebook.cells[0].source == "right"
    assert "not graded: <code>l (1).ipynb</code>" in found.notes[0]


def test_a_renamed_notebook_is_known_by_its_cells(tmp_path: Path) -> None:
    write(tmp_path / "notes.ipynb", text(cell("mine")))
    write(tmp_path / "sub" / "l (1).ipynb", text(cell("answer", "task-3-1")))
    found = inspect_folder(tmp_path, "l", KNOWN)
    assert found.notebook.cells[0].source == "answer"
    assert "was graded as" in found.notes[0]


def test_of_two_renamed_notebooks_the_newest_counts(tmp_path: Path) -> None:
    for age, name in ((100, "l (1)"), (50, "l (2)"), (200, "l (3)")):
        path = write(tmp_path / f"{name}.ipynb", text(cell(name, "task-3-1")))
        os.utime(path, (1e9 - age, 1e9 - age))
    assert inspect_folder(tmp_path, "l", KNOWN).notebook.cells[0].source == "l (2)"


def test_a_good_copy_beside_a_broken_file_counts(tmp_path: Path) -> None:
    write(tmp_path / "l.ipynb", "{")
    write(tmp_path / "l (1).ipynb", text(cell("answer", "task-3-1")))
    found = inspect_folder(tmp_path, "l", KNOWN)
    assert found.notebook is not None and not found.problem
    assert any("cannot be read" in note for note in found.notes)


def test_a_foreign_notebook_is_named(tmp_path: Path) -> None:
    write(tmp_path / "holiday.ipynb", text(cell()))
    assert "only <code>holiday.ipynb</code>" in inspect_folder(tmp_path, "l", KNOWN).problem


def test_modules_links_and_large_files_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions, "MAX_FILE_BYTES", 10)
    folder = tmp_path / "l"
    write(folder / "l.ipynb", text(cell("1", "task-3-1")))
    for name in ("torch.py", "facegan_ref/__init__.py", "x.so", "large.bin", "data.csv"):
        write(folder / name, "0" * (20 if name == "large.bin" else 5))
    write(tmp_path / "secret", "s")
    (folder / "link").symlink_to(tmp_path / "secret")
    write(folder / ".ipynb_checkpoints" / "l.ipynb", "{")
    found = inspect_folder(folder, "l", KNOWN)
    assert [path.name for path in found.extra_files] == ["data.csv"]
    notes = "\n".join(found.notes)
    for name in ("torch.py", "facegan_ref/__init__.py", "x.so", "large.bin", "link"):
        assert f"<code>{name}</code>" in notes
    assert "checkpoints" not in notes


def test_names_cannot_write_html_into_the_feedback(tmp_path: Path) -> None:
    write(tmp_path / "<img src=x>.ipynb", "{")
    assert "<img" not in inspect_folder(tmp_path, "l", KNOWN).problem


def test_a_link_is_no_hand_in(tmp_path: Path) -> None:
    solution = write(tmp_path / "solution.ipynb", text(cell("1", "task-3-1")))
    folder = tmp_path / "ada"
    folder.mkdir()
    (folder / "03_losses.ipynb").symlink_to(solution)
    found = inspect_folder(folder, "03_losses", KNOWN)
    assert found.notebook is None and "is only a link" in found.problem


def test_of_many_files_the_first_are_used(tmp_path: Path) -> None:
    write(tmp_path / "03_losses.ipynb", text(cell("1", "task-3-1")))
    for number in range(submissions.MAX_FILES + 20):
        write(tmp_path / f"note-{number}.txt", "x")
    found = inspect_folder(tmp_path, "03_losses", {"task-3-1"})
    assert len(found.extra_files) == submissions.MAX_FILES
    assert found.notes == ["Beside the notebook at most 100 files are used."]
