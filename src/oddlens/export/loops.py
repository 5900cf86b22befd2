"""The loops of a graph in the form that all runtimes read: Loop instead of Scan.

torch exports a `scan` as a Scan, and OpenVINO reads none whose body uses what stands outside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def scans_as_loops(graph: GraphProto) -> None:
    """Turn each Scan that runs forwards, as torch exports them, into a Loop of the same name and outputs, in place."""
    nodes = [each for node in graph.node for each in (_loop(node) if node.op_type == "Scan" else [node])]
    del graph.node[:]
    graph.node.extend(nodes)


def _loop(scan: NodeProto) -> list[NodeProto]:
    """A Loop over the first axis of what a Scan is given, and the nodes that it needs before it."""
    from onnx import TensorProto
    from onnx.helper import make_node, make_tensor_value_info

    attributes = {each.name: each for each in scan.attribute}
    body, first = attributes["body"].g, len(scan.input) - attributes["num_scan_inputs"].i
    carried, scanned, name = scan.input[:first], scan.input[first:], scan.output[0]
    step, going, still, lengths, steps = (f"{name}_{each}" for each in ("step", "going", "still", "lengths", "steps"))
    nodes = [
        *(
            make_node("Gather", [given, step], [part.name])
            for given, part in zip(scanned, body.input[first:], strict=True)
        ),
        make_node("Identity", [going], [still]),
        *body.node,
    ]
    inputs = [
        make_tensor_value_info(step, TensorProto.INT64, []),
        make_tensor_value_info(going, TensorProto.BOOL, []),
        *body.input[:first],
    ]
    outputs = [make_tensor_value_info(still, TensorProto.BOOL, []), *body.output]
    for field, values in ((body.node, nodes), (body.input, inputs), (body.output, outputs)):
        del field[:]
        field.extend(values)
    return [
        make_node("Shape", [scanned[0]], [lengths], start=0, end=1),
        make_node("Squeeze", [lengths], [steps]),
        make_node("Loop", [steps, "", *carried], list(scan.output), name=scan.name, body=body),
    ]
