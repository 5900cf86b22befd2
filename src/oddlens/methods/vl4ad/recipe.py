"""VL4AD's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from oddlens.backbone.cards import MINI
from oddlens.backbone.options import Activation, PositionResize
from oddlens.errors import UsageError
from oddlens.methods.common.templates import load_templates
from oddlens.methods.recipe_fields import LARGEST_FRAME, LARGEST_SIDE, Recipe, fixed_field, query_field
from oddlens.methods.vl4ad.vocabulary import Vocabulary, make_vocabulary, resolved_groups, resolved_lists


@dataclass(frozen=True)
class VL4ADRecipe(Recipe):
    """The settings of VL4AD. The words may change after the frames were encoded.

    Attributes:
        masks: "dense", in which every patch of the tower is a mask (ours, needs no weights), or "decoder", learned
            ones.
        short_side: The shorter side of frames at the working resolution, in pixels; None: the frame's own, or what a
            decoder was trained at.
        image_size: The side of the windows of dense masks, in pixels.
        window: The longest side of what goes through a decoder at once, in pixels; None: whole frames.
        overlap: The share of a window that its neighbour covers, too.
        position: How position embeddings are resized, for dense masks.
        activation: The GELU of the towers; None: the one that the model's weights were trained with.
        local_from: The block before which the local stream leaves the ordinary one, for dense masks; None: the last.
        classes: The known classes with their words: a list's name, a .json or .toml file, or a dictionary. A file is
            read at once and kept as lists.
        ood: Words for the unknown, or lists of synonyms; "default" for our list, or a file.
        merge: Which classes count as one: a merge's name, a file, or a dictionary.
        merging: Classes are merged by the "max" of their similarities before the softmax (the paper), or by the "sum"
            of their probabilities after it.
        templates: The name of a packaged list, or sentences with {} for the word.
        score: The value of a pixel: "vl4ad" and "max_logit" (one value), or what it is compared with: "msp", "energy",
            "entropy", "rba" (Nayal et al., ICCV 2023), "eam" (Grcic et al., 2023).
        temperature: Divides the cosines before the softmax over words; None: the one that belongs to the masks.
        void: A decoder's probability that a mask is nothing counts as a "factor" 1 - void on all classes (FC-CLIP),
            "in_softmax" as one more column, or not at all ("ignore").
        alpha: The exponent of the frozen model's own view of a decoder's masks in a geometric mean with the learned
            one, from 0 to 1 (FC-CLIP; one exponent for all words is ours).
        top: The score of a frame is the mean of this share of its map, the highest values (0.001, ours).
    """

    masks: Literal["dense", "decoder"] = "dense"
    short_side: int | None = fixed_field(None, most=LARGEST_FRAME)
    image_size: int = fixed_field(224, most=LARGEST_SIDE)
    window: int | None = fixed_field(None, most=LARGEST_FRAME)
    overlap: Literal[0] | float = fixed_field(0.5, least=0)
    position: PositionResize = "bicubic"
    activation: Activation | None = None
    local_from: int | None = None
    classes: str | Mapping[str, tuple[str, ...]] = query_field("cityscapes")
    ood: str | tuple[()] | tuple[str | tuple[str, ...], ...] | None = query_field(())
    merge: str | Mapping[str, tuple[str, ...]] = query_field("none")
    merging: Literal["max", "sum"] = query_field("max")
    templates: str | tuple[str, ...] = query_field("scene")
    score: Literal["vl4ad", "max_logit", "msp", "energy", "entropy", "rba", "eam"] = query_field("vl4ad")
    temperature: float | None = query_field(None)
    void: Literal["factor", "in_softmax", "ignore"] = query_field("factor")
    alpha: Literal[0] | float = query_field(0.0, least=0)
    top: float = query_field(0.001)

    def __post_init__(self) -> None:
        """Read files and bring words to the form that JSON gives back. Raises `UsageError` for values out of their range."""
        for name in ("alpha", "top"):
            if getattr(self, name) > 1:
                raise UsageError(f"{name} cannot be {getattr(self, name)}: it is a share, at most 1")
        if self.overlap >= 1:
            raise UsageError(f"overlap cannot be {self.overlap}: it is a share of a window, below 1")
        for name in ("classes", "merge"):
            object.__setattr__(self, name, resolved_lists(name, getattr(self, name)))
        object.__setattr__(self, "ood", resolved_groups(self.ood))
        if bad := [each for each in self.sentences if "{}" not in each]:
            raise UsageError(f"the template {bad[0]!r} has no place for a word: write {{}} where it belongs")

    @property
    def sentences(self) -> tuple[str, ...]:
        """The templates themselves."""
        return load_templates(self.templates) if isinstance(self.templates, str) else self.templates

    @property
    def vocabulary(self) -> Vocabulary:
        """The words in force. Raises `UsageError` where they contradict each other."""
        return make_vocabulary(self.classes, self.ood or (), self.merge)

    def caution(self, model: str) -> str:
        """See `Recipe`: learned masks do read streets on the embedded model."""
        if model != MINI.name or self.masks != "dense":
            return ""
        return (
            f"{MINI.name!r} learned flaws of surfaces and spells words it does not know letter by letter, so that its maps of "
            "streets mean nothing: it only shows that everything runs; for maps to rely on give a CLIP as the model"
        )
