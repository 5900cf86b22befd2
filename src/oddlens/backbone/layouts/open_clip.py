"""The open_clip layout: `open_clip_config.json` beside `open_clip_model.safetensors` or `open_clip_pytorch_model.bin`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from oddlens.backbone.checkpoint import fill, read_json, read_tensors
from oddlens.backbone.files import OPEN_CLIP
from oddlens.backbone.layers import Activation
from oddlens.backbone.layouts import convnext
from oddlens.backbone.layouts.renaming import Pairs, rename
from oddlens.backbone.model import AnyClip, LoadedModel, as_rgb, empty_convnext, empty_model, transposed
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import ModelError
from oddlens.paths import is_file

CONFIG, WEIGHTS = OPEN_CLIP

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
    "timm_model_name", "hf_model_name", "attentional_pool", "pool_type", "embed_cls", "no_causal_mask", "no_ln_pre",
    "final_ln_after_pool", "norm_kwargs", "act_kwargs", "pos_embed_type",
)  # fmt: skip
_PLAIN = ("tok", "argmax", "learnable")


def recognise(path: Path) -> bool:
    """A folder with this layout's configuration and weights."""
    return OPEN_CLIP.are_in(path)


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    config = read_json(folder / CONFIG)
    model_config = config.get("model_cfg")
    if not isinstance(model_config, dict):
        raise ModelError(f"{folder / CONFIG} has no model_cfg: this is not an open_clip model")
    weights = next((folder / name for name in WEIGHTS if is_file(folder / name)), None)
    if weights is None:
        raise ModelError(f"{folder} holds no weights: one of {', '.join(WEIGHTS)} must lie beside {CONFIG}")
    try:
        model, tensors = _model(model_config, folder / CONFIG, weights)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder / CONFIG} does not describe a CLIP ({error}): fetch the model again") from error
    fill(model, tensors, str(weights), ignored=("attn_mask", "text.attn_mask"))
    look = config.get("preprocess_cfg")
    look = look if isinstance(look, dict) else {}
    mean, std = as_rgb(look.get("mean"), CLIP_MEAN), as_rgb(look.get("std"), CLIP_STD)
    tokenizer = folder_tokenizer(folder, model.text.config.context)
    return LoadedModel(model, tokenizer, mean, std, (folder / CONFIG, weights, *tokenizer_files(folder)))


def canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """open_clip's and OpenAI's tensor names to ours."""
    return transposed(_renamed(tensors, _VISION), "vision.projection.weight", "text.projection.weight")


def _renamed(tensors: dict[str, Tensor], vision: Pairs, in_blocks: Pairs = ()) -> dict[str, Tensor]:
    return {
        rename(name.removeprefix("text."), (*vision, *_TEXT), (*_IN_BLOCKS, *in_blocks)): value
        for name, value in tensors.items()
    }


def _model(config: dict[str, Any], where: Path, weights: Path) -> tuple[AnyClip, dict[str, Tensor]]:
    """The empty model that a configuration describes, and its tensors under our names."""
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
    act: Activation = "quick_gelu" if config.get("quick_gelu") else "gelu"
    text_config = _text_config(text, int(config["embed_dim"]), act)
    if not is_convnext:
        return empty_model(_vision_config(vision, int(config["embed_dim"]), act), text_config), canonical(
            read_tensors(weights)
        )
    tensors = transposed(
        _renamed(read_tensors(weights), convnext.RENAMED, convnext.IN_BLOCKS), "text.projection.weight"
    )
    shape = convnext.config_of(vision, int(config["embed_dim"]), tensors, str(where))
    return empty_convnext(shape, text_config), tensors


def _vision_config(vision: dict[str, Any], embed_dim: int, activation: Activation) -> VisionConfig:
    width = int(vision["width"])
    return VisionConfig(
        image_size=int(vision["image_size"]),
        patch_size=int(vision["patch_size"]),
        width=width,
        layers=int(vision["layers"]),
        heads=width // int(vision.get("head_width", 64)),
        mlp_width=int(width * float(vision.get("mlp_ratio", 4.0))),
        embed_dim=embed_dim,
        activation=activation,
    )


def _text_config(text: dict[str, Any], embed_dim: int, activation: Activation) -> TextConfig:
    width = int(text["width"])
    return TextConfig(
        context=int(text.get("context_length", 77)),
        vocabulary=int(text.get("vocab_size", 49408)),
        width=width,
        layers=int(text["layers"]),
        heads=int(text["heads"]),
        mlp_width=int(width * float(text.get("mlp_ratio", 4.0))),
        embed_dim=embed_dim,
        activation=activation,
    )
