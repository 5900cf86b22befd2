"""What makes a vision tower faster on a GPU, and what it changes: ratios against how `oddlens detect --device cuda` runs it.

    python benchmarks/gpu.py [--tower l|b|mini] [--image-size PIXELS] [--batch N] [--rounds N] [--ways NAME ...]

Normalised images of noise on the processor, then the copy to the GPU, the tower in float32, and its features back. All ways run in
turn, round by round; a ratio is the median over the rounds of the time of "as it is" over that of the way. Towers l and b have
random weights (times depend on shapes alone); mini's are its own. "difference" is the norm of how far features lie from those of
"as it is", over their norm.

It needs a GPU. `--device cpu` shows that it runs, with the ways that a processor has; its ratios say nothing of a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor
from towers import TEXT_B_16_PLUS, TEXT_L_14, VIT_B_16_PLUS, VIT_L_14_336, random_model

from oddlens.backbone.load import load_backbone
from oddlens.backbone.tensors import to_device
from oddlens.backbone.tower import VisionTower

Way = Callable[[Tensor], Tensor]

BASE = "as it is"
_WARM_UPS = 3


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tower", choices=["l", "b", "mini"], default="l")
    parser.add_argument("--image-size", type=int, help="pixels a side; else the model's own")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, help="else all that the device has, but torch.compile on a CPU"
    )
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.exit(2, "there is no GPU here: run it on a machine with one, or with --device cpu to see that it runs\n")
    tower = _tower(given.tower).to(device).eval().requires_grad_(False)
    size = given.image_size or tower.config.image_size
    images = torch.randn(given.batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{name}, torch {torch.__version__}, tower {given.tower}, {given.batch} images of {size} px, {given.rounds} rounds"
    )
    of_gpu = {"pageable copies", "TF32 products", "CUDA graph"}
    usual = [way for way in WAYS if device.type == "cuda" or way not in {*of_gpu, "torch.compile"}]
    with torch.inference_mode():
        ways = {each: WAYS[each](tower, images, device) for each in dict.fromkeys([BASE, *(given.ways or usual)])}
        exact = ways[BASE](images)
        differences = {each: _difference(way(images), exact) for each, way in ways.items()}
        for way in ways.values():
            for _ in range(_WARM_UPS):
                way(images)
        rounds = [{each: _seconds(way, images, device) for each, way in ways.items()} for _ in range(given.rounds)]
    print(f"{'':24}{'ms a batch':>12}{'ratio':>8}{'difference':>12}")
    for each in ways:
        taken = statistics.median(seconds[each] for seconds in rounds)
        ratio = statistics.median(seconds[BASE] / seconds[each] for seconds in rounds)
        print(f"{each:24}{1e3 * taken:12.2f}{ratio:8.2f}{differences[each]:12.1e}")


def _tower(name: str) -> VisionTower:
    if name == "mini":
        return load_backbone(device="cpu").vision
    shapes = {"l": (VIT_L_14_336, TEXT_L_14), "b": (VIT_B_16_PLUS, TEXT_B_16_PLUS)}
    return random_model(*shapes[name]).vision


def _features(tower: VisionTower, pixels: Tensor) -> Tensor:
    """Tokens of the last block, which a memory bank or a map is made of."""
    layers = tower.config.layers
    return tower.run_blocks(tower.embed(pixels), taps=(layers,)).taps[layers]


def _as_it_is(tower: VisionTower, _: Tensor, device: torch.device) -> Way:
    return lambda images: _features(tower, to_device(images, device)).cpu()


def _pageable(tower: VisionTower, _: Tensor, device: torch.device) -> Way:
    return lambda images: _features(tower, images.to(device)).cpu()


def _channels_last(tower: VisionTower, _: Tensor, device: torch.device) -> Way:
    other = deepcopy(tower).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(images: Tensor) -> Tensor:
        pixels = to_device(images, device).to(memory_format=torch.channels_last)
        return _features(other, pixels).cpu()

    return run


def _tf32(tower: VisionTower, _: Tensor, device: torch.device) -> Way:
    def run(images: Tensor) -> Tensor:
        with _matmul_precision("high"):
            return _features(tower, to_device(images, device)).cpu()

    return run


@contextmanager
def _matmul_precision(name: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _autocast(dtype: torch.dtype) -> Callable[[VisionTower, Tensor, torch.device], Way]:
    def way(tower: VisionTower, _: Tensor, device: torch.device) -> Way:
        def run(images: Tensor) -> Tensor:
            with torch.autocast(device.type, dtype):
                return _features(tower, to_device(images, device)).float().cpu()

        return run

    return way


def _compiled(tower: VisionTower, _: Tensor, device: torch.device) -> Way:
    compiled = torch.compile(_features)
    return lambda images: compiled(tower, to_device(images, device)).cpu()


def _graph(tower: VisionTower, images: Tensor, device: torch.device) -> Way:
    fixed = images.to(device)
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UPS):
            _features(tower, fixed)
    torch.cuda.current_stream(device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = _features(tower, fixed)

    def run(images: Tensor) -> Tensor:
        fixed.copy_(images.pin_memory(), non_blocking=True)
        graph.replay()
        return found.cpu()

    return run


WAYS: dict[str, Callable[[VisionTower, Tensor, torch.device], Way]] = {
    BASE: _as_it_is,
    "pageable copies": _pageable,
    "channels-last stem": _channels_last,
    "TF32 products": _tf32,
    "bfloat16": _autocast(torch.bfloat16),
    "float16": _autocast(torch.float16),
    "torch.compile": _compiled,
    "CUDA graph": _graph,
}
"""Name -> makes a way for a tower, images that have the form of all, and a device."""


def _difference(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact.double()).norm() / exact.double().norm())


def _seconds(way: Way, images: Tensor, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    way(images)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
