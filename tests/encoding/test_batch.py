"""Encoded images: they join, split and move, tiled or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import oddlens
from oddlens.backbone.tensors import aligned
from oddlens.encoding import EncodedBatch, encode_together, joined
from oddlens.errors import ImageError, UsageError
from oddlens.io.images import Picture
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.preparation import Preparation


@pytest.fixture
def pictures() -> list[Picture]:
    rng = np.random.default_rng(3)
    return [Picture(rng.integers(0, 256, (50, 60, 3), np.uint8), f"picture {n}") for n in range(BATCH_SIZE + 3)]


def test_some_of_the_pictures_are_a_part_of_the_features(open_clip_folder: Path, pictures: list[Picture]) -> None:
    encoded = oddlens.load("winclip", open_clip_folder).encode(pictures)
    some = encoded[2:5]
    assert len(some) == 3
    assert (some.sources, some.sizes, some.notes) == (encoded.sources[2:5], encoded.sizes[2:5], encoded.notes[2:5])
    assert all(value.data_ptr() == encoded.features[name][2].data_ptr() for name, value in some.features.items())


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
        detector = oddlens.load("winclip", open_clip_folder, device="cpu")
        encoded = detector.encode(pictures[:3])
        again = EncodedBatch.of_arrays(encoded.to_arrays(), detector.method)
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

    def test_features_of_graphs_do_not_move(self) -> None:
        encoded = EncodedBatch({"tokens": np.zeros((1, 4), np.float32)}, ((8, 8),), ("a",), (None,))
        with pytest.raises(UsageError, match="load the detector with runtime 'torch' to move them"):
            encoded.to("cpu")


def test_torch_joins_no_arrays_of_numpy() -> None:
    one, other = (EncodedBatch({"tokens": value}, ((8, 8),), ("a",), (None,)) for value in (torch.ones(1), np.ones(1)))
    with pytest.raises(TypeError, match="tokens: an array of numpy, where torch computes"):
        joined([one, other])


class TestTiled:
    """Of tiled images the rows of the features are tiles, and all else goes by the image."""

    @pytest.fixture
    def encoded(self, open_clip_folder: Path) -> EncodedBatch:
        """Three images of one, two and four tiles."""
        method = oddlens.load("winclip", open_clip_folder, device="cpu").method
        sizes = ((70, 60), (130, 60), (130, 130))
        rng = np.random.default_rng(1)
        images = [Picture(rng.integers(0, 256, (h, w, 3), np.uint8), f"{w} x {h}") for w, h in sizes]
        return encode_together([method], images, preparation=Preparation("auto"))[0]

    def test_there_are_as_many_images_as_were_given(self, encoded: EncodedBatch) -> None:
        assert len(encoded) == 3
        assert [len(rows) for rows in encoded.views] == [1, 2, 4]
        assert {len(value) for value in encoded.features.values()} == {7}
        assert encoded.view_images().tolist() == [0, 1, 1, 2, 2, 2, 2]

    @pytest.mark.parametrize(
        ("part", "rows"), [(slice(1, 3), [1, 2, 3, 4, 5, 6]), (slice(0, 3, 2), [0, 3, 4, 5, 6]), (slice(3, 3), [])]
    )
    def test_a_part_has_the_tiles_of_its_images(self, encoded: EncodedBatch, part: slice, rows: list[int]) -> None:
        found = encoded[part]
        assert (found.sources, found.layouts) == (encoded.sources[part], encoded.layouts[part])
        assert all(value.equal(encoded.features[name][rows]) for name, value in found.features.items())

    def test_parts_join_to_the_whole(self, encoded: EncodedBatch) -> None:
        again = joined([encoded[:1], encoded[1:]])
        assert (again.sources, again.layouts) == (encoded.sources, encoded.layouts)
        assert all(value.equal(encoded.features[name]) for name, value in again.features.items())

    def test_parts_have_at_most_so_many_tiles(self, encoded: EncodedBatch) -> None:
        assert [len(part) for part in encoded.parts(3)] == [2, 1]
        assert [len(part) for part in encoded.parts(1)] == [1, 1, 1]
        assert [len(part) for part in encoded.parts(7)] == [3]

    def test_a_tile_that_is_not_finite_names_its_image(self, encoded: EncodedBatch) -> None:
        features = {name: value.clone() for name, value in encoded.features.items()}
        features["image"][2, 0] = torch.nan
        with pytest.raises(ImageError, match="the reference 130 x 60 has features that are not finite"):
            replace(encoded, features=features).check_finite()

    def test_a_station_has_them(self, encoded: EncodedBatch, open_clip_folder: Path) -> None:
        detector = oddlens.load("winclip", open_clip_folder, device="cpu")
        again = EncodedBatch.of_arrays(encoded.to_arrays(), detector.method, encoded.layouts)
        assert again.views == encoded.views
        assert all(value.equal(encoded.features[name]) for name, value in again.features.items())
