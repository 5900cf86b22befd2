"""What people teach a station over HTTP: thresholds, references, calibration, marks. Each change is a new version, and is audited.

These functions wait for the model and the disk: `Service.job` runs them, one at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oddlens.backbone.cards import MINI
from oddlens.calibration import Vetting, vet
from oddlens.calibration.conformal import declared_bound, moved_bound
from oddlens.detector import Detector
from oddlens.errors import OddlensError, UsageError, check_name
from oddlens.io.images import Picture, read_image
from oddlens.loading import load, open_station
from oddlens.methods.defaults import default_method
from oddlens.service.stations import Station
from oddlens.station import locked, read_station, write_station
from oddlens.station.changes import at_rates, by_hand, differences, named_among
from oddlens.station.feedback import read_feedback
from oddlens.station.learning import ENOUGH
from oddlens.teaching.calibrating import (
    Seen,
    calibrate_new,
    calibrate_station,
    check_count,
    observe_line,
    observe_references,
    sample_of,
)
from oddlens.teaching.changing import asked_otherwise
from oddlens.teaching.learn import Lesson
from oddlens.teaching.references import change_references

if TYPE_CHECKING:
    from oddlens.service.service import Service

Document = dict[str, object]
On = Literal["references", "learning", "files"]

LOOKED_AGAIN = 50
"""The last images, on which a change is tried before it is made."""


class DoubtfulError(OddlensError):
    """Good images are doubtful, and nobody said that they are good."""

    def __init__(self, vetting: Vetting) -> None:
        super().__init__(f"{vetting.sentence} Say which of them are good, or leave them out; nothing was changed.")
        self.vetting = rows_of(vetting)


@dataclass(frozen=True)
class Upload:
    """A file that came. source: what the client calls it, without folders."""

    source: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be another one of a station; None: as it is."""

    threshold: float | None = None
    review_threshold: float | None = None
    pixel_threshold: float | None = None
    false_alarm_rate: float | None = None
    review_rate: float | None = None
    object_name: str | None = None
    defects: Sequence[str] | None = None


def rows_of(vetting: Vetting) -> list[Document]:
    """Good images that were looked at, the most doubtful first."""
    return [
        {
            "name": row.source,
            "digest": row.observation.digest,
            "score": row.observation.score,
            "p_value": row.p_value,
            "flagged": bool(row.reasons),
            "reason": ", ".join(row.reasons) or None,
        }
        for row in vetting.rows
    ]


def refuse_doubtful(vetting: Vetting, accepted: Collection[str]) -> None:
    """Raise `DoubtfulError` for a doubtful image that nobody accepted. accepted: names, or the word all."""
    if "all" not in accepted and any(row.source not in accepted for row in vetting.flagged):
        raise DoubtfulError(vetting)


def _sources_of(vetting: Vetting, digests: Collection[str]) -> set[str]:
    """What images are called that were among the references before: nobody is asked about them again."""
    return {row.source for row in vetting.rows if row.observation.digest in digests}


def references_of(detector: Detector) -> list[Document]:
    """The references, with what each scores against the others."""
    references = detector.references
    if references is None:
        return []
    rows: dict[str, Document] = {}
    if detector.calibration() is not None and len(references) > 1 and not detector.recipe.alone:
        rows = {str(row["name"]): row for row in rows_of(vet(detector.observe(looks=False)))}
    empty: Document = {"score": None, "p_value": None, "flagged": False, "reason": None}
    return [
        {
            "source": Path(source).name,
            "digest": references.digests[number] if references.digests else None,
            "size": list(references.sizes[number]),
        }
        | {name: rows.get(source, empty)[name] for name in empty}
        for number, source in enumerate(references.sources)
    ]


