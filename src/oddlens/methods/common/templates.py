"""Sentences about an object: states and templates from the packaged lists, filled with its name. No torch is needed for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from oddlens.errors import UsageError, choices


@dataclass(frozen=True)
class States:
    """Phrases for the normal and the abnormal state; "{}" stands for the object name."""

    normal: tuple[str, ...]
    abnormal: tuple[str, ...]


@dataclass(frozen=True)
class PromptEnsemble:
    """The sentences that an object's two prototypes are made of.

    Attributes:
        states: Phrases for the normal and the abnormal state.
        templates: Sentences that each phrase is put into.
        unit_sentences: Whether the embeddings of the sentences are scaled to unit length before their mean is taken.
    """

    states: States
    templates: tuple[str, ...]
    unit_sentences: bool = False

    def sentences(self, object_name: str) -> tuple[list[str], list[str]]:
        """The normal and the abnormal sentences of an object."""
        normal, abnormal = (
            sentences(object_name, each, self.templates) for each in (self.states.normal, self.states.abnormal)
        )
        return normal, abnormal


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
    """A named list of templates made of frames and of what an image is called for a kind of thing, "object" or "texture".

    Every frame with the first word for the image, then with the second. `UsageError` for an unknown name.
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


def _entry(file: str, name: str) -> dict[str, list[str]]:
    lists = json.loads(resources.files("oddlens.methods.common").joinpath("data", file).read_text(encoding="utf-8"))
    if name not in lists:
        raise UsageError(f"there is no list named {name!r} in {file}{choices(name, sorted(lists))}")
    entry: dict[str, list[str]] = lists[name]
    return entry
