"""Sentences about an object: which lists of states and templates there are, and how sentences are made of them."""

from collections import Counter

import pytest

from oddlens.errors import UsageError
from oddlens.methods.common.templates import load_framed, load_states, load_templates, sentences

TEMPLATES = {"paper": 22, "port21": 21, "april_gan": 35}
STATES = {"winclip": (7, 4), "april_gan": (7, 5), "anovl": (7, 7)}


class TestLists:
    @pytest.mark.parametrize("name", TEMPLATES)
    def test_templates_are_as_many_as_the_paper_says_and_take_one_object_each(self, name: str) -> None:
        templates = load_templates(name)
        assert len(templates) == TEMPLATES[name]
        assert all(template.count("{}") == 1 and template == template.strip() for template in templates)

    @pytest.mark.parametrize("name", STATES)
    def test_states_are_as_many_as_the_paper_says_and_take_one_object_each(self, name: str) -> None:
        states = load_states(name)
        assert (len(states.normal), len(states.abnormal)) == STATES[name]
        every = [*states.normal, *states.abnormal]
        assert all(state.count("{}") == 1 for state in every)
        assert len(set(every)) == len(every)

    def test_the_papers_templates_are_eleven_with_both_articles(self) -> None:
        templates = load_templates("paper")
        assert len(set(templates)) == 22
        assert [template.replace("photo of a ", "photo of the ") for template in templates[::2]] == list(
            templates[1::2]
        )

    def test_the_ports_list_has_its_known_typo_and_no_other(self) -> None:
        """'a cropped photo of a' is missing, and 'a jpeg corrupted photo of the' stands where its 'a' form should."""
        paper, port = Counter(load_templates("paper")), Counter(load_templates("port21"))
        assert paper - port == Counter({"a cropped photo of a {}.": 1, "a jpeg corrupted photo of a {}.": 1})
        assert port - paper == Counter({"a jpeg corrupted photo of the {}.": 1})

    def test_april_gans_are_thirty_photos_and_five_scenes(self) -> None:
        templates = load_templates("april_gan")
        assert len(set(templates)) == 35
        assert sum("photo" in template for template in templates) == 30
        assert sum("in the scene" in template for template in templates) == 5

    def test_the_states_are_the_published_ones(self) -> None:
        winclip, april_gan = load_states("winclip"), load_states("april_gan")
        assert winclip.normal[0] == "{}"
        assert winclip.normal == april_gan.normal
        assert set(april_gan.abnormal) - set(winclip.abnormal) == {"broken {}"}
        assert load_states("anovl").normal[0] == "normal {}"

    def test_an_unknown_list_is_refused_with_the_names(self) -> None:
        with pytest.raises(
            UsageError, match=r"'paper22' in templates\.json, did you mean 'paper'\? Choose one of april_gan, "
        ):
            load_templates("paper22")
        with pytest.raises(UsageError, match=r"no list named '' in states\.json"):
            load_states("")


class TestFrames:
    @pytest.mark.parametrize("kind", ["object", "texture"])
    def test_anovls_are_22_frames_around_three_words_for_the_picture(self, kind: str) -> None:
        templates = load_framed("anovl", kind)
        assert len(set(templates)) == len(templates) == 66
        assert all(template.count("{}") == 1 and "[" not in template for template in templates)

    def test_the_word_for_the_picture_brings_its_article(self) -> None:
        templates = load_framed("anovl", "object")
        assert "an industrial photo of a {}" in templates
        assert "a manufacturing image of the small {}" in templates
        assert "a dark industrial image of the {}" in templates
        assert not any("a industrial" in template or "an manufacturing" in template for template in templates)

    def test_textures_are_seen_in_other_words(self) -> None:
        assert "a surface picture of the {} for visual inspection" in load_framed("anovl", "texture")
        both = set(load_framed("anovl", "object")) & set(load_framed("anovl", "texture"))
        assert len(both) == 22
        assert all("industrial photo" in template for template in both)


class TestSentences:
    def test_templates_come_first_states_within(self) -> None:
        assert sentences("nut", ["{}", "damaged {}"], ["a {}.", "the {}."]) == [
            "a nut.", "a damaged nut.", "the nut.", "the damaged nut.",
        ]  # fmt: skip

    def test_an_object_name_is_inserted_as_it_is(self) -> None:
        assert sentences("metal_nut {}", ["{} with flaw"], ["a photo of a {}."]) == [
            "a photo of a metal_nut {} with flaw."
        ]

    def test_winclips_ensemble_has_154_and_88_sentences(self) -> None:
        states, templates = load_states("winclip"), load_templates("paper")
        assert len(sentences("part", states.normal, templates)) == 154
        assert len(sentences("part", states.abnormal, templates)) == 88
