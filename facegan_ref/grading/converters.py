"""nbgrader's converters for a whole class: made once, used for one student after another.

What they write into the gradebook and the folders is what `nbgrader autograde` and
`nbgrader generate_feedback` write under the same settings.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter, NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.writers import FilesWriter
from nbgrader.converters import Autograde, BaseConverter, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import Execute, GetGrades
from nbgrader.utils import find_all_files, setenv

from facegan_ref.grading.feedback.pages import InPlace, PageExporter
from facegan_ref.grading.gradebook import enrol
from facegan_ref.grading.quick import KNOWN, QUICK


class Phases(dict):
    """Seconds that the parts of a student's grading took, by the clock."""

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add what happens in a `with` block to the phase `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self[name] = self.get(name, 0.0) + time.perf_counter() - start


class NotebookText(InPlace, NotebookExporter):
    """nbconvert's `NotebookExporter`, for notebooks that are not needed afterwards."""


_FOR_CLASSES = {NotebookExporter: NotebookText, HTMLExporter: PageExporter}


class ClassConverter(BaseConverter):
    """A converter of nbgrader whose exporter serves all students of a lesson."""

    _made = False
    _error: Exception | None = None

    def convert(self, student: str, phases: Phases | None = None) -> None:
        """Convert the notebook of one student.

        Raises:
            Exception: what went wrong, where nbgrader says only that something did.
        """
        self.coursedir.student_id = student
        self._phases = phases if phases is not None else Phases()
        self._error = None
        try:
            self.start()
        except NbGraderException:
            if self._error is None:
                raise
            raise self._error from None

    def make(self) -> None:
        """Make the exporter."""
        if self._made:
            return
        kind = _FOR_CLASSES.get(self.exporter_class, self.exporter_class)
        self.exporter = kind(parent=self, config=self.config)
        for step in self.preprocessors:
            self.exporter.register_preprocessor(QUICK.get(step, step))
        self._made = True

    def start(self) -> None:
        self.init_notebooks()
        self.make()
        # A writer makes its folder only when it is told of another one than before.
        self.writer = FilesWriter(parent=self, config=self.config)
        before = os.getcwd()
        os.chdir(self.coursedir.root)
        try:
            self.convert_notebooks()
        finally:
            os.chdir(before)

    def convert_single_notebook(self, notebook_filename: str) -> None:
        try:
            self.convert_notebook(notebook_filename)
        except Exception as error:
            self._error = error  # nbgrader logs it and goes on
            raise

    def convert_notebook(self, notebook_filename: str) -> None:
        """Convert one file."""
        super().convert_single_notebook(notebook_filename)


class ClassAutograde(ClassConverter, Autograde):
    """`nbgrader autograde` for many students in one process."""

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Copy the files and enter the submission into the gradebook, in one go."""
        if self.exclude_overwriting or not self.create_student or len(self.notebooks) != 1:
            super().init_assignment(assignment_id, student_id)
            return
        BaseConverter.init_assignment(self, assignment_id, student_id)
        source = self._format_source(assignment_id, student_id)
        timestamp = self.coursedir.get_existing_timestamp(source)
        enrol(self.coursedir.db_url, assignment_id, student_id, timestamp)
        self._copy_source_files(assignment_id, Path(self._format_dest(assignment_id, student_id)))

    def _copy_source_files(self, assignment_id: str, target: Path) -> None:
        source = self.coursedir.format_path(self.coursedir.source_directory, ".", assignment_id)
        for name in find_all_files(source, [*self.coursedir.ignore, "*.ipynb"]):
            copy = target / os.path.relpath(name, source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy(name, copy)

    def convert_notebook(self, notebook_filename: str) -> None:
        """Sanitize and autograde in memory; write only the result."""
        resources = self.init_single_notebook_resources(notebook_filename)
        ids = resources["nbgrader"]
        folder = self._format_dest(ids["assignment"], ids["student"])
        with self._phases("sanitize"):
            nb = nbformat.read(notebook_filename, as_version=4)
            self._use(self.sanitize_preprocessors)
            for step in self.exporter._preprocessors:
                nb, resources = step(nb, resources)
        resources = self.init_single_notebook_resources(notebook_filename)
        resources["metadata"] = ResourcesDict(name=ids["notebook"], path=folder)
        executing = Phases()
        with self._phases("save"), setenv(NBGRADER_EXECUTION="autograde"):
            self._use(self.autograde_preprocessors)
            self.exporter._preprocessors = [
                _timed(step, executing) if isinstance(step, Execute) else step
                for step in self.exporter._preprocessors
            ]
            output, resources = self.exporter.from_notebook_node(nb, resources)
            self.write_single_notebook(output, resources)
        self._phases["execute"] = executing.get("execute", 0.0)
        self._phases["save"] -= self._phases["execute"]

    def _use(self, preprocessors: list) -> None:
        """Let the exporter use these preprocessors, or their quick equals."""
        self.exporter._preprocessors = []
        for step in preprocessors:
            self.exporter.register_preprocessor(QUICK.get(step, step))


def _timed(step: Execute, phases: Phases) -> Callable:
    def run(nb: nbformat.NotebookNode, resources: dict) -> tuple[nbformat.NotebookNode, dict]:
        with phases("execute"):
            return step(nb, resources)

    return run


class ClassFeedback(ClassConverter, GenerateFeedback):
    """`nbgrader generate_feedback` for many students in one process."""

    def warm_up(self, nb: nbformat.NotebookNode) -> None:
        """Make a page of a released lesson, which nobody sees: then most of the others is known."""
        self.make()
        KNOWN.validate_nb(nb)
        _as_if_run(nb)
        kept = self.exporter._preprocessors
        self.exporter._preprocessors = [step for step in kept if not isinstance(step, GetGrades)]
        scores = {"notebook": "", "score": 0.0, "max_score": 0.0, "late_penalty": 0}
        try:
            self.exporter.from_notebook_node(nb, {"nbgrader": scores})
        finally:
            self.exporter._preprocessors = kept


def _as_if_run(nb: nbformat.NotebookNode) -> None:
    """Give a lesson the prompts, and full points, of one that was graded."""
    nb.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    count = 0
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks:
            marks["score"] = float(marks.get("points", 0))
            marks["points"] = marks["score"]
        is_code = cell.cell_type == "code" and "demo" not in cell.metadata.get("tags", [])
        lines = [line for line in cell.source.splitlines() if line.strip() and line[0] != "#"]
        if is_code and (lines or marks.get("grade")):
            count += 1
            cell.execution_count = count
