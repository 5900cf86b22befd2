"""Memory that was freed goes back to the system."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import threading
import numpy as np
from oddlens.io.freed_memory import give_back_memory, reuse_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

if "reuse" in sys.argv:
    reuse_freed_memory()
kept = []
def take():  # blocks too small to be mapped by themselves, with a kept one behind them
    blocks = [np.ones(60_000, np.uint8) for _ in range(2000)]
    kept.append(np.ones(60_000, np.uint8))
thread = threading.Thread(target=take)
thread.start()
thread.join()
before = resident()
give_back_memory()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
@pytest.mark.parametrize("how", ["own", "reuse"])
def test_what_a_thread_freed_is_given_back(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50_000_000
