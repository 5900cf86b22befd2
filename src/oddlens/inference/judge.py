"""New verdicts over kept results: from the scores in results.jsonl and the maps beside it. No model runs, no torch is needed.

The lines are those that a fresh run with these thresholds would write, but for `ms`. A stop leaves the old or the new ones:

1. run.json says what is in force from now on, and that it is not done;
2. results.jsonl is replaced in one step, then results.csv and report.html;
3. overlays and masks are drawn again, one by one;
4. run.json says that it is done.

Runs refuse a folder that is not done. The same call again ends it, and does not draw again what is drawn already.
"""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import get_type_hints

from oddlens.calibration.scene import CONCERN, concern_of
from oddlens.detection import Detection, Marking, Region, RegionOfInterest
from oddlens.detection.detection import DetectionDocument
from oddlens.detection.region_of_interest import looked_at
from oddlens.errors import DiskError, OddlensError, UsageError, counted, printable
from oddlens.inference.judgement import Basis, Judgement
from oddlens.inference.kept_images import place_of, with_names
from oddlens.inference.kept_maps import kept_map
from oddlens.inference.kinds import DRAWINGS, KINDS, Field
from oddlens.inference.records import Record, count_unread, read_records, verdict_of, write_records
from oddlens.inference.report import write_report
from oddlens.inference.results import JUDGED, ResultsFolder, kept_results
from oddlens.inference.run_document import RunDocument, read_document
from oddlens.inference.sinks import has_drawing, write_csv, write_drawing
from oddlens.io.atomic import remove, write_text
from oddlens.io.images import read_image
from oddlens.io.loader import thread_count
from oddlens.io.lock import FolderLock
from oddlens.io.paths import matching
from oddlens.io.pixels import Pixels
from oddlens.io.preparation import Preparation
from oddlens.io.remote import ImagePath
from oddlens.io.strict_json import checked
from oddlens.io.video import Video

REDRAWN = ("overlays", "masks")
"""The kinds of drawings that show verdicts and marks."""

_NOT_OF_THE_RUN = {*get_type_hints(DetectionDocument), *DRAWINGS, "file"}
"""What `Detection.to_dict` may write, and what names files; the rest of a line is of its run."""

Advance = Callable[[str, int, int], None]
"""Is called with what is done, how many, and of how many."""


@dataclass(frozen=True)
class Judged:
    """What came of it.

    Attributes:
        records: The lines as they are now.
        changed: How many images have another verdict than before.
        said: What to know of images that could not be treated as the others, in sentences.
        failed: Of how many images a drawing could not be made.
    """

    records: Sequence[Record]
    changed: int
    said: Sequence[str] = ()
    failed: int = 0


def judge(
    root: Path,
    judgement: Judgement,
    *,
    kinds: Collection[str] | None = None,
    advance: Advance = lambda what, done, of: None,
) -> Judged:
    """Give the results in a folder new verdicts, regions, masks, overlays, table and report.

    Args:
        root: The folder of a run.
        judgement: What they follow from.
        kinds: Which of `REDRAWN` to draw; the others are removed, for they would show verdicts that do not hold any more. None:
            those that the run drew.
        advance: Is called while it works.

    Raises:
        UsageError: There are no results there that can be judged, or another program is writing.
        OddlensError: A file cannot be written.
    """
    return _Judging(kept_results(root), judgement, kinds, advance).run()


