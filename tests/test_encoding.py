"""Pictures through the towers: several methods share a walk, and none is changed by it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from weakref import WeakSet

import numpy as np
import pytest
import torch

import oddlens
from oddlens.backbone.tensors import aligned
from oddlens.backbone.vision import ClipTower
from oddlens.backbone.vision_pass import FeatureRequest
from oddlens.detection import Detection
from oddlens.encoding import EncodedBatch, encode_together, joined
from oddlens.errors import Failure, ImageError
from oddlens.io.images import Picture
from oddlens.io.loader import BATCH_SIZE


@pytest.fixture
def pictures() -> list[Picture]:
    rng = np.random.default_rng(3)
    return [Picture(rng.integers(0, 256, (50, 60, 3), np.uint8), f"picture {n}") for n in range(BATCH_SIZE + 3)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often the tower embeds, walks and embeds windows."""
    counted = {"embed": 0, "run_blocks": 0, "windows": 0}
    for name in counted:

        def count(self: ClipTower, *arguments: object, _name: str = name, **options: object) -> object:
            counted[_name] += 1
            return originals[_name](self, *arguments, **options)

        monkeypatch.setattr(ClipTower, name, count)
    return counted


originals = {name: getattr(ClipTower, name) for name in ("embed", "run_blocks", "windows")}


def test_methods_that_want_the_same_of_a_model_share_every_walk(
    open_clip_folder: Path, pictures: list[Picture], calls: dict[str, int]
) -> None:
    settings = ({}, {"temperature": 0.01}, {"reference_taps": [1, 2]})
    methods = [oddlens.load("winclip", open_clip_folder, **changed).method for changed in settings]
    together = encode_together(methods, pictures)
    batches, window_sizes = 2, 2
    assert calls == {"embed": batches, "run_blocks": batches, "windows": batches * window_sizes}
    for method, shared in zip(methods, together, strict=True):
        (alone,) = encode_together([method], pictures)
        assert shared.features.keys() == alone.features.keys()
        for name, value in alone.features.items():
            assert torch.allclose(shared.features[name], value, atol=1e-5), name


def test_another_size_is_another_walk(open_clip_folder: Path, pictures: list[Picture], calls: dict[str, int]) -> None:
    methods = [oddlens.load("winclip", open_clip_folder, image_size=size).method for size in (48, 64)]
    encode_together(methods, pictures[:2])
    assert calls["run_blocks"] == 2


def test_pictures_are_read_one_at_a_time(open_clip_folder: Path, pictures: list[Picture]) -> None:
    """Whatever a method wants of them, and with the numbers of images that are all there."""
    whole = oddlens.load("anovl", open_clip_folder, image_size=40, tiles="wide", views=1).method
    small = oddlens.load("winclip", open_clip_folder).method
    alive: WeakSet[Picture] = WeakSet()

    def read() -> Iterator[Picture]:
        for picture in pictures:
            assert not alive
            alive.add(taken := Picture(picture.pixels.copy(), picture.source))
            yield taken
            del taken

    expected = encode_together([small, whole], pictures)
    for one, other in zip(encode_together([small, whole], read()), expected, strict=True):
        assert (one.sources, one.sizes) == (other.sources, other.sizes)
        assert all(torch.equal(value, other.features[name]) for name, value in one.features.items())


def test_a_picture_that_is_too_long_for_a_method_fails_alone(open_clip_folder: Path) -> None:
    """AnoVL's tiles and VL4AD's windows would need gigabytes for it; a method that squeezes images takes it."""
    wide = oddlens.load("anovl", open_clip_folder, image_size=40, tiles="wide", views=1)
    wire = np.zeros((1, 200_000, 3), np.uint8)
    good, bad, also_good = wide.detect_each([np.zeros((40, 50, 3), np.uint8), wire, np.ones((40, 50, 3), np.uint8)])
    assert isinstance(good, Detection)
    assert isinstance(also_good, Detection)
    assert isinstance(bad, Failure)
    assert bad.reason == (
        "image 2 has 200000 x 1 pixels, and at the size of this method 320 megapixels, of which 134 are the most: cut it into parts"
    )
    with pytest.raises(ImageError, match="cut it into parts"):
        wide.encode(wire)
    with pytest.raises(ImageError, match="cut it into parts"):
        oddlens.load("vl4ad", open_clip_folder, image_size=1024).encode(wire)
    assert len(oddlens.load("anovl", open_clip_folder, image_size=40, views=1).detect(wire)) == 1


