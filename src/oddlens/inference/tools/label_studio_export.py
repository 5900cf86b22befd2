"""What people made of tasks in Label Studio: its export "JSON", as marks of feedback with corrected masks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from oddlens.data.brush import unpack_brush
from oddlens.data.shapes import fill_polygon
from oddlens.errors import UsageError, counted, printable
from oddlens.inference.kept_images import DEFECT
from oddlens.inference.tools.label_studio import KEY, VERDICT
from oddlens.io.paths import in_utf8, read_bytes
from oddlens.io.strict_json import checked, parse_json
from oddlens.station.feedback import Said

_SAID: tuple[Said, ...] = get_args(Said)
_FARTHEST = 1e4
"""Per cent of the image's side."""


class _Result(TypedDict):
    type: str
    value: dict[str, object]
    from_name: NotRequired[str]
    original_width: NotRequired[int]
    original_height: NotRequired[int]


class _Annotation(TypedDict):
    result: list[_Result]
    was_cancelled: NotRequired[bool]
    updated_at: NotRequired[str | None]
    completed_by: NotRequired[object]


class _Task(TypedDict):
    data: dict[str, object]
    annotations: list[_Annotation]
    id: NotRequired[object]


@dataclass(frozen=True)
class Labelled:
    """What a person said of an image.

    Attributes:
        key: The image's in the results.
        said: Whether the part is good, bad, or the person is unsure.
        defect: What most of the marked pixels are called; None: nothing is marked, or it is just called a defect.
        mask: What the person marked, bool [height, width]; None: nothing, or the part is not bad.
        reviewer: The person's e-mail address, where the export says it.
    """

    key: str
    said: Said
    defect: str | None
    mask: NDArray[np.bool_] | None
    reviewer: str | None


@dataclass(frozen=True)
class Export:
    """All that people said. passed_over: what does not count, and why, in sentences."""

    labelled: tuple[Labelled, ...]
    passed_over: tuple[str, ...]


def read_export(path: Path, sizes: Mapping[str, tuple[int, int]]) -> Export:
    """Read an export. Of several annotations of one image the last one counts.

    Args:
        path: The file.
        sizes: (width, height) of each image of the results, by its key.

    Raises:
        UsageError: It is no such file, is of other results, or a mask cannot be read.
    """
    shown = printable(str(path))
    try:
        tasks = checked(parse_json(read_bytes(path)), list[_Task])
    except OSError as error:
        raise UsageError(f"{shown} cannot be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise UsageError(
            f"{shown} is no export of Label Studio in the format JSON ({error}): choose JSON, not JSON-MIN, when you export"
        ) from error
    labelled: dict[str, Labelled] = {}
    silent = 0
    others: Counter[str] = Counter()
    keys = {in_utf8(key): key for key in sizes}  # as the tasks were told
    for task in tasks:
        said = task["data"].get(KEY)
        key = keys.get(said, said) if isinstance(said, str) else None
        if key is None or key not in sizes:
            name = f"task {task.get('id')}" if key is None else key
            raise UsageError(
                f"{shown} has a task of {printable(name)}, of which there is no result: give the results that 'oddlens results "
                "label-studio' made the tasks of"
            )
        annotation = _last(task["annotations"])
        try:
            found = None if annotation is None else _labelled(key, annotation, sizes[key], others)
        except ValueError as error:
            raise UsageError(
                f"{shown} has a region of {printable(key)} that {error}: correct it and export again"
            ) from error
        if found is None:
            silent += 1
        else:
            labelled[key] = found
    passed_over = []
    if silent:
        passed_over.append(f"{counted(silent, 'task has', 'tasks have')} no annotation that says good, bad or unsure")
    for kind, count in others.items():
        passed_over.append(
            f"{counted(count, 'region')} of the kind {printable(kind)} {'is' if count == 1 else 'are'} no mask here"
        )
    return Export(tuple(labelled.values()), tuple(passed_over))


def _last(annotations: Sequence[_Annotation]) -> _Annotation | None:
    counting = [each for each in annotations if not each.get("was_cancelled")]
    return max(counting, key=lambda each: each.get("updated_at") or "", default=None)


def _labelled(key: str, annotation: _Annotation, size: tuple[int, int], others: Counter[str]) -> Labelled | None:
    """What an annotation says; None where it says neither a verdict nor marks anything."""
    said: Said | None = None
    masks: list[tuple[str, NDArray[np.bool_]]] = []
    for result in annotation["result"]:
        if result["type"] == "choices":
            said = _choice(result) or said
        elif (mask := _mask(result, size)) is None:
            others[result["type"]] += 1
        else:
            masks.append((_label(result), mask))
    if said is None:
        if not masks:
            return None
        said = "bad"
    if said != "bad" or not masks:
        return Labelled(key, said, None, None, _reviewer(annotation))
    counts: Counter[str] = Counter()
    for label, mask in masks:
        counts[label] += int(mask.sum())
    defect = counts.most_common(1)[0][0]
    whole: NDArray[np.bool_] = np.any([mask for label, mask in masks if label == defect], axis=0)
    return Labelled(
        key, said, None if defect == DEFECT else defect, whole if whole.any() else None, _reviewer(annotation)
    )


def _choice(result: _Result) -> Said | None:
    choices = result["value"].get("choices")
    if result.get("from_name", VERDICT) != VERDICT or not isinstance(choices, list):
        return None
    return next((said for said in _SAID if said in choices), None)


def _label(result: _Result) -> str:
    labels = result["value"].get(result["type"])
    return labels[0] if isinstance(labels, list) and labels and isinstance(labels[0], str) else DEFECT


def _mask(result: _Result, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """What a region covers; None where it is of a kind that covers nothing. Raises `ValueError` for a faulty one."""
    kind, value = result["type"].removesuffix("labels"), result["value"]
    if kind not in ("brush", "rectangle", "polygon"):
        return None
    found = (result.get("original_width"), result.get("original_height"))
    if found != size:
        raise ValueError(f"is of an image of {found[0]} x {found[1]} pixels, not {size[0]} x {size[1]}")
    if kind == "brush":
        runs = checked(value.get("rle"), list[int], "its rle")
        return unpack_brush(runs, size)
    mask = np.zeros(size[::-1], np.bool_)
    fill_polygon(mask, _corners(value, size) if kind == "rectangle" else _points(value, size))
    return mask


def _points(value: Mapping[str, object], size: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    points = checked(value.get("points"), list[list[float]], "its points")
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise ValueError("has fewer than three points")
    if any(abs(each) > _FARTHEST for point in points for each in point):
        raise ValueError("lies far outside of the image")
    return tuple((x * size[0] / 100, y * size[1] / 100) for x, y in points)


def _corners(value: Mapping[str, object], size: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """Of a rectangle, which Label Studio turns about its first corner."""
    names = ("x", "y", "width", "height", "rotation")
    x, y, width, height, turn = (checked(value.get(name, 0), float, name) for name in names)
    if max(map(abs, (x, y, width, height))) > _FARTHEST:
        raise ValueError("lies far outside of the image")
    left, top = x * size[0] / 100, y * size[1] / 100
    wide, high = width * size[0] / 100, height * size[1] / 100
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    across, down = (wide * cosine, wide * sine), (-high * sine, high * cosine)
    return (
        (left, top),
        (left + across[0], top + across[1]),
        (left + across[0] + down[0], top + across[1] + down[1]),
        (left + down[0], top + down[1]),
    )


def _reviewer(annotation: _Annotation) -> str | None:
    by = annotation.get("completed_by")
    email = by.get("email") if isinstance(by, dict) else None
    return email if isinstance(email, str) and email else None
