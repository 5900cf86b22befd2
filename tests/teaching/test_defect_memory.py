"""Which rows of a defective image stand for its defect."""

import torch

from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.teaching.defect_memory import defect_rows

GOOD = MemoryBank({"patch": torch.tensor([[[1.0, 0.0]]])})


def rows_of(angles: list[float]) -> torch.Tensor:
    turned = torch.tensor([angles])
    return 3 * torch.stack([turned.cos(), turned.sin()], dim=-1)


def test_they_are_the_ones_that_lie_far_from_the_good_examples() -> None:
    image = MemoryBank({"patch": rows_of([0.1, 0.1, 0.2, 1.4, 0.1, 1.5])})
    assert torch.equal(defect_rows(GOOD, image)["patch"], image.rows("patch")[[3, 5]])


def test_an_image_that_is_the_same_everywhere_has_rows_too() -> None:
    image = MemoryBank({"patch": rows_of([1.0, 1.0])})
    assert torch.equal(defect_rows(GOOD, image)["patch"], image.rows("patch"))
