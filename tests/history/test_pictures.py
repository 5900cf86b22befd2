"""Files are kept once, whole, under the hash of their bytes."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.errors import DiskError, UsageError
from oddlens.history.pictures import Pictures


def png(shade: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_keeps_its_bytes(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "pictures")
    digest = pictures.put(png())
    path = pictures.path(digest)
    assert path is not None
    assert (path.read_bytes(), path.suffix, digest) == (png(), ".png", hashlib.sha256(png()).hexdigest())
    assert pictures.put(png()) == digest
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_the_content_says_what_it_is(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    path = pictures.path(pictures.put(b"<html><script>alert(1)</script>"))
    assert path is not None
    assert path.suffix == ".bin"


def test_a_map_keeps_its_bits(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    digest = pictures.put_map(values)
    assert digest == pictures.put_map(values.copy(order="F"))
    assert np.array_equal(pictures.map(digest), values)  # type: ignore[arg-type]
    path = pictures.map_path(digest)
    assert path is not None
    path.write_bytes(path.read_bytes()[:50])
    assert pictures.map(digest) is None


def test_what_is_not_kept(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    assert pictures.path("0" * 64) is None
    assert pictures.map_path("0" * 64) is None
    assert pictures.map("0" * 64) is None


@pytest.mark.parametrize(
    "digest", ["../../etc/passwd", "", "0" * 63, "G" * 64, "A" * 64, "0" * 64 + "\n", "0" * 63 + "/"]
)
def test_only_a_digest_becomes_a_path(tmp_path: Path, digest: str) -> None:
    pictures = Pictures(tmp_path)
    for method in (pictures.path, pictures.map_path, pictures.map):
        with pytest.raises(UsageError, match="is no SHA-256"):
            method(digest)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    pictures = Pictures(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("oddlens.history.pictures.os.fsync", full)
        with pytest.raises(DiskError, match="No space left"):
            pictures.put(png())
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]
    assert pictures.path(pictures.put(png())) is not None
