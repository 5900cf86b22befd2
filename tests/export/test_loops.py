"""A Scan as a Loop: other nodes, the same numbers."""

import numpy as np
import onnxruntime
import pytest

from oddlens.export.loops import scans_as_loops

onnx = pytest.importorskip("onnx")

TEXT = """
<ir_version: 10, opset_import: ["" : 20]>
sums (float[n, 2] rows, float[2] first, float[1] weight) => (float[2] total, float[n, 2] each) {
    total, each = Scan <num_scan_inputs = 1, body = step (float[2] sum, float[2] row) => (float[2] next, float[2] shown) {
        heavy = Mul (row, weight)
        next = Add (sum, heavy)
        shown = Identity (next)
    }> (first, rows)
}
"""


def test_it_carries_collects_and_uses_what_stands_outside_it() -> None:
    model = onnx.parser.parse_model(TEXT)
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    given = {"rows": rows, "first": np.float32([10, 20]), "weight": np.float32([2])}
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, given)
    scans_as_loops(model.graph)
    assert [node.op_type for node in model.graph.node] == ["Shape", "Squeeze", "Loop"]
    onnx.checker.check_model(model)
    total, each = onnxruntime.InferenceSession(model.SerializeToString()).run(None, given)
    assert np.array_equal(each, given["first"] + np.cumsum(rows * 2, axis=0))
    assert (total.tolist(), each.tolist()) == (expected[0].tolist(), expected[1].tolist())
