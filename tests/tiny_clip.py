"""Tiny CLIPs with random weights, written to disk in every layout that oddlens reads.

Weights are kept under OpenAI's names, which every writer here starts from. All of them are float16 numbers, so that a layout of
float16 holds the same model as one of float32; every bias and LayerNorm is drawn at random, so that a forgotten one shows.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from oddlens.backbone.layouts import embedded
from oddlens.backbone.model import ClipModel
from oddlens.backbone.stem import PatchStem
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import clip_tokenizer, word_tokenizer
from oddlens.backbone.vision import VisionConfig

Weights = dict[str, Tensor]
HEAD_WIDTH = 64


@dataclass(frozen=True)
class Shape:
    """The measures of a tiny CLIP; heads are 64 wide and feed-forwards four times the width, as OpenAI's layout assumes."""

    image_size: int = 40
    patch_size: int = 8
    width: int = 128
    layers: int = 3
    text_width: int = 64
    text_layers: int = 2
    embed_dim: int = 32
    context: int = 77
    vocabulary: int = 49408


SHAPE = Shape()


def random_weights(seed: int = 0, shape: Shape = SHAPE) -> Weights:
    """A CLIP's tensors under OpenAI's names, float32 numbers that float16 can hold."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size: int, scale: float, around: float = 0.0) -> Tensor:
        return (around + scale * torch.randn(size, generator=generator)).half().float()

    def norm(name: str, width: int) -> Weights:
        return {f"{name}.weight": draw(width, scale=0.2, around=1.0), f"{name}.bias": draw(width, scale=0.2)}

    def linear(weight: str, bias: str, out: int, given: int) -> Weights:
        return {weight: draw(out, given, scale=given**-0.5), bias: draw(out, scale=0.2)}

    def blocks(prefix: str, width: int, layers: int) -> Weights:
        tensors: Weights = {}
        for number in range(layers):
            name = f"{prefix}resblocks.{number}"
            tensors |= norm(f"{name}.ln_1", width) | norm(f"{name}.ln_2", width)
            tensors |= linear(f"{name}.attn.in_proj_weight", f"{name}.attn.in_proj_bias", 3 * width, width)
            tensors |= linear(f"{name}.attn.out_proj.weight", f"{name}.attn.out_proj.bias", width, width)
            tensors |= linear(f"{name}.mlp.c_fc.weight", f"{name}.mlp.c_fc.bias", 4 * width, width)
            tensors |= linear(f"{name}.mlp.c_proj.weight", f"{name}.mlp.c_proj.bias", width, 4 * width)
        return tensors

    width, text_width, patch = shape.width, shape.text_width, shape.patch_size
    patches = (shape.image_size // patch) ** 2
    return {
        "visual.class_embedding": draw(width, scale=0.5),
        "visual.positional_embedding": draw(1 + patches, width, scale=0.5),
        "visual.proj": draw(width, shape.embed_dim, scale=width**-0.5),
        "visual.conv1.weight": draw(width, 3, patch, patch, scale=1 / patch),
        **norm("visual.ln_pre", width),
        **blocks("visual.transformer.", width, shape.layers),
        **norm("visual.ln_post", width),
        "token_embedding.weight": draw(shape.vocabulary, text_width, scale=0.5),
        "positional_embedding": draw(shape.context, text_width, scale=0.5),
        **blocks("transformer.", text_width, shape.text_layers),
        **norm("ln_final", text_width),
        "text_projection": draw(text_width, shape.embed_dim, scale=text_width**-0.5),
        "logit_scale": draw(scale=0.1, around=2.6),
    }


def write_open_clip(
    folder: Path,
    weights: Weights,
    shape: Shape = SHAPE,
    file: str = "open_clip_model.safetensors",
    quick_gelu: bool = False,
    text_prefix: str = "",
    change: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Path:
    """`open_clip_config.json` and weights; text_prefix "text." is the layout of open_clip's CustomTextCLIP."""
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "model_cfg": {
            "embed_dim": shape.embed_dim,
            "vision_cfg": {
                "image_size": shape.image_size, "layers": shape.layers, "width": shape.width, "patch_size": shape.patch_size,
            },
            "text_cfg": {
                "context_length": shape.context, "vocab_size": shape.vocabulary, "width": shape.text_width,
                "heads": shape.text_width // HEAD_WIDTH, "layers": shape.text_layers,
            },
        },
        "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]},
    }  # fmt: skip
    if quick_gelu:
        config["model_cfg"]["quick_gelu"] = True
    change(config)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    named = {
        name if name.startswith("visual.") or name == "logit_scale" else text_prefix + name: value
        for name, value in weights.items()
    }
    if file.endswith(".safetensors"):
        save_file(named, folder / file)
    else:
        torch.save(named, folder / file)
    return folder


