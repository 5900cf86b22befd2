import numpy as np
import pytest

from lab.synthetic import CLASSES, OBJECTS, SURFACES, generate, make_product
from oddlens.errors import UsageError


@pytest.mark.parametrize("name", ["woven surface", "ring"])
def test_equal_arguments_give_equal_bytes(name: str) -> None:
    first, second = (generate(name, 5, True, 96) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.mask.tobytes() == second.mask.tobytes()
    assert first.defect == second.defect


def test_another_seed_is_another_design() -> None:
    assert generate("disc", 1, False, 96).image.tobytes() != generate("disc", 2, False, 96).image.tobytes()


@pytest.mark.parametrize("size", [64, 100, 256])
@pytest.mark.parametrize("name", ["mesh surface", "wedge"])
def test_a_sample_has_the_given_size_and_says_what_it_shows(name: str, size: int) -> None:
    sample = generate(name, 3, True, size)
    assert sample.image.shape == (size, size, 3)
    assert sample.image.dtype == np.uint8
    assert sample.image.flags.c_contiguous
    assert sample.mask.shape == (size, size)
    assert sample.mask.dtype == np.bool_
    assert sample.name == name
    assert sample.kind == ("surface" if name in SURFACES else "object")


def test_a_normal_picture_has_no_defect_and_an_empty_mask() -> None:
    sample = generate("bar", 4, False, 64)
    assert sample.defect is None
    assert not sample.mask.any()


def test_left_open_about_six_in_ten_pictures_are_defective() -> None:
    samples = [generate("dome", seed, None, 64) for seed in range(60)]
    defective = [sample for sample in samples if sample.defect]
    assert 24 <= len(defective) <= 48
    assert all(sample.mask.any() for sample in defective)
    assert len({sample.defect for sample in defective}) > 6


@pytest.mark.parametrize("name", ["brushed surface", "stacked blocks"])
def test_a_normal_and_a_defective_picture_of_one_seed_differ_only_about_the_defect(name: str) -> None:
    product = make_product(name, 11)
    without, with_defect = (product.sample(2, defective, size=96) for defective in (False, True))
    far = np.ones((96, 96), bool)
    rows, columns = np.nonzero(with_defect.mask)
    far[max(rows.min() - 16, 0) : rows.max() + 17, max(columns.min() - 16, 0) : columns.max() + 17] = False
    assert far.any()
    np.testing.assert_array_equal(without.image[far], with_defect.image[far])
    assert (without.image != with_defect.image).any()


@pytest.mark.parametrize("name", ["perforated surface", "slotted plate"])
def test_pictures_of_one_product_are_more_alike_than_pictures_of_two(name: str) -> None:
    def tones(seed: int, piece: int) -> list[float]:
        image = make_product(name, seed).sample(piece, False, size=64).image
        return [float(np.quantile(image, share)) for share in np.linspace(0.05, 0.95, 7)]

    one = np.array([tones(3, piece) for piece in range(4)])
    many = np.array([tones(seed, 0) for seed in range(4, 12)])
    assert one.std(0).mean() < many.std(0).mean() / 3


def test_a_third_of_the_products_is_photographed_in_grey() -> None:
    images = [generate(name, seed, None, 64).image for seed in range(4) for name in CLASSES]
    grey = np.mean([(image == image[..., :1]).all() for image in images])
    assert 0.27 < grey < 0.43


def test_the_camera_treats_normal_and_defective_pictures_alike() -> None:
    for name in ("knitted surface", "hook"):
        cameras = [make_product(name, 8).render(1, defective, size=64).camera for defective in (False, True)]
        np.testing.assert_array_equal(cameras[0].gain, cameras[1].gain)
        assert [c.quality for c in cameras] == [cameras[0].quality] * 2
        assert [c.grain for c in cameras] == [cameras[0].grain] * 2


def test_wrong_arguments_are_reported_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="'bolt'"):
        generate("bolt", 1)
    with pytest.raises(UsageError, match="chipped edge"):
        make_product("woven surface", 1).sample(1, defect="chipped edge")
    with pytest.raises(UsageError, match="defective=False"):
        make_product("ring", 1).sample(1, False, "scratch")
    with pytest.raises(UsageError, match="20 pixels"):
        generate(next(iter(OBJECTS)), 1, size=20)
