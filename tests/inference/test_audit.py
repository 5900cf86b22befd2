"""Images drawn for audit: a random share, by their pixels."""

import hashlib
import json
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.inference.audit import AuditSink, is_drawn
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from oddlens.io.images import read_image
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_the_share_is_what_is_asked_for(share: float) -> None:
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    drawn = sum(is_drawn(digest, share) for digest in digests)
    assert abs(drawn / len(digests) - share) <= 4 * (share * (1 - share) / len(digests)) ** 0.5


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="share that is audited cannot be"):
        AuditSink(share)


def test_an_image_is_drawn_by_its_pixels_whatever_its_verdict(tmp_path: Path) -> None:
    images = write_pictures(tmp_path / "parts", 24)
    for order, out in ((images, "a"), (images[::-1], "b")):
        audit = AuditSink(0.4)
        list(run(StubPredictor(), Task("part", tuple(order)), [audit, FolderSink(ResultsFolder(tmp_path / out))]))
        records = [json.loads(line) for line in (tmp_path / out / "results.jsonl").read_text().splitlines()]
        drawn = {record["path"] for record in records if record.get("audit")}
        assert drawn == {str(path) for path in images if is_drawn(read_image(path).digest(), 0.4)}
        assert {record["verdict"] for record in records if record.get("audit")} == {"ok", "ng"}
        assert audit.ok_count == sum(record["verdict"] == "ok" for record in records if record.get("audit"))
        assert json.loads((tmp_path / out / "run.json").read_text())["run"]["audit"] == 0.4
