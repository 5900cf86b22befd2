"""Evaluating a category: its images run through the towers once for all methods that need the same features, in chunks, and all
cells of a method use the same features.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from oddlens.data import Record, read_mask
from oddlens.data.object_names import path_name
from oddlens.detection import Detection, Thresholds
from oddlens.detector import Detector, encoder_of
from oddlens.encoding import EncodedBatch, Prepared, joined
from oddlens.evaluation.cell_key import Variant
from oddlens.evaluation.cell_results import CellResult, ExampleImage
from oddlens.evaluation.evaluator import Evaluator
from oddlens.evaluation.examples import choose, colour_range, draw
from oddlens.evaluation.map_file import Map
from oddlens.evaluation.plan import Job, Plan
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.set_scores import transductive_scores
from oddlens.evaluation.truth import Truth, read_truth
from oddlens.inference.results import unique_names
from oddlens.io.atomic import replacing
from oddlens.io.images import read_image
from oddlens.io.inputs import Input
from oddlens.io.loader import BATCH_SIZE, load
from oddlens.visualization import html


@dataclass(frozen=True)
class Chunks:
    """How many images' features are held at once.

    Attributes:
        images: The most images; of tiled ones the most tiles, up to whole images.
        pixels: After a batch that reaches this number of pixels, no other begins: of large images fewer are held.
        batch_size: Images that run through a tower together.
    """

    images: int = 4 * BATCH_SIZE
    pixels: int = 2**24
    batch_size: int = BATCH_SIZE


CHUNKS = Chunks()


def evaluate_category(
    jobs: Sequence[Job], plan: Plan, out: Path, advance: Callable[[int], None], chunks: Chunks = CHUNKS
) -> list[dict[Variant, CellResult]]:
    """The cells of the jobs of one category, in order.

    Args:
        jobs: One a method, all of one category.
        plan: The plan.
        out: The folder OUT.
        advance: Called with the number of images that have just been done, once a method.
        chunks: How many images are held at once.

    Raises:
        OddlensError: An image or mask cannot be read; without it the figures would be those of another data set.
    """
    open_cells = [
        [_OpenCell(job, variant, plan, out, detector) for variant, detector in _with_references(job).items()]
        for job in jobs
    ]
    seconds = [0.0] * len(jobs)
    encoder = encoder_of([job.detector for job in jobs])
    records = jobs[0].records
    inputs = (Input(str(record.image), partial(read_image, record.image)) for record in records)
    first = 0
    with closing(load(inputs, encoder.prepare, group=chunks.batch_size)) as images:
        for part, waited in _chunks(images, chunks):
            shown = records[first : first + len(part)]
            first += len(part)
            encoded = encoder.encode_all(part, chunks.batch_size)
            for number, features in enumerate(encoded):
                seconds[number] += waited + features.seconds
                truths: list[Truth] = []
                for cell in open_cells[number]:
                    if cell.scores_set:
                        cell.wait(features)
                        continue
                    detections = cell.predict(features)
                    truths = truths or [
                        _truth(record, detection, jobs[number].protocol)
                        for record, detection in zip(shown, detections, strict=True)
                    ]
                    cell.add(shown, detections, truths)
                advance(len(part))
    for cell in (cell for of_job in open_cells for cell in of_job if cell.scores_set):
        cell.predict_set()
    return [
        {cell.variant: cell.result(spent / len(job.records)) for cell in of_job}
        for job, of_job, spent in zip(jobs, open_cells, seconds, strict=True)
    ]


def _chunks(images: Iterator[Prepared], chunks: Chunks) -> Iterator[tuple[list[Prepared], float]]:
    """The images that are held at once, and the seconds spent waiting for them."""
    while True:
        started = time.perf_counter()
        part: list[Prepared] = []
        pixels = views = 0
        while views < chunks.images and (pixels < chunks.pixels or len(part) % chunks.batch_size):
            image = next(images, None)
            if image is None:
                break
            part.append(image)
            pixels += image.size[0] * image.size[1]
            views += image.view_count
        if not part:
            return
        yield part, time.perf_counter() - started


class _OpenCell:
    """One cell while it is evaluated."""

    def __init__(self, job: Job, variant: Variant, plan: Plan, out: Path, detector: Detector) -> None:
        self.variant = variant
        self._job = job
        self._full_size = job.protocol.full_size
        self._detector = detector
        # What must change for images to have scores of their own, where the recipe scores the whole set: see `set_scores`.
        self._alone = detector.recipe.alone if detector.references is not None else {}
        self._evaluator = Evaluator(out, job.protocol)
        self._parts: list[Mapping[str, float]] = []
        self._thresholds = Thresholds()
        self.scores_set = detector.references is None and detector.needs_references
        self._waiting: list[EncodedBatch] = []
        self._range = detector.fixed_range
        self._scoring = 0.0
        self._out = out
        # The layout of the MVTec evaluator: <maps>/<object>/test/<defect>/<id>.tiff
        folder = f"maps/{path_name(job.source.name)}/{job.detector.name}-{variant.name}/{path_name(job.category)}/test"
        self._maps = folder if plan.maps else None
        self._files = _map_files(job.records) if plan.maps else {}

    def predict(self, encoded: EncodedBatch) -> list[Detection]:
        """The detections of a chunk."""
        started = time.perf_counter()
        detections = self._detector.predict(encoded, self._job.object_name, **self._alone)
        self._scoring += time.perf_counter() - started
        return detections

    def wait(self, encoded: EncodedBatch) -> None:
        """Keep the features of a chunk, where the test images are scored as one set."""
        self._waiting.append(encoded)

    def predict_set(self) -> None:
        """Add all test images, scored beside each other."""
        started = time.perf_counter()
        encoded, self._waiting = joined(self._waiting), []
        detections = self._detector.predict_set(encoded, self._job.object_name)
        self._scoring += time.perf_counter() - started
        self._range = detections[0].value_range
        records, protocol = self._job.records, self._job.protocol
        for record, found in zip(records, detections, strict=True):
            self.add([record], [found], [_truth(record, found, protocol)])

    def add(self, records: Sequence[Record], detections: Sequence[Detection], truths: Sequence[Truth]) -> None:
        """Add a chunk."""
        for record, found, truth in zip(records, detections, truths, strict=True):
            self._evaluator.add(record, self._job.source.relative(record), found, truth)
            self._parts.append(found.parts)
            if not self._alone:  # a threshold of scores that are not these
                self._thresholds = found.thresholds
            if self._maps is not None:
                with replacing(self._out / self._maps / self._files[record.image]) as temporary:
                    Image.fromarray(found.heatmap() if self._full_size else found.anomaly_map).save(temporary)

    def result(self, encoding: float) -> CellResult:
        """The finished cell. encoding: seconds an image that all cells of the job share."""
        records, in_use = self._job.records, self._thresholds
        settings, _ = self._job.cells[self.variant]
        result = CellResult(
            settings=settings, counts=_counts(self._job), figures=dict.fromkeys(self._job.protocol.figures)
        )
        self._evaluator.evaluate(result, transductive_scores(self._parts) if self._alone else None)
        maps, best = self._evaluator.maps, result.thresholds
        fixed = self._range.low, self._range.high
        if self.scores_set:
            result.notes = (*result.notes, f"scored as one set of {len(records)} test images, without good examples")
        result.evaluated_at = None if self._full_size else maps[0].shape
        result.value_range = colour_range(self._evaluator.median, best["pixel"], fixed)
        result.thresholds["calibrated"] = in_use.image
        result.threshold_source = None if in_use.image is None else in_use.source
        result.shown = tuple(
            ExampleImage(kind, number, _drawing(records[number], maps[number], result.value_range))
            for kind, number in choose(result.scores, in_use.image, best["image"])
        )
        result.seconds = {"encode": round(encoding, 6), "ask": round(self._scoring / len(records), 6)}
        result.maps = self._maps
        return result


def _with_references(job: Job) -> dict[Variant, Detector]:
    """A detector a variant, all on the same method.

    Every example runs through the towers once, and alone, so that a cell's numbers do not depend on the cells evaluated with it.
    """
    plain = job.detector
    encoded: dict[Path, EncodedBatch] = {}

    def encode(records: Sequence[Record]) -> EncodedBatch:
        for record in records:
            if record.image not in encoded:
                encoded[record.image] = plain.encode_references(record.image)
        return joined([encoded[record.image] for record in records])

    detectors: dict[Variant, Detector] = {}
    for variant, (_, examples) in job.cells.items():
        detectors[variant] = plain.with_references(encode(examples) if examples else None)
    return detectors


def _truth(record: Record, found: Detection, protocol: Protocol) -> Truth:
    """The truth of an image, at the size at which pixels are compared."""
    width, height = found.image_size
    rows, columns = found.anomaly_map.shape
    return read_truth(record, (height, width), None if protocol.full_size else (rows, columns))


def _counts(job: Job) -> dict[str, int]:
    everything = job.source.dataset.select(job.category)
    return {
        "normal": sum(record.label == 0 for record in job.records),
        "abnormal": sum(record.label == 1 for record in job.records),
        "drawn": sum(record.label == 1 and record.mask is not None for record in job.records),
        "unlabelled": sum(record.label is None for record in everything),
    }


def _map_files(records: Sequence[Record]) -> dict[Path, str]:
    """<defect>/<id>.tiff for every image."""
    by_defect: dict[str, list[Path]] = defaultdict(list)
    for record in records:
        by_defect[record.defect].append(record.image)
    return {
        path: f"{path_name(defect)}/{name}.tiff"
        for defect, paths in by_defect.items()
        for path, name in unique_names(paths).items()
    }


def _drawing(record: Record, anomaly_map: Map, value_range: tuple[float, float]) -> str:
    mask = None if record.mask is None else read_mask(record)
    picture = draw(read_image(record.image).pixels, mask, anomaly_map, value_range)
    return html.data_uri(picture, quality=82)
