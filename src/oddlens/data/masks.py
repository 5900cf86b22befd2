"""Reading masks and bringing them to the size of a map, by the authors' rules.

Source of both rules: the data loaders of APRIL-GAN and AnomalyCLIP (see the spec of the two): a pixel is defect where the grey
value is above 0; a mask is scaled as an image of 0 and 255, bilinearly with antialiasing, and cut above one half. `mask_values`
says what "above 0" means for colours, palettes and transparency; files of label tools (`annotations`) are masks, too.

Label files of road scenes hold masks, ignored pixels and classes in one file. A `Legend` says what their values mean.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.data.annotations import SUFFIX as ANNOTATION
from oddlens.data.annotations import read_drawing
from oddlens.data.files import images_in
from oddlens.data.legend import Legend, load_legend
from oddlens.data.mask_values import DEEP_MODES, Values, mask_values
from oddlens.data.record import Record
from oddlens.errors import DataError, ImageError
from oddlens.io.decoding import check_size
from oddlens.io.images import checked_limit, read_image, read_stored
from oddlens.io.paths import is_dir
from oddlens.io.pixels import UnreadableError

MOSTLY, HALF = 0.9, 0.5
JPEG = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})


def mask_files(mask: Path) -> list[Path]:
    """The files of a mask: itself, or, if it is a folder, the images in it."""
    return images_in(mask) if is_dir(mask) else [mask]


def read_marks(file: Path, image: Path | None = None, shape: tuple[int, int] | None = None) -> Values:
    """One mask file as values [h, w], of which those above 0 are marked; see `mask_values`.

    Args:
        file: The mask: an image or an annotation.
        image: The image that it belongs to; an annotation file of many images needs it.
        shape: The image's (height, width); an annotation file without a size needs it.

    Raises:
        DataError: The file cannot be read.
    """
    if file.suffix.lower() != ANNOTATION:
        try:
            return mask_values(_stored(file, "mask"))
        except ValueError as error:
            raise DataError(f"the mask {file} {error}") from error
    drawing = read_drawing(file, image)
    height, width = drawing.size or shape or _size_of(file, image)
    try:
        check_size((width, height), checked_limit())
    except UnreadableError as error:
        raise DataError(f"the image of {file} {error}") from error
    marked = np.zeros((height, width), np.bool_)
    drawing.mark(marked)
    return marked


def read_values(path: Path) -> NDArray[np.uint8]:
    """One label file as its values, uint8 [h, w]; of a palette the indices. Three equal channels count as one.

    Raises:
        DataError: The file cannot be read as an image, is deeper than 8 bits, holds colours or transparency, or is a JPEG by its
            name, which keeps no exact values.
    """
    if path.suffix.lower() in JPEG:
        raise DataError(
            f"the label file {path} is a JPEG, which turns values into others: save the labels again, as PNG"
        )
    image, *others = _stored(path, "label file")
    if others:
        raise DataError(f"the label file {path} holds several images: save each in a file of its own")
    if image.mode.startswith(DEEP_MODES):
        raise DataError(f"the label file {path} is deeper than 8 bits: save it with 8")
    if image.mode in ("1", "L", "P"):
        return np.asarray(image.convert("L") if image.mode == "1" else image)
    values, alpha = np.split(np.asarray(image.convert("RGBA")), [3], axis=2)
    if alpha.min() < 255 or (values != values[..., :1]).any():
        what = "colours" if alpha.min() == 255 else "transparent pixels"
        raise DataError(f"the label file {path} has {what} in place of numbers: save the number of each pixel, in grey")
    return np.ascontiguousarray(values[..., 0])


def read_mask(source: Record | Path | Iterable[Path], shape: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """The defect's pixels, bool [h, w]: True where the grey value of any of the mask's files is above 0.

    It is False also where pixels do not count (`read_ignore`): give both to metrics, `pixel_metrics(masks, maps, ignore=...)`. A
    label file by its path alone has no legend: give its record, or 255 ("does not count") is defect.

    Args:
        source: A record (whose legend, if it has one, says which values are defect), a mask (a file, or a folder of files),
            or several masks that count together.
        shape: The (h, w) it must have. A normal record, which has no mask file, is False everywhere in this shape (in the
            shape of its image if None).

    Raises:
        ImageError: The image of a normal record is needed for its shape, and cannot be read.
        DataError: A mask cannot be read, the files differ in size or from `shape`, or the record is abnormal or unlabelled
            without a mask, so that the place of its defect is unknown.
    """
    if isinstance(source, Record):
        if source.mask is not None:
            return _union([source.mask], shape, _legend(source), source.image)
        if source.label != 0:
            raise DataError(f"{source.image} has no mask and is not known to be normal: leave it out of pixel metrics")
        return np.zeros(shape or read_image(source.image).pixels.shape[:2], dtype=np.bool_)
    return _union([source] if isinstance(source, Path) else list(source), shape, None, None)


def read_ignore(record: Record, shape: tuple[int, int] | None = None) -> NDArray[np.bool_] | None:
    """The pixels that do not count, bool [h, w] of the given shape if any; None = all of them count.

    With a legend these are the values that are neither normal nor anomalous. In an image that is labelled normal, anomalous
    pixels (a few of a passer-by) do not count either.

    Raises:
        DataError: The file cannot be read, or does not have the shape.
    """
    if record.ignore is None:
        return None
    legend = _legend(record)
    if legend is None:
        return read_mask(record.ignore, shape)
    values = read_values(record.ignore)
    _check_size(record.ignore, values.shape, shape)
    counted = legend.is_normal(values)
    return ~(counted if record.label == 0 else counted | legend.is_anomalous(values))


def read_classes(record: Record, shape: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The known class of every pixel, uint8 [h, w] of the given shape if any: its index in `Dataset.classes`, 255 where none.

    Raises:
        DataError: The record has no class labels, the file cannot be read, or does not have the shape.
    """
    legend = _legend(record)
    if record.classes is None or legend is None:
        raise DataError(f"{record.image} has no class labels: leave it out where classes are trained or evaluated")
    values = read_values(record.classes)
    _check_size(record.classes, values.shape, shape)
    return legend.indices(values)


