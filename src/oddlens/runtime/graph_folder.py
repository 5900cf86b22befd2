"""A folder of graphs: the .onnx files of a method, and graphs.json, which says what a runtime must know beside them.

`oddlens.export` writes them, and says in `export.graphs` what each graph is given and gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, get_args

from oddlens.backbone.normalisation import LARGEST, SMALLEST_STD
from oddlens.backbone.options import Interpolation
from oddlens.backbone.request import FeatureRequest
from oddlens.errors import ModelError, UsageError, printable, shortened
from oddlens.io.hashes import cached_hash
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.strict_json import checked, parse_json
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe import filed_recipe
from oddlens.methods.recipe_fields import LARGEST_SIDE, Recipe
from oddlens.methods.registry import method_card
from oddlens.provenance import ModelIdentity
from oddlens.runtime.engine import GRAPH_RUNTIMES, GraphRuntime

GRAPHS = "graphs.json"

FORMAT = 1

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""fp32: as torch computes. fp16: weights are stored in float16, numbers are float32. int8: matrix products of weights and numbers
that are rounded to 8 bits when they run; convolutions stay as they are."""

ENCODER, SCORER, FEW_SHOT, FIT, TEXT = "encoder", "scorer", "few_shot", "fit", "text"
HELD_OUT, HELD_OUT_ALONE, VALUES, FINISH = "held_out", "held_out_alone", "values", "finish"
TEXTS, TOKENIZER = "texts", "tokenizer"
"""The roles of files that are no graphs: the text side of known objects, or what a text graph needs."""
ROWS, VALUE, HELD, PART = "rows:", "value:", "held:", "part:"
"""What begins the names of what graphs are given and give beside features and prompt embeddings."""


class GraphModelDocument(TypedDict):
    """A `ModelIdentity`."""

    name: str
    sha256: str
    fingerprint: str


class GraphRequest(TypedDict):
    """What of a `FeatureRequest` brings images to the encoder."""

    image_size: int
    interpolation: str
    aspect_cell: int | None


class GraphFile(TypedDict):
    """A file beside graphs.json."""

    name: str
    sha256: str


class GraphValue(TypedDict):
    """What a method keeps beside the rows of a memory. neutral: see `Method.neutral_values`."""

    shape: list[int]
    dtype: str
    neutral: float | None


class GraphPrompts(TypedDict):
    """The sentences that prototypes are made of. context: the tokens that a sentence may have. cleans: see `Tokenizer`."""

    normal: list[str]
    abnormal: list[str]
    templates: list[str]
    unit_sentences: bool
    context: int
    cleans: bool


class GraphRanges(TypedDict):
    """The values that maps can take; None for an end that is infinite."""

    zero_shot: list[float | None]
    few_shot: list[float | None]


class GraphsDocument(TypedDict):
    """graphs.json. By the role of a graph: files, inputs and outputs. By name: grids (see `Method.grids`) and values.

    runtime: what runs them unless another one is asked for; "onnx" where it is absent. unit: see `MemoryBank`.
    objects: the names whose words there are; None: the words need no name, or a graph makes them.
    """

    format: int
    method: str
    recipe: dict[str, object]
    model: GraphModelDocument
    mean: list[float]
    std: list[float]
    request: GraphRequest
    precision: str
    runtime: NotRequired[str]
    files: dict[str, GraphFile]
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    unit: bool
    grids: dict[str, object]
    values: dict[str, GraphValue]
    prompts: GraphPrompts | None
    objects: list[str] | None
    value_range: GraphRanges
    unguaranteed: str
    unguaranteed_maps: str


def holds_graphs(folder: Path) -> bool:
    """Whether a folder is one of graphs."""
    return is_file(folder / GRAPHS)


