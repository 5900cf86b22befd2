"""Words in the joint space: what an embedding is made of, and that every word is encoded once."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.methods.vl4ad.concepts import ConceptEncoder
from oddlens.methods.vl4ad.vocabulary import make_vocabulary

TEMPLATES = ("a photo of a {}.", "a {} by a {}.")


class Encoder:
    """Sentences to vectors drawn by their letters; `query_field` keeps what was wanted."""

    def __init__(self) -> None:
        self.query_field: list[str] = []

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        self.query_field += prompts
        drawn = [torch.randn(8, generator=torch.Generator().manual_seed(sum(prompt.encode()))) for prompt in prompts]
        return torch.stack([3 * each for each in drawn])


def test_an_embedding_is_the_mean_of_unit_length_templates_at_unit_length() -> None:
    encoder = Encoder()
    text = ConceptEncoder(encoder).text(make_vocabulary({"road": ["road"], "sky": ["sky"]}), TEMPLATES)
    expected = F.normalize(F.normalize(encoder(["a photo of a sky.", "a sky by a sky."]), dim=1).mean(dim=0), dim=0)
    assert torch.allclose(text["concepts"][1], expected, atol=1e-6)


def test_columns_number_the_words_and_members_the_classes() -> None:
    vocabulary = make_vocabulary(
        {"road": ["road", "lane"], "sky": ["sky"], "car": ["car"]},
        ["dog", ["hay", "straw"]],
        {"ground": ["road", "car"]},
    )
    text = ConceptEncoder(Encoder()).text(vocabulary, TEMPLATES)
    assert text["columns"].tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert text["member"].tolist() == [0, 1, 0]


def test_a_new_word_costs_itself_alone() -> None:
    encoder = Encoder()
    words = ConceptEncoder(encoder)
    street = {"road": ["road"], "sky": ["sky"]}
    words.text(make_vocabulary(street), TEMPLATES)
    encoder.query_field.clear()
    words.text(make_vocabulary(street, ["dog"]), TEMPLATES)
    assert encoder.query_field == ["a photo of a dog.", "a dog by a dog."]
    words.text(make_vocabulary(street, ["dog"]), TEMPLATES)
    assert len(encoder.query_field) == 2


def test_other_templates_are_other_embeddings() -> None:
    words, vocabulary = ConceptEncoder(Encoder()), make_vocabulary({"road": ["road"], "sky": ["sky"]})
    plain, other = (words.text(vocabulary, each)["concepts"] for each in (TEMPLATES, ("{}",)))
    assert not torch.allclose(plain, other, atol=1e-3)
