"""Weights of a graph in half of their bytes, or fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

LEAST_BYTES = 4096
"""Of a tensor that is worth a node."""

WORTH = 0.6
"""What a part of a tensor, or the numbers of its values, may take of its bytes."""


def with_half_weights(data: bytes, *, exact: bool = True) -> bytes:
    """The graph with float32 weights in two bytes each, where they keep every bit.

    Weights that were trained and kept in float16 are stored so, with a cast to float32 behind them. Of a matrix that is 0 but for
    a band, as that of a filter, the band is stored, and a scatter stands behind it. Of what has few distinct values, as that band
    has, the numbers of its values are stored, and a lookup stands behind them. A runtime does all of it once, when it loads the
    graph.

    exact: Otherwise other weights are rounded to float16, too, where it holds numbers as large.
    """
    import onnx
    from onnx import TensorProto, numpy_helper

    model = onnx.load_from_string(data)
    stored = _Stored([], [])
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.raw_data) < LEAST_BYTES:
            stored.tensors.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        rounds = not exact and np.array_equal(np.isfinite(half), np.isfinite(values))  # beyond 65504 there is no number
        if rounds or np.array_equal(half.astype(np.float32), values):
            stored.add_half(tensor.name, half)
        elif not (stored.add_band(tensor.name, values) or stored.add_numbers(tensor.name, values)):
            stored.tensors.append(tensor)
    nodes = [*stored.nodes, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(stored.tensors)
    model.graph.node.extend(nodes)
    packed: bytes = model.SerializeToString(deterministic=True)
    return packed


@dataclass(frozen=True)
class _Stored:
    """What a graph holds of its weights, and the nodes that make float32 of it."""

    nodes: list[NodeProto]
    tensors: list[TensorProto]

    def add_half(self, name: str, half: NDArray[np.float16]) -> None:
        """Weights in float16, and a cast."""
        from onnx import TensorProto

        stored = self._add(f"{name}:float16", half)
        self._compute("Cast", [stored], name, to=TensorProto.FLOAT)

    def add_band(self, name: str, values: NDArray[np.float32]) -> bool:
        """The band of a matrix, and a scatter, where that is worth it; whether it is."""
        found = _band(values)
        if found is None:
            return False
        starts, band = found
        if not self.add_numbers(f"{name}:band", band):
            self._add(f"{name}:band", band)
        offsets = np.arange(band.shape[1], dtype=np.int32)
        given = self._add(f"{name}:starts", starts), self._add(f"{name}:offsets", offsets)
        places = self._compute("Add", given, f"{name}:places")
        shape = self._add(f"{name}:shape", np.array(values.shape, np.int64))
        empty = self._compute("ConstantOfShape", [shape], f"{name}:empty")  # of float32 zeros, as no value is given
        self._compute("ScatterElements", [empty, places, f"{name}:band"], name, axis=1)
        return True

    def add_numbers(self, name: str, values: NDArray[np.float32]) -> bool:
        """The numbers of the values of a tensor, and a lookup, where that is worth it; whether it is."""
        from onnx import TensorProto

        known, numbers = _distinct(values)
        if known.nbytes + numbers.nbytes > WORTH * values.nbytes:
            return False
        given = self._add(f"{name}:values", known), self._add(f"{name}:numbers", numbers)
        places = self._compute("Cast", given[1:], f"{name}:int32", to=TensorProto.INT32)
        self._compute("Gather", [given[0], places], name)
        return True

    def _add(self, name: str, values: NDArray[np.generic]) -> str:
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def _compute(self, operator: str, given: Sequence[str], name: str, **options: int) -> str:
        from onnx import helper

        node = helper.make_node(operator, given, [name], name=f"{given[0]}:{operator.lower()}")
        node.attribute.extend(helper.make_attribute(*each) for each in options.items())
        self.nodes.append(node)
        return name


def _band(values: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """Where the band of a matrix begins in each row, [rows, 1], and the band, [rows, width]; None where it is not worth it.

    Beside it all is 0, and not -0: bits count.
    """
    if values.ndim != 2:
        return None
    rows, columns = values.shape
    held = np.ascontiguousarray(values).view(np.uint32) != 0
    first = np.where(held.any(1), held.argmax(1), 0)
    last = np.where(held.any(1), columns - 1 - held[:, ::-1].argmax(1), 0)
    width = int((last - first).max()) + 1
    if rows * (width + 1) > WORTH * values.size:
        return None
    starts = np.minimum(first, columns - width)[:, None]
    return starts.astype(np.int32), np.take_along_axis(values, starts + np.arange(width), axis=1)


def _distinct(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint16 | np.uint32]]:
    """The distinct values of a matrix by their bits, and the number of each of its values among them."""
    bits, numbers = np.unique(np.ascontiguousarray(values).view(np.uint32), return_inverse=True)
    # More than 16 bits count take more than they are worth.
    kind = np.uint16 if len(bits) <= np.iinfo(np.uint16).max + 1 else np.uint32
    return bits.view(np.float32), numbers.reshape(values.shape).astype(kind)
