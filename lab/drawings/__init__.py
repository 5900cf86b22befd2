"""The drawings of the documents: what each method does, and the concepts behind all. `python -m lab.drawings` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.drawings.canvas import Drawing
from lab.drawings.concepts import CONCEPTS
from lab.drawings.methods import METHODS

FOLDER = Path(__file__).parents[2] / "docs" / "images"

DRAWINGS: Mapping[str, Drawing] = {
    **{f"methods/{name}.svg": drawing for name, drawing in METHODS.items()},
    **{f"concepts/{name}.svg": drawing for name, drawing in CONCEPTS.items()},
}
"""File, below docs/images -> drawing."""
