"""Tensors from disk are judged by type, shape, storage and values before anything is computed with them, and laid out alike."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from oddlens.backbone.tensors import (
    ALIGNMENT,
    aligned,
    is_finite,
    read_safetensors,
    storage_fault,
    tensor_fault,
    tensor_faults,
    to_device,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_plain_floats_are_usable_at_any_place(dtype: torch.dtype) -> None:
    assert tensor_fault(torch.arange(6).to(dtype).view(2, 3)) == ""
    assert tensor_fault(torch.arange(6).to(dtype).view(2, 3).T[1:], (2, 2)) == ""
    assert tensor_fault(torch.zeros(0, 3, dtype=dtype), (0, 3)) == ""
    assert tensor_fault(torch.tensor(1.0, dtype=dtype), ()) == ""


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8, torch.complex64])
def test_other_types_are_named(dtype: torch.dtype) -> None:
    said = tensor_fault(torch.ones(2, dtype=dtype))
    assert said == f"of type {str(dtype)[6:]} instead of float16 or bfloat16 or float32 or float64"
    assert tensor_fault(torch.ones(2, dtype=dtype), (2,), dtypes=(dtype,)) == ""


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 3, 1), (), (None, 2)])
def test_another_shape_is_named(shape: tuple[int | None, ...]) -> None:
    said = tensor_fault(torch.ones(2, 3), shape)
    assert said.startswith("[2, 3] instead of [")
    assert tensor_fault(torch.ones(2, 3), (None, 3)) == ""


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_one_number_that_is_not_finite_is_found(dtype: torch.dtype, value: float) -> None:
    tensor = torch.arange(1000.0).to(dtype)
    tensor[713] = value
    assert not is_finite(tensor)
    assert tensor_fault(tensor) == "with numbers that are not finite"


def test_a_number_that_float32_cannot_hold_is_not_finite() -> None:
    assert not is_finite(torch.tensor([1.0, 1e300], dtype=torch.float64))
    assert is_finite(torch.tensor([1.0, 1e30], dtype=torch.float64))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(1).expand(10**12),  # four bytes that ask for four terabytes
        torch.ones(3, device="meta"),
        torch.eye(3).to_sparse(),
    ],
    ids=["expanded", "meta", "sparse"],
)
def test_what_is_not_stored_as_plain_numbers_is_refused_before_it_takes_memory(tensor: Tensor) -> None:
    assert tensor_fault(tensor) == "not stored as plain numbers"


def test_a_set_is_judged_in_one_sentence() -> None:
    shapes = {"a": (2,), "b": (3,), "c": (None, 2), "d": ()}
    fine = {"a": torch.ones(2), "b": torch.ones(3).half(), "c": torch.ones(7, 2), "d": torch.tensor(1.0)}
    assert tensor_faults(fine, shapes) == ""
    given = {
        "a": torch.ones(2, dtype=torch.int32),
        "b": torch.ones(4),
        "c": torch.full((1, 2), NAN),
        "x": torch.ones(1),
    }
    assert tensor_faults(given, shapes) == (
        "1 missing (d); 1 unexpected (x); 3 unusable (a of type int32 instead of float16 or bfloat16 or float32 or float64, "
        "b [4] instead of [3], c with numbers that are not finite)"
    )


def test_many_faults_are_counted_and_a_few_named() -> None:
    said = tensor_faults({str(number): torch.ones(1) for number in range(9)}, {})
    assert said == "9 unexpected (0, 1, 2, 3, and 5 more)"


def test_what_lies_as_torch_lays_it_stays_where_it_is() -> None:
    tensor = torch.arange(6.0).view(2, 3)
    assert aligned(tensor) is tensor
    assert aligned(torch.zeros(0, 3)).shape == (0, 3)
    assert aligned(torch.tensor(2.0)) == 2


@pytest.mark.parametrize("offset", range(1, 16))
def test_what_starts_elsewhere_is_copied_to_an_aligned_place(offset: int) -> None:
    tensor = torch.arange(40.0)[offset : offset + 12].view(3, 4)
    assert tensor.data_ptr() % ALIGNMENT != 0
    copy = aligned(tensor)
    assert torch.equal(copy, tensor)
    assert copy.data_ptr() % ALIGNMENT == 0


def test_what_is_turned_is_laid_out_row_by_row() -> None:
    turned = torch.arange(32.0).view(2, 16).T
    last = torch.rand(2, 16, 4, 4).to(memory_format=torch.channels_last)
    for tensor in (turned, last):
        assert not tensor.is_contiguous()
        assert torch.equal(aligned(tensor), tensor)
        assert aligned(tensor).is_contiguous()


@pytest.mark.parametrize("more", range(0, 64, 8))
def test_a_file_gives_aligned_tensors_wherever_they_lie_in_it(tmp_path: Path, more: int) -> None:
    """The header is padded to eight bytes, so that its length decides where the first tensor starts."""
    written = {"a": torch.arange(5.0), "b": torch.ones(3, dtype=torch.float16), "c": torch.rand(7, 3)}
    save_file(written, tmp_path / "file.safetensors", metadata={"made": "x" * more})
    tensors, metadata = read_safetensors(tmp_path / "file.safetensors")
    assert metadata == {"made": "x" * more}
    assert tensors.keys() == written.keys()
    assert all(torch.equal(tensors[name], value) for name, value in written.items())
    assert all(value.data_ptr() % ALIGNMENT == 0 for value in tensors.values())


def test_a_file_whose_tensors_need_more_memory_than_it_holds_is_refused() -> None:
    shared = torch.ones(1000)
    assert storage_fault({"a": shared, "b": shared}, 4000) == ""  # tied weights
    views = {str(number): shared.view(10, 100) for number in range(9)}
    assert storage_fault(views, 4000) == "its tensors need more memory than the file holds"
    assert storage_fault({"a": torch.ones(1).expand(1000)}, 4000) == "a is not stored as plain numbers"


def test_a_name_of_any_length_makes_a_short_sentence() -> None:
    assert len(tensor_faults({"x" * 100_000: torch.zeros(1)}, {})) < 300


class Recorded:
    """A tensor of the processor, of which every copy is noted."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def pin_memory(self) -> "Recorded":
        self.calls.append(("pinned",))
        return self

    def to(self, device: torch.device, *, non_blocking: bool = False) -> "Recorded":
        self.calls.append((device.type, non_blocking))
        return self


@pytest.mark.parametrize(
    ("device", "calls"), [("cuda", [("pinned",), ("cuda", True)]), ("cpu", [("cpu", False)]), ("mps", [("mps", False)])]
)
def test_a_gpu_fetches_from_pinned_memory(device: str, calls: list[tuple[object, ...]]) -> None:
    tensor = Recorded()
    to_device(tensor, torch.device(device))  # type: ignore[arg-type]
    assert tensor.calls == calls


def test_on_the_processor_nothing_is_copied() -> None:
    tensor = torch.ones(3)
    assert to_device(tensor, torch.device("cpu")) is tensor
