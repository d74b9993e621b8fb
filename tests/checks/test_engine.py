"""The check engine: what it catches, what it says, and that it leaves no trace."""

from __future__ import annotations

import dataclasses
import random
import signal
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from facegan_ref import losses, models
from facegan_ref.checks import find_task, grade, grade_fresh, hint
from facegan_ref.checks.engine import Check, CheckFailed, Probe, fail, run_check, run_task
from facegan_ref.checks.guard import TimeLimitExceeded, no_trace, time_limit
from facegan_ref.checks.notebook import PointsMissing
from facegan_ref.checks.report import as_html


def right_loss(fake_logits):
    return nn.functional.softplus(-fake_logits).mean()


def run(function, *objects, seconds=5.0):
    return run_check(Check("probe", 1, "The requirement.", function, seconds), objects, 0)


def test_grade_returns_a_plain_float_and_prints_the_table(capsys):
    points = grade("3.3", right_loss)
    assert type(points) is float and points == 4.0
    shown = capsys.readouterr()
    assert "Task 3.3 generator_loss: 4 of 4 points" in shown.out
    assert shown.err == ""
    fresh = grade_fresh("3.3", right_loss)
    assert type(fresh) is float and fresh == 1.0


def test_an_untouched_stub_is_not_attempted(capsys):
    def generator_loss(fake_logits):
        raise NotImplementedError("Task 3.3: your code goes here")

    assert grade("3.3", generator_loss) == 0.0
    assert grade_fresh("3.3", generator_loss) == 0.0
    assert "not attempted" in capsys.readouterr().out


def test_a_module_without_forward_is_attempted_and_wrong():
    class MLPGenerator(nn.Module):
        def __init__(self, z_dim, hidden_dim, out_shape):
            super().__init__()
            self.layer = nn.Linear(z_dim, 2)

        def forwad(self, z):
            return self.layer(z)

    result = run_task(find_task("4.1"), [MLPGenerator])
    assert result.attempted and result.points < 3
    assert "forward is missing" in result.checks[0].message


def test_the_reference_itself_is_no_answer():
    class Inherited(models.MLPGenerator):
        pass

    for task, thing in (("3.3", losses.generator_loss), ("4.1", Inherited)):
        result = run_task(find_task(task), [thing])
        assert result.points == 0
        assert "of the reference package" in result.checks[0].message


def test_partial_credit_is_the_sum_of_passed_checks():
    def eps_inside_the_log(fake_logits):
        return -torch.log(torch.sigmoid(fake_logits) + 1e-8).mean()

    assert grade("3.3", eps_inside_the_log) == 3.5
    assert grade_fresh("3.3", eps_inside_the_log) == 0.0


def test_strict_mode_raises_when_points_are_missing(monkeypatch):
    monkeypatch.setenv("FACEGAN_STRICT", "1")
    assert grade("3.3", right_loss) == 4.0
    with pytest.raises(PointsMissing, match=r"task 3\.3: 1 of 4"):
        grade("3.3", lambda fake_logits: nn.functional.softplus(fake_logits).mean() * -1)


def test_the_fresh_seed_is_named_and_can_be_fixed(monkeypatch, capsys):
    monkeypatch.setenv("FACEGAN_CHECK_SEED", "4711")
    grade_fresh("3.3", lambda fake_logits: fake_logits.mean())
    assert "(seed 4711)" in capsys.readouterr().out


def test_wrong_use_of_grade_and_hint_is_explained():
    with pytest.raises(TypeError, match="takes 1 objects"):
        grade("3.3", right_loss, right_loss)
    with pytest.raises(ValueError, match=r"3\.1, 3\.2, 3\.3"):
        grade("3.9", right_loss)
    with pytest.raises(ValueError, match="03, 04"):
        grade("99.1", right_loss)
    with pytest.raises(ValueError, match="1 to 4"):
        hint("3.1", 5)


