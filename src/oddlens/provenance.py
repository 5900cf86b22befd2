"""Provenance: what made a result, as one `Identity`, spelled the same in every file that names it.

A hash is always called by what it is of, on one level, in hexadecimal: `method_sha256`, `model_sha256`, `model_fingerprint`,
`weights_sha256`, `preprocessing_sha256`, `references_sha256`, `data_sha256`. Runs, cells of a benchmark, stations, learned
weights, checkpoints and caches take these names from here. `respelled` reads the names of earlier versions. Every room may import
this one: it imports none.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from oddlens import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


MODEL = ("model", "model_sha256", "model_fingerprint")
"""The names that say which model it was: the entries of `ModelIdentity`."""


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """A model: the name of its card, the SHA-256 of its files, and the short hash of its towers' ends.

    fingerprint: the same in every layout of the model on disk; learned weights belong to it.
    """

    name: str
    sha256: str
    fingerprint: str

    def to_dict(self) -> dict[str, str]:
        """As JSON values."""
        return {"model": self.name, "model_sha256": self.sha256, "model_fingerprint": self.fingerprint}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What made a result: of one detector, or of one training.

    method: its name. method_sha256: of its code; None for a method of oddlens. recipe: its fields as JSON values. fitted: what of
    the recipe was fitted to the model, in words. A hash is None where there are no learned weights or no references. thresholds:
    given by hand, see `Thresholds.to_dict`. calibration: how the others are made, {} where nothing is calibrated. preparation:
    how images were cut and fitted (`io.preparation`), {} where as in the papers. roi: where it looked, see
    `RegionOfInterest.to_dict`, {} where everywhere. marking: which regions are marked, see `Marking.to_dict`, {} where all are.
    defects_sha256: of a second memory, of known defects; None where there is none. precision: of the numbers that it computed
    with, less than "fp32" only in exported graphs. machine: where it ran, and in which runtime, on which no number may depend.
    """

    method: str
    recipe: Mapping[str, object]
    model: ModelIdentity
    fitted: tuple[str, ...] = ()
    preprocessing_sha256: str | None = None
    method_sha256: str | None = None
    weights_sha256: str | None = None
    reference_count: int = 0
    references_sha256: str | None = None
    thresholds: Mapping[str, object] = field(default_factory=dict)
    calibration: Mapping[str, object] = field(default_factory=dict)
    preparation: Mapping[str, object] = field(default_factory=dict)
    roi: Mapping[str, object] = field(default_factory=dict)
    marking: Mapping[str, object] = field(default_factory=dict)
    defects_sha256: str | None = None
    precision: str = "fp32"
    machine: Mapping[str, object] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, object]:
        """All that numbers depend on, as JSON values: two results of the same identity and image are the same."""
        return {
            "oddlens": __version__,
            "method": self.method,
            "recipe": dict(self.recipe),
            "fitted": list(self.fitted),
            **self.model.to_dict(),
            "preprocessing_sha256": self.preprocessing_sha256,
            "weights_sha256": self.weights_sha256,
            "reference_count": self.reference_count,
            "references_sha256": self.references_sha256,
            "thresholds": dict(self.thresholds),
            **{
                name: dict(value)
                for name, value in (
                    ("calibration", self.calibration),
                    ("preparation", self.preparation),
                    ("roi", self.roi),
                    ("marking", self.marking),
                )
                if value
            },
            **({} if self.method_sha256 is None else {"method_sha256": self.method_sha256}),
            **({} if self.defects_sha256 is None else {"defects_sha256": self.defects_sha256}),
            **({} if self.precision == "fp32" else {"precision": self.precision}),
        }

    def part(self, *names: str) -> dict[str, object]:
        """Some entries of `to_dict`, in the order given."""
        whole = self.to_dict()
        return {name: whole[name] for name in names}


