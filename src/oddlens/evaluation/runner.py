"""Running a benchmark: finished cells are used again, the others are evaluated, and skipped cells carry a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import Protocol as Interface

from oddlens.data import Record
from oddlens.data.contents import Contents, files_of
from oddlens.data.named import NamedDataset
from oddlens.data.object_names import path_name
from oddlens.data.problem import first_of
from oddlens.detector import Detector
from oddlens.errors import DiskError, OddlensError, UsageError, counted, first_and_more, printable
from oddlens.evaluation.cell_key import Key, Variant
from oddlens.evaluation.cell_results import CellResult, CellSettings, cell_settings, read_cell, write_cell
from oddlens.evaluation.chunks import CHUNKS, Chunks
from oddlens.evaluation.evaluate import evaluate_category
from oddlens.evaluation.kept_chunks import discard, folder_of
from oddlens.evaluation.measured_files import changed_files, measured_files
from oddlens.evaluation.picks import write_picks
from oddlens.evaluation.plan import Job, Plan, Skipped, unsupported
from oddlens.evaluation.protocol import Protocol, choose_protocol
from oddlens.evaluation.seen_before import remarks_on_examples, remarks_on_weights
from oddlens.evaluation.written_maps import remove_others
from oddlens.io.paths import is_dir, is_file, matching, why_no_folder
from oddlens.methods.registry import authors_names

Evaluated = list[dict[Variant, CellResult | OddlensError]] | OddlensError
"""The cells of a group's jobs, in their order, and the error of each that failed; or the one for which there is none at all, as
where an image cannot be read."""


class Evaluation(Interface):
    """Evaluates groups of jobs, each of one category: `evaluate_here`, or in other processes."""

    def __call__(
        self,
        groups: Sequence[Sequence[Job]],
        plan: Plan,
        out: Path,
        advance: Callable[[int], None],
        chunks: Chunks,
    ) -> Iterator[Evaluated]:
        """What each group gives, in order; its cells are written then."""


def evaluate_here(
    groups: Sequence[Sequence[Job]], plan: Plan, out: Path, advance: Callable[[int], None], chunks: Chunks
) -> Iterator[Evaluated]:
    """See `Evaluation`: one after the other, in this process."""
    for jobs in groups:
        try:
            results = evaluate_category(jobs, plan, out, advance, chunks)
        except DiskError:  # the next group has no room either
            raise
        except OddlensError as error:
            yield error
            continue
        write_cells(jobs, results, out, chunks)
        yield results


def write_cells(
    jobs: Sequence[Job], results: Sequence[Mapping[Variant, CellResult | OddlensError]], out: Path, chunks: Chunks
) -> None:
    """Write the cells of jobs that were evaluated together, each in its file; chunks that were kept of them go, and so
    do maps of images that are not there any more.
    """
    for job, done in zip(jobs, results, strict=True):
        for variant, cell in done.items():
            if not isinstance(cell, OddlensError):
                if cell.maps is not None:
                    remove_others(out / cell.maps, job.records)
                write_cell(job.key(variant).path(out), cell)
    discard(folder_of(out, jobs, chunks))


class Benchmark:
    """A plan and the folder OUT with its cells: `open`, then `run`; afterwards `cells` and `skipped` are complete.

    Attributes:
        plan: See `Plan`.
        out: The folder.
        skipped: Cells without figures.
        remarks: After `open`, in sentences: where the methods saw test images before, and what is measured again because files
            changed.
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        self.plan = plan
        self.out = out
        self.skipped: list[Skipped] = []
        self.remarks: list[str] = []
        self._cells: dict[Key, CellResult | None] = {}
        self._jobs: list[Job] = []
        self._resume = True
        self._contents = Contents()
        self._unhashed = 0

    @property
    def cells(self) -> dict[Key, CellResult]:
        """The cells that are done, in the order of the plan."""
        return {key: cell for key, cell in self._cells.items() if cell is not None}

    @property
    def pending(self) -> int:
        """How many images still have to run through a tower."""
        return sum(len(job.records) for job in self._jobs)

    def open(self, *, resume: bool = True, hashed: Callable[[int, int], None] = lambda *_: None) -> None:
        """Write the lists of picks and find the cells that are done already. Nothing is evaluated yet.

        Args:
            resume: Cells in OUT are used again, and what workers found of others.
            hashed: Called with how many of how many files were read, each once: that none was replaced since a cell was made is
                known by their contents alone.

        Raises:
            UsageError: A cell was made with other settings, or OUT holds results of a run of `detect`, is the folder of a data set,
                or is no folder and cannot become one.
        """
        self._resume = resume
        if reason := why_no_folder(self.out):
            raise UsageError(f"{printable(str(self.out))} {reason}")
        if is_file(self.out / "results.jsonl") and not is_dir(self.out / "cells"):
            raise UsageError(
                f"{printable(str(self.out))} holds results of a run of 'oddlens detect': give another --out"
            )
        for source in self.plan.sources:
            if self.out.resolve() == source.dataset.root.resolve():
                raise UsageError(
                    f"{printable(str(self.out))} is the folder of the data set {source.name}: give another --out"
                )
        self._hash_files(hashed)
        for source in self.plan.sources:
            tests = source.tests()
            for method, training in self.plan.trained_on.items():
                seen = training.among(source, tests, self._contents)
                self.remarks += remarks_on_weights(source, method, seen, len(tests))
            for category in source.dataset.categories:
                examples = self._examples(source, category)
                every = {record.image: record for chosen in examples.values() for record in chosen}
                self.remarks += remarks_on_examples(source, category, every.values())
                self.remarks += (f"{category} of {source.name}: {note}" for note in source.unlabelled_notes(category))
                protocol = choose_protocol(source, category, self.plan.full_size, self.plan.components)
                for detector in self.plan.detectors:
                    self._prepare(source, category, detector, examples, protocol, resume)
            self.remarks += self._other_categories(source)
        if self._unhashed:
            self.remarks.append(
                f"an earlier version made {counted(self._unhashed, 'result')} in {printable(str(self.out))}, without hashes of the "
                "images: whether these changed since is not known; --no-resume measures again"
            )

    def _other_categories(self, source: NamedDataset) -> Iterator[str]:
        """A sentence on the cells in OUT of categories that the data set does not have, or that are not measured now."""
        measured = set(map(path_name, source.dataset.categories))
        folders = matching(self.out / "cells" / path_name(source.name), "*")
        if others := [each.name for each in folders if each.name not in measured and is_dir(each)]:
            yield (
                f"{printable(str(self.out))} has results of {first_and_more(others)} of {source.name}, too, which this call "
                "does not measure: no figure counts them"
            )

    def _hash_files(self, hashed: Callable[[int, int], None]) -> None:
        """Read all test images, and the files that say what is true of them. Good examples are read when they are picked."""
        files = list(
            dict.fromkeys(
                file for source in self.plan.sources for record in source.tests() for file in files_of(record)
            )
        )
        done = count(1)
        self._contents.hashes(files, lambda _: hashed(next(done), len(files)))

    def run(
        self,
        advance: Callable[[int], None] = lambda _: None,
        chunks: Chunks = CHUNKS,
        evaluation: Evaluation | None = None,
    ) -> Iterator[Job]:
        """Evaluate the cells that are left; yields each job when its cells are written.

        The methods of a category run together. A category with a file that cannot be read goes to `skipped`, and so do the cells of
        a method that fails on one of its images; the others go on.

        Args:
            advance: Called with the number of images that have just been done.
            chunks: How many images are held at once.
            evaluation: Evaluates the categories in other processes (`on_ray.RayEvaluation`); None: this one does, one by one.

        Raises:
            DiskError: While iterating, if the disk of OUT takes no more data. Finished cells stay.
        """
        together = groupby(self._jobs, key=lambda job: (job.source, job.category))
        groups = [tuple(group) for _, group in together]
        if not self._resume:
            for jobs in groups:
                discard(folder_of(self.out, jobs, chunks))
        evaluated = (evaluation or evaluate_here)(groups, self.plan, self.out, advance, chunks)
        try:
            for jobs, results in zip(groups, evaluated, strict=True):
                if isinstance(results, OddlensError):
                    self.skipped += [Skipped(job.key(variant), str(results)) for job in jobs for variant in job.cells]
                    continue
                for job, done in zip(jobs, results, strict=True):
                    for variant, cell in done.items():
                        if isinstance(cell, OddlensError):
                            self.skipped.append(Skipped(job.key(variant), str(cell)))
                        else:
                            self._cells[job.key(variant)] = cell
                    if not all(isinstance(cell, OddlensError) for cell in done.values()):
                        yield job
        except DiskError as error:
            how = "" if self._resume else " without --no-resume"
            raise DiskError(f"{error}, then run the same again{how}: it goes on with what is not done") from error

    def _examples(self, source: NamedDataset, category: str) -> dict[Variant, tuple[Record, ...]]:
        """The good examples of every variant, as many as there are. The lists that they come from are written."""
        most = max(variant.shots for variant in self.plan.variants)
        lists: dict[int | None, tuple[Record, ...]] = {None: ()}
        for seed in {variant.seed for variant in self.plan.variants if variant.seed is not None}:
            lists[seed] = self.plan.picks.of(source, category, seed)[:most]
            write_picks(self.out / "picks", source, category, seed, lists[seed])
        return {variant: lists[variant.seed][: variant.shots] for variant in self.plan.variants}

    def _prepare(
        self,
        source: NamedDataset,
        category: str,
        detector: Detector,
        examples: Mapping[Variant, tuple[Record, ...]],
        protocol: Protocol,
        resume: bool,
    ) -> None:
        """Sort the cells of a category and method into done, skipped and still to do."""
        records = source.tests(category)
        tests = list(map(source.relative, (record.image for record in records)))
        object_name = self.plan.names.of(source.name, category, authors_names(detector.card.name))
        unread = source.losses(category, left_out=False)
        unread_examples = source.losses(category, "train", left_out=False)
        to_do: dict[Variant, tuple[CellSettings, tuple[Record, ...]]] = {}
        changed: dict[str, None] = {}
        for variant in self.plan.variants_of(detector):
            chosen = examples[variant]
            key = Key(source.name, category, detector.name, variant)
            if unread:
                self.skipped.append(Skipped(key, first_of(unread)))
                continue
            if variant.shots and unread_examples:  # others would be picked without it
                self.skipped.append(Skipped(key, first_of(unread_examples)))
                continue
            if not records:
                self.skipped.append(Skipped(key, f"{category} of {source.name} has no labelled test image"))
                continue
            if reason := unsupported(detector, variant):
                self.skipped.append(Skipped(key, reason, by_nature=True))
                continue
            if len(chosen) < variant.shots:
                have = counted(len(chosen), "good example")
                self.skipped.append(Skipped(key, f"{category} of {source.name} has {have}: {variant.shots} are needed"))
                continue
            settings = cell_settings(source, category, detector, object_name, chosen, protocol, self._contents)
            cell = read_cell(key.path(self.out), settings, tests) if resume else None
            if cell is not None:
                self._unhashed += "files_sha256" not in cell.settings
                files = map(source.relative, measured_files(source, records, chosen))
                if what := changed_files(cell.settings, settings, files):
                    changed[what] = cell = None
            if cell is None or (self.plan.maps and cell.maps is None):
                cell = None
                to_do[variant] = settings, chosen
            self._cells[key] = cell
        self.remarks += (
            f"{category} of {source.name}: {what} changed since {detector.name} was measured: it is measured again"
            for what in changed
        )
        if to_do:
            seen = self.plan.trained_on[detector.name].among(source, records, self._contents)
            self._jobs.append(Job(source, category, detector, object_name, records, to_do, protocol, seen))
