"""graphs.json: what it must say, and one sentence where it does not."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddlens.errors import ModelError, OddlensError, UsageError
from oddlens.runtime.graph_folder import GRAPHS, GraphFolder

Document = dict[str, Any]


def described(**files: bytes) -> Document:
    """A zero-shot method of one graph that encodes and one that scores."""
    return {
        "format": 1,
        "method": "winclip",
        "recipe": {"image_size": 224, "temperature": 0.07},
        "model": {"name": "mini", "sha256": "1" * 64, "fingerprint": "2" * 16},
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "request": {"image_size": 224, "interpolation": "bicubic", "aspect_cell": None},
        "precision": "fp32",
        "files": {
            role: {"name": f"{role}.onnx", "sha256": hashlib.sha256(data).hexdigest()} for role, data in files.items()
        },
        "inputs": {"encoder": ["pixels"], "scorer": ["image"]},
        "outputs": {"encoder": ["image"], "scorer": ["scores", "maps"]},
        "unit": True,
        "grids": {},
        "values": {},
        "prompts": None,
        "objects": None,
        "value_range": {"zero_shot": [0, 1], "few_shot": [0, None]},
        "unguaranteed": "",
        "unguaranteed_maps": "",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"encoder": b"one", "scorer": b"two"}
    for role, data in files.items():
        (tmp_path / f"{role}.onnx").write_bytes(data)
    (tmp_path / GRAPHS).write_text(json.dumps(described(**files)))
    return tmp_path


def test_it_says_what_a_runtime_must_know(folder: Path) -> None:
    found = GraphFolder.read(folder)
    assert (found.card.name, found.recipe.temperature, found.model.name) == ("winclip", 0.07, "mini")  # type: ignore[attr-defined]
    assert (found.request.image_size, found.request.aspect_cell, found.precision) == (224, None, "fp32")
    assert (found.inputs("scorer"), found.outputs("scorer")) == (["image"], ["scores", "maps"])
    assert found.runtime == "onnx"  # which need not be said
    assert "few_shot" not in found
    assert found.inputs("few_shot") == []
    assert [path.name for path in found.files] == [GRAPHS, "encoder.onnx", "scorer.onnx"]
    assert found.file("scorer") == (folder / "scorer.onnx", hashlib.sha256(b"two").hexdigest())


def test_a_file_that_it_does_not_name_is_one_sentence(folder: Path) -> None:
    """As the tokenizer of a text graph, which is read at the first word."""
    with pytest.raises(ModelError, match="names no file for tokenizer"):
        GraphFolder.read(folder).file("tokenizer")


def test_a_folder_without_it_holds_no_graphs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no graphs"):
        GraphFolder.read(tmp_path)


@pytest.mark.parametrize(("damage", "said"), [("missing", "is missing"), ("another", "its SHA-256 differs")])
def test_a_graph_that_is_missing_or_another_one_is_refused(folder: Path, damage: str, said: str) -> None:
    if damage == "missing":
        (folder / "scorer.onnx").unlink()
    else:
        (folder / "scorer.onnx").write_bytes(b"three")
    with pytest.raises(ModelError, match=said):
        GraphFolder.read(folder).file("scorer")


def _set(name: str, value: object) -> Callable[[Document], None]:
    return lambda document: document.__setitem__(name, value)


def _with_text_graph(document: Document) -> None:
    """One whose prompts are no sentences: there is no template."""
    document["inputs"]["text"] = ["ids", "ends"]
    document["prompts"] = {
        "normal": ["{}"], "abnormal": ["bad {}"], "templates": [], "unit_sentences": False, "context": 77, "cleans": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("format", 2), "is of format 2, which this version of oddlens does not read"),
        (_set("mean", [0.5]), "of three colours"),
        (_set("std", [0, 1, 1]), "of three colours"),
        (_set("std", [1e-300, 1, 1]), "of three colours"),
        (_set("mean", [1e300, 0, 0]), "its mean is not from -1000 to 1000"),
        (_set("recipe", {"colour": 1}), "has no field 'colour'"),
        (_set("method", "patchcore"), "there is no method 'patchcore'"),
        (_set("inputs", {"encoder": "pixels", "scorer": ["image"]}), "an entry of inputs is no list"),
        (_set("values", {"usual": {"shape": [1], "dtype": "float32"}}), "an entry of values lacks neutral"),
        (_set("files", {"encoder": "encoder.onnx"}), "an entry of files is no object"),
        (
            _set("inputs", {"encoder": ["pixels"], "scorer": ["image"], "text": ["ids"]}),
            "no prompts for its text graph",
        ),
        (_with_text_graph, "no prompts for its text graph"),
        (_set("inputs", {"scorer": ["image"]}), "no graphs that encode and score"),
        (_set("outputs", {"encoder": ["image"]}), "are of other graphs"),
        (_set("files", {"encoder": {"name": "encoder.onnx", "sha256": ""}}), "names no file for scorer"),
        (
            lambda document: document["files"]["encoder"].__setitem__("name", "../encoder.onnx"),
            "names a file that lies elsewhere",
        ),
        (lambda document: document["request"].__setitem__("interpolation", "nearest"), "its interpolation is none"),
        (lambda document: document.pop("grids"), "lacks grids"),
        (_set("precision", "fp64"), "its precision is none"),
        (_set("runtime", "tflite"), "its runtime is none"),
        (
            _set("request", {"image_size": 0, "interpolation": "bicubic", "aspect_cell": None}),
            "its image_size is not from",
        ),
        (_set("values", {"usual": {"shape": [5, -5], "dtype": "float32", "neutral": 1}}), "of 'usual' no numbers and"),
        (
            _set("values", {"usual": {"shape": [5], "dtype": "words", "neutral": 1}}),
            "of 'usual' no numbers and lengths",
        ),
        (_set("values", {"usual": {"shape": [10**9], "dtype": "float32", "neutral": 1}}), "larger than any image"),
        (
            _set("request", {"image_size": 10**9, "interpolation": "bicubic", "aspect_cell": None}),
            "its image_size is not",
        ),
        (
            _set("request", {"image_size": 64, "interpolation": "bicubic", "aspect_cell": 0}),
            "its aspect_cell is not from",
        ),
        (_set("grids", {"image": "grid"}), "grids names 'image', which encoder does not give"),
        (_set("grids", {"image": []}), "grids names 'image'"),
        (_set("inputs", {"encoder": ["images"], "scorer": ["image"]}), "given something else than pixels"),
        (
            _set("inputs", {"encoder": ["pixels"], "scorer": ["rows:image"]}),
            "scorer is given 'rows:image', which nothing",
        ),
        (
            _set("inputs", {"encoder": ["pixels"], "scorer": ["value:usual"]}),
            "scorer is given 'value:usual', which noth",
        ),
        (_set("outputs", {"encoder": ["image"], "scorer": ["scores"]}), "scorer gives no scores and maps"),
    ],
)
def test_what_does_not_fit_is_one_sentence(folder: Path, change: Callable[[Document], None], said: str) -> None:
    document = json.loads((folder / GRAPHS).read_text())
    change(document)
    (folder / GRAPHS).write_text(json.dumps(document))
    with pytest.raises(OddlensError, match=said):
        GraphFolder.read(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b"null"])
def test_a_damaged_one_is_one_sentence(folder: Path, data: bytes) -> None:
    (folder / GRAPHS).write_bytes(data)
    with pytest.raises(ModelError, match="is damaged"):
        GraphFolder.read(folder)
