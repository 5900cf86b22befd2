"""The transformers layout of SigLIP and of SigLIP 2 with a fixed resolution, which is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from oddlens.backbone.files import TRANSFORMERS, weight_files
from oddlens.backbone.layouts.base import (
    Layout,
    find_weights,
    is_of_type,
    read_normalisation,
    read_typed,
    without_leading_ones,
)
from oddlens.backbone.layouts.naming import pack_attention, rename
from oddlens.backbone.layouts.settings import Settings
from oddlens.backbone.model import LoadedModel, Model, empty
from oddlens.backbone.normalisation import HALF
from oddlens.backbone.siglip import SiglipConfig, SiglipText, SiglipTextConfig, SiglipTower
from oddlens.backbone.siglip_tokenizer import siglip_tokenizer
from oddlens.backbone.tokenizer import tokenizer_files
from oddlens.backbone.weights_file import fill, read_tensors
from oddlens.errors import ModelError

# What transformers' configurations leave out where it equals these.
_DEFAULTS = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
}  # fmt: skip
_VISION_DEFAULTS = _DEFAULTS | {"num_channels": 3, "image_size": 224, "patch_size": 16, "vision_use_head": True}
_TEXT_DEFAULTS = _DEFAULTS | {"vocab_size": 32000, "max_position_embeddings": 64}

_RENAMED = (
    ("vision_model.embeddings.patch_embedding.", "vision.patches."),
    ("vision_model.embeddings.position_embedding.weight", "vision.position_embedding"),
    ("vision_model.encoder.layers.", "vision.blocks."),
    ("vision_model.post_layernorm.", "vision.head.ln_1."),
    ("vision_model.head.probe", "vision.head.probe"),
    ("vision_model.head.attention.in_proj_", "vision.head.qkv."),
    ("vision_model.head.attention.out_proj.", "vision.head.out."),
    ("vision_model.head.layernorm.", "vision.head.ln_2."),
    ("vision_model.head.", "vision.head."),
    ("text_model.embeddings.token_embedding.", "text.token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "text.position_embedding"),
    ("text_model.encoder.layers.", "text.blocks."),
    ("text_model.final_layer_norm.", "text.ln_final."),
    ("text_model.head.", "text.projection."),
)
_IN_BLOCKS = (
    ("layer_norm1.", "ln_1."), ("layer_norm2.", "ln_2."), ("self_attn.out_proj.", "out."),
    ("mlp.fc1.", "fc_1."), ("mlp.fc2.", "fc_2."),
)  # fmt: skip
_KNOWN_BUFFERS = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")


def recognise(path: Path) -> bool:
    """A folder whose configuration says that it is a SigLIP."""
    return is_of_type(path, "siglip")


def read_config(path: Path) -> tuple[SiglipConfig, SiglipTextConfig]:
    """Read and judge the configuration alone. Raises `ModelError`."""
    return config_of(read_typed(path, "siglip"), str(path))


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    vision, text = read_config(folder / TRANSFORMERS.config)
    weights = find_weights(folder)
    tokenizer, pad = siglip_tokenizer(folder, text.context, text.vocabulary)
    padded = replace(text, pad=pad)
    model = empty(lambda: Model(SiglipTower(vision), SiglipText(padded), with_bias=True))
    fill(model, canonical(read_tensors(weights)), str(weights), ignored=_KNOWN_BUFFERS)
    mean, std, more = read_normalisation(folder, HALF, HALF)
    files = (folder / TRANSFORMERS.config, *weight_files(weights), *tokenizer_files(folder), *more)
    return LoadedModel(model, tokenizer, mean, std, files)


def config_of(config: dict[str, object], where: str) -> tuple[SiglipConfig, SiglipTextConfig]:
    """The shapes that a configuration describes. Raises `ModelError` for one that is no SigLIP that oddlens computes."""
    seen = Settings(config.get("vision_config"), f"vision_config in {where}", _VISION_DEFAULTS)
    seen.require("num_channels", 3)
    seen.require("vision_use_head", True)
    width = seen.whole("hidden_size")
    vision = SiglipConfig(
        image_size=seen.side("image_size"),
        patch_size=seen.side("patch_size"),
        width=width,
        layers=seen.whole("num_hidden_layers"),
        heads=seen.heads("num_attention_heads", width),
        mlp_width=seen.whole("intermediate_size"),
        activation=seen.nonlinearity("hidden_act"),
        eps=seen.number("layer_norm_eps"),
    )
    read = Settings(config.get("text_config"), f"text_config in {where}", _TEXT_DEFAULTS)
    text_width = read.whole("hidden_size")
    text = SiglipTextConfig(
        context=read.whole("max_position_embeddings"),
        vocabulary=read.whole("vocab_size"),
        width=text_width,
        layers=read.whole("num_hidden_layers"),
        heads=read.heads("num_attention_heads", text_width),
        mlp_width=read.whole("intermediate_size"),
        embed_dim=read.whole("projection_size", text_width),
        activation=read.nonlinearity("hidden_act"),
        eps=read.number("layer_norm_eps"),
    )
    seen.check(vision)
    read.check(text)
    if text.embed_dim != vision.embed_dim:
        raise ModelError(
            f"{where} describes texts {text.embed_dim} wide and images {vision.embed_dim} wide, which cannot be compared: "
            "fetch the model again"
        )
    return vision, text


def canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transformers' tensor names and shapes to ours; the three attention projections become one."""
    renamed = pack_attention({rename(name, _RENAMED, _IN_BLOCKS): value for name, value in tensors.items()})
    return without_leading_ones(renamed, {"vision.head.probe": 1, "logit_scale": 0, "logit_bias": 0})


LAYOUT = Layout("siglip", TRANSFORMERS, recognise, read_config, read)
