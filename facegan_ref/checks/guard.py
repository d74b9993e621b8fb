"""Run a student's code without a trace: random state, modes, filters and output as before."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import threading
import warnings
from collections.abc import Iterator

import numpy as np
import torch

from facegan_ref.checks.results import WAITING_FACTOR


class TimeLimitExceeded(BaseException):
    """Code ran longer than allowed. Not an Exception, so that `except Exception` can't keep it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitExceeded in this block after `seconds` of processor time.

    Processor time, so that a right answer passes on a busy machine; code that waits without
    working is stopped after `WAITING_FACTOR` times as many seconds by the clock. Needs a POSIX
    system and the main thread; elsewhere there is no limit.
    """
    possible = hasattr(signal, "setitimer") and (
        threading.current_thread() is threading.main_thread()
    )
    if not possible:
        yield
        return

    def interrupt(signum, frame):
        raise TimeLimitExceeded

    limits = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, WAITING_FACTOR * seconds),
    )
    handlers = [signal.signal(number, interrupt) for number, _, _ in limits]
    for _, timer, after in limits:
        signal.setitimer(timer, after)
    try:
        yield
    finally:
        for _, timer, _ in limits:
            signal.setitimer(timer, 0)
        for (number, _, _), handler in zip(limits, handlers, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def no_trace() -> Iterator[io.StringIO]:
    """Put back global state at the end of the block, and catch what is printed in it.

    Restores the random states of torch, CUDA, numpy and Python, torch's default dtype, gradient
    mode, anomaly detection, deterministic flag and thread count, and the warnings filters.
    Warnings are silent and both output streams go to the returned buffer: nbgrader gives no
    points to a cell that writes to stderr.
    """
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    torch_state = torch.get_rng_state()
    cuda_states = torch.cuda.get_rng_state_all() if cuda else []
    numpy_state, python_state = np.random.get_state(), random.getstate()
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    anomaly = torch.is_anomaly_enabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    threads = torch.get_num_threads()
    printed = io.StringIO()
    # Checks work on tiny tensors. On a busy machine, threads waiting for each other made them
    # several hundred times slower.
    torch.set_num_threads(1)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.simplefilter("ignore")
            yield printed
    finally:
        torch.set_rng_state(torch_state)
        if cuda:
            torch.cuda.set_rng_state_all(cuda_states)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.autograd.set_detect_anomaly(anomaly)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)  # slow: imports the compiler
        torch.set_num_threads(threads)
