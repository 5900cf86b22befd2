"""Images read ahead by a few threads: in order, in bounded memory, and with a `Failure` in the place of each bad one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Generic, NamedTuple, Protocol, TypeVar

from oddlens.errors import Failure, OddlensError, UsageError, shortened

BATCH_SIZE = 8
"""Images that run through a model together, by default."""

MAX_PIXELS = 16_000_000
"""The most pixels that are held ahead: 48 MB."""

MOST_THREADS = 4


class Sized(Protocol):
    """An image, or what it becomes in the loader, and how many pixels of memory it takes there."""

    @property
    def pixel_count(self) -> int:
        """Pixels, of three bytes each."""


S = TypeVar("S", bound=Sized)
S_co = TypeVar("S_co", bound=Sized, covariant=True)
T = TypeVar("T", bound=Sized)


class Readable(Protocol[S_co]):
    """An input: `oddlens.io.inputs.Input` gives pictures, and explains the fields."""

    @property
    def source(self) -> str:
        """Its name."""

    @property
    def in_order(self) -> bool:
        """Whether one thread must read it, behind those before it."""

    @property
    def keeps(self) -> bool:
        """Whether its pixels are also held elsewhere."""

    @property
    def read(self) -> Callable[[], S_co]:
        """Reads it. Raises OddlensError if it cannot be read."""


def checked_count(name: str, value: object) -> None:
    """Raise UsageError unless a setting is a whole number above 0. name: as the caller spells it, "batch_size"."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} cannot be {shortened(value)}: give a whole number above 0")


def processor_count() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """Threads that read: one a processor that this process may use, and at most `MOST_THREADS`."""
    return min(processor_count(), MOST_THREADS)


def ahead_count() -> int:
    """Images that are held ready, or wait, while the model computes: one with two threads, five with four.

    On two processors the model's threads leave no room; between two batches, reading and drawing have both to themselves.
    """
    return max(1, 2 * thread_count() - 3)


def load(
    inputs: Iterable[Readable[S]],
    prepare: Callable[[S], T],
    *,
    ahead: int | None = None,
    group: int = 1,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
) -> Generator[T, None, None]:
    """Read images ahead and give what `prepare` makes of each, in order. Whatever reading one raises is raised in its turn.

    A generator: the threads end when it ends, is closed, or fails. Inputs that are `in_order` are read one after the other, in one
    thread; the caller's thread iterates over `inputs` itself.

    Args:
        inputs: the images; any number of them.
        prepare: called in the threads; it takes an image and gives what the caller needs of it.
        ahead: images whose reading begins before the caller takes them, beyond the rest of the group; None: `ahead_count`. With 0
            no more are taken from `inputs` than the group needs: for a source whose next image is not there yet, such as a camera.
        group: the caller takes images in groups of so many.
        max_pixels: pixels that are held. No further image is begun when those that are read, and those being read at the largest
            size met so far, would come to more; one image of any size is always read.
        threads: None: `thread_count`.
    """
    with closing(_read_ahead(inputs, prepare, ahead, group, max_pixels, threads)) as each:
        for _, value, error in each:
            if value is None:
                raise _of(error)
            yield value
            del value  # before the next one is waited for


def load_each(
    inputs: Iterable[Readable[S]],
    prepare: Callable[[S], T],
    *,
    ahead: int | None = None,
    group: int = 1,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
) -> Generator[T | Failure, None, None]:
    """As `load`, with a `Failure` in the place of each image whose reading or preparing raises an `OddlensError`."""
    with closing(_read_ahead(inputs, prepare, ahead, group, max_pixels, threads)) as each:
        for source, value, error in each:
            if value is not None:
                yield value
            elif isinstance(error, OddlensError):
                yield Failure(source, str(error))
            else:
                raise _of(error)
            del value  # before the next one is waited for


class _Read(NamedTuple, Generic[T]):
    """An image that is read. pixels: how many its reading held. held: how many stay."""

    value: T
    pixels: int
    held: int


def _of(error: BaseException | None) -> BaseException:
    assert error is not None  # there is no value
    return error


def _read_ahead(
    inputs: Iterable[Readable[S]],
    prepare: Callable[[S], T],
    ahead: int | None,
    group: int,
    max_pixels: int,
    threads: int | None,
) -> Generator[tuple[str, T | None, BaseException | None], None, None]:
    """The name of each image with what became of it, in order: a value or an error."""

    def read(each: Readable[S]) -> _Read[T]:
        image = each.read()
        pixels, value = image.pixel_count, prepare(image)
        return _Read(value, pixels, pixels if each.keeps else value.pixel_count)

    window = _Window[T](max_pixels)
    rest, ended = iter(inputs), False
    beyond = ahead_count() if ahead is None else ahead
    given = 0
    pool = ThreadPoolExecutor(threads or thread_count(), "oddlens-read")
    in_order = ThreadPoolExecutor(1, "oddlens-read-in-order")
    try:
        while True:
            while not ended and len(window) < group - given % group + beyond and window.has_room():
                each = next(rest, None)
                if each is None:
                    ended = True
                else:
                    window.append(each.source, (in_order if each.in_order else pool).submit(read, each))
            if not len(window):
                return
            source, value, error = window.pop()
            yield source, value, error
            del value, error  # before the next one is waited for
            given += 1
    finally:
        for executor in (pool, in_order):
            executor.shutdown(wait=True, cancel_futures=True)


class _Window(Generic[T]):
    """The images that are begun and not yet given, in order."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._readings: deque[tuple[str, Future[_Read[T]]]] = deque()
        self._largest = 0

    def __len__(self) -> int:
        return len(self._readings)

    def append(self, source: str, reading: Future[_Read[T]]) -> None:
        """Take in an image that is begun."""
        self._readings.append((source, reading))

    def pop(self) -> tuple[str, T | None, BaseException | None]:
        """Wait for the first of them: its name, and its value or error."""
        source, reading = self._readings.popleft()
        error = reading.exception()
        if error is not None:
            return source, None, error
        read = reading.result()
        self._largest = max(self._largest, read.pixels)
        return source, read.value, None

    def has_room(self) -> bool:
        """Whether one more can be begun. How large it will be is not known: it counts as the largest so far."""
        if not self._readings:
            return True
        held = running = 0
        for _, reading in self._readings:
            if not reading.done():
                running += 1
            elif reading.exception() is None:
                read = reading.result()
                held += read.held
                self._largest = max(self._largest, read.pixels)
        if not self._largest and running:
            return False  # the first one is read alone
        return held + (running + 1) * self._largest <= self._max_pixels
