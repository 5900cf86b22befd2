"""A run that has no end: images as they come, one results folder, and a report now and then.

It is a run of `oddlens.inference.runner` for each few images that are there, whose sinks stay open: what is read ahead, drawn in
threads and written in order is so here too. A stopped one goes on where it stopped, and inspects no content twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from oddlens.detection import Detection
from oddlens.errors import Failure, OddlensError, printable
from oddlens.inference.cameras import Frame
from oddlens.inference.kinds import KINDS
from oddlens.inference.predictor import Predictor
from oddlens.inference.records import FileDocument, Record, count_verdicts, each_record, read_records
from oddlens.inference.results import ResultsFolder, drawn_name, spellings
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink, Sink, write_csv
from oddlens.inference.task import HeldImage, RunInfo, Task
from oddlens.inference.watch import Mover, WatchedFile
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import exists, is_file
from oddlens.io.pixels import Pixels

MOST_TOGETHER = 32
MOST_BYTES = 64_000_000
"""Images that one run takes, and the bytes of their files."""

REPORT_S = 60.0
"""Seconds between two reports; more where one takes long to write: at most a twentieth of the time goes into them."""

FRAMES = "frames"
"""The folder in OUT of the frames of a camera that are kept: all that are not OK."""


def image_of_file(file: WatchedFile, came: Callable[[], float] = time.time) -> HeldImage:
    """A file of a watched folder as an image of a run."""
    path = file.path
    return HeldImage(
        str(path), path.stem, file.data, file.sha256, datetime.fromtimestamp(came(), UTC), path, file.modified
    )


def image_of_frame(frame: Frame) -> HeldImage:
    """A frame of a camera as an image of a run, encoded without loss."""
    data = frame.encoded()
    stem = f"{frame.time:%Y%m%d-%H%M%S}-{frame.time.microsecond // 1000:03d}"
    return HeldImage(frame.name, stem, data, sha256(data).hexdigest(), frame.time)


def together(images: Iterable[HeldImage]) -> Iterator[list[HeldImage]]:
    """The images in small groups; no image is taken before the group before it is done."""
    group: list[HeldImage] = []
    size = 0
    for image in images:
        group.append(image)
        size += len(image.data)
        if len(group) == MOST_TOGETHER or size >= MOST_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


class LiveFolder(FolderSink):
    """A results folder that grows without an end, see `FolderSink`. Lines are in the order of time, and name the content.

    An image that is moved is named by the place that it is moved to; the line is there first, so that a stop loses no result.

    Attributes:
        images: Those of the run that comes next.

    Args:
        folder: Opened to append.
        kinds: See `FolderSink`.
        basis: See `FolderSink`.
        mover: Moves files by their verdict; None: they stay.
        say: Called with what could not be moved; once, with a file that stays where an earlier run left it.
    """

    def __init__(
        self,
        folder: ResultsFolder,
        kinds: Collection[str] = tuple(KINDS),
        basis: Callable[[], Mapping[str, object]] | None = None,
        *,
        mover: Mover | None = None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        super().__init__(folder, kinds, basis)
        self.images: Sequence[HeldImage] = ()
        self._mover, self._say = mover, say
        self._verdicts: dict[bytes, str] = {}  # of all content that was inspected
        self._unmoved: dict[bytes, Path] = {}
        self._stays: dict[bytes, str] = {}  # where results name it, of what earlier runs inspected and did not move
        self._owners: dict[str, str] = {}  # of names of drawings
        self._named: dict[int, str] = {}
        self._has_said_stays = False

    def check(self, run: RunInfo) -> None:
        """See `Sink`. Reads what earlier runs wrote, a line at a time."""
        self._run = run
        self.folder.check(run.settings)
        self.folder.check_writable()
        if self.folder.continues:
            for record in each_record(self.folder.lines):
                self._learn(record)

    def is_known(self, path: Path, digest: str) -> bool:
        """Whether content was inspected already; such a file leaves a folder whose files are moved."""
        key = bytes.fromhex(digest)
        if key not in self._verdicts:
            return False
        if self._mover is not None:
            if self._stays.get(key) == self.folder.key_of(path):
                self._say_stays(path)
                return True
            place = self._unmoved.pop(key) if key in self._unmoved else self._mover.place(path, self._verdicts[key])
            self._move(path, place)
        return True

    def earlier(self, number: int) -> Record | None:
        """See `Sink`: none is; who gives the images knows."""
        image = self.images[number]
        owner = self._owner(image.name, image.sha256)
        names = spellings(image.stem, image.sha256)
        name = next(each for each in names if self._owners.get(each.casefold(), owner) == owner)
        self._owners[name.casefold()] = owner
        self._named[number] = name
        return None

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        return self.drawn(self._named[number], detection, pixels)

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        image, name = self.images[number], self._named.pop(number)
        (verdict,) = count_verdicts([record])
        place = image.file
        if image.file is not None and self._mover is not None:
            place = self._mover.place(image.file, verdict)
        elif image.file is None and verdict != "ok":
            place = self.folder.root / FRAMES / f"{name}.png"
            write_bytes(place, image.data)
        record = {**record, "sha256": image.sha256}
        if place is not None:
            modified = image.modified if image.file is not None else place.stat().st_mtime
            file: FileDocument = {"path": self.folder.key_of(place), "bytes": len(image.data), "modified": modified}
            record |= {"path": str(place), "file": file}
        record = self.folder.append(record)
        self.new += 1
        self._verdicts[bytes.fromhex(image.sha256)] = verdict
        if image.file is not None and place is not None and self._mover is not None:
            self._move(image.file, place)
        return record

    def finish(self) -> None:
        """See `Sink`. The table; lines stay in the order of time."""
        if is_file(self.folder.lines):
            write_csv(self.folder.root / "results.csv", read_records(self.folder.lines).values())

    def _learn(self, record: Record) -> None:
        """Take note of a line of an earlier run."""
        path = Path(record["path"])
        if "sha256" in record:
            key = bytes.fromhex(record["sha256"])
            (self._verdicts[key],) = count_verdicts([record])
            if self._mover is not None and path.is_relative_to(self._mover.folder) and not exists(path):
                self._unmoved[key] = path
            elif self._mover is not None and "file" in record:
                self._stays[key] = record["file"]["path"]
        if (name := drawn_name(record)) is not None:
            self._owners[name.casefold()] = self._owner(record["path"], record.get("sha256", ""))

    def _say_stays(self, path: Path) -> None:
        if not self._has_said_stays:
            self._has_said_stays = True
            self._say(
                f"{printable(str(path))} was inspected before, and not moved: it stays where its result names it, and so do others "
                "like it"
            )

    def _owner(self, name: str, digest: str) -> str:
        """Who a name of drawings belongs to: a file that stays, however often it is overwritten; else content."""
        return name if self._mover is None else digest

    def _move(self, path: Path, place: Path) -> None:
        assert self._mover is not None
        try:
            self._mover.move(path, place)
        except OddlensError as error:
            self._say(str(error))


class LiveRun:
    """Runs images as they are given. The sinks are checked at once, begun with the first image, and closed by `close`.

    Args:
        predictor: The detector.
        object_name: What is on the images.
        folder: Among the sinks.
        sinks: As for `run`.
        clock: Seconds, rising.

    Raises:
        UsageError: A sink cannot take this run.
    """

    def __init__(
        self,
        predictor: Predictor,
        object_name: str,
        folder: LiveFolder,
        sinks: Sequence[Sink],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._predictor, self._object_name, self._folder, self._clock = predictor, object_name, folder, clock
        self._lasting = [_Lasting(sink) for sink in sinks]
        self._is_changed = False
        self._due = clock() + REPORT_S
        try:
            run(predictor, Task(object_name, ()), self._lasting).close()  # the checks
        except BaseException:
            self.close()
            raise

    def take(self, images: Sequence[HeldImage]) -> Generator[Detection | Failure, None, None]:
        """Run a few images: one outcome for each, when every sink has taken it. Raises as `run` does."""
        self._folder.images = images
        self._is_changed = True
        # one by one: a score must not depend on what else came at the same time
        yield from run(self._predictor, Task(self._object_name, tuple(images)), self._lasting, batch_size=1)

    def report_if_due(self) -> None:
        """Write the report, if there is something new and the last one is a minute old."""
        if self._is_changed and self._clock() >= self._due:
            self.report()

    def report(self) -> None:
        """Let every sink finish: report, table, and what is to be said of the line."""
        started = self._clock()
        for sink in self._lasting:
            sink.inner.finish()
        self._is_changed = False
        self._due = self._clock() + max(REPORT_S, 20 * (self._clock() - started))

    def close(self) -> None:
        """Close every sink."""
        for sink in self._lasting:
            if sink.is_checked:
                sink.inner.close()
        self._lasting.clear()


class _Lasting(Sink):
    """A sink over many runs: it is checked and begun by the first one, and neither finished nor closed by any."""

    def __init__(self, inner: Sink) -> None:
        self.inner = inner
        self.is_checked = self._is_begun = False
        self.needs_image = inner.needs_image

    def settings(self) -> Mapping[str, object]:
        """See `Sink`."""
        return self.inner.settings()

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        if not self.is_checked:
            self.inner.check(run)
            self.is_checked = True

    def begin(self) -> None:
        """See `Sink`."""
        if not self._is_begun:
            self.inner.begin()
            self._is_begun = True

    def earlier(self, number: int) -> Record | None:
        """See `Sink`."""
        return self.inner.earlier(number)

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        return self.inner.draw(number, detection, pixels)

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        return self.inner.write(number, record)
