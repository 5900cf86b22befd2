"""How unusual a value is among those of good images, as a p-value that is smooth and has no least value.

The logarithms of good values are taken as normal: their mean and their standard deviation are what is known. This is an estimate
and promises nothing; what promises is made of the joined scores (`oddlens.calibration`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from oddlens.methods.fusion.recipe import Joining
from oddlens.metrics.distributions import beta_cdf

_LEAST = 1e-12
"""Values below it count as it: their logarithms would have no end."""

_LEAST_SPREAD = 1e-3
"""Of logarithms: what differs by less than a part in a thousand is not told apart."""


def spread_of(values: Tensor) -> Tensor:
    """Mean and standard deviation of the logarithms of good values, and how many there are: float64 [3]."""
    logs = values.double().flatten().clamp(min=_LEAST).log()
    return torch.stack([logs.mean(), logs.std().clamp(min=_LEAST_SPREAD), logs.new_tensor(float(len(logs)))])


def log_p_of_scores(scores: Tensor, spread: Tensor) -> Tensor:
    """The logarithm of the p-value of each score: of a t prediction limit, as a few good images give it. float64 [batch].

    The rarest that it can be is e^-690.
    """
    mean, deviation, count = spread.tolist()
    wide = deviation * math.sqrt(1 + 1 / count)
    deviations = (scores.double().clamp(min=_LEAST).log() - mean) / wide
    return scores.new_tensor([_log_of_tail(each, count - 1) for each in deviations.tolist()], dtype=torch.float64)


def log_p_of_maps(maps: Tensor, spread: Tensor) -> Tensor:
    """Likewise of each value of maps, of which there are many: of a normal distribution. float64 as `maps`."""
    mean, deviation, _ = spread.tolist()
    logs: Tensor = torch.special.log_ndtr((mean - maps.double().clamp(min=_LEAST).log()) / deviation)
    return logs


def joined_rarity(logs: Sequence[Tensor], joining: Joining) -> Tensor:
    """-log10 of one p-value that is made of two independent ones, of their natural logarithms: 2 is one in a hundred.

    Fisher: the product q of two p-values is at most q in a share q (1 - ln q). The smaller one m of two is at most m in a share
    1 - (1 - m)^2.
    """
    one, other = logs
    if joining == "fisher":
        product = one + other
        joined = product + torch.log1p(-product)
    else:
        least = torch.minimum(one, other)
        joined = least + torch.log(2 - least.exp())
    return -joined.clamp(max=0) / math.log(10)


def _log_of_tail(deviations: float, freedom: float) -> float:
    """The logarithm of the probability that Student's t exceeds a value."""
    tail = beta_cdf(freedom / (freedom + deviations**2), freedom / 2, 0.5) / 2
    return math.log(max(tail if deviations > 0 else 1 - tail, 1e-300))
