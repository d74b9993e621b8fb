"""Start a process that grades, without what it has no use for.

python -m facegan_ref.grading.running.startup DESCRIPTOR FOLDER    # a worker; see `worker`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection


@contextmanager
def quick_imports() -> Iterator[None]:
    """Leave out an optional package while nbgrader is imported.

    jsonschema uses rfc3987_syntax, where it is installed, to check addresses with umlauts, which
    no notebook's metadata has. Its import takes as long as all the rest of nbgrader's.
    """
    name = "rfc3987_syntax"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # as Python has it for what cannot be imported
    try:
        yield
    finally:
        del sys.modules[name]


def main(descriptor: str, scratch: str) -> None:
    """Be a worker."""
    from facegan_ref.grading.sandbox import warm_process

    warm_process()  # loads torch while this process loads nbgrader
    with quick_imports():
        from facegan_ref.grading.running.worker import serve
    serve(Connection(int(descriptor)), scratch)


if __name__ == "__main__":
    main(*sys.argv[1:])
