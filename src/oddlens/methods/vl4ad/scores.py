"""From masks and words to a map: how probable each known class is for a mask, and scores of what is none of them.

VL4AD, arXiv 2409.17330; the scores it is compared with are those of public mask-transformer detectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

Void = Literal["factor", "in_softmax", "ignore"]
Merging = Literal["max", "sum"]
ScoreName = Literal["vl4ad", "max_logit", "msp", "energy", "entropy", "rba", "eam"]


@dataclass(frozen=True)
class MaskPredictions:
    """What is known of the masks of one frame before any word.

    embeddings: [masks, embed_dim], unit norm, with their temperature. void: [masks], the probability that a mask is nothing, or
    None. pooled: [masks, embed_dim], the frozen model's own embedding of the masked pixels, zero for a mask without any, or None.
    """

    embeddings: Tensor
    temperature: float
    void: Tensor | None = None
    pooled: Tensor | None = None
    pooled_temperature: float = 1.0


@dataclass(frozen=True)
class Groups:
    """How many columns the words have (classes and groups of unknown words), and into how many super-classes the classes merge."""

    columns: int
    supers: int


@dataclass(frozen=True)
class ClassificationRule:
    """How probabilities come about.

    merging: classes are put together by the largest similarity "max" before the softmax (the paper), or by the "sum" of their
    probabilities after it. void: as a "factor" 1 - void on everything (FC-CLIP), "in_softmax" as one more column that has its odds
    against the known classes, or "ignore". alpha: the exponent of the out-of-vocabulary probabilities, of `pooled`, in a geometric
    mean with the others (FC-CLIP; one exponent for all columns is ours: with two, scores would hang on which words were trained).
    """

    merging: Merging = "max"
    void: Void = "factor"
    alpha: float = 0.0


def groups_of(text: Mapping[str, Tensor]) -> Groups:
    """The groups that a text side has; it reads their numbers. text: see `ConceptEncoder`."""
    return Groups(int(text["columns"].max()) + 1, int(text["member"].max()) + 1)


def similarities(embeddings: Tensor, text: Mapping[str, Tensor], columns: int) -> Tensor:
    """The largest cosine among each column's words (max-logit prompt ensemble): [masks, columns]. text: see `ConceptEncoder`."""
    return _by_group(embeddings @ text["concepts"].T, text["columns"], columns, "amax")


def probabilities(
    predictions: MaskPredictions,
    text: Mapping[str, Tensor],
    rule: ClassificationRule,
    *,
    merged: bool = True,
    groups: Groups | None = None,
) -> Tensor:
    """The probability of every known class, or super-class where `merged`, for every mask: [masks, classes], sums at most 1.

    The softmax is over known and unknown columns; only the known ones are given, so that more unknown words can only lower them.
    groups: of the text; None reads its numbers.
    """
    groups = groups or groups_of(text)
    classes = text["member"].shape[0]
    member = text["member"] if merged else torch.arange(classes, device=text["member"].device)
    supers = groups.supers if merged else classes
    if rule.merging == "max":
        logits = _logits(predictions, text, rule.alpha, groups.columns, (member, supers))
        return _without_void(logits.softmax(dim=-1)[:, :supers], predictions.void, rule.void)
    logits = _logits(predictions, text, rule.alpha, groups.columns, None)
    found = _without_void(logits.softmax(dim=-1)[:, :classes], predictions.void, rule.void)
    return _by_group(found, member, supers, "sum")


def _logits(
    predictions: MaskPredictions,
    text: Mapping[str, Tensor],
    alpha: float,
    columns: int,
    merge: tuple[Tensor, int] | None,
) -> Tensor:
    """[masks, columns], over the temperatures. merge: the super-class of each class, and how many there are; the largest counts."""

    def of(embeddings: Tensor, temperature: float) -> Tensor:
        found = similarities(embeddings, text, columns) / temperature
        if merge is None:
            return found
        member, supers = merge
        unknown = supers + torch.arange(columns - member.shape[0], device=member.device)
        return _by_group(found, torch.cat([member, unknown]), supers + unknown.shape[0], "amax")

    inside = of(predictions.embeddings, predictions.temperature)
    if alpha == 0 or predictions.pooled is None:
        return inside
    exponent = alpha * predictions.pooled.any(dim=-1, keepdim=True)  # a mask without pixels has nothing to say there
    return (1 - exponent) * inside + exponent * of(predictions.pooled, predictions.pooled_temperature)


