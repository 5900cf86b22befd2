"""Small road sets of every layout, written to disk: three frames of 16 x 16 or so, with labels in stripes of a few values."""

import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 16, 12


def frame(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (zlib.crc32("/".join(path.parts[-4:]).encode()) % 256, 90, 120)).save(path)
    return path


def labels(path: Path, *values: int) -> Path:
    """Write a label file: upright stripes of equal width with the given values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.repeat(np.array(values, np.uint8), -(-WIDTH // len(values)))[:WIDTH]
    Image.fromarray(np.tile(row, (HEIGHT, 1))).save(path)
    return path


def cityscapes(root: Path) -> Path:
    for split, city, kind, values in (
        ("train", "aachen", "labelIds", (7, 23, 0, 29)),
        ("val", "ulm", "labelTrainIds", (0, 10, 255)),
    ):
        stem = f"{city}_000000_000019"
        frame(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        labels(root / "gtFine" / split / city / f"{stem}_gtFine_{kind}.png", *values)
    frame(root / "leftImg8bit" / "test" / "bonn" / "bonn_000000_000019_leftImg8bit.png")
    labels(root / "gtFine" / "test" / "bonn" / "bonn_000000_000019_gtFine_labelIds.png", 1, 2, 3)
    return root


def lost_and_found(root: Path) -> Path:
    for split, place, number, values in (
        ("train", "01_Hanns_Klemm_Str_45", "000080", (0, 1, 5)),
        ("test", "04_Maurener_Weg_8", "000030", (0, 1, 43)),
        ("test", "04_Maurener_Weg_8", "000040", (0, 1)),
        ("test", "04_Maurener_Weg_8", "000050", (0,)),
    ):
        stem = f"{place}_000000_{number}"
        frame(root / "leftImg8bit" / split / place / f"{stem}_leftImg8bit.png")
        labels(root / "gtCoarse" / split / place / f"{stem}_gtCoarse_labelIds.png", *values)
    return root


def fishyscapes_laf(root: Path) -> Path:
    for number, (stem, values) in enumerate(
        (
            ("01_Hanns_Klemm_Str_45_000000_000080", (0, 1, 255)),
            ("04_Maurener_Weg_8_000000_000030", (0, 1, 255)),
            ("04_Maurener_Weg_8_000008_000190", (0, 255)),
        )
    ):
        labels(root / "fishyscapes_lostandfound" / f"{number:04d}_{stem}_labels.png", *values)
        place = stem[:-14]
        split = "train" if place.startswith("01") else "test"
        frame(root / "leftImg8bit" / split / place / f"{stem}_leftImg8bit.png")
    return root


def fishyscapes_static(root: Path) -> Path:
    for version, number, values in (("v1", 0, (0, 1, 255)), ("v1", 1, (0, 255)), ("v2", 0, (0, 1, 255))):
        stem = f"{number:04d}_frankfurt_000001_046504"
        labels(root / f"fs_val_{version}" / f"{stem}_labels.png", *values)
        frame(root / f"fs_static_images_{version}" / f"{stem}_rgb.png")
    return root


def smiyc(root: Path) -> Path:
    for track, image, values in (
        ("dataset_AnomalyTrack", "validation0000.jpg", (0, 1, 255)),
        ("dataset_AnomalyTrack", "zebra0000.jpg", None),
        ("dataset_ObstacleTrack", "validation_1.webp", (255, 1, 0)),
        ("dataset_ObstacleTrack", "gravel_axestump_2.webp", None),
    ):
        stem = frame(root / track / "images" / image).stem
        if values:
            labels(root / track / "labels_masks" / f"{stem}_labels_semantic.png", *values)
            frame(root / track / "labels_masks" / f"{stem}_labels_semantic_color.png")
    return root


def street_hazards(root: Path) -> Path:
    for archive, part, town, values in (
        ("train", "training", "t1-3", (1, 8)),
        ("train", "validation", "t4", (1, 13)),
        ("test", "test", "t5", (8, 14)),
        ("test", "test", "t6", (8, 11)),
    ):
        frame(root / archive / "images" / part / town / "300.png")
        labels(root / archive / "annotations" / part / town / "300.png", *values)
    return root


def road_anomaly(root: Path) -> Path:
    names = ["animals01_goats.jpg", "road_works01.jpg", "tractor01.jpg"]
    for name in names:
        image = frame(root / "frames" / name)
        labels(image.with_suffix(".labels") / "labels_semantic.png", 0, 2)
    (root / "frame_list.json").write_text(json.dumps(names))
    return root


def camvid_ood(root: Path) -> Path:
    folder = root / "camvid"
    for kind, values in (
        ("train/good", (0, 1, 3)),
        ("train/street", (0, 1, 255)),
        ("test/good", (0, 1, 3)),
        ("test/ood", (0, 2, 3)),
    ):
        frame(folder / kind / "0001TP_008550.jpg")
        labels(folder / "labels" / kind.replace("/", "_") / "0001TP_008550.png", *values)
    (folder / "classes.json").write_text('{"classes": ["sky", "road", "person", "void"], "ood": [2], "ignore": 3}')
    labels(folder / "ground_truth" / "ood" / "0001TP_008550_mask.png", 0, 255, 0)
    labels(folder / "ignore" / "ood" / "0001TP_008550_ignore.png", 0, 0, 255)
    return root


SMALL_ROADS = {
    "camvid-ood": camvid_ood,
    "fishyscapes-laf": fishyscapes_laf,
    "fishyscapes-static": fishyscapes_static,
    "lost-and-found": lost_and_found,
    "cityscapes": cityscapes,
    "smiyc": smiyc,
    "street-hazards": street_hazards,
    "road-anomaly": road_anomaly,
}
"""By layout name: writes a set into an existing folder and returns it."""
