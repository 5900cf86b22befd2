"""SigLIP's two tokenizers, with the preparation of text that their models were trained with."""

from __future__ import annotations

from pathlib import Path

import tokenizers
from tokenizers import Regex, normalizers, processors

from oddlens.backbone.tokenizer import Tokenizer
from oddlens.errors import ModelError

_PUNCTUATION = r"[!-/:-@\[-`{-~]"


def siglip_tokenizer(folder: Path, context: int, vocabulary: int) -> tuple[Tokenizer, int]:
    """The tokenizer of a model folder and its padding token: every sequence is the words, lower-cased, and EOT.

    SigLIP (SentencePiece, "</s>" ends and pads) also drops ASCII punctuation and joins white space; SigLIP 2 (Gemma's, "<eos>" ends
    and "<pad>" pads) does not. What the file itself does to text comes after that, and its frame of special tokens is replaced, as
    the files on the hub differ there. Sources: big_vision's `tokenize` and `lower|tok`; transformers' SiglipTokenizer and
    Siglip2Tokenizer. Raises `ModelError`.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(
            f"{folder} holds no tokenizer.json, without which SigLIP's words mean nothing: fetch the model again"
        )
    try:
        inner = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a damaged file
        raise ModelError(f"{path} is not a readable tokenizer ({error}): fetch the model again") from error
    size = inner.get_vocab_size(with_added_tokens=False)
    if size > vocabulary:
        raise ModelError(f"{path} has {size} entries and the model {vocabulary}: fetch the model again")
    steps: list[normalizers.Normalizer] = [normalizers.Lowercase()]
    if inner.token_to_id("<eos>") is not None:
        end, pad = "<eos>", "<pad>"
    else:
        end = pad = "</s>"
        steps += [
            normalizers.Replace(Regex(_PUNCTUATION), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    end_id, pad_id = inner.token_to_id(end), inner.token_to_id(pad)
    if end_id is None or pad_id is None:
        raise ModelError(f"{path} has neither '<eos>' with '<pad>' nor '</s>': it is not SigLIP's tokenizer")
    if inner.normalizer is not None:
        steps.append(inner.normalizer)
    inner.normalizer = normalizers.Sequence(steps)
    inner.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, end_id)])
    return Tokenizer(inner, context), pad_id
