"""CLIP's vision tower: stem, blocks, taps, the local (V-V) stream and the embedding of windows.

The tower runs its blocks one by one, without hooks, and computes only the requested features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import Block, blocks_of
from oddlens.backbone.options import Activation, Capabilities, PositionResize, Tap
from oddlens.backbone.positions import resized_positions
from oddlens.backbone.stem import Stem
from oddlens.backbone.tower import WINDOW_BYTES, StemOutput, VisionFeatures, VisionTower, last_block, window_index


@dataclass(frozen=True)
class VisionConfig:
    """The shape of a CLIP's vision tower.

    Attributes:
        image_size: Pixels a side that it was trained at.
        patch_size: Pixels a side of a patch.
        width: Channels of a token.
        layers: Blocks.
        heads: Attention heads.
        mlp_width: Channels between the two layers of a feed-forward part.
        embed_dim: The joint width with the text.
        activation: Of the feed-forward parts.
        eps: Of the LayerNorms.
    """

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


class ClipTower(VisionTower):
    """A ViT with a class token, on a stem (`oddlens.backbone.stem`) that turns pixels into patch tokens."""

    kind = "CLIP"
    capabilities = Capabilities(patches=True, local=True, joint=True, windows=True)
    config: VisionConfig

    def __init__(self, config: VisionConfig, stem: Stem) -> None:
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
        """Class token and projection."""
        return self.class_embedding, self.projection.weight

    @property
    def gelu(self) -> Activation:
        """The variant of its shape."""
        return self.config.activation

    def set_gelu(self, activation: Activation) -> None:
        """Compute another GELU from now on."""
        self.config = replace(self.config, activation=activation)
        for block in blocks_of(self.blocks):
            block.activation = activation

    def load_taps(self, taps: Iterable[Tap]) -> None:
        """What the stem's raw taps need."""
        self.stem.load_taps(taps)

    def cell_of(self, tap: Tap) -> int:
        """A patch, or a cell of the stem's tap."""
        return self.stem.raw_taps.get(tap, self.config.patch_size) if isinstance(tap, str) else self.config.patch_size

    def embed(self, pixels: Tensor, position: PositionResize | None = None) -> StemOutput:
        """Stem, class token and positions, before ln_pre; position: None is "bicubic", as in open_clip."""
        self._check_pixels(pixels)
        stemmed = self.stem(pixels)
        grid = (int(stemmed.tokens.shape[-2]), int(stemmed.tokens.shape[-1]))
        patches = stemmed.tokens.flatten(2).transpose(1, 2)
        own, places = self.position_embedding[:1], self.position_embedding[1:]
        positions = torch.cat([own, resized_positions(places, self.config.grid, grid, position or self.own_position)])
        cls = self.class_embedding.expand(patches.shape[0], 1, -1)
        return StemOutput(torch.cat([cls, patches], dim=1) + positions, grid, stemmed.raw)

    def run_stem(self, pixels: Tensor, taps: Sequence[Tap]) -> VisionFeatures:
        """The stem's raw taps."""
        self._check_pixels(pixels)
        self._check_taps(taps, (), 1, tuple(self.stem.raw_taps))
        stemmed = self.stem(pixels)
        grid = (int(stemmed.tokens.shape[-2]), int(stemmed.tokens.shape[-1]))
        tapped, grids = self._raw_taps(taps, stemmed.raw)
        return VisionFeatures(tapped, grid, self.prefix, grids=grids)

    def _raw_taps(
        self, taps: Sequence[Tap], raw: Mapping[str, Tensor]
    ) -> tuple[dict[Tap, Tensor], dict[Tap, tuple[int, int]]]:
        """Those of the taps that are the stem's, as tokens, and their grids."""
        maps = {tap: self.stem.tap(tap, raw) for tap in taps if isinstance(tap, str)}
        tapped: dict[Tap, Tensor] = {tap: value.flatten(2).transpose(1, 2) for tap, value in maps.items()}
        return tapped, {tap: (value.shape[2], value.shape[3]) for tap, value in maps.items()}

    def run_blocks(
        self,
        embedded: StemOutput,
        taps: Sequence[Tap] = (),
        local_taps: Sequence[int] = (),
        local_from: int = 1,
        *,
        image: bool = True,
    ) -> VisionFeatures:
        """The last block runs for the class token only, unless its output is tapped."""
        depth = self.config.layers
        self._check_taps(taps, local_taps, local_from, tuple(self.stem.raw_taps))
        tapped, grids = self._raw_taps(taps, embedded.raw)
        local_tapped: dict[int, Tensor] = {}
        last, last_local = last_block(taps, local_taps, depth, image), max(local_taps, default=0)
        x = self.ln_pre(embedded.tokens)
        local = x
        for number, block in enumerate(blocks_of(self.blocks), start=1):
            if number > last:
                break
            only_cls = number == depth and number not in taps
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
            if number in taps:
                tapped[number] = x
            if number in local_taps:
                local_tapped[number] = local
        return VisionFeatures(tapped, embedded.grid, self.prefix, x[:, 0] if image else None, local_tapped, grids)

    def normed(self, tokens: Tensor) -> Tensor:
        """ln_post."""
        normed: Tensor = self.ln_post(tokens)
        return normed

    def embed_image(self, image: Tensor) -> Tensor:
        """The class token, projected."""
        return self.project(image)

    def project(self, x: Tensor, *, norm: bool = True) -> Tensor:
        """ln_post and the projection."""
        projected: Tensor = self.projection(self.ln_post(x) if norm else x)
        return projected

    def windows(self, embedded: StemOutput, size: int, most_bytes: int = WINDOW_BYTES) -> Tensor:
        """About four activations of `most_bytes` are alive at once (64 MB by default), and one image's first projections.

        Images run one after another, so that their numbers are the same to the last bit in any batch. An exported graph runs all of
        them at once.
        """
        index = window_index(embedded.grid, size).to(embedded.tokens.device)
        rows = torch.cat([torch.zeros_like(index[:, :1]), index + 1], dim=1)
        images: Sequence[Tensor] = (embedded.tokens,)
        step = rows.shape[0]
        if not torch.compiler.is_exporting():
            widest = max(3 * self.config.width, self.config.mlp_width)
            images, step = torch.split(embedded.tokens, 1), max(1, most_bytes // (4 * widest * rows.shape[1]))
        return self.project(torch.cat([self._window_cls(image, torch.split(rows, step)) for image in images]))

    def _window_cls(self, tokens: Tensor, parts: Sequence[Tensor]) -> Tensor:
        """The class token of every window after the last block: [batch, windows, width].

        Args:
            tokens: [batch, 1 + patches, width].
            parts: Token numbers, [windows, tokens of a window] each.
        """
        first, *rest = blocks_of(self.blocks)
        x = self.ln_pre(tokens)
        packed = first.project_qkv(x)  # the projections see one token at a time: all windows share them
        made = []
        for part in parts:
            cls = _cls_of(x[:, part].flatten(0, 1), packed[:, part].flatten(0, 1), first, rest)
            made.append(cls.view(-1, part.shape[0], self.config.width))
        return torch.cat(made, dim=1)


def _cls_of(x: Tensor, packed: Tensor, first: Block, rest: list[Block]) -> Tensor:
    if not rest:
        return first.forward_first_row(x, packed)[:, 0]
    x = first.feed_forward(x + first.attend(*first.split_heads(packed)))
    for block in rest[:-1]:
        x = block(x)
    return rest[-1].forward_first_row(x)[:, 0]
