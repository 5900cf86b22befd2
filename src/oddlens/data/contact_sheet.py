"""A contact sheet: one image of a data set that shows whether its images, labels and masks belong together."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from PIL.PngImagePlugin import PngInfo

from oddlens.data.dataset import Dataset
from oddlens.data.masks import read_mask
from oddlens.data.record import Record
from oddlens.errors import OddlensError, UsageError, counted, printable
from oddlens.io.atomic import replacing
from oddlens.io.images import read_image
from oddlens.io.lettering import drawable, fit, font
from oddlens.io.paths import exists, is_dir

NORMALS, DEFECTS = 3, 5
TILE, GAP, MARGIN, CAPTION = 168, 12, 32, 22
LABEL_COLUMN, GROUP_GAP, HEADER = 190, 20, 74
LINE = 2
PAPER, EMPTY, FRAME, INK, FAINT = "#ffffff", "#f6f7f9", "#eceff3", "#1b2430", "#707b8a"
OUTLINE, GOOD, BAD = "#ff2e88", "#2f8f5b", "#c2304f"


def write_contact_sheet(dataset: Dataset, path: str | Path) -> None:
    """Write an image with a row a category: a few normal images, a few abnormal ones with their masks outlined.

    The images are spread evenly over the category's test split (over all of it where there is none), the abnormal ones
    over its kinds of defect. An image that cannot be read is a tile with the word "unreadable". The suffix chooses the format.

    Raises:
        UsageError: The name ends in none of .png, .jpg, .jpeg.
        OddlensError: The file cannot be written.
    """
    check_suffix(path)
    columns, categories = NORMALS + DEFECTS, len(dataset.categories)
    width = 2 * MARGIN + LABEL_COLUMN + columns * TILE + (columns - 1) * GAP + GROUP_GAP
    row_height = TILE + CAPTION + GAP
    sheet = Image.new("RGB", (width, HEADER + MARGIN + categories * row_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 24), drawable(dataset.root.name), INK, font(26))
    facts = f"{dataset.layout}   {counted(len(dataset), 'image')}   {counted(categories, 'category', 'categories')}"
    draw.text((width - MARGIN, 32), facts, FAINT, font(15), anchor="ra")
    for row, category in enumerate(dataset.categories):
        _draw_row(sheet, draw, HEADER + row * row_height, dataset.select(category))
    save_sheet(sheet, path)


def check_suffix(path: str | Path) -> None:
    """Raise `UsageError` for a name that ends in none of .png, .jpg, .jpeg."""
    if Path(path).suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"the contact sheet {path} must end in .png or .jpg: rename it")


def check_sheet(path: str | Path) -> None:
    """Raise `UsageError` for a place where no contact sheet should go: in a folder that is none, or over any file but a sheet."""
    check_suffix(path)
    shown = printable(str(path))
    if not is_dir(Path(path).absolute().parent):
        raise UsageError(
            f"the contact sheet {shown} lies in no folder that exists: make the folder, or give another name"
        )
    if exists(path) and not _is_sheet(path):
        raise UsageError(f"the contact sheet {shown} would overwrite another file: give another name")


def _is_sheet(path: str | Path) -> bool:
    try:
        with Image.open(path) as image:
            info = image.info
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
    return info.get("Software") == _MARK.decode() or info.get("comment") == _MARK


_MARK = b"oddlens contact sheet"
"""By which a contact sheet is known as one."""


def save_sheet(sheet: Image.Image, path: str | Path) -> None:
    """Write a contact sheet that says that it is one. Raises `OddlensError` where it cannot be written."""
    said = PngInfo()
    said.add_text("Software", _MARK.decode())
    with replacing(path) as temporary:
        sheet.save(temporary, pnginfo=said, comment=_MARK)


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, category: Dataset) -> None:
    records = category.records
    normal = [record for record in records if record.label == 0]
    abnormal = [record for record in records if record.label == 1]
    draw.text((MARGIN, top + 4), fit(records[0].category, font(18), LABEL_COLUMN - GAP), INK, font(18))
    lines = [(f"{len(normal)} normal", GOOD), (f"{len(abnormal)} abnormal", BAD)]
    if len(normal) + len(abnormal) < len(records):
        lines.append((f"{len(records) - len(normal) - len(abnormal)} unlabelled", FAINT))
    for line, (text, colour) in enumerate(lines):
        draw.text((MARGIN, top + 34 + 20 * line), text, colour, font(14))
    left = MARGIN + LABEL_COLUMN
    for column, record in enumerate(_spread(_tests_or_all(normal), NORMALS)):
        _draw_tile(sheet, draw, (left + column * (TILE + GAP), top), record)
    left += NORMALS * (TILE + GAP) + GROUP_GAP
    for column, record in enumerate(_spread_over_defects(_tests_or_all(abnormal), DEFECTS)):
        _draw_tile(sheet, draw, (left + column * (TILE + GAP), top), record)


def _draw_tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], record: Record) -> None:
    left, top = corner
    draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), EMPTY, FRAME)
    try:
        tile = _thumbnail(record)
        sheet.paste(tile, (left + (TILE - tile.width) // 2, top + (TILE - tile.height) // 2))
    except OddlensError:
        draw.text((left + TILE // 2, top + TILE // 2), "unreadable", BAD, font(14), anchor="mm")
    text = record.defect if record.split == "test" else f"{record.defect} ({record.split})"
    if record.label == 1 and record.mask is None:
        text += ", no mask"
    draw.text((left, top + TILE + 3), fit(text, font(13), TILE), INK if record.label else FAINT, font(13))


def _thumbnail(record: Record) -> Image.Image:
    tile = Image.fromarray(read_image(record.image).pixels)
    tile.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    if record.mask is not None:
        tile.paste(OUTLINE, mask=Image.fromarray(_outline(read_mask(record), tile.size)))
    return tile


def _outline(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    # A pixel of the thumbnail is inside if any of its area is: a thin scratch stays visible, where an average would lose it.
    small = Image.fromarray(mask.astype(np.float32)).resize(size, Image.Resampling.BOX)
    inside = np.asarray(small) > 0
    grown = Image.fromarray(inside.astype(np.uint8)).filter(ImageFilter.MaxFilter(2 * LINE + 1))
    outline = (np.asarray(grown) > 0) & ~inside
    at_border = inside.copy()
    at_border[LINE:-LINE, LINE:-LINE] = False
    return outline | at_border


def _spread(records: Sequence[Record], count: int) -> list[Record]:
    """Up to `count` records, evenly over all of them."""
    step = max(1.0, len(records) / count)
    return [records[int(index * step)] for index in range(min(count, len(records)))]


def _spread_over_defects(records: Sequence[Record], count: int) -> list[Record]:
    """Up to `count` records, one of each kind of defect before the second of any."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        kinds.setdefault(record.defect, []).append(record)
    turns = zip_longest(*(_spread(kind, count) for kind in kinds.values()))
    return sorted([record for turn in turns for record in turn if record][:count], key=lambda record: record.defect)


def _tests_or_all(records: Sequence[Record]) -> list[Record]:
    tests = [record for record in records if record.split == "test"]
    return tests or list(records)
