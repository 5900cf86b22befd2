"""TorchScript archives: their tensors come out, nothing in them runs."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from oddlens.backbone.load import load_backbone
from oddlens.backbone.torchscript import is_torchscript, read_torchscript
from oddlens.errors import ModelError
from tests.tiny_clip import Weights, write_openai_archive, write_openai_state

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Calls:
    """Pickled, it asks for a function to be called."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def archive_of(path: Path, value: object, protocol: int = 2) -> Path:
    """A zip that looks like a TorchScript archive with `value` as its pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ViT/code/__torch__.py", "")
        archive.writestr("ViT/data.pkl", pickle.dumps(value, protocol))
    return path


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        read_torchscript(path)
    sentence = str(error.value)
    assert sentence.startswith(f"{path} is not a readable CLIP archive")
    assert "\n" not in sentence
    return sentence


class _Scripted(nn.Module):
    count: int
    maybe: int | None

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(6.0).view(2, 3).half())
        self.register_buffer("steps", torch.tensor([1, 2, 3]))
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("tail", torch.arange(10.0)[4:])
        self.register_buffer("turned", torch.arange(6.0).view(2, 3).T)
        self.register_buffer("none", torch.zeros(0, 4))
        self.count = 7
        self.names = ["a", "b"]
        self.sizes = [1, 2]
        self.maybe = None
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class TestTensors:
    @pytest.mark.parametrize("how", ["scripted", "traced"])
    def test_they_are_those_that_torch_reads(self, tmp_path: Path, how: str) -> None:
        module = _Scripted()
        made = torch.jit.script(module) if how == "scripted" else torch.jit.trace(module, torch.ones(2))
        torch.jit.save(made, tmp_path / "module.pt")
        found = read_torchscript(tmp_path / "module.pt")
        expected = module.state_dict()
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert torch.equal(found[name], value)
            assert found[name].dtype == value.dtype

    def test_tensors_that_share_a_storage_do_so_again(self, tmp_path: Path) -> None:
        class Tied(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.a = nn.Parameter(torch.arange(4.0))
                self.b = self.a

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x

        torch.jit.save(torch.jit.script(Tied()), tmp_path / "tied.pt")
        found = read_torchscript(tmp_path / "tied.pt")
        assert all(torch.equal(value, torch.arange(4.0)) for value in found.values())

    def test_an_archive_differs_from_a_saved_state_dict(self, tmp_path: Path, weights: Weights) -> None:
        assert is_torchscript(write_openai_archive(tmp_path / "a.pt", weights))
        assert not is_torchscript(write_openai_state(tmp_path / "b.pt", weights))
        (tmp_path / "c.pt").write_text("nothing")
        assert not is_torchscript(tmp_path / "c.pt")


class TestMalice:
    @pytest.mark.parametrize("protocol", [0, 2, 4, 5])
    def test_an_archive_that_wants_a_command_run_is_refused_and_nothing_runs(
        self, tmp_path: Path, protocol: int
    ) -> None:
        mark = tmp_path / "was-here"
        path = archive_of(tmp_path / "ViT.pt", {"weight": Calls(os.system, f"touch {mark}")}, protocol)
        assert "it asks for posix.system, which no CLIP needs" in refused(path)
        with pytest.raises(ModelError, match=r"posix\.system"):
            load_backbone(path, device="cpu")
        assert not mark.exists()

    def test_python_itself_is_out_of_reach(self, tmp_path: Path) -> None:
        for function in (eval, exec, getattr, __import__, open):
            assert "it asks for" in refused(archive_of(tmp_path / "ViT.pt", Calls(function, "1")))

    def test_a_module_of_torch_is_no_scripted_class(self, tmp_path: Path) -> None:
        assert "torch.hub.load" in refused(archive_of(tmp_path / "ViT.pt", Calls(torch.hub.load, "a", "b")))

    def test_a_scripted_class_can_do_nothing(self, tmp_path: Path) -> None:
        """Whatever stands under __torch__ is an inert bag, even if it is named like a real function."""
        with zipfile.ZipFile(tmp_path / "ViT.pt", "w") as archive:
            archive.writestr("ViT/code/__torch__.py", "")
            archive.writestr("ViT/data.pkl", b"\x80\x02c__torch__.os\nsystem\n(X\x04\x00\x00\x00exittR.")
        refused(tmp_path / "ViT.pt")

    def test_a_tensor_beyond_its_storage_is_refused(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(_Scripted()), buffer)
        with zipfile.ZipFile(buffer) as given, zipfile.ZipFile(tmp_path / "ViT.pt", "w") as archive:
            for name in given.namelist():
                data = given.read(name)
                archive.writestr(name, data[:2] if "/data/" in name else data)
        refused(tmp_path / "ViT.pt")


def opcodes_of(path: Path, pickled: bytes) -> Path:
    """As `archive_of`, with the pickle written by hand."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ViT/code/__torch__.py", "")
        archive.writestr("ViT/data.pkl", pickled)
    return path


MODULE = b"c__torch__\nModule\n)\x81"  # an empty scripted module


