"""Attacks on other processes and the kernel, and processes that want to outlive their grading."""

from __future__ import annotations

from hand_ins import attack
from looking import PROBE

attack(
    "kills",
    "kills its parent, process 1, and every process that it can see",
    cells={
        "3.1": """
$latch
import signal
for target in (os.getppid(), 1, -1, 0):
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        try:
            if target or number == signal.SIGTERM:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.kill(target, number)
        except OSError as error:
            print(target, error)
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != os.getpid():
        try:
            os.kill(int(name), signal.SIGKILL)
        except OSError as error:
            print(name, error)
os.kill(os.getpid(), signal.SIGKILL)
"""
    },
)
attack(
    "other-processes",
    "traces and writes into other processes",
    cells={
        "3.1": PROBE
        + """
$latch
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
ATTACH = 16
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
probe("more processes than its own", lambda: len(pids) > 8 and pids)
for pid in {1, os.getppid(), *pids} - {os.getpid(), 0}:
    probe(f"traces {pid}", lambda: libc.ptrace(ATTACH, pid, 0, 0) == 0)
    probe(f"memory of {pid}", lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR) > 0)
    probe(f"files of {pid}", lambda: [os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3, 40)])
    probe(f"namespace of {pid}", lambda: libc.setns(os.open(f"/proc/{pid}/ns/net", 0), 0) == 0)
    probe(f"limits of {pid}", lambda: __import__("resource").prlimit(pid, 7, (9, 9)))
"""
    },
)
attack(
    "privileges",
    "mounts, changes root, makes devices and namespaces, raises its own limits",
    cells={
        "3.1": PROBE
        + """
$latch
import ctypes, resource, stat
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("inner", exist_ok=True)
for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("net", 0x40000000), ("pid", 1 << 29)):
    probe("new namespace: " + name, lambda: os.fork() == 0 and (
        libc.unshare(flag) == 0 and os.write(2, ($breach + name).encode()), os._exit(0)))
probe("mount tmpfs", lambda: libc.mount(b"none", b"inner", b"tmpfs", 0, None) == 0)
probe("mount proc", lambda: libc.mount(b"proc", b"inner", b"proc", 0, None) == 0)
probe("remount /", lambda: libc.mount(b"none", b"/", None, 4128, None) == 0)
probe("unmount /proc", lambda: libc.umount2(b"/proc", 2) == 0)
probe("pivot", lambda: libc.syscall(155, b".", b"inner") == 0)
probe("chroot", lambda: os.chroot("inner") is None)
probe("device", lambda: os.mknod("sda", 0o600 | stat.S_IFBLK, os.makedev(8, 0)) is None)
probe("name of the machine", lambda: libc.sethostname(b"mine", 4) == 0)
probe("user 0 again", lambda: os.setresuid(1, 1, 1) or os.setresuid(0, 0, 0) is None)
probe("niceness", lambda: os.nice(-5) < 0)
probe("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) is None)
for name in ("AS", "FSIZE", "NPROC", "NOFILE", "CPU", "CORE"):
    kind = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(kind)[1]
    infinite = resource.RLIM_INFINITY
    probe("limit " + name, lambda: hard != infinite and
          resource.setrlimit(kind, (infinite, infinite)) is None)
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic",
             "/dev/mem", "/dev/sda", "/dev/kmsg", "/dev/tty", "/dev/fuse", "/dev/kvm",
             "/sys/kernel/uevent_helper", "/proc/1/oom_score_adj", "/sys/fs/cgroup/cgroup.procs"):
    probe("opens " + path, lambda: os.open(path, os.O_WRONLY | os.O_NOCTTY) > 0)
probe("a group of its own", lambda: os.mkdir("/sys/fs/cgroup/mine") is None)
"""
    },
)
attack(
    "no-more-descriptors",
    "closes every file descriptor, and its streams",
    cells={"3.1": "import os, sys\nsys.stdout.close()\nsys.stderr.close()\nos.closerange(0, 4096)"},
)
attack(
    "descriptors-elsewhere",
    "puts pipes of its own in the place of every file descriptor",
    cells={
        "3.1": """
import os
reader, writer = os.pipe()
for number in range(200):
    if number not in (reader, writer):
        try:
            os.fstat(number)
            os.dup2(writer, number)
        except OSError:
            pass
"""
    },
)

DAEMON = """
$latch
import ctypes, signal, sqlite3, time
def name_it():
    ctypes.CDLL(None).prctl(15, b"$tag", 0, 0, 0)
def rewrite():
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    name_it()
    os.closerange(0, 4096)
    stop = time.time() + 600
    while time.time() < stop:
        try:
            with open("$marks/daemon", "w") as file:
                file.write("alive")
            with sqlite3.connect("$gradebook") as book:
                book.execute("update grade set manual_score = 100")
        except Exception:
            pass
        time.sleep(0.05)
"""
attack(
    "daemon",
    "a process, forked twice, waits until the grade is there and then changes it",
    cells={
        "3.1": DAEMON
        + """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        rewrite()
    os._exit(0)
"""
    },
)
attack(
    "daemon-while-it-is-checked",
    "the check itself starts a process that outlives it",
    cells={
        "everywhere": DAEMON
        + """
def $name(*logits):
    if os.fork() == 0:
        os.setsid()
        rewrite()
"""
    },
)
attack(
    "daemon-program",
    "starts another program in a session of its own",
    cells={
        "3.1": """
$latch
import subprocess, sys
program = "import time; time.sleep(600)  # $tag"
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True, close_fds=False)
subprocess.Popen(["/bin/sh", "-c", "trap '' HUP TERM INT; sleep 600; : $tag"],
                 start_new_session=True)
"""
    },
)
attack(
    "hydra",
    "processes start each other again when one of them is killed",
    cells={
        "3.1": """
$latch
import ctypes, select, time
ctypes.CDLL(None).prctl(15, b"$tag", 0, 0, 0)
stop = time.time() + 600
def live():
    os.setsid()
    while time.time() < stop:
        reader, writer = os.pipe()
        try:
            if os.fork() == 0:
                os.close(writer)
                select.select([reader], [], [], 600)
                continue
        except OSError:
            pass
        os.close(reader)
        time.sleep(600)
if os.fork() == 0:
    live()
"""
    },
)
attack(
    "child-that-holds-on",
    "a child keeps all pipes of its parent open",
    cells={
        "3.1": """
$latch
import ctypes, time
if os.fork() == 0:
    ctypes.CDLL(None).prctl(15, b"$tag", 0, 0, 0)
    time.sleep(600)
"""
    },
)
