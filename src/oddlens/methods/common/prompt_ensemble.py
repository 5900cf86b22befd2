"""Prompt ensembles: the sentences about an object's states as two prompt embeddings, its prototypes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.methods.common.templates import PromptEnsemble

TextEncoder = Callable[[Sequence[str]], Tensor]
"""Texts -> their embeddings, [texts, embed_dim] float32, not normalised."""


def prototypes(encode: TextEncoder, object_name: str, ensemble: PromptEnsemble) -> Tensor:
    """The normal and abnormal prototype of an object: float32 [2, embed_dim], unit norm, row 0 normal, row 1 abnormal.

    Each is the mean of the text features, normalised afterwards. Where the features are scaled to unit length before (APRIL-GAN,
    released code), all sentences weigh the same; where they are not (WinCLIP's public ports), longer ones count for more.
    """
    normal, abnormal = ensemble.sentences(object_name)
    features = encode([*normal, *abnormal])
    if ensemble.unit_sentences:
        features = F.normalize(features, dim=-1)
    means = torch.stack([features[: len(normal)].mean(dim=0), features[len(normal) :].mean(dim=0)])
    return F.normalize(means, dim=-1)
