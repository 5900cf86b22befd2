"""The demonstration, on a small stand-in and on what the package carries."""

import re
from pathlib import Path

import pytest

import oddlens
from oddlens.inference import demo
from tests.small_demo import play


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_clip_folder: Path) -> None:
    play(monkeypatch, tmp_path / "set", open_clip_folder)


@pytest.mark.usefixtures("small")
def test_every_test_picture_is_scored_without_and_with_references() -> None:
    advanced: list[int] = []
    results = list(demo.run_demo(advanced.append))
    assert [result.name for result in results] == ["tin lid", "weave"]
    assert advanced == [4, 4]
    assert sum(advanced) == demo.picture_count()
    for result in results:
        assert len(result.zero_shot) == len(result.few_shot) == len(result.records) == 4
        for record, zero, few in zip(result.records, result.zero_shot, result.few_shot, strict=True):
            assert zero.source == few.source == str(record.image)
            assert zero.is_anomalous is None
            assert few.is_anomalous is not None
            assert few.thresholds.source == "leave-one-out scores of 4 references"


@pytest.mark.usefixtures("small")
def test_its_figures_are_those_of_the_metrics() -> None:
    (result, _) = demo.run_demo()
    labels = [record.label for record in result.records]
    image, pixel = result.figures(result.zero_shot)
    assert image == oddlens.metrics.image_metrics(labels, [found.score for found in result.zero_shot]).auroc
    assert 0 <= pixel <= 1


@pytest.mark.usefixtures("small")
def test_it_says_in_words_what_it_caught_and_missed(tmp_path: Path) -> None:
    results = list(demo.run_demo())
    pairs = [pair for result in results for pair in zip(result.records, result.few_shot, strict=True)]
    caught = sum(found.is_anomalous and record.label == 1 for record, found in pairs)
    alarms = sum(found.is_anomalous and record.label == 0 for record, found in pairs)
    said = demo.in_words(results)
    assert said.startswith(
        f"With 4 good examples of each kind, patch-knn catches {caught} of 4 defects and misses {4 - caught}"
    )
    assert f"It calls {alarms} of 4 good images NG" in said
    assert said.count("deep cut") == 4 - caught
    demo.write_page(results, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.index(said) < page.index("<table")


@pytest.mark.usefixtures("small")
def test_the_page_shows_truth_and_finding_of_every_picture(tmp_path: Path) -> None:
    demo.write_page(list(demo.run_demo()), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.count("<figure>") == 8
    assert html.count("truth: deep cut") == 2 * 4  # as caption and as text for those who do not see the picture
    assert html.count("truth: normal") == 2 * 4
    assert len(re.findall(r'<figcaption class="(good|bad)">truth: [a-z ]+; called (OK|NG): score', html)) == 8
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_what_the_package_carries_is_distinguished() -> None:
    for result in demo.run_demo():
        assert {record.label for record in result.records} == {0, 1}
        assert result.figures(result.few_shot)[0] > 0.5
        assert result.figures(result.few_shot)[1] > 0.8


def test_the_images_of_one_part_are_copied_as_a_line_would_have_them(tmp_path: Path) -> None:
    assert demo.copy_part(tmp_path / "star") == (4, 5)
    assert [path.name for path in sorted((tmp_path / "star" / "good").iterdir())] == [f"00{n}.jpg" for n in range(4)]
    parts = sorted((tmp_path / "star" / "parts").iterdir())
    assert [path.stem for path in parts] == ["bend", "chipped_edge", "good-1", "good-2", "pitting"]
    assert parts[3].read_bytes() == (demo.FOLDER / "star" / "test" / "good" / "001.jpg").read_bytes()