@dataclass(frozen=True)
class GraphFolder:
    """A folder of graphs, its graphs.json checked.

    Attributes:
        path: The folder.
        document: What graphs.json says.
        name: Of graphs.json; the embedded model's folders have others beside it, for recipes of earlier versions.
    """

    path: Path
    document: GraphsDocument
    name: str = GRAPHS

    @classmethod
    def read(cls, path: Path, name: str = GRAPHS) -> GraphFolder:
        """Read graphs.json, or another one of the folder.

        Raises:
            UsageError: There is none.
            ModelError: It is damaged, or a later version of oddlens wrote it.
        """
        shown = printable(str(path / name))
        if not is_file(path / name):
            raise UsageError(
                f"{printable(str(path))} holds no graphs (no {name} in it): give a folder that was exported"
            )
        try:
            read: object = parse_json(read_bytes(path / name).decode("utf-8"))
        except ValueError as error:
            raise ModelError(f"{shown} is damaged: export the graphs again") from error
        if isinstance(read, dict) and read.get("format") not in (FORMAT, None):
            raise ModelError(
                f"{shown} is of format {read['format']}, which this version of oddlens does not read: export the graphs again"
            )
        try:
            document = checked(read, GraphsDocument)
        except ValueError as error:
            raise ModelError(f"{shown} is damaged ({error}): export the graphs again") from None
        if fault := _fault_of(document):
            raise ModelError(f"{shown} is damaged ({fault}): export the graphs again")
        folder = cls(path, document, name)
        _ = folder.recipe  # fields that are none are refused here
        return folder

    def __reduce__(self) -> tuple[Callable[[Path, str], GraphFolder], tuple[Path, str]]:
        """It is read again where it is unpickled."""
        return GraphFolder.read, (self.path, self.name)

    @cached_property
    def card(self) -> MethodCard:
        """The method's."""
        return method_card(self.document["method"])

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the graphs were made with."""
        return filed_recipe(self.card.recipe, self.document["recipe"])

    @property
    def model(self) -> ModelIdentity:
        """The model that they were made of."""
        return ModelIdentity(**self.document["model"])

    @property
    def request(self) -> FeatureRequest:
        """How an image is brought to the encoder."""
        request = self.document["request"]
        interpolation: Interpolation = "bilinear" if request["interpolation"] == "bilinear" else "bicubic"
        return FeatureRequest(request["image_size"], interpolation, aspect_cell=request["aspect_cell"])

    @cached_property
    def grids(self) -> dict[str, str]:
        """Features of images of several sizes, each with the feature that says its real rows and columns: see `Method.grids`."""
        return {name: grid for name, grid in self.document["grids"].items() if isinstance(grid, str)}

    @property
    def precision(self) -> str:
        """Of the numbers that they compute with: "fp32", "fp16" or "int8"."""
        return self.document["precision"]

    @property
    def runtime(self) -> GraphRuntime:
        """What they were exported for; where graphs.json does not say it, onnxruntime."""
        return "openvino" if self.document.get("runtime") == "openvino" else "onnx"

    def inputs(self, role: str) -> list[str]:
        """The names of what a graph is given; none where there is no such graph."""
        return list(self.document["inputs"].get(role, ()))

    def outputs(self, role: str) -> list[str]:
        """The names of what it gives."""
        return list(self.document["outputs"].get(role, ()))

    def __contains__(self, role: str) -> bool:
        """Whether there is such a graph."""
        return role in self.document["inputs"]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, graphs.json first."""
        return (self.path / self.name, *(self.path / each["name"] for each in self.document["files"].values()))

    def file(self, role: str) -> tuple[Path, str]:
        """A file that is there and is the one that graphs.json names, and its SHA-256. Raises `ModelError` otherwise."""
        named = self.document["files"].get(role)
        if named is None:
            shown = printable(str(self.path / self.name))
            raise ModelError(f"{shown} is damaged (it names no file for {role}): export the graphs again")
        path, digest = self.path / named["name"], named["sha256"]
        if not is_file(path):
            raise ModelError(f"{printable(str(path))} is missing: export the graphs again")
        if cached_hash(path) != digest:
            raise ModelError(
                f"{printable(str(path))} is damaged, or not the file that {self.name} names (its SHA-256 differs): export the "
                "graphs again"
            )
        return path, digest


