"""A method on graphs: what `methods.base.Method` is on torch, as far as a detector asks (`methods.scoring.ScoringMethod`)."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oddlens.backbone.cards import Card, find_card
from oddlens.backbone.request import FeatureRequest
from oddlens.errors import ModelError, UsageError, printable, shortened
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import normalised
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.registry import scores_no_sets, takes_no_references
from oddlens.methods.scoring import Numbers, Scores
from oddlens.provenance import ModelIdentity
from oddlens.runtime.engine import GraphRuntime, engine
from oddlens.runtime.graph_folder import (
    ENCODER,
    FEW_SHOT,
    FINISH,
    FIT,
    HELD_OUT,
    HELD_OUT_ALONE,
    PART,
    ROWS,
    SCORER,
    VALUE,
    VALUES,
    GraphFolder,
)
from oddlens.runtime.graph_memory import GraphMemory
from oddlens.runtime.session import open_graph, thread_count
from oddlens.runtime.words import Words

_TOGETHER = 8
"""Images that are fitted at once."""

Arrays = Mapping[str, Numbers]
"""Features, or the text side of an object, by name."""


@dataclass(frozen=True)
class GraphModel:
    """The model that graphs were made of, as far as a detector looks at it."""

    card: Card
    files: tuple[Path, ...]
    identity: ModelIdentity
    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: str


class GraphPass:
    """A batch of images for the encoder. As `backbone.vision_pass.VisionPass`."""

    def __init__(self, images: Sequence[Pixels], model: GraphModel) -> None:
        self.seconds = 0.0
        self._images = images
        self._model = model

    @cached_property
    def pixels(self) -> Numbers:
        """The images normalised, which have one size: float32 [batch, 3, height, width]."""
        started = time.perf_counter()
        height, width = self._images[0].shape[:2]
        pixels = normalised(self._images, (height, width), self._model.mean, self._model.std)
        self.seconds += time.perf_counter() - started
        return pixels


class _Group(NamedTuple):
    """Images, neighbours in their batch, that one run of a graph takes: of one size, with the same pictures left out."""

    features: dict[str, Numbers]
    left_out: tuple[int, int] | None


class GraphMethod:
    """A method on graphs. Several threads may use it at once.

    Attributes:
        folder: The graphs.
    """

    def __init__(self, folder: GraphFolder, device: str = "auto", runtime: GraphRuntime = "onnx") -> None:
        """Take the graphs of a folder. Each is loaded when it is first run.

        Raises:
            UsageError: The device cannot be used, or the runtime is not installed.
        """
        self.folder = folder
        self._runtime = runtime
        self._device = engine(runtime).choose_device(device)
        self._words = Words(folder, self._device, runtime)
        self._graphs = {
            role: open_graph(*folder.file(role), self._device, runtime) for role in folder.document["inputs"]
        }
        model = folder.model
        self.backbone = GraphModel(
            find_card(model.name) or Card(name=model.name, layout="graphs"),
            folder.files,
            model,
            tuple(folder.document["mean"]),
            tuple(folder.document["std"]),
            self._device,
        )

    def __reduce__(self) -> tuple[type[GraphMethod], tuple[GraphFolder, str, GraphRuntime]]:
        """Its graphs are loaded again where it is unpickled."""
        return GraphMethod, (self.folder, self._device, self._runtime)

    @property
    def card(self) -> MethodCard:
        """What is known of the method without its code."""
        return self.folder.card

    @property
    def recipe(self) -> Recipe:
        """The recipe that the graphs were made with."""
        return self.folder.recipe

    @cached_property
    def request(self) -> FeatureRequest:
        """How an image is brought to the encoder."""
        return self.folder.request

    @property
    def parts(self) -> tuple[GraphMethod, ...]:
        """The methods whose features it needs: itself."""
        return (self,)

    def joined(self, parts: Sequence[Arrays]) -> dict[str, Numbers]:
        """What its one part made of a batch."""
        return dict(parts[0])

    @property
    def precision(self) -> str:
        """Of the numbers that the graphs compute with."""
        return self.folder.precision

    @property
    def machine(self) -> Mapping[str, object]:
        """What computes, for `Identity.machine`."""
        package = engine(self._runtime).package
        return {
            "runtime": self._runtime,
            package: version(package),
            "device": self._device,
            "threads": thread_count(),
        }

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""
        return takes_no_references(self.card)

    @property
    def lacks_references(self) -> str:
        """What to do where good examples are needed and there are none, in a sentence."""
        return self.card.needs_references

    @property
    def unguaranteed(self) -> str:
        """As the method has it under its recipe."""
        return self.folder.document["unguaranteed"]

    @property
    def unguaranteed_maps(self) -> str:
        """Likewise."""
        return self.folder.document["unguaranteed_maps"]

    def with_recipe(self, recipe: Recipe) -> GraphMethod:
        """The method itself: graphs have the recipe that they were made with. Raises `UsageError` for another one."""
        for each in fields(self.recipe):
            made, wanted = getattr(self.recipe, each.name), getattr(recipe, each.name)
            if made != wanted:
                raise UsageError(
                    f"the graphs of {self.card.name} were made with {each.name}={made!r}, not {wanted!r}: load the detector with "
                    "runtime 'torch'"
                )
        return self

    def inference(self) -> AbstractContextManager[object]:
        """Nothing: graphs are for nothing else."""
        return nullcontext()

    def from_arrays(self, arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """The arrays themselves."""
        return {name: np.ascontiguousarray(value) for name, value in arrays.items()}

    def vision_pass(
        self, images: Sequence[Pixels], request: FeatureRequest, sizes: Sequence[tuple[int, int]] = ()
    ) -> GraphPass:
        """A batch of images for `encode`."""
        return GraphPass(images, self.backbone)

    def encode_prompts(self, object_name: str) -> dict[str, Numbers]:
        """The text side for an object."""
        return self._words.text(object_name)

    def encode(self, vision_pass: GraphPass) -> dict[str, Numbers]:
        """The features of a batch.

        On a processor, images run one after another: what a layer makes of one stays in the cache. For eight images of the embedded
        model that takes .83 of the time and a third of the memory.
        """
        pixels = vision_pass.pixels
        step = self._at_once(len(pixels))
        parts = [self._run(ENCODER, {"pixels": pixels[first : first + step]}) for first in range(0, len(pixels), step)]
        return {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}

    def _at_once(self, count: int) -> int:
        """How many of so many images a graph takes together: on a processor one, so that no other image changes a bit of it.

        A batch of another size may be multiplied in another order there. Of scorers that costs 3 to 5 % of all that the model does.
        """
        return 1 if self._device == "cpu" else max(1, count)

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The image itself: recipes that remember others have no graphs."""
        return (pixels,)

    def reference_features(self, features: Arrays, views: int) -> dict[str, Numbers]:
        """The features of the image."""
        return dict(features)

    def fit(self, references: Arrays) -> GraphMemory:
        """A memory of good examples. Raises `UsageError` where the method takes none."""
        if (reason := self.no_references) is not None:
            raise UsageError(reason)
        parts = (self._run(FIT, group.features) for group in self._groups(references, None, most=_TOGETHER))
        first, *others = (
            GraphMemory.of_images({name.removeprefix(ROWS): value for name, value in rows.items()}) for rows in parts
        )
        return first.add(*others)

    def fit_prompts(
        self, memory: GraphMemory, references: Arrays, text: Arrays
    ) -> tuple[GraphMemory, Scores[Numbers] | None]:
        """The memory with the values that the method keeps, and the scores of the good examples where they came up."""
        values = self.folder.document["values"]
        if not values:
            return memory, None
        alone = memory.picture_count == 1
        neutral = {name: each["neutral"] for name, each in values.items()}
        if None not in neutral.values() and (alone or memory.picture_count < len(memory)):
            return memory.with_values(
                {name: np.full(each["shape"], neutral[name], each["dtype"]) for name, each in values.items()}
            ), None
        held: list[dict[str, Numbers]] = []
        images = memory.leaving_out(np.arange(_count(references)))
        for group in self._groups(references, images):
            assert group.left_out is not None
            rows = {} if alone else _under(ROWS, memory.rows_without(*group.left_out))
            held.append(self._run(HELD_OUT_ALONE if alone else HELD_OUT, {**group.features, **text, **rows}))
        asked = {name: np.concatenate([each[name] for each in held]) for name in self.folder.inputs(VALUES)}
        found = self._run(VALUES, asked)
        fitted = memory.with_values({name.removeprefix(VALUE): value for name, value in found.items()})
        return fitted, None if alone else _joined([self._scored(FINISH, each | found) for each in held])

    def beside_defects(self, memory: GraphMemory, rows: Mapping[str, Numbers]) -> GraphMemory:
        """Raises `UsageError`: graphs compare with good examples alone."""
        raise UsageError("a memory of defects needs torch: load the detector with runtime 'torch'")

    def score(self, features: Arrays, text: Arrays, memory: GraphMemory | None) -> Scores[Numbers]:
        """Scores and maps of encoded images; few-shot where there is a memory. Where images are left out, with the others' rows."""
        if memory is None and SCORER not in self.folder:
            raise UsageError(self.lacks_references)
        parts = []
        for group in self._groups(features, memory, most=self._at_once(_count(features))):
            given = {**group.features, **text}
            if memory is not None:
                rows = memory.rows if group.left_out is None else memory.rows_without(*group.left_out)
                given |= _under(ROWS, rows) | _under(VALUE, memory.values)
            parts.append(self._scored(SCORER if memory is None else FEW_SHOT, given))
        return _joined(parts)

    def score_set(self, features: Arrays, text: Arrays) -> Scores[Numbers]:
        """Raises `UsageError`: no graph scores images beside each other."""
        raise scores_no_sets(self.card)

    def range_of(self, memory: GraphMemory | None) -> tuple[float, float]:
        """The values that the maps can take."""
        return self.value_range(memory is not None)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """The values that the maps can take."""
        ranges = self.folder.document["value_range"]
        low, high = ranges["few_shot"] if with_references else ranges["zero_shot"]
        return -math.inf if low is None else low, math.inf if high is None else high

    def _run(self, role: str, given: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """What a graph gives, of the arrays among these that it asks for."""
        names = self.folder.inputs(role)
        if lacking := [name for name in names if name not in given]:
            shown = printable(str(self.folder.path / self.folder.name))
            raise ModelError(
                f"{shown} is damaged ({role} is given {shortened(lacking[0])}, which nothing gives): export the graphs again"
            )
        return self._graphs[role].run({name: given[name] for name in names}, self.folder.outputs(role))

    def _scored(self, role: str, given: Mapping[str, Numbers]) -> Scores[Numbers]:
        found = self._run(role, given)
        parts = {name.removeprefix(PART): value for name, value in found.items() if name.startswith(PART)}
        return Scores(found["scores"], found["maps"], parts)

    def _groups(self, features: Arrays, memory: GraphMemory | None, most: int = sys.maxsize) -> Iterator[_Group]:
        """The images in groups that one run takes, in order. most: images of a group."""
        grids, count = self.folder.grids, _count(features)
        keys = [
            (
                tuple(tuple(features[grid][number].tolist()) for grid in grids.values()),
                None if memory is None or memory.left_out is None else memory.picture_of(int(memory.left_out[number])),
            )
            for number in range(count)
        ]
        first = 0
        for end in range(1, count + 1):
            if end < count and keys[end] == keys[first] and end - first < most:
                continue
            sizes, left_out = keys[first]
            part = _rows(features, first, end)
            for name, (rows, columns) in zip(grids, sizes, strict=True):
                part[name] = np.ascontiguousarray(part[name][:, :rows, :columns])
            yield _Group(part, left_out)
            first = end


def _count(features: Arrays) -> int:
    """How many images features are of."""
    return len(next(iter(features.values())))


def _rows(features: Arrays, first: int, end: int) -> dict[str, Numbers]:
    return {name: value[first:end] for name, value in features.items()}


def _under(kind: str, arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Arrays under the names that graphs call them by."""
    return {f"{kind}{name}": value for name, value in arrays.items()}


def _joined(parts: Sequence[Scores[Numbers]]) -> Scores[Numbers]:
    """The scores of groups as those of their batch."""
    maps = [np.asarray(part.maps) for part in parts]
    alike = len({each.shape[1:] for each in maps}) == 1
    return Scores(
        np.concatenate([part.scores for part in parts]),
        np.concatenate(maps) if alike else [one for each in maps for one in each],
        {name: np.concatenate([part.parts[name] for part in parts]) for name in parts[0].parts},
    )
