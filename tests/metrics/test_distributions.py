"""Distribution functions against scipy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import beta, t

from oddlens.metrics.distributions import _bisected, beta_cdf, beta_quantile, t_quantile


class TestQuantiles:
    @settings(max_examples=150, deadline=None)
    @given(st.integers(1, 5000), st.integers(1, 5000), st.floats(1e-4, 1 - 1e-4))
    def test_beta_as_scipy(self, a: int, b: int, probability: float) -> None:
        x = beta.ppf(probability, a, b)
        assert beta_quantile(probability, a, b) == pytest.approx(x, rel=1e-9)
        assert beta_cdf(x, a, b) == pytest.approx(betainc(a, b, x), rel=1e-9)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 1000), st.floats(0.5, 0.9999))
    def test_t_as_scipy(self, freedom: int, probability: float) -> None:
        assert t_quantile(probability, freedom) == pytest.approx(t.ppf(probability, freedom), rel=1e-8, abs=1e-8)

    @settings(max_examples=150, deadline=None)
    @given(st.integers(1, 5000), st.integers(1, 5000), st.floats(1e-6, 1 - 1e-6))
    def test_a_bracket_changes_no_bit(self, a: int, b: int, probability: float) -> None:
        assert beta_quantile(probability, a, b) == _bisected(lambda x: beta_cdf(x, a, b), probability)

    def test_few_values_are_asked_for_a_quantile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[float] = []

        def counted(x: float, a: float, b: float) -> float:
            asked.append(x)
            return beta_cdf(x, a, b)

        monkeypatch.setattr("oddlens.metrics.distributions.beta_cdf", counted)
        beta_quantile(0.0487655, 321, 123)
        assert len(asked) < 30, "plain halving asks for 54"
        beta_quantile(0.0487655, 321, 123)
        assert len(asked) < 30, "what is known is not asked again"

    def test_the_ends(self) -> None:
        assert (beta_cdf(0, 2, 3), beta_cdf(1, 2, 3)) == (0, 1)
        assert (beta_quantile(0, 2, 3), beta_quantile(1, 2, 3)) == pytest.approx((0, 1), abs=1e-4)
