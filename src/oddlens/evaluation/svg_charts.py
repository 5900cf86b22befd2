"""Charts as inline SVG: curves and histograms that follow the page's light or dark colours, without scripts or other files.

Colours are CSS variables of the page: --series-<n> for curves, --normal and --abnormal for the two kinds of images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from oddlens.evaluation.cell_results import Curve

SERIES = 8
"""The number of colours; then they repeat."""

STYLE = """
:root { --normal: #2f7fb8; --abnormal: #d9541e; --series-0: #1f77b4; --series-1: #d95f02; --series-2: #1b9e77; --series-3: #b8419b;
  --series-4: #8c6d1f; --series-5: #5a5fc7; --series-6: #5b8f22; --series-7: #c0392b; }
@media (prefers-color-scheme: dark) { :root {
  --normal: #5eb1ef; --abnormal: #ff8a52; --series-0: #5eb1ef; --series-1: #ff9a4d; --series-2: #48cfa0; --series-3: #ee8ad4;
  --series-4: #d6b656; --series-5: #a5a8ff; --series-6: #a3d45f; --series-7: #ff7b6e; } }
svg.chart { display: block; width: 100%; height: auto; font: 9.5px system-ui, sans-serif; }
svg.chart text { fill: currentColor; } svg.chart .faint { opacity: .62; } svg.chart .title { font-size: 11px; font-weight: 600; }
svg.chart .axis { stroke: currentColor; stroke-opacity: .45; stroke-width: 1; }
svg.chart .tick { stroke: currentColor; stroke-opacity: .1; stroke-width: 1; }
svg.chart .chance { stroke: currentColor; stroke-opacity: .35; stroke-dasharray: 3 3; fill: none; }
svg.chart .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg.chart .dashed { stroke-dasharray: 6 3; } svg.chart .dotted { stroke-dasharray: 1.8 2; }
.legend .dashed { border-top-style: dashed; } .legend .dotted { border-top-style: dotted; }
svg.chart .mark { stroke: currentColor; stroke-width: 1.3; } svg.chart .mark.soft { stroke-dasharray: 4 3; stroke-opacity: .75; }
"""

_WIDTH, _HEIGHT = 250, 214
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 8, 22, 32
_BINS = 28


@dataclass(frozen=True)
class Line:
    """A curve in the colour of its number."""

    label: str
    number: int
    curve: Curve


def line_chart(
    title: str, x_label: str, y_label: str, lines: Sequence[Line], chance: Sequence[tuple[float, float]] = ()
) -> str:
    """Curves over [0, 1] x [0, 1]; chance: points of the dashed line, the curve of chance."""
    parts = [_frame(title, x_label, y_label)]
    if chance:
        parts.append(f'<polyline class="chance" points="{_points(chance)}"/>')
    for line in lines:
        points = _points(list(zip(line.curve.x, line.curve.y, strict=True)))
        parts.append(
            f'<polyline class="curve{_again(line.number)}" style="stroke: var(--series-{line.number % SERIES})" points="{points}">'
            f"<title>{escape(line.label)}</title></polyline>"
        )
    return _svg(title, parts, _HEIGHT)


def histogram(
    title: str, normal: Sequence[float], abnormal: Sequence[float], marks: Sequence[tuple[str, float, bool]]
) -> str:
    """Scores of normal images above the axis, of abnormal ones below it, each as shares of its kind.

    marks: at most two vertical lines as (label, score, soft); a soft one is dashed.
    """
    values = [*normal, *abnormal, *(score for _, score, _ in marks)]
    low, high = min(values), max(values)
    pad = (high - low) / 40 or 0.5
    # scores that are never below 0 have an axis that is not, either
    low, high = max(low - pad, 0.0) if low >= 0 else low - pad, high + pad
    edges = np.linspace(low, high, _BINS + 1)
    shares = [np.histogram(kind, edges)[0] / max(1, len(kind)) for kind in (normal, abnormal)]
    tallest = max(float(share.max()) for share in shares)
    left, right, top, bottom = 8, _WIDTH - 8, 38, 150
    middle, half = (top + bottom) / 2, (bottom - top) / 2

    def x(score: float) -> float:
        return left + (score - low) / (high - low) * (right - left)

    parts = [f'<text class="title" x="{left}" y="12">{escape(title)}</text>']
    for share, kind, up in zip(shares, ("normal", "abnormal"), (True, False), strict=True):
        for number, part in enumerate(share):
            tall = half * float(part) / tallest
            if tall:
                y = middle - tall if up else middle
                parts.append(
                    f'<rect x="{x(edges[number]) + 0.4:.1f}" y="{y:.1f}" width="{(right - left) / _BINS - 0.8:.1f}" '
                    f'height="{tall:.1f}" style="fill: var(--{kind})" fill-opacity=".85"/>'
                )
    parts.append(f'<line class="axis" x1="{left}" y1="{middle}" x2="{right}" y2="{middle}"/>')
    parts.append(_text(left, top - 6, f"normal ({len(normal)})", "start", "var(--normal)"))
    parts.append(_text(left, bottom + 11, f"abnormal ({len(abnormal)})", "start", "var(--abnormal)"))
    for y, (label, score, soft) in zip((top - 6, bottom + 11), marks, strict=False):
        style = "mark soft" if soft else "mark"
        parts.append(f'<line class="{style}" x1="{x(score):.1f}" y1="{top}" x2="{x(score):.1f}" y2="{bottom}"/>')
        parts.append(_text(right, y, f"{'¦' if soft else '|'} {label} {score:.3g}", "end"))
    parts.append(_text(left, bottom + 23, f"{low:.3g}", "start", faint=True))
    parts.append(_text(right, bottom + 23, f"{high:.3g}", "end", faint=True))
    parts.append(_text((left + right) / 2, bottom + 23, "score", "middle", faint=True))
    return _svg(title, parts, 176)


def _again(number: int) -> str:
    """The class of a curve beside "curve": where colours are used again, its line is dashed, then dotted."""
    return ("", " dashed", " dotted")[number // SERIES % 3]


def legend(labels: Sequence[str]) -> str:
    """The colours and dashes of curves by number, as HTML."""
    items = "".join(
        f'<span><i class="curve{_again(number)}" style="border-color: var(--series-{number % SERIES})"></i>{escape(label)}</span>'
        for number, label in enumerate(labels)
    )
    return f'<div class="legend">{items}</div>'


def _frame(title: str, x_label: str, y_label: str) -> str:
    parts = [f'<text class="title" x="{_LEFT}" y="13">{escape(title)}</text>']
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        (x, y), (x0, y0), (x1, y1) = _place(tick, tick), _place(0, 0), _place(1, 1)
        parts.append(f'<line class="tick" x1="{x}" y1="{y0}" x2="{x}" y2="{y1}"/>')
        parts.append(f'<line class="tick" x1="{x0}" y1="{y}" x2="{x1}" y2="{y}"/>')
        if tick in (0.0, 0.5, 1.0):
            parts.append(_text(x, y0 + 11, f"{tick:g}", "middle", faint=True))
            parts.append(_text(x0 - 4, y + 3, f"{tick:g}", "end", faint=True))
    (x0, y0), (x1, y1) = _place(0, 0), _place(1, 1)
    parts.append(f'<path class="axis" fill="none" d="M{x0} {y1}V{y0}H{x1}"/>')
    parts.append(_text((x0 + x1) / 2, y0 + 25, x_label, "middle", faint=True))
    parts.append(
        f'<text class="faint" text-anchor="middle" transform="translate(9 {(y0 + y1) / 2}) rotate(-90)">{escape(y_label)}</text>'
    )
    return "".join(parts)


def _place(x: float, y: float) -> tuple[float, float]:
    return (
        round(_LEFT + x * (_WIDTH - _LEFT - _RIGHT), 1),
        round(_HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM), 1),
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join("{:g},{:g}".format(*_place(x, y)) for x, y in points)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "", faint: bool = False) -> str:
    style = f' style="fill: {colour}"' if colour else ""
    classes = ' class="faint"' if faint else ""
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _svg(title: str, parts: Sequence[str], height: int) -> str:
    return (
        f'<svg class="chart" role="img" aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {height}">'
        + "".join(parts)
        + "</svg>"
    )
