"""What training shows: images as they are, and mosaics that a seed draws."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.data.masks import read_mask
from oddlens.data.named import open_sources
from oddlens.errors import DataError
from oddlens.io.images import read_image
from oddlens.training.images import TrainingImage, epoch_images, single_images
from oddlens.training.samples import SampleSet, gather_samples
from tests.training.learning import write_category


def test_without_mosaics_an_epoch_shows_every_picture_once(sets: tuple[SampleSet, ...]) -> None:
    assert epoch_images(sets[0], 4, seed=1, mosaic=0.0) == single_images(sets[0])
    assert [view.samples[0] for view in single_images(sets[0])] == list(sets[0].samples)


def test_a_picture_comes_with_its_mask_its_state_and_its_name(sets: tuple[SampleSet, ...]) -> None:
    views = single_images(sets[0])
    good, bad = (next(view for view in views if view.label == label) for label in (0, 1))
    pixels, mask = good.read()
    assert np.array_equal(pixels, read_image(good.samples[0].record.image).pixels)
    assert mask.shape == pixels.shape[:2]
    assert not mask.any()
    _, mask = bad.read()
    assert np.array_equal(mask, read_mask(bad.samples[0].record))
    assert bad.object_name == bad.samples[0].record.category


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_mosaics_stand_in_for_their_share_of_pictures(share: float, sets: tuple[SampleSet, ...]) -> None:
    shown = [view for epoch in range(80) for view in epoch_images(sets[0], epoch, seed=2, mosaic=share)]
    assert sum(len(view.samples) == 4 for view in shown) / len(shown) == pytest.approx(share, abs=0.06)


def test_the_four_are_of_the_category_whose_place_they_take_and_of_any_kind(sets: tuple[SampleSet, ...]) -> None:
    kinds = set()
    for epoch in range(20):
        for sample, view in zip(sets[0].samples, epoch_images(sets[0], epoch, seed=2, mosaic=1.0), strict=True):
            assert {each.record.category for each in view.samples} == {sample.record.category}
            kinds |= {each.record.defect for each in view.samples}
    assert kinds == {"good", "spot"}


def test_a_kind_of_defect_is_drawn_first_however_many_pictures_it_has(tmp_path: Path) -> None:
    write_category(tmp_path / "set" / "lid", 12, 1)
    (samples,) = gather_samples(open_sources([tmp_path / "set"]), "test", "fake")
    drawn = [each for epoch in range(40) for view in epoch_images(samples, epoch, 0, 1.0) for each in view.samples]
    assert sum(each.record.label == 1 for each in drawn) / len(drawn) == pytest.approx(0.5, abs=0.04)


def test_what_is_drawn_depends_on_seed_and_epoch_alone(sets: tuple[SampleSet, ...]) -> None:
    first = epoch_images(sets[0], 3, seed=7, mosaic=0.5)
    epoch_images(sets[0], 0, seed=7, mosaic=0.5)
    assert epoch_images(sets[0], 3, seed=7, mosaic=0.5) == first
    assert epoch_images(sets[0], 4, seed=7, mosaic=0.5) != first
    assert epoch_images(sets[0], 3, seed=8, mosaic=0.5) != first


def test_a_mosaic_is_a_grid_at_native_size_of_pictures_and_of_masks(sets: tuple[SampleSet, ...]) -> None:
    lids = [sample for sample in sets[0].samples if sample.record.category == "lid"]
    four = (lids[0], lids[-1], lids[1], lids[-2])
    pixels, mask = TrainingImage(four).read()
    assert pixels.shape == (80, 96, 3)
    assert mask.shape == (80, 96)
    for number, sample in enumerate(four):
        row, column = divmod(number, 2)
        cell = np.s_[40 * row : 40 * row + 40, 48 * column : 48 * column + 48]
        alone, drawn = TrainingImage((sample,)).read()
        assert np.array_equal(pixels[cell], alone)
        assert np.array_equal(mask[cell], drawn)


def test_a_mosaic_is_abnormal_as_soon_as_one_of_its_pictures_is(sets: tuple[SampleSet, ...]) -> None:
    good, bad = (next(sample for sample in sets[0].samples if sample.record.label == label) for label in (0, 1))
    assert TrainingImage((good,) * 4).label == 0
    assert TrainingImage((good, good, bad, good)).label == 1


def test_a_mask_of_another_shape_than_its_picture_is_refused(tmp_path: Path) -> None:
    write_category(tmp_path / "set" / "lid", 1, 1)
    (samples,) = gather_samples(open_sources([tmp_path / "set"]), "test", "fake")
    (bad,) = (view for view in single_images(samples) if view.label)
    path = bad.samples[0].record.mask
    assert path is not None
    drawn = Image.open(path)
    drawn.resize((2 * drawn.width, 2 * drawn.height)).save(path)
    bad.read()
    drawn.resize((drawn.width, 2 * drawn.height)).save(path)
    with pytest.raises(DataError, match="it must have its shape"):
        bad.read()


def test_pictures_of_other_sizes_are_brought_to_that_of_the_first(tmp_path: Path) -> None:
    write_category(tmp_path / "set" / "lid", 2, 2)
    other = tmp_path / "set" / "lid" / "test" / "good" / "1.png"
    Image.open(other).resize((20, 30)).save(other)
    (samples,) = gather_samples(open_sources([tmp_path / "set"]), "test", "fake")
    sizes = {read_image(sample.record.image).size for sample in samples.samples}
    assert sizes == {(48, 40), (20, 30)}
    pixels, mask = TrainingImage((samples.samples[-1], *samples.samples[:3])).read()
    assert pixels.shape[:2] == mask.shape == (80, 96)
