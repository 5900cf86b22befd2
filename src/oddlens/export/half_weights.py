"""Weights of a graph in half of their bytes."""

from __future__ import annotations

import numpy as np

LEAST_BYTES = 4096
"""Of a tensor that is worth a node."""


def with_half_weights(data: bytes, *, exact: bool = True) -> bytes:
    """The graph with the float32 weights that float16 holds exactly stored as float16, and a cast to float32 behind each.

    Weights that were trained and kept in float16 are such. A runtime casts once, when it loads the graph: results keep every bit.

    exact: Otherwise other weights are rounded to float16, too.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(data)
    casts, kept = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.raw_data) >= LEAST_BYTES:
            values = numpy_helper.to_array(tensor)
            with np.errstate(over="ignore"):
                half = values.astype(np.float16)
            if not exact or np.array_equal(half.astype(np.float32), values):
                stored = f"{tensor.name}:float16"
                casts.append(
                    helper.make_node("Cast", [stored], [tensor.name], name=f"{stored}:cast", to=TensorProto.FLOAT)
                )
                tensor = numpy_helper.from_array(half, stored)
        kept.append(tensor)
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    packed: bytes = model.SerializeToString(deterministic=True)
    return packed
