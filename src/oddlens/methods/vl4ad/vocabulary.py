"""Which words a street is seen with: the known classes and their concepts, how classes are merged, and words for the unknown.

VL4AD (arXiv 2409.17330) gives neither its lists nor its merges; the packaged ones are ours.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NotRequired, TypedDict, TypeGuard

from oddlens.errors import UsageError, choices, printable, shortened
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json

Lists = Mapping[str, Sequence[str]]
"""Names with the words under each: classes with their concepts, super-classes with their members."""

Groups = Sequence[str | Sequence[str]]
"""Words for the unknown: a word, or several for the same."""

_SUFFIXES = (".json", ".toml")
_FILES = {"classes": "road_classes.json", "merge": "road_merges.json"}
_OURS, _OOD = "default", "ood"
_FILE_NAME = re.compile(r".*\.[a-z][a-z0-9]{1,4}", re.IGNORECASE)


class _Packaged(TypedDict):
    """A list of ours: classes with their concepts, super-classes with their members, or words for the unknown."""

    classes: NotRequired[dict[str, list[str]]]
    words: NotRequired[list[str | list[str]]]


@dataclass(frozen=True)
class Vocabulary:
    """Words in columns: the known classes first, what is unknown after them.

    names: of the K classes. concepts: the words of each. supers: names of the super-classes that the classes are merged into.
    member: for every class, the number of its super-class. unknown: groups of words, one column each.
    """

    names: tuple[str, ...]
    concepts: tuple[tuple[str, ...], ...]
    supers: tuple[str, ...]
    member: tuple[int, ...]
    unknown: tuple[tuple[str, ...], ...] = ()

    @property
    def columns(self) -> tuple[tuple[str, ...], ...]:
        """The words of every column."""
        return self.concepts + self.unknown


def make_vocabulary(classes: str | Lists, ood: str | Groups = (), merge: str | Lists = "none") -> Vocabulary:
    """The vocabulary that names, lists or files describe.

    classes: the name of a packaged list, {class: [concepts]}, or the path of a JSON or TOML file of such. ood: words or groups of
    synonyms, "default" (ours, without words that are known here), words divided by commas, or a path. merge: the name of a packaged
    merge, {super-class: [classes]}, or a path; classes that it does not name stay on their own.

    Raises `UsageError` for an unknown name, a file that is none of this, and words, classes or members that contradict each other.
    """
    known, merged = _cleaned_lists(_lists("classes", classes)), _cleaned_lists(_lists("merge", merge))
    _check_classes(known)
    _check_merge(merged, known)
    taken = {_fold(word): name for name, words in known.items() for word in (name, *words)}
    unknown = _unknown(ood, taken)
    of_class = {_fold(member): name for name, members in merged.items() for member in members}
    super_of = [of_class.get(_fold(name), name) for name in known]
    supers = tuple(dict.fromkeys(super_of))
    return Vocabulary(
        tuple(known), tuple(known.values()), supers, tuple(supers.index(name) for name in super_of), unknown
    )


def resolved_lists(field: str, given: str | Lists) -> str | dict[str, list[str]]:
    """A packaged name as it is, all else as plain lists: what a recipe can keep, and JSON too. field: "classes" or "merge"."""
    if isinstance(given, str) and not _is_path(given):
        return _packaged_name(field, given)
    lists = _lists(field, given)
    return {name: list(lists[name]) for name in lists}


def resolved_groups(given: str | Groups | None) -> str | tuple[str | list[str], ...]:
    """Words for the unknown as a recipe keeps them: "default", or words and lists of synonyms."""
    if given is None:
        return ()
    if isinstance(given, str):
        if given.strip().casefold() == _OURS:
            return _OURS
        given = _read_groups(given) if _is_path(given) else _divided(given)
    groups: list[str | list[str]] = []
    for group in given:
        words = _cleaned([group] if isinstance(group, str) else group)
        if not words:
            raise UsageError("a group of unknown words is empty: give at least one word in each")
        groups.append(words[0] if isinstance(group, str) else list(words))
    return tuple(groups)


def _divided(words: str) -> list[str]:
    """Words divided by commas. Raises `UsageError` for the name of a file or a misspelt "default", which would pass for a word."""
    import difflib

    divided = [word.strip() for word in words.split(",") if word.strip()]
    if len(divided) == 1 and difflib.get_close_matches(divided[0].casefold(), [_OURS], cutoff=0.85):
        raise UsageError(
            f"the unknown word {divided[0]!r} is nearly {_OURS!r}, which stands for our list: give {_OURS!r}"
        )
    if file := next((word for word in divided if _FILE_NAME.fullmatch(word)), None):
        raise UsageError(f"{file!r} among the unknown words is the name of a file: give one .json or .toml file alone")
    return divided


def _lists(field: str, given: str | Lists) -> Lists:
    """Names with their words, from wherever they are."""
    if not isinstance(given, str):
        return given
    if _is_path(given):
        return _read_lists(given, field)
    return _packaged(_FILES[field])[_packaged_name(field, given)]["classes"]


def _packaged_name(field: str, given: str) -> str:
    """The name of a packaged list, given in any case of letters. `UsageError` where there is none of that name."""
    packaged = _packaged(_FILES[field])
    names = {name.casefold(): name for name in packaged}
    if given.casefold() not in names:
        raise UsageError(
            f"{field} {shortened(given)} is no list of ours{choices(given, packaged, 'give one of')}, a dictionary, or a .json or "
            ".toml file"
        )
    return names[given.casefold()]


def _unknown(ood: str | Groups, taken: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The groups, checked against what is known; those of ours give way."""
    resolved = resolved_groups(ood)
    if resolved == _OURS:
        ours = [
            _cleaned([each] if isinstance(each, str) else each)
            for each in _packaged("road_unknown.json")[_OURS]["words"]
        ]
        free = [tuple(word for word in group if _fold(word) not in taken) for group in ours]
        return tuple(group for group in free if group)
    groups = tuple(_cleaned([group] if isinstance(group, str) else group) for group in resolved)
    words = [word for group in groups for word in group]
    for word in words:
        if _fold(word) in taken:
            raise UsageError(
                f"{word!r} is given as unknown and belongs to the known class {taken[_fold(word)]!r}: take it out of one of them"
            )
    if (double := _double(words)) is not None:
        raise UsageError(f"the unknown word {double!r} is given twice: once is enough")
    return groups


