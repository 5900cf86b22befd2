"""Fixtures of the commands that the lab shares."""

from tests.cli.conftest import parts

__all__ = ["parts"]
