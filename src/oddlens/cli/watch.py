"""`oddlens watch`: inspect images as they come, from a folder or a camera."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.command import before_the_first_image, loading
from oddlens.cli.naming import names_sink
from oddlens.cli.options import DeviceName, JsonLines, RuntimeName, parse_kinds, say
from oddlens.cli.outlets import OutletOptions
from oddlens.errors import OddlensError, UsageError, counted, printable
from oddlens.inference.kinds import KINDS

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.cameras import Camera
    from oddlens.inference.delivery import Outlet
    from oddlens.inference.live import LiveFolder
    from oddlens.inference.sinks import Sink
    from oddlens.inference.task import HeldImage

EXAMPLES = """\b
Examples:
  oddlens watch incoming/ --station line-3 --out results/
  oddlens watch incoming/ --station line-3 --out results/ --move --on-ng 'python stop_the_belt.py'
  oddlens watch --camera rtsp://user:password@10.0.0.8/stream --station line-3 --out results/ --webhook https://mes/results
"""

SEEN = "seen.bin"
"""The file in OUT that holds which files were seen, see `WatchedFolder`."""


@dataclass(frozen=True)
class SourceOptions:
    """Where images come from, and how often one is looked for."""

    camera: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A camera in the place of a folder: rtsp:// or http:// (with 'oddlens[video]'), a number such as 0, or a video.",
            show_default=False,
        ),
    ] = None
    every: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            max=86_400.0,
            help="Look into the folder, or take the camera's newest frame, so often.",
        ),
    ] = 1.0
    move: Annotated[
        bool,
        typer.Option(
            "--move", help="Move each image out of the way: into done/, review/, ng/ or failed/ in the watched folder."
        ),
    ] = False


@dataclass(frozen=True)
class WatchOutput:
    """What becomes of the results."""

    out: Annotated[
        Path,
        typer.Option(metavar="OUT", help="The folder for results; one that holds some goes on.", show_default=False),
    ]
    write: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help=f"What to write into OUT of each image, divided by commas: {', '.join(KINDS)}; or nothing.",
            show_default=",".join(KINDS),
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the results in OUT, and start over; kept frames stay.")
    ] = False
    audit: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Draw this share of the images at random for audit.", show_default="none"),
    ] = None
    as_json: JsonLines = False


def watch(
    station: Annotated[str, typer.Option(metavar="DIR", help="A saved detector.", show_default=False)],
    output: WatchOutput,
    source: SourceOptions,
    outlets: OutletOptions,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="The folder that images come into, or folders in it.", show_default=False
        ),
    ] = None,
    device: DeviceName = "auto",
    runtime: RuntimeName = "auto",
) -> None:
    """Inspect images as they come, until it is stopped.

    As 'detect --station' does, but it goes on: each image that comes into FOLDER is inspected once, by its content, when it has
    stopped growing; a file that is overwritten is inspected again. OUT gets what 'detect' writes, and report.html each minute.

    Ctrl-C or SIGTERM ends it when the image in hand is done. Called again, it goes on where it stopped, also after a kill.
    A station that is changed meanwhile is opened again.

    Exit code: 0 when it is stopped, 1 if it cannot go on, 2 if the call was wrong.
    """
    if (folder is None) == (source.camera is None):
        raise UsageError("give either a folder or --camera: that is where the images come from")
    if source.move and folder is None:
        raise UsageError("--move is for a folder: a camera has no files to move")
    written = tuple(KINDS) if output.write is None else parse_kinds(output.write, tuple(KINDS))

    from oddlens.inference.audit import AuditSink
    from oddlens.inference.cameras import Camera
    from oddlens.inference.outlets import Outlets
    from oddlens.inference.results import ResultsFolder
    from oddlens.inference.watch import check_watchable
    from oddlens.io.freed_memory import reuse_freed_memory

    reuse_freed_memory()
    if folder is not None:
        check_watchable(folder)
    camera = None if source.camera is None else Camera(source.camera, _say)
    if output.audit is not None:
        AuditSink(output.audit)  # which says what is wrong with it
    ResultsFolder(
        output.out, overwrite=output.overwrite, appends=True
    )  # what is wrong with it is said before a model is loaded
    stop = threading.Event()
    with closing(Outlets(outlets.addresses, _say)) as opened, _stopped_by_signals(stop):
        on_disk = _StationOnDisk(station, device, runtime)

        def line_of(detector: Detector, overwrite: bool = False) -> _Line:
            audit: list[Sink] = [] if output.audit is None else [AuditSink(output.audit)]
            return _Line(
                detector, station, audit, opened, replace(output, overwrite=overwrite), written, folder, source
            )

        with before_the_first_image(), loading():
            detector = on_disk.open()
        line = line_of(detector, output.overwrite)
        try:
            if camera is not None:
                camera.start()
            say(
                f"oddlens: watching {printable(str(folder)) if camera is None else f'the camera {camera.name}'}: Ctrl-C ends it"
            )
            while True:
                has_changed = False
                if camera is not None:
                    has_changed = line.inspect_camera(camera, stop, on_disk.has_changed)
                elif folder is not None:
                    has_changed = line.inspect_folder(folder, stop, on_disk.has_changed)
                if stop.is_set() or not has_changed:
                    break
                detector, line = _renewed(on_disk, detector, line, line_of)
        finally:
            if camera is not None:
                camera.stop()
            line.close()


class _StationOnDisk:
    """The station, which somebody may change while it is watched with."""

    def __init__(self, folder: str, device: str, runtime: str) -> None:
        self._folder, self._device, self._runtime = folder, device, runtime

    def open(self) -> Detector:
        """The version that is in force now. Raises `OddlensError` where it cannot be opened."""
        from oddlens.inference.live_station import stamp_of
        from oddlens.loading import open_station

        self._stamp = stamp_of(Path(self._folder))
        return open_station(self._folder, self._device, runtime=self._runtime)

    def has_changed(self) -> bool:
        """Whether another version is in force since `open`."""
        from oddlens.inference.live_station import stamp_of

        return stamp_of(Path(self._folder)) not in (None, self._stamp)


def _renewed(
    on_disk: _StationOnDisk, before: Detector, line: _Line, line_of: Callable[[Detector], _Line]
) -> tuple[Detector, _Line]:
    """The station that was changed, and a line of it; those of before where it cannot be used, or OUT cannot go on with it."""
    try:
        with loading():
            detector = on_disk.open()
    except OddlensError as error:
        say(f"oddlens: the station was changed, and goes on as it was before: {error}")
        return before, line
    line.close(is_last=False)
    try:
        new = line_of(detector)
    except OddlensError as error:
        say(f"oddlens: the station was changed, and goes on as it was before: {error}")
        return before, line_of(before)
    say("oddlens: the station was changed: its new version inspects from now on")
    return detector, new


class _Line:
    """What inspects the images of a line; `close` says what was found."""

    _is_closed = False

    def __init__(
        self,
        detector: Detector,
        station: str,
        before: list[Sink],
        outlets: Outlet,
        output: WatchOutput,
        written: tuple[str, ...],
        folder: Path | None,
        source: SourceOptions,
    ) -> None:
        from oddlens.cli.console import ConsoleSink, Notes
        from oddlens.cli.judge import judge_again
        from oddlens.cli.line import StationLine
        from oddlens.inference.judgement import basis_of
        from oddlens.inference.live import LiveFolder, LiveRun
        from oddlens.inference.outlets import OutletSink
        from oddlens.inference.report import ReportSink
        from oddlens.inference.results import ResultsFolder
        from oddlens.inference.runner import settings_of
        from oddlens.inference.task import Task
        from oddlens.inference.watch import Mover

        name = detector.object_name
        self._source = source
        self._said = {"caution": [detector.caution]} if detector.caution else {}
        self._mover = Mover(folder) if source.move and folder is not None else None
        with before_the_first_image():
            naming = names_sink(detector, (), name)
        first = [
            *before,
            *([] if naming is None else [naming]),
            *StationLine(detector, station, name, self._said).sinks,
        ]

        def opened(overwrite: bool) -> LiveFolder:
            results = ResultsFolder(output.out, overwrite=overwrite, appends=True)
            return LiveFolder(
                results,
                written,
                lambda: basis_of(detector, name),
                mover=self._mover,
                say=lambda remark: say(f"oddlens: {remark}"),
            )

        self._folder = opened(output.overwrite)
        if self._folder.folder.needs_judging(settings_of(detector, Task(name, ()), [*first, self._folder])):
            judge_again(self._folder.folder, detector, name, "oddlens watch")
            self._folder = opened(overwrite=False)
        report = ReportSink(output.out)
        report.said = self._said
        self._notes = Notes(everything=False)
        self._console = ConsoleSink("json" if output.as_json else "lines", self._notes.add)
        sender = OutletSink(outlets, Path(station).resolve().name, detector.identity.to_dict())
        self._run = LiveRun(detector, name, self._folder, [*first, self._folder, report, sender, self._console])
        self._seen = output.out / SEEN
        if not self._folder.folder.continues:
            self._seen.unlink(missing_ok=True)  # it would pass over what has no result

    def inspect_folder(self, folder: Path, stop: threading.Event, has_changed: Callable[[], bool]) -> bool:
        """Inspect what comes into a folder, until it is stopped, or the station has changed: then the answer is True."""
        from oddlens.inference.live import image_of_file, together
        from oddlens.inference.watch import WatchedFolder
        from oddlens.io.finding import say_passed_over

        moved_to = () if self._mover is None else self._mover.folders
        watched = WatchedFolder(
            folder,
            self._folder.is_known,
            _say,
            lambda remark: say(f"oddlens: {remark}"),
            leave_out=(self._folder.folder.root, *moved_to),
            memory=self._seen if self._mover is None else None,  # what is still there with --move is looked at again
            every=self._source.every,
        )
        said = None
        while not stop.is_set():
            for images in together(map(image_of_file, watched.poll())):
                if not self._take(images, stop):
                    return False  # what was not inspected is not remembered
                watched.remember()
                if has_changed():
                    return True
            watched.remember()
            if has_changed():
                return True
            if said is None and (said := say_passed_over(watched.passed_over)) is not None:
                say(f"oddlens: {said}")
            self._run.report_if_due()
            stop.wait(watched.wait_s)
        return False

    def inspect_camera(self, camera: Camera, stop: threading.Event, has_changed: Callable[[], bool]) -> bool:
        """Inspect the newest frame of a camera, again and again, until it is stopped or over, or the station has changed: True."""
        from oddlens.inference.live import image_of_frame

        for frame in camera.each(stop, self._source.every):
            self._take([image_of_frame(frame)], stop)
            self._run.report_if_due()
            if has_changed():
                return True
        return False

    def _take(self, images: list[HeldImage], stop: threading.Event) -> bool:
        """Inspect images; whether all of them are, and it was not stopped."""
        left = len(images)
        with closing(self._run.take(images)) as outcomes:
            for _ in outcomes:
                left -= 1
                if stop.is_set():
                    break
        return not (left and stop.is_set())

    def close(self, is_last: bool = True) -> None:
        """Write the last report, and say what was found; once, also where no other line could take its place.

        is_last: else nothing is said where nothing was found: another line goes on.
        """
        if self._is_closed:
            return
        self._is_closed = True
        from oddlens.inference.records import say_counts
        from oddlens.inference.report import NAME as REPORT

        try:
            self._run.report()
        finally:
            self._run.close()
            self._notes.finish()
        count = self._console.counts.total()
        if not (count or is_last):
            return
        found = f"{counted(count, 'image')}: {say_counts(self._console.counts)}" if count else "no new images"
        say(f"{found}: {self._folder.folder.root / REPORT}")
        for sentence in (*self._said.get("drift", ()), *self._said.get("station", ()), *self._said.get("promise", ())):
            say(f"oddlens: {sentence}")


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C set `stop`; a second one ends the program as if there were nothing here."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        for each, action in before.items():
            signal.signal(each, action)

    before = {each: signal.signal(each, handle) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, action in before.items():
            signal.signal(each, action)


def _say(is_ok: bool, sentence: str) -> None:
    say(f"oddlens: {sentence}")
