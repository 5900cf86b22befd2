"""docs/reference/station.md lists all fields of station.json and no other."""

import json
import re
from pathlib import Path

import pytest

from oddlens.station import StationState, write_station

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "station.md"


pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the documents of a checkout")


def test_the_page_names_every_field(state: StationState, tmp_path: Path) -> None:
    write_station(state, tmp_path / "station")
    table = PAGE.read_text(encoding="utf-8").partition("## station.json, field by field")[2]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall("`(.*?)`", row)]
    assert sorted(named) == sorted(json.loads((tmp_path / "station" / "station.json").read_text()))