def versions(*packages: str) -> dict[str, str | None]:
    """The versions of oddlens, Python, torch and further packages that a result was made with; None for one that is absent."""
    found: dict[str, str | None] = {"oddlens": __version__, "python": platform.python_version()}
    for package in ("torch", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def changed_fields(recipe: DataclassInstance) -> dict[str, object]:
    """The fields of a recipe that do not have their default, by hand, from weights or fitted to the model; as JSON values."""
    now, usual = (json.loads(json.dumps(asdict(each))) for each in (recipe, type(recipe)()))
    return {name: value for name, value in now.items() if value != usual[name]}


def plain_recipe(recipe: DataclassInstance) -> dict[str, object]:
    """A recipe's fields as they are read back from a JSON file: lists for tuples.

    A field that a released recipe did not have is left out where it has the value that was meant then ("added" in its metadata).
    """
    plain: dict[str, object] = json.loads(json.dumps(asdict(recipe)))
    added = {each.name: each.metadata["added"] for each in fields(recipe) if "added" in each.metadata}
    return {
        name: value for name, value in plain.items() if not (name in added and getattr(recipe, name) == added[name])
    }


def preprocessing_sha256(
    mean: Sequence[float], std: Sequence[float], size: int, short_side: int | None, interpolation: str
) -> str:
    """A hash of how an image becomes what a tower takes.

    size: side of the square, in pixels. short_side: what whole frames are scaled to, in pixels; None where they are not.
    """
    facts = [list(map(float, mean)), list(map(float, std)), size, short_side, interpolation]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


_ADDED = frozenset({"preprocessing_sha256", "model_fingerprint", "masks", "previews", "object_names", "images_sha256"})
"""Names that earlier versions did not write, of a file and of each of its data sets."""


_IN_WORDS = {
    "reference_count": "references",
    "references_sha256": "references",
    "method_sha256": "code of the method",
    "data_sha256": "images of the data set, or what they show",
}


def differing(found: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """The names in which what a file says differs from what is wanted now; of a recipe and of the settings of a training their
    fields ("recipe temperature").

    found: in the names of any version. A name that its version did not write yet is not compared; an absent value is None.
    """
    found, wanted = respelled(found), respelled(wanted)
    names: list[str] = []
    for key in _all_keys(wanted, found):
        theirs = found.get(key)
        mine = _as_written(wanted.get(key), theirs)
        if mine == theirs or (key in _ADDED and key not in found):
            continue
        if key in ("recipe", "settings") and isinstance(mine, dict) and isinstance(theirs, dict):
            names += [f"{key} {each}" for each in _all_keys(mine, theirs) if mine.get(each) != theirs.get(each)]
        else:
            names.append(in_words(key))
    return list(dict.fromkeys(names))


def in_words(name: str) -> str:
    """A name as `differing` says it."""
    return _IN_WORDS.get(name, name)


def _as_written(mine: object, theirs: object) -> object:
    """What is wanted of data sets, without what the version of a file did not write of them; anything else as it is."""
    if not (isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs)):
        return mine
    return [
        {name: value for name, value in one.items() if name in other or name not in _ADDED}
        if isinstance(one, dict) and isinstance(other, dict)
        else one
        for one, other in zip(mine, theirs, strict=True)
    ]


def respelled(document: Mapping[str, object]) -> dict[str, object]:
    """What a file says of its making, in the names that are written now; what says nothing of it stays as it is.

    Earlier versions nested: "model": {"name", "hash" or "sha256", "fingerprint"}, "references": {"count", "sha256"}, and called the
    hash of a data set "manifest".
    """
    now = dict(document)
    model = now.get("model")
    if isinstance(model, Mapping) and "name" in model:
        digest = model.get("hash", model.get("sha256"))
        now["model"] = model["name"]
        now |= {} if digest is None else {"model_sha256": digest}
        now |= {"model_fingerprint": model["fingerprint"]} if "fingerprint" in model else {}
    references = now.get("references")
    if "references" in now and references is None:
        now |= {"reference_count": 0, "references_sha256": None}
    elif isinstance(references, Mapping) and references.keys() == {"count", "sha256"}:
        del now["references"]
        now |= {"reference_count": references["count"], "references_sha256": references["sha256"]}
    data = now.get("data")
    if isinstance(data, list):
        now["data"] = [_respelled_data(each) for each in data]
    return now


def _respelled_data(entry: object) -> object:
    if not isinstance(entry, Mapping) or "manifest" not in entry:
        return entry
    return {"data_sha256" if name == "manifest" else name: value for name, value in entry.items()}


def _all_keys(*parts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key for part in parts for key in part))
