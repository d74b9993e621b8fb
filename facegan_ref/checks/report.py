"""Show what checks found: an HTML table in Jupyter, plain text elsewhere."""

from __future__ import annotations

import html
import sys
import textwrap
from typing import TYPE_CHECKING

from facegan_ref.checks.results import HINT_LEVELS, CheckResult, TaskResult

if TYPE_CHECKING:
    from facegan_ref.checks.engine import Task

WIDTH = 88
PRINTED_LINES = 8  # of what the student's code printed
_CELL = "text-align:left;vertical-align:top;padding:4px 10px;white-space:pre-wrap;word-break:normal"


def as_text(result: TaskResult) -> str:
    """A task's result as lines of plain text."""
    lines = [headline(result)]
    for check, message in _with_messages(result):
        mark = "✓" if check.passed else "✗"
        lines.append(f"  {mark} {words(check.name)} ({_points(check)})")
        for line in message.splitlines():
            lines += textwrap.wrap(
                line, WIDTH, initial_indent="      ", subsequent_indent="        "
            )
    lines += [f"  your code printed: {line}" for line in _printed(result)]
    return "\n".join(lines)


def as_html(result: TaskResult) -> str:
    """The same as an HTML table; each verdict is a sign, a word and a colour."""
    rows = []
    for check, message in _with_messages(result):
        colour, verdict = ("#00674f", "✓ passed") if check.passed else ("#b34700", "✗ failed")
        if not check.attempted:
            colour, verdict = "#666666", "– not attempted"
        rows.append(
            f'<tr><td style="{_CELL};color:{colour};background-color:#fff;font-weight:600;'
            f'white-space:nowrap">{verdict}</td>'
            f'<td style="{_CELL}">{html.escape(words(check.name))}</td>'
            f'<td style="{_CELL};white-space:nowrap">{_points(check)}</td>'
            f'<td style="{_CELL}">{html.escape(message)}</td></tr>'
        )
    printed = "".join(f"\nyour code printed: {html.escape(line)}" for line in _printed(result))
    head = "".join(
        f'<th scope="col" style="{_CELL}">{name}</th>'
        for name in ("verdict", "check", "points", "what to know")
    )
    return (
        f'<table style="max-width:70em"><caption style="text-align:left;font-weight:600">'
        f"{html.escape(headline(result))}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
        + (
            f'<pre style="white-space:pre-wrap;word-break:normal">{printed.strip()}</pre>'
            if printed
            else ""
        )
    )


def headline(result: TaskResult) -> str:
    """`Task 3.1 discriminator_loss: 3.5 of 4 points`."""
    state = "" if result.attempted else ", not attempted"
    return (
        f"Task {result.task} {result.title}: {result.points:g} of {result.max_points:g} points"
        f"{state}"
    )


def words(name: str) -> str:
    """A check's name as words."""
    return name.replace("_", " ")


def show(result: TaskResult) -> None:
    """Display a task's result."""
    _display(as_html(result), as_text(result))


def show_hint(task: Task, level: int) -> None:
    """Display one hint of a task's ladder."""
    title = f"Task {task.id}, hint {level} of {len(HINT_LEVELS)}: {HINT_LEVELS[level - 1]}"
    text = task.hints[level - 1]
    block = (
        f'<div style="border-left:4px solid #0072b2;padding:2px 12px;max-width:60em">'
        f"<b>{html.escape(title)}</b>"
        f'<pre style="white-space:pre-wrap;word-break:normal">{html.escape(text)}</pre></div>'
    )
    _display(block, f"{title}\n{textwrap.indent(text, '  ')}")


def _display(as_html_text: str, text: str) -> None:
    """Rich output in a Jupyter kernel, else plain text on stdout."""
    if _in_jupyter():
        from IPython.display import display

        display({"text/html": as_html_text, "text/plain": text}, raw=True)
    else:
        print(text)


def _in_jupyter() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def _with_messages(result: TaskResult) -> list[tuple[CheckResult, str]]:
    """Each check with its message; one that stands above already is not repeated."""
    seen: set[str] = set()
    rows = []
    for check in result.checks:
        message = check.message
        finding = message.split("\n", 1)[-1]
        if message and finding in seen:
            message = "As above."
        seen.add(finding)
        rows.append((check, message))
    return rows


def _points(check: CheckResult) -> str:
    return f"{check.points:g} of {check.max_points:g}"


def _printed(result: TaskResult) -> list[str]:
    lines = [line for line in dict.fromkeys(result.printed.splitlines()) if line.strip()]
    shown = [line[:200] for line in lines[:PRINTED_LINES]]
    if len(lines) > len(shown):
        shown.append(f"… and {len(lines) - len(shown)} more lines")
    return shown
