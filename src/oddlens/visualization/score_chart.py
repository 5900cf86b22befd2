"""The histogram of a run's scores, as inline SVG that follows the page's light or dark colours.

Colours are CSS variables of the page: --ng, --review, --ok and --none for the verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

STYLE = """
svg.scores { display: block; width: 100%; max-width: 56rem; height: auto; font: 12px system-ui, sans-serif; }
@media (max-width: 40rem) { svg.scores { font-size: 22px; } }
svg.scores text { fill: currentColor; } svg.scores .axis { stroke: currentColor; stroke-opacity: .5; }
svg.scores .mark { stroke: currentColor; stroke-width: 1.5; } svg.scores .mark.review { stroke-dasharray: 5 3; }
"""

_WIDTH, _HEIGHT = 720, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 706, 56, 186
_MOST_BINS = 60


def score_histogram(groups: Mapping[str, Sequence[float]], marks: Sequence[tuple[str, str, float]]) -> str:
    """The scores of images, stacked by verdict.

    Args:
        groups: The scores by verdict ("ng", "review", "ok", "none"), of at least one image in all; the first lies at the bottom.
        marks: Vertical lines: their class ("ng", "review"), label and score; a bar ends at the first of them.
    """
    scores = [score for group in groups.values() for score in group]
    values = [*scores, *(score for _, _, score in marks)]
    low, high = min(values), max(values)
    # Values that floats hardly tell apart are one: the edges of bars between them would fall together.
    pad = (high - low) / 40 if high - low > 1e-9 * max(abs(low), abs(high)) else max(1, abs(high)) / 2
    low, high = low - pad, high + pad
    bins = min(_MOST_BINS, max(12, round(4 * len(scores) ** 0.5)))
    width = (high - low) / bins
    if marks:  # no bar lies on both sides of the first line
        low = marks[0][2] - np.ceil((marks[0][2] - low) / width) * width
        bins += 1
        high = low + bins * width
    edges = low + width * np.arange(bins + 1)
    counts = {name: np.histogram(group, edges)[0] for name, group in groups.items()}
    tallest = int(np.sum(list(counts.values()), axis=0).max())

    def x(score: float) -> float:
        return _LEFT + (score - low) / (high - low) * (_RIGHT - _LEFT)

    parts = []
    below = np.zeros(bins, int)
    for name, count in counts.items():
        for number in np.flatnonzero(count):
            height = (_BOTTOM - _TOP) * float(count[number]) / tallest
            bottom = _BOTTOM - (_BOTTOM - _TOP) * float(below[number]) / tallest
            parts.append(
                f'<rect x="{x(edges[number]) + 0.5:.1f}" y="{bottom - height:.1f}" height="{height:.1f}" '
                f'width="{(_RIGHT - _LEFT) / bins - 1:.1f}" style="fill: var(--{escape(name)})"/>'
            )
        below += count
    parts.append(f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}"/>')
    parts.append(_text(_LEFT - 6, _TOP + 8, str(tallest), "end") + _text(_LEFT - 6, _BOTTOM, "0", "end"))
    for line, (kind, label, score) in enumerate(marks):
        place, top = x(score), 6 + 24 * line
        parts.append(
            f'<line class="mark {escape(kind)}" x1="{place:.1f}" y1="{top + 2}" x2="{place:.1f}" y2="{_BOTTOM}"/>'
        )
        is_left = place < (_LEFT + _RIGHT) / 2
        parts.append(_text(place + (5 if is_left else -5), top + 16, label, "start" if is_left else "end"))
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(_text(_LEFT + share * (_RIGHT - _LEFT), _BOTTOM + 20, f"{low + share * (high - low):.3g}", anchor))
    parts.append(_text((_LEFT + _RIGHT) / 2, _HEIGHT, "score", "middle"))
    return (
        f'<svg class="scores" role="img" aria-label="Histogram of the scores" viewBox="0 0 {_WIDTH} {_HEIGHT + 6}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
