"""HTML pages that stand alone."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from oddlens.visualization import html

SPIKY = "<b>&\"'"


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def whole() -> str:
    picture = Image.new("RGB", (4, 3), "red")
    return html.page(
        SPIKY,
        SPIKY,
        [
            html.heading(SPIKY),
            html.paragraph(SPIKY),
            html.table([SPIKY, "b"], [[SPIKY, "2"]]),
            html.gallery([html.figure(picture, SPIKY, "good")]),
        ],
    )


def test_every_tag_is_closed_in_its_turn() -> None:
    assert Tags(whole()).open == []


def test_text_is_text_whatever_is_in_it() -> None:
    tags = Tags(whole())
    assert not [tag for tag, _ in tags.tags if tag == "b"]
    assert tags.text.count(SPIKY) == 8
    assert [attributes["alt"] for tag, attributes in tags.tags if tag == "img"] == [SPIKY]


def test_nothing_comes_from_elsewhere() -> None:
    tags = Tags(whole()).tags
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags}
    addresses = [value or "" for _, attributes in tags for name, value in attributes.items() if name in {"src", "href"}]
    assert len(addresses) == 1
    assert addresses[0].startswith("data:image/jpeg;base64,")
    assert "url(" not in whole()
    assert "@import" not in whole()


def test_a_figure_is_coloured_by_its_mood() -> None:
    picture = Image.new("RGB", (2, 2))
    assert '<figcaption class="bad">late</figcaption>' in html.figure(picture, "late", "bad")
    assert html.figure(picture, "as it is").count('class=""') == 1


def test_a_picture_comes_back_from_its_address() -> None:
    pixels = np.full((6, 9, 3), (200, 40, 90), np.uint8)
    for mode in ("RGB", "RGBA"):
        encoded = html.data_uri(Image.fromarray(pixels).convert(mode)).removeprefix("data:image/jpeg;base64,")
        decoded = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert decoded.size == (9, 6)
        assert np.abs(np.asarray(decoded).astype(int) - pixels).max() < 8