def write_transformers(
    folder: Path,
    weights: Weights,
    shape: Shape = SHAPE,
    form: Literal["whole", "sharded", "bin", "sharded bin"] = "whole",
    activation: str = "quick_gelu",
    change: Callable[[dict[str, Any]], None] = lambda _: None,
    named: bool = False,
) -> Path:
    """`config.json`, `preprocessor_config.json` and weights in one file, in two shards, or as `pytorch_model.bin`.

    named: whether the weights have transformers' names already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "model_type": "clip",
        "projection_dim": shape.embed_dim,
        "vision_config": {
            "hidden_size": shape.width, "intermediate_size": 4 * shape.width, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.width // HEAD_WIDTH, "image_size": shape.image_size, "patch_size": shape.patch_size,
            "hidden_act": activation,
        },
        "text_config": {
            "hidden_size": shape.text_width, "intermediate_size": 4 * shape.text_width, "num_hidden_layers": shape.text_layers,
            "num_attention_heads": shape.text_width // HEAD_WIDTH, "max_position_embeddings": shape.context,
            "vocab_size": shape.vocabulary, "hidden_act": activation,
        },
    }  # fmt: skip
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]})
    )
    tensors = weights if named else transformers_names(weights)
    if form == "whole":
        save_file(tensors, folder / "model.safetensors")
    elif form == "bin":
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        write_shards(folder, tensors, "pytorch_model.bin" if form == "sharded bin" else "model.safetensors")
    return folder


def write_shards(folder: Path, named: Weights, whole: str = "model.safetensors") -> None:
    """The tensors in two files, and the index that says which lies where. whole: what the file is called if it is one."""
    names = sorted(named)
    stem, _, suffix = whole.rpartition(".")
    shards = {
        f"{stem}-00001-of-00002.{suffix}": names[: len(names) // 2],
        f"{stem}-00002-of-00002.{suffix}": names[len(names) // 2 :],
    }
    for file, inside in shards.items():
        tensors = {name: named[name] for name in inside}
        if suffix == "bin":
            torch.save(tensors, folder / file)
        else:
            save_file(tensors, folder / file)
    weight_map = {name: file for file, inside in shards.items() for name in inside}
    (folder / f"{whole}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def transformers_names(weights: Weights) -> Weights:
    """OpenAI's names to transformers': query, key and value apart, projections as Linear keeps them."""
    named: Weights = {}
    for name, value in weights.items():
        if "in_proj_" in name:
            for part, rows in zip("qkv", value.chunk(3), strict=True):
                named[_transformers_name(name.replace("in_proj_", f"{part}_proj."))] = rows.contiguous()
        elif name in {"visual.proj", "text_projection"}:
            named[_transformers_name(name)] = value.T.contiguous()
        else:
            named[_transformers_name(name)] = value
    return named


def _transformers_name(name: str) -> str:
    exact = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.proj": "visual_projection.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "text_projection": "text_projection.weight",
        "logit_scale": "logit_scale",
    }
    if name in exact:
        return exact[name]
    tower, rest = ("vision_model", name.removeprefix("visual.")) if name.startswith("visual.") else ("text_model", name)
    for old, new in (
        ("transformer.resblocks.", "encoder.layers."), ("attn.", "self_attn."), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"),
        ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"), ("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm"),
        ("ln_final", "final_layer_norm"),
    ):  # fmt: skip
        rest = rest.replace(old, new)
    return f"{tower}.{rest}"


def write_openai_state(path: Path, weights: Weights) -> Path:
    """OpenAI's file as a plain state dict in float16, with the three numbers that their program keeps in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {
        "input_resolution": torch.tensor(40),
        "context_length": torch.tensor(77),
        "vocab_size": torch.tensor(49408),
    }
    torch.save({name: value.half() for name, value in weights.items()} | numbers, path)
    return path


