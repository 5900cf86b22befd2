"""Make the images of docs/start/first-job.md with its own commands, on images that oddlens carries: needs playwright and chromium.

python scripts/make_first_job_pictures.py [CHROMIUM]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).parents[1] / "docs" / "images"
SIDE, GAP, TITLE = 172, 12, 26
INK, PAPER = "#1c2024", "#ffffff"


def main(chromium: str | None) -> None:
    """Work through the page in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "star"
        _oddlens(folder.parent, "demo --images star")
        rows = [(each, sorted((folder / each).iterdir())) for each in ("good", "parts")]
        folders = _sheet([(f"{row}/{path.name}", path) for row, paths in rows for path in paths], 5)
        folders.save(OUT / "first-job-folders.jpg", quality=90)
        _oddlens(folder, "station create line-3 --object star --reference good/")
        _oddlens(folder, "detect parts/ --station line-3 --out results")
        _photograph(folder / "results" / "report.html", OUT / "first-job-report.png", chromium)
        before = shutil.copy(folder / "results" / "overlays" / "bend.png", folder / "before.png")
        _oddlens(folder, "judge results --threshold 0.215")
        after = folder / "results" / "overlays" / "bend.png"
        _sheet([("before", Path(before)), ("after", after)], 2, 330).save(OUT / "first-job-threshold.jpg", quality=90)


def _oddlens(folder: Path, call: str) -> None:
    subprocess.run([sys.executable, "-m", "oddlens", *call.split()], cwd=folder, check=True, capture_output=True)


def _sheet(images: list[tuple[str, Path]], columns: int, side: int = SIDE) -> Image.Image:
    """Images in rows, each below its name; a row ends where the folder changes."""
    rows: list[list[tuple[str, Path]]] = []
    for name, path in images:
        if not rows or len(rows[-1]) == columns or rows[-1][-1][1].parent.name == "good" != path.parent.name:
            rows.append([])
        rows[-1].append((name, path))
    opened = [[(name, Image.open(path).convert("RGB")) for name, path in row] for row in rows]
    height = max(round(side * image.height / image.width) for row in opened for _, image in row)
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, len(rows) * (TITLE + height + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for line, row in enumerate(opened):
        for number, (name, image) in enumerate(row):
            left, top = GAP + number * (side + GAP), GAP + line * (TITLE + height + GAP)
            draw.text((left, top), name, fill=INK, font=ImageFont.load_default(14))
            shown = image.resize((side, round(side * image.height / image.width)), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left, top + TITLE))
    return sheet


def _photograph(page: Path, out: Path, chromium: str | None) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium or shutil.which("chromium"))
        view = browser.new_page(viewport={"width": 900, "height": 1560})
        view.goto(page.as_uri())
        view.screenshot(path=out)
        browser.close()
    with Image.open(out) as image:
        small = image.convert("RGB").resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:2] or [None])
