"""patch-knn: how far every cell of an image is from the nearest cell of good examples, at several depths of a tower.

Ours, after PatchCore (Roth et al., CVPR 2022, arXiv 2106.08265). Each depth is compared alone: features are not pooled over
neighbours and not concatenated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Tap
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.io.pixels import Pixels
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.augmentation import mirrored, turned_evenly
from oddlens.methods.common.maps import smooth, upsample
from oddlens.methods.common.memory_bank import MemoryBank, each_left_out
from oddlens.methods.patch_knn.card import CARD
from oddlens.methods.patch_knn.recipe import PatchKNNRecipe
from oddlens.methods.weights import MethodWeights

_CHUNK = 1 << 21
"""Similarities held at once: 8 MB, which stay in a processor's cache. More would take twice as long."""

_STAGE, _GRID, _VIEWS, _USUAL = "stage:", "grid:", "views:", "usual:"


class _Fields(NamedTuple):
    """Distances over images.

    scored: what the score is made of, [batch, rows, columns]. squared: what the map is made of, [batch, side, side].
    """

    scored: Tensor
    squared: Tensor


class PatchKNN(Method[PatchKNNRecipe]):
    """patch-knn on a backbone; it needs good examples.

    Features: "stage:<tap>" [batch, rows, columns, channels], unit norm; "grid:<tap>" [batch, 2], how many of the rows and columns
    there are where images differ in size; of references that are remembered in several views also "views:<tap>"
    [batch, views, rows, columns, channels]. Text: nothing.

    A distance is 1 - cosine, in [0, 2], with `place` up to `place` more. The map is the mean of the distances of all taps, the
    score the mean of its largest values, before it is divided and smoothed; `score_taps` can leave the first tap out of it.

    The map is divided by what is usual, as a share of its mean: by how far the references are from each other at each place,
    smoothed, plus half of its mean. So no value grows by more than 3 times. Tiles show different places: they are not divided.
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: PatchKNNRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        tower = backbone.vision
        depth = tower.config.layers
        spread = dict.fromkeys((-(-depth // 2), -(-3 * depth // 4), depth))
        self._taps: tuple[Tap, ...] = recipe.taps or backbone.card.stages or tuple(spread)
        tower.load_taps(self._taps)
        cells = [tower.cell_of(tap) for tap in self._taps]
        self._finest, self._cell = cells.index(min(cells)), math.lcm(*cells)
        self._side = max(1, round(recipe.image_size / self._cell)) * self._cell
        self._square = self._side // min(cells)

    @property
    def unguaranteed(self) -> str:
        """A divided score promises nothing."""
        if self.recipe.divide != "both":
            return ""
        return (
            f"{self.card.name} with divide='both' divides its score by what is usual between the references, which makes them "
            "unlike new images"
        )

    @property
    def unguaranteed_maps(self) -> str:
        """Nor does a divided map."""
        if self.recipe.divide == "none":
            return ""
        return f"{self.card.name} divides its map by what is usual between the references, which makes them unlike new images"

    def encode_prompts(self, object_name: str) -> Text:
        """There are no words."""
        return {}

    @property
    def request(self) -> FeatureRequest:
        """The features of every tap, and nothing of the whole image."""
        recipe = self.recipe
        return FeatureRequest(
            self._side,
            recipe.interpolation,
            recipe.position,
            self._taps,
            image=False,
            aspect_cell=self._cell if recipe.aspect else None,
        )

    def encode(self, vision_pass: VisionPass) -> Features:
        """The cells of every tap, on their grid."""
        found, features = vision_pass.features, Features()
        for tap in self._taps:
            grid, tokens = found.grid_of(tap), found.patches(tap)
            if isinstance(tap, int):  # as DINOv2's own code gives the tokens of any block
                tokens = vision_pass.vision.normed(tokens)
            features[f"{_STAGE}{tap}"] = F.normalize(tokens, dim=-1).view(tokens.shape[0], *grid, -1)
            features[f"{_GRID}{tap}"] = torch.tensor(grid, device=tokens.device).expand(tokens.shape[0], 2)
        return features

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The image itself, turned, and mirrored."""
        turned = turned_evenly(pixels, self.recipe.turns)
        return (pixels, *turned, *(mirrored(pixels) if self.recipe.flips else ()))

    def reference_features(self, features: Mapping[str, Tensor], views: int) -> Features:
        """The cells of the image itself, and of all its views."""
        if views == 1:
            return dict(features)
        own = {name: value[::views] for name, value in features.items()}
        seen = {f"{_VIEWS}{tap}": _grouped(features[f"{_STAGE}{tap}"], views) for tap in self._taps}
        return own | seen

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The cells of each reference: all of them, or so many of each."""
        first, *others = map(self._remember, self._alike(references))
        return first.add(*others)

    def fit_prompts(
        self, memory: MemoryBank, references: Mapping[str, Tensor], text: Mapping[str, Tensor]
    ) -> tuple[MemoryBank, Scores | None]:
        """The memory with "usual:map" and "usual:score", [side, side] each: see the class. Words play no part."""
        if self.recipe.divide == "none" or memory.picture_count < 2 or memory.picture_count < len(memory):
            return memory, None
        parts = [field for some, others in each_left_out(references, memory) for field in self._fields(some, others)]
        usual = {
            f"{_USUAL}map": self._usual(torch.cat([each.squared for each in parts])),
            f"{_USUAL}score": self._usual(torch.cat([self._squared(each.scored) for each in parts])),
        }
        fitted = memory.with_values(usual)
        return fitted, self._finished(parts, fitted)

    @property
    def neutral_values(self) -> Mapping[str, float]:
        """A memory of one image, or of tiles, divides nothing."""
        return {} if self.recipe.divide == "none" else {f"{_USUAL}map": 1.0, f"{_USUAL}score": 1.0}

    @property
    def grids(self) -> Mapping[str, str]:
        """Every tap has a grid of its own."""
        return {f"{_STAGE}{tap}": f"{_GRID}{tap}" for tap in self._taps} if self.recipe.aspect else {}

    def held_out(
        self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None
    ) -> Features:
        """Distances of images of one size."""
        ((scored, squared),) = self._fields(features, self.known(memory))
        return {"scored": scored, "squared": squared, "scored_squared": self._squared(scored)}

    def values_of(self, held_out: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is usual for the map and for the score, as `fit_prompts` has it."""
        if self.recipe.divide == "none":
            return {}
        names = {f"{_USUAL}map": "squared", f"{_USUAL}score": "scored_squared"}
        return {name: self._usual(held_out[each]) for name, each in names.items()}

    def finish(self, held_out: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps of distances."""
        return self._finished([_Fields(held_out["scored"], held_out["squared"])], self.known(memory))

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps."""
        known = self.known(memory)
        return self._finished(self._fields(features, known), known)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """Distances, which a division can make three times as large."""
        return 0.0, (2 + (self.recipe.place or 0)) * (1 if self.recipe.divide == "none" else 3)

    def _alike(self, features: Mapping[str, Tensor]) -> Iterator[Features]:
        """The images in groups of one size, in order, without the zeros that fill up smaller ones."""
        if torch.compiler.is_exporting():  # a graph takes images of one size
            yield dict(features)
            return
        grids = torch.cat([features[f"{_GRID}{tap}"] for tap in self._taps], dim=1)
        changes = (grids[1:] != grids[:-1]).any(dim=1).nonzero()[:, 0] + 1
        for start, end in pairwise([0, *changes.tolist(), len(grids)]):
            part = {name: value[start:end] for name, value in features.items()}
            for number, tap in enumerate(self._taps):
                rows, columns = grids[start, 2 * number : 2 * number + 2].tolist()
                for name in part.keys() & {f"{_STAGE}{tap}", f"{_VIEWS}{tap}"}:
                    part[name] = part[name][..., :rows, :columns, :]
            yield part

    def _remember(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The memory of references of one size."""
        recipe = self.recipe
        cells = {}
        for tap in self._taps:
            own = references[f"{_STAGE}{tap}"][:, None]
            cells[f"{_STAGE}{tap}"] = self._cells(references.get(f"{_VIEWS}{tap}", own))
        remember = partial(MemoryBank, unit=recipe.place is None, chunk=_CHUNK)
        if recipe.max_rows is None:
            return remember(cells)
        if recipe.rows == "sampled":
            return remember({name: value[:, _sample(value, recipe.max_rows)] for name, value in cells.items()})
        count = len(next(iter(cells.values())))
        each = ({name: value[number : number + 1] for name, value in cells.items()} for number in range(count))
        first, *others = (remember(one, max_rows=recipe.max_rows) for one in each)
        return first.add(*others)

    def _cells(self, views: Tensor) -> Tensor:
        """What is compared, with its place behind: [batch, views, rows, columns, channels] -> [batch, cells, channels]."""
        if self.recipe.place is not None:
            rows, columns = (
                (torch.arange(count, device=views.device) + 0.5) / count * self.recipe.place**0.5
                for count in views.shape[2:4]
            )
            places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)
            views = torch.cat([views, places.expand(*views.shape[:2], -1, -1, -1)], dim=-1)
        return views.flatten(1, 3)

    def _fields(self, features: Mapping[str, Tensor], memory: MemoryBank) -> list[_Fields]:
        """The distances of images, group by group of one size."""
        found: list[_Fields] = []
        done, left_out = 0, memory.left_out
        for part in self._alike(features):
            maps = []
            for tap in self._taps:
                value = part[f"{_STAGE}{tap}"]
                exclude = None if left_out is None else left_out[done : done + len(value)]
                distance = memory.distance(f"{_STAGE}{tap}", self._cells(value[:, None]), exclude)
                maps.append(distance.view(value.shape[:3]))
            done += maps[0].shape[0]
            grid = maps[self._finest].shape[1:]
            together = torch.stack([_resampled(each, (grid[0], grid[1])) for each in maps])
            first = min(1, len(maps) - 1) if self.recipe.score_taps == "coarse" else 0
            found.append(_Fields(together[first:].mean(dim=0), self._squared(together.mean(dim=0))))
        return found

    def _finished(self, parts: Sequence[_Fields], memory: MemoryBank) -> Scores:
        """Scores and maps, of distances."""
        usual, divide = memory.values, self.recipe.divide
        scores, maps = [], []
        for scored, squared in parts:
            if divide == "both" and f"{_USUAL}score" in usual:
                scored = self._squared(scored) / usual[f"{_USUAL}score"]
            if divide != "none" and f"{_USUAL}map" in usual:
                squared = squared / usual[f"{_USUAL}map"]
            scores.append(self._top(scored))
            whole = upsample(squared, (self._side, self._side), align_corners=False)
            maps.append(smooth(whole, self.recipe.smoothing * self._side / self._square))
        return Scores(torch.cat(scores), torch.cat(maps))

    def _top(self, field: Tensor) -> Tensor:
        """The mean of the largest values of each image: float64 [batch]."""
        values = field.flatten(1).double()
        if torch.compiler.is_exporting():  # their number is not known either
            largest = values.sort(dim=1, descending=True).values
            rank = torch.ones_like(largest[0]).cumsum(0)
            count = (self.recipe.top * rank[-1]).round().clamp(min=1)
            return torch.where(rank <= count, largest, 0).sum(dim=1) / count
        return values.topk(max(1, round(self.recipe.top * values.shape[1])), dim=1).values.mean(dim=1)

    def _usual(self, fields: Tensor) -> Tensor:
        """What is usual at each place as a share of its mean: [images, side, side] -> [side, side], at least 1 / 3."""
        mean = smooth(fields.mean(dim=0, keepdim=True), self.recipe.usual_smoothing)[0]
        usual = mean + mean.mean() / 2
        return torch.where(usual.mean() > 0, usual / usual.mean(), 1)

    def _squared(self, field: Tensor) -> Tensor:
        """Of images of any aspect, on one square grid."""
        return _resampled(field, (self._square, self._square))


def _grouped(value: Tensor, size: int) -> Tensor:
    """[groups * size, ...] -> [groups, size, ...]."""
    return value.view(-1, size, *value.shape[1:])


def _resampled(field: Tensor, grid: tuple[int, int]) -> Tensor:
    same = not torch.compiler.is_exporting() and tuple(field.shape[1:]) == grid  # a graph's sizes are not known
    return field if same else upsample(field, grid, align_corners=False)


def _sample(cells: Tensor, most: int) -> Tensor:
    """The numbers of at most so many cells, the same ones of all images, rising."""
    count = cells.shape[1]
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most]
    return drawn.sort().values.to(cells.device)
