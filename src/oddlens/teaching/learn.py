"""What a station learns of marked images (`oddlens.station.feedback`): one new version of it.

- Good images that were flagged (NG or review) join the references, and the thresholds stay where they are: where a score is a
  distance to the nearest example, every later score is at most what it was, so that this makes no false alarm and what the
  thresholds promise goes on to hold. They never join the calibration: they came because their scores are high, and a threshold
  that is set by them goes blind to defects.
- Good images that were drawn at random for audit, whatever their verdict, are like those to come. They do not join the references,
  and may renew the calibration.
- Bad images become known defects. With a name, the largest region that the person drew, else the hottest, is one that names others
  (`oddlens.teaching.namer`). On request they are a second memory (`MemoryBank.beside_defects`). That changes scores, so that the
  thresholds are made anew: by the references that were not flagged, each held against the others of these.

The last mark of an image counts: a reference that is marked bad goes, and so does a defect that is marked good.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration import Calibration, Readiness, Vetting, chosen, vet
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.errors import Failure, ImageError, OddlensWarning, UsageError, counted, needs_torch, printable
from oddlens.io.images import Picture, read_image
from oddlens.loading import open_station
from oddlens.station import locked, write_station
from oddlens.station.defects import DefectMemory, Defects, KnownDefect
from oddlens.station.feedback import Mark, read_feedback
from oddlens.teaching.calibrating import sample_of, usual_review_rate
from oddlens.teaching.learned import Learned
from oddlens.teaching.lesson_words import ONE_NAME, moved, teaches_nothing, what_happened
from oddlens.teaching.named_region import named_region
from oddlens.teaching.namer import Namer
from oddlens.teaching.references import (
    GIVEN_FOR_OTHERS,
    calibrate_by_unflagged,
    check_some_stay,
    flagged_references,
    made_anew,
    remove_references,
    taken_out,
    without,
)

USUAL_DEFECTS = 10
"""Marked defects from which on a second memory is worth its while, as measured (docs/guides/teaching.md)."""


def learn(
    folder: str | os.PathLike[str],
    *,
    defect_memory: bool | None = None,
    renew_calibration: bool = False,
    look: Callable[[Vetting], object] | None = None,
    device: str = "auto",
    runtime: str = "auto",
) -> Learned:
    """Make a new version of a station of the images that are marked.

    Args:
        folder: The station.
        defect_memory: Whether it has a second memory, of defects; None: as it is.
        renew_calibration: Whether the good images that were drawn at random make the thresholds, in the place of what did.
        look: Takes what is odd among those before they do, and raises `UsageError` where they may not; None: nothing may be odd.
        device: "auto", "cpu" or "cuda".
        runtime: As `oddlens.load` takes it. A memory of defects needs torch, and so do names where the model is none that is
            embedded.

    Raises:
        UsageError: There is no station, another program is writing to it, too few images were drawn for a false-alarm rate, or
            the method takes no memory of defects.
    """
    with locked(folder):
        return Lesson(
            folder,
            defect_memory=defect_memory,
            renew_calibration=renew_calibration,
            look=look,
            device=device,
            runtime=runtime,
        ).write()


def _refuse_doubtful(vetting: Vetting) -> None:
    if vetting.flagged:
        raise UsageError(
            f"{vetting.sentence} Mark what is not good as bad or unsure ('oddlens feedback'), or give a look that accepts it"
        )


class Lesson:
    """A station, its feedback, and what becomes of it; nothing is written before `write`.

    Attributes:
        detector: As it is after the lesson.
        learned: What it learned; its version is None before `write`.
        is_new: Whether there is something to write.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        defect_memory: bool | None = None,
        renew_calibration: bool = False,
        look: Callable[[Vetting], object] | None = None,
        detector: Detector | None = None,
        device: str = "auto",
        runtime: str = "auto",
    ) -> None:
        """Learn, as `learn` says it.

        detector: The station, where it is opened already; it is changed.
        """
        self._folder, self._look = Path(folder), look or _refuse_doubtful
        feedback = read_feedback(folder)
        if defect_memory and runtime == "auto" and detector is None:
            with needs_torch("a memory of defects"):
                import torch  # noqa: F401
            runtime = "torch"
        self.detector = open_station(folder, device, runtime=runtime) if detector is None else detector
        self._marks = feedback.last
        self._flagged = flagged_references(self.detector, folder)
        if doubted := taken_out(self.detector) & {mark.sha256 for mark in self._marks if mark.said != "good"}:
            self.detector.flagged = (self.detector.flagged or frozenset()) - doubted  # another mark is another matter
        self._taken_out = taken_out(self.detector)
        self._said: list[str] = []
        if feedback.unread:
            self._said.append(
                f"{counted(feedback.unread, 'line of the feedback is', 'lines of the feedback are')} damaged and passed over."
            )
        self.is_new = False
        self.learned = self._learn(defect_memory, renew_calibration)

    def write(self) -> Learned:
        """Make the new version of the station, where there is something new."""
        if not self.is_new:
            return self.learned
        version = write_station(self.detector.to_state(), self._folder, verb="learn", what=self.learned.summary)
        self.learned, self.is_new = replace(self.learned, version=version), False
        return self.learned

    def _learn(self, defect_memory: bool | None, renews: bool) -> Learned:
        before = self.detector.calibration()
        sampled = len(sample_of(self.detector, self._folder))
        earlier = chosen(self.detector.thresholds, before)
        joining = self._whole(self._joining(renews, before))
        leaving = self._leaving()
        drawn = self._whole(mark for mark in self._marks if mark.said == "good" and mark.audit) if renews else []
        if renews and not drawn:
            raise UsageError(
                "no good image was drawn at random and marked: 'oddlens detect' and 'oddlens serve' draw some with --audit 0.02; "
                "look at those, and mark them"
            )
        if renews and before is not None and len(drawn) < len(before):
            were = counted(len(drawn), "image of a good part was", "images of good parts were")
            raise UsageError(
                f"{were} drawn at random and marked, fewer than the "
                f"{len(before)} that made the thresholds, which promise more: audit more of them first"
            )
        old = self.detector.defects or Defects()
        had = bool(self._digests())
        if joining or leaving:
            self._change_references(joining, leaving)
            self._keep_thresholds(before, leaving, had=had)
        defects, new = self._with_defects(old, defect_memory)
        if remade := self._set_defects(defects, old):
            self._remake_thresholds(before)
        if renews:
            self._renew(drawn, before)
        gone = len(old.known) + len(new) - len(defects.known)
        names = {mark.sha256: mark.image for mark in self._marks}
        named = len(set(defects.regions.images) - set(old.regions.images))
        changes = joining or leaving or new or gone or drawn or named or defects.memory.images != old.memory.images
        if not changes:
            reason = self.detector.no_references
            nothing = "There is nothing new to learn of what is marked." if reason is None else teaches_nothing(reason)
            return Learned(version=None, sentences=tuple(dict.fromkeys([*self._said, nothing])))
        has_thresholds = self.detector.calibration() is not None
        counts = len(joining), len(leaving), len(new), named, gone
        self._said[:0] = what_happened(*counts, remade, has_thresholds)
        if named and len(set(defects.regions.names)) == 1 and not defects.words:
            self._said.append(ONE_NAME)
        self._said += moved(earlier, chosen(self.detector.thresholds, self.detector.calibration()))
        if sampled > (left := len(sample_of(self.detector, self._folder))) and not renews:
            were = counted(sampled - left, "image of its line was", "images of its line were")
            self._said.append(
                f"{were} kept with scores of before: the sample of its line begins again with this version, and a rollback "
                "goes back to it."
            )
        self.is_new = True
        return Learned(
            version=None,
            joined=tuple(mark.image for mark in joining),
            left=tuple(names[digest] for digest in leaving),
            calibrated=len(drawn),
            defects=tuple(new),
            named=named,
            remembered=len(defects.memory.images),
            sentences=tuple(dict.fromkeys(self._said)),
        )

    def _digests(self) -> tuple[str, ...]:
        references = self.detector.references
        return () if references is None else references.digests

    def _joining(self, renews: bool, before: Calibration | None) -> list[Mark]:
        """Good images that were flagged, were not drawn at random, and are no references."""
        known = set(self._digests())
        found = [mark for mark in self._marks if mark.joins and mark.sha256 not in known | self._taken_out]
        if left := len(self._taken_out & {mark.sha256 for mark in self._marks if mark.joins}):
            were = counted(left, "flagged good image was", "flagged good images were")
            self._said.append(f"{were} taken out of the references by hand, and what was joins again by hand alone.")
        used = () if before is None else before.digests
        waiting = sum(
            mark.said == "good" and mark.flagged and mark.audit and mark.sha256 not in used for mark in self._marks
        )
        if waiting and not renews:
            self._said.append(
                f"{counted(waiting, 'image of a flagged good part was', 'images of flagged good parts were')} drawn at random, for "
                "--renew-calibration: what was drawn at random does not join the references."
            )
        if found and (reason := self.detector.no_references) is not None:
            self._said.append(teaches_nothing(reason))
            return []
        return found

    def _leaving(self) -> list[str]:
        bad = {mark.sha256 for mark in self._marks if mark.said == "bad"}
        return [digest for digest in self._digests() if digest in bad]

    def _whole(self, marks: Iterable[Mark]) -> list[Mark]:
        """The marks whose images are what they were."""
        return [mark for mark, _ in self._read(marks)]

    def _read(self, marks: Iterable[Mark]) -> Iterator[tuple[Mark, Picture]]:
        """The marked images, one by one, without those that are not what they were; these are named."""
        for mark in marks:
            try:
                picture = read_image(mark.image)
            except (ImageError, UsageError) as error:
                self._said.append(f"An image is passed over: {Failure(mark.image, str(error))}.")
                continue
            if picture.digest() == mark.sha256:
                yield mark, picture
            else:
                self._said.append(
                    f"An image is passed over: {printable(mark.image)} is another one now than the one that was marked."
                )

    def _change_references(self, joining: Sequence[Mark], leaving: Collection[str]) -> None:
        with _quietly():
            if leaving:
                if self.detector.needs_references:
                    check_some_stay(self.detector, len(leaving), len(joining), "references that are all marked bad")
                remove_references(self.detector, leaving)
            if joining:
                self.detector.add_references([mark.image for mark in joining])
        self._flagged = (self._flagged - set(leaving)) | {mark.sha256 for mark in joining}
        self.detector.flagged = self._flagged | self._taken_out

    def _keep_thresholds(self, before: Calibration | None, leaving: Collection[str], had: bool) -> None:
        """Leave the thresholds alone where no score is higher than before, and the examples that they rest on are there.

        had: whether there were examples; the first ones change all scores.
        """
        references = self.detector.references
        if before is None and had:
            return
        if before is None or not had or references is None:
            stay = False
        elif before.kind == "split":
            stay = not leaving
        else:  # by their names: its digests are not known
            stay = sorted(before.sources) == sorted(without(references, self._flagged).sources)
        if before is not None and stay:
            self.detector.calibrate_by(before)
            return
        self._remake_thresholds(before)
        if (made := self.detector.calibration()) is not None:
            self._said.append(made_anew(self.detector, len(made)))

    def _remake_thresholds(self, before: Calibration | None) -> None:
        """The thresholds anew, by the references that did not join because they were flagged."""
        detector = self.detector
        if detector.thresholds != Thresholds():
            self._said.append(GIVEN_FOR_OTHERS)
            detector.thresholds = Thresholds()
        if before is None:
            return
        if calibrate_by_unflagged(detector, before.rates, self._flagged) < 2:
            self._said.append("The thresholds do not hold any more: calibrate the station again ('oddlens calibrate').")
        if before.kind == "split":
            detector.state = Readiness("learning")

    def _renew(self, drawn: Sequence[Mark], before: Calibration | None) -> None:
        rate = None if before is None else before.rates.false_alarm_rate
        with _quietly():
            seen = self.detector.observe([mark.image for mark in drawn])
            self._look(vet(seen))
            made = self.detector.calibrate(seen, rate, review_rate=usual_review_rate(before, seen.kind))
        self._said.append(
            f"{counted(len(made), 'image that was', 'images that were')} drawn at random made the thresholds. {made.promise}"
        )

    def _with_defects(self, old: Defects, remembers: bool | None) -> tuple[Defects, list[str]]:
        """What is known of defects now, and the images that are new among them."""
        bad = [mark for mark in self._marks if mark.said == "bad"]
        named = {mark.sha256: mark.defect for mark in bad}
        stale = {mark.sha256 for mark in self._marks if mark.said != "bad"}
        stale |= {each.sha256 for each in old.known if named.get(each.sha256, each.name) != each.name}
        defects = old.without(stale)
        remembers = bool(old.memory.images) if remembers is None else remembers
        if not remembers:
            defects = replace(defects, memory=DefectMemory())
        known, remembered = {each.sha256 for each in defects.known}, set(defects.memory.images)
        unnamed = {mark.sha256 for mark in bad if mark.defect} - set(defects.regions.images)
        namer = self._namer() if unnamed else None
        if namer is None:
            unnamed = set()
        wanted = [
            mark
            for mark in bad
            if mark.sha256 not in known or mark.sha256 in unnamed or (remembers and mark.sha256 not in remembered)
        ]
        new: list[str] = []
        for mark, picture in self._read(wanted):
            (found,) = self.detector.detect(picture, self.detector.object_name)
            if mark.sha256 not in known:
                each = KnownDefect(image=mark.image, sha256=mark.sha256, name=mark.defect, score=found.score)
                defects = replace(defects, known=(*defects.known, each))
                new.append(mark.image)
            if namer is not None and mark.defect is not None and mark.sha256 in unnamed:
                (region,) = namer.features(picture.pixels, [named_region(mark, found)])
                regions = defects.regions.with_region(mark.defect, region, mark.sha256)
                defects = replace(defects, regions=regions)
            if remembers and mark.sha256 not in remembered:
                defects = replace(defects, memory=defects.memory.with_image(mark.sha256, self._rows(picture)))
        if remembers and not defects.memory.images:
            self._said.append("No image is marked bad, so that there is no memory of defects.")
        elif remembers and len(defects.memory.images) < USUAL_DEFECTS:
            self._said.append(
                f"The memory of defects has {counted(len(defects.memory.images), 'image')}: it pays from about {USUAL_DEFECTS} on."
            )
        return defects, new

    def _namer(self) -> Namer | None:
        """What names are learned with; None where the model cannot, which is said."""
        try:
            return Namer(self.detector.backbone)
        except UsageError as error:
            self._said.append(f"Defects keep the names that they were given, and name no others: {error}.")
            return None

    def _rows(self, picture: Picture) -> dict[str, NDArray[np.generic]]:
        """The rows of a defective image that stand for its defect, by name of the features."""
        with needs_torch("a memory of defects"):
            from oddlens.methods.common.memory_bank import MemoryBank
            from oddlens.teaching.defect_memory import defect_rows

        good = self.detector.memory
        if good is None:
            raise UsageError(
                "the station has no good examples, beside which a memory of defects could stand: leave --defect-memory out"
            )
        alone = self.detector.with_references(None).add_references(picture).memory
        if not (isinstance(good, MemoryBank) and isinstance(alone, MemoryBank)):
            raise UsageError(
                "a memory of defects needs torch: install it (pip install 'oddlens[torch]'), or leave --defect-memory out"
            )
        return {name: each.cpu().numpy() for name, each in defect_rows(good, alone).items()}

    def _set_defects(self, defects: Defects, old: Defects) -> bool:
        """Put what is known of defects in force; whether scores change by that."""
        changes = defects.memory.sha256 != old.memory.sha256
        with _quietly():
            self.detector.defects = defects
            if changes:
                self.detector.calibration()  # a memory that the method does not take is refused here
        return changes


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings of ours that a calibration is dropped: it is put back, or that is said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)
        yield
