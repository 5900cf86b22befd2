"""Evaluating a category: its images run through the towers once for all methods that need the same features, in chunks, and all
cells of a method use the same features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

from PIL import Image

from oddlens.data import Record
from oddlens.data.object_names import path_name
from oddlens.detection import Detection
from oddlens.detector import Detector, encoder_of
from oddlens.encoding import EncodedBatch, Encoder, joined
from oddlens.errors import DiskError, OddlensError
from oddlens.evaluation.cell_key import Variant
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.chunks import CHUNKS, Chunks, in_chunks
from oddlens.evaluation.findings import CellFindings, finished
from oddlens.evaluation.kept_chunks import Found, KeptChunks
from oddlens.evaluation.map_file import MapFile
from oddlens.evaluation.plan import Job, Plan
from oddlens.evaluation.truth import Truth, read_truth
from oddlens.evaluation.unseen import noted_not_warned
from oddlens.evaluation.written_maps import map_names
from oddlens.io.atomic import replacing
from oddlens.io.images import Picture, read_image
from oddlens.io.inputs import Input
from oddlens.io.loader import load


class UnreadableError(OddlensError):
    """An image of the data set cannot be read: no method can be measured on it."""


def evaluate_category(
    jobs: Sequence[Job], plan: Plan, out: Path, advance: Callable[[int], None], chunks: Chunks = CHUNKS
) -> list[dict[Variant, CellResult | OddlensError]]:
    """The cells of the jobs of one category, in order; of one that cannot be measured why.

    Args:
        jobs: One a method, all of one category.
        plan: The plan.
        out: The folder OUT.
        advance: Called with the number of images that have just been done, once a method.
        chunks: How many images are held at once.

    Raises:
        OddlensError: An image cannot be read; without it the figures would be those of another data set.
    """
    return finished(jobs, CategoryScorer(jobs, plan, out, chunks).score(advance=advance))


class CategoryScorer:
    """Scores images of one category for all cells of its jobs. Arguments: see `evaluate_category`."""

    def __init__(self, jobs: Sequence[Job], plan: Plan, out: Path, chunks: Chunks = CHUNKS) -> None:
        self._jobs = jobs
        self._plan = plan
        self._out = out
        self._chunks = chunks
        self._names = [[f"{number}-{variant.name}" for variant in job.cells] for number, job in enumerate(jobs)]

    @cached_property
    def _detectors(self) -> list[dict[Variant, Detector]]:
        return [_with_references(job) for job in self._jobs]

    @cached_property
    def _encoder(self) -> Encoder:
        return encoder_of([job.detector for job in self._jobs])

    def score(
        self, images: range | None = None, advance: Callable[[int], None] = lambda _: None, folder: Path | None = None
    ) -> list[dict[Variant, CellFindings | OddlensError]]:
        """What images give, for the cells of each job; of a cell that cannot be measured why, and the others go on.

        Args:
            images: Their numbers, one after the other; None: all.
            advance: See `evaluate_category`.
            folder: Of the files of maps, where another process reads them, and of chunks that are kept: of those that are there
                already nothing is computed again. None: the files of maps have no names, and nothing is kept.

        Raises:
            UnreadableError: An image cannot be read.
        """
        try:
            return self._score(images, advance, folder)
        except (DiskError, UnreadableError):
            raise
        except OddlensError as error:  # of a method that takes not even the image: the others are measured without it
            if len(self._jobs) == 1:
                return [dict.fromkeys(self._jobs[0].cells, error)]
            return [
                found for number in range(len(self._jobs)) for found in self._alone(number).score(images, folder=folder)
            ]

    def _alone(self, number: int) -> CategoryScorer:
        """As this one, for the job of this number."""
        scorer = CategoryScorer([self._jobs[number]], self._plan, self._out, self._chunks)
        scorer._names = [self._names[number]]
        return scorer

    @noted_not_warned()
    def _score(
        self, images: range | None, advance: Callable[[int], None], folder: Path | None
    ) -> list[dict[Variant, CellFindings | OddlensError]]:
        """See `score`. Raises `OddlensError` for an image that a method does not take."""
        records = self._jobs[0].records
        images = range(len(records)) if images is None else images
        open_cells = [
            [
                _OpenCell(job, variant, self._plan, self._out, detector, self._maps(folder, f"{images.start}-{name}"))
                for (variant, detector), name in zip(detectors.items(), names, strict=True)
            ]
            for job, detectors, names in zip(self._jobs, self._detectors, self._names, strict=True)
        ]
        kept = None if folder is None else KeptChunks(folder)
        first = images.start
        while kept is not None and first in images and (count := kept.count(first, chain(*self._names))):
            for cells, names in zip(open_cells, self._names, strict=True):
                truths: list[Truth] = []
                for cell, name in zip(cells, names, strict=True):
                    cell.take(records[first : first + count], truths, partial(kept.read, first, name))
                advance(count)
            first += count
        inputs = (Input(str(each.image), partial(_read, each.image)) for each in records[first : images.stop])
        batch_size = self._chunks.batch_size
        with closing(load(inputs, self._encoder.prepare, group=batch_size)) as prepared:
            for part, waited in in_chunks(prepared, self._chunks, first):
                encoded = self._encoder.encode_all(part, batch_size)
                for cells, names, features in zip(open_cells, self._names, encoded, strict=True):
                    truths = []
                    for cell, name in zip(cells, names, strict=True):
                        keep = None if kept is None else partial(kept.write, first, name)
                        cell.take(
                            records[first : first + len(part)], truths, partial(cell.found, features, waited, keep)
                        )
                    advance(len(part))
                first += len(part)
                if all(cell.fault for cell in chain(*open_cells)):
                    break
        for cell in chain(*open_cells):
            cell.finish()
        return [{cell.variant: cell.fault or cell.findings for cell in of_job} for of_job in open_cells]

    def _maps(self, folder: Path | None, name: str) -> MapFile:
        return MapFile(self._out) if folder is None else MapFile(folder, f"{name}.maps")


def is_divisible(job: Job) -> bool:
    """Whether images of a job can be scored in other processes than those before them."""
    needs_all = job.detector.needs_references and not all(variant.shots for variant in job.cells)
    return job.detector.recipe.is_independent and not needs_all


class _OpenCell:
    """One cell while it is evaluated.

    Attributes:
        fault: Why it has no figures, since an image made it fail; it takes no other one then. None: it has not failed.
    """

    fault: OddlensError | None = None

    def __init__(self, job: Job, variant: Variant, plan: Plan, out: Path, detector: Detector, maps: MapFile) -> None:
        self.variant = variant
        self._job = job
        self._full_size = job.protocol.full_size
        self._detector = detector
        # What must change for images to have scores of their own, where the recipe scores the whole set: see `set_scores`.
        self._alone = detector.recipe.alone if detector.references is not None else {}
        self.scores_set = detector.references is None and detector.needs_references
        self.findings = CellFindings(
            maps, job.protocol, detector.fixed_range, alone=bool(self._alone), as_set=self.scores_set
        )
        self._waiting: list[EncodedBatch] = []
        self._out = out
        if plan.maps:
            # The layout of the MVTec evaluator: <maps>/<object>/test/<defect>/<id>.tiff
            method = f"{job.detector.name}-{variant.name}"
            self.findings.written = f"maps/{path_name(job.source.name)}/{method}/{path_name(job.category)}/test"
        self._files = map_names(job.records) if plan.maps else {}

    def take(self, records: Sequence[Record], truths: list[Truth], found: Callable[[], Found]) -> None:
        """Add a chunk.

        Args:
            records: Of its images.
            truths: Of its images, for all cells of the job; the first one that needs them puts them in.
            found: Gives what it has of the chunk.
        """
        if self.fault is not None:
            return
        with self._failing():
            each = found()
            self.findings.encoding += each.encoding
            self.findings.scoring += each.scoring
            if each.detections:
                truths += [] if truths else list(map(self._truth, records, each.detections))  # all of them or none
                self._add(records, each.detections, truths)

    def finish(self) -> None:
        """All images were taken: score them as one set where it does that; note of which good examples a mask leaves nothing."""
        if self.fault is not None:
            return
        with self._failing():
            if self.scores_set:
                self._predict_set()
            if not self._alone:  # their scores give the thresholds
                self.findings.unseen_examples = self._detector.unseen_references(self._job.object_name)

    def found(self, encoded: EncodedBatch, waited: float, keep: Callable[[Found], None] | None = None) -> Found:
        """What it has of a chunk; features wait where the test images are scored as one set.

        waited: seconds, for the images. keep: is called with it.
        """
        started = time.perf_counter()
        detections: list[Detection] = []
        if self.scores_set:
            self._waiting.append(encoded)
        else:
            detections = self._detector.predict(encoded, self._job.object_name, **self._alone)
        found = Found(detections, waited + encoded.seconds, time.perf_counter() - started)
        if keep is not None:
            keep(found)
        return found

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What fails within is its fault, and the other cells go on."""
        try:
            yield
        except DiskError:
            raise
        except OddlensError as error:
            self.fault = error

    def _predict_set(self) -> None:
        """Add all test images, scored beside each other."""
        started = time.perf_counter()
        encoded, self._waiting = joined(self._waiting), []
        detections = self._detector.predict_set(encoded, self._job.object_name)
        self.findings.scoring += time.perf_counter() - started
        self.findings.value_range = detections[0].value_range
        for record, found in zip(self._job.records, detections, strict=True):
            self._add([record], [found], [self._truth(record, found)])

    def _add(self, records: Sequence[Record], detections: Sequence[Detection], truths: Sequence[Truth]) -> None:
        for record, found, truth in zip(records, detections, truths, strict=True):
            self.findings.add(record, self._job.source.relative(record), found, truth)
            if self.findings.written is not None:
                with replacing(self._out / self.findings.written / self._files[record.image]) as temporary:
                    Image.fromarray(found.heatmap() if self._full_size else found.anomaly_map).save(temporary)

    def _truth(self, record: Record, found: Detection) -> Truth:
        """The truth of an image, at the size at which pixels are compared."""
        width, height = found.image_size
        rows, columns = found.anomaly_map.shape
        return read_truth(record, (height, width), None if self._full_size else (rows, columns))


def _read(path: Path) -> Picture:
    """An image of the data set. Raises `UnreadableError`."""
    try:
        return read_image(path)
    except OddlensError as error:
        raise UnreadableError(str(error)) from error


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
