"""What images are called: short, and told apart."""

from pathlib import Path

import pytest

from oddlens.calibration import named, short_names


def test_a_name_has_as_much_of_the_path_as_tells_it_apart() -> None:
    assert short_names(["a/1.png", "a/2.png"]) == {"a/1.png": "1.png", "a/2.png": "2.png"}
    assert short_names(["mon/good/1.png", "tue/good/1.png"]) == {
        "mon/good/1.png": "mon/good/1.png",
        "tue/good/1.png": "tue/good/1.png",
    }
    assert short_names(["1.png", "a/1.png", "image 2"]) == {
        "1.png": "1.png",
        "a/1.png": "a/1.png",
        "image 2": "image 2",
    }
    assert short_names(["./a/1.png", "a/1.png"]) == {
        "./a/1.png": "./a/1.png",
        "a/1.png": "a/1.png",
    }  # one path, two names
    assert short_names([]) == {}


SOURCES = ["mon/1.png", "tue/1.png", "tue/2.png", "image 3"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("2.png", ["tue/2.png"]),
        ("tue/1.png", ["tue/1.png"]),
        ("./tue/1.png", ["tue/1.png"]),
        ("1.png", ["mon/1.png", "tue/1.png"]),
        ("image 3", ["image 3"]),
        ("e/1.png", []),
        ("wed/tue/1.png", []),
        ("", []),
        ("\0", []),
    ],
)
def test_an_image_is_meant_by_its_path_or_the_end_of_it(name: str, found: list[str]) -> None:
    assert named(name, SOURCES) == found


def test_an_image_is_meant_by_its_whole_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named(str(tmp_path / "tue" / "2.png"), SOURCES) == ["tue/2.png"]
