"""A folder of graphs: the .onnx files of a method, and graphs.json, which says what a runtime must know beside them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from oddlens.errors import UsageError
from oddlens.export.graphs import method_graphs
from oddlens.export.half_weights import with_half_weights
from oddlens.export.onnx_file import same_graph
from oddlens.export.precision import reduced
from oddlens.io.atomic import write_bytes, write_text
from oddlens.io.paths import is_file
from oddlens.methods.base import AnyMethod
from oddlens.provenance import plain_recipe
from oddlens.runtime.engine import GraphRuntime
from oddlens.runtime.graph_folder import (
    ENCODER,
    FORMAT,
    GRAPHS,
    TEXT,
    TEXTS,
    TOKENIZER,
    GraphFile,
    GraphFolder,
    GraphsDocument,
    Precision,
)

Files = dict[str, GraphFile]

_REDUCED: dict[Precision, tuple[str, ...]] = {"fp32": (), "fp16": (ENCODER, TEXT), "int8": (ENCODER,)}
"""The graphs that a precision changes: in prompts, int8 saves no time."""


def write_graphs(
    method: AnyMethod,
    folder: Path,
    *,
    precision: Precision = "fp32",
    runtime: GraphRuntime = "onnx",
    objects: Iterable[str] | None = None,
    half: bool = False,
    kind: str = "",
    report: Callable[[str], None] = lambda role: None,
) -> GraphsDocument:
    """Write the graphs of a method into a folder, each file whole or not at all, graphs.json last.

    Args:
        method: On the CPU.
        folder: It may exist; files of the same names are replaced, but for those that hold the same graph.
        precision: Of the towers' weights; all else is float32.
        runtime: What runs them unless another one is asked for.
        objects: The object names whose prompt embeddings are written; with them there is no text graph. None: a text graph,
            where the method's words need no more, so that every name can be given.
        half: Store the weights that float16 holds exactly as that; a runtime makes them float32 again when it loads the graph.
        kind: Part of the files' names, where the folder has other graphs of the method too; they share files.
        report: Is told of the role of each graph before it is made.

    Returns:
        What graphs.json says.

    Raises:
        UsageError: The method has no graphs under its recipe.
        OddlensError: Packages are absent, or the disk takes no more.
    """
    made = method_graphs(method, with_text=objects is None, report=report)
    files: Files = {}
    for role, graph in made.graphs.items():
        data = reduced(graph.data, precision) if role in _REDUCED[precision] else graph.data
        data = with_half_weights(data) if half else data
        known = (folder / name for name in (f"{role}{kind}.onnx", f"{role}.onnx"))
        same = next((path for path in known if is_file(path) and same_graph(path.read_bytes(), data)), None)
        files[role] = _written(folder, f"{role}{kind}.onnx", data) if same is None else _named(same)
    if method.card.needs.text and TEXT not in made.graphs:
        names, arrays = _texts(method, objects, {name for graph in made.graphs.values() for name in graph.inputs})
        files[TEXTS] = _written(folder, "texts.safetensors", save(arrays))
    else:
        names = None
    backbone, request, ensemble = method.backbone, method.request, method.ensemble
    if TEXT in made.graphs:
        backbone.tokenizer.save(folder / "tokenizer.json")
        files[TOKENIZER] = _named(folder / "tokenizer.json")
    document: GraphsDocument = {
        "format": FORMAT,
        "method": method.card.name,
        "recipe": plain_recipe(method.recipe),
        "model": {"name": backbone.card.name, "sha256": backbone.model_hash, "fingerprint": backbone.fingerprint},
        "mean": list(backbone.mean),
        "std": list(backbone.std),
        "request": {
            "image_size": request.image_size,
            "interpolation": request.interpolation,
            "aspect_cell": request.aspect_cell,
        },
        "precision": precision,
        "runtime": runtime,
        "files": files,
        "inputs": {role: list(graph.inputs) for role, graph in made.graphs.items()},
        "outputs": {role: list(graph.outputs) for role, graph in made.graphs.items()},
        "unit": made.unit,
        "grids": dict(method.grids),
        "values": {
            name: {
                "shape": list(value.shape),
                "dtype": str(value.dtype).removeprefix("torch."),
                "neutral": None if method.neutral_values is None else method.neutral_values[name],
            }
            for name, value in made.values.items()
        },
        "prompts": None
        if ensemble is None or TEXT not in made.graphs
        else {
            "normal": list(ensemble.states.normal),
            "abnormal": list(ensemble.states.abnormal),
            "templates": list(ensemble.templates),
            "unit_sentences": ensemble.unit_sentences,
            "context": backbone.tokenizer.context,
            "cleans": backbone.tokenizer.cleans,
        },
        "objects": names,
        "value_range": {
            "zero_shot": _range(method.value_range(False)),
            "few_shot": _range(method.value_range(True)),
        },
        "unguaranteed": method.unguaranteed,
        "unguaranteed_maps": method.unguaranteed_maps,
    }
    name = Path(GRAPHS)
    write_text(folder / f"{name.stem}{kind}{name.suffix}", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return document


def copy_graphs(
    graphs: GraphFolder, folder: Path, precision: Precision = "fp32", runtime: GraphRuntime = "onnx"
) -> None:
    """Write graphs that are there in float32, in this precision. Raises as `write_graphs`, and `ModelError` for damaged ones."""
    files: Files = {}
    for role in graphs.document["files"]:
        path, _ = graphs.file(role)
        data = path.read_bytes()
        files[role] = _written(folder, path.name, reduced(data, precision) if role in _REDUCED[precision] else data)
    document: GraphsDocument = {**graphs.document, "precision": precision, "runtime": runtime, "files": files}
    write_text(folder / GRAPHS, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _texts(
    method: AnyMethod, objects: Iterable[str] | None, used: Collection[str]
) -> tuple[list[str] | None, dict[str, NDArray[np.generic]]]:
    """The text side of objects: their names, None where it is the same for all, and arrays by "number of the object:name"."""
    names = None if objects is None else list(dict.fromkeys(objects))
    one, other = (method.encode_prompts(name) for name in ("part", "carpet"))
    if all(torch.equal(value, other[name]) for name, value in one.items()):
        names, each = None, [one]
    elif names is None:
        raise UsageError(f"the words of {method.card.name} cannot be a graph: name the objects")
    else:
        each = [method.encode_prompts(name) for name in names]
    arrays = {
        f"{number}:{name}": np.ascontiguousarray(value.cpu().numpy())
        for number, text in enumerate(each)
        for name, value in text.items()
        if name in used
    }
    return names, arrays


def _written(folder: Path, name: str, data: bytes) -> GraphFile:
    write_bytes(folder / name, data)
    return {"name": name, "sha256": hashlib.sha256(data).hexdigest()}


def _named(path: Path) -> GraphFile:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _range(ends: tuple[float, float]) -> list[float | None]:
    """The ends; None for one that is infinite."""
    return [end if math.isfinite(end) else None for end in ends]
