"""FiftyOne: a folder in its form FiftyOneDataset, written without the package and without a database.

    TO/metadata.json       the fields, and what made the results
    TO/samples.json        of each image: score, verdict (Classification), regions (Detections with masks), map (Heatmap)
    TO/data/               copies of the images
    TO/fields/map/*.png    the anomaly maps in 256 steps of one scale, which "info" and each map name: FiftyOne shows no float32

The metadata name no version of FiftyOne: it takes such a folder as the oldest form of its own, which every version reads.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.detection import ValueRange
from oddlens.errors import OddlensError, UsageError, first_line, needs_package, printable
from oddlens.inference.kept_images import KeptImage, KeptResults
from oddlens.inference.tools.tool import Advance, Boxed, Given, Place, copy_image
from oddlens.io.new_folder import new_folder
from oddlens.io.png import write_png

_FIELDS = {
    "filepath": "fiftyone.core.fields.StringField",
    "tags": "fiftyone.core.fields.ListField(fiftyone.core.fields.StringField)",
    "metadata": "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.metadata.ImageMetadata)",
    "score": "fiftyone.core.fields.FloatField",
    "p_value": "fiftyone.core.fields.FloatField",
    "verdict": "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.Classification)",
    "regions": "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.Detections)",
    "map": "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.Heatmap)",
}


@dataclass(frozen=True)
class FiftyOne:
    """See `Tool`.

    copies: whether images are copied into TO; else they are named by their whole path. dataset: the name of a data set that
    FiftyOne makes of the folder, in its database; None: the folder is all.
    """

    copies: bool = True
    dataset: str | None = None

    def give(self, results: KeptResults, to: Place, advance: Advance) -> Given:
        """See `Tool`."""
        if self.dataset is not None:
            _check_free(self.dataset)
        boxed, scale = Boxed(), results.value_range
        with new_folder(Path(to)) as made:
            (made / "data").mkdir()
            (made / "fields" / "map").mkdir(parents=True)
            samples = []
            for number, image in enumerate(results.images, start=1):
                samples.append(self._sample(results, image, made, scale, boxed))
                advance("images", number, len(results.images))
            metadata = {
                "name": "oddlens",
                "media_type": "image",
                "sample_fields": _FIELDS,
                "info": {"run": dict(results.run), "map": {"low": scale.low, "high": scale.high, "scale": scale.label}},
            }
            (made / "metadata.json").write_text(json.dumps(metadata, indent=1), encoding="ascii")
            (made / "samples.json").write_text(json.dumps({"samples": samples}), encoding="ascii")
        said = (*results.said, *boxed.said)
        if self.dataset is None:
            return Given(str(to), len(samples), said)
        _load(Path(to), self.dataset)
        return Given(f"{to}, FiftyOne's data set {self.dataset}", len(samples), said)

    def _sample(
        self, results: KeptResults, image: KeptImage, made: Path, scale: ValueRange, boxed: Boxed
    ) -> dict[str, object]:
        width, height = image.size
        sample: dict[str, object] = {
            "filepath": f"data/{copy_image(image, made / 'data')}" if self.copies else image.path.as_posix(),
            "tags": [],
            "metadata": {"_cls": "ImageMetadata", "width": width, "height": height},
            "score": image.score,
            "p_value": image.record.get("p_value"),
        }
        if image.verdict is not None:
            sample["verdict"] = {"_cls": "Classification", "label": image.verdict}
            sample["regions"] = {"_cls": "Detections", "detections": list(_detections(results, image, boxed))}
        anomaly_map = results.anomaly_map(image)
        if anomaly_map is not None:
            place = f"fields/map/{Path(image.name).stem}.png"
            write_png(made / place, _in_steps(anomaly_map, scale))
            said = {"low": scale.low, "high": scale.high, "scale": scale.label}
            sample["map"] = {"_cls": "Heatmap", "map_path": place, "range": [0.0, 255.0], **said}
        return sample


def _detections(results: KeptResults, image: KeptImage, boxed: Boxed) -> Iterator[dict[str, object]]:
    width, height = image.size
    for each in results.marked(image):
        x, y, wide, high = each.box
        boxed.count += each.mask is None
        (left, across), (top, down) = _shares(x, wide, width), _shares(y, high, height)
        yield {
            "_cls": "Detection",
            "label": each.label,
            "bounding_box": [left, top, across, down],
            **({} if each.mask is None else {"mask": _packed(each.mask[y : y + high, x : x + wide])}),
            "confidence": each.region.peak,
            "area": each.region.area,
        }


def _shares(start: int, length: int, whole: int) -> tuple[float, float]:
    """Where a box begins and how long it is, in shares of the image's side: those of which FiftyOne finds the same pixels.

    It multiplies, and cuts off what follows the point; as floating-point numbers 25 / 48 * 48 are less than 25.
    """
    first, share = start / whole, length / whole
    while int(whole * first) < start:
        first = math.nextafter(first, 1)
    while int(whole * (first + share)) < start + length:
        share = math.nextafter(share, 1)
    return first, share


def _packed(mask: NDArray[np.bool_]) -> dict[str, dict[str, str]]:
    """An array as FiftyOne stores it: NumPy's file, by zlib, in MongoDB's JSON."""
    stream = io.BytesIO()
    np.save(stream, mask, allow_pickle=False)
    return {"$binary": {"base64": base64.b64encode(zlib.compress(stream.getvalue())).decode("ascii"), "subType": "00"}}


def _in_steps(anomaly_map: NDArray[np.float32], scale: ValueRange) -> NDArray[np.uint8]:
    """A map in 256 steps, uint8 [height, width]; what lies beyond an end of the scale is at that end."""
    span = (scale.high - scale.low) or 1.0
    steps: NDArray[np.uint8] = np.clip((anomaly_map - scale.low) / span * 255, 0, 255).round().astype(np.uint8)
    return steps


def _check_free(name: str) -> None:
    with _sentences(), needs_package("fiftyone", _ABSENT):
        os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
        import fiftyone

        if fiftyone.dataset_exists(name):
            raise UsageError(f"FiftyOne has a data set {printable(name)}: give another --dataset")


def _load(folder: Path, name: str) -> None:
    with _sentences():
        import fiftyone

        dataset = fiftyone.Dataset.from_dir(
            dataset_dir=str(folder.absolute()), dataset_type=fiftyone.types.FiftyOneDataset, name=name, progress=False
        )
        dataset.persistent = True


_ABSENT = "a data set of FiftyOne needs fiftyone: pip install 'oddlens[fiftyone]', or leave --dataset out"


@contextmanager
def _sentences() -> Iterator[None]:
    """What FiftyOne raises, mostly that it has no database, becomes one sentence."""
    try:
        yield
    except (OddlensError, ImportError, AttributeError, NameError, TypeError):
        raise  # ours, or a fault of the program
    except Exception as error:  # FiftyOne's, its database's
        raise OddlensError(
            f"FiftyOne cannot make the data set ({first_line(error)}): see that its database runs (FIFTYONE_DATABASE_URI), or "
            "leave --dataset out and read the folder elsewhere"
        ) from error
