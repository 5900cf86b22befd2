"""Progress on stderr: how much is done, how fast, how long still. Silent where stderr is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class ShowStage(Protocol):
    """Shows how much of a stage is done, and in a note what else is worth watching."""

    def __call__(self, stage: str, done: int, total: int, note: str = "", /) -> None:
        """Show it."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar over `total` things; the value given is called with how many more are done."""
    with stages() as show:
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            show(what, done, total)

        show(what, 0, total)
        yield advance


@contextmanager
def stages() -> Iterator[ShowStage]:
    """Bars for several stages: the value given is called with (stage, done, total) and, if there is one, a note."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:.1f}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    tasks: dict[str, TaskID] = {}
    # rich lifts what is printed over the bar, onto the bar's own stream: right for a screen, the loss of data for a file or a pipe
    lift = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=lift) as bar:

        def show(stage: str, done: int, total: int, note: str = "", /) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, note=note)
            bar.update(tasks[stage], completed=done, note=note)

        yield show
