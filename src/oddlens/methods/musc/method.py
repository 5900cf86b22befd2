"""MuSc: unlabelled images score each other, since what most of them show is good.

Li et al., ICLR 2024, arXiv 2401.16753. The steps are those of the released code.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.dinov2 import Dinov2Config
from oddlens.backbone.options import PositionResize, Tap
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.maps import square_grid, upsample
from oddlens.methods.common.memory_bank import CHUNK, MemoryBank
from oddlens.methods.musc.card import CARD
from oddlens.methods.musc.neighbourhoods import averaged
from oddlens.methods.musc.recipe import MuScRecipe
from oddlens.methods.musc.rscin import neighbours_mean
from oddlens.methods.weights import MethodWeights

Ranges = Sequence[tuple[int, int]]

_NONE = 0, -1
"""A range of no image."""

_TOGETHER = 8
"""Images of a set that are held against the others at once."""


class MuSc(Method[MuScRecipe]):
    """MuSc on a backbone: against a fixed pool, the references, which need not all be good; or a set of images by itself.

    Features: "patches:<tap>" [batch, patches, width]; "image" [batch, embed_dim], of unit length (of a model without a joint space
    its class token as it is); "key" int64 [batch], of the image's pixels. Map: [0, 2].

    With a pool an image's score does not depend on the others: it is the highest value of its map. Of a set, each image has all
    others (or `subset` of them) for a pool, and RsCIN follows.

    Memory: the patches of the pool or the set (22 MB an image with ViT-L-14-336 at 518 pixels, half of it in float16), one
    chunk of similarities (64 MB), and 4 bytes for each patch of 8 images and each image of the pool. Time grows with images *
    pool * patches^2 * channels * taps * degrees.
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: MuScRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        self._taps: tuple[Tap, ...] = recipe.reference_taps or backbone.card.reference_taps or recipe.layers
        self._is_dinov2 = isinstance(backbone.vision.config, Dinov2Config)

    def encode_prompts(self, object_name: str) -> Text:
        """Nothing: it compares images alone."""
        return {}

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the tokens after some blocks."""
        recipe, config = self.recipe, self.backbone.vision.config
        position: PositionResize | None
        if recipe.position == "authors":
            position = config.authors_position if isinstance(config, Dinov2Config) else "bicubic_plain"
        else:
            position = recipe.position
        return FeatureRequest(recipe.image_size, recipe.interpolation, position, self._taps)

    def encode(self, vision_pass: VisionPass) -> Features:
        """The patch tokens tap by tap, and what stands for the whole image."""
        vision, found = vision_pass.vision, vision_pass.features
        dtype: torch.dtype = getattr(torch, self.recipe.memory_dtype)
        features = {}
        for tap in self._taps:
            tokens = found.patches(tap)
            tokens = vision.normed(tokens) if self._is_dinov2 and isinstance(tap, int) else tokens
            features[_name(tap)] = tokens.to(dtype)
        joint = self.backbone.vision.capabilities.joint
        features["image"] = (
            F.normalize(vision.embed_image(found.image), dim=-1) if joint else vision.normed(found.image)
        )
        keys = [zlib.crc32(image.data) for image in vision_pass.images]
        device = features["image"].device
        features["key"] = (
            torch.tensor(keys, device=device)
            if keys
            else features["image"].new_zeros(features["image"].shape[0], dtype=torch.int64)
        )
        return features

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The patch tokens of the pool."""
        return MemoryBank({name: references[name] for name in map(_name, self._taps)}, unit=False)

    def fit_prompts(
        self, memory: MemoryBank, references: Mapping[str, Tensor], text: Mapping[str, Tensor]
    ) -> tuple[MemoryBank, Scores | None]:
        """The memory with "lowest", how many images of the pool count for a patch."""
        return memory.with_values({"lowest": torch.tensor(float(self._lowest(len(memory))))}), None

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Maps, and scores, which are their highest values."""
        memory = self.known(memory)
        patches = features[_name(self._taps[0])].shape[1]
        pool = {name: _by_image(memory.rows(name), patches) for name in map(_name, self._taps)}
        lowest, ranges = memory.values["lowest"], memory.left_out_ranges
        if ranges is not None:
            lowest = self._lowest_of(len(memory), ranges)
        return self._from_patches(self._mutual(features, pool, ranges, lowest))

    def score_set(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> Scores:
        """Each image against all others, or against a subset of them; then RsCIN over all."""
        count = len(features["image"])
        if count < 2:
            raise UsageError("a set is two images or more: give more, or a pool as references")
        chosen = self._chosen(features["key"].tolist())
        pool = {name: features[name][chosen] for name in map(_name, self._taps)}
        places = {image: place for place, image in enumerate(chosen)}
        ranges = [(places[image], places[image]) if image in places else _NONE for image in range(count)]
        lowest = self._lowest_of(len(chosen), ranges)
        parts = [
            self._mutual({name: features[name][rows] for name in pool}, pool, ranges[rows], lowest[rows])
            for first in range(0, count, _TOGETHER)
            for rows in (slice(first, first + _TOGETHER),)
        ]
        found = self._from_patches(torch.cat(parts))
        if not self.recipe.rscin:
            return found
        return Scores(neighbours_mean(found.scores, features["image"].float(), self.recipe.rscin), found.maps)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """A distance of unit vectors."""
        return 0.0, 2.0

    def _lowest(self, others: int) -> int:
        """How many of so many other images count for a patch."""
        return max(1, int(self.recipe.share * others))

    def _lowest_of(self, pool: int, ranges: Ranges) -> Tensor:
        """As `_lowest`, for images that each leave out some of a pool: [batch]."""
        return torch.tensor([float(self._lowest(pool - (last + 1 - first))) for first, last in ranges])

    def _chosen(self, keys: Sequence[int]) -> list[int]:
        """The images of a set that the others are compared with: all, or those that seed and pixels choose, in any order."""
        most = self.recipe.subset
        numbers = range(len(keys))
        if most is None or most >= len(keys):
            return list(numbers)
        ranked = sorted(numbers, key=lambda number: (zlib.crc32(f"{self.recipe.seed}/{keys[number]}".encode()), number))
        return sorted(ranked[: max(2, most)])

    def _mutual(
        self, features: Mapping[str, Tensor], pool: Mapping[str, Tensor], ranges: Ranges | None, lowest: Tensor
    ) -> Tensor:
        """The scores of patches, float64 [batch, patches]: the mean over taps and degrees.

        pool: [images, patches, width] by name. ranges: the first and the last image of the pool that each image is not compared
        with. lowest: how many images of the pool count, of each image or of all.
        """
        means = []
        for degree in self.recipe.degrees:
            for name, known in pool.items():
                nearest = _nearest(averaged(features[name], degree), known, degree)
                for image, (first, last) in enumerate(ranges or ()):
                    nearest[image, :, first : last + 1] = torch.inf
                rising = nearest.sort(dim=-1).values.double()
                counts = lowest.to(rising)[..., None, None]
                among = torch.arange(rising.shape[-1], device=rising.device) < counts
                means.append(torch.where(among, rising, 0).sum(dim=-1) / counts[..., 0])
        return torch.stack(means).mean(dim=0)

    def _from_patches(self, patches: Tensor) -> Scores:
        side = self.recipe.image_size
        maps = upsample(patches.view(-1, *square_grid(patches.shape[1])), (side, side), align_corners=True)
        return Scores(maps.flatten(1).amax(dim=1), maps)


def _name(tap: Tap) -> str:
    return f"patches:{tap}"


def _by_image(rows: Tensor, patches: int) -> Tensor:
    return rows.view(-1, patches, rows.shape[1])


def _nearest(queries: Tensor, pool: Tensor, degree: int) -> Tensor:
    """The distance of each patch to the nearest one of each image of the pool: [batch, patches, images].

    queries: [batch, patches, width], of unit length. pool: [images, patches, width], as they are kept.
    """
    if torch.compiler.is_exporting():  # the number of images in the pool may be a symbol
        similar = torch.einsum("bqd,npd->bqnp", queries, averaged(pool, degree)).amax(dim=-1)
        return (2 - 2 * similar).clamp(min=0).sqrt()
    flat = queries.flatten(0, 1)
    found = flat.new_empty(len(flat), len(pool))
    step = max(1, CHUNK // pool.shape[1])
    for first in range(0, len(pool), _TOGETHER):
        for image, known in enumerate(averaged(pool[first : first + _TOGETHER], degree), start=first):
            for start in range(0, len(flat), step):
                part = flat[start : start + step]
                # The difference itself: what is left of a cosine near 1 is mostly rounding.
                found[start : start + step, image] = (part - known[(part @ known.T).argmax(dim=1)]).norm(dim=1)
    return found.view(*queries.shape[:2], -1)
