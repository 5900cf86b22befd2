import numpy as np

from lab.street_pair.captions import CONTEXT, sentences, templates, vocabulary
from lab.street_pair.training import build_tokenizer
from lab.streets import WORDS


def test_every_word_of_every_sentence_is_known_as_a_whole() -> None:
    known = set(vocabulary())
    for template in templates():
        for word in WORDS:
            text = template.replace("{}", word).replace(".", " ").replace("-", " ")
            assert set(text.split()) <= known


def test_a_sentence_is_reported_for_every_word_in_their_order() -> None:
    told = sentences(np.random.default_rng(0))
    assert len(told) == len(WORDS)
    assert all(word in sentence for word, sentence in zip(WORDS, told, strict=True))
    assert told != sentences(np.random.default_rng(1))


def test_the_longest_prompt_fits_the_context() -> None:
    tokens = build_tokenizer()([template.replace("{}", word) for template in templates() for word in WORDS])
    assert tokens.ids.shape[1] <= CONTEXT
