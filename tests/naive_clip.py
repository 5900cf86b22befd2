"""A CLIP restated plainly, to hold the towers against: one picture, one window, one head at a time, in float64.

It shares no code with oddlens and takes OpenAI's tensor names.
"""

from typing import Literal

import torch
from torch import Tensor

Attention = Literal["ordinary", "causal", "values"]


class NaiveClip:
    """weights: under OpenAI's names. Heads are 64 wide."""

    def __init__(self, weights: dict[str, Tensor], activation: str = "gelu") -> None:
        self.w = {name: value.double() for name, value in weights.items()}
        self.activation = activation
        self.heads = len(self.w["visual.class_embedding"]) // 64
        self.text_heads = self.w["positional_embedding"].shape[1] // 64
        self.layers = 1 + max(int(name.split(".")[3]) for name in self.w if name.startswith("visual.transformer."))
        self.text_layers = 1 + max(int(name.split(".")[2]) for name in self.w if name.startswith("transformer."))

    def norm(self, name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        scaled = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def attention(self, name: str, x: Tensor, heads: int, kind: Attention = "ordinary") -> Tensor:
        """Of x [tokens, width], already normed; "values" lets the values play query and key too."""
        packed = x @ self.w[f"{name}.in_proj_weight"].T + self.w[f"{name}.in_proj_bias"]
        mixed = []
        for q, k, v in zip(*(part.chunk(heads, dim=1) for part in packed.chunk(3, dim=1)), strict=True):
            if kind == "values":
                q = k = v
            similarity = q @ k.T / q.shape[1] ** 0.5
            if kind == "causal":
                similarity[torch.ones_like(similarity).triu(1).bool()] = -torch.inf
            mixed.append(similarity.softmax(dim=1) @ v)
        return torch.cat(mixed, dim=1) @ self.w[f"{name}.out_proj.weight"].T + self.w[f"{name}.out_proj.bias"]

    def block(self, name: str, x: Tensor, heads: int, kind: Attention = "ordinary") -> Tensor:
        x = x + self.attention(f"{name}.attn", self.norm(f"{name}.ln_1", x), heads, kind)
        inner = self.norm(f"{name}.ln_2", x) @ self.w[f"{name}.mlp.c_fc.weight"].T + self.w[f"{name}.mlp.c_fc.bias"]
        if self.activation == "gelu":
            inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
        else:
            inner = inner / (1 + torch.exp(-1.702 * inner))
        return x + inner @ self.w[f"{name}.mlp.c_proj.weight"].T + self.w[f"{name}.mlp.c_proj.bias"]

    def tokens(self, picture: Tensor, positions: Tensor | None = None) -> Tensor:
        """[3, height, width] -> [1 + patches, width], before ln_pre; patches row by row."""
        kernel = self.w["visual.conv1.weight"]
        size = kernel.shape[-1]
        rows = [self.w["visual.class_embedding"]]
        for top in range(0, picture.shape[1] - size + 1, size):
            for left in range(0, picture.shape[2] - size + 1, size):
                patch = picture[:, top : top + size, left : left + size].double()
                rows.append((kernel * patch).sum(dim=(1, 2, 3)))
        return torch.stack(rows) + (self.w["visual.positional_embedding"] if positions is None else positions.double())

    def hidden(self, tokens: Tensor) -> list[Tensor]:
        """The residual stream before the first block and after each."""
        states = [self.norm("visual.ln_pre", tokens)]
        for number in range(self.layers):
            states.append(self.block(f"visual.transformer.resblocks.{number}", states[-1], self.heads))
        return states

    def local(self, tokens: Tensor, start: int) -> dict[int, Tensor]:
        """The local stream after each block from `start` (1-based) on: V-V attention of the ordinary stream, summed up."""
        states = self.hidden(tokens)
        stream = states[start - 1]
        after = {}
        for number in range(start, self.layers + 1):
            name = f"visual.transformer.resblocks.{number - 1}"
            normed = self.norm(f"{name}.ln_1", states[number - 1])
            stream = stream + self.attention(f"{name}.attn", normed, self.heads, "values")
            after[number] = stream
        return after

    def project(self, x: Tensor) -> Tensor:
        return self.norm("visual.ln_post", x) @ self.w["visual.proj"]

    def image(self, tokens: Tensor) -> Tensor:
        """The joint-space embedding of a picture, or of a window where these are CLS and the window's tokens."""
        return self.project(self.hidden(tokens)[-1][0])

    def windows(self, tokens: Tensor, grid: tuple[int, int], size: int) -> Tensor:
        """Each window run alone: [windows, embed_dim]."""
        rows, columns = grid
        found = []
        for top in range(rows - size + 1):
            for left in range(columns - size + 1):
                inside = [1 + (top + y) * columns + left + x for y in range(size) for x in range(size)]
                found.append(self.image(tokens[[0, *inside]]))
        return torch.stack(found)

    def text(self, ids: list[int]) -> Tensor:
        """Token ids from SOT to EOT, padded with zeros to the whole context and read out at EOT."""
        context = len(self.w["positional_embedding"])
        padded = ids + [0] * (context - len(ids))
        return self.text_from(self.w["token_embedding.weight"][padded], len(ids) - 1)

    def text_from(self, embeddings: Tensor, end: int, deep: list[Tensor] | None = None) -> Tensor:
        """From embeddings [context, width]; deep prompts overwrite what stands behind SOT before blocks 1, 2, ... (0-based)."""
        x = embeddings.double() + self.w["positional_embedding"]
        for number in range(self.text_layers):
            if deep and 1 <= number <= len(deep):
                x = x.clone()
                x[1 : 1 + len(deep[number - 1])] = deep[number - 1].double()
            x = self.block(f"transformer.resblocks.{number}", x, self.text_heads, "causal")
        return self.norm("ln_final", x[end]) @ self.w["text_projection"]


def resized_positions(positions: Tensor, grid: tuple[int, int], filter: Literal["bilinear", "bicubic"]) -> Tensor:
    """Position embeddings [1 + n * n, width] on another grid; the row of CLS stays.

    "bilinear": the four neighbours of every new patch's centre, by distance. "bicubic": antialiased, as Pillow resizes.
    """
    import numpy as np
    from PIL import Image

    cls, patches = positions[:1], positions[1:]
    side = round(len(patches) ** 0.5)
    square = patches.view(side, side, -1)
    rows, columns = grid
    if filter == "bicubic":
        channels = [
            np.asarray(Image.fromarray(channel).resize((columns, rows), Image.Resampling.BICUBIC))
            for channel in square.permute(2, 0, 1).float().numpy()
        ]
        return torch.cat([cls, torch.tensor(np.stack(channels)).flatten(1).T])
    new = torch.empty(rows, columns, square.shape[2])
    for row in range(rows):
        for column in range(columns):
            y = min(max((row + 0.5) * side / rows - 0.5, 0), side - 1)
            x = min(max((column + 0.5) * side / columns - 0.5, 0), side - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, side - 1), min(left + 1, side - 1)
            upper = (1 - (x - left)) * square[top, left] + (x - left) * square[top, right]
            lower = (1 - (x - left)) * square[bottom, left] + (x - left) * square[bottom, right]
            new[row, column] = (1 - (y - top)) * upper + (y - top) * lower
    return torch.cat([cls, new.flatten(0, 1)])
