"""examples/notebooks: each runs from top to bottom and finds what it says; the files hold no outputs, which would grow old."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES

NOTEBOOKS = EXAMPLES / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))

ENDS = {
    "few_shot_inspection": """
assert {Path(each.source).parent.name for each in found if each.verdict == "ng"} >= {"chipped_edge", "pitting"}
assert [each.score for each in again] == [each.score for each in found]
assert "<img" in worst._repr_html_()
""",
    "zero_shot_with_words": """
by_score = sorted(found, key=lambda each: each.score)
assert [Path(each.source).parent.name for each in by_score[:2]] == ["good", "good"]
assert not any(each.verdict for each in found)
""",
    "benchmark_two_methods": """
measured = [(each["dataset"], each["method"], each["shots"]) for each in document["results"] if each["categories"]]
variants_of = (("winclip", 0), ("winclip", 2), ("patch-knn", 2))
assert measured == [(name, *variant) for name in ("star", "perforated_surface") for variant in variants_of]
""",
    "vl4ad_on_the_road": """
assert first.label_names == tuple(classes)
assert np.isfinite(first.anomaly_map).all()
assert with_words[0].score != first.score
""",
}
"""What must hold after the last cell."""


def test_what_must_hold_is_said_of_each() -> None:
    assert set(NAMES) == set(ENDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_holds_no_outputs(name: str) -> None:
    book = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.needs_torch) if name == "vl4ad_on_the_road" else name for name in NAMES],
)
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
    client = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)
    book.cells.append(nbformat.v4.new_code_cell(ENDS[name]))
    client.NotebookClient(book, timeout=300, startup_timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
