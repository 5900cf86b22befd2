"""Runtimes side by side: torch, onnxruntime and OpenVINO in float32 and int8, OpenVINO in bfloat16. torch = 1.

    python benchmarks/runtime.py [--data FOLDER] [--threads 1 2] [--rounds N] [--large] [--only NAME ...] [--settings]

What runs is the encoder: normalised pixels -> what a method asks of the tower.

- taps: four blocks of the embedded model (as APRIL-GAN and AnomalyCLIP ask), 224 pixels.
- windows: WinCLIP on the embedded model, its graph as it ships.
- stem: patch-knn on the embedded model, its graph as it ships, images squeezed into a square.
- large (with --large, 12 GB of memory and minutes): four blocks of a ViT-L/14 with random weights at 518 pixels, one image.

Batches of 1 and 8, where images run one after another in a graph, as `oddlens.runtime` runs them, and together in "ort, together".
With --settings onnxruntime also runs with other settings than oddlens gives it, and nothing else beside torch does.
Each number of threads is a process of its own. In a round every runtime has its turn; ratios are taken round by round, of processor
time and of the clock; the table has their medians. Processor time hardly depends on what else a machine does, the clock does.

The loss beside it: the mean and the worst 1 - cosine between the features of torch and of the other, over images of FOLDER (noise
without it) and all tokens. What it means for scores and maps, `benchmarks/precision.py` measures.

Aims: mini at most .6 of torch; large at most .95 in float32, and .45 in int8. docs/guides/export.md says which are missed, and why.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.files import MINI_FOLDER
from oddlens.backbone.load import load_backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.export.onnx_file import to_onnx
from oddlens.export.precision import reduced
from oddlens.io.finding import find_images
from oddlens.io.images import read_image
from oddlens.io.preprocess import normalised
from oddlens.runtime.graph_folder import ENCODER, GraphFolder
from oddlens.telemetry import without_openvinos

Graph = onnxruntime.GraphOptimizationLevel
SETTINGS: dict[str, dict[str, object]] = {
    "ort, basic level": {"graph_optimization_level": Graph.ORT_ENABLE_BASIC},
    "ort, extended level": {"graph_optimization_level": Graph.ORT_ENABLE_EXTENDED},
    "ort, no memory plan": {"enable_mem_pattern": False},
    "ort, no memory reuse": {"enable_mem_reuse": False},
    "ort, no arena": {"enable_cpu_mem_arena": False},
}
"""Attributes of a session's options."""

Pixels = NDArray[np.float32]
Encoder = Callable[[Pixels], list[NDArray[np.generic]]]
_LARGE_SIDE = 518


@dataclass(frozen=True)
class Case:
    """What runs: name, backbone, what is asked of it, the graph, and the sizes of batches."""

    name: str
    backbone: Backbone
    torch: Encoder
    graph: bytes
    side: int
    batches: tuple[int, ...]


