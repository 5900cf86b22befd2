"""Prompt ensembles: what becomes of the embeddings of sentences."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from oddlens.methods.common.prompt_ensemble import prototypes
from oddlens.methods.common.templates import PromptEnsemble, States


class TestPrototypes:
    ENSEMBLE = PromptEnsemble(States(("{}", "perfect {}"), ("damaged {}",)), ("a {}", "the {}"))

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Two numbers of each prompt, far from unit length."""
        return torch.tensor([[len(prompt), 3.0 * prompt.count("e")] for prompt in prompts])

    def test_they_are_means_of_features_as_they_are_scaled_to_unit_length(self) -> None:
        found = prototypes(self.encode, "pen", self.ENSEMBLE)
        normal = torch.tensor([[5.0, 3], [13, 9], [7, 6], [15, 12]]).mean(dim=0)
        abnormal = torch.tensor([[13.0, 6], [15, 9]]).mean(dim=0)
        assert found.shape == (2, 2)
        assert torch.allclose(found[0], normal / normal.norm())
        assert torch.allclose(found[1], abnormal / abnormal.norm())

    def test_every_sentence_may_weigh_the_same(self) -> None:
        found = prototypes(self.encode, "pen", replace(self.ENSEMBLE, unit_sentences=True))
        rows = torch.tensor([[5.0, 3], [13, 9], [7, 6], [15, 12], [13, 6], [15, 9]])
        unit = rows / rows.norm(dim=1, keepdim=True)
        for ours, part in zip(found, (unit[:4], unit[4:]), strict=True):
            assert torch.allclose(ours, part.mean(dim=0) / part.mean(dim=0).norm())

    def test_the_encoder_is_asked_once(self) -> None:
        asked: list[Sequence[str]] = []

        def encode(prompts: Sequence[str]) -> Tensor:
            asked.append(prompts)
            return self.encode(prompts)

        prototypes(encode, "pen", self.ENSEMBLE)
        assert [len(prompts) for prompts in asked] == [6]
