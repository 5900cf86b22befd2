"""examples/rest-python and examples/rest-javascript: both print what the service says, and go on after an image that it refuses."""

import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES

CLIENTS = {
    "python": [sys.executable, EXAMPLES / "rest-python" / "inspect_parts.py"],
    "javascript": ["node", EXAMPLES / "rest-javascript" / "inspect_parts.mjs"],
}


@pytest.fixture(params=list(CLIENTS))
def client(request: pytest.FixtureRequest) -> list[str]:
    if shutil.which(str(CLIENTS[request.param][0])) is None:
        pytest.skip("Node is not installed")
    return list(map(str, CLIENTS[request.param]))


def call(client: list[str], *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*client, *map(str, words)], capture_output=True, text=True, timeout=60)


def test_a_client_prints_scores_and_verdicts_and_says_what_has_none(
    client: list[str], service: str, plates: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    done = call(client, service, "line-3", plates[0], tmp_path / "broken.png", plates[1])
    assert [line.split("\t")[1:] for line in done.stdout.splitlines()] == [
        ["ok", str(plates[0])],
        ["ng", str(plates[1])],
    ]
    assert done.stderr.startswith(f"{tmp_path / 'broken.png'}: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 1


def test_an_unknown_station_is_said_in_the_services_words(client: list[str], service: str, plates: list[Path]) -> None:
    done = call(client, service, "line-4", plates[0])
    assert (done.returncode, done.stdout) == (1, "")
    assert "line-4" in done.stderr


def test_a_client_waits_where_the_service_is_busy_and_sends_the_same_key_again(
    client: list[str], plates: list[Path]
) -> None:
    keys: list[str] = []

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            is_busy = len(keys) == 1
            body = json.dumps({"error": "busy"} if is_busy else {"score": 0.25, "verdict": "ok"}).encode()
            self.send_response(429 if is_busy else 200)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = call(client, f"http://127.0.0.1:{server.server_port}", "line-3", plates[0])
        server.shutdown()
    assert (done.returncode, done.stdout) == (0, f"0.2500\tok\t{plates[0]}\n")
    assert len(keys) == 2
    assert keys[0] == keys[1]