def main() -> None:
    """Run each number of threads in a process, or, in such a process, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", nargs="+", help="taps, windows, stem, large")
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.here:
        for threads in given.threads:
            sharing = {
                "OMP_WAIT_POLICY": "PASSIVE",
                "GOMP_SPINCOUNT": "1000",
            }  # as oddlens sets it where it comes before torch
            environment = os.environ | sharing | {"OMP_NUM_THREADS": str(threads)}
            subprocess.run(
                [sys.executable, *sys.argv, "--here", "--threads", str(threads)], env=environment, check=True
            )
        return
    threads = given.threads[-1]
    torch.set_num_threads(threads)
    print(f"\nthreads {threads}, load {os.getloadavg()[0]:.1f}, rounds {given.rounds}", flush=True)
    print(f"{'':38}{'processor':>10}{'clock':>8}{'1 - cosine, mean':>19}{'worst':>10}")
    for case in _cases(given.only or ["taps", "windows", "stem", *(["large"] if given.large else [])]):
        _compare(
            case, _settings(case, threads) if given.settings else _runtimes(case, threads), given.rounds, given.data
        )


def _cases(names: Sequence[str]) -> Iterator[Case]:
    """The cases of these names, one after the other: a large one shall not stay in memory."""
    for name in names:
        if name in ("windows", "stem"):
            method: Any = oddlens.load("winclip" if name == "windows" else "patch-knn", runtime="torch").method
            folder = GraphFolder.read(MINI_FOLDER / "graphs" / method.card.name)
            path, _ = folder.file(ENCODER)
            outputs = folder.outputs(ENCODER)

            def encode(
                pixels: Pixels, method: Any = method, outputs: Sequence[str] = outputs
            ) -> list[NDArray[np.generic]]:
                found = method.encode(pass_pixels(method.backbone, torch.from_numpy(pixels), method.request))
                return [found[each].numpy() for each in outputs]

            side = method.request.image_size
            yield Case(name, method.backbone, encode, path.read_bytes(), side, (1, 8))
        elif name == "large":
            yield _tapped(name, _random_large(), _LARGE_SIDE, (1,))
        else:
            backbone: Any = oddlens.load("winclip", runtime="torch").method.backbone
            yield _tapped(name, backbone, backbone.vision.config.image_size, (1, 8))


def _random_large() -> Backbone:
    """A ViT-L/14 that nobody trained, on the embedded model's words and texts, which are not asked."""
    from copy import copy

    from oddlens.backbone.stem import PatchStem
    from oddlens.backbone.vision import ClipTower, VisionConfig

    torch.manual_seed(0)
    config = VisionConfig(
        image_size=_LARGE_SIDE, patch_size=14, width=1024, layers=24, heads=16, mlp_width=4096, embed_dim=768,
        activation="quick_gelu",
    )  # fmt: skip
    tower = ClipTower(config, PatchStem(config.width, config.patch_size)).eval().requires_grad_(False)
    with torch.no_grad():
        for name, value in tower.named_parameters():
            if value.ndim > 1 or name.endswith("class_embedding"):
                value.normal_(0, 0.02)
    backbone = copy(load_backbone("mini"))
    backbone.model = copy(backbone.model)
    backbone.model._modules = {**backbone.model._modules, "vision": tower}
    return backbone


