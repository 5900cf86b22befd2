"""Sinks take the results of a run: a folder, lines of JSON, a table. A run has any number, each fed in the images' order."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.errors import Failure, UsageError, printable
from oddlens.inference.kept_maps import kept_map
from oddlens.inference.kinds import KINDS, drawing_place
from oddlens.inference.records import FileDocument, Record, unfiled
from oddlens.inference.results import ResultsFolder
from oddlens.inference.run_document import RunDocument
from oddlens.inference.task import HeldImage, Item, RunInfo, SentImage
from oddlens.io.atomic import remove, replacing, write_text
from oddlens.io.cells import harmless
from oddlens.io.pixels import Pixels
from oddlens.io.png import write_png
from oddlens.io.remote import ImagePath, RemotePath
from oddlens.io.video import VideoFrame
from oddlens.visualization.label_image import draw_labels
from oddlens.visualization.preview import write_preview

if TYPE_CHECKING:
    from oddlens.detection import Detection


class Sink:
    """Takes the results of a run. A sink overrides what it needs; an image is known by its number in the task.

    The run calls `check` before anything else; of each image in order `earlier`, before it is read; `begin` when the first new
    result is there; of each new detection `draw`, in some thread; of each image in order `write`. `finish` comes after the last
    one, unless the run was stopped, and `close` always. Any of them may raise an `OddlensError`, which ends the run; one from
    `draw` that is no `DiskError` fails the image alone. A sink that raises in `write` gets no more records; the others still get
    all that is computed.
    """

    needs_image = False
    """Whether `draw` needs the image's pixels."""

    def settings(self) -> Mapping[str, object]:
        """What the sink adds to the settings of the run: a continued run must have the same."""
        return {}

    def check(self, run: RunInfo) -> None:
        """Raise UsageError if the sink cannot take the run. Nothing is written yet."""

    def earlier(self, number: int) -> Record | None:
        """The result that an earlier run wrote of this image; None: there is none, or the image is another one now."""
        return None

    def earlier_map(self, record: Record) -> NDArray[np.float32] | None:
        """The anomaly map of an earlier result; None: this sink holds none. Raises UsageError if it is missing."""
        return None

    def begin(self) -> None:
        """Prepare for the first new result."""

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """Write the drawings of a detection; returns their entries of the record. Called in threads, in any order.

        pixels: reads the image if it is not held any more; only for a sink that `needs_image`.
        """
        return {}

    def elsewhere(self) -> Sink:
        """What draws in its place where images run in other processes (see `oddlens.inference.engine`): it is pickled.

        Its `check` is called with a part of the task, and `draw` with the numbers of images there.
        """
        return self

    def drawn_as(self, source: str) -> str | None:
        """What the files of an image are called that another process draws; None: this sink gives no names."""
        return None

    def kept(self, number: int) -> object:
        """In another process: what `draw` kept of an image for `write`, which then needs it here no more; None: nothing."""
        return None

    def keep(self, number: int, kept: object) -> None:
        """Take what was `kept` in another process, before `write`."""

    def write(self, number: int, record: Record) -> Record:
        """Take the record of an image, also an earlier one; returns the record for the sinks after this one."""
        return record

    def finish(self) -> None:
        """All images of the task are written."""

    def close(self) -> None:
        """Release everything that is held; called once for every `check` that passed."""


