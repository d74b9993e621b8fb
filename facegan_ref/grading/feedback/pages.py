"""Feedback pages for a whole class: what many pages share is worked out once.

nbconvert renders each page from scratch, and then reads and prints it again with BeautifulSoup,
which together takes longer than all the rest of a student's grading. Most cells of a lesson look
the same on each page. So the code and the text of a cell are turned into HTML once, and a page is
tidied up in pieces: the frame around its cells and each cell that was not seen before go through
nbconvert's own code by themselves, and the page is put together from the results. That is the same
page to the byte, as long as each piece leaves open what it found open, and nothing else; where one
does not, the page goes through nbconvert's code as a whole.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import cached_property
from html.parser import HTMLParser
from itertools import pairwise

import nbformat
from nbconvert.exporters import Exporter, HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode

try:
    from jinja2 import pass_context
except ImportError:  # Jinja before 3.0
    from jinja2 import contextfilter as pass_context

_CELL = re.compile(r'<div (?:id="[^"]*" )?class="cell border-box-sizing ')
_TAG = f"facegan-{secrets.token_hex(8)}"
_MARK = f"<{_TAG}></{_TAG}>"
"""An element that no hand-in can contain: nobody knows its name."""
_SEAM = f"""{_MARK}"'>-->]]>{_MARK}"""
"""Stands where another piece will be. The text in it ends whatever was left half-written before
(a tag, an attribute, a comment), which then swallows the first mark."""


def _at_cells(html: str) -> list[str]:
    """Cut a page at the beginnings of its cells."""
    cuts = [0, *(found.start() for found in _CELL.finditer(html)), len(html)]
    return [html[start:end] for start, end in pairwise(cuts)]


class InPlace(Exporter):
    """An exporter that makes no copies for its preprocessors: nobody needs the notebook before."""

    def _preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        for step in self._preprocessors:
            nb, resources = step(nb, resources)
        nbformat.validate(nb, relax_add_props=True)
        return nb, resources


class Memory:
    """The latest results of a function, up to a number of characters in all."""

    def __init__(self, max_chars: int = 20_000_000) -> None:
        self.max_chars, self.chars = max_chars, 0
        self._results: OrderedDict[tuple, str] = OrderedDict()

    def recall(self, key: tuple, work_out: Callable[[], str]) -> str:
        """Return the result for `key`, which `work_out` gives the first time."""
        if key in self._results:
            self._results.move_to_end(key)
            return self._results[key]
        result = self._results[key] = work_out()
        self.chars += len(result)
        while self.chars > self.max_chars:
            self.chars -= len(self._results.popitem(last=False)[1])
        return result


class _Renderer(TemplateExporter):
    """Stands behind `HTMLExporter` in the order of classes, and gives it the text to tidy up."""

    _given: str | None = None

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict | None = None, **options: object
    ) -> tuple[str, dict]:
        if self._given is not None:
            return self._given, resources
        html, resources = super().from_notebook_node(nb, resources, **options)
        self._page = self.put_together(html, resources)
        return html if self._page is None else "", resources

    def put_together(self, html: str, resources: dict) -> str | None:
        """Return the tidied page, or None when it has to be tidied as a whole."""
        raise NotImplementedError


