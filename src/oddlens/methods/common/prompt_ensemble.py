"""Prompt ensembles: states x templates -> sentences about an object, and their prototypes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.errors import UsageError, choices

TextEncoder = Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class States:
    """Phrases for the normal and the abnormal state; "{}" stands for the object name."""

    normal: tuple[str, ...]
    abnormal: tuple[str, ...]


@cache
def load_states(name: str) -> States:
    """A named list of states from the vocabulary files; `UsageError` for an unknown name."""
    entry = _entry("states.json", name)
    return States(tuple(entry["normal"]), tuple(entry["abnormal"]))


@cache
def load_templates(name: str) -> tuple[str, ...]:
    """A named list of templates from the vocabulary files; `UsageError` for an unknown name."""
    return tuple(_entry("templates.json", name)["templates"])


@cache
def load_framed(name: str, kind: str) -> tuple[str, ...]:
    """A named list of templates made of frames and of what a picture is called for a kind of thing, "object" or "texture".

    Every frame with the first word for the picture, then with the second. `UsageError` for an unknown name.
    """
    entry = _entry("frames.json", name)
    return tuple(
        frame.replace("[a photo]", f"{'an' if photo[0] in 'aeiou' else 'a'} {photo}").replace("[photo]", photo)
        for photo in entry[kind]
        for frame in entry["frames"]
    )


def sentences(object_name: str, states: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Every template filled with every state of the object; template-major."""
    phrases = [state.replace("{}", object_name) for state in states]
    return [template.replace("{}", phrase) for template in templates for phrase in phrases]


def prototypes(
    encode: TextEncoder, object_name: str, states: States, templates: Sequence[str], *, unit_sentences: bool = False
) -> Tensor:
    """The normal and abnormal prototype of an object: float32 [2, embed_dim], unit norm, row 0 normal, row 1 abnormal.

    Each is the mean of the text features, normalised afterwards. unit_sentences: the features are scaled to unit length before
    (APRIL-GAN, released code), so that all sentences weigh the same; without it they are not (WinCLIP's public ports).
    """
    normal = sentences(object_name, states.normal, templates)
    abnormal = sentences(object_name, states.abnormal, templates)
    features = encode([*normal, *abnormal])
    if unit_sentences:
        features = F.normalize(features, dim=-1)
    means = torch.stack([features[: len(normal)].mean(dim=0), features[len(normal) :].mean(dim=0)])
    return F.normalize(means, dim=-1)


def _entry(file: str, name: str) -> dict[str, list[str]]:
    lists = json.loads(resources.files("oddlens.methods.common").joinpath("data", file).read_text(encoding="utf-8"))
    if name not in lists:
        raise UsageError(f"there is no list named {name!r} in {file}{choices(name, sorted(lists))}")
    entry: dict[str, list[str]] = lists[name]
    return entry
