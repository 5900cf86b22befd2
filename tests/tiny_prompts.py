"""Learned prompts of AnomalyCLIP for tiny models, as files of ours and as the authors write them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.methods.anomaly_clip.prompts import LearnablePrompts
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.weights import write_weights


def random_prompts(backbone: Backbone, recipe: AnomalyCLIPRecipe, seed: int = 0) -> LearnablePrompts:
    """Prompts as large as the words around them, so that all of them matter."""
    prompts = LearnablePrompts(
        backbone.text, backbone.tokenizer, recipe.context_length, recipe.prompt_depth, recipe.deep_tokens, seed
    )
    with torch.no_grad():
        for parameter in prompts.parameters():
            parameter *= 25
    return prompts


def write_ours(path: Path, tensors: dict[str, Tensor], backbone: Backbone, recipe: AnomalyCLIPRecipe) -> Path:
    made = {"method": "anomalyclip", "recipe": asdict(recipe), **backbone.identity.to_dict()}
    write_weights(path, tensors, made)
    return path


def authors_state(prompts: LearnablePrompts, backbone: Backbone) -> dict[str, Tensor]:
    """All that their files hold: learned tokens, word embeddings to the end of the context, ids, projections."""
    width, context = backbone.text.config.width, backbone.text.config.context
    padding = backbone.text.token_embedding.weight[:1].expand(context, -1)
    state = dict(prompts.state_dict())
    for side, learned, fixed in (
        ("pos", prompts.ctx_pos, prompts.fixed[0]),
        ("neg", prompts.ctx_neg, prompts.fixed[1]),
    ):
        whole = torch.cat([fixed, padding])[: context - len(learned)]
        state[f"ctx_{side}"] = learned.detach()[None, None]
        state[f"token_prefix_{side}"] = whole[None, None, :1].clone()
        state[f"token_suffix_{side}"] = whole[None, None, 1:].clone()
        state[f"tokenized_prompts_{side}"] = torch.zeros(1, 1, context, dtype=torch.int32)
    for number in range(len(prompts.compound_prompts_text)):
        state[f"compound_prompt_projections.{number}.weight"] = torch.zeros(896, width)
        state[f"compound_prompt_projections.{number}.bias"] = torch.zeros(896)
    return state


def write_authors(
    path: Path,
    prompts: LearnablePrompts,
    backbone: Backbone,
    change: Callable[[dict[str, Tensor]], object] = lambda _: None,
) -> Path:
    state = authors_state(prompts, backbone)
    change(state)
    torch.save({"prompt_learner": state}, path)
    return path
