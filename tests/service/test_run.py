"""The service as a program: it starts, is killed or stopped, and starts again with all that it answered."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.service.run import run
from oddlens.service.settings import ServeSettings
from tests.service.given import make_road_station, png


@contextmanager
def running(station: Path, home: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A service with its address; it is killed in the end."""
    command = [sys.executable, "-m", "oddlens", "serve", str(station), "--home", str(home), "--port", "0", *options]
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


def test_two_services_do_not_share_a_home(station: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[ServeSettings]()
    with running(station, tmp_path) as (url, _):
        with monkeypatch.context() as patch:
            patch.setattr("oddlens.service.run.create_app", opened.append)
            with pytest.raises(UsageError, match=r"another service works in .*: stop it, or give another --home"):
                run(ServeSettings(stations=(station,), home=tmp_path, port=0), print)
        assert not opened  # the second one opens nothing
        assert inspect(url, 1)["verdict"] == "ok"


def test_a_station_that_does_not_open_is_said_with_the_address(station: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "station.json").write_text("{")
    said = list[str]()
    settings = ServeSettings(stations=(station, tmp_path / "broken"), home=tmp_path / "home", port=0)
    run(settings, said.append, ready=lambda service: signal.raise_signal(signal.SIGINT))
    assert said[0].startswith("oddlens: 2 stations (1 inspects nothing) at http://127.0.0.1:")
    assert said[1].startswith("oddlens: broken inspects nothing: ")
    assert said[2:] == ["oddlens: the service has stopped"]


@pytest.mark.needs_torch
def test_a_station_whose_maps_mean_nothing_is_said_with_the_address(station: Path, tmp_path: Path) -> None:
    said = list[str]()
    settings = ServeSettings(stations=(station, make_road_station(tmp_path / "drive")), home=tmp_path / "home", port=0)
    run(settings, said.append, ready=lambda service: signal.raise_signal(signal.SIGINT))
    assert said[1].startswith("oddlens: drive: 'mini' learned flaws of surfaces")
    assert "its maps of streets mean nothing" in said[1]
    assert said[2:] == ["oddlens: the service has stopped"]


def test_a_home_is_free_again_where_a_service_cannot_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be kept in mysql"):
        run(ServeSettings(home=tmp_path, history="mysql://host/name", port=0), print)
    assert not list(tmp_path.iterdir())


def test_clients_that_send_too_much_or_too_slowly_harm_nobody(station: Path, tmp_path: Path) -> None:
    with running(station, tmp_path, "--max-mb", "1") as (url, process):
        host, _, port = url.removeprefix("http://").partition(":")

        def connected(*headers: str, station: str = "plates") -> socket.socket:
            found = socket.create_connection((host, int(port)), 10)
            place = f"POST /api/stations/{station}/inspect HTTP/1.1"
            head = [place, f"Host: {host}", "Content-Type: image/png", *headers]
            found.sendall("\r\n".join([*head, "", ""]).encode())
            return found

        with connected("Content-Length: 1000000000") as announced:
            assert announced.recv(1000).startswith(b"HTTP/1.1 413")
        with connected("Transfer-Encoding: chunked") as endless:
            sent, chunk = 0, b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
            with suppress(OSError):  # the service closes the connection
                while sent < 1_000_000_000:
                    endless.sendall(chunk)
                    sent += len(chunk)
            assert sent < 50_000_000  # what the system's buffers took in
        with connected("Transfer-Encoding: chunked") as malformed:
            malformed.sendall(b"5\r\nabcde\r\nzz\r\n")
            assert malformed.recv(1000).startswith(b"HTTP/1.1 400")
        with connected("Transfer-Encoding: chunked", station="none") as refused:
            refused.sendall(b"5\r\nabcde\r\n")
            assert refused.recv(10_000).startswith(b"HTTP/1.1 404")
            refused.sendall(b"zz\r\n")  # when the answer is out
            with suppress(ConnectionResetError):
                while refused.recv(1000):  # until the service closes the connection
                    pass
        with connected("Content-Length: 1000") as slow, urllib.request.urlopen(f"{url}/api/events") as events:
            for number in range(3):
                slow.sendall(b"x")
                assert inspect(url, number)["verdict"] == "ok"
            slow.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0  # the stream of events ends
            assert events.read().count(b'"kind": "result"') == 3
        assert process.stderr is not None
        said = process.stderr.read()
        assert "Invalid HTTP request" in said
        assert "Traceback" not in said


def test_an_address_that_is_not_there_or_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^192\.0\.2\.1:8000 cannot be listened on"):
        run(ServeSettings(host="192.0.2.1", home=tmp_path), print)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="Address already in use"):
        run(ServeSettings(port=taken.getsockname()[1], home=tmp_path), print)
    assert not list(tmp_path.iterdir())  # nothing begins before