def _tapped(name: str, backbone: Backbone, side: int, batches: tuple[int, ...]) -> Case:
    """Four blocks of a tower, evenly apart."""
    depth = backbone.vision.config.layers
    taps = tuple(depth * number // 4 for number in (1, 2, 3, 4))
    request = FeatureRequest(image_size=side, taps=taps, image=True)

    def run(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        found = pass_pixels(backbone, given["pixels"], request).features
        tokens = {f"tap {tap}": found.taps[tap] for tap in taps}
        return tokens | {"image": backbone.vision.embed_image(found.image)}

    def encode(pixels: Pixels) -> list[NDArray[np.generic]]:
        return [each.numpy() for each in run({"pixels": torch.from_numpy(pixels)}).values()]

    graph = to_onnx(run, {"pixels": torch.zeros(2, 3, side, side)}, {"pixels": [0]}, [backbone.vision])
    return Case(name, backbone, encode, graph.data, side, batches)


def _compare(case: Case, runtimes: dict[str, Encoder], rounds: int, data: Path | None) -> None:
    for batch in case.batches:
        pixels = _pixels(case, batch, data)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runtimes}
        features: dict[str, list[NDArray[np.generic]]] = {}
        with torch.inference_mode():
            for name, run in runtimes.items():
                features[name] = run(pixels)
            for number in range(rounds):
                for name in list(runtimes) if number % 2 == 0 else list(runtimes)[::-1]:
                    processor, clock = time.process_time(), time.perf_counter()
                    runtimes[name](pixels)
                    taken[name].append((time.process_time() - processor, time.perf_counter() - clock))
        base = taken["torch"]
        for name, times in taken.items():
            ratios = [
                statistics.median(a[which] / b[which] for a, b in zip(times, base, strict=True)) for which in (0, 1)
            ]
            mean, worst = _distance(features["torch"], features[name])
            shown = f"{1000 * statistics.median(each[0] for each in times) / batch:7.1f} ms" if name == "torch" else ""
            print(
                f"{case.name + ', batch ' + str(batch) if name == 'torch' else '':18}{name:20}{ratios[0]:10.2f}{ratios[1]:8.2f}"
                f"{mean:19.1e}{worst:10.1e}  {shown}",
                flush=True,
            )


def _pixels(case: Case, batch: int, data: Path | None) -> Pixels:
    if data is None:
        return np.random.default_rng(0).standard_normal((batch, 3, case.side, case.side), np.float32)
    paths = find_images([data]).paths
    images = [read_image(path).pixels for path in paths[:: max(1, len(paths) // batch)][:batch]]
    return normalised(images, (case.side, case.side), case.backbone.mean, case.backbone.std, "bicubic")


def _runtimes(case: Case, threads: int) -> dict[str, Encoder]:
    runtimes: dict[str, Encoder] = {"torch": case.torch, "onnxruntime": _one_by_one(_onnxruntime(case.graph, threads))}
    if max(case.batches) > 1:
        runtimes["ort, together"] = _onnxruntime(case.graph, threads)
    if is_whole := b"MatMulInteger" in (whole := _int8(case.graph)):
        runtimes["ort int8"] = _one_by_one(_onnxruntime(whole, threads))
    if find_spec("openvino"):
        for precision in ("f32", "bf16"):
            runtimes[f"OpenVINO {precision}"] = _one_by_one(_openvino(case.graph, threads, precision))
        if is_whole:
            runtimes["OpenVINO int8"] = _one_by_one(_openvino(whole, threads, "f32"))
    return runtimes


def _settings(case: Case, threads: int) -> dict[str, Encoder]:
    """Torch, onnxruntime as it is, and with each of `SETTINGS`."""
    runs = {name: _one_by_one(_onnxruntime(case.graph, threads, **values)) for name, values in SETTINGS.items()}
    return {"torch": case.torch, "onnxruntime": _one_by_one(_onnxruntime(case.graph, threads)), **runs}


def _int8(graph: bytes) -> bytes:
    try:
        return reduced(graph, "int8")
    except oddlens.OddlensError:  # nothing but convolutions
        return b""


def _one_by_one(run: Encoder) -> Encoder:
    def each(pixels: Pixels) -> list[NDArray[np.generic]]:
        parts = [run(pixels[number : number + 1]) for number in range(len(pixels))]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    return each


def _onnxruntime(graph: bytes, threads: int, **settings: object) -> Encoder:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in settings.items():
        setattr(options, name, value)
    session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
    return lambda pixels: list(session.run(None, {"pixels": pixels}))


def _openvino(graph: bytes, threads: int, precision: str) -> Encoder:
    with without_openvinos():
        import openvino
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    return lambda pixels: [np.array(each) for each in compiled({"pixels": pixels}).values()]


def _distance(one: Sequence[NDArray[np.generic]], other: Sequence[NDArray[np.generic]]) -> tuple[float, float]:
    """The mean and the largest 1 - cosine over all outputs that are vectors, of the output where it is largest."""
    means, worst = [], []
    for a, b in zip(one, other, strict=True):
        if a.ndim < 2 or a.dtype != np.float32:
            continue
        p, q = (each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (a, b))
        lengths = np.linalg.norm(p, axis=1) * np.linalg.norm(q, axis=1)
        distance = 1 - (p * q).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
        means.append(float(distance.mean()))
        worst.append(float(distance.max()))
    return max(0.0, *means), max(0.0, *worst)


if __name__ == "__main__":
    main()
