"""Where hand-ins run: forked from one warm process, in namespaces and limits of their own.

`session` is the door. Behind it: `warm` (the process that is forked), `keeper` (the first process
of a sandbox, which holds the limits), `runner` (the student's process), `shell` and `recorder`
(IPython and its outputs), `seal` (what checks rely on), `linux`, `filesystem` and `seccomp` (the
isolation).
"""

from facegan_ref.grading.sandbox.limits import Limits
from facegan_ref.grading.sandbox.session import (
    IsolationUnavailable,
    Reply,
    SandboxLost,
    Session,
    isolation_problem,
    warm_process,
)

__all__ = [
    "IsolationUnavailable",
    "Limits",
    "Reply",
    "SandboxLost",
    "Session",
    "isolation_problem",
    "warm_process",
]
