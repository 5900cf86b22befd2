"""What can be chosen of a tower, by name. No torch is needed to name it."""

from __future__ import annotations

from typing import Literal

Activation = Literal["gelu", "quick_gelu"]
"""The nonlinearity of a tower's blocks: exact GELU, or QuickGELU (OpenAI's CLIPs)."""

PositionResize = Literal["bilinear", "bicubic"]
"""How position embeddings are resized to another grid: bilinear without antialias, or bicubic with it."""

Tap = int | str
"""Features inside a tower: a block by its number, 1-based, or what a stem names."""
