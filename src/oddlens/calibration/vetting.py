"""Good images are looked at before they are trusted: one bad image among them switches an inspection off without a word.

What is doubtful is said; whether it is good only a person knows. An image is doubtful where its score stands apart from the
others', where it does not look like the same part, where it is nearly the same image as another one, has another size or shape, or
is unfocused, dark or bright beyond the others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration.exchangeability import distances_between
from oddlens.calibration.observation import Kind, Look, Observation, Observations, short_names
from oddlens.errors import counted, printable
from oddlens.metrics.distributions import t_quantile


class Limit(NamedTuple):
    """Where a value stands apart from the others.

    deviations: How many median absolute deviations beyond the median, of logarithms. rate: Of fewer images than
    `LEAST_FOR_DEVIATIONS`: how often the others' prediction limit questions a good one.
    """

    deviations: float
    rate: float


SCORE = Limit(3.5, 0.04)
LOOK = Limit(3.5 * 1.4826, 0.003)
"""Three tests more, of sharpness and brightness: with that of the score they are to question at most one good image in twenty."""

LEAST_FOR_DEVIATIONS = 8
"""Fewer images have no deviation to speak of: each is then held against the others' prediction limit."""

STRANGE = 2.0
"""How many times the largest distance between the others' nearest embeddings an image that looks like another part is away."""

TWIN = 0.1
"""Two images are nearly the same where their embeddings lie closer than this share of the usual distance."""

COMMON = 0.75
"""The share of the others that have one size, or shape, so that another one is odd."""


class VettedImageDocument(TypedDict):
    """What `VettedImage.to_dict` writes. size: [width, height], in pixels."""

    source: str
    score: float
    p_value: float
    size: list[int]
    reasons: list[str]


class VettingDocument(TypedDict):
    """What `Vetting.to_dict` writes."""

    kind: Kind
    sentence: str
    images: list[VettedImageDocument]


@dataclass(frozen=True, eq=False)
class VettedImage:
    """A good image, and what is odd about it.

    Attributes:
        observation: The image.
        p_value: Of its score among the others, see `conformal.p_value`.
        reasons: What is odd, in words; () where nothing is.
        name: What people call it: the file's name, and of its folders what tells it from the others.
    """

    observation: Observation
    p_value: float
    reasons: tuple[str, ...]
    name: str

    @property
    def source(self) -> str:
        """What it is called."""
        return self.observation.source

    def to_dict(self) -> VettedImageDocument:
        """As JSON values."""
        return {
            "source": self.source,
            "score": self.observation.score,
            "p_value": self.p_value,
            "size": list(self.observation.size),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, eq=False)
class Vetting:
    """Good images, the most doubtful first.

    kind: Whether they are references, each scored against the others, or calibration images.
    """

    kind: Kind
    rows: tuple[VettedImage, ...]

    @property
    def flagged(self) -> tuple[VettedImage, ...]:
        """Those with something odd."""
        return tuple(row for row in self.rows if row.reasons)

    @property
    def sentence(self) -> str:
        """What was found, in a sentence or two."""
        count, flagged = len(self.rows), self.flagged
        if not flagged:
            return f"{counted(count, 'good image agrees', 'good images agree')}: none is doubtful."
        said = "; ".join(f"{printable(row.name)} {', '.join(row.reasons)}" for row in flagged[:3])
        more = f"; and {len(flagged) - 3} more" if len(flagged) > 3 else ""
        question = "Is it good?" if len(flagged) == 1 else "Are they good?"
        return f"{count - len(flagged)} of {counted(count, 'good image')} agree; {said}{more}. {question}"

    def to_dict(self) -> VettingDocument:
        """As JSON values."""
        return {"kind": self.kind, "sentence": self.sentence, "images": [row.to_dict() for row in self.rows]}


def vet(images: Observations) -> Vetting:
    """Look for what is odd among good images; each is held against all others.

    From `LEAST_FOR_DEVIATIONS` images on a score stands apart beyond the median plus 3.5 median absolute deviations of the
    logarithms; fewer images are held one by one against the others' prediction limit (Student's t, logarithms). How much of what
    is bad that finds is measured in docs/guides/thresholds.md.
    """
    short = short_names(each.source for each in images)
    scores, names, distances = images.scores, [short[each.source] for each in images], _distances(images)
    reasons: list[list[str]] = [[] for _ in images]
    far = list(_far(scores, SCORE))
    for number in far:
        others = scores[:number] + scores[number + 1 :]
        differs = "differs most" if len(far) == 1 else "differs from most others"
        reasons[number].append(f"{differs} (score {scores[number]:.3g}, others {min(others):.3g} to {max(others):.3g})")
    for finding in (_strange(distances), _twins(distances, names), _odd_sizes(images), _odd_looks(images)):
        for number, reason in finding:
            reasons[number].append(reason)
    # What `conformal.p_value` says of each among the others: it counts itself, and so do they.
    reach = len(scores) - np.searchsorted(np.sort(scores), scores)
    rows = [
        VettedImage(each, float(reach[number] / len(scores)), tuple(reasons[number]), names[number])
        for number, each in enumerate(images)
    ]
    return Vetting(images.kind, tuple(sorted(rows, key=lambda row: (not row.reasons, -row.observation.score))))


