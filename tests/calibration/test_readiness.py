"""What a station remembers of its calibration survives JSON, and damage is refused."""

from __future__ import annotations

import json

import pytest

from oddlens.calibration import Accepted, Exchangeability, Readiness, vet
from oddlens.errors import UsageError
from tests.calibration.observed import observed


@pytest.mark.parametrize("tested", [None, Exchangeability(4, 30, 0.2, None)])
def test_a_state_comes_back(tested: Exchangeability | None) -> None:
    state = Readiness("ready", 60, tested)
    assert Readiness.from_dict(json.loads(json.dumps(state.to_dict()))) == state


@pytest.mark.parametrize("change", [{"stage": "other"}, {"sampled": "60"}, {"tested": 3}, {"tested": {"known": 1}}])
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Readiness.from_dict(Readiness("learning").to_dict() | change)


def test_accepted_images_come_back_and_those_that_are_still_there_are_kept() -> None:
    vetting = vet(observed([0.21, 0.22, 0.23, 0.22, 0.9]))
    accepted = Accepted.of(vetting.flagged, Accepted({"a.png": "is dark", "b.png": "is bright"}), ["b.png"])
    assert accepted is not None
    assert accepted.names == ("b.png", "good/004.png")
    assert Accepted.from_dict(json.loads(json.dumps(accepted.to_dict()))) == accepted
    assert Accepted.of([]) is None


@pytest.mark.parametrize("damaged", [{}, {"reasons": ["a"]}, {"reasons": {"a": 1}}])
def test_damaged_ones_are_refused(damaged: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="no accepted images"):
        Accepted.from_dict(damaged)
