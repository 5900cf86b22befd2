"""SigLIP's two tokenizers, with the preparation of text that their models were trained with."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, normalizers, processors

from oddlens.backbone.tokenizer import Tokenizer, read_tokenizer
from oddlens.errors import ModelError
from oddlens.io.paths import is_file

_PUNCTUATION = r"[!-/:-@\[-`{-~]"


def siglip_tokenizer(folder: Path, context: int, vocabulary: int) -> tuple[Tokenizer, int]:
    """The tokenizer of a model folder, and its padding token. A sequence is the prompt, in lower case, and EOT.

    SigLIP (SentencePiece; "</s>" ends and pads) also drops ASCII punctuation and joins white space. SigLIP 2 (Gemma's; "<eos>"
    ends, "<pad>" pads) does not. The file's own normalisation comes after that. Its special tokens are replaced, as files on the
    hub differ there. Sources: big_vision's `tokenize` and `lower|tok`; transformers' SiglipTokenizer and Siglip2Tokenizer.

    Args:
        folder: Holds tokenizer.json.
        context: The most tokens of a sequence.
        vocabulary: How many ids the text tower knows.

    Raises:
        ModelError: The file is missing, damaged or not SigLIP's.
    """
    path = folder / "tokenizer.json"
    if not is_file(path):
        raise ModelError(f"{folder} holds no tokenizer.json, which SigLIP's text tower needs: fetch the model again")
    inner = read_tokenizer(path)
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
    return Tokenizer(inner, context, vocabulary), pad_id
