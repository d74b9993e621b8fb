"""The warm process: has everything loaded that a notebook needs, and forks for each hand-in.

Requests come as messages with two sockets each: the runner's channel and the keeper's.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from facegan_ref.grading.sandbox import linux
from facegan_ref.grading.sandbox.filesystem import WORK, build_root, copy_files
from facegan_ref.grading.sandbox.huge_pages import use_huge_pages
from facegan_ref.grading.sandbox.keeper import Keeper
from facegan_ref.grading.sandbox.limits import Limits

if TYPE_CHECKING:
    from facegan_ref.grading.sandbox.borrowed import Borrowed
    from facegan_ref.grading.sandbox.seal import Seal
    from facegan_ref.grading.sandbox.shell import GradingShell
    from facegan_ref.grading.sandbox.tripwire import Tripwire

_freeze = gc.freeze
MAX_REQUEST = 100_000
_IDLE_S = 5.0  # between looks whether the process that started this one is still there
_FIRST_USER = 1_000_000_000  # far from all accounts: each isolated hand-in of root's has its own
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TMPDIR": "/tmp",
}


class Loaded(NamedTuple):
    """What each fork starts with."""

    shell: GradingShell
    seal: Seal
    tripwire: Tripwire
    borrowed: Borrowed


class Job(NamedTuple):
    """One request: what it says, and its two sockets."""

    request: dict
    channel: socket.socket
    report: socket.socket

    @property
    def limits(self) -> Limits:
        return Limits(**self.request["limits"])


def load() -> Loaded:
    """Import what notebooks and checks use."""
    import matplotlib

    matplotlib.use("module://matplotlib_inline.backend_inline")
    import matplotlib.pyplot as plt
    import torch.utils.data

    from facegan_ref.grading.sandbox.no_compiler import put_off_compiler

    put_off_compiler()
    import torchvision  # noqa: F401

    import facegan_ref.figures
    import facegan_ref.loop
    import facegan_ref.recorder  # noqa: F401
    from facegan_ref.checks import LESSONS, find_lesson
    from facegan_ref.grading.sandbox import runner  # noqa: F401
    from facegan_ref.grading.sandbox.borrowed import Borrowed
    from facegan_ref.grading.sandbox.seal import Seal
    from facegan_ref.grading.sandbox.shell import make_shell
    from facegan_ref.grading.sandbox.tripwire import Tripwire

    torch.set_num_threads(1)
    lessons = [find_lesson(number) for number in LESSONS]
    # Making the first optimiser of a class changes the class.
    for kind in vars(torch.optim).values():
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
            with contextlib.suppress(Exception):  # some want other arguments
                kind([torch.nn.Parameter(torch.ones(2, 2))])
    shell = make_shell()
    plt.close("all")
    graded = {name for lesson in lessons for task in lesson.tasks.values() for name in task.names}
    tripwire = Tripwire(graded)
    gc.freeze = gc.unfreeze = _do_nothing  # what a notebook has made must stay to be seen
    return Loaded(shell, Seal(), tripwire, Borrowed(graded, tripwire.originals))


def _do_nothing() -> None:
    """What `gc.freeze` and `gc.unfreeze` do in a notebook."""


def main(line: str) -> None:
    """Serve requests until the last process that could send some is gone.

    Args:
        line: JSON of the control socket's descriptor, the starting process, the module path, and
            the variables that say where libraries keep their caches; these are only for loading.
    """
    descriptor, parent, _, homes = json.loads(line)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    control = socket.socket(fileno=descriptor)
    os.environ.update(homes)
    loaded = load()
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    if linux.AVAILABLE:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    gc.collect()
    _freeze()  # a collection in a fork would copy the pages of everything loaded
    use_huge_pages()
    while True:
        readable, _, _ = select.select([control], [], [], _IDLE_S)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not readable:
            if os.getppid() != parent and not linux.AVAILABLE:
                return  # elsewhere the socket does not tell
            continue
        data, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST, 2)
        if not data:
            return
        if len(descriptors) == 2:
            _serve(json.loads(data), descriptors, control, loaded)


def _serve(request: dict, descriptors: list[int], control: socket.socket, loaded: Loaded) -> None:
    if os.fork():
        for descriptor in descriptors:
            os.close(descriptor)
        return
    channel, report = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    job = Job(request, channel, report)
    with _reporting(report):
        control.close()
        os.setsid()
        os.umask(0o022)
        (_isolated if request["isolate"] else _plain)(job, loaded)


@contextlib.contextmanager
def _reporting(report: socket.socket):
    """End this process with the block; an error is the grading process's to know."""
    try:
        yield
    except BaseException as error:
        message = {"event": "failed", "why": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(OSError):
            report.sendall(json.dumps(message).encode() + b"\n")
    finally:
        os._exit(0)


def _plain(job: Job, loaded: Loaded) -> None:
    """No isolation: limits, and a folder of its own that goes away."""
    folder = tempfile.mkdtemp(prefix="facegan-grading-")
    try:
        copy_files(job.request["files"], folder, job.limits)
        os.chdir(folder)
        os.environ["HOME"] = folder
        if linux.AVAILABLE:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        start = _starter(job, loaded, (os.getuid(), os.getgid()), 0)
        Keeper(job.report, job.limits, isolated=False).keep(start, job.channel)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _isolated(job: Job, loaded: Loaded) -> None:
    """Make namespaces, in which this process's child is the first."""
    if linux.is_privileged():
        number = _FIRST_USER + os.getpid()
        owner, tasks = (number, number), 0
        linux.unshare(linux.ALL_BUT_USER)
    else:
        user, group = os.geteuid(), os.getegid()
        owner, tasks = (1000, 1000), _tasks_of(user)
        linux.unshare(linux.ALL_BUT_USER | linux.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"1000 {user} 1")
        Path("/proc/self/gid_map").write_text(f"1000 {group} 1")
    if os.fork():
        return
    with _reporting(job.report):
        socket.sethostname("grading")
        build_root(job.request["shown"], job.limits, job.request["files"], owner)
        os.environ["HOME"] = WORK
        _close_all_but(job.channel.fileno(), job.report.fileno())
        start = _starter(job, loaded, owner, tasks)
        Keeper(job.report, job.limits, isolated=True).keep(start, job.channel)


def _starter(job: Job, loaded: Loaded, owner: tuple[int, int], tasks: int) -> Callable[[], None]:
    """Return what the student's process does."""
    from facegan_ref.grading.sandbox.runner import Runner, confine

    def start() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the runner takes it
        job.report.close()
        _close_all_but(job.channel.fileno())
        runner = Runner(job.channel, loaded, job.request)
        confine(job.limits, job.request["isolate"], owner, tasks)
        runner.serve()

    return start


def _close_all_but(*kept: int) -> None:
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, max(low, 4096))


def _tasks_of(user: int) -> int:
    """Return how many processes and threads a user has: old kernels count these too."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == user:
                total += len(os.listdir(folder / "task"))
    return total
