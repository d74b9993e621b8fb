"""How the page is served: nothing recorded, nothing uploaded, nothing asked of other servers."""

from __future__ import annotations

import inspect
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

ASSETS = Path(__file__).parents[1] / "assets"
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "sans-serif")
MONO = ("ui-monospace", "Menlo", "Consolas", "monospace")

# The browser itself refuses to load anything from elsewhere, whatever Gradio's pages may ask for.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' ws: wss: data: blob:; object-src 'none'; base-uri 'self'"
)


class OnlyThisPage:
    """ASGI middleware: adds the content policy, and refuses uploads, which the page has none of."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].rstrip("/").endswith("/upload"):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"this page takes no files"})
            return

        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message = {**message, "headers": [*message.get("headers", []), policy]}
            await send(message)

        await self.app(scope, receive, send_with_policy)


def theme() -> gr.themes.Base:
    """Calm colours with a contrast of at least 4.5 to 1, and the reader's own fonts."""
    base = gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.stone,
        font=FONT,
        font_mono=MONO,
        radius_size=gr.themes.sizes.radius_lg,
    )
    return base.set(
        body_background_fill="#faf9f6",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_width="1px",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_500",
        slider_color="*primary_800",
        slider_color_dark="*primary_300",
        color_accent="*primary_800",
        checkbox_background_color_selected="*primary_800",
        button_primary_background_fill="*primary_800",
        button_primary_background_fill_hover="*primary_900",
        button_primary_background_fill_dark="*primary_700",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_400",
        button_border_width="1px",
        button_large_text_size="*text_md",
        button_large_text_weight="500",
        button_large_padding="8px 14px",
    )


def launch(page: gr.Blocks, **options) -> tuple:
    """`page.launch` with the page's looks and none of what Gradio would add.

    `options` are further ones of `page.launch`. Returns what it returns.
    """
    settings = {
        "theme": theme(),
        "css": (ASSETS / "page.css").read_text(encoding="utf-8"),
        "head": f"<script>{(ASSETS / 'page.js').read_text(encoding='utf-8')}</script>",
        "app_kwargs": {"middleware": [Middleware(OnlyThisPage)]},
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "max_file_size": "1kb",
        "show_error": True,
        **options,
    }
    known = inspect.signature(page.launch).parameters  # later versions have more of them
    done = page.launch(**{name: value for name, value in settings.items() if name in known})
    # Gradio would serve a shared page with scripts from another server; here it is the local one.
    page.share = False
    return done
