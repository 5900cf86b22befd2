"""Published figures, to stand beside ours where method, data set, shots and model are the same.

They lie in `published_methods.json`, percentages as printed, each with its source and a mark that says how it was read: "R" in the
authors' repository, "img" off an image of their results, "3rd" in another paper's table, "S" in another secondary source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NotRequired, TypedDict

from oddlens.data.named import NamedDataset


class _KnownDataset(TypedDict):
    citations: NotRequired[list[str]]
    folders: list[str]
    categories: list[str] | None
    test_pictures: int | None


class _Row(TypedDict):
    dataset: str
    shots: int
    percent: NotRequired[dict[str, float]]
    std: NotRequired[dict[str, float]]
    by_category: NotRequired[dict[str, dict[str, float]]]


class _Source(TypedDict):
    method: str
    models: list[str]
    source: str
    mark: str
    rows: list[_Row]


class _File(TypedDict):
    datasets: dict[str, _KnownDataset]
    sources: list[_Source]


@dataclass(frozen=True)
class Published:
    """The figures of one source for one method with one number of shots on one data set.

    Attributes:
        method: Our name of the method.
        dataset: The name of the data set in `published_methods.json`.
        shots: The number of good examples.
        models: The cards that the figures belong to.
        source: Paper or repository.
        mark: How it was read.
        percent: Means over the categories, by our names of the figures; "pixel_aupro_legacy" where the source's program computes
            PRO that way.
        std: Over seeds, where printed.
        by_category: Where printed.
    """

    method: str
    dataset: str
    shots: int
    models: tuple[str, ...]
    source: str
    mark: str
    percent: Mapping[str, float]
    std: Mapping[str, float]
    by_category: Mapping[str, Mapping[str, float]]


def recognise(source: NamedDataset) -> str | None:
    """The published data set that this is, or None.

    Its folder must have that name, and its categories and number of test images must be those of the published one where they are
    known: a subset is another data set.
    """
    word = re.sub(r"[^a-z0-9]", "", source.name.casefold())
    tests = sum(record.split == "test" for record in source.dataset)
    for name, known in _content()["datasets"].items():
        if (
            word in known["folders"]
            and known["categories"] in (None, sorted(source.dataset.categories))
            and known["test_pictures"] in (None, tests)
        ):
            return name
    return None


def dataset_citations(name: str) -> tuple[str, ...]:
    """What a paper that uses a published data set cites: keys of `citations.bib`; () where none is known."""
    return tuple(_content()["datasets"][name].get("citations", ()))


def find_published(dataset: str | None, method: str, shots: int, model: str) -> tuple[Published, ...]:
    """All that is published of a method on a model with a number of shots on a recognised data set."""
    return tuple(
        entry
        for entry in all_published()
        if (entry.dataset, entry.method, entry.shots) == (dataset, method, shots) and model in entry.models
    )


@cache
def all_published() -> tuple[Published, ...]:
    """Everything in the file."""
    return tuple(
        Published(
            source["method"],
            row["dataset"],
            row["shots"],
            tuple(source["models"]),
            source["source"],
            source["mark"],
            row.get("percent", {}),
            row.get("std", {}),
            row.get("by_category", {}),
        )
        for source in _content()["sources"]
        for row in source["rows"]
    )


@cache
def _content() -> _File:
    text = resources.files("oddlens.evaluation").joinpath("published_methods.json").read_text(encoding="utf-8")
    content: _File = json.loads(text)
    return content
