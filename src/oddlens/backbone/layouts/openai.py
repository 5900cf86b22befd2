"""OpenAI's layout: one `.pt` file, a TorchScript archive or a plain state dict, whose shapes tell the architecture."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from oddlens.backbone.checkpoint import fill, read_tensors
from oddlens.backbone.layouts.open_clip import canonical
from oddlens.backbone.model import LoadedModel, empty_model
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.backbone.torchscript import is_torchscript, read_torchscript
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import ModelError
from oddlens.paths import is_file

_HEAD_WIDTH = 64
_KNOWN_BUFFERS = ("input_resolution", "context_length", "vocab_size", "attn_mask")


def recognise(path: Path) -> bool:
    """A single weights file."""
    return is_file(path) and path.suffix in {".pt", ".pth", ".bin", ".safetensors"}


def read(path: Path) -> LoadedModel:
    """Load the file; OpenAI's weights mean QuickGELU. Raises `ModelError`."""
    raw = read_torchscript(path) if is_torchscript(path) else read_tensors(path)
    tensors = canonical(raw)
    vision, text = _configs(tensors, path)
    model = empty_model(vision, text)
    fill(model, tensors, str(path), ignored=_KNOWN_BUFFERS)
    return LoadedModel(model, clip_tokenizer(text.context), CLIP_MEAN, CLIP_STD, (path,))


def _configs(tensors: dict[str, Tensor], path: Path) -> tuple[VisionConfig, TextConfig]:
    try:
        width, _, patch, _ = tensors["vision.stem.conv.weight"].shape
        positions = tensors["vision.position_embedding"].shape[0]
        vocabulary, text_width = tensors["text.token_embedding.weight"].shape
        context = tensors["text.position_embedding"].shape[0]
        embed_dim = tensors["text.projection.weight"].shape[0]
        mlp_widths = [tensors[f"{tower}.blocks.0.fc_1.weight"].shape[0] for tower in ("vision", "text")]
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path} is not a ViT CLIP in OpenAI's layout (no usable {error}): name another file"
        ) from error
    grid = round((positions - 1) ** 0.5)
    vision = VisionConfig(
        image_size=grid * patch,
        patch_size=patch,
        width=width,
        layers=_depth(tensors, "vision"),
        heads=width // _HEAD_WIDTH,
        mlp_width=mlp_widths[0],
        embed_dim=embed_dim,
        activation="quick_gelu",
    )
    text = TextConfig(
        context=context,
        vocabulary=vocabulary,
        width=text_width,
        layers=_depth(tensors, "text"),
        heads=text_width // _HEAD_WIDTH,
        mlp_width=mlp_widths[1],
        embed_dim=embed_dim,
        activation="quick_gelu",
    )
    return vision, text


def _depth(tensors: dict[str, Tensor], tower: str) -> int:
    prefix = f"{tower}.blocks."
    return 1 + max(int(name.removeprefix(prefix).split(".")[0]) for name in tensors if name.startswith(prefix))
