"""Learned masks: a frozen tower, the mask decoder on it, and what it says of frames of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.pixel_values import to_tensor
from oddlens.backbone.pyramid import STRIDE, map_tower
from oddlens.backbone.tensors import tensor_fault, to_device
from oddlens.backbone.vision_pass import VisionPass
from oddlens.backbone.weights_file import fill
from oddlens.errors import ModelError, UsageError
from oddlens.io.pixels import Pixels
from oddlens.io.strict_json import checked
from oddlens.methods.base import Features, Text, join_features
from oddlens.methods.vl4ad.decoder_shape import DecoderShape, check_installed, shape_of
from oddlens.methods.vl4ad.dense import MAP_STRIDE
from oddlens.methods.vl4ad.mask_sums import mean_under, spread_masks
from oddlens.methods.vl4ad.windows import Windows
from oddlens.methods.weights import MethodWeights

if TYPE_CHECKING:
    from oddlens.methods.vl4ad.decoder_network import MaskDecoder

_NETWORK, _WORDS = "decoder.", "words."


class _Recipe(TypedDict):
    """What a decoder is read by, of the recipe that it was trained with."""

    short_side: int
    classes: dict[str, object]


class DecoderMasks:
    """A way to masks (`masks.Masks`) that was learned by `oddlens train vl4ad` (FC-CLIP's decoder on a frozen CLIP).

    Frames are scaled, keeping their aspect, to the short side that the decoder was trained at, and go through the network one by
    one: whole, or in overlapping windows, each with masks of its own, which are blended when they are spread.

    Features: "embeddings", "masks", "void", "pooled" as `masks.Masks` says; "logits" float16 [batch, masks, rows, columns], the
    masks of a window at a quarter of the working resolution (a probability is off by 1.2e-4 at most); "frame" int64 [batch, 2],
    rows and columns of the map; "windows" int64 [batch, windows, 4], top, left, rows and columns of each on the map.

    A linear head (the vision-only baseline) knows its own classes and no words: "embeddings" are then its logits, and `text` is
    what to compare them with.
    """

    def __init__(
        self,
        backbone: Backbone,
        learned: MethodWeights,
        *,
        short_side: int | None = None,
        window: int | None = None,
        overlap: float = 0.25,
        exact: bool = False,
    ) -> None:
        """short_side: of the working resolution, in pixels; None: as trained. window: the longest side of what goes through the
        network at once, in pixels of the working resolution; None: whole frames. overlap: of neighbouring windows, as a share.
        exact: masks are enlarged to the working resolution before their sigmoid, as published, and not the map after it: 16 times
        the work in every question, and hardly another map.

        Raises `ModelError` for weights that are no mask decoder's or another model's, `UsageError` for settings out of range and
        where the extra "road" is not installed.
        """
        check_installed()
        self._backbone = backbone
        self._tower = map_tower(backbone.vision)
        self.shape, self.network, self._words, recipe = _read(backbone, learned)
        self.short_side = _pixels("short_side", short_side or recipe["short_side"])
        self._window = None if window is None else _pixels("window", window)
        self.pooled = self.shape.head == "words"
        self.names = () if self.pooled else tuple(recipe["classes"])
        self._overlap = overlap
        self._exact = exact

    @property
    def temperature(self) -> float:
        """The trained one; 1 for the logits of a linear head."""
        return float(self.network.head.temperature)

    @property
    def text(self) -> Text | None:
        """The text side of masks that know no words, see `ConceptEncoder.text`; None where they do."""
        if self.shape.head != "linear":
            return None
        classes = int(self._words["columns"].max()) + 1
        numbers = torch.arange(classes, device=self._backbone.device)
        return {"concepts": torch.eye(classes, device=numbers.device), "columns": numbers, "member": numbers}

    @property
    def no_export(self) -> str:
        """Frames go through the network one by one, in windows of their own number."""
        return "vl4ad with a mask decoder takes frames one by one and cannot be exported: give masks='dense'"

    @torch.inference_mode()
    def encode(self, vision_pass: VisionPass) -> Features:
        """See `masks.Masks`. Memory: the network's for one window, and the features."""
        return join_features([self._frame(image) for image in vision_pass.images])

    def spread(self, features: Mapping[str, Tensor], values: Tensor) -> Tensor:
        """See `masks.Masks`: [channels, height, width] at a quarter of the working resolution; at the whole where `exact`."""
        enlarged = MAP_STRIDE if self._exact else 1
        rows, columns = (enlarged * side for side in features["frame"].tolist())
        total = values.new_zeros(values.shape[1], rows, columns)
        weight = values.new_zeros(rows, columns)
        of_windows = (torch.split(each, self.shape.queries) for each in (features["logits"][: len(values)], values))
        for place, logits, own in zip(features["windows"].tolist(), *of_windows, strict=False):
            top, left, height, width = place
            found = spread_masks(logits[:, :height, :width], own, enlarged)
            counts = _rise(found.shape[1]).to(found)[:, None] * _rise(found.shape[2]).to(found)
            down = slice(enlarged * top, enlarged * (top + height))
            across = slice(enlarged * left, enlarged * (left + width))
            total[:, down, across] += counts * found
            weight[down, across] += counts
        return total / weight

    def _frame(self, image: Pixels) -> Features:
        """The features of one frame, with a batch dimension of 1."""
        backbone = self._backbone
        rows, columns = _map_size(image, self.short_side)
        size = rows * MAP_STRIDE, columns * MAP_STRIDE
        pixels = to_device(to_tensor([image], size, backbone.mean, backbone.std, "bilinear"), backbone.device)
        side = min(self._window or max(size), max(size)) // MAP_STRIDE
        corners = Windows(side, MAP_STRIDE, self._overlap).corners((rows, columns))
        places = [(top, left, min(side, rows), min(side, columns)) for top, left in corners]
        parts = [self._encode_window(_cut(pixels, *place)) for place in places]
        made = {name: torch.cat([part[name] for part in parts])[None] for name in parts[0]}
        at = backbone.device
        made["masks"] = torch.tensor([made["logits"].shape[1]], device=at)
        made["frame"] = torch.tensor([[rows, columns]], device=at)
        made["windows"] = torch.tensor([places], device=at)
        return made

    def _encode_window(self, pixels: Tensor) -> Features:
        """What the network says of one window, [1, 3, height, width]: a row a mask."""
        height, width = pixels.shape[-2:]
        seen = self._tower.feature_maps(F.pad(pixels, (0, _missing(width), 0, _missing(height))), dense=self.pooled)
        (said,) = self.network(seen.maps, last_only=True)
        classes = self.network.head.logits(said.classes[0], **self._words)
        made = {
            "logits": said.masks[0, :, : height // MAP_STRIDE, : width // MAP_STRIDE].half(),
            "embeddings": said.classes[0] if self.pooled else classes[:, :-1],
            "void": classes.softmax(dim=-1)[:, -1],
        }
        return made if seen.dense is None else made | {"pooled": self.pool(said.masks[0], seen.dense)}

    def pool(self, logits: Tensor, dense: Tensor) -> Tensor:
        """The frozen model's own embeddings of masks (FC-CLIP): [masks, embed_dim], unit norm; zero where a mask has no cell."""
        inside = F.interpolate(logits[None], dense.shape[-2:], mode="bilinear", align_corners=False) > 0
        embedded = F.normalize(self._tower.embed_pooled(mean_under(dense, inside)[0]), dim=-1)
        return embedded * inside[0].flatten(1).any(dim=1, keepdim=True)


def weights_of(network: MaskDecoder, text: Text) -> dict[str, Tensor]:
    """The tensors of a weights file: the network's, and the words that it was trained with (`ConceptEncoder.text`)."""
    words = {_WORDS + name: text[name] for name in ("concepts", "columns")}
    return {_NETWORK + name: value for name, value in network.state_dict().items()} | words


def load_network(network: MaskDecoder, learned: MethodWeights) -> None:
    """Put the tensors of a weights file into a network, strictly. Raises `ModelError` naming the file."""
    fill(network, _part(learned.tensors, _NETWORK), learned.source)


def _read(backbone: Backbone, learned: MethodWeights) -> tuple[DecoderShape, MaskDecoder, dict[str, Tensor], _Recipe]:
    from oddlens.methods.vl4ad.decoder_network import MaskDecoder

    if learned.provenance is None:
        raise ModelError(f"{learned.source} is no mask decoder of ours: give weights that 'oddlens train vl4ad' wrote")
    shape = shape_of(learned.provenance, learned.source)
    words = _part(learned.tensors, _WORDS)
    if words.keys() != {"concepts", "columns"}:
        raise ModelError(f"{learned.source} lacks the words that it was trained with: train it again")
    try:
        recipe = checked(learned.recipe, _Recipe, "its recipe")
    except ValueError as fault:
        raise ModelError(f"{learned.source} cannot be used ({fault}): train it again") from None
    if fault_of_words := _fault_of(words, backbone.card.embed_dim):
        raise ModelError(f"{learned.source} cannot be used ({fault_of_words}): train it again")
    tower = map_tower(backbone.vision)
    with torch.device("meta"):
        network = MaskDecoder(
            shape, tower.strides, tower.channels, backbone.card.embed_dim, int(words["columns"].max()) + 1
        )
    load_network(network, learned)
    at = backbone.device
    return shape, network.to(at).eval(), {name: value.to(at) for name, value in words.items()}, recipe


def _fault_of(words: Mapping[str, Tensor], embed_dim: int) -> str:
    """What is wrong with the words that weights were trained with; "" where nothing is."""
    concepts, columns = words["concepts"], words["columns"]
    if fault := tensor_fault(concepts, (None, embed_dim)):
        return f"{_WORDS}concepts {fault}"
    if fault := tensor_fault(columns, (len(concepts),), [torch.int64]):
        return f"{_WORDS}columns {fault}"
    numbers = sorted(set(columns.tolist()))
    return "" if numbers and numbers == list(range(len(numbers))) else f"{_WORDS}columns leaves out a class"


def _pixels(name: str, value: int) -> int:
    if not isinstance(value, int) or value < STRIDE:
        raise UsageError(
            f"{name} cannot be {value!r}: the network's coarsest cell is {STRIDE} pixels, give at least so many"
        )
    return value


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _map_size(image: Pixels, short_side: int) -> tuple[int, int]:
    """Rows and columns of the map of a frame that is scaled to this short side."""
    scale = short_side / min(image.shape[:2])
    rows, columns = (max(1, round(side * scale / MAP_STRIDE)) for side in image.shape[:2])
    return rows, columns


def _missing(side: int) -> int:
    """Pixels up to whole cells of the coarsest map, two at least: norms of a single one are none."""
    return max(-side % STRIDE, 2 * STRIDE - side)


def _cut(pixels: Tensor, *place: int) -> Tensor:
    """A window of [1, 3, height, width]; top, left, rows and columns are counted on the map."""
    top, left, height, width = (MAP_STRIDE * number for number in place)
    return pixels[..., top : top + height, left : left + width]


def _rise(length: int) -> Tensor:
    """How much each place along a side of a window counts: most in its middle, where the network sees all around it."""
    return torch.sin(torch.pi * (torch.arange(length) + 0.5) / length) ** 2
