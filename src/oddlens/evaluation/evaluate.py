"""Evaluating a category: its images run through the towers once for all methods that need the same features, in chunks, and all
cells of a method use the same features.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path

from PIL import Image

from oddlens.data import Record
from oddlens.data.object_names import path_name
from oddlens.detection import Detection
from oddlens.detector import Detector, encoder_of
from oddlens.encoding import EncodedBatch, joined
from oddlens.evaluation.cell_key import Variant
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.chunks import CHUNKS, Chunks, in_chunks
from oddlens.evaluation.findings import CellFindings, finished
from oddlens.evaluation.kept_chunks import Found, KeptChunks
from oddlens.evaluation.map_file import MapFile
from oddlens.evaluation.plan import Job, Plan
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.truth import Truth, read_truth
from oddlens.evaluation.unseen import noted_not_warned
from oddlens.inference.results import unique_names
from oddlens.io.atomic import replacing
from oddlens.io.images import read_image
from oddlens.io.inputs import Input
from oddlens.io.loader import load


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
    return finished(jobs, CategoryScorer(jobs, plan, out, chunks).score(advance=advance))


class CategoryScorer:
    """Scores images of one category for all cells of its jobs. Arguments: see `evaluate_category`."""

    def __init__(self, jobs: Sequence[Job], plan: Plan, out: Path, chunks: Chunks = CHUNKS) -> None:
        self._jobs = jobs
        self._plan = plan
        self._out = out
        self._chunks = chunks
        self._detectors = [_with_references(job) for job in jobs]
        self._encoder = encoder_of([job.detector for job in jobs])
        self._names = [[f"{number}-{variant.name}" for variant in job.cells] for number, job in enumerate(jobs)]

    @noted_not_warned()
    def score(
        self, images: range | None = None, advance: Callable[[int], None] = lambda _: None, folder: Path | None = None
    ) -> list[dict[Variant, CellFindings]]:
        """What images give, for the cells of each job.

        Args:
            images: Their numbers, one after the other; None: all.
            advance: See `evaluate_category`.
            folder: Of the files of maps, where another process reads them, and of chunks that are kept: of those that are there
                already nothing is computed again. None: the files of maps have no names, and nothing is kept.

        Raises:
            OddlensError: As `evaluate_category`.
        """
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
            for job, cells, names in zip(self._jobs, open_cells, self._names, strict=True):
                _add(job, cells, records[first : first + count], (kept.read(first, name) for name in names))
                advance(count)
            first += count
        inputs = (Input(str(each.image), partial(read_image, each.image)) for each in records[first : images.stop])
        batch_size = self._chunks.batch_size
        with closing(load(inputs, self._encoder.prepare, group=batch_size)) as prepared:
            for part, waited in in_chunks(prepared, self._chunks, first):
                encoded = self._encoder.encode_all(part, batch_size)
                for job, cells, names, features in zip(self._jobs, open_cells, self._names, encoded, strict=True):
                    found: Iterator[Found] = (cell.found(features, waited) for cell in cells)
                    if kept is not None:
                        found = kept.each(first, names, found)
                    _add(job, cells, records[first : first + len(part)], found)
                    advance(len(part))
                first += len(part)
        for cell in (cell for of_job in open_cells for cell in of_job if cell.scores_set):
            cell.predict_set()
        for cell in (cell for of_job in open_cells for cell in of_job):
            cell.look_at_examples()
        return [{cell.variant: cell.findings for cell in of_job} for of_job in open_cells]

    def _maps(self, folder: Path | None, name: str) -> MapFile:
        return MapFile(self._out) if folder is None else MapFile(folder, f"{name}.maps")


def is_divisible(job: Job) -> bool:
    """Whether images of a job can be scored in other processes than those before them."""
    needs_all = job.detector.needs_references and not all(variant.shots for variant in job.cells)
    return job.detector.recipe.is_independent and not needs_all


def _add(job: Job, cells: Sequence[_OpenCell], records: Sequence[Record], found: Iterable[Found]) -> None:
    """Add a chunk to the cells of a job. found: what each of them has of it."""
    truths: list[Truth] = []
    for cell, each in zip(cells, found, strict=True):
        cell.findings.encoding += each.encoding
        cell.findings.scoring += each.scoring
        if each.detections:
            truths = truths or [
                _truth(record, detection, job.protocol)
                for record, detection in zip(records, each.detections, strict=True)
            ]
            cell.add(records, each.detections, truths)


class _OpenCell:
    """One cell while it is evaluated."""

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
        self._files = _map_files(job.records) if plan.maps else {}

    def found(self, encoded: EncodedBatch, waited: float) -> Found:
        """What it has of a chunk; features wait where the test images are scored as one set. waited: seconds, for the images."""
        started = time.perf_counter()
        detections: list[Detection] = []
        if self.scores_set:
            self._waiting.append(encoded)
        else:
            detections = self._detector.predict(encoded, self._job.object_name, **self._alone)
        return Found(detections, waited + encoded.seconds, time.perf_counter() - started)

    def look_at_examples(self) -> None:
        """Note of which good examples a mask leaves nothing: their scores give the thresholds."""
        if not self._alone:
            self.findings.unseen_examples = self._detector.unseen_references(self._job.object_name)

    def predict_set(self) -> None:
        """Add all test images, scored beside each other."""
        started = time.perf_counter()
        encoded, self._waiting = joined(self._waiting), []
        detections = self._detector.predict_set(encoded, self._job.object_name)
        self.findings.scoring += time.perf_counter() - started
        self.findings.value_range = detections[0].value_range
        records, protocol = self._job.records, self._job.protocol
        for record, found in zip(records, detections, strict=True):
            self.add([record], [found], [_truth(record, found, protocol)])

    def add(self, records: Sequence[Record], detections: Sequence[Detection], truths: Sequence[Truth]) -> None:
        """Add a chunk."""
        for record, found, truth in zip(records, detections, truths, strict=True):
            self.findings.add(record, self._job.source.relative(record), found, truth)
            if self.findings.written is not None:
                with replacing(self._out / self.findings.written / self._files[record.image]) as temporary:
                    Image.fromarray(found.heatmap() if self._full_size else found.anomaly_map).save(temporary)


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
