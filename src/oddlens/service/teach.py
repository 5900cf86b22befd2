"""What people teach a station over HTTP: thresholds, references, calibration, marks. Each change is a new version, and is audited.

These functions wait for the model and the disk: `Service.change` runs them, one at a time, with the station locked where they
write; only `make_station` has none yet, and is a `Service.job`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.detector import Detector
from oddlens.errors import UsageError, check_name
from oddlens.io.uploads import Upload, pictures_of, read_upload
from oddlens.service.stations import Station
from oddlens.station import locked, read_station, rollback, write_station
from oddlens.station.changes import Wanted, changed, differences
from oddlens.teaching.changing import asked_otherwise
from oddlens.teaching.learn import Lesson
from oddlens.teaching.looked_at import On, calibrated_on, made_of, with_other_references
from oddlens.teaching.report import Document, calibration_document, refuse_doubtful, turned
from oddlens.teaching.trial import try_image, zero_shot

if TYPE_CHECKING:
    from oddlens.service.service import Service

LOOKED_AGAIN = 50
"""The last images, on which a change is tried before it is made."""


def make_station(
    service: Service, name: str, object_name: str, files: Sequence[Upload], accept: Collection[str], who: str | None
) -> Document:
    """A new station of good images, on the embedded model. Raises `DoubtfulError`, then there is none."""
    folder = service.stations.new_folder(name)
    check_name("the object name", object_name)
    pictures = pictures_of(files, service.settings.limits.max_megapixels)
    detector, found = made_of(pictures, object_name, service.settings.runtime, accept)
    with locked(folder, new=True):
        write_station(detector.to_state(), folder, verb="create", what=f"{found.what} on the page")
    service.thumbnails.add(pictures)
    station = service.stations.add(folder)
    service.audit(station, who, found.what, None, service.essence(station))
    service.say_changed(station)
    return {"station": service.describe(station)} | found.to_dict()


def change_station(
    service: Service, station: Station, wanted: Wanted, object_name: str | None, who: str | None
) -> None:
    """Thresholds by hand or at rates, the object, names of defects."""
    if object_name is not None:
        check_name("the object name", object_name)
    before = state = read_station(station.folder)
    said: list[str] = []
    if object_name is not None:
        state, said, _ = asked_otherwise(station.folder, station.opened(), state, object_name=object_name)
    state = changed(state, wanted)
    said += differences(before, state)
    if not said:
        raise UsageError("nothing is changed: all of it is so already")
    what = ", ".join(said)
    with service.changing(station, who, what):
        write_station(state, station.folder, verb="set", what=what)


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
    pictures = pictures_of(files, service.settings.limits.max_megapixels)
    found = with_other_references(detector, station.folder, pictures, leaving, None if dry_run else accept)
    answer = found.to_dict() | {"turned": _turned(service, station, detector)}
    if dry_run:
        return answer | {"version": None}
    with service.changing(station, who, found.what):
        write_station(detector.to_state(), station.folder, verb="references", what=found.what)
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
    pictures = pictures_of(files, service.settings.limits.max_megapixels)
    found = calibrated_on(on, detector, station.folder, pictures, accept, rates)
    with service.changing(station, who, found.what):
        write_station(detector.to_state(), station.folder, verb="calibrate", what=found.what)
    return calibration_document(detector, station.folder) | found.to_dict()


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
    return learned.to_dict() | names | {"turned": found, "is_new": lesson.is_new or learned.version is not None}


def go_back(
    service: Service, station: Station, version: int, who: str | None = None, dry_run: bool = False
) -> Document:
    """Put an earlier version in force again; or say what that would change, which nobody knows of a damaged station."""
    if dry_run:
        return {"turned": [] if station.problem else _turned(service, station, station.opened(version))}
    with service.changing(station, who, f"version {version} again"):
        rollback(station.folder, version)
    return service.describe(station)


def _turned(service: Service, station: Station, new: Detector) -> list[Document]:
    """The last kept images of which a new version says something else than the one in force."""
    kept = service.history.last_images(station.name, LOOKED_AGAIN)
    return [each._asdict() for each in turned(station.loaded().detector, new, kept)]


def try_upload(service: Service, file: Upload, object_name: str | None, station: Station | None) -> Document:
    """What is found in an image that is not kept. station: None: by words alone, on the embedded model."""
    picture = read_upload(file, service.settings.limits.max_megapixels)
    detector = zero_shot(service.settings.runtime) if station is None else station.loaded().detector
    return try_image(picture, object_name, detector)
