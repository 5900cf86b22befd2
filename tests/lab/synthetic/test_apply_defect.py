import numpy as np
import pytest

from lab.synthetic import CLASSES, DEFECTS, Rendering, defects_of, make_product
from lab.synthetic.apply_defect import VISIBLE


def assert_exact(rendering: Rendering) -> None:
    """Outside the mask nothing changed, inside every pixel did, visibly."""
    changed = np.abs(rendering.exposed - rendering.clean).max(0)
    assert not changed[~rendering.mask].any()
    assert (changed[rendering.mask] > VISIBLE).all()


@pytest.mark.parametrize("name", CLASSES)
def test_every_defect_of_every_class_can_be_seen_and_its_mask_is_exact(name: str) -> None:
    product = make_product(name, 21)
    for number, defect in enumerate(defects_of(name)):
        rendering = product.render(number, defect=defect, size=80)
        assert rendering.defect == defect
        assert rendering.mask.any(), defect
        assert rendering.mask.mean() < 0.2, defect
        assert_exact(rendering)


@pytest.mark.parametrize("size", [64, 224, 256])
def test_masks_are_exact_at_other_sizes(size: int) -> None:
    for name in ("corrugated surface", "lattice"):
        assert_exact(make_product(name, 2).render(3, True, size=size))


def test_defects_cover_one_to_two_percent_of_the_picture_in_the_middle_and_spread_widely() -> None:
    areas = [make_product(name, seed).render(seed, True, size=96).mask.mean() for seed in range(5) for name in CLASSES]
    assert 0.008 < np.median(areas) < 0.02
    assert np.quantile(areas, 0.1) < 0.005
    assert np.quantile(areas, 0.9) > 0.03
    assert np.quantile(areas, 0.01) > 0.0003
    assert max(areas) < 0.25


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_looks_different_every_time(defect: str) -> None:
    product = make_product("rounded plate", 6)
    masks = {product.render(seed, defect=defect, size=64).mask.tobytes() for seed in range(4)}
    assert len(masks) == 4
