"""OUT/references.bib: the BibTeX entries of the methods, models and data sets of a benchmark.

`citations.bib` holds the entries; the cards of methods and models, the layouts and `published_methods.json` name their keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from oddlens import __version__
from oddlens.backbone.cards import find_card
from oddlens.data.layouts import LAYOUTS
from oddlens.evaluation.document import DatasetEntry, MetricsDocument
from oddlens.evaluation.published_methods import dataset_citations

SOFTWARE = "oddlens"
"""The key of our own entry."""


def write_bibtex(document: MetricsDocument) -> str:
    """The whole file. What has no entry is named in a comment: nothing is made up."""
    used = {f"the method {name}": tuple(method["citations"]) for name, method in document["methods"].items()}
    used |= {f"the model {name}": model_citations(name) for name in _models(document)}
    used |= {f"the data set {name}": set_citations(entry) for name, entry in document["datasets"].items()}
    keys = dict.fromkeys(key for found in used.values() for key in found)
    lacking = [
        f"% There is no entry for {_one_line(name)}: cite what its makers ask for."
        for name, found in used.items()
        if not found
    ]
    own = [f"% {key} is cited, but has no entry here: add yours." for key in keys if key not in entries()]
    return "\n\n".join([*lacking, *own, _software(), *(entries()[key] for key in keys if key in entries())]) + "\n"


def model_citations(name: str) -> tuple[str, ...]:
    """The keys of a model; () for one without a card."""
    card = find_card(name)
    return () if card is None else card.citations


def set_citations(entry: DatasetEntry) -> tuple[str, ...]:
    """The keys of a data set: of the published one that it is, or else of the one set that has its layout."""
    known = entry["recognised_as"]
    found = () if known is None else dataset_citations(known)
    return found or next((each.citations for each in LAYOUTS if each.name == entry["layout"]), ())


@cache
def entries() -> dict[str, str]:
    """Every entry of `citations.bib` by its key."""
    text = resources.files("oddlens.evaluation").joinpath("citations.bib").read_text(encoding="utf-8")
    found = {}
    for entry in re.split(r"\n{2,}", text.strip()):
        named = re.match(r"@\w+\{(\w+),", entry)
        if named is None:
            raise ValueError(f"citations.bib: there is no key in {entry[:60]!r}")
        found[named[1]] = entry
    return found


def _models(document: MetricsDocument) -> Iterable[str]:
    return dict.fromkeys(method["model"] for method in document["methods"].values())


def _software() -> str:
    return "\n".join(
        [
            f"@misc{{{SOFTWARE},",
            "  title = {oddlens: finding what is wrong in an image with vision-language models},",
            "  author = {{The oddlens developers}},",
            "  year = {2026},",
            f"  note = {{Version {__version__}}}",
            "}",
        ]
    )


def _one_line(name: str) -> str:
    return " ".join(name.split())
