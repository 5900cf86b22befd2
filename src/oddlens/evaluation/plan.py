"""What a benchmark consists of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from oddlens.data import Record
from oddlens.data.named import NamedDataset
from oddlens.data.object_names import ObjectNames
from oddlens.errors import UsageError
from oddlens.evaluation.cell_key import Key, Variant
from oddlens.evaluation.cell_results import CellSettings
from oddlens.evaluation.picks import Picks
from oddlens.evaluation.protocol import Protocol, Sizes
from oddlens.evaluation.trained_on import TrainedOn, trained_on

if TYPE_CHECKING:
    from oddlens.detector import Detector


@dataclass(frozen=True)
class Plan:
    """Methods (one detector each, without references) x data sets x variants.

    Attributes:
        sources: The data sets.
        detectors: The methods, each with a name of its own.
        variants: Numbers of good examples and seeds.
        picks: Chooses the good examples.
        names: The object names in prompts.
        full_size: As in `protocol.Protocol`; None leaves it to each category.
        components: As in `protocol.Protocol`; None leaves it to each category.
        maps: Raw anomaly maps are written.
        report_unsupported: Cells with good examples of a method that takes none, and cells without of one that can do nothing
            then, are reported as skipped; otherwise they are no part of the plan.
        leave_out_copies: Test images that are files of normal training images, the same to the byte, are left out of `sources`.

    Raises:
        UsageError: Two methods have one name, under which the figures of one would stand for both.
    """

    sources: tuple[NamedDataset, ...]
    detectors: tuple[Detector, ...]
    variants: tuple[Variant, ...]
    picks: Picks
    names: ObjectNames = field(default_factory=ObjectNames)
    full_size: bool | None = None
    components: Sizes | None = None
    maps: bool = False
    report_unsupported: bool = True
    leave_out_copies: bool = False

    def __post_init__(self) -> None:
        if self.leave_out_copies:
            object.__setattr__(self, "sources", tuple(source.without_copies() for source in self.sources))
        for name, count in Counter(each.name for each in self.detectors).items():
            if count > 1:
                raise UsageError(f"{count} detectors are called {name}: give each a name of its own (detector.name)")

    @cached_property
    def trained_on(self) -> dict[str, TrainedOn]:
        """What the weights of each method were trained on, read once: the files may be others later."""
        return {detector.name: trained_on(detector) for detector in self.detectors}

    def variants_of(self, detector: Detector) -> tuple[Variant, ...]:
        """Those that are planned for a method."""
        return tuple(each for each in self.variants if self.report_unsupported or not unsupported(detector, each))


def unsupported(detector: Detector, variant: Variant) -> str:
    """Why a method cannot be measured so, in half a sentence; "" where it can.

    Without good examples, a method that needs some is measured on the test images as one set, where it can score a set.
    """
    if variant.shots and detector.no_references is not None:
        return detector.no_references.partition(":")[0] + ": measure it with --shots 0"
    if not variant.shots and detector.needs_references and not detector.scores_sets:
        return f"{detector.name} needs good examples: measure it with --shots 1 or more"
    least = detector.least_references
    if 0 < variant.shots < least:
        return f"{detector.name} needs {least} good examples or more: measure it with --shots {least}"
    return ""


@dataclass(frozen=True)
class Job:
    """One category for one method: the cells that are evaluated together, each with its settings and good examples.

    trained_on: the test images that the method's weights were trained on, by their path in the data set.
    """

    source: NamedDataset
    category: str
    detector: Detector
    object_name: str
    records: tuple[Record, ...]
    cells: Mapping[Variant, tuple[CellSettings, tuple[Record, ...]]]
    protocol: Protocol
    trained_on: tuple[str, ...] = ()

    def key(self, variant: Variant) -> Key:
        """Which cell it is."""
        return Key(self.source.name, self.category, self.detector.name, variant)


@dataclass(frozen=True)
class Skipped:
    """A cell that has no figures, and why. by_nature: the method cannot be measured so on any data (`unsupported`)."""

    key: Key
    reason: str
    by_nature: bool = False
