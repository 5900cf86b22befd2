"""Finding image files: the files that a list of files, folders and patterns means, its faults, and what was passed over."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from glob import has_magic
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from oddlens.errors import Failure, UsageError, as_argument, counted, printable
from oddlens.io.decoding import FORMAT_OF_SUFFIX, KNOWN_FORMATS
from oddlens.io.paths import StrPath, exists, is_dir, is_link, why_absent
from oddlens.io.remote import (
    ImagePath,
    RemoteError,
    RemotePath,
    check_remote,
    exists_remotely,
    is_address,
    is_remote_folder,
    is_web,
    list_remote,
)
from oddlens.io.video import SUFFIXES as VIDEO_SUFFIXES

JUNK_FOLDERS = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp"),  # of Synology and QNAP
        *("$recycle.bin", "system volume information", "__macosx", "lost+found", "__pycache__"),
    }
)
"""Folders that systems leave among images (thumbnails, waste, copies), by their case-folded names."""

MASK_ENDING = "_mask"

_JUNK_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}
_TRUTH = {"ground_truth", "ground truth", "groundtruth"}
_MASKS = {"mask", "masks"}
_MASK_SUFFIXES = ("_mask", "_segmentation", "_label", "")
_OF_A_RUN = {"run.json", "results.jsonl", "overlays", "maps", "masks", "labels", "previews"}
_OF_A_BENCHMARK = {
    "cells",
    "picks",
    "maps",
    "metrics.json",
    "scores.jsonl",
    "table.md",
    "table.tex",
    "references.bib",
    "report.html",
}

LACKING = {suffix: form.lacking for form in KNOWN_FORMATS if form.lacking for suffix in form.suffixes} | dict.fromkeys(
    VIDEO_SUFFIXES, "give a video by its own name"
)
"""Suffixes of formats that this installation cannot read, and of videos, and what it takes to read them."""

_MASK, _EARLIER = "masks", "of earlier runs"
_ALL_BELOW = ("**",)
_MOST_KINDS = 8
_MOST_WORDS = 8
"""So many of the inputs are tried as the words of one path whose spaces nobody quoted."""


@dataclass(frozen=True)
class Found:
    """What a list of names means.

    Attributes:
        items: The images in the order of the list, and a failure in the place of each name that leads to none and of each folder
            that cannot be listed.
        passed_over: How many files below folders and patterns are left out, by kind (".avif", "masks"), and how many folders, by
            name with a slash ("@eaDir/").
    """

    items: tuple[ImagePath | Failure, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def paths(self) -> list[ImagePath]:
        """The images."""
        return [item for item in self.items if not isinstance(item, Failure)]

    @property
    def failures(self) -> list[Failure]:
        """The failures."""
        return [item for item in self.items if isinstance(item, Failure)]


def find_images(inputs: Iterable[StrPath]) -> Found:
    """The image files that a list of files, folders and patterns means.

    - A file is taken under any name.
    - A folder gives the images in and below it, in natural order (2 before 10); linked folders are followed.
    - A pattern (`*`, `?`, `[...]`, and `**` for folders of any depth) gives what it matches, in natural order, folders
      walked as above. A file or folder whose name merely looks like a pattern is taken as itself.
    - An address ("s3://bucket/parts") is a file, a folder or a pattern, too: see `oddlens.io.remote`. What ends as images do is
      a file there, and on the web (http://) only `*` makes a pattern.

    In folders and patterns, the suffix says which files are images. Passed over are hidden files and folders, `JUNK_FOLDERS`,
    the outputs of earlier runs (`overlays`, `maps` and so on beside a `run.json`), and masks: `*_mask` files, files below
    `ground_truth`, and files in `masks` that have the name of an image. The order is that of the inputs; a file that is named
    twice, in any spelling, counts at its first place.

    Raises:
        UsageError: Nothing was given.
    """
    if isinstance(inputs, str | os.PathLike):
        inputs = [inputs]
    search = _Search()
    texts = [os.fsdecode(each) for each in inputs]
    for number, text in enumerate(texts):
        search.add(text, texts[number : number + _MOST_WORDS])
    if not search.items:
        raise UsageError("no image was named: give files, folders or patterns such as 'parts/*.png'")
    return Found(tuple(search.items.values()), search.passed_over())


def path_identity() -> Callable[[StrPath], str]:
    """A function that gives the spellings of a path, relative or through linked folders, one name: an absolute path.

    A link to a file stays a file of its own. The function caches the folders it met: make a new one for every task.
    """
    real = cache(os.path.realpath)

    def identity(path: StrPath) -> str:
        folder, name = os.path.split(os.fspath(path))
        return os.path.normcase(os.path.join(real(folder), name))  # noqa: PTH118 a Path for each of many files is slow

    return identity


def earlier_outputs(names: Set[str]) -> Set[str]:
    """Which names of a folder's content are outputs of an earlier run or benchmark."""
    ours: set[str] = set()
    if "run.json" in names:
        ours |= _OF_A_RUN
    if "cells" in names and names & {"picks", "metrics.json"}:  # "cells" alone may be a folder of images of cells
        ours |= _OF_A_BENCHMARK
    return ours & names


def is_mask_name(path: ImagePath) -> bool:
    """Whether a file has the name of a mask beside its image: <stem>_mask."""
    return path.stem.casefold().endswith(MASK_ENDING)


def say_passed_over(passed_over: Mapping[str, int], lacking: Mapping[str, str] = LACKING) -> str | None:
    """One sentence, "12 files passed over: 3 .avif, 9 masks"; None if none was. lacking: what a suffix's format takes."""
    files = {kind: count for kind, count in passed_over.items() if not kind.endswith("/")}
    folders = {kind[:-1]: count for kind, count in passed_over.items() if kind.endswith("/")}
    said = []
    for what, counts in (("file", files), ("folder", folders)):
        if counts:
            total = sum(counts.values())
            kinds = sorted(counts, key=lambda kind: (not kind.startswith("."), kind))
            shown = [f"{counts[kind]} {_shown(kind, counts[kind], lacking)}" for kind in kinds[:_MOST_KINDS]]
            rest = sum(counts[kind] for kind in kinds[_MOST_KINDS:])
            listed = ", ".join([*shown, *([f"{rest} of other kinds"] if rest else [])])
            said.append(f"{counted(total, what)} passed over: {listed}")
    return "; ".join(said) or None


def _shown(kind: str, count: int, lacking: Mapping[str, str]) -> str:
    if kind in lacking:
        return f"{kind} ({lacking[kind]})"
    return "mask" if kind == _MASK and count == 1 else printable(kind)


class _Search:
    """The state of a search: the files that are taken and passed over so far, each file once."""

    def __init__(self) -> None:
        self.items: dict[str, ImagePath | Failure] = {}
        self._passed: dict[str, str] = {}
        self._identity = path_identity()

    def add(self, text: str, words: Sequence[str]) -> None:
        """Add the files that one name means. words: it and the names behind it, perhaps one path that nobody quoted."""
        if not text or (text.isspace() and not exists(text)):
            self._fail(text, "an empty name is among the images: give files, folders or patterns such as 'parts/*.png'")
        elif is_address(text):
            try:
                self._add_remote(RemotePath(text))
            except RemoteError as error:
                self._fail(text, f"{printable(text)} {error}")
        elif is_dir(text):
            nothing = f"the folder {printable(text)} holds no image, nor do the folders in it"
            self._take_below(text, Path(text), _ALL_BELOW, nothing)
        elif exists(text) or is_link(text):
            self.items.setdefault(self._identity(text), Path(text))
        elif has_magic(text) and "\0" not in text:
            path = Path(text)
            parts = path.parts[1:] if path.anchor else path.parts
            self._take_below(text, Path(path.anchor), parts, f"no image matches the pattern {printable(text)}")
        else:
            whole = next(filter(exists, (" ".join(words[:count]) for count in range(2, len(words) + 1))), None)
            hint = "" if whole is None else f", or give {as_argument(whole)} in quotes if that is meant"
            self._fail(text, f"{printable(text)} {why_absent(text)}{hint}")

    def _add_remote(self, path: RemotePath) -> None:
        """Add the files that an address means."""
        text = path.address
        check_remote(text)
        if "*" in text if is_web(text) else has_magic(text):
            scheme, _, rest = text.partition("://")
            first, *parts = (unquote(rest) if is_web(text) else rest).split("/")
            self._take_below(
                text, RemotePath(f"{scheme}://{first}"), parts, f"no image matches the pattern {printable(text)}"
            )
        elif path.suffix.lower() in FORMAT_OF_SUFFIX:
            self.items.setdefault(text, path)
        elif is_remote_folder(path):
            self._take_below(
                text, path, _ALL_BELOW, f"the folder {printable(text)} holds no image, nor do the folders in it"
            )
        elif exists_remotely(path):
            self.items.setdefault(text, path)
        else:
            raise RemoteError("does not exist: check the address")

    def passed_over(self) -> dict[str, int]:
        """How many files and folders were passed over, by kind, less those that were named by themselves."""
        return dict(Counter(kind for place, kind in self._passed.items() if place not in self.items))

    def _key(self, path: ImagePath) -> str:
        return self._identity(path) if isinstance(path, Path) else path.address

    def _fail(self, source: str, reason: str) -> None:
        self.items.setdefault(f"\0{source}", Failure(source, reason))  # no file has such a name

    def _take_below(self, text: str, folder: ImagePath, parts: Sequence[str], nothing: str) -> None:
        """Take the images that lie below a folder and match the parts of a pattern, which a name has been divided into."""
        search = _FolderSearch(_LOCAL if isinstance(folder, Path) else _REMOTE)
        search.run(folder, tuple(parts))
        nothing_found = not search.images and not search.failures
        if not nothing_found:  # else the failure says it
            for path, kind in search.passed.items():
                self._passed.setdefault(self._key(path), kind)
        for path in sorted(search.images, key=_natural):
            self.items.setdefault(self._key(path), path)
        for failure in search.failures:
            self._fail(failure.source, failure.reason)
        if nothing_found:
            reason = f"{nothing}: looked for {_LOOKED_FOR}"
            passed = say_passed_over(Counter(search.passed.values()))
            self._fail(text, f"{reason}; {passed}" if passed else reason)


class _Tree(Protocol):
    """Where folders are searched: a disk, or what is behind addresses. Its paths are all of one kind."""

    def real(self, folder: ImagePath) -> str:
        """A name for a folder that is the same for all ways that lead to it."""

    def is_folder(self, place: ImagePath) -> bool:
        """Whether there is a folder."""

    def is_there(self, place: ImagePath) -> bool:
        """Whether there is anything."""

    def entries(self, folder: ImagePath) -> list[tuple[str, bool]]:
        """What is in a folder: names, sorted, and whether they are folders; nothing where there is none."""


class _Local:
    """A `_Tree`: the disk."""

    def real(self, folder: ImagePath) -> str:
        return os.path.realpath(folder)

    def is_folder(self, place: ImagePath) -> bool:
        return is_dir(place)

    def is_there(self, place: ImagePath) -> bool:
        return exists(place) or is_link(place)

    def entries(self, folder: ImagePath) -> list[tuple[str, bool]]:
        try:
            with os.scandir(folder) as entries:
                return sorted((entry.name, is_dir(entry)) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return []


class _Remote:
    """A `_Tree`: what is behind addresses."""

    def real(self, folder: ImagePath) -> str:
        return os.fspath(folder)

    def is_folder(self, place: ImagePath) -> bool:
        return isinstance(place, RemotePath) and is_remote_folder(place)

    def is_there(self, place: ImagePath) -> bool:
        return isinstance(place, RemotePath) and exists_remotely(place)

    def entries(self, folder: ImagePath) -> list[tuple[str, bool]]:
        assert isinstance(folder, RemotePath)
        return list_remote(folder)


_LOCAL, _REMOTE = _Local(), _Remote()


class _FolderSearch:
    """The files below a folder that match a pattern: images, files passed over with their kind, folders that cannot be listed."""

    def __init__(self, tree: _Tree) -> None:
        self.images: list[ImagePath] = []
        self.passed: dict[ImagePath, str] = {}
        self.failures: list[Failure] = []
        self._perhaps: list[ImagePath] = []
        self._tree = tree

    def run(self, top: ImagePath, parts: tuple[str, ...]) -> None:
        """Search. parts: a pattern, one part for each level of folders ("**": any number of levels)."""
        pending: deque[tuple[ImagePath, tuple[str, ...], str | None]] = deque([(top, parts, None)])
        seen: set[tuple[str, tuple[str, ...]]] = set()  # a linked folder may hold itself
        while pending:
            folder, parts, kind = pending.popleft()
            mark = self._tree.real(folder), parts
            if mark not in seen:
                seen.add(mark)
                pending.extend(self._search_folder(folder, parts, kind))
        stems = {path.stem.casefold() for path in self.images}
        for path in self._perhaps:
            if stems.isdisjoint(path.stem.casefold().removesuffix(suffix) for suffix in _MASK_SUFFIXES):
                self.images.append(path)
            else:
                self.passed[path] = _MASK

    def _search_folder(
        self, folder: ImagePath, parts: tuple[str, ...], kind: str | None
    ) -> Iterator[tuple[ImagePath, tuple[str, ...], str | None]]:
        """Judge the files in one folder; gives the folders in it to search, each with the rest of the pattern.

        kind: the kind under which all files in it are passed over; None if they are not.
        """
        part, rest = parts[0], parts[1:]
        if not has_magic(part):  # a name without a wildcard is taken literally
            place = folder / part
            if self._tree.is_folder(place):
                yield place, rest or _ALL_BELOW, kind
            elif not rest and self._tree.is_there(place):
                self._judge(place, kind)
            return
        any_depth = part == "**"
        if any_depth and rest:
            yield folder, rest, kind
        entries = self._list(folder)
        ours = earlier_outputs({name for name, _ in entries})
        for name, is_folder in entries:
            if not any_depth and not fnmatch(name, part):
                continue
            place = folder / name
            own = _EARLIER if name in ours else kind
            hidden = name.startswith(".") and not part.startswith(".")
            if is_folder:
                folded = name.casefold()
                if hidden or folded in JUNK_FOLDERS:
                    self.passed[place] = f"{name}/"
                    continue
                if own is None and folded in _TRUTH | _MASKS:
                    own = _MASK if folded in _TRUTH else _MASKS_PERHAPS
                yield place, parts if any_depth else rest or _ALL_BELOW, own
            elif not rest:
                self._judge(place, "hidden" if hidden else own, named=MASK_ENDING in part)

    def _list(self, folder: ImagePath) -> list[tuple[str, bool]]:
        name = printable(os.fspath(folder))
        try:
            return self._tree.entries(folder)
        except OSError as error:
            reason = f"the folder {name} cannot be listed ({error.strerror}): change its permissions or leave it out"
        except RemoteError as error:
            reason = f"the folder {name} {error}"
        self.failures.append(Failure(os.fspath(folder), reason))
        return []

    def _judge(self, path: ImagePath, kind: str | None, *, named: bool = False) -> None:
        """Take a file as an image or pass it over. named: the pattern asks for masks."""
        suffix = path.suffix.lower()
        if suffix not in FORMAT_OF_SUFFIX:
            if kind == _EARLIER:
                self.passed[path] = kind
            elif kind != "hidden" and path.name.casefold() not in _JUNK_FILES:
                self.passed[path] = suffix or "without a suffix"
        elif kind == _MASKS_PERHAPS:
            self._perhaps.append(path)
        elif kind is not None:
            self.passed[path] = kind
        elif is_mask_name(path) and not named:
            self.passed[path] = _MASK
        else:
            self.images.append(path)


_COMMON = (".png", ".jpg", ".tif", ".bmp", ".webp")
_LOOKED_FOR = (
    f"files ending in {', '.join(_COMMON)} or one of {len(FORMAT_OF_SUFFIX) - len(_COMMON)} other suffixes of images"
)

_MASKS_PERHAPS = "masks, if images have their names"


def _natural(path: ImagePath) -> tuple[list[list[str | int]], str]:
    """Sorting key by which part2 comes before part10, folder by folder."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in path.parts]
    return [[int(piece) if place % 2 else piece for place, piece in enumerate(part)] for part in parts], str(path)
