"""What the tests of the command line share: a few pictures, and no network."""

import socket
from pathlib import Path
from typing import NoReturn

import pytest

from noise import write_pictures


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
