"""The vision tower: stem, blocks, taps, the local (V-V) stream and the embedding of windows.

The tower walks its blocks itself and computes what is asked for and no more; it keeps no state between calls, so that it can
be called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.layers import Block
from oddlens.backbone.options import Activation, PositionResize, Tap
from oddlens.errors import UsageError

WINDOW_BYTES = 16 << 20
"""The largest activation that `VisionTower.windows` makes. Larger ones would come from fresh pages each time, which costs more than
the smaller matrix products lose."""


@dataclass(frozen=True)
class VisionConfig:
    """The shape of a vision tower. image_size and patch_size are in pixels; embed_dim is the joint width with the text."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    embed_dim: int
    activation: Activation
    eps: float = 1e-5

    @property
    def grid(self) -> int:
        """Patches along one side at the native image size."""
        return self.image_size // self.patch_size


@dataclass(frozen=True)
class StemOutput:
    """A batch after the stem: tokens [batch, 1 + patches, width] with positions, before ln_pre; CLS first.

    grid is (rows, columns) of patches; raw holds the stem's own features by tap name [batch, channels, rows, columns].
    """

    tokens: Tensor
    grid: tuple[int, int]
    raw: dict[str, Tensor]


@dataclass(frozen=True)
class VisionFeatures:
    """What a walk through the blocks gives; all tensors belong to the residual stream, before ln_post and projection.

    cls: [batch, width], the class token after the last block.
    taps: block number (1-based) -> [batch, 1 + patches, width], CLS row first; or a stem's tap name -> [batch, patches, channels].
    local: block number -> [batch, 1 + patches, width] of the local stream.
    grid: (rows, columns) of patches, row-major in the token order.
    """

    cls: Tensor
    taps: dict[Tap, Tensor]
    local: dict[int, Tensor]
    grid: tuple[int, int]


