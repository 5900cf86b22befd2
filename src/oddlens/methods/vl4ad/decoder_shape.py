"""The measures of a mask decoder, and whether what it is built from is installed. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Literal, get_args

from oddlens.errors import ModelError, UsageError, choices, shortened

Head = Literal["words", "linear"]
"""How a mask gets its class: by its cosine with words, or by a linear classifier of trained ones (vision only, the baseline)."""

_GROUPS = 32  # the decoders' group norms have this many groups

_MOST = {"layers": 64, "pixel_layers": 64, "heads": 64}
_MOST_OTHERS = 16384


@dataclass(frozen=True)
class DecoderShape:
    """The measures of a mask decoder; the values are those of FC-CLIP's released code.

    queries: masks a frame. layers: of the transformer decoder, which cycle through strides 32, 16, 8; one layer sees the unknown
    better than nine (RbA, arXiv 2211.14293). width: channels everywhere in it, a multiple of 32. heads: of every attention.
    feedforward: of its layers. pixel_layers, pixel_feedforward: the same of the pixel decoder.
    """

    queries: int = 250
    layers: int = 9
    width: int = 256
    heads: int = 8
    feedforward: int = 2048
    pixel_layers: int = 6
    pixel_feedforward: int = 1024
    head: Head = "words"

    def __post_init__(self) -> None:
        """Raises `UsageError` for measures that do not fit together, or that no decoder has."""
        for each in fields(self):
            value, most = getattr(self, each.name), _MOST.get(each.name, _MOST_OTHERS)
            if each.name != "head" and not (type(value) is int and 1 <= value <= most):
                raise UsageError(
                    f"a mask decoder's {each.name} cannot be {shortened(value)}: give a whole number from 1 to {most}"
                )
        if self.head not in get_args(Head):
            raise UsageError(
                f"a mask decoder's head cannot be {shortened(self.head)}{choices(self.head, get_args(Head), 'give one of')}"
            )
        if self.width % _GROUPS or self.width % self.heads:
            raise UsageError(
                f"a mask decoder's width cannot be {self.width}: give a multiple of {_GROUPS} and of its {self.heads} heads"
            )


SMALL = DecoderShape(queries=20, layers=3, width=64, heads=4, feedforward=128, pixel_layers=1, pixel_feedforward=128)
"""A decoder that trains on a CPU in minutes (ours)."""


def shape_of(provenance: Mapping[str, object], source: str) -> DecoderShape:
    """The shape that is written in weights. Raises `ModelError` where there is none."""
    made: Callable[..., DecoderShape] = DecoderShape
    try:
        measures = provenance["decoder"]
        if not isinstance(measures, Mapping):
            raise TypeError("its decoder has no measures by name")
        return made(**measures)
    except (KeyError, TypeError, UsageError) as error:
        raise ModelError(f"{source} does not say what decoder it holds ({error}): train it again") from error


def check_installed() -> None:
    """Raises `UsageError` where the libraries that a mask decoder is built from are missing."""
    if missing := [name for name in ("transformers", "scipy") if find_spec(name) is None]:
        raise UsageError(
            f"mask decoders are built from parts of transformers and matched with scipy, and {' and '.join(missing)} "
            "cannot be found: run pip install 'oddlens[road]'"
        )
