"""Pages show what was written and run none of it; what honest notebooks show looks as it did."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from facegan_ref.checks.engine import run_task
from facegan_ref.checks.registry import find_task
from facegan_ref.checks.report import as_html
from facegan_ref.grading.feedback.harmless import clean_html, clean_markdown

ACTIVE = {
    "script": "<script>steal()</script>",
    "script in capitals": "<ScRiPt src=//evil>steal()</sCrIpT>",
    "half a script": "<script",
    "event": '<img src="data:image/png;base64,AA" onerror="steal()">',
    "event without quotes": "<p onclick=steal()>x</p>",
    "link": '<a href="javascript:steal()">x</a>',
    "link in disguise": '<a href=" java&#115;cript:steal()">x</a>',
    "page as data": '<a href="data:text/html,<script>steal()</script>">x</a>',
    "frame": '<iframe src="https://evil"></iframe>',
    "form": '<form action="https://evil"><input name="score"><button>Save</button></form>',
    "object": '<object data="https://evil"></object><embed src="https://evil">',
    "head": '<meta http-equiv="refresh" content="0; url=https://evil"><base href="https://evil">',
    "style": "<style>* { background: url(https://evil) }</style>",
    "style of an element": '<p style="background-image: url(https://evil); position: fixed">x</p>',
    "picture from elsewhere": '<img src="https://evil/pixel.png">',
    "drawing": '<svg onload="steal()"><script>steal()</script></svg>',
    "formula": '<math><mi xlink:href="javascript:steal()">x</mi></math>',
    "text that is none": "<textarea><img src=x onerror=steal()></textarea><noscript>"
    "<p title='</noscript><img src=x onerror=steal()>'></noscript>",
    "comment": "<!--[if IE]><script>steal()</script><![endif]-->"
    "<!-- --!><img src=x onerror=steal()>",
}
TAG = re.compile(r"<[^>]*>")


class Tags(HTMLParser):
    """Notes all tags and attributes but the texts of titles."""

    said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = (f"{name}={value}" for name, value in attrs if name not in ("alt", "title"))
        self.said += " ".join([f"<{tag}", *shown])


@pytest.mark.parametrize("html", ACTIVE.values(), ids=ACTIVE)
def test_nothing_active_is_left(html: str) -> None:
    reader = Tags()
    reader.feed(clean_html(html))
    assert not re.search(
        r"(?i)script|\bon\w+=|evil|steal|iframe|form|svg|meta|position", reader.said
    )


def test_text_stays_readable() -> None:
    assert clean_html("<script>x < 1 && y</script>") == (
        "&lt;script&gt;x &lt; 1 &amp;&amp; y&lt;/script&gt;"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<h2 id='Losses'>Losses</h2><p>a &lt; b, <em>D</em> and <code>G(z)</code>, $x_1$</p>",
        '<table><tbody><tr><td align="right">1</td></tr></tbody></table>',
        '<p style="color:#b34700;">red</p><ol start="3"><li>three</li></ol>',
        '<img src="data:image/png;base64,iVBORw0KGgo=" alt="a curve" width="300">',
        '<a href="https://arxiv.org/abs/1406.2661" title="GAN">paper</a>',
        '<div class="highlight"><pre><span class="kn">import</span> torch</pre></div>',
    ],
)
def test_what_notebooks_show_is_kept(html: str) -> None:
    assert clean_html(html) == html.replace("'", '"')


def test_the_table_of_a_check_is_kept() -> None:
    table = as_html(run_task(find_task("3.3"), [lambda logits: logits.mean()]))
    assert "✗ failed" in table

    def parts(html: str) -> list[str]:
        return [tag.replace(';"', '"') for tag in re.split(TAG, html) + TAG.findall(html)]

    assert parts(clean_html(table)) == parts(table)


def test_a_page_of_markdown_loses_the_prefix_of_files() -> None:
    assert clean_markdown('<a href="files/x.png" onclick="steal()">x</a>') == (
        '<a href="x.png">x</a>'
    )
