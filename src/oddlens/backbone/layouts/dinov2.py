"""The transformers layout of DINOv2, with and without registers: `config.json` beside `model.safetensors` or its like."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from oddlens.backbone.dinov2 import Dinov2Config, Dinov2Tower
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
from oddlens.backbone.normalisation import IMAGENET_MEAN, IMAGENET_STD
from oddlens.backbone.weights_file import fill, read_tensors

_WITH_REGISTERS = "dinov2_with_registers"

# What transformers' configurations leave out where it equals these.
_DEFAULTS = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "mlp_ratio": 4, "hidden_act": "gelu",
    "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14, "num_channels": 3, "qkv_bias": True, "use_swiglu_ffn": False,
}  # fmt: skip
_DEFAULTS_WITH_REGISTERS = _DEFAULTS | {"patch_size": 16, "num_register_tokens": 4}

_RENAMED = (
    ("embeddings.patch_embeddings.projection.", "vision.patches."),
    ("embeddings.cls_token", "vision.class_embedding"),
    ("embeddings.register_tokens", "vision.register_tokens"),
    ("embeddings.position_embeddings", "vision.position_embedding"),
    ("encoder.layer.", "vision.blocks."),
    ("layernorm.", "vision.ln_post."),
)
_IN_BLOCKS = (
    ("norm1.", "ln_1."), ("norm2.", "ln_2."), ("layer_scale1.lambda1", "scale_1"), ("layer_scale2.lambda1", "scale_2"),
    ("attention.attention.query.", "self_attn.q_proj."), ("attention.attention.key.", "self_attn.k_proj."),
    ("attention.attention.value.", "self_attn.v_proj."), ("attention.output.dense.", "out."),
    ("mlp.fc1.", "fc_1."), ("mlp.fc2.", "fc_2."), ("mlp.weights_in.", "fc_1."), ("mlp.weights_out.", "fc_2."),
)  # fmt: skip
_UNUSED = ("embeddings.mask_token",)  # of the training


def recognise(path: Path) -> bool:
    """A folder whose configuration says that it is a DINOv2."""
    return is_of_type(path, "dinov2")


def read_config(path: Path) -> Dinov2Config:
    """Read and judge the configuration alone. Raises `ModelError`."""
    return config_of(read_typed(path, "dinov2"), str(path))


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    config = read_config(folder / TRANSFORMERS.config)
    weights = find_weights(folder)
    model = empty(lambda: Model(Dinov2Tower(config)))
    fill(model, canonical(read_tensors(weights)), str(weights), ignored=_UNUSED)
    mean, std, more = read_normalisation(folder, IMAGENET_MEAN, IMAGENET_STD)
    return LoadedModel(model, None, mean, std, (folder / TRANSFORMERS.config, *weight_files(weights), *more))


def config_of(config: dict[str, object], where: str) -> Dinov2Config:
    """The shape that a configuration describes. Raises `ModelError` for one that is no DINOv2 that oddlens computes."""
    has_registers = config.get("model_type") == _WITH_REGISTERS
    settings = Settings(config, where, _DEFAULTS_WITH_REGISTERS if has_registers else _DEFAULTS)
    settings.require("num_channels", 3)
    settings.require("qkv_bias", True)
    width = settings.whole("hidden_size")
    mlp_width = width * settings.whole("mlp_ratio")
    swiglu = settings.flag("use_swiglu_ffn")
    shape = Dinov2Config(
        image_size=settings.side("image_size"),
        patch_size=settings.side("patch_size"),
        width=width,
        layers=settings.whole("num_hidden_layers"),
        heads=settings.heads("num_attention_heads", width),
        mlp_width=-(-int(mlp_width * 2 / 3) // 8) * 8 if swiglu else mlp_width,
        registers=settings.whole("num_register_tokens") if has_registers else 0,
        activation="swiglu" if swiglu else settings.nonlinearity("hidden_act"),
        position="bicubic" if has_registers else "bicubic_plain",
        eps=settings.number("layer_norm_eps"),
    )
    settings.check(shape)
    return shape


def canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transformers' tensor names and shapes to ours; the three attention projections become one."""
    renamed = pack_attention({rename(name, _RENAMED, _IN_BLOCKS): value for name, value in tensors.items()})
    return without_leading_ones(
        renamed, {"vision.class_embedding": 1, "vision.register_tokens": 2, "vision.position_embedding": 2}
    )


LAYOUT = Layout("dinov2", TRANSFORMERS, recognise, read_config, read)
