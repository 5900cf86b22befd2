"""Pictures through the towers: several methods share a walk, and none is changed by it."""

from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import numpy as np
import pytest
import torch

import oddlens
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision import ClipTower
from oddlens.detection import Detection
from oddlens.encoding import encode_together
from oddlens.errors import Failure, ImageError
from oddlens.io.images import Picture
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.preparation import Preparation


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


def test_a_method_that_has_all_patches_at_once_takes_no_more_than_the_largest_square(open_clip_folder: Path) -> None:
    """AnomalyDINO would compare all patches of a wire with each other: hours for an image of a hundred kilobytes."""
    detector = oddlens.load("anomalydino", open_clip_folder, image_size=40)
    with pytest.raises(ImageError, match="at the size of this method 19 megapixels, of which 17 are the most"):
        detector.encode(np.zeros((2, 24_000, 3), np.uint8))


def test_pictures_stay_in_order(open_clip_folder: Path, pictures: list[Picture]) -> None:
    (encoded,) = encode_together([oddlens.load("winclip", open_clip_folder).method], pictures)
    assert encoded.sources == tuple(picture.source for picture in pictures)
    assert len(encoded) == len(pictures)
    assert encoded.seconds > 0


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


class TestTiles:
    """An image that is cut goes through the tower as so many images."""

    @pytest.fixture
    def large(self) -> list[Picture]:
        rng = np.random.default_rng(5)
        return [Picture(rng.integers(0, 256, (90, 120, 3), np.uint8), f"large {n}") for n in range(3)]

    def test_its_tiles_are_what_cutting_it_by_hand_gives(self, open_clip_folder: Path, large: list[Picture]) -> None:
        method = oddlens.load("winclip", open_clip_folder, device="cpu").method
        (encoded,) = encode_together([method], large, preparation=Preparation((2, 1)))
        assert encoded.sizes == ((120, 90),) * 3
        tiles = [each.pixels[:, left : left + 67] for each in large for left in (0, 53)]
        (by_hand,) = encode_together([method], [Picture(each, "a tile") for each in tiles])
        for name, value in encoded.features.items():
            assert torch.allclose(value, by_hand.features[name], atol=1e-5), name

    def test_no_more_tiles_run_together_than_images_would(
        self, open_clip_folder: Path, large: list[Picture], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        together = []

        def count(self: ClipTower, pixels: torch.Tensor, *arguments: object) -> object:
            together.append(len(pixels))
            return originals["embed"](self, pixels, *arguments)

        monkeypatch.setattr(ClipTower, "embed", count)
        method = oddlens.load("winclip", open_clip_folder, device="cpu").method
        encode_together([method], large, preparation=Preparation((4, 4)))
        assert together == [BATCH_SIZE] * 6

    def test_methods_of_other_sizes_each_have_tiles_of_their_own(
        self, open_clip_folder: Path, large: list[Picture]
    ) -> None:
        methods = [oddlens.load("winclip", open_clip_folder, image_size=size).method for size in (32, 48)]
        small, big = encode_together(methods, large, preparation=Preparation("auto"))
        assert ([len(rows) for rows in small.views], [len(rows) for rows in big.views]) == ([6] * 3, [2] * 3)

    def test_what_is_cropped_is_noted(self, open_clip_folder: Path, large: list[Picture]) -> None:
        method = oddlens.load("winclip", open_clip_folder, device="cpu").method
        (encoded,) = encode_together([method], large, preparation=Preparation(fit="crop"))
        assert encoded.notes == ("only its centre of 90 x 90 pixels was looked at (fit crop)",) * 3
        (by_hand,) = encode_together([method], [Picture(each.pixels[:, 15:105], "a centre") for each in large])
        assert all(value.equal(by_hand.features[name]) for name, value in encoded.features.items())


def test_a_thin_picture_that_grows_much_for_a_method_has_a_note(open_clip_folder: Path) -> None:
    wide = oddlens.load("anovl", open_clip_folder, image_size=40, tiles="wide", views=1)
    thin, street = (np.zeros((*size, 3), np.uint8) for size in ((2, 64), (40, 300)))
    (note, other) = wide.encode([thin, street]).notes
    assert (note, other) == ("64 x 2 pixels are scaled to 0.1 megapixels for this method: cut it into parts", None)
    assert oddlens.load("anovl", open_clip_folder, image_size=40, views=1).encode(thin).notes == (None,)
