"""The cache of prompt embeddings: what is computed once, and never mistaken."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cache import TextCache
from oddlens.backbone.load import load_backbone
from oddlens.backbone.options import Activation
from oddlens.backbone.text import TextTower

PROMPTS = ["a photo of a part.", "a damaged part", "part"]


def rewritten(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[bytes], bytes]:
    """Damage to an entry's tensor that leaves it a well-formed file with the note that it came with."""

    def damage(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        note = json.loads(data[8 : 8 + length])["__metadata__"]
        return save({"features": change(load(data)["features"]).contiguous()}, note)

    return damage


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-1],
    "empty": lambda data: b"",
    "no safetensors": lambda data: b"x" * 100,
    "of other names": lambda data: save({"other": torch.zeros(3)}),
    "without a note": lambda data: save(load(data)),
    "zeros": rewritten(torch.zeros_like),
    "fewer rows": rewritten(lambda features: features[:2]),
    "rows turned": rewritten(lambda features: features.flip(0)),
    "narrower": rewritten(lambda features: features[:, :3]),
    "another shape": rewritten(lambda features: features.reshape(-1)),
    "as half": rewritten(lambda features: features.half()),
    "as double": rewritten(lambda features: features.double()),
    "NaN": rewritten(lambda features: features * torch.nan),
    "infinite": rewritten(lambda features: features / 0),
}


class Counted:
    """Counts how often text towers run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = 0
        forward = TextTower.forward

        def counting(tower: TextTower, ids: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
            self.runs += 1
            return forward(tower, ids, ends)

        monkeypatch.setattr(TextTower, "forward", counting)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("ODDLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def open_backbone(place: Path, activation: Activation | None = None) -> Backbone:
    return load_backbone(place, device="cpu", activation=activation)


class TestTextFeatures:
    def test_a_second_asking_gives_the_very_same_numbers_without_the_tower(
        self, folder: Path, open_clip_folder: Path, counted: Counted
    ) -> None:
        first = open_backbone(open_clip_folder).encode_text(PROMPTS)
        assert counted.runs == 1
        again = open_backbone(open_clip_folder).encode_text(PROMPTS)
        assert counted.runs == 1
        assert torch.equal(again, first)

    def test_other_prompts_or_another_order_are_another_entry(
        self, folder: Path, open_clip_folder: Path, counted: Counted
    ) -> None:
        backbone = open_backbone(open_clip_folder)
        first = backbone.encode_text(PROMPTS)
        turned = backbone.encode_text(PROMPTS[::-1])
        assert counted.runs == 2
        assert torch.allclose(turned.flip(0), first, atol=1e-6)
        backbone.encode_text(["a photo of", "a part.", *PROMPTS[1:]])
        assert counted.runs == 3

    def test_another_activation_is_another_entry(self, folder: Path, open_clip_folder: Path, counted: Counted) -> None:
        exact = open_backbone(open_clip_folder, "gelu").encode_text(PROMPTS)
        quick = open_backbone(open_clip_folder, "quick_gelu").encode_text(PROMPTS)
        assert counted.runs == 2
        assert not torch.allclose(exact, quick, atol=1e-4)

    def test_another_model_is_another_entry(
        self, folder: Path, open_clip_folder: Path, transformers_folder: Path, counted: Counted
    ) -> None:
        models = [open_backbone(place, "gelu") for place in (open_clip_folder, transformers_folder)]
        for model in models:
            model.encode_text(PROMPTS)
        assert counted.runs == 2
        assert models[0].model_hash != models[1].model_hash

    @pytest.mark.parametrize("damage", [*DAMAGES, "one bit", "moved"])
    def test_a_damaged_entry_is_computed_again(
        self, folder: Path, open_clip_folder: Path, counted: Counted, damage: str
    ) -> None:
        backbone = open_backbone(open_clip_folder)
        first = backbone.encode_text(PROMPTS)
        (entry,) = (folder / "text").iterdir()
        data = bytearray(entry.read_bytes())
        if damage == "one bit":
            data[-7] ^= 64
            entry.write_bytes(data)
        elif damage == "moved":
            backbone.encode_text(PROMPTS[::-1])
            counted.runs -= 1
            (other,) = (path for path in (folder / "text").iterdir() if path != entry)
            other.replace(entry)
        else:
            entry.write_bytes(DAMAGES[damage](bytes(data)))
        assert torch.equal(backbone.encode_text(PROMPTS), first)
        assert counted.runs == 2
        assert torch.equal(backbone.encode_text(PROMPTS), first)
        assert counted.runs == 2
        assert entry.read_bytes() == save({"features": first}, safe_open(entry, "pt").metadata())

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
    def test_a_folder_or_a_pipe_in_the_place_of_an_entry_costs_time_only(
        self, folder: Path, open_clip_folder: Path, counted: Counted, make: Callable[[Path], None]
    ) -> None:
        backbone = open_backbone(open_clip_folder)
        first = backbone.encode_text(PROMPTS)
        (entry,) = (folder / "text").iterdir()
        entry.unlink()
        make(entry)
        assert torch.equal(backbone.encode_text(PROMPTS), first)
        assert counted.runs == 2

    def test_a_folder_that_cannot_be_written_costs_time_only(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_clip_folder: Path, counted: Counted
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("ODDLENS_CACHE", str(tmp_path / "file"))
        backbone = open_backbone(open_clip_folder)
        assert torch.equal(backbone.encode_text(PROMPTS), backbone.encode_text(PROMPTS))
        assert counted.runs == 2

    def test_prompts_cannot_be_mistaken_for_one_another(self, tmp_path: Path) -> None:
        kept = TextCache("model", tmp_path)
        kept.put(["a", "b"], np.ones((2, 3), np.float32))
        for other in (["a b"], ["a"], ["a", "b", ""], ["ab"], ['a", "b']):
            assert kept.get(other) is None
        assert TextCache("other model", tmp_path).get(["a", "b"]) is None
        assert kept.get(["a", "b"]) is not None
