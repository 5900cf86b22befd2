"""The stations of a service by name: those that it was given, and those that were made on its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oddlens.errors import UsageError, check_name, choices, printable, shortened
from oddlens.history.tables import as_text
from oddlens.inference.live_station import LiveStation
from oddlens.io.atomic import remove, write_bytes
from oddlens.io.new_folder import check_folder_name
from oddlens.io.paths import is_dir, is_file, matching
from oddlens.service.settings import ServeSettings
from oddlens.station.document import STATION


class UnknownStationError(UsageError):
    """There is no station of that name."""


class Station(LiveStation):
    """A station of a service.

    Attributes:
        paused: Whether nothing is inspected for now.
    """

    paused = False


class Stations:
    """The stations of a service by name, in their order."""

    def __init__(self, settings: ServeSettings) -> None:
        """Take them in; none is opened yet. Raises `UsageError` for two of one name, and for what is no folder."""
        self._runtime = settings.runtime
        self._made, self._paused = settings.made_stations, settings.home / "paused"
        self._known: dict[str, Station] = {}
        for folder in (*settings.stations, *sorted(matching(self._made, f"*/{STATION}"))):
            self.add(folder.parent if folder.name == STATION else folder)

    def __iter__(self) -> Iterator[Station]:
        """All, in their order."""
        return iter(tuple(self._known.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def __getitem__(self, name: str) -> Station:
        """The station of a name. Raises `UnknownStationError`."""
        try:
            return self._known[as_text(name)]
        except KeyError:
            raise UnknownStationError(f"there is no station {shortened(name)}{choices(name, self._known)}") from None

    def add(self, folder: Path) -> Station:
        """Take one more station in, once. Raises `UsageError` where its name is another's, or its folder is none."""
        name = as_text(folder.resolve().name)  # as the history spells it
        if name in self._known:
            if self._known[name].folder.resolve() == folder.resolve():
                return self._known[name]
            raise UsageError(f"there are two stations called {printable(name)}: rename the folder of one")
        if not name or not is_dir(folder):
            raise UsageError(
                f"{printable(str(folder))} is no station: give the folder that 'oddlens station create' made"
            )
        station = self._known[name] = Station(name, folder, self._runtime)
        station.paused = is_file(self._paused / name)
        return station

    def keep_paused(self, station: Station) -> None:
        """Let the next start know whether it is paused. Raises `OddlensError` where that cannot be written."""
        mark = self._paused / station.name
        if station.paused:
            write_bytes(mark, b"")
        else:
            remove(mark)

    def new_folder(self, name: str) -> Path:
        """Where a new station goes. Raises `UsageError` for a name that is taken, or makes no good folder."""
        check_name("the name of a station", name)
        check_folder_name(name, "a station")
        if name.casefold() in {each.casefold() for each in self._known}:
            raise UsageError(f"there is a station called {printable(name)} already: give another name")
        return self._made / name
