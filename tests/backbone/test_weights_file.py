"""Weights from disk: what is read, what is refused, and that nothing in a file runs."""

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from oddlens.backbone.files import read_json, weight_files
from oddlens.backbone.weights_file import fill, read_tensors
from oddlens.errors import ModelError
from oddlens.io.hashes import file_hash

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:1f\nsize 605\n"
TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2])}


class Calls:
    """Pickled, it asks for a command to be run."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def sentence_on(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        read_tensors(path)
    sentence = str(error.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


class TestReading:
    @pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pth", ".pt"])
    def test_every_kind_of_file_gives_its_tensors(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"weights{suffix}"
        if suffix == ".safetensors":
            save_file(TENSORS, path)
        else:
            torch.save(TENSORS, path)
        found = read_tensors(path)
        assert set(found) == {"a", "b"}
        assert all(torch.equal(found[name], value) for name, value in TENSORS.items())

    def test_a_file_of_older_torch_is_read(self, tmp_path: Path) -> None:
        torch.save(TENSORS, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
        assert torch.equal(read_tensors(tmp_path / "old.bin")["a"], TENSORS["a"])

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        assert "does not exist" in sentence_on(tmp_path / "none.safetensors")
        assert "does not exist" in sentence_on(tmp_path)


class TestMalice:
    @pytest.mark.parametrize("zipped", [True, False])
    def test_a_file_that_wants_a_command_run_is_refused_and_nothing_runs(self, tmp_path: Path, zipped: bool) -> None:
        mark, path = tmp_path / "was-here", tmp_path / "weights.bin"
        torch.save({"a": Calls(f"touch {mark}")}, path, _use_new_zipfile_serialization=zipped)
        assert "holds more than plain tensors and is not opened: convert it to safetensors" in sentence_on(path)
        assert not mark.exists()

    @pytest.mark.filterwarnings("ignore:Detected pickle protocol")
    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_nor_does_a_bare_pickle_run(self, tmp_path: Path, protocol: int) -> None:
        mark, path = tmp_path / "was-here", tmp_path / "weights.pth"
        path.write_bytes(pickle.dumps({"a": Calls(f"touch {mark}")}, protocol))
        sentence_on(path)
        assert not mark.exists()

    def test_a_whole_module_is_refused(self, tmp_path: Path) -> None:
        torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
        assert "holds more than plain tensors" in sentence_on(tmp_path / "module.pt")


class TestDamage:
    @pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"<!DOCTYPE html>",
            bytes(range(256)),
        ],
        ids=["empty", "a web page", "noise"],
    )
    def test_what_is_no_weights_file_is_called_damaged(self, tmp_path: Path, suffix: str, content: bytes) -> None:
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(content)
        assert "is damaged or not a weights file" in sentence_on(path)
        assert sentence_on(path).endswith(": fetch it again, or give another file")

    @pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
    def test_a_git_lfs_pointer_is_called_one(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(LFS_POINTER)
        assert sentence_on(path) == f"{path} is a Git LFS pointer, not the file: fetch it with `git lfs pull`"

    def test_half_a_file_is_called_damaged(self, tmp_path: Path) -> None:
        (tmp_path / "weights.safetensors").write_bytes(save(TENSORS)[:-9])
        torch.save(TENSORS, tmp_path / "weights.bin")
        (tmp_path / "weights.bin").write_bytes((tmp_path / "weights.bin").read_bytes()[:-300])
        for name in ("weights.safetensors", "weights.bin"):
            assert "is damaged" in sentence_on(tmp_path / name)

    @pytest.mark.parametrize("content", [[torch.ones(2)], {"a": torch.ones(2), "epoch": 3}, torch.ones(2)])
    def test_what_is_no_state_dict_is_refused(self, tmp_path: Path, content: object) -> None:
        torch.save(content, tmp_path / "weights.pth")
        assert "is not a state dict of tensors" in sentence_on(tmp_path / "weights.pth")


class TestBombs:
    """Small files that ask for much memory, or for a deep stack."""

    def test_one_number_does_not_stand_for_a_large_tensor(self, tmp_path: Path) -> None:
        torch.save({"a": torch.ones(1).expand(10**9)}, tmp_path / "weights.bin")
        assert "a is not stored as plain numbers" in sentence_on(tmp_path / "weights.bin")

    def test_nor_do_many_tensors_share_a_few_numbers(self, tmp_path: Path) -> None:
        numbers = torch.ones(100_000)
        torch.save({str(width): numbers.view(width, -1) for width in (1, 2, 4, 5)}, tmp_path / "weights.bin")
        assert "its tensors need more memory than the file holds" in sentence_on(tmp_path / "weights.bin")

    @pytest.mark.parametrize(
        "build",
        [lambda inner: [inner], lambda inner: (inner,), lambda inner: {"a": inner}],
        ids=["list", "tuple", "dict"],
    )
    def test_values_are_not_nested_without_end(self, tmp_path: Path, build: Any) -> None:
        value: Any = None
        for _ in range(150):
            value = build(value)
        torch.save({"a": value}, tmp_path / "weights.bin")
        assert "it is nested too deeply" in sentence_on(tmp_path / "weights.bin")

    def test_an_archive_of_zeros_that_is_packed_small_is_not_unpacked(self, tmp_path: Path) -> None:
        torch.save(TENSORS, tmp_path / "plain.bin")
        with zipfile.ZipFile(tmp_path / "plain.bin") as given, zipfile.ZipFile(tmp_path / "weights.bin", "w") as packed:
            for name in given.namelist():
                data = bytes(1 << 24) if "/data/" in name else given.read(name)
                packed.writestr(name, data, zipfile.ZIP_DEFLATED)
        assert "it unpacks to more than its size" in sentence_on(tmp_path / "weights.bin")


class TestShards:
    def test_they_are_read_as_one(self, tmp_path: Path) -> None:
        index = tmp_path / "model.safetensors.index.json"
        for name in TENSORS:
            save_file({name: TENSORS[name]}, tmp_path / f"{name}.safetensors")
        index.write_text('{"weight_map": {"b": "b.safetensors", "a": "a.safetensors"}}')
        assert weight_files(index) == (index, tmp_path / "a.safetensors", tmp_path / "b.safetensors")
        assert set(read_tensors(index)) == {"a", "b"}

    def test_shards_of_pytorch_are_read_as_well(self, tmp_path: Path) -> None:
        index = tmp_path / "pytorch_model.bin.index.json"
        for name in TENSORS:
            torch.save({name: TENSORS[name]}, tmp_path / f"{name}.bin")
        index.write_text('{"weight_map": {"b": "b.bin", "a": "a.bin"}}')
        assert set(read_tensors(index)) == {"a", "b"}

    @pytest.mark.parametrize(
        "shard", ["../a.safetensors", "/a.safetensors", "sub/a.safetensors", "a.bin", "a\0.safetensors"]
    )
    def test_a_shard_lies_beside_its_index(self, tmp_path: Path, shard: str) -> None:
        index = tmp_path / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"a": shard}}))
        save_file(TENSORS, tmp_path.parent / "a.safetensors")
        with pytest.raises(ModelError, match=r"has no weight_map of \.safetensors files beside it|does not exist"):
            read_tensors(index)

    def test_a_single_file_is_its_own_only_one(self, tmp_path: Path) -> None:
        assert weight_files(tmp_path / "model.safetensors") == (tmp_path / "model.safetensors",)


class TestFilling:
    def test_tensors_of_any_dtype_become_float32_that_does_not_learn(self) -> None:
        module = nn.Linear(3, 2)
        fill(module, {"weight": torch.ones(2, 3).half(), "bias": torch.zeros(2).double()}, "here")
        assert torch.equal(module.weight, torch.ones(2, 3))
        assert module.bias.dtype == torch.float32
        assert not module.weight.requires_grad

    def test_ignored_names_are_passed_over(self) -> None:
        fill(
            nn.Linear(1, 1),
            {"weight": torch.ones(1, 1), "bias": torch.ones(1), "mask": torch.ones(1)},
            "here",
            ["mask"],
        )

    def test_a_module_that_does_not_fit_is_left_as_it_was(self) -> None:
        module = nn.Linear(1, 1)
        before = module.weight.clone()
        with pytest.raises(ModelError, match=r"the weights in here do not fit their model: 1 missing \(bias\)$"):
            fill(module, {"weight": torch.ones(1, 1)}, "here")
        assert torch.equal(module.weight, before)

    @pytest.mark.parametrize(
        ("bias", "told"),
        [
            (torch.tensor([float("nan")]), "bias with numbers that are not finite"),
            (torch.tensor([1e300], dtype=torch.float64), "bias with numbers that are not finite"),
            (torch.tensor([1]), "bias of type int64 instead of float16"),
            (torch.ones(1, 1), r"bias \[1, 1\] instead of \[1\]"),
        ],
    )
    def test_what_cannot_be_computed_with_is_named(self, bias: torch.Tensor, told: str) -> None:
        with pytest.raises(ModelError, match=rf"the weights in here do not fit their model: 1 unusable \({told}"):
            fill(nn.Linear(1, 1), {"weight": torch.ones(1, 1), "bias": bias}, "here")


def test_json_must_be_an_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for content in (b"", b"{", b"[]", b"\xff\xfe", b'{"a": NaN}', b'{"a": ' + b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="fetch the model again"):
            read_json(path)
    path.write_bytes(LFS_POINTER)
    with pytest.raises(ModelError, match="is a Git LFS pointer"):
        read_json(path)
    path.write_text('{"a": 1}')
    assert read_json(path) == {"a": 1}


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
