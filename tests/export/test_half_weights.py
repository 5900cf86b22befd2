"""Weights that float16 holds exactly, or that have few values, take half of the bytes and give the same bits."""

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from oddlens.export.half_weights import with_half_weights

onnx = pytest.importorskip("onnx")


def product(weights: NDArray[np.float32]) -> bytes:
    """The graph of x @ weights."""
    from onnx import TensorProto, helper, numpy_helper

    shape = [2, len(weights)]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights")],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9
    ).SerializeToString()
    return made


def run(data: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def test_exact_weights_are_halved_and_give_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(64, 64)).astype(np.float16).astype(np.float32)
    whole, x = product(weights), rng.normal(size=(2, 64)).astype(np.float32)
    half = with_half_weights(whole)
    assert len(half) < 0.6 * len(whole)
    assert np.array_equal(run(half, x), run(whole, x))


@pytest.mark.parametrize("value", [0.1, 1e6, np.nan])
def test_a_tensor_with_one_value_that_float16_has_not_stays_as_it_is(value: float) -> None:
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16).astype(np.float32)
    weights[3, 5] = value
    data = product(weights)
    assert onnx.load_from_string(with_half_weights(data)) == onnx.load_from_string(data)


def test_rounded_weights_stay_where_float16_has_no_number_as_large() -> None:
    """They would be infinite, and so would the features."""
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    assert len(with_half_weights(product(weights), exact=False)) < 0.6 * len(product(weights))
    weights[3, 5] = 1e6
    data = product(weights)
    assert onnx.load_from_string(with_half_weights(data, exact=False)) == onnx.load_from_string(data)


def band(size: int, reach: int = 9) -> NDArray[np.float32]:
    """The matrix of a filter."""
    weights = np.zeros((size, size), np.float32)
    for offset in range(-reach, reach + 1):
        weights += np.diag(np.full(size - abs(offset), np.exp(-(offset**2) / 18), np.float32), offset)
    return weights


def check_bits(weights: NDArray[np.float32], most: float) -> None:
    """What is stored takes at most a part of its bytes, and is the same to the bit."""
    whole, x = product(weights), np.random.default_rng(0).normal(size=(2, len(weights))).astype(np.float32)
    stored = with_half_weights(whole)
    assert len(stored) < most * len(whole)
    assert np.array_equal(run(stored, x), run(whole, x))
    for rows in np.eye(len(weights), dtype=np.float32).reshape(-1, 2, len(weights)):
        assert run(stored, rows).tobytes() == run(whole, rows).tobytes()


def test_a_tensor_of_few_values_is_stored_by_their_numbers() -> None:
    weights = np.random.default_rng(0).choice(np.float32([0, 0.1, 1 / 3]), (96, 96))
    weights[0, 95] = -0.0
    check_bits(weights, 0.6)


@pytest.mark.parametrize("size", [96, 288])
def test_a_filter_is_stored_by_its_band(size: int) -> None:
    check_bits(band(size), 0.2)


@pytest.mark.parametrize("row", [0, 40, 95])
def test_the_band_of_a_filter_begins_and_ends_where_it_does(row: int) -> None:
    weights = band(96)
    weights[row] = 0
    check_bits(weights, 0.3)
    weights[row, row - 9 if row else 9] = -0.0  # which other rows' zeros are not
    check_bits(weights, 0.3)
    weights[row, 95 - row] = 0.7  # too far for a band that is worth it
    check_bits(weights, 0.6)
