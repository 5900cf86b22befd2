"""Learned prompts against a plain restatement, how they learn, and which files they are read from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.errors import ModelError, UsageError
from oddlens.methods.anomaly_clip.prompts import LearnablePrompts
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.weights import MethodWeights
from tests.naive_clip import NaiveClip
from tests.tiny_clip import Shape, Weights, random_weights, write_open_clip
from tests.tiny_prompts import authors_state, random_prompts

SHAPE = Shape(layers=1, text_layers=4)
RECIPE = AnomalyCLIPRecipe(context_length=5, prompt_depth=4, deep_tokens=2)


@pytest.fixture(scope="module")
def drawn() -> Weights:
    return random_weights(21, SHAPE)


@pytest.fixture(scope="module")
def backbone(drawn: Weights, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_open_clip(tmp_path_factory.mktemp("model"), drawn, SHAPE), device="cpu")


@pytest.fixture
def prompts(backbone: Backbone) -> LearnablePrompts:
    return random_prompts(backbone, RECIPE)


def made(
    backbone: Backbone, context_length: int = 12, depth: int = 4, tokens: int = 4, seed: int = 0
) -> LearnablePrompts:
    return LearnablePrompts(backbone.text, backbone.tokenizer, context_length, depth, tokens, seed)


class TestReading:
    @torch.no_grad()
    def test_they_are_read_as_the_restatement_does(
        self, prompts: LearnablePrompts, backbone: Backbone, drawn: Weights
    ) -> None:
        """SOT, learned tokens, "object." or "damaged object.", EOT, padding; deep prompts of float16 numbers."""
        words = drawn["token_embedding.weight"]
        deep = [each.half().float() for each in prompts.compound_prompts_text]
        found = prompts(backbone.text)
        for learned, ids, features in (
            (prompts.ctx_pos, [14115, 269], found[0]),
            (prompts.ctx_neg, [13568, 14115, 269], found[1]),
        ):
            tail = words[[*ids, 49407]]
            padding = words[[0] * (77 - 1 - len(learned) - len(tail))]
            embeddings = torch.cat([words[[49406]], learned, tail, padding])
            expected = NaiveClip(drawn).text_from(embeddings, len(learned) + len(tail), deep)
            assert torch.allclose(features.double(), F.normalize(expected, dim=0), atol=2e-6)

    def test_nothing_runs_behind_the_longer_prompts_end(self, prompts: LearnablePrompts) -> None:
        assert prompts.ends.tolist() == [8, 9]
        assert len(prompts.ctx_pos) + prompts.fixed.shape[1] == 10

    def test_every_learned_tensor_has_a_say(self, prompts: LearnablePrompts, backbone: Backbone) -> None:
        prompts(backbone.text)[:, 0].sum().backward()
        assert [name for name, each in prompts.named_parameters() if not each.grad.abs().sum() > 0] == []  # type: ignore[union-attr]
        assert all(parameter.grad is None for parameter in backbone.model.parameters())

    def test_a_model_with_words_of_its_own_reads_them_too(self, embedded_folder: Path) -> None:
        other = load_backbone(embedded_folder, device="cpu")
        found = made(other, depth=2)(other.text)
        assert found.shape == (2, 16)
        assert torch.allclose(found.norm(dim=1), torch.ones(2))


class TestRounding:
    """The released code casts the deep prompts to float16, one copy a prompt."""

    @torch.no_grad()
    def test_what_float16_does_not_hold_changes_nothing(self, prompts: LearnablePrompts, backbone: Backbone) -> None:
        before = prompts(backbone.text)
        for each in prompts.compound_prompts_text:
            each.copy_(each.half())
        assert torch.equal(prompts(backbone.text), before)

    def test_gradients_are_rounded_prompt_by_prompt(self, prompts: LearnablePrompts, backbone: Backbone) -> None:
        weight = torch.randn(2, SHAPE.embed_dim, generator=torch.Generator().manual_seed(3))
        (prompts(backbone.text) * weight).sum().backward()
        copies = [
            each.detach().half().float().expand(2, -1, -1).clone().requires_grad_()
            for each in prompts.compound_prompts_text
        ]
        learned = torch.stack([prompts.ctx_pos, prompts.ctx_neg]).detach()
        embeddings = torch.cat([prompts.fixed[:, :1], learned, prompts.fixed[:, 1:]], dim=1)
        features = backbone.text.encode_embeddings(embeddings, prompts.ends, copies)
        (F.normalize(features, dim=-1) * weight).sum().backward()
        for each, copy in zip(prompts.compound_prompts_text, copies, strict=True):
            assert copy.grad is not None
            assert torch.equal(each.grad, copy.grad.half().float().sum(dim=0))  # type: ignore[arg-type]
            assert not torch.equal(each.grad, copy.grad.sum(dim=0))  # type: ignore[arg-type]


class TestDrawing:
    def test_the_seed_decides(self, backbone: Backbone) -> None:
        one, same, other = (made(backbone, seed=seed).state_dict() for seed in (1, 1, 2))
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert not any(torch.equal(one[name], other[name]) for name in one)
        assert not torch.equal(one["ctx_pos"], one["ctx_neg"])

    def test_values_are_normal_with_a_deviation_of_two_hundredths(self, backbone: Backbone) -> None:
        values = torch.cat([each.detach().flatten() for each in made(backbone, context_length=64).parameters()])
        assert float(values.mean()) == pytest.approx(0, abs=1e-3)
        assert float(values.std()) == pytest.approx(0.02, rel=0.05)

    def test_at_the_papers_size_there_are_43008_numbers(self) -> None:
        """Width 768; every other measure of the tower is kept small."""
        from oddlens.backbone.text import TextConfig, TextTower
        from oddlens.backbone.tokenizer import clip_tokenizer

        text = TextTower(TextConfig(77, 49408, 768, 12, 1, 8, 8, "quick_gelu"))
        recipe = AnomalyCLIPRecipe()
        prompts = LearnablePrompts(
            text, clip_tokenizer(), recipe.context_length, recipe.prompt_depth, recipe.deep_tokens
        )
        assert sum(value.numel() for value in prompts.state_dict().values()) == 43008


class TestFit:
    @pytest.mark.parametrize(
        ("measures", "told"),
        [
            ({"context_length": 73}, "context_length 73 does not fit: .* room for 72 tokens"),
            ({"context_length": 3}, "deep_tokens 4 does not fit: they take the places of the 3 tokens"),
            ({"depth": 5}, "prompt_depth 5 does not fit: the text tower has 4 blocks"),
        ],
    )
    def test_prompts_that_do_not_fit_the_tower_are_refused(
        self, backbone: Backbone, measures: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(UsageError, match=told):
            made(backbone, **measures)

    def test_the_longest_that_fit_are_taken(self, backbone: Backbone) -> None:
        assert made(backbone, context_length=72, tokens=72)(backbone.text).shape == (2, SHAPE.embed_dim)


class TestFiles:
    def fill(self, backbone: Backbone, tensors: dict[str, Tensor]) -> LearnablePrompts:
        filled = made(backbone, RECIPE.context_length, RECIPE.prompt_depth, RECIPE.deep_tokens)
        filled.fill(MethodWeights("epoch_15.pth", tensors), "tiny")
        return filled

    def test_what_was_written_comes_back(self, prompts: LearnablePrompts, backbone: Backbone) -> None:
        authors = {f"prompt_learner.{name}": value for name, value in authors_state(prompts, backbone).items()}
        for tensors in (dict(prompts.state_dict()), authors):
            filled = self.fill(backbone, tensors).state_dict()
            assert all(torch.equal(filled[name], value) for name, value in prompts.state_dict().items())

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda state: state.pop("ctx_neg"), "does not hold prompts of AnomalyCLIP"),
            (lambda state: state.update({"fc.0.weight": torch.zeros(3, 4)}), "does not hold prompts of AnomalyCLIP"),
            (
                lambda state: state.update(ctx_pos=torch.zeros(1, 1, 12, 768)),
                "text tower 768 wide, and that of tiny is 64 wide: give the model",
            ),
            (
                lambda state: state.update(ctx_pos=torch.zeros(1, 1, 6, 64), ctx_neg=torch.zeros(1, 1, 6, 64)),
                "context_length 6, prompt_depth 4, deep_tokens 2, and the recipe wants context_length 5, ",
            ),
            (lambda state: state.pop("compound_prompts_text.2"), "prompt_depth 3, deep_tokens 2, and the recipe wants"),
            (
                lambda state: state.update({f"compound_prompts_text.{number}": torch.zeros(3, 64) for number in range(3)}),
                "deep_tokens 3, and the recipe wants",
            ),
            (
                lambda state: state.update({"compound_prompts_text.1": torch.zeros(0, 0)}),
                "holds deep prompts of several shapes: copy the file again",
            ),
            (lambda state: state["token_suffix_neg"].mul_(1.1), "trained on another model than tiny"),
            (lambda state: state["token_prefix_pos"].neg_(), "trained on another model than tiny"),
            (
                lambda state: state.update(token_suffix_pos=state["token_suffix_pos"][..., :-1]),
                "trained on another model than tiny",
            ),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_one_sentence(
        self, prompts: LearnablePrompts, backbone: Backbone, change: Callable[[Weights], object], told: str
    ) -> None:
        state = authors_state(prompts, backbone)
        change(state)
        with pytest.raises(ModelError, match=rf"epoch_15\.pth .*{told}"):
            self.fill(backbone, state)

    def test_what_was_refused_leaves_the_prompts_as_they_were(
        self, prompts: LearnablePrompts, backbone: Backbone
    ) -> None:
        before = {name: value.clone() for name, value in prompts.state_dict().items()}
        state = authors_state(made(backbone, 5, 4, 2, seed=9), backbone)
        state["token_suffix_neg"].neg_()
        with pytest.raises(ModelError):
            prompts.fill(MethodWeights("epoch_15.pth", state), "tiny")
        assert all(torch.equal(prompts.state_dict()[name], value) for name, value in before.items())
