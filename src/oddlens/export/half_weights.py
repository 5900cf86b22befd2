"""Weights of a graph in half of their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

LEAST_BYTES = 4096
"""Of a tensor that is worth a node."""

WORTH = 0.6
"""What a matrix by the numbers of its values may take of its bytes."""


def with_half_weights(data: bytes, *, exact: bool = True) -> bytes:
    """The graph with float32 weights in two bytes each, where they keep every bit.

    Weights that were trained and kept in float16 are stored so, with a cast to float32 behind them. Of a matrix that has few
    distinct values, as that of a filter, the numbers of its values are stored, and a lookup stands behind them. A runtime does
    either once, when it loads the graph.

    exact: Otherwise other weights are rounded to float16, too, where it holds numbers as large.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(data)
    added: list[NodeProto] = []
    kept: list[TensorProto] = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.raw_data) < LEAST_BYTES:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        rounds = not exact and np.array_equal(np.isfinite(half), np.isfinite(values))  # beyond 65504 there is no number
        if rounds or np.array_equal(half.astype(np.float32), values):
            stored = f"{tensor.name}:float16"
            added.append(helper.make_node("Cast", [stored], [tensor.name], name=f"{stored}:cast", to=TensorProto.FLOAT))
            kept.append(numpy_helper.from_array(half, stored))
            continue
        known, numbers = _distinct(values)
        if known.nbytes + numbers.nbytes > WORTH * values.nbytes:
            kept.append(tensor)
            continue
        table, stored = f"{tensor.name}:values", f"{tensor.name}:numbers"
        added.append(
            helper.make_node("Cast", [stored], [f"{stored}:int32"], name=f"{stored}:cast", to=TensorProto.INT32)
        )
        added.append(helper.make_node("Gather", [table, f"{stored}:int32"], [tensor.name], name=f"{table}:lookup"))
        kept += [numpy_helper.from_array(known, table), numpy_helper.from_array(numbers, stored)]
    nodes = [*added, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    packed: bytes = model.SerializeToString(deterministic=True)
    return packed


def _distinct(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint16 | np.uint32]]:
    """The distinct values of a matrix by their bits, and the number of each of its values among them."""
    bits, numbers = np.unique(np.ascontiguousarray(values).view(np.uint32), return_inverse=True)
    # More than 16 bits count take more than they are worth.
    kind = np.uint16 if len(bits) <= np.iinfo(np.uint16).max + 1 else np.uint32
    return bits.view(np.float32), numbers.reshape(values.shape).astype(kind)
