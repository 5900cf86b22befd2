"""What graphs in less than float32 cost and save: the embedded model's graphs of WinCLIP and patch-knn on real images.

    python benchmarks/precision.py --data FOLDER [--shots N] [--rounds N]

FOLDER: a data set with masks. Each category has its first N good images as references, which also give the thresholds, in each
precision anew; WinCLIP also runs without references. Of the encoder alone, for the rest takes no time:

- fp16: weights stored in float16 (`oddlens export --precision fp16`).
- int8: products of rounded weights and numbers (`--precision int8`); convolutions stay as they are.
- weights int8: products with weights of 8 bits in blocks of 32, numbers in float32.
- static int8: convolutions and products in int8, ranges from the references of all categories.
- nncf int8, where NNCF is installed (pip install nncf==3.4.0, 320 MB): likewise by NNCF with accuracy control, which returns to
  float32 what costs most until the features of the references lie within 1 - cosine = .001 of those in float32, on average.

Columns: AUROC of images and of pixels, mean over categories; verdicts that turned against fp32, each with thresholds of its own
precision; the largest change of a score; processor time of encoding an image against fp32 on onnxruntime, interleaved, median over
rounds; the same on OpenVINO, where it is installed; the size of the encoder. One thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

os.environ["OMP_NUM_THREADS"] = "1"  # before oddlens is imported

import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

import oddlens
from oddlens.backbone.files import MINI_FOLDER
from oddlens.data import Record, open_dataset, read_mask, resize_mask
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.export.precision import reduced
from oddlens.io.images import Picture, read_image
from oddlens.metrics import image_metrics, pixel_metrics
from oddlens.runtime.graph_folder import ENCODER, GRAPHS, GraphFolder
from oddlens.telemetry import without_openvinos

Numbers = NDArray[np.float32]

HEAD = f"{'':16}{'image':>8}{'pixel':>8}{'turned':>8}{'moved':>9}{'time':>7}{'OpenVINO':>10}{'MB':>7}"

MAX_DROP = 1e-3
"""What accuracy control lets features lose: the mean of 1 - cosine over the outputs of the encoder."""


def main() -> None:
    """Make the graphs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    logging.getLogger("onnxruntime.quantization").setLevel(logging.WARNING)
    logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer").setLevel(logging.WARNING)
    dataset = open_dataset(given.data)
    sets = {
        category: (_good(dataset, category, given.shots), list(dataset.select(category=category, split="test")))
        for category in sorted({record.category for record in dataset.select(split="test")})
    }
    references = [read_image(path) for good, _ in sets.values() for path in good]
    print(
        f"load {os.getloadavg()[0]:.1f}; {sum(len(records) for _, records in sets.values())} images of {', '.join(sets)}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        for method in ("winclip", "patch-knn"):
            folders = dict(_graphs(method, references, Path(temporary)))
            detectors = {name: oddlens.load(method, folder) for name, folder in folders.items()}
            openvino = {}
            if find_spec("openvino"):
                openvino = {
                    f"{name} on OpenVINO": oddlens.load(method, folder, runtime="openvino")
                    for name, folder in folders.items()
                }
            speed = _speed(detectors | openvino, references[0], given.rounds)
            for shots in (0, given.shots) if method == "winclip" else (given.shots,):
                print(f"\n{method}, {shots} references\n{HEAD}")
                base: list[Detection] = []
                for name, detector in detectors.items():
                    found, image, pixel = _measured(detector, sets, shots > 0)
                    base = base or found
                    turned = sum(a.is_anomalous != b.is_anomalous for a, b in zip(found, base, strict=True))
                    moved = max(abs(a.score - b.score) for a, b in zip(found, base, strict=True))
                    size = GraphFolder.read(folders[name]).file(ENCODER)[0].stat().st_size / 1e6
                    print(
                        f"{name:16}{image:8.4f}{pixel:8.4f}{turned:8}{moved:9.1e}{speed[name]:7.2f}"
                        f"{speed.get(f'{name} on OpenVINO', float('nan')):10.2f}{size:7.1f}",
                        flush=True,
                    )


def _good(dataset: oddlens.data.Dataset, category: str, shots: int) -> list[Path]:
    return sorted(record.image for record in dataset.select(category=category, split="train", label=0))[:shots]


def _graphs(method: str, references: Sequence[Picture], temporary: Path) -> Iterator[tuple[str, Path]]:
    """The method's graphs in each precision that changes its encoder."""
    source = MINI_FOLDER / "graphs" / method
    whole = GraphFolder.read(source).file(ENCODER)[0].read_bytes()
    detector = oddlens.load(method, runtime="onnx")
    batches = [_pass(detector, each).pixels for each in references]
    makers: dict[str, Callable[[], bytes]] = {
        "fp32": lambda: whole,
        "fp16": lambda: reduced(whole, "fp16"),
        "int8": lambda: reduced(whole, "int8"),
        "weights int8": lambda: _whole_weights(whole),
        "static int8": lambda: _static(whole, batches),
    }
    if find_spec("nncf"):
        makers["nncf int8"] = lambda: _controlled(whole, batches)
    for name, make in makers.items():
        try:
            made = make()
        except oddlens.OddlensError as error:
            print(f"{method}, {name}: {error}")
            continue
        folder = temporary / f"{method}-{name.replace(' ', '-')}"
        shutil.copytree(source, folder)
        document = json.loads((folder / GRAPHS).read_text())
        (folder / document["files"][ENCODER]["name"]).write_bytes(made)
        document["files"][ENCODER]["sha256"] = hashlib.sha256(made).hexdigest()
        (folder / GRAPHS).write_text(json.dumps(document))
        yield name, folder


def _pass(detector: Detector, picture: Picture) -> Any:
    """An image as the encoder takes it."""
    method = detector.method
    return method.vision_pass([method.request.view(picture.pixels)], method.request)


def _whole_weights(data: bytes) -> bytes:
    import onnx

    if not any(node.op_type in ("MatMul", "Gemm") for node in onnx.load_from_string(data).graph.node):
        raise oddlens.OddlensError("there are no products")
    quantizer = MatMulNBitsQuantizer(onnx.load_from_string(_simple(data)), bits=8, block_size=32, is_symmetric=True)
    quantizer.process()
    made: bytes = quantizer.model.model.SerializeToString()
    return made


def _simple(data: bytes) -> bytes:
    """The graph with its constants folded, so that each weight stands beside its product."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder, "simple.onnx"))
        onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
        return Path(folder, "simple.onnx").read_bytes()


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """References, for the ranges of all numbers in a graph."""

    def __init__(self, batches: Sequence[Numbers]) -> None:
        self._rest = iter(batches)

    def get_next(self) -> dict[str, Numbers] | None:
        """The next one."""
        pixels = next(self._rest, None)
        return None if pixels is None else {"pixels": pixels}


def _static(data: bytes, batches: Sequence[Numbers]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(_simple(data))
        quant_pre_process(source, source, skip_symbolic_shape=True)
        logging.disable(logging.WARNING)
        quantize_static(
            source, target, _Reader(batches), QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8, op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        )  # fmt: skip
        logging.disable(logging.NOTSET)
        return target.read_bytes()


def _controlled(data: bytes, batches: Sequence[Numbers]) -> bytes:
    """The graph by NNCF with accuracy control. The references give the ranges, and what is lost."""
    import onnx

    with without_openvinos():
        import nncf

    def features(model: onnx.ModelProto, some: Iterable[dict[str, Numbers]]) -> list[list[Numbers]]:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return [session.run(names, each) for each in some]

    def likeness(model: onnx.ModelProto, some: Iterable[dict[str, Numbers]]) -> float:
        seen = list(some)
        numbers = [next(n for n, batch in enumerate(batches) if batch is each["pixels"]) for each in seen]
        pairs = [
            pair
            for number, image in zip(numbers, features(model, seen), strict=True)
            for pair in zip(whole[number], image, strict=True)
        ]
        return statistics.mean(_cosine(a, b) for a, b in pairs if a.dtype == np.float32)

    model = onnx.load_from_string(_simple(data))
    names = [each.name for each in model.graph.output]
    given = [{"pixels": batch} for batch in batches]
    whole = features(model, given)
    made: onnx.ModelProto = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset(given),
        nncf.Dataset(given),
        likeness,
        max_drop=MAX_DROP,
        model_type=nncf.ModelType.TRANSFORMER if any(node.op_type == "Softmax" for node in model.graph.node) else None,
    )
    return bytes(made.SerializeToString())


def _cosine(one: Numbers, other: Numbers) -> float:
    a, b = (each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (one, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1)[lengths > 0] / lengths[lengths > 0]).mean())


def _speed(detectors: dict[str, Detector], picture: Picture, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in detectors}
    passes = {name: _pass(detector, picture) for name, detector in detectors.items()}
    for number in range(rounds + 1):
        for name in list(detectors) if number % 2 == 0 else list(detectors)[::-1]:
            started = time.process_time()
            detectors[name].method.encode(passes[name])
            if number:
                taken[name].append(time.process_time() - started)
    return {
        name: statistics.median(a / b for a, b in zip(times, taken["fp32"], strict=True))
        for name, times in taken.items()
    }


def _measured(
    detector: Detector, sets: dict[str, tuple[list[Path], list[Record]]], with_references: bool
) -> tuple[list[Detection], float, float]:
    found: list[Detection] = []
    figures: list[tuple[float, float]] = []
    for category, (good, records) in sets.items():
        other = detector.with_references(detector.encode_references(good)) if with_references else detector
        detections = other.predict(other.encode([record.image for record in records]), category.replace("_", " "))
        maps = [each.anomaly_map for each in detections]
        masks = [
            resize_mask(read_mask(record), each.shape) if record.mask else np.zeros(each.shape, bool)
            for record, each in zip(records, maps, strict=True)
        ]
        labels = [record.label or 0 for record in records]
        figures.append(
            (image_metrics(labels, [each.score for each in detections]).auroc, pixel_metrics(masks, maps).auroc)
        )
        found += detections
    return found, statistics.mean(each[0] for each in figures), statistics.mean(each[1] for each in figures)


if __name__ == "__main__":
    main()
