"""Generated images of surfaces and generic parts, normal and defective, with exact masks."""

from lab.synthetic.classes import (
    CLASSES,
    DEFECTS,
    HELD_OUT_CLASSES,
    OBJECTS,
    SURFACES,
    TRAIN_CLASSES,
    defects_of,
)
from lab.synthetic.mvtec import write_mvtec
from lab.synthetic.product import Product, Rendering, Sample, generate, make_product

__all__ = [
    "CLASSES",
    "DEFECTS",
    "HELD_OUT_CLASSES",
    "OBJECTS",
    "SURFACES",
    "TRAIN_CLASSES",
    "Product",
    "Rendering",
    "Sample",
    "defects_of",
    "generate",
    "make_product",
    "write_mvtec",
]
