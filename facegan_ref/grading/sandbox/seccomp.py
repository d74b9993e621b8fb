"""A filter of system calls: what grading never needs and attacks on the kernel do.

The filter is a program of classic BPF (seccomp(2)); a refused call fails with EPERM, `clone3` and
`memfd_create` with ENOSYS, after which the C library takes another way.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from facegan_ref.grading.sandbox import linux

# Numbers of x86_64 and aarch64: (architecture's audit number, {call: number}).
_TABLES = {
    "x86_64": (
        0xC000003E,
        {
            "shmget": 29, "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155,
            "chroot": 161, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169,
            "init_module": 175, "add_key": 248, "request_key": 249, "keyctl": 250,
            "unshare": 272, "vmsplice": 278, "perf_event_open": 298, "name_to_handle_at": 303,
            "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
            "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
            "bpf": 321, "userfaultfd": 323, "memfd_create": 319, "clone3": 435, "clone": 56,
            "prlimit64": 302,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "shmget": 194, "ptrace": 117, "syslog": 116, "personality": 92, "pivot_root": 41,
            "chroot": 51, "mount": 40, "umount2": 39, "swapon": 224, "reboot": 142,
            "init_module": 105, "add_key": 217, "request_key": 218, "keyctl": 219,
            "unshare": 97, "vmsplice": 75, "perf_event_open": 241, "name_to_handle_at": 264,
            "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270,
            "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "kexec_file_load": 294,
            "bpf": 280, "userfaultfd": 282, "memfd_create": 279, "clone3": 435, "clone": 220,
            "prlimit64": 261,
        },
    ),
}  # fmt: skip
# The new calls have one number everywhere: io_uring 425 to 427, those for mounts 428 to 433,
# pidfd_getfd 438, mount_setattr 442, memfd_secret 447.
_NEW = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 447)
_UNKNOWN = ("clone3", "memfd_create")
_BY_ARGUMENT = ("clone", "prlimit64")  # refused only with some arguments

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X32_CALLS = 0x40000000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def _program(architecture: int, calls: dict[str, int]) -> list[tuple[int, int, int, int]]:
    """Return the instructions (code, jump if true, jump if false, constant)."""
    no, unknown = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32_CALLS),
        (_RETURN, 0, 0, no),
    ]
    for name, number in calls.items():
        if name not in _BY_ARGUMENT:
            answer = unknown if name in _UNKNOWN else no
            program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    for number in _NEW:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, no)]
    # prlimit64: a process's own limits yes, those of its keeper no.
    program += [
        (_EQUAL, 0, 4, calls["prlimit64"]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, no),
    ]
    # clone: threads and forks yes, new namespaces of any kind no.
    namespaces = linux.ALL_BUT_USER | linux.CLONE_NEWUSER
    program += [
        (_EQUAL, 0, 3, calls["clone"]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_ANY_BIT, 0, 1, namespaces),
        (_RETURN, 0, 0, no),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return program


def filter_calls() -> bool:
    """Refuse the calls from now on, for all that this process starts; False: not on this machine.

    Needs `PR_SET_NO_NEW_PRIVS`. Namespaces and limits hold without the filter.
    """
    if platform.machine() not in _TABLES:
        return False
    program = _program(*_TABLES[platform.machine()])
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    buffer = ctypes.create_string_buffer(code, len(code))
    wanted = Filter(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    zero = ctypes.c_ulong(0)
    linux.call(
        "prctl",
        ctypes.c_int(_PR_SET_SECCOMP),
        ctypes.c_ulong(_SECCOMP_MODE_FILTER),
        ctypes.byref(wanted),
        zero,
        zero,
    )
    return True
