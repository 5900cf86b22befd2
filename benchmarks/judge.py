"""How long new verdicts take: `oddlens judge` over generated results, beside reading their lines and maps alone.

    python benchmarks/judge.py [--images 10000] [--side 800] [--ng 0.1] [--drawn 200]

The results are as a run would leave them: a line and a map of 240 x 240 values for each image; the given share is NG, each with one
to three regions. The last rows draw masks and overlays of some of them, for which the images are generated too. One process each,
one after the other, with as many threads as the machine has processors; the last column is the time beside that of reading.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

MAP = 240
RUN = {
    "format": 2, "oddlens": "0", "method": "generated", "recipe": {}, "object": "part", "smoothing": None, "overlays": False,
    "maps": True, "masks": False, "labels": False, "previews": False,
    "thresholds": {"image": 0.5, "pixel": 0.5, "source": "given"},
}  # fmt: skip
BASIS = {"calibration": None, "range": {"low": 0.0, "high": 1.0, "label": "fixed range 0 to 1"}}

READ = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
out = Path(sys.argv[1])
for line in (out / "results.jsonl").read_text().splitlines():
    record = json.loads(line)
    if record["score"] > 0.4:
        with Image.open(out / record["map"]) as image:
            np.asarray(image)
"""


def main() -> None:
    """Generate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=800, help="of the images, in pixels")
    parser.add_argument("--ng", type=float, default=0.1, help="the share that is NG after the judgement")
    parser.add_argument("--drawn", type=int, default=200, help="how many images are drawn in the last rows")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        generate(root / "many", given.images, given.side, given.ng, pictures=False)
        generate(root / "few", given.drawn, given.side, given.ng, pictures=True)
        judge = [sys.executable, "-m", "oddlens", "judge"]
        rows = [
            ("reading lines and maps of what is NG", given.images, [sys.executable, "-c", READ, str(root / "many")]),
            *(
                (
                    f"judge --threshold {at} --write {kinds}",
                    count,
                    [*judge, str(root / name), "--threshold", at, "--write", kinds],
                )
                for name, count, at, kinds in (
                    ("many", given.images, "0.4,0.45", "nothing"),
                    ("many", given.images, "0.5,0.5", "nothing"),
                    ("few", given.drawn, "0.4,0.45", "masks"),
                    ("few", given.drawn, "0.4,0.45", "overlays,masks"),
                )
            ),
        ]
        print(f"images of {given.side} x {given.side} pixels, {given.ng:.0%} NG\n")
        print("| | images | s | ms an image | beside reading |\n|---|---|---|---|---|")
        base = None
        for name, count, call in rows:
            started = time.perf_counter()
            done = subprocess.run(call, check=True, capture_output=True, text=True)
            seconds = time.perf_counter() - started
            base = seconds / count if base is None else base
            print(f"| {name} | {count} | {seconds:.1f} | {1000 * seconds / count:.2f} | {seconds / count / base:.1f} |")
            if done.stderr:
                print(f"<!-- {done.stderr.splitlines()[0]} -->")


def generate(out: Path, count: int, side: int, share: float, *, pictures: bool) -> None:
    """A folder as a run leaves it."""
    (out / "maps").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = []
    for number in range(count):
        is_ng = rng.random() < share
        anomaly_map = cv2.resize(rng.random((12, 12), np.float32) * 0.3, (MAP, MAP), interpolation=cv2.INTER_LINEAR)
        for _ in range(rng.integers(1, 4) if is_ng else 0):
            centre = tuple(int(value) for value in rng.integers(20, MAP - 20, 2))
            cv2.circle(anomaly_map, centre, int(rng.integers(4, 18)), float(rng.uniform(0.55, 1)), -1)
        Image.fromarray(anomaly_map).save(out / "maps" / f"{number}.tiff")
        path = out.parent / "images" / f"{number}.png"
        file = {"path": f"../images/{number}.png", "bytes": 0, "modified": 0.0}
        if pictures:
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(path, compress_level=1)
            file |= {"bytes": path.stat().st_size, "modified": path.stat().st_mtime}
        score = float(rng.uniform(0.45, 0.9) if is_ng else rng.uniform(0.1, 0.39))
        lines.append(
            {
                "path": str(path), "score": score, "is_anomalous": score > 0.5, "verdict": "ng" if score > 0.5 else "ok",
                "threshold": 0.5, "pixel_threshold": 0.5, "threshold_source": "given", "regions": [], "image_size": [side, side],
                "ms": 50.0, "map": f"maps/{number}.tiff", "file": file,
            }
        )  # fmt: skip
    (out / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (out / "run.json").write_text(json.dumps({"run": RUN, "machine": {}, "passed_over": {}, "basis": BASIS}))


if __name__ == "__main__":
    assert shutil.disk_usage(tempfile.gettempdir()).free > 5 * 2**30, "the maps need 2.5 GB"
    main()
