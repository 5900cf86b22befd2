"""The words of the generated streets: what is known there, what is not, and which words mean the same class."""

from __future__ import annotations

CONCEPTS: dict[str, tuple[str, ...]] = {
    "road": ("road",),
    "sidewalk": ("sidewalk", "pavement"),
    "building": ("building", "house"),
    "vegetation": ("tree", "bushes", "palm tree"),
    "sky": ("sky", "clouds"),
    "person": ("person",),
    "car": ("car", "taxi"),
    "truck": ("truck",),
    "bus": ("bus",),
    "bicycle": ("bicycle",),
    "traffic sign": ("traffic sign", "stop sign"),
    "pole": ("pole", "lamp post"),
}
"""The known classes by name, in the order of their labels, each with its words. Every word has an appearance of its own."""

NEAR_OOD = ("caravan", "trailer")
"""Unknown on the street and much like a truck; the detector gets these words."""

FAR_OOD = ("cardboard box", "traffic cone", "tyre", "tent", "cow")
"""Unknown on the street and unlike anything known there; the detector gets these words."""

UNNAMED_OOD = ("boat", "dog")
"""Unknown on the street; the detector never gets these words."""

OOD = (*NEAR_OOD, *FAR_OOD, *UNNAMED_OOD)

ELSEWHERE = (
    "sand", "snow", "water", "lawn", "carpet", "tiles", "wooden floor", "gravel",
    "ball", "barrel", "suitcase", "chair", "umbrella",
)  # fmt: skip
"""Seen in generic scenes only: grounds unlike streets, and other things."""

WORDS: tuple[str, ...] = (*(word for concepts in CONCEPTS.values() for word in concepts), *OOD, *ELSEWHERE)

CLASSES = tuple(CONCEPTS)

NO_WORD = 255
"""The value of a pixel that belongs to no word, or to no class."""

MERGED: dict[str, tuple[str, ...]] = {
    "flat": ("road", "sidewalk"),
    "construction": ("building",),
    "nature": ("vegetation",),
    "sky": ("sky",),
    "person": ("person",),
    "vehicle": ("car", "truck", "bus"),
    "bicycle": ("bicycle",),
    "object": ("traffic sign", "pole"),
}
"""Super-classes for class merging."""


def class_of(word: str) -> int | None:
    """The label of a word's class; None for a word that is unknown on the street."""
    return next((label for label, words in enumerate(CONCEPTS.values()) if word in words), None)
