"""Generated streets with a label for every pixel, and generic scenes of the same words."""

from oddlens.data.streets.folder import unknown_of, write_streets
from oddlens.data.streets.generic import generic
from oddlens.data.streets.scene import Scene
from oddlens.data.streets.street import FRAME, street
from oddlens.data.streets.words import CLASSES, CONCEPTS, ELSEWHERE, FAR_OOD, MERGED, NEAR_OOD, OOD, UNTOLD_OOD, WORDS

__all__ = [
    "CLASSES",
    "CONCEPTS",
    "ELSEWHERE",
    "FAR_OOD",
    "FRAME",
    "MERGED",
    "NEAR_OOD",
    "OOD",
    "UNTOLD_OOD",
    "WORDS",
    "Scene",
    "generic",
    "street",
    "unknown_of",
    "write_streets",
]
