"""What a run writes of each image beside its line: one folder in OUT a kind."""

from __future__ import annotations

from typing import Literal, NamedTuple

Field = Literal["overlay", "map", "mask", "labels", "preview"]
"""Of a line of results.jsonl: it names a file."""


class Kind(NamedTuple):
    """A kind of file. field: of a line, which names the file. help: what it is, for people."""

    field: Field
    suffix: str
    help: str

    @property
    def pattern(self) -> str:
        """What its files match."""
        return f"*{self.suffix}"


KINDS = {
    "overlays": Kind("overlay", ".png", "PNG"),
    "maps": Kind("map", ".tiff", "TIFF, float32, raw"),
    "masks": Kind("mask", ".png", "PNG, 255 where something is marked and 0 elsewhere, if there is a pixel threshold"),
    "labels": Kind("labels", ".png", "PNG, of methods that know classes"),
    "previews": Kind("preview", ".jpg", "small JPEGs of the images, for report.html"),
}
"""By the name of the folder, which `detect --write` takes, too."""

DRAWINGS = tuple(kind.field for kind in KINDS.values())


def drawing_place(kind: str, name: str) -> str:
    """Where the drawing of a kind is that has a name, from OUT."""
    return f"{kind}/{name}{KINDS[kind].suffix}"
