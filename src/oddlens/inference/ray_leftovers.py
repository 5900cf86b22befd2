"""What a Ray that was started here leaves behind where our process is killed: it ends within seconds.

Ray's agents report the death of their node to a server that died with it, and wait a minute for its answer; no setting of Ray's
shortens that. So a process of its own waits beside the run: `python -m oddlens.inference.ray_leftovers PID:TIME ...`, which are the
agents and when they began, as the number of a process is given again. It ends when its standard input does, as that does with us.
"""

from __future__ import annotations

import subprocess
import sys
import time

_GRACE_S = 3
"""So long they may end by themselves, as they do where Ray is shut down."""


def end_with_us() -> subprocess.Popen[bytes]:
    """Let the processes that Ray's node has now end soon after this one, however it ends. Ray has been started.

    Returns:
        What waits for that, until it is terminated: keep it, as its standard input ends with it.
    """
    import psutil

    nodes = [each for each in psutil.Process().children() if each.name() == "raylet"]
    marks = [f"{each.pid}:{each.create_time()}" for node in nodes for each in node.children(recursive=True)]
    return subprocess.Popen(
        [sys.executable, "-m", "oddlens.inference.ray_leftovers", *marks],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not meant for it
    )


def main(marks: list[str]) -> None:
    """Wait until standard input ends; then end what is left of them. marks: as the command gets them."""
    sys.stdin.buffer.read()
    time.sleep(_GRACE_S)

    import psutil
    import ray  # noqa: F401 (it brings psutil)

    for mark in marks:
        number, _, began = mark.partition(":")
        try:
            found = psutil.Process(int(number))
            if str(found.create_time()) == began:
                found.kill()
        except psutil.Error:  # it ended meanwhile
            continue


if __name__ == "__main__":
    main(sys.argv[1:])
