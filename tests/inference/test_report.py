"""The report of a run: what it shows and in which order, that it follows the results, and that it is whole or not there."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oddlens.errors import OddlensError, UsageError
from oddlens.inference.records import Record
from oddlens.inference.report import ReportSink, write_report
from oddlens.inference.report_page import SHOWN
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from oddlens.visualization.label_image import class_colour
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures

BASIS = {"calibration": None, "range": {"low": 0.0, "high": 1.0, "label": "fixed range 0 to 1"}}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Four images, of which the third is empty."""
    paths = write_pictures(tmp_path / "in", 4)
    paths[2].write_bytes(b"")
    return Task("bolt", tuple(paths))


def go(task: Task, out: Path, resume: bool = False) -> str:
    list(run(StubPredictor(), task, [FolderSink(ResultsFolder(out, resume=resume)), ReportSink(out)]))
    return (out / "report.html").read_text()


def line(name: str, score: float, verdict: str | None = None, **more: Any) -> Record:
    return {
        "path": name, "score": score, "verdict": verdict, "is_anomalous": None if verdict is None else verdict == "ng",
        "image_size": [100, 80], "regions": [], **more,
    }  # fmt: skip


def page_of(folder: Path, *records: Record, **document: Any) -> str:
    """The page of a folder with these lines and this run.json."""
    folder.mkdir(exist_ok=True)
    (folder / "results.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "run.json").write_text(json.dumps(document))
    return write_report(folder).read_text()


def test_it_says_whose_the_verdicts_are_and_what_p_is(tmp_path: Path) -> None:
    record = line("a.png", 0.3, "ng", threshold=0.2, p_value=0.25)
    said = {"verdicts": ["the station line-3, version 2"]}
    page = page_of(tmp_path / "run", record, run={}, said=said)
    assert '<p class="quiet">the station line-3, version 2 · ' in page
    assert "<h3>Verdicts</h3>" not in page
    assert "p of an image: the share of good images" in page
    judged = page_of(tmp_path / "judged", record, run={}, said=said, judged={"by": "thresholds given by hand"})
    assert '<p class="quiet">thresholds given by hand · ' in judged
    assert "line-3" not in judged
    assert "p of an image" not in page_of(tmp_path / "words", line("a.png", 0.3), run={})


class Page(HTMLParser):
    """The elements of a page; each tag must be closed in its turn."""

    VOID = frozenset({"meta", "img", "rect", "line", "polygon", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def of(self, tag: str, css: str | None = None) -> list[dict[str, str | None]]:
        return [
            each for name, each in self.elements if name == tag and (css is None or css in (each.get("class") or ""))
        ]


def names_in(page: str) -> list[str]:
    """What the cards are called, in their order."""
    return [re.sub("<.*?>", "", title) for title in re.findall("<h3>(.*?)</h3><p>", page)]


class TestRun:
    def test_a_run_ends_with_a_report(self, task: Task, tmp_path: Path) -> None:
        page = go(task, tmp_path / "out")
        Page(page)
        assert "4 images of “bolt”: " in page
        assert ", 1 failed" in page
        assert "2.png is empty (0 bytes)" in page
        assert sorted(names_in(page)) == ["in/0.png", "in/1.png", "in/3.png"]

    def test_an_object_that_nobody_named_is_not_named(self, task: Task, tmp_path: Path) -> None:
        assert ">1 image: " in go(Task("part", task.items[:1]), tmp_path / "out")

    def test_known_classes_stand_beside_their_colours_and_shares(self, tmp_path: Path) -> None:
        shares = {"road": 0.75, "a<b": 0.25}, {"road": 0.25, "a<b": 0.75}
        lines = [line(f"{number}.png", 0.5, classes=each) for number, each in enumerate(shares)]
        page = page_of(tmp_path / "out", *lines, line("2.png", 0.5))
        Page(page)
        entries = re.findall("<li>(.*?)</li>", page)
        assert [re.sub("<.*?>", "", entry) for entry in entries] == ["0 road 50.0%", "1 a&lt;b 50.0%"]
        assert [re.findall("#(......)", entry) for entry in entries] == [
            ["{:02x}{:02x}{:02x}".format(*class_colour(number))] for number in range(2)
        ]
        assert "Known classes" not in page_of(tmp_path / "none", line("2.png", 0.5))

    def test_it_follows_the_results_of_a_run_that_goes_on(self, task: Task, tmp_path: Path) -> None:
        assert "1 image of" in go(Task("bolt", task.items[:1]), tmp_path / "out")
        assert "4 images of" in go(task, tmp_path / "out", resume=True)

    def test_it_is_written_again_where_it_is_missing_or_older_than_the_results(
        self, task: Task, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        whole = Task("bolt", (task.items[0], task.items[1]))
        page = go(whole, out)
        (out / "report.html").unlink()
        assert go(whole, out, resume=True) == page
        (out / "report.html").write_text("as it is")
        assert go(whole, out, resume=True) == "as it is"
        os.utime(out / "report.html", ns=(0, 0))
        assert go(whole, out, resume=True) == page

    def test_a_page_of_an_earlier_run_does_not_stay_beside_other_results(self, task: Task, tmp_path: Path) -> None:
        go(Task("bolt", task.items[:1]), tmp_path / "out")
        outcomes = run(
            StubPredictor(), task,
            [FolderSink(ResultsFolder(tmp_path / "out", resume=True)), ReportSink(tmp_path / "out")],
        )  # fmt: skip
        next(outcomes)
        next(outcomes)
        assert not (tmp_path / "out" / "report.html").exists()
        outcomes.close()
        assert not (tmp_path / "out" / "report.html").exists()

    def test_what_is_said_of_the_run_stays_in_its_folder(self, task: Task, tmp_path: Path) -> None:
        go(task, tmp_path / "out")
        settings = json.loads((tmp_path / "out" / "run.json").read_text())
        write_report(tmp_path / "out", {"promise": ["at most 5 %"], "drift": ["the scene <changed>"]})
        assert "the scene &lt;changed&gt;" in write_report(tmp_path / "out").read_text()
        write_report(tmp_path / "out", {"drift": []})
        page = write_report(tmp_path / "out").read_text()
        assert "at most 5 %" in page
        assert "changed" not in page
        assert json.loads((tmp_path / "out" / "run.json").read_text()) == settings | {
            "said": {"promise": ["at most 5 %"]}
        }

    def test_a_folder_without_results_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="holds no results: give the folder of a run"):
            write_report(tmp_path)

    def test_a_page_that_cannot_be_written_is_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "out" / "report.html").mkdir(parents=True)
        with pytest.raises(OddlensError, match=r"report\.html cannot be written because it is a folder"):
            page_of(tmp_path / "out", line("a.png", 0.5))


class TestOrder:
    def test_ng_comes_first_then_review_then_ok_each_by_descending_score(self, tmp_path: Path) -> None:
        page = page_of(
            tmp_path / "out", line("x/ok.png", 0.1, "ok"), line("x/review.png", 0.4, "review"), line("x/bad.png", 0.6, "ng"),
            line("x/worse.png", 0.9, "ng"), line("x/none.png", 0.2), {"path": "x/gone.png", "error": "gone.png is gone"},
            line("x/nearly.png", 0.3, "ok"),
        )  # fmt: skip
        assert names_in(page) == [
            "x/worse.png", "x/bad.png", "x/review.png", "x/none.png", "x/nearly.png", "x/ok.png",
        ]  # fmt: skip
        assert "7 images: 2 NG, 1 review, 2 OK, 1 without a verdict, 1 failed" in page
        headings = [each["id"] for each in Page(page).of("h2") if "id" in each]
        assert headings == ["ng", "review", "failed", "none", "ok"]
        links = [each.get("href") for each in Page(page).of("a") if each.get("class") in headings]
        assert links == [f"#{each}" for each in headings]

    def test_the_first_ones_are_shown_and_the_others_linked(self, tmp_path: Path) -> None:
        count = 3 * SHOWN["ng"]
        records = [
            line(f"{number}.png", number / 1000, "ng", overlay=f"overlays/{number}.png") for number in range(count)
        ]
        page = page_of(tmp_path / "out", *records)
        assert names_in(page) == [f"{number}.png" for number in range(count - 1, count - 1 - SHOWN["ng"], -1)]
        assert f"{count - SHOWN['ng']} images more" in page
        targets = {each.get("href") for each in Page(page).of("a")}
        assert {f"overlays/{number}.png" for number in range(count)} <= targets

    def test_a_line_of_an_earlier_version_has_the_verdict_that_it_says(self, tmp_path: Path) -> None:
        old = {"path": "a.png", "score": 0.5, "is_anomalous": True, "image_size": [4, 4], "regions": []}
        assert "1 image: 1 NG, 0 review, 0 OK, 0 failed" in page_of(tmp_path / "out", old)


class TestCards:
    def test_the_image_stands_beside_its_heat(self, task: Task, tmp_path: Path) -> None:
        go(task, tmp_path / "out")
        document = json.loads((tmp_path / "out" / "run.json").read_text())
        assert (
            len(Page(write_report(tmp_path / "out").read_text()).of("img")) == 3
        )  # nobody says how to colour the maps
        (tmp_path / "out" / "run.json").write_text(json.dumps(document | {"basis": BASIS}))
        page = write_report(tmp_path / "out").read_text()
        images = [each["alt"] for each in Page(page).of("img")]
        assert len(images) == 6
        assert images[1] == f"anomaly map of {images[0]}"

    def test_without_a_preview_the_file_itself_is_shown_while_it_is_the_same(self, task: Task, tmp_path: Path) -> None:
        go(task, tmp_path / "out")
        for preview in (tmp_path / "out" / "previews").iterdir():
            preview.unlink()
        assert len(Page(write_report(tmp_path / "out").read_text()).of("img")) == 3
        for path in task.items:
            Image.new("RGB", (300, 200)).save(path)  # type: ignore[union-attr]
        assert Page(write_report(tmp_path / "out").read_text()).of("img") == []

    @pytest.mark.parametrize("damage", ["previews/0.jpg", "maps/0.tiff"])
    def test_damaged_drawings_leave_a_gap_and_no_more(self, task: Task, tmp_path: Path, damage: str) -> None:
        out = tmp_path / "out"
        go(Task("bolt", task.items[:1]), out)
        document = json.loads((out / "run.json").read_text()) | {"basis": BASIS}
        (out / "run.json").write_text(json.dumps(document))
        (out / damage).write_bytes(b"nothing")
        task.items[0].unlink()  # type: ignore[union-attr]
        page = write_report(out).read_text()
        assert names_in(page) == ["in/0.png"]
        assert len(Page(page).of("img")) == (0 if "previews" in damage else 1)

    def test_regions_are_listed_and_their_boxes_drawn_by_number(self, tmp_path: Path) -> None:
        Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(tmp_path / "a.png")
        Image.fromarray(np.zeros((8, 10), np.float32)).save(tmp_path / "a.tiff")
        regions = [
            {
                "box": [10, 20, 30, 40],
                "area": 900,
                "area_mm2": 2.25,
                "peak": 0.9,
                "mean": 0.8,
                "names": [["scratch", 0.7]],
            },
            {"box": [0, 0, 5, 5], "area": 20, "peak": 0.6, "mean": 0.5},
        ]
        page = page_of(tmp_path, line("a.png", 0.8, "ng", regions=regions, preview="a.png", map="a.tiff"), basis=BASIS)
        boxes = [each for each in Page(page).of("rect") if "class" not in each and "style" not in each]
        assert [(each["x"], each["y"], each["width"], each["height"]) for each in boxes] == [
            ("10", "20", "30", "40"), ("0", "0", "5", "5"),
        ]  # fmt: skip
        rows = re.findall("<tr>(.*?)</tr>", page)
        assert rows[1] == "".join(
            f"<td>{cell}</td>" for cell in ("1", "10, 20", "30 × 40", "900 px", "2.25", "0.900", "scratch 0.70")
        )
        assert rows[2] == "".join(f"<td>{cell}</td>" for cell in ("2", "0, 0", "5 × 5", "20 px", "", "0.600", ""))

    def test_concern_note_and_audit_are_said_as_text(self, tmp_path: Path) -> None:
        record = line("a.png", 0.5, "review", concern="not <this> part", note="a & b", audit=True)
        page = page_of(tmp_path / "out", record)
        Page(page)
        assert "not &lt;this&gt; part" in page
        assert "a &amp; b" in page
        assert "Drawn at random for audit." in page

    def test_the_region_of_interest_is_drawn_over_the_image(self, tmp_path: Path) -> None:
        Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(tmp_path / "a.png")
        record = line("a.png", 0.5, "ok", preview="a.png")
        roi = {"include": [[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]]}
        assert Page(page_of(tmp_path, record, run={})).of("polygon") == []
        (border,) = [
            each for each in Page(page_of(tmp_path, record, run={"roi": roi})).of("polygon") if "class" not in each
        ]
        corners = {tuple(map(int, corner.split(","))) for corner in (border["points"] or "").split()}
        assert corners == {(25, 20), (74, 20), (74, 59), (25, 59)}

    @pytest.mark.parametrize("name", ["a&b <c>.png", 'a"b.png', "a#1?.png", "\udcff.png", "部品.png"])
    def test_any_name_is_shown_and_linked(self, tmp_path: Path, name: str) -> None:
        page = page_of(tmp_path / "out", line(f"x/{name}", 0.5, "ng", overlay=f"overlays/{name}"))
        elements = Page(page)
        (link,) = [each["href"] for each in elements.of("a") if (each.get("href") or "").startswith("overlays")]
        assert link is not None
        assert not set(link) & set('#?"<>&')


class TestScores:
    def test_thresholds_are_lines_in_the_histogram_and_the_promise_stands_below(self, tmp_path: Path) -> None:
        more = {"threshold": 0.5, "review_threshold": 0.35, "threshold_source": "scores of 20 calibration images"}
        records = [line("a.png", 0.2, "ok", **more), line("b.png", 0.7, "ng", **more)]
        page = page_of(tmp_path / "out", *records, said={"promise": ["at most 5 % of good images"]})
        assert "NG above 0.5" in page
        assert "review above 0.35" in page
        assert "scores of 20 calibration images" in page
        assert page.index("at most 5 % of good images") > page.index("NG above 0.5")

    def test_where_all_failed_there_is_none(self, tmp_path: Path) -> None:
        page = page_of(tmp_path / "out", {"path": "a.png", "error": "a.png is damaged"})
        assert "Scores" not in page
        assert "a.png is damaged" in page


@pytest.mark.parametrize("document", ["", "[]", "{", '{"said": 3, "basis": 4, "run": 5, "passed_over": 6}'])
def test_a_damaged_run_json_costs_what_it_would_say_and_no_more(tmp_path: Path, document: str) -> None:
    (tmp_path / "results.jsonl").write_text(json.dumps(line("a.png", 0.5)) + "\n")
    (tmp_path / "run.json").write_text(document)
    assert names_in(write_report(tmp_path).read_text()) == ["a.png"]
