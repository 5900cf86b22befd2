"""What the tests of the command line share: a few pictures, and no network."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

import oddlens
from noise import write_pictures

from .program import Done, run

if TYPE_CHECKING:
    from oddlens.detector import Detector


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach another machine fails the test."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder of three pictures."""
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
