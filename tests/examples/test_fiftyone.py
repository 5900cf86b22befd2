"""examples/fiftyone: tags of the App become a call of `oddlens feedback`, which takes it; the App itself needs a person."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.examples.conftest import EXAMPLES
from tests.fiftyone_database import needs_database, told


@dataclass
class Sample:
    filepath: str
    tags: list[str] = field(default_factory=list)


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "fiftyone"))
    monkeypatch.delitem(sys.modules, "review", raising=False)


def test_what_is_tagged_reaches_the_station(station: Path, plates: list[Path], tmp_path: Path) -> None:
    from review import feedback

    results = tmp_path / "results"
    assert run("detect", *plates, "--station", station, "--out", results, "--write", "maps").code == 0
    assert run("results", "fiftyone", results, "--to", tmp_path / "review", "--no-copy").code == 0
    good, spot = map(str, plates)
    call = feedback([Sample(good, ["good", "seen"]), Sample(spot, ["bad"])], str(station), str(results))
    assert call[:2] == ["oddlens", "feedback"]
    done = run(*call[1:])
    assert done.code == 0, done.err
    assert len((station / "feedback.jsonl").read_text().splitlines()) == 2


def test_nothing_tagged_is_no_call_and_two_tags_are_refused() -> None:
    from review import feedback

    assert feedback([Sample("a.png"), Sample("b.png", ["seen"])], "line-3", "results") == []
    with pytest.raises(ValueError, match=r"a\.png is tagged good and bad"):
        feedback([Sample("a.png", ["good", "bad"])], "line-3", "results")


@needs_database
def test_fiftyone_opens_the_folder(station: Path, plates: list[Path], tmp_path: Path) -> None:
    assert run("detect", *plates, "--station", station, "--out", tmp_path / "results", "--write", "maps").code == 0
    assert run("results", "fiftyone", tmp_path / "results", "--to", tmp_path / "review", "--no-copy").code == 0
    program = (
        "import fiftyone, json, sys\n"
        "dataset = fiftyone.Dataset.from_dir(sys.argv[1], fiftyone.types.FiftyOneDataset)\n"
        "print(json.dumps([sample.filepath for sample in dataset]))"
    )
    assert told(tmp_path, program, tmp_path / "review") == list(map(str, plates))
