"""What every vision tower is: its shape, what it can do, and one sentence for what it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import Field, dataclass, field
from typing import ClassVar, NoReturn, Protocol

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import Nonlinearity
from oddlens.backbone.options import Activation, Capabilities, Kind, PositionResize, Tap
from oddlens.errors import UsageError, choices

WINDOW_BYTES = 16 << 20
"""The largest activation that `VisionTower.windows` makes. Larger ones would come from fresh pages each time, which costs more than
the smaller matrix products lose."""


@dataclass(frozen=True)
class StemOutput:
    """A batch before the first block.

    Attributes:
        tokens: [batch, prefix + patches, width] with positions; the prefix (class token, registers) comes first.
        grid: (rows, columns) of patches.
        raw: The stem's own features by name, [batch, channels, rows, columns] each.
    """

    tokens: Tensor
    grid: tuple[int, int]
    raw: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class VisionFeatures:
    """What a pass through the blocks gives. Tokens belong to the residual stream, before the final LayerNorm.

    Attributes:
        taps: Block number (from 1) -> [batch, prefix + patches, width]; or a stem's tap name -> [batch, cells, channels].
        grid: (rows, columns) of patches, row-major in the token order.
        prefix: Tokens before the patches: the class token, then the registers; 0 where a tower has neither.
        pooled: What stands for the whole image; None if it was not requested.
        local: Block number -> [batch, prefix + patches, width] of the local stream.
        grids: (rows, columns) of the cells of the stem's taps, which may have another grid than the patches.
    """

    taps: dict[Tap, Tensor]
    grid: tuple[int, int]
    prefix: int
    pooled: Tensor | None = None
    local: dict[int, Tensor] = field(default_factory=dict)
    grids: dict[Tap, tuple[int, int]] = field(default_factory=dict)

    @property
    def image(self) -> Tensor:
        """What stands for the whole image, [batch, width]; `VisionTower.embed_image` brings it into the joint space.

        This is the class token after the last block, before the final LayerNorm. In a tower that pools its patches (SigLIP) it is
        what the head makes of them, which lies in the joint space already.
        """
        if self.pooled is None:
            raise UsageError(
                "the pass through the vision tower did not request the image embedding: request it with image=True"
            )
        return self.pooled

    def patches(self, tap: Tap) -> Tensor:
        """The patch tokens of a tap, without the prefix: [batch, patches, width]."""
        return self.taps[tap][:, self.prefix :] if isinstance(tap, int) else self.taps[tap]

    def grid_of(self, tap: Tap) -> tuple[int, int]:
        """(rows, columns) of the cells of a tap."""
        return self.grids.get(tap, self.grid)

    def local_patches(self, tap: int) -> Tensor:
        """The patch tokens of the local stream, without the prefix: [batch, patches, width]."""
        return self.local[tap][:, self.prefix :]


class TowerConfig(Protocol):
    """The shape of a vision tower of any kind, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

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
    def mlp_width(self) -> int:
        """Channels between the two layers of a feed-forward part."""

    @property
    def layers(self) -> int:
        """Blocks."""

    @property
    def embed_dim(self) -> int:
        """The joint width with the text; 0 where there is none."""

    @property
    def activation(self) -> str:
        """The nonlinearity of the feed-forward parts."""

    @property
    def grid(self) -> int:
        """Patches along one side at the native image size."""


