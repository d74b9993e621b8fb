"""Grading beyond one machine: a real Dask cluster, a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from graded_class import LESSON, REPOSITORY

from facegan_ref.grading.running import batch
from facegan_ref.grading.running.engines import CannotGrade, DaskEngine, Engine, LocalEngine
from facegan_ref.grading.sample_class import build_sample_class
from facegan_ref.grading.sample_kit import make_course

STUDENTS = ["perfect", "half-right", "broken-json"]
TOTALS = {"perfect": 15.0, "half-right": 5.0, "broken-json": 0.0}


def make_class(folder: Path, settings: str = "") -> Path:
    make_course(REPOSITORY, folder, [LESSON], settings)
    build_sample_class(folder, LESSON, STUDENTS)
    return folder


def totals(course: Path, make_engine) -> dict[str, float]:
    """Grade the class; return what each of them got."""
    plan = batch.make_plan(course, [LESSON])
    rows = batch.carry_out(plan, make_engine, progress=False)
    assert all(row.status != "failed" for row in rows), [row.reason for row in rows]
    return {row.student: row.points for row in rows}


@pytest.fixture
def cluster(_one_thread: None) -> Iterator[str]:
    """Return the address of a cluster of two worker processes."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_grades_and_what_it_graded_is_known_here(cluster: str, tmp_path: Path) -> None:
    course = make_class(tmp_path / "course")
    assert totals(course, lambda: DaskEngine(cluster)) == TOTALS
    plan = batch.make_plan(course, [LESSON])
    assert not plan.jobs and len(plan.unchanged) == 3

    path = course / "solutions" / LESSON / f"{LESSON}.ipynb"
    plan = batch.make_plan(course, [LESSON], force=True)
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(CannotGrade, match="changed since grading began"):
        batch.carry_out(plan, lambda: DaskEngine(cluster), progress=False)


def test_an_address_without_a_scheduler_is_named() -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    with pytest.raises(CannotGrade, match="no Dask scheduler answers at tcp:"):
        DaskEngine("tcp://127.0.0.1:9", patience=1)


def postgres_programs() -> Path | None:
    """Return where PostgreSQL's server programs lie: Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture
def postgres() -> Iterator[str]:
    """Return the URL of a database of a server of its own, on a socket in a folder."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # It refuses to run as root, and must reach the folder as somebody else.
    somebody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    somebody = somebody if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="facegan-pg-", dir="/tmp"))
    try:
        if somebody:
            shutil.chown(folder, "nobody", "nogroup")
        options = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, **somebody}
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "teacher", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, **options)
        server = f"-k {folder} -c listen_addresses='' -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        subprocess.run([*control, "-o", server, "start"], **options)
        try:
            yield f"postgresql+psycopg2://teacher@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **options)
    finally:
        shutil.rmtree(folder)


def test_the_gradebook_can_be_in_postgresql(
    postgres: str, tmp_path: Path, _one_thread: None
) -> None:
    course = make_class(tmp_path / "course", f'c.CourseDirectory.db_url = "{postgres}"')

    def engine() -> Engine:
        return LocalEngine(2)

    assert totals(course, engine) == TOTALS
    assert not (course / ".grading" / "gradebook.db").exists()
    plan = batch.make_plan(course, [LESSON])
    assert not plan.jobs
    assert {row.student: row.points for row in plan.unchanged} == TOTALS
