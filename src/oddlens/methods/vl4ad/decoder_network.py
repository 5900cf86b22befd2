"""The mask decoder: a pyramid where the tower has none, Mask2Former's two decoders, and a class for every mask.

Mask2Former: Cheng et al., CVPR 2022, arXiv 2112.01527, in the parts that transformers has of it. The class head: FC-CLIP, Yu et
al., NeurIPS 2023, arXiv 2308.02487, released code. Import it only after `decoder_shape.check_installed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerMaskedAttentionDecoderLayer,
    Mask2FormerMLPPredictionHead,
    Mask2FormerPixelDecoder,
    Mask2FormerPixelDecoderEncoderLayer,
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention,
    Mask2FormerTransformerModule,
)

from oddlens.methods.vl4ad.decoder_shape import DecoderShape
from oddlens.methods.vl4ad.mask_sums import mean_under

STRIDES = (4, 8, 16, 32)
LEAST_TEMPERATURE = 0.01
"""CLIP's bound."""


@dataclass(frozen=True)
class Prediction:
    """What one decoder layer says of a batch of frames, the last layer being the answer.

    masks: logits [batch, queries, height / 4, width / 4]. classes: what the head makes of each, [batch, queries, embed_dim] of unit
    norm; of a linear head its logits, [batch, queries, classes + 1], void last.
    """

    masks: Tensor
    classes: Tensor


class MaskDecoder(nn.Module):
    """All that learns. The frozen tower stays outside, so that no initialisation and no optimiser can reach it.

    strides, channels: of the tower's maps. embed_dim: of the joint space. classes: how many a linear head tells apart.
    """

    def __init__(
        self, shape: DecoderShape, strides: Sequence[int], channels: Sequence[int], embed_dim: int, classes: int = 0
    ) -> None:
        super().__init__()
        config = _config(shape)
        self.pyramid = Pyramid(strides, channels, shape.width)
        self.pixels = Mask2FormerPixelDecoder(config, feature_channels=self.pyramid.channels)
        self.transformer = Mask2FormerTransformerModule(in_features=shape.width, config=config)
        self.head = WordHead(shape.width, embed_dim) if shape.head == "words" else LinearHead(shape.width, classes)
        with torch.no_grad():
            self.pixels.apply(_initialise_pixels)
            self.transformer.apply(_initialise_transformer)

    def forward(self, maps: Sequence[Tensor], *, last_only: bool = False) -> list[Prediction]:
        """The predictions of every layer, the initial queries' first; only the answer where `last_only`."""
        seen = self.pixels(self.pyramid(maps))
        decoded = self.transformer(seen.multi_scale_features, seen.mask_features)
        layers = zip(decoded.masks_queries_logits, decoded.intermediate_hidden_states, strict=True)
        wanted = list(layers)[-1:] if last_only else list(layers)
        # the decoder keeps queries first, and has layer-normed them
        return [
            Prediction(masks, self.head(queries.transpose(0, 1), masks, seen.mask_features))
            for masks, queries in wanted
        ]


