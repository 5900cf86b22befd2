"""The detector: model, method, good examples and thresholds in one place. Encode pictures once, ask about them many times."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from oddlens.detection import Detection, Failure, Thresholds, ValueRange
from oddlens.encoding import BATCH_SIZE, Encoded, encode_together, joined
from oddlens.errors import ImageError, OddlensError, UsageError
from oddlens.images import Picture
from oddlens.inputs import Images, Input, each_input
from oddlens.memory import Memory, leave_one_out
from oddlens.methods.method import Method, Parts, Relative, Scores, Text
from oddlens.methods.recipe import change_recipe
from oddlens.wording import printable

_NOT_FINITE = (
    "has a score or a map that is not finite, so that nothing is known of it: check the model, the weights, the references and "
    "the recipe's numbers"
)


@dataclass(frozen=True)
class Calibration:
    """What the references say of themselves, each scored against the others: thresholds, usual heat, parts of their scores."""

    thresholds: Thresholds
    value_range: ValueRange
    parts: Parts


class Detector:
    """A method on a model, with good examples where there are some. Made by `oddlens.load` or `oddlens.open_station`.

    notes: what of the recipe was fitted to the model, in words. weights: the path of the learned part, or None.
    """

    def __init__(self, name: str, method: Method, notes: Sequence[str] = (), weights: str | None = None) -> None:
        self.name = name
        self.method = method
        self.notes = tuple(notes)
        self.weights = weights
        self.thresholds = Thresholds()
        self._references: Encoded | None = None
        self._memory: Memory | None = None
        self._calibrations: dict[str, Calibration | None] = {}
        self._texts: dict[str, Text] = {}
        self._changes: dict[str, Detector] = {}

    @property
    def recipe(self) -> Any:
        """The frozen recipe in force."""
        return self.method.recipe

    @property
    def scores_sets(self) -> bool:
        """Whether scores are told only of a whole set of pictures together (a matter of the recipe, and of having references)."""
        return self._relative("set") is not None

    @property
    def references(self) -> Encoded | None:
        """The good examples, encoded; None without any. Setting them forgets what was learned of the earlier ones."""
        return self._references

    @references.setter
    def references(self, references: Encoded | None) -> None:
        memory = None if references is None else self.method.remember(references.features)
        self._references, self._memory = references, memory
        self._calibrations.clear()

    def reference(self, images: Images) -> Detector:
        """Add good examples: pictures, paths, folders or globs. Returns the detector itself. Raises `ImageError`, `UsageError`."""
        if self.method.no_references is not None:
            raise UsageError(self.method.no_references)
        added = self.encode(images)
        if not len(added):
            raise UsageError("no reference pictures were given: give at least one good example")
        self.references = added if self.references is None else joined([self.references, added])
        return self

    def set_thresholds(self, image: float | None = None, pixel: float | None = None) -> Detector:
        """Fix thresholds by hand: `image` for scores, `pixel` for heat. They win over those calibrated on references; None leaves
        the calibrated one. Returns the detector itself. Raises `UsageError` for a threshold that is not finite.
        """
        for value in (image, pixel):
            if value is not None and not math.isfinite(value):
                raise UsageError(f"{value} is no threshold: give a finite number")
        self.thresholds = Thresholds(image, pixel, None if image is None and pixel is None else "given")
        return self

    def detect(self, images: Images, object_name: str = "part") -> list[Detection]:
        """Look at pictures: one detection an image, in order. Few pictures are held at a time.

        Raises at the first bad picture: `ImageError` where it cannot be read or its score or map is not finite, `UsageError` for a
        path that does not exist. `detect_each` goes on.
        """
        if self.scores_sets:
            return self.ask(self.encode(images), object_name)
        self._prepare(object_name)
        inputs, found = each_input(images), []
        while batch := self.encode_pictures(each.read() for each in islice(inputs, BATCH_SIZE)):
            found += self.ask(batch, object_name)
        return found

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """As `detect`, of any number of pictures: in order, as they come, with a `Failure` for each bad one.

        images: may be endless; at most `batch_size` of them are held. Pictures run through the towers in groups of `batch_size`
        consecutive ones, bad ones counted: what is found of a picture is the same to the bit wherever its group is run again.
        Raises `UsageError` where scores are those of a set, and for a name or a size that cannot be.
        """
        if self.scores_sets:
            raise UsageError(
                f"with this recipe {self.name} scores a whole set of pictures at once and cannot tell of each as it comes: "
                "take the method's own recipe, or 'detect'"
            )
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UsageError(f"batch_size cannot be {batch_size!r}: give a whole number above 0")
        self._prepare(object_name)
        return self._detect_each(each_input(images), object_name, batch_size)

    def _detect_each(self, inputs: Iterator[Input], object_name: str, size: int) -> Iterator[Detection | Failure]:
        while True:
            group: list[Failure | None] = []
            encoded = encode_together([self.method], _readable(islice(inputs, size), group), size)[0]
            if not group:
                return
            found = iter(self._outcomes(encoded, object_name))
            yield from (next(found) if failure is None else failure for failure in group)

    def encode(self, images: Images) -> Encoded:
        """The part of `detect` that looks at pixels: everything that does not depend on the object name or the references.

        Pictures are read one after the other. Raises as `detect` does for those that cannot be read.
        """
        return self.encode_pictures(each.read() for each in each_input(images))

    def encode_pictures(self, pictures: Iterable[Picture]) -> Encoded:
        """As `encode`, of pictures that are read already, or as they are asked for."""
        return encode_together([self.method], pictures)[0]

    @torch.inference_mode()
    def ask(self, encoded: Encoded, object_name: str = "part", **changes: Any) -> list[Detection]:
        """Detections of encoded pictures for an object name; the towers' vision side does not run again.

        changes: other values of recipe fields that only the question depends on. Raises `UsageError` for any other field, and for
        a single picture where scores are those of a set.
        """
        if changes:
            return self._changed(changes).ask(encoded, object_name)
        found = self.ask_each(encoded, object_name)
        if not found or not self.scores_sets:
            return found
        scores = self.score_set([each.parts for each in found])
        return [replace(each, score=score) for each, score in zip(found, scores, strict=True)]

    def ask_each(self, encoded: Encoded, object_name: str = "part") -> list[Detection]:
        """As `ask`, for a part of a set: where scores are those of a set, they are NaN until `score_set` tells them."""
        return [_insisted(outcome) for outcome in self._outcomes(encoded, object_name)]

    @torch.inference_mode()
    def _outcomes(self, encoded: Encoded, object_name: str) -> list[Detection | Failure]:
        """What is found of each picture; a failure where score or map is not finite."""
        if not len(encoded):
            return []
        text = self._prepare(object_name)
        calibration = self.calibrate(object_name)
        thresholds = _chosen(self.thresholds, calibration)
        value_range = self._fixed_range() if calibration is None else calibration.value_range
        result = self.method.score(encoded.features, text, self._memory)
        scores = self._told(result, object_name)
        parts = _transposed(result.parts, len(encoded))
        labels: Sequence[Tensor | None] = [None] * len(encoded) if result.labels is None else result.labels
        outcomes: list[Detection | Failure] = []
        for number, (score, heat, known) in enumerate(zip(scores.tolist(), result.maps, labels, strict=True)):
            source, anomaly_map = encoded.sources[number], heat.float().cpu().numpy()
            numbers = parts[number].values() if self.scores_sets else (score, *parts[number].values())
            if not (all(map(math.isfinite, numbers)) and np.isfinite(anomaly_map).all()):
                outcomes.append(Failure(source, f"{printable(source)} {_NOT_FINITE}"))
                continue
            outcomes.append(
                Detection(
                    score,
                    anomaly_map,
                    encoded.sizes[number],
                    thresholds,
                    value_range,
                    source,
                    encoded.notes[number],
                    parts[number],
                    None if known is None else known.cpu().numpy(),
                    result.label_names,
                )
            )
        return outcomes

    def score_set(self, parts: Sequence[Mapping[str, float]]) -> list[float]:
        """The scores of a whole set of pictures, where `scores_sets`, from the parts of each. `UsageError` for fewer than two."""
        relative = self._relative("set")
        assert relative is not None
        if len(parts) < 2:
            raise UsageError(
                f"with this recipe {self.name} scores pictures beside each other, and there is one alone: ask about two or more"
            )
        together = {name: torch.tensor([each[name] for each in parts], dtype=torch.float64) for name in parts[0]}
        scores: list[float] = relative.score(together, together).tolist()
        return scores

    @torch.inference_mode()
    def calibrate(self, object_name: str) -> Calibration | None:
        """Thresholds from the references, each scored against the others (leave-one-out); None with fewer than two.

        A threshold is the largest value of a good example plus one standard deviation of those values (ours).
        """
        if self.references is None or len(self.references) < 2:
            return None
        if object_name not in self._calibrations:
            self._calibrations[object_name] = self._leave_one_out(self.references, self._prepare(object_name))
        return self._calibrations[object_name]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a station: a folder with everything needed to detect again, offline. See `oddlens.open_station`."""
        from oddlens.station import save_station

        save_station(self, folder)

    def _changed(self, changes: Mapping[str, Any]) -> Detector:
        """The same detector with another recipe; what was prepared for such a question is kept for the next one."""
        recipe = change_recipe(self.recipe, changes)
        # Not the changes: a file of the same name may say something else now. Orders are part of it: they number classes.
        key = json.dumps(asdict(recipe))
        if key not in self._changes:
            method = copy(self.method)
            method.recipe = recipe
            self._changes[key] = Detector(self.name, method, self.notes, self.weights)
        other = self._changes[key]
        other.thresholds = self.thresholds
        if other.references is not self.references:
            other.references = self.references
        return other

    def _prepare(self, object_name: str) -> Text:
        if not object_name.strip():
            raise UsageError(
                "the object name is empty: say in a word or two what is on the pictures, for instance 'part'"
            )
        if object_name not in self._texts:
            self._texts[object_name] = self.method.prepare(object_name)
        return self._texts[object_name]

    def _leave_one_out(self, references: Encoded, text: Text) -> Calibration:
        results = []
        for number in range(len(references)):
            one = {name: value[number : number + 1] for name, value in references.features.items()}
            memory = self.method.remember(leave_one_out(references.features, number))
            results.append(self.method.score(one, text, memory))
        parts = {name: torch.cat([each.parts[name] for each in results]) for name in results[0].parts}
        relative = self._relative("references")
        scores = torch.cat([each.scores for each in results]) if relative is None else relative.score(parts, parts)
        heats = [each.maps[0].float().cpu().numpy() for each in results]
        peaks = [float(heat.max()) for heat in heats]
        label = f"leave-one-out scores of {len(references)} references"
        pixel = _above(peaks)
        usual = float(np.median(heats))
        value_range = ValueRange(usual, 2 * pixel - usual, f"calibrated on {len(references)} references")
        # Scores of a set mean nothing in another set; heat that is the same everywhere leaves nothing to calibrate a scale on.
        image = None if self.scores_sets else _above(scores.tolist())
        return Calibration(
            Thresholds(image, pixel, label), value_range if pixel > usual else self._fixed_range(), parts
        )

    def _told(self, result: Scores, object_name: str) -> Tensor:
        """The scores of a result, told beside the references where that is how the method tells them."""
        relative, references = self._relative("references"), self.references
        if relative is None or references is None:
            return result.scores
        calibration = self.calibrate(object_name)
        if calibration is not None:
            return relative.score(result.parts, calibration.parts)
        alone = self.method.score(references.features, self._prepare(object_name), None)
        return relative.score(result.parts, alone.parts)

    def _relative(self, to: Literal["references", "set"]) -> Relative | None:
        """How the method tells few-shot scores beside such pictures; None where it does not, or there are no references."""
        relative = self.method.relative
        return relative if self._memory is not None and relative is not None and relative.to == to else None

    def _fixed_range(self) -> ValueRange:
        low, high = self.method.value_range(self.references is not None)
        return ValueRange(low, high, f"fixed range {low:g} to {high:g}")


