"""All figures of a benchmark in one JSON document: OUT/metrics.json, from which tables and report are made."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from oddlens import __version__
from oddlens.data import manifest_hash
from oddlens.data.named import NamedDataset
from oddlens.data.problem import folders_left_out
from oddlens.errors import counted
from oddlens.evaluation.cell_key import Key
from oddlens.evaluation.cell_results import CellResult, left_out, set_by_hand
from oddlens.evaluation.document import (
    CategoryEntry,
    DatasetEntry,
    LeaderboardRow,
    MethodEntry,
    MetricsDocument,
    Place,
    PublishedEntry,
    ResultEntry,
)
from oddlens.evaluation.metric_names import METRICS, Figures
from oddlens.evaluation.plan import Plan, Skipped
from oddlens.evaluation.published_methods import Published, find_published, recognise
from oddlens.evaluation.published_roads import PublishedRoad, find_published_roads
from oddlens.evaluation.road_sets import find_road_set
from oddlens.evaluation.trained_on import TrainedOn
from oddlens.metrics.pixel import AUPRO_LIMIT
from oddlens.provenance import changed_fields, versions

if TYPE_CHECKING:
    from oddlens.detector import Detector

FORMAT = 3
"""Format 2 nested the hashes of model and weights."""


def summarise(plan: Plan, cells: Mapping[Key, CellResult], skipped: Iterable[Skipped]) -> MetricsDocument:
    """The document of OUT/metrics.json, in the form that `document` describes. A category's protocol decides its figures."""
    missed = list(skipped)
    lacking = [skip.key for skip in missed if not skip.by_nature]
    found, machine = versions(), plan.detectors[0].identity.machine
    return {
        "format": FORMAT,
        "oddlens": __version__,
        "figures": _names(cell.figures for cell in cells.values()),
        "evaluation": {"pixels_compared_at": _compared_at(cells), "aupro_limit": AUPRO_LIMIT},
        "methods": {detector.name: _method(detector, plan.trained_on[detector.name]) for detector in plan.detectors},
        "datasets": {source.name: _dataset(source) for source in plan.sources},
        "results": [
            _result(source, detector, shots, cells, lacking)
            for source in plan.sources
            for detector in plan.detectors
            for shots in sorted({variant.shots for variant in plan.variants_of(detector)})
        ],
        "skipped": [{**_place(skip.key), "reason": skip.reason} for skip in missed],
        "machine": {
            "oddlens": found["oddlens"],
            "python": found["python"],
            "torch": found["torch"],
            "device": machine["device"],
            "threads": machine["threads"],
        },
    }


def score_lines(cells: Mapping[Key, CellResult]) -> str:
    """OUT/scores.jsonl: one line an image and cell."""
    lines = [
        json.dumps(
            {**_place(key), "path": score.path, "label": score.label, "defect": score.defect, "score": score.score}
            | ({"unseen": True} if score.unseen else {})
        )
        for key, cell in cells.items()
        for score in cell.scores
    ]
    return "".join(line + "\n" for line in lines)


def _method(detector: Detector, training: TrainedOn) -> MethodEntry:
    identity, card = detector.identity, detector.card
    return {
        "title": card.title if detector.name == card.name else detector.name,
        "citations": list(card.citations),
        "recipe": dict(identity.recipe),
        "changed": changed_fields(detector.recipe),
        "fitted": list(identity.fitted),
        "model": identity.model.name,
        "model_sha256": identity.model.sha256,
        "preprocessing_sha256": identity.preprocessing_sha256,
        "weights_sha256": identity.weights_sha256,
        "weights": detector.weights,
        "runtime": _runtime(identity.machine),
        "trained_on": list(training.names),
        "takes": list(card.takes),
        **set_by_hand(identity),
    }


def _runtime(machine: Mapping[str, object]) -> str:
    """The package that computed and its version. PyTorch may be installed beside a runtime of graphs."""
    package = next(name for name in ("onnxruntime", "openvino", "torch") if name in machine)
    return f"{package} {machine[package]}"


def _dataset(source: NamedDataset) -> DatasetEntry:
    return {
        "layout": source.dataset.layout,
        "data_sha256": manifest_hash(source.dataset),
        "problems": len(source.dataset.problems),
        "folders_left_out": folders_left_out(source.dataset.problems),
        "recognised_as": recognise(source),
        "leaderboards": {
            category: [_leaderboard_row(row) for row in rows]
            for category in source.dataset.categories
            if (known := find_road_set(source, category)) and (rows := find_published_roads(known.name))
        },
        **left_out(source, source.dataset.categories),
    }


def _leaderboard_row(row: PublishedRoad) -> LeaderboardRow:
    return {
        "method": row.method,
        "variant": row.variant,
        "outliers": row.outliers,
        "dataset": row.dataset,
        "frames": row.frames,
        "percent": row.percent,
        "source": row.source,
        "mark": row.mark,
    }


