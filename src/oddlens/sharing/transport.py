"""Bundles on their way: into a folder or a repository, and out of one. A repository is the only thing here that needs a network."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oddlens.backbone.repository import Repository
from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.new_folder import check_new_folder, new_folder
from oddlens.sharing.bundle import CARD, NAME, BundleDocument, Kind, check_files, read_bundle
from oddlens.sharing.place import Place
from oddlens.station import files
from oddlens.station.document import VERSIONS

_REPLACED = (f"{files.FOLDER}/*", f"{VERSIONS}/*")
"""Of a station that was pushed before: files that no version names any more."""


def push(place: Place, fill: Callable[[Path, str | None], object], message: str, *, private: bool = True) -> str:
    """Put a bundle into a place.

    Args:
        place: A folder that is made, or a repository, which is made where there is none. Of what is in it, what oddlens put there
            before is replaced.
        fill: Writes the bundle into an empty folder; it gets the card that is there already, or None.
        message: Of the commit.
        private: Whether a repository that is made can be seen by nobody else.

    Returns:
        Where it is: the folder, or the address of the commit.

    Raises:
        UsageError: The folder is there already, or the repository holds something else.
        ModelError: The hub cannot be reached, or does not take it.
    """
    if place.folder is not None:
        with new_folder(place.folder) as made:
            fill(made, None)
        return str(place.folder)
    repository = Repository(place.hub_id)
    with tempfile.TemporaryDirectory(prefix="oddlens-") as work, repository.pushing():
        before = _card_before(repository, Path(work) / "before")
        made = Path(work) / "bundle"
        made.mkdir()
        fill(made, before)
        return repository.upload(made, message, _REPLACED, private=private)


def _card_before(repository: Repository, place: Path) -> str | None:
    """The card of a repository; None without one. Raises `UsageError` where it holds something else than a bundle."""
    entries = repository.files_or_none()
    if not entries:
        return None
    others = [name for name in entries if not name.startswith(".") and name != CARD]
    if others and NAME not in entries:
        raise UsageError(
            f"the repository {repository.hub_id} holds something else ({printable(others[0])}): give one of its own"
        )
    if CARD not in entries:
        return None
    return repository.download_apart(CARD, place).read_text(encoding="utf-8", errors="replace")


@contextmanager
def pulled(place: Place, kind: Kind, target: Path) -> Iterator[tuple[Path, BundleDocument]]:
    """A folder with the files of a bundle, each checked by its SHA-256, for as long as the block runs.

    target: what they are for; a download that breaks off leaves what it has beside it, and goes on from there.

    Raises:
        UsageError: The target is there already, or the bundle is of another kind.
        ModelError: A file is missing or damaged, or the hub cannot be reached.
    """
    check_new_folder(target, "file" if target.suffix == ".safetensors" else "folder")
    if place.folder is not None:
        document = read_bundle(place.folder, kind, printable(str(place)))
        check_files(place.folder, document, printable(str(place)))
        yield place.folder, document
        return
    parts = target.absolute().parent / f".{target.name}.pulled"
    document = _download(Repository(place.hub_id, place.revision, parts), kind, parts)
    with _refused(parts):
        check_files(parts, document, printable(str(place)))
        yield parts, document
    shutil.rmtree(parts, ignore_errors=True)


@contextmanager
def _refused(parts: Path) -> Iterator[None]:
    """What is refused within is removed: a download that goes on from it would end the same."""
    try:
        yield
    except (ModelError, UsageError):
        shutil.rmtree(parts, ignore_errors=True)
        raise


def _download(repository: Repository, kind: Kind, folder: Path) -> BundleDocument:
    shown = repository.hub_id
    with repository.sentences():
        repository.pin()  # all files of one commit
        entries = repository.files(whole=True)
        if NAME not in entries:
            raise ModelError(f"{shown} holds nothing that oddlens shares: give what 'oddlens {kind} push' made")
        folder.mkdir(parents=True, exist_ok=True)
        repository.download_apart(NAME, folder)
        with _refused(folder):
            document = read_bundle(folder, kind, shown)
            for name in document["files"]:
                if name not in entries:
                    raise ModelError(f"{shown} lacks {name}, which its {NAME} names: push it again")
        for name in document["files"]:
            repository.download(entries[name], folder)
    return document


def take(folder: Path, document: BundleDocument, target: Path) -> None:
    """Copy the files of a bundle into a folder, and check what was copied."""
    for name in document["files"]:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, path)
    check_files(target, document, "what was pulled")
