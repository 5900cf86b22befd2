"""Distribution functions against scipy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import beta, t

from oddlens.metrics.distributions import beta_cdf, beta_quantile, t_quantile


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

    def test_the_ends(self) -> None:
        assert (beta_cdf(0, 2, 3), beta_cdf(1, 2, 3)) == (0, 1)
