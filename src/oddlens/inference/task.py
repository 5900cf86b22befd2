"""The task of a run, and what its sinks know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from oddlens.errors import Failure
from oddlens.inference.run_document import RunDocument
from oddlens.io.remote import ImagePath
from oddlens.io.video import VideoFrame


@dataclass(frozen=True, eq=False)
class HeldImage:
    """An image that is at hand before its run: a file of a watched folder, or a frame of a camera.

    Attributes:
        name: What it is called: its path, or its camera and time.
        stem: Of the files that are written for it.
        data: The encoded image.
        sha256: Of `data`.
        came: When, UTC.
        file: Where it lies; None for a frame of a camera.
        modified: The file's time of change.
    """

    name: str
    stem: str
    data: bytes = field(repr=False)
    sha256: str
    came: datetime
    file: Path | None = None
    modified: float = 0.0

    def __fspath__(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True)
class SentImage:
    """An image of a run in another process, see `oddlens.inference.engine`.

    Attributes:
        source: Its path.
        drawn_as: What its drawings are called; None where nothing is drawn.
    """

    source: str
    drawn_as: str | None

    @property
    def stem(self) -> str:
        """Its name without folder and suffix."""
        return Path(self.source).stem

    def __fspath__(self) -> str:
        """Its path."""
        return self.source


Item = ImagePath | VideoFrame | HeldImage | SentImage | Failure
"""An image of a run; a failure stands where no image was found."""


@dataclass(frozen=True)
class Task:
    """The images of a run, and the name of the object on them. passed_over: what was not taken, see `finding.Found`."""

    object_name: str
    items: tuple[Item, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RunInfo:
    """A run, as its sinks see it.

    Attributes:
        task: The images.
        smooths: Whether the frames of videos are smoothed.
        make_settings: Computes `settings`.
    """

    task: Task
    smooths: bool
    make_settings: Callable[[], RunDocument] = field(repr=False)

    @cached_property
    def settings(self) -> RunDocument:
        """As run.json has them: "run" (all that numbers depend on), "machine", "passed_over"; computed once, at the first use."""
        return self.make_settings()
