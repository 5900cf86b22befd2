"""The measures of a mask decoder, and what is said where its libraries are missing."""

from dataclasses import asdict
from importlib import util

import pytest

from oddlens.errors import ModelError, UsageError
from oddlens.methods.vl4ad import decoder_shape
from oddlens.methods.vl4ad.decoder_shape import SMALL, DecoderShape, check_installed, shape_of


def test_the_usual_measures_are_fc_clips() -> None:
    assert asdict(DecoderShape()) == {
        "queries": 250, "layers": 9, "width": 256, "heads": 8, "feedforward": 2048, "pixel_layers": 6, "pixel_feedforward": 1024,
        "head": "words",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"queries": 0}, "queries cannot be 0"),
        ({"layers": 1.5}, "layers cannot be 1.5"),
        ({"width": 48}, "width cannot be 48: give a multiple of 32"),
        ({"width": 96, "heads": 5}, "and of its 5 heads"),
    ],
)
def test_measures_that_do_not_fit_are_refused(change: dict[str, int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        DecoderShape(**change)


def test_weights_tell_their_shape() -> None:
    assert shape_of({"decoder": asdict(SMALL)}, "a file") == SMALL
    for told in ({}, {"decoder": {"wings": 2}}, {"decoder": {"queries": -1}}):
        with pytest.raises(ModelError, match="a file does not say what decoder it holds"):
            shape_of(told, "a file")


@pytest.mark.needs_torch
def test_missing_libraries_are_named_with_the_extra_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.setattr(decoder_shape, "find_spec", lambda name: None if name == "scipy" else util.find_spec(name))
    with pytest.raises(UsageError, match=r"and scipy cannot be found: run pip install 'oddlens\[road\]'"):
        check_installed()