def make_station(
    service: Service, name: str, object_name: str, files: Sequence[Upload], accept: Collection[str], who: str | None
) -> Document:
    """A new station of good images, on the embedded model. Raises `DoubtfulError`, then there is none."""
    folder = service.stations.new_folder(name)
    check_name("the object name", object_name)
    pictures = pictures_of(service, files)
    detector = load(default_method(MINI, with_references=True), runtime=service.settings.runtime)
    detector.object_name = object_name
    detector.add_references(pictures)
    seen = [detector.observe()] if len(pictures) > 1 else []
    vetted = [vet(each) for each in seen]

    def look(found: Sequence[Vetting]) -> None:
        for each in found:
            refuse_doubtful(each, accept)

    calibrate_new(detector, seen, look)
    with locked(folder, new=True):
        write_station(
            detector.to_state(), folder, verb="create", what=f"made of {len(pictures)} references on the page"
        )
    station = service.stations.add(folder)
    service.audit(station, who, f"made of {len(pictures)} references", None, service.essence(station))
    service.say_changed(station)
    thresholds = station.loaded().thresholds
    return {
        "station": service.describe(station),
        "vetting": [row for each in vetted for row in rows_of(each)],
        "sentences": [each.sentence for each in vetted] + ([thresholds.promise] if thresholds.promise else []),
    }


def change_station(service: Service, station: Station, wanted: Wanted, who: str | None) -> None:
    """Thresholds by hand or at rates, the object, names of defects."""
    if wanted.object_name is not None:
        check_name("the object name", wanted.object_name)
    by_score = (wanted.threshold, wanted.review_threshold) != (None, None)
    by_rate = (wanted.false_alarm_rate, wanted.review_rate) != (None, None)
    if by_score and by_rate:
        raise UsageError(
            "thresholds and rates contradict each other: give the threshold, or the rate that it is set for"
        )
    with service.changing(station, who) as note, locked(station.folder):
        before = state = read_station(station.folder)
        said: list[str] = []
        if wanted.object_name is not None:
            detector = open_station(station.folder, runtime=service.settings.runtime)
            state, said, _ = asked_otherwise(station.folder, detector, state, object_name=wanted.object_name)
        if by_score or wanted.pixel_threshold is not None:
            state = by_hand(state, wanted.threshold, wanted.pixel_threshold, wanted.review_threshold)
        if by_rate:
            state = at_rates(state, wanted.false_alarm_rate, wanted.review_rate)
        if wanted.defects is not None:
            state = named_among(state, wanted.defects)
        said += differences(before, state)
        if not said:
            raise UsageError("nothing is changed: all of it is so already")
        note.what = ", ".join(said)
        write_station(state, station.folder, verb="set", what=note.what)


def teach_references(
    service: Service,
    station: Station,
    files: Sequence[Upload] = (),
    leaving: Collection[str] = (),
    accept: Collection[str] = (),
    who: str | None = None,
    dry_run: bool = False,
) -> Document:
    """Add and remove references; or say what that would change. Raises `DoubtfulError` for a doubtful one that is new."""
    with locked(station.folder):
        detector = open_station(station.folder, runtime=service.settings.runtime)
        known = () if detector.references is None else detector.references.digests
        flagged = read_feedback(station.folder).joining
        said = change_references(detector, pictures_of(service, files), leaving, flagged)
        rows: list[Document] = []
        if files and detector.references is not None and len(detector.references) > 1:
            vetting = vet(detector.observe(looks=False))
            rows = rows_of(vetting)
            if not dry_run:
                refuse_doubtful(vetting, {*accept, *_sources_of(vetting, known)})
        answer: Document = {"sentences": said, "vetting": rows, "turned": turned(service, station, detector)}
        if dry_run:
            return answer | {"version": None}
        with service.changing(station, who, " ".join(said)):
            write_station(detector.to_state(), station.folder, verb="references", what=" ".join(said))
    return answer | {"version": station.loaded().version}


def calibration_document(station: Station) -> Document:
    """What the thresholds rest on, and the bounds that hold wherever a handle is moved."""
    loaded = station.loaded()
    detector, calibration, thresholds = loaded.detector, loaded.calibration, loaded.thresholds
    scores = [] if calibration is None else sorted(calibration.scores)
    count = len(scores)
    defects = detector.defects
    return {
        "kind": None if calibration is None else calibration.kind,
        "count": count,
        "scores": scores,
        "false_alarm_rate": None if calibration is None else calibration.false_alarm_rate,
        "review_rate": None if calibration is None else calibration.review_rate,
        "threshold": thresholds.image,
        "review_threshold": thresholds.review,
        "promise": thresholds.promise,
        "statement": None if calibration is None else calibration.statement,
        "bounds": [moved_bound(count, rank) for rank in range(count + 1)] if count else [],
        "declared": [declared_bound(count, rank) for rank in range(count + 1)] if count else [],
        "bad": [] if defects is None else sorted(each.score for each in defects.known),
        "learning": {"kept": len(sample_of(detector, station.folder)), "enough": ENOUGH},
    }