def _without_void(known: Tensor, void: Tensor | None, mode: Void) -> Tensor:
    if void is None or mode == "ignore":
        return known
    something = 1 - void[:, None]
    if mode == "factor":
        return known * something
    unknown = 1 - known.sum(dim=-1, keepdim=True)
    return known * something / (1 - void[:, None] * unknown).clamp(min=torch.finfo(known.dtype).tiny)


def _by_group(values: Tensor, group: Tensor, groups: int, how: Literal["amax", "sum"]) -> Tensor:
    """Columns of [rows, columns] that belong to one group as one: [rows, groups]."""
    found = values.new_zeros(values.shape[0], groups)
    return found.scatter_reduce_(1, group.expand_as(values), values, how, include_self=False)


class ClassMaps:
    """A frame as scores see it. p: [masks, K], the probabilities of the known classes. S: [K, height, width], sum_i s_i p_ik.

    In an exported graph all have a batch dimension before.
    """

    def __init__(self, p: Tensor, spread: Callable[[Tensor], Tensor]) -> None:
        self.p = p
        self.spread = spread

    @cached_property
    def S(self) -> Tensor:  # noqa: N802 the papers' symbol
        """Computed once, however many scores need it."""
        return self.spread(self.p)

    @cached_property
    def best(self) -> tuple[Tensor, Tensor]:
        """The highest S_k at every pixel, and its k: [height, width] each. Both at once cost a third of asking for k alone."""
        highest = self.S.max(dim=-3)
        return highest.values, highest.indices


@dataclass(frozen=True)
class Score:
    """map: a frame -> [height, width], higher = more anomalous. range: its values for K classes where masks do not overlap."""

    map: Callable[[ClassMaps], Tensor]
    range: Callable[[int], tuple[float, float]]


SCORES: dict[ScoreName, Score] = {
    "vl4ad": Score(lambda seen: -seen.best[0], lambda k: (-1.0, 0.0)),
    "max_logit": Score(lambda seen: -seen.best[0], lambda k: (-1.0, 0.0)),
    "msp": Score(lambda seen: 1 - seen.S.softmax(-3).amax(-3), lambda k: (1 - math.e / (math.e + k - 1), 1 - 1 / k)),
    "energy": Score(lambda seen: -seen.S.logsumexp(-3), lambda k: (-math.log(math.e + k - 1), -math.log(k))),
    "entropy": Score(lambda seen: _entropy(seen.S), lambda k: (0.0, math.log(k))),
    "rba": Score(lambda seen: -seen.S.tanh().sum(-3), lambda k: (-1.0, 0.0)),
    "eam": Score(lambda seen: 1 - seen.spread(seen.p.amax(-1, keepdim=True)).squeeze(-3), lambda k: (0.0, 1.0)),
}
"""Scores over the same masks and words, all one way round.

vl4ad, -max_k S_k, is what mask transformers call max_logit; both names stand here so that tables can use either. msp and entropy
compare the known classes with each other only, so that unknown words may also lower them; all others rise or stay.
Sources: msp, max_logit, energy: the usual scores on S as logits; entropy: of S / sum_k S_k; rba: Nayal et al., ICCV 2023;
eam: Grcic et al., 2023.
"""


def _entropy(S: Tensor) -> Tensor:
    """Of the known classes' shares, in nats; where no class has any share, as of equal shares."""
    some = S.clamp(min=torch.finfo(S.dtype).tiny)
    shares = some / some.sum(dim=-3, keepdim=True)
    return -(shares * shares.log()).sum(dim=-3)
