"""Results as tasks for Label Studio, whose own package checks their form, and what people made of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from numpy.typing import NDArray

from oddlens.data.brush import pack_brush
from oddlens.errors import UsageError
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.tools.label_studio import LabelStudio
from oddlens.inference.tools.label_studio_export import Export, read_export
from tests.inference.tools.conftest import make_results_of_latin_1, mask_of


def give(results: Path, to: Path, tool: LabelStudio | None = None) -> tuple[str, ...]:
    return (tool or LabelStudio()).give(KeptResults(results), to, lambda *_: None).said


def tasks_of(folder: Path) -> list[dict]:
    return json.loads((folder / "tasks.json").read_text())


def accepted(folder: Path) -> list[dict]:
    """What Label Studio exports where people agree with every prediction."""
    return [
        {"id": number, "data": task["data"], "annotations": [{"result": task["predictions"][0]["result"]}]}
        for number, task in enumerate(tasks_of(folder), start=1)
    ]


def read(results: Path, tasks: list[dict]) -> Export:
    path = results.parent / "export.json"
    path.write_text(json.dumps(tasks))
    return read_export(path, {image.key: image.size for image in KeptResults(results).images})


def test_label_studio_takes_tasks_and_predictions(results: Path, tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    for tool, place in ((LabelStudio(), "masks"), (LabelStudio(boxes=True), "boxes")):
        give(results, tmp_path / place, tool)
        config = interface.LabelInterface((tmp_path / place / "label_config.xml").read_text())
        for task in tasks_of(tmp_path / place):
            assert config.validate_task({"data": task["data"]})
            assert [config.validate_prediction(each, return_errors=True) for each in task["predictions"]] == [[]]


def test_label_studio_reads_the_pixels_that_the_run_marked(results: Path, tmp_path: Path) -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="label-studio-sdk is not installed")
    give(results, tmp_path / "tasks")
    for task in tasks_of(tmp_path / "tasks"):
        drawn = [each for each in task["predictions"][0]["result"] if each["type"] == "brushlabels"]
        marked = np.zeros((40, 48), np.bool_)
        for each in drawn:
            flat = {**each, **each["value"]}
            (layer,) = brush.decode_from_annotation("mask", [flat]).values()
            marked |= layer > 0
        name = Path(task["data"]["oddlens"]).stem
        assert np.array_equal(marked, mask_of(results, name))
        assert len(drawn) == (0 if name == "dark" else 2)


def test_a_name_that_is_no_utf_8_goes_there_and_back(tmp_path: Path) -> None:
    results = make_results_of_latin_1(tmp_path)
    give(results, tmp_path / "tasks")
    text = (tmp_path / "tasks" / "tasks.json").read_text()
    assert "/data/local-files/?d=Pr%FCfung.png" in text  # the bytes that the file is called
    tasks = [each for each in accepted(tmp_path / "tasks") if "fung" in each["data"]["oddlens"]]
    assert [each["data"]["oddlens"].encode() for each in tasks] == [b"../parts/Pr%FCfung.png"]
    (found,) = read(results, tasks).labelled
    assert Path(results, found.key).is_file()


def test_what_people_accept_comes_back_as_it_was(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "tasks")
    export = read(results, accepted(tmp_path / "tasks"))
    assert [(Path(each.key).name, each.said, each.defect) for each in export.labelled] == [
        ("bright.png", "bad", None),
        ("bright2.jpg", "bad", None),
        ("dark.png", "good", None),
    ]
    for each in export.labelled[:2]:
        assert np.array_equal(each.mask, mask_of(results, Path(each.key).stem))
    assert export.labelled[2].mask is None
    assert export.passed_over == ()


def test_boxes_come_back_as_the_boxes_of_the_regions(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "tasks", LabelStudio(boxes=True))
    kept = KeptResults(results)
    for image, each in zip(kept.images, read(results, accepted(tmp_path / "tasks")).labelled, strict=True):
        boxes = np.zeros((40, 48), np.bool_)
        for region in kept.marked(image):
            x, y, width, height = region.box
            boxes[y : y + height, x : x + width] = True
        assert np.array_equal(np.zeros((40, 48), np.bool_) if each.mask is None else each.mask, boxes)


def block() -> NDArray[np.bool_]:
    mask = np.zeros((40, 48), np.bool_)
    mask[5:9, 6:30] = True
    return mask


def drawn(kind: str, label: str, **value: object) -> dict:
    return {
        "type": kind, "from_name": "mask", "to_name": "image", "original_width": 48, "original_height": 40,
        "value": {kind: [label], **value},
    }  # fmt: skip


def choice(said: str) -> dict:
    return {"type": "choices", "from_name": "verdict", "to_name": "image", "value": {"choices": [said]}}


def test_a_corrected_mask_and_the_name_of_the_defect_count(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "tasks")
    tasks = accepted(tmp_path / "tasks")
    small = np.zeros((40, 48), np.bool_)
    small[30:32, 30:32] = True
    tasks[0]["annotations"] = [
        {"result": [choice("good")], "updated_at": "2026-01-01T08:00:00Z"},
        {
            "result": [
                choice("bad"), drawn("brushlabels", "scratch", rle=pack_brush(block())),
                drawn("brushlabels", "dent", rle=pack_brush(small)),
            ],
            "updated_at": "2026-01-02T08:00:00Z",
            "completed_by": {"id": 3, "email": "ada@example.org"},
        },
        {"result": [choice("unsure")], "was_cancelled": True, "updated_at": "2026-01-03T08:00:00Z"},
    ]  # fmt: skip
    found = read(results, tasks).labelled[0]
    assert (found.said, found.defect, found.reviewer) == ("bad", "scratch", "ada@example.org")
    assert np.array_equal(found.mask, block())


def test_other_shapes_are_masks_too(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "tasks")
    tasks = accepted(tmp_path / "tasks")
    corners = [[12.5, 12.5], [62.5, 12.5], [62.5, 22.5], [12.5, 22.5]]
    tasks[0]["annotations"] = [{"result": [drawn("polygonlabels", "dent", points=corners)]}]
    tasks[1]["annotations"] = [
        {
            "result": [
                drawn("rectanglelabels", "dent", x=62.5, y=22.5, width=50, height=10, rotation=180),
                drawn("keypointlabels", "dent", x=1, y=1, width=1),
            ]
        }
    ]
    export = read(results, tasks)
    for each in export.labelled[:2]:
        assert (each.said, each.defect) == ("bad", "dent")
        assert np.array_equal(each.mask, block())
    assert export.passed_over == ("1 region of the kind keypointlabels is no mask here",)


def test_what_says_nothing_is_no_mark(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "tasks")
    tasks = accepted(tmp_path / "tasks")
    tasks[0]["annotations"], tasks[1]["annotations"] = [], [{"result": []}]
    export = read(results, tasks)
    assert [each.said for each in export.labelled] == ["good"]
    assert export.passed_over == ("2 tasks have no annotation that says good, bad or unsure",)


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (drawn("brushlabels", "dent", rle=[1, 2, 3]), "cut short"),
        (drawn("brushlabels", "dent", rle="AAA"), "its rle"),
        (drawn("brushlabels", "dent", rle=pack_brush(np.ones((2, 2), np.bool_))), "not of an image of 48 x 40"),
        (drawn("polygonlabels", "dent", points=[[1, 2]]), "fewer than three points"),
        (drawn("polygonlabels", "dent", points=[[1, 2], [1e300, 2], [3, 4]]), "far outside"),
        (drawn("rectanglelabels", "dent", x="a"), "x is"),
        ({**drawn("rectanglelabels", "dent"), "original_width": 1}, "of an image of 1 x 40 pixels, not 48 x 40"),
    ],
)
def test_a_faulty_region_is_a_sentence(results: Path, tmp_path: Path, region: dict, said: str) -> None:
    give(results, tmp_path / "tasks")
    tasks = accepted(tmp_path / "tasks")
    tasks[0]["annotations"] = [{"result": [region]}]
    with pytest.raises(UsageError, match=rf"a region of .*bright\.png that .*{said}.*correct it and export again"):
        read(results, tasks)


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"image": "a", "choice": "good"}]', "no json"])
def test_what_is_no_export_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(UsageError, match=r"is no export of Label Studio in the format JSON"):
        read_export(tmp_path / "export.json", {})


def test_tasks_of_other_results_are_refused(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "tasks")
    tasks = accepted(tmp_path / "tasks")
    tasks[1]["data"]["oddlens"] = "../elsewhere.png"
    with pytest.raises(UsageError, match=r"a task of ../elsewhere.png, of which there is no result"):
        read(results, tasks)


def test_images_are_named_where_label_studio_finds_them(results: Path, tmp_path: Path) -> None:
    said = give(results, tmp_path / "local")
    assert f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={tmp_path}/parts" in said[-1]
    assert tasks_of(tmp_path / "local")[0]["data"]["image"] == "/data/local-files/?d=bright.png"
    said = give(results, tmp_path / "http", LabelStudio(root=tmp_path, url="http://127.0.0.1:8000/"))
    assert said == ("1 image has no result and is left out",)
    for task in tasks_of(tmp_path / "http"):
        place = unquote(task["data"]["image"].removeprefix("http://127.0.0.1:8000/"))
        assert (tmp_path / place).is_file()
    with pytest.raises(UsageError, match=r"does not lie in .*out: give another --root"):
        give(results, tmp_path / "none", LabelStudio(root=results))


def test_all_names_that_were_thought_of_are_labels(results: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    for line in lines:
        if line.get("regions"):
            line["regions"][0]["names"] = [["unknown", 0.5], ['a "dent" & more', 0.3], ["scratch", 0.2]]
    (results / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    give(results, tmp_path / "tasks")
    root = ET.parse(tmp_path / "tasks" / "label_config.xml").getroot()
    for kind in ("BrushLabels", "RectangleLabels"):
        assert [each.get("value") for each in root.find(kind)] == ["defect", 'a "dent" & more', "scratch"]
