"""The long run: `python -m tests.fuzz`. See --help."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.runner import KINDS, Input, Tally, case_of, run_all
from tests.fuzz.summary import findings_text, table

_SAY_EVERY_SECONDS = 10


def main() -> int:
    """Exit code 0 where there is no finding, 1 where there is one, 130 where it was stopped."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each kind, over all seeds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4], help="the count is divided among them")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--nice", type=int, default=10, help="how far the workers step back behind other processes")
    parser.add_argument("--findings", type=Path, help="a file that each finding is written to as it is met")
    parser.add_argument("--summary", type=Path, help="a file for the summary, in Markdown; it is printed in any case")
    parser.add_argument(
        "--again", metavar="KIND:SEED:NUMBER", help="run this input alone, in this process, with its whole traceback"
    )
    options = parser.parse_args()
    if options.again:
        return again(options.again)
    inputs = plan(options.kinds, options.seeds, options.count)
    tally, stopped, started = Tally(), False, time.time()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped run tells what it has
    try:
        for ended in _shown(run_all(inputs, options.workers, options.nice), tally, len(inputs)):
            tally.add(ended)
            if ended.outcome.end == "finding":
                text = f"{tally.findings[-1]}\n"
                print(text, file=sys.stderr)
                if options.findings:
                    with options.findings.open("a", encoding="utf-8", errors="backslashreplace") as file:
                        file.write(text)
    except KeyboardInterrupt:
        stopped = True
    command = shlex.join(["python", "-m", "tests.fuzz", *sys.argv[1:]])
    summary = table(tally, command, started, time.time() - started, options.workers, stopped)
    print(summary)
    print(findings_text(tally))
    if options.summary:
        options.summary.write_text(summary, encoding="utf-8")
    return 130 if stopped else 1 if tally.findings else 0


def plan(kinds: Sequence[str], seeds: Sequence[int], count: int) -> list[Input]:
    """The inputs: `count` of each kind, evenly over the seeds, the kinds mixed so that a stopped run has some of all."""
    share = -(-count // len(seeds))
    numbered = [(seed, number) for number in range(share) for seed in seeds][:count]
    return [Input(kind, seed, number) for seed, number in numbered for kind in kinds]


def again(name: str) -> int:
    """Run one input here; what it raises is seen as it is."""
    kind, seed, number = name.split(":")
    with tempfile.TemporaryDirectory(prefix="oddlens-fuzz-") as folder, tempfile.TemporaryDirectory() as scratch:
        from tests.fuzz.world import World

        case = case_of(Input(kind, int(seed), int(number)), World(Path(folder)), Path(scratch))
        print(case.what.encode("unicode_escape").decode(), file=sys.stderr)
        case.run()
    print("it ended with a result", file=sys.stderr)
    return 0


def _shown(run, tally: Tally, total: int):
    """The run itself; every few seconds where it is goes to stderr."""
    started = said = time.monotonic()
    with contextlib.closing(run):
        for number, ended in enumerate(run, start=1):
            yield ended
            now = time.monotonic()
            if now - said >= _SAY_EVERY_SECONDS or number == total:
                said = now
                rest = (now - started) / number * (total - number)
                print(
                    f"fuzz: {number} of {total} inputs, {len(tally.findings)} findings, {number / (now - started):.0f} a second, "
                    f"about {rest / 60:.0f} min to go",
                    file=sys.stderr,
                    flush=True,
                )


if __name__ == "__main__":
    sys.exit(main())
