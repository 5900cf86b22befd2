"""What AnoVL adds to one plain forward of ViT-B-16-plus-240: adaptation to an image, and the 22 views.

    python benchmarks/anovl.py [--rounds N]

Random weights of full size; the figures of one round are taken in turn, so that a shared machine slows them alike. Prints medians,
and ratios round by round. Adaptation is timed as its user meets it: scores and maps of encoded images with it, less those
without.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from towers import TEXT_B_16_PLUS, VIT_B_16_PLUS, gemm_peak, random_model

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cards import CARDS
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.methods.anovl.method import AnoVL
from oddlens.methods.anovl.recipe import AnoVLRecipe
from oddlens.methods.base import Features
from oddlens.methods.registry import method_card

TOGETHER = 8


def main() -> None:
    """Time, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    backbone = _backbone()
    vision, text = backbone.vision, _text()
    pixels = torch.randn(1, 3, 240, 240)
    one_view, many_views = AnoVL(backbone, AnoVLRecipe(views=1)), AnoVL(backbone, AnoVLRecipe(views=22))
    unadapted = AnoVL(backbone, AnoVLRecipe(views=1, adapt=False))

    def plain() -> None:
        vision.project(vision.run_blocks(vision.embed(pixels), taps=(12,)).image)

    def look(method: AnoVL) -> Features:
        return method.encode(pass_pixels(backbone, pixels, method.request))

    def adaptation(features: Features) -> float:
        return _seconds(lambda: one_view.score(features, text, None)) - _seconds(
            lambda: unadapted.score(features, text, None)
        )

    with torch.inference_mode():
        one = look(one_view)
        many = {name: torch.cat([value] * TOGETHER) for name, value in one.items()}
        work = _flops(plain), _flops(lambda: one_view.score(one, text, None))
        look(many_views)
        adaptation(many)
        taken: dict[str, list[float]] = {name: [] for name in ("peak", "plain", "one", "all", "alone", "together")}
        for _ in range(rounds):
            taken["peak"].append(gemm_peak(repeats=3))
            taken["plain"].append(_seconds(plain))
            taken["one"].append(_seconds(lambda: look(one_view)))
            taken["all"].append(_seconds(lambda: look(many_views)))
            taken["alone"].append(sum(adaptation(one) for _ in range(TOGETHER)) / TOGETHER)
            taken["together"].append(adaptation(many) / TOGETHER)
    middle = {name: statistics.median(values) for name, values in taken.items()}

    def ratio(name: str, other: str = "plain") -> float:
        return statistics.median(a / b for a, b in zip(taken[name], taken[other], strict=True))

    least = work[1] / middle["peak"] / 1e9
    print(f"threads {torch.get_num_threads()}, rounds {rounds}, GEMM peak (2048 cubed) {middle['peak']:.0f} GFLOP/s")
    print(f"plain forward              {middle['plain']:7.3f} s                 {work[0] / 1e9:5.1f} GFLOP")
    print(f"with the local stream      {middle['one']:7.3f} s   ratio {ratio('one'):6.3f}")
    print(f"with 22 views, too         {middle['all']:7.3f} s   ratio {ratio('all'):6.3f}")
    print(
        f"adaptation, one by one     {middle['alone']:7.3f} s   ratio {ratio('alone'):6.3f}  {work[1] / 1e9:5.1f} GFLOP"
    )
    print(f"adaptation, {TOGETHER} together    {middle['together']:7.3f} s   ratio {ratio('together'):6.3f}")
    print("  aim of both: a ratio under 0.3")
    print(f"together against one by one: {ratio('alone', 'together'):.2f} times as fast (aim: 3)")
    print(
        f"one by one against its arithmetic at the GEMM peak, {least:.3f} s: {middle['alone'] / least:.2f} times as long"
    )


def _backbone() -> Backbone:
    card = next(card for card in CARDS if card.name in method_card("anovl").models)
    model = random_model(VIT_B_16_PLUS, TEXT_B_16_PLUS)
    return Backbone(LoadedModel(model, clip_tokenizer(), card.mean, card.std, ()), card, "random", torch.device("cpu"))


def _text() -> dict[str, Tensor]:
    """As if prepared: sentences as alike as those of one object may be."""
    sentences = F.normalize(torch.randn(1, 640) + 0.5 * torch.randn(924, 640), dim=-1)
    means = torch.stack([part.mean(dim=0) for part in sentences.chunk(2)])
    return {"prototypes": F.normalize(means, dim=-1), "sentences": sentences}


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _flops(call: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


if __name__ == "__main__":
    main()
