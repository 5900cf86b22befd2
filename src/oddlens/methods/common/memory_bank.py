"""Memory bank: the features of good examples, and how far a query is from the nearest of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from itertools import accumulate
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from oddlens.backbone.tensors import FLOATS, read_safetensors, tensor_fault
from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import why_not_opened

CHUNK = 1 << 24
"""Similarities held at once (64 MB of float32)."""

_IN_GRAPH = 64
"""Queries that an exported graph takes at a time."""

_KEY, _FORMAT, _UNSCALED = "oddlens", "memory-bank-1", "memory-bank-1-unscaled"
_ROWS, _OWNERS, _VALUES, _PICTURES = "rows:", "owners:", "values:", "pictures"


class MemoryBank:
    """Rows of features of good examples, by name, and the distance of queries to the nearest row. A value: nothing changes it.

    Every row belongs to one image, known by its number from 0 in the order of adding. Banks that are made of one another share
    their rows in memory. Images may be tiles of pictures (`of_tiles`): those of one picture stand together, and are left out
    together.

    Args:
        features: By name [images, rows, channels], float32 or float16, of the same images under every name. Rows are scaled to
            unit length.
        max_rows: The most rows to keep under each name; None keeps all. A greedy coreset: the first row of every image, then again
            and again the row that is farthest from all kept ones, by cosine (k-center greedy; ties go to the first row). A row left
            out is at most as far from a kept one as the last one taken was. Distances of references to each other
            (`leaving_out`) grow by that, so that thresholds become generous.
        chunk: Similarities that are held at once.
        real: Which rows of each image there are, bool [images, rows], the same under every name; None: all. Images of several sizes
            have several numbers of them.
        unit: Whether rows and queries are scaled to unit length. Otherwise they are compared as they are, in any floating type.

    Raises:
        UsageError: `max_rows` is less than the number of images.
    """

    def __init__(
        self,
        features: Mapping[str, Tensor],
        *,
        max_rows: int | None = None,
        chunk: int = CHUNK,
        real: Tensor | None = None,
        unit: bool = True,
    ) -> None:
        self._rows: dict[str, Tensor] = {}
        self._owners: dict[str, Tensor] = {}
        self.values: Mapping[str, Tensor] = {}
        self.chunk = chunk
        self.unit = unit
        self._left_out: Tensor | None = None
        self._defects: MemoryBank | None = None
        self._pictures: Tensor | None = None
        for name, value in features.items():
            images, rows, _ = value.shape
            if max_rows is not None and max_rows < images:
                raise UsageError(
                    f"max_rows {max_rows} is less than the {images} images: give at least one row an image"
                )
            flat = (F.normalize(value.float(), dim=-1).to(value.dtype) if unit else value).flatten(0, 1)
            owners = torch.arange(images, device=value.device).repeat_interleave(rows)
            if real is not None:
                flat, owners = flat[real.flatten()], owners[real.flatten()]
            if max_rows is not None and max_rows < len(flat):
                firsts = torch.searchsorted(owners, torch.arange(images, device=value.device))
                kept = _coreset(flat.float(), firsts, max_rows)
                flat, owners = flat[kept], owners[kept]
            self._rows[name], self._owners[name] = flat, owners

    @classmethod
    def of_rows(
        cls,
        rows: Mapping[str, Tensor],
        values: Mapping[str, Tensor] | None = None,
        *,
        chunk: int = CHUNK,
        unit: bool = True,
    ) -> MemoryBank:
        """A bank of rows that are of unit length already, [rows, channels] by name: what an exported graph is given.

        Which images they are of is not known, so that none can be left out. unit: as of the bank that they come from.
        """
        bank = cls({}, chunk=chunk, unit=unit)
        bank._rows, bank.values = dict(rows), dict(values or {})
        bank._owners = {name: torch.zeros_like(each[:, 0], dtype=torch.int64) for name, each in rows.items()}
        return bank

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its features."""
        return tuple(self._rows)

    def rows(self, name: str) -> Tensor:
        """The rows under a name, [rows, channels], unit norm. Not to be written to."""
        return self._rows[name]

    def owners(self, name: str) -> Tensor:
        """The number of the image that each row belongs to, int64 [rows], rising. Not to be written to."""
        return self._owners[name]

    def __len__(self) -> int:
        """How many images it holds."""
        return max((int(owners.max()) + 1 for owners in self._owners.values() if len(owners)), default=0)

    @property
    def picture_count(self) -> int:
        """How many pictures its images are of: as many as there are images, where these are no tiles."""
        return len(self) if self._pictures is None else int(self._pictures[-1]) + 1

    def of_tiles(self, pictures: Tensor | NDArray[np.int64]) -> MemoryBank:
        """The same bank, whose images are tiles.

        Args:
            pictures: The number of the picture that each image is a tile of, from 0 and rising: int64 [images].
        """
        bank = copy(self)
        bank._pictures = torch.as_tensor(pictures)
        return bank

    def add(self, *others: MemoryBank) -> MemoryBank:
        """A bank of the images of all, this one's first. `values` are of none any more.

        Raises:
            UsageError: The banks hold features of other names, widths or types.
        """
        for other in others:
            if other._kinds != self._kinds:
                raise UsageError(
                    f"banks of other features cannot be joined: this one has {self._kinds}, the other {other._kinds}"
                )
        banks, bank = (self, *others), copy(self)
        firsts = accumulate(map(len, banks), initial=0)
        owners = [
            {name: own + first for name, own in each._owners.items()}
            for each, first in zip(banks, firsts, strict=False)
        ]
        bank._rows = {name: torch.cat([each._rows[name] for each in banks]) for name in self._rows}
        bank._owners = {name: torch.cat([each[name] for each in owners]) for name in self._owners}
        if any(each._pictures is not None for each in banks):
            firsts = accumulate((each.picture_count for each in banks), initial=0)
            of_each = (torch.arange(len(each)) if each._pictures is None else each._pictures for each in banks)
            bank._pictures = torch.cat([own + first for own, first in zip(of_each, firsts, strict=False)])
        bank.values, bank._left_out = {}, None
        return bank

    def with_values(self, values: Mapping[str, Tensor]) -> MemoryBank:
        """The same bank with named tensors beside its rows, which a method's `score` reads."""
        bank = copy(self)
        bank.values = {**self.values, **values}
        return bank

    def beside_defects(self, defects: MemoryBank) -> MemoryBank:
        """The same bank beside one of known defects: what lies near a defect is farther from the good examples than it was.

        With the distance g to the nearest row of good examples and b to that of defects, `distance` then is 2 g^2 / (g + b), at
        most 2: g where both are alike, up to twice as much near a defect, less far from all defects. It still never rises when a
        good example joins.

        Raises:
            UsageError: The banks hold features of other names, widths or types, or not of unit length.
        """
        if not self.unit:
            raise UsageError("this method compares with no nearest good example, so that it takes no memory of defects")
        if defects._kinds != self._kinds:
            raise UsageError(
                f"these defects are of other features: the bank has {self._kinds}, the defects {defects._kinds}"
            )
        bank = copy(self)
        bank._defects = defects
        return bank

    def leaving_out(self, images: Tensor | NDArray[np.int64]) -> MemoryBank:
        """The same bank for queries that are images of it themselves: each is compared with all images but itself.

        A tile is compared with no tile of its picture.

        Args:
            images: The number of the image that each query is, int64 [batch].
        """
        bank = copy(self)
        bank._left_out = torch.as_tensor(images)
        return bank

    @property
    def left_out(self) -> Tensor | None:
        """The number of the image that each query is, see `leaving_out`."""
        return self._left_out

    @property
    def left_out_ranges(self) -> list[tuple[int, int]] | None:
        """The first and the last image that each query is not compared with: itself, or all tiles of its picture."""
        return None if self._left_out is None else self._excluded(self._left_out)

    def distance(self, name: str, queries: Tensor, exclude: Tensor | None = None, *, neighbours: int = 1) -> Tensor:
        """1 - the cosine to the nearest row, exactly. Where rows are no unit vectors, half the squared Euclidean distance.

        Computed in chunks; memory O(chunk), time O(queries * rows * channels).

        Args:
            name: The name of the features.
            queries: [batch, rows, channels], of any length; a query of length 0 is at distance 1 from everything.
            exclude: The number of the image that each query is not compared with, int64 [batch]; None compares with all.
            neighbours: The mean over so many nearest rows; over all where there are fewer.

        Returns:
            float32 [batch, rows], of unit vectors in [0, 2]; infinite where an excluded image is the only one.
        """
        near = self._distance(name, queries, exclude, neighbours)
        if self._defects is None:
            return near
        beside = (
            2 * near.square() / (near + self._defects.distance(name, queries, neighbours=neighbours)).clamp(min=1e-9)
        )
        return torch.where(near.isinf(), near, beside.clamp(max=2))

    def _distance(self, name: str, queries: Tensor, exclude: Tensor | None, neighbours: int) -> Tensor:
        known, owners = self._rows[name].float(), self._owners[name]
        exclude = self._left_out if exclude is None else exclude
        flat = queries.flatten(0, -2).float()
        # Half the squared distance of two rows is half of each one's squared length, less their product.
        half = None if self.unit else known.square().sum(dim=1) / 2
        flat = F.normalize(flat, dim=-1) if half is None else flat
        own = 1 if half is None else flat.square().sum(dim=1) / 2
        if torch.compiler.is_exporting():
            found = _nearest_in_graph(flat, known, half, neighbours)
            return (own - found).clamp(min=0).view(queries.shape[:-1])
        step = max(1, self.chunk // max(1, len(known)))
        chunks: list[Tensor] = []
        for part in torch.split(flat, step):
            similar = part @ known.T if half is None else part @ known.T - half
            if exclude is not None:
                _exclude(similar, self._excluded(exclude), owners, len(chunks) * step, queries.shape[1])
            chunks.append(_nearest(similar, neighbours))
        # Rounding can make a perfect match negative.
        return (own - torch.cat(chunks)).clamp(min=0).view(queries.shape[:-1])

    def _excluded(self, images: Tensor) -> list[tuple[int, int]]:
        """The first and the last image that each query is not compared with: itself, or all tiles of its picture."""
        if self._pictures is None:
            return [(image, image) for image in images.tolist()]
        first, last = (
            torch.searchsorted(self._pictures, self._pictures[images], right=right) for right in (False, True)
        )
        return list(zip(first.tolist(), (last - 1).tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Write the bank as a .safetensors file, whole or not at all."""
        tensors = {_ROWS + name: rows for name, rows in self._rows.items()}
        tensors |= {_OWNERS + name: owners for name, owners in self._owners.items()}
        tensors |= {_VALUES + name: value for name, value in self.values.items()}
        tensors |= {} if self._pictures is None else {_PICTURES: self._pictures}
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        write_bytes(path, save(plain, metadata={_KEY: _FORMAT if self.unit else _UNSCALED}))

    @classmethod
    def load(cls, path: Path, *, device: torch.device | str = "cpu", chunk: int = CHUNK) -> MemoryBank:
        """The bank in a file that `save` wrote.

        Raises:
            UsageError: There is no such file.
            ModelError: The file is damaged or something else: a tensor is not finite, of another shape or type, or misses an image.
        """
        shown = printable(str(path))
        try:
            tensors, metadata = read_safetensors(path)
        except OSError as error:
            raise UsageError(f"the memory bank {shown} {why_not_opened(path, error)}") from error
        except SafetensorError as error:
            raise ModelError(f"{shown} is damaged or no safetensors file: make the memory bank again") from error
        kind = metadata.get(_KEY)
        fault = "it does not say that it is one" if kind not in (_FORMAT, _UNSCALED) else ""
        fault = fault or _fault_of(tensors, unit=kind == _FORMAT)
        if fault:
            raise ModelError(f"{shown} is no memory bank ({fault}): make it again")
        bank = cls({}, chunk=chunk, unit=kind == _FORMAT)
        bank._rows = {name: rows.to(device) for name, rows in _part(tensors, _ROWS).items()}
        bank._owners = {name: owners.to(device) for name, owners in _part(tensors, _OWNERS).items()}
        bank.values = {name: value.to(device) for name, value in _part(tensors, _VALUES).items()}
        bank._pictures = tensors.get(_PICTURES)
        return bank

    @property
    def _kinds(self) -> dict[str, str]:
        """The width and the type of the rows under each name, in words."""
        return {
            name: f"{rows.shape[1]} x {str(rows.dtype).removeprefix('torch.')}" for name, rows in self._rows.items()
        }


def each_left_out(
    references: Mapping[str, Tensor], memory: MemoryBank, together: int = 8
) -> Iterator[tuple[dict[str, Tensor], MemoryBank]]:
    """Good examples, so many at a time, each with the memory that leaves it out.

    references: their features by name, [images, ...], in the order in which the memory knows them.
    """
    count = len(next(iter(references.values())))
    for first in range(0, count, together):
        numbers = torch.arange(first, min(first + together, count))
        yield {name: value[first : first + together] for name, value in references.items()}, memory.leaving_out(numbers)


def _nearest(similar: Tensor, neighbours: int) -> Tensor:
    """The mean of each row's largest values, of all where there are fewer: [rows, known rows] -> [rows]."""
    if neighbours == 1:
        return similar.amax(dim=1)
    largest = similar.topk(min(neighbours, similar.shape[1]), dim=1).values
    there = largest > -torch.inf  # of an image that is left out no row counts
    mean = torch.where(there, largest, 0).sum(dim=1) / there.sum(dim=1)
    return torch.where(there.any(dim=1), mean, -torch.inf)


def _nearest_in_graph(flat: Tensor, known: Tensor, half: Tensor | None, neighbours: int) -> Tensor:
    """As `_nearest` of all queries, in an exported graph, where the numbers of queries and rows are symbols.

    A loop of the graph takes `_IN_GRAPH` queries at a time, so that its memory stays within so many times the number of rows.
    """
    from torch._higher_order_ops.scan import scan  # takes half a second to import

    queries, known = flat.shape[0], known.T
    numbers = torch.arange(_IN_GRAPH, device=flat.device)

    def step(carried: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        part = flat[(first + numbers).clamp(max=queries - 1)]
        similar = part @ known if half is None else part @ known - half
        return carried.clone(), _nearest(similar, neighbours)

    # One step more than is needed: torch.export takes a loop of at least two for one of any length.
    firsts = torch.arange(0, queries + _IN_GRAPH, _IN_GRAPH, device=flat.device)
    _, nearest = scan(step, flat.new_zeros(1), firsts)
    return cast(Tensor, nearest.flatten()[torch.arange(queries, device=flat.device)])


def _exclude(similar: Tensor, images: list[tuple[int, int]], owners: Tensor, first: int, rows: int) -> None:
    """Make the excluded image of each query no match, in place.

    similar: [part of all query rows, known rows]. images: the first and the last excluded image of each query. owners: of the
    known rows. first: the number of the part's first row among all query rows, of which each query has `rows`.
    """
    for number in range(first // rows, -(-(first + len(similar)) // rows)):
        own = slice(max(0, number * rows - first), (number + 1) * rows - first)
        least, most = torch.tensor(images[number], device=owners.device)
        start, end = int(torch.searchsorted(owners, least)), int(torch.searchsorted(owners, most, right=True))
        similar[own, start:end] = -torch.inf


def _coreset(rows: Tensor, first: Tensor, most: int) -> Tensor:
    """The numbers of the rows to keep, rising: `first`, then always the one that is farthest from all kept ones."""
    kept = list(first.tolist())
    nearest = torch.stack([rows @ rows[number] for number in kept]).amax(dim=0)
    nearest[first] = torch.inf
    while len(kept) < most:
        farthest = int((nearest == nearest.min()).nonzero()[0])
        kept.append(farthest)
        nearest = torch.maximum(nearest, rows @ rows[farthest])
        nearest[farthest] = torch.inf  # rounding could make it its own farthest
    return torch.tensor(sorted(kept), device=rows.device)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _fault_of(tensors: Mapping[str, Tensor], *, unit: bool) -> str:
    """What is wrong with the tensors of a file; "" where nothing is."""
    rows, owners = _part(tensors, _ROWS), _part(tensors, _OWNERS)
    if rows.keys() != owners.keys() or not rows:
        return "rows and the images that they belong to do not fit together"
    if strange := [name for name in tensors if not name.startswith((_ROWS, _OWNERS, _VALUES)) and name != _PICTURES]:
        return f"{strange[0]} is no part of one"
    for name, value in _part(tensors, _VALUES).items():
        if fault := tensor_fault(value, dtypes=FLOATS):
            return f"{_VALUES}{name} {fault}"
    for name, value in rows.items():
        if fault := tensor_fault(value, (None, None), (torch.float32, torch.float16) if unit else FLOATS):
            return f"{_ROWS}{name} {fault}"
        if fault := tensor_fault(owners[name], (len(value),), [torch.int64]):
            return f"{_OWNERS}{name} {fault}"
        if not len(value) or int(owners[name].min()) < 0 or int(owners[name].max()) >= len(value):
            return f"{_OWNERS}{name} names images that have no rows"
        if bool((owners[name].diff() < 0).any()):
            return f"{_OWNERS}{name} does not rise"
        lengths = value.float().norm(dim=-1)
        if unit and not bool(((lengths - 1).abs().lt(0.01) | lengths.eq(0)).all()):
            return f"{_ROWS}{name} has rows that are not of unit length"
    if len({frozenset(each.tolist()) for each in owners.values()}) > 1:
        return "its features are of other images under one name than under another"
    pictures = tensors.get(_PICTURES)
    if pictures is not None:
        images = max(int(each.max()) + 1 for each in owners.values())
        if fault := tensor_fault(pictures, (images,), [torch.int64]):
            return f"{_PICTURES} {fault}"
        if int(pictures[0]) or not bool(((pictures.diff() == 0) | (pictures.diff() == 1)).all()):
            return f"{_PICTURES} does not count from 0"
    return ""
