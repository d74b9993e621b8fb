"""HTML of notebooks that can only be read: no scripts, no forms, nothing fetched from elsewhere.

An instructor opens a student's pages in the browser that also has the gradebook open.
"""

from __future__ import annotations

import functools

import bleach
from bleach.css_sanitizer import CSSSanitizer
from nbconvert.filters import strip_files_prefix

_TAGS = (
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 "
    "h5 h6 hr i img ins kbd li mark ol p pre s small span strong sub summary sup table tbody td "
    "tfoot th thead tr u ul var"
)
_ATTRIBUTES = {
    "*": ["class", "style", "title"],
    "details": ["open"],
    "ol": ["start"],
    "td": ["align", "colspan", "rowspan"],
    "th": ["align", "colspan", "rowspan", "scope"],
    **{f"h{level}": ["id"] for level in range(1, 7)},
}
_PICTURES = (
    "data:image/png;base64,",
    "data:image/jpeg;base64,",
    "data:image/gif;base64,",
    "data:image/svg+xml;base64,",  # a browser runs no script of a picture
    "https://colab.research.google.com/assets/",
)
_STYLES = (
    "background-color border border-collapse border-color border-style border-width color "
    "font-family font-size font-style font-weight height line-height margin max-width min-width "
    "padding text-align text-decoration vertical-align white-space width word-break"
)


class _Styles(CSSSanitizer):
    """Most elements of a page have the style of another."""

    @functools.lru_cache(maxsize=1024)  # noqa: B019 - of the one object below
    def sanitize_css(self, style: str) -> str:
        return super().sanitize_css(style)


def _is_fit_for_link(_tag: str, name: str, value: str) -> bool:
    if name == "href":
        return value.startswith(("https://", "http://", "mailto:", "#")) or ":" not in value
    return name in _ATTRIBUTES["*"]


def _is_fit_for_picture(_tag: str, name: str, value: str) -> bool:
    if name == "src":
        return value.startswith(_PICTURES)
    return name in ("alt", "height", "width", *_ATTRIBUTES["*"])


_cleaner = bleach.Cleaner(
    tags=frozenset(_TAGS.split()),
    attributes={**_ATTRIBUTES, "a": _is_fit_for_link, "img": _is_fit_for_picture},
    protocols=frozenset(["http", "https", "mailto", "data"]),
    css_sanitizer=_Styles(allowed_css_properties=_STYLES.split()),
)


def clean_html(html: str | bytes) -> str:
    """Return HTML with everything as text that would do something in a browser."""
    return _clean(html.decode() if isinstance(html, bytes) else str(html))


@functools.lru_cache(maxsize=1024)  # most cells of a lesson are the same on all pages
def _clean(html: str) -> str:
    return _cleaner.clean(html)


def clean_markdown(html: str) -> str:
    """Return what Markdown was rendered as, made harmless; stands for nbconvert's last filter."""
    return clean_html(strip_files_prefix(html))
