"""What people teach a station over HTTP: thresholds, references, calibration, marks. Each change is a new version, and is audited.

These functions wait for the model and the disk: `Service.change` runs them, one at a time, with the station locked; only
`make_station` has none yet, and is a `Service.job`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oddlens.calibration import Vetting, vet
from oddlens.detector import Detector
from oddlens.errors import UsageError, check_name
from oddlens.io.uploads import Upload, pictures_of, read_upload
from oddlens.service.stations import Station
from oddlens.station import locked, read_station, write_station
from oddlens.station.changes import Wanted, changed, differences
from oddlens.station.feedback import read_feedback
from oddlens.teaching.calibrating import (
    Seen,
    calibrate_station,
    check_count,
    held_against,
    observe_line,
    observe_references,
    of_references,
)
from oddlens.teaching.changing import asked_otherwise
from oddlens.teaching.learn import Lesson
from oddlens.teaching.references import accept_new, change_references
from oddlens.teaching.report import Document, calibration_document, refuse_doubtful, rows_of, turned
from oddlens.teaching.trial import try_image, zero_shot

if TYPE_CHECKING:
    from oddlens.service.service import Service

On = Literal["references", "learning", "files"]

LOOKED_AGAIN = 50
"""The last images, on which a change is tried before it is made."""


def make_station(
    service: Service, name: str, object_name: str, files: Sequence[Upload], accept: Collection[str], who: str | None
) -> Document:
    """A new station of good images, on the embedded model. Raises `DoubtfulError`, then there is none."""
    folder = service.stations.new_folder(name)
    check_name("the object name", object_name)
    pictures = pictures_of(files, service.settings.limits.max_megapixels)
    vetted: list[Vetting] = []

    def look(found: Sequence[Vetting]) -> None:
        vetted.extend(found)
        for each in found:
            refuse_doubtful(each, accept)

    detector = of_references(pictures, object_name, service.settings.runtime, look)
    with locked(folder, new=True):
        write_station(
            detector.to_state(), folder, verb="create", what=f"made of {len(pictures)} references on the page"
        )
    service.thumbnails.add(pictures)
    station = service.stations.add(folder)
    service.audit(station, who, f"made of {len(pictures)} references", None, service.essence(station))
    service.say_changed(station)
    thresholds = station.loaded().thresholds
    return {
        "station": service.describe(station),
        "vetting": [row for each in vetted for row in rows_of(each)],
        "sentences": [each.sentence for each in vetted] + ([thresholds.promise] if thresholds.promise else []),
    }


def change_station(
    service: Service, station: Station, wanted: Wanted, object_name: str | None, who: str | None
) -> None:
    """Thresholds by hand or at rates, the object, names of defects."""
    if object_name is not None:
        check_name("the object name", object_name)
    with service.changing(station, who) as note:
        before = state = read_station(station.folder)
        said: list[str] = []
        if object_name is not None:
            state, said, _ = asked_otherwise(station.folder, station.opened(), state, object_name=object_name)
        state = changed(state, wanted)
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
    detector = station.opened()
    known = () if detector.references is None else detector.references.digests
    flagged = read_feedback(station.folder).joining
    pictures = pictures_of(files, service.settings.limits.max_megapixels)
    said = change_references(detector, pictures, leaving, flagged)
    rows: list[Document] = []
    if files and detector.references is not None and len(detector.references) > 1:
        vetting = vet(detector.observe(looks=False))
        rows = rows_of(vetting)
        if not dry_run:
            refuse_doubtful(vetting, accept, known)
            accept_new(detector, vetting, known)
    answer: Document = {"sentences": said, "vetting": rows, "turned": _turned(service, station, detector)}
    if dry_run:
        return answer | {"version": None}
    with service.changing(station, who, " ".join(said)):
        write_station(detector.to_state(), station.folder, verb="references", what=" ".join(said))
    service.thumbnails.add(pictures)
    return answer | {"version": station.loaded().version}


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
    detector = station.opened()
    if on == "references":
        seen = observe_references(detector, station.folder)
    elif on == "learning":
        seen = observe_line(detector, station.folder)
    else:
        seen = Seen(detector.observe(pictures_of(files, service.settings.limits.max_megapixels)))
    check_count(seen)
    vetting = vet(seen.images)
    known = () if detector.accepted is None else detector.accepted.names
    refuse_doubtful(vetting, {*accept, *known})
    earlier = held_against(read_station(station.folder).thresholds_in_force, seen)
    calibrate_station(detector, station.folder, seen, *rates)
    with service.changing(station, who, f"calibrated on {seen.what}"):
        write_station(detector.to_state(), station.folder, verb="calibrate", what=f"calibrated on {seen.what}")
    said = [*seen.said, *([] if earlier is None else [earlier.sentence])]
    return calibration_document(detector, station.folder) | {"vetting": rows_of(vetting), "sentences": said}


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
    is_torch = station.loaded().detector.runtime == "torch"
    lesson = Lesson(
        station.folder,
        defect_memory=defect_memory,
        renew_calibration=renew_calibration,
        look=lambda vetting: refuse_doubtful(vetting, accept),
        detector=station.opened() if is_torch or not defect_memory else None,
        runtime=service.settings.runtime,
    )
    found = _turned(service, station, lesson.detector)
    if not dry_run and lesson.is_new:
        with service.changing(station, who, lesson.learned.summary):
            lesson.write()
    learned = lesson.learned
    names = {each: [Path(path).name for path in getattr(learned, each)] for each in ("joined", "left", "defects")}
    return learned.to_dict() | names | {"turned": found}


def _turned(service: Service, station: Station, new: Detector) -> list[Document]:
    """The last kept images of which a new version says something else than the one in force."""
    kept = [
        (each.id, path)
        for each in service.history.latest(station.name, LOOKED_AGAIN)
        if each.detection is not None and (path := service.history.pictures.path(each.digest)) is not None
    ]
    return [each._asdict() for each in turned(station.loaded().detector, new, kept)]


def try_upload(service: Service, file: Upload, object_name: str | None, station: Station | None) -> Document:
    """What is found in an image that is not kept. station: None: by words alone, on the embedded model."""
    picture = read_upload(file, service.settings.limits.max_megapixels)
    detector = zero_shot(service.settings.runtime) if station is None else station.loaded().detector
    return try_image(picture, object_name, detector)
