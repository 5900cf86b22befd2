"""The open_clip layout: `open_clip_config.json` beside `open_clip_model.safetensors` or `open_clip_pytorch_model.bin`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from oddlens.backbone.convnext import ConvNextTower
from oddlens.backbone.files import OPEN_CLIP, read_json, weight_files
from oddlens.backbone.layouts import convnext
from oddlens.backbone.layouts.base import Layout, find_weights
from oddlens.backbone.layouts.naming import Pairs, rename, towers_only
from oddlens.backbone.layouts.settings import Settings
from oddlens.backbone.model import ClipModel, LoadedModel, Model, empty, transposed
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD, SMALLEST_STD, Rgb
from oddlens.backbone.options import Activation
from oddlens.backbone.text import TextConfig, TextTower
from oddlens.backbone.tokenizer import folder_tokenizer, tokenizer_files
from oddlens.backbone.vision import VisionConfig
from oddlens.backbone.weights_file import fill, read_tensors
from oddlens.errors import ModelError

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
    """What a configuration says.

    Attributes:
        vision: The shape of the vision tower; of a ConvNeXt its settings, as only the tensors show its shape.
        text: The shape of the text tower.
        mean: Of RGB in [0, 1].
        std: Likewise.
    """

    vision: VisionConfig | Settings
    text: TextConfig
    mean: Rgb
    std: Rgb


def recognise(path: Path) -> bool:
    """A folder with this layout's configuration and weights."""
    return OPEN_CLIP.are_in(path)


def read_config(path: Path) -> Described:
    """Read and judge the configuration alone. Raises `ModelError` where oddlens does not read its model."""
    config = read_json(path)
    model = Settings(config.get("model_cfg") or {}, f"model_cfg in {path}")
    vision, text = model.get("vision_cfg"), model.get("text_cfg")
    if not isinstance(vision, dict) or not isinstance(text, dict):
        raise ModelError(f"{path} lacks model_cfg, or vision_cfg or text_cfg in it: this is not an open_clip model")
    _refuse_foreign(vision, text, path)
    activation: Activation = "quick_gelu" if model.get("quick_gelu") else "gelu"
    embed_dim = model.whole("embed_dim")
    seen = Settings(vision, f"vision_cfg in {path}")
    text_config = _text_config(Settings(text, f"text_cfg in {path}"), embed_dim, activation)
    pixels = config.get("preprocess_cfg")
    pixels = Settings(pixels if isinstance(pixels, dict) else {}, f"preprocess_cfg in {path}")
    mean, std = pixels.rgb("mean", CLIP_MEAN), pixels.rgb("std", CLIP_STD, least=SMALLEST_STD)
    if convnext.is_convnext(vision):
        convnext.check_head(seen)
        return Described(seen, text_config, mean, std)
    return Described(_vision_config(seen, embed_dim, activation), text_config, mean, std)


def read(folder: Path) -> LoadedModel:
    """Load the folder. Raises `ModelError`."""
    path, weights = folder / OPEN_CLIP.config, find_weights(folder, OPEN_CLIP)
    described = read_config(path)
    model, tensors = _model(described, towers_only(read_tensors(weights), weights))
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


def _model(described: Described, raw: dict[str, Tensor]) -> tuple[Model, dict[str, Tensor]]:
    """The empty model that a configuration describes, and its tensors under our names."""
    vision, text = described.vision, described.text
    if isinstance(vision, VisionConfig):
        return empty(lambda: ClipModel(vision, text)), canonical(raw)
    tensors = transposed(_renamed(raw, convnext.RENAMED, convnext.IN_BLOCKS), "text.projection.weight")
    shape = convnext.config_of(vision, text.embed_dim, tensors)
    return empty(lambda: Model(ConvNextTower(shape), TextTower(text))), tensors


def _refuse_foreign(vision: Mapping[str, object], text: Mapping[str, object], where: Path) -> None:
    """Raise `ModelError` for towers that compute something else than a ViT CLIP's or a ConvNeXt."""
    allowed = {"timm_model_name"} if convnext.is_convnext(vision) else set()
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


def _vision_config(settings: Settings, embed_dim: int, activation: Activation) -> VisionConfig:
    width = settings.whole("width")
    shape = VisionConfig(
        image_size=settings.whole("image_size"),
        patch_size=settings.whole("patch_size"),
        width=width,
        layers=settings.whole("layers"),
        heads=width // settings.whole("head_width", 64),
        mlp_width=int(width * settings.number("mlp_ratio", 4.0)),
        embed_dim=embed_dim,
        activation=activation,
    )
    settings.check(shape)
    return shape


def _text_config(settings: Settings, embed_dim: int, activation: Activation) -> TextConfig:
    width = settings.whole("width")
    shape = TextConfig(
        context=settings.whole("context_length", 77),
        vocabulary=settings.whole("vocab_size", 49408),
        width=width,
        layers=settings.whole("layers"),
        heads=settings.whole("heads"),
        mlp_width=int(width * settings.number("mlp_ratio", 4.0)),
        embed_dim=embed_dim,
        activation=activation,
    )
    settings.check(shape)
    return shape


LAYOUT = Layout("open_clip", OPEN_CLIP, recognise, read_config, read)
