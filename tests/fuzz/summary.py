"""The summary of a run, in Markdown."""

from __future__ import annotations

import os
import platform
import re
import time
from importlib.metadata import version

from oddlens import __version__
from tests.fuzz.case import FINDING, RESULT, SENTENCE
from tests.fuzz.runner import KINDS, Tally

_PACKAGES = ("torch", "numpy", "pillow", "opencv-python-headless", "safetensors", "tokenizers", "av")


def table(tally: Tally, command: str, started: float, seconds: float, workers: int, stopped: bool) -> str:
    """How many inputs of each kind ended how, and what they cost; with the command, the date and the versions."""
    day = time.strftime("%Y-%m-%d", time.gmtime(started))
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    lines = [
        f"`{command}`, {day}: {sum(tally.ends.values()):,} inputs in {seconds / 60:.0f} minutes"
        + (" (stopped before its end)" if stopped else "")
        + f", {workers} processes on {os.cpu_count()} {platform.machine()} cores.",
        f"oddlens {__version__}, Python {platform.python_version()}, {versions}; {platform.system()}.",
        "",
        "| kind | inputs | clean result | one sentence | findings | CPU ms, mean | CPU s, longest | memory MB, most |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in [*KINDS, "all"]:
        of = KINDS if kind == "all" else (kind,)
        ends = [sum(tally.ends[each, end] for each in of) for end in (RESULT, SENTENCE, FINDING)]
        if not sum(ends):
            continue
        mean = 1000 * sum(tally.cpu_seconds[each] for each in of) / sum(ends)
        longest, most = (max(values.get(each, 0) for each in of) for values in (tally.longest, tally.most_bytes))
        counts = " | ".join(f"{count:,}" for count in (sum(ends), *ends))
        lines.append(f"| {kind} | {counts} | {mean:.1f} | {longest:.2f} | {most / 1e6:.0f} |")
    return "\n".join(lines) + "\n"


def findings_text(tally: Tally) -> str:
    """The findings, by their last line, each sort with how often it was met and an input."""
    sorts: dict[str, list[str]] = {}
    for each in tally.findings:
        last = re.sub(r"'[^']*'|\"[^\"]*\"|-?\d[\d.e+-]*", "_", each.how.splitlines()[-1])[:120]
        place = next((line.strip() for line in reversed(each.how.splitlines()) if "/oddlens/" in line), "").partition(
            "/oddlens/"
        )[2]
        sorts.setdefault(f"{each.input.kind}: {last} [{place}]", []).append(str(each.input))
    ranked = sorted(sorts.items(), key=lambda item: -len(item[1]))
    return "\n".join(f"{len(inputs):6}  {sort}   ({', '.join(inputs[:3])})" for sort, inputs in ranked)


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "absent"
