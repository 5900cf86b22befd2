"""What an export does to labelled images, held against the plain functions of metrics."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.data import read_mask, resize_mask
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.export.labelled import labelled_records, measure
from oddlens.metrics import image_metrics, pixel_metrics

pytestmark = pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One object, four good test images and three bad ones, of which two have masks."""
    root, rng = tmp_path_factory.mktemp("data") / "plate", np.random.default_rng(5)
    for name, split, defect in (
        ("0", "train", "good"), *((str(number), "test", "good") for number in range(1, 5)),
        *((str(number), "test", "stain") for number in range(5, 8)),
    ):  # fmt: skip
        image = rng.normal(110, 12, (48, 64, 3)).clip(0, 255).astype(np.uint8)
        if defect == "stain":
            image[10:30, 12:36] = 235
            if name != "7":
                mask = np.zeros((48, 64), np.uint8)
                mask[10:30, 12:36] = 255
                (root / "ground_truth" / "stain").mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(root / "ground_truth" / "stain" / f"{name}_mask.png")
        (root / split / defect).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / split / defect / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def detectors(data: Path) -> tuple[Detector, Detector]:
    """One that finds, and one of another recipe in its place, which scores otherwise."""
    one = oddlens.load("patch-knn", device="cpu").add_references(data / "train")
    other = oddlens.load("winclip", device="cpu").set_thresholds(image=0.0)
    return one, other


def test_both_are_measured_and_verdicts_that_turn_are_counted(data: Path, detectors: tuple[Detector, Detector]) -> None:
    records = labelled_records(data).records
    found = measure(*detectors, labelled_records(data))
    assert (found.images, found.masks, found.left_out, found.failures) == (7, 2, 0, ())
    drawn = [record for record in records if record.mask is not None or not record.label]
    verdicts = []
    assert found.pixel_auroc is not None
    for detector, image, pixel in zip(detectors, found.image_auroc, found.pixel_auroc, strict=True):
        of = {record.image: detector.detect(record.image, "part")[0] for record in records}
        verdicts.append([each.verdict for each in of.values()])
        labels = [record.label or 0 for record in records]
        assert image == image_metrics(labels, [each.score for each in of.values()]).auroc
        maps = [of[record.image].anomaly_map for record in drawn]
        masks = [
            resize_mask(read_mask(record), maps[0].shape) if record.mask else np.zeros(maps[0].shape, bool)  # type: ignore[arg-type]
            for record in drawn
        ]
        assert pixel == pytest.approx(pixel_metrics(masks, maps).auroc, abs=1e-12)
    assert found.image_auroc[0] != found.image_auroc[1] or found.pixel_auroc[0] != found.pixel_auroc[1]
    assert found.verdict_flips == sum(one != other for one, other in zip(*verdicts, strict=True)) > 0


def test_images_that_a_station_knows_are_left_out_and_broken_ones_are_said(
    data: Path, detectors: tuple[Detector, Detector], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "plate"))
    shutil.copy(copy / "train/good/0.png", copy / "test/good/known.png")
    (copy / "test/good/1.png").write_bytes(b"no image")
    Image.new("L", (10, 40)).save(copy / "ground_truth/stain/5_mask.png")
    found = measure(*detectors, labelled_records(copy))
    assert (found.images, found.masks, found.left_out, len(found.failures)) == (5, 1, 1, 2)
    assert "1.png" in found.failures[0]
    assert "5_mask.png" in found.failures[1]
    assert found.to_dict()["left_out"] == 1


def test_a_mask_that_alone_would_say_what_an_image_shows_is_said_to_be_broken(
    detectors: tuple[Detector, Detector], tmp_path: Path
) -> None:
    generator = np.random.default_rng(1)
    for number in range(4):
        for folder, values in (
            ("images", generator.integers(0, 255, (40, 40, 3), dtype=np.uint8)),
            ("masks", np.full((40, 40), 255 * (number % 2), np.uint8)),
        ):
            (tmp_path / "plate" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / "plate" / folder / f"{number}.png")
    (tmp_path / "plate/masks/3.png").write_bytes(b"no mask")
    found = measure(*detectors, labelled_records(tmp_path / "plate"))
    assert (found.images, len(found.failures)) == (3, 1)
    assert "3.png" in found.failures[0]


def without(*names: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        for name in names:
            shutil.rmtree(root / name)

    return change


def beside(root: Path) -> None:
    root.rename(root.with_name("rod"))
    root.mkdir()
    for name in ("plate", "nut"):
        shutil.copytree(root.with_name("rod"), root / name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("test/stain", "ground_truth"), "has not both good and bad test images"),
        (beside, r"holds 2 categories: give the folder of the station's \(nut, plate\)"),
        (without("."), "there is nothing at"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    change: Callable[[Path], None], sentence: str, data: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "plate"))
    change(copy)
    with pytest.raises(UsageError, match=sentence):
        labelled_records(copy)
