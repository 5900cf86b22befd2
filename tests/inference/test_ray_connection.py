"""A Ray that is started or joined leaves the environment and the signals of this process as they were."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from oddlens.errors import UsageError
from oddlens.inference.ray_connection import join, start
from oddlens.inference.workers import Workers, connected

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

RECONNECT = "RAY_gcs_rpc_server_reconnect_timeout_s"


def test_a_ray_that_is_started_here_gives_workers_their_threads_and_leaves_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = {}
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.delenv(RECONNECT, raising=False)
    monkeypatch.setattr(ray, "init", lambda **settings: seen.update(os.environ, **settings))
    start(4, 0, {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"})
    assert (seen["OMP_NUM_THREADS"], seen["MKL_NUM_THREADS"], seen["num_cpus"]) == ("3", "3", 4)
    assert seen[RECONNECT] == "5"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert not {"MKL_NUM_THREADS", RECONNECT} & os.environ.keys()
    monkeypatch.setenv(RECONNECT, "60")  # the user's own
    start(1, 0, {})
    assert seen[RECONNECT] == os.environ[RECONNECT] == "60"


def test_sigterm_does_what_it_did_before_ray_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        monkeypatch.setattr(ray, "init", lambda **_: signal.signal(signal.SIGTERM, lambda *_: sys.exit(15)))
        start(1, 0, {})
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert asked == [signal.SIGTERM]


def test_ctrl_c_waits_until_ray_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def init(**_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("started")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(KeyboardInterrupt):
        start(1, 0, {})
    assert done == ["started"]
    monkeypatch.setattr(ray, "init", lambda **_: [init(), init()])  # a second one ends a start that never would
    with pytest.raises(KeyboardInterrupt):
        start(1, 0, {})
    assert done == ["started", "started"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("workers", "sentence"),
    [
        (
            Workers(),
            r"no Ray can be had on this machine \(too late\): try again when less else runs here, or run without",
        ),
        (Workers("auto"), r"no Ray can be had at auto \(too late\): start it, or give another --address"),
        (Workers("ray://me:secret@far:1"), r"no Ray can be had at ray://far:1 \(too late\): start it"),
    ],
)
def test_a_ray_that_does_not_start(workers: Workers, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise Exception("too late\nand more")  # of no kind of its own, as Ray does

    for name, stand_in in (("init", init), ("is_initialized", lambda: False), ("shutdown", lambda: None)):
        monkeypatch.setattr(ray, name, stand_in)
    with pytest.raises(UsageError, match=sentence), connected(workers, b""):
        pass


def test_a_cluster_that_does_not_answer_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=rf"no Ray can be had at {address} \(.*refused\): start it, or give another"):
        join(address)
