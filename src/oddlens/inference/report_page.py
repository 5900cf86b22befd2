"""The HTML of a run's report: counts, scores, what to know, and the images by verdict, NG and review first.

The page holds small copies of the first images of each verdict and of their anomaly maps, so that it can be sent alone; full
sizes and the other images are links into OUT. So a run of ten thousand images has a page of a few megabytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from oddlens.errors import counted
from oddlens.inference.records import Record, count_verdicts, say_counts, verdict_of
from oddlens.inference.report_cards import TITLES, Cards, address, image_name
from oddlens.inference.report_style import STYLE
from oddlens.io.finding import say_passed_over
from oddlens.visualization import html
from oddlens.visualization.label_image import class_colour
from oddlens.visualization.score_chart import STYLE as CHART_STYLE
from oddlens.visualization.score_chart import score_histogram

UNNAMED = "part"
"""The object of a run in whose call nobody named one, as for frames of a road."""
SHOWN = {"ng": 60, "review": 60, "none": 60, "ok": 12}
"""How many images of a verdict the page shows; it links the others."""

_P_VALUE = (
    "p of an image: the share of good images that score at least as high, the image counted among them. "
    "The smaller, the odder."
)

_HEADINGS = {"references": "Good examples", "drift": "Drift"}


def report_page(
    root: Path, records: Sequence[Record], document: Mapping[str, object], said: Mapping[str, Sequence[str]]
) -> str:
    """The page.

    Args:
        root: The folder OUT.
        records: The lines of its results.jsonl.
        document: Its run.json; what is missing there is missing on the page.
        said: What was said of the run, by kind.
    """
    run = document.get("run")
    settings: Mapping[str, object] = run if isinstance(run, dict) else {}
    groups: dict[str, list[Record]] = {kind: [] for kind in TITLES}
    for record in records:
        groups["failed" if "error" in record else verdict_of(record) or "none"].append(record)
    cards = Cards(root, document, settings)
    body = [
        '<a class="skip" href="#images">To the images</a>',
        f'<p class="quiet">{escape(_made_by(root, document, settings, said))}</p>',
        _counts(groups),
        *_what_to_know(records, document, said),
        *_scores(groups, said.get("promise", ())),
        *_classes(records),
        '<main id="images">',
        *(part for kind, group in groups.items() if group for part in _section(kind, group, cards)),
        "</main>",
    ]
    name = settings.get("object")
    of = f" of “{name}”" if isinstance(name, str) and name != UNNAMED else ""
    lead = f"{counted(len(records), 'image')}{of}: {say_counts(count_verdicts(records))}"
    return html.page("oddlens report", lead, body, STYLE + CHART_STYLE)


def _made_by(
    root: Path, document: Mapping[str, object], settings: Mapping[str, object], said: Mapping[str, Sequence[str]]
) -> str:
    """Whose thresholds, method, model, examples, and when the results were written."""
    when = datetime.fromtimestamp((root / "results.jsonl").stat().st_mtime).astimezone()
    count = settings.get("reference_count")
    judged = document.get("judged")
    judged_by = [str(judged["by"])] if isinstance(judged, dict) and "by" in judged else said.get("verdicts", ())
    parts = [
        *judged_by,
        " on ".join(str(settings[name]) for name in ("method", "model") if name in settings),
        counted(count, "good example") if isinstance(count, int) and count else "",
        f"{when:%Y-%m-%d %H:%M}",
        f"oddlens {settings['oddlens']}" if "oddlens" in settings else "",
    ]
    return " · ".join(filter(None, parts))


def _counts(groups: Mapping[str, Sequence[Record]]) -> str:
    has_verdicts = any(groups[kind] for kind in ("ng", "review", "ok"))
    always = {"ng", "review", "ok", "failed"} if has_verdicts else {"failed"}
    links = "".join(
        f'<a class="{kind}" href="#{kind}"><b>{len(group)}</b>{escape(TITLES[kind])}</a>'
        if group
        else f'<a class="{kind}"><b>0</b>{escape(TITLES[kind])}</a>'
        for kind, group in groups.items()
        if group or kind in always
    )
    return f'<nav class="counts" aria-label="Verdicts">{links}</nav>'


def _what_to_know(
    records: Sequence[Record], document: Mapping[str, object], said: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """What was said of the run as a whole, beside what its thresholds promise."""
    known = {kind: list(each) for kind, each in said.items() if kind not in ("promise", "verdicts")}
    passed_over = document.get("passed_over")
    if isinstance(passed_over, dict) and all(isinstance(count, int) for count in passed_over.values()):
        known["passed over"] = [sentence for sentence in [say_passed_over(passed_over)] if sentence]
    notes = Counter(note for record in records if (note := record.get("note")) is not None)
    known["notes"] = [f"{note} ({counted(count, 'image')})" for note, count in notes.most_common()]
    parts = [
        f"<h3>{escape(_HEADINGS.get(kind, kind.capitalize()))}</h3>"
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
        for kind, sentences in known.items()
        if sentences
    ]
    if parts:
        yield f'<section class="know" aria-label="What to know">{"".join(parts)}</section>'


def _scores(groups: Mapping[str, Sequence[Record]], promises: Iterable[str]) -> Iterator[str]:
    """The histogram, with the thresholds and what they promise."""
    scores = {kind: [record["score"] for record in groups[kind]] for kind in ("ok", "review", "ng", "none")}
    detections = [record for kind in scores for record in groups[kind]]
    if not detections:
        return
    last = detections[-1]
    marks = [
        (kind, f"{label} above {at:.4g}", at)
        for kind, label, at in (
            ("ng", "NG", last.get("threshold")),
            ("review", "review", last.get("review_threshold")),
        )
        if at is not None
    ]
    yield html.heading("Scores")
    chart = score_histogram({kind: group for kind, group in scores.items() if group}, marks)
    yield f'<div class="wide">{chart}</div>'
    if source := last.get("threshold_source"):
        yield f'<p class="quiet">{escape("Thresholds: " + source)}</p>'
    for sentence in promises:
        yield f'<p class="promise">{escape(sentence)}</p>'
    if last.get("p_value") is not None:
        yield f'<p class="quiet">{escape(_P_VALUE)}</p>'


def _classes(records: Sequence[Record]) -> Iterator[str]:
    """Which colour of labels/ is which known class, with its share of all images; nothing of methods that know no classes."""
    shares = [shares for record in records if (shares := record.get("classes"))]
    if not shares:
        return
    yield html.heading("Known classes")
    entries = []
    for number, name in enumerate(shares[0]):
        red, green, blue = class_colour(number)
        mean = sum(each.get(name, 0.0) for each in shares) / len(shares)
        chip = f'<i style="background:#{red:02x}{green:02x}{blue:02x}"></i>'
        entries.append(f'<li>{chip}{number} {escape(name)} <span class="quiet">{mean:.1%}</span></li>')
    yield f'<ul class="classes">{"".join(entries)}</ul>'
    yield '<p class="quiet">The colours of labels/, the numbers in its files, and the share of each class, mean of all images.</p>'


def _section(kind: str, records: Sequence[Record], cards: Cards) -> Iterator[str]:
    """The images of a verdict: the highest scores first, of OK images those that are nearest to the threshold."""
    yield f'<h2 id="{kind}" class="{kind}">{escape(TITLES[kind])} ({len(records)})</h2>'
    if kind == "failed":
        yield "<ul>" + "".join(f"<li>{escape(record['error'])}</li>" for record in records) + "</ul>"
        return
    ranked = sorted(records, key=lambda record: -record["score"])
    shown, rest = ranked[: SHOWN[kind]], ranked[SHOWN[kind] :]
    if kind == "ok" and rest:
        yield '<p class="quiet">Those with the highest scores come first.</p>'
    yield f'<div class="cards">{"".join(cards.card(kind, record) for record in shown)}</div>'
    if rest:
        links = "".join(f"<li>{record['score']:.4f} {_link(record)}</li>" for record in rest)
        more = counted(len(rest), "image")
        yield f'<details><summary>{more} more</summary><ul class="rest">{links}</ul></details>'


def _link(record: Record) -> str:
    """The image's name, as a link to its overlay where there is one."""
    text = escape(image_name(record))
    target = record.get("overlay")
    return text if target is None else f'<a href="{address(target)}">{text}</a>'
