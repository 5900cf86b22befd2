"""How the images of a category are compared: its records decide, unless the plan says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from oddlens.data.named import NamedDataset
from oddlens.errors import UsageError, choices
from oddlens.evaluation.metric_names import METRICS
from oddlens.evaluation.road_sets import find_road_set
from oddlens.metrics import COMPONENT_SIZES, ComponentSizes

BY_AREA = "by-area"
"""Component sizes in proportion to the area of the frames: see `sizes_for`."""

Sizes = str | ComponentSizes
"""From which areas components count: one of `metrics.COMPONENT_SIZES`, `BY_AREA`, or the areas themselves."""


@dataclass(frozen=True)
class Protocol:
    """How the images of a category are compared.

    Attributes:
        full_size: Pixels are compared at each image's own size instead of the map's.
        components: The areas from which components count; None: components are not compared.
        per_image: Pixels are also compared image by image (`metrics.per_image_pixel_metrics`).
        classes: The known classes, in the order of `read_classes`; () for a set without class labels.
    """

    full_size: bool = False
    components: Sizes | None = None
    per_image: bool = False
    classes: tuple[str, ...] = ()

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures of such a category, in the order of all tables."""
        # The legacy PRO is of programs for industrial sets; they know no scenes, and no pixels to ignore.
        left_out = {"pixel_aupro_legacy"} if self.components is not None else set()
        levels = {"image", "pixel"} | ({"component"} if self.components is not None else set())
        return tuple(
            name
            for name in METRICS
            if (self.classes if name == "miou" else name.partition("_")[0] in levels)
            and (self.per_image or not name.endswith("_per_image"))
            and name not in left_out
        )


def choose_protocol(source: NamedDataset, category: str, full_size: bool | None, components: Sizes | None) -> Protocol:
    """The protocol of a category.

    A category is a scene if its test images have label files with a legend. Then pixels are compared at the frames' own size, and
    components from the areas that the set's makers take (`road_sets`), else in proportion to the frames.

    Args:
        source: The data set.
        category: Its category.
        full_size: As in `Protocol`; None leaves it to the category.
        components: As in `Protocol`; None leaves it to the category.

    Raises:
        DataError: The test images do not all have the same classes.
    """
    tests = source.dataset.select(category, "test")
    scene = any(record.legend is not None for record in tests)
    if not scene:
        return Protocol(full_size or False)
    known = find_road_set(source, category)
    theirs = None if known is None else known.components
    return Protocol(
        scene if full_size is None else full_size,
        components or theirs or BY_AREA,
        known is not None and known.per_image,
        tests.classes,
    )


def read_sizes(text: str) -> Sizes:
    """Sizes as a name, or as two areas in pixels. Raises UsageError for anything else.

    Examples:
        >>> read_sizes("50,10")
        ComponentSizes(found=50, true=10)
    """
    names = (*COMPONENT_SIZES, BY_AREA)
    if text in names:
        return text
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(
            f"{text!r} are no component sizes{choices(text, names, 'give one of')}, or the pixels that a "
            "found and a true one has at least, for instance 50,10"
        )
    return ComponentSizes(int(parts[0]), int(parts[1]))


def sizes_for(components: Sizes, area: float) -> ComponentSizes:
    """The areas in pixels, for frames of an area.

    By area (ours): the anomaly track's share of a frame of 2 megapixels (2048 x 1024), at least one pixel.
    """
    if components != BY_AREA:
        return COMPONENT_SIZES[components] if isinstance(components, str) else components
    share = area / 2**21
    found, true = (max(1, round(size * share)) for size in COMPONENT_SIZES["anomaly-track"])
    return ComponentSizes(found, true)
