"""A folder of graphs: the .onnx files of a method, and graphs.json, which says what a runtime must know beside them.

`oddlens.export` writes them, and says in `export.graphs` what each graph is given and gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from oddlens.backbone.request import FeatureRequest
from oddlens.errors import ModelError, UsageError, printable, shortened
from oddlens.io.hashes import cached_hash
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.strict_json import form_fault, parse_json
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe import make_recipe
from oddlens.methods.recipe_fields import LARGEST_SIDE, Recipe
from oddlens.methods.registry import method_card
from oddlens.provenance import ModelIdentity

GRAPHS = "graphs.json"

FORMAT = 1

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""fp32: as torch computes. fp16: weights are stored in float16, numbers are float32. int8: matrix products of weights and numbers
that are rounded to 8 bits when they run; convolutions stay as they are."""

ENCODER, SCORER, FEW_SHOT, FIT, TEXT = "encoder", "scorer", "few_shot", "fit", "text"
HELD_OUT, HELD_OUT_ALONE, VALUES, FINISH = "held_out", "held_out_alone", "values", "finish"
ROWS, VALUE, HELD, PART = "rows:", "value:", "held:", "part:"
"""What begins the names of what graphs are given and give beside features and prompt embeddings."""

_RANGE = [(float, None)]
_FORM = {
    "format": int,
    "method": str,
    "recipe": {},
    "model": {"name": str, "sha256": str, "fingerprint": str},
    "mean": [float],
    "std": [float],
    "request": {"image_size": int, "interpolation": str, "aspect_cell": (int, None)},
    "precision": str,
    "files": {},
    "inputs": {},
    "outputs": {},
    "unit": bool,
    "grids": {},
    "values": {},
    "prompts": (
        {
            "normal": [str],
            "abnormal": [str],
            "templates": [str],
            "unit_sentences": bool,
            "context": int,
            "cleans": bool,
        },
        None,
    ),
    "objects": ([str], None),
    "value_range": {"zero_shot": _RANGE, "few_shot": _RANGE},
    "unguaranteed": str,
    "unguaranteed_maps": str,
}


def holds_graphs(folder: Path) -> bool:
    """Whether a folder is one of graphs."""
    return is_file(folder / GRAPHS)


@dataclass(frozen=True)
class GraphFolder:
    """A folder of graphs, its graphs.json checked.

    Attributes:
        path: The folder.
        document: What graphs.json says.
    """

    path: Path
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> GraphFolder:
        """Read graphs.json.

        Raises:
            UsageError: There is none.
            ModelError: It is damaged, or a later version of oddlens wrote it.
        """
        shown = printable(str(path / GRAPHS))
        if not holds_graphs(path):
            raise UsageError(
                f"{printable(str(path))} holds no graphs (no {GRAPHS} in it): give a folder that was exported"
            )
        try:
            document = parse_json(read_bytes(path / GRAPHS).decode("utf-8"))
        except ValueError as error:
            raise ModelError(f"{shown} is damaged: export the graphs again") from error
        if isinstance(document, dict) and document.get("format") not in (FORMAT, None):
            raise ModelError(
                f"{shown} is of format {document['format']}, which this version of oddlens does not read: export the graphs again"
            )
        if fault := form_fault(document, _FORM) or _fault_of(document):
            raise ModelError(f"{shown} is damaged ({fault}): export the graphs again")
        folder = cls(path, document)
        _ = folder.recipe  # fields that are none are refused here
        return folder

    def __reduce__(self) -> tuple[Callable[[Path], GraphFolder], tuple[Path]]:
        """It is read again where it is unpickled."""
        return GraphFolder.read, (self.path,)

    @cached_property
    def card(self) -> MethodCard:
        """The method's."""
        return method_card(self.document["method"])

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the graphs were made with."""
        return make_recipe(self.card.recipe, self.document["recipe"])

    @property
    def model(self) -> ModelIdentity:
        """The model that they were made of."""
        return ModelIdentity(**self.document["model"])

    @property
    def request(self) -> FeatureRequest:
        """How an image is brought to the encoder."""
        return FeatureRequest(**self.document["request"])

    @property
    def precision(self) -> str:
        """Of the numbers that they compute with: "fp32", "fp16" or "int8"."""
        precision: str = self.document["precision"]
        return precision

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
        return (self.path / GRAPHS, *(self.path / each["name"] for each in self.document["files"].values()))

    def file(self, role: str) -> tuple[Path, str]:
        """A file that is there and is the one that graphs.json names, and its SHA-256. Raises `ModelError` otherwise."""
        named = self.document["files"][role]
        path, digest = self.path / named["name"], named["sha256"]
        if not is_file(path):
            raise ModelError(f"{printable(str(path))} is missing: export the graphs again")
        if cached_hash(path) != digest:
            raise ModelError(
                f"{printable(str(path))} is damaged, or not the file that {GRAPHS} names (its SHA-256 differs): export the graphs "
                "again"
            )
        return path, digest


def _fault_of_names(document: Mapping[str, Any]) -> str:
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


def _fault_of(document: Mapping[str, Any]) -> str:
    """What is wrong with a document that has the right form; "" where nothing is."""
    roles, files = document["inputs"].keys(), document["files"]
    if ENCODER not in roles or not roles & {SCORER, FEW_SHOT}:
        return "it names no graphs that encode and score"
    for where in ("inputs", "outputs"):
        if document[where].keys() != roles:
            return "its inputs and outputs are of other graphs"
        if fault := form_fault(list(document[where].values()), [[str]], where):
            return fault
    if not roles <= files.keys():
        return f"it names no file for {', '.join(sorted(roles - files.keys()))}"
    for each in files.values():
        if fault := form_fault(each, {"name": str, "sha256": str}, "a file"):
            return fault
        if Path(each["name"]).name != each["name"] or each["name"] in ("", ".", ".."):
            return "it names a file that lies elsewhere"
    for each in document["values"].values():
        if fault := form_fault(each, {"shape": [int], "dtype": str, "neutral": (float, None)}, "a value"):
            return fault
    if any(len(document[name]) != 3 for name in ("mean", "std")) or not all(document["std"]):
        return "its mean and std are not of three colours"
    request = document["request"]
    if not 0 < request["image_size"] <= LARGEST_SIDE:
        return f"its image_size is not from 1 to {LARGEST_SIDE}"
    if request["aspect_cell"] is not None and not 0 < request["aspect_cell"] <= request["image_size"]:
        return "its aspect_cell is not from 1 to image_size"
    if document["precision"] not in PRECISIONS:
        return "its precision is none"
    if fault := _fault_of_names(document):
        return fault
    if document["request"]["interpolation"] not in ("bicubic", "bilinear"):
        return "its interpolation is none"
    if any(len(ends) != 2 for ends in document["value_range"].values()):
        return "a range of values has no two ends"
    return ""
