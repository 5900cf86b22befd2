"""AnomalyCLIP's prompts: learned tokens in place of words about the image, and the word "object" for what is on it.

Zhou et al., ICLR 2024, arXiv 2310.18961, and its released code, whose names the parameters bear.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.text import TextTower
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.errors import ModelError, UsageError
from oddlens.methods.weights import MethodWeights

STATES = ("object.", "damaged object.")
"""What the prompts end with: the normal one first."""

_STORED_WORDS = tuple((f"token_prefix_{side}", f"token_suffix_{side}") for side in ("pos", "neg"))
_UNUSED = ("token_prefix_", "token_suffix_", "tokenized_prompts_", "compound_prompt_projections.")
"""What the authors' files hold besides: word embeddings and ids, which the model has, and layers that their program never calls."""


class LearnablePrompts(nn.Module):
    """Two prompts, normal and abnormal: SOT, learned tokens, the words of their state, EOT.

    Parameters, float32: ctx_pos, ctx_neg [context_length, width], the learned tokens; compound_prompts_text.<i>
    [deep_tokens, width], which before text block i + 1 (0-based) overwrite the first tokens behind SOT, in both prompts alike;
    there are depth - 1 of them. All are drawn from N(0, 0.02) by the seed.
    """

    fixed: Tensor
    ends: Tensor

    def __init__(
        self, text: TextTower, tokenizer: Tokenizer, context_length: int, depth: int, deep_tokens: int, seed: int = 0
    ) -> None:
        """Raises `UsageError` where the prompts do not fit the text tower."""
        super().__init__()
        words = tokenizer(STATES)
        _check_fit(text, words.ids.shape[1], context_length, depth, deep_tokens)
        generator = torch.Generator().manual_seed(seed)

        def drawn(tokens: int) -> nn.Parameter:
            return nn.Parameter(0.02 * torch.randn(tokens, text.config.width, generator=generator))

        self.ctx_pos = drawn(context_length)
        self.ctx_neg = drawn(context_length)
        self.compound_prompts_text = nn.ParameterList(drawn(deep_tokens) for _ in range(depth - 1))
        device = text.token_embedding.weight.device
        with torch.no_grad():
            fixed = text.token_embedding(words.ids.to(device))
        self.register_buffer("fixed", fixed, persistent=False)
        self.register_buffer("ends", words.ends + context_length, persistent=False)
        self.to(device)

    def forward(self, text: TextTower) -> Tensor:
        """The two prompts as `text`, the tower they were made for, understands them: [2, embed_dim], unit norm, normal first.

        Deep prompts are rounded to float16, and so are their gradients prompt by prompt: the released code casts them.
        """
        learned = torch.stack([self.ctx_pos, self.ctx_neg])
        embeddings = torch.cat([self.fixed[:, :1], learned, self.fixed[:, 1:]], dim=1)
        deep = [each.expand(2, -1, -1).half().float() for each in self.compound_prompts_text]
        return F.normalize(text.encode_embeddings(embeddings, self.ends, deep), dim=-1)

    @torch.no_grad()
    def fill(self, learned: MethodWeights, model: str) -> None:
        """Take the learned tokens from our file or from one of the authors'. model: the name of the model, for the message.

        Raises `ModelError` for a file of something else, of another shape, or made with another model.
        """
        tensors = {name.removeprefix("prompt_learner."): value for name, value in learned.tensors.items()}
        found = {name: _rows(value) for name, value in tensors.items() if not name.startswith(_UNUSED)}
        wanted = dict(self.named_parameters())
        strange = [name for name in found if name not in wanted and not name.startswith("compound_prompts_text.")]
        if strange or not {"ctx_pos", "ctx_neg"} <= found.keys():
            raise ModelError(
                f"{learned.source} does not hold prompts of AnomalyCLIP: give a file that was trained for it"
            )
        self._check_width(found["ctx_pos"].shape[1], learned.source, model)
        if {name: value.shape for name, value in found.items()} != {name: each.shape for name, each in wanted.items()}:
            holds, wants = _described(found), _described(wanted)
            if holds == wants:  # some deep prompts only are of another shape, which no recipe asks for
                raise ModelError(f"{learned.source} holds deep prompts of several shapes: copy the file again")
            raise ModelError(
                f"{learned.source} holds prompts with {holds}, and the recipe wants {wants}: "
                "set the recipe's fields to what the file holds"
            )
        self._check_words(tensors, learned.source, model)
        for name, parameter in wanted.items():
            parameter.copy_(found[name])

    def _check_width(self, width: int, source: str, model: str) -> None:
        ours = self.ctx_pos.shape[1]
        if width != ours:
            raise ModelError(
                f"{source} was trained with a text tower {width} wide, and that of {model} is {ours} wide: "
                "give the model that it was trained on"
            )

    def _check_words(self, tensors: dict[str, Tensor], source: str, model: str) -> None:
        """The authors' files hold the embeddings of SOT and of the words, by which their model is known."""
        for names, ours in zip(_STORED_WORDS, self.fixed, strict=True):
            if not tensors.keys() >= set(names):
                continue
            rows = [_rows(tensors[name]) for name in names]
            stored = torch.cat(rows)[: len(ours)].to(ours) if len({each.shape[1] for each in rows}) == 1 else None
            if stored is None or stored.shape != ours.shape or (stored - ours).norm() > 0.01 * ours.norm():
                raise ModelError(
                    f"{source} was trained on another model than {model}, whose words have other embeddings: "
                    "give the model that it was trained on"
                )


def _check_fit(text: TextTower, words: int, context_length: int, depth: int, deep_tokens: int) -> None:
    room = text.config.context - words
    if context_length > room:
        raise UsageError(
            f"context_length {context_length} does not fit: beside the words of the prompts this model has room for {room} tokens"
        )
    if deep_tokens > context_length:
        raise UsageError(
            f"deep_tokens {deep_tokens} does not fit: they take the places of the {context_length} tokens of context_length"
        )
    if depth > text.config.layers:
        raise UsageError(f"prompt_depth {depth} does not fit: the text tower has {text.config.layers} blocks")


def _rows(value: Tensor) -> Tensor:
    """[tokens, width]: in the authors' files both stand behind two dimensions of size 1."""
    return value.flatten(0, -2) if value.ndim > 1 else value.reshape(1, -1)


def _described(tensors: dict[str, Tensor] | dict[str, nn.Parameter]) -> str:
    deep = [len(value) for name, value in tensors.items() if name.startswith("compound_prompts_text.")]
    sizes = f"context_length {len(tensors['ctx_pos'])}, prompt_depth {1 + len(deep)}"
    return f"{sizes}, deep_tokens {max(deep)}" if deep else sizes
