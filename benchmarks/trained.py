"""What training gives on classes that were never trained on: AnomalyCLIP and APRIL-GAN on the embedded model beside WinCLIP.

    python benchmarks/trained.py --work runs/trained

Both learn from generated images of the 40 training classes, several seeds each, with the published settings; all are then
measured zero-shot on the 10 held-out classes, and where given on real data sets. The embedded model itself has seen generated
images of the same 40 classes, and nothing else. A stopped run goes on.

Besides the recipes as they are fitted to the model there are two with other layers. These were chosen by seed 0 on held-out
products of another design (seed 1000) than those that are measured here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import oddlens
from lab.synthetic import HELD_OUT_CLASSES, TRAIN_CLASSES
from lab.synthetic.mvtec import write_mvtec
from oddlens.data import open_dataset, read_mask, resize_mask
from oddlens.evaluation import open_sources
from oddlens.loading.with_torch import load_fitted
from oddlens.methods.registry import method_card
from oddlens.metrics import image_metrics, pixel_metrics
from oddlens.training import settings_class, trainable_class
from oddlens.training.loop import Schedule
from oddlens.training.precision import Precision
from oddlens.training.run import CacheConfig, Reporter, TrainingRun
from oddlens.training.samples import gather_samples

HELD_OUT_SEED = 2000
Layers = tuple[int, ...] | None
VARIANTS: tuple[tuple[str, Layers], ...] = (
    ("anomalyclip", None),
    ("anomalyclip", (3,)),
    ("april-gan", None),
    ("april-gan", (1, 2)),
)
"""Method, and its layers where they are not those of the fitted recipe."""


def main() -> None:
    """Print a table a data set: image and pixel AUROC, means over its categories, a column a seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="the folder of images, features and weights")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="real data sets to measure on besides")
    arguments = parser.parse_args()
    work: Path = arguments.work
    held_out = work / "held-out"
    if not held_out.is_dir():
        write_mvtec(held_out, HELD_OUT_CLASSES, HELD_OUT_SEED, train_good=1, test_good=12, test_per_defect=2)
    weights = {(*each, seed): train(*each, seed, work) for seed in arguments.seeds for each in VARIANTS}
    for root in (held_out, *arguments.data):
        print(f"\n{root.name}: image AUROC / pixel AUROC, seeds {arguments.seeds}", flush=True)
        print(f"{'winclip':28}{measure('winclip', None, root)}", flush=True)
        for name, layers in VARIANTS:
            found = [measure(name, weights[name, layers, seed], root) for seed in arguments.seeds]
            label = name if layers is None else f"{name}, layers {layers}"
            print(f"{label:28}{'   '.join(found)}", flush=True)


def train(name: str, layers: Layers, seed: int, work: Path) -> Path:
    """The weights of a method trained on its seed's images; made unless they are there."""
    numbers = "" if layers is None else "-layers-" + "-".join(map(str, layers))
    out = work / f"{name}{numbers}-{seed}.safetensors"
    if out.is_file():
        return out
    pictures = work / f"train-{seed}"
    if not pictures.is_dir():
        write_mvtec(pictures, TRAIN_CLASSES, seed, train_good=1, test_good=14, test_per_defect=1)
    settings = settings_class(name)(seed=seed)
    backbone, recipe, _ = load_fitted(method_card(name), None, "cpu", {} if layers is None else {"layers": layers})
    sets = gather_samples(open_sources([str(pictures)]), "test", name)
    trainable = trainable_class(name)(backbone, recipe, settings)
    schedule = Schedule(sets, settings)
    TrainingRun(trainable, schedule, out, Precision("float32", {}), CacheConfig(work / "features"), report=False).run(
        Reporter(lambda sentence: print(f"{out.stem}: {sentence}", flush=True))
    )
    return out


def measure(name: str, weights: Path | None, root: Path) -> str:
    """Image and pixel AUROC, zero-shot, means over the categories of a data set."""
    detector = oddlens.load(name, weights=weights, device="cpu")
    dataset = open_dataset(root)
    rows = []
    for category in dataset.categories:
        records = list(dataset.select(category=category, split="test"))
        found = detector.detect([record.image for record in records], category.replace("_", " "))
        size = detector.method.request.image_size
        masks = [
            resize_mask(read_mask(record), size) if record.mask else np.zeros((size, size), bool) for record in records
        ]
        image = image_metrics([record.label or 0 for record in records], [each.score for each in found])
        rows.append([image.auroc, pixel_metrics(masks, [each.anomaly_map for each in found]).auroc])
    image_mean, pixel_mean = np.mean(rows, axis=0)
    return f"{image_mean:.3f} / {pixel_mean:.3f}"


if __name__ == "__main__":
    main()
