"""Words in the joint space: one embedding a concept, kept for the next question."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.methods.base import Text
from oddlens.methods.common.prompt_ensemble import TextEncoder
from oddlens.methods.common.recent import Recent
from oddlens.methods.vl4ad.vocabulary import Vocabulary

_KEPT = 4096
"""Concepts whose embeddings are kept: 8 MB of 512 numbers each."""


class ConceptEncoder:
    """Concepts to embeddings. Every concept is encoded on its own, so that a new word costs itself alone, also on disk."""

    def __init__(self, encode: TextEncoder) -> None:
        self._encode = encode
        self._known: Recent[tuple[str, tuple[str, ...]], Tensor] = Recent(_KEPT)

    def text(self, vocabulary: Vocabulary, templates: Sequence[str]) -> Text:
        """The text side of a vocabulary.

        "concepts" [words, embed_dim], unit norm; "columns" int64 [words], the column of each: K classes, then the unknown groups;
        "member" int64 [K], the super-class of each class.
        """
        words = [word for column in vocabulary.columns for word in column]
        columns = [number for number, column in enumerate(vocabulary.columns) for _ in column]
        concepts = torch.stack([self._embedding(word, tuple(templates)) for word in words])
        at = concepts.device
        return {
            "concepts": concepts,
            "columns": torch.tensor(columns, device=at),
            "member": torch.tensor(vocabulary.member, device=at),
        }

    def _embedding(self, word: str, templates: tuple[str, ...]) -> Tensor:
        """The mean of the unit-length embeddings of the filled templates, unit norm (FC-CLIP, released code)."""

        def embed() -> Tensor:
            features = self._encode([template.replace("{}", word) for template in templates])
            return F.normalize(F.normalize(features, dim=-1).mean(dim=0), dim=-1)

        return self._known.get((word, templates), embed)
