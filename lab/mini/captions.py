"""What the embedded model's pictures are called: its vocabulary, and captions that are true of a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from lab.synthetic import CLASSES, DEFECTS, TRAIN_CLASSES
from oddlens.methods.common.templates import States, load_states, load_templates

STATE_LISTS = ("winclip", "april_gan", "anovl")
TEMPLATE_LISTS = ("paper", "april_gan")
CONTEXT = 64
"""Tokens a prompt may have; object names of unknown words are spelled letter by letter and need room."""

_MORE_TEMPLATES = (
    "{}", "a {}", "the {}", "an industrial photo of a {}", "an industrial image of the {}", "a manufacturing image of a {}",
    "a textural photo of the {}", "a surface picture of a {}", "this is a photo of a {}", "there is a small {} in the scene",
    "there is a medium {} in the scene", "there is a large {} in the scene",
)  # fmt: skip
_DEFECT_STATES = ("{} with a [d]", "{} with [d]", "[d] on a {}", "{} with a small [d]", "{} with a large [d]")
_SPOKEN = {"uneven": "uneven area"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_PUNCTUATION = ".,-'/()&+:"


@dataclass(frozen=True)
class Caption:
    """A sentence and what it says: abnormal or not, of which class and with which defect (None: it does not say)."""

    text: str
    abnormal: bool
    name: str | None
    defect: str | None


@cache
def all_states() -> States:
    """The states of all methods together, each once."""
    lists = [load_states(name) for name in STATE_LISTS]
    normal = dict.fromkeys(state for states in lists for state in states.normal)
    abnormal = dict.fromkeys(state for states in lists for state in states.abnormal)
    return States(tuple(normal), tuple(abnormal))


@cache
def all_templates() -> tuple[str, ...]:
    """The templates of all methods together, each once."""
    lists = (template for name in TEMPLATE_LISTS for template in load_templates(name))
    return tuple(dict.fromkeys((*lists, *_MORE_TEMPLATES)))


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the methods' states and templates, of the classes and defects, of roads; then single characters."""
    states = all_states()
    sources = (
        *states.normal,
        *states.abnormal,
        *all_templates(),
        *_DEFECT_STATES,
        *CLASSES,
        *DEFECTS,
        *_SPOKEN.values(),
        *_words("objects", "nouns", "road"),
    )
    words = {word for text in sources for word in _split(text)}
    return tuple(sorted(words | set(_LETTERS) | set(_PUNCTUATION)))


def true_caption(rng: np.random.Generator, name: str, defect: str | None) -> Caption:
    """A random sentence that is true of a picture of class `name` with that defect (None: a normal one)."""
    said_name = name if rng.random() < 0.5 else None
    spoken = said_name or any_name(rng)
    states = all_states()
    if defect is not None and rng.random() < 0.35:
        phrase = str(rng.choice(_DEFECT_STATES)).replace("[d]", _SPOKEN.get(defect, defect))
        return Caption(_fill(rng, phrase, spoken), True, said_name, defect)
    phrase = str(rng.choice(states.normal if defect is None else states.abnormal))
    return Caption(_fill(rng, phrase, spoken), defect is not None, said_name, None)


def state_sentences(rng: np.random.Generator, abnormal: bool, count: int) -> list[str]:
    """Random sentences of one state about anything."""
    states = all_states().abnormal if abnormal else all_states().normal
    return [_fill(rng, str(state), any_name(rng)) for state in rng.choice(states, count)]


def any_name(rng: np.random.Generator) -> str:
    """A name that says nothing of the picture: a generic word, a noun of any kind, a class, or a made-up word."""
    kind = rng.random()
    if kind < 0.4:
        return str(rng.choice(_words("objects")))
    if kind < 0.75:
        return " ".join(rng.choice(_words("nouns"), 1 if rng.random() < 0.7 else 2))
    if kind < 0.9:
        return "".join(rng.choice(list(_LETTERS), rng.integers(2, 9)))
    return str(rng.choice(TRAIN_CLASSES))


def _fill(rng: np.random.Generator, state: str, name: str) -> str:
    return str(rng.choice(all_templates())).replace("{}", state.replace("{}", name))


@cache
def _words(*lists: str) -> Sequence[str]:
    known = json.loads(resources.files("lab").joinpath("data", "mini_words.json").read_text(encoding="utf-8"))
    return tuple(word for name in lists for word in known[name])


def _split(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
