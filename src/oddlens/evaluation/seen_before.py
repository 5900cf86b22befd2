"""What the method of a cell saw of its test images before: then the figures are not those of unseen images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oddlens.data import Record
from oddlens.data.copies import copies
from oddlens.data.named import NamedDataset
from oddlens.errors import counted, first_and_more
from oddlens.evaluation.plan import Job


def seen_before(job: Job, examples: Sequence[Record]) -> Iterator[str]:
    """Notes of a cell: each test image that is one of the good examples or is left out; weights trained on these images."""
    for record, example in copies(job.records, examples):
        test, good = job.source.relative(record), job.source.relative(example)
        yield f"the test image {test} is the good example {good}: keep only one of them"
    for name in job.source.names_left_out(job.category):
        yield f"the test image {name} is left out: it is a copy of a normal training image"
    yield from _on_weights(job.detector.name, job.trained_on, len(job.records))


def remarks_on_examples(source: NamedDataset, category: str, examples: Iterable[Record]) -> Iterator[str]:
    """The same of test images in a sentence a category. examples: all that a benchmark takes."""
    pairs = [
        f"{source.relative(record)} is {source.relative(example)}"
        for record, example in copies(source.tests(category), examples)
    ]
    if pairs:
        found, them = ("is a good example", "it") if len(pairs) == 1 else ("are good examples", "them")
        yield (
            f"{_test_images(source, category, len(pairs))} {found} ({first_and_more(pairs)}): leave {them} out with "
            "--leave-out-copies"
        )
    if left_out := source.names_left_out(category):
        found = "is left out, a copy" if len(left_out) == 1 else "are left out, copies"
        yield (
            f"{_test_images(source, category, len(left_out))} {found} of normal training images ({first_and_more(left_out)})"
        )


def remarks_on_weights(source: NamedDataset, method: str, trained_on: Sequence[str], count: int) -> Iterator[str]:
    """The same of the weights of a method. trained_on: as `Job` has it, of all categories. count: of all their test images."""
    yield from (f"{source.name}: {sentence}" for sentence in _on_weights(method, trained_on, count))


def _on_weights(method: str, trained_on: Sequence[str], count: int) -> Iterator[str]:
    if trained_on:
        yield (
            f"the weights of {method} were trained on {len(trained_on)} of {counted(count, 'test image')} "
            f"({first_and_more(trained_on)}): measure them on another data set"
        )


def _test_images(source: NamedDataset, category: str, count: int) -> str:
    return f"{category} of {source.name}: {counted(count, 'test image')}"
