"""A folder that is watched for new images, by polling: systems tell nothing of what others write to a network drive."""

from __future__ import annotations

import errno
import hashlib
import heapq
import itertools
import os
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oddlens.errors import OddlensError, UsageError, printable
from oddlens.io.atomic import append, write_bytes
from oddlens.io.decoding import FORMAT_OF_SUFFIX
from oddlens.io.finding import JUNK_FOLDERS, MASK_ENDING, earlier_outputs
from oddlens.io.paths import is_dir, is_file, open_file, read_bytes

EVERY = 1.0
"""Seconds between two looks at the folder."""

MOST_BYTES = 256_000_000
"""Of a file: a larger one is no image of a camera, and it is passed over."""

MOST_AT_ONCE = 10_000
"""Files of one look that are held by name; the others are met again by the next one."""

MOVED_TO = {"ok": "done", "review": "review", "ng": "ng", "failed": "failed", "none": "done"}
"""The folder that an image is moved to, by its verdict (see `records.count_verdicts`)."""

_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart")
"""Endings of the stems of files that are being written ("a.part.png"); those with such a suffix are no images anyway."""

_TRIES = 10
"""Looks at a file that cannot be opened before it is said."""

_SPARE = 100_000
"""Files that are gone from the folder and still held, so that nothing is read anew where a drive was away for a while."""


@dataclass(frozen=True, eq=False)
class WatchedFile:
    """A file that came, read. sha256: of its bytes. fingerprint: of its path, size and time of change."""

    path: Path
    data: bytes
    sha256: str
    modified: float
    fingerprint: int


