"""What students write and show can reach a browser, a terminal or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hand_ins import attack

from facegan_ref.grading.sample_kit import LessonKit

if TYPE_CHECKING:
    from world import World


# What students write can reach a browser, a terminal or a table ---------------------------------

TOKEN = "xss-now"
SCRIPT = "<script>alert('xss-now')</script>"
HTML = f"""
{SCRIPT}
<img src="x" onerror="alert('xss-now')">
<a href="javascript:alert('xss-now')">click</a>
<iframe srcdoc="&lt;script&gt;alert('xss-now')&lt;/script&gt;"></iframe>
<svg onload="alert('xss-now')"></svg>
<object data="data:text/html,{SCRIPT}"></object>
<form action="https://example.org/xss-now"><button>Show my grade</button></form>
<style>body {{ background: url(https://example.org/xss-now) }}</style>
<meta http-equiv="refresh" content="0; url=https://example.org/xss-now">
"""


def _attachment(kit: LessonKit, nb: dict) -> None:
    question = next(cell for cell in nb["cells"] if cell["id"] == "question-3-a")
    question["source"] += "\n![x](attachment:x.svg)"
    question["attachments"] = {
        "x.svg": {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>"},
        '"><script>alert("xss-now")</script>': {"text/html": SCRIPT},
    }
    nb["metadata"]["title"] = f"</title>{SCRIPT}"
    nb["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": {"x": f"</script>{SCRIPT}"}}
    }


attack(
    "script-in-words",
    "the answer in words carries scripts to who reads it",
    cells={"question": HTML + f"\n\n[link](javascript:alert('xss-now'))\n\n    {SCRIPT}"},
    edit=_attachment,
)
attack(
    "script-in-outputs",
    "outputs, errors and names carry scripts to who reads the feedback",
    cells={
        "first": f'HTML = r"""{HTML}"""',
        "3.1": """
from IPython.display import HTML as Shown, Javascript, SVG, Markdown, Latex, IFrame, display
display(Shown(HTML), Javascript("alert('xss-now')"), Markdown(HTML), Latex(HTML))
display({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{HTML}</svg>"}, raw=True)
display({"application/javascript": "alert('xss-now')", "text/html": HTML}, raw=True)
display({"image/png": "\\"><script>alert('xss-now')</script>"}, raw=True)
display({"text/plain": HTML}, {"text/plain": HTML}, raw=True)
display(IFrame("javascript:alert('xss-now')", 1, 1))
print(HTML, "\\x1b[31m\\x1b]0;title\\x07")
raise type("<script>alert('xss-now')</script>", (Exception,), {})(HTML + "\\x1b]0;title\\x07")
""",
        "3.2": """
def generator_loss_minimax(logits):
    print(HTML)
    raise ValueError(HTML)
""",
        "3.3": """
def generator_loss(logits):
    return type("<script>alert('xss-now')</script>", (), {"__repr__": lambda self: HTML})()
""",
    },
)


def _script_in_names(kit: LessonKit, world: World, folder: Path) -> None:
    nb = kit.blank()
    kit.write(folder, nb, "<img src=x onerror=alert('xss-now')>.ipynb")
    (folder / "<script>alert('xss-now')<!--.py").write_text("")
    (folder / "=HYPERLINK(xss-now)\x1b[2J.py").write_text("")


attack("script-in-file-names", "names of files carry scripts", fill=_script_in_names)