def _result(
    source: NamedDataset, detector: Detector, shots: int, cells: Mapping[Key, CellResult], lacking: Iterable[Key]
) -> ResultEntry:
    """lacking: the cells of the benchmark that were skipped, but could have been measured."""
    without = Counter(
        key.category
        for key in lacking
        if (key.dataset, key.method, key.variant.shots) == (source.name, detector.name, shots)
    )
    categories: dict[str, dict[int | None, CellResult]] = {}
    for key, cell in cells.items():
        if (key.dataset, key.method, key.variant.shots) == (source.name, detector.name, shots):
            categories.setdefault(key.category, {})[key.variant.seed] = cell
    seeds = list(dict.fromkeys(seed for by_seed in categories.values() for seed in by_seed))
    names = _names(cell.figures for key, cell in cells.items() if key.dataset == source.name)
    means = [
        _mean([by_seed[seed].figures for by_seed in categories.values() if seed in by_seed], names) for seed in seeds
    ]
    drawn = any(_differ(by_seed.values()) for by_seed in categories.values())
    published = find_published(recognise(source), detector.name, shots, detector.identity.model.name)
    result: ResultEntry = {
        "dataset": source.name,
        "method": detector.name,
        "shots": shots,
        "seeds": seeds,
        "mean": _mean(means, names),
        "std": _deviation(means if drawn else [], names),
        "by_seed": [{"seed": seed, "figures": figures} for seed, figures in zip(seeds, means, strict=True)],
        "categories_counted": {
            name: sum(
                any(cell.figures.get(name) is not None for cell in by_seed.values()) for by_seed in categories.values()
            )
            for name in names
        },
        "categories": [_category(category, by_seed, without[category]) for category, by_seed in categories.items()],
        "published": [_published(entry) for entry in published],
    }
    if categories and without:
        result["lacking"] = without.total()
    return result


def _category(category: str, cells: Mapping[int | None, CellResult], lacking: int) -> CategoryEntry:
    any_cell = next(iter(cells.values()))
    names, rows, drawn = list(any_cell.figures), [cell.figures for cell in cells.values()], _differ(cells.values())
    notes = list(dict.fromkeys(note for cell in cells.values() for note in cell.notes))
    if len(cells) > 1 and not drawn:
        count = counted(len(any_cell.settings["references"]), "good example")
        notes.append(f"with {count} every seed picks the same ones: there is no ±")
    entry: CategoryEntry = {
        "category": category,
        "object_name": any_cell.settings["object_name"],
        "pictures": any_cell.counts,
        "pixels_compared_at": any_cell.evaluated_at,
        "notes": notes,
        "mean": _mean(rows, names),
        "std": _deviation(rows if drawn else [], names),
        "by_seed": [
            {
                "seed": seed,
                "figures": cell.figures,
                "reasons": cell.reasons,
                "image_auroc_interval": cell.interval,
                "thresholds": cell.thresholds,
                "threshold_source": cell.threshold_source,
                "references": cell.settings["references"],
                "seconds": cell.seconds,
                "components": cell.components,
                "class_iou": cell.class_iou,
                "maps": cell.maps,
            }
            for seed, cell in cells.items()
        ],
    }
    if unseen := {score.path for cell in cells.values() for score in cell.scores if score.unseen}:
        entry["unseen"] = len(unseen)
    if lacking:
        entry["lacking"] = lacking
    return entry


def _differ(cells: Iterable[CellResult]) -> bool:
    """Whether the seeds of one number of shots pick different good examples: else a deviation over them says nothing."""
    return len({frozenset(cell.settings["references"]) for cell in cells}) > 1


def _mean(rows: Sequence[Figures], names: Sequence[str]) -> Figures:
    """The mean of every figure over the rows that define it."""
    return {name: statistics.fmean(some) if (some := _defined(rows, name)) else None for name in names}


def _deviation(rows: Sequence[Figures], names: Sequence[str]) -> Figures:
    """The sample standard deviation of every figure over the rows that define it; None for fewer than two."""
    return {name: statistics.stdev(some) if len(some := _defined(rows, name)) > 1 else None for name in names}


def _defined(rows: Sequence[Figures], name: str) -> list[float]:
    return [value for row in rows if (value := row.get(name)) is not None]


def _names(rows: Iterable[Figures]) -> list[str]:
    """The figures that some row has, defined or not, in the order of all tables."""
    names = {name for row in rows for name in row}
    return [name for name in METRICS if name in names]


def _compared_at(cells: Mapping[Key, CellResult]) -> str:
    """At which size pixels were compared, in words."""
    own, maps = "each image's own size", "the size of the method's maps, masks resized by the authors' rule"
    sizes = {cell.settings["full_size"] for cell in cells.values()}
    if len(sizes) == 2:
        return f"{maps}; those of scenes with label files at {own}"
    return own if True in sizes else maps


def _place(key: Key) -> Place:
    return {
        "dataset": key.dataset,
        "category": key.category,
        "method": key.method,
        "shots": key.variant.shots,
        "seed": key.variant.seed,
    }


def _published(entry: Published) -> PublishedEntry:
    return {
        "source": entry.source,
        "mark": entry.mark,
        "percent": entry.percent,
        "std": entry.std,
        "by_category": entry.by_category,
    }
