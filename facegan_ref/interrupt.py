"""Ends a training between two steps when the system or the user asks for it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class StopRequest:
    """Whether a signal asked to stop, and which: 15 for SIGTERM, 2 for Ctrl-C."""

    number: int | None = None


class TrainingStopped(Exception):
    """The training was asked to stop and is saved; `number` is the signal's."""

    def __init__(self, number: int, step: int):
        super().__init__(f"stopped by {signal.Signals(number).name} after step {step}; saved")
        self.number = number


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Within this block SIGTERM and Ctrl-C are noted instead of obeyed; a second one is obeyed.

    Threads other than the main one get no signals; there nothing is changed.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _frame: object) -> None:
        request.number = number
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
