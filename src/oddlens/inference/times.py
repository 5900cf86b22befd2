"""Where the time of a run went."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass
class Times:
    """Seconds of a run by what they were spent on. Seconds of threads add up beside those of the run itself.

    Attributes:
        reading: In the threads that read images.
        predicting: The predictor, with its waiting for images.
        drawing: In the threads that draw and write drawings.
        waiting: For drawings to be done.
        writing: In the sinks, for each result.
    """

    reading: float = 0.0
    predicting: float = 0.0
    drawing: float = 0.0
    waiting: float = 0.0
    writing: float = 0.0

    def __str__(self) -> str:
        """In words."""
        in_threads = f"reading {self.reading:.1f} s and drawing {self.drawing:.1f} s in threads"
        return f"{in_threads}; predicting {self.predicting:.1f} s, waiting {self.waiting:.1f} s, writing {self.writing:.1f} s"

    def add(self, kind: str, started: float) -> float:
        """Add the seconds since `started` (`time.perf_counter`); returns them. Threads may call it at once."""
        seconds = time.perf_counter() - started
        with _counting:
            setattr(self, kind, getattr(self, kind) + seconds)
        return seconds


_counting = threading.Lock()
