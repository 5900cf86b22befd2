"""Where the masks of a frame and their class embeddings come from: what every way to masks is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.base import Features, Text


class Masks(Protocol):
    """A way to masks over a frozen model.

    A mask i of a frame says where something is, s_i in [0, 1] at every pixel, and what it looks like, an embedding v_i in the joint
    space with the words. Everything that depends on words comes later, from `embeddings` alone: so words may change for nothing.
    """

    @property
    def temperature(self) -> float:
        """The temperature of the softmax over words that belongs to these embeddings."""

    @property
    def text(self) -> Text | None:
        """The text side (see `ConceptEncoder.text`) of masks with classes of their own and no words; else None."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of masks that know no words, in the order of their numbers; () where they are compared with words."""

    @property
    def pooled(self) -> bool:
        """Whether the frozen model's own view of the masks is among the features."""

    @property
    def short_side(self) -> int | None:
        """Pixels of the shorter side that frames are scaled to; None: they keep their size."""

    @property
    def no_export(self) -> str | None:
        """Why `torch.export` cannot take it, in a sentence; None where it can, for images of one size."""

    def encode(self, vision_pass: VisionPass) -> Features:
        """The frames of a pass (`VisionPass.images`, of any sizes) as features; the first dimension is the frame.

        "embeddings" [batch, masks, embed_dim], unit norm, zero rows where a frame has fewer masks; "masks" int64 [batch], how many
        are real; "void" [batch, masks], the probability that a mask is nothing, where the way to masks knows it; "pooled" [batch,
        masks, embed_dim], unit norm, the frozen model's own embedding of the masked pixels, where there is one; and what `spread`
        needs.
        """

    def spread(self, features: Mapping[str, Tensor], values: Tensor) -> Tensor:
        """sum_i s_i * values_i of one frame: [channels, height, width] at the working resolution of the map.

        features: as `encode` gives them, of this frame alone (no batch dimension). values: float [real masks, channels]; in an
        exported graph both may have the batch before.
        """
