"""Generated streets with a label for every pixel, and generic scenes of the same words."""

from lab.streets.folder import unknown_of, write_streets
from lab.streets.generic import generic
from lab.streets.scene import Scene
from lab.streets.street import FRAME, street
from lab.streets.words import CLASSES, CONCEPTS, ELSEWHERE, FAR_OOD, MERGED, NEAR_OOD, OOD, UNNAMED_OOD, WORDS

__all__ = [
    "CLASSES",
    "CONCEPTS",
    "ELSEWHERE",
    "FAR_OOD",
    "FRAME",
    "MERGED",
    "NEAR_OOD",
    "OOD",
    "UNNAMED_OOD",
    "WORDS",
    "Scene",
    "generic",
    "street",
    "unknown_of",
    "write_streets",
]
