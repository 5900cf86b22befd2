"""What a method finds in one image: the type that Python, the command line and every sink speak."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from oddlens.detection.marking import Marking
from oddlens.detection.region_of_interest import RegionOfInterest
from oddlens.detection.regions import Marks, Region, RegionDocument, mark_hottest, mark_where, resize_map
from oddlens.detection.thresholds import Thresholds, ValueRange, Verdict
from oddlens.errors import OddlensError, UsageError, printable, shortened
from oddlens.io.strict_json import require_form

if TYPE_CHECKING:
    from PIL import Image

    from oddlens.io.images import ImageInput


UNSEEN = "the mask of the background leaves nothing of this image, so that its score says nothing"
"""The `Detection.concern` of an image of which the method looked at nothing."""


class DetectionFields(TypedDict, total=False):
    """What a document says of a detection where there is something to say. classes: see `Detection.class_shares`."""

    threshold: float | None
    pixel_threshold: float | None
    threshold_source: str | None
    review_threshold: float | None
    p_value: float | None
    concern: str | None
    unlike: bool
    unseen: bool
    note: str | None
    classes: dict[str, float]


class DetectionDocument(DetectionFields):
    """What `Detection.to_dict` writes. image_size: [width, height], in pixels."""

    path: str
    score: float
    is_anomalous: bool | None
    verdict: Verdict | None
    regions: list[RegionDocument]
    image_size: list[int]


class _Described(DetectionFields):
    """What `Detection.from_dict` reads: what the thresholds make of the score is not among it."""

    path: str
    score: float
    image_size: list[int]
    regions: NotRequired[list[dict[str, object]]]


@dataclass(frozen=True, eq=False)
class Detection:
    """What a method finds in one image. Score and map are finite: an image where they are not is a `Failure`.

    Nothing in score and map depends on the thresholds.

    Attributes:
        score: Of the whole image; higher = more anomalous.
        anomaly_map: float32 [height, width] at the recipe's output resolution, the method's own values; [0, 0] where it is not at
            hand (`from_dict`).
        image_size: (width, height) of the image in pixels.
        thresholds: Those in force.
        value_range: The ends of the colour scale of `overlay`.
        source: The image's path, or "image 3".
        note: What a person should know of the image, in a sentence.
        parts: What the score is made of, if a benchmark joins it with the scores of other images.
        labels: uint8 [height, width], the known class of every pixel as a number into `label_names`, if the method knows classes.
        label_names: The classes in the order of their numbers.
        shares: See `class_shares`; only where `labels` are not at hand.
        p_value: How unusual the score is among those of good images, see `Calibration.p_value`; None without a calibration, and
            where the image `is_unseen`.
        concern: Why the verdict is "review" whatever the score is, in a sentence: the image does not look like one that the score
            can be trusted on. None: there is no reason.
        unlike: Whether the image as a whole is unlike the good ones. That is a concern where much of it is marked.
        is_unseen: Whether the method looked at nothing of the image: no verdict has a basis, and nothing is marked.
        marking: Which regions are large enough, and how large a pixel is.
        roi: Where to look; None: everywhere. Score and map are of what lies inside already.
        embedding: float32 [channels], what the detector calls the image as a whole, where it knows the scene of its part.
    """

    score: float
    anomaly_map: NDArray[np.float32]
    image_size: tuple[int, int]
    thresholds: Thresholds
    value_range: ValueRange
    source: str = ""
    note: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    labels: NDArray[np.uint8] | None = None
    label_names: tuple[str, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    p_value: float | None = None
    concern: str | None = None
    unlike: bool = False
    is_unseen: bool = False
    marking: Marking = field(default_factory=Marking)
    roi: RegionOfInterest | None = None
    embedding: NDArray[np.float32] | None = None

    @classmethod
    def from_dict(cls, document: Mapping[str, object], anomaly_map: NDArray[np.float32] | None = None) -> Detection:
        """The detection that `to_dict`, or a line of results.jsonl, describes.

        Args:
            document: That dictionary.
            anomaly_map: The map, for instance as read from OUT/maps. Without it there are the score, the verdict and the regions,
                and no heatmap, mask or overlay.

        Raises:
            UsageError: The document is of something else, or a number is not finite.

        Examples:
            >>> line = {"path": "nut.png", "score": 0.7, "threshold": 0.5, "image_size": [640, 480]}
            >>> found = Detection.from_dict(line)
            >>> found.is_anomalous, found.image_size
            (True, (640, 480))
        """
        said = require_form(document, _Described, "this is no detection")
        size = said["image_size"]
        if len(size) != 2 or min(size) < 1:
            raise UsageError("this is no detection: its image_size is not width, height")
        try:
            values = np.zeros((0, 0), np.float32) if anomaly_map is None else np.asarray(anomaly_map, np.float32)
        except (TypeError, ValueError) as error:
            raise UsageError(f"a map cannot be {shortened(anomaly_map)}: give an array, or leave it out") from error
        if values.ndim != 2 or not np.isfinite(values).all():
            raise UsageError("this is no detection: its map is not finite, or has not two dimensions")
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        found = cls(
            float(said["score"]),
            values,
            (size[0], size[1]),
            Thresholds(
                said.get("threshold"),
                said.get("pixel_threshold"),
                said.get("threshold_source"),
                said.get("review_threshold"),
            ),
            ValueRange(low, high, "range of this image"),
            said["path"],
            said.get("note"),
            shares=said.get("classes", {}),
            p_value=said.get("p_value"),
            concern=said.get("concern"),
            unlike=said.get("unlike", said.get("concern") not in (None, UNSEEN)),
            is_unseen=said.get("unseen", said.get("concern") == UNSEEN),  # earlier versions wrote the sentence alone
        )
        if values.size:
            return found
        return found.with_regions(tuple(Region.from_dict(each) for each in said.get("regions", [])))

    def with_regions(self, regions: tuple[Region, ...]) -> Detection:
        """The same with regions that are known, by names too: they are not found again."""
        other = replace(self)
        other.__dict__["regions"] = regions
        return other

    @property
    def threshold(self) -> float | None:
        """The threshold of the score, or None where there is none."""
        return self.thresholds.image

    @property
    def verdict(self) -> Verdict | None:
        """Whether the image is called "ok", "review" or "ng"; None without a threshold. With a `concern` it is "review"."""
        return "review" if self.concern is not None else self.thresholds.verdict(self.score)

    @property
    def is_anomalous(self) -> bool | None:
        """Whether the verdict is "ng": the score is greater than the threshold; None without a threshold."""
        return None if self.verdict is None else self.verdict == "ng"

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The parts of the image that exceed the pixel threshold, by descending peak; empty without a threshold.

        They agree with the verdict: an image that is "ok" has none, and one that is not has at least one, unless it `is_unseen`.
        Where no pixel of it exceeds the threshold, or no region is large enough, that one is the hottest, see `mask`.
        """
        marks = self._marks()
        return () if marks is None else marks.regions

    @property
    def is_marked(self) -> bool:
        """Whether there are regions, or may be, for which the map is needed."""
        return self.thresholds.pixel is not None and self.verdict != "ok" and not self.is_unseen

    def _marks(self) -> Marks | None:
        """The regions and their pixels; None where nothing is to be marked, for which no map is needed."""
        if not self.is_marked or self.thresholds.pixel is None:
            return None
        heatmap, inside = self.heatmap(), self._inside()
        beyond = heatmap > self.thresholds.pixel
        found = mark_where(heatmap, beyond if inside is None else beyond & inside, self.marking)
        large = found.only(self.marking)
        if large.regions or self.verdict is None:
            return large
        return found.first() if found.regions else mark_hottest(heatmap, inside, self.marking)

    def _inside(self) -> NDArray[np.bool_] | None:
        """Where to look, at the image's own size; None: everywhere."""
        return None if self.roi is None else self.roi.inside(self.image_size)

    def heatmap(self) -> NDArray[np.float32]:
        """The anomaly map at the image's own size, bilinear: float32 [height, width].

        Outside of the region of interest it has its lowest value. Raises `UsageError` where there is none.
        """
        if not self.anomaly_map.size:
            raise UsageError(
                f"the anomaly map of {printable(self.source)} is not at hand: give it to Detection.from_dict"
            )
        heatmap, inside = resize_map(self.anomaly_map, self.image_size), self._inside()
        if inside is not None:
            heatmap[~inside] = self.anomaly_map.min()
        return heatmap

    def mask(self, threshold: float | None = None) -> NDArray[np.bool_]:
        """Where the image exceeds a threshold: bool [height, width], at the image's own size.

        Args:
            threshold: For values of the anomaly map. None: the pixel threshold, and what is marked is what `regions` are: nothing
                of an image that is "ok", and of another one in which nothing exceeds the threshold, or all is too small, the
                hottest region.

        Raises:
            UsageError: There is no threshold, or no map.
        """
        limit = self.thresholds.pixel if threshold is None else Thresholds(pixel=threshold).pixel
        if limit is None:
            raise UsageError(
                "there is no pixel threshold: give one, or two good examples or more, from which the detector takes it"
            )
        if threshold is None:
            marks = self._marks()
            return np.zeros(self.image_size[::-1], np.bool_) if marks is None else marks.mask()
        beyond: NDArray[np.bool_] = self.heatmap() > limit
        inside = self._inside()
        return beyond if inside is None else beyond & inside

    def region_masks(self) -> Iterator[NDArray[np.bool_]]:
        """Where each of the `regions` is, in their order: bool [height, width], at the image's own size.

        Raises `UsageError` where something is marked and there is no map.
        """
        marks = self._marks()
        return iter(()) if marks is None else (marks.just(number).mask() for number in range(len(marks.regions)))

    def overlay(self, image: ImageInput | None = None) -> Image.Image:
        """The anomaly map over the image, with outlines of the regions; above it the name, folder, score and verdict, below it a
        colour bar that names its range.

        Args:
            image: The image; None: it is read again from `source`. For a frame of a video that means to decode the video up
                to there: in a loop over many frames, give the frame.

        Raises:
            ImageError: The image cannot be read.
            UsageError: There is no map.
        """
        from PIL import Image

        return Image.fromarray(self.overlay_pixels(image))

    def overlay_pixels(self, image: ImageInput | None = None) -> NDArray[np.uint8]:
        """As `overlay`: uint8 [height, width, 3], RGB."""
        from oddlens.visualization.overlay import draw_overlay_pixels

        lines = ("NG", self.thresholds.image), ("review", self.thresholds.review)
        return draw_overlay_pixels(
            self._pixels_of(image),
            self.heatmap(),
            (self.value_range.low, self.value_range.high),
            [np.array(region.outline) for region in self.regions],
            "/".join(Path(self.source).parts[-2:]),
            self.value_range.label,
            self.verdict,
            detail=f"score {self.score:.3f}"
            + "".join(f"   {name} above {at:.3f}" for name, at in lines if at is not None),
            threshold=self.thresholds.pixel,
            looked_at=self._looked_at(),
        )

    def painted_pixels(self, image: ImageInput | None = None) -> NDArray[np.uint8]:
        """As `overlay_pixels`, without the strips above and below: of the image's own size."""
        from oddlens.visualization.overlay import paint

        return paint(
            self._pixels_of(image),
            self.heatmap(),
            (self.value_range.low, self.value_range.high),
            [np.array(region.outline) for region in self.regions],
            self.thresholds.pixel,
            self._looked_at(),
        )

    def _pixels_of(self, image: ImageInput | None) -> NDArray[np.uint8]:
        from oddlens.io.images import read_image
        from oddlens.io.video import read_named_frame

        if image is None and (frame := read_named_frame(self.source)) is not None:
            return frame.pixels
        # It was found on that image, which was within the limit then.
        return read_image(self.source if image is None else image, max_megapixels=math.inf).pixels

    def _looked_at(self) -> list[NDArray[np.int32]]:
        return [] if self.roi is None else self.roi.outlines(self.image_size)

    def class_shares(self) -> dict[str, float]:
        """The share of the image, from 0 to 1, that each known class has, in the order of `label_names`; {} without classes."""
        if self.labels is None:
            return dict(self.shares)
        counts = np.bincount(self.labels.ravel(), minlength=len(self.label_names))
        return {
            name: round(int(count) / self.labels.size, 4) for name, count in zip(self.label_names, counts, strict=True)
        }

    def to_dict(self) -> DetectionDocument:
        """Everything but map and labels, as JSON values; "classes" has the shares of the known classes, where there are any."""
        document: DetectionDocument = {
            "path": self.source,
            "score": self.score,
            "is_anomalous": self.is_anomalous,
            "verdict": self.verdict,
            "threshold": self.thresholds.image,
            "pixel_threshold": self.thresholds.pixel,
            "threshold_source": self.thresholds.source,
            "regions": [region.to_dict() for region in self.regions],
            "image_size": list(self.image_size),
        }
        if self.thresholds.review is not None:
            document["review_threshold"] = self.thresholds.review
        if self.p_value is not None:
            document["p_value"] = self.p_value
        if self.concern is not None:
            document["concern"] = self.concern
        if self.unlike:
            document["unlike"] = True
        if self.is_unseen:
            document["unseen"] = True
        if self.note is not None:
            document["note"] = self.note
        if shares := self.class_shares():
            document["classes"] = shares
        return document

    def __repr__(self) -> str:
        """Name, score, verdict and size; the map is left out."""
        verdict = "" if self.verdict is None else f", {self.verdict}"
        width, height = self.image_size
        return f"Detection({shortened(self.source)}, score {self.score:.4g}{verdict}, {width} x {height} pixels)"

    def _repr_html_(self) -> str | None:
        """The overlay and the verdict, as notebooks show it; None, which means the plain text, where there is nothing to draw."""
        from oddlens.io.notebook import facts
        from oddlens.visualization.html import data_uri

        try:
            drawing = self.overlay()
        except OddlensError:
            return None
        image = f'<img src="{data_uri(drawing)}" alt="score {self.score:.3f}" style="max-width: 100%">'
        threshold = "" if self.threshold is None else f" (NG above {self.threshold:.4g})"
        return image + facts(
            printable(self.source),
            [
                ("score", f"{self.score:.4g}{threshold}"),
                ("verdict", "none: there is no threshold" if self.verdict is None else self.verdict),
                ("because", self.concern or ""),
                ("p-value", "" if self.p_value is None else f"{self.p_value:.3g}"),
                ("note", self.note or ""),
            ],
        )
