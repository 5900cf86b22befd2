"""Label Studio: tasks with predictions, and the labelling interface that they fit; `label_studio_export.py` reads what people made
of them.

    TO/tasks.json          to import: of each image the score, "bad" or "good" as a choice, and regions as brush masks or rectangles
    TO/label_config.xml    the labelling interface

Images stay where they are: Label Studio reads them itself, from a folder or over HTTP.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from oddlens import __version__
from oddlens.data.brush import pack_brush
from oddlens.errors import UsageError, printable
from oddlens.inference.kept_images import DEFECT, KeptImage, KeptResults
from oddlens.inference.tools.tool import Advance, Boxed, Given, Place
from oddlens.io.new_folder import new_folder
from oddlens.io.paths import in_utf8

VERDICT, MASK, BOX = "verdict", "mask", "box"
"""The names of the controls in the labelling interface."""

CHOICES = ("good", "bad", "unsure")
"""What a person says of an image: the marks of feedback (`station.feedback.Said`)."""

KEY = "oddlens"
"""The entry of a task that says which image of the results it is of."""

_CHOSEN = {"ok": "good", "ng": "bad"}
_COLOURS = ("#D4381F", "#1F6FD4", "#B8860B", "#7A1FD4", "#138A5E", "#D41F8C")


@dataclass(frozen=True)
class LabelStudio:
    """See `Tool`.

    root: the folder that Label Studio serves local files from; None: the one that all images lie in. url: where it finds that
    folder over HTTP; None: it reads local files. boxes: whether regions are rectangles instead of masks.
    """

    root: Path | None = None
    url: str | None = None
    boxes: bool = False

    def give(self, results: KeptResults, to: Place, advance: Advance) -> Given:
        """See `Tool`."""
        root = Path(os.path.realpath(self.root)) if self.root is not None else _common(results.images)
        places = [_place(image, root) for image in results.images]
        labels = {DEFECT: None}
        boxed = Boxed()
        tasks = []
        with new_folder(Path(to)) as made:
            for number, (image, place) in enumerate(zip(results.images, places, strict=True), start=1):
                labels |= dict.fromkeys(_names(image))
                tasks.append(self._task(results, image, place, boxed))
                advance("images", number, len(places))
            (made / "tasks.json").write_text(json.dumps(tasks), encoding="ascii")
            (made / "label_config.xml").write_text(_interface(labels), encoding="utf-8")
        said = [*results.said, *(() if self.boxes else boxed.said)]
        if self.url is None:
            said.append(
                "Label Studio reads the images where they are: start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={printable(str(root))}, and add a local storage of that folder"
            )
        return Given(str(to), len(tasks), tuple(said))

    def _task(self, results: KeptResults, image: KeptImage, place: str, boxed: Boxed) -> dict[str, object]:
        run = results.run
        return {
            "data": {
                "image": f"/data/local-files/?d={place}" if self.url is None else f"{self.url.rstrip('/')}/{place}",
                "score": image.score,
                "verdict": image.verdict,
                KEY: in_utf8(image.key),
            },
            "predictions": [
                {
                    "model_version": f"{run.get('method')} on {run.get('model')}, oddlens {run.get('oddlens', __version__)}",
                    "score": image.score,
                    "result": list(self._predicted(results, image, boxed)),
                }
            ],
        }

    def _predicted(self, results: KeptResults, image: KeptImage, boxed: Boxed) -> Iterator[dict[str, object]]:
        width, height = image.size
        if (choice := _CHOSEN.get(image.verdict or "")) is not None:
            value: dict[str, object] = {"choices": [choice]}
            yield {"id": VERDICT, "from_name": VERDICT, "to_name": "image", "type": "choices", "value": value}
        for number, each in enumerate(results.marked(image), start=1):
            boxed.count += each.mask is None
            if each.mask is None or self.boxes:
                x, y, wide, high = each.box
                name, kind = BOX, "rectanglelabels"
                value = {
                    "x": 100 * x / width,
                    "y": 100 * y / height,
                    "width": 100 * wide / width,
                    "height": 100 * high / height,
                    "rotation": 0,
                }
            else:
                name, kind = MASK, "brushlabels"
                value = {"format": "rle", "rle": pack_brush(each.mask)}
            yield {
                "id": f"region{number}",
                "from_name": name,
                "to_name": "image",
                "type": kind,
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "score": each.region.peak,
                "value": {**value, kind: [each.label]},
            }


def _common(images: tuple[KeptImage, ...]) -> Path:
    """The folder that all images lie in."""
    try:
        return Path(os.path.commonpath([os.path.realpath(image.path.parent) for image in images]))
    except ValueError as error:  # of Windows: they lie on several drives
        raise UsageError("the images lie on several drives: give --root or --url, and images of one") from error


def _place(image: KeptImage, root: Path) -> str:
    """Where an image is in the folder, as addresses have it."""
    path = Path(os.path.realpath(image.path))
    if not path.is_relative_to(root):
        raise UsageError(f"{printable(str(image.path))} does not lie in {printable(str(root))}: give another --root")
    return quote(os.fsencode(path.relative_to(root).as_posix()))


def _names(image: KeptImage) -> Iterator[str]:
    """The names that were thought of."""
    for region in image.record.get("regions", []):
        yield from (str(name) for name, _ in region.get("names", []) if name != "unknown")


def _interface(labels: dict[str, None]) -> str:
    shown = "".join(
        f"\n      <Label value={quoteattr(name)} background={quoteattr(_COLOURS[number % len(_COLOURS)])}/>"
        for number, name in enumerate(labels)
    )
    choices = "".join(f"\n      <Choice value={quoteattr(name)}/>" for name in CHOICES)
    return f"""<View>
    <Image name="image" value="$image" zoom="true" zoomControl="true"/>
    <Text name="score" value="$score"/>
    <Choices name="{VERDICT}" toName="image" choice="single-radio" showInline="true">{choices}
    </Choices>
    <BrushLabels name="{MASK}" toName="image">{shown}
    </BrushLabels>
    <RectangleLabels name="{BOX}" toName="image">{shown}
    </RectangleLabels>
</View>
"""
