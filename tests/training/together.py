"""Small trainings that one process makes, or several: `torchrun -m tests.training.together FOLDER`.

FOLDER holds the models "clip" and "convnext", the images "data", and "half-one", checkpoints that one process wrote. Two processes
leave "command.safetensors", of the program; "both", whole trainings; "rest", which go on from "half-one"; "half-both", which stop;
and the cache. At the end the second process fails.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from oddlens import cli
from oddlens.backbone.load import load_backbone
from oddlens.data.named import open_sources
from oddlens.errors import OddlensError
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.vl4ad.vocabulary import make_vocabulary
from oddlens.training import settings_class, trainable_class
from oddlens.training.loop import Schedule
from oddlens.training.precision import Precision
from oddlens.training.processes import ALONE, Processes, joined
from oddlens.training.reporting import Reporter
from oddlens.training.run import CacheConfig, TrainingRun
from oddlens.training.samples import gather_samples
from oddlens.training.vl4ad import DecoderRun
from tests.small_streets import QUICK, SHAPE, WORDS, scenes

RECIPES = {
    "anomalyclip": AnomalyCLIPRecipe(image_size=40, layers=(3,), local_from=2, prompt_depth=2),
    "april-gan": AprilGANRecipe(image_size=40, layers=(1, 3)),
}


class Stop(BaseException):
    """What stops a training."""


def frozen(method: str, folder: Path, out: Path, processes: Processes, cache: Path | None) -> TrainingRun:
    """Eleven images in steps of five, five, and one: in the last the second of two processes has none."""
    settings = replace(settings_class(method)(), epochs=2, batch=5, mosaic=0.3)
    sets = gather_samples(open_sources([folder / "data"]), "test", method)
    trainable = trainable_class(method)(load_backbone(folder / "clip", device="cpu"), RECIPES[method], settings)
    kept = None if cache is None else CacheConfig(cache)
    schedule = Schedule(sets, settings)
    run = TrainingRun(trainable, schedule, out, Precision("float32", {}), kept, report=False, processes=processes)
    run.checkpoint.every = 0
    return run


def decoder(folder: Path, out: Path, processes: Processes) -> DecoderRun:
    """Three crops a step: two for the first process."""
    backbone, settings = load_backbone(folder / "convnext", device="cpu"), replace(QUICK, batch=3, iterations=4)
    run = DecoderRun(backbone, scenes(), make_vocabulary(WORDS), SHAPE, settings, out, processes=processes)
    run.checkpoint.every = 0
    return run


def trainings(
    folder: Path, out: Path, processes: Processes = ALONE, cache: Path | None = None
) -> dict[str, TrainingRun | DecoderRun]:
    """One of each kind, by its method."""
    return {
        "april-gan": frozen("april-gan", folder, out / "april-gan.safetensors", processes, cache),
        "anomalyclip": frozen("anomalyclip", folder, out / "anomalyclip.safetensors", processes, None),
        "vl4ad": decoder(folder, out / "vl4ad.safetensors", processes),
    }


def stop_halfway(run: TrainingRun | DecoderRun, processes: Processes = ALONE) -> None:
    """Run until its second step is done; the checkpoint is there then."""

    def stop(done: int) -> None:
        if done == 2:
            raise Stop

    _counting(run, stop)
    try:
        run.run()
    except Stop:
        processes.wait()


def _counting(run: TrainingRun | DecoderRun, call: Callable[[int], None]) -> None:
    """Call with the steps that are done: after each step, in every process."""
    written = run.checkpoint.write_in_time

    def then(trained, optimiser, history) -> None:  # type: ignore[no-untyped-def]
        written(trained, optimiser, history)
        call(len(history))

    run.checkpoint.write_in_time = then  # type: ignore[method-assign]


def command(folder: Path, name: str) -> list[str]:
    """The words of a call of the program, of one epoch."""
    given = ("--data", folder / "data", "--model", folder / "clip", "--out", folder / f"{name}.safetensors")
    fields = (
        "--set",
        "image_size=40",
        "--set",
        "layers=[1,3]",
        "--epochs",
        1,
        "--batch",
        5,
        "--no-cache",
        "--no-report",
    )
    return ["train", "april-gan", *map(str, given), *map(str, fields)]


def main(folder: Path) -> None:
    """See above."""
    sys.argv = ["oddlens", *command(folder, "command")]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise
    with joined() as processes:
        said: list[str] = []
        for run in trainings(folder, folder / "both", processes, folder / "cache-both").values():
            run.run(Reporter(said.append))
        if processes.first:
            shutil.copytree(folder / "half-one", folder / "rest")
        processes.wait()
        for run in trainings(folder, folder / "rest", processes, folder / "cache-both").values():
            run.run(Reporter(said.append))
        for run in trainings(folder, folder / "half-both", processes, folder / "cache-both").values():
            stop_halfway(run, processes)
        (folder / f"said-{processes.rank}.json").write_text(json.dumps(said))
        if not processes.first:
            raise OddlensError("the second process cannot go on")
        processes.wait()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except OddlensError as error:
        sys.exit(f"oddlens: {error}")