def _check_classes(known: Mapping[str, tuple[str, ...]]) -> None:
    if len(known) < 2:
        raise UsageError("fewer than two known classes are given: name at least two, for instance road and sky")
    if len(known) > 255:
        raise UsageError(f"{len(known)} known classes are given: 255 are the most")
    seen: dict[str, str] = {}
    for name, words in known.items():
        if not words:
            raise UsageError(f"the class {name!r} has no concepts: give at least one word for it")
        for word in {_fold(word) for word in words}:
            if word in seen:
                raise UsageError(
                    f"the word {word!r} stands for {seen[word]!r} and for {name!r}: keep it in one of them"
                )
            seen[word] = name


def _check_merge(merged: Mapping[str, tuple[str, ...]], known: Mapping[str, object]) -> None:
    names = {_fold(name): name for name in known}
    members = [member for group in merged.values() for member in group]
    for name, group in merged.items():
        if not group:
            raise UsageError(f"the merge {name!r} has no members: name the classes that it is made of")
        if _fold(name) in names and _fold(name) not in map(_fold, group):
            raise UsageError(f"the merge {name!r} has the name of a class that is not part of it: give it another name")
    for member in members:
        if _fold(member) not in names:
            raise UsageError(
                f"the merge names the class {member!r}, which is not known{choices(member, known, 'the classes are')}"
            )
    if (double := _double(members)) is not None:
        raise UsageError(f"the merge names the class {double!r} twice: a class belongs to one super-class")


def _read_lists(path: str, field: str) -> Lists:
    """Names with their words, from a file, or from what it holds under the field's name."""
    content = _read(path, field)
    if not _are_lists(content):
        raise UsageError(
            f'{printable(path)} does not hold names with lists of words, or these as "{field}": correct it'
        )
    return content


def _read_groups(path: str) -> Groups:
    """Words for the unknown, from a file, or from what it holds as "ood"."""
    content = _read(path, _OOD)
    if not _are_groups(content):
        raise UsageError(f'{printable(path)} does not hold a list of words, or such a list as "ood": correct it')
    return content


def _read(path: str, field: str) -> object:
    """What a file holds, or what it holds under the field's name where that is a list or an object."""
    shown, file = printable(path), Path(path)
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown} cannot be read as text: give an existing file in UTF-8") from error
    try:
        content = tomllib.loads(text) if file.suffix.lower() == ".toml" else parse_json(text)
    except (ValueError, RecursionError) as error:  # the latter of TOML that is nested too deeply
        raise UsageError(f"{shown} is not valid {file.suffix[1:].upper()} ({error}): correct it") from error
    if isinstance(content, dict):
        for table, names in content.items():
            _check_place(shown, table, names)
        if isinstance(content.get(field), dict | list):
            return content[field]
    if field != _OOD:
        _check_place(shown, field, content)
    return content


def _check_place(shown: str, table: str, content: object) -> None:
    """Raise `UsageError` for unknown words that stand in a table of names: each name there is one that is known."""
    if isinstance(content, dict) and _OOD in content:
        raise UsageError(
            f'{shown} has "{_OOD}" among the names of {table}, which are known: put it above the line [{table}] in TOML, and '
            f'beside "{table}" in JSON'
        )


def _are_lists(content: object) -> TypeGuard[Lists]:
    return isinstance(content, dict) and all(_are_words(words) for words in content.values())


def _are_groups(content: object) -> TypeGuard[Groups]:
    return isinstance(content, list) and all(isinstance(each, str) or _are_words(each) for each in content)


def _are_words(words: object) -> bool:
    return isinstance(words, list) and all(isinstance(word, str) for word in words)


def _is_path(text: str) -> bool:
    return text.lower().endswith(_SUFFIXES)


def _cleaned_lists(lists: Lists) -> dict[str, tuple[str, ...]]:
    if (double := _double(map(_clean, lists))) is not None:
        raise UsageError(f"the name {double!r} is given twice among the classes or merges: give each once")
    return {_clean(name): _cleaned(words) for name, words in lists.items()}


def _cleaned(words: Iterable[str]) -> tuple[str, ...]:
    cleaned = tuple(_clean(word) for word in words)
    return tuple(dict.fromkeys(cleaned))  # the largest similarity counts: a concept given twice says nothing more


def _clean(word: str) -> str:
    clean = " ".join(word.replace("_", " ").split())
    if not clean:
        raise UsageError("an empty word is among the classes, merges or unknown words: take it out")
    return clean


def _fold(word: str) -> str:
    """What two words are compared by."""
    return word.casefold()


def _double(words: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for word in words:
        if _fold(word) in seen:
            return word
        seen.add(_fold(word))
    return None


@cache
def _packaged(file: str) -> dict[str, _Packaged]:
    content = resources.files("oddlens.methods.vl4ad").joinpath("data", file).read_text(encoding="utf-8")
    return checked(json.loads(content), dict[str, _Packaged])
