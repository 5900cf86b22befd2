"""What every vision tower is to a method: a grid of patch tokens, taps after its blocks, and a statement of what else it can do.

`VisionTower` is all that a vision-only method needs. `JointTower` is a vision tower that shares a joint space with a text tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from torch import Tensor, nn

from oddlens.backbone.normalisation import Rgb
from oddlens.backbone.positions import PositionResize
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.backbone.vision import Embedded, Tap
from oddlens.errors import UsageError

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Capabilities:
    """What a vision tower can do beside giving tokens after any of its blocks.

    local: the local (V-V) stream. text: a joint space with a text tower, so that it is a `JointTower`.
    windows: embeddings of windows in that space.
    """

    local: bool = False
    text: bool = False
    windows: bool = False


@dataclass(frozen=True)
class VisionFeatures:
    """What a walk through the blocks gives. Tokens belong to the residual stream, before the final LayerNorm.

    taps: block number (1-based) -> [batch, prefix + patches, width]; or a stem's tap name -> [batch, patches, channels].
    local: block number -> [batch, prefix + patches, width] of the local stream.
    grid: (rows, columns) of patches, row-major in the token order.
    prefix: tokens before the patches: the class token, then the registers; 0 where a tower has neither.
    pooled: what stands for the whole image, or None where the walk was not asked for it.
    """

    taps: dict[Tap, Tensor]
    grid: tuple[int, int]
    prefix: int
    pooled: Tensor | None = None
    local: dict[int, Tensor] = field(default_factory=dict)

    @property
    def image(self) -> Tensor:
        """What stands for the whole image, [batch, width].

        The class token after the last block, before the final LayerNorm; in a tower that pools its patches (SigLIP) what its head
        makes of them, which lies in the joint space already.
        """
        if self.pooled is None:
            raise UsageError("the walk through the vision tower was not asked for the image: ask with image=True")
        return self.pooled

    def patches(self, tap: Tap) -> Tensor:
        """The patch tokens of a tap, without the prefix: [batch, patches, width]."""
        return self.taps[tap][:, self.prefix :] if isinstance(tap, int) else self.taps[tap]

    def local_patches(self, tap: int) -> Tensor:
        """The patch tokens of the local stream, without the prefix: [batch, patches, width]."""
        return self.local[tap][:, self.prefix :]


class TowerConfig(Protocol):
    """The shape of a vision tower that a card and a method ask for."""

    @property
    def image_size(self) -> int:
        """Pixels a side that the tower was trained at."""

    @property
    def patch_size(self) -> int:
        """Pixels a side of a patch."""

    @property
    def width(self) -> int:
        """Channels of a token."""

    @property
    def layers(self) -> int:
        """Blocks."""

    @property
    def embed_dim(self) -> int:
        """The joint width with the text; 0 where there is none."""

    @property
    def grid(self) -> int:
        """Patches along one side at the native image size."""


class VisionTower(Protocol):
    """A vision tower of patches and blocks. It keeps no state between calls, so several threads may call it at once."""

    capabilities: Capabilities

    @property
    def config(self) -> TowerConfig:
        """The tower's shape."""

    @property
    def prefix(self) -> int:
        """Tokens before the patches: class token and registers."""

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Tensors by which the tower is known, the same in every layout."""

    def embed(self, pixels: Tensor, position: PositionResize | None = None) -> Embedded:
        """Tokens with positions for normalised pixels [batch, 3, height, width].

        position: None is the model's own code's way to resize positions.
        """

    def walk(
        self,
        embedded: Embedded,
        taps: Sequence[Tap] = (),
        local_taps: Sequence[int] = (),
        local_from: int = 1,
        *,
        image: bool = True,
    ) -> VisionFeatures:
        """Run the blocks and keep what is asked for; with image=False no further than the last tap."""

    def normed(self, tokens: Tensor) -> Tensor:
        """The final LayerNorm of tokens [..., width]."""


class JointTower(VisionTower, Protocol):
    """A vision tower with a joint space."""

    def embed_image(self, features: VisionFeatures) -> Tensor:
        """The image in the joint space: [batch, embed_dim], not normalised."""

    def project(self, x: Tensor, *, norm: bool = True) -> Tensor:
        """Tokens, each on its own, into the joint space: [..., width] -> [..., embed_dim], not normalised."""

    def windows(self, embedded: Embedded, size: int) -> Tensor:
        """Every window of size x size patches in the joint space: [batch, windows, embed_dim], not normalised."""


@dataclass(frozen=True)
class LoadedTowers(Generic[Model]):
    """What a layout reader gives: a module with `vision`, a `VisionTower`, and `text`, a `TextTower` or None.

    tokenizer: None where the model has no text. mean, std: of RGB in [0, 1]. files: those whose content makes the model what it is:
    weights, configuration, tokenizer.
    """

    model: Model
    tokenizer: Tokenizer | None
    mean: Rgb
    std: Rgb
    files: tuple[Path, ...]


def check_pixels(pixels: Tensor, patch_size: int) -> None:
    """Raise `UsageError` where an image [batch, 3, height, width] has no room for a patch."""
    if min(pixels.shape[-2:]) < patch_size:
        raise UsageError(
            f"a picture of {pixels.shape[-1]}x{pixels.shape[-2]} pixels is smaller than one patch of {patch_size} pixels: "
            "use a larger image_size"
        )


def check_taps(taps: Sequence[Tap], depth: int, local_taps: Sequence[int] = (), local_from: int = 1) -> None:
    """Raise `UsageError` for taps that a tower of `depth` blocks and no stem features does not have."""
    for tap in (*taps, *local_taps, local_from):
        if isinstance(tap, str):
            raise UsageError(f"this model has no stem features named {tap!r}: it has none")
        if not 1 <= tap <= depth:
            raise UsageError(f"layer {tap} does not exist: this model has blocks 1 to {depth}")
    if local_taps and min(local_taps) < local_from:
        raise UsageError(f"the local stream starts at block {local_from}: it has nothing after block {min(local_taps)}")
