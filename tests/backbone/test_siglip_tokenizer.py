"""SigLIP's two tokenizers: how text is prepared, framed and refused, whatever the file itself says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, normalizers, processors

from oddlens.backbone.siglip_tokenizer import siglip_tokenizer
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.errors import ModelError, UsageError
from tests.tiny_siglip import GEMMA_MERGES, GEMMA_VOCABULARY, SIGLIP_PIECES, gemma_tokenizer, siglip_tokenizer_file

CONTEXT = 40
PROMPTS = [
    "photo of a part", "A Photo of A PART", "", "photo", "  two  blanks\tand\na tab ", "it's a 'part', no. 7 (of 9)!",
    "metal_nut", "~{|}^`\\[]@?<=>;:/*+-,.", "ÄRGER", "a photo of 12 parts",
]  # fmt: skip


def opened(folder: Path, inner: tokenizers.Tokenizer, vocabulary: int = 1000) -> tuple[Tokenizer, int]:
    inner.save(str(folder / "tokenizer.json"))
    return siglip_tokenizer(folder, CONTEXT, vocabulary)


def rows(tokenizer: Tokenizer, prompts: list[str]) -> list[list[int]]:
    """The ids of each prompt up to its end."""
    tokens = tokenizer(prompts)
    return [row[: end + 1] for row, end in zip(tokens.ids.tolist(), tokens.ends.tolist(), strict=True)]


class TestSigLIP:
    @pytest.fixture
    def inner(self) -> tokenizers.Tokenizer:
        return siglip_tokenizer_file()

    def test_text_is_lowered_without_punctuation_and_ended(self, tmp_path: Path, inner: tokenizers.Tokenizer) -> None:
        """The preparation restated in Python's own words, by which SigLIP's program does it."""
        import re
        import string

        prepared = [
            re.sub(r"\s+", " ", text.lower().translate(str.maketrans("", "", string.punctuation))).strip()
            for text in PROMPTS
        ]
        expected = [[*each.ids, 1] for each in inner.encode_batch(prepared)]
        tokenizer, pad = opened(tmp_path, inner)
        assert rows(tokenizer, PROMPTS) == expected
        assert pad == 1

    def test_pieces_are_the_models_own(self, tmp_path: Path, inner: tokenizers.Tokenizer) -> None:
        tokenizer, _ = opened(tmp_path, inner)
        (found,) = rows(tokenizer, ["Photo: part!"])
        assert [SIGLIP_PIECES[number] for number in found] == ["▁photo", "▁part", "</s>"]

    @pytest.mark.parametrize("frame", ["$A </s>", "</s> $A", "$A </s> </s>"])
    def test_a_file_that_prepares_and_frames_by_itself_gives_the_same(
        self, tmp_path: Path, inner: tokenizers.Tokenizer, frame: str
    ) -> None:
        """What is done twice changes nothing; another frame is replaced."""
        expected = rows(opened(tmp_path, siglip_tokenizer_file())[0], PROMPTS)
        inner.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
        inner.post_processor = processors.TemplateProcessing(single=frame, special_tokens=[("</s>", 1)])
        inner.enable_padding(length=CONTEXT)
        inner.enable_truncation(3)
        assert rows(opened(tmp_path, inner)[0], PROMPTS) == expected


class TestSigLIP2:
    @pytest.fixture
    def theirs(self) -> Callable[[list[str]], list[list[int]]]:
        """Transformers' Siglip2Tokenizer over the same pieces, as the models on the hub set it up; its padding is cut."""
        from transformers import Siglip2Tokenizer

        inner: Any = Siglip2Tokenizer(dict(GEMMA_VOCABULARY), GEMMA_MERGES)
        return lambda prompts: [[*inner(text, add_special_tokens=False)["input_ids"], 1] for text in prompts]

    def test_ids_are_theirs(self, tmp_path: Path, theirs: Callable[[list[str]], list[list[int]]]) -> None:
        tokenizer, pad = opened(tmp_path, gemma_tokenizer())
        assert rows(tokenizer, PROMPTS) == theirs(PROMPTS)
        assert pad == 0

    def test_text_is_lowered_and_keeps_its_punctuation(self, tmp_path: Path) -> None:
        tokenizer, _ = opened(tmp_path, gemma_tokenizer())
        lowered, kept, bare = rows(tokenizer, ["A Photo.", "a photo.", "a photo"])
        assert lowered == kept != bare
        assert lowered[-1] == GEMMA_VOCABULARY["<eos>"]
        assert GEMMA_VOCABULARY["<bos>"] not in lowered


class TestRefusals:
    def test_a_prompt_beyond_the_context_is_refused(self, tmp_path: Path) -> None:
        tokenizer, _ = opened(tmp_path, siglip_tokenizer_file())
        assert tokenizer(["b " * (CONTEXT // 2 - 1)]).ids.shape[1] <= CONTEXT
        with pytest.raises(UsageError, match=f"this model takes {CONTEXT}"):
            tokenizer(["b " * CONTEXT])

    def test_a_folder_without_a_tokenizer(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="holds no tokenizer"):
            siglip_tokenizer(tmp_path, CONTEXT, 100)

    @pytest.mark.parametrize("content", ["", "{", "{}", '{"model": 3}'])
    def test_a_damaged_file(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(ModelError, match="is not a readable tokenizer") as error:
            siglip_tokenizer(tmp_path, CONTEXT, 100)
        assert str(tmp_path / "tokenizer.json") in str(error.value)

    def test_a_tokenizer_of_something_else(self, tmp_path: Path) -> None:
        other = tokenizers.Tokenizer(models.WordLevel({"<unk>": 0, "part": 1}, unk_token="<unk>"))
        with pytest.raises(ModelError, match="it is not SigLIP's tokenizer"):
            opened(tmp_path, other)

    def test_a_tokenizer_of_a_larger_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=f"has {len(SIGLIP_PIECES)} entries and the model 10"):
            opened(tmp_path, siglip_tokenizer_file(), vocabulary=10)
