"""The transformers layout: `config.json` (CLIPConfig) beside `model.safetensors`, its shards, or `pytorch_model.bin`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from oddlens.backbone.checkpoint import fill, read_tensors
from oddlens.backbone.files import TRANSFORMERS, weight_files
from oddlens.backbone.layouts.base import Layout, find_weights, read_normalisation, read_typed
from oddlens.backbone.layouts.naming import pack_attention, rename, towers_only
from oddlens.backbone.layouts.shapes import check_towers, whole
from oddlens.backbone.model import ClipModel, LoadedModel, empty
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import ModelError, first_line

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


def recognise(path: Path) -> bool:
    """A folder with this layout's configuration and weights, whatever type of model it says it holds: `read` judges that."""
    return TRANSFORMERS.are_in(path)


def read_config(path: Path) -> tuple[VisionConfig, TextConfig]:
    """Read and judge the configuration alone. Raises `ModelError` where its model is none that oddlens reads."""
    config = read_typed(path, "transformers")
    try:
        vision, text = _configs(config)
        check_towers(vision, text)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path} does not describe a CLIP ({first_line(error)}): fetch the model again") from error
    return vision, text


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    vision, text = read_config(folder / TRANSFORMERS.config)
    weights = find_weights(folder)
    model = empty(lambda: ClipModel(vision, text))
    fill(model, canonical(towers_only(read_tensors(weights), weights)), str(weights))
    mean, std, more = read_normalisation(folder, CLIP_MEAN, CLIP_STD)
    files = (folder / TRANSFORMERS.config, *weight_files(weights), *tokenizer_files(folder), *more)
    return LoadedModel(model, folder_tokenizer(folder, text.context, text.vocabulary), mean, std, files)


def canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transformers' tensor names to ours; the three attention projections become one."""
    return pack_attention({rename(name, _RENAMED, _IN_BLOCKS): value for name, value in tensors.items()})


def _configs(config: dict[str, Any]) -> tuple[VisionConfig, TextConfig]:
    vision = _section(config, "vision_config", _VISION_DEFAULTS)
    text = _section(config, "text_config", _TEXT_DEFAULTS)
    embed_dim = whole(config, "projection_dim", 512)
    return (
        VisionConfig(
            image_size=whole(vision, "image_size"),
            patch_size=whole(vision, "patch_size"),
            width=whole(vision, "hidden_size"),
            layers=whole(vision, "num_hidden_layers"),
            heads=whole(vision, "num_attention_heads"),
            mlp_width=whole(vision, "intermediate_size"),
            embed_dim=embed_dim,
            activation=vision["hidden_act"],
            eps=vision["layer_norm_eps"],
        ),
        TextConfig(
            context=whole(text, "max_position_embeddings"),
            vocabulary=whole(text, "vocab_size"),
            width=whole(text, "hidden_size"),
            layers=whole(text, "num_hidden_layers"),
            heads=whole(text, "num_attention_heads"),
            mlp_width=whole(text, "intermediate_size"),
            embed_dim=embed_dim,
            activation=text["hidden_act"],
            eps=text["layer_norm_eps"],
        ),
    )


def _section(config: dict[str, Any], name: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """The settings of a tower. `text_config_dict` and `vision_config_dict`, of older files, win with all of their values.

    What they leave out counts as the default: they are whole configurations for `CLIPConfig`, which is followed here.
    """
    section = config.get(name) or {}
    older = config.get(f"{name}_dict")
    settings: dict[str, Any] = defaults | section
    return settings if older is None else settings | defaults | older


LAYOUT = Layout("transformers", TRANSFORMERS, recognise, read_config, read)