class WatchedFolder:
    """The images that come into a folder, or into folders in it, each of them once by its content.

    A file counts when two looks at it, `every` seconds apart, found the same size and time of change, and when it can be read. A
    file that is overwritten is seen again, if its content is another. Passed over are hidden and temporary names, everything
    without the suffix of an image, masks, and what runs of oddlens wrote. Of a file that was seen a number is held, not its name.

    Attributes:
        is_lost: Whether the last look could not list the folder.
        passed_over: How many files the last look passed over, by suffix, as `Found.passed_over`.

    Args:
        folder: The folder. It need not be there yet.
        is_known: Whether the content of a file was seen before, by its SHA-256, in another run too.
        say: Called with (is_ok, sentence) where the folder is lost or found again.
        remark: Called with a sentence of a file or of a folder in it that cannot be used; once, of a file whose content is known.
        leave_out: Folders in it that are not watched.
        memory: A file that holds what was seen, so that a restart need not read a file to tell that it is known; see `remember`.
        every: Seconds between two looks.
        clock: Seconds, rising.
    """

    def __init__(
        self,
        folder: Path,
        is_known: Callable[[Path, str], bool],
        say: Callable[[bool, str], None] = lambda is_ok, sentence: None,
        remark: Callable[[str], None] = lambda sentence: None,
        *,
        leave_out: tuple[Path, ...] = (),
        memory: Path | None = None,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._is_known, self._say, self._remark, self._clock = is_known, say, remark, clock
        self._every = every
        self._leave_out = {os.path.realpath(each) for each in leave_out}
        self._memory = None if memory is None else _Memory(memory)
        self._seen = set[int]() if self._memory is None else self._memory.read()
        self._waiting = set[int]()  # met by the last look, and not given yet
        self._new: list[int] = []  # given, and not remembered yet
        self._unopened: dict[int, int] = {}
        self._said = set[str]()
        self._due = clock()
        self._was_there = self._has_said_known = False
        self.is_lost = False
        self.passed_over = Counter[str]()

    @property
    def wait_s(self) -> float:
        """Seconds until the next look is due."""
        return max(0.0, self._due - self._clock())

    def each(self, stop: threading.Event) -> Iterator[WatchedFile]:
        """The files as they come, until `stop` is set; the caller is waited for."""
        while not stop.is_set():
            yield from itertools.takewhile(lambda _: not stop.is_set(), self.poll())
            stop.wait(self.wait_s)

    def poll(self) -> Iterator[WatchedFile]:
        """Look at the folder once and read the settled files, one by one, the oldest first; nothing before a look is due."""
        if self.wait_s:
            return
        started = self._clock()
        settled = self._look()
        ended = self._clock()
        self._due = ended + max(
            self._every, 4 * (ended - started)
        )  # a large folder on a slow drive is looked at less often
        given = set[str]()
        for _, name, size, modified, fingerprint in settled:
            if (file := self._read(name, size, modified, fingerprint, given)) is not None:
                given.add(file.sha256)
                yield file

    def remember(self) -> None:
        """What was given so far is done: a restart passes it over. Raises `OddlensError` if that cannot be written."""
        if self._memory is not None and self._new:
            self._memory.add(self._new)
        self._new.clear()

    def forget(self, file: WatchedFile) -> None:
        """A file that was given could not be worked on: the next look gives it again."""
        self._seen.discard(file.fingerprint)
        with suppress(ValueError):
            self._new.remove(file.fingerprint)

    def _look(self) -> list[tuple[int, str, int, float, int]]:
        """The settled files by their time of change, at most `MOST_AT_ONCE`."""
        waiting, kept = set[int](), set[int]()

        def settled() -> Iterator[tuple[int, str, int, float, int]]:
            for entry in self._walk(os.fspath(self.folder)):
                try:
                    stat = entry.stat()
                except OSError:  # it is gone
                    continue
                if stat.st_size > MOST_BYTES:
                    self._say_once(entry.path, f"holds more than {MOST_BYTES // 1_000_000} MB: it is passed over")
                    continue
                if not stat.st_size:
                    continue
                fingerprint = _fingerprint(entry.path, stat.st_size, stat.st_mtime_ns)
                if fingerprint in self._seen:
                    kept.add(fingerprint)
                    continue
                waiting.add(fingerprint)
                if fingerprint in self._waiting:
                    yield stat.st_mtime_ns, entry.path, stat.st_size, stat.st_mtime, fingerprint

        self.passed_over.clear()
        try:
            found = heapq.nsmallest(MOST_AT_ONCE, settled())
        except OSError as error:
            if not self.is_lost:
                self._say(False, f"{self._lost(error)}: it is looked for again")
            self.is_lost = True
            return []
        if self.is_lost:
            self._say(
                True, f"the folder {printable(str(self.folder))} is there{' again' if self._was_there else ' now'}"
            )
        self.is_lost, self._was_there = False, True
        self._waiting = waiting
        self._unopened = {key: count for key, count in self._unopened.items() if key in waiting}
        if len(self._seen) > 2 * len(kept) + _SPARE:
            self._seen = kept | set(self._new)
            if self._memory is not None:
                self._memory.write(kept)
        return found

    def _walk(self, top: str) -> Iterator[os.DirEntry[str]]:
        """The images in and below a folder. Raises OSError if the folder itself cannot be listed."""
        pending, entered = [top], {os.path.realpath(top)}
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    listed = list(entries) if self._holds_outputs(folder) else entries
                    ours = earlier_outputs({each.name for each in listed}) if isinstance(listed, list) else frozenset()
                    for entry in listed:
                        name = entry.name
                        if name.startswith((".", "~")) or name in ours:
                            continue
                        if is_dir(entry):
                            real = os.path.realpath(entry.path)
                            if not (name.casefold() in JUNK_FOLDERS or real in entered or real in self._leave_out):
                                entered.add(real)  # a linked folder may hold itself
                                pending.append(entry.path)
                        elif _is_image(name):
                            yield entry
                        else:
                            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 a Path for each of many files is slow
                            self.passed_over[suffix or "without a suffix"] += 1
            except OSError as error:
                if folder == top:
                    raise
                if not isinstance(error, FileNotFoundError):
                    self._say_once(folder, f"{_why_lost(error)}: it is looked for again")

    def _say_once(self, path: str, what: str) -> None:
        if path not in self._said:
            self._said.add(path)
            self._remark(f"{printable(path)} {what}")

    @staticmethod
    def _holds_outputs(folder: str) -> bool:
        return any(os.path.exists(f"{folder}/{name}") for name in ("run.json", "cells"))  # noqa: PTH110 it never raises

    def _lost(self, error: OSError) -> str:
        """That the folder cannot be listed, in words: one that never was there is not gone."""
        folder = f"the folder {printable(str(self.folder))}"
        if isinstance(error, FileNotFoundError) and not self._was_there:
            return f"there is no {folder.removeprefix('the ')}"
        return f"{folder} {_why_lost(error)}"

    def _read(
        self, name: str, size: int, modified: float, fingerprint: int, given: Container[str]
    ) -> WatchedFile | None:
        """A settled file; None if it cannot be opened yet, has changed since, or holds what is known or was given by this look.

        given: by this look, their SHA-256. What becomes of such a copy depends on the first one: the next look meets it again.
        """
        path = Path(name)
        try:
            data = read_bytes(path)
            with open_file(path) as file:
                stat = os.fstat(file.fileno())
        except OSError as error:
            self._could_not_open(path, fingerprint, error)
            return None
        if len(data) != size or _fingerprint(name, stat.st_size, stat.st_mtime_ns) != fingerprint:
            return None  # somebody writes to it
        self._unopened.pop(fingerprint, None)
        digest = hashlib.sha256(data).hexdigest()
        is_known = self._is_known(path, digest)
        if digest in given and not is_known:
            return None
        self._waiting.discard(fingerprint)
        self._seen.add(fingerprint)
        self._new.append(fingerprint)
        if not is_known:
            return WatchedFile(path, data, digest, modified, fingerprint)
        if not self._has_said_known:
            self._has_said_known = True
            self._remark(
                f"{printable(name)} holds what was inspected before: each content counts once, so that this file and others like "
                "it are not inspected again"
            )
        return None

    def _could_not_open(self, path: Path, fingerprint: int, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        tries = self._unopened[fingerprint] = self._unopened.get(fingerprint, 0) + 1
        if tries == _TRIES:
            self._remark(
                f"{printable(str(path))} cannot be opened ({error.strerror}): check its permissions; it is tried again"
            )


class Mover:
    """Moves images out of a watched folder, into folders in it by their verdict; what is there is never overwritten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._taken = set[Path]()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where to: these must not be watched."""
        return tuple(self.folder / name for name in dict.fromkeys(MOVED_TO.values()))

    def place(self, path: Path, verdict: str) -> Path:
        """A free place for a file, which it keeps until `move`: its own name there, or that name with a number."""
        wanted = self.folder / MOVED_TO[verdict] / path.relative_to(self.folder)
        names = itertools.chain(
            [wanted], (wanted.with_stem(f"{wanted.stem}-{number}") for number in itertools.count(2))
        )
        place = next(name for name in names if name not in self._taken and not os.path.lexists(name))
        self._taken.add(place)
        return place

    def move(self, path: Path, place: Path) -> None:
        """Move a file to its place.

        Raises:
            OddlensError: It cannot be moved, or something came to its place meanwhile: the file stays where it is.
        """
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(exist_ok=False)  # so that nothing is overwritten: replacing it is one step
            try:
                path.replace(place)
            except OSError:
                place.unlink()
                raise
        except OSError as error:
            reason = "there is such a file already" if error.errno == errno.EEXIST else error.strerror
            raise OddlensError(
                f"{printable(str(path))} cannot be moved to {printable(str(place))} ({reason}): it stays where it is"
            ) from error
        finally:
            self._taken.discard(place)


def memory_in(memories: Path, station: str, folder: Path) -> Path:
    """The file for the memory of a folder that a station watches, among those of others: the same again at the next start."""
    place = f"{station}\0{os.path.realpath(folder)}"
    return memories / hashlib.sha256(os.fsencode(place)).hexdigest()[:32]


def check_watchable(folder: Path) -> None:
    """Raise `UsageError` for a path that can never be a watched folder. One that is not there yet is awaited."""
    if os.path.lexists(folder) and not is_dir(folder):
        raise UsageError(f"{printable(str(folder))} is no folder: give the folder that images come into")


def _is_image(name: str) -> bool:
    stem, suffix = os.path.splitext(name.casefold())  # noqa: PTH122 a Path for each of many files is slow
    return suffix in FORMAT_OF_SUFFIX and not stem.endswith((MASK_ENDING, *_TEMPORARY))


def _fingerprint(path: str, size: int, modified_ns: int) -> int:
    """64 bits: two of a million files are confused with a chance of 3e-8."""
    told = f"{path}\0{size}\0{modified_ns}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little")


def _why_lost(error: OSError) -> str:
    return "is gone" if isinstance(error, FileNotFoundError) else f"cannot be listed ({error.strerror})"


class _Memory:
    """Fingerprints on disk, eight bytes each. A stop may cut the last one off: its file is read and known by its content."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> set[int]:
        try:
            data = read_bytes(self._path)
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise OddlensError(
                f"{printable(str(self._path))} cannot be read ({error.strerror}): check its permissions, or remove it"
            ) from error
        whole = data[: len(data) // 8 * 8]
        if len(whole) != len(data):
            write_bytes(self._path, whole)
        return set(array("Q", whole))

    def add(self, fingerprints: list[int]) -> None:
        if is_file(self._path):
            append(self._path, array("Q", fingerprints).tobytes(), lines=False)
        else:
            self.write(fingerprints)

    def write(self, fingerprints: Iterable[int]) -> None:
        write_bytes(self._path, array("Q", fingerprints).tobytes())
