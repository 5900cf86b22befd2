"""Tiny SigLIPs of transformers' own with random weights, and the two kinds of tokenizer that lie beside such models."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any, Literal

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

from tests.tiny_clip import randomise

PATCH, WIDTH, LAYERS, CONTEXT = 8, 48, 3, 16

GEMMA_VOCABULARY = {
    token: number
    for number, token in enumerate(
        ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *string.printable[:95], "ph", "pho", "▁pho", "ar"]
    )
}
GEMMA_MERGES = [("p", "h"), ("ph", "o"), ("▁", "pho"), ("a", "r")]
SIGLIP_PIECES = ["<pad>", "</s>", "<unk>", "▁", *string.ascii_letters, *string.digits, "▁photo", "▁part", "art", "▁a"]

Kind = Literal["siglip", "siglip2"]


def their_siglip(kind: Kind = "siglip", grid: int = 5, seed: int = 0, context: int = CONTEXT) -> Any:
    """A model of theirs, 4 vision heads of 12 and 2 text heads of 16; every bias and LayerNorm is drawn at random."""
    from transformers import SiglipConfig, SiglipModel

    shared = {"num_hidden_layers": LAYERS, "layer_norm_eps": 1e-4}
    config = SiglipConfig(
        vision_config=shared
        | {
            "hidden_size": WIDTH, "intermediate_size": 100, "num_attention_heads": 4, "image_size": grid * PATCH,
            "patch_size": PATCH,
        },
        text_config=shared
        | {
            "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "projection_size": WIDTH,
            "vocab_size": len(GEMMA_VOCABULARY if kind == "siglip2" else SIGLIP_PIECES), "max_position_embeddings": context,
        },
    )  # fmt: skip
    model = SiglipModel(config)
    randomise(model, seed)
    return model.eval().requires_grad_(False)


def gemma_tokenizer() -> tokenizers.Tokenizer:
    """As beside SigLIP 2's models: letters of both cases, and a frame with a start token, which SigLIP 2 does not use."""
    inner = tokenizers.Tokenizer(
        models.BPE(vocab=GEMMA_VOCABULARY, merges=GEMMA_MERGES, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    inner.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return inner


def siglip_tokenizer_file() -> tokenizers.Tokenizer:
    """As beside SigLIP's models: SentencePiece's unigram pieces. It neither lowers cases nor frames."""
    scores = [0.0 if piece.startswith("<") else -1.0 / len(piece) - 1 for piece in SIGLIP_PIECES]
    inner = tokenizers.Tokenizer(models.Unigram(list(zip(SIGLIP_PIECES, scores, strict=True)), 2, False))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    return inner


def write_siglip(folder: Path, kind: Kind = "siglip", **options: Any) -> Path:
    """`config.json`, `model.safetensors` and `tokenizer.json`."""
    their_siglip(kind, **options).save_pretrained(folder)
    tokenizer = gemma_tokenizer() if kind == "siglip2" else siglip_tokenizer_file()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
