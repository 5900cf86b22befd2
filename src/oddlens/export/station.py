"""A station as an exported one: its graphs in the place of its model, compared with torch before it is kept.

The folder is a station. Beside what every station has it holds

- preprocess.json: how an image becomes what the encoder takes, for programs without Python;
- memory.safetensors: what the scorer takes beside the features of an image, for the station's object: text, rows and values;
- parity.json: how far the export lies from what it was made of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from oddlens import __version__
from oddlens.backbone.request import MOST_ASPECT
from oddlens.calibration import Calibration, chosen
from oddlens.detector import Detector
from oddlens.errors import OddlensError, UsageError, counted, known_name, printable
from oddlens.export.folder import copy_graphs, write_graphs
from oddlens.export.graphs import torch_method, why_not
from oddlens.export.labelled import Labelled, labelled_records, measure
from oddlens.export.parity import LIMIT, Parity, compare, golden_images
from oddlens.export.precision import checked_precision
from oddlens.io.atomic import write_bytes, write_text
from oddlens.io.new_folder import check_new_folder, new_folder
from oddlens.io.paths import exists, is_file, matching
from oddlens.loading import open_station
from oddlens.loading.with_graphs import find_graphs
from oddlens.methods.recipe import filed_fields
from oddlens.methods.scoring import Numbers
from oddlens.provenance import versions
from oddlens.runtime import GraphMethod, holds_graphs
from oddlens.runtime.engine import GraphRuntime, engine
from oddlens.runtime.graph_folder import ENCODER, FEW_SHOT, ROWS, SCORER, VALUE, GraphFolder, Precision
from oddlens.runtime.graph_memory import GraphMemory
from oddlens.station import StationState, read_station, write_station
from oddlens.teaching.references import calibrate_by_unflagged

PREPROCESS, MEMORY, PARITY = "preprocess.json", "memory.safetensors", "parity.json"

Report = Callable[[str], None]

TARGETS: dict[str, GraphRuntime] = {"onnxruntime": "onnx", "openvino": "openvino"}


@dataclass(frozen=True)
class _Form:
    """Of an export."""

    precision: Precision
    runtime: GraphRuntime


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        folder: The exported station.
        parity: How far it lies from what it was made of.
        absent: References and calibration images that were not compared: their files are not there any more.
        thresholds: (image, pixel) before and after, of the station's object.
        labelled: What became of labelled images; None where none were given.
    """

    folder: Path
    parity: Parity
    absent: tuple[str, ...]
    thresholds: tuple[tuple[float | None, float | None], tuple[float | None, float | None]]
    labelled: Labelled | None = None


def export_station(
    station: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    target: str = "onnxruntime",
    objects: Sequence[str] | None = None,
    labelled: str | os.PathLike[str] | None = None,
    report: Report = lambda what: None,
) -> Exported:
    """Export a station into a new folder.

    Args:
        station: Its folder.
        to: The folder to make.
        precision: "fp32", "fp16" or "int8". Below fp32 the references and the calibration are made anew, by the graphs.
        target: "onnxruntime" or "openvino": what the export is tried on, and what runs it unless another one is asked for. Both
            read the same graphs.
        objects: The object names that it shall know, beside the station's own; None: all, where words can be a graph.
        labelled: A data set of the station's object whose test images are labelled, best with masks: AUROC before and after and
            verdicts that turn are measured on them.
        report: Is told what is being done.

    Raises:
        UsageError: There is no station, or it is an export, `to` exists or lies in it, the method has no graphs under its recipe,
            or images that a lower precision needs are not there any more.
        OddlensError: The export does not give what torch gives, so that it is not left; or packages are absent.
    """
    form, place = _Form(checked_precision(precision), TARGETS[known_name("target", target, TARGETS)]), Path(to)
    check_new_folder(place)
    if exists(Path(station)) and place.resolve().is_relative_to(Path(station).resolve()):
        raise UsageError(f"{printable(str(place))} lies in the station itself: give a folder outside it for the export")
    if form == _Form("int8", "openvino"):
        raise UsageError("int8 is slower than fp32 on OpenVINO: give another precision, or the target onnxruntime")
    engine(form.runtime).choose_device("cpu")  # which says whether it is installed
    records = None if labelled is None else labelled_records(labelled)
    model = read_station(station).model
    if model is not None and holds_graphs(model):
        raise UsageError(f"{printable(os.fspath(station))} is an export: give the station that it was made of")
    detector = open_station(station, device="cpu", runtime="torch")
    detector.check_references()
    if detector.defects is not None and detector.defects.memory.images:
        raise UsageError(
            f"{printable(os.fspath(station))} remembers defects, with which graphs cannot compare: unmark them, or go on with torch"
        )
    if (reason := why_not(torch_method(detector.method))) is not None:
        raise UsageError(reason)
    with new_folder(place) as made:
        work = made.parent
        graphs = work / "graphs"
        state = detector.to_state()
        _write_graphs(detector, state, graphs, form, objects, report)
        state = _with_graphs(state, graphs)
        if form.precision != "fp32":
            report("references and calibration by the graphs")
            state = _made_anew(state, detector, work)
        elif state.memory_values:
            state = _with_values(state, work)
        write_station(state, made, verb="export", what=f"exported in {form.precision} from {os.fspath(station)}")
        exported = open_station(made, device="cpu", runtime=form.runtime)
        report("parity")
        parity, absent = _parity(detector, exported)
        if parity.failures:
            raise OddlensError(
                f"the export cannot be compared with torch on {counted(len(parity.failures), 'image')} ({parity.failures[0]}); "
                "nothing is left"
            )
        measured = None if records is None else measure(detector, exported, records, report)
        _write_beside(made, exported, parity, absent, form, measured)
        if form.precision == "fp32" and not parity.within(LIMIT):
            raise OddlensError(
                f"the export does not give what torch gives: features differ by up to {parity.features or 0:.1e}, scores by "
                f"{parity.score:.1e}, maps by {parity.map:.1e}, of which {LIMIT:g} is the most, and {parity.flips} verdicts turn; "
                "nothing is left"
            )
    before, after = (_thresholds(each) for each in (detector, exported))
    return Exported(place, parity, absent, (before, after), measured)


