"""Fetching a model from the hub: which files, whether oddlens reads it, and where they go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from oddlens.backbone.cards import Card
from oddlens.backbone.files import PREPROCESSOR, TOKENIZER, LayoutFiles, read_json, weight_files
from oddlens.backbone.hub import HUB_FILES, HUB_LAYOUTS, files_of, is_hub_id
from oddlens.backbone.repository import Repository
from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.atomic import write_text
from oddlens.io.hashes import file_hash
from oddlens.io.paths import exists, is_dir, is_file

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_MARK = "oddlens_fetched.json"
"""The file in a folder of `--to` that says which model it holds. It is written before the first file is fetched."""


class Fetched(NamedTuple):
    """A fetched model.

    Attributes:
        folder: Where its files are.
        warnings: Sentences for the user.
    """

    folder: Path
    warnings: tuple[str, ...]


def fetch_model(hub_id: str, card: Card | None = None, to: Path | None = None, revision: str | None = None) -> Fetched:
    """Download a model's files, resumably, checked against the hub's hashes.

    The configuration is fetched first, and a model that oddlens does not read is refused before its weights are. A file that is
    there already and whose content is not the hub's is replaced.

    Args:
        hub_id: The repository, "org/name".
        card: Of the model, where it has one. For a model without one, open_clip's layout is taken where the repository has it, else
            transformers'.
        to: A folder; None is the hub cache.
        revision: A branch, a tag or a commit; None is the main branch.

    Raises:
        UsageError: The name cannot be one, or the folder holds another model.
        ModelError: There is no such repository or revision, it is gated, the hub cannot be reached, the download breaks off, or
            oddlens does not read the model.
    """
    if not is_hub_id(hub_id):
        raise UsageError(f"{printable(hub_id)!r} cannot be the name of a repository on the hub: give owner/name")
    if to is not None:
        _refuse_other_model(to, hub_id, revision)
    repository = Repository(hub_id, revision, to)
    with repository.sentences():
        entries = repository.files()
        layout, weights = _choose(repository, entries, card)
        if to is not None:
            write_text(to / _MARK, json.dumps({"hub_id": hub_id, "revision": revision}) + "\n")
        wanted = (layout.config, PREPROCESSOR, *TOKENIZER, weights)
        folder = repository.download_small([name for name in wanted if name in entries and _is_small(name)])
        large = [path.name for path in weight_files(folder / weights) if not _is_small(path.name)]
        if missing := [name for name in large if name not in entries]:
            raise ModelError(
                f"{hub_id} lacks {missing[0]}, which {weights} lists: report it to its owner, or give another model"
            )
        damaged = [name for name in large if repository.download_large(entries[name], folder)]
    warnings = [f"{name} of {hub_id} was damaged (SHA-256 differs), and was fetched again" for name in damaged]
    if card is not None and revision is None:
        warnings += _changed_since_card(folder, card, large)
    return Fetched(folder, tuple(warnings))


def _choose(repository: Repository, entries: Mapping[str, RepoFile], card: Card | None) -> tuple[LayoutFiles, str]:
    """The layout and the weights to fetch. Raises `ModelError` where the repository holds no model that oddlens reads."""
    layouts = HUB_LAYOUTS if card is None else (files_of(card),)
    known = () if card is None else [name for name, _ in card.sha256]
    refusals: list[ModelError] = []
    for layout in layouts:
        weights = [name for name in layout.weights if name in entries]
        if weights and layout.config in entries:
            try:
                _judge(repository, layout)
            except ModelError as error:
                refusals.append(error)
            else:
                return layout, next((name for name in weights if name in known), weights[0])
    if refusals:
        raise refusals[0]
    wanted = ", or ".join(f"{layout.config} with one of {', '.join(layout.weights)}" for layout in layouts)
    raise ModelError(f"{repository.hub_id} is not fetched: it is no model that oddlens reads, which holds {wanted}")


def _judge(repository: Repository, layout: LayoutFiles) -> None:
    """Fetch the configuration alone, to a folder of its own. Raises `ModelError` where oddlens does not read its model."""
    from oddlens.backbone.layouts import judge_config

    with TemporaryDirectory(prefix="oddlens-") as place:
        path = repository.download_apart(layout.config, Path(place))
        try:
            judge_config(path)
        except ModelError as error:
            reason = str(error).replace(str(path), f"its {layout.config}")
            raise ModelError(f"{repository.hub_id} is not fetched: {reason}") from error


def _is_small(name: str) -> bool:
    """Whether a file holds no weights: a configuration, a tokenizer, or a list of weights files."""
    return name.endswith((".json", ".txt"))


def _changed_since_card(folder: Path, card: Card, names: list[str]) -> Iterator[str]:
    for name, digest in card.sha256:
        if name in names and (found := file_hash(folder / name)) != digest:
            yield (
                f"{name} of {card.hub_id} has changed since oddlens' card of {card.name} was written: it is the hub's file "
                f"(SHA-256 {found}), but not the one that the card knows ({digest}), and may give other results"
            )


def _refuse_other_model(to: Path, hub_id: str, revision: str | None) -> None:
    """Raise `UsageError` where a folder holds a model which is not, or may not be, the one to fetch."""
    if exists(to) and not is_dir(to):
        raise UsageError(f"{printable(str(to))} is a file: give as --to a folder, which may be new")
    if is_file(to / _MARK):
        held = read_json(to / _MARK)
        if (held.get("hub_id"), held.get("revision")) != (hub_id, revision):
            at = f" at {held['revision']}" if held.get("revision") else ""
            raise UsageError(f"{printable(str(to))} holds {held.get('hub_id')}{at}: give as --to a folder of its own")
    elif present := [name for name in HUB_FILES if is_file(to / name)]:
        raise UsageError(f"{printable(str(to))} holds a model already ({present[0]}): give as --to a folder of its own")