def test_some_of_the_pictures_are_a_part_of_the_features(open_clip_folder: Path, pictures: list[Picture]) -> None:
    encoded = oddlens.load("winclip", open_clip_folder).encode(pictures)
    some = encoded[2:5]
    assert len(some) == 3
    assert (some.sources, some.sizes, some.notes) == (encoded.sources[2:5], encoded.sizes[2:5], encoded.notes[2:5])
    assert all(value.data_ptr() == encoded.features[name][2].data_ptr() for name, value in some.features.items())


def test_pictures_stay_in_order(open_clip_folder: Path, pictures: list[Picture]) -> None:
    (encoded,) = encode_together([oddlens.load("winclip", open_clip_folder).method], pictures)
    assert encoded.sources == tuple(picture.source for picture in pictures)
    assert len(encoded) == len(pictures)
    assert encoded.seconds > 0


def test_nothing_joins_to_nothing() -> None:
    assert len(joined([])) == 0


def test_features_of_several_sizes_are_joined_at_the_largest_and_end_in_zeros() -> None:
    small, large = (EncodedBatch({"patch": torch.ones(n, *size)}, (), (), ()) for n, size in ((2, (1, 3)), (1, (2, 2))))
    found = joined([small, large]).features["patch"]
    assert found.shape == (3, 2, 3)
    assert found[0].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert found[2].tolist() == [[1, 1, 0], [1, 1, 0]]


class TestSaved:
    """Features as a station holds them: arrays, and back."""

    def test_they_come_back_to_the_bit_and_aligned(self, open_clip_folder: Path, pictures: list[Picture]) -> None:
        encoded = oddlens.load("winclip", open_clip_folder, device="cpu").encode(pictures[:3])
        again = EncodedBatch.of_arrays(encoded.to_arrays(), torch.device("cpu"))
        assert (again.sources, again.sizes, again.notes) == (encoded.sources, encoded.sizes, encoded.notes)
        assert all(value.equal(encoded.features[name]) for name, value in again.features.items())
        assert all(aligned(value) is value for value in again.features.values())

    def test_their_hash_is_of_what_they_are_and_not_of_what_they_are_called(
        self, open_clip_folder: Path, pictures: list[Picture]
    ) -> None:
        encoded = oddlens.load("winclip", open_clip_folder, device="cpu").encode(pictures[:3])
        other = replace(encoded, sources=("a", "b", "c"), seconds=3.0)
        assert other.content_sha256() == encoded.content_sha256()
        assert (
            joined([encoded[1:], encoded[:1]]).content_sha256()
            != encoded.content_sha256()
            != encoded[:2].content_sha256()
        )
        assert replace(encoded, digests=("1", "2", "3")).content_sha256() != encoded.content_sha256()

    def test_they_move(self, open_clip_folder: Path, pictures: list[Picture]) -> None:
        encoded = oddlens.load("winclip", open_clip_folder, device="cpu").encode(pictures[:2])
        moved = encoded.to("meta")
        assert {value.device.type for value in moved.features.values()} == {"meta"}
        assert (moved.sources, len(moved)) == (encoded.sources, 2)


def test_a_pass_has_the_images_embedding_where_one_method_wants_it() -> None:
    without, wanting = FeatureRequest(40, taps=(1,), image=False), FeatureRequest(40, taps=(2,))
    assert without.preprocess_key == wanting.preprocess_key
    assert without.joined(wanting) == FeatureRequest(40, taps=(1, 2))
    assert not without.joined(without).image


def test_images_that_keep_their_aspect_have_as_many_pixels_as_the_square() -> None:
    request = FeatureRequest(320, aspect_cell=32)

    def size(width: int, height: int) -> tuple[int, int]:
        return request.size_of(np.empty((height, width, 3), np.uint8))

    assert [size(50, 50), size(1130, 460), size(460, 1130), size(1000, 10)] == [
        (320, 320), (224, 448), (448, 224), (224, 448)
    ]  # fmt: skip
    for width in range(10, 2000, 37):
        height, width = size(width, 300)
        assert (height % 32, width % 32) == (0, 0)
        assert abs(height * width / 320**2 - 1) < 0.1
        assert size(width, height) == (height, width)
    assert FeatureRequest(320).size_of(np.empty((10, 50, 3), np.uint8)) == (320, 320)
    assert request.preprocess_key != FeatureRequest(320).preprocess_key
