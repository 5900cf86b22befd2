"""The towers alone, held against what the authors' programs computed with theirs."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.methods.common.templates import load_states, load_templates, sentences

Case = dict[str, NDArray[np.generic]]
LAYERS = (6, 12, 18, 24)


def case_of(parity: Path, name: str) -> Case:
    return dict(np.load(parity / name / "case.npz"))


def close(ours: Tensor, theirs: NDArray[np.generic], tolerance: float = 1e-5) -> bool:
    expected = torch.tensor(theirs)
    return ours.shape == expected.shape and bool((ours - expected).abs().max() <= tolerance)


def unit(features: NDArray[np.generic]) -> NDArray[np.generic]:
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def large(parity: Path) -> Backbone:
    """As OpenAI's weights want it: QuickGELU."""
    return load_backbone(parity / "clip-24", device="cpu")


class TestAnomalyCLIP:
    @pytest.fixture
    def case(self, parity: Path) -> Case:
        return case_of(parity, "anomalyclip")

    @pytest.fixture
    def learned(self, parity: Path) -> dict[str, Tensor]:
        path = parity / "anomalyclip" / "official_layout.pth"
        learned: dict[str, Tensor] = torch.load(path, weights_only=True)["prompt_learner"]
        return learned

    def test_pixels(self, large: Backbone, case: Case) -> None:
        assert close(large.to_pixels(list(case["raw_uint8"]), 70), case["pixel_values"])

    @torch.inference_mode()
    def test_local_features_and_cls(self, large: Backbone, case: Case) -> None:
        """The local stream from block 6 on, positions resized bilinearly, and CLS projected without ln_post."""
        vision = large.vision
        embedded = vision.embed(torch.tensor(case["pixel_values"]), "bilinear")
        features = vision.run_blocks(embedded, local_taps=LAYERS, local_from=6)
        found = torch.stack([vision.project(features.local[layer]) for layer in LAYERS])
        assert close(F.normalize(found, dim=-1), unit(case["patch_features"]))
        assert close(found, case["patch_features"], 1e-4)
        cls = F.normalize(vision.project(features.image, norm=False), dim=-1)
        assert close(cls, unit(case["cls"]))
        assert not close(F.normalize(vision.project(features.image), dim=-1), unit(case["cls"]), 1e-2)

    def embeddings(self, large: Backbone, learned: dict[str, Tensor]) -> Tensor:
        """The two prompts: SOT, twelve learned tokens, words, padding."""
        rows = [
            torch.cat([learned[f"token_prefix_{side}"], learned[f"ctx_{side}"], learned[f"token_suffix_{side}"]], dim=2)
            for side in ("pos", "neg")
        ]
        return torch.cat(rows).flatten(0, 1)

    @torch.inference_mode()
    def test_learned_and_deep_prompts(self, large: Backbone, case: Case, learned: dict[str, Tensor]) -> None:
        """Their program rounds the deep prompts to float16."""
        embeddings = self.embeddings(large, learned)
        assert embeddings.shape == (2, 77, 64)
        ends = torch.tensor(case["token_ids"]).argmax(dim=1)
        deep = [learned[f"compound_prompts_text.{number}"].half().float() for number in range(8)]
        found = large.text.encode_embeddings(embeddings, ends, deep)
        assert close(found, case["text_raw"])
        assert close(F.normalize(found, dim=-1), case["text_features"])
        cut = large.text.encode_embeddings(embeddings[:, : int(ends.max()) + 1], ends, deep)
        assert close(cut, case["text_raw"])
        assert not close(large.text.encode_embeddings(embeddings, ends), case["text_raw"], 1e-2)

    def test_the_words_of_the_prompts(self, large: Backbone, case: Case) -> None:
        filler = " ".join(["X"] * 12)
        tokens = large.tokenizer([f"{filler} object.", f"{filler} damaged object."])
        assert torch.equal(tokens.ids, torch.tensor(case["token_ids"]).long()[:, : tokens.ids.shape[1]])
        assert tokens.ends.tolist() == [15, 16]


class TestAprilGan:
    """The same weights with exact GELU in both towers, at 70 px."""

    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls, parity: Path) -> Backbone:
        return load_backbone(parity / "clip-24", device="cpu", activation="gelu")

    @pytest.fixture
    def case(self, parity: Path) -> Case:
        return case_of(parity, "april_gan")

    @torch.inference_mode()
    def test_positions_are_resized_bicubically_with_antialias(self, backbone: Backbone, case: Case) -> None:
        vision = backbone.vision
        tokens = vision.embed(torch.zeros(1, 3, 70, 70), "bicubic").tokens[0]
        tokens[0] -= vision.class_embedding
        assert close(tokens, case["position_embedding"])

    @torch.inference_mode()
    def test_patch_tokens_and_cls(self, backbone: Backbone, case: Case) -> None:
        vision = backbone.vision
        pixels = backbone.to_pixels(list(case["raw_uint8"]), 70)
        assert close(pixels, case["pixel_values"])
        features = vision.run_blocks(vision.embed(pixels[:1], "bicubic"), taps=LAYERS)
        found = torch.stack([features.taps[layer] for layer in LAYERS])
        assert close(F.normalize(found, dim=-1), unit(case["patch_tokens"]))
        assert close(F.normalize(vision.project(features.image), dim=-1), unit(case["cls"]))

    @torch.inference_mode()
    def test_text_features(self, backbone: Backbone, case: Case) -> None:
        """Each sentence normalised, their mean normalised again; 245 normal and 175 abnormal sentences."""
        states, templates = load_states("april_gan"), load_templates("april_gan")
        for name, theirs in zip(("bottle", "carpet"), case["text_features"], strict=True):
            for phrases, count, column in ((states.normal, 245, 0), (states.abnormal, 175, 1)):
                lines = sentences(name, phrases, templates)
                assert len(lines) == count
                mean = F.normalize(backbone.encode_text(lines), dim=-1).mean(dim=0)
                assert close(F.normalize(mean, dim=0), theirs[:, column])


class TestAnoVL:
    """Value attention in all twelve blocks of the other model."""

    @pytest.fixture
    def case(self, parity: Path) -> Case:
        return case_of(parity, "anovl")

    @torch.inference_mode()
    def test_local_tokens(self, parity: Path, case: Case) -> None:
        vision = load_backbone(parity / "clip-12", device="cpu").vision
        features = vision.run_blocks(vision.embed(torch.tensor(case["img"])), taps=(12,), local_taps=(12,))
        local, plain = features.local[12], features.taps[12]
        assert close(plain, case["plain_tokens_last"], 1e-4)
        assert close(local[:, 1:], case["vv_tokens_last"][:, 1:], 1e-4)
        assert close(
            features.image, case["vv_tokens_last"][:, 0], 1e-4
        )  # theirs puts the ordinary CLS into the local stream
        projected = vision.project(local[:, 1:]).unflatten(1, (5, 5))
        assert close(F.normalize(projected, dim=-1), unit(case["tokens_vv"]))
        whole = vision.project(torch.cat([features.image[:, None], local[:, 1:]], dim=1))
        assert close(F.normalize(whole, dim=-1), unit(case["image_features"]))
