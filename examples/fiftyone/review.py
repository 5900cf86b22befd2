"""Review the results of a run in FiftyOne, and give oddlens what was said.

    oddlens results fiftyone results/ --to review/ --no-copy
    python review.py review/ line-3 results/

In the App, tag images "good", "bad" or "unsure" and come back to this program: it calls `oddlens feedback`. `oddlens station learn`
then makes a new version of the station. Needs FiftyOne and its database: pip install 'oddlens[fiftyone]'.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Protocol

TAGS = ("good", "bad", "unsure")


class Sample(Protocol):
    """What is needed of a FiftyOne sample."""

    filepath: str
    tags: list[str]


def feedback(samples: Iterable[Sample], station: str, results: str) -> list[str]:
    """The call of oddlens that says what the tags say; [] where nothing is tagged.

    Raises `ValueError` for an image with two of the tags.
    """
    said: dict[str, list[str]] = {tag: [] for tag in TAGS}
    for sample in samples:
        found = [tag for tag in TAGS if tag in sample.tags]
        if len(found) > 1:
            raise ValueError(f"{sample.filepath} is tagged {' and '.join(found)}: remove one of them")
        for tag in found:
            said[tag].append(sample.filepath)
    options = [word for tag, paths in said.items() for path in paths for word in (f"--{tag}", path)]
    return ["oddlens", "feedback", station, results, *options] if options else []


def main() -> int:
    """The command line."""
    import fiftyone

    folder, station, results = sys.argv[1:]
    dataset = fiftyone.Dataset.from_dir(folder, fiftyone.types.FiftyOneDataset)
    session = fiftyone.launch_app(dataset.sort_by("score", reverse=True))
    input("Tag images good, bad or unsure in the App; then press Enter here. ")
    session.close()
    dataset.reload()
    call = feedback(dataset, station, results)
    return subprocess.call(call) if call else 0


if __name__ == "__main__":
    raise SystemExit(main())
