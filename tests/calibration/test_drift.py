"""Drift: a line that does not change raises no alarm oftener than is said, one that changes does."""

from __future__ import annotations

import numpy as np
import pytest

from oddlens.calibration.drift import DELTA, RUN_LENGTH, Alarm, DriftMonitor


def watched(scores: np.ndarray, known: int = 0, *, delta: float = DELTA, seed: int = 0) -> DriftMonitor:
    """A monitor after a stream, whose first scores are those of calibration images."""
    monitor = DriftMonitor(scores[:known].tolist(), delta=delta, seed=seed)
    for score in scores[known:].tolist():
        monitor.add(score)
    return monitor


@pytest.mark.parametrize("known", [0, 30])
@pytest.mark.parametrize("draw", ["lognormal", "standard_cauchy", "few values"])
def test_the_wealth_reaches_a_bound_as_seldom_as_ville_says(known: int, draw: str) -> None:
    """200 streams of exchangeable scores, whatever their distribution and however many are tied."""
    delta, alarms = 0.1, 0
    for seed in range(200):
        rng = np.random.default_rng([seed, known])
        scores = rng.integers(3, size=300) / 4 if draw == "few values" else getattr(rng, draw)(size=300)
        monitor = watched(scores, known, delta=delta, seed=seed)
        alarms += monitor.alarm is not None and monitor.alarm.by == "martingale"
    assert alarms <= 200 * delta


def test_the_later_statistic_seldom_raises_an_alarm_too() -> None:
    """In 200 streams of 300 it may do so 200 * 300 / RUN_LENGTH times on average."""
    streams = [np.random.default_rng(seed).normal(size=300) for seed in range(200)]
    late = [monitor.alarm for scores in streams if (monitor := watched(scores)).alarm is not None]
    assert RUN_LENGTH == 100_000
    assert len([alarm for alarm in late if alarm.by == "shiryaev-roberts"]) <= 3


@pytest.mark.parametrize(("shift", "rises"), [(1.5, True), (-1.5, False)])
def test_a_change_is_noticed_and_its_direction_said(shift: float, rises: bool) -> None:
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        alarm = watched(np.concatenate([rng.normal(size=230), rng.normal(shift, size=150)]), 30, seed=seed).alarm
        if alarm is not None and 200 < alarm.image <= 350 and alarm.rises == rises:
            found += 1
    assert found >= 18


def test_a_change_after_a_long_quiet_time_is_noticed_soon() -> None:
    """The wealth has shrunk by then; the Shiryaev-Roberts statistic has not."""
    delays = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        alarm = watched(np.concatenate([rng.normal(size=2000), rng.normal(2, size=200)]), seed=seed).alarm
        assert alarm is not None
        delays.append(alarm.image - 2000)
    assert 0 < np.median(delays) < 40


def test_the_first_alarm_stays() -> None:
    monitor = watched(np.concatenate([np.zeros(50) + np.arange(50) / 50, np.arange(200) + 10.0]))
    first = monitor.alarm
    assert first is not None
    assert first.rises
    assert monitor.add(1e9) is None
    assert monitor.alarm is first


def test_the_same_scores_give_the_same_wealth() -> None:
    scores = np.random.default_rng(3).integers(5, size=100).astype(float)
    assert watched(scores).log_wealth == watched(scores).log_wealth != watched(scores, seed=1).log_wealth


def test_an_alarm_says_what_was_noticed() -> None:
    alarm = Alarm(412, True, "martingale")
    assert "risen" in alarm.sentence
    assert "412" in alarm.sentence
    assert alarm.to_dict() == {"image": 412, "scores": "rise", "by": "martingale"}
    assert "fallen" in Alarm(3, False, "martingale").sentence