class _Judging:
    """The work on one folder."""

    def __init__(
        self, folder: ResultsFolder, judgement: Judgement, kinds: Collection[str] | None, advance: Advance
    ) -> None:
        self._folder, self._judgement, self._advance = folder, judgement, advance
        self._run = folder.document["run"]
        self._basis = Basis.of(folder.document)
        self._kinds = [kind for kind in REDRAWN if (self._run.get(kind) if kinds is None else kind in kinds)]
        if "overlays" in self._kinds and self._basis is None:
            raise UsageError(
                f"{printable(str(folder.root))} holds results of an earlier version of oddlens, which did not say how maps are "
                "coloured: add --write masks or --write nothing, which removes their overlays"
            )
        roi, calibration = self._run.get("roi"), judgement.calibration
        self._roi = None if roi is None else RegionOfInterest.from_dict(roi)
        self._preparation = Preparation.from_dict(self._run.get("preparation", {}))
        self._thresholds = judgement.thresholds
        self._range = (calibration and calibration.value_range) or (self._basis and self._basis.fixed_range)
        self._passed_over: Counter[_Said] = Counter()
        self._reasons: dict[_Said, str] = {}  # the first of each kind
        self._counting = threading.Lock()

    def run(self) -> Judged:
        """See `judge`."""
        folder, root = self._folder, self._folder.root
        with _locked(root):
            folder.clean()
            unread = count_unread(folder.lines)
            before = list(read_records(folder.lines).values())
            with ThreadPoolExecutor(thread_count(), "oddlens-judge") as pool:
                now = list(self._shown("verdicts", pool.map(self._judged, before), len(before)))
                since = self._begin(before, now)
                self._report(now)
                self._remove_others(now)
                self._draw(pool, now, since)
            if self._passed_over[_UNDRAWN]:  # lines name no drawing that is not there
                write_records(folder.lines, now)
                self._report(now)
            self._write(read_document(root / "run.json"), is_done=True)
        changed = sum(_verdict(one) != _verdict(other) for one, other in zip(before, now, strict=True))
        said = [
            f"{counted(count, *sentence)}{self._reasons[sentence]}" for sentence, count in self._passed_over.items()
        ]
        if unread:
            said.append(f"{counted(unread, *_UNREAD)}: 'oddlens detect --resume' runs those images again")
        return Judged(now, changed, said, self._passed_over[_UNDRAWN])

    def _report(self, now: Sequence[Record]) -> None:
        """The table and the report of the lines."""
        root, promise = self._folder.root, self._thresholds.promise
        write_csv(root / "results.csv", now)
        write_report(root, {"promise": [promise] if promise else []})

    def _shown(self, what: str, done: Iterable[Record], total: int) -> Iterator[Record]:
        for number, each in enumerate(done, start=1):
            yield each
            self._advance(what, number, total)

    def _begin(self, before: Sequence[Record], now: Sequence[Record]) -> int | None:
        """Put the new lines in force; gives since when (time of change, ns) drawings are of them already; None: none is."""
        folder = self._folder
        kept = {name: value for name, value in self._run.items() if name not in JUDGED} | self._judgement.settings
        run: dict[str, object] = json.loads(json.dumps(kept | {kind: kind in self._kinds for kind in REDRAWN}))
        goes_on = folder.is_half_judged and run == self._run and before == now
        self._write({**folder.document, "run": run}, is_done=False)
        if not goes_on:
            write_records(folder.lines, now)
        return folder.lines.stat().st_mtime_ns if goes_on else None

    def _write(self, document: RunDocument, *, is_done: bool) -> None:
        document = {**document, "judged": {"by": self._judgement.by, "is_done": is_done}}
        if self._basis is not None:
            document["basis"] = replace(self._basis, calibration=self._judgement.calibration).to_dict()
        write_text(self._folder.root / "run.json", json.dumps(document, indent=2) + "\n")

    def _judged(self, record: Record) -> Record:
        """The line of an image as it is from now on."""
        if "error" in record:
            return record
        detection, has_map = self._with_map(record)
        if not detection.is_marked:
            regions: tuple[Region, ...] = ()
        elif has_map:
            regions = with_names(detection.regions, record)
        else:
            self._pass_over(_NO_MAP)
            pixel = record.get("pixel_threshold")
            detection = replace(detection, thresholds=replace(detection.thresholds, pixel=pixel))
            regions = Detection.from_dict(record).regions
        detection = detection.with_regions(regions)
        own = {name: value for name, value in record.items() if name not in _NOT_OF_THE_RUN}
        file = {"file": record["file"]} if "file" in record else {}
        return checked({**detection.to_dict(), **own, **self._drawings(record, detection, has_map), **file}, Record)

    def _with_map(self, record: Record) -> tuple[Detection, bool]:
        """The detection of a line under the thresholds of now, and whether it has its map, which is read where it is needed."""
        detection = self._detection(record)
        if not (detection.is_marked or detection.unlike or "overlays" in self._kinds):
            return detection, False
        anomaly_map = kept_map(self._folder.root, record)
        if anomaly_map is None:
            return detection, False
        concern = detection.concern
        if concern in (None, CONCERN):
            height, width = anomaly_map.shape
            inside = looked_at((height, width), detection.image_size, self._roi, self._preparation)
            concern = concern_of(detection.unlike, anomaly_map, detection.thresholds.pixel, inside)
        return replace(detection, anomaly_map=anomaly_map, concern=concern), True

    def _detection(self, record: Record) -> Detection:
        """The detection of a line under the thresholds of now, without its map."""
        detection = Detection.from_dict(record)
        calibration, p_value = self._judgement.calibration, detection.p_value
        if calibration is None:
            p_value = None if self._basis is not None else p_value
        elif detection.is_unseen:
            p_value = None
        elif p_value is not None or not self._run.get("smoothing"):  # of smoothed frames nobody knows it
            p_value = calibration.p_value(detection.score)
        return replace(
            detection,
            thresholds=self._thresholds,
            value_range=self._range or detection.value_range,
            p_value=p_value,
            marking=self._judgement.marking or Marking(),
            roi=self._roi,
        )

    def _drawings(self, record: Record, detection: Detection, has_map: bool) -> Record:
        """The drawings that an image has from now on, in the order of a run."""
        name = next((Path(record[drawing]).stem for drawing in DRAWINGS if drawing in record), None)
        drawn: Record = {}
        for kind, (drawing, suffix, _) in KINDS.items():
            if kind not in REDRAWN:
                if drawing in record:
                    drawn[drawing] = record[drawing]
            elif (
                name is not None
                and kind in self._kinds
                and has_drawing(kind, detection)
                and self._can_draw(kind, record, detection, has_map)
            ):
                drawn[drawing] = f"{kind}/{name}{suffix}"
        return drawn

    def _can_draw(self, kind: str, record: Record, detection: Detection, has_map: bool) -> bool:
        """Whether all that a drawing needs is there."""
        if kind == "masks":
            return has_map or not detection.is_marked
        if not has_map:
            self._pass_over(_NO_OVERLAY)
        elif not self._is_unchanged(record):
            self._pass_over(_NO_IMAGE)
            has_map = False
        return has_map

    def _is_unchanged(self, record: Record) -> bool:
        """Whether the image of a line is still there."""
        if "file" not in record:
            return False
        path, frame = place_of(self._folder.root, record)
        return self._folder.file_of(path, frame) == record["file"]

    def _pass_over(self, sentence: _Said, reason: str = "") -> None:
        """Count an image that cannot be treated as the others. Threads may call it at once."""
        with self._counting:
            self._reasons.setdefault(sentence, reason)
            self._passed_over[sentence] += 1

    def _remove_others(self, now: Sequence[Record]) -> None:
        """Remove the drawings of verdicts that do not hold any more."""
        for kind in REDRAWN:
            named = {record[KINDS[kind].field] for record in now if KINDS[kind].field in record}
            for path in matching(self._folder.drawings[kind], KINDS[kind].pattern):
                if f"{kind}/{path.name}" not in named:
                    remove(path)

    def _draw(self, pool: ThreadPoolExecutor, now: Sequence[Record], since: int | None) -> None:
        """Draw what is not drawn since then."""
        root = self._folder.root
        left = [
            record
            for record in now
            if any(_is_older(root / record[each], since) for each in self._fields if each in record)
        ]
        videos = [record for record in left if "overlay" in record and place_of(root, record)[1] is not None]
        in_videos = set(map(id, videos))
        images = [record for record in left if id(record) not in in_videos]
        work = chain(pool.map(self._draw_image, images), self._draw_frames(videos))
        for done, _ in enumerate(work, start=1):
            self._advance("drawings", done, len(left))

    @property
    def _fields(self) -> list[Field]:
        return [KINDS[kind].field for kind in self._kinds]

    def _draw_image(self, record: Record) -> None:
        path, _ = place_of(self._folder.root, record) if "overlay" in record else (Path(), None)
        self._draw_one(record, lambda: read_image(path, max_megapixels=math.inf).pixels)

    def _draw_frames(self, records: Sequence[Record]) -> Iterator[None]:
        """Draw frames of videos in order: going back one frame decodes the video again."""
        video: Video | None = None
        for record in records:
            path, number = place_of(self._folder.root, record)

            def pixels(path: ImagePath = path, number: int = number or 0) -> Pixels:
                nonlocal video
                assert isinstance(path, Path)  # no video is behind an address
                video = video if video is not None and video.path == path else Video(path)
                return video.read(number).pixels

            self._draw_one(record, pixels)
            yield

    def _draw_one(self, record: Record, pixels: Callable[[], Pixels]) -> None:
        """Draw what a line names. A drawing that fails is removed: the earlier one shows another verdict."""
        detection, _ = self._with_map(record)
        reason = None
        for kind in self._kinds:
            field = KINDS[kind].field
            if field not in record:
                continue
            path = self._folder.root / record[field]
            try:
                write_drawing(kind, path, detection, pixels)
            except DiskError as error:
                raise DiskError(f"{error}, then call the same again") from error
            except OddlensError as error:
                remove(path)
                del record[field]
                reason = str(error)
        if reason is not None:
            self._pass_over(_UNDRAWN, f": {reason}")


_Said = tuple[str, str]
"""What is said of one image, and of several."""

_NO_MAP = (
    "image has no whole map: its verdict follows the score, and its regions stay as they were",
    "images have no whole map: their verdicts follow the scores, and their regions stay as they were",
)
_NO_OVERLAY = (
    "image has no whole map: its overlay cannot be drawn again and is removed",
    "images have no whole map: their overlays cannot be drawn again and are removed",
)
_NO_IMAGE = (
    "image changed or is gone: its overlay cannot be drawn again and is removed",
    "images changed or are gone: their overlays cannot be drawn again and are removed",
)
_UNDRAWN = ("image could not be drawn again", "images could not be drawn again")
_UNREAD = (
    "line of results.jsonl could not be read and went, with what was drawn of it",
    "lines of results.jsonl could not be read and went, with what was drawn of them",
)


def _is_older(path: Path, since: int | None) -> bool:
    try:
        return since is None or path.stat().st_mtime_ns <= since
    except OSError:
        return True


def _verdict(record: Record) -> str | None:
    return None if "error" in record else verdict_of(record)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """No other program writes to the folder meanwhile."""
    lock = FolderLock(root)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
