"""The Dockerfile as far as it can be read; `python scripts/check_dockerfile.py` runs its steps, too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "Dockerfile").is_file():
    pytest.skip("needs a checkout", allow_module_level=True)
sys.path.insert(0, str(ROOT / "scripts"))

from check_dockerfile import faults_of, is_ignored, steps_of  # noqa: E402

TEXT = (ROOT / "Dockerfile").read_text()


def test_nothing_in_it_can_be_seen_to_be_wrong() -> None:
    assert faults_of(steps_of(TEXT)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace("COPY src", "COPY sources"), "COPY names sources, which does not exist"),
        (lambda text: text.replace("NOTICE ./", "NOTICE Makefile ./"), "COPY names Makefile, which .dockerignore leaves out"),
        (lambda text: text.replace("USER oddlens", "USER root"), "the program runs as root: add USER"),
        (lambda text: text.replace("[serve,", "[torch,serve,"), "PyTorch is named: the image must do without it"),
        (lambda text: text.replace("RUN useradd", "RUN apt-get"), "RUN calls apt-get, which the base image may not have"),
        (lambda text: text.replace("urllib.request; ", "urllib.request ; ("), "the code of HEALTHCHECK is no Python"),
        (lambda text: text.replace("VOLUME /data\n", ""), "there is no VOLUME"),
    ],
)  # fmt: skip
def test_faults_are_found(change: Callable[[str], str], fault: str) -> None:
    changed = change(TEXT)
    assert changed != TEXT
    assert fault in faults_of(steps_of(changed))


def test_the_last_pattern_decides_what_is_ignored() -> None:
    assert is_ignored("secrets", ["*", "!src"])
    assert not is_ignored("src", ["*", "!src"])
    assert is_ignored("src", ["!src", "*"])