def _write_graphs(
    detector: Detector,
    state: StationState,
    folder: Path,
    form: _Form,
    objects: Sequence[str] | None,
    report: Report,
) -> None:
    """The graphs of a detector: those that ship with oddlens where they can do the same."""
    method = torch_method(detector.method)
    if objects is None:
        recipe = filed_fields(method.card.recipe, state.identity.recipe)
        shipped = find_graphs(detector.name, state.model, state.weights, "cpu", recipe)
        if isinstance(shipped, GraphFolder):
            copy_graphs(shipped, folder, form.precision, form.runtime)
            return
    named = None if objects is None and method.ensemble is not None else [detector.object_name, *(objects or ())]
    write_graphs(
        method,
        folder,
        precision=form.precision,
        runtime=form.runtime,
        objects=named,
        report=lambda role: report(f"graph {role}"),
    )


def _with_graphs(state: StationState, graphs: Path) -> StationState:
    """A station whose model is a folder of graphs."""
    return replace(state, model=graphs, model_files=tuple(sorted(matching(graphs, "*"))), weights=None)


def _with_values(state: StationState, work: Path) -> StationState:
    """The station with what its graphs, and not torch, keep beside the features of the references: it is held against torch."""
    place = work / "before"
    write_station(replace(state, memory_values=None), place)
    graphs = open_station(place, device="cpu")
    graphs.memory_for(graphs.object_name)
    kept = graphs.fit_to_keep()
    return replace(state, memory_values=None if kept is None else kept.values)


def _made_anew(state: StationState, detector: Detector, work: Path) -> StationState:
    """The station with references and a calibration that its graphs made. Raises `UsageError` where images of them are gone."""
    place = work / "before"
    without = replace(state, references=None, calibration=None, leave_one_out=None, memory_values=None)
    write_station(replace(without, scene=None, state=None), place)
    graphs = open_station(place, device="cpu")  # on the runtime that graphs.json names
    if detector.references is not None:
        graphs.add_references(_there(detector.references.sources, "references"))
        graphs.flagged = detector.flagged or frozenset()
    calibration = state.calibration
    if isinstance(calibration, Calibration) and calibration.kind == "leave-one-out":  # of some of them
        assert graphs.references is not None
        named = zip(graphs.references.digests, graphs.references.sources, strict=True)
        flagged = {digest for digest, source in named if source not in calibration.sources}
        calibrate_by_unflagged(graphs, calibration.rates, flagged)
    elif isinstance(calibration, Calibration):
        images = _there(calibration.sources, "calibration images")
        rates = calibration.rates
        graphs.calibrate(
            images, rates.false_alarm_rate, review_rate=rates.review_rate, object_name=calibration.object_name
        )
    elif calibration is not None:
        graphs.calibrate_by(calibration)
    if state.scene is not None and graphs.scene is None:
        graphs.scene = graphs.scene_of(())
    return replace(graphs.to_state(), state=state.state, accepted=state.accepted)


