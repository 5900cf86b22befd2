import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from oddlens.data import Record, read_mask, resize_mask
from oddlens.errors import DataError
from tests.data.small_sets import mask, picture


def record(image, drawn=None, label=1):
    return Record(image, drawn, label, "c", "crack" if label else "good", "test")


def test_everything_above_zero_is_defect(tmp_path):
    Image.fromarray(np.array([[0, 1], [128, 255]], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "I;16"])
def test_every_mode_of_a_picture_is_read_alike(tmp_path, mode):
    drawn = np.zeros((4, 6), np.uint8)
    drawn[1:3, 2:5] = 255
    grey = Image.fromarray(drawn)
    picture = Image.fromarray(drawn.astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    picture.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), drawn > 0)


def test_values_beyond_8_bits_are_not_cut_off(tmp_path):
    Image.fromarray(np.array([[0, 256]], np.uint16)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, True]]


def test_several_files_count_together_given_as_paths_or_as_their_folder(tmp_path):
    files = [mask(tmp_path / "0.png", box=(0, 0, 2, 2)), mask(tmp_path / "1.png", box=(1, 1, 3, 3))]
    assert read_mask(files).sum() == 4 + 4 - 1
    assert np.array_equal(read_mask(tmp_path), read_mask(files))


def test_a_normal_record_is_false_everywhere_in_the_shape_of_its_picture_or_the_one_given(tmp_path):
    normal = record(picture(tmp_path / "1.png", size=(16, 9)), label=0)
    for drawn, shape in ((read_mask(normal), (9, 16)), (read_mask(normal, shape=(5, 7)), (5, 7))):
        assert drawn.shape == shape
        assert drawn.dtype == np.bool_
        assert not drawn.any()


@pytest.mark.parametrize("label", [1, None])
def test_where_nobody_knows_the_defect_there_is_no_mask(tmp_path, label):
    with pytest.raises(DataError, match="has no mask"):
        read_mask(record(tmp_path / "1.png", label=label), shape=(4, 4))


def test_a_mask_of_another_size_than_its_picture_or_its_fellows_is_refused(tmp_path):
    narrow, wide = mask(tmp_path / "0.png", size=(8, 16)), mask(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"0\.png has 8 x 16 pixels instead of 16 x 16"):
        read_mask(record(tmp_path / "i.png", narrow), shape=(16, 16))
    with pytest.raises(DataError, match=r"1\.png has 16 x 16 pixels instead of 8 x 16"):
        read_mask([narrow, wide])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"no image", "is a text file"),
        (b"\x89PNG\r\n\x1a\n", "is damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)
def test_a_mask_that_cannot_be_read_is_one_clear_error(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "m.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"the mask .*m\.png {reason}"):
        read_mask(tmp_path / "m.png")


def test_no_mask_at_all_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", []):
        with pytest.raises(DataError, match="there is no mask image"):
            read_mask(nothing)


def triangle_weights(size, to):
    """Bilinear resampling with antialiasing as a matrix [to, size]: a triangle as wide as a new pixel, normalised."""
    scale = max(size / to, 1.0)
    centres = (np.arange(to) + 0.5) * size / to
    weights = np.maximum(1 - np.abs(np.arange(size) + 0.5 - centres[:, None]) / scale, 0)
    return weights / weights.sum(axis=1, keepdims=True)


@given(
    drawn=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_resizing_is_bilinear_with_antialiasing_and_cut_at_one_half(drawn, height, width):
    exact = triangle_weights(drawn.shape[0], height) @ drawn @ triangle_weights(drawn.shape[1], width).T
    sure = np.abs(exact - 0.5) > 2 / 255  # Pillow rounds to 8 bits after each direction
    assert np.array_equal(resize_mask(drawn, (height, width))[sure], exact[sure] > 0.5)


def test_one_number_is_the_side_of_a_square():
    assert resize_mask(np.ones((4, 8), np.bool_), 6).shape == (6, 6)


def test_the_same_size_changes_nothing():
    drawn = np.random.default_rng(0).random((7, 9)) > 0.5
    assert np.array_equal(resize_mask(drawn, (7, 9)), drawn)
