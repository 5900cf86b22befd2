"""The open_clip layout: `open_clip_config.json` beside `open_clip_model.safetensors` or `open_clip_pytorch_model.bin`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from oddlens.backbone.checkpoint import fill, read_tensors
from oddlens.backbone.convnext import ConvNextTower
from oddlens.backbone.files import OPEN_CLIP, read_json, weight_files
from oddlens.backbone.layouts import convnext
from oddlens.backbone.layouts.base import Layout, find_weights
from oddlens.backbone.layouts.naming import Pairs, rename, towers_only
from oddlens.backbone.layouts.shapes import as_rgb, check_shape, check_towers, whole
from oddlens.backbone.model import ClipModel, LoadedModel, Model, empty, transposed
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD, Rgb
from oddlens.backbone.options import Activation
from oddlens.backbone.text import TextConfig, TextTower
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import ModelError, first_line

_VISION = (
    ("visual.conv1.", "vision.stem.conv."),
    ("visual.positional_embedding", "vision.position_embedding"),
    ("visual.proj", "vision.projection.weight"),
    ("visual.transformer.resblocks.", "vision.blocks."),
    ("visual.", "vision."),
)
_TEXT = (
    ("transformer.resblocks.", "text.blocks."),
    ("token_embedding.", "text.token_embedding."),
    ("positional_embedding", "text.position_embedding"),
    ("text_projection", "text.projection.weight"),
    ("ln_final.", "text.ln_final."),
)
_IN_BLOCKS = (("attn.in_proj_", "qkv."), ("attn.out_proj.", "out."), ("mlp.c_fc.", "fc_1."), ("mlp.c_proj.", "fc_2."))

# Settings that change what a tower computes, and their values that do not.
_FOREIGN = (
    "timm_model_name", "hf_model_name", "attentional_pool", "global_average_pool", "pool_type", "embed_cls", "no_causal_mask",
    "no_ln_pre", "final_ln_after_pool", "norm_kwargs", "act_kwargs", "pos_embed_type", "ls_init_value", "proj_type", "proj_bias",
    "block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc", "hf_tokenizer_name",
    "tokenizer_kwargs",
)  # fmt: skip
_PLAIN = ("tok", "argmax", "learnable", "linear", "default")


class Described(NamedTuple):
    """What the configuration says. vision: the tower's shape; of a ConvNeXt its settings, as the tensors tell its shape."""

    vision: VisionConfig | dict[str, Any]
    text: TextConfig
    mean: Rgb
    std: Rgb


def recognise(path: Path) -> bool:
    """A folder with this layout's configuration and weights."""
    return OPEN_CLIP.are_in(path)


def read_config(path: Path) -> Described:
    """Read and judge the configuration alone. Raises `ModelError` where its model is none that oddlens reads."""
    config = read_json(path)
    model = config.get("model_cfg")
    if not isinstance(model, dict):
        raise ModelError(f"{path} has no model_cfg: this is not an open_clip model")
    try:
        return _described(model, config.get("preprocess_cfg"), path)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ModelError(f"{path} does not describe a CLIP ({first_line(error)}): fetch the model again") from error


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    path, weights = folder / OPEN_CLIP.config, find_weights(folder, OPEN_CLIP)
    described = read_config(path)
    model, tensors = _model(described, towers_only(read_tensors(weights), weights), path)
    fill(model, tensors, str(weights))
    tokenizer = folder_tokenizer(folder, described.text.context, described.text.vocabulary)
    files = (path, *weight_files(weights), *tokenizer_files(folder))
    return LoadedModel(model, tokenizer, described.mean, described.std, files)


def canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """open_clip's and OpenAI's tensor names to ours."""
    return transposed(_renamed(tensors, _VISION), "vision.projection.weight", "text.projection.weight")


def _renamed(tensors: dict[str, Tensor], vision: Pairs, in_blocks: Pairs = ()) -> dict[str, Tensor]:
    return {
        rename(name.removeprefix("text."), (*vision, *_TEXT), (*_IN_BLOCKS, *in_blocks)): value
        for name, value in tensors.items()
    }


def _model(described: Described, raw: dict[str, Tensor], where: Path) -> tuple[Model, dict[str, Tensor]]:
    """The empty model that a configuration describes, and its tensors under our names."""
    vision, text = described.vision, described.text
    if isinstance(vision, VisionConfig):
        return empty(lambda: ClipModel(vision, text)), canonical(raw)
    tensors = transposed(_renamed(raw, convnext.RENAMED, convnext.IN_BLOCKS), "text.projection.weight")
    shape = convnext.config_of(vision, text.embed_dim, tensors, str(where))
    return empty(lambda: Model(ConvNextTower(shape), TextTower(text))), tensors


def _described(config: dict[str, Any], look: Any, where: Path) -> Described:
    vision, text = config.get("vision_cfg"), config.get("text_cfg")
    if not isinstance(vision, dict) or not isinstance(text, dict):
        raise ModelError(f"{where} lacks vision_cfg or text_cfg: this is not an open_clip model")
    is_convnext = convnext.is_convnext(vision)
    allowed = {"timm_model_name"} if is_convnext else set()
    foreign = [
        key
        for part in (vision, text)
        for key in _FOREIGN
        if key not in allowed and part.get(key) and part[key] not in _PLAIN
    ]
    if foreign or isinstance(vision.get("layers"), list):
        raise ModelError(
            f"{where} describes a model that is not a plain ViT CLIP ({', '.join(foreign) or 'a ResNet'}): "
            "choose one whose towers are OpenAI-style transformers, or whose vision tower is a ConvNeXt"
        )
    activation: Activation = "quick_gelu" if config.get("quick_gelu") else "gelu"
    text_config = _text_config(text, whole(config, "embed_dim"), activation)
    look = look if isinstance(look, dict) else {}
    mean, std = as_rgb(look.get("mean"), "mean", CLIP_MEAN), as_rgb(look.get("std"), "std", CLIP_STD, least=0)
    if is_convnext:
        convnext.check_head(vision, str(where))
        check_shape(asdict(text_config))
        return Described(vision, text_config, mean, std)
    shape = _vision_config(vision, text_config.embed_dim, activation)
    check_towers(shape, text_config)
    return Described(shape, text_config, mean, std)


def _vision_config(vision: dict[str, Any], embed_dim: int, activation: Activation) -> VisionConfig:
    width = whole(vision, "width")
    return VisionConfig(
        image_size=whole(vision, "image_size"),
        patch_size=whole(vision, "patch_size"),
        width=width,
        layers=whole(vision, "layers"),
        heads=width // whole(vision, "head_width", 64),
        mlp_width=int(width * float(vision.get("mlp_ratio", 4.0))),
        embed_dim=embed_dim,
        activation=activation,
    )


def _text_config(text: dict[str, Any], embed_dim: int, activation: Activation) -> TextConfig:
    width = whole(text, "width")
    return TextConfig(
        context=whole(text, "context_length", 77),
        vocabulary=whole(text, "vocab_size", 49408),
        width=width,
        layers=whole(text, "layers"),
        heads=whole(text, "heads"),
        mlp_width=int(width * float(text.get("mlp_ratio", 4.0))),
        embed_dim=embed_dim,
        activation=activation,
    )


LAYOUT = Layout("open_clip", OPEN_CLIP, recognise, read_config, read)