class Pyramid(nn.Module):
    """Maps of a frozen tower at strides 4, 8, 16 and 32: its own where it has one, else learned from the one next in scale.

    Finer ones by transposed convolutions, coarser ones by maxima (Li et al., ECCV 2022, arXiv 2203.16527, section 3).
    """

    def __init__(self, strides: Sequence[int], channels: Sequence[int], width: int) -> None:
        super().__init__()
        nearest = [min(strides, key=lambda own: (abs(math.log2(own / wanted)), own)) for wanted in STRIDES]
        self._sources = [list(strides).index(stride) for stride in nearest]
        self.channels = [
            channels[source] if stride == wanted else width
            for source, stride, wanted in zip(self._sources, nearest, STRIDES, strict=True)
        ]
        self.levels = nn.ModuleList(
            nn.Identity() if stride == wanted else _level(channels[source], width, stride, wanted)
            for source, stride, wanted in zip(self._sources, nearest, STRIDES, strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return [level(maps[source]) for level, source in zip(self.levels, self._sources, strict=True)]


class WordHead(nn.Module):
    """A mask's embedding in the joint space with words, from its query and the mask features under it (FC-CLIP)."""

    def __init__(self, width: int, embed_dim: int) -> None:
        super().__init__()
        self.pool_norm = nn.LayerNorm(width)
        self.pool = nn.Linear(width, width)
        self.embed = Mask2FormerMLPPredictionHead(width, width, embed_dim)
        self.void = nn.Embedding(1, embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def temperature(self) -> Tensor:
        """That of the softmax over classes, at least `LEAST_TEMPERATURE`."""
        return (-self.logit_scale).exp().clamp(min=LEAST_TEMPERATURE)

    def forward(self, queries: Tensor, masks: Tensor, mask_features: Tensor) -> Tensor:
        under = mean_under(mask_features, masks > 0)
        found: Tensor = self.embed(self.pool(self.pool_norm(under)) + queries)
        return F.normalize(found, dim=-1)

    def logits(self, embeddings: Tensor, concepts: Tensor, columns: Tensor) -> Tensor:
        """[..., classes + 1] of embeddings [..., embed_dim]: for each class the largest of its words', void last.

        concepts: [words, embed_dim], unit norm. columns: int64 [words], the class of each.
        """
        cosines = embeddings @ concepts.T
        classes = int(columns.max()) + 1
        known = cosines.new_full((*cosines.shape[:-1], classes), -math.inf)
        known = known.scatter_reduce(-1, columns.expand_as(cosines), cosines, "amax")
        void = embeddings @ F.normalize(self.void.weight, dim=-1).T
        return torch.cat([known, void], dim=-1) / self.temperature


class LinearHead(nn.Module):
    """The vision-only baseline: logits of the trained classes and of void, straight from the query (Mask2Former)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classes = nn.Linear(width, classes + 1)

    @property
    def temperature(self) -> Tensor:
        """Logits have none."""
        return self.classes.weight.new_ones(())

    def forward(self, queries: Tensor, masks: Tensor, mask_features: Tensor) -> Tensor:
        found: Tensor = self.classes(queries)
        return found

    def logits(self, found: Tensor, concepts: Tensor, columns: Tensor) -> Tensor:
        """They are there already: this head knows no words."""
        return found


def _level(given: int, width: int, stride: int, wanted: int) -> nn.Module:
    if stride < wanted:
        pools = [nn.MaxPool2d(2) for _ in range(round(math.log2(wanted / stride)))]
        return nn.Sequential(*pools, nn.Conv2d(given, width, 1, bias=False), _over_channels(width))
    steps = round(math.log2(stride / wanted))
    parts: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise([given] + [width] * steps)):
        if number:
            parts += [_over_channels(width), nn.GELU()]
        parts.append(nn.ConvTranspose2d(before, after, 2, 2))
    return nn.Sequential(*parts, nn.Conv2d(width, width, 1, bias=False), _over_channels(width))


def _over_channels(width: int) -> nn.Module:
    return nn.GroupNorm(1, width)


def _initialise_pixels(module: nn.Module) -> None:
    """As Mask2Former's released code starts its pixel decoder, innermost first.

    Transformers does it in `post_init` of its own models only, leaves the level embedding without any value elsewhere, and, in the
    version tried (5.23), lets the innermost layers' plain start win over that of the attention around them.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_uniform_(module.weight, a=1)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention):
        for part in (module.value_proj, module.output_proj):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
        nn.init.zeros_(module.attention_weights.weight)
        nn.init.zeros_(module.attention_weights.bias)
        nn.init.zeros_(module.sampling_offsets.weight)
        module.sampling_offsets.bias.copy_(_ring(module.n_heads, module.n_levels, module.n_points))
    elif isinstance(module, Mask2FormerPixelDecoderEncoderLayer):
        nn.init.xavier_uniform_(module.fc1.weight)
        nn.init.xavier_uniform_(module.fc2.weight)
    elif isinstance(module, Mask2FormerPixelDecoder):
        nn.init.normal_(module.level_embed)


def _ring(heads: int, levels: int, points: int) -> Tensor:
    """Where each head begins: in a direction of its own, each point a cell further. [heads * levels * points * 2]."""
    angles = torch.arange(heads) * (2 * math.pi / heads)
    directions = torch.stack([angles.cos(), angles.sin()], dim=-1)
    directions = directions / directions.abs().amax(dim=-1, keepdim=True)
    reach = torch.arange(1, points + 1).view(1, 1, points, 1)
    return (directions.view(heads, 1, 1, 2) * reach).expand(heads, levels, points, 2).flatten()


def _initialise_transformer(module: nn.Module) -> None:
    """As the released code: Xavier in the layers; queries and level embeddings are normal as torch makes them."""
    if isinstance(module, Mask2FormerMaskedAttentionDecoderLayer):
        for parameter in module.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)


def _config(shape: DecoderShape) -> Mask2FormerConfig:
    return Mask2FormerConfig(
        feature_size=shape.width,
        mask_feature_size=shape.width,
        hidden_dim=shape.width,
        encoder_feedforward_dim=shape.pixel_feedforward,
        encoder_layers=shape.pixel_layers,
        decoder_layers=shape.layers + 1,  # theirs counts the prediction on the initial queries
        num_attention_heads=shape.heads,
        dim_feedforward=shape.feedforward,
        num_queries=shape.queries,
        dropout=0.0,
    )
