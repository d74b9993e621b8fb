"""nbgrader's settings for this course: one function for the command line, formgrader and us."""

from __future__ import annotations

import os
import secrets
import sysconfig
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    DeduplicateIds,
    GetGrades,
    IgnorePattern,
    IncludeHeaderFooter,
    InstantiateTests,
    LimitOutput,
    LockCells,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
    SaveCells,
)
from traitlets.config import Config, PyFileConfigLoader

from facegan_ref.grading.cells import RestoreCells
from facegan_ref.grading.execute import GuardedExecute
from facegan_ref.grading.feedback.legible import LimitMarkup
from facegan_ref.grading.feedback.notes import WriteNotes
from facegan_ref.grading.feedback.rubrics import HideRubrics, ShowRubrics
from facegan_ref.grading.publish import HideHiddenTests, NumberedStubs, WriteAddress
from facegan_ref.grading.scan import MarkRefused, ScanAnswers
from facegan_ref.grading.scores import RequireScore
from facegan_ref.grading.submissions import UNUSED_PATTERNS

SOURCE = "solutions"
RELEASE = "lessons"
PRIVATE = ".grading"

CELL_TIMEOUT_S = 120
"""A lesson's slowest cell takes seconds; this leaves room for a busy machine."""


def course_config(root: Path) -> Config:
    """Return the settings of the course that lies in `root`."""
    root = Path(root).resolve()
    private = root / PRIVATE
    c = Config()

    c.CourseDirectory.root = str(root)
    c.CourseDirectory.course_id = "facegan"
    c.CourseDirectory.source_directory = SOURCE
    c.CourseDirectory.release_directory = RELEASE
    for step in ("submitted", "autograded", "feedback", "source_with_tests", "solution"):
        c.CourseDirectory[f"{step}_directory"] = f"{PRIVATE}/{step}"
    c.CourseDirectory.db_url = f"sqlite:///{private / 'gradebook.db'}"
    # Only the notebook is graded: a module beside it could take the place of the checks.
    c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "feedback", *UNUSED_PATTERNS]
    c.Exchange.root = str(private / "exchange")
    c.Exchange.cache = str(private / "exchange-cache")

    c.GenerateAssignment.preprocessors = [
        IncludeHeaderFooter,
        InstantiateTests,
        LockCells,
        WriteAddress,
        NumberedStubs,
        ClearOutput,
        CheckCellMetadata,
        ComputeChecksums,
        SaveCells,
        ClearHiddenTests,
        ClearMarkScheme,
        ComputeChecksums,
        CheckCellMetadata,
    ]
    c.ClearSolutions.text_stub = "*Write your answer here.*"

    c.Autograde.sanitize_preprocessors = [
        ClearOutput,
        RestoreCells,
        DeduplicateIds,
        OverwriteKernelspec,
        OverwriteCells,
        CheckCellMetadata,
    ]
    c.Autograde.autograde_preprocessors = [
        ScanAnswers,
        GuardedExecute,
        IgnorePattern,
        ClearMetadataPreprocessor,
        LimitOutput,
        LimitMarkup,
        RequireScore,
        WriteNotes,
        ShowRubrics,
        SaveAutoGrades,
        MarkRefused,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    c.OverwriteCells.add_missing_cells = True
    # For `nbgrader validate`, which runs the instructor's own notebooks in a kernel. The limits of
    # hand-ins are those of GuardedExecute.
    c.Execute.timeout = CELL_TIMEOUT_S
    c.Execute.startup_timeout = 120
    c.Execute.iopub_timeout = 30
    c.Execute.interrupt_on_timeout = True
    c.Execute.shutdown_kernel = "immediate"
    # The default, "skip-execution", gives full marks to every test cell that a student tags so.
    c.Execute.skip_cells_with_tag = secrets.token_hex(16)

    # Feedback and formgrader show what students wrote; neither may run it.
    c.HTMLExporter.sanitize_html = True
    c.TemplateExporter.filters = {
        "clean_html": "facegan_ref.grading.feedback.harmless.clean_html",
        "strip_files_prefix": "facegan_ref.grading.feedback.harmless.clean_markdown",
    }

    c.GenerateFeedback.preprocessors = [
        GetGrades,
        HideHiddenTests,
        HideRubrics,
        CSSHTMLHeaderPreprocessor,
    ]
    return c


def prepare(root: Path) -> None:
    """Make the private folders that nbgrader expects, and let it find its own commands."""
    # nbgrader calls `alembic` by name, which fails when the environment is not activated.
    scripts = sysconfig.get_path("scripts")
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = scripts + os.pathsep + os.environ.get("PATH", "")
    for name in ("submitted", "exchange"):
        (Path(root) / PRIVATE / name).mkdir(parents=True, exist_ok=True)


def load_config(root: Path) -> Config:
    """Return the settings of the course in `root`: those of its own file, if there is one."""
    root = Path(root).resolve()
    if (root / "nbgrader_config.py").is_file():
        return PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
    prepare(root)
    return course_config(root)
