"""What a lesson changed, in a few words and as JSON."""

from __future__ import annotations

import json

import pytest

from oddlens.station import Version
from oddlens.teaching.learned import Learned


@pytest.mark.parametrize(
    ("learned", "words"),
    [
        (Learned(version=None, joined=("a.png",)), "+1 reference that was flagged"),
        (
            Learned(version=None, joined=("a.png", "b.png"), left=("c.png",)),
            "+2 references that were flagged, -1 reference",
        ),
        (Learned(version=None, left=("a.png", "b.png"), defects=("a.png",)), "-2 references, +1 known defect"),
        (Learned(version=None, calibrated=30), "thresholds by 30 images drawn at random"),
        (Learned(version=None, named=2), "other names or memory of defects"),
    ],
)
def test_its_summary_counts_what_changed(learned: Learned, words: str) -> None:
    assert learned.summary == f"learned of the marks: {words}"


def test_it_is_json_and_names_its_version_by_the_number() -> None:
    made = Version(number=7, time="2026-01-01T00:00:00+00:00", verb="learn", what="")
    document = Learned(version=made, joined=("a.png",), sentences=("1 reference joined.",)).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert (document["version"], document["joined"]) == (7, ["a.png"])
    assert Learned(version=None).to_dict()["version"] is None
