"""The verbs of a line, from good examples to verdicts, in a process in which importing torch fails."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from tests.test_import_graph import in_a_process_without_torch

VERBS = """
import json, warnings
from pathlib import Path

from oddlens.cli import main
from oddlens.inference import demo

warnings.simplefilter("ignore")
demo.FOLDER = Path("demo")
for call in json.loads(Path("calls.json").read_text()):
    sys.argv = ["oddlens", *call]
    try:
        main()
        code = 0
    except SystemExit as done:
        code = done.code or 0
    print(f"{call[0]}: {code}", flush=True)
assert "torch" not in sys.modules
"""


def write_parts(folder: Path, count: int, seed: int, broken: bool = False) -> None:
    """Images of one part; or of parts with a white stain."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    base = np.kron(np.random.default_rng(99).integers(80, 150, (6, 8, 3)), np.ones((12, 12, 1)))
    for number in range(count):
        image = np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8)
        if broken:
            image[30:38, 40:50] = 255
        Image.fromarray(image).save(folder / f"{folder.name}_{number}.png")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images of a line, and a small demonstration."""
    monkeypatch.chdir(tmp_path)
    write_parts(Path("good"), 4, 1)
    write_parts(Path("more"), 10, 2)
    write_parts(Path("new"), 2, 3)
    write_parts(Path("bad"), 1, 4, broken=True)
    write_parts(Path("demo/part/train/good"), 5, 5)
    write_parts(Path("demo/part/test/good"), 1, 6)
    write_parts(Path("demo/part/test/stain"), 1, 7, broken=True)
    mask = Image.new("L", (96, 72))
    mask.paste(255, (20, 20, 60, 50))
    Path("demo/part/ground_truth/stain").mkdir(parents=True)
    mask.save("demo/part/ground_truth/stain/stain_0_mask.png")
    return tmp_path


def test_all_of_it(line: Path) -> None:
    calls = [
        "demo",
        "detect new bad --object plate --out zero",
        "detect new bad --object plate --reference good --out few",
        "station create line --reference good --object plate --accept all",
        "calibrate line --good more --false-alarm-rate 0.1 --accept all",
        "station check line --good new --bad bad",
        "detect new bad --station line --out found --audit 1",
        "judge found --station line",
        "feedback line found --good new/new_0.png",
        "feedback line found --bad bad/bad_0.png --defect stain",
        "station learn line",
        "station show line",
        "data check demo/part",
    ]
    Path("calls.json").write_text(json.dumps([call.split() for call in calls]))
    done = in_a_process_without_torch(VERBS)
    codes = [text for text in done.stdout.splitlines() if text.partition(": ")[2].isdigit()]
    assert codes == [f"{call.split()[0]}: 0" for call in calls], done.stdout + done.stderr
    records = [json.loads(text) for text in Path("found/results.jsonl").read_text().splitlines()]
    *good, bad = records  # a good one may be called NG: the rate is 10 %
    assert bad["verdict"] == "ng"
    assert all(record["verdict"] in ("ok", "review", "ng") and record["score"] < bad["score"] for record in good)
    run = json.loads(Path("few/run.json").read_text())
    assert run["machine"]["runtime"] == "onnx"
    learned = oddlens.open_station("line", runtime="onnx").defects
    assert learned is not None
    assert learned.regions.names == ("stain",)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            "detect new --set temperature=0.05",
            "oddlens: its graphs were made with temperature=0.07, not 0.05, and PyTorch, which could, is not installed: run pip "
            "install 'oddlens[torch]'",
        ),
        (
            "detect new --model openai-vit-b-32",
            "oddlens: the model openai-vit-b-32 needs PyTorch, which is not installed: run pip install 'oddlens[torch]'",
        ),
        (
            "detect new --method musc --reference good",
            "oddlens: there are no graphs of musc on the embedded model, and PyTorch, which could, is not installed: run pip "
            "install 'oddlens[torch]'",
        ),
        (
            "detect new --model exported-grahps",
            "oddlens: there is no model 'exported-grahps': give a name that 'oddlens models' lists, a hub id (org/name), or a path "
            "that exists",
        ),
    ],
)
def test_what_needs_torch_says_so(line: Path, call: str, sentence: str) -> None:
    done = in_a_process_without_torch("from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()", *call.split())
    assert (done.returncode, done.stderr.strip()) == (2, sentence)
