"""Names of defects for a run: of a model that can give them, and of one that cannot."""

from dataclasses import replace

import numpy as np
import pytest

import oddlens
from oddlens.cli.naming import names_sink
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.runtime.graph_method import GraphMethod
from oddlens.station.defects import Defects, NamedRegions

pytestmark = pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")


@pytest.fixture
def detector() -> Detector:
    return oddlens.load("winclip", device="cpu", runtime="onnx")


def of_another_model(detector: Detector) -> Detector:
    """The detector, on graphs of a model that is not the embedded one."""
    method = detector.method
    assert isinstance(method, GraphMethod)
    method.backbone = replace(method.backbone, identity=replace(method.backbone.identity, fingerprint="0" * 16))
    return detector


def test_graphs_of_the_embedded_model_name(detector: Detector) -> None:
    assert names_sink(detector, (), "nut") is None
    sink = names_sink(detector, ("dent", "burn"), "nut")
    assert sink is not None
    assert sink.settings() == {"defect_names": {"words": ["dent", "burn"], "named_regions": {}}}


def test_regions_get_names_where_there_are_two_to_choose_from(detector: Detector) -> None:
    regions = NamedRegions().with_region("dent", np.float32([1, 0]), "0" * 64)
    detector.defects = Defects(regions=regions)
    assert names_sink(detector, (), "nut") is None
    detector.defects = Defects(regions=regions.with_region("burn", np.float32([0, 1]), "1" * 64))
    assert names_sink(detector, (), "nut") is not None
    detector.defects = Defects(regions=regions, words=("dent", "burn"))
    assert names_sink(detector, (), "nut") is not None


def test_words_that_are_asked_for_are_refused_where_the_model_cannot_name(detector: Detector) -> None:
    with pytest.raises(UsageError, match="names of defects need the whole model mini"):
        names_sink(of_another_model(detector), ("dent", "burn"), "nut")


def test_those_of_a_station_are_left_out_and_that_is_said(
    detector: Detector, capsys: pytest.CaptureFixture[str]
) -> None:
    detector.defects = Defects(words=("dent", "burn"))
    assert names_sink(of_another_model(detector), (), "nut") is None
    sentence = "the station knows names of defects, but regions get none: names of defects need the whole model mini"
    assert sentence in capsys.readouterr().err