def test_hints_go_from_a_question_to_a_failing_case(capsys):
    for level, kind in enumerate(("a question", "the rule", "pseudo-code", "a failing case"), 1):
        hint("3.2", level)
        assert kind in capsys.readouterr().out


def test_an_endless_loop_is_stopped_and_named():
    def forever(answer, probe):
        while True:
            try:
                answer()
            except Exception:
                continue

    result, timed_out = run(forever, lambda: 1 / 0, seconds=0.3)
    assert timed_out and not result.passed
    assert "a loop that never ends" in result.message


def test_one_time_out_ends_the_task():
    calls = []

    def endless(fake_logits):
        calls.append(1)
        while True:
            pass

    task = find_task("3.3")
    quick = [Check(c.name, c.points, c.requirement, c.run, 0.2) for c in task.checks]
    result = run_task(dataclasses.replace(task, checks=quick), [endless])
    assert len(calls) == 1 and result.points == 0


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (SystemExit(1), "SystemExit"),
        (NameError("name 'nn' is not defined"), "not defined or imported"),
    ],
)
def test_an_exception_becomes_a_message(error, says):
    def raising(probe):
        raise error

    result, _ = run(raising)
    assert not result.passed and says in result.message


def test_a_message_has_its_four_parts():
    def check(probe):
        fail("two", "three", "counting too far")

    result, _ = run(check)
    assert result.message.splitlines() == [
        "The requirement.",
        "Expected: two.",
        "Got: three.",
        "Likely mistake: counting too far.",
    ]


def test_a_probe_repeats_itself():
    a, b = Probe(5), Probe(5)
    assert torch.equal(a.randn(3, 2), b.randn(3, 2))
    assert a.integer(1, 1000) == b.integer(1, 1000)
    assert not torch.equal(Probe(6).randn(8), Probe(5).randn(8))


def test_running_checks_leaves_no_trace():
    def meddling(fake_logits):
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.autograd.set_detect_anomaly(True)
        torch.set_num_threads(2)
        warnings.simplefilter("error")
        print("noise")
        print("noise", file=sys.stderr)
        warnings.warn("noise", stacklevel=1)
        return fake_logits.mean()

    def state():
        return (
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),
            random.getstate(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.is_anomaly_enabled(),
            torch.get_num_threads(),
            list(warnings.filters),
        )

    before = state()
    result = run_task(find_task("3.3"), [meddling])
    assert state() == before
    assert "noise" in result.printed


def test_noise_of_a_right_answer_reaches_no_stream(capfd):
    def noisy(fake_logits):
        warnings.warn("a harmless remark", stacklevel=1)
        print("to stderr", file=sys.stderr)
        return right_loss(fake_logits)

    assert grade("3.3", noisy) == 4.0
    captured = capfd.readouterr()
    assert captured.err == ""
    assert "your code printed: to stderr" in captured.out


def test_checks_pass_twice_in_a_row_and_in_any_order():
    task = find_task("3.3")
    first = run_task(task, [right_loss])
    backwards = dataclasses.replace(task, checks=task.checks[::-1])
    assert run_task(backwards, [right_loss]).points == first.points
    assert run_task(task, [right_loss]).points == first.points


def test_time_limit_interrupts_and_is_gone_afterwards():
    for wait in (lambda: None, lambda: time.sleep(60)):
        with pytest.raises(TimeLimitExceeded), time_limit(0.1):
            while True:
                wait()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_no_trace_restores_after_an_exception():
    before = torch.get_rng_state()
    with pytest.raises(CheckFailed), no_trace():
        torch.rand(3)
        fail("a", "b")
    assert torch.equal(torch.get_rng_state(), before)


def test_html_says_verdicts_in_words_and_escapes_what_students_print():
    def answer(fake_logits):
        print("<script>alert(1)</script>")
        return fake_logits.mean()

    page = as_html(run_task(find_task("3.3"), [answer]))
    assert "✗ failed" in page and "✓ passed" in page
    assert "<script>" not in page and "&lt;script&gt;" in page
