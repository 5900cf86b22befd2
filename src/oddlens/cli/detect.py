"""`oddlens detect`: look at pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oddlens.errors import UsageError


def detect(
    images: Annotated[
        list[str], typer.Argument(help="Pictures, folders (searched through) or globs.", show_default=False)
    ],
    object_name: Annotated[str, typer.Option("--object", help="What is on the pictures, in a word or two.")] = "part",
    method: Annotated[str, typer.Option(help="winclip")] = "winclip",
    model: Annotated[
        str | None,
        typer.Option(help="A model of 'oddlens models', a hub id or a path.", show_default="the embedded one"),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="The learned part of a trained method.", show_default=False)
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(help="Good examples: a folder, pictures or globs; may be repeated.", show_default=False),
    ] = None,
    station: Annotated[
        str | None, typer.Option(help="A saved detector; it brings method, model and references.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results, overlays and maps.", show_default=False)] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Score from which a picture is anomalous.", show_default=False)
    ] = None,
    pixel_threshold: Annotated[
        float | None, typer.Option(help="Heat from which a region is marked.", show_default=False)
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field of the method's recipe, as field=value.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overlays: Annotated[bool, typer.Option(help="Write OUT/overlays/*.png.")] = True,
    maps: Annotated[bool, typer.Option(help="Write OUT/maps/*.tiff (float32, raw).")] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what is in OUT; pictures that have a line are skipped.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew in OUT.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a picture.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell the settings and what was noticed of each picture.")
    ] = False,
) -> None:
    """Score pictures and show where they are odd.

    Without --out the results are only printed. With --reference the good examples are compared with, and calibrate the
    thresholds. Exit code 1: some pictures failed; 2: the call was wrong.
    """
    if (resume or overwrite) and out is None:
        raise UsageError("--resume and --overwrite need --out: name the folder with the results")
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other: give one of them")
    if station is not None and (model or weights or reference or setting or method != "winclip"):
        raise UsageError("--station brings method, model, weights, references and settings: leave those options out")

    from oddlens.images import find_images

    paths = find_images(images)
    import oddlens
    from oddlens.run import DetectionRun, Task

    if station is not None:
        detector = oddlens.open_station(station, device)
    else:
        detector = oddlens.load(method, model, weights, device, **_overrides(setting or []))
        if reference:
            detector.reference(reference)
    if threshold is not None or pixel_threshold is not None:
        detector.set_thresholds(threshold, pixel_threshold)
    if verbose:
        print(f"recipe: {detector.recipe}", *detector.notes, sep="\n", file=sys.stderr)

    run = DetectionRun(detector, Task(object_name, tuple(paths)), out, overlays=overlays, maps=maps)
    run.open(resume=resume, overwrite=overwrite)
    from oddlens.cli.progress import progress

    failed = 0
    with progress("pictures", run.total) as advance:
        for record in run:
            failed += "error" in record
            if as_json:
                print(json.dumps(record), flush=True)
            elif out is None or verbose:
                _tell(record)
            if verbose and "note" in record:
                print(f"{record['path']}: {record['note']}", file=sys.stderr)
            if "error" in record:
                print(f"oddlens: {record['error']}", file=sys.stderr)
            advance(1)
    if out is not None:
        print(f"{run.total} pictures, {failed} failed: {out / 'results.jsonl'}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _tell(record: dict[str, Any]) -> None:
    """One line a picture for people: score, verdict, path."""
    if "error" in record:
        return
    verdict = {True: "anomalous", False: "normal", None: "-"}[record["is_anomalous"]]
    print(f"{record['score']:.4f}  {verdict:9}  {record['path']}", flush=True)


def _overrides(settings: list[str]) -> dict[str, Any]:
    """field=value pairs; values are JSON where they read as it (numbers, true, lists), else text."""
    overrides: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {setting!r} is not of the form field=value, for instance image_size=448")
        try:
            overrides[name.strip()] = json.loads(text)
        except ValueError:
            overrides[name.strip()] = text
    return overrides
