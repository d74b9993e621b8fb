"""Where jobs are done: in worker processes of this machine, or of a Dask cluster.

A job that ends or outlasts its worker costs nobody else: the worker is replaced, and the failure is
entered into the gradebook by another job.
"""

from __future__ import annotations

import queue
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait

from facegan_ref.grading.gradebook import close_gradebooks
from facegan_ref.grading.results import GradeResult
from facegan_ref.grading.running.jobs import Job, OtherVersion, room_of
from facegan_ref.grading.running.worker import Outcome, Worker
from facegan_ref.grading.sandbox import IsolationUnavailable, SandboxLost, Session, warm_process

JOB_SECONDS = 900.0
"""The most that one job may take by the clock. What runs in it has limits of its own."""
GIVE_UP_SECONDS = 120.0
"""The least that is granted to a job which runs no hand-in."""


class CannotGrade(RuntimeError):
    """No hand-in can be graded; the message says why."""


class Engine:
    """Does jobs; a subclass says where."""

    job_seconds = JOB_SECONDS
    can_isolate = False
    """Whether it was tried: what fails later on is an accident of one job, not of all."""

    def seconds(self, job: Job) -> float:
        """Return the most that a job may take."""
        return max(self.job_seconds, GIVE_UP_SECONDS if job.action == "give up" else 0.0)

    def run(self, jobs: Sequence[Job]) -> Iterator[GradeResult]:
        """Yield the row of each job as it comes about.

        Raises:
            CannotGrade: when the first thing that a job needs is missing for all of them.
        """
        waiting, running = deque(jobs), 0
        tried_again: set[Job] = set()
        while waiting or running:
            while waiting and self.has_room(running):
                self.start(waiting.popleft())
                running += 1
            job, (kind, value) = self.next_outcome()
            running -= 1
            if kind == "row":
                yield value
            elif kind == "refused" or (kind == "open" and not self.can_isolate):
                raise CannotGrade(value)
            elif kind in ("lost", "open") and job not in tried_again:
                tried_again.add(job)
                waiting.appendleft(job)
            elif job.action == "give up":
                yield job.failed(f"{job.why}; {value}")
            else:
                waiting.appendleft(job.giving_up(str(value)))

    def has_room(self, running: int) -> bool:
        """Whether another job can be started besides the `running` ones."""
        raise NotImplementedError

    def start(self, job: Job) -> None:
        """Start a job."""
        raise NotImplementedError

    def next_outcome(self) -> tuple[Job, Outcome]:
        """Wait for the next job that ends."""
        raise NotImplementedError

    def close(self) -> None:
        """End all that still runs."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalEngine(Engine):
    """Several processes of this machine, forked from this one; they share its warm process.

    Args:
        processes: how many.
        isolate: whether hand-ins have to be isolated: it is tried before the first job.
        job_seconds: the most that a job may take.
    """

    def __init__(
        self, processes: int, *, isolate: bool = True, job_seconds: float = JOB_SECONDS
    ) -> None:
        self.processes, self.job_seconds = processes, job_seconds
        self._idle: list[Worker] = []
        self._busy: dict[Worker, tuple[Job, float]] = {}
        self._isolate = isolate
        warm_process()

    def run(self, jobs: Sequence[Job]) -> Iterator[GradeResult]:
        """See `Engine.run`; what all workers share is made before they are forked."""
        try:
            room_of(jobs[0]).warm_up()
            close_gradebooks()
            Session(isolate=self._isolate).close()
            self.can_isolate = True
        except (IsolationUnavailable, OtherVersion) as error:
            raise CannotGrade(str(error)) from error
        except SandboxLost as error:
            raise CannotGrade(f"Python cannot be started for the hand-ins: {error}") from error
        yield from super().run(jobs)

    def has_room(self, running: int) -> bool:
        return running < self.processes

    def start(self, job: Job) -> None:
        worker = self._idle.pop() if self._idle else self._new_worker()
        worker.send(job)
        self._busy[worker] = (job, time.monotonic() + self.seconds(job))

    def _new_worker(self) -> Worker:
        warm_process()  # another one, if the last was lost
        others = [worker.jobs for worker in (*self._idle, *self._busy)]
        return Worker(fork=sys.platform == "linux", close=others)

    def next_outcome(self) -> tuple[Job, Outcome]:
        by_connection = {worker.jobs: worker for worker in self._busy}
        until = min(deadline for _, deadline in self._busy.values())
        ready = wait(list(by_connection), timeout=max(0.0, until - time.monotonic()))
        if ready:
            worker = by_connection[ready[0]]
            outcome = worker.outcome()
        else:
            worker = min(self._busy, key=lambda worker: self._busy[worker][1])
            outcome = _late(self.job_seconds)
        job, _ = self._busy.pop(worker)
        if outcome[0] == "row":
            self._idle.append(worker)
        else:
            worker.end()
        return job, outcome

    def close(self) -> None:
        for worker in (*self._idle, *self._busy):
            worker.end()
        self._idle, self._busy = [], {}


def _late(seconds: float) -> Outcome:
    return "late", f"it took more than {seconds / 60:.3g} minutes"


_workers: queue.LifoQueue[Worker] = queue.LifoQueue()


def do_on_cluster(job: Job, job_seconds: float) -> Outcome:
    """Do a job in a process of this machine; called in a thread of a Dask worker."""
    try:
        worker = _workers.get_nowait()
    except queue.Empty:
        worker = Worker(fork=False)
    worker.send(job)
    outcome = worker.outcome() if worker.jobs.poll(job_seconds) else _late(job_seconds)
    if outcome[0] == "row":
        _workers.put(worker)
    else:
        worker.end()
    return outcome


class DaskEngine(Engine):
    """The workers of a Dask cluster, which see the course folder at the same path.

    Args:
        address: of the scheduler, e.g. "tcp://10.0.0.1:8786".
        job_seconds: the most that a job may take.
        patience: seconds to wait for the scheduler's answer.

    Raises:
        CannotGrade: when there is no scheduler, or Dask is not installed.
    """

    def __init__(
        self, address: str, *, job_seconds: float = JOB_SECONDS, patience: float = 20.0
    ) -> None:
        try:
            from distributed import Client, as_completed
        except ImportError as error:
            raise CannotGrade(
                "--scheduler needs Dask: pip install 'facegan-course[cluster]'"
            ) from error
        self.job_seconds = job_seconds
        try:
            self._client = Client(address, timeout=patience, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CannotGrade(f"no Dask scheduler answers at {address}: {error}") from error
        self._jobs: dict[str, Job] = {}
        self._completed = as_completed(loop=self._client.loop)

    def has_room(self, running: int) -> bool:
        return True

    def start(self, job: Job) -> None:
        future = self._client.submit(
            do_on_cluster,
            job,
            self.seconds(job),
            pure=False,
            retries=0,
            priority=-len(self._jobs),
        )
        self._jobs[future.key] = job
        self._completed.add(future)

    def next_outcome(self) -> tuple[Job, Outcome]:
        future = next(self._completed)
        job = self._jobs[future.key]
        error = future.exception()
        if error is not None:
            return job, ("broken", f"{type(error).__name__}: {error}")
        return job, future.result()

    def close(self) -> None:
        self._client.cancel(list(self._completed.futures))
        self._client.close()
