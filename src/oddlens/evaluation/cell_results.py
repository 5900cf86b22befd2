"""Cells: the result of one method on one category with one draw of examples, as a file that is written whole or not at all.

    OUT/cells/<data set>/<category>/<method>-<shots>shot[-seed<k>].json

A cell carries the settings that its numbers depend on, and a digest of its content. It is used again only if both match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeVar

from oddlens.data import Record, manifest_hash
from oddlens.data.contents import Contents
from oddlens.data.named import NamedDataset
from oddlens.errors import UsageError, first_and_more
from oddlens.evaluation.measured_files import MeasuredFiles, measured_files
from oddlens.evaluation.protocol import Protocol
from oddlens.io.atomic import write_text
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json
from oddlens.metrics import Ranking, precision_recall_points, roc_points
from oddlens.metrics.curves import Points
from oddlens.provenance import Identity, differing, in_words

if TYPE_CHECKING:
    from oddlens.detector import Detector

FORMAT = 3
"""Goes up whenever a cell of an earlier program would mean something else."""

CURVE_POINTS = 150

_DIGEST = "sha256"
_Number = TypeVar("_Number", int, float)


class SetByHand(TypedDict, total=False):
    """What of a detector was set by hand and changes figures, spelled as in `provenance.Identity`; only what was set.

    method_sha256: of the code of a method that is not of oddlens.
    """

    method_sha256: str
    preparation: dict[str, object]
    roi: dict[str, object]
    thresholds: dict[str, object]
    defects_sha256: str


class LeftOut(TypedDict, total=False):
    """Test images that were not measured, by their path in the data set; only where there are some."""

    left_out: list[str]


class CellSettings(SetByHand, LeftOut, MeasuredFiles):
    """What the numbers of a cell depend on, as JSON values."""

    cell_format: int
    method: str
    recipe: dict[str, object]
    model_sha256: str
    weights_sha256: str | None
    data_sha256: str
    object_name: str
    references: list[str]
    full_size: bool
    component_sizes: str | list[int] | None


@dataclass(frozen=True)
class ImageScore:
    """One test image.

    Attributes:
        path: Relative to the data set.
        label: 0 normal, 1 abnormal.
        defect: Its defect type.
        score: As the method gives it, raw.
        unseen: The method looked at nothing of it (`Detection.is_unseen`), so that its score says nothing.
    """

    path: str
    label: int
    defect: str
    score: float
    unseen: bool = False


@dataclass(frozen=True)
class Curve:
    """Points of a curve, in order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ExampleImage:
    """An image that the report shows.

    Attributes:
        kind: Why it was chosen, of `examples.choose`.
        number: Its place among the scores of the cell.
        drawing: The drawing as a data URI.
    """

    kind: str
    number: int
    drawing: str


