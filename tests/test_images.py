"""The earlier home of `read_image`."""

import importlib
import sys

import pytest

from oddlens.io.images import read_image


def test_programs_of_the_version_before_find_read_image_and_are_reported_where_it_is_now() -> None:
    sys.modules.pop("oddlens.images", None)
    with pytest.warns(DeprecationWarning, match=r"oddlens\.images is now oddlens\.io\.images"):
        assert importlib.import_module("oddlens.images").read_image is read_image
