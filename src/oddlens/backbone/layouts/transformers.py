"""The transformers layout: `config.json` (CLIPConfig) beside `model.safetensors`, its shards, or `pytorch_model.bin`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from oddlens.backbone.checkpoint import fill, read_json, read_tensors, weight_files
from oddlens.backbone.files import PREPROCESSOR, TRANSFORMERS
from oddlens.backbone.layers import Activation
from oddlens.backbone.layouts.renaming import pack_attention, rename
from oddlens.backbone.model import LoadedModel, as_rgb, empty_model
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import ModelError
from oddlens.paths import is_file

CONFIG, WEIGHTS = TRANSFORMERS

# CLIPConfig leaves out of the file what equals these defaults.
_VISION_DEFAULTS = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
_TEXT_DEFAULTS = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip

_RENAMED = (
    ("vision_model.embeddings.patch_embedding.", "vision.stem.conv."),
    ("vision_model.embeddings.class_embedding", "vision.class_embedding"),
    ("vision_model.embeddings.position_embedding.weight", "vision.position_embedding"),
    ("vision_model.pre_layrnorm.", "vision.ln_pre."),
    ("vision_model.post_layernorm.", "vision.ln_post."),
    ("vision_model.encoder.layers.", "vision.blocks."),
    ("visual_projection.", "vision.projection."),
    ("text_model.embeddings.token_embedding.", "text.token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "text.position_embedding"),
    ("text_model.encoder.layers.", "text.blocks."),
    ("text_model.final_layer_norm.", "text.ln_final."),
    ("text_projection.", "text.projection."),
)
_IN_BLOCKS = (
    ("layer_norm1.", "ln_1."), ("layer_norm2.", "ln_2."), ("self_attn.out_proj.", "out."),
    ("mlp.fc1.", "fc_1."), ("mlp.fc2.", "fc_2."),
)  # fmt: skip
_KNOWN_BUFFERS = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")


def recognise(path: Path) -> bool:
    """A folder with this layout's configuration and weights."""
    return TRANSFORMERS.are_in(path)


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    config = read_json(folder / CONFIG)
    if config.get("model_type") != "clip":
        raise ModelError(
            f"{folder / CONFIG} describes a model of type {config.get('model_type')!r}: oddlens reads CLIP models (type 'clip')"
        )
    weights = next((folder / name for name in WEIGHTS if is_file(folder / name)), None)
    if weights is None:
        raise ModelError(f"{folder} holds no weights: one of {', '.join(WEIGHTS)} must lie beside {CONFIG}")
    try:
        vision, text = _configs(config, folder / CONFIG)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{folder / CONFIG} does not describe a CLIP ({error}): fetch the model again") from error
    model = empty_model(vision, text)
    fill(model, canonical(read_tensors(weights)), str(weights), ignored=_KNOWN_BUFFERS)
    look = read_json(folder / PREPROCESSOR) if is_file(folder / PREPROCESSOR) else {}
    mean, std = as_rgb(look.get("image_mean"), CLIP_MEAN), as_rgb(look.get("image_std"), CLIP_STD)
    more = (*tokenizer_files(folder), *([folder / PREPROCESSOR] if look else []))
    return LoadedModel(
        model, folder_tokenizer(folder, text.context), mean, std, (folder / CONFIG, *weight_files(weights), *more)
    )


def canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transformers' tensor names to ours; the three attention projections become one."""
    return pack_attention({rename(name, _RENAMED, _IN_BLOCKS): value for name, value in tensors.items()})


def _configs(config: dict[str, Any], where: Path) -> tuple[VisionConfig, TextConfig]:
    vision = _VISION_DEFAULTS | (config.get("vision_config") or {})
    text = _TEXT_DEFAULTS | (config.get("text_config") or {})
    embed_dim = int(config.get("projection_dim") or 512)
    return (
        VisionConfig(
            image_size=int(vision["image_size"]),
            patch_size=int(vision["patch_size"]),
            width=int(vision["hidden_size"]),
            layers=int(vision["num_hidden_layers"]),
            heads=int(vision["num_attention_heads"]),
            mlp_width=int(vision["intermediate_size"]),
            embed_dim=embed_dim,
            activation=_activation(vision["hidden_act"], where),
            eps=float(vision["layer_norm_eps"]),
        ),
        TextConfig(
            context=int(text["max_position_embeddings"]),
            vocabulary=int(text["vocab_size"]),
            width=int(text["hidden_size"]),
            layers=int(text["num_hidden_layers"]),
            heads=int(text["num_attention_heads"]),
            mlp_width=int(text["intermediate_size"]),
            embed_dim=embed_dim,
            activation=_activation(text["hidden_act"], where),
            eps=float(text["layer_norm_eps"]),
        ),
    )


def _activation(name: object, where: Path) -> Activation:
    if name == "quick_gelu":
        return "quick_gelu"
    if name == "gelu":
        return "gelu"
    raise ModelError(f"{where} asks for the activation {name!r}: oddlens knows 'gelu' and 'quick_gelu'")
