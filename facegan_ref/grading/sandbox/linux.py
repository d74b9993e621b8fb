"""The few system calls that isolate a process on Linux, through the C library.

Sources: unshare(2), mount(2), pivot_root(2), capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
ALL_BUT_USER = (
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 38, 36

_SYS_MOUNT_SETATTR = 442  # the same number on all architectures
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_LOCKED = (  # of statvfs to mount: a read-only bind must keep what the host set
    (os.ST_NOSUID, MS_NOSUID),
    (getattr(os, "ST_NODEV", 4), MS_NODEV),
    (getattr(os, "ST_NOEXEC", 8), MS_NOEXEC),
    (getattr(os, "ST_NOATIME", 1024), 1024),
    (getattr(os, "ST_NODIRATIME", 2048), 2048),
    (getattr(os, "ST_RELATIME", 4096), 1 << 21),
)

AVAILABLE = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if AVAILABLE else None


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library; raises OSError when it returns less than 0."""
    result = getattr(_libc, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give this process namespaces of its own (that of processes: its children)."""
    call("unshare", ctypes.c_int(flags))


def mount(
    source: str, target: str, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    """Mount `source` on `target`."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    data = None if options is None else options.encode()
    call("mount", *encoded, ctypes.c_ulong(flags), data)


def bind_read_only(source: str, target: str) -> None:
    """Show `source` (a file or a folder with all below) at `target`, not to be changed."""
    mount(source, target, flags=MS_BIND | MS_REC)

    class Attributes(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]

    wanted = Attributes(set=MS_RDONLY | MS_NOSUID | MS_NODEV)
    done = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    if done < 0:  # before Linux 5.12
        had = os.statvfs(target).f_flag
        kept = sum(flag for bit, flag in _LOCKED if had & bit)
        flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | kept
        mount("none", target, flags=flags)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root folder and move the present one to `old`, which lies below it."""
    call("pivot_root", os.fsencode(new), os.fsencode(old))


def detach(target: str) -> None:
    """Take a mount away, even when it is in use."""
    call("umount2", os.fsencode(target), ctypes.c_int(MNT_DETACH))


def prctl(option: int, value: int = 0) -> None:
    """Set a property of this process."""
    zero = ctypes.c_ulong(0)
    call("prctl", ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero)


def drop_bounding_set() -> None:
    """Let no program that is started from now on get any privilege."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        prctl(PR_CAPBSET_DROP, capability)


def drop_capabilities() -> None:
    """Give up all privileges for good."""

    class Header(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]

    header = Header(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    call("capset", ctypes.byref(header), nothing)


def is_privileged() -> bool:
    """Whether this process may make namespaces without one for users."""
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) & (1 << 21))  # CAP_SYS_ADMIN
