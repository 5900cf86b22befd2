"""Fixtures of the benchmark that tests of data sets share."""

from tests.evaluation.conftest import small_set

__all__ = ["small_set"]