def _fault_of_names(document: GraphsDocument) -> str:
    """What a graph is to be given that none gives, or does not give that is asked of it; "" where nothing is."""
    inputs, outputs = document["inputs"], document["outputs"]
    if inputs[ENCODER] != ["pixels"]:
        return f"{ENCODER} is given something else than pixels"
    for role in (SCORER, FEW_SHOT, FINISH):
        if role in outputs and not {"scores", "maps"} <= set(outputs[role]):
            return f"{role} gives no scores and maps"
    features = set(outputs[ENCODER])
    for name, grid in document["grids"].items():
        if not isinstance(grid, str) or not {name, grid} <= features:
            return f"grids names {shortened(name)}, which {ENCODER} does not give"
    given = {
        ROWS: {name for name in outputs.get(FIT, ()) if name.startswith(ROWS)},
        VALUE: {VALUE + name for name in document["values"]},
        HELD: {name for role in (HELD_OUT, HELD_OUT_ALONE) for name in outputs.get(role, ())},
    }
    for role, names in inputs.items():
        for name in names:
            kind = HELD if role == VALUES else next((each for each in given if name.startswith(each)), None)
            if kind is not None and name not in given[kind]:
                return f"{role} is given {shortened(name)}, which nothing gives"
    return ""


def _fault_of(document: GraphsDocument) -> str:
    """What is wrong with a document that has the right form; "" where nothing is."""
    roles, files = document["inputs"].keys(), document["files"]
    if ENCODER not in roles or not roles & {SCORER, FEW_SHOT}:
        return "it names no graphs that encode and score"
    prompts = document["prompts"]
    if TEXT in roles and not (prompts and prompts["normal"] and prompts["abnormal"] and prompts["templates"]):
        return "it has no prompts for its text graph"
    if document["outputs"].keys() != roles:
        return "its inputs and outputs are of other graphs"
    if not roles <= files.keys():
        return f"it names no file for {', '.join(sorted(roles - files.keys()))}"
    for each in files.values():
        if Path(each["name"]).name != each["name"] or each["name"] in ("", ".", ".."):
            return "it names a file that lies elsewhere"
    mean, std = document["mean"], document["std"]
    if len(mean) != 3 or len(std) != 3 or not all(SMALLEST_STD <= each <= LARGEST for each in std):
        return "its mean and std are not of three colours"
    if not all(abs(each) <= LARGEST for each in mean):
        return f"its mean is not from {-LARGEST:g} to {LARGEST:g}"
    request = document["request"]
    if not 0 < request["image_size"] <= LARGEST_SIDE:
        return f"its image_size is not from 1 to {LARGEST_SIDE}"
    if request["aspect_cell"] is not None and not 0 < request["aspect_cell"] <= request["image_size"]:
        return "its aspect_cell is not from 1 to image_size"
    if document["precision"] not in PRECISIONS:
        return "its precision is none"
    if document.get("runtime", "onnx") not in GRAPH_RUNTIMES:
        return "its runtime is none"
    if fault := _fault_of_names(document):
        return fault
    if document["request"]["interpolation"] not in ("bicubic", "bilinear"):
        return "its interpolation is none"
    for name, value in document["values"].items():
        if value["dtype"] not in ("float32", "float64") or not all(each > 0 for each in value["shape"]):
            return f"values says of {shortened(name)} no numbers and lengths"
        if math.prod(value["shape"]) > LARGEST_SIDE**2:
            return f"values says of {shortened(name)} that it is larger than any image"
    ranges = document["value_range"]
    if any(len(ends) != 2 for ends in (ranges["zero_shot"], ranges["few_shot"])):
        return "a range of values has no two ends"
    return ""
