"""Whether a line changes while it runs: a wager against it, on the scores of the parts that were called OK.

Each score is ranked among all that were seen before it. While nothing changes that rank is as likely to be any as any other: the
p-values are uniform and independent of one another, whatever the scores are (Vovk, Gammerman and Shafer 2005, theorem 8.2).
Somebody who bets on small ones, or on large ones, then wins nothing on average; where the scores rise or fall, the wealth grows.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

DELTA = 0.01
"""How often the wealth raises an alarm, ever, on a line that does not change."""

RUN_LENGTH = 100_000
"""After how many images, on average at least, the other statistic raises a false alarm."""

POWERS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The bets: wealth times k * p ** (k - 1). Below 1 they win on high scores, above 1 on low ones; 1 bets nothing."""

_BETS = np.array(POWERS)

JUMP = 0.01
"""The share of the wealth that is spread evenly over all bets before each image."""


class AlarmDocument(TypedDict):
    """What `Alarm.to_dict` writes. scores: "rise" or "fall"."""

    image: int
    scores: str
    by: str


@dataclass(frozen=True)
class Alarm:
    """A change that was noticed.

    Attributes:
        image: After how many images that were looked at.
        rises: Whether the scores rise; else they fall.
        by: "martingale": one such alarm in a hundred lines that do not change, ever. "shiryaev-roberts": one in 100,000 images.
    """

    image: int
    rises: bool
    by: str

    @property
    def sentence(self) -> str:
        """What was noticed, in words."""
        return (
            f"the scores of images that are OK have {'risen' if self.rises else 'fallen'} (noticed after {self.image} of them in "
            "this run): look at the camera, the light and the parts; calibrate again if the change is meant to stay"
        )

    def to_dict(self) -> AlarmDocument:
        """As JSON values."""
        return {"image": self.image, "scores": "rise" if self.rises else "fall", "by": self.by}


class DriftMonitor:
    """Takes the scores of the images that were called OK, in their order, and raises an alarm where they change.

    The simple jumper (Vovk et al. 2021, "Retrain or not retrain") over power martingales: wealth is spread over the bets of
    `POWERS`. Promised: where the scores are exchangeable with one another, and with the calibration scores that the monitor begins
    with, the wealth ever reaches 1 / delta with a probability of at most delta (Ville 1939), and the Shiryaev-Roberts statistic,
    which finds a change that comes late, reaches `RUN_LENGTH` after that many images or more on average. Not promised: that a
    change is found.

    Attributes:
        log_wealth: The logarithm of the martingale, 0 at the start.
        alarm: The first alarm, after which nothing is looked at any more; None so far.
    """

    def __init__(self, known: Sequence[float] = (), *, delta: float = DELTA, seed: int = 0) -> None:
        """known: Scores of good images that stand for the line, below the threshold under which an image is OK; leave-one-out ones
        do not: they are higher by their making.
        """
        self.log_wealth = 0.0
        self.alarm: Alarm | None = None
        self._delta = delta
        self._seen = sorted(known)
        self._shares = np.full(len(POWERS), 1 / len(POWERS))  # of the wealth, on each bet
        self._restarted = 0.0  # the Shiryaev-Roberts statistic
        self._count = 0
        self._rng = np.random.default_rng(seed)

    def add(self, score: float) -> Alarm | None:
        """Take the score of the next image that is OK; returns the alarm if this is the image that raises it."""
        if self.alarm is not None:
            return None
        insort(self._seen, score)
        low, high = bisect_left(self._seen, score), bisect_right(self._seen, score)
        # Ties are broken at random: only so are the p-values uniform. The image is one of the tied ones itself.
        above = len(self._seen) - high + self._rng.uniform() * (high - low)
        log_p = math.log(max(above / len(self._seen), 1e-12))
        stakes = ((1 - JUMP) * self._shares + JUMP / len(POWERS)) * _BETS * np.exp((_BETS - 1) * log_p)
        gain = float(stakes.sum())
        self._shares = stakes / gain
        self.log_wealth += math.log(gain)
        self._restarted = (self._restarted + 1) * gain
        self._count += 1
        if self.log_wealth >= -math.log(self._delta):
            self.alarm = self._raised("martingale")
        elif self._restarted >= RUN_LENGTH:
            self.alarm = self._raised("shiryaev-roberts")
        return self.alarm

    def _raised(self, by: str) -> Alarm:
        return Alarm(self._count, POWERS[int(self._shares.argmax())] < 1, by)
