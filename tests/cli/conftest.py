"""What the tests of the command line share: a few images, and no network."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import oddlens
from tests.cli.line import create, write
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


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of one part: references, good ones, more of them, and bad ones. Not to be written to."""
    root = tmp_path_factory.mktemp("images")
    for name, count, seed in (("references", 4, 1), ("good", 12, 2), ("more", 9, 3)):
        write(root / name, count, seed)
    write(root / "bad", 9, 4, spot=True)
    return root


@pytest.fixture(scope="session")
def made(images: Path, open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station of four references. Not to be written to."""
    folder = tmp_path_factory.mktemp("stations") / "line-3"
    done = create(folder, images, open_clip_folder)
    assert (done.code, done.err) == (0, "")
    return folder


@pytest.fixture
def station(made: Path, tmp_path: Path) -> Path:
    """A copy of that station."""
    return shutil.copytree(made, tmp_path / "line-3")