class PageExporter(InPlace, HTMLExporter, _Renderer):
    """nbconvert's `HTMLExporter`, for many notebooks with cells in common."""

    def __init__(self, **options: object) -> None:
        self._memory = Memory()
        self._page: str | None = None
        self._after: str | None = None
        super().__init__(**options)

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict | None = None, **options: object
    ) -> tuple[str, dict]:
        """Convert a notebook to a page."""
        page, resources = super().from_notebook_node(nb, resources, **options)
        return page if self._page is None else self._page, resources

    def put_together(self, html: str, resources: dict) -> str | None:
        """Tidy up the frame and the cells of a page one by one."""
        head, *cells = _at_cells(html)
        foot = self._foot(resources)
        if not cells or not foot or not cells[-1].endswith(foot) or "jp-Notebook" in html:
            return None
        cells[-1] = cells[-1].removesuffix(foot)
        top, frame = self._frame(head, foot)
        around = open_elements(frame, _TAG)
        if around is None or frame.count(self._seam) != 1:
            return None
        opening = "".join(f"<{name}>" for name in around)
        ending = "".join(f"</{name}>" for name in reversed(around))
        closing = self._seam + ending
        tidied = []
        for cell in cells:
            text = opening + cell + _SEAM + ending
            page = self._memory.recall(("cell", text), lambda text=text: self._tidied(text))
            if not (page.startswith(opening) and page.endswith(closing)):
                return None
            tidied.append(page[len(opening) : -len(closing)])
        page = frame.replace(self._seam, "".join(tidied))
        return top + page.removeprefix("<html>") if top else page

    def _frame(self, head: str, foot: str) -> tuple[str, str]:
        """Tidy up what is around the cells: the head, the same on all pages, and the rest."""
        styles, end, rest = head.partition("</head>")
        text = styles + end + _SEAM + "</html>"
        page = self._memory.recall(("styles", text), lambda: self._tidied(text))
        frame = self._tidied(f"<html>{rest}{_SEAM}{foot}")
        is_whole = page.endswith(f"{self._seam}</html>") and page.count(self._seam) == 1
        if not (end and is_whole and frame.startswith("<html>")):
            return "", self._tidied(head + _SEAM + foot)
        return page.partition(self._seam)[0], frame

    @cached_property
    def _seam(self) -> str:
        """The seam after it was tidied up."""
        return self._tidied(f"<p>{_SEAM}</p>").strip()[3:-4]

    def _tidied(self, text: str) -> str:
        """Return what nbconvert makes of the rendered `text`."""
        self._given = text
        try:
            return HTMLExporter.from_notebook_node(self, nbformat.v4.new_notebook())[0]
        finally:
            self._given = None

    def _foot(self, resources: dict) -> str:
        """Return what comes after the last cell of each page."""
        if self._after is None:
            cells = [nbformat.v4.new_markdown_cell("one", id=name) for name in ("one", "two")]
            sample = self.template.render(
                nb=nbformat.v4.new_notebook(cells=cells), resources=resources
            )
            *_, first, last = ["", *_at_cells(sample)]
            # The first ends with the space between two cells, the last with the foot.
            self._after = last.removeprefix(first.rstrip())
        return self._after

    def register_filter(self, name: str, jinja_filter: Callable) -> object:
        """Remember how code looks in colours."""
        if name == "highlight_code":
            return super().register_filter(name, self._remember_code(jinja_filter))
        return super().register_filter(name, jinja_filter)

    def default_filters(self) -> Iterator[tuple[str, Callable]]:
        """Remember what Markdown becomes."""
        yield from super().default_filters()
        if not self.embed_images:  # which would depend on files
            yield "markdown2html", self._remember_text(self.markdown2html)

    def _remember_code(self, highlight: Callable) -> Callable:
        def remembered(source: str, language: str | None = None, metadata: dict | None = None):
            magics = (metadata or {}).get("magics_language")
            lexer = getattr(highlight, "pygments_lexer", None)
            return self._memory.recall(
                ("code", source, language, magics, lexer),
                lambda: highlight(source, language, metadata),
            )

        return remembered

    def _remember_text(self, markdown: Callable) -> Callable:
        @pass_context
        def remembered(context: dict, source: str) -> str:
            attachments = context.get("cell", {}).get("attachments", {})
            return self._memory.recall(
                ("text", source, json.dumps(attachments, sort_keys=True)),
                lambda: markdown(context, source),
            )

        return remembered


class _OpenElements(HTMLParser):
    """Reads tidy HTML up to the element `until`."""

    def __init__(self, until: str) -> None:
        super().__init__()
        self.until, self.found = until, False
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == self.until:
            self.found = True
        elif not self.found:
            self.names.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.found:
            self.names.pop()


def open_elements(html: str, tag: str) -> tuple[str, ...] | None:
    """Return the elements of tidy HTML that are open where `tag` comes; None without it."""
    reader = _OpenElements(tag)
    reader.feed(html)
    return tuple(reader.names) if reader.found else None
