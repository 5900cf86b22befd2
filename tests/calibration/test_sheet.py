"""The contact sheet of vetted images: the most doubtful first, framed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.calibration import Look, vet
from oddlens.calibration.sheet import COLUMNS, write_sheet
from oddlens.data.contact_sheet import BAD, MARGIN
from oddlens.errors import UsageError
from tests.calibration.observed import observed

SCORES = [0.21, 0.22, 0.24, 0.26, 0.23, 0.25, 0.22, 0.47]


def test_the_doubtful_image_comes_first_and_alone_has_a_frame(tmp_path: Path) -> None:
    looks = [Look(np.full((168, 168, 3), 10 * number, np.uint8), 100, 300) for number in range(8)]
    write_sheet(vet(observed(SCORES, looks=looks)), tmp_path / "sheet.png")
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    framed = (pixels == np.array([int(BAD[place : place + 2], 16) for place in (1, 3, 5)])).all(axis=2)
    assert framed[:, MARGIN : MARGIN + 168].any()
    assert not framed[:, MARGIN + 180 :].any()
    assert tuple(pixels[180, MARGIN + 84]) == (70, 70, 70)  # the eighth image


def test_images_that_are_not_at_hand_are_said_and_rows_follow_rows(tmp_path: Path) -> None:
    for count in (1, COLUMNS, COLUMNS + 1):
        write_sheet(vet(observed(SCORES[:count])), tmp_path / f"{count}.png")
    heights = [Image.open(tmp_path / f"{count}.png").height for count in (1, COLUMNS, COLUMNS + 1)]
    assert heights[0] == heights[1] < heights[2]


def test_a_long_name_stands_on_two_lines_and_in_letters_that_the_font_has(tmp_path: Path) -> None:
    def drawn(*names: str) -> bytes:
        images = observed(SCORES[: len(names)])
        images = replace(
            images, images=tuple(replace(each, source=name) for each, name in zip(images, names, strict=True))
        )
        write_sheet(vet(images), tmp_path / "sheet.png")
        return Image.open(tmp_path / "sheet.png").tobytes()

    assert drawn("Prüfung é.png") == drawn("Prufung e.png")
    long = "Gutteil der Spindel von Montag bis Freitag {}.png"
    assert drawn(long.format(1)) != drawn(long.format(2))
    assert len(drawn(long.format(1))) > len(drawn("short.png"))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.png or \.jpg"):
        write_sheet(vet(observed(SCORES)), tmp_path / "sheet.pdf")
