"""The service as a program: it starts, is killed or stopped, and starts again with all that it answered."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.service.given import png


@contextmanager
def running(station: Path, home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A service with its address; it is killed in the end."""
    command = [sys.executable, "-m", "oddlens", "serve", str(station), "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield next(line.split()[-1] for line in process.stderr if "http://" in line), process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def inspect(url: str, number: int) -> dict[str, object]:
    request = urllib.request.Request(
        f"{url}/api/stations/plates/inspect?name={number}.png", png(number), {"content-type": "image/png"}
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def test_what_was_answered_is_there_after_a_kill_and_a_signal_ends_it_well(station: Path, tmp_path: Path) -> None:
    with running(station, tmp_path) as (url, process):
        answered = [inspect(url, number) for number in range(3)]
        process.send_signal(signal.SIGKILL)
    with running(station, tmp_path) as (url, process):
        for each in answered:
            with urllib.request.urlopen(f"{url}/api/results/{each['id']}") as answer:
                assert json.load(answer) == each
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert "the service has stopped" in process.stderr.read()