def calibrate(
    service: Service,
    station: Station,
    on: On,
    files: Sequence[Upload] = (),
    accept: Collection[str] = (),
    rates: tuple[float | None, float | None] = (None, None),
    who: str | None = None,
) -> Document:
    """Set the thresholds by the references, by the sample of the line, or by other good images. Raises `DoubtfulError`."""
    with locked(station.folder):
        detector = open_station(station.folder, runtime=service.settings.runtime)
        if on == "references":
            seen = observe_references(detector, station.folder)
        elif on == "learning":
            seen = observe_line(detector, station.folder)
        else:
            seen = Seen(detector.observe(pictures_of(service, files)))
        check_count(seen)
        vetting = vet(seen.images)
        known = () if detector.accepted is None else detector.accepted.names
        refuse_doubtful(vetting, {*accept, *known})
        false_alarm_rate, review_rate = rates
        more = {} if review_rate is None else {"review_rate": review_rate}
        calibrate_station(detector, station.folder, seen, false_alarm_rate, **more)
        with service.changing(station, who, f"calibrated on {seen.what}"):
            write_station(detector.to_state(), station.folder, verb="calibrate", what=f"calibrated on {seen.what}")
    return calibration_document(station) | {"vetting": rows_of(vetting), "sentences": list(seen.said)}


def learn(
    service: Service,
    station: Station,
    dry_run: bool = False,
    defect_memory: bool | None = None,
    renew_calibration: bool = False,
    accept: Collection[str] = (),
    who: str | None = None,
) -> Document:
    """What the station learns of what is marked, and what it says of the last images then. Raises `DoubtfulError`."""
    with locked(station.folder):
        lesson = Lesson(
            station.folder,
            defect_memory=defect_memory,
            renew_calibration=renew_calibration,
            look=lambda vetting: refuse_doubtful(vetting, accept),
            names=station.loaded().detector.runtime == "torch",
            runtime=service.settings.runtime,
        )
        found = turned(service, station, lesson.detector)
        if not dry_run and lesson.is_new:
            with service.changing(station, who, " ".join(lesson.learned.sentences)):
                lesson.write()
    learned = lesson.learned
    names = {"joined": learned.joined, "left": learned.left, "defects": learned.defects}
    return (
        learned.to_dict()
        | {each: [Path(path).name for path in paths] for each, paths in names.items()}
        | {"turned": found}
    )


def turned(service: Service, station: Station, new: Detector, most: int = LOOKED_AGAIN) -> list[Document]:
    """The last kept images of which a new version says something else than the one in force."""
    old, found = station.loaded(), list[Document]()
    for inspection in service.history.latest(station.name, most):
        path = service.history.pictures.path(inspection.digest)
        if inspection.detection is None or path is None:
            continue
        try:
            encoded = new.encode_pictures([read_image(path, max_megapixels=service.settings.limits.max_megapixels)])
            (after,) = new.predict(encoded, new.object_name)
            (before,) = old.detector.predict(encoded, old.detector.object_name)
        except OddlensError:
            continue  # it is damaged, or no more kept meanwhile
        if before.verdict != after.verdict:
            found.append(
                {
                    "id": inspection.id,
                    "before": before.verdict,
                    "after": after.verdict,
                    "score_before": before.score,
                    "score_after": after.score,
                }
            )
    return found


def pictures_of(service: Service, files: Sequence[Upload]) -> list[Picture]:
    """Uploaded images, each under a name of its own. Raises `ImageError` for one that cannot be read."""
    names: set[str] = set()
    found = []
    for file in files:
        name, count = file.source, 1
        while name in names:
            count += 1
            name = f"{Path(file.source).stem} ({count}){Path(file.source).suffix}"
        names.add(name)
        found.append(read_image(file.data, name, service.settings.limits.max_megapixels))
    return found
