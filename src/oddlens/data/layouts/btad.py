"""BTAD (BTech_Dataset_transformed): categories 01 to 03, MVTec AD's tree with "ok" and "ko" for good and bad.

<category>/train/ok/*, <category>/test/{ok,ko}/*, <category>/ground_truth/ko/<stem>.*: images and masks are .bmp or .png.
"""

from pathlib import Path

from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.mvtec import read_category
from oddlens.io.paths import is_dir


def _is_category(folder: Path) -> bool:
    test = folder / "test"
    return is_dir(folder / "train" / "ok") or (is_dir(test / "ok") and is_dir(test / "ko"))


LAYOUT = by_category(
    "btad",
    "<category>/train/ok, or <category>/test/ok and test/ko",
    _is_category,
    read_category,
    citations=("mishra2021vt",),
)