class FolderSink(Sink):
    """A results folder: run.json, results.jsonl, and of each image what `kinds` names (see `oddlens.inference.kinds.KINDS`).

    basis: gives what else run.json says, under "basis": what `oddlens.inference.judge` needs to know of the detector.

    Attributes:
        new: The number of lines that this run has added; the others are those of earlier runs.
    """

    def __init__(
        self,
        folder: ResultsFolder,
        kinds: Collection[str] = tuple(KINDS),
        basis: Callable[[], Mapping[str, object]] | None = None,
    ) -> None:
        self.folder = folder
        self._basis = basis
        self.new = 0
        self.needs_image = "overlays" in kinds or "previews" in kinds
        self._kinds = kinds
        self._files: dict[int, FileDocument | None] = {}

    def settings(self) -> Mapping[str, object]:
        """See `Sink`."""
        return {name: name in self._kinds for name in KINDS}

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        if run.smooths and "maps" not in self._kinds:
            raise UsageError("smoothing continues from the maps of a stopped run: write maps, too")
        self._run = run
        self.folder.check(run.settings)
        self._files.clear()
        self._is_writable = False
        keys = {item: self._key(item) for item in run.task.items if not isinstance(item, Failure)}
        self._names = {os.fspath(item): name for item, name in self.folder.names(keys).items()}

    def earlier(self, number: int) -> Record | None:
        """See `Sink`."""
        item = self._run.task.items[number]
        if isinstance(item, Failure):
            file = None
        elif isinstance(item, VideoFrame):
            file = self.folder.file_of(item.video.path, item.number)
        else:
            file = self.folder.file_of(_place(item))
        self._files[number] = file  # as it is before the image is read
        known = self.folder.known(file)
        if known is None and not self._is_writable:  # else nothing may be left to write
            self.folder.check_writable()
            self._is_writable = True
        return known

    def earlier_map(self, record: Record) -> NDArray[np.float32]:
        """See `Sink`."""
        anomaly_map = kept_map(self.folder.root, record)
        if anomaly_map is None:
            raise UsageError(
                f"{printable(str(self.folder.root / record['map']))}, from which smoothing would continue, is missing or damaged: "
                "add --overwrite to start over, or give another --out"
            )
        return anomaly_map

    def begin(self) -> None:
        """See `Sink`."""
        self.folder.begin(self._document)

    @cached_property
    def _document(self) -> RunDocument:
        return self._run.settings if self._basis is None else {**self._run.settings, "basis": self._basis()}

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`. Returns the paths of the drawings, relative to the folder."""
        return self.drawn(self._names[os.fspath(self._run.task.items[number])], detection, pixels)

    def drawn(self, name: str, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """Draw a detection under a name."""
        return draw_into(self.folder.root, self._kinds, name, detection, pixels)

    def elsewhere(self) -> Sink:
        """See `Sink`. It neither reads nor writes a line."""
        return _FolderDrawings(self.folder.root, self._kinds)

    def drawn_as(self, source: str) -> str:
        """See `Sink`."""
        return self._names[source]

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`. A record of an earlier run stands in the folder already."""
        file = self._files.pop(number)
        if "file" in record:
            return record
        self.new += 1
        return self.folder.append(record, file)

    def finish(self) -> None:
        """See `Sink`."""
        task = self._run.task
        self.folder.finish([(self._key(item), unfiled(os.fspath(item))) for item in task.items], self._document)

    def close(self) -> None:
        """See `Sink`."""
        self.folder.close()

    def _key(self, item: Item) -> str:
        if isinstance(item, VideoFrame):
            return self.folder.key_of(item.video.path, item.number)
        return unfiled(item.source) if isinstance(item, Failure) else self.folder.key_of(_place(item))


def _place(item: ImagePath | HeldImage | SentImage) -> ImagePath:
    return item if isinstance(item, Path | RemotePath) else Path(item)


class _FolderDrawings(Sink):
    """Draws into the folder of a `FolderSink` that is in another process."""

    def __init__(self, root: Path, kinds: Collection[str]) -> None:
        self.needs_image = "overlays" in kinds or "previews" in kinds
        self._root, self._kinds = root, kinds

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        self._items = run.task.items

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        item = self._items[number]
        assert isinstance(item, SentImage)
        assert item.drawn_as is not None
        return draw_into(self._root, self._kinds, item.drawn_as, detection, pixels)


def draw_into(
    root: Path, kinds: Collection[str], name: str, detection: Detection, pixels: Callable[[], Pixels]
) -> Record:
    """Write the drawings of some kinds of a detection under a name; returns their entries of the record."""
    pixels = cache(pixels)
    written: Record = {}
    for kind in KINDS:
        if kind in kinds and has_drawing(kind, detection):
            place = drawing_place(kind, name)
            write_drawing(kind, root / place, detection, pixels)
            written[KINDS[kind].field] = place
    return written


def has_drawing(kind: str, detection: Detection) -> bool:
    """Whether a detection has a drawing of a kind: masks need a pixel threshold, labels a method that knows classes."""
    if kind == "masks":
        return detection.thresholds.pixel is not None
    return kind != "labels" or detection.labels is not None


def write_drawing(kind: str, path: Path, detection: Detection, pixels: Callable[[], Pixels]) -> None:
    """Write a drawing of a kind that a detection has, whole or not at all. pixels: reads the image, if the kind needs it."""
    write = _drawing(kind, detection, pixels)
    with replacing(path) as temporary:
        write(temporary)


def _drawing(kind: str, detection: Detection, pixels: Callable[[], Pixels]) -> Callable[[Path], object]:
    """What writes a kind of drawing to a path."""
    match kind:
        case "overlays":
            return partial(write_png, pixels=detection.overlay_pixels(pixels()))
        case "maps":
            return Image.fromarray(detection.anomaly_map).save
        case "masks":
            return partial(write_png, pixels=255 * detection.mask().view(np.uint8))
        case "labels":
            assert detection.labels is not None
            return partial(draw_labels(detection.labels, detection.image_size).save, compress_level=1)
        case _:
            return partial(write_preview, pixels=pixels())


class JsonLinesSink(Sink):
    """One line of JSON an image, to an open text stream: each is there as soon as its image is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        self._stream.write(json.dumps(record, allow_nan=False) + "\n")
        self._stream.flush()
        return record


