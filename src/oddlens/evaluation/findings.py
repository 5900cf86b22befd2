"""What the images of a cell gave, and the finished cell that follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from oddlens.data import Record, read_mask
from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.errors import OddlensError
from oddlens.evaluation.cell_key import Variant
from oddlens.evaluation.cell_results import CellResult, ExampleImage
from oddlens.evaluation.evaluator import Evaluator
from oddlens.evaluation.examples import choose, colour_range, draw
from oddlens.evaluation.map_file import Map, MapFile
from oddlens.evaluation.plan import Job
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.seen_before import seen_before
from oddlens.evaluation.set_scores import transductive_scores
from oddlens.evaluation.truth import Truth
from oddlens.evaluation.unseen import unseen_notes
from oddlens.io.images import read_image
from oddlens.visualization import html


class CellFindings:
    """What some images of a cell gave; that of the images after them can be joined to it, also from another process.

    Args:
        maps: The file that their maps wait in.
        protocol: The protocol of the job.
        value_range: The range of the maps that the detector states, where it states one.
        alone: The scores are of images alone, and the recipe's are made of the parts of all.
        as_set: The images are scored as one set.

    Attributes:
        value_range: As above; it may follow from the images.
        written: Where raw maps are written, in OUT; None: nowhere.
        unseen_examples: The numbers of the good examples of which the method's mask leaves nothing.
        encoding: Seconds that the features of these images took.
        scoring: Seconds that all else took.
    """

    def __init__(
        self, maps: MapFile, protocol: Protocol, value_range: ValueRange, *, alone: bool, as_set: bool
    ) -> None:
        self.value_range = value_range
        self.written: str | None = None
        self.unseen_examples: tuple[int, ...] = ()
        self.encoding = self.scoring = 0.0
        self._evaluator = Evaluator(maps, protocol)
        self._alone = alone
        self._as_set = as_set
        self._parts: list[dict[str, float]] = []
        self._thresholds = Thresholds()

    def add(self, record: Record, path: str, found: Detection, truth: Truth) -> None:
        """Add one image: its labelled record, its path in the data set, what was found and what is true."""
        self._evaluator.add(record, path, found, truth)
        self._parts.append(dict(found.parts))
        if not self._alone:  # a threshold of scores that are not these
            self._thresholds = found.thresholds

    def merge(self, other: CellFindings) -> None:
        """Add what the images after these gave; its file of maps is closed."""
        self._evaluator.merge(other._evaluator)
        self.unseen_examples = other.unseen_examples
        self._parts += other._parts
        self._thresholds = other._thresholds
        self.encoding += other.encoding
        self.scoring += other.scoring

    def result(self, job: Job, variant: Variant) -> CellResult:
        """The finished cell, where these are all images of the job.

        Raises:
            OddlensError: An image that the report shows cannot be read.
        """
        records, in_use = job.records, self._thresholds
        settings, examples = job.cells[variant]
        result = CellResult(settings=settings, counts=_counts(job), figures=dict.fromkeys(job.protocol.figures))
        self._evaluator.evaluate(result, transductive_scores(self._parts) if self._alone else None)
        maps, best = self._evaluator.maps, result.thresholds
        fixed = self.value_range.low, self.value_range.high
        if self._as_set:
            result.notes = (*result.notes, f"scored as one set of {len(records)} test images, without good examples")
        wiped_out = [job.source.relative(examples[number]) for number in self.unseen_examples]
        unseen = unseen_notes(result.scores, wiped_out, job.detector.card.unseen_remedy)
        cautions = [job.detector.caution] if job.detector.caution else []
        result.notes = (
            *result.notes,
            *job.source.unlabelled_notes(job.category),
            *cautions,
            *unseen,
            *seen_before(job, examples),
        )
        result.evaluated_at = None if job.protocol.full_size else maps[0].shape
        result.value_range = colour_range(self._evaluator.median, best["pixel"], fixed)
        result.thresholds["calibrated"] = in_use.image
        result.threshold_source = None if in_use.image is None else in_use.source
        result.shown = tuple(
            ExampleImage(kind, number, _drawing(records[number], maps[number], result.value_range))
            for kind, number in choose(result.scores, in_use.image, best["image"])
        )
        seconds = {"encode": self.encoding, "ask": self.scoring}
        result.seconds = {name: round(spent / len(records), 6) for name, spent in seconds.items()}
        result.maps = self.written
        return result


def finished(
    jobs: Sequence[Job], found: Sequence[dict[Variant, CellFindings | OddlensError]]
) -> list[dict[Variant, CellResult | OddlensError]]:
    """The cells of jobs, from what all their images gave; of one that has failed why. Raises as `CellFindings.result`."""
    return [
        {
            variant: findings if isinstance(findings, OddlensError) else findings.result(job, variant)
            for variant, findings in of_job.items()
        }
        for job, of_job in zip(jobs, found, strict=True)
    ]


def _counts(job: Job) -> dict[str, int]:
    everything = job.source.dataset.select(job.category)
    return {
        "normal": sum(record.label == 0 for record in job.records),
        "abnormal": sum(record.label == 1 for record in job.records),
        "drawn": sum(record.label == 1 and record.mask is not None for record in job.records),
        "unlabelled": sum(record.label is None for record in everything),
    }


def _drawing(record: Record, anomaly_map: Map, value_range: tuple[float, float]) -> str:
    mask = None if record.mask is None else read_mask(record)
    picture = draw(read_image(record.image).pixels, mask, anomaly_map, value_range)
    return html.data_uri(picture, quality=82)
