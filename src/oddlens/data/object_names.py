"""Names: what a category is called in prompts, and what it is called in paths.

In prompts the rule is the authors': the category's own name, exactly as the data set writes it ("metal_nut", "pcb1", "01"). So do
the public WinCLIP ports by zqhang, anomalib and caoyunkang, APRIL-GAN and AnoVL; AnomalyCLIP's prompts have no object in them. The
one exception is AnoVL's: macaroni1 and macaroni2 of VisA are both "macaroni".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from oddlens.data.named import NamedDataset
from oddlens.errors import UsageError, check_name, choices
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import parse_json

LONGEST_NAME = 150
"""Bytes of a file's or folder's name that stands for a word; file systems take 255, and suffixes follow."""


@dataclass(frozen=True)
class ObjectNames:
    """The object name of every category: `everywhere` for all, else `by_category`, else the authors' rule.

    by_category: keys are "category", or "dataset/category" where two data sets share a word.
    """

    everywhere: str | None = None
    by_category: Mapping[str, str] = field(default_factory=dict)

    def of(self, dataset: str, category: str, authors: Mapping[str, str] | None = None) -> str:
        """The object name that prompts get for a category. authors: what a method's authors call some categories instead."""
        if self.everywhere is not None:
            return self.everywhere
        for key in (f"{dataset}/{category}", category):
            if key in self.by_category:
                return self.by_category[key]
        return (authors or {}).get(category, category)


def read_names(path: Path, sources: Iterable[NamedDataset]) -> ObjectNames:
    """The names in a JSON file, {"metal_nut": "metal nut"}. Raises UsageError for a file or a category that does not exist."""
    try:
        names = parse_json(read_bytes(path))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read as JSON: give a file such as {{'metal_nut': 'metal nut'}}, in double quotes"
        ) from error
    if not isinstance(names, dict) or not all(isinstance(name, str) and name.strip() for name in names.values()):
        raise UsageError(f"{path} is not one JSON object of names: write a text for each category")
    pairs = [(source.name, category) for source in sources for category in source.dataset.categories]
    known = {category for _, category in pairs} | {f"{dataset}/{category}" for dataset, category in pairs}
    for key, name in names.items():
        if key not in known:
            raise UsageError(f"{path} names {key!r}, which is no category here{choices(key, sorted(known))}")
        check_name(f"the object name of {key!r} in {path}", name)
    return ObjectNames(by_category=names)


def path_name(word: str) -> str:
    """A data set's word as the name of a file or folder, one to one.

    What paths cannot hold is written as %XX; a long word is cut short and ends in a hash of itself.
    """
    name = quote(word, safe=" ()[]{}@+,=&'", errors="surrogatepass")
    if len(name) > LONGEST_NAME:
        digest = sha256(word.encode(errors="surrogatepass")).hexdigest()
        return f"{name[: LONGEST_NAME - 17]}~{digest[:16]}"
    return name.replace(".", "%2E") if set(name) <= {"."} else name
