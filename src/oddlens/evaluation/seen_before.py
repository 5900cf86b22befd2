"""What the method of a cell saw of its test images before: then the figures are not those of unseen images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.data import Record, manifest_hash
from oddlens.data.copies import copies
from oddlens.data.named import NamedDataset
from oddlens.errors import counted
from oddlens.evaluation.plan import Job

if TYPE_CHECKING:
    from oddlens.detector import Detector


def seen_before(job: Job, examples: Sequence[Record]) -> Iterator[str]:
    """Notes of a cell: each test image that is one of the good examples or is left out; weights trained on these images."""
    for record, example in copies(job.records, examples):
        test, good = job.source.relative(record), job.source.relative(example)
        yield f"the test image {test} is the good example {good}: keep only one of them"
    for name in job.source.names_left_out(job.category):
        yield f"the test image {name} is left out: it is a copy of a normal training image"
    if _were_trained_on(job.detector, job.source):
        yield "the weights were trained on these test images: measure them on another data set"


def remarks_on_examples(source: NamedDataset, category: str, examples: Iterable[Record]) -> Iterator[str]:
    """The same of test images in a sentence a category. examples: all that a benchmark takes."""
    pairs = [
        f"{source.relative(record)} is {source.relative(example)}"
        for record, example in copies(source.tests(category), examples)
    ]
    if pairs:
        found, them = ("is a good example", "it") if len(pairs) == 1 else ("are good examples", "them")
        yield (
            f"{_test_images(source, category, len(pairs))} {found} ({_some(pairs)}): leave {them} out with "
            "--leave-out-copies"
        )
    if left_out := source.names_left_out(category):
        found = "is left out, a copy" if len(left_out) == 1 else "are left out, copies"
        yield (f"{_test_images(source, category, len(left_out))} {found} of normal training images ({_some(left_out)})")


def remarks_on_weights(source: NamedDataset, detector: Detector) -> Iterator[str]:
    """The same of weights."""
    if _were_trained_on(detector, source):
        yield (
            f"the weights of {detector.name} were trained on the test images of {source.name}: measure them on another data set"
        )


def _test_images(source: NamedDataset, category: str, count: int) -> str:
    return f"{category} of {source.name}: {counted(count, 'test image')}"


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}, and {len(names) - 1} more"


def _were_trained_on(detector: Detector, source: NamedDataset) -> bool:
    return detector.weights is not None and manifest_hash(source.dataset) in _trained_on(Path(detector.weights))


def _trained_on(weights: Path) -> set[object]:
    """The hashes of the data sets of whose test images a training made the weights; none for a file of the authors."""
    from oddlens.methods.weights import read_weights

    provenance: object = read_weights(weights).provenance
    sets = provenance.get("data") if isinstance(provenance, dict) else None
    return {
        each.get("data_sha256")
        for each in (sets if isinstance(sets, list) else [])
        if isinstance(each, dict) and "test" in (each.get("split"), *each.get("splits", ()))
    }
