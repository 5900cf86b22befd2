"""What the tests of the command line share: a few images, and no network."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import oddlens
from tests.cli.program import Done, run
from tests.noise import write_pictures

if TYPE_CHECKING:
    from oddlens.detector import Detector


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach another machine fails the test."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def refuse_connect(own: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", "the network was touched"
        connect(own, address)

    def refuse_lookup(host: Any, *rest: Any, **more: Any) -> Any:
        assert host in ("127.0.0.1", b"127.0.0.1"), "the network was touched"
        return getaddrinfo(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", refuse_connect)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_lookup)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder of three images."""
    write_pictures(tmp_path / "parts", 3)
    return tmp_path / "parts"


@pytest.fixture(scope="module")
def towers(open_clip_folder: Path) -> "Detector":
    """Keep the tiny model loaded: detectors of one process share it while one of them is alive."""
    return oddlens.load(model=open_clip_folder)


@pytest.fixture
def detect(open_clip_folder: Path, towers: "Detector") -> Callable[..., Done]:
    """`oddlens detect` on the tiny model."""
    return lambda *arguments: run("detect", "--model", open_clip_folder, *arguments)