@dataclass(kw_only=True)
class CellResult:
    """The result of one cell. The evaluators fill it in step by step; a cell that `read_cell` gives is complete.

    Attributes:
        settings: What the numbers depend on, from `cell_settings`.
        counts: Test images "normal", "abnormal", "drawn" (abnormal with a mask), "unlabelled" (left out).
        evaluated_at: (height, width) of the maps, where pixels were compared at that; None: at each image's own size.
        figures: Those of the category's protocol (`Protocol.figures`), fractions; None where undefined.
        reasons: Why a figure is undefined.
        interval: Of the image AUROC, 95 %, by bootstrap over the test images; None where undefined.
        thresholds: "image" and "pixel" of the best F1 of these test images; "calibrated", which `detect` uses; None where there
            is none.
        threshold_source: Where "calibrated" comes from, in words; None where there is none.
        notes: Sentences on masks, on the set in which the images were scored, on images of which the method looked at nothing, and
            on what it saw of them before.
        scores: One for each test image.
        curves: "image_roc", "image_pr", "pixel_roc", "pixel_pr", where defined.
        value_range: The values of the anomaly map at the ends of the colours in `shown`.
        shown: The images that the report shows.
        seconds: Of an image: "encode" (reading and towers, shared by all cells of a method) and "ask" (scoring).
        components: Where components were compared: the pixels from which "found_from" and "true_from" they count, and how many
            "found" and "true" ones there are; else {}.
        class_iou: Intersection over union of every known class, None for a class that does not occur; {} where `figures` has no
            mIoU.
        maps: Folder of the raw maps relative to OUT, where they were written.
    """

    settings: CellSettings
    counts: dict[str, int]
    evaluated_at: tuple[int, int] | None = None
    figures: dict[str, float | None]
    reasons: dict[str, str] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    thresholds: dict[str, float | None] = field(
        default_factory=lambda: {"image": None, "pixel": None, "calibrated": None}
    )
    threshold_source: str | None = None
    notes: tuple[str, ...] = ()
    scores: tuple[ImageScore, ...] = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    value_range: tuple[float, float] = (0.0, 1.0)
    shown: tuple[ExampleImage, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    components: dict[str, int] = field(default_factory=dict)
    class_iou: dict[str, float | None] = field(default_factory=dict)
    maps: str | None = None

    def set(self, name: str, value: float) -> None:
        """Set a figure, where the category has it; NaN is no value."""
        if name in self.figures and not isnan(value):
            self.figures[name] = value

    def set_undefined(self, names: Iterable[str], reason: str) -> None:
        """Give the reason why figures are undefined, of those that the category has."""
        self.reasons |= dict.fromkeys((name for name in names if name in self.figures), reason)

    def add_curves(self, level: str, ranking: Ranking) -> None:
        """Add both curves of a ranking. level: "image" or "pixel"."""
        roc = roc_points(ranking, CURVE_POINTS)
        precision, recall, _ = precision_recall_points(ranking, CURVE_POINTS)
        self.curves |= {f"{level}_roc": _curve(roc.fpr, roc.tpr), f"{level}_pr": _curve(recall, precision)}


class _ScoreDocument(TypedDict):
    path: str
    label: int
    defect: str
    score: float
    unseen: NotRequired[bool]


class _CurveDocument(TypedDict):
    x: list[float]
    y: list[float]


class _ExampleDocument(TypedDict):
    kind: str
    number: int
    drawing: str


class _CellDocument(TypedDict):
    """The file of a `CellResult`, without its digest."""

    settings: CellSettings
    counts: dict[str, int]
    evaluated_at: list[int] | None
    figures: dict[str, float | None]
    reasons: dict[str, str]
    interval: list[float] | None
    thresholds: dict[str, float | None]
    threshold_source: str | None
    notes: list[str]
    scores: list[_ScoreDocument]
    curves: dict[str, _CurveDocument]
    value_range: list[float]
    shown: list[_ExampleDocument]
    seconds: dict[str, float]
    components: dict[str, int]
    class_iou: dict[str, float | None]
    maps: str | None


class _Scored(TypedDict):
    """Of a cell, the images that it was measured on."""

    scores: list[_ScoreDocument]


class _MadeWith(TypedDict):
    """A cell of any version."""

    settings: dict[str, object]


def cell_settings(
    source: NamedDataset,
    category: str,
    detector: Detector,
    object_name: str,
    examples: Sequence[Record],
    protocol: Protocol,
    contents: Contents,
) -> CellSettings:
    """What the numbers of a cell depend on, as JSON values."""
    return {
        "cell_format": FORMAT,
        "method": detector.identity.method,
        "recipe": dict(detector.identity.recipe),
        "model_sha256": detector.identity.model.sha256,
        "weights_sha256": detector.identity.weights_sha256,
        "data_sha256": manifest_hash(source.dataset.select(category=category)),
        "object_name": object_name,
        "references": [source.relative(record) for record in examples],
        "full_size": protocol.full_size,
        "component_sizes": protocol.components
        if isinstance(protocol.components, str | None)
        else [*protocol.components],
        **set_by_hand(detector.identity),
        **left_out(source, [category]),
        "files_sha256": contents.hashes(measured_files(source, source.tests(category), examples)),
    }


def set_by_hand(identity: Identity) -> SetByHand:
    """See `SetByHand`. identity: of a detector without references."""
    found: SetByHand = {}
    if identity.method_sha256 is not None:
        found["method_sha256"] = identity.method_sha256
    if identity.preparation:
        found["preparation"] = dict(identity.preparation)
    if identity.roi:
        found["roi"] = dict(identity.roi)
    if any(value is not None for value in identity.thresholds.values()):
        found["thresholds"] = dict(identity.thresholds)
    if identity.defects_sha256 is not None:
        found["defects_sha256"] = identity.defects_sha256
    return found


def left_out(source: NamedDataset, categories: Iterable[str]) -> LeftOut:
    """See `LeftOut`: those of some categories."""
    names = [name for category in categories for name in source.names_left_out(category)]
    return {"left_out": names} if names else {}


def write_cell(path: Path, cell: CellResult) -> None:
    """Write a cell, whole or not at all."""
    content = asdict(cell)
    write_text(path, json.dumps(content | {_DIGEST: _digest(content)}, allow_nan=False) + "\n")


def read_cell(path: Path, settings: CellSettings, tests: Collection[str] = ()) -> CellResult | None:
    """The cell in a file, or None if there is no file. The files that it was measured on may have changed: `changed_files`.

    tests: the test images now, as `ImageScore.path` has them; where the cell has others, the sentence names them.

    Raises:
        UsageError: The cell was made with other settings, or the file is damaged.
    """
    try:
        content = parse_json(read_bytes(path))
        names = differing(checked(content, _MadeWith)["settings"], settings)
        names = [name for name in names if name not in MeasuredFiles.__annotations__]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}): change its permissions, or give another --out"
        ) from error
    except ValueError as error:
        raise UsageError(_damaged(path)) from error
    if "cell_format" in names:
        raise UsageError(
            f"{path} is of another version of oddlens, whose figures differ: give another --out, or --no-resume to "
            "measure it again"
        )
    data = in_words("data_sha256")
    if data in names and {*names} <= {data, "references"}:
        raise UsageError(
            f"{path} was measured on {_other_images(content, tests)}: delete the folder {path.parent} to measure the category "
            "again, or give another --out, or --no-resume to measure everything again"
        )
    if names:
        raise UsageError(
            f"{path} was made with other settings ({', '.join(names)}): give the same ones, another --out, "
            "or --no-resume to measure it again"
        )
    try:
        return _result(checked(content, _CellDocument), checked(content, dict[str, object]))
    except ValueError as error:
        raise UsageError(_damaged(path)) from error


