"""Graphs in less than float32: weights in half of the memory, or products of whole numbers."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from oddlens.errors import UsageError, choices, needs_package
from oddlens.export.half_weights import with_half_weights
from oddlens.runtime.graph_folder import PRECISIONS, Precision


def checked_precision(precision: str) -> Precision:
    """One of `PRECISIONS`. Raises `UsageError` for anything else."""
    for known in PRECISIONS:
        if precision == known:
            return known
    raise UsageError(f"there is no precision {precision!r}{choices(precision, PRECISIONS)}")


def reduced(data: bytes, precision: Precision) -> bytes:
    """The graph in a file of another precision."""
    if precision == "fp16":
        return with_half_weights(data, exact=False)
    return _with_whole_products(data) if precision == "int8" else data


def _with_whole_products(data: bytes) -> bytes:
    """Products with weights as onnxruntime's dynamic quantisation has them."""
    import onnxruntime

    with needs_package("onnx", "precision int8 needs onnx: run pip install 'oddlens[export]'"):
        from onnxruntime.quantization import QuantType, quantize_dynamic
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        source, target = (str(Path(folder, name)) for name in ("fp32.onnx", "int8.onnx"))
        options.optimized_model_filepath = source  # in which weights are not transposed any more before a product
        onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
        before = logging.root.manager.disable
        logging.disable(max(before, logging.WARNING))  # it advises to simplify the graph, which was done
        try:
            quantize_dynamic(source, target, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8)
        finally:
            logging.disable(before)
        whole = Path(target).read_bytes()
    if b"MatMulInteger" not in whole:
        raise UsageError(
            "int8 changes nothing here: the features come from convolutions alone, which it leaves as they are; take fp32 or fp16"
        )
    return whole
