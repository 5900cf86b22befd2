"""The service as one object: all that runs, and what it says of its stations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from oddlens.errors import OddlensError
from oddlens.history.history import History
from oddlens.history.records import AuditEntry
from oddlens.history.retention import Keeper
from oddlens.inference.event_hub import EventHub
from oddlens.service.inspector import Inspector
from oddlens.service.security import Door
from oddlens.service.settings import ServeSettings
from oddlens.service.sources import Sources
from oddlens.service.stations import Station, Stations
from oddlens.station import locked
from oddlens.teaching.report import Document
from oddlens.teaching.thumbnails import Thumbnails

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

_MOST_JOBS = 16


class OccupiedError(OddlensError):
    """Too many changes wait for one another."""


class OutdatedError(OddlensError):
    """A change was decided on for another version of a station than the one in force. version: that one."""

    def __init__(self, seen: int, version: int) -> None:
        super().__init__(
            f"version {version} of the station is in force by now, and this was decided on for version {seen}: "
            "look at what is new, then decide again; nothing was changed"
        )
        self.version = version


class Service:
    """All that runs.

    Attributes:
        settings: What it was asked.
        door: The token.
        events: What happens.
        stations: The stations.
        history: What was inspected.
        inspector: Where images go.
        keeper: Removes images with age.
        sources: What brings images by itself, and where results go besides the history.
        thumbnails: Of references.
    """

    def __init__(self, settings: ServeSettings) -> None:
        """Open the history. Raises `UsageError` and `HistoryError`."""
        self.settings, self.door = settings, Door(settings)
        self.events, self.stations = EventHub(), Stations(settings)
        self.history = History.open(settings.database, settings.pictures)
        self.keeper = Keeper(self.history, settings.retention, lambda: [each.folder for each in self.stations])
        self.inspector = Inspector(
            self.history,
            self.events,
            settings.limits,
            settings.audit,
            self.say_changed,
            lambda each: self.sources.send(each),
        )
        self.sources = Sources(settings, self.stations, self.inspector, self.history, self.events, self.say_changed)
        self.thumbnails = Thumbnails(settings.home / "thumbnails")
        self._jobs = CapacityLimiter(1)

    def start(self) -> None:
        """Start what works by itself."""
        self.inspector.start()
        self.keeper.start()
        self.sources.start()

    def stop(self) -> None:
        """Finish what is in hand, and close all."""
        self.events.close()
        self.sources.stop()
        self.inspector.stop()
        self.keeper.stop()
        self.sources.close()
        self.history.close()

    async def job(self, work: Callable[_Given, _Result], *given: _Given.args, **more: _Given.kwargs) -> _Result:
        """Do what takes long in a thread, one after the other: the line needs the processor, too. Raises `OccupiedError`."""
        if self._jobs.statistics().tasks_waiting >= _MOST_JOBS:
            raise OccupiedError("too many changes wait for one another: try again later")
        return await to_thread.run_sync(partial(work, *given, **more), limiter=self._jobs)

    async def change(
        self,
        station: Station,
        seen: int | None,
        work: Callable[_Given, _Result],
        *given: _Given.args,
        **more: _Given.kwargs,
    ) -> _Result:
        """As `job`, with the station locked, but for a dry run. seen: the version that it was decided on for; None: any.

        Raises `OutdatedError` where another version is in force, and tells all who listen of that one.
        """

        def decided() -> _Result:
            with nullcontext() if more.get("dry_run") else locked(station.folder):
                version = station.to_dict()["version"]  # None of a damaged one, which may be put back
                if isinstance(version, int) and seen not in (None, version):
                    self.say_changed(station)
                    raise OutdatedError(seen, version)
                return work(*given, **more)

        return await self.job(decided)

    @contextmanager
    def changing(self, station: Station, who: str | None, what: str) -> Iterator[None]:
        """A station is changed within: the audit log gets what it was and what it is, and all who listen are told."""
        before = self.essence(station)
        yield
        self.audit(station, who, what, before, self.essence(station))
        self.say_changed(station)

    def audit(self, station: Station, who: str | None, what: str, before: object, after: object) -> None:
        """Write down who changed what."""
        self.history.add_audit(
            AuditEntry(time=datetime.now(UTC), station=station.name, who=who, what=what, before=before, after=after)
        )

    def pause(self, station: Station, paused: bool, who: str | None) -> None:
        """Pause a station, or let it go on; a start keeps to it."""
        self.inspector.pause(station, paused)
        self.stations.keep_paused(station)
        self.audit(station, who, "paused" if paused else "goes on", {}, {"paused": paused})

    def references(self, station: Station) -> list[Document]:
        """The good examples of a station, those that it learned as its users call them."""
        return self.thumbnails.references_of(station.loaded().detector, partial(self.history.called, station.name))

    def essence(self, station: Station) -> dict[str, object]:
        """What the audit log says of a station."""
        known = self.describe(station)
        names = ("version", "object_name", "thresholds", "references", "calibrated", "calibration_kind", "defects")
        return {name: known[name] for name in names}

    def say_changed(self, station: Station) -> None:
        """Tell all who listen what a station is now."""
        self.events.publish("station", station.name, self.describe(station))

    def describe(self, station: Station) -> dict[str, object]:
        """A station as JSON."""
        return station.to_dict() | {
            "paused": station.paused,
            "today": self.history.today(station.name),
            "queue": self.inspector.waiting_for(station.name),
            "lost": self.sources.lost(station.name),
        }