def _transposed(parts: Parts, count: int) -> list[dict[str, float]]:
    """The parts of each of `count` pictures."""
    return [{name: float(values[number]) for name, values in parts.items()} for number in range(count)]


def _above(values: Sequence[float]) -> float:
    return float(max(values) + np.std(values, ddof=1))


def _chosen(given: Thresholds, calibration: Calibration | None) -> Thresholds:
    """Thresholds given by hand win, one by one, over calibrated ones."""
    if calibration is None:
        return given
    calibrated = calibration.thresholds
    if given.image is None and given.pixel is None:
        return calibrated
    if given.image is not None and given.pixel is not None:
        return given
    known = "image" if given.image is not None else "pixel"
    return replace(
        calibrated,
        image=calibrated.image if given.image is None else given.image,
        pixel=calibrated.pixel if given.pixel is None else given.pixel,
        source=f"{known}: given; the other: {calibrated.source}",
    )


def _readable(inputs: Iterator[Input], group: list[Failure | None]) -> Iterator[Picture]:
    """The pictures that can be read; `group` gets an entry each: None, or the failure of one that cannot."""
    for each in inputs:
        try:
            picture = each.read()
        except OddlensError as error:
            group.append(Failure(each.source, str(error)))
        else:
            group.append(None)
            yield picture


def _insisted(outcome: Detection | Failure) -> Detection:
    if isinstance(outcome, Failure):
        raise ImageError(outcome.reason)
    return outcome
