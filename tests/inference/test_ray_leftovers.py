"""What ends with a process that is killed: only what it marked, and only once it is gone."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("ray")
import psutil


def test_a_marked_process_ends_and_one_that_only_has_its_number_does_not() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as marked,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
    ):
        began = psutil.Process(marked.pid).create_time()
        marks = [f"{marked.pid}:{began}", f"{other.pid}:1.0"]
        watch = subprocess.Popen(
            [sys.executable, "-m", "oddlens.inference.ray_leftovers", *marks], stdin=subprocess.PIPE
        )
        with pytest.raises(subprocess.TimeoutExpired):
            marked.wait(1)  # we live
        watch.communicate(timeout=60)
        assert watch.returncode == 0
        assert marked.wait(10) < 0
        assert other.poll() is None
        other.kill()