class TestBombs:
    """Small archives that ask for much memory, for much time, or for a deep stack."""

    @pytest.mark.parametrize("put", [b"r\x00\x00\x00\x0a", b"p167772160\n"], ids=["LONG_BINPUT", "PUT"])
    def test_an_entry_is_not_numbered_beyond_what_there_is(self, tmp_path: Path, put: bytes) -> None:
        """The reader would make room for 167,772,160 entries: 2.8 GB."""
        path = opcodes_of(tmp_path / "ViT.pt", b"\x80\x02" + MODULE + put + b".")
        assert "it has an entry 167772160 after" in refused(path)

    @pytest.mark.parametrize("length", [b"\x8e", b"\x96"], ids=["BINBYTES8", "BYTEARRAY8"])
    def test_bytes_are_not_longer_than_the_file(self, tmp_path: Path, length: bytes) -> None:
        refused(opcodes_of(tmp_path / "ViT.pt", b"\x80\x05" + length + b"\0\0\0\0\x04\0\0\0abc."))

    def test_an_archive_of_zeros_that_is_packed_small_is_not_unpacked(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "ViT.pt", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ViT/code/__torch__.py", "")
            archive.writestr("ViT/data.pkl", bytes(1 << 24))
        assert "it unpacks to more than its size" in refused(tmp_path / "ViT.pt")

    def test_a_module_that_holds_itself_is_refused(self, tmp_path: Path) -> None:
        looped = b"\x80\x02" + MODULE + b"q\x00}X\x04\x00\x00\x00selfh\x00sb."
        assert "nested too deeply" in refused(opcodes_of(tmp_path / "ViT.pt", looped))

    def test_modules_that_hold_the_next_one_twice_are_not_walked_for_ever(self, tmp_path: Path) -> None:
        inner = MODULE
        for number in range(25):  # 33 million paths
            entry = number.to_bytes()
            inner = MODULE + b"}" + inner + b"q" + entry + b"0(X\1\0\0\0ah" + entry + b"X\1\0\0\0bh" + entry + b"ub"
        assert "too many" in refused(opcodes_of(tmp_path / "ViT.pt", b"\x80\x02" + inner + b"."))

    def test_a_key_of_tuples_within_tuples_does_not_overflow_the_stack(self, tmp_path: Path) -> None:
        path = opcodes_of(tmp_path / "ViT.pt", b"\x80\x02}N" + b"\x85" * 500_000 + b"Ns.")
        assert "it is nested too deeply" in refused(path)

    def test_a_pickle_without_end_is_not_read(self, tmp_path: Path) -> None:
        assert "it has more than" in refused(opcodes_of(tmp_path / "ViT.pt", b"\x80\x02" + b"N0" * 600_000 + b"."))

    def test_one_number_does_not_stand_for_a_large_tensor(self, tmp_path: Path) -> None:
        class Spread(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("a", torch.ones(1).expand(10**9))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x

        torch.jit.save(torch.jit.script(Spread()), tmp_path / "ViT.pt")
        assert "a is not stored as plain numbers" in refused(tmp_path / "ViT.pt")


class TestDamage:
    @pytest.mark.parametrize(
        "pickled", [b"", b"\x80\x02", b".", b"hello", b"\x80\x02]a.", b"\x80\x02Nb.", b"\x80\x02K\x01Q."]
    )
    def test_a_damaged_pickle_is_one_sentence(self, tmp_path: Path, pickled: bytes) -> None:
        with zipfile.ZipFile(tmp_path / "ViT.pt", "w") as archive:
            archive.writestr("ViT/code/__torch__.py", "")
            archive.writestr("ViT/data.pkl", pickled)
        refused(tmp_path / "ViT.pt")

    def test_an_archive_without_its_pickle_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "ViT.pt", "w") as archive:
            archive.writestr("ViT/code/__torch__.py", "")
        refused(tmp_path / "ViT.pt")

    def test_an_archive_with_a_broken_directory_is_refused(self, tmp_path: Path, weights: Weights) -> None:
        path = write_openai_archive(tmp_path / "ViT.pt", weights)
        data = bytearray(path.read_bytes())
        start = data.find(b"PK\x01\x02")  # the first entry of the central directory
        data[start : start + 4] = b"\0\0\0\0"
        path.write_bytes(data)
        with pytest.raises(ModelError, match=str(path)):
            load_backbone(path, device="cpu")

    def test_an_archive_of_a_zip_version_to_come_is_refused(self, tmp_path: Path, weights: Weights) -> None:
        path = write_openai_archive(tmp_path / "ViT.pt", weights)
        data = bytearray(path.read_bytes())
        data[data.find(b"PK\x01\x02") + 6] = 180  # the version that is needed to read it
        path.write_bytes(data)
        with pytest.raises(ModelError, match=str(path)):
            load_backbone(path, device="cpu")

    def test_half_an_archive_is_refused(self, tmp_path: Path, weights: Weights) -> None:
        path = write_openai_archive(tmp_path / "ViT.pt", weights)
        path.write_bytes(path.read_bytes()[:100_000])
        with pytest.raises(ModelError, match=str(path)):
            load_backbone(path, device="cpu")