class _Node(nn.Module):
    """A module of a scripted tree: holds parameters and further nodes."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def write_openai_archive(path: Path, weights: Weights, numbers: bool = True) -> Path:
    """OpenAI's file as they publish it: a TorchScript archive in float16. numbers: those that their program keeps in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    root = _Node()
    for name, value in weights.items():
        node = root
        *folders, last = name.split(".")
        for folder in folders:
            if not hasattr(node, folder):
                node.add_module(folder, _Node())
            node = getattr(node, folder)
        node.register_parameter(last, nn.Parameter(value.half()))
    for name, number in (("input_resolution", 40), ("context_length", 77), ("vocab_size", 49408)) if numbers else ():
        root.register_buffer(name, torch.tensor(number))
    next(module for name, module in root.named_modules() if name.endswith("visual")).patches = 25
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # their files are of this kind, deprecated or not
        torch.jit.save(torch.jit.script(root), path)
    return path


WORDS = ("part", "photo", "a", "the", "damaged", "flawless", "with", "without", "defect", "flaw", "damage", ".")


def write_embedded(folder: Path, seed: int = 0) -> Path:
    """A tiny model of our own layout: random towers on the published stem, 64 px (a 4x4 grid), whole words."""
    from oddlens.backbone.efficientnet import HybridStem

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = word_tokenizer([*WORDS, *"abcdefghijklmnopqrstuvwxyz0123456789-"], context=77)
    vision = VisionConfig(64, 16, width=32, layers=2, heads=2, mlp_width=64, embed_dim=16, activation="gelu")
    text = TextConfig(77, tokenizer.size, width=32, layers=2, heads=2, mlp_width=64, embed_dim=16, activation="gelu")
    model = ClipModel(vision, text, HybridStem(vision.width))
    randomise(model, seed)
    save_file(
        {
            name: value.half().contiguous()
            for name, value in model.state_dict().items()
            if not name.startswith(embedded.TRUNK)
        },
        folder / embedded.WEIGHTS,
    )
    (folder / embedded.CONFIG).write_text(json.dumps(embedded.describe(model)))
    tokenizer.save(folder / "tokenizer.json")
    return folder


def write_clip_vocabulary(folder: Path) -> None:
    """CLIP's tokenizer as `vocab.json` and `merges.txt`, as older folders keep it."""
    path = folder / "tokenizer-for-copying.json"
    clip_tokenizer().save(path)
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    path.unlink()
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")


@torch.no_grad()
def randomise(module: nn.Module, seed: int = 0) -> None:
    """Draw every parameter anew: matrices by their fan-in, gains around 1, everything else around 0."""
    generator = torch.Generator().manual_seed(seed)
    gains = {f"{name}.weight" for name, part in module.named_modules() if isinstance(part, nn.LayerNorm)}
    for name, parameter in module.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if name in gains:
            parameter.copy_(1 + 0.2 * drawn)
        elif parameter.ndim > 1 and "embedding" not in name:
            parameter.copy_(drawn * parameter[0].numel() ** -0.5)
        else:
            parameter.copy_(0.3 * drawn)


def random_model(seed: int = 0, image_size: int = 40, width: int = 64, heads: int = 4, layers: int = 3) -> ClipModel:
    """A small model in memory, with heads of any width; its vocabulary has 100 entries."""
    vision = VisionConfig(image_size, 8, width, layers, heads, 2 * width, embed_dim=24, activation="gelu")
    text = TextConfig(20, 100, width=32, layers=3, heads=2, mlp_width=64, embed_dim=24, activation="gelu")
    model = ClipModel(vision, text, PatchStem(width, 8))
    randomise(model, seed)
    return model.requires_grad_(False)
