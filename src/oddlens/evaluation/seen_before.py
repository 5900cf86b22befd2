"""What the method of a cell saw of its test images before: then the figures are not those of unseen images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from oddlens.data import Record, manifest_hash
from oddlens.evaluation.plan import Job
from oddlens.io.paths import read_bytes


def seen_before(job: Job, examples: Sequence[Record]) -> Iterator[str]:
    """A sentence for each test image that is one of the good examples, and one where the weights were trained on this data set.

    A copy is a file of the same bytes; 'oddlens data check' compares pixels.
    """
    known: dict[int, list[Record]] = defaultdict(list)
    for example in examples:
        known[example.image.stat().st_size].append(example)
    for record in job.records if known else ():
        for example in known.get(record.image.stat().st_size, ()):
            if read_bytes(record.image) == read_bytes(example.image):
                test, good = job.source.relative(record), job.source.relative(example)
                yield f"the test image {test} is the good example {good}: keep only one of them"
                break
    if job.detector.weights is not None and manifest_hash(job.source.dataset) in _trained_on(
        Path(job.detector.weights)
    ):
        yield "the weights were trained on these test images: measure them on another data set"


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
