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

MAX_REQUEST = 100_000
_IDLE_S = 5.0


def load() -> tuple[object, object]:
    """Import what notebooks and checks use; return the shell and the seal."""
    import matplotlib

    matplotlib.use("module://matplotlib_inline.backend_inline")
    import matplotlib.pyplot
    import torch._dynamo  # the first optimiser would import it, in a second and a half
    import torch.utils.data
    import torchvision

    from facegan_ref.checks import LESSONS
    from facegan_ref.checks.registry import find_lesson
    from facegan_ref.grading.sandbox import runner  # noqa: F401
    from facegan_ref.grading.sandbox.seal import Seal
    from facegan_ref.grading.sandbox.shell import make_shell

    torch.set_num_threads(1)
    for number in LESSONS:
        find_lesson(number)
    # Making the first optimiser of a class changes the class.
    for kind in vars(torch.optim).values():
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
            with contextlib.suppress(Exception):
                kind([torch.nn.Parameter(torch.ones(2, 2))])
    assert torchvision.__version__ and matplotlib.pyplot.get_fignums() == []
    shell = make_shell()
    shell.run_cell("import matplotlib.pyplot as _plt; _plt.close('all'); del _plt")
    return shell, Seal()


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
    shell, seal = load()
    from facegan_ref.grading.sandbox import linux
    from facegan_ref.grading.sandbox.runner import ENVIRONMENT

    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    if linux.AVAILABLE:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the pages of everything loaded
    while True:
        readable, _, _ = select.select([control], [], [], _IDLE_S)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not readable:
            if parent and os.getppid() != parent:
                return
            continue
        data, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST, 2)
        if not data:
            return
        if len(descriptors) == 2:
            _fork(json.loads(data), descriptors, control, shell, seal)


def _fork(request: dict, descriptors: list[int], control: socket.socket, shell, seal) -> None:
    process = os.fork()
    if process:
        for descriptor in descriptors:
            os.close(descriptor)
        return
    report = socket.socket(fileno=descriptors[1])
    try:
        control.close()
        os.setsid()
        os.umask(0o022)
        channel = socket.socket(fileno=descriptors[0])
        (_isolated if request["isolate"] else _plain)(request, channel, report, shell, seal)
    except BaseException as error:
        with contextlib.suppress(OSError):
            message = {"event": "failed", "why": f"{type(error).__name__}: {error}"}
            report.sendall(json.dumps(message).encode() + b"\n")
    finally:
        os._exit(0)


def _start(
    request: dict, channel: socket.socket, owner: tuple[int, int], tasks: int, shell, seal
) -> Callable[[], None]:
    from facegan_ref.grading.sandbox.limits import Limits
    from facegan_ref.grading.sandbox.runner import Runner, confine

    limits = Limits(**request["limits"])

    def start() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        keep = os.dup(channel.fileno())
        _close_all_but(keep)
        runner = Runner(socket.socket(fileno=keep), shell, seal, request, limits)
        confine(limits, request["isolate"], owner, tasks)
        runner.serve()

    return start


def _close_all_but(descriptor: int) -> None:
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 4096)


def _plain(request: dict, channel: socket.socket, report: socket.socket, shell, seal) -> None:
    """No isolation: limits, and a folder of its own that goes away."""
    from facegan_ref.grading.sandbox import linux
    from facegan_ref.grading.sandbox.filesystem import copy_files
    from facegan_ref.grading.sandbox.keeper import Keeper
    from facegan_ref.grading.sandbox.limits import Limits

    limits = Limits(**request["limits"])
    folder = tempfile.mkdtemp(prefix="facegan-grading-")
    try:
        copy_files(request["files"], folder, limits)
        os.chdir(folder)
        os.environ["HOME"] = folder
        if linux.AVAILABLE:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        start = _start(request, channel, (os.getuid(), os.getgid()), 0, shell, seal)
        Keeper(report, limits, isolated=False).keep(start, channel)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _isolated(request: dict, channel: socket.socket, report: socket.socket, shell, seal) -> None:
    """Namespaces of its own; this process only makes them, its child is the first in them."""
    from facegan_ref.grading.sandbox import linux

    if linux.is_privileged():
        number = 1_000_000_000 + os.getpid() % 100_000_000
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
    _first_process(request, channel, report, owner, tasks, shell, seal)


def _first_process(
    request: dict,
    channel: socket.socket,
    report: socket.socket,
    owner: tuple[int, int],
    tasks: int,
    shell,
    seal,
) -> None:
    from facegan_ref.grading.sandbox.filesystem import WORK, build_root
    from facegan_ref.grading.sandbox.keeper import Keeper
    from facegan_ref.grading.sandbox.limits import Limits

    try:
        limits = Limits(**request["limits"])
        socket.sethostname("grading")
        build_root(request["shown"], limits, request["files"], owner)
        os.environ["HOME"] = WORK
        _close_all_but_two(channel.fileno(), report.fileno())
        start = _start(request, channel, owner, tasks, shell, seal)
        Keeper(report, limits, isolated=True).keep(start, channel)
    except BaseException as error:
        message = {"event": "failed", "why": f"{type(error).__name__}: {error}"}
        report.sendall(json.dumps(message).encode() + b"\n")
    finally:
        os._exit(0)


def _close_all_but_two(one: int, two: int) -> None:
    low, high = sorted((one, two))
    os.closerange(3, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, 4096)


def _tasks_of(user: int) -> int:
    """Return how many processes and threads a user has: old kernels count these too."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == user:
                total += len(os.listdir(folder / "task"))
    return total
