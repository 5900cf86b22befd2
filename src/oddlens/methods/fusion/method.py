"""Two methods as one: one compares an image with words, the other with good examples, and what is usual of each joins them.

Ours. Each score and each value of a map becomes a p-value, by what the good examples themselves get: from the first method as any
image would, from the second one held against the others. Two p-values are one by Fisher's rule (Fisher, Statistical Methods for
Research Workers, 1932), or by the smaller of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.base import AnyMethod, Features, Method, Scores, Text, method_class
from oddlens.methods.card import MethodCard
from oddlens.methods.common.maps import joined_maps, upsample
from oddlens.methods.common.memory_bank import MemoryBank, each_left_out
from oddlens.methods.fusion.card import fusion_card
from oddlens.methods.fusion.p_values import joined_rarity, log_p_of_maps, log_p_of_scores, spread_of
from oddlens.methods.fusion.recipe import FusionRecipe
from oddlens.methods.registry import method_cards
from oddlens.methods.weights import MethodWeights

_SCORES, _MAPS = "fusion:scores", "fusion:maps"

_SHOWN = 6.0
"""The upper end of the colours where nothing is calibrated: one pixel in a million."""


class Fusion(Method[FusionRecipe]):
    """Two methods on one backbone; it needs two good examples or more, which only the second one remembers.

    Features and text: of the first method under "0:<name>", of the second under "1:<name>". The memory is that of the second,
    with "fusion:scores" and "fusion:maps" besides, float64 [2, 3] each (`p_values.spread_of` for both methods).

    Scores and maps are -log10 of a p-value, from 0 on: 2 means that about one good image, or one place of good images, in a
    hundred has as much. That is an estimate. Maps have the size of the second method's.
    """

    def __init__(self, backbone: Backbone, recipe: FusionRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        cards = [method_cards()[name] for name, _ in recipe.METHODS]
        self._parts = tuple(method_class(card)(backbone, own) for card, own in zip(cards, recipe.parts, strict=True))
        for part, own in zip(self._parts, recipe.parts, strict=True):
            if not own.is_independent:
                raise UsageError(
                    f"{self.card.name} cannot be joined: with this recipe what {part.card.name} finds depends on the images "
                    "before, so that nothing calibrates it"
                )
            if own.alone:
                raise UsageError(
                    f"{self.card.name} cannot be joined: with this recipe {part.card.name} scores a whole set of images at once"
                )

    @property
    def card(self) -> MethodCard:  # type: ignore[override]
        """That of both methods as one. It is not kept: a type that is made where it is needed cannot be pickled."""
        first, second = (method_cards()[name] for name, _ in self.recipe.METHODS)
        return fusion_card(first, second)

    @property
    def parts(self) -> tuple[AnyMethod, ...]:
        """Both methods: see `Method.parts`."""
        return self._parts

    @property
    def no_export(self) -> str:
        """Two methods are two graphs."""
        return f"{self.card.name} runs two methods: export each of them"

    def with_recipe(self, recipe: FusionRecipe) -> Fusion:
        """See `Method.with_recipe`: both methods get theirs."""
        other = super().with_recipe(recipe)
        other._parts = tuple(part.with_recipe(own) for part, own in zip(self._parts, recipe.parts, strict=True))
        return other

    def encode_prompts(self, object_name: str) -> Text:
        """The text sides of both."""
        return self.joined([part.encode_prompts(object_name) for part in self._parts])

    @property
    def request(self) -> FeatureRequest:
        """That of the second method, whose maps and tiles count; `encoding.Encoder` asks each of `parts` for its own."""
        return self._parts[1].request

    def encode(self, vision_pass: VisionPass) -> Features:
        """Both image sides, of a pass that met both requests."""
        return self.joined([part.encode(vision_pass) for part in self._parts])

    def joined(self, parts: Sequence[Mapping[str, Tensor]]) -> Features:
        """What both methods made of the same images or words, by names that say whose it is."""
        return {f"{number}:{name}": value for number, part in enumerate(parts) for name, value in part.items()}

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """Those of the second method. The first one looks at the image itself."""
        return self._parts[1].reference_views(pixels)

    def reference_features(self, features: Mapping[str, Tensor], views: int) -> Features:
        """The first method's features of each image itself, and what the second one makes of all views."""
        first, second = self._apart(features)
        own = {name: value[::views] for name, value in first.items()}
        return self.joined([own, self._parts[1].reference_features(second, views)])

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The second method's memory."""
        return self._parts[1].fit(self._apart(references)[1])

    def fit_prompts(
        self, memory: MemoryBank, references: Mapping[str, Tensor], text: Mapping[str, Tensor]
    ) -> tuple[MemoryBank, Scores | None]:
        """The memory with what is usual of both methods, and what the good examples get by it.

        Raises `UsageError` for fewer than two good examples.
        """
        if memory.picture_count < 2:
            raise UsageError(self.lacks_references)
        words, more = self._apart(text)
        fitted, own = self._parts[1].fit_prompts(memory, self._apart(references)[1], more)
        first, second = [], [] if own is None else [own]
        for some, others in each_left_out(references, fitted):
            seen, remembered = self._apart(some)
            first.append(self._parts[0].score(seen, words, None))
            if own is None:
                second.append(self._parts[1].score(remembered, more, others))
        both = [_together(first), _together(second)]
        values = {
            _SCORES: torch.stack([spread_of(each.scores) for each in both]),
            _MAPS: torch.stack([spread_of(torch.cat([one.flatten() for one in each.maps])) for each in both]),
        }
        return fitted.with_values(values), self._of_both(both[0], both[1], values)

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps of both, joined."""
        known = self.known(memory)
        (seen, compared), (words, more) = self._apart(features), self._apart(text)
        first, second = self._parts
        return self._of_both(first.score(seen, words, None), second.score(compared, more, known), known.values)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """A p-value has no least value."""
        return 0.0, math.inf

    def range_of(self, memory: MemoryBank | None) -> tuple[float, float]:
        """From the usual to one in a million."""
        return 0.0, _SHOWN

    def _apart(self, features: Mapping[str, Tensor]) -> tuple[Features, Features]:
        """What `joined` joined."""
        first, second = (
            {name.removeprefix(mark): value for name, value in features.items() if name.startswith(mark)}
            for mark in ("0:", "1:")
        )
        return first, second

    def _of_both(self, first: Scores, second: Scores, usual: Mapping[str, Tensor]) -> Scores:
        """The scores and maps of the same images by both methods as one."""
        how = self.recipe.joining
        scores = joined_rarity(
            [
                log_p_of_scores(each.scores, spread)
                for each, spread in zip((first, second), usual[_SCORES], strict=True)
            ],
            how,
        )
        maps = [
            joined_rarity(
                [log_p_of_maps(_resized(one, other), usual[_MAPS][0]), log_p_of_maps(other, usual[_MAPS][1])], how
            )[None]
            for one, other in zip(first.maps, second.maps, strict=True)
        ]
        return Scores(scores, joined_maps(maps), unseen=second.unseen)  # only methods of good examples mask


def _together(parts: Sequence[Scores]) -> Scores:
    unseen = [part.unseen for part in parts if part.unseen is not None]
    return Scores(
        torch.cat([part.scores for part in parts]),
        [one for part in parts for one in part.maps],
        unseen=torch.cat(unseen) if unseen else None,
    )


def _resized(one: Tensor, other: Tensor) -> Tensor:
    """A map [height, width] at the size of another."""
    size = (other.shape[0], other.shape[1])
    return one if tuple(one.shape) == size else upsample(one[None], size, align_corners=False)[0]
