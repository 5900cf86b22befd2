"""Prompts to token ids: CLIP's byte-pair vocabulary (packaged, MIT), or the tokenizer in a model's folder."""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, processors

from oddlens.backbone.files import TOKENIZER, read_json, refuse_lfs_pointer
from oddlens.errors import ModelError, UsageError, first_line, needs_package, shortened
from oddlens.io.paths import is_file

if TYPE_CHECKING:
    from torch import Tensor

_START, _END = "<|startoftext|>", "<|endoftext|>"
_SIZE = 49408
"""Entries of CLIP's vocabulary; the last two are the marks above."""
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True)
class Tokens:
    """A batch of prompts as token ids.

    Attributes:
        ids: int64 [prompts, tokens], cut at the longest EOT and padded with zeros.
        ends: int64 [prompts], the position of each EOT.
    """

    ids: Tensor
    ends: Tensor


class Tokenizer:
    """Prompts to `Tokens`. A sequence is SOT (where the tokenizer has one), the prompt, EOT.

    Attributes:
        context: The most tokens of a sequence.
        cleans: Whether prompts are cleaned first, see `cleaned`.
    """

    def __init__(
        self, inner: tokenizers.Tokenizer, context: int, vocabulary: int | None = None, *, cleans: bool = False
    ) -> None:
        """Wrap a tokenizer. vocabulary: how many ids the text tower knows; None where that is not known."""
        if inner.padding is not None:
            inner.no_padding()
        if inner.truncation is not None:
            inner.no_truncation()
        self._inner = inner
        self._vocabulary = vocabulary
        self.context = context
        self.cleans = cleans

    @property
    def size(self) -> int:
        """Entries of the vocabulary."""
        return int(self._inner.get_vocab_size())

    def save(self, path: Path) -> None:
        """Write a tokenizer.json."""
        self._inner.save(str(path))

    def __call__(self, prompts: Sequence[str]) -> Tokens:
        """Tokenize prompts, for torch. Raises as `arrays`."""
        import torch

        ids, ends = self.arrays(prompts)
        return Tokens(torch.from_numpy(ids), torch.from_numpy(ends))

    def arrays(self, prompts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokenize prompts: the ids and ends of `Tokens`, without torch.

        Raises:
            UsageError: A prompt is not valid Unicode, or longer than the model's context.
            ModelError: The tokenizer is damaged, or it and the text tower are not of one model.
        """
        try:
            texts = [cleaned(prompt) if self.cleans else prompt for prompt in prompts]
            with _no_panic():
                rows = [encoding.ids for encoding in self._inner.encode_batch(texts)]
        except (TypeError, UnicodeError) as error:  # lone surrogates: a terminal's bytes that are not UTF-8
            raise UsageError("the object name holds bytes that are not valid text: write it in UTF-8") from error
        except Exception as error:  # the library raises bare Exception for a damaged tokenizer
            raise ModelError(
                f"this model's tokenizer is damaged ({first_line(error)}): fetch the model again"
            ) from error
        for prompt, row in zip(prompts, rows, strict=True):
            if self._vocabulary is not None and max(row, default=0) >= self._vocabulary:
                raise ModelError(
                    f"this model's tokenizer gives the id {max(row)} for {prompt[:60]!r}, and its text tower knows "
                    f"{self._vocabulary}: they are not of one model; fetch it again"
                )
            if len(row) > self.context:
                raise UsageError(
                    f"the prompt {prompt[:60]!r} has {len(row)} tokens and this model takes {self.context}: "
                    "use a shorter object name"
                )
        ids = np.zeros((len(rows), max(map(len, rows), default=0)), np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        return ids, np.array([len(row) - 1 for row in rows], np.int64)


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """The files of the tokenizer in a model's folder; none where it is CLIP's own."""
    return tuple(folder / name for name in TOKENIZER if is_file(folder / name))


def cleaned(prompt: str) -> str:
    """Clean a prompt as OpenAI's tokenizer does: encodings, full-width and curly forms (ftfy), HTML entities, spaces, case.

    Printable ASCII without an ampersand stays as it is.
    """
    if prompt.isascii() and prompt.isprintable() and "&" not in prompt:
        return prompt
    prompt.encode("utf-8")  # bytes that are no text are refused, where ftfy would replace them
    with needs_package(
        "ftfy", f"cleaning the prompt {shortened(prompt)} needs ftfy, which is not installed: run pip install ftfy"
    ):
        import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(prompt)))
    return re.sub(r"\s+", " ", text.strip()).strip().lower()


def folder_tokenizer(folder: Path, context: int, vocabulary: int | None = None) -> Tokenizer:
    """The tokenizer of a model's folder: tokenizer.json, else vocab.json and merges.txt, else CLIP's own, which all CLIPs share.

    A tokenizer with CLIP's own vocabulary cleans prompts, as its models were trained with clean ones.

    Args:
        folder: The model's folder.
        context: The most tokens that the text tower takes.
        vocabulary: How many ids the text tower knows.

    Raises:
        ModelError: The files are damaged.
    """
    path = folder / "tokenizer.json"
    if is_file(path):
        return _of_folder(read_tokenizer(path), context, vocabulary)
    merges, entries = folder / "merges.txt", folder / "vocab.json"
    if is_file(merges) and is_file(entries):
        refuse_lfs_pointer(merges)
        ids = read_json(entries)
        try:
            with _no_panic():
                return _of_folder(_clip_bpe(merges.read_text(encoding="utf-8"), _whole(ids)), context, vocabulary)
        except Exception as error:  # the library raises bare Exception for damaged files
            raise ModelError(
                f"{merges} and {entries} are no readable tokenizer ({first_line(error)}): fetch the model again"
            ) from error
    return clip_tokenizer(context, vocabulary)


def read_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Read a tokenizer.json. Raises `ModelError` where it is damaged."""
    refuse_lfs_pointer(path)
    try:
        with _no_panic():
            return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a damaged file
        raise ModelError(f"{path} is not a readable tokenizer ({first_line(error)}): fetch the model again") from error


def clip_tokenizer(context: int = 77, vocabulary: int | None = None, *, cleans: bool = True) -> Tokenizer:
    """CLIP's byte-pair tokenizer from the packaged merges (49,408 entries). cleans: whether prompts are cleaned, see `cleaned`."""
    return Tokenizer(_clips_own(), context, vocabulary, cleans=cleans)


@cache
def _clips_own() -> tokenizers.Tokenizer:
    """The packaged one, for all models of a process: making it takes 0.1 s and 14 MB. Not to be changed."""
    data = resources.files("oddlens").joinpath("assets", "clip_merges.txt.gz").read_bytes()
    return _clip_bpe(gzip.decompress(data).decode("utf-8"))


def _whole(ids: Mapping[str, object]) -> dict[str, int]:
    """Token ids out of a vocab.json. Raises `ValueError` for one that is no whole number."""
    whole = {name: number for name, number in ids.items() if isinstance(number, int)}
    if len(whole) != len(ids):
        raise ValueError("an id is no whole number")
    return whole


@contextmanager
def _no_panic() -> Iterator[None]:
    """Turn a panic of the library, which no `except Exception` catches, into a `ValueError`."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(first_line(error)) from error


def _of_folder(inner: tokenizers.Tokenizer, context: int, vocabulary: int | None) -> Tokenizer:
    is_clips = [inner.token_to_id(mark) for mark in (_START, _END)] == [_SIZE - 2, _SIZE - 1]
    return Tokenizer(inner, context, vocabulary, cleans=is_clips)


def word_tokenizer(words: Sequence[str], context: int) -> Tokenizer:
    """A tokenizer of whole words, with single characters for words that it does not know (the embedded model's)."""
    entries = dict.fromkeys([_START, _END, "<|unknown|>", *words])  # a word given twice would leave a gap in the ids
    inner = tokenizers.Tokenizer(
        models.WordPiece({w: i for i, w in enumerate(entries)}, unk_token="<|unknown|>", continuing_subword_prefix="")
    )
    inner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.Replace("_", " ")])
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    return Tokenizer(_framed(inner), context)


def _clip_bpe(merges_text: str, vocabulary: dict[str, int] | None = None) -> tokenizers.Tokenizer:
    """CLIP's tokenizer from its merges; without a vocabulary, with the ids of OpenAI's."""
    lines = [line for line in merges_text.splitlines() if line and not line.startswith("#version")]
    merges = [(left, right) for left, right in (line.split(" ") for line in lines)]
    if vocabulary is None:
        letters = _byte_letters()
        entries = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges), _START, _END]
        vocabulary = {entry: number for number, entry in enumerate(entries)}
    inner = tokenizers.Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=_END, continuing_subword_prefix=""
        )
    )
    inner.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return _framed(inner)


def _framed(inner: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Frame every sequence by SOT and EOT."""
    inner.add_special_tokens([AddedToken(_START, normalized=False), AddedToken(_END, normalized=False)])
    frame = [(mark, inner.token_to_id(mark)) for mark in (_START, _END)]
    inner.post_processor = processors.TemplateProcessing(single=f"{_START} $A {_END}", special_tokens=frame)
    return inner


def _byte_letters() -> list[str]:
    """The printable stand-ins of the 256 bytes, in CLIP's vocabulary order (printable bytes first, as in GPT-2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(rest))]
