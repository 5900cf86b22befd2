"""The embedded model: whether it is meant, where its graphs are, and what must be said of it. No torch is needed."""

from __future__ import annotations

import os
import warnings
from functools import cache
from pathlib import Path

from oddlens.backbone.cards import MINI, Card, find_card
from oddlens.backbone.files import MINI_FOLDER
from oddlens.backbone.hub import repository_of
from oddlens.errors import OddlensWarning, needs_torch, printable
from oddlens.io.paths import exists, expanded, is_closed, matching
from oddlens.runtime import GRAPHS


def is_embedded(model: str | os.PathLike[str] | None) -> bool:
    """Whether a model, as `oddlens.load` takes it, is the embedded one. A path that exists wins over a name."""
    if model is None:
        return True
    return not exists(expanded(Path(model))) and find_card(os.fspath(model)) is MINI


def check_named(model: str | os.PathLike[str]) -> None:
    """Raise `UsageError` for what is neither a path nor a name that a model can have: with torch there is none either."""
    path = expanded(Path(model))
    if not (exists(path) or is_closed(path)):
        repository_of(os.fspath(model))


def card_of(model: str | os.PathLike[str] | None) -> Card:
    """The card of a model. Raises as `oddlens.load` does; any but the embedded model needs torch."""
    if is_embedded(model):
        return MINI
    check_named(model or "")
    with needs_torch(f"the model {printable(os.fspath(model or ''))}"):
        from oddlens.backbone.load import locate
    return locate(None if model is None else Path(model))[0]


def graphs_of(method: str) -> Path:
    """The folder of the embedded model's graphs for a method, which may not exist."""
    return MINI_FOLDER / "graphs" / method


def earlier_graphs(method: str) -> list[str]:
    """The names of what is beside graphs.json there: of the defaults of earlier versions, so that their stations go on."""
    return [path.name for path in matching(graphs_of(method), f"{Path(GRAPHS).stem}-*.json")]


@cache
def introduce_embedded() -> None:
    """Say once which model this is where a method asks it by words, so that its results are not taken for CLIP's.

    It is called by `oddlens.load`, at whose caller the warning points.
    """
    warnings.warn(
        "this is the embedded model 'mini' (small, trained on generated defects; it is not CLIP). For serious zero-shot work give "
        "a full CLIP as the model, for instance laion400m-vit-b-16-plus-240-e31; 'oddlens models' lists them",
        OddlensWarning,
        stacklevel=3,
    )
