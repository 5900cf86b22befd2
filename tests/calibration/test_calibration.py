"""A calibration: the thresholds of good images, by which rule, and what they promise, in words that are true."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddlens.calibration import Calibration, Kind, Rates, calibrate_on, chosen, given_beside, usual_rate
from oddlens.calibration.conformal import declared_bound, moved_bound
from oddlens.calibration.exchangeability import Exchangeability
from oddlens.detection import Thresholds
from oddlens.errors import ImageError, UsageError


def made(count: int, kind: Kind = "split", rates: Rates | None = None, unguaranteed: str = "") -> Calibration:
    """Of scores 0.01, 0.02, ..., whose maps reach ten times as much."""
    images = [(f"{n}.png", n / 100, np.array([[0, 0, n / 10]], np.float32)) for n in range(1, count + 1)]
    return calibrate_on(kind, images, rates or Rates(), object_name="nut", unguaranteed=unguaranteed)


class TestRule:
    @pytest.mark.parametrize(
        ("count", "rate", "rank"), [(4, 0.2, 4), (19, 0.05, 19), (20, 0.05, 20), (99, 0.05, 95), (100, 0.01, 100)]
    )
    def test_the_largest_of_few_then_5_percent_then_1(self, count: int, rate: float, rank: int) -> None:
        assert usual_rate(count) == pytest.approx(rate)
        assert made(count).rank == rank
        assert made(count).thresholds.image == rank / 100

    def test_the_pixel_threshold_has_the_same_rank_among_the_peaks(self) -> None:
        found = made(100, rates=Rates(false_alarm_rate=0.05))
        assert (found.rank, found.thresholds.image) == (96, 0.96)
        assert found.thresholds.pixel == pytest.approx(9.6)
        assert found.value_range is not None
        assert found.value_range.high == pytest.approx(19.2)

    def test_review_takes_a_declared_share_besides(self) -> None:
        assert made(100).thresholds.review == 0.95  # 1 % and 5 % more
        assert made(20).thresholds.review == 0.19
        assert made(100, rates=Rates(review_rate=0.2)).thresholds.review == 0.8
        assert made(100, rates=Rates(review_rate=0)).thresholds.review is None

    def test_few_images_leave_no_room_for_review(self) -> None:
        assert made(4).thresholds.review is None

    def test_a_rate_that_they_cannot_promise_is_refused(self) -> None:
        with pytest.raises(
            UsageError, match=r"a false-alarm rate of 0\.01 needs 99 good images, and there are 20: give more"
        ):
            made(20, rates=Rates(false_alarm_rate=0.01))
        with pytest.raises(UsageError, match="cannot be 1"):
            made(20, rates=Rates(review_rate=1.0))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_not_finite_is_refused(self, value: float) -> None:
        for image in (
            ("a.png", value, np.zeros((2, 2), np.float32)),
            ("a.png", 0.5, np.full((2, 2), value, np.float32)),
        ):
            with pytest.raises(
                ImageError, match=r"the calibration image a\.png has a score or a map that is not finite"
            ):
                calibrate_on("split", [image], Rates(), object_name="nut")

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0, 1))
    def test_a_verdict_agrees_with_its_p_value(self, scores: list[float], score: float) -> None:
        flat = np.zeros((1, 1), np.float32)
        found = calibrate_on("split", [("", each, flat) for each in scores], Rates(), object_name="")
        assert (found.thresholds.verdict(score) == "ng") == (found.p_value(score) <= found.mean_rate + 1e-12)


class TestWords:
    def test_of_calibration_images(self) -> None:
        found = made(100)
        assert found.promise == (
            "If the calibration images are a random sample of the same production as what is to come, then on average over such "
            "samples at most 1 % of good images are called NG. For this very sample, with 95 % confidence: at most 3 %. "
            "Whether they are such a sample has not been tested yet."
        )
        assert found.thresholds.promise == found.promise
        assert found.thresholds.source == "scores of 100 calibration images"

    def test_of_references(self) -> None:
        found = made(4, "leave-one-out")
        assert found.promise == (
            "If the references are a random sample of the same production as what is to come, then on average over such samples "
            "at most 20 % of good images are called NG. A single sample may do worse: about one in twenty calls more than 53 % NG. "
            "Whether they are such a sample has not been tested yet."
        )
        assert found.thresholds.source == "leave-one-out scores of 4 references"

    def test_few_get_an_estimate_that_says_what_it_is(self) -> None:
        estimate = made(8).estimate()
        assert estimate is not None
        assert (
            f"An estimate for 5 %, not guaranteed: {estimate:.4g}. A guarantee of 5 % needs 19 good images."
            in made(8).statement
        )
        assert "estimate" not in made(20).statement

    def test_review_says_what_it_promises(self) -> None:
        said = "Review above 0.95: on average at most 6 % of good images go to review or are called NG."
        assert said in made(100).statement
        assert "Review above 0.95. " in made(100, unguaranteed="it divides").statement
        assert "Review above" not in made(100, rates=Rates(review_rate=0)).statement

    def test_nothing_is_said_of_misses(self) -> None:
        assert made(20).statement.endswith(
            "This says nothing about missed defects, other kinds of part, or a change of camera, light or process."
        )

    def test_a_method_that_breaks_the_conditions_promises_nothing(self) -> None:
        found = made(30, "leave-one-out", unguaranteed="it divides its score by the references")
        assert found.promise == "The threshold promises no false-alarm rate: it divides its score by the references."
        assert found.promise_at(0.2) == found.promise

    def test_where_the_images_do_not_stand_for_the_line_nothing_is_promised(self) -> None:
        tested = Exchangeability(20, 30, 0.5, 0.001)
        found = replace(made(20), tested=tested)
        assert found.promise == f"The threshold promises no false-alarm rate: {tested.sentence}"
        assert "does not hold" in found.promise
        assert found.promise_at(0.2) == found.promise
        assert found.thresholds.image == made(20).thresholds.image

    def test_a_test_that_found_no_difference_is_said(self) -> None:
        found = replace(made(20), tested=Exchangeability(20, 30, 0.5, 0.4))
        assert found.promise.endswith(
            "compared with 30 of the line, and their scores and look do not differ (p = 0.8)."
        )
        assert "not tested" not in found.promise_at(0.1)

    def test_doubtful_images_that_were_accepted_are_said(self) -> None:
        found = replace(made(20), accepted=("3.png", "7.png"))
        said = "Doubtful images among them were accepted: 3.png, 7.png."
        assert found.promise.endswith(said)
        assert found.promise_at(0.1).endswith(said)
        assert "and 2 more." in replace(made(20), accepted=("1", "2", "3", "4", "5")).promise

    @pytest.mark.parametrize(("count", "shown"), [(299, "0.34 %"), (29, "3.4 %"), (5, "17 %")])
    def test_shares_are_rounded_up(self, count: int, shown: str) -> None:
        found = made(count, rates=Rates(false_alarm_rate=1 / (count + 1)))
        assert f"at most {shown} of good images" in found.promise


class TestMovedByHand:
    def test_the_band_holds_wherever_it_is(self) -> None:
        found = made(100)
        for threshold, rank, bound in ((0.5, 50, 65), (0.999, 99, 8), (1.0, 100, 5.9), (7.0, 100, 5.9)):
            assert 0 <= bound - 100 * moved_bound(100, rank) < (1 if bound > 10 else 0.1)
            assert f"at most {bound} % of good images like the 100" in found.promise_at(threshold)
            assert "; at most one in twenty such samples does worse." in found.promise_at(threshold)
        assert "; about one in twenty such samples does worse." in made(100, "leave-one-out").promise_at(0.5)
        assert moved_bound(100, 100) > declared_bound(100, 100)

    def test_below_all_it_promises_nothing(self) -> None:
        assert "below all good images: it promises no false-alarm rate" in made(100).promise_at(0.001)

    def test_where_the_bound_would_read_100_percent_it_promises_nothing(self) -> None:
        found = made(4)
        assert 0.99 < moved_bound(4, 1) < 1
        assert found.promise_at(0.01) == (
            "The threshold was moved by hand below 3 of the 4 good images: it promises no false-alarm rate."
        )
        assert "at most 95 % of good images" in found.promise_at(0.02)

    def test_thresholds_given_by_hand_win_one_by_one(self) -> None:
        found = made(20)
        assert chosen(Thresholds(), found) == found.thresholds
        image = chosen(Thresholds(0.5, None, "given"), found)
        assert (image.image, image.pixel, image.review) == (0.5, found.thresholds.pixel, None)
        assert image.promise == found.promise_at(0.5)
        pixel = chosen(Thresholds(None, 7.0, "given"), found)
        assert (pixel.image, pixel.pixel, pixel.review) == (found.thresholds.image, 7.0, found.thresholds.review)
        assert pixel.promise == found.promise
        both = chosen(Thresholds(0.5, 7.0, "given", 0.4), found)
        assert (both.image, both.pixel, both.review, both.source) == (0.5, 7.0, 0.4, "given")
        assert both.promise == found.promise_at(0.5)
        review = chosen(Thresholds(review=0.1, source="given"), found)
        assert (review.image, review.review) == (found.thresholds.image, 0.1)
        assert review.source == f"review: given; the other: {found.thresholds.source}"
        assert chosen(Thresholds(0.5), None) == Thresholds(0.5)
        assert given_beside(found, found.thresholds) == []
        (stays, alone) = given_beside(found, image)
        assert stays.startswith("In force: NG above 0.5")
        assert "What was given by hand stays; 'oddlens station set' changes it. The threshold was moved" in stays
        assert alone == f"By these images alone: {found.statement}"


class TestDefects:
    def test_those_found_are_counted_with_an_interval(self) -> None:
        rate = made(19).detection_rate([0.1, 0.19, 0.2, 0.5, 0.6])
        assert rate[:2] == (3, 5)
        assert (rate.low, rate.high) == pytest.approx((0.147, 0.947), abs=1e-3)

    def test_without_any_nothing_is_known(self) -> None:
        assert made(19).detection_rate([]) == (0, 0, 0, 1)


class TestDocument:
    def test_it_is_json_and_comes_back(self) -> None:
        found = made(20, "leave-one-out", Rates(false_alarm_rate=0.1, review_rate=0.2), "so")
        assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found

    def test_what_was_tested_and_accepted_comes_back_too(self) -> None:
        found = replace(made(20), tested=Exchangeability(20, 9, None, 0.5), accepted=("1.png",))
        assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found
        assert not {"tested", "accepted"} & made(20).to_dict().keys()

    @pytest.mark.parametrize("rate", [None, 0.05, 0.1])
    def test_who_gave_the_rate_comes_back(self, rate: float | None) -> None:
        found = made(20, rates=Rates(false_alarm_rate=rate))
        back = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
        assert back == found
        assert back.rates == Rates(false_alarm_rate=rate)
        assert ("rate_given" in found.to_dict()) == (rate == 0.05)  # the usual one: the others say it themselves
        assert back.made_how["false_alarm_rate"] == (rate or 0.05)

    def test_at_other_rates_the_scores_stay(self) -> None:
        found = made(20)
        other = found.at(Rates(false_alarm_rate=0.2))
        assert (other.scores, other.rates) == (found.scores, Rates(false_alarm_rate=0.2))
        assert other.at(found.rates) == found
        with pytest.raises(UsageError, match="needs 99"):
            found.at(Rates(false_alarm_rate=0.01))

    def test_its_hash_is_of_all_that_its_thresholds_are_made_of(self) -> None:
        found = made(20)
        assert found.sha256 == replace(found, tested=Exchangeability(20, 9, None, 0.5), accepted=("1.png",)).sha256
        assert found.sha256 == made(20).sha256
        assert found.sha256 != replace(found, review_rate=0.1).sha256

    @pytest.mark.parametrize(
        "change",
        [{"kind": "other"}, {"scores": []}, {"scores": [0.1]}, {"scores": ["0.1"]}, {"usual": None}, {"sources": "abc"},
         {"false_alarm_rate": 0.001}, {"review_rate": -1.0}, {"accepted": [1]}, {"tested": {"known": 3}}],
    )  # fmt: skip
    def test_anything_else_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(UsageError):
            Calibration.from_dict(made(20).to_dict() | change)
        for nothing in (None, [], {}):
            with pytest.raises(UsageError, match="this is no calibration"):
                Calibration.from_dict(nothing)
