"""Run a student's notebook so that what breaks one cell costs no more than that cell."""

from __future__ import annotations

import os

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked
from traitlets import Integer, List, Unicode

from facegan_ref.grading.marks import read_mark
from facegan_ref.grading.notes import grading_data


def error_output(name: str, message: str) -> NotebookNode:
    """Return a cell output that nbgrader takes for a failure and the feedback shows."""
    return NotebookNode(
        output_type="error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )


class GuardedExecute(Execute):
    """nbgrader's `Execute`, for submissions of all kinds.

    A cell that does not end is interrupted and the rest is run; when the kernel dies or cannot be
    interrupted, this cell and the later ones fail and the earlier points stay; output is clipped
    as it arrives; modules beside the notebook cannot shadow the installed ones; and the course's
    own demonstration cells are not run.
    """

    extra_arguments = List(
        ["--IPKernelApp.ignore_cwd=True", "--IPKernelApp.log_level=40"],
        help="Arguments of the kernel: the notebook's folder stays off the module path.",
    ).tag(config=True)

    max_output_chars = Integer(
        200_000, help="Characters of output that a cell may show (pictures count in base64)."
    ).tag(config=True)

    max_picture_chars = Integer(
        4_000_000, help="Characters that all pictures of a cell may take (base64)."
    ).tag(config=True)

    demo_tag = Unicode(
        "demo", help="Locked cells of the lesson with this tag are not run; empty runs all."
    ).tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict, km: object = None
    ) -> tuple[NotebookNode, dict]:
        """Run the notebook's cells, or none when a problem was found before."""
        self._stopped = ""
        self._endless_tasks: set[str] = set()
        self._chars: dict[int, list[int]] = {}
        if grading_data(nb).problem:
            for cell in nb.cells:
                if cell.cell_type == "code":
                    cell.outputs = [error_output("NotRun", "the notebook could not be graded")]
            return nb, resources
        self.error_on_timeout = dict(
            error_output(
                "CellTimeoutError",
                f"this cell did not end within {self.timeout} s and was stopped (is there a loop "
                "without an end?)",
            )
        )
        return super().preprocess(nb, resources, km)

    def start_new_kernel(self, **kwargs: object) -> None:
        """Start the kernel with the notebook's folder off its module path from the first import.

        Python 3.10 has no safe path: there only `ignore_cwd` and the files left out protect.
        """
        paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        absolute = os.pathsep.join(map(os.path.abspath, paths))
        env = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": absolute}
        super().start_new_kernel(env=env, **kwargs)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        if self._is_demo(cell):
            return cell, resources
        mark = read_mark(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if self._stopped:
            cell.outputs = [error_output("NotRun", "Python had stopped in an earlier cell")]
            return cell, resources
        if mark and mark.kind == "fresh" and mark.task in self._endless_tasks:
            cell.outputs = [error_output("NotRun", "the check of this task did not end")]
            return cell, resources
        try:
            super().preprocess_cell(cell, resources, index)
            if mark and any(o.get("ename") == "CellTimeoutError" for o in cell.outputs):
                self._endless_tasks.add(mark.task)
        except DeadKernelError:
            self._stop(
                cell,
                "Python itself stopped in this cell (os._exit, a crash, or no memory left), so "
                "that the cells after it could not be run",
            )
        except CellTimeoutError:
            self._stop(
                cell,
                f"this cell did not end within {self.timeout} s and could not be interrupted, so "
                "that the cells after it could not be run",
            )
        return cell, resources

    def _is_demo(self, cell: NotebookNode) -> bool:
        tagged = self.demo_tag and self.demo_tag in cell.metadata.get("tags", [])
        return bool(tagged) and is_locked(cell) and not is_grade(cell)

    def _stop(self, cell: NotebookNode, message: str) -> None:
        self._stopped = message
        cell.outputs.append(error_output("KernelStopped", message))

    def process_message(
        self, msg: dict, cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take an output from the kernel; what goes beyond the limits is left out."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            content["text"] = self._clip(content["text"], cell_index, cell.outputs)
            if not content["text"]:
                return None
        elif msg["msg_type"] == "error":
            content["evalue"] = content["evalue"][:2_000]
            if sum(map(len, content["traceback"])) > 20_000:
                content["traceback"] = [f"{content['ename']}: {content['evalue']}"]
        elif msg["msg_type"] in ("display_data", "update_display_data", "execute_result"):
            data = content["data"]
            size = sum(len(str(value)) for value in data.values())
            if msg["msg_type"] == "execute_result" and size < 1_000:
                return super().process_message(msg, cell, cell_index)  # may be the score
            used = self._chars.setdefault(cell_index, [0, 0])
            used[1] += size
            if used[1] > self.max_picture_chars or len(cell.outputs) > 200:
                content["data"] = {"text/plain": "[output left out: too much]"}
                if msg["msg_type"] != "execute_result":
                    return None
        return super().process_message(msg, cell, cell_index)

    def _clip(self, text: str, cell_index: int, outputs: list) -> str:
        used = self._chars.setdefault(cell_index, [0, 0])
        room = self.max_output_chars - used[0]
        used[0] += len(text)
        if room <= 0:
            return ""
        if len(text) > room:
            return text[:room] + f"\n[output clipped after {self.max_output_chars} characters]\n"
        return text
