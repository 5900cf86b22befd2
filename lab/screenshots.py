"""Pictures of the service's page for the documentation, with generated parts only: `python -m lab.screenshots`."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer
import uvicorn
from PIL import Image

from lab.commands import run
from lab.synthetic.product import Product, make_product
from oddlens.errors import UsageError, needs_package
from oddlens.history.records import FeedbackEntry, NewInspection
from oddlens.io.pixels import Pixels
from oddlens.loading import load
from oddlens.service.app import create_app
from oddlens.service.service import Service
from oddlens.service.settings import ServeSettings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Page

GOOD, INSPECTED, SIDE = 24, 180, 256
DEFECTIVE = 0.1
PART, DESIGN = "frame", 8
DEFECTS = ("scratch", "stain", "dent", "chipped edge", "crack", "discoloration")
LARGEST, MOST_BYTES = 960, 120_000


def screenshots(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the pictures go.")] = Path("docs/images"),
    browser: Annotated[
        str | None, typer.Option(metavar="FILE", help="The browser's program.", show_default="chromium of the PATH")
    ] = None,
) -> None:
    """Show a station that inspected generated parts for three days, and take a picture of each page."""
    program = browser or shutil.which("chromium")
    if program is None:
        raise UsageError("there is no chromium on the PATH: name the browser's program with --browser")
    with needs_package("playwright", "pictures of pages need playwright: run pip install 'oddlens[test]'"):
        from playwright.sync_api import sync_playwright
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        product = make_product(PART, DESIGN)
        buckles = _station(home / "buckles", product)
        stations = buckles, Path(shutil.copytree(buckles, home / "buckles, night shift"))
        with _served(ServeSettings(stations=stations, home=home / "home", audit=0.05)) as (url, service):
            _three_days(service, "buckles", product)
            opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            _take(opened, url, out, product)
            opened.close()


def _station(folder: Path, product: Product) -> Path:
    good = [folder.with_name("good") / f"part_{number:04}.png" for number in range(GOOD)]
    good[0].parent.mkdir()
    for number, path in enumerate(good):  # as files, of which the page shows thumbnails
        path.write_bytes(_png(product.sample(number, False, size=SIDE).image))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = load("patch-knn", runtime="onnx")
        detector.object_name = product.name
        detector.add_references(good)
        detector.calibrate()
        detector.save(folder)
    return folder


@contextmanager
def _served(settings: ServeSettings) -> Iterator[tuple[str, Service]]:
    """A service of this process, at a free port."""
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app.state.service
    finally:
        app.state.service.events.close()
        server.should_exit = True
        thread.join()


def _three_days(service: Service, name: str, product: Product) -> None:
    """Results of three days: some parts are defective, and people said of some of them what they are."""
    loaded, rng = service.stations[name].loaded(), np.random.default_rng(0)
    for number in range(INSPECTED):
        bad = bool(rng.random() < DEFECTIVE) or number == INSPECTED - 3
        sample = product.sample(1000 + number, bad, DEFECTS[int(rng.integers(len(DEFECTS)))] if bad else None, SIDE)
        (detection,) = loaded.detector.detect([sample.image])
        kept = service.history.add(
            NewInspection(
                station=name,
                station_version=loaded.version,
                time=datetime.now(UTC) - timedelta(minutes=22 * (INSPECTED - number)),
                source=f"part_{number:04}.png",
                origin="camera",
                digest=service.history.pictures.put(_png(sample.image)),
                detection=detection.to_dict(),
                error=None,
                map_digest=service.history.pictures.put_map(detection.anomaly_map),
                identity=loaded.identity,
                ms=round(float(rng.normal(24, 2)), 1),
                value_range=detection.value_range,
            )
        )
        if number % 4 == 0 or (bad and number < INSPECTED - 12):
            said = FeedbackEntry(
                inspection_id=kept.id,
                said="bad" if bad else "good",
                time=kept.time,
                defect=sample.defect,
                reviewer="Ana",
            )
            service.history.add_feedback(said)


def _take(browser: Browser, url: str, out: Path, product: Product) -> None:
    """A picture of each page; what is shown first is waited for."""

    def file(name: str, number: int, defect: str | None = None) -> FilePayload:
        pixels = product.sample(number, defect is not None, defect, SIDE).image
        return {"name": name, "mimeType": "image/png", "buffer": _png(pixels)}

    def worst(page: Page) -> None:
        page.locator("#strip .tile[data-verdict=ng]").first.click()

    def drop(page: Page) -> None:
        page.set_input_files("#drop input", [file("part.png", 2000, "chipped edge")])

    def four(page: Page) -> None:
        page.fill("[name=name]", "buckles 2")
        page.fill("[name=object_name]", PART)
        page.set_input_files("#drop input", [file(f"good_{number}.png", number) for number in range(4)])

    def nothing(page: Page) -> None:
        pass

    shots: tuple[tuple[str, str, Literal["light", "dark"], Callable[[Page], None], str, tuple[int, int]], ...] = (
        ("stations", "/", "light", nothing, "[data-station]", (1280, 560)),
        ("new", "/new", "light", four, "#chosen img", (1280, 640)),
        ("line", "/s/buckles", "light", worst, "#stage img", (1280, 800)),
        ("line-dark", "/s/buckles", "dark", worst, "#stage img", (1280, 800)),
        ("line-phone", "/s/buckles", "dark", worst, "#stage img", (375, 812)),
        ("review", "/s/buckles/review", "light", nothing, "#stage img", (1280, 800)),
        ("thresholds", "/s/buckles/thresholds", "light", nothing, "#promise:not(:empty)", (1280, 800)),
        ("teach", "/s/buckles/teach", "light", nothing, "#references button", (1280, 800)),
        ("history", "/s/buckles/history", "light", nothing, "#trend-legend span", (1280, 800)),
        ("try", "/s/buckles/try", "light", drop, "#overlay img", (1280, 800)),
    )
    for name, path, theme, act, shown, (width, height) in shots:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
        page.goto(url + path)
        act(page)
        page.wait_for_selector(shown)
        page.wait_for_timeout(700)  # thumbnails
        _write(out / f"page-{name}.png", page.screenshot())
        page.close()


def _write(path: Path, data: bytes) -> None:
    """With as many colours as leave the file small."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    for colours in (256, 128, 64, 48, 32, 24, 16):
        picture.quantize(colours, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {colours} colours")


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    run(screenshots, "lab.screenshots")
