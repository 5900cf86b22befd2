"""The house: which room may import which, that nothing goes in circles, and what runs where torch is not installed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
FIXTURES = ROOT / "tests" / "fixtures"

ROOMS = (
    "cli", "service", "history", "sharing", "training", "evaluation", "inference", "export", "teaching", "loading", "detector",
    "encoding", "station", "calibration", "detection", "runtime", "methods", "backbone", "provenance", "visualization", "data",
    "metrics", "images", "io", "errors", "telemetry",
)  # fmt: skip
"""The rooms from top to bottom. A module imports from its own room and from those below it, wherever the import stands: in a
function and for types, too. `provenance` lies below the methods: learned weights use its names, and it uses nothing."""

TORCH_FREE = (
    "oddlens.cli", "oddlens.service", "oddlens.history", "oddlens.station", "oddlens.calibration", "oddlens.detection",
    "oddlens.provenance", "oddlens.visualization", "oddlens.data", "oddlens.metrics", "oddlens.io", "oddlens.errors",
    "oddlens.evaluation", "oddlens.inference", "oddlens.encoding", "oddlens.detector", "oddlens.loading", "oddlens.teaching",
    "oddlens.runtime", "oddlens.sharing", "oddlens.telemetry", "oddlens.backbone.cache", "oddlens.backbone.tokenizer",
    "oddlens.backbone.cards", "oddlens.backbone.hub", "oddlens.methods.card", "oddlens.methods.registry", "oddlens.methods.recipe",
    "oddlens.export.parity", "oddlens.export.labelled", "oddlens.backbone.request", "oddlens.methods.scoring",
    "oddlens.methods.common.recent",
    *(f"oddlens.methods.{name}.{part}"
      for name in ("winclip", "april_gan", "anomaly_clip", "anovl", "vl4ad", "patch_knn", "subspacead", "anomalydino", "musc",
                   "fusion")
      for part in ("card", "recipe")),
)  # fmt: skip
"""Modules and packages, with all that is in them, that need no torch."""

NEEDS_TORCH = ("oddlens.loading.with_torch", "oddlens.sharing.weights", "oddlens.teaching.torch_tower")
"""What of them does: others import it when it is asked for."""

MOST_ROOT_MODULES = 10


class Import(NamedTuple):
    """An import statement: the module that it stands in, what it names, its line."""

    module: str
    target: str
    line: int
    for_types: bool


@cache
def modules() -> Mapping[str, Path]:
    """All modules of the package by name; a package is called by its name, without `__init__`."""
    found = {}
    for path in sorted((SOURCE / "oddlens").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """All imports of our own modules."""
    return tuple(each for module, path in modules().items() for each in imports_of(module, ast.parse(path.read_text())))


def imports_of(module: str, tree: ast.AST, for_types: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                yield from imports_of(module, ast.Module([inner], []), True)
            for inner in node.orelse:
                yield from imports_of(module, ast.Module([inner], []), for_types)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in ("oddlens", "lab", "tests"):
                    yield Import(module, alias.name, node.lineno, for_types)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{module} line {node.lineno} imports relatively: the graph is read from whole names"
            )
            name = node.module or ""
            if name.partition(".")[0] in ("oddlens", "lab", "tests"):
                for alias in node.names:
                    inner_module = f"{name}.{alias.name}"
                    yield Import(module, inner_module if inner_module in modules() else name, node.lineno, for_types)
        else:
            yield from imports_of(module, node, for_types)


def room(module: str) -> str | None:
    """The room of a module; None for the package itself, which all may ask for the version and which names them lazily."""
    _, _, inside = module.partition(".")
    return inside.partition(".")[0] or None


def test_every_module_is_in_a_room() -> None:
    assert {room(module) for module in modules()} - {None, "__main__"} <= set(ROOMS)


def test_a_room_imports_only_from_rooms_below_it() -> None:
    wrong = [
        f"{each.module} line {each.line} imports {each.target}"
        for each in imports()
        if (here := room(each.module)) in ROOMS
        and (there := room(each.target)) is not None
        and ROOMS.index(there) < ROOMS.index(here)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_in_the_package_imports_the_lab_or_the_tests() -> None:
    assert not [each for each in imports() if each.target.partition(".")[0] != "oddlens"]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """What is imported for types counts too; only the package's own name does not."""
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for each in imports():
        if each.target != "oddlens" and each.module != "oddlens":
            graph[each.module].add(each.target)
    circles = [" -> ".join(circle) for circle in find_circles(graph)]
    assert not circles, "\n".join(circles)


