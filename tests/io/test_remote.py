"""Images at addresses: read, found and run over as those on disk are."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from oddlens.errors import ImageError
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from oddlens.io.finding import find_images
from oddlens.io.images import read_image
from oddlens.io.remote import RemotePath, is_address
from tests.inference.stub import StubPredictor
from tests.noise import write_picture

fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")

FILES = (
    "1.png", "2.png", "10.png", "sub/3.png", "sub/deep/4.png",
    "notes.txt", "2_mask.png", "ground_truth/2.png", ".hidden/1.png", "@eaDir/1.png", "overlays/1.png", "run.json",
)  # fmt: skip
IMAGES = ["1.png", "2.png", "10.png", "sub/3.png", "sub/deep/4.png"]
PASSED = {".txt": 1, "masks": 2, ".hidden/": 1, "@eaDir/": 1, "of earlier runs": 2}


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that prints nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def fill(folder: Path) -> None:
    """The files on disk."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(folder / name)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[str]:
    """The address of these files in memory."""
    fill(tmp_path / "in")
    system = fsspec.filesystem("memory")
    system.put(str(tmp_path / "in"), "/parts", recursive=True)
    yield "memory://parts"
    system.rm("/parts", recursive=True)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a server with these files."""
    pytest.importorskip("aiohttp", reason="the extra remote is not installed")
    fill(tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "served")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["memory", "web"])
def root(request: pytest.FixtureRequest) -> str:
    """The address of the files."""
    address: str = request.getfixturevalue(request.param)
    return address


def test_an_image_at_an_address_is_the_one_on_disk(root: str, tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png")
    there, here = read_image(f"{root}/1.png"), read_image(tmp_path / "1.png")
    assert there.source == f"{root}/1.png"
    assert there.digest() == here.digest()


def test_folders_are_searched_as_on_disk(root: str) -> None:
    found = find_images([root])
    assert [os.fspath(each) for each in found.items] == [f"{root}/{name}" for name in IMAGES]
    assert found.passed_over == PASSED


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*.png", IMAGES[:3]), ("sub/*.png", ["sub/3.png"]), ("s*/**", IMAGES[3:]), ("**/*4.png", ["sub/deep/4.png"])],
)
def test_patterns_are_searched_as_on_disk(root: str, pattern: str, names: list[str]) -> None:
    assert [os.fspath(each) for each in find_images([f"{root}/{pattern}"]).items] == [
        f"{root}/{name}" for name in names
    ]


def test_a_query_of_the_web_is_no_part_of_the_name_and_no_pattern(web: str) -> None:
    address = f"{web}/1.png?size=[1]"
    assert find_images([address]).items == (RemotePath(address),)
    assert (RemotePath(address).name, RemotePath(address).suffix) == ("1.png", ".png")
    assert read_image(address).size == (48, 40)


def test_names_with_any_letters_are_found_on_the_web(web: str, tmp_path: Path) -> None:
    (tmp_path / "served" / "odd").mkdir()
    write_picture(tmp_path / "served" / "odd" / "100% a#1?[ü].png")
    for given in (f"{web}/odd", f"{web}/odd/*.png", f"{web}/o*/100%25*"):
        (found,) = find_images([given]).items
        assert isinstance(found, RemotePath)
        assert found.name == "100% a#1?[ü].png"
        assert read_image(found).size == (48, 40)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("memory://nowhere", "does not exist: check the address"),
        ("memory://nowhere/*.png", "no image matches the pattern memory://nowhere/*.png: looked for"),
        ("zzz://a/b.png", "zzz://a/b.png is no address that can be read: zzz:// is not known"),
        ("http://127.0.0.1:9/parts/", "http://127.0.0.1:9/parts/"),
    ],
)
def test_what_is_not_there_is_a_failure_in_its_place(address: str, reason: str, memory: str) -> None:
    first, second = find_images([address, f"{memory}/1.png"]).items
    assert reason in first.reason  # type: ignore[union-attr]
    assert second == RemotePath(f"{memory}/1.png")


def test_an_image_that_is_not_there_is_one_sentence(root: str) -> None:
    with pytest.raises(ImageError, match=r"/no\.png does not exist: check the address$"):
        read_image(f"{root}/no.png")


@pytest.mark.parametrize(("address", "package"), [("s3://b/a.png", "s3fs"), ("gs://b/a.png", "gcsfs")])
def test_a_package_that_is_missing_is_named(address: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (found,) = find_images([address]).items
    assert found.reason.startswith(f"{address} cannot be read without a package that is not installed")  # type: ignore[union-attr]
    assert found.reason.endswith(f"run pip install {package}")  # type: ignore[union-attr]


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImageError, match=r"run pip install 'oddlens\[remote\]'$"):
        read_image("memory://parts/1.png")


@pytest.mark.parametrize(
    ("path", "wanted"), [("s3://b/a", True), ("C:\\a", False), ("a/b://c", False), ("s3:/b", False)]
)
def test_what_an_address_is(path: str, wanted: bool) -> None:
    assert is_address(path) is wanted


def test_a_run_over_addresses_goes_on_and_takes_what_has_changed(root: str, tmp_path: Path) -> None:
    def outcomes() -> tuple[int, list[dict[str, object]]]:
        task = Task("nut", find_images([f"{root}/*.png", f"{root}/no.png"]).items)
        sink = FolderSink(ResultsFolder(tmp_path / "out", resume=True))
        assert len(list(run(StubPredictor(), task, [sink]))) == 4
        return sink.new, [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").open()]

    new, records = outcomes()
    assert new == 4
    assert [record["path"] for record in records] == [f"{root}/{name}" for name in (*IMAGES[:3], "no.png")]
    assert "error" in records[3]
    assert records[0]["file"]["path"] == f"{root}/1.png"  # type: ignore[index]
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == ["1.png", "10.png", "2.png"]
    assert outcomes() == (1, records)  # that which failed
    if root.startswith("memory"):
        fsspec.filesystem("memory").pipe("/parts/2.png", (tmp_path / "in" / "1.png").read_bytes())
    else:
        Image.new("RGB", (20, 30)).save(
            tmp_path / "served" / "2.png"
        )  # this server has no ETag, so that its size tells
    assert outcomes()[0] == 2
