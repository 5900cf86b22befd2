"""AnomalyDINO: patches of an image against the patches of good examples, of which the nearest counts.

Damm et al., WACV 2025, arXiv 2405.14529. The steps are those of the released code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.dinov2 import Dinov2Config
from oddlens.backbone.options import PositionResize, Tap
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.anomalydino.card import CARD
from oddlens.methods.anomalydino.foreground import foreground
from oddlens.methods.anomalydino.recipe import AnomalyDINORecipe
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.augmentation import turned_evenly
from oddlens.methods.common.maps import gaussian_weights, joined_maps, mean_of_highest, square_grid, upsample_and_filter
from oddlens.methods.common.memory_bank import CHUNK, MemoryBank
from oddlens.methods.weights import MethodWeights

Size = tuple[int, int]

_MVTEC_AD = "capsule", "hazelnut", "pill", "screw", "toothbrush"
_VISA = (
    "candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2", "pcb1", "pcb2", "pcb3", "pcb4", "pipe_fryum"
)  # fmt: skip
MASKED = frozenset((*_MVTEC_AD, *_VISA))
"""Objects whose background the released code masks: five of MVTec AD, and all of VisA."""


class AnomalyDINO(Method[AnomalyDINORecipe]):
    """AnomalyDINO on a backbone.

    Features: "patches" [batch, patches, width], of the last block after the final LayerNorm, not scaled; "layout" int64 [batch, 4]:
    rows and columns of patches, height and width of the map. Smaller images end in zeros. Of references besides "rows" [images,
    patches of all views, width] and "real" bool, which of them there are. Map: [0, 2]; of "l2" [0, inf).
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: AnomalyDINORecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        depth = backbone.vision.config.layers
        named: tuple[Tap, ...] | None = recipe.reference_taps or backbone.card.reference_taps or None
        self._taps: tuple[Tap, ...] = named or (depth,)

    def encode_prompts(self, object_name: str) -> Text:
        """Nothing but whether images of this object are masked ("masked")."""
        mask, name = self.recipe.mask, object_name.strip().casefold().replace(" ", "_")
        if mask == "none" or (mask == "auto" and name not in MASKED):
            return {}
        return {"masked": torch.ones((), dtype=torch.bool)}

    @property
    def request(self) -> FeatureRequest:
        """The image in its own aspect, and the last block."""
        recipe, config = self.recipe, self.backbone.vision.config
        position: PositionResize | None
        if recipe.position == "facebookresearch":
            position = config.authors_position if isinstance(config, Dinov2Config) else None
        else:
            position = recipe.position
        return FeatureRequest(
            recipe.image_size, recipe.interpolation, position, self._taps, cut_to=self.backbone.vision.config.patch_size
        )

    def encode(self, vision_pass: VisionPass) -> Features:
        """The patch tokens, and how they lie."""
        features = [vision_pass.features.patches(tap) for tap in self._taps]
        tokens = [
            vision_pass.vision.normed(each) if isinstance(tap, int) else each
            for tap, each in zip(self._taps, features, strict=True)
        ]
        patches = tokens[0] if len(tokens) == 1 else torch.cat([F.normalize(each, dim=-1) for each in tokens], dim=-1)
        size = vision_pass.pixels.shape[2:]
        layout = torch.tensor([(*vision_pass.grid, *size)], device=patches.device).expand(patches.shape[0], 4)
        if self.recipe.map_size == "image" and vision_pass.sizes:
            heights = torch.tensor([size[::-1] for size in vision_pass.sizes], device=patches.device)
            layout = torch.cat([layout[:, :2], heights], dim=1)
        return {"patches": patches, "layout": layout}

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The image, and turned copies of it."""
        recipe = self.recipe
        return (pixels,) if recipe.augment == "none" else (pixels, *turned_evenly(pixels, recipe.rotations))

    def reference_features(self, features: Mapping[str, Tensor], views: int) -> Features:
        """The image's own features, and the patches of all views."""
        recipe, patches = self.recipe, features["patches"]
        real = torch.zeros(patches.shape[:2], dtype=torch.bool, device=patches.device)
        for images, grid, _ in _alike(features["layout"]):
            count = grid[0] * grid[1]
            real[images, :count] = True
            if recipe.mask == "both":
                seen = patches[images, :count]
                real[images, :count] = foreground(seen, grid, recipe.mask_threshold, recipe.morphology)
        return {name: value[::views] for name, value in features.items()} | {
            "rows": patches.reshape(-1, views * patches.shape[1], patches.shape[2]),
            "real": real.view(-1, views * patches.shape[1]),
        }

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The patches of every good example, turned or not."""
        real = self.kept(references, "real").bool()
        if empty := (~real.any(dim=1)).nonzero().flatten().tolist():
            raise UsageError(
                f"the mask leaves nothing of good example {empty[0] + 1}: give another mask_threshold, or mask='images'"
            )
        return MemoryBank({"patches": references["rows"]}, real=real, unit=self.recipe.metric == "cosine")

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """The distance of each patch to the nearest of the good examples; maps and scores of it."""
        recipe = self.recipe
        distance = self.known(memory).distance("patches", features["patches"], neighbours=recipe.neighbours)
        if recipe.metric == "l2":
            distance = (2 * distance).sqrt()
        return self._scores(features, distance, text)

    def score_set(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> Scores:
        """Each patch against all patches of the other images, of which the nearest share counts (the code's batched program).

        Memory: the patches of all images once more, and chunks of similarities (64 MB).
        """
        layout, patches = features["layout"], features["patches"]
        if len(layout) < 2:
            raise UsageError("a set is two images or more: give more, or good examples as references")
        if self.recipe.metric == "l2":
            raise UsageError("images of a set are compared by the cosine: leave metric='l2' out")
        counts = (layout[:, 0] * layout[:, 1]).tolist()
        unit = [F.normalize(each[:count].float(), dim=-1) for each, count in zip(patches, counts, strict=True)]
        rows, distance, first = torch.cat(unit), patches.new_zeros(patches.shape[:2], dtype=torch.float32), 0
        for number, own in enumerate(unit):
            parts = []
            for part in torch.split(own, max(1, CHUNK // len(rows))):
                similar = part @ rows.T
                similar[:, first : first + len(own)] = -torch.inf
                parts.append(_mean_below(similar, int(self.recipe.quantile * (len(rows) - len(own)))))
            distance[number, : len(own)] = torch.cat(parts)
            first += len(own)
        return self._scores(features, distance, text)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """A cosine distance; lengths have no bound."""
        return 0.0, 2.0 if self.recipe.metric == "cosine" else math.inf

    def range_of(self, memory: MemoryBank | None) -> tuple[float, float]:
        """For lengths, from 0 to twice the good patches' mean distance from their middle."""
        if memory is None or self.recipe.metric == "cosine":
            return self.value_range(memory is not None)
        rows = memory.rows("patches").float()
        return 0.0, max(2 * float((rows - rows.mean(dim=0)).norm(dim=1).mean()), 1e-9)

    def _scores(self, features: Mapping[str, Tensor], distance: Tensor, text: Mapping[str, Tensor]) -> Scores:
        """Maps and scores of the distances of patches, [batch, patches]; what is background has none."""
        recipe = self.recipe
        scores: list[Tensor] = []
        maps: list[Tensor] = []
        unseen: list[Tensor] = []
        for images, grid, size in self._layouts(features):
            seen = distance[images, : grid[0] * grid[1]].double()
            if "masked" in text:
                patches = features["patches"][images, : grid[0] * grid[1]].float()
                kept = foreground(patches, grid, recipe.mask_threshold, recipe.morphology)
                seen = seen * kept
                unseen.append(~kept.any(dim=1))
            scores.append(mean_of_highest(seen, recipe.top))
            maps.append(upsample_and_filter(seen.view(-1, *grid), size, gaussian_weights(recipe.sigma), "reflect"))
        return Scores(torch.cat(scores), joined_maps(maps), unseen=torch.cat(unseen) if unseen else None)

    def _layouts(self, features: Mapping[str, Tensor]) -> Iterator[tuple[slice, Size, Size]]:
        """See `_alike`; of a graph, whose images are all of the model's size."""
        if torch.compiler.is_exporting():
            side = self.recipe.image_size
            return iter([(slice(None), square_grid(features["patches"].shape[1]), (side, side))])
        return _alike(features["layout"])


def _alike(layout: Tensor) -> Iterator[tuple[slice, Size, Size]]:
    """Neighbours of one layout: which images they are, their grid, and the size of their maps."""
    first = 0
    for (rows, columns, height, width), group in groupby(map(tuple, layout.tolist())):
        count = len(list(group))
        yield slice(first, first + count), (rows, columns), (height, width)
        first += count


def _mean_below(similar: Tensor, count: int) -> Tensor:
    """The mean distance of those rows that are strictly nearer than the `count`-th nearest; of the nearest where none is.

    similar: cosines, [queries, rows]. Returns [queries].
    """
    nearest = 1 - similar.topk(max(1, count), dim=1).values
    below = nearest < nearest[:, -1:]
    mean = torch.where(below, nearest, 0).sum(dim=1) / below.sum(dim=1)
    return torch.where(below.any(dim=1), mean, nearest[:, 0]).clamp(min=0)
