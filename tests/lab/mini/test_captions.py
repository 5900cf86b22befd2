"""What the embedded model reads: its vocabulary, and captions that are true of an image."""

import json
from importlib import resources

import numpy as np
import pytest

from lab.mini.captions import CONTEXT, all_states, any_name, state_sentences, true_caption, vocabulary
from lab.mini.training import build_tokenizer
from lab.synthetic import CLASSES, DEFECTS, TRAIN_CLASSES
from oddlens.methods.common.templates import load_states, load_templates, sentences

UNKNOWN = 2


def prompt_words() -> set[str]:
    """Every word that a method's states and templates can bring."""
    states = [load_states(name) for name in ("winclip", "april_gan", "anovl")]
    phrases = [phrase for each in states for phrase in (*each.normal, *each.abnormal)]
    phrases += [template for name in ("paper", "port21", "april_gan") for template in load_templates(name)]
    phrases += ["industrial photo", "industrial image", "manufacturing image", "textural photo", "surface picture"]
    phrases += ["damaged object", "this is a photo of a medium thing", "there is a small thing in the scene"]
    text = " ".join(phrases).replace("{}", " ").replace("-", " ").replace(".", " ")
    return set(text.split())


def test_every_word_of_every_methods_prompts_is_known_as_a_whole() -> None:
    known = set(vocabulary())
    road = json.loads(resources.files("lab").joinpath("data", "mini_words.json").read_text())["road"]
    assert prompt_words() - known == set()
    assert set(road) - known == set()


def test_no_prompt_holds_an_unknown_token_and_all_of_them_fit() -> None:
    tokenizer = build_tokenizer()
    states, templates = load_states("winclip"), load_templates("paper")
    prompts = sentences("metal_nut 7 zugblech/links", [*states.normal, *states.abnormal], templates)
    tokens = tokenizer(prompts)
    assert not (tokens.ids == UNKNOWN).any()
    assert int(tokens.ends.max()) < CONTEXT


@pytest.mark.parametrize("defect", [None, "scratch", "uneven"])
def test_captions_tell_the_state_and_only_true_defects(defect: str | None) -> None:
    rng = np.random.default_rng(0)
    captions = [true_caption(rng, "ring", defect) for _ in range(300)]
    assert {caption.abnormal for caption in captions} == {defect is not None}
    assert {caption.name for caption in captions} == {"ring", None}
    assert {caption.defect for caption in captions} <= {None, defect}
    for caption in captions:
        if caption.name is not None:
            assert "ring" in caption.text
        if caption.defect is not None:
            assert caption.defect in caption.text


def test_sentences_of_a_state_say_that_state() -> None:
    rng = np.random.default_rng(1)
    marks = ("damage", "broken", "flaw", "defect", "abnormal", "imperfect", "blemished")
    for sentence in state_sentences(rng, True, 100):
        assert any(mark in sentence for mark in marks)
    assert len(all_states().normal) > len(load_states("winclip").normal)


def test_names_are_of_every_kind_but_never_a_class_that_is_held_out() -> None:
    rng = np.random.default_rng(2)
    names = {any_name(rng) for _ in range(3000)}
    assert names & set(TRAIN_CLASSES)
    everyday = {"tube"}  # a noun that is said of anything, and a held-out class by chance
    assert not names & (set(CLASSES) - set(TRAIN_CLASSES) - everyday)
    assert len(DEFECTS) >= 10
