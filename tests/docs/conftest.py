"""What the tests of the documents share: no network, and a folder for what pages have in common."""

from pathlib import Path

import pytest

from tests.cli.conftest import no_network  # noqa: F401


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `tests.docs.things` are made."""
    return tmp_path_factory.mktemp("things")
