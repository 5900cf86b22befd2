"""Generated images on disk, in the layout of MVTec AD: for tests, examples and the demonstration."""

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.synthetic.classes import defects_of
from lab.synthetic.product import Product, make_product
from oddlens.errors import OddlensError, UsageError
from oddlens.io.paths import exists


def write_mvtec(
    root: str | os.PathLike[str],
    classes: Iterable[str],
    seed: int,
    train_good: int = 16,
    test_good: int = 8,
    test_per_defect: int = 4,
    size: int = 224,
) -> list[Path]:
    """Write one product of each class below `root` and return the categories' folders, in order.

    The layout is `<class>/train/good`, `<class>/test/<defect or good>` and `<class>/ground_truth/<defect>/<stem>_mask.png`,
    blanks in names replaced by underscores. `seed` (0 or more) is the number of the products' designs; equal arguments
    write equal bytes. A category is written whole or not at all.

    Raises:
        UsageError: a name is not a class, or a category's folder exists already.
        OddlensError: the folder cannot be written.
    """
    products = [make_product(name, seed) for name in classes]
    return [_write_category(Path(root), p, train_good, test_good, test_per_defect, size) for p in products]


def _write_category(
    root: Path, product: Product, train_good: int, test_good: int, test_per_defect: int, size: int
) -> Path:
    folder = root / _folder(product.name)
    if exists(folder):
        raise UsageError(f"{folder} exists already: choose an empty folder or remove it")
    temporary = root / f".oddlens-{secrets.token_hex(8)}"
    try:
        for number in range(train_good):
            _write(temporary / "train" / "good", number, product.sample(number, False, size=size).image)
        for number in range(test_good):
            _write(temporary / "test" / "good", number, product.sample(train_good + number, False, size=size).image)
        first = train_good + test_good
        for kind, defect in enumerate(defects_of(product.name)):
            for number in range(test_per_defect):
                sample = product.sample(first + kind * test_per_defect + number, defect=defect, size=size)
                _write(temporary / "test" / _folder(defect), number, sample.image)
                mask = sample.mask.astype(np.uint8) * np.uint8(255)
                _write(temporary / "ground_truth" / _folder(defect), number, mask, "_mask")
        temporary.replace(folder)
    except OSError as error:
        raise OddlensError(
            f"{folder} cannot be written ({error.strerror}): check permissions and free space"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _folder(name: str) -> str:
    return name.replace(" ", "_")


def _write(folder: Path, number: int, pixels: NDArray[np.uint8], suffix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    blue_first = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    png = cv2.imencode(".png", np.ascontiguousarray(blue_first))[1]
    (folder / f"{number:03d}{suffix}.png").write_bytes(png.tobytes())
