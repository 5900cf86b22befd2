"""Small data sets of every layout, written to disk: images of 16 x 16, the fewest that show what is particular to a layout."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.data.small_roads import SMALL_ROADS


def picture(path: Path, size: tuple[int, int] = (16, 16)) -> Path:
    """Write an image whose colour tells it from others of other names or folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = zlib.crc32("/".join(path.parts[-4:]).encode()).to_bytes(4, "big")
    Image.new("RGB", size, tuple(colour[:3])).save(path)
    return path


def mask(
    path: Path, size: tuple[int, int] = (16, 16), value: int = 255, box: tuple[int, int, int, int] = (4, 4, 8, 8)
) -> Path:
    """Write a black mask with a box (left, top, right, bottom) of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.new("L", size)
    drawn.paste(value, box)
    drawn.save(path)
    return path


def labelme_file(path: Path, shapes: list[dict[str, object]], size: tuple[int, int] | None = (16, 16)) -> Path:
    """Write an annotation of labelme for an image of a size (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {} if size is None else {"imageHeight": size[0], "imageWidth": size[1]}
    path.write_text(json.dumps({"shapes": shapes, "imagePath": f"{path.stem}.png", **told}))
    return path


def coco_file(path: Path, drawn: dict[str, object]) -> Path:
    """Write a file of COCO for images of 16 x 16, {name: what covers its scratch; None: a box, []: it is normal}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(enumerate(drawn))
    annotations = [
        {"image_id": number, "category_id": 1, "segmentation": drawn[name], "bbox": [1, 2, 2, 3]}
        for number, name in names
        if drawn[name] != []
    ]
    images = [{"id": number, "file_name": name, "height": 16, "width": 16} for number, name in names]
    categories = [{"id": 1, "name": "scratch"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def mvtec(root: Path) -> Path:
    for category in ("bottle", "nut"):
        picture(root / category / "train" / "good" / "000.png")
        picture(root / category / "test" / "good" / "000.png")
        picture(root / category / "test" / "crack" / "000.png")
        mask(root / category / "ground_truth" / "crack" / "000_mask.png")
    return root


def mvtec_loco(root: Path) -> Path:
    for split in ("train", "validation", "test"):
        picture(root / "pushpins" / split / "good" / "000.png")
    picture(root / "pushpins" / "test" / "logical_anomalies" / "000.png")
    mask(root / "pushpins" / "ground_truth" / "logical_anomalies" / "000" / "000.png", value=250, box=(0, 0, 2, 2))
    mask(root / "pushpins" / "ground_truth" / "logical_anomalies" / "000" / "001.png", value=240, box=(8, 8, 9, 9))
    return root


def mvtec_ad_2(root: Path) -> Path:
    can = root / "can"
    for name in (
        "train/good",
        "validation/good",
        "test_public/good",
        "test_public/bad",
        "test_private",
        "test_private_mixed",
    ):
        picture(can / name / "000_regular.png")
    mask(can / "test_public" / "ground_truth" / "bad" / "000_regular_mask.png")
    return root


def btad(root: Path) -> Path:
    for category, suffix in (("01", ".bmp"), ("02", ".png")):
        picture(root / category / "train" / "ok" / f"0000{suffix}")
        picture(root / category / "test" / "ok" / f"0000{suffix}")
        picture(root / category / "test" / "ko" / f"0000{suffix}")
        mask(root / category / "ground_truth" / "ko" / "0000.png")
    return root


def visa(root: Path) -> Path:
    images, masks = root / "candle" / "Data" / "Images", root / "candle" / "Data" / "Masks"
    for path in (images / "Normal" / "0000.JPG", images / "Normal" / "0001.JPG", images / "Anomaly" / "000.JPG"):
        picture(path)
    mask(masks / "Anomaly" / "000.png", value=2)
    table = root / "split_csv" / "1cls.csv"
    table.parent.mkdir()
    table.write_text(
        "object,split,label,image,mask\n"
        "candle,train,normal,candle/Data/Images/Normal/0000.JPG,\n"
        "candle,test,normal,candle/Data/Images/Normal/0001.JPG,\n"
        "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png\n"
    )
    return root


def dagm(root: Path) -> Path:
    for split in ("Train", "Test"):
        for name in ("0001.PNG", "0002.PNG"):
            picture(root / "Class1" / split / name)
        mask(root / "Class1" / split / "Label" / "0002_label.PNG")
    return root


def kolektor_sdd(root: Path) -> Path:
    for folder, defect in (("kos01", 0), ("kos02", 255)):
        picture(root / folder / "Part0.jpg")
        mask(root / folder / "Part0_label.bmp", value=defect)
    return root


def kolektor_sdd2(root: Path) -> Path:
    for split in ("train", "test"):
        for stem, defect in (("10000", 0), ("10001", 255)):
            picture(root / split / f"{stem}.png")
            mask(root / split / f"{stem}_GT.png", value=defect)
    return root


def meta_json(root: Path) -> Path:
    mvtec(root)
    normal = {"img_path": "bottle/test/good/000.png", "mask_path": "", "specie_name": "good", "anomaly": 0}
    abnormal = {
        "img_path": "bottle/test/crack/000.png",
        "mask_path": "bottle/ground_truth/crack/000_mask.png",
        "specie_name": "crack",
        "anomaly": 1,
    }
    return listing(root, {"train": {"bottle": []}, "test": {"bottle": [normal, abnormal]}})


def listing(root: Path, content: object) -> Path:
    (root / "meta.json").write_text(json.dumps(content))
    return root


def head_ct(root: Path) -> Path:
    for name in ("000.png", "001.png"):
        picture(root / "head_ct" / "head_ct" / name)
    (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n")
    return root


def yes_no(root: Path) -> Path:
    for name in ("yes/y1.jpg", "no/no1.jpg", "pred/pred0.jpg"):
        picture(root / name)
    return root


def covid(root: Path) -> Path:
    for name in ("Normal", "COVID"):
        picture(root / name / "images" / f"{name}-1.png")
        mask(root / name / "masks" / f"{name}-1.png")
    return root


def images_and_masks(root: Path) -> Path:
    for name in ("1.png", "2.png"):
        picture(root / "images" / name)
        mask(root / "masks" / name)
    return root


def masks_beside(root: Path) -> Path:
    for split in ("train", "valid"):
        for stem, defect in (("1", 0), ("2", 1)):
            picture(root / split / f"{stem}.jpg")
            mask(root / split / f"{stem}_mask.png", value=defect)
    picture(root / "test" / "3.jpg")
    labelme_file(root / "test" / "3.json", [{"label": "dent", "points": [[4, 4], [8, 4], [8, 8]]}])
    return root


def coco(root: Path) -> Path:
    square = [[4, 4, 8, 4, 8, 8, 4, 8]]
    for split in ("train", "valid", "test"):
        for name in ("1.jpg", "2.jpg"):
            picture(root / split / name)
        coco_file(root / split / "_annotations.coco.json", {"1.jpg": [], "2.jpg": square})
    return root


def mvtec_3d_ad(root: Path) -> Path:
    for kind in ("train/good", "validation/good", "test/good", "test/hole"):
        picture(root / "bagel" / kind / "rgb" / "000.png")
        (root / "bagel" / kind / "xyz").mkdir()
        (root / "bagel" / kind / "xyz" / "000.tiff").write_bytes(b"a point cloud")
    mask(root / "bagel" / "test" / "good" / "gt" / "000.png", value=0)
    mask(root / "bagel" / "test" / "hole" / "gt" / "000.png")
    return root


def real_iad(root: Path, listings: str = "realiad_jsons", images: str = "realiad_1024") -> Path:
    kinds = ("OK/S0001/a.jpg", "OK/S0002/b.jpg", "NG/HS/S0003/c.jpg")
    for name in kinds:
        picture(root / images / "audiojack" / name)
    mask(root / images / "audiojack" / "NG/HS/S0003/c.png")
    entries = [
        {"category": "audiojack", "anomaly_class": "OK", "image_path": name, "mask_path": None} for name in kinds[:2]
    ]
    entries.append(
        {"category": "audiojack", "anomaly_class": "HS", "image_path": kinds[2], "mask_path": "NG/HS/S0003/c.png"}
    )
    meta = {"normal_class": "OK", "prefix": "audiojack/", "pre_transform": False}
    (root / listings).mkdir(parents=True, exist_ok=True)
    content = {"meta": meta, "train": entries[:1], "test": entries[1:]}
    (root / listings / "audiojack.json").write_text(json.dumps(content))
    return root


def folder(root: Path) -> Path:
    for name in ("good/a.png", "scratch/a.png", "dent/a.png"):
        picture(root / name)
    return root


def manifest(root: Path) -> Path:
    mvtec(root)
    rows = (
        {"image": "bottle/train/good/000.png", "label": 0, "category": "bottle", "split": "train"},
        {
            "image": "bottle/test/crack/000.png",
            "label": 1,
            "category": "bottle",
            "mask": "bottle/ground_truth/crack/000_mask.png",
        },
    )
    (root / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


SMALL_SETS: dict[str, Callable[[Path], Path]] = {
    "manifest": manifest,
    "meta-json": meta_json,
    "visa": visa,
    "head-ct": head_ct,
    "mvtec-ad-2": mvtec_ad_2,
    "btad": btad,
    "dagm": dagm,
    "kolektor-sdd": kolektor_sdd,
    "kolektor-sdd2": kolektor_sdd2,
    "mvtec": mvtec,
    "covid": covid,
    "yes-no": yes_no,
    "images-and-masks": images_and_masks,
    "masks-beside": masks_beside,
    "coco": coco,
    "mvtec-3d-ad": mvtec_3d_ad,
    "real-iad": real_iad,
    "folder": folder,
    **SMALL_ROADS,
}
"""By layout name: writes a set into an existing folder and returns it."""


def facts(records: object, root: Path) -> set[tuple[str, str, str, str, str | None]]:
    """What records say, as {(image, category, split, defect, mask)} with paths relative to the root."""
    return {
        (
            record.image.relative_to(root).as_posix(),
            record.category,
            record.split,
            record.defect,
            record.mask and record.mask.relative_to(root).as_posix(),
        )
        for record in records
    }