def _other_images(cell: object, tests: Collection[str]) -> str:
    """How the images of a cell differ from the test images now, in words. cell: the document in its file."""
    try:
        had = {each["path"] for each in checked(cell, _Scored)["scores"]}
    except ValueError:
        had = set()
    differences = ("new", sorted({*tests} - had)), ("no longer there", sorted(had - {*tests}))
    said = "; ".join(f"{what}: {first_and_more(names)}" for what, names in differences if names)
    return f"other images ({said})" if said and had and tests else "other good examples, labels or masks"


def _result(found: _CellDocument, whole: Mapping[str, object]) -> CellResult:
    """The cell of a document. whole: with its digest. Raises `ValueError` where it was changed."""
    content = {name: value for name, value in whole.items() if name != _DIGEST}
    if whole.get(_DIGEST) != _digest(content):
        raise ValueError("its digest is of something else")
    return CellResult(
        settings=found["settings"],
        counts=found["counts"],
        evaluated_at=None if found["evaluated_at"] is None else _pair(found["evaluated_at"]),
        figures=found["figures"],
        reasons=found["reasons"],
        interval=None if found["interval"] is None else _pair(found["interval"]),
        thresholds=found["thresholds"],
        threshold_source=found["threshold_source"],
        notes=tuple(found["notes"]),
        scores=tuple(ImageScore(**score) for score in found["scores"]),
        curves={name: Curve(tuple(curve["x"]), tuple(curve["y"])) for name, curve in found["curves"].items()},
        value_range=_pair(found["value_range"]),
        shown=tuple(ExampleImage(**shown) for shown in found["shown"]),
        seconds=found["seconds"],
        components=found["components"],
        class_iou=found["class_iou"],
        maps=found["maps"],
    )


def _pair(values: Sequence[_Number]) -> tuple[_Number, _Number]:
    first, second = values
    return first, second


def _curve(x: Points, y: Points) -> Curve:
    return Curve(_rounded(x), _rounded(y))


def _rounded(values: Points) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _damaged(path: Path) -> str:
    return f"{path} is damaged: delete it, and it is measured again"


def _digest(content: Mapping[str, object]) -> str:
    """The SHA-256 of everything in a cell."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()
