"""Names of defects as users write them."""

import pytest

from oddlens.errors import UsageError
from oddlens.station.defects import check_defect_name, defect_names


def test_names_are_divided_by_commas_and_each_is_there_once() -> None:
    assert defect_names("scratch, deep  dent ,stain,Scratch,") == ("scratch", "deep dent", "stain")


@pytest.mark.parametrize("text", ["", ",", "scratch", "scratch, Scratch"])
def test_one_name_alone_is_no_choice(text: str) -> None:
    with pytest.raises(UsageError, match="fewer than two defects"):
        defect_names(text)


@pytest.mark.parametrize("name", ["unknown", "Unknown ", "", "  "])
def test_what_stands_for_no_name_is_none(name: str) -> None:
    with pytest.raises(UsageError, match="no defect can be called"):
        check_defect_name(name)


def test_unknown_among_others_is_refused() -> None:
    with pytest.raises(UsageError, match="'unknown' stands for a region that no name fits"):
        defect_names("scratch, unknown")
