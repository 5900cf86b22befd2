"""Strings to token ids: CLIP's vocabulary from the packaged merges, from a model's folder, and whole words."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oddlens.backbone.tokenizer import (
    Tokenizer,
    cleaned,
    clip_tokenizer,
    folder_tokenizer,
    tokenizer_files,
    word_tokenizer,
)
from oddlens.errors import ModelError, UsageError
from tests.tiny_clip import write_clip_vocabulary

START, END = 49406, 49407
STRINGS = [
    "a photo of a bottle.", "metal_nut", "pcb1", "pipe_fryum", "12 x 7.5 mm", "", " ", "\n\t", "a  b", "don't we'll I'm you've",
    "HAZELNUT", "Ünïcödé", "naïve café", "straße", "ﬁne ½ ²", "日本語 テキスト", "Кабель", "🔩🪛", "e\u0301 é", "a\u200bb",
    "a\x00b", "(with) [brackets], {braces}; and: signs! #42 50% a/b\\c", "<|startoftext|>", "'s'S", "ＡＢＣ", "İstanbul", "x" * 200,
]  # fmt: skip


@pytest.fixture(scope="module")
def published(parity: Path) -> tokenizers.Tokenizer:
    inner = tokenizers.Tokenizer.from_file(str(parity / "clip-24" / "tokenizer.json"))
    inner.no_padding()
    inner.no_truncation()
    return inner


@pytest.fixture(scope="module")
def clip() -> Tokenizer:
    """As transformers runs it, without the cleaning of OpenAI's own program."""
    return clip_tokenizer(context=1000, cleans=False)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    tokens = tokenizer([text])
    assert tokens.ends.tolist() == [tokens.ids.shape[1] - 1]
    return [int(number) for number in tokens.ids[0]]


class TestClip:
    def test_it_has_the_49408_entries(self, clip: Tokenizer) -> None:
        assert clip.size == 49408

    def test_a_sentence_known_from_the_paper_has_its_ids(self, clip: Tokenizer) -> None:
        """AnomalyCLIP's abnormal prompt: the words and ids that its released checkpoints carry."""
        assert ids(clip, "X X damaged object.") == [START, 343, 343, 13568, 14115, 269, END]

    @pytest.mark.parametrize("text", STRINGS)
    def test_it_equals_the_published_tokenizer(
        self, clip: Tokenizer, published: tokenizers.Tokenizer, text: str
    ) -> None:
        assert ids(clip, text) == published.encode(text).ids

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=st.text(max_size=40))
    def test_it_equals_the_published_tokenizer_on_any_text(
        self, clip: Tokenizer, published: tokenizers.Tokenizer, text: str
    ) -> None:
        assert ids(clip, text) == published.encode(text).ids

    @pytest.mark.parametrize(
        ("prompt", "plain"),
        [
            ("a photo of a nut &amp; bolt", "a photo of a nut & bolt"),
            ("nut &amp;amp; bolt", "nut & bolt"),
            ("5 &lt; 7", "5 < 7"),
            ("ＭＥＴＡＬ　ＮＵＴ", "metal nut"),
            ("the worker’s “glove”", 'the worker\'s "glove"'),
            ("ﬁne wire", "fine wire"),
            ("schÃ¶n", "schön"),
            ("a\x00b", "ab"),
            ("  a \n b\t", "a b"),
            ("ΟΔΟΣ", "οδος"),
        ],
    )
    def test_prompts_are_cleaned_as_openais_tokenizer_cleans_them(
        self, clip: Tokenizer, prompt: str, plain: str
    ) -> None:
        assert ids(clip_tokenizer(1000), prompt) == ids(clip, plain)

    @settings(max_examples=300, deadline=None)
    @given(text=st.text(max_size=40) | st.text(alphabet=[chr(code) for code in range(128)], max_size=40))
    def test_cleaning_is_that_of_openais_program(self, text: str) -> None:
        """simple_tokenizer.py: basic_clean, whitespace_clean, lower. What is passed over as plain is plain indeed."""
        import ftfy

        basic = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
        expected = re.sub(r"\s+", " ", basic).strip().lower()
        assert re.sub(r"\s+", " ", cleaned(text)).strip().lower() == expected

    def test_case_and_spacing_do_not_matter(self, clip: Tokenizer) -> None:
        assert ids(clip, "A  Photo\tof a BOTTLE") == ids(clip, "a photo of a bottle")


class TestBatches:
    def test_they_are_cut_at_the_longest_prompt_and_padded_with_zeros(self, clip: Tokenizer) -> None:
        tokens = clip(["bottle", "a photo of a bottle", ""])
        assert tokens.ids.shape == (3, 7)
        assert tokens.ends.tolist() == [2, 6, 1]
        assert tokens.ids[0, 3:].tolist() == [0, 0, 0, 0]
        assert [int(row[end]) for row, end in zip(tokens.ids, tokens.ends, strict=True)] == [END] * 3

    def test_a_batch_of_none_is_empty(self, clip: Tokenizer) -> None:
        assert clip([]).ids.shape == (0, 0)

    def test_a_prompt_may_fill_the_context(self) -> None:
        assert clip_tokenizer(context=5)(["one two three"]).ids.shape == (1, 5)

    def test_a_prompt_longer_than_the_context_is_refused(self) -> None:
        with pytest.raises(
            UsageError, match=r"'one two three four' has 6 tokens and this model takes 5: use a shorter"
        ):
            clip_tokenizer(context=5)(["one", "one two three four"])

    @pytest.mark.parametrize("cleans", [False, True])
    def test_bytes_that_are_no_text_are_refused(self, cleans: bool) -> None:
        with pytest.raises(UsageError, match="not valid text"):
            clip_tokenizer(cleans=cleans)([b"Pr\xfcfteil".decode("utf-8", "surrogateescape")])

    def test_an_id_that_the_text_tower_does_not_know_is_reported(self) -> None:
        with pytest.raises(
            ModelError, match=r"gives the id 49407 for 'nut', and its text tower knows 300: they are not of one"
        ):
            clip_tokenizer(vocabulary=300)(["nut"])


