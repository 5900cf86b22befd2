"""docs/reference/station.md lists all fields of station.json and no other; commands of guides/stations.md print what they show."""

import json
import re
import shlex
from pathlib import Path

import pytest

from oddlens.station import StationState, write_station
from tests.cli.program import run

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FIELDS = DOCS / "guides" / "stations.md", DOCS / "reference" / "station.md"


pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the documents of a checkout")


def test_the_page_names_every_field(state: StationState, tmp_path: Path) -> None:
    write_station(state, tmp_path / "station")
    table = FIELDS.read_text(encoding="utf-8").partition("## station.json, field by field")[2]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall("`(.*?)`", row)]
    assert sorted(named) == sorted(json.loads((tmp_path / "station" / "station.json").read_text()))


def shown() -> list[tuple[str, list[str]]]:
    """The calls of `oddlens station` in the page's blocks, in order, and the lines below each."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
            call, *lines = part.splitlines()
            if call.startswith("oddlens station"):
                found.append((call, [line for line in lines if line]))
    return found


def masked(line: str) -> str:
    """Without what differs from run to run and from processor to processor: times, digits of scores."""
    return re.sub(r"0\.(\d\d)\d+", r"0.\1", re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "WHEN", line))


def test_its_commands_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").symlink_to(PAGE.parents[2] / "src")
    monkeypatch.chdir(tmp_path)
    calls = shown()
    assert len(calls) == 7
    for call, lines in calls:
        done = run(*shlex.split(call)[1:])
        assert done.code == 0, done.err
        assert [masked(line) for line in done.out.splitlines() if line] == [masked(line) for line in lines]
