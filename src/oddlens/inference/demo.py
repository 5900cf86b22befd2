"""The demonstration: images that the package carries, scored zero-shot and with four good examples, on an HTML page.

Each is done by the method that is the default on the embedded model.

The images are generated, of classes that the embedded model was never trained on, with exact masks; they lie in the package in
the MVTec AD layout (`oddlens/assets/demo`, made by `scripts/make_demo_pictures.py`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from oddlens.backbone.cards import MINI
from oddlens.data import Record, open_dataset, read_mask, resize_mask
from oddlens.detection import Detection
from oddlens.io.atomic import write_text
from oddlens.io.images import read_image
from oddlens.io.new_folder import new_folder
from oddlens.loading import load
from oddlens.methods.defaults import default_method
from oddlens.metrics import image_metrics, pixel_metrics
from oddlens.visualization import html
from oddlens.visualization.overlay import outline_mask
from oddlens.visualization.strips import font_size_for, strip_height

FOLDER = Path(__file__).parents[1] / "assets" / "demo"
REFERENCES = 4
PART = "star"
"""The category that `copy_part` takes its images from; it is also the name of the object."""
ZERO_SHOT, FEW_SHOT = (default_method(MINI, with_references=known) for known in (False, True))


@dataclass(frozen=True)
class CategoryResult:
    """One category of the demo: the records, and the detections without and with references, in the records' order."""

    name: str
    records: tuple[Record, ...]
    zero_shot: tuple[Detection, ...]
    few_shot: tuple[Detection, ...]

    def figures(self, detections: tuple[Detection, ...]) -> tuple[float, float]:
        """Image and pixel AUROC, fractions."""
        side = detections[0].anomaly_map.shape[0]
        masks = [
            np.zeros((side, side), bool) if r.mask is None else resize_mask(read_mask(r), side) for r in self.records
        ]
        image = image_metrics([r.label or 0 for r in self.records], [d.score for d in detections])
        return image.auroc, pixel_metrics(masks, [d.anomaly_map for d in detections]).auroc

    def wrong(self, label: int) -> list[str]:
        """The images of a label (1: defective) whose verdict with references is wrong, in words."""
        pairs = zip(self.records, self.few_shot, strict=True)
        return [
            f"{self.name}: {record.defect.replace('_', ' ') if label else record.image.name}"
            for record, found in pairs
            if record.label == label and found.is_anomalous != bool(label)
        ]


def in_words(results: Sequence[CategoryResult]) -> str:
    """What the few-shot method caught and missed."""
    missed, alarms = ([each for result in results for each in result.wrong(label)] for label in (1, 0))
    defects, good = (sum(record.label == label for result in results for record in result.records) for label in (1, 0))
    return (
        f"With {REFERENCES} good examples of each kind, {FEW_SHOT} catches {defects - len(missed)} of {defects} defects and misses "
        f"{len(missed)}{_listed(missed)}. It calls {len(alarms)} of {good} good images NG{_listed(alarms)}. {REFERENCES} examples "
        f"promise that at most {100 / (REFERENCES + 1):.0f} % of good images are called NG on average, and nothing about misses."
    )


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def picture_count() -> int:
    """The number of images that the demo scores."""
    return len(open_dataset(FOLDER, layout="mvtec").select(split="test").records)


def copy_part(folder: Path) -> tuple[int, int]:
    """Copy the images of one part as a line would have them: `good/`, and what is to be checked in `parts/`, named by its defect.

    Returns the number of either. Raises UsageError where the folder exists.
    """
    part = open_dataset(FOLDER, layout="mvtec").select(category=PART)
    good, test = (sorted(part.select(split=split), key=lambda record: record.image) for split in ("train", "test"))
    kinds = Counter(record.defect for record in test)
    with new_folder(folder) as made:
        for name in ("good", "parts"):
            (made / name).mkdir()
        for record in good:
            shutil.copyfile(record.image, made / "good" / record.image.name)
        for record in test:
            number = "" if kinds[record.defect] == 1 else f"-{int(record.image.stem) + 1}"
            shutil.copyfile(record.image, made / "parts" / f"{record.defect}{number}{record.image.suffix}")
    return len(good), len(test)


def run_demo(advance: Callable[[int], None] = lambda _: None, runtime: str = "auto") -> Iterator[CategoryResult]:
    """Score every category with the embedded model and its default methods, without and with good examples.

    advance: called with the number of images just done. runtime: as `oddlens.load` takes it.
    """
    dataset = open_dataset(FOLDER, layout="mvtec")
    zero, few = load(ZERO_SHOT, runtime=runtime), load(FEW_SHOT, runtime=runtime)
    for category in dataset.categories:
        records = tuple(dataset.select(category=category, split="test"))
        good = sorted(record.image for record in dataset.select(category=category, split="train"))[:REFERENCES]
        name = category.replace("_", " ")
        images = [record.image for record in records]
        zero_shot = zero.detect(images, name)
        few_shot = few.with_references(None).add_references(good).detect(images, name)
        advance(len(records))
        yield CategoryResult(name, records, tuple(zero_shot), tuple(few_shot))


def write_page(results: list[CategoryResult], path: Path) -> None:
    """Write the page: a table, and for every image the truth and the overlay with references."""
    head = ("category", "zero-shot: image", "pixel", f"{REFERENCES} references: image", "pixel")
    rows = [
        (
            result.name,
            *(f"{100 * value:.1f}" for value in (*result.figures(result.zero_shot), *result.figures(result.few_shot))),
        )
        for result in results
    ]
    explained = (
        f"The embedded model on images that the package carries too: generated surfaces and parts of kinds that the model was "
        f"never trained on; without examples with {ZERO_SHOT}, with good examples with {FEW_SHOT}. On the left each image with its "
        "true defect outlined, on the right the anomaly map with four good examples; a red line below means a wrong verdict."
    )
    body = [
        html.paragraph(explained),
        html.table(head, rows),
        html.paragraph(
            "AUROC in percent. There are few images a category: one swapped pair moves these figures by several points."
        ),
    ]
    for result in results:
        body.append(html.heading(result.name))
        body.append(html.gallery(_figures(result)))
    write_text(
        path,
        html.page(
            "oddlens demo",
            in_words(results),
            body,
            style=".grid { grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); }",
        ),
    )


def _figures(result: CategoryResult) -> Iterator[str]:
    for record, zero, few in zip(result.records, result.zero_shot, result.few_shot, strict=True):
        pixels = read_image(record.image).pixels
        truth = Image.fromarray(pixels)
        if record.mask is not None:
            truth = Image.fromarray(outline_mask(pixels, read_mask(record)))
        word = "normal" if record.label == 0 else record.defect.replace("_", " ")
        right = few.is_anomalous == bool(record.label)
        verdict = (few.verdict or "-").upper()
        yield html.figure(
            _beside(truth, few.overlay(pixels)),
            f"truth: {word}; called {verdict}: score {few.score:.3f}, zero-shot {zero.score:.3f}",
            "good" if right else "bad",
        )


def _beside(truth: Image.Image, overlay: Image.Image) -> Image.Image:
    """The truth on a ground of the overlay's size, and the overlay."""
    width, height = overlay.size
    pair = Image.new("RGB", (2 * width, height), overlay.getpixel((0, 0)))
    below = strip_height(font_size_for(width, truth.height))
    pair.paste(truth, ((width - truth.width) // 2, height - below - truth.height))
    pair.paste(overlay, (width, 0))
    return pair
