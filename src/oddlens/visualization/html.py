"""Self-contained HTML pages: images inline, no script or style from another place."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

from PIL import Image

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #2a7d46; --bad: #b3261e; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.lead { margin-top: 0; opacity: .8; max-width: 48rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; background: var(--soft); }
figure img { display: block; width: 100%; } figcaption { padding: .4rem .7rem; font-size: .85rem; }
.good { color: var(--good); } .bad { color: var(--bad); } figcaption small { display: block; color: CanvasText; opacity: .7; }
@media (prefers-color-scheme: dark) { :root { --good: #74d293; --bad: #ff8f85; } }
"""


def page(title: str, lead: str, body: Iterable[str], style: str = "") -> str:
    """A whole page; `body` is HTML, title and lead are text, `style` is CSS beyond that of every page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f'<p class="lead">{escape(lead)}</p>\n' + "\n".join(body) + "\n</body></html>\n"
    )


def heading(text: str) -> str:
    """A section's heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text."""
    first = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return (
        f"<table><thead><tr>{first}</tr></thead><tbody>"
        + "".join(f"<tr>{line}</tr>" for line in lines)
        + "</tbody></table>"
    )


def gallery(figures: Iterable[str]) -> str:
    """Figures side by side."""
    return f'<div class="grid">{"".join(figures)}</div>'


def figure(picture: Image.Image | str, caption: str, mood: str = "", detail: str = "") -> str:
    """An image, or the data URI of one, with its caption.

    Args:
        picture: The image, or its data URI.
        caption: The line below it.
        mood: "good" or "bad" colours the caption.
        detail: A fainter line below the caption.
    """
    source = picture if isinstance(picture, str) else data_uri(picture)
    small = f"<small>{escape(detail)}</small>" if detail else ""
    return (
        f'<figure><img alt="{escape(caption)}" src="{source}">'
        f'<figcaption class="{escape(mood)}">{escape(caption)}{small}</figcaption></figure>'
    )


def data_uri(picture: Image.Image, quality: int = 88) -> str:
    """An image as a JPEG inside the page."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
