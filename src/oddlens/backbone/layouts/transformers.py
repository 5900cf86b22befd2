"""The transformers layout: `config.json` (CLIPConfig) beside `model.safetensors`, its shards, or `pytorch_model.bin`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from oddlens.backbone.files import TRANSFORMERS, weight_files
from oddlens.backbone.layouts.base import Layout, find_weights, read_normalisation, read_typed
from oddlens.backbone.layouts.naming import pack_attention, rename, towers_only
from oddlens.backbone.layouts.settings import Settings
from oddlens.backbone.model import ClipModel, LoadedModel, empty
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.backbone.weights_file import fill, read_tensors

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
    """A folder with this layout's configuration and weights. `read` judges the type of the model."""
    return TRANSFORMERS.are_in(path)


def read_config(path: Path) -> tuple[VisionConfig, TextConfig]:
    """Read and judge the configuration alone. Raises `ModelError` where oddlens does not read its model."""
    config = read_typed(path, "transformers")
    seen = Settings(_section(config, "vision_config", _VISION_DEFAULTS), f"vision_config in {path}")
    read = Settings(_section(config, "text_config", _TEXT_DEFAULTS), f"text_config in {path}")
    embed_dim = Settings(config, str(path)).whole("projection_dim", 512)
    vision = VisionConfig(
        image_size=seen.whole("image_size"),
        patch_size=seen.whole("patch_size"),
        width=seen.whole("hidden_size"),
        layers=seen.whole("num_hidden_layers"),
        heads=seen.whole("num_attention_heads"),
        mlp_width=seen.whole("intermediate_size"),
        embed_dim=embed_dim,
        activation=seen.gelu("hidden_act"),
        eps=seen.number("layer_norm_eps"),
    )
    text = TextConfig(
        context=read.whole("max_position_embeddings"),
        vocabulary=read.whole("vocab_size"),
        width=read.whole("hidden_size"),
        layers=read.whole("num_hidden_layers"),
        heads=read.whole("num_attention_heads"),
        mlp_width=read.whole("intermediate_size"),
        embed_dim=embed_dim,
        activation=read.gelu("hidden_act"),
        eps=read.number("layer_norm_eps"),
    )
    seen.check(vision)
    read.check(text)
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


def _section(config: Mapping[str, object], name: str, defaults: Mapping[str, object]) -> object:
    """The settings of a tower. `text_config_dict` and `vision_config_dict`, of older files, win with all of their values.

    What they leave out counts as the default: they are whole configurations for `CLIPConfig`, which is followed here.
    """
    section, older = config.get(name) or {}, config.get(f"{name}_dict")
    if not isinstance(section, dict) or not (older is None or isinstance(older, dict)):
        return section if not isinstance(section, dict) else older
    return {**defaults, **section} if older is None else {**defaults, **section, **defaults, **older}


LAYOUT = Layout("transformers", TRANSFORMERS, recognise, read_config, read)
