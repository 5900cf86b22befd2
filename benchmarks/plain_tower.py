"""A plain forward of ViT-L/14 at 518 px: our tower against transformers' own, same random weights, in turn.

    python benchmarks/plain_tower.py [--rounds N]

transformers (a test dependency) runs with attn_implementation="sdpa" and interpolate_pos_encoding=True. The ratio is taken
round by round; the largest difference of the embeddings is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from towers import TEXT_L_14, VIT_L_14_336
from transformers import CLIPConfig, CLIPModel

from oddlens.backbone.layouts import transformers as layout
from oddlens.backbone.vision import ClipTower


def main() -> None:
    """Time both, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    theirs = CLIPModel._from_config(_config(), attn_implementation="sdpa").eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = layout.read(Path(folder)).model.vision
        assert isinstance(ours, ClipTower)
    pixels = torch.randn(1, 3, 518, 518)

    def run_theirs() -> Tensor:
        out = theirs.vision_model(pixels, interpolate_pos_encoding=True)
        embedding: Tensor = theirs.visual_projection(out.pooler_output)
        return embedding

    def run_ours() -> Tensor:
        features = ours.run_blocks(ours.embed(pixels, "bicubic"), taps=(ours.config.layers,))
        return ours.project(features.image)

    with torch.inference_mode():
        difference = float((run_theirs() - run_ours()).abs().max())
        rows = [(_seconds(run_ours), _seconds(run_theirs)) for _ in range(rounds)]
    ours_s, theirs_s = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"threads {torch.get_num_threads()}, rounds {rounds}")
    print(f"ours          {ours_s:7.2f} s")
    print(f"transformers  {theirs_s:7.2f} s")
    print(f"ratio         {statistics.median(o / t for o, t in rows):7.2f}   (aim: at most 1)")
    print(
        f"largest difference of the embeddings {difference:.1e} (position embeddings are resized without and with antialias)"
    )


def _config() -> CLIPConfig:
    vision, text = VIT_L_14_336, TEXT_L_14
    return CLIPConfig(
        vision_config={
            "hidden_size": vision.width, "intermediate_size": vision.mlp_width, "num_hidden_layers": vision.layers,
            "num_attention_heads": vision.heads, "image_size": vision.image_size, "patch_size": vision.patch_size,
        },
        text_config={
            "hidden_size": text.width, "intermediate_size": text.mlp_width, "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
        },
        projection_dim=vision.embed_dim,
    )  # fmt: skip


def _seconds(call: Callable[[], Tensor]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
