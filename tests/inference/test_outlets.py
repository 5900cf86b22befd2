"""The event that every outlet gets, and how outlets are named."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.inference.hooks import Hook
from oddlens.inference.outlets import Outlets, OutletSink, event_of, open_outlet
from oddlens.inference.runner import run
from oddlens.inference.task import Task
from oddlens.inference.webhook import SECRET_VARIABLE, Webhook
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures

NOTE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"


def silent(is_ok: bool, sentence: str) -> None:
    pass


def test_an_event_says_what_was_found_when_and_by_what() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=1)))
    event = event_of({"path": "a.png", "score": 0.5}, station="line", time=at, identity={"method": "m"})
    assert event == {
        "station": "line",
        "time": "2026-01-02T02:04:05.678Z",
        "path": "a.png",
        "score": 0.5,
        "identity": {"method": "m"},
    }


def test_the_results_of_a_run_go_to_every_outlet(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "in", 3)
    paths[1].write_bytes(b"")
    programs = [shlex.join([sys.executable, "-c", NOTE, str(tmp_path / name)]) for name in ("each", "ng")]
    outlets = Outlets([f"on-each:{programs[0]}", f"on-ng:{programs[1]}"], silent)
    predictor = StubPredictor()
    list(run(predictor, Task("bolt", tuple(paths)), [OutletSink(outlets, "line", predictor.identity.to_dict())]))
    outlets.close()
    events = [json.loads(line) for line in (tmp_path / "each").read_text().splitlines()]
    assert [event["path"] for event in events] == list(map(str, paths))
    assert ["error" in event for event in events] == [False, True, False]
    assert {event["station"] for event in events} == {"line"}
    assert {event["identity"]["method"] for event in events} == {"stub"}
    found = [event["path"] for event in events if event.get("verdict") == "ng"]
    noted = (tmp_path / "ng").read_text().splitlines() if found else []
    assert [json.loads(line)["path"] for line in noted] == found


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "hush")
    webhook = open_outlet("https://127.0.0.1:9/x", silent)
    assert isinstance(webhook, Webhook)
    assert webhook._secret == "hush"
    webhook.close()


def test_where_one_is_wrong_none_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    monkeypatch.setattr(Hook, "close", lambda self: closed.append(self))
    with pytest.raises(UsageError, match=r"results cannot go to ftp://host/x: give http"):
        Outlets([f"on-ng:{sys.executable}", "ftp://me:geheim@host/x"], silent)
    assert len(closed) == 1
