"""Notebooks that can be read, with odd, enormous or broken content."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

from hand_ins import accident, attack, honest, new_cell, write_cell

from facegan_ref.grading.sample_kit import LessonKit

if TYPE_CHECKING:
    from world import World


# Notebooks that can be read, with odd content ---------------------------------------------------


def _many_cells(kit: LessonKit, nb: dict) -> None:
    nb["cells"] += [{**new_cell(""), "id": "same"} for _ in range(200)]
    nb["cells"] += [new_cell("1 + 1") for _ in range(100)]


def _million_cells(kit: LessonKit, world: World, folder: Path) -> None:
    text = json.dumps(kit.blank())
    cell = '{"cell_type":"raw","metadata":{},"source":""}'
    kit.write(folder, text.replace('"cells": [', '"cells": [' + (cell + ",") * 1_000_000))


def _very_many_cells(kit: LessonKit, nb: dict) -> None:
    nb["cells"] += [new_cell("") for _ in range(20_000)]


def _odd_metadata(kit: LessonKit, nb: dict) -> None:
    nb["metadata"] = {"kernelspec": {"name": "rm -rf"}, "language_info": 7, "nan": float("nan")}
    nb["metadata"]["deep"] = json.loads("[" * 500 + "]" * 500)
    for index, cell in enumerate(nb["cells"]):
        cell["metadata"].update(scrolled=float("inf"), editable="no", name=["x"], collapsed={})
        cell["execution_count"] = -1 if index % 2 else float("nan")
        cell["id"] = "same"


def _surrogates(kit: LessonKit, nb: dict) -> None:
    nb["cells"].append(new_cell("x = '\ud800'  # half a character"))
    nb["cells"].append({**new_cell("'\\ud800'"), "id": "\ud800"})
    nb["metadata"]["title"] = "\udfff"


def _other_kernel(kit: LessonKit, nb: dict) -> None:
    nb["metadata"]["kernelspec"] = {"name": "ir", "language": "R", "display_name": "R"}
    nb["metadata"]["language_info"] = {"name": "R"}


def _sources_as_lists(kit: LessonKit, nb: dict) -> None:
    for cell in nb["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)


def _no_ids(kit: LessonKit, nb: dict) -> None:
    nb["nbformat_minor"] = 2
    for cell in nb["cells"]:
        del cell["id"]


def _old_format(kit: LessonKit, world: World, folder: Path) -> None:
    cells = []
    for cell in kit.solved()["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            old = {"cell_type": "code", "input": source, "language": "python", "outputs": []}
        else:
            old = {"cell_type": "markdown", "source": source}
        cells.append({**old, "metadata": cell["metadata"]})
    nb = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    kit.write(folder, json.dumps(nb))


def _windows(kit: LessonKit, world: World, folder: Path) -> None:
    nb = kit.solved()
    for cell in nb["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    folder.mkdir(parents=True)
    text = json.dumps(nb, indent=1).replace("\n", "\r\n")
    (folder / f"{kit.lesson}.ipynb").write_bytes(b"\xef\xbb\xbf" + text.encode())


def _reordered(kit: LessonKit, nb: dict) -> None:
    """Tasks in another order, each with its own checks; the answers do not need each other."""
    setup = nb["cells"].index(next(cell for cell in nb["cells"] if cell["id"] == "setup"))
    rest = nb["cells"][setup + 1 :]
    checks = [cell for cell in rest if cell["id"].startswith(("grade", "fresh"))]
    others = [cell for cell in rest if cell not in checks]
    random.Random(3).shuffle(others)
    nb["cells"] = nb["cells"][: setup + 1] + others + checks[::-1]


def _twice(kit: LessonKit, nb: dict) -> None:
    """The whole notebook pasted once more below itself."""
    again = copy.deepcopy(nb["cells"])
    for index, cell in enumerate(again):
        cell["id"] = f"again-{index}"
    nb["cells"] += again


def _only_answers(kit: LessonKit, nb: dict) -> None:
    nb["cells"] = [cell for cell in nb["cells"] if cell["id"].startswith("task") and
                   cell["cell_type"] == "code"]  # fmt: skip


def _merge_in_an_answer(kit: LessonKit, nb: dict) -> None:
    answer = kit.answers["3.2"]
    write_cell(kit, nb, "3.2", f"<<<<<<< HEAD\n{answer}\n=======\n{answer}\n>>>>>>> theirs")


honest("file-old-format", "right, in the notebook format 3", fill=_old_format)
honest("file-windows", "right, with Windows line ends and a byte order mark", fill=_windows)
honest("cells-many", "right, and 300 more cells", edit=_many_cells)
attack("cells-20000", "blank, and 20 000 empty cells", edit=_very_many_cells)
attack("cells-a-million", "blank, and a million raw cells", fill=_million_cells)
honest("cells-odd-metadata", "right, with metadata full of nonsense", edit=_odd_metadata)
honest("cells-half-characters", "right, with halves of characters", edit=_surrogates)
honest("cells-other-kernel", "right, saved for another kernel", edit=_other_kernel)
honest("cells-as-lists", "right, with sources as lists of lines", edit=_sources_as_lists)
honest("cells-without-ids", "right, saved by an old Jupyter", edit=_no_ids)
honest("cells-reordered", "right, with answers in another order", edit=_reordered)
honest("cells-twice", "right, pasted twice", edit=_twice)
honest("cells-only-answers", "right, and everything else deleted", edit=_only_answers)
accident(
    "merge-markers-in-an-answer",
    "right, but git left its markers in one answer",
    edit=_merge_in_an_answer,
    deserves=("3.2",),
    says="SyntaxError",
)