def _there(sources: Sequence[str], what: str) -> list[str]:
    if absent := [source for source in sources if not is_file(Path(source))]:
        raise UsageError(
            f"a precision below fp32 makes the {what} anew, and {printable(absent[0])} is not there any more: export in fp32"
        )
    return list(sources)


def _parity(one: Detector, other: Detector) -> tuple[Parity, tuple[str, ...]]:
    """Of generated images, and of the references and calibration images that are still there."""
    references = one.references
    names = [] if references is None else list(references.sources)
    if (calibration := one.calibration()) is not None and calibration.kind == "split":
        names += calibration.sources
    there = [name for name in dict.fromkeys(names) if is_file(Path(name))]
    absent = tuple(name for name in dict.fromkeys(names) if name not in there)
    found = Parity(())
    for part in compare(one, other, [*golden_images(), *((name, name) for name in there)], one.object_name):
        found += part
    return found, absent


def _thresholds(detector: Detector) -> tuple[float | None, float | None]:
    found = chosen(detector.thresholds, detector.calibration())
    return found.image, found.pixel


def _write_beside(
    folder: Path, exported: Detector, parity: Parity, absent: Sequence[str], form: _Form, labelled: Labelled | None
) -> None:
    """preprocess.json, memory.safetensors and parity.json."""
    method = exported.method
    assert isinstance(method, GraphMethod)
    write_bytes(folder / MEMORY, save(_memory(exported, method)))
    graphs = os.path.relpath(method.folder.path, folder)
    write_text(folder / PREPROCESS, json.dumps(_preprocess(exported, method, Path(graphs)), indent=2) + "\n")
    document = {
        "format": 1,
        "limit": LIMIT,
        "precision": form.precision,
        "runtime": form.runtime,
        "versions": versions(engine(form.runtime).package, "onnx"),
        **parity.to_dict(),
        "absent": list(absent),
        "labelled": None if labelled is None else labelled.to_dict(),
    }
    write_text(folder / PARITY, json.dumps(document, indent=2) + "\n")


def _memory(exported: Detector, method: GraphMethod) -> dict[str, Numbers]:
    """What the scorer takes beside features, by its own names."""
    arrays = dict(method.encode_prompts(exported.object_name))
    memory = exported.memory_for(exported.object_name)
    if memory is not None:
        assert isinstance(memory, GraphMemory)
        arrays |= {ROWS + name: value for name, value in memory.rows.items()}
        arrays |= {VALUE + name: value for name, value in memory.values.items()}
    return {name: np.ascontiguousarray(value) for name, value in arrays.items()}


def _preprocess(exported: Detector, method: GraphMethod, graphs: Path) -> dict[str, object]:
    folder, request = method.folder, method.request
    role = SCORER if exported.references is None else FEW_SHOT
    thresholds = chosen(exported.thresholds, exported.calibration())
    return {
        "format": 1,
        "oddlens": __version__,
        "decode": "8-bit RGB, turned as its EXIF orientation says",
        "tiles": None if exported.preparation is None else exported.preparation.to_dict(),
        "resize": {
            "size": request.image_size,
            "aspect_cell": request.aspect_cell,
            "most_aspect": None if request.aspect_cell is None else MOST_ASPECT,
            "interpolation": request.interpolation,
            "antialias": True,
            "cubic_a": -0.5 if request.interpolation == "bicubic" else None,
            "passes": ["horizontal", "vertical"],
            "rounding": "each pass to 8 bits, weights of 22 bits",
        },
        "normalise": {"divide_by": 255.0, "mean": folder.document["mean"], "std": folder.document["std"]},
        "layout": "NCHW",
        "dtype": "float32",
        "encoder": {
            "file": (graphs / folder.document["files"][ENCODER]["name"]).as_posix(),
            "input": "pixels",
            "outputs": folder.outputs(ENCODER),
        },
        "scorer": {
            "file": (graphs / folder.document["files"][role]["name"]).as_posix(),
            "inputs": folder.inputs(role),
            "score": "scores",
            "map": "maps",
        },
        "memory": MEMORY,
        "object_name": exported.object_name,
        "thresholds": {name: getattr(thresholds, name) for name in ("image", "review", "pixel")},
        "roi": exported.roi is not None,
    }
