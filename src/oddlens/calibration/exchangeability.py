"""Whether images may stand for others: permutation tests of two groups, and how many of the later ones exceed the threshold.

A promise holds for images that are exchangeable with those that it was calibrated on: a random sample of one production. That
cannot be proved, only refuted: two groups that are exchangeable differ as little as two groups into which their images are
shuffled. Images that were taken together differ more from what the line brings later. What matters most can be counted: how
many images of the line the threshold calls NG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NotRequired, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration.conformal import mean_rate
from oddlens.calibration.observation import Observations
from oddlens.calibration.rates import percent_up
from oddlens.errors import UsageError
from oddlens.io.strict_json import require_form
from oddlens.metrics.distributions import beta_cdf

LEVEL = 0.05
"""How often exchangeable groups are called different, at most: both tests together."""

TOO_OFTEN = 2.0
"""How many times its declared rate a threshold may call NG before its promise is called broken."""

LEAST_KNOWN = 10
"""Of fewer calibration images below the thresholds nothing is said: a comparison would find great differences only."""

SHUFFLES = 999
"""Into how many shuffled pairs of groups the images are put."""

Embeddings = NDArray[np.floating]
"""[images, channels]."""

Groups = Literal["line", "ok", "halves"]
"""What was compared: the station's good images with images of the line; those below its thresholds with images of the line that are
OK; of one sample of the line that it is calibrated on, the half that came first with the other one."""


_GROUPS: tuple[Groups, ...] = get_args(Groups)


class ExchangeabilityDocument(TypedDict):
    """What `Exchangeability.to_dict` writes; earlier versions did without what is not required."""

    known: int
    later: int
    score_p: float | None
    embedding_p: float | None
    rank: NotRequired[int | None]
    above: NotRequired[int | None]
    groups: NotRequired[str]
    time: NotRequired[str]


@dataclass(frozen=True)
class Exchangeability:
    """What a comparison of two groups of images found.

    Attributes:
        known: How many images of the station were compared: references or calibration images.
        later: How many images of the line they were compared with.
        score_p: How probable so great a difference of their scores is among exchangeable groups; None: not compared.
        embedding_p: As much of their embeddings; None: not compared.
        rank: Of the threshold among the scores of the station's images, from 1; None: it was not counted what exceeds it.
        above: How many of the later images exceed it.
        groups: Which images they are.
        time: When they were compared, ISO 8601 in UTC; "": it is not known. The same found at another time is equal.
    """

    known: int
    later: int
    score_p: float | None
    embedding_p: float | None
    rank: int | None = None
    above: int | None = None
    groups: Groups = "line"
    time: str = field(default="", compare=False)

    @property
    def p_value(self) -> float:
        """Of the tests together (Bonferroni): where the groups are exchangeable, at most alpha with at most that probability."""
        given = [p for p in (self.score_p, self.embedding_p) if p is not None]
        looked_at = len(given) + (self.rank is not None)
        return min(1.0, looked_at * min(given)) if given else 1.0

    @property
    def too_often(self) -> float:
        """How probable it is that the threshold's rate is over `TOO_OFTEN` times the declared one; 0 where nothing was counted.

        Before any image of the line is seen, the rate of a threshold at a rank follows Beta(n + 1 - rank, rank); each later image
        above it or not moves that.
        """
        if self.rank is None or self.above is None:
            return 0.0
        most = TOO_OFTEN * mean_rate(self.known, self.rank)
        return 1 - beta_cdf(most, self.known + 1 - self.rank + self.above, self.rank + self.later - self.above)

    @property
    def is_refuted(self) -> bool:
        """Whether the groups are called different, or the threshold more probably than not calls far too many NG."""
        return self.p_value <= LEVEL or self.too_often > 0.5

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        compared = f"{self._when}{self._compared}"
        compared = compared[0].upper() + compared[1:]
        if not self.is_refuted:
            return f"{compared}{self._held}."
        if self.too_often > 0.5:
            return (
                f"{compared}{self._counted}, where at most {self._declared} of good ones should be: unless those are bad, the good "
                "images are not like what the line produces, so the promise does not hold. Calibrate on images that were taken "
                "at different times."
            )
        given = {"scores": self.score_p, "look": self.embedding_p}
        most = min(p for p in given.values() if p is not None)
        differ = " and ".join(name for name, p in given.items() if p is not None and (p == most or 2 * p <= LEVEL))
        differ += " differs" if differ == "look" else " differ"
        return (
            f"{compared}, and their {differ} (p = {self.p_value:.2g}): unless bad parts are among those of the line, the good "
            "images are not like what it produces, so the promise does not hold. Calibrate on images that were taken at different "
            "times."
        )

    @property
    def _when(self) -> str:
        return f"On {self.time[:10]} (UTC), " if self.time else ""

    @property
    def _compared(self) -> str:
        """Which images were compared, in words."""
        if self.groups == "halves":
            return (
                f"of the {self.known + self.later} images of the line that the station is calibrated on, the {self.known} that "
                f"came first, as good images, were compared with the {self.later} that came last, as the line"
            )
        if self.groups == "ok":
            return f"the {self.known} good images below the thresholds were compared with {self.later} of the line that are OK"
        return f"{self.known} good images were compared with {self.later} of the line"

    @property
    def _held(self) -> str:
        """What was found where nothing is refuted: of each thing that was looked at."""
        given = {"scores": self.score_p, "look": self.embedding_p}
        names = " and ".join(name for name, p in given.items() if p is not None)
        same = (
            f"heir {names} {'does' if names == 'look' else 'do'} not differ (p = {self.p_value:.2g})" if names else ""
        )
        goes_on = f", and t{same}" if same else ""
        if self.rank is None or self.above is None:
            return goes_on
        if self.above <= mean_rate(self.known, self.rank) * self.later:
            return f"{self._counted}, no more than the {self._declared} of good ones that may be on average{goes_on}"
        begins = f". T{same}" if same else ""
        return (
            f"{self._counted}, more than the {self._declared} of good ones that should be on average. That may be chance, or bad "
            f"images among them: it neither confirms the promise nor refutes it{begins}"
        )

    @property
    def _counted(self) -> str:
        assert self.above is not None
        return f", of which {self.above} ({_percent(self.above / self.later)}) are above the threshold that the {self.known} give"

    @property
    def _declared(self) -> str:
        assert self.rank is not None
        return percent_up(mean_rate(self.known, self.rank))

    def described(self) -> dict[str, object]:
        """As `to_dict`, and what was found in words: what programs are told."""
        return {**self.to_dict(), "is_refuted": self.is_refuted, "sentence": self.sentence}

    def to_dict(self) -> ExchangeabilityDocument:
        """As JSON values, which `from_dict` takes."""
        return {
            "known": self.known,
            "later": self.later,
            "score_p": self.score_p,
            "embedding_p": self.embedding_p,
            "rank": self.rank,
            "above": self.above,
            "groups": self.groups,
            "time": self.time,
        }

    @classmethod
    def from_dict(cls, document: object) -> Exchangeability:
        """What `to_dict` described. Raises `UsageError` for anything else."""
        wrong = "this is no test of exchangeability"
        given = require_form(document, ExchangeabilityDocument, wrong)
        groups = given.get("groups", "line")
        if groups not in _GROUPS:
            raise UsageError(f"{wrong}: its groups are unknown")
        found = cls(
            given["known"],
            given["later"],
            given["score_p"],
            given["embedding_p"],
            given.get("rank"),
            given.get("above"),
            groups,
            given.get("time", ""),
        )
        if found._fault:
            raise UsageError(f"{wrong}: {found._fault}")
        return found

    @property
    def _fault(self) -> str:
        """What cannot be true of the numbers in a document; "" where all can."""
        if (self.rank is None) != (self.above is None):
            return "rank and above go together"
        if self.rank is None or self.above is None:
            return ""
        fits = 1 <= self.rank <= self.known and 0 <= self.above <= self.later and self.later
        return "" if fits else "rank or above is more than there are images"


def compare(
    scores: tuple[Sequence[float], Sequence[float]] | None,
    embeddings: tuple[Embeddings, Embeddings] | None,
    *,
    rank: int | None = None,
    seed: int = 0,
) -> Exchangeability:
    """Compare images of a station with images of its line.

    Promised: the tests call exchangeable groups different with a probability of at most `LEVEL`. Not promised: that groups which
    differ are found; few images show great differences only. Leave-one-out scores of references are by their making a little higher
    than scores of new images, so that a difference of scores counts only where the later ones are higher.

    With a rank the images of the line that exceed the threshold are counted instead of a test of scores. That a random sample of
    references gave a threshold that calls more than twice as many NG as it should comes in about one case of eight, whatever
    their number; how often that, and how often what is not so, is said is measured in docs/guides/thresholds.md.

    Args:
        scores: Of the station's images and of the line's; None: not compared.
        embeddings: Likewise, [images, channels] each.
        rank: Of the threshold among the scores of the station's images, see `conformal.rank_for`; None where the later images are
            such as did not exceed it.
        seed: Of the shuffles.

    Raises:
        UsageError: There is nothing to compare.
    """
    pairs = [pair for pair in (scores, embeddings) if pair is not None]
    known, later = (len(group) for group in pairs[0]) if pairs else (0, 0)
    if not known or not later:
        raise UsageError("there is nothing to compare: give images of the station and images of the line")
    counted = scores is not None and rank is not None
    return Exchangeability(
        known,
        later,
        None if scores is None or counted else score_difference(*scores, seed=seed),
        None if embeddings is None else embedding_difference(*embeddings, seed=seed),
        rank if counted else None,
        _above(*scores, rank) if scores is not None and rank is not None else None,
    )


def compare_observed(known: Observations, later: Observations, rank: int) -> Exchangeability:
    """As `compare`, of images that one detector observed, by embeddings and by what exceeds the threshold of a rank."""
    return compare((known.scores, later.scores), (known.embeddings, later.embeddings), rank=rank)


def _above(known: Sequence[float], later: Sequence[float], rank: int) -> int:
    """How many later scores exceed the threshold."""
    threshold = sorted(known)[rank - 1]
    return sum(score > threshold for score in later)


def score_difference(known: Sequence[float], later: Sequence[float], *, seed: int = 0) -> float:
    """The p-value of a permutation test of whether later scores are higher: by the sum of their ranks (Wilcoxon 1945)."""
    values = np.concatenate([np.asarray(known, np.float64), np.asarray(later, np.float64)])
    order = np.sort(values)
    ranks = (
        np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")
    ) / 2  # the mean of tied ones
    return _p_value(-ranks @ _shuffled(len(known), len(later), seed))


def embedding_difference(known: Embeddings, later: Embeddings, *, seed: int = 0) -> float:
    """The p-value of a permutation test of whether two groups of embeddings differ: by their energy distance.

    Twice the mean distance between the groups, less the mean distances within them (Szekely and Rizzo 2004).
    """
    own = _shuffled(len(known), len(later), seed)
    across = distances_between(known, later)
    distances = np.block([[distances_between(known, known), across], [across.T, distances_between(later, later)]])
    to_own, to_all = distances @ own, distances.sum(axis=1)
    within = (own * to_own).sum(axis=0)
    between = to_all @ own - within
    within_other = to_all.sum() - 2 * between - within
    n, m = len(known), len(later)
    return _p_value(2 * between / (n * m) - within / n**2 - within_other / m**2)


def distances_between(one: Embeddings, other: Embeddings) -> NDArray[np.float64]:
    """Euclidean distances, [images of the one, images of the other]. Raises `UsageError` where they have not as many channels."""
    if one.shape[1] != other.shape[1]:
        raise UsageError(
            f"images that are compared are described by {one.shape[1]} and by {other.shape[1]} numbers: another model or version "
            "described the earlier ones; calibrate again"
        )
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    found: NDArray[np.float64] = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)
    found -= 2 * first @ second.T
    return np.sqrt(np.maximum(found, 0, out=found), out=found)


def _shuffled(known: int, later: int, seed: int) -> NDArray[np.float64]:
    """Which images belong to the first group, 1 or 0: [images, 1 + SHUFFLES]; the first column is how it is."""
    real = np.repeat([1.0, 0.0], [known, later])
    rng = np.random.default_rng(seed)
    return np.stack([real, *(rng.permutation(real) for _ in range(SHUFFLES))], axis=1)


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if 0 < share < 0.1 else 0}f} %"


def _p_value(statistics: NDArray[np.float64]) -> float:
    """How many of the statistics reach the first one, as a share; rounding makes no difference."""
    least = statistics[0] - 1e-9 * max(1.0, abs(statistics[0]))
    return float((statistics >= least).mean())
