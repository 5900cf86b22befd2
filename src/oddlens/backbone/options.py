"""Names of what can be chosen of a tower, and of what a model can do. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Activation = Literal["gelu", "quick_gelu"]
"""The two GELUs of CLIPs, exact GELU and QuickGELU (OpenAI's), between which a CLIP can be switched."""

Interpolation = Literal["bicubic", "bilinear"]
"""How an image is resized to the tower's size."""

PositionResize = Literal["bilinear", "bicubic", "bicubic_plain", "bicubic_offset"]
"""How position embeddings are resized to another grid; all with half-pixel centres.

- bilinear: without antialias.
- bicubic: with antialias, as in open_clip and in DINOv2 with registers.
- bicubic_plain: without antialias, as in transformers for SigLIP and DINOv2 without registers.
- bicubic_offset: as bicubic_plain, with the scale (grid + 0.1) / native grid, as in facebookresearch's own code for DINOv2 without
  registers.

The variants also differ where the grid grows: torch's antialiased bicubic filter is another one.
"""

Tap = int | str
"""Where features are taken from: behind a block, by its number from 1, or a stem's own features, by name."""


Kind = Literal["CLIP", "ConvNeXt CLIP", "SigLIP", "DINOv2"]
"""Kinds of model, by their vision towers."""


@dataclass(frozen=True)
class Capabilities:
    """What a model can do, or what a method needs of it.

    Attributes:
        text: Prompts in a joint space with images.
        patches: Patch tokens after any block.
        local: The local (V-V) stream.
        joint: Images and single tokens in the joint space.
        windows: Windows of patches in the joint space.
        learned_prompts: Token embeddings in place of prompts, and deep prompts.
    """

    text: bool = False
    patches: bool = False
    local: bool = False
    joint: bool = False
    windows: bool = False
    learned_prompts: bool = False

    def __or__(self, other: Capabilities) -> Capabilities:
        """All that either of the two has."""
        return Capabilities(**{name: getattr(self, name) or getattr(other, name) for name in _NAMES})

    def lacking(self, needs: Capabilities) -> list[str]:
        """What of the needs is absent here, in words."""
        return [_WORDS[name] for name in _NAMES if getattr(needs, name) and not getattr(self, name)]


_NAMES = tuple(field.name for field in fields(Capabilities))
_WORDS = {
    "text": "a text tower",
    "patches": "patch tokens",
    "local": "a local (V-V) stream",
    "joint": "images in a joint space with text",
    "windows": "windows in a joint space with text",
    "learned_prompts": "a text tower that takes learned prompts",
}
