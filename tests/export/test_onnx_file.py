"""Graphs as files: what has none, and which are the same."""

import pytest

helper = pytest.importorskip("onnx.helper")

from oddlens.errors import OddlensError  # noqa: E402
from oddlens.export.onnx_file import same_graph, to_onnx  # noqa: E402 it needs torch


def graph(*, inner: str = "t", factor: float = 2.0, name: str = "x") -> bytes:
    """The graph y = name * factor + factor."""
    weights = helper.make_tensor(f"{inner}_w", 1, [1], [factor])
    nodes = [
        helper.make_node("Mul", [name, f"{inner}_w"], [inner], name=f"node_{inner}"),
        helper.make_node("Add", [inner, f"{inner}_w"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(each, 1, [None]) for each in (name, "y")]
    made: bytes = helper.make_model(helper.make_graph(nodes, "main", ends[:1], ends[1:], [weights])).SerializeToString()
    return made


def test_a_function_that_reads_its_numbers_is_refused_in_a_sentence() -> None:
    """As a method of the user's own may do."""
    import torch

    with pytest.raises(
        OddlensError, match=r"^torch makes no graph of what this method computes \(.+\): go on with torch$"
    ):
        to_onnx(
            lambda given: {"y": given["x"] if given["x"].sum() > 0 else -given["x"]},
            {"x": torch.ones(2, 3)},
            {"x": [0]},
        )


def test_names_of_what_is_inside_do_not_count() -> None:
    assert same_graph(graph(), graph(inner="val_7"))


def test_weights_and_the_names_of_inputs_do() -> None:
    assert not same_graph(graph(), graph(factor=3.0))
    assert not same_graph(graph(), graph(name="z"))


def test_what_is_no_graph_is_another_one() -> None:
    assert not same_graph(b"\xff" * 9, graph())
    assert not same_graph(b"\xff" * 9, b"\xff" * 9)


def test_graphs_with_graphs_inside_are_not_compared() -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", 1, [None])]
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    ends = [
        helper.make_tensor_value_info(each, kind, shape)
        for each, kind, shape in (("c", 9, []), ("x", 1, [None]), ("y", 1, [None]))
    ]
    data = helper.make_model(helper.make_graph([node], "main", ends[:2], ends[2:])).SerializeToString()
    assert not same_graph(data, data)
