"""All hand-ins of the hostile class, by name; FACEGAN_ALL_ATTACKS=1 has all of them graded."""

import os

import altering  # noqa: F401
import breaking_out  # noqa: F401
import classes  # noqa: F401
import copying  # noqa: F401
import ending  # noqa: F401
import evading  # noqa: F401
import flooding  # noqa: F401
import folders  # noqa: F401
import forging  # noqa: F401
import insider  # noqa: F401
import looking  # noqa: F401
import lying  # noqa: F401
import notebooks  # noqa: F401
import patching  # noqa: F401
import reaching  # noqa: F401
import scripts  # noqa: F401
import waiting  # noqa: F401
from hand_ins import HAND_INS
from oddities import SUSPECTED

CHOSEN = [
    "skip-tags",
    "scores-as-source",
    "scores-as-output",
    "points-in-metadata",
    "notes-of-its-own",
    "input-transformer",
    "ast-transformer",
    "redefined-grade",
    "patched-grade",
    "module-in-place-of-the-checks",
    "display-hook",
    "run-cell",
    "forged-channel",
    "forged-exit",
    "result-classes",
    "copy-imported",
    "copy-importlib",
    "copy-wrapped",
    "copy-sys-modules-spelt",
    "copy-garbage-collector",
    "copy-pickle",
    "copy-second-copy",
    "copy-frames",
    "copy-copied-code",
    "copy-its-file",
    "copy-child-process",
    "copy-in-the-free-cell",
    "copy-solutions",
    "copy-neighbour",
    "class-imported",
    "class-subclass",
    "class-wrapped",
    "class-global-hook",
    "class-debugged",
    "class-solved",
    "patch-allclose",
    "patch-by-mock",
    "patch-builtins-of-the-checks",
    "patch-tensor-methods",
    "patch-dispatcher",
    "patch-thread",
    "patch-during-the-call",
    "patch-that-removes-itself",
    "lying-tensor",
    "number-with-a-mind",
    "function-mode",
    "answers-by-heart",
    "insider-closures-of-the-checks",
    "insider-recorder",
    "insider-seal",
    "insider-answers-itself",
    "insider-hidden-checks",
    "hidden-format-field",
    "hidden-kept-late",
    "hidden-kept-in-an-array",
    "hidden-kept-in-a-registry",
    "elsewhere-run-of-a-found-file",
    "elsewhere-archive",
    "elsewhere-pickle",
    "looks-around",
    "reads-what-it-knows",
    "secrets-of-the-environment",
    "secrets-in-memory",
    "hidden-checks",
    "gradebook-by-path",
    "gradebook-by-open-files",
    "overwrites-a-neighbour",
    "writes-outside",
    "leaves-notes-1",
    "leaves-notes-2",
    "network",
    "kills",
    "other-processes",
    "privileges",
    "no-more-descriptors",
    "daemon",
    "daemon-while-it-is-checked",
    "hydra",
    "memory",
    "memory-of-many",
    "memory-in-files-without-a-name",
    "disk",
    "disk-in-many-files",
    "forks",
    "threads",
    "fork-bomb",
    "loop-deaf",
    "loop-in-c",
    "sleep",
    "loop-at-the-end",
    "loop-while-it-is-checked",
    "output-of-one-line",
    "output-without-end",
    "displays-without-end",
    "output-that-is-no-text",
    "exit-os",
    "crash",
    "executes-another",
    "exit-sys",
    "raises-interrupt",
    "asks",
    "recursion",
    "packages-of-its-own",
    "file-deep",
    "file-fifo",
    "folder-link-neighbour",
    "hidden-kept-where-the-collector-forgets-it",
    "script-in-words",
    "script-in-outputs",
    "file-link-neighbour",
    "odd-files-beside",
    "cells-20000",
    "cells-odd-metadata",
    "cells-half-characters",
    "cells-only-answers",
    "script-in-file-names",
    "state-deterministic",
    "state-double-precision",
    "state-meta-device",
    "state-no-gradients",
    "state-closed-streams",
    "state-names-of-builtins",
    "without-torch",
    "neighbour",
    "answers-in-cells-of-their-own",
    "answers-in-two-cells",
    "odd-shell-list",
    "odd-top-level-await",
    "odd-error-in-a-free-cell",
    "odd-compares-with-the-reference",
    "odd-data-loader",
    "odd-display-hook-of-frames",
    "odd-partial-load",
    "style-dataclass",
    "style-words-of-attacks",
    "file-windows",
    "cells-reordered",
    "flood-in-a-check",
]
"""What is graded each time: of each family some, and all that is known to work on nbgrader."""

if os.environ.get("FACEGAN_ALL_ATTACKS") == "1":
    GRADED = dict(HAND_INS)
else:
    GRADED = {name: HAND_INS[name] for name in CHOSEN}

__all__ = ["GRADED", "HAND_INS", "SUSPECTED"]
