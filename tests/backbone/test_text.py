"""The text tower against transformers' own and against a plain restatement: lengths, cuts, deep prompts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from oddlens.backbone.load import load_backbone
from oddlens.backbone.text import TextTower
from tests.naive_clip import NaiveClip
from tests.tiny_clip import SHAPE, Weights, random_model, randomise

VOCABULARY, CONTEXT, END = 50, 12, 49


@pytest.fixture(scope="module", params=["quick_gelu", "gelu"])
def theirs(request: pytest.FixtureRequest) -> Any:
    """A CLIPModel of theirs; its heads are not 64 wide."""
    from transformers import CLIPConfig, CLIPModel

    shared = {"hidden_act": request.param, "intermediate_size": 96, "num_hidden_layers": 3}
    config = CLIPConfig(
        vision_config=shared | {"hidden_size": 32, "num_attention_heads": 2, "image_size": 16, "patch_size": 8},
        text_config=shared
        | {"hidden_size": 64, "num_attention_heads": 4, "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT}
        | {"bos_token_id": 48, "eos_token_id": END, "layer_norm_eps": 1e-4},
        projection_dim=24,
    )
    model = CLIPModel(config).eval()
    randomise(model, seed=1)
    return model


@pytest.fixture(scope="module")
def ours(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> TextTower:
    """What they saved, loaded by us."""
    folder = tmp_path_factory.mktemp("theirs")
    theirs.save_pretrained(folder)
    return load_backbone(folder, device="cpu").text


@pytest.fixture(scope="module")
def tower(open_clip_folder: Path) -> TextTower:
    return load_backbone(open_clip_folder, device="cpu").text


@pytest.fixture(scope="module")
def naive(weights: Weights) -> NaiveClip:
    return NaiveClip(weights)


def prompts(lengths: list[int], vocabulary: int = VOCABULARY - 2, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Random ids with EOT at the end of each length and zeros behind it, and where the EOTs are."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = torch.randint(1, vocabulary, (length,), generator=generator)
        row[length - 1] = END
    return ids, torch.tensor(lengths) - 1


def close(ours: Tensor, theirs: Tensor, tolerance: float = 2e-5) -> bool:
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= tolerance)


@torch.no_grad()
def test_prompts_of_every_length_are_embedded_as_transformers_does(theirs: Any, ours: TextTower) -> None:
    ids, ends = prompts(list(range(2, CONTEXT + 1)))
    expected = theirs.text_projection(theirs.text_model(ids).pooler_output)
    assert close(ours(ids, ends), expected)


@torch.no_grad()
def test_a_batch_cut_at_its_longest_prompt_equals_one_padded_to_the_context(tower: TextTower) -> None:
    ids, ends = prompts([5, 9, 3], vocabulary=SHAPE.vocabulary)
    padded = torch.zeros(3, SHAPE.context, dtype=torch.long)
    padded[:, : ids.shape[1]] = ids
    assert close(tower(ids, ends), tower(padded, ends), 2e-6)


@torch.no_grad()
def test_what_stands_behind_the_end_changes_nothing(tower: TextTower) -> None:
    ids, ends = prompts([5, 9, 3], vocabulary=SHAPE.vocabulary)
    other = ids.clone()
    other[0, 5:], other[2, 3:] = 17, 4242
    assert close(tower(other, ends), tower(ids, ends), 1e-6)


def test_prompts_are_embedded_as_the_restatement_does(tower: TextTower, naive: NaiveClip) -> None:
    lengths = [2, 3, 8, 20, 77]
    ids, ends = prompts(lengths, vocabulary=SHAPE.vocabulary)
    for row, length, features in zip(ids.tolist(), lengths, tower(ids, ends), strict=True):
        assert close(features, naive.text(row[:length]).float())


class TestDeepPrompts:
    """tower: of two blocks, so that one deep prompt has its place; the model in memory has three."""

    def embeddings(self, width: int, tokens: int = 9, seed: int = 6) -> Tensor:
        return torch.randn(2, tokens, width, generator=torch.Generator().manual_seed(seed))

    def test_they_overwrite_what_stands_behind_sot(self, tower: TextTower, naive: NaiveClip) -> None:
        given, deep = self.embeddings(SHAPE.text_width, tokens=77), [self.embeddings(SHAPE.text_width, 4, seed=8)[0]]
        ends = torch.tensor([7, 8])
        found = tower.encode_embeddings(given[:, :9], ends, deep)
        for row, end, features in zip(given, ends.tolist(), found, strict=True):
            assert close(features, naive.text_from(row, end, deep).float())

    def test_none_goes_before_the_first_block(self) -> None:
        """Otherwise what they overwrite could not reach the end, as it does here by the first block."""
        tower = random_model(seed=3).text
        given, ends = self.embeddings(32), torch.tensor([7, 8])
        other = given.clone()
        other[:, 1:5] = self.embeddings(32, seed=9)[:, 1:5]
        deep = [self.embeddings(32, 4, seed=number)[0] for number in (10, 11)]
        assert not close(tower.encode_embeddings(given, ends, deep), tower.encode_embeddings(other, ends, deep), 1e-3)

    def test_each_has_its_own_block(self) -> None:
        tower = random_model(seed=3).text
        given, ends = self.embeddings(32), torch.tensor([7, 8])
        first, second = (self.embeddings(32, 4, seed=number)[0] for number in (10, 11))
        none = tower.encode_embeddings(given, ends)
        one = tower.encode_embeddings(given, ends, [first])
        both = tower.encode_embeddings(given, ends, [first, second])
        swapped = tower.encode_embeddings(given, ends, [second, first])
        results = [none, one, both, swapped]
        assert not any(close(a, b, 1e-3) for number, a in enumerate(results) for b in results[:number])

    def test_gradients_flow_to_them_and_to_the_embeddings(self) -> None:
        tower = random_model(seed=3).text
        given = self.embeddings(32).requires_grad_()
        deep = [self.embeddings(32, 4, seed=number)[0].requires_grad_() for number in (10, 11)]
        tower.encode_embeddings(given, torch.tensor([7, 8]), deep).square().sum().backward()
        for tensor in (given, *deep):
            assert tensor.grad is not None
            assert tensor.grad.abs().sum() > 0
        assert all(parameter.grad is None for parameter in tower.parameters())


def test_threads_get_what_one_caller_gets(tower: TextTower) -> None:
    batches = [prompts([3 + seed, 9], vocabulary=SHAPE.vocabulary, seed=seed) for seed in range(12)]
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    alone = [tower(*batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: tower(*batch), batches))
    assert all(close(a, b, 1e-6) for a, b in zip(together, alone, strict=True))
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())
