"""Drawings as SVG: 480 units wide, so that their words can be read on a phone, on a panel that is light or dark as the system.

All coordinates are whole numbers, so that a drawing is the same text on every machine.
"""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from typing import Literal

WIDTH = 480

Tone = Literal["ink", "quiet", "good", "bad", "words"]
"""What is drawn: lines and words; what is said by the way; what is good; what is not; what is language."""

_LIGHT = {
    "panel": "#f6f6f2", "edge": "#cfd0c8", "box": "#ffffff", "ink": "#1c2630", "quiet": "#5a6570", "good": "#1c7556",
    "bad": "#bf3a1a", "words": "#3953ad", "part": "#b9c4cc", "warm": "#f0b49f",
}  # fmt: skip
_DARK = {
    "panel": "#1a1f25", "edge": "#3b444e", "box": "#252c34", "ink": "#e7eaed", "quiet": "#a6b0ba", "good": "#62c8a1",
    "bad": "#ff9069", "words": "#9bb1f7", "part": "#56626d", "warm": "#8a4a35",
}  # fmt: skip


def _rules(colours: dict[str, str]) -> str:
    return "".join(f".f-{name}{{fill:{value}}}.s-{name}{{stroke:{value};fill:none}}" for name, value in colours.items())


_STYLE = (
    "text{font:14px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}.small{font-size:13px}.strong{font-weight:600}"
    ".thin{stroke-width:1}.line{stroke-width:2}.thick{stroke-width:3}.dashes{stroke-dasharray:4 3}"
    f"{_rules(_LIGHT)}@media (prefers-color-scheme:dark){{{_rules(_DARK)}}}"
)


class Drawing:
    """A drawing that grows by what is added to it; each method returns the drawing.

    title: What it shows, in a sentence: for those who cannot see it. height: In units, of which the width has 480.
    """

    def __init__(self, title: str, height: int) -> None:
        self.title, self.height = title, height
        self._parts: list[str] = []

    def svg(self) -> str:
        """The file's text."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH * 3 // 2}" '
            f'height="{self.height * 3 // 2}" role="img" aria-labelledby="title">\n<title id="title">{escape(self.title)}</title>\n'
            f"<style>{_STYLE}</style>\n"
            f'<rect class="f-panel" width="{WIDTH}" height="{self.height}" rx="10"/>\n'
        )
        return head + "\n".join(self._parts) + "\n</svg>\n"

    def add(self, element: str) -> Drawing:
        """An SVG element as it is."""
        self._parts.append(element)
        return self

    def text(
        self,
        x: int,
        y: int,
        words: str,
        tone: Tone = "ink",
        *,
        style: str = "",
        at: Literal["start", "middle", "end"] = "middle",
    ) -> Drawing:
        """Words whose baseline is at y. style: "small", "strong"."""
        return self.add(f'<text x="{x}" y="{y}" text-anchor="{at}" class="f-{tone} {style}">{escape(words)}</text>')

    def lines(self, x: int, y: int, words: Collection[str], tone: Tone = "ink", *, style: str = "") -> Drawing:
        """Lines of words around x, one below the other; the first one's baseline is at y."""
        for number, line in enumerate(words):
            self.text(x, y + 16 * number, line, tone, style=style)
        return self

    def frame(self, x: int, y: int, width: int, height: int, tone: str = "edge") -> Drawing:
        """A box."""
        place = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="6"'
        return self.add(f'<rect class="f-box" {place}/><rect class="s-{tone} thin" {place}/>')

    def pill(self, x: int, y: int, width: int, words: str, tone: Tone = "words") -> Drawing:
        """Words in a round frame around x, 22 high from y on."""
        self.add(
            f'<rect class="f-box" x="{x - width // 2}" y="{y}" width="{width}" height="22" rx="11"/>'
            f'<rect class="s-{tone} thin" x="{x - width // 2}" y="{y}" width="{width}" height="22" rx="11"/>'
        )
        return self.text(x, y + 15, words, tone, style="small")

    def line(self, x1: int, y1: int, x2: int, y2: int, tone: str = "quiet", *, style: str = "line") -> Drawing:
        """A line. style: "thin", "line", "thick", "dashes"."""
        return self.add(f'<line class="s-{tone} {style}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')

    def arrow(self, x1: int, y1: int, x2: int, y2: int, tone: str = "quiet") -> Drawing:
        """A line with a head, along an axis."""
        across, down = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        back_x, back_y = x2 - 7 * across, y2 - 7 * down
        self.line(x1, y1, back_x, back_y, tone)
        wings = f"{back_x + 5 * down},{back_y + 5 * across} {back_x - 5 * down},{back_y - 5 * across}"
        return self.add(f'<polygon class="f-{tone}" points="{x2},{y2} {wings}"/>')

    def dot(self, x: int, y: int, tone: str, radius: int = 4) -> Drawing:
        """A point."""
        return self.add(f'<circle class="f-{tone}" cx="{x}" cy="{y}" r="{radius}"/>')

    def image(self, x: int, y: int, side: int, *, bad: bool = False, turned: int = 0) -> Drawing:
        """An image of a washer with a flat side; bad: with a crack. turned: Degrees about its middle."""
        middle, radius = side // 2, side * 38 // 100
        self.add(f'<g transform="translate({x} {y})">')
        self.add(
            f'<rect class="f-box" width="{side}" height="{side}" rx="4"/><g transform="rotate({turned} {middle} {middle})">'
        )
        self.add(
            f'<circle class="f-part" cx="{middle}" cy="{middle}" r="{radius}"/>'
            f'<circle class="f-box" cx="{middle}" cy="{middle}" r="{radius * 2 // 5}"/>'
            f'<rect class="f-box" x="{middle - radius}" y="{middle - radius}" width="{2 * radius}" height="{radius // 4}"/>'
        )
        if bad:
            step = max(2, side // 14)
            corner_x, corner_y = middle + radius * 3 // 5, middle + radius // 5
            self.add(
                f'<polyline class="s-bad {"thick" if side > 60 else "line"}" points="{corner_x - 2 * step},{corner_y} '
                f'{corner_x - step},{corner_y + step} {corner_x},{corner_y} {corner_x + step},{corner_y + 2 * step}"/>'
            )
        return self.add(f'</g><rect class="s-edge thin" width="{side}" height="{side}" rx="4"/></g>')

    def grid(self, x: int, y: int, side: int, cells: int, tone: str = "edge") -> Drawing:
        """The lines of a grid of cells over a square."""
        for number in range(1, cells):
            at = side * number // cells
            self.line(x + at, y, x + at, y + side, tone, style="thin").line(
                x, y + at, x + side, y + at, tone, style="thin"
            )
        return self

    def cells(
        self, x: int, y: int, side: int, cells: int, hot: Collection[tuple[int, int]], warm: Collection[tuple[int, int]]
    ) -> Drawing:
        """An anomaly map of cells: (column, row) of those that are hot, and of those that are warm."""
        self.frame(x, y, side, side)
        for places, tone in ((warm, "warm"), (hot, "bad")):
            for column, row in places:
                left, top = side * column // cells, side * row // cells
                right, bottom = side * (column + 1) // cells, side * (row + 1) // cells
                self.add(
                    f'<rect class="f-{tone}" x="{x + left}" y="{y + top}" width="{right - left}" height="{bottom - top}"/>'
                )
        return self.grid(x, y, side, cells)