def find_circles(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """A circle for each way back to a module that is not left yet."""
    state: dict[str, str] = {}
    trail: list[str] = []

    def visit(module: str) -> Iterator[list[str]]:
        state[module] = "entered"
        trail.append(module)
        for target in sorted(graph.get(module, ())):
            if state.get(target) == "entered":
                yield [*trail[trail.index(target) :], target]
            elif target not in state:
                yield from visit(target)
        trail.pop()
        state[module] = "left"

    for module in graph:
        if module not in state:
            yield from visit(module)


def test_the_search_finds_circles() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"d"}, "e": {"a"}}
    assert list(find_circles(graph)) == [["a", "b", "c", "a"], ["d", "d"]]


def test_the_root_is_no_corridor() -> None:
    alone = [path.stem for path in (SOURCE / "oddlens").glob("*.py") if not path.stem.startswith("__")]
    assert len(alone) <= MOST_ROOT_MODULES, alone


def is_under(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


ABSENT = """
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""

WITHOUT_TORCH = """
station, *names = sys.argv[1:]
for name in names:
    try:
        import_module(name)
    except ImportError as error:
        print(name, "needs torch:", error)

from oddlens.detection import find_regions
from oddlens.station import read_station

state = read_station(station)
assert state.identity.method == "winclip" and len(state.references.sources) == 3
assert len(find_regions(state.references.features["image"], -2.0)) == 1
"""


def in_a_process_without_torch(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which importing torch fails."""
    return subprocess.run(
        [sys.executable, "-c", ABSENT + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


def test_the_rooms_without_torch_import_where_it_is_not_installed() -> None:
    """In a process in which importing torch fails."""
    names = [each for each in modules() if is_under(each, TORCH_FREE) and each not in NEEDS_TORCH]
    assert len(names) > 100
    done = in_a_process_without_torch(WITHOUT_TORCH, FIXTURES / "station_1", *names)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "call", ["--help", "detect --help", "methods winclip", "models", f"data check {FIXTURES / 'lids'}"]
)
def test_what_needs_no_model_runs_where_torch_is_not_installed(call: str) -> None:
    done = in_a_process_without_torch("from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()", *call.split())
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert done.stdout


@pytest.mark.parametrize(
    "call",
    [
        "train anomalyclip --data {lids} --out w.safetensors",
        "weights show {weights}/april-gan.safetensors",
    ],
)
def test_a_verb_that_needs_torch_says_so_in_one_sentence_where_it_is_not_installed(call: str) -> None:
    arguments = call.format(lids=FIXTURES / "lids", weights=FIXTURES / "weights_1").split()
    done = in_a_process_without_torch("from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    sentence = f"'oddlens {arguments[0]}' needs PyTorch, which is not installed: run pip install 'oddlens[torch]'"
    assert done.stderr == f"oddlens: {sentence}\n"


@pytest.mark.parametrize("call", ["weights show none.pth", "detect {lids} --method april-gan --weights none.pth"])
def test_weights_that_do_not_exist_are_said_not_to_before_torch_is_missed(call: str) -> None:
    arguments = call.format(lids=FIXTURES / "lids").split()
    done = in_a_process_without_torch("from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()", *arguments)
    assert done.returncode == 2
    sentence = "the weights file none.pth does not exist: give an existing .safetensors or .pth file"
    assert done.stderr.splitlines()[-1] == f"oddlens: {sentence}"


def test_the_doctor_says_that_torch_is_not_installed() -> None:
    done = in_a_process_without_torch("from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()", "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "PyTorch, which is not installed: run pip install 'oddlens[torch]'" in done.stdout
    assert re.search("^runtime onnx +onnxruntime ", done.stdout, re.MULTILINE)


def test_what_needs_torch_says_so_to_python_too_where_it_is_not_installed() -> None:
    code = """
import oddlens
try:
    oddlens.training.trainable_class("april-gan")
except oddlens.OddlensError as error:
    print(error)
"""
    done = in_a_process_without_torch(code)
    assert done.stdout == "training needs PyTorch, which is not installed: run pip install 'oddlens[torch]'\n"


@pytest.mark.parametrize("place", [*TORCH_FREE, *NEEDS_TORCH])
def test_the_lists_name_what_there_is(place: str) -> None:
    assert place in modules()
