"""How torch's threads share the processors with the rest of the machine, and what becomes of them in a forked process.

Threads that wait for one another spin. On a processor that another program wants too, they spin for its whole time slice, and an
image costs five to ten times its processor time. oddlens therefore lets them spin for tens of microseconds and then sleep, and
starts no more of them than there are processors that this process may use. `benchmarks/threads.py` measures that.

OpenMP reads its settings when torch is imported, so oddlens makes them when it is imported. Where torch was imported before, they
would have no effect, and oddlens makes none. A setting of the user's wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_SPINS = 1000
"""Tens of microseconds. With 300 a quiet machine is a tenth slower; with 10,000 a loaded one takes twice the processor time."""

_CGROUPS = "/sys/fs/cgroup"


def share_processors(environment: MutableMapping[str, str] = os.environ, cgroups: str = _CGROUPS) -> None:
    """Make OpenMP's settings in the environment, where torch has not read them yet, and keep forked processes from hanging."""
    if "torch" not in sys.modules:
        if not any(name in environment for name in _WAITING):
            environment["OMP_WAIT_POLICY"] = "PASSIVE"
            environment["GOMP_SPINCOUNT"] = str(_SPINS)  # GNU's OpenMP, torch's on Linux, takes this before the policy
        allowed = _allowed_processors(cgroups)
        if allowed is not None and not any(name in environment for name in _COUNTS):
            environment["OMP_NUM_THREADS"] = str(allowed)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_compute_alone)


def _compute_alone() -> None:
    """Use one thread in a forked process. OpenMP would wait for ever for threads that stayed behind in the parent."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _allowed_processors(cgroups: str) -> int | None:
    """How many processors' time a container may use; None where that is not less than the processors that it sees."""
    try:
        quota, period = _quota(cgroups)
        allowed = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no container, "max", or another system
        return None
    return max(1, int(allowed)) if 0 < allowed < len(os.sched_getaffinity(0)) else None


def _quota(cgroups: str) -> list[str]:
    """The processor time that a container may use, and in which time. Its system says both in one file, an older one in two."""
    try:
        return _read(f"{cgroups}/cpu.max").split()
    except FileNotFoundError:
        return [_read(f"{cgroups}/cpu/cpu.cfs_{name}_us") for name in ("quota", "period")]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 importing pathlib would double the time of importing oddlens
        return file.read()