def _far(values: Sequence[float], limit: Limit) -> Iterator[int]:
    """The numbers of the values that stand apart above the others."""
    known = np.asarray(values, np.float64)
    logs = np.log(known) if known.size and known.min() > 0 else known
    if len(logs) < 3:
        return
    deviation = float(np.median(np.abs(logs - np.median(logs))))
    if len(logs) >= LEAST_FOR_DEVIATIONS and deviation > 0:
        highest = float(np.median(logs)) + limit.deviations * deviation
        yield from (number for number, value in enumerate(logs) if value > highest)
        return
    for number, value in enumerate(logs):
        if value > _prediction_limit(np.delete(logs, number), limit.rate):
            yield number


def _prediction_limit(others: NDArray[np.float64], rate: float) -> float:
    spread = float(others.std(ddof=1)) * math.sqrt(1 + 1 / len(others))
    return float(others.mean()) + t_quantile(1 - rate, len(others) - 1) * spread


def _strange(distances: NDArray[np.float64]) -> Iterator[tuple[int, str]]:
    """Images that do not look like the same part. distances: see `_distances`."""
    if len(distances) < 4:
        return
    nearest = distances.min(axis=1)
    *_, usual, farthest = np.sort(nearest)
    # No other image is the nearest of one that lies so far away: theirs are the same without it.
    if farthest > STRANGE * usual > 0:
        yield int(nearest.argmax()), "does not look like the others' part"


def _twins(distances: NDArray[np.float64], names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Images that nearly are an earlier one: both count as one part. distances: see `_distances`."""
    if len(distances) < 3:
        return
    usual = float(np.median(distances[np.isfinite(distances)]))
    for number in range(1, len(distances)):
        nearest = int(distances[number, :number].argmin())
        if distances[number, nearest] < TWIN * usual:
            yield number, f"is nearly the same image as {printable(names[nearest])}"


def _distances(images: Observations) -> NDArray[np.float64]:
    """Of the embeddings, [images, images]; infinite between an image and itself."""
    if not len(images):
        return np.zeros((0, 0))
    distances = distances_between(images.embeddings, images.embeddings)
    np.fill_diagonal(distances, np.inf)
    return distances


def _odd_sizes(images: Observations) -> Iterator[tuple[int, str]]:
    """Images of another size than nearly all others, or of another shape where sizes differ."""
    sizes = [each.size for each in images]
    shapes = [round(width / height, 2) for width, height in sizes]
    for what, values in (("size", sizes), ("shape", shapes)):
        common, count = Counter(values).most_common(1)[0] if values else (None, 0)
        if len(values) < 3 or count - 1 < COMMON * (len(values) - 1):
            continue
        for number, value in enumerate(values):
            if value != common:
                width, height = sizes[number]
                others = f"{common[0]} x {common[1]}" if isinstance(common, tuple) else f"{common:g} to 1"
                yield number, f"has {width} x {height} pixels, another {what} than the others ({others})"
        return


def _odd_looks(images: Observations) -> Iterator[tuple[int, str]]:
    """Images that are less sharp, darker or brighter than the others, by far."""
    looks = [(number, each.look) for number, each in enumerate(images) if each.look is not None]
    for reason, value_of, least in _LOOKS:
        values = [value_of(look) for _, look in looks]
        for place in _far(values, LOOK):
            number, _ = looks[place]
            if values[place] > least * float(np.median(values)):
                yield number, reason


def _blur(look: Look) -> float:
    return 1 / max(look.sharpness, 1e-3)


def _darkness(look: Look) -> float:
    return 1 / max(look.brightness, 1.0)


def _brightness(look: Look) -> float:
    return max(look.brightness, 1.0)


_LOOKS = (
    ("is less sharp than the others", _blur, 2.0),
    ("is darker than the others", _darkness, 1.2),
    ("is brighter than the others", _brightness, 1.2),
)
"""What is odd, the number that is large then, and how many times the median it must be at least."""
