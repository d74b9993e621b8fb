"""The files that a hand-in sees: Python and its packages, read-only, and a folder of its own."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import facegan_ref
from facegan_ref.grading.sandbox import linux
from facegan_ref.grading.sandbox.limits import Limits

WORK = "/submission"
"""Where the notebook runs, and its home."""

_SYSTEM = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib")
_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PASSWD = "student:x:{uid}:{gid}:student:/submission:/nologin\n"


def shown_paths() -> list[str]:
    """Return what is shown: libraries, the standard library, installed packages, this package.

    Never the folders on the module path as such: one of them may be the course's repository.
    """
    paths = [path for path in (*_SYSTEM, *_FILES) if os.path.exists(path)]
    installed = sysconfig.get_paths()
    paths += [installed[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths.append(os.path.dirname(os.__file__))
    for prefix in {sys.base_prefix, sys.base_exec_prefix}:
        if prefix not in ("/", "/usr", "/usr/local"):
            paths.append(os.path.join(prefix, "lib"))
    for entry in sys.path:
        if os.path.basename(entry.rstrip("/")) in ("site-packages", "dist-packages"):
            paths.append(entry)
    paths.append(os.path.dirname(facegan_ref.__file__))
    return _outermost(os.path.abspath(path) for path in paths if os.path.exists(path))


def _outermost(paths) -> list[str]:
    """Leave out what lies below another path of the list."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        inside = any(path.startswith(f"{outer}/") and not os.path.islink(outer) for outer in kept)
        if not inside:
            kept.append(path)
    return kept


def copy_files(source: str | None, target: str, limits: Limits) -> None:
    """Copy the plain files of `source` into `target`, up to the private folder's half."""
    if source is None:
        return
    room = limits.folder // 2
    for path in sorted(Path(source).rglob("*")):
        plain = path.is_file() and not path.is_symlink()
        if not plain or path.suffix == ".ipynb" or path.stat().st_size > room:
            continue
        room -= path.stat().st_size
        copy = Path(target) / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def build_root(shown: list[str], limits: Limits, files: str | None, owner: tuple[int, int]) -> None:
    """Replace the root folder of this process by one with `shown` and the private folder only.

    Args:
        shown: paths of the host, which keep their places.
        limits: how large the private folder may be.
        files: a folder of the host whose plain files are copied into the private one.
        owner: user and group ids of the private folder.
    """
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    base = "/tmp"  # only a place that exists everywhere: it is hidden for this process alone
    linux.mount("tmpfs", base, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=4m,mode=755")
    for name in ("new", "old"):
        os.mkdir(f"{base}/{name}")
    linux.mount("tmpfs", f"{base}/new", "tmpfs", linux.MS_NOSUID, "size=4m,mode=755")
    linux.pivot_root(base, f"{base}/old")
    os.chdir("/")
    _make_devices(limits)
    _make_private(WORK, limits)
    _make_private("/tmp", limits)
    for path in shown:  # some of it may lie below /tmp
        _show(path)
    copy_files(None if files is None else f"/old{files}", f"/new{WORK}", limits)
    _give(f"/new{WORK}", owner)
    os.mkdir("/new/proc")
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", "/new/proc", "proc", flags)
    os.makedirs("/new/etc", exist_ok=True)
    passwd = _PASSWD.format(uid=owner[0], gid=owner[1])
    Path("/new/etc/passwd").write_text(passwd)
    Path("/new/etc/group").write_text(f"student:x:{owner[1]}:\n")
    os.mkdir("/new/.old")
    linux.pivot_root("/new", "/new/.old")
    os.chdir("/")
    linux.detach("/.old")
    os.rmdir("/.old")
    remount = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY
    linux.mount("none", "/", flags=remount | linux.MS_NOSUID)
    os.chdir(WORK)


def _show(path: str) -> None:
    source, target = f"/old{path}", f"/new{path}"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        return
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        Path(target).touch()
    linux.bind_read_only(source, target)


def _make_devices(limits: Limits) -> None:
    os.mkdir("/new/dev")
    for name in _DEVICES:
        Path(f"/new/dev/{name}").touch()
        linux.mount(f"/old/dev/{name}", f"/new/dev/{name}", flags=linux.MS_BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"/new/dev/{name}")
    os.mkdir("/new/dev/shm")
    options = f"size={limits.folder},nr_inodes=10000,mode=1777"
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("tmpfs", "/new/dev/shm", "tmpfs", flags, options)


def _make_private(path: str, limits: Limits) -> None:
    os.makedirs(f"/new{path}", exist_ok=True)
    options = f"size={limits.folder},nr_inodes=10000,mode=1777"
    linux.mount("tmpfs", f"/new{path}", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)


def _give(folder: str, owner: tuple[int, int]) -> None:
    if os.geteuid() != 0:
        return
    for parent, _, names in os.walk(folder):
        for name in (parent, *(os.path.join(parent, n) for n in names)):
            os.chown(name, *owner, follow_symlinks=False)
