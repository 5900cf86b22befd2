"""The captions of street scenes: the vocabulary of the street pair, and a sentence for every word."""

from __future__ import annotations

from functools import cache

import numpy as np

from lab.mini.captions import vocabulary as mini_vocabulary
from lab.streets import WORDS
from oddlens.methods.common.templates import load_templates

CONTEXT = 32
"""Tokens a prompt may have."""

_MORE_TEMPLATES = ("{}", "a {}", "the {}")


@cache
def templates() -> tuple[str, ...]:
    """The prompt templates of streets, and the bare word."""
    return (*load_templates("scene"), *_MORE_TEMPLATES)


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the templates and of the streets, and of the embedded model; then single characters."""
    ours = {word for text in (*templates(), *WORDS) for word in text.replace("{}", "").replace(".", "").split()}
    parts = {part for word in ours for part in word.split("-")}
    return tuple(sorted({*mini_vocabulary(), *parts}))


def sentences(rng: np.random.Generator) -> list[str]:
    """A random template filled with each word of `WORDS`, in their order."""
    return [
        str(template).replace("{}", word)
        for template, word in zip(rng.choice(templates(), len(WORDS)), WORDS, strict=True)
    ]
