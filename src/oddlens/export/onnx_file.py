"""One function of tensors as an ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.export import Dim

from oddlens.errors import OddlensError, first_line
from oddlens.export.loops import scans_as_loops

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

OPSET = 20
"""The version of ONNX's operators: onnxruntime reads it from 1.17 on, OpenVINO from 2024.0 on."""

Axes: TypeAlias = Collection[int]
"""The numbers of the axes of a tensor that may have any length."""


@dataclass(frozen=True)
class OnnxGraph:
    """A graph as it is written to a file.

    Attributes:
        inputs: The names of its tensors, those that it uses.
        outputs: Likewise.
        data: The file.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    data: bytes


class _Named(nn.Module):
    """A function of named tensors as a module of tensors in a row; `parts` are the modules whose weights it uses."""

    def __init__(
        self, run: Callable[[dict[str, Tensor]], Mapping[str, Tensor]], names: Sequence[str], parts: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._run, self._names = run, tuple(names)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._run(dict(zip(self._names, tensors, strict=True))).values())


@torch.no_grad()
def to_onnx(
    run: Callable[[dict[str, Tensor]], Mapping[str, Tensor]],
    given: Mapping[str, Tensor],
    axes: Mapping[str, Axes],
    parts: Sequence[nn.Module] = (),
) -> OnnxGraph:
    """A function of named tensors as an ONNX graph.

    Args:
        run: The function; what it returns has names too.
        given: Tensors to trace it with. An axis of any length has at least 2 here.
        axes: Of each of them that has any, its axes of any length.
        parts: Modules whose weights it uses.

    Raises:
        OddlensError: The packages for it are absent, or torch cannot export the function.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise OddlensError("exporting needs onnx and onnxscript: pip install 'oddlens[export]'") from error
    outputs = tuple(run(dict(given)))
    inputs = tuple(given)
    shapes = (tuple(dict.fromkeys(axes.get(name, ()), Dim.DYNAMIC) for name in inputs),)
    try:
        with _quiet():
            program = torch.onnx.export(
                _Named(run, inputs, parts).eval(),
                tuple(value.contiguous() for value in given.values()),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                input_names=list(inputs),
                output_names=list(outputs),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise OddlensError(
            f"torch makes no graph of what this method computes ({first_line(error.__cause__ or error)}): go on with torch"
        ) from error
    assert program is not None  # which it is for the older exporter alone
    model = program.model_proto
    scans_as_loops(model.graph)
    _tidy(model)
    return OnnxGraph(
        tuple(each.name for each in model.graph.input), outputs, model.SerializeToString(deterministic=True)
    )


def same_graph(one: bytes, other: bytes) -> bool:
    """Whether two files hold the same graph but for the names that the exporter gives to what is inside.

    The names follow from the sizes that a function was traced with, also where it takes any. Graphs with graphs inside count as
    different, and so does what is no graph.
    """
    plain = _without_inner_names(one)
    return plain is not None and plain == _without_inner_names(other)


def _without_inner_names(data: bytes) -> bytes | None:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(data)
    except DecodeError:
        return None
    graph = model.graph
    if any(True for node in graph.node for _ in _inside(node)):
        return None
    names = {each.name: each.name for each in (*graph.input, *graph.output)} | {"": ""}
    for node in graph.node:
        node.name = ""
        for listed in (node.input, node.output):
            listed[:] = [names.setdefault(each, f"{len(names)}") for each in listed]
    weights = []
    for each in graph.initializer:
        each.name = names.setdefault(each.name, f"{len(names)}")
        weights.append(each.SerializeToString(deterministic=True))
    del graph.initializer[:]
    return b"".join([model.SerializeToString(deterministic=True), *sorted(weights)])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter prints and warns of: its steps, and packages that are not needed."""
    loggers = {logger: logger.level for logger in map(logging.getLogger, ("torch.onnx", "onnxscript", "onnx_ir"))}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


def _tidy(model: ModelProto) -> None:
    """Remove inputs that nothing uses, and what the exporter says of the source files that a node comes from."""
    used = set(_names_used(model.graph)) | {each.name for each in model.graph.output}
    kept = [each for each in model.graph.input if each.name in used]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    del model.metadata_props[:]
    _forget_sources(model.graph)
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""


def _forget_sources(graph: GraphProto) -> None:
    del graph.metadata_props[:]
    del graph.value_info[:]
    for value in (*graph.input, *graph.output, *graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        for inner in _inside(node):
            _forget_sources(inner)


def _inside(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs in a node."""
    for attribute in node.attribute:
        yield from (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs


def _names_used(graph: GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from node.input
        for inner in _inside(node):
            yield from _names_used(inner)
            yield from (each.name for each in inner.output)
