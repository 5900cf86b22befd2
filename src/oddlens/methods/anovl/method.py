"""AnoVL: value attention in all blocks against contrastive prompts, with an adapter that is trained on each image.

Deng et al., arXiv 2308.15939 (its second version says AnoCLIP). The steps are those of the released code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from threading import Lock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.weak import WeakIdKeyDictionary

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass, pass_pixels
from oddlens.methods.anovl.adapter import Adapter, Start, draw_noise, draw_start, log_odds
from oddlens.methods.anovl.augmentations import VIEWS, views
from oddlens.methods.anovl.card import CARD
from oddlens.methods.anovl.recipe import AnoVLRecipe
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.maps import abnormal_probability, joined_maps, mean_filter, square_grid
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.common.templates import load_framed, load_states, sentences
from oddlens.methods.common.tiling import Tiling, cut, stitch, tiling
from oddlens.methods.weights import MethodWeights

TEXTURES = ("carpet", "grid", "leather", "tile", "wood")
"""What `domain="auto"` takes for a texture: MVTec AD's, as the released code."""

ROWS = 8
"""Tiles or views that run through the tower together."""

ADAPTING_BYTES = 256 << 20
"""What adapting takes by default, see `AnoVL`."""


class AnoVL(Method[AnoVLRecipe]):
    """AnoVL on a backbone. It takes no references.

    Features: "views" [batch, tiles * views, embed_dim], unit norm; "local" [batch, tiles * patches, embed_dim], the last block's
    local stream in the joint space, not normalised; "layout" int64 [batch, 3]: height and width that the tiles cover, patches
    along a tile. Map: [0, 1], close around one half without a temperature; of the height and width that the tiles cover.
    """

    card = CARD

    def __init__(
        self,
        backbone: Backbone,
        recipe: AnoVLRecipe,
        weights: MethodWeights | None = None,
        *,
        adapting_bytes: int = ADAPTING_BYTES,
    ) -> None:
        """adapting_bytes: about what adapters that are trained side by side, and what belongs to them, may take."""
        super().__init__(backbone, recipe, weights)
        self._adapting_bytes = adapting_bytes
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._adapters = WeakIdKeyDictionary()  # the prototypes of a text side -> its adapter
        self._lock = Lock()

    def __getstate__(self) -> dict[str, object]:
        """Everything but the adapters: they start over in a copy, and in what is unpickled."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_adapters", "_lock")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._begin_anew()

    @property
    def adapter_count(self) -> int:
        """How many adapters go on from image to image (optimiser "kept"): one for each text side that is still in use."""
        return len(self._adapters)

    def encode_prompts(self, object_name: str) -> Text:
        """Prototypes, the means of 462 sentences each, and "sentences" [924, embed_dim], unit norm, the normal ones first."""
        domain = self.recipe.domain
        if domain == "auto":
            domain = "texture" if object_name in TEXTURES else "object"
        states, templates = load_states("anovl"), load_framed("anovl", domain)
        normal, abnormal = (sentences(object_name, each, templates) for each in (states.normal, states.abnormal))
        features = self.backbone.encode_text([*normal, *abnormal])
        means = torch.stack([part.mean(dim=0) for part in features.chunk(2)])
        return {"prototypes": F.normalize(means, dim=-1), "sentences": F.normalize(features, dim=-1)}

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the local stream after the last block."""
        recipe, last = self.recipe, self.backbone.vision.config.layers
        return FeatureRequest(
            recipe.image_size,
            recipe.interpolation,
            recipe.position,
            local_taps=(last,),
            local_from=recipe.local_from,
            whole=recipe.tiles != "none",
            short_side=None if recipe.tiles == "none" else recipe.image_size,
        )

    def encode(self, vision_pass: VisionPass) -> Features:
        """Embeddings of the views of each tile, and of its patches."""
        side = self.recipe.image_size
        if self.recipe.tiles == "none":
            seen, local = self._encode_views(vision_pass)
            layout = torch.tensor((side, side, square_grid(local.shape[1])[0]), device=local.device)
            return {"views": seen, "local": local, "layout": layout.expand(local.shape[0], 3)}
        plans = [tiling(image, side) for image in vision_pass.images]
        seen, local = self._encode_tiles(vision_pass, plans)
        counts = [len(plan.corners) for plan in plans]
        patches, _ = square_grid(local.shape[1])
        return {
            "views": _by_picture(seen, counts),
            "local": _by_picture(local, counts),
            "layout": torch.tensor([(plan.height, plan.width, patches) for plan in plans], device=local.device),
        }

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores, the mean over views and tiles; maps, of adapted tokens where the recipe says so."""
        scores: list[Tensor] = []
        maps: list[Tensor] = []
        for rows, plan, grid in self._alike(features, text):
            tiles = len(plan.corners)
            states, temperature = text["prototypes"], self.recipe.temperature
            views_seen = features["views"][rows, : tiles * self.recipe.views]
            scores.append(abnormal_probability(views_seen, states, temperature).mean(dim=1))
            tokens = features["local"][rows, : tiles * grid * grid]
            if self.recipe.adapt:
                tokens = self._adapted(tokens, text, plan, grid)
            anomaly_map = abnormal_probability(F.normalize(tokens, dim=-1), states, temperature)
            smoothed = mean_filter(anomaly_map.view(-1, grid, grid), 3)
            maps.append(stitch(smoothed.view(-1, tiles, grid, grid), plan))
        return Scores(torch.cat(scores), joined_maps(maps))

    @property
    def no_export(self) -> str | None:
        """Adapting trains on every image, and long images have tiles of their own number."""
        if self.recipe.adapt:
            return "anovl trains on every image, which no exported graph can: give adapt=False"
        return None if self.recipe.tiles == "none" else "anovl with tiles cannot be exported: give tiles='none'"

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """What cosines that differ by 0.4 make of the softmax: beyond the maps of a CLIP, which lie close around one half."""
        low = torch.tensor(-0.4 / self.recipe.temperature).sigmoid().item()
        return round(low, 2), round(1 - low, 2)

    def _encode_views(self, vision_pass: VisionPass) -> tuple[Tensor, Tensor]:
        """Of every row of a pass: its views [rows, views, embed_dim], unit norm, and its patches [rows, patches, embed_dim]."""
        tower = vision_pass.vision
        local = vision_pass.features.local_patches(tower.config.layers)
        seen = [vision_pass.features.image]
        if self.recipe.views > 1:
            plain = FeatureRequest(self.recipe.image_size, self.recipe.interpolation, self.recipe.position)
            others = islice(views(vision_pass.pixels), 1, None)
            together = VIEWS if torch.compiler.is_exporting() else max(1, ROWS // len(seen[0]))
            while group := list(islice(others, together)):
                cls = pass_pixels(self.backbone, torch.cat(group), plain).features.image
                seen += cls.view(len(group), -1, cls.shape[-1]).unbind()
        return F.normalize(tower.embed_image(torch.stack(seen, dim=1)), dim=-1), tower.project(local)

    def _encode_tiles(self, vision_pass: VisionPass, plans: Sequence[Tiling]) -> tuple[Tensor, Tensor]:
        """As `_encode_views`, of the tiles of all images, a few at a time."""
        recipe = self.recipe
        every = (
            tile
            for image, plan in zip(vision_pass.images, plans, strict=True)
            for tile in cut(image, plan, recipe.interpolation)
        )
        parts = []
        while tiles := list(islice(every, ROWS)):
            pixels = self.backbone.to_pixels(tiles, recipe.image_size, recipe.interpolation)
            parts.append(self._encode_views(pass_pixels(self.backbone, pixels, self.request)))
        seen, local = zip(*parts, strict=True)
        return torch.cat(seen), torch.cat(local)

    def _alike(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> Iterator[tuple[slice, Tiling, int]]:
        """Neighbouring images of one layout, as many as may be adapted together: which, their tiles, patches along a tile."""
        if torch.compiler.is_exporting():  # one layout, of which no number can be read
            side = self.recipe.image_size
            yield slice(None), Tiling(side, side, side), square_grid(features["local"].shape[1])[0]
            return
        first = 0
        for (height, width, grid), group in groupby(features["layout"].tolist()):
            plan = Tiling(height, width, self.recipe.image_size)
            end = first + len(list(group))
            step = self._together(len(plan.corners) * grid * grid, text)
            for start in range(first, end, step):
                yield slice(start, min(start + step, end)), plan, grid
            first = end

    def _together(self, tokens: int, text: Mapping[str, Tensor]) -> int:
        """How many adapters are trained side by side: each is held four times, and activations for real and corrupted tokens."""
        if self.recipe.optimiser == "kept":
            return 1
        outputs, width = text["sentences"].shape
        floats = 4 * outputs * width + 2 * tokens * (4 * outputs + 5 * width)
        return max(1, self._adapting_bytes // (4 * floats))

    def _adapted(self, tokens: Tensor, text: Mapping[str, Tensor], plan: Tiling, grid: int) -> Tensor:
        """What adapters, trained on the tokens of one image each, make of them."""
        recipe = self.recipe

        def margins(adapted: Tensor) -> Tensor:
            odds = log_odds(adapted, text["prototypes"], recipe.temperature)
            if recipe.tiles == "none":
                return odds
            return stitch(odds.view(len(odds), -1, grid, grid), plan).flatten(1)  # released code for VisA: of pixels

        noise = draw_noise((recipe.steps, *tokens.shape[1:]), recipe.noise, recipe.seed).to(tokens)
        with self._adapter(text, len(tokens)) as adapter, torch.no_grad():
            adapter.adapt(tokens, noise, margins, recipe.hard_weight)
            return adapter(tokens)

    @contextmanager
    def _adapter(self, text: Mapping[str, Tensor], images: int) -> Iterator[Adapter]:
        """A new adapter; or the one that goes on for this text, for one thread at a time."""
        if self.recipe.optimiser == "fresh":
            yield self._new_adapter(text, images)
            return
        with self._lock:
            key = text["prototypes"]
            if key not in self._adapters:
                self._adapters[key] = self._new_adapter(text, images)
            yield self._adapters[key]

    def _new_adapter(self, text: Mapping[str, Tensor], images: int) -> Adapter:
        """The first adapter is the same for every image."""
        recipe, (count, width) = self.recipe, text["sentences"].shape
        through = text["sentences"] if recipe.adapter == "text" else None
        start = draw_start(width if through is None else count, width, recipe.seed)
        start = Start(*(part.to(text["sentences"]) for part in start))
        return Adapter(start, images, through, ratio=recipe.ratio, learning_rate=recipe.learning_rate)


def _by_picture(rows: Tensor, counts: Sequence[int]) -> Tensor:
    """Rows of tiles [all tiles, n, channels] -> [images, most tiles * n, channels]; images of fewer tiles end in zeros."""
    return pad_sequence([tiles.flatten(0, 1) for tiles in torch.split(rows, list(counts))], batch_first=True)
