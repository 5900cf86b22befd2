"""The cards of a report: an image beside its anomaly map, and what is known of it."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from oddlens.detection import RegionOfInterest, ValueRange, resize_map
from oddlens.errors import OddlensError, UsageError, printable
from oddlens.inference.judgement import Basis
from oddlens.inference.kept_maps import kept_map
from oddlens.inference.kinds import DRAWINGS
from oddlens.inference.records import Record
from oddlens.io.images import read_image
from oddlens.io.paths import is_file
from oddlens.io.pixels import Pixels
from oddlens.visualization import html
from oddlens.visualization.heat import blend
from oddlens.visualization.preview import encode_jpeg, shrunk

TITLES = {"ng": "NG", "review": "Review", "failed": "Failed", "none": "No verdict", "ok": "OK"}
"""What images of each kind are called (see `oddlens.inference.results.count_verdicts`), the most urgent first."""

_SIDE = 420  # of an image on the page, in pixels
_MOST_REGIONS = 6
_LINKED = [field for field in DRAWINGS if field != "preview"]


class Cards:
    """Draws the cards of images, from what lies in OUT."""

    def __init__(self, root: Path, document: Mapping[str, object], settings: Mapping[str, object]) -> None:
        self._root = root
        self._range = _value_range(document)
        self._roi = _region_of_interest(settings)

    def card(self, kind: str, record: Record) -> str:
        """An image: original beside heat, name, score, and what is known of it."""
        name = image_name(record)
        folder, _, file = name.rpartition("/")
        title = f"{escape(folder)}/<b>{escape(file)}</b>" if folder else f"<b>{escape(file)}</b>"
        word = "" if kind == "none" else f'<span class="badge">{TITLES[kind]}</span> '
        p_value = ""
        if (p := record.get("p_value")) is not None:
            meaning = "the share of good images that score as high, this one counted"
            p_value = f' <span class="quiet" title="{meaning}">p = {p:.3g}</span>'
        lines = [
            f"<h3>{title}</h3>",
            f"<p>{word}score {record['score']:.4f}{p_value}</p>",
            *(
                f'<p class="{field}">{escape(sentence)}</p>'
                for field, sentence in (("concern", record.get("concern")), ("note", record.get("note")))
                if sentence is not None
            ),
            *(["<p>Drawn at random for audit.</p>"] if record.get("audit") is True else []),
            _regions(record),
            self._links(record),
        ]
        return (
            f'<article class="card {kind}">{self._pair(record, name)}<div class="text">{"".join(lines)}</div></article>'
        )

    def _pair(self, record: Record, name: str) -> str:
        image = self._image(record)
        if image is None:
            return ""
        heat = self._heat(record, image)
        width, height = record["image_size"]
        original = f'<div><img alt="{escape(name)}" src="{_jpeg(image)}">{self._looked_at(width, height)}</div>'
        if heat is None:
            return f'<div class="pair" style="grid-template-columns: 1fr">{original}</div>'
        boxes = _boxes(record, width, height)
        marked = f'<img alt="anomaly map of {escape(name)}" src="{_jpeg(heat)}">{boxes}'
        overlay = record.get("overlay")
        shown = f"<div>{marked}</div>" if overlay is None else f'<a href="{address(overlay)}">{marked}</a>'
        return f'<div class="pair">{original}{shown}</div>'

    def _image(self, record: Record) -> Pixels | None:
        """A small copy of the image: its preview, or the file itself while it is the same; None: neither is there."""
        preview = record.get("preview")
        places = [self._root / preview] if preview is not None else []
        file = record.get("file", {})
        place = self._root / file["path"] if "path" in file else None
        if place is not None and is_file(place) and place.stat().st_size == file.get("bytes"):
            places.append(place)
        for each in places:
            try:
                return shrunk(read_image(each).pixels, _SIDE)
            except OddlensError:
                continue
        return None

    def _heat(self, record: Record, image: Pixels) -> Pixels | None:
        """The image with its anomaly map over it; None where there is no map, or nothing says how to colour it."""
        anomaly_map = None if self._range is None else kept_map(self._root, record)
        if self._range is None or anomaly_map is None:
            return None
        height, width = image.shape[:2]
        scale = (self._range.low, self._range.high)
        return blend(image, resize_map(anomaly_map, (width, height)), scale, record.get("pixel_threshold"))

    def _looked_at(self, width: int, height: int) -> str:
        """The borders of the region of interest over an image of a size, as SVG."""
        if self._roi is None:
            return ""
        scale = min(1.0, _SIDE / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        try:
            outlines = self._roi.outlines(size)
        except UsageError:
            return ""
        polygons = "".join(
            f'<polygon class="edge" points="{line}"/><polygon points="{line}"/>'
            for line in (" ".join(f"{x},{y}" for x, y in outline) for outline in outlines)
        )
        return _svg(*size, polygons)

    def _links(self, record: Record) -> str:
        links: list[tuple[str, str]] = [(kind, record[kind]) for kind in _LINKED if kind in record]
        path = record.get("file", {}).get("path")
        if path is not None and is_file(self._root / path):
            links.insert(0, ("image", path))
        parts = "".join(f'<a href="{address(target)}">{kind}</a>' for kind, target in links)
        return f'<p class="links">{parts}</p>' if parts else ""


def image_name(record: Record) -> str:
    """Folder and file, which is what people know an image by."""
    return printable("/".join(Path(record["path"]).parts[-2:]))


def address(path: str) -> str:
    return escape(quote(os.fsencode(path)))


def _value_range(document: Mapping[str, object]) -> ValueRange | None:
    """The values at the ends of the colours; None where run.json does not say."""
    try:
        basis = Basis.of(document)
    except UsageError:
        return None
    if basis is None:
        return None
    return (basis.calibration and basis.calibration.value_range) or basis.fixed_range


def _region_of_interest(settings: Mapping[str, object]) -> RegionOfInterest | None:
    try:
        return RegionOfInterest.from_dict(settings["roi"])
    except (KeyError, UsageError):
        return None


def _regions(record: Record) -> str:
    """The regions of an image as a table; the numbers are those of the boxes."""
    regions = record.get("regions") or []
    if not regions:
        return ""
    shown = regions[:_MOST_REGIONS]
    has_mm, has_names = (any(name in region for region in shown) for name in ("area_mm2", "names"))
    head = ["", "at", "size", "area", *(["mm²"] if has_mm else []), "peak", *(["may be"] if has_names else [])]
    rows = [
        [
            str(number),
            f"{region['box'][0]}, {region['box'][1]}",
            f"{region['box'][2]} × {region['box'][3]}",
            f"{region['area']} px",
            *([_rounded(region["area_mm2"]) if "area_mm2" in region else ""] if has_mm else []),
            f"{region['peak']:.3f}",
            *([_names(region.get("names", []))] if has_names else []),
        ]
        for number, region in enumerate(shown, start=1)
    ]
    more = f'<p class="quiet">and {len(regions) - len(shown)} more regions</p>' if len(regions) > len(shown) else ""
    return f'<div class="wide">{html.table(head, rows)}</div>{more}'


def _rounded(area: float) -> str:
    return f"{area:.0f}" if area >= 100 else f"{area:.3g}"


def _names(names: Iterable[Sequence[str | float]]) -> str:
    return ", ".join(f"{name} {weight:.2f}" for name, weight in list(names)[:2])


def _boxes(record: Record, width: int, height: int) -> str:
    """Numbered boxes of the regions over an image of a size, as SVG."""
    size = max(width, height) / 22
    parts = []
    for number, region in enumerate((record.get("regions") or [])[:_MOST_REGIONS], start=1):
        x, y, wide, tall = region["box"]
        box = f'x="{x}" y="{y}" width="{wide}" height="{tall}"'
        at = max(size, y - size / 5)
        parts.append(f'<rect class="edge" {box}/><rect {box}/>')
        place = f'x="{min(max(x, size / 4), width - size):.0f}" y="{at:.0f}"'
        parts.append(f'<text {place} font-size="{size:.0f}" stroke-width="{size / 5:.1f}">{number}</text>')
    return _svg(width, height, "".join(parts)) if parts else ""


def _svg(width: int, height: int, inside: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{inside}</svg>'


def _jpeg(pixels: Pixels) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, 82)).decode("ascii")