COLUMNS = (
    "path", "score", "verdict", "is_anomalous", "threshold", "p_value", "regions", "largest_region", "largest_mm2", "name",
    "width", "height", "ms", "audit", "concern", "note", "error", "overlay", "map", "mask", "labels",
)  # fmt: skip
"""Of results.csv. regions: how many; empty without a pixel threshold. largest_region: its area in pixels; largest_mm2:
in square millimetres, where it is known how large a pixel is. name: what the hottest region may be. audit: True of an image that
was drawn at random for audit."""


class CsvSink(Sink):
    """A table, one row an image of the run in their order: UTF-8, with the names of `COLUMNS`. It is written at the end of the run.

    A text that a spreadsheet would compute gets an apostrophe in front.

    A table of an earlier run is removed when this one begins, and so is the Parquet file beside it
    (`oddlens.inference.parquet`): they never lie beside results that they do not show.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table = io.StringIO(newline="")
        self._rows = csv.DictWriter(self._table, COLUMNS, restval="", lineterminator="\n")

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        self.start()

    def start(self) -> None:
        """Begin a table."""
        self._has_rows = False
        self._table.truncate(self._table.seek(0))
        self._rows.writeheader()

    def begin(self) -> None:
        """See `Sink`."""
        remove(self._path)
        remove(self._path.with_suffix(".parquet"))

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        self._has_rows = True
        self._rows.writerow({name: harmless(value) for name, value in table_row(record).items()})
        return record

    def finish(self) -> None:
        """See `Sink`. A run without an image writes nothing, as the folder beside it."""
        if self._has_rows:
            write_text(self._path, self._table.getvalue())


def write_csv(path: Path, records: Iterable[Record]) -> None:
    """Write the table of all records at once, as `CsvSink` does; a Parquet file beside it goes."""
    remove(path.with_suffix(".parquet"))
    table = CsvSink(path)
    table.start()
    for number, record in enumerate(records):
        table.write(number, record)
    table.finish()


def table_row(record: Record) -> dict[str, object]:
    """A line of results as the table has it: the names of `COLUMNS` that there is something of."""
    said: Mapping[str, object] = record
    row: dict[str, object] = {name: said[name] for name in COLUMNS if name in said and name != "regions"}
    if record.get("pixel_threshold") is not None:
        regions = record["regions"]
        row |= {"regions": len(regions), "largest_region": max((region["area"] for region in regions), default=0)}
        if sizes := [region["area_mm2"] for region in regions if "area_mm2" in region]:
            row["largest_mm2"] = max(sizes)
        if regions and regions[0].get("names"):
            row["name"] = regions[0]["names"][0][0]
    if "image_size" in record:
        row["width"], row["height"] = record["image_size"]
    return row
