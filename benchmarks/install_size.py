"""What oddlens costs without PyTorch and with it: size, installation, and the time to a first answer.

    python benchmarks/install_size.py [--rounds N] [--folder DIR] [--size-only]

It builds the wheel and installs it twice, with the versions of constraints.txt: alone, and with the extra `torch`. Both
environments hold no pip of their own, so that their sizes are those of oddlens and what it needs, compiled bytecode included.
MB are 2**20 bytes of disk blocks, as `du -m` counts them.

Then cold calls from the shell are timed in both, in turn: each is a process of its own, with the files in the disk's cache. The
installation with PyTorch is asked to compute with it (`--runtime torch`), and once without an option. `make demo` is the
installation and one demo; pip's cache should be warm: run it twice. --folder keeps the environments, or takes those there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
AIM_MB, AIM_WHEEL_MB, AIM_DETECT, AIM_DEMO = 420, 25, 3.0, 0.5
LIGHT, FULL = "light", "torch"


def main() -> None:
    """Build, install, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the environments are made, and kept")
    parser.add_argument("--size-only", action="store_true", help="only the size of the installation without PyTorch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        wheel = _wheel(folder)
        print(f"{'the wheel':44}{wheel.stat().st_size / 2**20:8.1f} MB   (aim: at most {AIM_WHEEL_MB})")
        seconds = {LIGHT: _install(folder / LIGHT, str(wheel))}
        _print_sizes(folder / LIGHT)
        if options.size_only:
            return
        seconds[FULL] = _install(folder / FULL, f"{wheel}[torch]")
        print(f"{'with the extra torch':44}{_blocks(folder / FULL):8.1f} MB")
        _print_times(folder, options.rounds, seconds)


def _wheel(folder: Path) -> Path:
    """The wheel of this checkout; one that lies there is taken."""
    if not (found := sorted((folder / "wheel").glob("*.whl"))):
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder / "wheel"), str(ROOT))
        found = sorted((folder / "wheel").glob("*.whl"))
    return found[0]


def _install(environment: Path, what: str) -> float | None:
    """Make an environment that holds oddlens. Returns the seconds it took; None where it was there already."""
    if environment.exists():
        return None
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    _pip(
        "--python", str(environment / "bin" / "python"), "install", "--constraint", str(ROOT / "constraints.txt"), what
    )
    return time.perf_counter() - start


def _pip(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        check=True,
        env=_environment(),
    )


def _environment(**more: str) -> dict[str, str]:
    """Without the paths of a checkout: what runs is what was installed."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | more


def _site(environment: Path) -> Path:
    return next((environment / "lib").glob("python*/site-packages"))


def _print_sizes(environment: Path) -> None:
    """The largest packages and the whole."""
    sizes = {each.metadata["Name"]: _size(each) for each in distributions(path=[str(_site(environment))])}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:12]:
        print(f"{name:44}{size:8.1f} MB")
    whole = f"the installation, {len(sizes)} packages without pip"
    print(f"{whole:44}{_blocks(environment):8.1f} MB   (aim: at most {AIM_MB})")


def _size(package: Distribution) -> float:
    files = [Path(str(package.locate_file(file))) for file in package.files or ()]
    return sum(file.lstat().st_blocks for file in files if file.is_file()) * 512 / 2**20


def _blocks(folder: Path) -> float:
    """All that lies in a folder, folders included."""
    return (folder.lstat().st_blocks + sum(each.lstat().st_blocks for each in folder.rglob("*"))) * 512 / 2**20


def _print_times(folder: Path, rounds: int, installed: Mapping[str, float | None]) -> None:
    demo = _site(folder / LIGHT) / "oddlens" / "assets" / "demo" / "star"
    image, references = str(demo / "test" / "good" / "000.jpg"), str(demo / "train" / "good" / "00[0-3].jpg")
    zero_shot = ["detect", image, "--object", "star"]
    few_shot = [*zero_shot, "--reference", references]
    calls = {
        "detect, one image": zero_shot,
        "detect, one image, four references": few_shot,
        "demo": ["demo", "--out", str(folder / "demo.html")],
    }
    medians: dict[tuple[str, str], float] = {}
    print(f"\n{'seconds from the shell, cold':36}{'':14}{'median':>8}{'least':>8}{'processor':>11}")
    for title, call in calls.items():
        ways = {
            LIGHT: (LIGHT, call),
            FULL: (FULL, [*call, "--runtime", "torch"]),
            "torch, graphs": (FULL, call),
        }
        for way in ways.values():
            _run(folder, *way)  # so that every file is in the disk's cache and prompts are encoded
        taken = [{name: _run(folder, *way) for name, way in ways.items()} for _ in range(rounds)]
        for name in ways:
            wall, processor = zip(*(each[name] for each in taken), strict=True)
            medians[title, name] = statistics.median(wall)
            print(
                f"{title:36}{name:14}{statistics.median(wall):8.2f}{min(wall):8.2f}{statistics.median(processor):11.2f}"
            )
    faster = medians["detect, one image", FULL] / medians["detect, one image", LIGHT]
    print(f"\n{'detect: times as fast without PyTorch':44}{faster:8.1f}      (aim: at least {AIM_DETECT:.0f})")
    light, full = installed[LIGHT], installed[FULL]
    if light is not None and full is not None:
        both = light + medians["demo", LIGHT], full + medians["demo", FULL]
        print(f"{'make demo: install and demo, seconds':44}{both[0]:8.1f} against {both[1]:.1f} with PyTorch")
        print(f"{'make demo: share of the time with PyTorch':44}{both[0] / both[1]:8.2f}      (aim: below {AIM_DEMO})")


def _run(folder: Path, environment: str, arguments: Sequence[str]) -> tuple[float, float]:
    """Wall and processor seconds of one call of `oddlens` in an environment."""
    command = [str(folder / environment / "bin" / "oddlens"), *arguments]
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=_environment(ODDLENS_CACHE=str(folder / "cache"), HF_HUB_OFFLINE="1"),
    )
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr}")
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
