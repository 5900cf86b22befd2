"""The graphs of a method: what each is given, and what it gives.

- encoder: "pixels" [images, 3, height, width], resized and normalised -> the method's features.
- text: "ids", "ends" (see `TextTower.forward`) -> "embeddings" [prompts, embed_dim], not normalised.
- scorer: features and text -> "scores" [images], "maps" [images, height, width], "part:<name>" [images].
- fit: features of good examples of one size -> the rows of a memory bank by name, [images, rows, channels].
- few_shot: features, text, rows [rows, channels] ("rows:<name>") and values ("value:<name>") of a memory -> as scorer.

Where a method keeps values beside the rows (`Method.values_of`):

- held_out: features, text and rows -> what values and scores are made of, "held:<name>".
- held_out_alone: likewise without rows, where one good example has values too.
- values: what held_out gave for all good examples, each with the rows of the others -> "value:<name>".
- finish: what held_out gave for images, and values -> as scorer.

Every number of images and of rows is possible, and of pixels where images keep their aspect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.backbone.vision_pass import pass_pixels
from oddlens.errors import UsageError
from oddlens.export.baking import baked
from oddlens.export.onnx_file import Axes, OnnxGraph, to_onnx
from oddlens.methods.base import AnyMethod, Method, Scores
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.scoring import ScoringMethod
from oddlens.runtime.graph_folder import (
    ENCODER,
    FEW_SHOT,
    FINISH,
    FIT,
    HELD,
    HELD_OUT,
    HELD_OUT_ALONE,
    PART,
    ROWS,
    SCORER,
    TEXT,
    VALUE,
    VALUES,
)

Tensors = dict[str, Tensor]
Function = Callable[[Tensors], Tensors]


def torch_method(method: ScoringMethod) -> AnyMethod:
    """The method of a detector. Raises `UsageError` where torch does not compute it: graphs are not exported again."""
    if not isinstance(method, Method):
        raise UsageError(
            f"this detector of {method.card.name} runs graphs already: open it with runtime='torch' to export it"
        )
    return method


def why_not(method: AnyMethod) -> str | None:
    """Why a method has no graphs under its recipe, in a sentence; None where it has."""
    name, request = method.card.name, method.request
    if request.whole or request.cut_to is not None:  # first: no other setting would help
        return f"{name} takes images at their own size, which no exported graph can: export another method"
    if method.no_export is not None:
        return method.no_export
    if method.card.needs.set == "required":
        return f"{name} scores whole sets of images, which no graph can: export another method"
    if request.aspect_cell is not None and not request.of_stem:
        return (
            f"{name} keeps the aspect of images, for which {method.backbone.card.name} would resize its positions in the graph: "
            "give aspect=False"
        )
    more = type(method).fit_prompts is not Method.fit_prompts and type(method).values_of is Method.values_of
    if method.no_references is None and more:
        return f"{name} makes more of its good examples than rows to compare with, which no graph does yet: go on with torch"
    if method.no_references is None and len(method.reference_views(np.zeros((32, 32, 3), np.uint8))) > 1:
        return (
            f"{name} remembers turned or mirrored copies of good examples, which cannot be exported yet: leave them out"
        )
    return None


@dataclass(frozen=True)
class MethodGraphs:
    """The graphs of a method by role; the values of its memory, an example with the shapes and types of all; `MemoryBank.unit`."""

    graphs: Mapping[str, OnnxGraph]
    values: Mapping[str, Tensor]
    unit: bool


def method_graphs(
    method: AnyMethod,
    *,
    with_text: bool = True,
    roles: Collection[str] | None = None,
    report: Callable[[str], None] = lambda role: None,
) -> MethodGraphs:
    """Trace a method.

    Args:
        method: On the CPU.
        with_text: Whether there is to be a text graph, where the method has words.
        roles: Of the graphs to make; None: all that there are.
        report: Is told of the role of each graph before it is made.

    Raises:
        UsageError: It has no graphs under its recipe (`why_not`).
        OddlensError: Packages are absent.
    """
    if (reason := why_not(method)) is not None:
        raise UsageError(reason)
    traced = _Traced(baked(method))
    given = traced.example(3, (0.5, 1.0))
    axes = _moving(given, traced.example(2, (1.0, 0.5)))
    graphs = {}
    for role, run, names in traced.functions(given, with_text):
        if roles is not None and role not in roles:
            continue
        report(role)
        inputs = {name: given[name] for name in names}
        graphs[role] = to_onnx(run, inputs, {name: axes[name] for name in names}, traced.modules)
    return MethodGraphs(graphs, _under(VALUE, given), traced.unit)


class _Traced:
    """The functions of a method as functions of named tensors, and examples of these tensors."""

    def __init__(self, method: AnyMethod) -> None:
        self._method = method
        text = method.backbone.model.text
        self.modules: tuple[nn.Module, ...] = (method.backbone.vision, *([] if text is None else [text]))
        self.unit = True
        self._features: tuple[str, ...] = ()
        self._text = method.encode_prompts("part")

    @torch.no_grad()
    def example(self, count: int, shape: tuple[float, float]) -> Tensors:
        """All tensors of so many images. shape: of images that keep their aspect, as shares of the side of a square."""
        method, request = self._method, self._method.request
        cell = request.aspect_cell or request.image_size
        height, width = (max(2, round(share * request.image_size / cell)) * cell for share in shape)
        if request.aspect_cell is None:
            height = width = request.image_size
        generator = torch.Generator().manual_seed(count)
        found = {"pixels": torch.randn(count, 3, height, width, generator=generator)}
        features = self._encode(found)
        self._features = tuple(features)
        found |= features | self._text
        if method.backbone.model.text is not None:
            ends = torch.arange(count) + 2
            found |= {"ids": torch.zeros(count, count + 2, dtype=torch.int64), "ends": ends}
        if method.no_references is None:
            rows = self._fit(found)
            found |= {name: value.flatten(0, 1) for name, value in rows.items()}
            found |= self._hold(found)
            found |= self._values(found)
        return found

    def functions(self, given: Tensors, with_text: bool) -> Iterator[tuple[str, Function, list[str]]]:
        """The graphs there are: role, function, the names of what it is given."""
        method, shown = self._method, [*self._features, *self._text]
        yield ENCODER, self._encode, ["pixels"]
        if with_text and method.ensemble is not None:
            yield TEXT, self._embed, ["ids", "ends"]
        if method.card.needs.references != "required":
            yield SCORER, self._score, shown
        if method.no_references is not None:
            return
        rows, held, values = ([name for name in given if name.startswith(kind)] for kind in (ROWS, HELD, VALUE))
        yield FIT, self._fit, list(self._features)
        yield FEW_SHOT, self._score, [*shown, *rows, *values]
        if not values:
            return
        yield HELD_OUT, self._hold, [*shown, *rows]
        if method.neutral_values is None:
            yield HELD_OUT_ALONE, self._hold, shown
        yield VALUES, self._values, held
        yield FINISH, self._finish, [*held, *values]

    def _encode(self, given: Tensors) -> Tensors:
        method = self._method
        return method.encode(pass_pixels(method.backbone, given["pixels"], method.request))

    def _embed(self, given: Tensors) -> Tensors:
        return {"embeddings": self._method.backbone.text(given["ids"], given["ends"])}

    def _fit(self, given: Tensors) -> Tensors:
        memory = self._method.fit(self._of(given, self._features))
        self.unit = memory.unit
        images = given[next((name for name in self._features if name in memory.names), self._features[0])].shape[0]
        rows = {name: memory.rows(name) for name in memory.names}
        return {ROWS + name: each.view(images, -1, each.shape[1]) for name, each in rows.items()}

    def _score(self, given: Tensors) -> Tensors:
        features, text = self._of(given, self._features), self._of(given, self._text)
        return _named(self._method.score(features, text, self._memory(given)))

    def _hold(self, given: Tensors) -> Tensors:
        features, text = self._of(given, self._features), self._of(given, self._text)
        held = self._method.held_out(features, text, self._memory(given))
        return {HELD + name: value for name, value in held.items()}

    def _values(self, given: Tensors) -> Tensors:
        values = self._method.values_of(_under(HELD, given))
        return {VALUE + name: value for name, value in values.items()}

    def _finish(self, given: Tensors) -> Tensors:
        memory = MemoryBank.of_rows({}, _under(VALUE, given))
        return _named(self._method.finish(_under(HELD, given), memory))

    def _memory(self, given: Tensors) -> MemoryBank | None:
        rows = _under(ROWS, given)
        return MemoryBank.of_rows(rows, _under(VALUE, given), unit=self.unit) if rows else None

    def _of(self, given: Tensors, names: Iterable[str]) -> Tensors:
        return {name: given[name] for name in names}


def _named(scores: Scores) -> Tensors:
    maps = scores.maps if isinstance(scores.maps, Tensor) else torch.stack(list(scores.maps))
    return {"scores": scores.scores, "maps": maps} | {PART + name: value for name, value in scores.parts.items()}


def _under(kind: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The tensors of a kind, without the word for it."""
    return {name.removeprefix(kind): value for name, value in tensors.items() if name.startswith(kind)}


def _moving(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Axes]:
    """The axes along which two examples differ."""
    return {
        name: [axis for axis, (a, b) in enumerate(zip(value.shape, other[name].shape, strict=True)) if a != b]
        for name, value in one.items()
    }
