"""`facegan grade` as an instructor runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from accidents import ACCIDENTS
from graded_class import LESSON, REPOSITORY

from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import make_course


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Path:
    """Return a course with two hand-ins, of which nothing is graded."""
    folder = tmp_path_factory.mktemp("command") / "course"
    make_course(REPOSITORY, folder, [LESSON], ACCIDENTS)
    build_sample_class(folder, LESSON, ["half-right", "perfect"])
    return folder


def start(course: Path, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
    """Start the command in the course folder, in a process group of its own."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "facegan_ref", "grade", *arguments],
        cwd=course,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell without job control has its background jobs ignore Ctrl-C, and all they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_where_nothing_can_be_isolated_nothing_is_graded(course: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    without = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    command = start(course, "03", before=without)
    _, said = command.communicate(timeout=300)
    assert command.returncode == 2
    assert "cannot be isolated here" in said and "--no-sandbox" in said and said.count("\n") == 1
    assert not list((course / ".grading").glob("state/*/[a-z]*.json"))
    assert not (course / ".grading" / "autograded").exists()


def test_ctrl_c_and_on_with_it(course: Path) -> None:
    (course / "accident-perfect").write_text("asleep")
    command = start(course, "03", "--jobs", "2")
    done = course / ".grading" / "state" / LESSON / "half-right.json"
    until = time.monotonic() + 300
    while not done.exists() and time.monotonic() < until and command.poll() is None:
        time.sleep(0.1)
    started = psutil.Process(command.pid).children(recursive=True)
    assert len(started) >= 3, "the warm process and two that grade"
    os.killpg(command.pid, signal.SIGINT)
    said, complained = command.communicate(timeout=60)
    assert command.returncode == 130, complained
    assert complained.strip() == "stopped after 1 hand-ins; the same command goes on" and not said
    psutil.wait_procs(started, timeout=10)
    assert not [process for process in started if process.is_running()]

    (course / "accident-perfect").write_text("killed")
    command = start(course, "all", "--no-sandbox", "--csv", "out/all.csv")
    said, complained = command.communicate(timeout=300)
    assert command.returncode == 1 and not complained
    lines = said.splitlines()
    assert lines[2].split()[:2] == ["half-right", LESSON] and "5 of 15" in lines[2]
    assert lines[3].split()[:2] == ["perfect", LESSON] and "0 of 15" in lines[3]
    assert f"  perfect {LESSON}: failed" in lines
    assert lines[-1] == "1 graded, 1 unchanged since they were"
    table = (course / "out" / "all.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in table] == ["student", "half-right", "perfect"]


def test_the_grading_process_loads_neither_torch_nor_what_it_has_no_use_for() -> None:
    script = (
        "import sys\n"
        "from facegan_ref.grading.running.startup import quick_imports\n"
        "with quick_imports():\n"
        "    from facegan_ref.grading.running import batch, engines\n"
        "print([name for name in ('torch', 'numpy', 'rfc3987_syntax') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
