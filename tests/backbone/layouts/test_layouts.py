"""The list of layouts: each path is read by one, and a configuration alone is judged by the layout that will read it."""

import json
from pathlib import Path

import pytest

from oddlens.backbone.cards import CARDS
from oddlens.backbone.files import TRANSFORMERS
from oddlens.backbone.layouts import LAYOUTS, judge_config, layout_of
from oddlens.backbone.layouts.base import MODEL_TYPES
from oddlens.errors import ModelError
from tests.tiny_clip import Weights, write_openai_state
from tests.tiny_dinov2 import write_dinov2
from tests.tiny_siglip import write_siglip


def name_of(path: Path) -> str | None:
    layout = layout_of(path)
    return None if layout is None else layout.name


def test_each_is_known_by_what_lies_there(
    tmp_path: Path, weights: Weights, open_clip_folder: Path, transformers_folder: Path, embedded_folder: Path
) -> None:
    assert name_of(open_clip_folder) == "open_clip"
    assert name_of(transformers_folder) == "transformers"
    assert name_of(embedded_folder) == "embedded"
    assert name_of(write_dinov2(tmp_path / "dinov2")) == "dinov2"
    assert name_of(write_siglip(tmp_path / "siglip")) == "siglip"
    assert name_of(write_openai_state(tmp_path / "ViT.pt", weights)) == "openai"
    assert name_of(tmp_path) is None


def test_model_types_are_of_the_layouts_with_transformers_files() -> None:
    assert set(MODEL_TYPES) == {layout.name for layout in LAYOUTS.values() if layout.files == TRANSFORMERS}
    types = [kind for kinds in MODEL_TYPES.values() for kind in kinds]
    assert len(set(types)) == len(types)


def test_cards_name_layouts_that_there_are() -> None:
    assert {card.layout for card in CARDS} <= set(LAYOUTS)


@pytest.mark.parametrize("registers", [0, 4])
def test_a_configuration_alone_is_judged(tmp_path: Path, registers: int) -> None:
    path = write_dinov2(tmp_path, registers=registers) / "config.json"
    judge_config(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_channels": 1}))
    with pytest.raises(ModelError, match="sets num_channels to 1"):
        judge_config(path)


@pytest.mark.parametrize("kind", ["bert", None, ["clip"], 3])
def test_one_of_another_type_is_refused_with_the_types_that_are_read(tmp_path: Path, kind: object) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ModelError, match="oddlens reads 'dinov2', 'dinov2_with_registers', 'siglip' and 'clip'"):
        judge_config(path)
