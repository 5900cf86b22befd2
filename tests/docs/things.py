"""What pages find in their folder: made once, by oddlens itself, and copied for each page that asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

import oddlens
from tests.cli.program import run

PACKAGE = Path(oddlens.__file__).parent


def _examples() -> None:
    """The examples of a clone."""
    shutil.copytree(Path(__file__).parents[2] / "examples", "examples")


def _src() -> None:
    """The package where a clone has it, for pages that show a clone."""
    Path("src").mkdir()
    Path("src/oddlens").symlink_to(PACKAGE)


def _moved(name: str) -> None:
    """What `oddlens demo --images` writes, without the folder above it."""
    shutil.copytree(Path("star", name), name)


def _sorted_out(name: str, pattern: str) -> None:
    """Some of the parts."""
    Path(name).mkdir()
    for path in Path("parts").glob(pattern):
        shutil.copyfile(path, Path(name, path.name))


def _roi() -> None:
    """A region of interest as an image: the middle is white."""
    image = Image.new("L", (224, 224))
    image.paste(255, (30, 30, 194, 194))
    image.save("roi.png")


def _drive() -> None:
    """A few frames of a video."""
    from tests.small_video import drive, write_video  # which needs PyAV

    write_video(Path("drive.mp4"), drive(4))


def _called(*calls: str) -> Callable[[], None]:
    def make() -> None:
        for call in calls:
            done = run(*call.split()[1:])
            assert done.code == 0, done.err

    return make


THINGS: dict[str, tuple[tuple[str, ...], Callable[[], object]]] = {
    "src": ((), _src),
    "examples": ((), _examples),
    "star": ((), _called("oddlens demo --images star")),
    "good": (("star",), lambda: _moved("good")),
    "parts": (("star",), lambda: _moved("parts")),
    "more_good": (("parts",), lambda: _sorted_out("more_good", "good-*.jpg")),
    "bad": (("parts",), lambda: _sorted_out("bad", "[!g]*.jpg")),
    "incoming": (("parts",), lambda: shutil.copytree("parts", "incoming")),
    "roi.png": ((), _roi),
    "drive.mp4": ((), _drive),
    "line-3": (("good",), _called("oddlens station create line-3 --object star --reference good/")),
    "words": (("good",), _called("oddlens station create words --object star --reference good/ --method winclip")),
    "results": (("line-3", "parts"), _called("oddlens detect parts/ --station line-3 --out results")),
}
"""Each thing: what it is made of, and how, in a folder that holds that."""


def put(name: str, folder: Path, store: Path) -> None:
    """Copy a thing into a folder; in `store` each is made at its first time."""
    if not (store / name).exists():
        made_of, make = THINGS[name]
        for each in made_of:
            put(each, store, store)
        before = Path.cwd()
        os.chdir(store)
        try:
            make()
        finally:
            os.chdir(before)
    if (store / name).is_file():
        shutil.copy2(store / name, folder / name)
    elif not (folder / name).exists():
        shutil.copytree(store / name, folder / name, symlinks=True)