class VisionTower(nn.Module):
    """A vision tower: `embed` runs once for a batch, `run_blocks` and `windows` run on its result.

    A tower holds no state between calls, so several threads may call it at once. `capabilities` states what a kind of tower can do.
    Methods that belong to other capabilities raise `UsageError`.
    """

    kind: ClassVar[Kind]
    capabilities: ClassVar[Capabilities]
    config: TowerConfig
    prefix: int = 1
    """Tokens before the patches: class token and registers."""

    @property
    def own_position(self) -> PositionResize:
        """How the model's own code resizes position embeddings."""
        return "bicubic"

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Tensors that identify the tower, the same in every layout."""
        raise NotImplementedError

    @property
    def gelu(self) -> Nonlinearity | None:
        """Which GELU the tower computes, where models of its kind come with either of two; else None."""
        return None

    def set_gelu(self, activation: Activation) -> None:
        """Compute another GELU from now on; only where `gelu` is not None."""
        raise NotImplementedError

    def load_taps(self, taps: Iterable[Tap]) -> None:
        """Load what these taps need beside what every pass needs; without this the first pass that taps them does it."""

    def cell_of(self, tap: Tap) -> int:
        """Pixels a side of the cells of a tap: of a patch, but for taps of a stem."""
        return self.config.patch_size

    def embed(self, pixels: Tensor, position: PositionResize | None = None) -> StemOutput:
        """Tokens with positions for normalised pixels [batch, 3, height, width] of any size.

        A remainder smaller than a patch is left out.

        Args:
            pixels: float32.
            position: How position embeddings are resized to another grid than the native one; None: as the model's own code does.

        Raises:
            UsageError: The image has no room for a patch.
        """
        self._refuse(Capabilities(patches=True))

    def run_stem(self, pixels: Tensor, taps: Sequence[Tap]) -> VisionFeatures:
        """Taps of the stem alone, for which no token is made. Raises `UsageError` as `embed` and `run_blocks`."""
        self._refuse(Capabilities(patches=True))

    def run_blocks(
        self,
        embedded: StemOutput,
        taps: Sequence[Tap] = (),
        local_taps: Sequence[int] = (),
        local_from: int = 1,
        *,
        image: bool = True,
    ) -> VisionFeatures:
        """Run the blocks and return the requested features.

        Args:
            embedded: What `embed` gave.
            taps: Blocks (from 1) whose output is returned, or names of the stem's raw features.
            local_taps: Blocks after which the local stream is returned.
            local_from: The block before which the local stream leaves the ordinary one.
            image: Whether to return what stands for the whole image; without it the pass ends at the last tap.

        Raises:
            UsageError: The tower has no such tap or no local stream.
        """
        self._refuse(Capabilities(patches=True))

    def normed(self, tokens: Tensor) -> Tensor:
        """The final LayerNorm of tokens [..., width]."""
        self._refuse(Capabilities(patches=True))

    def embed_image(self, image: Tensor) -> Tensor:
        """What stands for images (`VisionFeatures.image`) in the joint space: [..., width] -> [..., embed_dim], not normalised."""
        self._refuse(Capabilities(joint=True))

    def project(self, x: Tensor, *, norm: bool = True) -> Tensor:
        """Tokens, each on its own, into the joint space: [..., width] -> [..., embed_dim], not normalised.

        Args:
            x: Tokens of the residual stream.
            norm: Whether the final LayerNorm comes first.
        """
        self._refuse(Capabilities(joint=True))

    def windows(self, embedded: StemOutput, size: int, most_bytes: int = WINDOW_BYTES) -> Tensor:
        """Embed every window of size x size patches on its own: [batch, windows, embed_dim], not normalised.

        A window is its patches, and the class token where there is one; all other tokens are dropped. Positions are those of the
        full grid. Windows have stride 1 and are ordered row by row by their top-left corner.

        Args:
            embedded: What `embed` gave.
            size: Patches a side.
            most_bytes: As many windows run at once as keep every activation within this.

        Raises:
            UsageError: A window does not fit the grid.
        """
        self._refuse(Capabilities(windows=True))

    def _refuse(self, asked: Capabilities) -> NoReturn:
        raise UsageError(
            f"{self.kind} does not have {Capabilities().lacking(asked)[0]}: give a CLIP with a ViT as the model"
        )

    def _check_pixels(self, pixels: Tensor) -> None:
        """Raise `UsageError` where an image [batch, 3, height, width] has no room for a patch."""
        if min(pixels.shape[-2:]) < self.config.patch_size:
            raise UsageError(
                f"an image of {pixels.shape[-1]}x{pixels.shape[-2]} pixels is smaller than one patch of "
                f"{self.config.patch_size} pixels: use a larger image_size"
            )

    def _check_taps(
        self, taps: Sequence[Tap], local_taps: Sequence[int], local_from: int, named: Sequence[str] = ()
    ) -> None:
        """Raise `UsageError` for taps that the tower does not have. named: those of its stem."""
        for tap in (*taps, *local_taps, local_from):
            if isinstance(tap, str) and tap not in named:
                raise UsageError(
                    f"this model has no stem features named {tap!r}{choices(tap, named or ['none'], 'it has')}"
                )
            if isinstance(tap, int) and not 1 <= tap <= self.config.layers:
                raise UsageError(f"layer {tap} does not exist: this model has blocks 1 to {self.config.layers}")
        if local_taps and not self.capabilities.local:
            self._refuse(Capabilities(local=True))
        if local_taps and min(local_taps) < local_from:
            raise UsageError(
                f"the local stream starts at block {local_from}: it has nothing after block {min(local_taps)}"
            )


def last_block(taps: Sequence[Tap], local_taps: Sequence[int], layers: int, image: bool) -> int:
    """The block at which a pass ends: the last for the image, else the last that is tapped."""
    return layers if image else max((*(tap for tap in taps if isinstance(tap, int)), *local_taps), default=0)


def window_index(grid: tuple[int, int], size: int) -> Tensor:
    """Patch numbers (row-major, int64) of every size x size window: [windows, size * size], row by row by top-left corner.

    Raises:
        UsageError: A window does not fit the grid.
    """
    rows, columns = grid
    if size > min(rows, columns):
        raise UsageError(
            f"a window of {size}x{size} patches does not fit a grid of {rows}x{columns} patches: give smaller window_sizes or a "
            "larger image_size"
        )
    numbers = torch.arange(rows * columns).view(rows, columns)
    return numbers.unfold(0, size, 1).unfold(1, size, 1).reshape(-1, size * size)
