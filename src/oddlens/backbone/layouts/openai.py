"""OpenAI's layout: one `.pt` file, a TorchScript archive or a plain state dict. The architecture follows from the shapes."""

from __future__ import annotations

import math
from pathlib import Path

from torch import Tensor

from oddlens.backbone.layouts.base import Layout
from oddlens.backbone.layouts.naming import towers_only
from oddlens.backbone.layouts.open_clip import canonical
from oddlens.backbone.layouts.settings import check_shape
from oddlens.backbone.model import ClipModel, LoadedModel, empty
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.backbone.torchscript import is_torchscript, read_torchscript
from oddlens.backbone.vision import VisionConfig
from oddlens.backbone.weights_file import fill, read_tensors
from oddlens.errors import ModelError, first_line
from oddlens.io.paths import is_file

_HEAD_WIDTH = 64
_WIDEST = 1024
"""Of OpenAI's towers. Wider ones of others have heads of other widths, which tensors do not show."""
_OPENAIS_OWN = ("input_resolution", "context_length", "vocab_size")
"""Entries of OpenAI's archives that are no weights."""


def recognise(path: Path) -> bool:
    """A single weights file."""
    return is_file(path) and path.suffix in {".pt", ".pth", ".bin", ".safetensors"}


def read(path: Path) -> LoadedModel:
    """Load the file. Raises `ModelError`.

    An archive in OpenAI's own form means QuickGELU; no other file says which GELU its weights mean.
    """
    scripted = is_torchscript(path)
    raw = read_torchscript(path) if scripted else read_tensors(path)
    tensors = canonical(towers_only(raw, path))
    is_openais = scripted and all(name in raw for name in _OPENAIS_OWN)
    try:
        vision, text = _configs(tensors)
        check_shape(vision)
        check_shape(text)
        if vision.embed_dim != text.embed_dim:
            raise ValueError(f"the towers have other embed_dims, {vision.embed_dim} and {text.embed_dim}")
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path} is not a ViT CLIP in OpenAI's layout (no usable {first_line(error)}): name another file"
        ) from error
    model = empty(lambda: ClipModel(vision, text))
    fill(model, tensors, str(path))
    tokenizer = clip_tokenizer(text.context, text.vocabulary)
    return LoadedModel(model, tokenizer, CLIP_MEAN, CLIP_STD, (path,), says_activation=is_openais)


def _configs(tensors: dict[str, Tensor]) -> tuple[VisionConfig, TextConfig]:
    width, _, patch, _ = tensors["vision.stem.conv.weight"].shape
    positions, _ = tensors["vision.position_embedding"].shape
    vocabulary, text_width = tensors["text.token_embedding.weight"].shape
    context, _ = tensors["text.position_embedding"].shape
    embed_dim, _ = tensors["text.projection.weight"].shape
    (vision_mlp, _), (text_mlp, _) = (tensors[f"{tower}.blocks.0.fc_1.weight"].shape for tower in ("vision", "text"))
    grid = math.isqrt(max(positions - 1, 0))
    if grid * grid + 1 != positions:
        raise ValueError(f"grid of patches: {positions} positions are no square and one")
    for each in (width, text_width):
        if each > _WIDEST or each % _HEAD_WIDTH:
            raise ValueError(
                f"number of heads: a width of {each} does not determine it, only a configuration beside the weights does"
            )
    vision = VisionConfig(
        image_size=grid * patch,
        patch_size=patch,
        width=width,
        layers=_depth(tensors, "vision"),
        heads=width // _HEAD_WIDTH,
        mlp_width=vision_mlp,
        embed_dim=embed_dim,
        activation="quick_gelu",
    )
    text = TextConfig(
        context=context,
        vocabulary=vocabulary,
        width=text_width,
        layers=_depth(tensors, "text"),
        heads=text_width // _HEAD_WIDTH,
        mlp_width=text_mlp,
        embed_dim=embed_dim,
        activation="quick_gelu",
    )
    return vision, text


def _depth(tensors: dict[str, Tensor], tower: str) -> int:
    prefix = f"{tower}.blocks."
    return 1 + max(int(name.removeprefix(prefix).split(".")[0]) for name in tensors if name.startswith(prefix))


LAYOUT = Layout("openai", None, recognise, None, read)