def _legend(record: Record) -> Legend | None:
    return None if record.legend is None else load_legend(record.legend)


def check_shape(mask: NDArray[np.bool_], size: tuple[int, int], file: Path | None) -> None:
    """Refuse a mask [h, w] that cannot be its image, of (height, width), made smaller or larger: a side must fit, to a pixel.

    Raises:
        DataError: The mask is narrower or wider than its image. The sentence names `file`.
    """
    (height, width), (rows, columns) = mask.shape, size
    if abs(height - rows * width / columns) > 1 and abs(width - columns * height / rows) > 1:
        raise DataError(
            f"the mask {file} has {width} x {height} pixels and its image {columns} x {rows}: it must have its shape"
        )


def looks_inverted(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask may be black on white: it marks nearly everything, or more than half and nearly the whole border.

    A defect of that kind is rare; a mask that was saved with its values the other way round always looks so.
    """
    share = mask.mean()
    if share <= HALF:
        return False
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return bool(share > MOSTLY or border.mean() > MOSTLY)


def _stored(file: Path, what: str) -> list[Image.Image]:
    try:
        return read_stored(file)
    except ImageError as error:
        raise DataError(f"the {what} {error}") from error


def _size_of(file: Path, image: Path | None) -> tuple[int, int]:
    """(height, width) of the image that an annotation belongs to."""
    if image is None:
        raise DataError(f"{file} has no size of its image: annotate it again")
    width, height = read_image(image).size
    return height, width


def _union(
    masks: list[Path], shape: tuple[int, int] | None, legend: Legend | None, image: Path | None
) -> NDArray[np.bool_]:
    files = [file for mask in masks for file in mask_files(mask)]
    if not files:
        raise DataError(f"there is no mask image in {', '.join(map(str, masks)) or 'an empty list of masks'}")
    union: NDArray[np.bool_] | None = None
    for file in files:
        drawn = read_marks(file, image, shape) > 0 if legend is None else legend.is_anomalous(read_values(file))
        _check_size(file, drawn.shape, shape if shape is not None or union is None else union.shape)
        union = drawn if union is None else union | drawn
    assert union is not None  # there is at least one file
    return union


def _check_size(file: Path, found: tuple[int, ...], wanted: tuple[int, ...] | None) -> None:
    if wanted is not None and found != tuple(wanted):
        sizes = f"{found[1]} x {found[0]} pixels instead of {wanted[1]} x {wanted[0]}"
        raise DataError(f"the mask {file} has {sizes}: it must have the size of its image")


def resize_mask(mask: NDArray[np.bool_], size: int | tuple[int, int]) -> NDArray[np.bool_]:
    """A mask [h, w] at another size, (height, width) or the side of a square, by the authors' rule; bool."""
    height, width = (size, size) if isinstance(size, int) else size
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32) / 255 > 0.5