class VisionTower(nn.Module):
    """A CLIP vision tower: `embed` once, then `vision_pass` and `windows` on the result, then `project` into the joint space."""

    def __init__(self, config: VisionConfig, stem: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.stem = stem
        self.class_embedding = nn.Parameter(torch.zeros(config.width))
        self.position_embedding = nn.Parameter(torch.zeros(1 + config.grid**2, config.width))
        self.ln_pre = nn.LayerNorm(config.width, config.eps)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_width, config.activation, config.eps)
            for _ in range(config.layers)
        )
        self.ln_post = nn.LayerNorm(config.width, config.eps)
        self.projection = nn.Linear(config.width, config.embed_dim, bias=False)

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Tensors by which the tower is known, the same in every layout."""
        return self.class_embedding, self.projection.weight

    def embed(self, pixels: Tensor, position: PositionResize = "bilinear") -> StemOutput:
        """Stem, class token and positions for [batch, 3, height, width] normalised pixels of any size.

        Where the grid is not the native one the position embedding is resized: "bilinear" without antialias (AnomalyCLIP),
        "bicubic" with antialias (APRIL-GAN, open_clip).
        """
        if min(pixels.shape[-2:]) < self.config.patch_size:
            raise UsageError(
                f"a picture of {pixels.shape[-1]}x{pixels.shape[-2]} pixels is smaller than one patch of "
                f"{self.config.patch_size} pixels: use a larger image_size"
            )
        stemmed = self.stem(pixels)
        grid = (int(stemmed.tokens.shape[-2]), int(stemmed.tokens.shape[-1]))
        patches = stemmed.tokens.flatten(2).transpose(1, 2)
        cls = self.class_embedding.expand(len(patches), 1, -1)
        tokens = torch.cat([cls, patches], dim=1) + self._positions(grid, position)
        return StemOutput(tokens, grid, stemmed.raw)

    def run_blocks(
        self, embedded: StemOutput, taps: Sequence[Tap] = (), local_taps: Sequence[int] = (), local_from: int = 1
    ) -> VisionFeatures:
        """Run the blocks and keep what is asked for.

        taps: blocks (1-based) whose output is kept, or names of the stem's raw features.
        local_taps: blocks after which the local stream is kept; the stream leaves the ordinary one before block `local_from`.
        The last block runs for the CLS row only, unless its output is tapped.
        """
        depth = len(self.blocks)
        self._check_taps(taps, local_taps, local_from)
        blocks_tapped = {tap for tap in taps if isinstance(tap, int)}
        kept: dict[Tap, Tensor] = {
            tap: embedded.raw[tap].flatten(2).transpose(1, 2) for tap in taps if isinstance(tap, str)
        }
        kept_local: dict[int, Tensor] = {}
        last_local = max(local_taps, default=0)
        x = self.ln_pre(embedded.tokens)
        local = x
        for number, block in enumerate(self._blocks(), start=1):
            only_cls = number == depth and number not in blocks_tapped
            if number < local_from or number > last_local:
                x = block.forward_first_row(x) if only_cls else block(x)
                local = x
            elif only_cls:
                packed = block.project_qkv(x)
                _, _, v = block.split_heads(packed)
                local = local + block.attend(v, v, v)
                x = block.forward_first_row(x, packed)
            else:
                x, local = block.forward_with_local(x, local)
            if number in blocks_tapped:
                kept[number] = x
            if number in local_taps:
                kept_local[number] = local
        return VisionFeatures(x[:, 0], kept, kept_local, embedded.grid)

    def windows(self, embedded: StemOutput, size: int) -> Tensor:
        """Embed every window of size x size patches on its own (WinCLIP): [batch, windows, embed_dim], not normalised.

        A window is the class token and the window's patches, all other tokens dropped, with the positions of the full grid;
        stride 1, row-major by the top-left corner. As many windows run at once as keep every activation within
        `WINDOW_BYTES`, of which about four are alive: 64 MB, plus one image's first projections.
        """
        index = window_index(embedded.grid, size).to(embedded.tokens.device)
        tokens = torch.cat([torch.zeros_like(index[:, :1]), index + 1], dim=1)
        widest = max(3 * self.config.width, self.config.mlp_width)
        step = max(1, WINDOW_BYTES // (4 * widest * tokens.shape[1]))
        first, *rest = self._blocks()
        images = []
        for image in embedded.tokens:
            x = self.ln_pre(image)
            packed = first.project_qkv(
                x
            )  # the first block's projections see one token at a time: all windows share them
            cls = [self._window_cls(x[part], packed[part], first, rest) for part in torch.split(tokens, step)]
            images.append(torch.cat(cls))
        return self.project(torch.stack(images))

    def project(self, x: Tensor, *, norm: bool = True) -> Tensor:
        """Into the joint space: [..., width] -> [..., embed_dim]; norm=False leaves ln_post out (AnomalyCLIP's CLS)."""
        projected: Tensor = self.projection(self.ln_post(x) if norm else x)
        return projected

    def _window_cls(self, x: Tensor, packed: Tensor, first: Block, rest: list[Block]) -> Tensor:
        if not rest:
            return first.forward_first_row(x, packed)[:, 0]
        x = first.feed_forward(x + first.attend(*first.split_heads(packed)))
        for block in rest[:-1]:
            x = block(x)
        return rest[-1].forward_first_row(x)[:, 0]

    def _blocks(self) -> Iterator[Block]:
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def _positions(self, grid: tuple[int, int], resize: PositionResize) -> Tensor:
        native = self.config.grid
        if grid == (native, native):
            return self.position_embedding
        cls, patches = self.position_embedding[:1], self.position_embedding[1:]
        square = patches.T.reshape(1, -1, native, native)
        resized = F.interpolate(square, size=grid, mode=resize, align_corners=False, antialias=resize == "bicubic")
        return torch.cat([cls, resized[0].flatten(1).T])

    def _check_taps(self, taps: Sequence[Tap], local_taps: Sequence[int], local_from: int) -> None:
        depth = len(self.blocks)
        named = tuple(getattr(self.stem, "raw_taps", ()))
        for tap in (*taps, *local_taps, local_from):
            if isinstance(tap, str) and tap not in named:
                raise UsageError(f"this model has no stem features named {tap!r}: it has {', '.join(named) or 'none'}")
            if isinstance(tap, int) and not 1 <= tap <= depth:
                raise UsageError(f"layer {tap} does not exist: this model has blocks 1 to {depth}")
        if local_taps and min(local_taps) < local_from:
            raise UsageError(
                f"the local stream starts at block {local_from}: it has nothing after block {min(local_taps)}"
            )


def window_index(grid: tuple[int, int], size: int) -> Tensor:
    """Patch numbers (row-major, int64) of every size x size window: [windows, size * size]; row-major by top-left corner."""
    rows, columns = grid
    if size > min(rows, columns):
        raise UsageError(
            f"a window of {size}x{size} patches does not fit a grid of {rows}x{columns} patches: give smaller window_sizes or a "
            "larger image_size"
        )
    numbers = torch.arange(rows * columns).view(rows, columns)
    return numbers.unfold(0, size, 1).unfold(1, size, 1).reshape(-1, size * size)
