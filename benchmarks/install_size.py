"""How much disk the core takes without torch: the packages oddlens needs, less torch and what torch itself needs.

    python benchmarks/install_size.py

Run it in an environment where oddlens is installed. Sizes are those of the installed files, compiled bytecode included.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

AIM_MB = 350


def main() -> None:
    """Print the largest packages and the sum."""
    sizes = {name: _megabytes(distribution(name)) for name in _needed("oddlens") - _needed("torch")}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:10]:
        print(f"{name:36}{size:8.1f} MB")
    print(
        f"{'core without torch, ' + str(len(sizes)) + ' packages':36}{sum(sizes.values()):8.1f} MB   (aim: under {AIM_MB})"
    )


def _needed(name: str) -> set[str]:
    """A package and all that it needs, without extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        known = waiting.pop()
        if known in found:
            continue
        try:
            requirements = distribution(known).requires or []
        except PackageNotFoundError:  # needed only on other systems
            continue
        found.add(known)
        plain = [text for text in requirements if "extra ==" not in text]
        waiting += [re.split(r"[^A-Za-z0-9._-]", text)[0].lower().replace("_", "-") for text in plain]
    return found


def _megabytes(package: Distribution) -> float:
    files = [Path(str(package.locate_file(file))) for file in package.files or []]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
