"""The results that a run kept, image by image, with what is marked in each: what other programs are given of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.detection import Detection, Marking, Region, RegionOfInterest, ValueRange, Verdict
from oddlens.errors import UsageError, counted, printable
from oddlens.inference.judgement import Basis, marking_of
from oddlens.inference.kept_maps import kept_map
from oddlens.inference.records import Record, read_records, verdict_of
from oddlens.inference.results import kept_results, unique_names
from oddlens.io.paths import in_utf8, is_file
from oddlens.io.remote import ImagePath, RemotePath, is_address

DEFECT = "defect"
"""What a region is called that has no name."""


@dataclass(frozen=True)
class KeptImage:
    """An image that has a result, and is what it was then.

    Attributes:
        record: Its line of results.jsonl.
        key: Its name in the results, see `ResultsFolder.key_of`.
        path: Its file, absolute.
        name: A file name, with suffix, that no other image of the results has.
    """

    record: Record
    key: str
    path: Path
    name: str

    @property
    def verdict(self) -> Verdict | None:
        """What it was called."""
        return verdict_of(self.record)

    @property
    def score(self) -> float:
        """Of the whole image."""
        return float(self.record["score"])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, upright."""
        width, height = self.record["image_size"]
        return width, height


@dataclass(frozen=True)
class Marked:
    """A region of an image. mask: bool [height, width], at the image's own size; None where the run kept no map of it."""

    region: Region
    mask: NDArray[np.bool_] | None

    @property
    def label(self) -> str:
        """What the defect is probably called, else "defect"."""
        name = self.region.names[0][0] if self.region.names else "unknown"
        return DEFECT if name == "unknown" else name

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height in pixels."""
        return self.region.x, self.region.y, self.region.width, self.region.height


class KeptResults:
    """The results in a folder.

    Attributes:
        root: The folder of a run.
        run: What made them, as run.json says.
        images: Those that other programs can be given, in the order of the run.
        said: What was passed over, in sentences.

    Raises:
        UsageError: There are no results there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        folder = kept_results(root)
        folder.check_judged()
        self.document = folder.document
        self.run: Mapping[str, object] = folder.document["run"]
        self.records = tuple(read_records(folder.lines).values())
        found: dict[Path, Record] = {}
        failed = frames = changed = 0
        for record in self.records:
            if "error" in record or "image_size" not in record:
                failed += 1
                continue
            path, frame = place_of(root, record) if "file" in record else (Path(), None)
            if frame is not None:
                frames += 1
            elif not isinstance(path, Path) or "file" not in record or folder.file_of(path) != record["file"]:
                changed += 1
            else:
                found[path.resolve()] = record
        # Other programs cannot write down every name. A name that spells another one is left to itself.
        spelled = {path: path if (other := Path(in_utf8(str(path)))) in found else other for path in found}
        names = unique_names(list(spelled.values()))
        self.images = tuple(
            KeptImage(record, record["file"]["path"], path, f"{names[spelled[path]]}{spelled[path].suffix}")
            for path, record in found.items()
        )
        self.said = tuple(
            counted(count, one, many)
            for count, one, many in (
                (failed, "image has no result and is left out", "images have no result and are left out"),
                (
                    frames,
                    "frame of a video is no image file and is left out",
                    "frames of videos are no image files and are left out",
                ),
                (
                    changed,
                    "image has changed since or is gone, and is left out: 'oddlens detect --resume' runs it again",
                    "images have changed since or are gone, and are left out: 'oddlens detect --resume' runs them again",
                ),
            )
            if count
        )
        if not self.images:
            raise UsageError(f"{printable(str(root))} has no image to give: {'; '.join(self.said) or 'it is empty'}")
        roi = self.run.get("roi")
        self._roi = None if roi is None else RegionOfInterest.from_dict(roi)
        self._marking = marking_of(folder.document) or Marking()

    @cached_property
    def value_range(self) -> ValueRange:
        """The ends of the colour scale of all maps: that of the run; where it does not say, from 0 to their highest value."""
        basis = Basis.of(self.document)
        if basis is not None:
            return (basis.calibration and basis.calibration.value_range) or basis.fixed_range
        maps = (found for image in self.images if (found := self.anomaly_map(image)) is not None)
        return ValueRange(
            0.0, max((float(each.max()) for each in maps), default=1.0), "0 to the highest of these results"
        )

    def anomaly_map(self, image: KeptImage) -> NDArray[np.float32] | None:
        """The map of an image, float32 [height, width]; None where none was kept, or it is damaged."""
        return kept_map(self.root, image.record)

    def marked(self, image: KeptImage) -> Iterator[Marked]:
        """What is marked in an image, the hottest region first."""
        if not image.record.get("regions"):
            return
        anomaly_map = self.anomaly_map(image)
        detection = Detection.from_dict(image.record, anomaly_map)
        if anomaly_map is None:
            yield from (Marked(region, None) for region in detection.regions)
            return
        detection = replace(detection, marking=self._marking, roi=self._roi)
        regions = with_names(detection.regions, image.record)
        yield from map(Marked, regions, detection.region_masks())


def with_names(regions: tuple[Region, ...], record: Record) -> tuple[Region, ...]:
    """Regions with the suggested names that a line has of them: what suggests names is a model."""
    earlier = map(Region.from_dict, record.get("regions", []))
    named = {(each.x, each.y, each.width, each.height, each.area): each.names for each in earlier if each.names}
    if not named:
        return regions
    return tuple(
        replace(each, names=named.get((each.x, each.y, each.width, each.height, each.area), each.names))
        for each in regions
    )


def place_of(root: Path, record: Record) -> tuple[ImagePath, int | None]:
    """Where the image of a line is, and its number if it is a frame of a video."""
    place = record["file"]["path"]
    if is_address(place):
        return RemotePath(place), None
    path, mark, number = place.rpartition("#")
    if mark and number.isdecimal() and record["path"].endswith(f"#{number}") and not is_file(root / place):
        return root / path, int(number)
    return root / place, None
