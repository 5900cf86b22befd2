"""The demonstration as a service: a station for each kind of image that the package carries, and its images, inspected."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from oddlens.data import open_dataset
from oddlens.errors import OddlensWarning
from oddlens.inference.demo import FOLDER, REFERENCES
from oddlens.io.images import read_image
from oddlens.io.paths import read_bytes
from oddlens.service.inspector import StoppedError
from oddlens.service.run import run
from oddlens.service.service import Service
from oddlens.service.settings import ServeSettings
from oddlens.teaching.calibrating import of_references


def serve_demo(port: int, runtime: str, say: Callable[[str], object]) -> None:
    """Serve until a signal comes; all of it is gone afterwards. say: as `run` takes it."""
    with tempfile.TemporaryDirectory(prefix="oddlens-demo-") as name:
        home = Path(name)
        _make_stations(home / "stations", runtime)
        run(ServeSettings(home=home, port=port, runtime=runtime), say, _start)


def _make_stations(folder: Path, runtime: str) -> None:
    dataset = open_dataset(FOLDER, layout="mvtec")
    for category in dataset.categories:
        good = sorted(record.image for record in dataset.select(category=category, split="train"))[:REFERENCES]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OddlensWarning)
            pictures = [read_image(path, path.name) for path in good]
            detector = of_references(pictures, category.replace("_", " "), runtime, lambda vetted: None)
            detector.save(folder / category, f"made of {len(good)} references of the demonstration")


def _start(service: Service) -> None:
    Thread(target=_inspect_all, args=(service,), daemon=True).start()


def _inspect_all(service: Service) -> None:
    dataset = open_dataset(FOLDER, layout="mvtec")
    for station in service.stations:
        for record in dataset.select(category=station.name, split="test"):
            source = f"{record.defect or 'good'}-{record.image.name}"
            try:
                service.inspector.inspect_waiting(station, read_bytes(record.image), source, "page")
            except StoppedError:
                return
