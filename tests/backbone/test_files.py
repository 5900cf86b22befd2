"""The files of a model: what is complete, and what is said of what is missing."""

from pathlib import Path

import pytest

from oddlens.backbone.files import OPEN_CLIP, TRANSFORMERS, what_is_missing
from tests.tiny_clip import Weights, write_open_clip, write_transformers


def test_a_model_with_all_its_files_lacks_nothing(tmp_path: Path, weights: Weights) -> None:
    for layout, folder in (
        (OPEN_CLIP, write_open_clip(tmp_path / "a", weights)),
        (TRANSFORMERS, write_transformers(tmp_path / "b", weights)),
        (TRANSFORMERS, write_transformers(tmp_path / "c", weights, form="sharded")),
        (TRANSFORMERS, write_transformers(tmp_path / "d", weights, form="sharded bin")),
    ):
        assert layout.is_complete(folder)
        assert what_is_missing(folder) == ""


def test_nothing_is_missing_where_nothing_is(tmp_path: Path) -> None:
    assert what_is_missing(tmp_path) == what_is_missing(tmp_path / "none") == ""


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["config.json"], "holds config.json but no weights"),
        (["open_clip_config.json"], "holds open_clip_config.json but no weights"),
        (["pytorch_model.bin"], "holds pytorch_model.bin but not the configuration config.json"),
        (
            ["open_clip_pytorch_model.bin"],
            "not the configuration open_clip_config.json (open_clip leaves it so in the hub cache)",
        ),
        (
            ["config.json", "model.safetensors.index.json"],
            "holds only a part of the weights that model.safetensors.index.json lists",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, files: list[str], told: str) -> None:
    for name in files:
        (tmp_path / name).write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert what_is_missing(tmp_path).startswith(f"{tmp_path} holds")
    assert told in what_is_missing(tmp_path)
