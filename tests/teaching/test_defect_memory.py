"""Which rows of a defective image stand for its defect."""

import torch
import torch.nn.functional as F

from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.teaching.defect_memory import defect_rows


def test_they_are_the_ones_that_lie_far_from_the_good_examples() -> None:
    good = MemoryBank({"patch": torch.tensor([[[1.0, 0.0]]])})
    angles = torch.tensor([[0.1, 0.1, 0.2, 1.4, 0.1, 1.5], [0.1, 0.2, 0.1, 0.1, 0.3, 0.2]])
    images = 3 * torch.stack([angles.cos(), angles.sin()], dim=-1)
    rows = defect_rows(good, {"patch": images})["patch"]
    assert torch.allclose(rows, F.normalize(torch.stack([images[0, 3], images[0, 5], images[1, 4]]), dim=-1))


def test_an_image_that_is_the_same_everywhere_has_rows_too() -> None:
    good = MemoryBank({"patch": torch.tensor([[[1.0, 0.0]]])})
    rows = defect_rows(good, {"patch": torch.tensor([[[0.0, 2.0], [0.0, 2.0]]])})["patch"]
    assert rows.tolist() == [[0.0, 1.0], [0.0, 1.0]]
