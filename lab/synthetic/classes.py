"""The classes of generated images, their defects, and which classes are never trained on."""

import math
from dataclasses import dataclass

from lab.synthetic import damage, grains, marks, outlines, patterns
from lab.synthetic.marks import Defect
from lab.synthetic.outlines import Shape
from lab.synthetic.patterns import Surface

PATTERNS: dict[str, Surface] = {
    "woven surface": patterns.woven,
    "knitted surface": patterns.knitted,
    "mesh surface": patterns.mesh,
    "perforated surface": patterns.perforated,
    "striped surface": patterns.striped,
    "checkered surface": patterns.checkered,
    "cross-hatched surface": patterns.cross_hatched,
    "rippled surface": patterns.rippled,
    "corrugated surface": patterns.corrugated,
    "embossed surface": patterns.embossed,
    "quilted surface": patterns.quilted,
}

GRAINS: dict[str, Surface] = {
    "brushed surface": grains.brushed,
    "streaky surface": grains.streaky,
    "speckled surface": grains.speckled,
    "cellular surface": grains.cellular,
    "grained surface": grains.grained,
    "rough surface": grains.rough,
    "granular surface": grains.granular,
    "marbled surface": grains.marbled,
    "sand-blasted surface": grains.sand_blasted,
    "fibrous surface": grains.fibrous,
    "pebbled surface": grains.pebbled,
    "wrinkled surface": grains.wrinkled,
    "foamed surface": grains.foamed,
    "lacquered surface": grains.lacquered,
    "mottled surface": grains.mottled,
    "terraced surface": grains.terraced,
}

SURFACES: dict[str, Surface] = {**PATTERNS, **GRAINS}

OBJECTS: dict[str, Shape] = {
    "disc": outlines.disc,
    "ring": outlines.ring,
    "rounded plate": outlines.rounded_plate,
    "polygon plate": outlines.polygon_plate,
    "star": outlines.star,
    "angle": outlines.angle,
    "cross": outlines.cross,
    "frame": outlines.frame,
    "bar": outlines.bar,
    "tube": outlines.tube,
    "dome": outlines.dome,
    "stacked blocks": outlines.stacked_blocks,
    "lattice": outlines.lattice,
    "slotted plate": outlines.slotted_plate,
    "comb": outlines.comb,
    "arc": outlines.arc,
    "wedge": outlines.wedge,
    "channel": outlines.channel,
    "crescent": outlines.crescent,
    "spool": outlines.spool,
    "bead row": outlines.bead_row,
    "hook": outlines.hook,
    "ridged cap": outlines.ridged_cap,
}

CLASSES: tuple[str, ...] = (*SURFACES, *OBJECTS)

HELD_OUT_CLASSES: tuple[str, ...] = (
    "knitted surface",
    "perforated surface",
    "cellular surface",
    "marbled surface",
    "wrinkled surface",
    "star",
    "frame",
    "tube",
    "comb",
    "bead row",
)
"""Never trained on: choices about the model are made on these. Each is unlike every training class in its structure (loops,
see-through holes, cells, veins, folds; points, an opening, a round body from the side, teeth, several bodies)."""

TRAIN_CLASSES: tuple[str, ...] = tuple(name for name in CLASSES if name not in HELD_OUT_CLASSES)


@dataclass(frozen=True)
class DefectType:
    """A defect and what is known about it.

    apply    changes the layers of a part and returns where
    reach    how far it may reach from its middle, in radii; infinite for lines, whose length their area does not bound
    at_edge  True where it sits on the edge of a part that has one
    """

    apply: Defect
    reach: float
    at_edge: bool = False


_EVERYWHERE = {
    "scratch": DefectType(marks.scratch, math.inf),
    "crack": DefectType(damage.crack, math.inf),
    "hole": DefectType(damage.hole, 3.5),
    "stain": DefectType(marks.stain, 3.0),
    "dent": DefectType(marks.dent, 2.4),
    "missing part": DefectType(damage.missing_part, 2.2, at_edge=True),
    "contamination": DefectType(marks.contamination, 6.0),
    "tear": DefectType(damage.tear, 3.2),
    "discoloration": DefectType(marks.discoloration, 3.4),
    "pitting": DefectType(marks.pitting, 2.6),
    "uneven": DefectType(marks.uneven, 3.6),
    "abrasion": DefectType(marks.abrasion, 2.8),
    "fray": DefectType(damage.fray, 3.4),
}

PATTERN_DEFECTS: dict[str, DefectType] = {**_EVERYWHERE, "bend": DefectType(damage.bend, 2.0)}
GRAIN_DEFECTS: dict[str, DefectType] = {**_EVERYWHERE, "bend": DefectType(damage.fold, 3.2)}
OBJECT_DEFECTS: dict[str, DefectType] = {
    **_EVERYWHERE,
    "bend": DefectType(damage.bend, 2.0, at_edge=True),
    "chipped edge": DefectType(damage.chipped_edge, 3.0, at_edge=True),
}

DEFECTS: tuple[str, ...] = tuple(OBJECT_DEFECTS)


def defects_of(name: str) -> dict[str, DefectType]:
    """The defects a class can have, by name."""
    if name in PATTERNS:
        return PATTERN_DEFECTS
    return GRAIN_DEFECTS if name in GRAINS else OBJECT_DEFECTS
