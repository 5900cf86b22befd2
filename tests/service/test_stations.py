"""The stations of a service, found by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oddlens.errors import OddlensError, UsageError
from oddlens.service.settings import ServeSettings
from oddlens.service.stations import Stations, UnknownStationError


class TestStations:
    def test_they_are_found_by_the_names_of_their_folders(self, station: Path, tmp_path: Path) -> None:
        made = tmp_path / "home" / "stations" / "b"
        shutil.copytree(station, made)
        found = Stations(ServeSettings(stations=(station,), home=tmp_path / "home"))
        assert [each.name for each in found] == ["plates", "b"]
        assert found["b"].folder == made
        with pytest.raises(UnknownStationError, match="there is no station 'c'"):
            found["c"]

    def test_a_relative_folder_has_its_own_name(self, station: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(station)
        (only,) = Stations(ServeSettings(stations=(Path(),)))
        assert only.name == "plates"

    def test_one_that_was_made_on_the_page_may_be_named_too(self, station: Path, tmp_path: Path) -> None:
        made = tmp_path / "home" / "stations" / "b"
        shutil.copytree(station, made)
        found = Stations(ServeSettings(stations=(made, station, made), home=tmp_path / "home"))
        assert [each.name for each in found] == ["b", "plates"]
        shutil.copytree(station, tmp_path / "other" / "b")
        for folder, said in ((tmp_path / "other" / "b", "two stations called b"), (Path("/"), "/ is no station")):
            with pytest.raises(UsageError, match=said):
                found.add(folder)

    def test_a_pause_outlives_the_service(self, station: Path, tmp_path: Path) -> None:
        settings = ServeSettings(stations=(station,), home=tmp_path / "home")
        for paused in (True, False):
            found = Stations(settings)
            assert found["plates"].paused is not paused
            found["plates"].paused = paused
            found.keep_paused(found["plates"])
            assert Stations(settings)["plates"].paused is paused
        (tmp_path / "home" / "paused" / "plates").mkdir()
        with pytest.raises(OddlensError, match="plates cannot be removed"):
            found.keep_paused(found["plates"])

    def test_a_new_one_gets_a_folder_of_the_home(self, station: Path, tmp_path: Path) -> None:
        found = Stations(ServeSettings(stations=(station,), home=tmp_path / "home"))
        assert found.new_folder("línea 3") == tmp_path / "home" / "stations" / "línea 3"
        for name in ("..", "a/b", "a\\b", "-", " a", "a ", "con:", "plates", "Plates"):
            with pytest.raises(UsageError):
                found.new_folder(name)
