"""What users know of defects: their names, and regions that they have named."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError, check_name, shortened
from oddlens.io.strict_json import require_form

UNKNOWN = "unknown"
"""Stands for the name of a region that no name fits."""


@dataclass(frozen=True, eq=False)
class NamedRegions:
    """Regions that a user has named.

    Attributes:
        names: Of each.
        features: Of each, as `oddlens.teaching.namer.Namer.features` gives them: float32 [regions, channels], unit norm.
        images: The SHA-256 of the pixels of the image that each is of; () where they are not known.
    """

    names: tuple[str, ...] = ()
    features: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    images: tuple[str, ...] = ()

    def without(self, images: Collection[str]) -> NamedRegions:
        """The same without the regions of some images."""
        kept = [number for number, image in enumerate(self.images) if image not in images]
        if len(kept) == len(self.images):
            return self
        if not kept:
            return NamedRegions()
        names, owners = (tuple(each[number] for number in kept) for each in (self.names, self.images))
        return NamedRegions(names, self.features[kept], owners)

    def with_region(self, name: str, features: NDArray[np.float32], image: str) -> NamedRegions:
        """The same with one more region. features: [channels]."""
        rows = np.concatenate([self.features, features[None]]) if self.names else features[None]
        return NamedRegions((*self.names, name), rows, (*self.images, image))


@dataclass(frozen=True, kw_only=True)
class KnownDefect:
    """An image of a defective part. score: what the station gave it when it was told of it."""

    image: str
    sha256: str
    name: str | None
    score: float


@dataclass(frozen=True, eq=False, kw_only=True)
class DefectMemory:
    """A second memory, of defects, see `MemoryBank.beside_defects`: scores depend on it.

    Attributes:
        images: The SHA-256 of the pixels of the images that it is made of.
        rows: By name of the features, [rows, channels], unit norm.
        owners: Likewise, the number in `images` of the image that each row is of, int64 [rows].
    """

    images: tuple[str, ...] = ()
    rows: Mapping[str, NDArray[np.generic]] = field(default_factory=lambda: MappingProxyType({}))
    owners: Mapping[str, NDArray[np.int64]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def sha256(self) -> str | None:
        """A hash of the rows; None without any."""
        if not self.images:
            return None
        digest = hashlib.sha256()
        for name, rows in sorted(self.rows.items()):
            digest.update(f"{name} {rows.dtype} {rows.shape}".encode())
            digest.update(np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()

    def without(self, images: Collection[str]) -> DefectMemory:
        """The same without some of its images."""
        kept = [number for number, image in enumerate(self.images) if image not in images]
        if len(kept) == len(self.images):
            return self
        if not kept:
            return DefectMemory()
        chosen = {name: np.isin(owners, kept) for name, owners in self.owners.items()}
        return DefectMemory(
            images=tuple(self.images[number] for number in kept),
            rows={name: rows[chosen[name]] for name, rows in self.rows.items()},
            owners={name: np.searchsorted(kept, owners[chosen[name]]) for name, owners in self.owners.items()},
        )

    def with_image(self, image: str, rows: Mapping[str, NDArray[np.generic]]) -> DefectMemory:
        """The same with one more image."""
        number = len(self.images)
        own = {name: np.full(len(each), number, np.int64) for name, each in rows.items()}
        if not number:
            return DefectMemory(images=(image,), rows=dict(rows), owners=own)
        return DefectMemory(
            images=(*self.images, image),
            rows={name: np.concatenate([self.rows[name], each]) for name, each in rows.items()},
            owners={name: np.concatenate([self.owners[name], each]) for name, each in own.items()},
        )


class _Known(TypedDict):
    """A `KnownDefect`."""

    image: str
    sha256: str
    name: str | None
    score: float


class _Plain(TypedDict):
    """What `Defects.to_dict` writes beside arrays."""

    words: list[str]
    known: list[_Known]
    region_names: list[str]
    region_images: list[str]
    memory_images: list[str]


_Arrays = Mapping[str, NDArray[np.generic]]
_ROWS, _OWNERS, _FEATURES = "memory ", "owners ", "region_features"


@dataclass(frozen=True, eq=False, kw_only=True)
class Defects:
    """What a station knows of defects: a part of it, see `oddlens.station.state.Section`.

    Attributes:
        words: Names among which regions are named.
        known: Images of defective parts.
        regions: Regions that were named.
        memory: A second memory.
    """

    words: tuple[str, ...] = ()
    known: tuple[KnownDefect, ...] = ()
    regions: NamedRegions = field(default_factory=NamedRegions)
    memory: DefectMemory = field(default_factory=DefectMemory)

    @property
    def summary(self) -> str:
        """All of it in a line: "3 known (2 dent, 1 burn), named among scratch, dent, a memory of 3"."""
        counts = Counter(each.name or "without a name" for each in self.known)
        said = (
            [f"{len(self.known)} known ({', '.join(f'{count} {name}' for name, count in counts.items())})"]
            if counts
            else []
        )
        said += [f"named among {', '.join(self.words)}"] if self.words else []
        said += [f"a memory of {len(self.memory.images)}"] if self.memory.images else []
        return ", ".join(said) or "none"

    def without(self, images: Collection[str]) -> Defects:
        """The same without what is known of some images, by the SHA-256 of their pixels."""
        return replace(
            self,
            known=tuple(each for each in self.known if each.sha256 not in images),
            regions=self.regions.without(images),
            memory=self.memory.without(images),
        )

    def to_dict(self) -> dict[str, object]:
        """As JSON values and arrays."""
        plain: _Plain = {
            "words": list(self.words),
            "known": [
                {"image": each.image, "sha256": each.sha256, "name": each.name, "score": each.score}
                for each in self.known
            ],
            "region_names": list(self.regions.names),
            "region_images": list(self.regions.images),
            "memory_images": list(self.memory.images),
        }
        return {
            **plain,
            **({_FEATURES: self.regions.features} if self.regions.names else {}),
            **{_ROWS + name: rows for name, rows in self.memory.rows.items()},
            **{_OWNERS + name: owners for name, owners in self.memory.owners.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Defects:
        """What `to_dict` gave. Raises `UsageError` for anything else."""
        wrong = "what it says of defects is wrong"
        arrays = {name: value for name, value in document.items() if isinstance(value, np.ndarray)}
        plain = require_form({name: value for name, value in document.items() if name not in arrays}, _Plain, wrong)
        if fault := _fault_of(plain, arrays):
            raise UsageError(f"{wrong}: {fault}")
        regions = NamedRegions()
        if names := tuple(plain["region_names"]):
            regions = NamedRegions(names, arrays[_FEATURES].astype(np.float32), tuple(plain["region_images"]))
        return cls(
            words=tuple(plain["words"]),
            known=tuple(KnownDefect(**each) for each in plain["known"]),
            regions=regions,
            memory=DefectMemory(
                images=tuple(plain["memory_images"]),
                rows=_part(arrays, _ROWS),
                owners={name: np.asarray(each, np.int64) for name, each in _part(arrays, _OWNERS).items()},
            ),
        )


def _part(arrays: _Arrays, prefix: str) -> dict[str, NDArray[np.generic]]:
    return {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}


def _fault_of(plain: _Plain, arrays: _Arrays) -> str:
    """What is wrong with a document of the right form; "" where nothing is."""
    rows, owners, features = _part(arrays, _ROWS), _part(arrays, _OWNERS), arrays.get(_FEATURES)
    names, images = plain["region_names"], plain["memory_images"]
    if any(each.keys() != {"image", "sha256", "name", "score"} for each in plain["known"]):
        return "a known defect says more than is known here"
    if len(arrays) != len(rows) + len(owners) + (features is not None):
        return "an array of it is unknown"
    for name, each in [*rows.items(), *({} if features is None else {_FEATURES: features}).items()]:
        if each.ndim != 2 or not np.issubdtype(each.dtype, np.floating) or not np.isfinite(each).all():
            return f"{name} is no table of finite numbers"
    if (0 if features is None else len(features)) != len(names) or len(plain["region_images"]) != len(names):
        return "named regions, their images and their features do not fit together"
    if rows.keys() != owners.keys() or bool(rows) != bool(images):
        return "its memory and the images that it is of do not fit together"
    for name, each in owners.items():
        if each.shape != rows[name].shape[:1] or not np.array_equal(np.unique(each), np.arange(len(images))):
            return f"the rows of {name} are not of the images that it names"
    return ""


def defect_names(text: str) -> tuple[str, ...]:
    """The names in a list with commas, each once, in any case of letters.

    Raises:
        UsageError: There are fewer than two, or one is "unknown".

    Examples:
        >>> defect_names("scratch, dent,Scratch")
        ('scratch', 'dent')
    """
    words = [check_defect_name(word) for word in text.split(",") if word.strip()]
    names = {word.casefold(): word for word in reversed(words)}
    if len(names) < 2:
        raise UsageError(
            f"{shortened(text)} names fewer than two defects: give two or more, divided by commas, of which one is chosen"
        )
    return tuple(names[name] for name in dict.fromkeys(map(str.casefold, words)))


def check_defect_name(name: str) -> str:
    """The name of a defect. Raises `UsageError` for what is no name, for several, and for "unknown", which stands for none."""
    check_name("the name of a defect", name)
    if "," in name:
        raise UsageError(
            f"the name of a defect {shortened(name)} has a comma in it, which divides names: give one name"
        )
    cleaned = " ".join(name.split())
    if cleaned.casefold() == UNKNOWN:
        raise UsageError(f"no defect can be called {cleaned!r}: {UNKNOWN!r} stands for a region that no name fits")
    return cleaned
