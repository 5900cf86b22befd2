"""The layouts of models on disk, one `LAYOUT` a file. This is the one place that lists them."""

from __future__ import annotations

from pathlib import Path

from oddlens.backbone.files import read_json
from oddlens.backbone.layouts import dinov2, embedded, open_clip, openai, siglip, transformers
from oddlens.backbone.layouts.base import MODEL_TYPES, Layout

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        embedded.LAYOUT,
        open_clip.LAYOUT,
        dinov2.LAYOUT,
        siglip.LAYOUT,
        transformers.LAYOUT,
        openai.LAYOUT,
    )
}
"""By name. Where several recognise a path, the first is taken."""


def layout_of(path: Path) -> Layout | None:
    """The layout of a path; None where it holds no model that oddlens reads."""
    return next((layout for layout in LAYOUTS.values() if layout.recognise(path)), None)


def judge_config(path: Path) -> None:
    """Judge a configuration that lies alone, by its name and the type of model that it states.

    Raises `ModelError` where oddlens does not read such a model.
    """
    layouts = [layout for layout in LAYOUTS.values() if layout.files is not None and layout.files.config == path.name]
    kind = read_json(path).get("model_type")
    layout = next((layout for layout in layouts if kind in MODEL_TYPES.get(layout.name, ())), layouts[-1])
    assert layout.read_config is not None
    layout.read_config(path)