class TestFolders:
    def test_without_files_it_is_clips_own(self, tmp_path: Path) -> None:
        assert tokenizer_files(tmp_path) == ()
        assert ids(folder_tokenizer(tmp_path, 77), "a flawless pill") == ids(clip_tokenizer(), "a flawless pill")

    def test_a_tokenizer_file_is_read_without_its_padding(self, tmp_path: Path) -> None:
        inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<|x|>": 0, "a": 1}, unk_token="<|x|>"))
        inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        inner.enable_padding(length=77)
        inner.enable_truncation(max_length=2)
        inner.save(str(tmp_path / "tokenizer.json"))
        assert ids(folder_tokenizer(tmp_path, 77), "a a b a") == [1, 1, 0, 1]
        assert tokenizer_files(tmp_path) == (tmp_path / "tokenizer.json",)

    def test_vocabulary_and_merges_give_the_same_ids(self, tmp_path: Path) -> None:
        write_clip_vocabulary(tmp_path)
        found, packaged = folder_tokenizer(tmp_path, 1000), clip_tokenizer(1000)
        assert found.cleans
        assert tokenizer_files(tmp_path) == (tmp_path / "vocab.json", tmp_path / "merges.txt")
        assert found.size == 49408
        assert all(ids(found, text) == ids(packaged, text) for text in STRINGS)

    def test_the_vocabulary_says_which_ids_there_are(self, tmp_path: Path) -> None:
        letters = [*"ab", *(f"{letter}</w>" for letter in "ab"), "ab</w>", "<|startoftext|>", "<|endoftext|>"]
        (tmp_path / "vocab.json").write_text(json.dumps({entry: 10 + number for number, entry in enumerate(letters)}))
        (tmp_path / "merges.txt").write_text("#version: 0.2\na b</w>\n")
        assert ids(folder_tokenizer(tmp_path, 77), "ab ba") == [15, 14, 11, 12, 16]

    @pytest.mark.parametrize(
        "files",
        [
            {"tokenizer.json": "{"},
            {"tokenizer.json": "[]"},
            {"vocab.json": "{", "merges.txt": "a b"},
            {"vocab.json": '{"a": 0}', "merges.txt": "one two three"},
            {"vocab.json": "[]", "merges.txt": "a b"},
            {"tokenizer.json": "version https://git-lfs.github.com/spec/v1"},
            {"merges.txt": "version https://git-lfs.github.com/spec/v1", "vocab.json": "{}"},
        ],
    )
    def test_a_damaged_one_is_named(self, tmp_path: Path, files: dict[str, str]) -> None:
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        with pytest.raises(ModelError, match=next(iter(files))):
            folder_tokenizer(tmp_path, 77)


def test_a_tokenizer_that_the_library_cannot_run_is_one_sentence(tmp_path: Path, words: Tokenizer) -> None:
    """Its library panics, which is no `Exception`."""
    words.save(tmp_path / "tokenizer.json")
    told = json.loads((tmp_path / "tokenizer.json").read_text())
    told["post_processor"]["special_tokens"] = {}
    (tmp_path / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ModelError, match="tokenizer"):
        folder_tokenizer(tmp_path, 20)(["nut"])


@pytest.fixture
def words() -> Tokenizer:
    return word_tokenizer(["metal", "nut", "with", "-", *"abcdefghijklmnopqrstuvwxyz0123456789"], context=20)


class TestWords:
    def pieces(self, tokenizer: Tokenizer, text: str, tmp_path: Path) -> Sequence[str]:
        tokenizer.save(tmp_path / "words.json")
        inner = tokenizers.Tokenizer.from_file(str(tmp_path / "words.json"))
        return [inner.id_to_token(number) for number in ids(tokenizer, text)[1:-1]]

    def test_known_words_are_one_token_each(self, words: Tokenizer, tmp_path: Path) -> None:
        assert self.pieces(words, "Metal nut", tmp_path) == ["metal", "nut"]
        assert ids(words, "metal nut") == ids(words, "METAL_NUT")

    def test_an_unknown_word_is_spelt(self, words: Tokenizer, tmp_path: Path) -> None:
        assert self.pieces(words, "zip", tmp_path) == ["z", "i", "p"]
        assert self.pieces(words, "pcb12", tmp_path) == ["p", "c", "b", "1", "2"]
        assert self.pieces(words, "x-nut", tmp_path) == ["x", "-", "nut"]

    def test_a_word_of_unknown_letters_is_unknown(self, words: Tokenizer, tmp_path: Path) -> None:
        assert self.pieces(words, "日本 nut", tmp_path) == ["<|unknown|>", "nut"]

    def test_a_word_given_twice_is_one_entry(self) -> None:
        tokenizer = word_tokenizer(["a", "nut", "a", "bolt"], context=20)
        assert tokenizer.size == 6
        assert ids(tokenizer, "bolt a nut") == [0, 5, 3, 4, 1]

    def test_it_starts_and_ends_like_clips(self, words: Tokenizer) -> None:
        assert ids(words, "nut")[0] == 0
        assert ids(words, "nut")[-1] == 1

    def test_it_is_the_same_after_saving(self, words: Tokenizer, tmp_path: Path) -> None:
        words.save(tmp_path / "tokenizer.json")
        again = folder_tokenizer(tmp_path, 20)
        assert not again.cleans
        assert again.size == words.size
        assert ids(again, "a zip with metal_nut 7") == ids(words, "a zip with metal_nut 7")
